//! Sets of messages that the server deleted or marked.

use watertight_mapi::{GlobCnt, ics::GuidIdSet};
use watertight_wire::Guid;

use super::FolderRun;
use crate::{
    Action, Flags, Mode, SyncResult, Tally,
    db::{Fate, MessageRow},
    reconcile::locate,
};

/// How many rows of the index are in memory when a set is gone through.
const PAGE: u32 = 256;

impl FolderRun {
    /// Calls `f` with the folder's messages in the sets, a page at a time.
    pub(super) fn each(
        &mut self,
        ids: &GuidIdSet,
        mut f: impl FnMut(&mut Self, Vec<MessageRow>) -> SyncResult<()>,
    ) -> SyncResult<()> {
        let id = self.row.id;
        let ranges: Vec<(Guid, GlobCnt, GlobCnt)> = ids
            .iter()
            .flat_map(|(guid, set)| set.ranges().map(move |(low, high)| (guid, low, high)))
            .collect();
        for (guid, mut low, high) in ranges {
            loop {
                let page = self.replica.transaction("cannot read it", false, |tx| {
                    tx.messages_between(id, guid, low, high, PAGE)
                })?;
                let Some(last) = page.last().map(|m| m.mid.counter) else { break };
                f(self, page)?;
                match GlobCnt::new(last.value().saturating_add(1)) {
                    Some(next) if next <= high => low = next,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Notes that the server deleted messages; their files go at the end of the run.
    pub(super) fn doom(&mut self, page: Vec<MessageRow>) -> SyncResult<()> {
        self.replica.mark()?;
        let id = self.row.id;
        let settings = &self.replica.settings;
        let stays =
            |row: &MessageRow| settings.mode == Mode::KeepDeleted && !settings.since.includes(row.seconds);
        self.replica.commit("cannot write it", |tx| {
            for row in page {
                match row.state {
                    // Not deleted, only too old for what is asked for now.
                    Fate::Present if stays(&row) => {
                        tx.put_message(id, &MessageRow { state: Fate::OutOfScope, ..row })?;
                    }
                    Fate::Present => tx.put_message(id, &MessageRow { state: Fate::Doomed, ..row })?,
                    Fate::DeletedHere | Fate::Aside => tx.remove_message(id, row.mid)?,
                    Fate::Doomed | Fate::OutOfScope => {}
                }
            }
            Ok(())
        })
    }

    pub(super) fn set_read(&mut self, page: Vec<MessageRow>, read: bool) -> SyncResult<()> {
        self.replica.mark()?;
        self.unsettled = true;
        let mut tally = Tally::default();
        let mut rows = Vec::new();
        for old in page {
            let mut row = old.clone();
            row.server_flags = old.server_flags.read(read);
            if matches!(old.state, Fate::Present | Fate::Doomed) {
                self.set_read_of(&mut row, &old, read, &mut tally)?;
            }
            if row != old {
                rows.push(row);
            }
        }
        let id = self.row.id;
        if !rows.is_empty() {
            self.replica
                .commit("cannot write it", |tx| rows.iter().try_for_each(|row| tx.put_message(id, row)))?;
        }
        self.unsettled = false;
        self.replica.count(tally);
        Ok(())
    }

    fn set_read_of(
        &mut self,
        row: &mut MessageRow,
        old: &MessageRow,
        read: bool,
        tally: &mut Tally,
    ) -> SyncResult<()> {
        let name = self.name(old);
        let Some((path, flags, fresh)) = locate(&self.dir, &name, old.fresh, old.flags)? else {
            row.state = Fate::DeletedHere;
            tally.conflicts = tally.conflicts.saturating_add(1);
            return Ok(());
        };
        row.flags = flags.read(read);
        row.fresh = fresh && row.flags.is_empty();
        if row.flags == flags {
            return Ok(());
        }
        if flags.has(Flags::SEEN) != old.server_flags.has(Flags::SEEN) && !self.noted.contains(&old.mid) {
            tally.conflicts = tally.conflicts.saturating_add(1);
        }
        tally.flags = tally.flags.saturating_add(1);
        let (folder, from, to) = (self.path.clone(), flags, row.flags);
        self.replica.options.progress.action(&Action::SetFlags { folder, name: name.unique(), from, to });
        if !self.replica.dry() {
            self.touched = true;
            self.rename(&path, &name, &name, row.fresh, row.flags)?;
        }
        Ok(())
    }
}
