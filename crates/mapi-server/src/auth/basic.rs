use base64::Engine;
use zeroize::Zeroizing;

/// The most bytes that a user name or a password may have.
const MAX_LENGTH: usize = 1024;

/// User name and password of a request. Never printed.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

impl Credentials {
    /// Reads the value of an Authorization header — RFC 7617: `Basic` and Base64 of `user:password` in UTF-8.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = core::str::from_utf8(value).ok()?;
        let (scheme, encoded) = value.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") || encoded.len() > MAX_LENGTH * 4 {
            return None;
        }
        let bytes = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?);
        let text = core::str::from_utf8(&bytes).ok()?;
        let (user, password) = text.split_once(':')?;
        if user.is_empty() || user.len() > MAX_LENGTH || password.len() > MAX_LENGTH {
            return None;
        }
        Some(Self { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }
}

/// For `fuzz`: user name and password.
#[must_use]
pub fn basic_credentials(value: &[u8]) -> Option<(String, Zeroizing<String>)> {
    Credentials::parse(value).map(|c| (c.user, c.password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_may_hold_colons() {
        // RFC 7617 2: Aladdin, "open sesame".
        let c = Credentials::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!((c.user.as_str(), c.password.as_str()), ("Aladdin", "open sesame"));
        let encoded = base64::engine::general_purpose::STANDARD.encode("u:a:b");
        let c = Credentials::parse(format!("basic  {encoded} ").as_bytes()).unwrap();
        assert_eq!((c.user.as_str(), c.password.as_str()), ("u", "a:b"));
    }

    #[test]
    fn what_is_not_basic_is_nothing() {
        for value in
            [&b"Basic"[..], b"Basic !!!", b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"\xff", b"Basic Og=="]
        {
            assert!(Credentials::parse(value).is_none());
        }
    }
}
