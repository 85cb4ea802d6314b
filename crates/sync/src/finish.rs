//! The end of a run: what left a folder is moved or removed, after everything that came is in the tree.

pub(crate) mod keep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use crate::{
    Action, FOLDER_MARKER, GlobalId, LeftOut, MessageName, Mode, Replica, Since, SyncResult, Tally,
    db::{Fate, FolderRow, MessageRow},
    disk::mtime,
    export,
    reconcile::{locate, path_of},
};

/// A folder of so many messages is protected from losing more than half of them.
const PROTECTED: u64 = 20;
const PAGE: u32 = 256;

impl Replica {
    /// Ends the run. With `complete` (every folder was synchronized to its end) messages and folders that the server
    /// deleted are moved or removed; without it they wait for the next run, for they may only have gone to a folder
    /// that was not reached.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn finish(&self, complete: bool) -> SyncResult<()> {
        let layout = self.layout()?;
        let rows = self.transaction("cannot read it", false, |tx| tx.folders())?;
        let end = End {
            replica: self,
            paths: rows
                .iter()
                .map(|r| (r.id, layout.get(&r.fid).map_or_else(|| r.name.clone(), |(_, path)| path.clone())))
                .collect(),
            rows: rows.into_iter().map(|r| (r.id, r)).collect(),
        };
        if complete {
            let touched = end.removals()?;
            end.settle(&touched)?;
        }
        if self.dry() {
            end.list_added()?;
        }
        self.end_adoption(complete && self.whole.load(Ordering::Acquire))?;
        for (folder, what, reason) in self.transaction("cannot read it", false, |tx| tx.left_out())? {
            if self.settings.excludes(&end.path(folder)) {
                continue;
            }
            self.leave_out(LeftOut { folder: end.path(folder), message: Some(what), count: 1, reason });
        }
        self.unmark()
    }
}

struct End<'a> {
    replica: &'a Replica,
    rows: BTreeMap<i64, FolderRow>,
    paths: BTreeMap<i64, String>,
}

