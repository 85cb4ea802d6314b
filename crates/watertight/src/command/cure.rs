//! What an error means for an account: what happened, whose fault it is, and what to type next.

use watertight_mapi::MapiCode;
use watertight_mapi_client::{Error, ErrorClass, Secret, SignInError};

use super::account::Account;
use crate::exit::{Exit, Failure};

/// The exit status for an error of the client.
pub fn exit(error: &Error) -> Exit {
    match error.class() {
        ErrorClass::SignIn => Exit::SignIn,
        ErrorClass::Reach | ErrorClass::SessionLost => Exit::Reach,
        ErrorClass::Setup => Exit::Usage,
        // The server asks to come back later: nothing is wrong with the account.
        _ if matches!(
            error,
            Error::Refused { code: MapiCode::ServerBusy | MapiCode::TooManySessions, .. }
        ) =>
        {
            Exit::Reach
        }
        _ => Exit::Failed,
    }
}

/// The failure that an error is, for whoever has this account.
pub fn of(error: &Error, account: &Account) -> Failure {
    let text = error.to_string();
    let (what, cure) = match error {
        Error::SignIn(SignInError::Credentials) => {
            let user = account.profile.login_name().unwrap_or("the user");
            let what = format!("the server does not accept the password of {user}");
            let known = "an expired password and a locked account look the same to many servers: if it is the right \
                         one, sign in to the server's web mail once, or ask its administrator";
            (what, Some(format!("{}\n    {known}", right_password(account))))
        }
        Error::SignIn(SignInError::NoMailbox(code @ MapiCode::WrongServer)) => (
            format!("the mailbox is no longer on this server, its administrators have moved it ({code})"),
            Some(format!("{} finds where it is now", again(account))),
        ),
        Error::SignIn(SignInError::NoPrivilege(code)) => {
            let cure = match &account.profile.mailbox {
                Some(other) => format!("ask the owner of {other} for access, or its administrator"),
                None => format!("leave the user DN out and let Autodiscover find it: {}", again(account)),
            };
            (format!("the server lets the user in, but not into this mailbox ({code})"), Some(cure))
        }
        Error::Refused { operation, code: code @ MapiCode::QuotaExceeded } => (
            format!("the mailbox is over its quota, and the server refuses {operation} ({code})"),
            Some(
                "delete mail on the server, or ask its administrator for more room; nothing here was lost"
                    .into(),
            ),
        ),
        Error::Refused { code: code @ MapiCode::TooManySessions, .. } => (
            format!("the server has too many sessions of this user open ({code})"),
            Some(format!("close other programs, or wait a quarter of an hour; then: {}", sync(account))),
        ),
        Error::Busy { .. } => (
            format!("the server slows us down: {text}"),
            Some(format!("nothing was lost; later: {}", sync(account))),
        ),
        Error::Refused { code: MapiCode::ServerBusy, .. } => {
            (text, Some(format!("the server has too much to do; later: {}", sync(account))))
        }
        _ => (text, None),
    };
    Failure { exit: exit(error), what, cure }
}

/// What to do about a password that is not accepted: it depends on where it comes from.
fn right_password(account: &Account) -> String {
    match &account.profile.secret {
        _ if account.reads_a_file() => "write the right one into the file".to_owned(),
        Some(Secret::File(path)) => format!("write the right one into {}", path.display()),
        Some(Secret::Command(_)) => "check what the command that prints the password prints".to_owned(),
        Some(Secret::Keyring) => format!("put the right one into the keyring: {}", again(account)),
        _ => "check the user name and the password".to_owned(),
    }
}

/// The command that writes the account anew.
fn again(account: &Account) -> String {
    let address = account.profile.address.as_deref().unwrap_or("ADDRESS");
    match &account.name {
        Some(name) => format!("watertight login {address} --name {} --replace", shell(name)),
        None => format!("watertight login {address}"),
    }
}

/// The command that synchronizes it.
fn sync(account: &Account) -> String {
    match &account.name {
        Some(name) => format!("watertight sync {}", shell(name)),
        None => "the same command".to_owned(),
    }
}

/// As a word of a shell.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.@/:~+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(["work", "at home", "it's", ""].map(shell), ["work", "'at home'", r"'it'\''s'", "''"]);
    }
}
