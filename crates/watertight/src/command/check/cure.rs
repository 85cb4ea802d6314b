//! What a failure means to the person: what happened, whose fault it is, what to type next.

use watertight_mapi::MapiCode;
use watertight_mapi_client::{
    DiscoveryError, Error, ErrorClass, ProtocolError, ReachError, SignInError, TrustError,
};

use super::Plan;
use crate::exit::Exit;

/// A failure, as it is told.
pub(super) struct Cure {
    /// What happened.
    pub(super) detail: String,
    /// Whose fault it is.
    pub(super) fault: String,
    /// What to do, and what to type next.
    pub(super) next: String,
    /// How the program ends.
    pub(super) exit: Exit,
}

/// What an error means.
pub(super) fn cure(error: &Error, plan: &Plan) -> Cure {
    let text = error.to_string();
    let (what, usual) = match text.split_once("; ") {
        Some((what, next)) => (what.to_owned(), next.to_owned()),
        None => (text.clone(), "try again; if it stays so, ask whoever runs the server".to_owned()),
    };
    let (fault, next) = fault(error, plan, usual);
    let exit = match error.class() {
        ErrorClass::SignIn => Exit::SignIn,
        ErrorClass::Reach | ErrorClass::SessionLost => Exit::Reach,
        ErrorClass::Setup => Exit::Usage,
        _ => Exit::Failed,
    };
    Cure { detail: what, fault: fault.to_owned(), next, exit }
}

fn fault(error: &Error, plan: &Plan, usual: String) -> (&'static str, String) {
    let address = &plan.address;
    let domain = address.rsplit_once('@').map_or("DOMAIN", |(_, domain)| domain);
    let by_hand = format!("watertight check {address} --server https://mail.{domain}");
    match error {
        Error::Reach(ReachError::Resolve { host, .. }) => (
            "the name, or this machine's name service",
            format!("check the spelling of {host}; `getent hosts {host}` must show an address"),
        ),
        Error::Reach(ReachError::Connect { address, .. } | ReachError::ConnectTimeout { address, .. }) => (
            "the server, or the network between",
            format!("see whether anything can reach it: curl -v https://{address}/"),
        ),
        Error::Reach(_) | Error::SessionLost(_) => ("the server, or the network between", usual),
        Error::Trust(TrustError::WrongName { .. }) => (
            "whoever runs the server",
            "give the server by a name that stands in its certificate (--server https://NAME), or have a \
             certificate made out for this one"
                .to_owned(),
        ),
        Error::Trust(TrustError::UnknownIssuer { .. }) => (
            "whoever runs the server, or this machine's list of authorities",
            format!(
                "if the authority is your own, give its certificate: watertight check {address} --tls-ca FILE"
            ),
        ),
        Error::Trust(TrustError::NotInDate { .. }) => (
            "whoever runs the server, or this machine's clock",
            "compare the time with `date`; if it is right, have the certificate renewed".to_owned(),
        ),
        Error::Trust(_) => ("whoever runs the server", "have the certificate replaced".to_owned()),
        Error::SignIn(error) => sign_in(error, plan, usual),
        Error::Busy { .. } => (
            "nobody: the server limits how much is asked of it",
            format!("{usual}: watertight check {address}"),
        ),
        Error::Discovery(DiscoveryError::Nowhere { .. }) => (
            "the address, or whoever runs the domain: there is no Autodiscover",
            format!("check what stands after the @; if you know the server: {by_hand}"),
        ),
        Error::Discovery(DiscoveryError::Unknown { .. }) => (
            "the address: the server is right, but there is no such user",
            "check what stands before the @, or give the name to sign in with by --user".to_owned(),
        ),
        Error::Discovery(DiscoveryError::NoMapiHttp { .. }) => (
            "whoever runs the server",
            "ask for MAPI over HTTP to be enabled for the mailbox (Set-CASMailbox -MapiHttpEnabled)"
                .to_owned(),
        ),
        Error::Discovery(DiscoveryError::Unconfirmed(hop)) => (
            "nobody yet",
            format!(
                "find out whether {} is the right host, and then say so: watertight check {address} --yes",
                hop.host
            ),
        ),
        Error::Discovery(_) => ("whoever runs the domain", format!("if you know the server: {by_hand}")),
        Error::NotMapi { .. } => (
            "the URL, or what stands before the server",
            "check --server; the URL usually ends in /mapi/emsmdb/".to_owned(),
        ),
        Error::Protocol(ProtocolError::Status(500..=599)) => {
            ("whoever runs the server", "see the server's own log; try again later".to_owned())
        }
        Error::Protocol(_) => ("the server, or what stands before it", usual),
        Error::Setup(_) => ("the command line", usual),
        _ => ("the server", usual),
    }
}

fn sign_in(error: &SignInError, plan: &Plan, usual: String) -> (&'static str, String) {
    let Plan { address, user, .. } = plan;
    match error {
        SignInError::Credentials => (
            "the name, the password, or the state of the account",
            format!(
                "type {user} and the same password into the server's web mail. If that fails too, the \
                 password is wrong or has expired, or the account is locked: whoever runs the server can \
                 tell. If it works, the server wants another name: watertight check {address} --user NAME \
                 (often DOMAIN\\NAME)"
            ),
        ),
        SignInError::PasswordExpired | SignInError::Locked => ("the state of the account", usual),
        SignInError::ClockSkew => ("the clock of this machine or of the server", usual),
        SignInError::NoTicket { .. } => ("this machine: there is no ticket", usual),
        SignInError::TokenCommand { .. } => ("the command that prints the token", usual),
        SignInError::TokenRefused => ("the token", usual),
        SignInError::NotProved { .. } => ("the host: it may be another one than it says", usual),
        SignInError::NotOffered { .. } => ("what the server and the command line agree on", usual),
        SignInError::NoMailbox(MapiCode::WrongServer) => (
            "nobody: the mailbox was moved to another server",
            format!("let it be found again, without --server and --user-dn: watertight check {address}"),
        ),
        SignInError::NoMailbox(_) => (
            "the user DN, or the mailbox is gone",
            format!("let it be found, without --user-dn: watertight check {address}"),
        ),
        SignInError::NoPrivilege(_) => (
            "the rights of the account",
            "ask whoever runs the server whether the account may use MAPI, and open this mailbox".to_owned(),
        ),
        SignInError::Forbidden => (
            "whoever runs the server",
            "the account may be locked or disabled, or MAPI over HTTP may be off for it: ask for both"
                .to_owned(),
        ),
        _ => ("whoever runs the server", usual),
    }
}
