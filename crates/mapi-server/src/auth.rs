//! Who a request comes from: Basic, Bearer, NTLM and Negotiate against the store's accounts.
//!
//! [`SignIn`] says which schemes are taken, and with what. `names` says which account a name means; `connection` what
//! a connection knows of its client. NTLM and Negotiate are for connections that are the client's alone: a request that
//! came through a proxy (`Via`, `Forwarded`, `X-Forwarded-For`) is offered neither, and no identity of its connection
//! is believed for it.
//!
//! Basic comes with every request, and a password hash is slow on purpose: a password that was verified is remembered
//! for five minutes as a keyed hash under a random key of this process. At most two hashes are computed at once.
//! Failures are limited per account and address ([`limiter`]). An unknown account costs the same time and gets the
//! same answer as a wrong password.

mod basic;
mod connection;
mod exchange;
mod limiter;
mod names;
mod password;
mod scheme;
mod token;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use lru::LruCache;
use ring::hmac;
use tokio::sync::Semaphore;
use watertight_auth::{BindingPolicy, ChannelBindings, Security};
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::store::{Account, Store, StoreError};

#[doc(hidden)]
pub use basic::basic_credentials;
pub(crate) use connection::Connection;
pub use password::{hash_password, nt_hash};
pub use scheme::{Scheme, SignIn, SignInError};
pub use token::new_token;

use self::basic::Credentials;
use self::connection::Exchanges;
use self::exchange::Shared;
use self::limiter::Limiter;
use crate::clock::Clock;

/// How long a verified password is remembered at most.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// How many password hashes are computed at once.
const HASHES_AT_ONCE: usize = 2;
/// How many steps of NTLM and Negotiate are taken at once.
const STEPS_AT_ONCE: usize = 8;
/// How long a request waits for its turn to do either.
const PATIENCE: Duration = Duration::from_secs(10);
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
    /// The access token is not known, or was revoked.
    #[error("wrong access token")]
    BadToken,
    /// The access token was good once.
    #[error("the access token has expired")]
    Expired,
    /// An identity was proved, and no account is its.
    #[error("there is no account of that name")]
    NoAccount,
    /// The exchange goes on: the header that says how. It is no failure.
    #[error("the exchange goes on")]
    GoOn(HeaderValue),
    /// Too many sign-ins at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// The store failed.
    #[error("the account cannot be looked up")]
    Store(#[from] StoreError),
}

/// Somebody who may go on.
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    /// What the answer must have as WWW-Authenticate.
    pub(crate) reply: Option<HeaderValue>,
}

