use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;
use watertight_auth::kerberos::Keytab;

/// A way to say who sends a request, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `Negotiate` — RFC 4559, [MS-N2HT]: Kerberos, or NTLM where that is allowed too. Once for a connection.
    Negotiate,
    /// `NTLM` — [MS-NTHT]: NTLMv2. Once for a connection.
    Ntlm,
    /// `Bearer` — RFC 6750: a token that `watertight user token` made.
    Bearer,
    /// `Basic` — RFC 7617: the password.
    Basic,
}

/// How clients may sign in.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SignIn {
    /// The schemes that are taken, and offered. None: all are taken, and those are offered that somebody can use:
    /// Basic; NTLM when an account has an NT hash; Bearer when an account has a token; Negotiate with a keytab.
    pub schemes: Option<Vec<Scheme>>,
    /// The keys of `HTTP/host`, for Kerberos.
    pub keytab: Option<Arc<Keytab>>,
    /// Whether NTLM and Kerberos must be bound to the TLS connection. Otherwise what a client binds is compared, and
    /// who binds nothing is let in.
    pub bindings_required: bool,
}

/// Why clients cannot sign in as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// An empty list.
    #[error("nobody could sign in: name at least one scheme")]
    Nobody,
    /// `Negotiate` would have nothing inside.
    #[error("negotiate needs a keytab for Kerberos, or ntlm in the list beside it")]
    EmptyNegotiate,
    /// There is a keytab, and no scheme for it.
    #[error("the keytab is of no use without negotiate in the list of schemes")]
    IdleKeytab,
    /// No key is of the service that clients ask for.
    #[error("the keytab has no key of HTTP/host@REALM, which is what clients ask for")]
    NoHttpKey,
    /// There is no channel to bind to.
    #[error("channel bindings can be required only over TLS: give a certificate and a key")]
    BindingsWithoutTls,
    /// Nothing that is taken can be bound.
    #[error("channel bindings can be required only of ntlm and negotiate, and neither is in the list")]
    NothingToBind,
}

impl Scheme {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Negotiate, Self::Ntlm, Self::Bearer, Self::Basic];

    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Bearer => "Bearer",
            Self::Basic => "Basic",
        }
    }

    /// The scheme of an Authorization header's value.
    pub(super) fn of(value: &[u8]) -> Option<Self> {
        let name = value.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
        // The one that comes with every request first.
        Self::ALL.into_iter().rev().find(|scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes()))
    }

    /// Whether it is proved once for a connection, which must be the client's alone.
    pub(super) const fn is_of_connection(self) -> bool {
        matches!(self, Self::Negotiate | Self::Ntlm)
    }

    /// The value of the WWW-Authenticate header that offers it.
    pub(super) const fn offer(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Bearer => "Bearer realm=\"Watertight\"",
            Self::Basic => "Basic realm=\"Watertight\", charset=\"UTF-8\"",
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negotiate => "negotiate",
            Self::Ntlm => "ntlm",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
        })
    }
}

impl FromStr for Scheme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| "basic, bearer, ntlm or negotiate".to_owned())
    }
}

impl SignIn {
    /// Whether a scheme is taken.
    pub(super) fn takes(&self, scheme: Scheme) -> bool {
        self.schemes.as_ref().is_none_or(|schemes| schemes.contains(&scheme))
    }

    /// Whether anybody could sign in like this.
    pub(crate) fn check(&self, tls: bool) -> Result<(), SignInError> {
        if let Some(schemes) = &self.schemes {
            if schemes.is_empty() {
                return Err(SignInError::Nobody);
            }
            let negotiates = schemes.contains(&Scheme::Negotiate);
            if negotiates && self.keytab.is_none() && !schemes.contains(&Scheme::Ntlm) {
                return Err(SignInError::EmptyNegotiate);
            }
            if self.keytab.is_some() && !negotiates {
                return Err(SignInError::IdleKeytab);
            }
            if self.bindings_required && !schemes.iter().any(|scheme| scheme.is_of_connection()) {
                return Err(SignInError::NothingToBind);
            }
        }
        if let Some(keytab) = &self.keytab
            && !keytab.principals().any(is_http)
        {
            return Err(SignInError::NoHttpKey);
        }
        if self.bindings_required && !tls {
            return Err(SignInError::BindingsWithoutTls);
        }
        Ok(())
    }
}

/// Whether a principal is that of a web server.
pub(super) fn is_http(principal: &str) -> bool {
    principal.split_once('/').is_some_and(|(service, _)| service.eq_ignore_ascii_case("HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_in_headers_and_written() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.to_string().parse(), Ok(scheme));
            assert_eq!(Scheme::of(format!("{scheme} x").as_bytes()), Some(scheme));
            assert_eq!(Scheme::of(scheme.name().as_bytes()), Some(scheme));
            assert_eq!(Scheme::of(scheme.offer().as_bytes()), Some(scheme));
        }
        assert_eq!(Scheme::of(b""), None);
        assert_eq!(Scheme::of(b"BasicX x"), None);
        assert!("digest".parse::<Scheme>().is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sign_in = |schemes: &[Scheme]| SignIn { schemes: Some(schemes.to_vec()), ..SignIn::default() };
        assert_eq!(sign_in(&[]).check(true), Err(SignInError::Nobody));
        assert_eq!(sign_in(&[Scheme::Negotiate]).check(true), Err(SignInError::EmptyNegotiate));
        assert_eq!(sign_in(&[Scheme::Negotiate, Scheme::Ntlm]).check(true), Ok(()));
        let bound = |schemes: &[Scheme]| SignIn { bindings_required: true, ..sign_in(schemes) };
        assert_eq!(bound(&[Scheme::Ntlm]).check(false), Err(SignInError::BindingsWithoutTls));
        assert_eq!(bound(&[Scheme::Ntlm]).check(true), Ok(()));
        assert_eq!(bound(&[Scheme::Basic]).check(true), Err(SignInError::NothingToBind));
        assert_eq!(SignIn::default().check(false), Ok(()));
    }
}
