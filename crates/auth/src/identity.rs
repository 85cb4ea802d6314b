//! Who a client says that it is, and what it proves that with.

use core::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{AuthError, NtHash};

/// An account and its secret.
#[derive(Clone)]
pub struct Identity {
    user: String,
    domain: String,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Password(Zeroizing<String>),
    NtHash(NtHash),
    Cache(PathBuf),
    Nobody,
}

impl Identity {
    /// An account with a password. `user` may be `DOMAIN\user`; `user@domain` is passed on as it is, with an empty
    /// domain, which is what NTLM wants for a user principal name.
    #[must_use]
    pub fn password(user: &str, password: &str) -> Self {
        Self::new(user, Secret::Password(Zeroizing::new(password.to_owned())))
    }

    /// An account with the hash of its password: NTLM only.
    #[must_use]
    pub fn nt_hash(user: &str, hash: NtHash) -> Self {
        Self::new(user, Secret::NtHash(hash))
    }

    /// Nobody in particular: NTLM only, and of use only where a server has something for everybody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { user: String::new(), domain: String::new(), secret: Secret::Nobody }
    }

    /// Whoever a Kerberos credential cache (the file of `kinit`) has tickets of: Kerberos only.
    #[must_use]
    pub fn cache(path: impl Into<PathBuf>) -> Self {
        Self { user: String::new(), domain: String::new(), secret: Secret::Cache(path.into()) }
    }

    /// The cache that `KRB5CCNAME` (`FILE:path` or a path) names.
    ///
    /// # Errors
    /// [`AuthError::Credentials`] when it names none, or a cache that is not a file.
    pub fn cache_of_environment() -> Result<Self, AuthError> {
        let name = std::env::var("KRB5CCNAME").map_err(|_| {
            AuthError::Credentials("KRB5CCNAME names no credential cache: try kinit".to_owned())
        })?;
        match name.split_once(':') {
            Some(("FILE", path)) => Ok(Self::cache(path)),
            Some((kind, _)) if !kind.contains('/') => Err(AuthError::Credentials(format!(
                "credential caches of kind {kind} are not read, only FILE"
            ))),
            _ => Ok(Self::cache(name)),
        }
    }

    /// The cache that programs use without being told: what `KRB5CCNAME` names, else `/tmp/krb5cc_UID`.
    ///
    /// # Errors
    /// [`AuthError::Credentials`] when there is none, or one that is not a file.
    pub fn usual_cache() -> Result<Self, AuthError> {
        if std::env::var_os("KRB5CCNAME").is_some() {
            return Self::cache_of_environment();
        }
        // The owner of this process' directory is its effective user.
        let user = std::fs::metadata("/proc/self").map(|metadata| metadata.uid()).unwrap_or_default();
        let path = PathBuf::from(format!("/tmp/krb5cc_{user}"));
        if path.exists() {
            return Ok(Self::cache(path));
        }
        Err(AuthError::Credentials("there is no credential cache".to_owned()))
    }

    /// Whose tickets a credential cache has: `alice@DOM.TEST`.
    ///
    /// # Errors
    /// [`AuthError::Credentials`] without a cache, and what reading it meets.
    pub fn owner(&self) -> Result<String, AuthError> {
        let path = self
            .cache_path()
            .ok_or_else(|| AuthError::Credentials("there is no credential cache".to_owned()))?;
        crate::kerberos::owner(path)
    }

    fn new(user: &str, secret: Secret) -> Self {
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        Self { user: user.to_owned(), domain: domain.to_owned(), secret }
    }

    /// The user's name, without its domain.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The domain; empty when it is not known, or in the user's name.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.secret, Secret::Nobody)
    }

    /// Whether NTLM can prove it.
    pub(crate) fn has_ntlm(&self) -> bool {
        !matches!(self.secret, Secret::Cache(_))
    }

    /// The hash that NTLM works with.
    pub(crate) fn hash(&self) -> Option<NtHash> {
        match &self.secret {
            Secret::Password(password) => Some(NtHash::of_password(password)),
            Secret::NtHash(hash) => Some(hash.clone()),
            Secret::Cache(_) | Secret::Nobody => None,
        }
    }

    /// The password, where there is one.
    pub(crate) fn clear_password(&self) -> Option<&str> {
        match &self.secret {
            Secret::Password(password) => Some(password),
            _ => None,
        }
    }

    /// The credential cache, where there is one.
    pub(crate) fn cache_path(&self) -> Option<&Path> {
        match &self.secret {
            Secret::Cache(path) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_secrets_are_not_shown() {
        let identity = Identity::password("DOM\\alice", "hunter2");
        assert_eq!((identity.domain(), identity.user()), ("DOM", "alice"));
        assert_eq!(Identity::password("alice@dom.test", "x").user(), "alice@dom.test");
        assert!(!format!("{identity:?}").contains("hunter2"));
        assert!(Identity::cache("/tmp/cc").hash().is_none());
    }
}
