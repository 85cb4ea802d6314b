//! Errors as MAPI programs know them: a code, what happened in words, and what to do next.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use watertight_mapi::MapiCode;

use crate::error::{
    DiscoveryError, Error, MailboxError, ProtocolError, ReachError, SetupError, SignInError, TrustError,
};

/// A failed call of [`Mapi`](crate::Mapi) or [`MapiSession`](crate::MapiSession): the return value with its extended
/// text (the role of MAPIERROR).
///
/// It prints as `MAPI_E_LOGON_FAILED (0x80040111): what happened; what to do next`. Clones share the cause.
#[derive(Debug, Clone)]
pub struct MapiError {
    code: MapiCode,
    text: String,
    next: Cow<'static, str>,
    source: Option<Arc<Error>>,
}

impl MapiError {
    pub(crate) fn new(code: MapiCode, text: impl Into<String>, next: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into(), next: next.into(), source: None }
    }

    /// The same, of a profile.
    pub(crate) fn in_profile(mut self, name: &str) -> Self {
        if !name.is_empty() && !self.text.starts_with("profile ") {
            self.text = format!("profile {name:?}: {}", self.text);
        }
        self
    }

    /// The code; never MAPI_E_CALL_FAILED, unless the server said that and no more.
    #[must_use]
    pub const fn code(&self) -> MapiCode {
        self.code
    }

    /// What happened.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do next; empty where the text says it already.
    #[must_use]
    pub fn next(&self) -> &str {
        &self.next
    }

    /// What happened below, where that is known: its class says how a program may go on.
    #[must_use]
    pub fn cause(&self) -> Option<&Error> {
        self.source.as_deref()
    }

    /// The code under the name that MAPI programs know, with its number.
    #[must_use]
    pub fn name(&self) -> String {
        match self.code.mapi_name() {
            Some(name) => format!("{name} (0x{:08X})", self.code.0),
            None => self.code.to_string(),
        }
    }
}

impl fmt::Display for MapiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.text)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "; {}", self.next) }
    }
}

impl std::error::Error for MapiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text is that of the cause already.
        self.source.as_deref().and_then(std::error::Error::source)
    }
}

impl From<Error> for MapiError {
    fn from(error: Error) -> Self {
        let code = code(&error);
        let next = next(&error, code);
        Self { code, text: error.to_string(), next: next.into(), source: Some(Arc::new(error)) }
    }
}

