//! Session contexts — [MS-OXCMAPIHTTP] 3.2.1, 3.2.5.1: what a client holds between Connect and Disconnect.
//!
//! A context is found by its cookie and by who made it. One request runs in it at a time ([`Claim`]); the sequence
//! cookie proves that the client has seen the answer to its last one. A context that nobody used for
//! [`Limits::expiry`] ends.
//!
//! Lock order: [`Contexts::inner`], then [`Context::state`]; neither is held across an `await`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::http::ResponseCode;
use watertight_mapi::store::Account;

use crate::clock::Clock;
use crate::rop;

/// The cookie that names a session context.
pub const CONTEXT_COOKIE: &str = "MapiContext";
/// The cookie that proves the order of requests.
pub const SEQUENCE_COOKIE: &str = "MapiSequence";

/// How long a context must have been idle before it makes room for another of the same account.
const ABANDONED: Duration = Duration::from_secs(120);

/// How many session contexts there may be, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a context lives in which no request runs.
    pub expiry: Duration,
    /// The most contexts of one account.
    pub per_account: usize,
    /// The most contexts of all.
    pub total: usize,
}

/// What names a context: as a cookie, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextId([u8; 16]);

impl ContextId {
    /// A new name that nobody can guess; `None` when the machine gives no random numbers.
    fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// From a cookie's value.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if value.len() != 32 || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(value, 16).ok().map(|n| Self(n.to_be_bytes()))
    }

    /// As a cookie's value.
    #[must_use]
    pub fn to_value(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a session context holds between its requests.
pub trait Held: Send + 'static {
    /// What the client is to be told; for waits, which come while a request runs.
    fn notices(&self) -> Option<Arc<rop::Notices>>;
}

impl Held for rop::Session {
    fn notices(&self) -> Option<Arc<rop::Notices>> {
        Some(Self::notices(self))
    }
}

/// One session context.
pub struct Context<S = rop::Session> {
    id: ContextId,
    account: Account,
    /// Held by the one request that has the claim, so it is never waited for.
    session: tokio::sync::Mutex<Option<S>>,
    notices: Option<Arc<rop::Notices>>,
    /// Never held across an `await`.
    state: Mutex<State>,
    _entry: Entry,
}

struct State {
    sequence: u64,
    /// What makes the sequence unguessable.
    salt: u64,
    busy: bool,
    ended: bool,
    last_used: Duration,
}

/// All session contexts of an endpoint.
pub struct Contexts<S = rop::Session> {
    inner: Mutex<Inner<S>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    kind: Kind,
}

struct Inner<S> {
    by_id: HashMap<ContextId, Arc<Context<S>>>,
    by_account: HashMap<String, usize>,
}

/// The right of one request to use a context. Dropping it lets the next request in and starts the idle time.
pub struct Claim<S = rop::Session> {
    context: Arc<Context<S>>,
    clock: Arc<dyn Clock>,
}

impl Contexts {
    /// No contexts of mailboxes yet.
    #[must_use]
    pub fn new(ledger: &Ledger, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::counted(ledger.kind("session contexts"), limits, clock)
    }
}

impl<S: Held> Contexts<S> {
    /// No contexts yet; they will be counted as that.
    #[must_use]
    pub fn counted(kind: Kind, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner { by_id: HashMap::new(), by_account: HashMap::new() };
        Self { inner: Mutex::new(inner), limits, clock, kind }
    }

