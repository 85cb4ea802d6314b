use core::fmt;

use async_trait::async_trait;

use super::StoreResult;

/// The NT hash of a password — [MS-NLMP] 3.3.1 NTOWFv1: as good as the password itself for NTLM. Never logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NtHash(pub [u8; 16]);

/// SHA-256 of an access token. Never logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

/// An access token, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The name of its account.
    pub account: String,
    /// The last second that it is good for, counted from 1970.
    pub expires: i64,
}

/// What there is at all, of any account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecretKinds {
    /// Some account has an NT hash.
    pub nt_hashes: bool,
    /// Some account has an access token.
    pub tokens: bool,
}

/// What accounts sign in with, beside the hash of their password that [`Account`](super::Account) has.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Replaces an account's password hash, and its NT hash by that of the same password, or by none: none of a
    /// former password is left.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound).
    async fn set_password(&self, name: &str, password_hash: &str, nt_hash: Option<NtHash>)
    -> StoreResult<()>;

    /// The NT hash of the account of that login name (compared without case), if there is one.
    async fn nt_hash(&self, name: &str) -> StoreResult<Option<NtHash>>;

    /// Adds an access token to an account; those of it that ended before `now` (seconds since 1970) are forgotten.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound) when there is no such account,
    /// [`StoreError::Exists`](super::StoreError::Exists) when there is such a token.
    async fn add_token(&self, name: &str, hash: TokenHash, expires: i64, now: i64) -> StoreResult<()>;

    /// The token of that hash, expired or not.
    async fn token(&self, hash: TokenHash) -> StoreResult<Option<Token>>;

    /// Forgets the tokens of an account; says how many there were.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](super::StoreError::NotFound).
    async fn revoke_tokens(&self, name: &str) -> StoreResult<u64>;

    /// What there is of any account.
    async fn kinds(&self) -> StoreResult<SecretKinds>;
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(…)")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}
