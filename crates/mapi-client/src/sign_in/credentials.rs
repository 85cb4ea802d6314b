//! Who signs in, and what that is proved with.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::error::SetupError;

/// A user, and what proves that it is the user; nothing of the latter shows in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    proof: Proof,
}

/// What proves it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Password(Zeroizing<String>),
    /// A shell command whose first line is a token.
    TokenCommand(String),
    /// A Kerberos credential cache: this file, or the usual one.
    Ticket(Option<PathBuf>),
}

impl Credentials {
    /// A password: for Basic, NTLM and Negotiate. `user` may be `DOMAIN\user` or `user@domain`.
    ///
    /// # Errors
    /// [`SetupError::UserName`] when the name contains a colon or control characters.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, SetupError> {
        let user = user.into();
        if user.contains(':') {
            return Err(SetupError::UserName);
        }
        Self::with(user, Proof::Password(Zeroizing::new(password.into())))
    }

    /// A shell command that prints an OAuth token on its first line: for Bearer. It runs when the first request needs
    /// a token, and once more when the server no longer accepts that one.
    ///
    /// # Errors
    /// [`SetupError::UserName`] when the name contains control characters.
    pub fn token_command(user: impl Into<String>, command: impl Into<String>) -> Result<Self, SetupError> {
        Self::with(user.into(), Proof::TokenCommand(command.into()))
    }

    /// Kerberos tickets from the usual credential cache (`KRB5CCNAME`, else `/tmp/krb5cc_UID`), and nothing else: for
    /// Negotiate.
    ///
    /// # Errors
    /// [`SetupError::UserName`] when the name contains control characters.
    pub fn ticket(user: impl Into<String>) -> Result<Self, SetupError> {
        Self::with(user.into(), Proof::Ticket(None))
    }

    /// The same from another credential cache, a file as `kinit -c` makes it.
    ///
    /// # Errors
    /// [`SetupError::UserName`] when the name contains control characters.
    pub fn ticket_in(user: impl Into<String>, cache: impl Into<PathBuf>) -> Result<Self, SetupError> {
        Self::with(user.into(), Proof::Ticket(Some(cache.into())))
    }

    /// Whether the usual credential cache is there and can be read; not whether its tickets are still good.
    #[must_use]
    pub fn has_ticket() -> bool {
        watertight_auth::Identity::usual_cache().is_ok_and(|cache| cache.owner().is_ok())
    }

    fn with(user: String, proof: Proof) -> Result<Self, SetupError> {
        if user.chars().any(char::is_control) {
            return Err(SetupError::UserName);
        }
        Ok(Self { user, proof })
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The Authorization header of Basic, marked as sensitive; `None` without a password.
    pub(super) fn basic(&self) -> Result<Option<HeaderValue>, SetupError> {
        let Proof::Password(password) = &self.proof else { return Ok(None) };
        let plain = Zeroizing::new(format!("{}:{}", self.user, password.as_str()));
        let coded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(plain.as_bytes()));
        let header = Zeroizing::new(format!("Basic {}", coded.as_str()));
        let mut value = HeaderValue::from_str(&header).map_err(|_| SetupError::UserName)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Credentials {
    /// A command does not show either: people write secrets into them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let c = Credentials::new("u", "secret").unwrap();
        let shown = format!("{c:?} {:?}", c.basic().unwrap());
        assert!(!shown.contains("secret") && !shown.contains("dTpz"), "{shown}");
        assert!(Credentials::new("u:v", "x").is_err());
        assert!(Credentials::ticket("u\n").is_err());
        assert_eq!(c.basic().unwrap().unwrap().as_bytes(), b"Basic dTpzZWNyZXQ=");
        let c = Credentials::token_command("u", "echo secret").unwrap();
        assert!(!format!("{c:?}").contains("secret"));
        assert_eq!(c.basic().unwrap(), None);
    }
}