impl End<'_> {
    /// Moves and removes; returns the folders whose directories changed.
    fn removals(&self) -> SyncResult<BTreeSet<i64>> {
        let replica = self.replica;
        let mut touched = BTreeSet::new();
        let doomed_folders: Vec<&FolderRow> =
            self.rows.values().filter(|r| r.doomed && !replica.leaves_alone(r)).collect();
        if !doomed_folders.is_empty() {
            replica.mark()?;
            for folder in &doomed_folders {
                if let Some(dir) = folder.dir.as_deref().map(|d| replica.dir(d)).filter(|d| d.is_dir()) {
                    replica.reconcile(&mut (*folder).clone(), &dir)?;
                }
            }
            replica.commit("cannot write it", |tx| {
                doomed_folders.iter().try_for_each(|folder| tx.doom_messages(folder.id))
            })?;
        }
        let moved = self.moves(&mut touched)?;
        self.mirror_again()?;
        let counts = replica.transaction("cannot read it", false, |tx| tx.doomed_counts())?;
        for (folder, doomed) in counts {
            if replica.settings.mode == Mode::KeepDeleted {
                self.keep(folder, &mut touched)?;
                continue;
            }
            if self.protect(folder, doomed, moved.get(&folder).copied().unwrap_or(0))? {
                continue;
            }
            self.remove(folder, &mut touched)?;
        }
        for folder in doomed_folders {
            self.remove_folder(folder)?;
            touched.remove(&folder.id);
        }
        Ok(touched)
    }

    /// Whether so much was deleted that somebody must say that it is meant. The messages stay, and the server is
    /// told that they are still here.
    fn protect(&self, folder: i64, doomed: u64, moved: u64) -> SyncResult<bool> {
        let replica = self.replica;
        let run = replica.run;
        let (in_tree, added) =
            replica.transaction("cannot read it", false, |tx| tx.message_counts(folder, run))?;
        let before = in_tree.saturating_sub(added).saturating_add(moved);
        if replica.options.allow_mass_delete || before < PROTECTED || doomed.saturating_mul(2) <= before {
            return Ok(false);
        }
        replica.mark()?;
        replica.commit("cannot write it", |tx| {
            let mids = tx.reprieve(folder)?;
            if let Some(row) = tx.folder(folder)? {
                let mut state = row.state;
                mids.into_iter().for_each(|mid| state.given.insert(mid.replica, mid.counter));
                tx.set_folder_state(folder, &state)?;
            }
            Ok(())
        })?;
        let gone = match replica.settings.since {
            Since::All => "were deleted on the server".to_owned(),
            since => format!("were deleted on the server or delivered before {since}"),
        };
        replica.leave_out(LeftOut {
            folder: self.path(folder),
            message: None,
            count: doomed,
            reason: format!(
                "{doomed} of {before} messages {gone}; they are kept here until --allow-mass-delete says that this is meant"
            ),
        });
        Ok(true)
    }

    /// Messages that are gone from one folder and new in another are renamed. Returns how many left each folder.
    fn moves(&self, touched: &mut BTreeSet<i64>) -> SyncResult<BTreeMap<i64, u64>> {
        let replica = self.replica;
        let run = replica.run;
        let candidates = replica.transaction("cannot read it", false, |tx| tx.move_candidates(run))?;
        let mut moved = BTreeMap::new();
        let mut used: BTreeSet<(i64, GlobalId)> = BTreeSet::new();
        for (from, to) in candidates {
            if used.contains(&from) || used.contains(&to) {
                continue;
            }
            if self.move_one(from, to)? {
                used.insert(from);
                used.insert(to);
                touched.insert(from.0);
                touched.insert(to.0);
                let count: &mut u64 = moved.entry(from.0).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(moved)
    }

    fn move_one(&self, from: (i64, GlobalId), to: (i64, GlobalId)) -> SyncResult<bool> {
        let replica = self.replica;
        let (old, new) = replica.transaction("cannot read it", false, |tx| {
            Ok((tx.message(from.0, from.1)?, tx.message(to.0, to.1)?))
        })?;
        let (Some(old), Some(new)) = (old, new) else { return Ok(false) };
        let Some(old_path) = self.find(from.0, &old)? else { return Ok(false) };
        if replica.dry() {
            let same =
                new.digest.as_ref().is_some_and(|d| export::digest_of(&old_path).is_ok_and(|o| o == *d));
            if !same {
                return Ok(false);
            }
        } else {
            let Some(new_path) = self.find(to.0, &new)? else { return Ok(false) };
            if !export::same(&old_path, &new_path).unwrap_or(false) {
                return Ok(false);
            }
            replica.mark()?;
            // The old file takes the place of the copy: at no moment is the message in neither folder.
            if !replica.disk.rename_if_there(&old_path, &new_path)? {
                return Ok(false);
            }
        }
        replica.commit("cannot write it", |tx| {
            tx.remove_message(from.0, from.1)?;
            // Not among those that a dry run lists as added.
            tx.put_message(to.0, &MessageRow { run: 0, ..new.clone() })
        })?;
        replica.count_move();
        replica.options.progress.action(&Action::Move {
            from: self.path(from.0),
            folder: self.path(to.0),
            name: self.name(to.0, &new).map(|n| n.unique()).unwrap_or_default(),
        });
        Ok(true)
    }

    /// Removes the folder's doomed messages.
    fn remove(&self, folder: i64, touched: &mut BTreeSet<i64>) -> SyncResult<()> {
        let replica = self.replica;
        replica.mark()?;
        loop {
            let page = replica.transaction("cannot read it", false, |tx| tx.doomed(folder, PAGE))?;
            if page.is_empty() {
                return Ok(());
            }
            let mut tally = Tally::default();
            for row in &page {
                let Some(path) = self.find(folder, row)? else { continue };
                let kept = path.file_name().and_then(|n| n.to_str()).and_then(MessageName::parse);
                let own = kept.map_or(row.flags, |(_, flags)| flags);
                if own.without(own.keywords()) != row.server_flags {
                    tally.conflicts = tally.conflicts.saturating_add(1);
                }
                tally.removed = tally.removed.saturating_add(1);
                if !replica.dry() {
                    replica.disk.unlink(&path)?;
                    touched.insert(folder);
                }
                replica.options.progress.action(&Action::Remove {
                    folder: self.path(folder),
                    name: self.name(folder, row).map(|n| n.unique()).unwrap_or_default(),
                });
            }
            replica.commit("cannot write it", |tx| {
                page.iter().try_for_each(|row| tx.remove_message(folder, row.mid))
            })?;
            replica.count(tally);
        }
    }

    /// Removes a folder that the server deleted, once none of its messages is left. Files that are not ours stay,
    /// in a directory that is not ours any more.
    fn remove_folder(&self, folder: &FolderRow) -> SyncResult<()> {
        let replica = self.replica;
        let run = replica.run;
        let (left, _) =
            replica.transaction("cannot read it", false, |tx| tx.message_counts(folder.id, run))?;
        if left > 0 {
            return Ok(());
        }
        let Some(name) = folder.dir.as_deref().filter(|d| !d.is_empty()) else {
            return replica.commit("cannot write it", |tx| tx.remove_folder(folder.id));
        };
        replica.options.progress.action(&Action::RemoveFolder { folder: self.path(folder.id) });
        if replica.dry() {
            return Ok(());
        }
        replica.mark()?;
        let dir = replica.dir(name);
        let mut empty = true;
        for sub in ["tmp", "new", "cur"] {
            empty &= replica.disk.remove_dir(&dir.join(sub))?;
        }
        if empty {
            replica.disk.unlink(&dir.join("maildirfolder"))?;
        } else {
            replica.disk.make_maildir(&dir)?;
            replica.options.progress.warning(&format!(
                "{} was deleted on the server; files in {} that are not from there are kept",
                self.path(folder.id),
                dir.display()
            ));
        }
        replica.disk.unlink(&dir.join(FOLDER_MARKER))?;
        if empty {
            replica.disk.remove_dir(&dir)?;
        }
        replica.commit("cannot write it", |tx| tx.remove_folder(folder.id))
    }

    /// Makes names durable and remembers how the directories look now.
    fn settle(&self, touched: &BTreeSet<i64>) -> SyncResult<()> {
        if self.replica.dry() || touched.is_empty() {
            return Ok(());
        }
        let mut mtimes = Vec::new();
        for id in touched {
            let Some(dir) = self.rows.get(id).and_then(|r| r.dir.as_deref()).map(|d| self.replica.dir(d))
            else {
                continue;
            };
            for sub in ["new", "cur"] {
                self.replica.disk.sync_dir(&dir.join(sub))?;
            }
            mtimes.push((*id, (mtime(&dir.join("cur")), mtime(&dir.join("new")))));
        }
        self.replica.commit("cannot write it", |tx| {
            mtimes.iter().try_for_each(|(id, times)| tx.set_folder_mtimes(*id, *times))
        })
    }

    /// A dry run says at its end what it would have added: only now is known what is new and what moved.
    fn list_added(&self) -> SyncResult<()> {
        let replica = self.replica;
        for (id, folder) in self.rows.iter().filter(|(_, r)| !r.doomed) {
            let path = self.path(*id);
            replica.transaction("cannot read it", false, |tx| {
                tx.each_message(*id, |row| {
                    if row.run == replica.run && row.state == Fate::Present {
                        let name = name_of(folder, &row).unique();
                        let flags = row.server_flags;
                        replica.options.progress.action(&Action::Add { folder: path.clone(), name, flags });
                    }
                })
            })?;
        }
        Ok(())
    }

    fn find(&self, folder: i64, row: &MessageRow) -> SyncResult<Option<std::path::PathBuf>> {
        let Some(folder) = self.rows.get(&folder) else { return Ok(None) };
        let Some(dir) = folder.dir.as_deref().map(|d| self.replica.dir(d)) else { return Ok(None) };
        let name = name_of(folder, row);
        // The usual place first; a directory is read only when the file is not there.
        let guess = path_of(&dir, &name, row.fresh, row.flags);
        if guess.symlink_metadata().is_ok() {
            return Ok(Some(guess));
        }
        Ok(locate(&dir, &name, row.fresh, row.flags)?.map(|(path, ..)| path))
    }

    fn name(&self, folder: i64, row: &MessageRow) -> Option<MessageName> {
        self.rows.get(&folder).map(|f| name_of(f, row))
    }

    fn path(&self, folder: i64) -> String {
        self.paths.get(&folder).cloned().unwrap_or_default()
    }
}

fn name_of(folder: &FolderRow, row: &MessageRow) -> MessageName {
    MessageName { seconds: row.seconds, mid: row.mid, cn: row.cn, folder: folder.fid.counter }
}