    /// How many contexts there may be, and for how long.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Makes a context for an account; `None` when the account or the server has too many.
    #[must_use]
    pub fn create(&self, account: Account, session: S) -> Option<Arc<Context<S>>> {
        if self.is_full(&account) {
            self.sweep();
        }
        if self.is_full(&account) {
            self.make_room(&account);
        }
        let id = ContextId::random()?;
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).ok()?;
        let context = Arc::new(Context {
            id,
            account,
            notices: session.notices(),
            session: tokio::sync::Mutex::new(Some(session)),
            state: Mutex::new(State {
                sequence: 1,
                salt: u64::from_le_bytes(salt),
                busy: false,
                ended: false,
                last_used: self.clock.now(),
            }),
            _entry: self.kind.enter(),
        });
        let mut inner = lock(&self.inner);
        if inner.is_full(&context.account, self.limits) {
            return None;
        }
        let count = inner.by_account.entry(context.account.name.clone()).or_default();
        *count = count.saturating_add(1);
        inner.by_id.insert(context.id, Arc::clone(&context));
        Some(context)
    }

    fn is_full(&self, account: &Account) -> bool {
        lock(&self.inner).is_full(account, self.limits)
    }

    /// The context of a cookie, when it belongs to the account and has not expired; its idle time starts anew.
    ///
    /// # Errors
    /// [`ResponseCode::InvalidContextCookie`] for a value that is no cookie of ours,
    /// [`ResponseCode::ContextNotFound`] for a context that is not there, [`ResponseCode::NoPrivilege`] for one that
    /// belongs to somebody else.
    pub fn find(&self, cookie: &str, account: &Account) -> Result<Arc<Context<S>>, ResponseCode> {
        let id = ContextId::parse(cookie).ok_or(ResponseCode::InvalidContextCookie)?;
        let found = lock(&self.inner).by_id.get(&id).cloned();
        let context = found.ok_or(ResponseCode::ContextNotFound)?;
        if context.account.name != account.name {
            return Err(ResponseCode::NoPrivilege);
        }
        let now = self.clock.now();
        let expired = {
            let mut state = lock(&context.state);
            let expired = state.ended || state.expired(now, self.limits.expiry);
            if !expired {
                state.last_used = now;
            }
            expired
        };
        if expired {
            self.end(&context);
            return Err(ResponseCode::ContextNotFound);
        }
        Ok(context)
    }

    /// Claims a context for one request. The sequence moves on.
    ///
    /// # Errors
    /// [`ResponseCode::InvalidSequence`] when another request runs in it or the sequence is not the last one handed
    /// out, [`ResponseCode::ContextNotFound`] when it has ended meanwhile.
    pub fn claim(&self, context: &Arc<Context<S>>, sequence: &str) -> Result<Claim<S>, ResponseCode> {
        let mut state = lock(&context.state);
        if state.ended {
            return Err(ResponseCode::ContextNotFound);
        }
        if state.busy || state.sequence_value() != sequence {
            return Err(ResponseCode::InvalidSequence);
        }
        state.busy = true;
        state.sequence = state.sequence.wrapping_add(1);
        drop(state);
        Ok(Claim { context: Arc::clone(context), clock: Arc::clone(&self.clock) })
    }

    /// Ends a context. What it holds is released now, or when the request that runs in it is done.
    pub fn end(&self, context: &Arc<Context<S>>) {
        let mut inner = lock(&self.inner);
        if inner.by_id.remove(&context.id).is_none() {
            return;
        }
        if let Some(count) = inner.by_account.get_mut(&context.account.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inner.by_account.remove(&context.account.name);
            }
        }
        inner.shrink();
        drop(inner);
        lock(&context.state).ended = true;
        context.end_waits();
        if let Ok(mut session) = context.session.try_lock() {
            drop(session.take());
        }
    }

    /// Ends the contexts whose time is up; returns how many.
    pub fn sweep(&self) -> usize {
        let now = self.clock.now();
        let expired: Vec<_> = lock(&self.inner)
            .by_id
            .values()
            .filter(|context| lock(&context.state).expired(now, self.limits.expiry))
            .cloned()
            .collect();
        for context in &expired {
            self.end(context);
        }
        expired.len()
    }

    /// Ends the context of the account that has been idle longest, when that is longer than [`ABANDONED`]: clients
    /// that vanished do not keep their account out until their contexts expire. A client that is still there, and
    /// was only slow, gets [`ResponseCode::ContextNotFound`] and connects again.
    fn make_room(&self, account: &Account) {
        let now = self.clock.now();
        let idle = lock(&self.inner)
            .by_id
            .values()
            .filter(|context| context.account.name == account.name)
            .filter_map(|context| Some((lock(&context.state).idle(now)?, Arc::clone(context))))
            .max_by_key(|(idle, _)| *idle);
        if let Some((_, context)) = idle.filter(|(idle, _)| *idle >= ABANDONED) {
            self.end(&context);
        }
    }

    /// Ends all waits, also those that begin from now on in contexts that there are.
    pub fn end_waits(&self) {
        for context in lock(&self.inner).by_id.values() {
            context.end_waits();
        }
    }

    /// Ends all contexts.
    pub fn clear(&self) {
        let all: Vec<_> = lock(&self.inner).by_id.values().cloned().collect();
        for context in &all {
            self.end(context);
        }
    }

    /// How many contexts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.inner).by_id.len()
    }

    /// Whether there is no context.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Contexts for which there is always room.
