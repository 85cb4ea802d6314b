//! What a mail reader did to a folder, and what a run that was cut off left in it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use watertight_mapi::{GlobCnt, ics::State};
use watertight_wire::Guid;

use crate::{
    Flags, GlobalId, MessageName, Replica, SyncError, SyncResult, Tally,
    db::{Fate, FolderRow, MessageRow},
    disk::mtime,
};

/// A file of ours: as small as can be, there may be a million.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Into the list of replicas; after numbering, the state's number of the replica.
    replica: i64,
    mid: GlobCnt,
    cn: GlobCnt,
    /// Into the list of replicas.
    cn_replica: usize,
    seconds: i64,
    flags: Flags,
    fresh: bool,
}

impl Replica {
    /// Compares the index with the folder's directory when it changed since the last run, and learns: files that a
    /// reader renamed, files that somebody deleted, and, when the folder is dirty, files that were written but not
    /// recorded.
    ///
    /// Returns the messages whose local changes were counted as conflicts (the first 10,000).
    pub(crate) fn reconcile(&self, row: &mut FolderRow, dir: &Path) -> SyncResult<BTreeSet<GlobalId>> {
        let mtimes = (mtime(&dir.join("cur")), mtime(&dir.join("new")));
        if !row.dirty && row.mtimes == mtimes {
            return Ok(BTreeSet::new());
        }
        let adopt = row.dirty;
        if adopt && !self.dry() {
            self.clean_tmp(dir)?;
        }
        let (mut found, replicas) = scan(row.fid.counter, dir)?;
        let (folder, before, partial) = (row.id, row.state.clone(), row.partial);
        self.disk.step("commit", dir)?;
        let (state, noted, conflicts) =
            self.transaction("cannot compare it with the files", false, |tx| {
                let mut numbers = Vec::new();
                for guid in &replicas {
                    numbers.push(tx.order(GlobalId::new(*guid, GlobCnt::default()))?.0);
                }
                let number =
                    |at: i64| usize::try_from(at).ok().and_then(|at| numbers.get(at)).copied().unwrap_or(0);
                for f in &mut found {
                    f.replica = number(f.replica);
                }
                // Of two files of one message (which this program never leaves behind) the newer counts.
                found.sort_by_key(|f| (f.replica, f.mid, f.cn, !f.fresh));
                found.dedup_by(|later, kept| {
                    let same = (later.replica, later.mid) == (kept.replica, kept.mid);
                    if same {
                        *kept = *later;
                    }
                    same
                });
                let mut order = std::collections::HashMap::new();
                for (guid, n) in replicas.iter().zip(&numbers) {
                    order.insert(*guid, *n);
                }
                let mut merge = Merge {
                    files: &found,
                    at: 0,
                    adopt,
                    unknown: Vec::new(),
                    changed: Vec::new(),
                    gone: Vec::new(),
                    noted: BTreeSet::new(),
                    conflicts: 0,
                };
                // Replicas of which there is no file sort anywhere: their messages have none.
                tx.each_message(folder, |row| merge.row(order.get(&row.mid.replica).copied(), row))?;
                let Merge { unknown, changed, gone, noted, conflicts, at, .. } = merge;
                let mut state = before;
                for row in &changed {
                    state.seen.insert(row.cn.replica, row.cn.counter);
                    tx.put_message(folder, row)?;
                }
                for mid in gone {
                    tx.remove_message(folder, mid)?;
                }
                if adopt {
                    let rest = found.get(at..).unwrap_or_default();
                    for f in unknown.into_iter().filter_map(|i| found.get(i)).chain(rest) {
                        adopt_file(f, &replicas, &numbers, &mut state, |row| tx.put_message(folder, row))?;
                    }
                }
                if partial {
                    state = tx.folder_checkpoint(folder, state)?;
                }
                tx.set_folder_state(folder, &state)?;
                tx.set_folder_dirty(Some(folder), false)?;
                tx.set_folder_mtimes(folder, mtimes)?;
                Ok((state, noted, conflicts))
            })?;
        row.state = state;
        row.dirty = false;
        row.partial = false;
        row.mtimes = mtimes;
        self.count(Tally { conflicts, ..Tally::default() });
        Ok(noted)
    }

    /// Removes what a run that was cut off left in `tmp/`.
    fn clean_tmp(&self, dir: &Path) -> SyncResult<()> {
        let tmp = dir.join("tmp");
        // The removal of a folder that the server deleted may have been cut off.
        if !tmp.is_dir() {
            return Ok(());
        }
        for path in crate::replica::read_dir(&tmp)? {
            let ours =
                path.file_name().and_then(|n| n.to_str()).is_some_and(|n| MessageName::parse(n).is_some());
            if ours {
                self.disk.unlink(&path)?;
            }
        }
        Ok(())
    }
}

/// Where the file of a message is now, whatever a reader did to its name; `None` when it is gone.
pub(crate) fn locate(
    dir: &Path,
    name: &MessageName,
    fresh: bool,
    flags: Flags,
) -> SyncResult<Option<(PathBuf, Flags, bool)>> {
    let guess = path_of(dir, name, fresh, flags);
    if guess.symlink_metadata().is_ok() {
        return Ok(Some((guess, flags, fresh)));
    }
    let unique = name.unique();
    for (sub, fresh) in [("cur", false), ("new", true)] {
        let sub = dir.join(sub);
        let io = |e| SyncError::io("read the directory", &sub, e);
        let entries = match fs::read_dir(&sub) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(io)?,
        };
        for entry in entries {
            let file = entry.map_err(io)?.file_name();
            let Some(text) = file.to_str() else { continue };
            if let Some(info) = text.strip_prefix(&unique)
                && (info.is_empty() || info.starts_with(':'))
            {
                let flags = MessageName::parse(text).map_or(Flags::NONE, |(_, flags)| flags);
                return Ok(Some((sub.join(text), flags, fresh)));
            }
        }
    }
    Ok(None)
}

