//! What happened in a mailbox: the last events, in a ring of rows, so that every process sees what any of them did.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, Row, params};
use tokio::sync::Notify;
use watertight_mapi::store::{Events, FolderId, Happened, MessageId, Place, StoreResult};

use super::{
    error::Doing,
    row::{glob, int},
    write::{Counters, WriteTx},
};
use crate::event::{AT_ONCE, REMEMBERED};

/// How often whoever waits looks whether another process changed the mailbox.
const LOOK: Duration = Duration::from_millis(300);

/// What this process knows of the events of one mailbox, open or not.
pub(super) struct Feed {
    path: PathBuf,
    /// The number of the last event that is known.
    latest: AtomicU64,
    told: Notify,
    looked: Mutex<Looked>,
}

#[derive(Default)]
struct Looked {
    at: Option<Instant>,
    /// What the files were like then.
    mark: Option<[Option<Mark>; 2]>,
    /// They were like that the time before, too: clocks of file systems are coarse.
    settled: bool,
}

/// Length, time and number of a file.
type Mark = (u64, i64, i64, u64);

fn mark(path: &Path) -> Option<Mark> {
    let of = fs::metadata(path).ok()?;
    Some((of.size(), of.mtime(), of.mtime_nsec(), of.ino()))
}

impl Feed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, latest: AtomicU64::new(0), told: Notify::new(), looked: Mutex::default() }
    }

    /// The number of the last event that is known here.
    pub(super) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// There are events up to this number.
    pub(super) fn raise(&self, latest: u64) {
        if self.latest.fetch_max(latest, Ordering::AcqRel) < latest {
            self.told.notify_waiters();
        }
    }

    /// Whether the file may have been written since the last time; between two looks of those who wait lies some time.
    pub(super) fn may_have_changed(&self, waiting: bool) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting && looked.at.is_some_and(|at| at.elapsed() < LOOK / 2) {
            return false;
        }
        looked.at = Some(Instant::now());
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let now = Some([mark(&self.path), mark(Path::new(&log))]);
        let same = looked.mark == now;
        let changed = !same || !looked.settled;
        (looked.mark, looked.settled) = (now, same);
        changed
    }

    /// Ends when there is an event after that, or when it is time to look for one: then `false`.
    pub(super) async fn wait(&self, after: u64) -> bool {
        let mut told = std::pin::pin!(self.told.notified());
        // What is told from here on is not missed.
        told.as_mut().enable();
        if self.latest() > after {
            return true;
        }
        // Told or not: what counts is what is known then.
        let _ = tokio::time::timeout(LOOK, told).await;
        self.latest() > after
    }
}

impl WriteTx<'_> {
    /// Remembers an event.
    pub(super) fn record(&mut self, what: Happened) {
        self.events.push(what);
    }

    /// Writes the events into the ring.
    pub(super) fn write_events(&mut self) -> StoreResult<()> {
        if self.events.len() > AT_ONCE {
            self.events = vec![Happened::Many];
        }
        for what in std::mem::take(&mut self.events) {
            let number = self.counters.next_event;
            self.counters.next_event = number.saturating_add(1);
            let slot = number.rem_euclid(i64::try_from(REMEMBERED).unwrap_or(1));
            let (kind, to, from) = columns(what);
            let place = |of: Option<Place>| {
                (
                    of.map(|of| int(of.folder.0)),
                    of.and_then(|of| of.message).map(|id| int(id.0)),
                    of.and_then(|of| of.parent).map(|id| int(id.0)),
                )
            };
            let (to, from) = (place(to), place(from));
            self.sql
                .prepare_cached("INSERT OR REPLACE INTO event VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .and_then(|mut s| {
                    s.execute(params![slot, number, kind, to.0, to.1, to.2, from.0, from.1, from.2])
                })
                .doing("remembering what happened")?;
        }
        Ok(())
    }
}

fn columns(what: Happened) -> (i64, Option<Place>, Option<Place>) {
    match what {
        Happened::Many => (0, None, None),
        Happened::Created(place) => (1, Some(place), None),
        Happened::Modified(place) => (2, Some(place), None),
        Happened::Deleted(place) => (3, Some(place), None),
        Happened::Moved { to, from } => (4, Some(to), Some(from)),
        Happened::Copied { to, from } => (5, Some(to), Some(from)),
    }
}

/// The number of the last event.
pub(super) fn last(sql: &Connection) -> StoreResult<u64> {
    Ok(Counters::read(sql)?.next_event.saturating_sub(1).cast_unsigned())
}

/// What happened after that event. Rows that make no sense are events that were lost.
pub(super) fn after(sql: &Connection, after: u64) -> StoreResult<Events> {
    let last = last(sql)?;
    let mut statement = sql
        .prepare_cached(
            "SELECT kind, folder, message, parent, old_folder, old_message, old_parent FROM event
             WHERE number > ? ORDER BY number",
        )
        .doing("reading what happened")?;
    let rows = statement
        .query_map([after.cast_signed()], |row| Ok(read(row)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .doing("reading what happened")?;
    let items: Vec<Happened> = rows.into_iter().flatten().collect();
    let lost = watertight_wire::to_u64(items.len()) < last.saturating_sub(after);
    Ok(Events { items, last, lost })
}

fn read(row: &Row<'_>) -> Option<Happened> {
    let id = |at| row.get::<_, Option<i64>>(at).ok().map(|id| id.map(|id| glob(id).ok()));
    // A column that holds nothing is `Some(None)`, one that holds nonsense is `None`.
    let some = |at| id(at).and_then(|id| id.map_or(Some(None), |id| id.map(Some)));
    let place = |at: usize| {
        Some(Place {
            folder: FolderId(some(at)??),
            message: some(at.saturating_add(1))?.map(MessageId),
            parent: some(at.saturating_add(2))?.map(FolderId),
        })
    };
    Some(match row.get::<_, i64>(0).ok()? {
        0 => Happened::Many,
        1 => Happened::Created(place(1)?),
        2 => Happened::Modified(place(1)?),
        3 => Happened::Deleted(place(1)?),
        4 => Happened::Moved { to: place(1)?, from: place(4)? },
        5 => Happened::Copied { to: place(1)?, from: place(4)? },
        _ => return None,
    })
}
