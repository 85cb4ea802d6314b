//! Access tokens — RFC 6750: random, made by `watertight user token`, known to the store by their hash.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest;
use watertight_mapi::store::{Account, TokenHash};
use zeroize::Zeroizing;

use super::{AuthError, Authenticator};

/// Unknown tokens are limited under this name, which no account can have.
const NO_NAME: &str = ":token";
/// What a token begins with, so that one that was published by mistake is recognised.
const PREFIX: &str = "wt_";
/// Random bytes of a token.
const BYTES: usize = 32;
/// A longer one is none of ours.
const MAX_LENGTH: usize = 256;

/// A new access token, and what the store remembers of it.
///
/// # Errors
/// When the machine gives no random numbers.
pub fn new_token() -> std::io::Result<(Zeroizing<String>, TokenHash)> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(std::io::Error::other)?;
    let mut token = Zeroizing::new(String::with_capacity(64));
    token.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut token);
    let hash = hash(token.as_bytes());
    Ok((token, hash))
}

/// A token has more random bits than anybody can guess: a hash without salt or cost will do.
fn hash(token: &[u8]) -> TokenHash {
    let digest = digest::digest(&digest::SHA256, token);
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    TokenHash(hash)
}

impl Authenticator {
    /// The account of a token.
    pub(super) async fn bearer(&self, value: &[u8], peer: IpAddr) -> Result<Account, AuthError> {
        let token = value.trim_ascii_start().get("Bearer".len()..).unwrap_or_default().trim_ascii();
        if token.is_empty() || token.len() > MAX_LENGTH {
            return Err(AuthError::Missing);
        }
        let store = &*self.shared.store;
        let found = store.secrets().token(hash(token)).await?;
        match found {
            Some(token) if token.expires < Timestamp::now().as_second() => {
                tracing::info!(%peer, account = token.account, "an access token has expired");
                Err(AuthError::Expired)
            }
            Some(token) => store.account(&token.account).await?.ok_or(AuthError::BadToken),
            None => {
                let now = self.shared.clock.now();
                // Taken, and not given back.
                self.shared.limiter.attempt(NO_NAME, peer, now).map_err(AuthError::Limited)?;
                tracing::info!(%peer, "an access token is unknown, or was revoked");
                Err(AuthError::BadToken)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (a, b) = (new_token().unwrap(), new_token().unwrap());
        assert!(a.0.starts_with("wt_") && a.0.len() == 46);
        assert!(a.0 != b.0 && a.1 != b.1);
        assert!(hash(a.0.as_bytes()) == a.1);
    }
}
