//! MAPILogonEx, in the role that MAPI programs know it in: a profile and flags in, a session out.

pub(crate) mod error;
pub(crate) mod flags;
pub(crate) mod logon;
pub(crate) mod session;
pub(crate) mod ui;
mod ways;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use watertight_ledger::Ledger;
use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use crate::mapi::error::MapiError;
use crate::mapi::flags::LogonFlags;
use crate::mapi::session::{Core, MapiSession};
use crate::mapi::ui::LogonUi;
use crate::options::Options;
use crate::profile::{Profile, ProfileSet, Profiles};
use ways::{Way, Ways};

/// What MAPI programs initialize once: where profiles are, what connections may do, and the shared session. Clones are
/// the same; nothing of it is global.
///
/// ```no_run
/// # async fn f() -> Result<(), watertight_mapi_client::MapiError> {
/// use watertight_ledger::Ledger;
/// use watertight_mapi_client::{LogoffFlags, LogonFlags, Mapi, Options, Profiles, Terminal};
///
/// let mapi = Mapi::new(Profiles::usual()?, Options::default(), &Ledger::new("program"));
/// for _ in 0..6000 {
///     let session = mapi.logon_ex(&Terminal, None, None, LogonFlags::Q293150).await?;
///     session.logoff(LogoffFlags::empty()).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Mapi(Arc<Inner>);

struct Inner {
    profiles: Profiles,
    ways: Ways,
    /// What was typed, or printed by a command: asked for once, forgotten when it is refused.
    secrets: Mutex<BTreeMap<String, Zeroizing<String>>>,
    /// The shared session. Held while one is made, so that two who want to share get one.
    shared: tokio::sync::Mutex<Weak<Core>>,
}

impl Mapi {
    /// The role of MAPIInitialize; dropping the last clone is that of MAPIUninitialize. `options` hold for all
    /// sessions, but for [`Options::tls_ca`] where a profile has its own.
    #[must_use]
    pub fn new(profiles: Profiles, options: Options, ledger: &Ledger) -> Self {
        Self(Arc::new(Inner {
            profiles,
            ways: Ways::new(options, ledger),
            secrets: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
        }))
    }

    /// Logs on: MAPILogonEx (Q293150). The session that comes back has signed in to the server and opened the mailbox.
    ///
    /// `profile` names a profile; none, or an empty one, is the same. `password` goes before what the profile says
    /// about it. `ui` is asked for what is missing, if `flags` allow that. When the future is dropped, what had come
    /// to be is ended in the background.
    ///
    /// # Errors
    /// | code | when |
    /// |---|---|
    /// | MAPI_E_LOGON_FAILED | the user name or the password is wrong; no profile is named and none may be asked for |
    /// | MAPI_E_NOT_FOUND | there is no such profile, password file, or mailbox |
    /// | MAPI_E_CORRUPT_DATA | the profiles cannot be understood: the line is named |
    /// | MAPI_E_NO_ACCESS | others can read or write the profiles or the password; the user may not open the mailbox |
    /// | MAPI_E_UNCONFIGURED | the profile lacks something, and nobody may be asked |
    /// | MAPI_E_UNKNOWN_FLAGS, MAPI_E_INVALID_PARAMETER | of the flags; of the server's URL |
    /// | MAPI_E_USER_CANCEL | the user did not want to |
    /// | MAPI_E_TIMEOUT | with [`LogonFlags::TIMEOUT_SHORT`]: held up for too long; else: the server stalls |
    /// | MAPI_E_NETWORK_ERROR, MAPI_E_BUSY | of the server and the way to it |
    #[doc(alias = "MAPILogonEx")]
    pub async fn logon_ex(
        &self,
        ui: &dyn LogonUi,
        profile: Option<&str>,
        password: Option<&str>,
        flags: LogonFlags,
    ) -> Result<MapiSession, MapiError> {
        let profile = profile.filter(|name| !name.is_empty());
        flags.check(profile)?;
        self.logon(logon::Request { mapi: self, ui, profile, given: None, password, flags }).await
    }

    /// As [`Mapi::logon_ex`], with a profile that is in no file: a temporary one, as MAPI programs make it to log on
    /// to a server that they know. Flags about the choice of a profile say nothing.
    ///
    /// # Errors
    /// As [`Mapi::logon_ex`].
    pub async fn logon_with(
        &self,
        ui: &dyn LogonUi,
        profile: &Profile,
        password: Option<&str>,
        flags: LogonFlags,
    ) -> Result<MapiSession, MapiError> {
        flags.check(Some("given"))?;
        self.logon(logon::Request { mapi: self, ui, profile: None, given: Some(profile), password, flags })
            .await
    }

    async fn logon(&self, logon: logon::Request<'_>) -> Result<MapiSession, MapiError> {
        let flags = logon.flags;
        let (new, share) =
            (flags.contains(LogonFlags::NEW_SESSION), flags.contains(LogonFlags::ALLOW_OTHERS));
        if new && !share {
            return logon.run().await.map(|core| MapiSession::new(Arc::new(core)));
        }
        let mut shared = logon::in_time(flags, async { Ok(self.0.shared.lock().await) }).await?;
        if !new && let Some(core) = shared.upgrade().filter(|core| core.alive()) {
            return Ok(MapiSession::new(core));
        }
        if !share {
            drop(shared);
            return logon.run().await.map(|core| MapiSession::new(Arc::new(core)));
        }
        let core = Arc::new(logon.run().await?);
        *shared = Arc::downgrade(&core);
        Ok(MapiSession::new(core))
    }

    /// The profiles.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.0.profiles
    }

    /// Waits until every session has ended, those too that were dropped, and ends connections that are kept.
    pub async fn idle(&self) {
        for way in self.0.ways.all() {
            way.connector.idle().await;
        }
    }

    fn way(&self, key: ways::Key) -> Result<Arc<Way>, MapiError> {
        self.0.ways.to(key)
    }

    fn known_secret(&self, of: &str) -> Option<Zeroizing<String>> {
        self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(of).cloned()
    }

    fn keep_secret(&self, of: String, secret: &Zeroizing<String>) {
        let mut secrets = self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.len() >= ways::MOST {
            secrets.clear();
        }
        secrets.insert(of, secret.clone());
    }

    fn forget_secret(&self, of: &str) {
        self.0.secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(of);
    }
}

impl fmt::Debug for Mapi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapi").field("profiles", &self.0.profiles).finish_non_exhaustive()
    }
}

/// The profile that a name, or none, means under these flags; `None` when the user has to say.
pub(crate) fn chosen(
    set: &ProfileSet,
    profile: Option<&str>,
    flags: LogonFlags,
) -> Result<Option<String>, MapiError> {
    let default = || set.default.clone().filter(|_| flags.contains(LogonFlags::USE_DEFAULT));
    if let Some(name) = default().or_else(|| profile.map(str::to_owned)) {
        return Ok(Some(name));
    }
    if flags.contains(LogonFlags::LOGON_UI) {
        return Ok(None);
    }
    let (text, next) = if flags.contains(LogonFlags::USE_DEFAULT) {
        ("no profile is named, and there is no default one", "name one, or write default = \"NAME\"")
    } else {
        ("no profile is named", "name one, or allow the default one (MAPI_USE_DEFAULT)")
    };
    Err(MapiError::new(MapiCode::LogonFailed, text, next))
}
