//! Flags of MAPILogonEx and of IMAPISession::Logoff (mapix.h), with their values.

use bitflags::bitflags;

use crate::mapi::error::MapiError;
use watertight_mapi::MapiCode;

bitflags! {
    /// How [`Mapi::logon_ex`](crate::Mapi::logon_ex) logs on: the flags of MAPILogonEx.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct LogonFlags: u32 {
        /// What is missing is asked for; without it, it is an error.
        #[doc(alias = "MAPI_LOGON_UI")]
        const LOGON_UI = 0x0000_0001;
        /// A session of its own, never the shared one. Without it, the shared session is returned where there is one,
        /// whatever profile is named.
        #[doc(alias = "MAPI_NEW_SESSION")]
        const NEW_SESSION = 0x0000_0002;
        /// The session is shared: later logons without [`LogonFlags::NEW_SESSION`] get it, and need no credentials.
        /// Of several that were made new, they get the latest.
        #[doc(alias = "MAPI_ALLOW_OTHERS")]
        const ALLOW_OTHERS = 0x0000_0008;
        /// Where no profile is named the default one is not taken in its place, unless
        /// [`LogonFlags::USE_DEFAULT`] is there too; where one is named, it says nothing.
        #[doc(alias = "MAPI_EXPLICIT_PROFILE")]
        const EXPLICIT_PROFILE = 0x0000_0010;
        /// Extended MAPI: always so here.
        #[doc(alias = "MAPI_EXTENDED")]
        const EXTENDED = 0x0000_0020;
        /// The default profile stands in the place of the name that is given, or of none. Where there is no default
        /// profile, the name that is given stands.
        #[doc(alias = "MAPI_USE_DEFAULT")]
        const USE_DEFAULT = 0x0000_0040;
        /// Mail is fetched before the logon returns. On a server's own store there is nothing to fetch.
        #[doc(alias = "MAPI_FORCE_DOWNLOAD")]
        const FORCE_DOWNLOAD = 0x0000_1000;
        /// Each service of the profile shows its settings: the user is asked for everything, what is known included.
        #[doc(alias = "MAPI_SERVICE_UI_ALWAYS")]
        const SERVICE_UI_ALWAYS = 0x0000_2000;
        /// The session neither sends nor receives mail: RopLogon carries NO_MAIL — [MS-OXCSTOR] 2.2.1.1.1.
        #[doc(alias = "MAPI_NO_MAIL")]
        const NO_MAIL = 0x0000_8000;
        /// The caller is a service: it cannot be asked anything, and must set [`LogonFlags::NO_MAIL`].
        #[doc(alias = "MAPI_NT_SERVICE")]
        const NT_SERVICE = 0x0001_0000;
        /// Only the password is asked for, where it is missing. Not together with [`LogonFlags::LOGON_UI`]; the
        /// profile must be named.
        #[doc(alias = "MAPI_PASSWORD_UI")]
        const PASSWORD_UI = 0x0002_0000;
        /// The logon fails with MAPI_E_TIMEOUT when it is held up for more than a few seconds
        /// ([`LogonFlags::SHORT`]), by another logon or by the server.
        #[doc(alias = "MAPI_TIMEOUT_SHORT")]
        const TIMEOUT_SHORT = 0x0010_0000;
        /// The session works in the background. All do.
        #[doc(alias = "MAPI_BG_SESSION")]
        const BG_SESSION = 0x0020_0000;
        /// Strings are Unicode. All are.
        #[doc(alias = "MAPI_UNICODE")]
        const UNICODE = 0x8000_0000;
    }
}

bitflags! {
    /// How [`MapiSession::logoff`](crate::MapiSession::logoff) ends a session: the flags of IMAPISession::Logoff.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct LogoffFlags: u32 {
        /// A shared session ends for everybody who has it. Of a session that is not shared, it says nothing.
        #[doc(alias = "MAPI_LOGOFF_SHARED")]
        const SHARED = 0x0000_0001;
        /// The user may be asked to confirm. There is nothing to confirm here: nothing waits to be sent.
        #[doc(alias = "MAPI_LOGOFF_UI")]
        const UI = 0x0000_0002;
    }
}