/// Checks credentials.
pub struct Authenticator {
    shared: Arc<Shared>,
    sign_in: SignIn,
    /// What NTLM and Kerberos must be bound to.
    bindings: BindingPolicy,
    security: Security,
    exchanges: Arc<Exchanges>,
    stepping: Arc<Semaphore>,
    /// How long a verified password is remembered here.
    patience: Duration,
    key: hmac::Key,
    hashing: Arc<Semaphore>,
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
    /// An authenticator with a fresh key. `channel` is what a TLS connection's proofs are bound to.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn new(
        store: Arc<dyn Store>,
        ledger: &Ledger,
        clock: Arc<dyn Clock>,
        sign_in: SignIn,
        channel: Option<ChannelBindings>,
    ) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let bindings = match channel {
            None => BindingPolicy::Ignore,
            Some(channel) if sign_in.bindings_required => BindingPolicy::Required(channel),
            Some(channel) => BindingPolicy::IfSent(channel),
        };
        let shared = Shared {
            store,
            clock,
            limiter: Limiter::new(ledger),
            keytab: sign_in.keytab.clone(),
            ntlm: sign_in.takes(Scheme::Ntlm),
        };
        Ok(Self {
            shared: Arc::new(shared),
            sign_in,
            bindings,
            security: Security::new(ledger),
            exchanges: Arc::new(Exchanges::new(ledger)),
            stepping: Arc::new(Semaphore::new(STEPS_AT_ONCE)),
            patience: REMEMBERED_FOR,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            remembered: Mutex::new(LruCache::sparse(REMEMBERED_AT_MOST)),
            remembered_kind: ledger.kind("remembered passwords"),
            hashes_kind: ledger.kind("password hashes"),
            nobody: password::of_nobody(),
        })
    }

    /// What a new connection knows of its client: nothing.
    pub(crate) fn connection(&self, peer: IpAddr) -> Connection {
        self.exchanges.connection(peer)
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// [`AuthError`].
    pub(crate) async fn sign_in(
        &self,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<SignedIn, AuthError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            let account = self.still(headers, connection).await?;
            return Ok(SignedIn { account, reply: None });
        };
        let value = value.as_bytes();
        let scheme =
            Scheme::of(value).filter(|scheme| self.sign_in.takes(*scheme) && values.next().is_none());
        let account = match scheme {
            Some(scheme) if scheme.is_of_connection() && !came_through_others(headers) => {
                return self.exchange(scheme, value, connection).await;
            }
            scheme => {
                connection.forget();
                match scheme {
                    Some(Scheme::Basic) => self.basic(Some(value), connection.peer).await?,
                    Some(Scheme::Bearer) => self.bearer(value, connection.peer).await?,
                    _ => return Err(AuthError::Missing),
                }
            }
        };
        Ok(SignedIn { account, reply: None })
    }

    /// The account that a connection belongs to, as it is now.
    async fn still(&self, headers: &HeaderMap, connection: &Connection) -> Result<Account, AuthError> {
        let known = connection.somebody().filter(|_| !came_through_others(headers));
        let known = known.ok_or(AuthError::Missing)?;
        let account = self.shared.store.account(&known.account.name).await?;
        let same = account.filter(|account| {
            account.mailbox_guid == known.account.mailbox_guid
                && (!known.by_password || account.password_hash == known.account.password_hash)
        });
        same.ok_or_else(|| {
            connection.forget();
            AuthError::Missing
        })
    }

    /// The WWW-Authenticate headers of a refusal.
    pub(crate) async fn offers(&self, error: &AuthError, headers: &HeaderMap) -> Vec<HeaderValue> {
        if let AuthError::GoOn(value) = error {
            return vec![value.clone()];
        }
        let through_others = came_through_others(headers);
        let there = match &self.sign_in.schemes {
            Some(_) => None,
            // Without an answer, what needs none is offered.
            None => Some(self.shared.store.secrets().kinds().await.unwrap_or_default()),
        };
        let offered = Scheme::ALL.into_iter().filter(|scheme| {
            let wanted = match (scheme, there) {
                (scheme, None) => self.sign_in.takes(*scheme),
                (Scheme::Negotiate, Some(_)) => self.shared.keytab.is_some(),
                (Scheme::Ntlm, Some(there)) => there.nt_hashes,
                (Scheme::Bearer, Some(there)) => there.tokens,
                (Scheme::Basic, Some(_)) => true,
            };
            wanted && !(through_others && scheme.is_of_connection())
        });
        let value = |scheme: Scheme| match (scheme, error) {
            (Scheme::Bearer, AuthError::BadToken) => HeaderValue::from_static(
                "Bearer realm=\"Watertight\", error=\"invalid_token\", error_description=\"The access token is \
                 not known\"",
            ),
            (Scheme::Bearer, AuthError::Expired) => HeaderValue::from_static(
                "Bearer realm=\"Watertight\", error=\"invalid_token\", error_description=\"The access token has \
                 expired\"",
            ),
            (scheme, _) => scheme.offer(),
        };
        offered.map(value).collect()
    }

    /// The same that remembers verified passwords for that long, if it is shorter.
    #[must_use]
    pub fn remembering_for(self, most: Duration) -> Self {
        Self { patience: most.min(REMEMBERED_FOR), ..self }
    }

    /// Waits until no password hash is computed any more, and no token is looked at.
    pub async fn idle(&self) {
        for (semaphore, all) in [(&self.hashing, HASHES_AT_ONCE), (&self.stepping, STEPS_AT_ONCE)] {
            // It is never closed, so that there is no error.
            let _ = semaphore.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await;
        }
    }

    /// Forgets what need not be remembered any more.
    pub fn sweep(&self) {
        let now = self.shared.clock.now();
        self.shared.limiter.sweep(now);
        self.exchanges.sweep(now);
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
        let account = names::of_user(&*self.shared.store, &credentials.user).await?;
        if let Some(account) = &account
            && self.is_remembered(account, &credentials)
        {
            return Ok(account.clone());
        }
        let name = account.as_ref().map_or(credentials.user.as_str(), |a| a.name.as_str());
        let attempt =
            self.shared.limiter.attempt(name, peer, self.shared.clock.now()).map_err(AuthError::Limited)?;
        let hash = account.as_ref().map_or_else(|| self.nobody.clone(), |a| a.password_hash.clone());
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.hashing).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            self.shared.limiter.forgive(attempt);
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
                self.shared.limiter.forgive(attempt);
                self.remember(&account, &credentials);
                Ok(account)
            }
            _ => {
                tracing::info!(%peer, "a sign-in failed");
                Err(AuthError::Wrong)
            }
        }
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
        if self.shared.clock.now() >= entry.until {
            remembered.pop(&account.name);
            return false;
        }
        hmac::verify(&self.key, &Self::message(account, credentials), entry.tag.as_ref()).is_ok()
    }

    fn remember(&self, account: &Account, credentials: &Credentials) {
        let entry = Remembered {
            tag: hmac::sign(&self.key, &Self::message(account, credentials)),
            until: self.shared.clock.now().saturating_add(self.patience),
            _entry: self.remembered_kind.enter(),
        };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.put(account.name.clone(), entry);
    }
}

/// Whether a request says that it came through a proxy, whose connections may be several clients'.
fn came_through_others(headers: &HeaderMap) -> bool {
    [header::VIA.as_str(), header::FORWARDED.as_str(), "x-forwarded-for"]
        .iter()
        .any(|name| headers.contains_key(*name))
}
