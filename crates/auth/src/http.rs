//! Tokens in HTTP headers — RFC 4559, [MS-NTHT], [MS-N2HT]: the name of the scheme, and the token in base64.
//!
//! A context belongs to a connection: the server keeps one [`crate::Server`] for each connection, and forgets it when
//! that closes; the client sends every request of an exchange on the same connection, and none other between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Mechanism, TOKEN_AT_MOST};

/// A scheme of `Authorization` and `WWW-Authenticate` whose tokens are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `NTLM`
    Ntlm,
    /// `Negotiate`
    Negotiate,
}

impl Scheme {
    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
        }
    }

    /// What goes on under that name.
    #[must_use]
    pub const fn mechanism(self) -> Mechanism {
        match self {
            Self::Ntlm => Mechanism::Ntlm,
            Self::Negotiate => Mechanism::Negotiate,
        }
    }

    /// The value of a header: the name alone, as a server offers it, or with a token.
    #[must_use]
    pub fn header(self, token: Option<&[u8]>) -> String {
        match token {
            None => self.name().to_owned(),
            Some(token) => format!("{} {}", self.name(), STANDARD.encode(token)),
        }
    }

    /// The scheme and the token of an `Authorization` header.
    #[must_use]
    pub fn credentials(value: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (scheme, token) = Self::offer(value)?;
        Some((scheme, token?))
    }

    /// What of ours a `WWW-Authenticate` header offers. A header may list several schemes.
    pub fn offers(value: &[u8]) -> impl Iterator<Item = (Self, Option<Vec<u8>>)> {
        // A comma may also stand between the parameters of another scheme: those have no name of ours.
        value.split(|byte| *byte == b',').filter_map(Self::offer)
    }

    fn offer(value: &[u8]) -> Option<(Self, Option<Vec<u8>>)> {
        let value = value.trim_ascii();
        // Base64 is longer by a third.
        if value.len() > TOKEN_AT_MOST.saturating_mul(2) {
            return None;
        }
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (name, token) = value.split_at_checked(end)?;
        let scheme = [Self::Ntlm, Self::Negotiate]
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes()))?;
        match token.trim_ascii() {
            [] => Some((scheme, None)),
            token => Some((scheme, Some(STANDARD.decode(token).ok()?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_both_ways() {
        let header = Scheme::Ntlm.header(Some(b"token"));
        assert_eq!(Scheme::credentials(header.as_bytes()), Some((Scheme::Ntlm, b"token".to_vec())));
        assert_eq!(
            Scheme::credentials(b"negotiate  dG9rZW4= "),
            Some((Scheme::Negotiate, b"token".to_vec()))
        );
        for bad in [&b"NTLM"[..], b"", b"Basic dG9rZW4=", b"NTLM !", b"NTLMX dG9rZW4="] {
            assert_eq!(Scheme::credentials(bad), None);
        }
        let offers: Vec<_> =
            Scheme::offers(b"Basic realm=\"a, b\", NTLM,Negotiate dG9rZW4=, Bearer x=\"y\"").collect();
        assert_eq!(offers, [(Scheme::Ntlm, None), (Scheme::Negotiate, Some(b"token".to_vec()))]);
        watertight_testkit::mutate::survive(header.as_bytes(), |bytes| {
            let _ = Scheme::credentials(bytes);
        });
    }
}
