//! How many wrong passwords are taken before the answer is "wait".
//!
//! Each account from each address, each account, and each address has a bucket of attempts that fills up with time. An
//! attempt takes one out of all three and gives it back when the password was right. The buckets are bounded in
//! number; the ones that were not used for longest are forgotten, which at worst gives their owners a fresh start.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use watertight_ledger::{Entry, Kind, Ledger};

/// How many buckets are kept.
const BUCKETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);
/// The longest account name that gets a bucket of its own; longer ones share by their beginning.
const NAME_LENGTH: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, IpAddr),
    Account(String),
    Address(IpAddr),
}

impl Key {
    /// Attempts in a full bucket, and how long one takes to come back.
    fn rate(&self) -> (u32, Duration) {
        match self {
            Self::Pair(..) => (10, Duration::from_secs(6)),
            Self::Account(_) | Self::Address(_) => (100, Duration::from_secs(1)),
        }
    }
}

struct Bucket {
    /// When the bucket will be full again; each attempt moves it by the time that one takes to come back.
    full_at: Duration,
    _entry: Entry,
}

/// The buckets.
pub(super) struct Limiter {
    buckets: Mutex<LruCache<Key, Bucket>>,
    kind: Kind,
}

/// An attempt that was allowed.
pub(super) struct Attempt {
    keys: [Key; 3],
    at: Duration,
}

impl Limiter {
    pub(super) fn new(ledger: &Ledger) -> Self {
        Self { buckets: Mutex::new(LruCache::sparse(BUCKETS)), kind: ledger.kind("sign-in buckets") }
    }

    /// Takes an attempt, or says how long to wait for one.
    pub(super) fn attempt(&self, account: &str, peer: IpAddr, now: Duration) -> Result<Attempt, Duration> {
        let name: String = account.to_lowercase().chars().take(NAME_LENGTH).collect();
        let peer = network(peer);
        let keys = [Key::Pair(name.clone(), peer), Key::Account(name), Key::Address(peer)];
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &keys {
            let (size, each) = key.rate();
            let Some(bucket) = buckets.peek(key) else { continue };
            let owed = bucket.full_at.saturating_sub(now).saturating_add(each);
            let most = each.saturating_mul(size);
            if owed > most {
                return Err(owed.saturating_sub(most));
            }
        }
        for key in &keys {
            let (_, each) = key.rate();
            let bucket =
                buckets.get_or_insert_mut(key.clone(), || Bucket { full_at: now, _entry: self.kind.enter() });
            bucket.full_at = bucket.full_at.max(now).saturating_add(each);
        }
        Ok(Attempt { keys, at: now })
    }

    /// Gives an attempt back.
    pub(super) fn forgive(&self, attempt: Attempt) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &attempt.keys {
            let Some(bucket) = buckets.peek_mut(key) else { continue };
            bucket.full_at = bucket.full_at.saturating_sub(key.rate().1);
            // A full bucket says nothing.
            if bucket.full_at <= attempt.at {
                buckets.pop(key);
            }
        }
    }

    /// Forgets the buckets that are full again.
    pub(super) fn sweep(&self, now: Duration) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full: Vec<Key> =
            buckets.iter().filter(|(_, bucket)| bucket.full_at <= now).map(|(key, _)| key.clone()).collect();
        for key in &full {
            buckets.pop(key);
        }
    }
}

/// An IPv6 host usually has a /64 to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn the_eleventh_failure_waits() {
        let ledger = Ledger::new("test");
        let limiter = Limiter::new(&ledger);
        let at = Duration::from_secs;
        for _ in 0..10 {
            assert!(limiter.attempt("anna", HERE, at(0)).is_ok());
        }
        assert_eq!(limiter.attempt("ANNA", HERE, at(0)).err(), Some(at(6)));
        assert_eq!(limiter.attempt("anna", HERE, at(2)).err(), Some(at(4)));
        assert!(limiter.attempt("anna", THERE, at(2)).is_ok(), "another address is not held up");
        assert!(limiter.attempt("bert", HERE, at(2)).is_ok(), "another account is not held up");
        assert!(limiter.attempt("anna", HERE, at(6)).is_ok());
        drop(limiter);
        assert_eq!(ledger.held(), 0);
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let ledger = Ledger::new("test");
        let limiter = Limiter::new(&ledger);
        for _ in 0..1000 {
            let attempt = limiter.attempt("anna", HERE, Duration::ZERO).unwrap();
            limiter.forgive(attempt);
        }
        assert_eq!(ledger.held(), 0);
        // Wrong ones are forgotten when they cost nothing any more.
        limiter.attempt("anna", HERE, Duration::ZERO).unwrap();
        limiter.sweep(Duration::from_secs(5));
        assert_eq!(ledger.held(), 1, "one attempt of this account from here takes six seconds to come back");
        limiter.sweep(Duration::from_secs(6));
        assert_eq!(ledger.held(), 0);
    }

    #[test]
    fn many_names_from_one_address_wait_and_memory_is_bounded() {
        let ledger = Ledger::new("test");
        let limiter = Limiter::new(&ledger);
        let allowed =
            (0..1000).filter(|i| limiter.attempt(&format!("user{i}"), HERE, Duration::ZERO).is_ok());
        assert_eq!(allowed.count(), 100);
        for i in 0..20_000_u32 {
            let address = IpAddr::from((0x0a00_0000 + i).to_be_bytes());
            let _ = limiter.attempt(&"long name ".repeat(1000), address, Duration::ZERO);
            let _ = limiter.attempt(&format!("user{i}"), address, Duration::ZERO);
        }
        assert!(ledger.held() <= 8192);
    }

    #[test]
    fn a_host_is_its_ipv6_network() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::2:3:4:5".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), HERE);
    }
}
