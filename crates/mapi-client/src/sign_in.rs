//! How a client proves who it is over HTTP: Basic and Bearer with each request, NTLM and Negotiate once for each
//! connection.
//!
//! A [`Signer`] belongs to one connector. It knows the credentials, and what the server accepts once it has been
//! asked. [`Line::send`] carries a request through all of it: what comes back is never a 401.

mod challenge;
mod credentials;
mod exchange;
mod line;
mod signer;
mod token;

use std::fmt;
use std::str::FromStr;

pub(crate) use challenge::Offers;
pub use credentials::Credentials;
pub(crate) use line::{Line, drain};
pub(crate) use signer::Signer;

use crate::error::SetupError;

/// How to sign in: by one scheme, or by the strongest that the server offers and the credentials are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SignIn {
    /// Negotiate with Kerberos when there is a ticket of this user, else Negotiate with NTLM inside, else NTLM, else
    /// Basic. The first request goes without a proof, and the server's answer says what it offers.
    #[default]
    Auto,
    /// The password with each request — RFC 7617.
    Basic,
    /// NTLM, once for each connection — [MS-NTHT].
    Ntlm,
    /// Kerberos, from a ticket or a password, or NTLM inside Negotiate — RFC 4559.
    Negotiate,
    /// A token with each request — RFC 6750.
    Bearer,
}

/// A scheme of `WWW-Authenticate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// RFC 7617.
    Basic,
    /// [MS-NTHT].
    Ntlm,
    /// RFC 4559.
    Negotiate,
    /// RFC 6750.
    Bearer,
}

impl Scheme {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Negotiate, Self::Ntlm, Self::Bearer, Self::Basic];

    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Bearer => "Bearer",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }
}

impl SignIn {
    /// The scheme that is asked for; `None` for [`SignIn::Auto`].
    #[must_use]
    pub const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Auto => None,
            Self::Basic => Some(Scheme::Basic),
            Self::Ntlm => Some(Scheme::Ntlm),
            Self::Negotiate => Some(Scheme::Negotiate),
            Self::Bearer => Some(Scheme::Bearer),
        }
    }
}

impl From<Scheme> for SignIn {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Basic => Self::Basic,
            Scheme::Ntlm => Self::Ntlm,
            Scheme::Negotiate => Self::Negotiate,
            Scheme::Bearer => Self::Bearer,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As it is written in options and in `config.toml`: `auto`, `basic`, `ntlm`, `negotiate`, `bearer`.
impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Basic => "basic",
            Self::Ntlm => "ntlm",
            Self::Negotiate => "negotiate",
            Self::Bearer => "bearer",
        })
    }
}

impl FromStr for SignIn {
    type Err = SetupError;

    /// In any case of letters.
    fn from_str(text: &str) -> Result<Self, SetupError> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        Scheme::of_name(text).map(Self::from).ok_or_else(|| SetupError::SignIn {
            why: format!("{text:?} is no way to sign in: there is auto, negotiate, ntlm, bearer and basic"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_both_ways() {
        for way in [SignIn::Auto, SignIn::Basic, SignIn::Ntlm, SignIn::Negotiate, SignIn::Bearer] {
            assert_eq!(way.to_string().parse::<SignIn>().unwrap(), way);
            assert_eq!(way.to_string().to_uppercase().parse::<SignIn>().unwrap(), way);
        }
        let error = "kerberos".parse::<SignIn>().unwrap_err();
        assert!(error.to_string().contains("negotiate"), "{error}");
    }
}
