use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use watertight_ledger::{Entry, Kind};
use watertight_mapi::{
    GlobCnt,
    ics::{PredecessorChangeList, Xid},
    prop::{PropBag, tags},
    store::{
        ChangeNumber, Events, Folder, FolderCounts, FolderId, Happened, ItemKind, MailboxKind,
        MessageContent, MessageHead, SpecialFolder, StoreError, StoreResult,
    },
};
use watertight_wire::Guid;

use crate::{
    clock::now,
    event,
    names::Names,
    special::{self, FIRST_FREE_ID},
    tree::{Node, Tree},
};

/// Everything in one mailbox.
pub(super) struct State {
    pub(super) repl_guid: Guid,
    next_id: u64,
    next_cn: u64,
    next_large: u64,
    pub(super) version: u64,
    pub(super) names: Names,
    /// INVARIANT: `counts` and `subfolders` are not kept here but counted when a folder is given out.
    pub(super) folders: BTreeMap<u64, Folder>,
    pub(super) messages: BTreeMap<u64, Stored>,
    /// The messages of each folder, the soft-deleted ones too.
    pub(super) by_folder: HashMap<u64, BTreeSet<u64>>,
    pub(super) large: HashMap<u64, LargeBytes>,
    pub(super) staged: Kind,
    /// The last events, and the number of the last of them.
    events: VecDeque<Happened>,
    pub(super) last_event: u64,
    /// Told of each event.
    pub(super) told: Arc<tokio::sync::Notify>,
}

/// A message.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) head: MessageHead,
    pub(super) content: Arc<MessageContent>,
}

/// A large value.
pub(super) struct LargeBytes {
    pub(super) bytes: Vec<u8>,
    /// How many messages have it.
    pub(super) owners: u32,
    /// Counted for as long as no message has it.
    pub(super) staged: Option<Entry>,
}

impl State {
    /// A mailbox with the standard folders.
    pub(super) fn new(repl_guid: Guid, kind: MailboxKind, staged: Kind) -> StoreResult<Self> {
        let mut state = Self {
            repl_guid,
            next_id: FIRST_FREE_ID,
            next_cn: 1,
            next_large: 1,
            version: 0,
            names: Names::default(),
            folders: BTreeMap::new(),
            messages: BTreeMap::new(),
            by_folder: HashMap::new(),
            large: HashMap::new(),
            staged,
            events: VecDeque::new(),
            last_event: 0,
            told: Arc::default(),
        };
        for &folder in SpecialFolder::all_of(kind) {
            let mut props = PropBag::default();
            if let Some(class) = folder.container_class() {
                props.set(tags::CONTAINER_CLASS, class);
            }
            let (change_number, change_key, predecessors) = state.next_change()?;
            let now = now();
            let id = special::id(folder);
            state.folders.insert(
                id.0.value(),
                Folder {
                    id,
                    parent: folder.parent().map(special::id),
                    kind: special::kind(folder),
                    name: special::name(folder, kind).to_owned(),
                    change_number,
                    change_key,
                    predecessors,
                    created: now,
                    modified: now,
                    deleted: false,
                    counts: FolderCounts::default(),
                    subfolders: 0,
                    props,
                },
            );
        }
        Ok(state)
    }

    /// The next counter for an object.
    pub(super) fn next_id(&mut self) -> StoreResult<GlobCnt> {
        self.allocate(1)
    }

    /// The first of so many counters.
    pub(super) fn allocate(&mut self, count: u32) -> StoreResult<GlobCnt> {
        let first = special::counter(self.next_id)?;
        let next = self.next_id.saturating_add(u64::from(count));
        special::counter(next)?;
        self.next_id = next;
        Ok(first)
    }

    /// Whether that counter was given out.
    pub(super) fn was_given_out(&self, id: GlobCnt) -> bool {
        (FIRST_FREE_ID..self.next_id).contains(&id.value())
    }

