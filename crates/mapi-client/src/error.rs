//! What can go wrong, and what the person can do about it.

use std::time::Duration;

use watertight_auth::AuthError;
use watertight_mapi::MapiCode;
use watertight_mapi::http::ResponseCode;
use watertight_mapi::http::framing::FramingError;
use watertight_wire::WireError;

use crate::discover::Hop;
use crate::sign_in::Scheme;

/// A failed operation of this client.
///
/// Three kinds stay apart: the peer is wrong ([`Error::Protocol`], [`Error::NotMapi`]), the peer said no
/// ([`Error::SignIn`], [`Error::Refused`], [`Error::Busy`]), something on the way failed ([`Error::Reach`],
/// [`Error::Trust`]).
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server could not be reached, or stopped answering.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The server's certificate is not trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server does not accept the user.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The server does not open the mailbox that was asked for.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// What answers is no MAPI/HTTP server.
    #[error("{url} does not speak MAPI over HTTP ({why}); check the URL, it usually ends in /mapi/emsmdb/")]
    NotMapi {
        /// The URL without its query.
        url: String,
        /// What was seen instead.
        why: String,
    },
    /// The server sent something that the protocol does not allow.
    #[error("the server broke the protocol: {0}; check the URL, and what the server's own log says")]
    Protocol(#[from] ProtocolError),
    /// The server refused an operation.
    #[error("the server refused {operation}: {code}")]
    Refused {
        /// The ROP or request type.
        operation: &'static str,
        /// The reason.
        code: MapiCode,
    },
    /// The server asked to come later, each time.
    #[error("the server is busy, {tries} tries did not help; try again {}", later(*.retry_after))]
    Busy {
        /// How often it was asked.
        tries: u32,
        /// How long it wants to be left alone, where it said so.
        retry_after: Option<Duration>,
    },
    /// The session context is gone: whatever was held in it is gone too. Connect again and go on from the last state.
    #[error("the session with the server was lost: {0}")]
    SessionLost(#[from] Lost),
    /// Autodiscover did not give the user's settings.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The endpoint or an option cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The session was disconnected before.
    #[error("the session is closed")]
    Closed,
}

/// The kinds of failure that a caller treats differently.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Not reachable, not trusted, not a MAPI server, busy for too long: exit status 4.
    Reach,
    /// The user is not accepted: exit status 3.
    SignIn,
    /// The session context is gone; connecting again and repeating from the last state may help.
    SessionLost,
    /// The peer breaks the protocol.
    Protocol,
    /// The peer said no to one operation; the session lives on.
    Refused,
    /// Wrong arguments.
    Setup,
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Reach(_) | Self::Trust(_) | Self::NotMapi { .. } | Self::Busy { .. } => ErrorClass::Reach,
            Self::SignIn(_) | Self::Mailbox(_) | Self::Discovery(DiscoveryError::Unknown { .. }) => {
                ErrorClass::SignIn
            }
            Self::Discovery(_) => ErrorClass::Reach,
            Self::SessionLost(_) | Self::Closed => ErrorClass::SessionLost,
            // Not this server speaks, but what stands before it or in its place.
            Self::Protocol(ProtocolError::Http(_) | ProtocolError::Status(500..=599)) => ErrorClass::Reach,
            Self::Protocol(_) => ErrorClass::Protocol,
            Self::Refused { .. } => ErrorClass::Refused,
            Self::Setup(_) => ErrorClass::Setup,
        }
    }

    /// Whether a new session may succeed where this one failed: the session context was lost, or the connection
    /// broke in the middle of a request.
    #[must_use]
    pub const fn wants_new_session(&self) -> bool {
        matches!(
            self,
            Self::SessionLost(_) | Self::Reach(ReachError::Interrupted { .. } | ReachError::Stalled { .. })
        )
    }
}

