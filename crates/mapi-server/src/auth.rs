//! Who a request comes from: Basic authentication — RFC 7617 — against the store's accounts.
//!
//! Basic comes with every request, and a password hash is slow on purpose: a password that was verified is remembered
//! for five minutes as a keyed hash under a random key of this process. At most two hashes are computed at once.
//! Failures are limited per account and address ([`limiter`]). An unknown account costs the same time and gets the
//! same answer as a wrong password.

mod basic;
mod limiter;
mod password;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use ring::hmac;
use tokio::sync::Semaphore;
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::store::{Account, Store, StoreError};

#[doc(hidden)]
pub use basic::basic_credentials;
pub use password::hash_password;

use self::basic::Credentials;
use self::limiter::Limiter;
use crate::clock::Clock;

/// How long a verified password is remembered at most.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// How many password hashes are computed at once.
const HASHES_AT_ONCE: usize = 2;
/// How long a request waits for its turn to compute one.
const HASH_PATIENCE: Duration = Duration::from_secs(10);
/// How many verified passwords are remembered at most.
const REMEMBERED_AT_MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// No Authorization header, or none that can be read.
    #[error("no credentials")]
    Missing,
    /// The account is not known, or the password is wrong.
    #[error("wrong user name or password")]
    Wrong,
    /// Too many failures of this account or address.
    #[error("too many failed sign-ins, wait {0:?}")]
    Limited(Duration),
    /// Too many sign-ins at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// The store failed.
    #[error("the account cannot be looked up")]
    Store(#[from] StoreError),
}

/// Checks credentials.
pub struct Authenticator {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// How long a verified password is remembered here.
    patience: Duration,
    key: hmac::Key,
    hashing: Arc<Semaphore>,
    limiter: Limiter,
    /// By account name.
    remembered: Mutex<LruCache<String, Remembered>>,
    remembered_kind: Kind,
    hashes_kind: Kind,
    /// What the password of an unknown account is checked against.
    nobody: String,
}

struct Remembered {
    tag: hmac::Tag,
    until: Duration,
    _entry: Entry,
}

impl Authenticator {
    /// An authenticator with a fresh key.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn new(
        store: Arc<dyn Store>,
        ledger: &Ledger,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            store,
            patience: REMEMBERED_FOR,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            limiter: Limiter::new(ledger),
            remembered: Mutex::new(LruCache::sparse(REMEMBERED_AT_MOST)),
            remembered_kind: ledger.kind("remembered passwords"),
            hashes_kind: ledger.kind("password hashes"),
            nobody: password::of_nobody(),
            clock,
        })
    }

    /// The same that remembers verified passwords for that long, if it is shorter.
    #[must_use]
    pub fn remembering_for(self, most: Duration) -> Self {
        Self { patience: most.min(REMEMBERED_FOR), ..self }
    }

    /// Waits until no password hash is computed any more.
    pub async fn idle(&self) {
        let all = u32::try_from(HASHES_AT_ONCE).unwrap_or(u32::MAX);
        // It is never closed, so that there is no error.
        let _ = self.hashing.acquire_many(all).await;
    }

    /// Forgets what need not be remembered any more.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.limiter.sweep(now);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let over: Vec<String> =
            remembered.iter().filter(|(_, entry)| now >= entry.until).map(|(name, _)| name.clone()).collect();
        for name in &over {
            remembered.pop(name);
        }
    }

    /// The account of an Authorization header's value, when the password is right.
    ///
    /// # Errors
    /// [`AuthError`].
    pub async fn basic(&self, header: Option<&[u8]>, peer: IpAddr) -> Result<Account, AuthError> {
        let credentials = header.and_then(Credentials::parse).ok_or(AuthError::Missing)?;
        let account = self.account(&credentials.user).await?;
        if let Some(account) = &account
            && self.is_remembered(account, &credentials)
        {
            return Ok(account.clone());
        }
        let name = account.as_ref().map_or(credentials.user.as_str(), |a| a.name.as_str());
        let attempt = self.limiter.attempt(name, peer, self.clock.now()).map_err(AuthError::Limited)?;
        let hash = account.as_ref().map_or_else(|| self.nobody.clone(), |a| a.password_hash.clone());
        let permit = tokio::time::timeout(HASH_PATIENCE, Arc::clone(&self.hashing).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            self.limiter.forgive(attempt);
            return Err(AuthError::Busy);
        };
        let entry = self.hashes_kind.enter();
        let secret = credentials.password.clone();
        let right = tokio::task::spawn_blocking(move || {
            // Dropped in this order: the count goes down before the next one may start.
            let _held = (entry, permit);
            password::verify(&secret, &hash)
        });
        match (right.await, account) {
            (Ok(true), Some(account)) => {
                self.limiter.forgive(attempt);
                self.remember(&account, &credentials);
                Ok(account)
            }
            _ => {
                tracing::info!(%peer, "a sign-in failed");
                Err(AuthError::Wrong)
            }
        }
    }

    /// The account of a login name, of `DOMAIN\name`, or of an SMTP address whose first part is the name.
    async fn account(&self, user: &str) -> Result<Option<Account>, StoreError> {
        let user = user.rsplit('\\').next().unwrap_or(user);
        if let Some(account) = self.store.account(user).await? {
            return Ok(Some(account));
        }
        let Some((name, _)) = user.rsplit_once('@') else { return Ok(None) };
        let account = self.store.account(name).await?;
        Ok(account.filter(|a| a.smtp_address.eq_ignore_ascii_case(user)))
    }

    /// A password of an account whose hash has changed since is not remembered any more: the hash is in the tag.
    fn message(account: &Account, credentials: &Credentials) -> zeroize::Zeroizing<Vec<u8>> {
        let parts =
            [account.name.as_bytes(), account.password_hash.as_bytes(), credentials.password.as_bytes()];
        zeroize::Zeroizing::new(parts.join(&0))
    }

    fn is_remembered(&self, account: &Account, credentials: &Credentials) -> bool {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = remembered.get(&account.name) else { return false };
        if self.clock.now() >= entry.until {
            remembered.pop(&account.name);
            return false;
        }
        hmac::verify(&self.key, &Self::message(account, credentials), entry.tag.as_ref()).is_ok()
    }

    fn remember(&self, account: &Account, credentials: &Credentials) {
        let entry = Remembered {
            tag: hmac::sign(&self.key, &Self::message(account, credentials)),
            until: self.clock.now().saturating_add(self.patience),
            _entry: self.remembered_kind.enter(),
        };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.put(account.name.clone(), entry);
    }
}