/// Where a message belongs: without flags in `new/` when nobody saw it yet, else in `cur/`.
pub(crate) fn path_of(dir: &Path, name: &MessageName, fresh: bool, flags: Flags) -> PathBuf {
    if fresh && flags.is_empty() {
        dir.join("new").join(name.unique())
    } else {
        dir.join("cur").join(name.with_flags(flags))
    }
}

/// The files of ours in `cur/` and `new/`, with the replicas that they name.
fn scan(folder: GlobCnt, dir: &Path) -> SyncResult<(Vec<Found>, Vec<Guid>)> {
    let mut found = Vec::new();
    let mut replicas: Vec<Guid> = Vec::new();
    let mut intern = |guid: Guid| match replicas.iter().position(|g| *g == guid) {
        Some(at) => at,
        None => {
            replicas.push(guid);
            replicas.len().saturating_sub(1)
        }
    };
    for (sub, fresh) in [("cur", false), ("new", true)] {
        let path = dir.join(sub);
        let io = |e| SyncError::io("read the directory", &path, e);
        let entries = match fs::read_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(io)?,
        };
        for entry in entries {
            let file = entry.map_err(io)?.file_name();
            let Some((name, flags)) = file.to_str().and_then(MessageName::parse) else { continue };
            // A message that was copied here from another folder is somebody's own.
            if name.folder != folder {
                continue;
            }
            found.push(Found {
                replica: i64::try_from(intern(name.mid.replica)).unwrap_or(0),
                mid: name.mid.counter,
                cn: name.cn.counter,
                cn_replica: intern(name.cn.replica),
                seconds: name.seconds,
                flags,
                fresh,
            });
        }
    }
    Ok((found, replicas))
}

fn adopt_file(
    f: &Found,
    replicas: &[Guid],
    numbers: &[i64],
    state: &mut State,
    mut put: impl FnMut(&MessageRow) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let Some(replica) = numbers.iter().position(|n| *n == f.replica).and_then(|at| replicas.get(at)) else {
        return Ok(());
    };
    let row = MessageRow {
        mid: GlobalId::new(*replica, f.mid),
        cn: cn_of(f, replicas),
        seconds: f.seconds,
        state: Fate::Present,
        fresh: f.fresh,
        flags: f.flags,
        server_flags: f.flags.without(f.flags.keywords()),
        search_key: Vec::new(),
        run: 0,
        digest: None,
    };
    state.given.insert(row.mid.replica, row.mid.counter);
    state.seen.insert(row.cn.replica, row.cn.counter);
    put(&row)
}

fn cn_of(f: &Found, replicas: &[Guid]) -> GlobalId {
    GlobalId::new(replicas.get(f.cn_replica).copied().unwrap_or_default(), f.cn)
}

/// The index and the files, both ascending, side by side.
struct Merge<'a> {
    files: &'a [Found],
    at: usize,
    adopt: bool,
    /// Files that the index does not have.
    unknown: Vec<usize>,
    changed: Vec<MessageRow>,
    gone: Vec<GlobalId>,
    noted: BTreeSet<GlobalId>,
    conflicts: u64,
}

impl Merge<'_> {
    fn row(&mut self, replica: Option<i64>, row: MessageRow) {
        let Some(replica) = replica else { return self.missing(row) };
        let key = (replica, row.mid.counter);
        while let Some(file) = self.files.get(self.at) {
            if (file.replica, file.mid) >= key {
                break;
            }
            self.unknown.push(self.at);
            self.at = self.at.saturating_add(1);
        }
        match self.files.get(self.at).copied() {
            Some(file) if (file.replica, file.mid) == key => {
                self.at = self.at.saturating_add(1);
                self.both(row, file);
            }
            _ => self.missing(row),
        }
    }

    fn both(&mut self, row: MessageRow, file: Found) {
        let mut now = row.clone();
        now.flags = file.flags;
        now.fresh = file.fresh;
        if matches!(row.state, Fate::DeletedHere | Fate::Aside) {
            now.state = Fate::Present;
        }
        if file.cn != row.cn.counter {
            // A newer version that a run which was cut off could not record any more.
            now.cn.counter = file.cn;
            now.seconds = file.seconds;
            now.server_flags = file.flags.without(file.flags.keywords());
        } else if !self.adopt
            && file.flags != row.flags
            && file.flags.without(file.flags.keywords()) != row.server_flags
        {
            self.conflict(row.mid);
        }
        if now != row {
            self.changed.push(now);
        }
    }

    fn missing(&mut self, row: MessageRow) {
        match row.state {
            Fate::OutOfScope => self.changed.push(MessageRow { state: Fate::DeletedHere, ..row }),
            Fate::Present => {
                if !self.adopt {
                    self.conflict(row.mid);
                }
                self.changed.push(MessageRow { state: Fate::DeletedHere, ..row });
            }
            Fate::Doomed => self.gone.push(row.mid),
            Fate::DeletedHere | Fate::Aside => {}
        }
    }

    fn conflict(&mut self, mid: GlobalId) {
        self.conflicts = self.conflicts.saturating_add(1);
        if self.noted.len() < 10_000 {
            self.noted.insert(mid);
        }
    }
}