/// The server could not be reached, or stopped answering.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The host's name is not known.
    #[error("the name {host} cannot be resolved ({source}); check the spelling and the name service")]
    Resolve {
        /// The host.
        host: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No connection could be made.
    #[error(
        "{address} cannot be reached ({source}); check that the server runs and that no firewall is between"
    )]
    Connect {
        /// Host and port.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No connection within the time allowed.
    #[error("{address} did not accept a connection within {seconds} s; check that it runs and that no firewall is between", seconds = .after.as_secs_f32())]
    ConnectTimeout {
        /// Host and port.
        address: String,
        /// The time allowed.
        after: Duration,
    },
    /// The TLS handshake failed, for another reason than trust.
    #[error("no TLS with {address} ({why}); check that the port speaks HTTPS")]
    Handshake {
        /// Host and port.
        address: String,
        /// The reason.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to {address} broke in the middle of a request ({why}); try again")]
    Interrupted {
        /// Host and port.
        address: String,
        /// The reason.
        why: String,
    },
    /// Nothing came for too long.
    #[error("{address} stopped answering: nothing came for {seconds} s; try again later", seconds = .after.as_secs_f32())]
    Stalled {
        /// Host and port.
        address: String,
        /// The time allowed.
        after: Duration,
    },
}

/// The server's certificate is not trusted.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Signed by nobody that is known here.
    #[error(
        "the certificate of {host} is signed by an authority that is not known here; if it is yours, give the authority's certificate with --tls-ca FILE"
    )]
    UnknownIssuer {
        /// The host.
        host: String,
    },
    /// Made out for somebody else.
    #[error("the certificate of {host} is made out for another name; use the name that stands in it")]
    WrongName {
        /// The host.
        host: String,
    },
    /// Not valid at this time.
    #[error("the certificate of {host} is expired or not yet valid; renew it, or set this machine's clock")]
    NotInDate {
        /// The host.
        host: String,
    },
    /// Anything else.
    #[error("the certificate of {host} is not accepted ({why})")]
    Other {
        /// The host.
        host: String,
        /// The reason.
        why: String,
    },
}

/// The server does not accept the user.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// HTTP status 401, or the key distribution centre's word that the password is wrong.
    #[error("the server does not accept the user name and password; check both")]
    Credentials,
    /// HTTP status 403.
    #[error(
        "the server knows the user but does not let it in (403); ask for MAPI over HTTP to be enabled for the mailbox"
    )]
    Forbidden,
    /// The server offers nothing that may be used here.
    #[error("the server offers {}, and what is there is for {}; {}", listed(.offered), listed(.wanted), cure(.wanted, .offered))]
    NotOffered {
        /// What the credentials and the options are for.
        wanted: Vec<Scheme>,
        /// What the server offers, of what is known here.
        offered: Vec<Scheme>,
    },
    /// The key distribution centre says that the password has expired.
    #[error("the password has expired; choose a new one (kpasswd), or ask the administrator for one")]
    PasswordExpired,
    /// The key distribution centre says that the account is locked or disabled.
    #[error("the account is locked or disabled; ask the administrator to unlock it")]
    Locked,
    /// Kerberos wants clocks that agree.
    #[error(
        "this machine's clock and the server's differ too much for Kerberos; check both, and set the one that is wrong"
    )]
    ClockSkew,
    /// There is no Kerberos ticket that is still good.
    #[error("no Kerberos ticket can be used ({why}); get one with kinit")]
    NoTicket {
        /// What is wrong with what is there.
        why: String,
    },
    /// Kerberos failed for another reason.
    #[error(
        "Kerberos does not let this user in ({why}); check that the URL has the server's full name, and the ticket with klist"
    )]
    Kerberos {
        /// The reason.
        why: String,
    },
    /// The exchange of NTLM or Negotiate could not be brought to its end.
    #[error("signing in with {scheme} failed ({why}); try another way with --sign-in")]
    Exchange {
        /// The scheme.
        scheme: Scheme,
        /// What went wrong.
        why: String,
    },
    /// The server could not prove that it is the one that the ticket was made for.
    #[error(
        "{host} could not prove that it is this server ({why}); do not give it a password, and check the URL"
    )]
    NotProved {
        /// The host.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// The command that prints a token did not do so.
    #[error("the command that prints the token {why}; try it by hand")]
    TokenCommand {
        /// What it did instead: its exit status, and the first line of what it said.
        why: String,
    },
    /// The server accepts neither the token nor a new one.
    #[error(
        "the server does not accept the token, nor the one that the command printed after it; check that it is for this server and this user"
    )]
    TokenRefused,
    /// X-ResponseCode 8 or 11, or a refused Connect or RopLogon.
    #[error("the user may not open this mailbox ({0}); check the user DN")]
    NoPrivilege(MapiCode),
    /// The user DN has no mailbox here.
    #[error(
        "there is no mailbox with this user DN here ({0}); check it, or leave it out to let Autodiscover find it"
    )]
    NoMailbox(MapiCode),
}

