use std::collections::{BTreeMap, BTreeSet};

use watertight_mapi::ics::{GuidIdSet, State};

use crate::{
    Action, GlobalId, Replica, STATE_DIR, SyncResult, db::FolderRow, folder_name, replica::read_marker,
};

/// A folder that the hierarchy synchronization brought — [MS-OXCFXICS] 2.2.4.3.6 folderChange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderChange {
    /// FID (PidTagSourceKey).
    pub fid: GlobalId,
    /// The folder that it is in (PidTagParentSourceKey); the root of the synchronization where that is empty.
    pub parent: GlobalId,
    /// PidTagDisplayName.
    pub name: String,
    /// PidTagContainerClass, empty where there is none.
    pub class: String,
    /// PidTagContentCount, 0 where there is none.
    pub messages: u64,
}

/// What the hierarchy synchronization brought — [MS-OXCFXICS] 2.2.4.3.7 hierarchySync.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HierarchyChanges {
    /// New and changed folders.
    pub changed: Vec<FolderChange>,
    /// FIDs of folders that are gone.
    pub deleted: GuidIdSet,
    /// The final state.
    pub state: State,
}

impl Replica {
    /// The state for the next hierarchy synchronization: only `given` and `seen` are used.
    ///
    /// # Errors
    /// Those of the state.
    pub fn hierarchy_state(&self) -> SyncResult<State> {
        self.transaction("cannot read it", false, |tx| {
            if let Some(saved) = tx.meta("hierarchy")? {
                return Ok(State::from_saved(&saved).unwrap_or_default());
            }
            // A rebuilt state: the folders that are in the tree.
            let mut state = State::default();
            for folder in tx.folders()? {
                state.given.insert(folder.fid.replica, folder.fid.counter);
            }
            Ok(state)
        })
    }

