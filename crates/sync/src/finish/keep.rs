//! Messages that the server deleted and that stay here, and how they go at last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{End, PAGE, name_of};
use crate::{
    Action, FOLDER_MARKER, Flags, LeftOut, MessageName, Mode, SyncResult, Tally,
    replica::{read_dir, read_marker},
};

impl End<'_> {
    /// Gives the folder's doomed messages the name of kept ones, in their place.
    pub(super) fn keep(&self, folder: i64, touched: &mut BTreeSet<i64>) -> SyncResult<()> {
        let replica = self.replica;
        replica.mark()?;
        loop {
            let page = replica.transaction("cannot read it", false, |tx| tx.doomed(folder, PAGE))?;
            let Some(row) = self.rows.get(&folder).filter(|_| !page.is_empty()) else { return Ok(()) };
            let mut tally = Tally::default();
            for message in &page {
                let Some(path) = self.find(folder, message)? else { continue };
                let name = name_of(row, message).kept();
                if !replica.dry() {
                    let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                    let info = file.split_once(':').map(|(_, info)| format!(":{info}")).unwrap_or_default();
                    replica.disk.rename_if_there(&path, &path.with_file_name(format!("{name}{info}")))?;
                    touched.insert(folder);
                }
                tally.kept = tally.kept.saturating_add(1);
                replica.options.progress.action(&Action::Keep { folder: self.path(folder), name });
            }
            replica.commit("cannot write it", |tx| {
                tx.set_meta("kept", b"1")?;
                page.iter().try_for_each(|row| tx.remove_message(folder, row.mid))
            })?;
            replica.count(tally);
        }
    }

    /// A mirror holds nothing that the server does not have: what was kept before it became one is removed, but only
    /// when somebody says that this is meant.
    pub(super) fn mirror_again(&self) -> SyncResult<()> {
        let replica = self.replica;
        if replica.settings.mode != Mode::Mirror {
            return Ok(());
        }
        let allowed = replica.options.allow_mass_delete;
        for (folder, count) in replica.transaction("cannot read it", false, |tx| tx.out_of_scope_counts())? {
            let path = self.path(folder);
            if replica.settings.excludes(&path) {
                continue;
            }
            if allowed {
                replica.mark()?;
                replica.commit("cannot write it", |tx| tx.doom_out_of_scope(folder))?;
            } else {
                let what = "are older than what is synchronized; they were kept, and";
                replica.leave_out(waiting(path, count, what));
            }
        }
        if replica.transaction("cannot read it", false, |tx| tx.meta("kept"))?.is_none_or(|v| v != b"1") {
            return Ok(());
        }
        let mut left = false;
        for (name, dir) in replica.maildirs()? {
            let kept = kept_in(&dir)?;
            if kept.is_empty() {
                continue;
            }
            let path = match read_marker(&dir) {
                Some((fid, shown)) => {
                    self.rows.values().find(|r| r.fid == fid).map_or(shown, |row| self.path(row.id))
                }
                None => name,
            };
            if replica.settings.excludes(&path) || !allowed {
                left = true;
                if !replica.settings.excludes(&path) {
                    let what = "were deleted on the server and kept; they";
                    replica.leave_out(waiting(path, watertight_wire::to_u64(kept.len()), what));
                }
                continue;
            }
            self.remove_kept(&path, &dir, kept)?;
        }
        if left || replica.dry() {
            return Ok(());
        }
        replica.commit("cannot write it", |tx| tx.set_meta("kept", b"0"))
    }

    fn remove_kept(
        &self,
        folder: &str,
        dir: &Path,
        kept: Vec<(PathBuf, MessageName, Flags)>,
    ) -> SyncResult<()> {
        let replica = self.replica;
        replica.mark()?;
        let mut tally = Tally::default();
        for (path, name, _) in kept {
            if !replica.dry() {
                replica.disk.unlink(&path)?;
            }
            tally.removed = tally.removed.saturating_add(1);
            replica.options.progress.action(&Action::Remove { folder: folder.to_owned(), name: name.kept() });
        }
        replica.count(tally);
        // The directory of a folder that the server deleted was kept for them alone.
        if !replica.dry() && *dir != replica.root && !dir.join(FOLDER_MARKER).exists() {
            let mut empty = true;
            for sub in ["tmp", "new", "cur"] {
                empty &= replica.disk.remove_dir(&dir.join(sub))?;
            }
            if empty {
                replica.disk.unlink(&dir.join("maildirfolder"))?;
                replica.disk.remove_dir(dir)?;
            } else {
                replica.disk.make_maildir(dir)?;
            }
        }
        Ok(())
    }
}

fn waiting(folder: String, count: u64, what: &str) -> LeftOut {
    LeftOut {
        folder,
        message: None,
        count,
        reason: format!(
            "{count} messages {what} stay until --allow-mass-delete says that a mirror is meant (or --mode keep-deleted that they are to stay)"
        ),
    }
}

/// The kept messages of a directory.
pub(crate) fn kept_in(dir: &Path) -> SyncResult<Vec<(PathBuf, MessageName, Flags)>> {
    let mut out = Vec::new();
    for sub in ["cur", "new"] {
        let sub = dir.join(sub);
        if !sub.is_dir() {
            continue;
        }
        out.extend(read_dir(&sub)?.into_iter().filter_map(|path| {
            let (name, flags) = MessageName::parse_kept(path.file_name()?.to_str()?)?;
            Some((path, name, flags))
        }));
    }
    Ok(out)
}