const LEAST_ROOM: usize = 64;

impl<S> Inner<S> {
    /// Gives memory back after many contexts have ended.
    fn shrink(&mut self) {
        if self.by_id.capacity() > LEAST_ROOM && self.by_id.len() < self.by_id.capacity() / 8 {
            self.by_id.shrink_to(LEAST_ROOM.max(self.by_id.len().saturating_mul(2)));
        }
    }

    fn is_full(&self, account: &Account, limits: Limits) -> bool {
        let count = self.by_account.get(&account.name).copied().unwrap_or(0);
        count >= limits.per_account || self.by_id.len() >= limits.total
    }
}

impl<S> Context<S> {
    /// The value of its cookie.
    #[must_use]
    pub fn cookie(&self) -> String {
        self.id.to_value()
    }

    /// The value of the sequence cookie that the next request must carry.
    #[must_use]
    pub fn sequence(&self) -> String {
        lock(&self.state).sequence_value()
    }

    /// A wait for what the client is to be told; `None` while there is another.
    pub(crate) fn begin_wait(&self) -> Option<rop::Wait> {
        self.notices.as_ref()?.begin_wait()
    }

    fn end_waits(&self) {
        self.notices.iter().for_each(|notices| notices.end_waits());
    }

    /// Whether a request runs in it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        lock(&self.state).busy
    }
}

impl State {
    fn sequence_value(&self) -> String {
        // The salt makes the sequences of two contexts differ; it is no secret beside the context cookie.
        format!("{}-{:016x}", self.sequence, self.salt)
    }

    fn expired(&self, now: Duration, expiry: Duration) -> bool {
        self.idle(now).is_some_and(|idle| idle >= expiry)
    }

    /// For how long no request has run; `None` while one does.
    fn idle(&self, now: Duration) -> Option<Duration> {
        (!self.busy).then(|| now.saturating_sub(self.last_used))
    }
}

impl<S> Claim<S> {
    /// The session; `None` in it when the context has ended meanwhile. Never waits for long: only the holder of the
    /// claim uses it.
    pub async fn session(&self) -> tokio::sync::MutexGuard<'_, Option<S>> {
        self.context.session.lock().await
    }

    /// The context.
    #[must_use]
    pub fn context(&self) -> &Arc<Context<S>> {
        &self.context
    }
}