/// The server knows the user, and does not open the mailbox that was asked for.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// ecWrongServer: it is on another server now.
    #[error(
        "the mailbox has moved to {server:?}; let Autodiscover find it again (without --server), or give --server with that name"
    )]
    Moved {
        /// ServerName of the answer.
        server: String,
    },
    /// ecLoginPerm or another refusal for somebody else's mailbox.
    #[error(
        "{user} may not open the mailbox {mailbox} ({code}); ask its owner, or whoever runs the server, for access to the whole mailbox"
    )]
    NoRight {
        /// Who asked.
        user: String,
        /// The mailbox.
        mailbox: String,
        /// The server's answer.
        code: MapiCode,
    },
    /// ecUnknownUser for somebody else's mailbox.
    #[error("the server has no mailbox {mailbox} ({code}); check the address or the DN given with --mailbox")]
    Unknown {
        /// The mailbox.
        mailbox: String,
        /// The server's answer.
        code: MapiCode,
    },
    /// There are no public folders, or the user may not open them.
    #[error(
        "the server opens no public folders ({0}); ask whoever runs it whether there are any, and on which server"
    )]
    NoPublicFolders(MapiCode),
    /// Of the public folders none is called so.
    #[error("there is no public folder {path:?}; there are: {known}")]
    NoPublicFolder {
        /// The path that was given.
        path: String,
        /// The folders that there are where the path ends.
        known: String,
    },
}

impl MailboxError {
    /// A refused logon to a mailbox that is not the user's own.
    pub(crate) fn of_other(error: Error, user: &str, mailbox: &str) -> Error {
        let (user, mailbox) = (user.to_owned(), mailbox.to_owned());
        match error {
            Error::SignIn(SignInError::NoPrivilege(code)) => Self::NoRight { user, mailbox, code }.into(),
            Error::SignIn(SignInError::NoMailbox(code)) => Self::Unknown { mailbox, code }.into(),
            other => other,
        }
    }
}

