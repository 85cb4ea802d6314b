use std::collections::VecDeque;

use watertight_mapi::{
    Fid, GlobCnt, MapiCode,
    ics::{GlobSet, IdSet, State, Xid, lexical::Marker},
    prop::{PropBag, tags},
    store::{Cursor, Folder, FolderId, FolderKind, Mailbox},
};

use super::{
    ExtraFlags, SyncFlags,
    contents::{Config, code, write_state},
    output::Output,
    source::{Replica, own},
};

/// Folders that are held at once.
const PAGE: usize = 64;

/// hierarchySync — [MS-OXCFXICS] 2.2.4.3.9.
pub(super) struct Hierarchy {
    pub(super) config: Config,
    phase: Phase,
    last: GlobCnt,
    page: VecDeque<Folder>,
    next: Option<Cursor>,
    /// What was sent: ids and change numbers.
    ids: GlobSet,
    changes: GlobSet,
    gone: GlobSet,
    pub(super) done: u32,
    pub(super) total: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Folders,
    Deletions,
    State,
    Done,
}

impl Hierarchy {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            phase: Phase::Begin,
            last: GlobCnt::default(),
            page: VecDeque::new(),
            next: None,
            ids: GlobSet::new(),
            changes: GlobSet::new(),
            gone: GlobSet::new(),
            done: 0,
            total: 0,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::Begin
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Puts the next parts into the output, which is idle.
    pub(super) async fn step(
        &mut self,
        mailbox: &dyn Mailbox,
        initial: &State,
        out: &mut Output,
    ) -> Result<(), MapiCode> {
        let replica = self.config.replica;
        match self.phase {
            Phase::Begin => {
                self.last = mailbox.last_change().await.map_err(code)?.0;
                self.phase = Phase::Folders;
                self.fetch(mailbox, initial).await
            }
            Phase::Folders => {
                let Some(folder) = self.page.pop_front() else {
                    if self.next.is_some() {
                        return self.fetch(mailbox, initial).await;
                    }
                    self.phase = Phase::Deletions;
                    return Ok(());
                };
                out.marker(Marker::IncrSyncChg);
                self.ids.insert(folder.id.0);
                self.changes.insert(folder.change_number.0);
                self.done = self.done.saturating_add(1);
                self.folder_change(out, folder);
                Ok(())
            }
            Phase::Deletions => {
                self.phase = Phase::State;
                let given = own(initial.given.get(replica.guid));
                if self.config.flags.contains(SyncFlags::NoDeletions) || given.is_empty() {
                    return Ok(());
                }
                let there = mailbox.folder_ids(self.config.folder).await.map_err(code)?;
                self.gone = given.difference(&self.ids).difference(&there);
                if !self.gone.is_empty() {
                    out.marker(Marker::IncrSyncDel);
                    out.value(
                        tags::META_TAG_IDSET_DELETED,
                        IdSet::of(replica.id, self.gone.clone()).to_bytes(),
                    );
                }
                Ok(())
            }
            Phase::State => {
                self.phase = Phase::Done;
                write_state(out, &self.final_state(initial), true);
                out.marker(Marker::IncrSyncEnd);
                Ok(())
            }
            Phase::Done => Ok(()),
        }
    }

    async fn fetch(&mut self, mailbox: &dyn Mailbox, initial: &State) -> Result<(), MapiCode> {
        let seen = own(initial.seen.get(self.config.replica.guid));
        let page = mailbox
            .folder_changes(self.config.folder, &seen, self.next.as_ref(), PAGE)
            .await
            .map_err(code)?;
        self.page = page.items.into_iter().map(|change| change.folder).collect();
        self.next = page.next;
        self.total = self.total.saturating_add(u32::try_from(self.page.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    fn folder_change(&self, out: &mut Output, folder: Folder) {
        let (replica, flags, extra) = (self.config.replica, self.config.flags, self.config.extra);
        let root = self.config.folder;
        let (id, parent) = (folder.id, folder.parent.filter(|parent| *parent != root));
        let above = folder.parent;
        // Children of the root have no parent source key (2.2.4.3.9).
        let parent_key = parent.map_or_else(Vec::new, |p| Xid::from_counter(replica.guid, p.0).to_bytes());
        out.value(tags::PARENT_SOURCE_KEY, parent_key);
        out.value(tags::SOURCE_KEY, Xid::from_counter(replica.guid, id.0).to_bytes());
        out.value(tags::LAST_MODIFICATION_TIME, folder.modified);
        out.value(tags::CHANGE_KEY, folder.change_key.to_bytes());
        out.value(tags::PREDECESSOR_CHANGE_LIST, folder.predecessors.to_bytes().unwrap_or_default());
        out.value(tags::DISPLAY_NAME, folder.name.clone());
        if extra.contains(ExtraFlags::Eid) {
            out.value(tags::FOLDER_ID, fid(replica, id));
        }
        if flags.contains(SyncFlags::NoForeignIdentifiers) || extra.contains(ExtraFlags::Eid) {
            out.value(tags::PARENT_FOLDER_ID, above.map_or(0, |p| fid(replica, p)));
        }
        let mandatory = [tags::LAST_MODIFICATION_TIME, tags::DISPLAY_NAME];
        for prop in props(folder).0 {
            let said = mandatory.iter().any(|tag| tag.id() == prop.tag.id());
            if !said && self.config.filter.includes(prop.tag) {
                out.prop(prop);
            }
        }
    }

    pub(super) fn final_state(&self, initial: &State) -> State {
        let guid = self.config.replica.guid;
        let mut state = initial.clone();
        state.given.put(guid, own(state.given.get(guid)).union(&self.ids).difference(&self.gone));
        let seen = GlobSet::up_to(self.last).union(&self.changes);
        state.seen.put(guid, own(state.seen.get(guid)).union(&seen));
        state
    }
}

/// PidTagFolderId.
pub(super) fn fid(replica: Replica, folder: FolderId) -> i64 {
    Fid::new(replica.id, folder.0).to_u64().cast_signed()
}

/// The properties of a folder that streams carry, those that follow from what it holds included.
pub(super) fn props(folder: Folder) -> PropBag {
    let count = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let mut all = PropBag::default();
    all.set(tags::DISPLAY_NAME, folder.name);
    all.set(tags::COMMENT, "");
    all.set(tags::CREATION_TIME, folder.created);
    all.set(tags::LAST_MODIFICATION_TIME, folder.modified);
    all.set(
        tags::FOLDER_TYPE,
        match folder.kind {
            FolderKind::Root => 0,
            FolderKind::Generic => 1,
            FolderKind::Search => 2,
        },
    );
    all.set(tags::CONTENT_COUNT, count(folder.counts.messages));
    all.set(tags::CONTENT_UNREAD_COUNT, count(folder.counts.unread));
    all.set(tags::ASSOCIATED_CONTENT_COUNT, count(folder.counts.associated));
    all.set(tags::SUBFOLDERS, folder.subfolders > 0);
    for prop in folder.props.0 {
        all.put(prop);
    }
    all
}