impl<S> Drop for Claim<S> {
    fn drop(&mut self) {
        let ended = {
            let mut state = lock(&self.context.state);
            state.busy = false;
            state.last_used = self.clock.now();
            // What a request leaves behind that panicked is not to be used again.
            state.ended |= std::thread::panicking();
            state.ended
        };
        // A context that ended while this request ran is released by it.
        if ended && let Ok(mut session) = self.context.session.try_lock() {
            drop(session.take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use watertight_mapi::store::{NewAccount, Store};
    use watertight_store::MemoryStore;

    use super::*;
    use crate::rop::Origin;

    #[derive(Default)]
    struct ManualClock(AtomicU64);

    impl Clock for ManualClock {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    struct Bed {
        contexts: Arc<Contexts>,
        ledger: Ledger,
        clock: Arc<ManualClock>,
        store: MemoryStore,
        account: Account,
    }

    impl Bed {
        async fn new() -> Self {
            let ledger = Ledger::new("test");
            let clock = Arc::<ManualClock>::default();
            let limits = Limits { expiry: Duration::from_secs(900), per_account: 10, total: 10 };
            let contexts = Arc::new(Contexts::new(&ledger, limits, Arc::<ManualClock>::clone(&clock)));
            let store = MemoryStore::new();
            let account = NewAccount {
                name: "anna".into(),
                display_name: String::new(),
                smtp_address: "anna@test.local".into(),
                password_hash: String::new(),
            };
            let account = store.create_account(account).await.unwrap();
            Self { contexts, ledger, clock, store, account }
        }

        fn context(&self) -> Arc<Context> {
            let origin = Origin {
                store: Arc::new(self.store.clone()),
                account: self.account.clone(),
                ledger: self.ledger.clone(),
                code_page: 1252,
                lcid_sort: 1033,
                lcid_string: 1033,
            };
            self.contexts.create(self.account.clone(), rop::Session::new(origin)).unwrap()
        }

        fn find(&self, context: &Context) -> Result<Arc<Context>, ResponseCode> {
            self.contexts.find(&context.cookie(), &self.account)
        }
    }

    #[tokio::test]
    async fn one_request_at_a_time_and_each_in_its_turn() {
        let bed = Bed::new().await;
        let context = bed.context();
        let first = context.sequence();
        let claim = bed.contexts.claim(&context, &first).unwrap();
        assert!(context.is_busy());
        let second = context.sequence();
        assert_ne!(first, second);
        for sequence in [&first, &second] {
            let refused = bed.contexts.claim(&context, sequence).err();
            assert_eq!(refused, Some(ResponseCode::InvalidSequence), "busy");
        }
        drop(claim);
        assert_eq!(
            bed.contexts.claim(&context, &first).err(),
            Some(ResponseCode::InvalidSequence),
            "used up"
        );
        assert!(bed.contexts.claim(&context, &second).is_ok());
    }

    #[tokio::test]
    async fn of_many_at_once_one_gets_in() {
        let bed = Bed::new().await;
        let context = bed.context();
        let sequence = context.sequence();
        let mut claims = Vec::new();
        let contexts = &bed.contexts;
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| contexts.claim(&context, &sequence).ok())).collect();
            claims.extend(threads.into_iter().filter_map(|thread| thread.join().unwrap()));
        });
        assert_eq!(claims.len(), 1);
    }

    #[tokio::test]
    async fn what_ends_while_a_request_runs_is_released_by_it() {
        let bed = Bed::new().await;
        let context = bed.context();
        let claim = bed.contexts.claim(&context, &context.sequence()).unwrap();
        let held = claim.session().await;
        bed.contexts.end(&context);
        assert!(bed.contexts.is_empty());
        assert!(held.is_some(), "the request that runs goes on");
        drop(held);
        drop(claim);
        assert_eq!(bed.ledger.inspect().kinds["rop sessions"].now, 0);
        let sequence = context.sequence();
        assert_eq!(bed.contexts.claim(&context, &sequence).err(), Some(ResponseCode::ContextNotFound));
        drop(context);
        assert_eq!(bed.ledger.held(), 0);
    }

    #[tokio::test]
    async fn a_request_that_panics_ends_its_context() {
        let bed = Bed::new().await;
        let context = bed.context();
        let claim = bed.contexts.claim(&context, &context.sequence()).unwrap();
        let task = tokio::spawn(async move {
            let _session = claim.session().await;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(bed.find(&context).err(), Some(ResponseCode::ContextNotFound));
        assert!(bed.contexts.is_empty());
        drop(context);
        assert_eq!(bed.ledger.held(), 0);
    }

    #[tokio::test]
    async fn idle_time_does_not_run_while_a_request_does() {
        let bed = Bed::new().await;
        let context = bed.context();
        let claim = bed.contexts.claim(&context, &context.sequence()).unwrap();
        bed.clock.0.store(10_000, Ordering::Relaxed);
        assert_eq!(bed.contexts.sweep(), 0);
        drop(claim);
        bed.clock.0.store(10_899, Ordering::Relaxed);
        assert_eq!(bed.contexts.sweep(), 0);
        bed.clock.0.store(10_900, Ordering::Relaxed);
        assert_eq!(bed.contexts.sweep(), 1);
        drop(context);
        assert_eq!(bed.ledger.held(), 0);
    }

    #[test]
    fn cookies_come_back() {
        let id = ContextId::random().unwrap();
        assert!(ContextId::parse(&id.to_value()) == Some(id));
        for wrong in
            ["", "0", "+0112233445566778899aabbccddeeff", "x0112233445566778899aabbccddeef€", "00112233"]
        {
            assert!(ContextId::parse(wrong).is_none(), "{wrong}");
        }
    }
}