/// The MAPI code of an error.
pub(crate) const fn code(error: &Error) -> MapiCode {
    match error {
        Error::Reach(
            ReachError::Resolve { .. }
            | ReachError::Connect { .. }
            | ReachError::Handshake { .. }
            | ReachError::Interrupted { .. },
        )
        | Error::Trust(_)
        // What stands before the server, or in its place.
        | Error::Protocol(ProtocolError::Http(_) | ProtocolError::Status(_)) => MapiCode::NetworkError,
        Error::Reach(ReachError::ConnectTimeout { .. } | ReachError::Stalled { .. })
        | Error::Protocol(ProtocolError::Endless { .. }) => MapiCode::Timeout,
        Error::SignIn(
            SignInError::Credentials
            | SignInError::PasswordExpired
            | SignInError::Locked
            | SignInError::ClockSkew
            | SignInError::Kerberos { .. }
            | SignInError::Exchange { .. }
            | SignInError::NotProved { .. }
            | SignInError::TokenRefused,
        ) => MapiCode::LogonFailed,
        Error::SignIn(SignInError::NoTicket { .. } | SignInError::TokenCommand { .. }) => {
            MapiCode::UnconfiguredLogon
        }
        Error::SignIn(SignInError::Forbidden | SignInError::NoPrivilege(_)) => MapiCode::AccessDenied,
        Error::Mailbox(MailboxError::NoRight { .. }) => MapiCode::AccessDenied,
        Error::Mailbox(
            MailboxError::Moved { .. }
            | MailboxError::Unknown { .. }
            | MailboxError::NoPublicFolders(_)
            | MailboxError::NoPublicFolder { .. },
        ) => MapiCode::NotFound,
        Error::SignIn(SignInError::NotOffered { .. })
        | Error::NotMapi { .. }
        | Error::Discovery(DiscoveryError::NoMapiHttp { .. }) => MapiCode::NotSupported,
        Error::SignIn(SignInError::NoMailbox(_)) | Error::Discovery(DiscoveryError::Unknown { .. }) => {
            MapiCode::NotFound
        }
        Error::Discovery(
            DiscoveryError::Unusable { .. }
            | DiscoveryError::Redirect { .. }
            | DiscoveryError::Nowhere { .. }
            | DiscoveryError::Unconfirmed(_),
        )
        | Error::Setup(SetupError::Roots { .. }) => MapiCode::UnconfiguredLogon,
        Error::Protocol(ProtocolError::TooLarge { .. })
        | Error::Setup(
            SetupError::RequestTooLarge | SetupError::TooLarge { .. } | SetupError::TooManyRows { .. }
            | SetupError::TooDeep { .. },
        ) => {
            MapiCode::TooBig
        }
        Error::Protocol(ProtocolError::ResponseCode(_)) => MapiCode::UnableToComplete,
        Error::Protocol(
            ProtocolError::Wire(_)
            | ProtocolError::Framing(_)
            | ProtocolError::Incomplete(_)
            | ProtocolError::Unexpected(_),
        ) => MapiCode::CorruptData,
        Error::Refused { code, .. } => refused(*code),
        Error::Busy { .. } => MapiCode::ServerBusy,
        Error::SessionLost(_) => MapiCode::EndOfSession,
        Error::Setup(
            SetupError::Url { .. }
            | SetupError::Address(_)
            | SetupError::PlainHttp { .. }
            | SetupError::UserName
            | SetupError::SignIn { .. }
            | SetupError::NoWireForm(_)
            | SetupError::OtherLogon
            | SetupError::Source { .. },
        ) => {
            MapiCode::InvalidParameter
        }
        Error::Setup(SetupError::Random(_)) => MapiCode::OutOfResources,
        Error::Closed => MapiCode::InvalidObject,
    }
}

/// The MAPI code of what a server said: its own, where MAPI programs know it.
const fn refused(code: MapiCode) -> MapiCode {
    match code {
        MapiCode::UnknownUser | MapiCode::WrongServer | MapiCode::DestinationNullObject => MapiCode::NotFound,
        MapiCode::LoginPerm | MapiCode::StreamAccessDenied => MapiCode::AccessDenied,
        MapiCode::ServerPaused | MapiCode::ShutdownService => MapiCode::ServerBusy,
        MapiCode::MaxObjectsExceeded
        | MapiCode::QuotaExceeded
        | MapiCode::NamedPropertyQuotaExceeded
        | MapiCode::TooManyRecipients
        | MapiCode::MaxAttachmentExceeded => MapiCode::OutOfResources,
        MapiCode::PropertySize | MapiCode::BufferTooSmall | MapiCode::StreamSizeError => MapiCode::TooBig,
        MapiCode::NullObject => MapiCode::InvalidObject,
        MapiCode::RpcFormat | MapiCode::StreamSeekError => MapiCode::InvalidParameter,
        MapiCode::DuplicateDelivery => MapiCode::DuplicateName,
        other => other,
    }
}