    /// The next change number, with the change key and the predecessor change list of that change.
    pub(super) fn next_change(&mut self) -> StoreResult<(ChangeNumber, Xid, PredecessorChangeList)> {
        let cn = special::counter(self.next_cn)?;
        self.next_cn = self.next_cn.saturating_add(1);
        let key = Xid::from_counter(self.repl_guid, cn);
        Ok((ChangeNumber(cn), key.clone(), PredecessorChangeList::of(key)))
    }

    /// The last change number that was given out.
    pub(super) fn last_change(&self) -> StoreResult<ChangeNumber> {
        Ok(ChangeNumber(special::counter(self.next_cn.saturating_sub(1))?))
    }

    /// The next number of a large value.
    pub(super) fn next_large(&mut self) -> u64 {
        let id = self.next_large;
        self.next_large = id.saturating_add(1);
        id
    }

    /// The folder as it is given out.
    pub(super) fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder> {
        let folder = self.folders.get(&id.0.value()).filter(|f| deleted || !f.deleted);
        let mut folder = folder.ok_or(StoreError::NotFound("folder"))?.clone();
        folder.subfolders = u32::try_from(
            self.folders.values().filter(|f| f.parent == Some(id) && f.deleted == folder.deleted).count(),
        )
        .unwrap_or(u32::MAX);
        for stored in self.stored_in(id) {
            let head = &stored.head;
            let counts = &mut folder.counts;
            match (head.deleted, head.kind) {
                (true, _) => counts.deleted = counts.deleted.saturating_add(1),
                (false, ItemKind::Normal) => {
                    counts.messages = counts.messages.saturating_add(1);
                    counts.unread = counts.unread.saturating_add(u32::from(!head.read));
                }
                (false, ItemKind::Associated) => counts.associated = counts.associated.saturating_add(1),
            }
            if !head.deleted {
                counts.bytes = counts.bytes.saturating_add(head.size);
            }
        }
        Ok(folder)
    }

    /// The folder, to change it.
    pub(super) fn folder_mut(&mut self, id: FolderId) -> StoreResult<&mut Folder> {
        let folder = self.folders.get_mut(&id.0.value()).filter(|f| !f.deleted);
        folder.ok_or(StoreError::NotFound("folder"))
    }

    /// All messages of a folder, the soft-deleted ones too.
    pub(super) fn stored_in(&self, folder: FolderId) -> impl Iterator<Item = &Stored> {
        let ids = self.by_folder.get(&folder.0.value());
        ids.into_iter().flatten().filter_map(|id| self.messages.get(id))
    }

    /// The messages of a kind in the folder that are not deleted.
    pub(super) fn live(&self, folder: FolderId, kind: ItemKind) -> impl Iterator<Item = &Stored> {
        self.stored_in(folder).filter(move |m| m.head.kind == kind && !m.head.deleted)
    }

    /// The folder tree.
    pub(super) fn tree(&self) -> Tree {
        let node = |f: &Folder| Node {
            id: f.id.0.value(),
            parent: f.parent.map(|p| p.0.value()),
            name: f.name.clone(),
            cn: f.change_number.0.value(),
            deleted: f.deleted,
        };
        Tree::new(self.folders.values().map(node).collect())
    }

    /// Remembers an event.
    pub(super) fn record(&mut self, what: Happened) {
        self.last_event = self.last_event.saturating_add(1);
        if self.events.len() >= event::REMEMBERED {
            self.events.pop_front();
        }
        self.events.push_back(what);
        self.told.notify_waiters();
    }

    /// What happened after that event.
    pub(super) fn events(&self, after: u64) -> Events {
        let new = usize::try_from(self.last_event.saturating_sub(after)).unwrap_or(usize::MAX);
        let skip = self.events.len().saturating_sub(new);
        let lost = new > self.events.len();
        Events { items: self.events.iter().skip(skip).copied().collect(), last: self.last_event, lost }
    }

    /// Says that something changed.
    pub(super) fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }
}
