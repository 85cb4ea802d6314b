//! What a server offers with a 401: `WWW-Authenticate` — RFC 9110 11.6.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, WWW_AUTHENTICATE};

use super::Scheme;

/// Schemes that are looked at; no server offers more.
const MOST: usize = 16;

/// The schemes of a response, in the server's order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    /// Whether there was any `WWW-Authenticate`, readable or not.
    pub(crate) any: bool,
    pub(crate) schemes: Vec<Scheme>,
}

/// A token of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// The scheme's name alone, or another scheme.
    None,
    /// Something that is not base64.
    Garbage,
    Bytes(Vec<u8>),
}

impl Offers {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut offers = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            offers.any = true;
            for (scheme, _) in challenges(value.as_bytes()) {
                if offers.schemes.len() < MOST && !offers.schemes.contains(&scheme) {
                    offers.schemes.push(scheme);
                }
            }
        }
        offers
    }
}

/// What comes with a scheme's name.
pub(super) fn token(headers: &HeaderMap, wanted: Scheme) -> Token {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    let with = values
        .flat_map(|value| challenges(value.as_bytes()))
        .find_map(|(scheme, rest)| (scheme == wanted && !rest.is_empty()).then_some(rest));
    match with.map(|coded| STANDARD.decode(coded)) {
        None => Token::None,
        Some(Err(_)) => Token::Garbage,
        Some(Ok(bytes)) => Token::Bytes(bytes),
    }
}

/// The challenges in one header, each with what follows its name up to the next comma.
fn challenges(value: &[u8]) -> impl Iterator<Item = (Scheme, &[u8])> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |byte| {
            match (*byte, quoted) {
                _ if escaped => escaped = false,
                (b'\\', true) => escaped = true,
                (b'"', _) => quoted = !quoted,
                _ => {}
            }
            *byte == b',' && !quoted
        })
        .filter_map(|piece| {
            let piece = piece.trim_ascii();
            let end = piece.iter().position(u8::is_ascii_whitespace).unwrap_or(piece.len());
            let (name, rest) = piece.split_at_checked(end)?;
            let scheme = Scheme::of_name(std::str::from_utf8(name).ok()?)?;
            Some((scheme, rest.trim_ascii()))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn schemes_are_found_and_parameters_are_not_taken_for_them() {
        let offers = Offers::read(&headers(&[
            "Basic realm=\"a \\\" NTLM, Negotiate\", charset=\"UTF-8\", ntlm",
            "NEGOTIATE dG9rZW4=",
            "Bearer client_id=\"x\", trusted_issuers=\"y, Basic\"",
            "Digest qop=auth",
            "Negotiate",
        ]));
        assert_eq!(offers.schemes, [Scheme::Basic, Scheme::Ntlm, Scheme::Negotiate, Scheme::Bearer]);
        assert_eq!(Offers::read(&headers(&[])), Offers::default());
        assert_eq!(Offers::read(&headers(&["Digest"])), Offers { any: true, schemes: Vec::new() });
    }

    #[test]
    fn tokens_are_those_of_the_scheme() {
        let all = headers(&["Negotiate", "NTLM dG9rZW4=", "Negotiate  !"]);
        assert_eq!(token(&all, Scheme::Ntlm), Token::Bytes(b"token".to_vec()));
        assert_eq!(token(&all, Scheme::Negotiate), Token::Garbage);
        assert_eq!(token(&all, Scheme::Bearer), Token::None);
        watertight_testkit::mutate::survive(b"Basic realm=\"x\\\", y\", NTLM dG9rZW4=", |bytes| {
            let _ = challenges(bytes).count();
        });
    }
}