/// What to do next, where the text of the error does not say it.
const fn next(error: &Error, code: MapiCode) -> &'static str {
    match error {
        Error::SessionLost(_) => "log on again and go on from the last state",
        Error::Closed => "what is opened through a session ends with it: log on again, and open it again",
        Error::Setup(SetupError::RequestTooLarge) => "ask for less at a time",
        Error::Setup(SetupError::Random(_)) => "check that /dev/urandom is there",
        Error::Setup(SetupError::Roots { .. }) => "check tls_ca of the profile",
        Error::Setup(SetupError::PlainHttp { .. }) => "use https://",
        Error::Trust(TrustError::Other { .. }) => "check the certificate",
        Error::Setup(SetupError::UserName) => "check user of the profile",
        Error::Setup(SetupError::Url { .. }) => "check server of the profile",
        Error::Refused { .. } => match code {
            MapiCode::NotFound | MapiCode::ObjectDeleted | MapiCode::InvalidEntryId => {
                "it may have been moved or deleted: look for it again"
            }
            MapiCode::AccessDenied => "ask the owner of the mailbox for the right to do this",
            MapiCode::ServerBusy => "try again later",
            MapiCode::OutOfResources => "release what is not needed, or ask for a larger quota",
            MapiCode::TooBig | MapiCode::NotEnoughMemory => "use a stream",
            MapiCode::TooManySessions => "log off sessions that are not needed",
            MapiCode::ObjectModified => "open it again, and repeat the change",
            MapiCode::NotInitialized => "choose columns first",
            MapiCode::GeneralFailure => "the server says no more: look into its log",
            _ => "",
        },
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use watertight_mapi::http::ResponseCode;
    use watertight_mapi::http::framing::ResponseParser;
    use watertight_wire::Reader;

    use super::*;
    use crate::error::Lost;
    use crate::sign_in::Scheme;

    fn every() -> Vec<(Error, MapiCode)> {
        let s = || "x".to_owned();
        let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let after = Duration::from_secs(1);
        let code = MapiCode::AccessDenied;
        let wire = Reader::new(&[], "X").u8("f").unwrap_err();
        let framing = ResponseParser::new(1).handle_end().unwrap_err();
        vec![
            (ReachError::Resolve { host: s(), source: io() }.into(), MapiCode::NetworkError),
            (ReachError::Connect { address: s(), source: io() }.into(), MapiCode::NetworkError),
            (ReachError::ConnectTimeout { address: s(), after }.into(), MapiCode::Timeout),
            (ReachError::Handshake { address: s(), why: s() }.into(), MapiCode::NetworkError),
            (ReachError::Interrupted { address: s(), why: s() }.into(), MapiCode::NetworkError),
            (ReachError::Stalled { address: s(), after }.into(), MapiCode::Timeout),
            (TrustError::UnknownIssuer { host: s() }.into(), MapiCode::NetworkError),
            (TrustError::WrongName { host: s() }.into(), MapiCode::NetworkError),
            (TrustError::NotInDate { host: s() }.into(), MapiCode::NetworkError),
            (TrustError::Other { host: s(), why: s() }.into(), MapiCode::NetworkError),
            (SignInError::Credentials.into(), MapiCode::LogonFailed),
            (SignInError::Forbidden.into(), MapiCode::AccessDenied),
            (
                SignInError::NotOffered { wanted: vec![Scheme::Ntlm], offered: Vec::new() }.into(),
                MapiCode::NotSupported,
            ),
            (SignInError::PasswordExpired.into(), MapiCode::LogonFailed),
            (SignInError::Locked.into(), MapiCode::LogonFailed),
            (SignInError::ClockSkew.into(), MapiCode::LogonFailed),
            (SignInError::NoTicket { why: s() }.into(), MapiCode::UnconfiguredLogon),
            (SignInError::Kerberos { why: s() }.into(), MapiCode::LogonFailed),
            (SignInError::Exchange { scheme: Scheme::Ntlm, why: s() }.into(), MapiCode::LogonFailed),
            (SignInError::NotProved { host: s(), why: s() }.into(), MapiCode::LogonFailed),
            (SignInError::TokenCommand { why: s() }.into(), MapiCode::UnconfiguredLogon),
            (SignInError::TokenRefused.into(), MapiCode::LogonFailed),
            (SignInError::NoPrivilege(code).into(), MapiCode::AccessDenied),
            (SignInError::NoMailbox(MapiCode::UnknownUser).into(), MapiCode::NotFound),
            (Error::NotMapi { url: s(), why: s() }, MapiCode::NotSupported),
            (ProtocolError::Wire(wire).into(), MapiCode::CorruptData),
            (ProtocolError::Http(s()).into(), MapiCode::NetworkError),
            (ProtocolError::Status(502).into(), MapiCode::NetworkError),
            (ProtocolError::ResponseCode(ResponseCode::InvalidVerb).into(), MapiCode::UnableToComplete),
            (ProtocolError::Framing(framing).into(), MapiCode::CorruptData),
            (ProtocolError::TooLarge { limit: 1 }.into(), MapiCode::TooBig),
            (ProtocolError::Endless { after }.into(), MapiCode::Timeout),
            (ProtocolError::Incomplete("x").into(), MapiCode::CorruptData),
            (ProtocolError::Unexpected(s()).into(), MapiCode::CorruptData),
            (Error::Busy { tries: 1, retry_after: None }, MapiCode::ServerBusy),
            (Lost::Forgotten(ResponseCode::ContextNotFound).into(), MapiCode::EndOfSession),
            (Lost::OutOfStep.into(), MapiCode::EndOfSession),
            (
                DiscoveryError::Unknown { host: s(), address: s(), code: 500, message: s() }.into(),
                MapiCode::NotFound,
            ),
            (DiscoveryError::Unusable { host: s(), why: s() }.into(), MapiCode::UnconfiguredLogon),
            (DiscoveryError::Redirect { host: s(), why: s() }.into(), MapiCode::UnconfiguredLogon),
            (SetupError::Url { url: s(), why: "x" }.into(), MapiCode::InvalidParameter),
            (SetupError::PlainHttp { host: s() }.into(), MapiCode::InvalidParameter),
            (SetupError::UserName.into(), MapiCode::InvalidParameter),
            (SetupError::Roots { path: s(), why: s() }.into(), MapiCode::UnconfiguredLogon),
            (SetupError::RequestTooLarge.into(), MapiCode::TooBig),
            (SetupError::Random(s()).into(), MapiCode::OutOfResources),
            (Error::Closed, MapiCode::InvalidObject),
        ]
    }

    #[test]
    fn every_error_has_its_code_and_none_is_bare() {
        for (error, code) in every() {
            let text = error.to_string();
            let mapi = MapiError::from(error);
            assert_eq!(mapi.code(), code, "{text}");
            assert!(code.mapi_name().is_some() && code != MapiCode::GeneralFailure, "{text}");
            let shown = mapi.to_string();
            assert!(shown.starts_with("MAPI_E_") && shown.contains(&text), "{shown}");
            // Each says what to do next, in its text or after it.
            let says = ["check", "try", "ask", "log on", "give", "use", "renew"];
            assert!(says.iter().any(|word| shown.contains(word)), "{shown}");
        }
    }

    #[test]
    fn what_a_server_refuses_keeps_its_code_or_gets_the_one_that_programs_know() {
        let cases = [
            (MapiCode::NotFound, MapiCode::NotFound),
            (MapiCode::NoAccess, MapiCode::NoAccess),
            (MapiCode::UnknownUser, MapiCode::NotFound),
            (MapiCode::WrongServer, MapiCode::NotFound),
            (MapiCode::LoginPerm, MapiCode::AccessDenied),
            (MapiCode::ServerPaused, MapiCode::ServerBusy),
            (MapiCode::ShutdownService, MapiCode::ServerBusy),
            (MapiCode::MaxObjectsExceeded, MapiCode::OutOfResources),
            (MapiCode::QuotaExceeded, MapiCode::OutOfResources),
            (MapiCode::PropertySize, MapiCode::TooBig),
            (MapiCode::BufferTooSmall, MapiCode::TooBig),
            (MapiCode::NullObject, MapiCode::InvalidObject),
            (MapiCode::RpcFormat, MapiCode::InvalidParameter),
            (MapiCode::TooManySessions, MapiCode::TooManySessions),
            (MapiCode::GeneralFailure, MapiCode::GeneralFailure),
        ];
        for (server, code) in cases {
            let mapi = MapiError::from(Error::Refused { operation: "RopX", code: server });
            assert_eq!(mapi.code(), code);
            // What the server said is in the text, under its own name.
            assert!(mapi.text().contains("RopX") && mapi.text().contains(&server.to_string()), "{mapi}");
        }
        let bare = MapiError::from(Error::Refused { operation: "RopX", code: MapiCode::GeneralFailure });
        assert!(bare.to_string().contains("the server says no more"), "{bare}");
    }

    #[test]
    fn it_prints_as_programs_know_it() {
        let error = MapiError::from(Error::from(SignInError::Credentials));
        assert_eq!(
            error.to_string(),
            "MAPI_E_LOGON_FAILED (0x80040111): the server does not accept the user name and password; check both"
        );
    }
}