    /// Takes what the hierarchy synchronization brought, and gives every folder its directory.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn apply_hierarchy(&self, changes: &HierarchyChanges, inbox: GlobalId) -> SyncResult<()> {
        let before = self.hierarchy_state()?;
        let known = self.transaction("cannot read it", false, |tx| tx.meta("hierarchy"))?.is_some();
        let same =
            known && changes.changed.is_empty() && changes.deleted.is_empty() && before == changes.state;
        if !same {
            self.commit("cannot write it", |tx| {
                for folder in &changes.changed {
                    tx.put_folder(folder.fid, folder.parent, &folder.name, &folder.class, folder.messages)?;
                }
                for row in tx.folders()? {
                    let given = &changes.state.given;
                    let (replica, counter) = (row.fid.replica, row.fid.counter);
                    let gone = changes.deleted.contains(replica, counter)
                        || (!given.is_empty() && !given.contains(replica, counter));
                    let changed = changes.changed.iter().any(|c| c.fid == row.fid);
                    if gone && !changed && !row.doomed {
                        tx.doom_folder(row.id, true)?;
                    }
                }
                tx.set_meta("hierarchy", &changes.state.to_saved())?;
                let mut gid = inbox.replica.to_bytes().to_vec();
                gid.extend_from_slice(&inbox.counter.to_bytes());
                tx.set_meta("inbox", &gid)?;
                tx.set_meta("layout", b"1")
            })?;
        }
        self.forget_layout();
        self.lay_out()
    }

    /// Brings the directories where the folders' names want them. Nothing to do unless something changed.
    fn lay_out(&self) -> SyncResult<()> {
        let wanted = self
            .transaction("cannot read it", false, |tx| Ok(tx.meta("layout")?.is_some_and(|v| v == b"1")))?;
        if !wanted {
            return Ok(());
        }
        let layout = self.layout()?;
        let rows = self.transaction("cannot read it", false, |tx| tx.folders())?;
        if self.dry() {
            for row in rows.iter().filter(|row| !row.doomed && holds_mail(&row.class)) {
                let Some((dir, path)) = layout.get(&row.fid) else { continue };
                if row.dir.is_none() && self.settings.excludes(path) {
                    continue;
                }
                match &row.dir {
                    None => self.options.progress.action(&Action::AddFolder { folder: path.clone() }),
                    Some(from) if from != dir => self
                        .options
                        .progress
                        .action(&Action::RenameFolder { from: from.clone(), folder: path.clone() }),
                    Some(_) => {}
                }
            }
            return Ok(());
        }
        self.mark()?;
        self.move_dirs(&rows, &layout)?;
        self.disk.sync_dir(&self.root)?;
        self.commit("cannot write it", |tx| tx.set_meta("layout", b"0"))
    }

    fn move_dirs(&self, rows: &[FolderRow], layout: &BTreeMap<GlobalId, (String, String)>) -> SyncResult<()> {
        // Where each folder is. A directory that is missing may have been renamed, by a run that was cut off or by
        // somebody: its marker tells.
        let mut at: BTreeMap<GlobalId, Option<String>> =
            rows.iter().map(|r| (r.fid, r.dir.clone())).collect();
        let lost = rows.iter().any(|r| {
            r.dir.as_ref().is_none_or(|d| {
                !d.is_empty() && read_marker(&self.dir(d)).is_none_or(|(fid, _)| fid != r.fid)
            })
        });
        if lost {
            let markers = self.markers()?;
            for row in rows {
                let here = row.dir.as_ref().is_some_and(|d| d.is_empty() || self.dir(d).is_dir());
                let marked = markers.get(&row.fid).map(|(dir, _)| dir.clone());
                if let Some(found) = marked
                    && row.dir.as_deref() != Some("")
                {
                    at.insert(row.fid, Some(found));
                } else if !here {
                    at.insert(row.fid, None);
                }
            }
        }
        let mut pending: Vec<&FolderRow> = rows
            .iter()
            .filter(|r| {
                let path = layout.get(&r.fid).map(|(_, path)| path);
                let wanted = |path: &String| holds_mail(&r.class) && !self.settings.excludes(path);
                !r.doomed && path.is_some_and(|path| r.dir.is_some() || wanted(path))
            })
            .collect();
        // Doomed folders make room for those that take their names.
        let wanted: BTreeSet<&str> = layout.values().map(|(dir, _)| dir.as_str()).collect();
        for row in rows.iter().filter(|r| r.doomed) {
            if let Some(Some(dir)) = at.get(&row.fid).cloned()
                && !dir.is_empty()
                && wanted.contains(dir.as_str())
            {
                self.move_dir(row, &mut at, &folder_name::marked("", &row.name, row.fid))?;
            }
        }
        while !pending.is_empty() {
            let mut stuck = Vec::new();
            let before = pending.len();
            for row in pending {
                let Some((target, path)) = layout.get(&row.fid) else { continue };
                let now = at.get(&row.fid).cloned().flatten();
                let taken = at.iter().any(|(fid, dir)| *fid != row.fid && dir.as_deref() == Some(target));
                if now.as_deref() == Some(target) || (!taken && (now.is_none() || !self.dir(target).exists()))
                {
                    self.settle(row, &mut at, target, path)?;
                } else if !taken {
                    // Somebody's own directory has that name.
                    let marked = folder_name::marked("", &row.name, row.fid);
                    self.settle(row, &mut at, &marked, path)?;
                } else {
                    stuck.push(row);
                }
            }
            if stuck.len() == before
                && let Some(row) = stuck.first()
            {
                // A ring of names: one steps aside.
                let marked = folder_name::marked("", &format!("{} moving", row.name), row.fid);
                self.move_dir(row, &mut at, &marked)?;
            }
            pending = stuck;
        }
        Ok(())
    }

    /// Puts a folder where it belongs, new or moved.
    fn settle(
        &self,
        row: &FolderRow,
        at: &mut BTreeMap<GlobalId, Option<String>>,
        target: &str,
        path: &str,
    ) -> SyncResult<()> {
        let dir = self.dir(target);
        match at.get(&row.fid).cloned().flatten() {
            None => {
                // Whole or not at all, unless somebody made a directory of that name.
                let making = self.root.join(STATE_DIR).join("making");
                let place = if dir.exists() { &dir } else { &making };
                self.disk.make_maildir(place)?;
                if !target.is_empty() {
                    self.disk.put(&place.join("maildirfolder"), b"")?;
                }
                self.write_marker(place, row.fid, path)?;
                if *place != dir {
                    self.disk.rename(place, &dir)?;
                }
                if row.dir.is_some() {
                    self.options
                        .progress
                        .warning(&format!("the directory of {path} is gone; it is fetched again"));
                }
                self.commit("cannot write it", |tx| {
                    tx.forget_messages(row.id)?;
                    tx.set_folder_dir(row.id, Some(target))
                })?;
                self.options.progress.action(&Action::AddFolder { folder: path.to_owned() });
                at.insert(row.fid, Some(target.to_owned()));
            }
            Some(from) if from != target => {
                self.move_dir(row, at, target)?;
                self.write_marker(&dir, row.fid, path)?;
                self.options.progress.action(&Action::RenameFolder { from, folder: path.to_owned() });
            }
            Some(_) => {
                if row.dir.as_deref() != Some(target) {
                    self.commit("cannot write it", |tx| tx.set_folder_dir(row.id, Some(target)))?;
                }
                if read_marker(&dir).is_none_or(|(fid, shown)| fid != row.fid || shown != path) {
                    self.disk.make_maildir(&dir)?;
                    self.write_marker(&dir, row.fid, path)?;
                }
            }
        }
        Ok(())
    }

    fn move_dir(
        &self,
        row: &FolderRow,
        at: &mut BTreeMap<GlobalId, Option<String>>,
        target: &str,
    ) -> SyncResult<()> {
        if let Some(Some(from)) = at.get(&row.fid).cloned() {
            self.disk.rename(&self.dir(&from), &self.dir(target))?;
        }
        self.commit("cannot write it", |tx| tx.set_folder_dir(row.id, Some(target)))?;
        at.insert(row.fid, Some(target.to_owned()));
        Ok(())
    }
}

/// Whether folders of that PidTagContainerClass hold mail ([MS-OXOSFLD] 2.2.5): `IPF.Note` and its subclasses, and
/// folders without a class.
pub(crate) fn holds_mail(class: &str) -> bool {
    let class = class.to_ascii_lowercase();
    class.is_empty() || class == "ipf" || class == "ipf.note" || class.starts_with("ipf.note.")
}
