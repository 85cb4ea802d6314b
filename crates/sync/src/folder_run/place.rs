//! How a message comes into the tree, or a newer version into the place of an older one.

use std::path::Path;

use super::{FolderRun, Pending};
use crate::{
    Action, Flags, MessageName, SyncError, SyncResult, Tally,
    adopt::mail::digest_of,
    db::{Fate, MessageRow},
    export,
    finish::keep::kept_in,
    reconcile::{locate, path_of},
};

impl FolderRun {
    /// Puts one message in its place.
    pub(super) fn place(&self, p: &mut Pending, tally: &mut Tally) -> SyncResult<()> {
        let name = self.name(&p.row);
        if p.row.state != Fate::Present {
            // Kept aside: what was there before goes, it is not the message any more.
            if p.row.state == Fate::Aside
                && let Some(old) = p.old.as_ref().filter(|o| o.state != Fate::Aside)
            {
                if let Some((path, ..)) = locate(&self.dir, &self.name(old), old.fresh, old.flags)?
                    && !self.replica.dry()
                {
                    self.replica.disk.unlink(&path)?;
                }
                tally.removed = tally.removed.saturating_add(1);
            }
            return Ok(());
        }
        match p.old.clone().filter(|o| o.state != Fate::Aside) {
            None => {
                if self.here_already(p, &name, tally)? {
                    return Ok(());
                }
                if let Some(tmp) = &p.file {
                    let place = path_of(&self.dir, &name, p.row.fresh, p.row.flags);
                    self.replica.disk.rename(tmp, &place)?;
                    self.returned(&p.row, &place)?;
                    self.replica.options.progress.added(&self.path, &place);
                    let (folder, flags) = (self.path.clone(), p.row.flags);
                    self.replica.options.progress.action(&Action::Add { folder, name: name.unique(), flags });
                }
                tally.added = tally.added.saturating_add(1);
                Ok(())
            }
            Some(old) => self.replace(p, &old, &name, tally),
        }
    }

    /// While a Maildir is taken over: the same mail may be here under another program's name.
    fn here_already(&self, p: &mut Pending, name: &MessageName, tally: &mut Tally) -> SyncResult<bool> {
        if !self.replica.adopting() {
            return Ok(false);
        }
        let digest = match &p.file {
            Some(tmp) => digest_of(tmp).map_err(|e| SyncError::io("read", tmp, e))?,
            None => p.normal.clone().unwrap_or_default(),
        };
        if !self.replica.adopt_same(&self.path, &digest, name, &self.dir, &mut p.row, tally)? {
            return Ok(false);
        }
        if let Some(tmp) = p.file.take() {
            self.replica.disk.unlink(&tmp)?;
        }
        Ok(true)
    }

    /// A message that the server had deleted and that was kept is back on the server: the same is not kept twice.
    fn returned(&self, row: &MessageRow, place: &Path) -> SyncResult<()> {
        let kept = match self.kept.get() {
            Some(kept) => kept,
            None => {
                let some = self.replica.transaction("cannot read it", false, |tx| tx.meta("kept"))?;
                let files = if some.is_some_and(|v| v == b"1") { kept_in(&self.dir)? } else { Vec::new() };
                let of_here = files.into_iter().filter(|(_, name, _)| name.folder == self.row.fid.counter);
                let found = of_here.map(|(path, name, _)| (name.mid, path)).collect();
                self.kept.get_or_init(|| found)
            }
        };
        match kept.get(&row.mid) {
            Some(path) if export::same(path, place).unwrap_or(false) => {
                self.replica.disk.unlink(path).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Puts a newer version in the place of the one that is there.
    fn replace(
        &self,
        p: &mut Pending,
        old: &MessageRow,
        name: &MessageName,
        tally: &mut Tally,
    ) -> SyncResult<()> {
        let disk = &self.replica.disk;
        let old_name = self.name(old);
        // A reader may rename the file at any moment; each look finds what it is called now.
        for _ in 0..16 {
            let Some((path, flags, fresh)) = locate(&self.dir, &old_name, old.fresh, old.flags)? else {
                break;
            };
            let same = match (&p.file, &p.row.digest) {
                (Some(file), _) => export::same(file, &path).unwrap_or(false),
                (None, Some(digest)) => export::digest_of(&path).is_ok_and(|d| d == *digest),
                (None, None) => false,
            };
            if let Some(file) = &p.file {
                if same {
                    disk.unlink(file)?;
                    p.file = None;
                } else if !disk.replace_if_there(file, &path)? {
                    continue;
                }
            }
            p.row.flags = p.row.server_flags.with(flags.keywords());
            p.row.fresh = fresh && p.row.flags.is_empty();
            let own = flags.without(flags.keywords());
            if own != old.server_flags && own != p.row.server_flags && !self.noted.contains(&old.mid) {
                tally.conflicts = tally.conflicts.saturating_add(1);
            }
            let folder = self.path.clone();
            if same && own != p.row.server_flags {
                tally.flags = tally.flags.saturating_add(1);
                let (from, to) = (flags, p.row.flags);
                self.replica.options.progress.action(&Action::SetFlags {
                    folder,
                    name: name.unique(),
                    from,
                    to,
                });
            } else {
                tally.changed = tally.changed.saturating_add(1);
                self.replica.options.progress.action(&Action::Change { folder, name: name.unique() });
            }
            return if self.replica.dry() {
                Ok(())
            } else {
                self.rename(&path, &old_name, name, p.row.fresh, p.row.flags)
            };
        }
        // Somebody deleted it meanwhile: it stays deleted.
        if let Some(file) = &p.file {
            disk.unlink(file)?;
        }
        p.row.state = Fate::DeletedHere;
        tally.conflicts = tally.conflicts.saturating_add(1);
        Ok(())
    }

    /// Gives a file its new name, even when a reader renames it at the same moment.
    pub(super) fn rename(
        &self,
        path: &Path,
        old: &MessageName,
        name: &MessageName,
        fresh: bool,
        flags: Flags,
    ) -> SyncResult<()> {
        let target = path_of(&self.dir, name, fresh, flags);
        let mut from = path.to_owned();
        for _ in 0..16 {
            if self.replica.disk.rename_if_there(&from, &target)? {
                break;
            }
            match locate(&self.dir, old, fresh, flags)? {
                Some((path, ..)) => from = path,
                None => break,
            }
        }
        Ok(())
    }
}
