//! Connections without a session, kept for the next one.
//!
//! A pool belongs to one connector: the same endpoint, the same TLS settings, the same credentials. Only a connection
//! whose session context was disconnected as the document has it gets here. Those that the server closed, and those
//! that nobody wanted for some time, are ended by a task that runs while there are any.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::connection::Connection;

/// Connections that are kept.
pub(crate) struct Pool {
    most: usize,
    kept_for: Duration,
    shared: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// The one that came last is last.
    connections: VecDeque<One>,
    ender: Option<AbortHandle>,
}

struct One {
    connection: Connection,
    since: Instant,
    /// Its socket works on this runtime only.
    runtime: runtime::Id,
}

impl Pool {
    /// At most so many, for at most so long.
    pub(crate) fn new(most: usize, kept_for: Duration) -> Self {
        Self { most, kept_for, shared: Arc::default() }
    }

    /// A connection that the next request may go over.
    pub(crate) fn take(&self) -> Option<Connection> {
        if self.most == 0 {
            return None;
        }
        let here = Handle::try_current().ok()?.id();
        loop {
            let mut one = {
                let mut kept = lock(&self.shared);
                let at = kept.connections.iter().rposition(|one| one.runtime == here)?;
                kept.connections.remove(at)?
            };
            if one.since.elapsed() < self.kept_for && one.connection.is_ready() {
                return Some(one.connection);
            }
        }
    }

    /// Keeps a connection; where there is no room, the one that was not used for the longest time ends.
    pub(crate) fn put(&self, mut connection: Connection) {
        let Ok(here) = Handle::try_current() else { return };
        if self.most == 0 || !connection.is_ready() {
            return;
        }
        let one = One { connection, since: Instant::now(), runtime: here.id() };
        let mut kept = lock(&self.shared);
        let surplus = if kept.connections.len() >= self.most { kept.connections.pop_front() } else { None };
        kept.connections.push_back(one);
        if kept.ender.as_ref().is_none_or(AbortHandle::is_finished) {
            let ending = end_the_old(Arc::downgrade(&self.shared), self.kept_for);
            kept.ender = Some(here.spawn(ending).abort_handle());
        }
        drop(kept);
        drop(surplus);
    }

    /// Ends all of them.
    pub(crate) fn clear(&self) {
        let ended = std::mem::take(&mut *lock(&self.shared));
        if let Some(ender) = &ended.ender {
            ender.abort();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.clear();
    }
}

fn lock(shared: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs while there are connections.
async fn end_the_old(shared: Weak<Mutex<Kept>>, kept_for: Duration) {
    loop {
        tokio::time::sleep(kept_for / 4).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut kept = lock(&shared);
        let (stay, ended) = std::mem::take(&mut kept.connections)
            .into_iter()
            .map(|mut one| (one.since.elapsed() < kept_for && one.connection.is_ready(), one))
            .partition::<Vec<_>, _>(|(stays, _)| *stays);
        kept.connections = stay.into_iter().map(|(_, one)| one).collect();
        if kept.connections.is_empty() {
            kept.ender = None;
            return;
        }
        drop(kept);
        drop(ended);
    }
}