impl SignInError {
    /// What a failed exchange means.
    pub(crate) fn of_exchange(scheme: Scheme, error: AuthError) -> Self {
        let why = match &error {
            AuthError::Io { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        match error {
            AuthError::Denied => Self::Credentials,
            // RFC 4120 7.5.9.
            AuthError::Kdc { code: 6 | 24 | 31, .. } => Self::Credentials,
            AuthError::Kdc { code: 18, .. } => Self::Locked,
            AuthError::Kdc { code: 23, .. } => Self::PasswordExpired,
            AuthError::Kdc { code: 37, .. } => Self::ClockSkew,
            AuthError::Kdc { code: 32, .. } | AuthError::Credentials(_) => Self::NoTicket { why },
            AuthError::Kdc { .. } | AuthError::Io { .. } => Self::Kerberos { why },
            _ => Self::Exchange { scheme, why },
        }
    }

    /// Whether a refused Connect or RopLogon is about the user.
    pub(crate) const fn of(code: MapiCode) -> Option<Self> {
        match code {
            MapiCode::UnknownUser | MapiCode::WrongServer => Some(Self::NoMailbox(code)),
            MapiCode::AccessDenied | MapiCode::LoginPerm | MapiCode::LoginFailure | MapiCode::LogonFailed => {
                Some(Self::NoPrivilege(code))
            }
            _ => None,
        }
    }
}

/// The server sent something that the protocol does not allow.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// Bytes that cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Not HTTP.
    #[error("no valid HTTP response ({0})")]
    Http(String),
    /// An HTTP status that does not belong here.
    #[error("unexpected HTTP status {0}")]
    Status(u16),
    /// An X-ResponseCode that says that the request was wrong.
    #[error("X-ResponseCode {0}")]
    ResponseCode(ResponseCode),
    /// Not the meta-tags and headers that belong in front of a body.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// More bytes than the response may have.
    #[error("a response of more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// A response that goes on for ever.
    #[error("a response that was not complete after {seconds} s", seconds = .after.as_secs_f32())]
    Endless {
        /// The time allowed.
        after: Duration,
    },
    /// The end came too early.
    #[error("the response ends in the middle ({0})")]
    Incomplete(&'static str),
    /// Answers that do not belong to the questions.
    #[error("{0}")]
    Unexpected(String),
}

/// Why a session context is gone.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The server does not know it any more (X-ResponseCode).
    #[error("the server does not know it any more (X-ResponseCode {0})")]
    Forgotten(ResponseCode),
    /// An earlier request was given up, or failed so that the order of requests is unknown.
    #[error("an earlier request did not end properly")]
    OutOfStep,
}

/// Autodiscover did not give the user's settings.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The server does not know the address.
    #[error(
        "Autodiscover on {host} does not know {address} (code {code}: {message}); check the address, or give --user-dn"
    )]
    Unknown {
        /// The host that was asked.
        host: String,
        /// The address that was asked for.
        address: String,
        /// ErrorCode of [MS-OXDSCLI].
        code: u32,
        /// What the server says about it.
        message: String,
    },
    /// The answer has no LegacyDN or is no settings document.
    #[error(
        "Autodiscover on {host} gave no usable settings ({why}); check the server's name, or give --user-dn"
    )]
    Unusable {
        /// The host that was asked.
        host: String,
        /// What is missing.
        why: String,
    },
    /// Nobody in the domain says where the mailbox is.
    #[error(
        "nobody says where the mailbox of {address} is; check the part after the @, or give --server URL. Tried:\n  {tried}"
    )]
    Nowhere {
        /// The address.
        address: String,
        /// Its domain.
        domain: String,
        /// What was tried and what came of it, a line each.
        tried: String,
    },
    /// There are settings, but none for MAPI over HTTP.
    #[error(
        "Autodiscover on {host} knows the user but offers no MAPI over HTTP; ask for it to be enabled for the mailbox"
    )]
    NoMapiHttp {
        /// The host that was asked.
        host: String,
    },
    /// A host that was not confirmed would have got the password.
    #[error("{0}; if {host} is right, say so with --yes, or give --server URL", host = .0.host)]
    Unconfirmed(Box<Hop>),
    /// The server sends the client elsewhere, too often or to a place that is not allowed.
    #[error("Autodiscover on {host} leads astray ({why}); check the server's name, or give --user-dn")]
    Redirect {
        /// The host that was asked.
        host: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The endpoint or an option cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The URL cannot be read.
    #[error("{url:?} is not a URL of the form https://HOST/mapi/emsmdb/ ({why})")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No address of the form NAME@DOMAIN.
    #[error("{0:?} is not an address of the form NAME@DOMAIN")]
    Address(String),
    /// Plain HTTP to another machine.
    #[error("passwords go to {host} over https only; http is for this machine itself")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// A way to sign in that is not known, or that the credentials are not for.
    #[error("{why}")]
    SignIn {
        /// What is wrong.
        why: String,
    },
    /// A name or a password that HTTP cannot carry.
    #[error("a user name must not contain a colon or control characters")]
    UserName,
    /// The file with extra roots cannot be used.
    #[error("{path}: {why}")]
    Roots {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// ROPs and handles that no request can carry.
    #[error("the request does not fit one buffer of 32 KiB and 255 handles")]
    RequestTooLarge,
    /// A value or a name that cannot be written.
    #[error("what was given has no form on the wire ({0})")]
    NoWireForm(WireError),
    /// Something is larger than it may be here.
    #[error("{what} has more than the {limit} bytes that are allowed here; use a stream")]
    TooLarge {
        /// What.
        what: String,
        /// The bound in bytes.
        limit: u64,
    },
    /// More rows than may be here.
    #[error("{what} has more than {limit} rows; take them in pages")]
    TooManyRows {
        /// What.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// Things lie in things, too often.
    #[error("{what} lies more than {limit} levels deep")]
    TooDeep {
        /// What.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// What is to be written cannot be read.
    #[error("{what} cannot be read ({error})")]
    Source {
        /// What.
        what: String,
        /// Why not.
        error: std::io::Error,
    },
    /// Two objects of different logons cannot take part in one operation.
    #[error("both objects must be of the same logon")]
    OtherLogon,
    /// No random numbers.
    #[error("the system gives no random numbers ({0})")]
    Random(String),
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<FramingError> for Error {
    fn from(error: FramingError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<AuthError> for SignInError {
    fn from(error: AuthError) -> Self {
        Self::of_exchange(Scheme::Negotiate, error)
    }
}

fn listed(schemes: &[Scheme]) -> String {
    match schemes {
        [] => "no way to sign in that is known here".to_owned(),
        schemes => schemes.iter().map(|scheme| scheme.name()).collect::<Vec<_>>().join(", "),
    }
}

/// What helps when the server wants something else.
fn cure(wanted: &[Scheme], offered: &[Scheme]) -> &'static str {
    let only = |scheme| wanted == [scheme];
    match offered {
        [] => "check the URL",
        [Scheme::Bearer] => "give a command that prints a token (--token-command)",
        _ if only(Scheme::Bearer) => "give a password",
        _ if only(Scheme::Negotiate) && !offered.contains(&Scheme::Negotiate) => {
            "give a password, and leave --sign-in out"
        }
        _ => "leave --sign-in out, or choose one that the server offers",
    }
}

fn later(after: Option<Duration>) -> String {
    after.map_or_else(|| "later".to_owned(), |after| format!("in {} s", after.as_secs().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_server_was_reached_in_its_place() {
        for error in
            [ProtocolError::Http("x".to_owned()), ProtocolError::Status(500), ProtocolError::Status(502)]
        {
            assert_eq!(Error::from(error).class(), ErrorClass::Reach);
        }
        assert_eq!(Error::from(ProtocolError::Status(418)).class(), ErrorClass::Protocol);
    }
}