impl LogonFlags {
    /// The few seconds of [`LogonFlags::TIMEOUT_SHORT`].
    pub const SHORT: std::time::Duration = std::time::Duration::from_secs(5);

    /// The flags of the loop in Q293150.
    pub const Q293150: Self =
        Self::NEW_SESSION.union(Self::LOGON_UI).union(Self::NO_MAIL).union(Self::USE_DEFAULT);

    /// Refuses flags that are not known and flags that exclude each other.
    pub(crate) fn check(self, profile: Option<&str>) -> Result<(), MapiError> {
        let unknown = self.difference(Self::all());
        if !unknown.is_empty() {
            return Err(MapiError::new(
                MapiCode::UnknownFlags,
                format!("MAPILogonEx has no flags {:#x}", unknown.bits()),
                "leave them out",
            ));
        }
        let wrong =
            |text: &str, next: &'static str| Err(MapiError::new(MapiCode::InvalidParameter, text, next));
        if self.contains(Self::LOGON_UI | Self::PASSWORD_UI) {
            return wrong("MAPI_LOGON_UI and MAPI_PASSWORD_UI exclude each other", "leave one out");
        }
        if self.contains(Self::PASSWORD_UI) && profile.is_none() {
            return wrong("MAPI_PASSWORD_UI asks for no profile, and none is named", "name the profile");
        }
        if self.contains(Self::NT_SERVICE) {
            if self.intersects(Self::LOGON_UI | Self::PASSWORD_UI | Self::SERVICE_UI_ALWAYS) {
                return wrong(
                    "a service (MAPI_NT_SERVICE) cannot be asked anything",
                    "leave out the flags with UI",
                );
            }
            if !self.contains(Self::NO_MAIL) {
                return wrong("a service (MAPI_NT_SERVICE) logs on without mail", "add MAPI_NO_MAIL");
            }
        }
        Ok(())
    }
}

impl LogoffFlags {
    /// Refuses flags that are not known.
    pub(crate) fn check(self) -> Result<(), MapiError> {
        let unknown = self.difference(Self::all());
        if unknown.is_empty() {
            return Ok(());
        }
        let text = format!("Logoff has no flags {:#x}", unknown.bits());
        Err(MapiError::new(MapiCode::UnknownFlags, text, "leave them out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_header() {
        assert_eq!(LogonFlags::Q293150.bits(), 0x8043);
        assert_eq!((LogonFlags::TIMEOUT_SHORT | LogonFlags::PASSWORD_UI).bits(), 0x12_0000);
        assert_eq!(
            (LogonFlags::ALLOW_OTHERS | LogonFlags::EXPLICIT_PROFILE | LogonFlags::EXTENDED).bits(),
            0x38
        );
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        use LogonFlags as F;
        let refused = [
            (F::LOGON_UI | F::PASSWORD_UI, Some("p"), MapiCode::InvalidParameter),
            (F::PASSWORD_UI, None, MapiCode::InvalidParameter),
            (F::NT_SERVICE, Some("p"), MapiCode::InvalidParameter),
            (F::NT_SERVICE | F::NO_MAIL | F::LOGON_UI, Some("p"), MapiCode::InvalidParameter),
            (F::from_bits_retain(4), Some("p"), MapiCode::UnknownFlags),
        ];
        for (flags, profile, code) in refused {
            assert_eq!(flags.check(profile).unwrap_err().code(), code, "{flags:?}");
        }
        for flags in [
            F::empty(),
            F::Q293150,
            F::NT_SERVICE | F::NO_MAIL,
            F::all().difference(F::PASSWORD_UI | F::NT_SERVICE),
        ] {
            flags.check(None).unwrap();
        }
        assert_eq!(LogoffFlags::from_bits_retain(8).check().unwrap_err().code(), MapiCode::UnknownFlags);
        LogoffFlags::all().check().unwrap();
    }
}
