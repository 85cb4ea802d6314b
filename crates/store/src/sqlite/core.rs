//! An open mailbox: its connections, its queue of writes, what is remembered of it.
//!
//! Lock order: `writer`, then any of the others; no other two are held at once. Nothing that is remembered is
//! believed without asking the file whether it still holds, so that several processes may have a mailbox open.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::AtomicBool},
};

use lru::LruCache;
use rusqlite::Connection;
use watertight_ledger::{Entry, Kind};
use watertight_mapi::{
    ics::GlobSet,
    store::{MailboxInfo, StoreError, StoreResult},
};

use super::{
    Kinds,
    error::Doing,
    events::Feed,
    instance::Instance,
    large, meta,
    schema::{Access, Conn, MAILBOX},
    write::{Counters, WriteTx},
};
use crate::names::Names;

/// How many idle connections for reading a mailbox keeps.
const IDLE_READERS: usize = 2;
/// How many writes may share a transaction.
const GROUP: usize = 64;
/// How many sets of message ids are remembered for a mailbox.
const REMEMBERED_SETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// A write that waits for its turn: run in the transaction, then told whether that was committed.
pub(super) type Job = Box<dyn FnOnce(&mut WriteTx<'_>) -> (bool, Told) + Send>;
/// Tells whoever waits for a write; `None` when it is durable.
pub(super) type Told = Box<dyn FnOnce(Option<Failure>) + Send>;

/// Sets of message ids by folder and kind, each with the version of the folder's contents that it is of.
type Sets = LruCache<(i64, i64), (i64, Arc<GlobSet>)>;

/// Why a transaction was not committed, for each of those that shared it.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// No space is left.
    Full(String),
    /// Anything else.
    Other(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(text) => Self::Full(text),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full(text) => Self::Full(text),
            Failure::Other(text) => {
                Self::Backend { source: text.clone().into(), context: format!("nothing was saved: {text}") }
            }
        }
    }
}

/// An open mailbox.
pub(super) struct Core {
    pub(super) info: Arc<MailboxInfo>,
    pub(super) instance: i64,
    path: std::path::PathBuf,
    connections: Kind,
    writer: Mutex<Conn>,
    queue: Mutex<Queue>,
    readers: Mutex<Vec<Conn>>,
    names: RwLock<Arc<Names>>,
    sets: Mutex<Sets>,
    /// Whether it was used since [`Store::rest`](watertight_mapi::store::Store::rest).
    pub(super) used: AtomicBool,
    #[cfg(test)]
    commits: std::sync::atomic::AtomicU64,
    #[cfg(test)]
    pushed: std::sync::atomic::AtomicU64,
    feed: Arc<Feed>,
    _held: Entry,
}

/// Gives back the memory of a connection's pages.
pub(super) fn shrink(conn: &Conn) -> StoreResult<()> {
    conn.sql.execute_batch("PRAGMA shrink_memory").doing("giving back memory")
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(Job, bool)>,
    running: bool,
}

impl Core {
    /// Opens the mailbox in that file, and removes what processes that are gone have staged in it.
    pub(super) fn open(
        path: &Path,
        kinds: &Kinds,
        instance: &Instance,
        feed: Arc<Feed>,
    ) -> StoreResult<Self> {
        let writer = MAILBOX.open(path, Access::Write, &kinds.connections)?;
        let info = meta::read(&writer.sql)?;
        let mut names = Names::default();
        meta::more_names(&writer.sql, &mut names)?;
        large::remove_orphans(&writer.sql, instance)?;
        Ok(Self {
            info: Arc::new(info),
            instance: instance.number,
            path: path.to_owned(),
            connections: kinds.connections.clone(),
            writer: Mutex::new(writer),
            queue: Mutex::default(),
            readers: Mutex::default(),
            names: RwLock::new(Arc::new(names)),
            sets: Mutex::new(LruCache::new(REMEMBERED_SETS)),
            used: AtomicBool::new(true),
            #[cfg(test)]
            commits: Default::default(),
            #[cfg(test)]
            pushed: Default::default(),
            feed,
            _held: kinds.open.enter(),
        })
    }

