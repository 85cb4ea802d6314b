//! What a connection knows of its client, and the exchanges that are half done.
//!
//! NTLM and Negotiate prove an identity once, for the connection that they travel on ([MS-NTHT], [MS-N2HT]). Later
//! requests of that connection without an Authorization header are that client's. A request *with* one is judged by
//! it alone, and whoever the connection belonged to before is forgotten, also when it is refused.
//!
//! An exchange that is half done is kept for a minute at most, [`HALF_DONE_AT_MOST`] of all connections together (the
//! one that is oldest makes room), and not longer than its connection.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use watertight_auth::Server;
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::store::Account;

use super::exchange::Asked;
use super::scheme::Scheme;

/// How many exchanges are kept that wait for their client.
const HALF_DONE_AT_MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
/// How long a client has for its next token.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, as sign-in sees it.
pub(crate) struct Connection {
    pub(crate) peer: IpAddr,
    number: u64,
    exchanges: Arc<Exchanges>,
    /// Whether there was ever somebody or something half done: most connections never have to look.
    used: AtomicBool,
    somebody: Mutex<Option<(Somebody, Entry)>>,
}

/// Who a connection belongs to.
#[derive(Clone)]
pub(super) struct Somebody {
    pub(super) account: Account,
    /// Whether what was proved is the password that the account had then.
    pub(super) by_password: bool,
}

/// The exchanges that are half done, by the number of their connection.
pub(super) struct Exchanges {
    half_done: Mutex<LruCache<u64, HalfDone>>,
    next: AtomicU64,
    signed_in: Kind,
}

/// An exchange that waits for its client.
pub(super) struct HalfDone {
    pub(super) scheme: Scheme,
    pub(super) server: Server,
    pub(super) asked: Arc<Asked>,
    until: Duration,
}

impl Exchanges {
    pub(super) fn new(ledger: &Ledger) -> Self {
        Self {
            half_done: Mutex::new(LruCache::sparse(HALF_DONE_AT_MOST)),
            next: AtomicU64::new(0),
            signed_in: ledger.kind("signed-in connections"),
        }
    }

    /// A connection that belongs to nobody yet.
    pub(super) fn connection(self: &Arc<Self>, peer: IpAddr) -> Connection {
        Connection {
            peer,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            exchanges: Arc::clone(self),
            used: AtomicBool::new(false),
            somebody: Mutex::new(None),
        }
    }

    /// Forgets the exchanges whose clients took too long.
    pub(super) fn sweep(&self, now: Duration) {
        let mut half_done = lock(&self.half_done);
        let late: Vec<u64> =
            half_done.iter().filter(|(_, one)| now >= one.until).map(|(number, _)| *number).collect();
        let late: Vec<_> = late.iter().filter_map(|number| half_done.pop(number)).collect();
        drop(half_done);
        drop(late);
    }
}

impl HalfDone {
    pub(super) fn new(scheme: Scheme, server: Server, asked: Arc<Asked>) -> Self {
        Self { scheme, server, asked, until: Duration::ZERO }
    }
}

impl Connection {
    /// Who it belongs to.
    pub(super) fn somebody(&self) -> Option<Somebody> {
        if !self.used.load(Ordering::Relaxed) {
            return None;
        }
        lock(&self.somebody).as_ref().map(|(somebody, _)| somebody.clone())
    }

    /// It belongs to nobody, and nothing is half done.
    pub(super) fn forget(&self) {
        self.take(Duration::MAX);
    }

    /// It belongs to somebody.
    pub(super) fn belongs_to(&self, somebody: Somebody) {
        self.used.store(true, Ordering::Relaxed);
        *lock(&self.somebody) = Some((somebody, self.exchanges.signed_in.enter()));
    }

    /// What is half done, if its time is not over; the connection belongs to nobody then.
    pub(super) fn take(&self, now: Duration) -> Option<HalfDone> {
        if !self.used.load(Ordering::Relaxed) {
            return None;
        }
        *lock(&self.somebody) = None;
        let found = lock(&self.exchanges.half_done).pop(&self.number);
        found.filter(|one| now < one.until)
    }

    /// An exchange is half done.
    pub(super) fn keep(&self, exchange: HalfDone, now: Duration) {
        self.used.store(true, Ordering::Relaxed);
        let exchange = HalfDone { until: now.saturating_add(PATIENCE), ..exchange };
        // What makes room is dropped when nobody waits for the lock.
        let oldest = lock(&self.exchanges.half_done).push(self.number, exchange);
        drop(oldest);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.forget();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