    /// Runs something on a connection of its own.
    pub(super) fn read<T>(&self, f: impl FnOnce(&Connection) -> StoreResult<T>) -> StoreResult<T> {
        let idle = locked(&self.readers).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => MAILBOX.open(&self.path, Access::Read, &self.connections)?,
        };
        let result = f(&conn.sql);
        if conn.sql.is_autocommit() {
            let mut readers = locked(&self.readers);
            if readers.len() < IDLE_READERS {
                readers.push(conn);
            }
        }
        result
    }

    /// Gives back the memory of what is only remembered: sets of ids, and pages.
    pub(super) fn release_memory(&self) -> StoreResult<()> {
        locked(&self.sets).clear();
        shrink(&locked(&self.writer))?;
        locked(&self.readers).iter().try_for_each(shrink)
    }

    /// The names, with at least those that `sql` sees.
    pub(super) fn names(&self, sql: &Connection) -> StoreResult<Arc<Names>> {
        let known = Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner));
        if meta::count_names(sql)? <= known.len() {
            return Ok(known);
        }
        let mut names = Names::clone(&known);
        meta::more_names(sql, &mut names)?;
        let names = Arc::new(names);
        self.publish(&names);
        Ok(names)
    }

    /// Remembers names that are in the file; there are never fewer than before.
    fn publish(&self, names: &Arc<Names>) {
        let mut known = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() > known.len() {
            *known = Arc::clone(names);
        }
    }

    /// The remembered set of a folder and kind, if it is of that version.
    pub(super) fn remembered(&self, key: (i64, i64), version: i64) -> Option<Arc<GlobSet>> {
        locked(&self.sets).get(&key).filter(|(of, _)| *of == version).map(|(_, set)| Arc::clone(set))
    }

    /// Remembers the set of a folder and kind.
    pub(super) fn remember(&self, key: (i64, i64), version: i64, set: &Arc<GlobSet>) {
        locked(&self.sets).put(key, (version, Arc::clone(set)));
    }

    /// Queues a write, and does what is queued unless somebody else is at it. What waits together is committed
    /// together; a write that need not be `durable` does not wait for the disk.
    pub(super) fn write(&self, job: Job, durable: bool) {
        {
            let mut queue = locked(&self.queue);
            queue.jobs.push_back((job, durable));
            #[cfg(test)]
            self.pushed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if std::mem::replace(&mut queue.running, true) {
                return;
            }
        }
        loop {
            let jobs: Vec<_> = {
                let mut queue = locked(&self.queue);
                let count = queue.jobs.len().min(GROUP);
                if count == 0 {
                    queue.running = false;
                    return;
                }
                queue.jobs.drain(..count).collect()
            };
            let writer = locked(&self.writer);
            if catch_unwind(AssertUnwindSafe(|| self.group(&writer.sql, jobs))).is_err() {
                tracing::error!("a write to the store panicked");
            }
            if !writer.sql.is_autocommit()
                && let Err(error) = writer.sql.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a transaction could not be rolled back");
            }
        }
    }

    /// Does writes in one transaction.
    fn group(&self, sql: &Connection, jobs: Vec<(Job, bool)>) {
        let durable = jobs.iter().any(|(_, durable)| *durable);
        let alone = jobs.len() == 1;
        let mut told: Vec<Told> = Vec::with_capacity(jobs.len());
        let result = self.begin(sql, durable).and_then(|mut tx| {
            for (job, _) in jobs {
                let before = (tx.counters.clone(), Arc::clone(&tx.names), tx.events.len());
                if !alone {
                    sql.execute_batch("SAVEPOINT job").doing("starting a write")?;
                }
                let (done, tell) = job(&mut tx);
                told.push(tell);
                if sql.is_autocommit() {
                    return Err(StoreError::Full("the transaction was rolled back".to_owned()));
                }
                if !done {
                    // It knows already why it failed; what it did is undone, and what the others did stays.
                    (tx.counters, tx.names) = (before.0, before.1);
                    tx.events.truncate(before.2);
                    if alone {
                        return sql.execute_batch("ROLLBACK").doing("undoing a write");
                    }
                    sql.execute_batch("ROLLBACK TO job").doing("undoing a write")?;
                }
                if !alone {
                    sql.execute_batch("RELEASE job").doing("ending a write")?;
                }
            }
            tx.finish()?;
            sql.execute_batch("COMMIT").doing("committing")?;
            #[cfg(test)]
            self.commits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.publish(&tx.names);
            self.feed.raise(tx.counters.next_event.saturating_sub(1).cast_unsigned());
            Ok(())
        });
        // Jobs that were not reached are dropped with the error unsaid: their callers learn that they are lost.
        let failure = result.err().map(Failure::from);
        for tell in told {
            tell(failure.clone());
        }
    }

    fn begin<'a>(&'a self, sql: &'a Connection, durable: bool) -> StoreResult<WriteTx<'a>> {
        let mode = if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        sql.execute_batch(mode).doing("starting a transaction")?;
        sql.execute_batch("BEGIN IMMEDIATE").doing("starting a transaction")?;
        let counters = Counters::read(sql)?;
        let names = self.names(sql)?;
        Ok(WriteTx { sql, core: self, counters, names, events: Vec::new() })
    }

    /// Runs something on the connection that writes, outside any transaction.
    #[cfg(test)]
    pub(super) fn with_writer<T>(&self, f: impl FnOnce(&Connection) -> T) -> T {
        f(&locked(&self.writer).sql)
    }

    /// How many transactions were committed.
    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How many writes were ever queued.
    #[cfg(test)]
    pub(super) fn pushed(&self) -> u64 {
        self.pushed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
