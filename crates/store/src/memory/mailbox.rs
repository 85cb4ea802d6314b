use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use watertight_ledger::Entry;
use watertight_mapi::{
    GlobCnt, PropId, PropName, PropTag,
    ics::GlobSet,
    prop::Prop,
    store::{
        ChangeNumber, ContentsQuery, ContentsView, Cursor, DeleteFolder, Deleted, Depth, Events, Folder,
        FolderChange, FolderId, ItemKind, Mailbox, MailboxInfo, Message, MessageHead, MessageId, MessageRow,
        MoveCopy, NewFolder, Outcome, Page, SaveMessage, SpecialFolder, StoreError, StoreResult,
    },
};
use watertight_wire::to_u64;

use super::{Kinds, state::State};
use crate::{
    cursor,
    seen::Seen,
    special,
    view::{self, SortKey},
};

/// A handle of a mailbox in memory.
pub(super) struct MemoryMailbox {
    info: Arc<MailboxInfo>,
    state: Arc<Mutex<State>>,
    kinds: Kinds,
    _held: Entry,
}

impl MemoryMailbox {
    pub(super) fn new(info: Arc<MailboxInfo>, state: Arc<Mutex<State>>, kinds: Kinds) -> Self {
        let held = kinds.mailboxes.enter();
        Self { info, state, kinds, _held: held }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn folder_id(id: u64) -> StoreResult<FolderId> {
    special::counter(id).map(FolderId)
}

/// The part of a list that a page is, with the cursor of the next.
fn page<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let more = items.len() > limit.max(1);
    items.truncate(limit.max(1));
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

#[async_trait]
impl Mailbox for MemoryMailbox {
    fn info(&self) -> &MailboxInfo {
        &self.info
    }

    fn special(&self, folder: SpecialFolder) -> FolderId {
        special::id(folder)
    }

    async fn prop_ids(&self, names: &[PropName], create: bool) -> StoreResult<Vec<Option<PropId>>> {
        let mut state = self.state();
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            ids.push(match state.names.id(name) {
                None if create => {
                    let id = state.names.add(name.clone())?;
                    state.touch();
                    Some(id)
                }
                known => known,
            });
        }
        Ok(ids)
    }

    async fn prop_names(&self, ids: &[PropId]) -> StoreResult<Vec<Option<PropName>>> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.names.name(*id).map(|name| PropName::clone(name))).collect())
    }

    async fn all_prop_names(&self) -> StoreResult<Vec<(PropId, PropName)>> {
        Ok(self.state().names.all().map(|(id, name)| (id, PropName::clone(name))).collect())
    }

    async fn allocate_ids(&self, count: u32) -> StoreResult<GlobCnt> {
        let mut state = self.state();
        let first = state.allocate(count)?;
        state.touch();
        Ok(first)
    }

    async fn version(&self) -> StoreResult<u64> {
        Ok(self.state().version)
    }

    async fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder> {
        self.state().folder(id, deleted)
    }

    async fn folders(
        &self,
        root: FolderId,
        depth: Depth,
        deleted: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<Folder>> {
        let state = self.state();
        state.folder(root, true)?;
        let (ids, next) = state.tree().page(root.0.value(), depth, |n| n.deleted == deleted, after, limit);
        let items: StoreResult<_> = ids.into_iter().map(|id| state.folder(folder_id(id)?, true)).collect();
        Ok(Page { items: items?, next })
    }

    async fn create_folder(&self, folder: NewFolder) -> StoreResult<(Folder, bool)> {
        self.state().create_folder(folder)
    }

    async fn change_folder(&self, id: FolderId, set: Vec<Prop>, remove: Vec<PropTag>) -> StoreResult<Folder> {
        self.state().change_folder(id, set, &remove)
    }

    async fn move_folder(&self, id: FolderId, parent: FolderId, name: Option<String>) -> StoreResult<Folder> {
        self.state().move_folder(id, parent, name)
    }

    async fn delete_folder(&self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome> {
        self.state().delete_folder(id, how)
    }

    async fn folder_ids(&self, root: FolderId) -> StoreResult<Arc<GlobSet>> {
        let state = self.state();
        state.folder(root, false)?;
        let ids: StoreResult<GlobSet> =
            state.tree().below(root.0.value(), |n| !n.deleted).into_iter().map(special::counter).collect();
        Ok(Arc::new(ids?))
    }

    async fn folder_changes(
        &self,
        root: FolderId,
        seen: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<FolderChange>> {
        let state = self.state();
        state.folder(root, false)?;
        let seen = Seen::new(seen);
        let wanted = |n: &crate::tree::Node| !n.deleted && !seen.contains(n.cn);
        let (ids, next) = state.tree().page(root.0.value(), Depth::All, wanted, after, limit);
        let change = |id| Ok(FolderChange { folder: state.folder(folder_id(id)?, false)? });
        let items: StoreResult<_> = ids.into_iter().map(change).collect();
        Ok(Page { items: items?, next })
    }

    async fn message(&self, id: MessageId, deleted: bool) -> StoreResult<Message> {
        let state = self.state();
        let stored = state.messages.get(&id.0.value()).filter(|m| deleted || !m.head.deleted);
        let stored = stored.ok_or(StoreError::NotFound("message"))?;
        Ok(Message { head: stored.head.clone(), content: stored.content.as_ref().clone() })
    }

    async fn read_large(&self, id: u64, offset: u64, len: usize) -> StoreResult<Vec<u8>> {
        let state = self.state();
        let large = state.large.get(&id).ok_or(StoreError::NotFound("large value"))?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(large.bytes.len());
        let end = start.saturating_add(len).min(large.bytes.len());
        Ok(large.bytes.get(start..end).unwrap_or_default().to_vec())
    }

    async fn create_large(&self) -> StoreResult<u64> {
        Ok(self.state().create_large())
    }

    async fn write_large(&self, id: u64, offset: u64, bytes: &[u8]) -> StoreResult<u64> {
        let mut state = self.state();
        let value = state.staged_mut(id)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if start > value.len() {
            return Err(StoreError::Invalid("a gap in a large value".to_owned()));
        }
        let end = start.saturating_add(bytes.len()).min(value.len());
        value.splice(start..end, bytes.iter().copied());
        Ok(to_u64(value.len()))
    }

    async fn resize_large(&self, id: u64, len: u64) -> StoreResult<()> {
        let mut state = self.state();
        let len = usize::try_from(len).map_err(|_| StoreError::Full("the value is too long".to_owned()))?;
        state.staged_mut(id)?.resize(len, 0);
        Ok(())
    }

    async fn discard_large(&self, id: u64) -> StoreResult<()> {
        let mut state = self.state();
        if state.large.get(&id).is_some_and(|l| l.owners == 0) {
            state.large.remove(&id);
        }
        Ok(())
    }

    async fn save_messages(&self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>> {
        self.state().save_messages(messages)
    }

    async fn delete_messages(&self, folder: FolderId, ids: &[MessageId], hard: bool) -> StoreResult<Outcome> {
        self.state().delete_messages(folder, ids, hard)
    }

    async fn move_copy(&self, job: MoveCopy) -> StoreResult<Vec<Option<MessageHead>>> {
        self.state().move_copy(&job)
    }

    async fn set_read(&self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32> {
        self.state().set_read(folder, ids, read)
    }

    async fn set_status(&self, folder: FolderId, id: MessageId, status: u32, mask: u32) -> StoreResult<u32> {
        self.state().set_status(folder, id, status, mask)
    }

    async fn message_ids(&self, folder: FolderId, kind: ItemKind) -> StoreResult<Arc<GlobSet>> {
        let state = self.state();
        state.folder(folder, false)?;
        Ok(Arc::new(state.live(folder, kind).map(|m| m.head.id.0).collect()))
    }

    async fn deleted_ids(&self, folder: FolderId, ids: &GlobSet) -> StoreResult<Deleted> {
        let state = self.state();
        state.folder(folder, false)?;
        let (mut there, mut soft) = (GlobSet::new(), GlobSet::new());
        for stored in state.stored_in(folder) {
            let id = stored.head.id.0;
            if stored.head.deleted && ids.contains(id) {
                soft.insert(id);
            }
            there.insert(id);
        }
        Ok(Deleted { soft, gone: ids.difference(&there) })
    }

    async fn changes_total(
        &self,
        folder: FolderId,
        kind: ItemKind,
        seen: &GlobSet,
    ) -> StoreResult<(u32, u64)> {
        let state = self.state();
        state.folder(folder, false)?;
        let seen = Seen::new(seen);
        let unseen = state.live(folder, kind).filter(|m| !seen.contains(m.head.change_number.0.value()));
        Ok(unseen.fold((0, 0), |(count, bytes): (u32, u64), m| {
            (count.saturating_add(1), bytes.saturating_add(m.head.size))
        }))
    }

    async fn message_changes(
        &self,
        folder: FolderId,
        kind: ItemKind,
        seen: &GlobSet,
        newest_first: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<MessageHead>> {
        let state = self.state();
        state.folder(folder, false)?;
        let seen = Seen::new(seen);
        // Ascending keys in both orders: newest delivery first is ascending by what is left until the end of time.
        let key = |head: &MessageHead| {
            let late = head.delivered.map_or(u64::MAX, |time| u64::MAX.saturating_sub(time.0));
            if newest_first { (late, head.id.0.value()) } else { (0, head.change_number.0.value()) }
        };
        let after = cursor::two(after)?;
        let unseen = state.live(folder, kind).map(|m| &m.head).filter(|head| {
            !seen.contains(head.change_number.0.value()) && after.is_none_or(|after| key(head) > after)
        });
        let mut heads: Vec<MessageHead> = unseen.cloned().collect();
        heads.sort_by_key(key);
        Ok(page(heads, limit, |head| {
            let (a, b) = key(head);
            cursor::numbers(&[a, b])
        }))
    }

    async fn read_changes(
        &self,
        folder: FolderId,
        read: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<MessageHead>> {
        let state = self.state();
        state.folder(folder, false)?;
        let (read, after) = (Seen::new(read), cursor::one(after)?);
        let key = |head: &MessageHead| head.read_change_number.map(|cn| cn.0.value());
        let unseen = state.live(folder, ItemKind::Normal).map(|m| &m.head).filter(|head| {
            key(head).is_some_and(|cn| !read.contains(cn) && after.is_none_or(|after| cn > after))
        });
        let mut heads: Vec<MessageHead> = unseen.cloned().collect();
        heads.sort_by_key(key);
        Ok(page(heads, limit, |head| cursor::numbers(&[key(head).unwrap_or_default()])))
    }

    async fn last_change(&self) -> StoreResult<ChangeNumber> {
        self.state().last_change()
    }

    async fn last_event(&self) -> StoreResult<u64> {
        Ok(self.state().last_event)
    }

    async fn events(&self, after: u64) -> StoreResult<Events> {
        Ok(self.state().events(after))
    }

    async fn changed(&self, after: u64) -> StoreResult<()> {
        let told = Arc::clone(&self.state().told);
        loop {
            let mut next = std::pin::pin!(told.notified());
            // What is told from here on is not missed.
            next.as_mut().enable();
            if self.state().last_event > after {
                return Ok(());
            }
            next.await;
        }
    }

    async fn contents(&self, folder: FolderId, query: ContentsQuery) -> StoreResult<Box<dyn ContentsView>> {
        let state = self.state();
        state.folder(folder, query.deleted)?;
        let mut keys = Vec::new();
        for stored in state.stored_in(folder) {
            let head = &stored.head;
            if head.kind == query.kind
                && head.deleted == query.deleted
                && view::matches(query.restriction.as_ref(), head, &stored.content)
            {
                keys.push(SortKey::new(head, &stored.content.props, &query.sort));
            }
        }
        Ok(Box::new(MemoryView {
            ids: view::sorted(keys, &query.sort),
            deleted: query.deleted,
            state: Arc::clone(&self.state),
            _held: self.kinds.views.enter(),
        }))
    }
}

struct MemoryView {
    ids: Vec<u64>,
    deleted: bool,
    state: Arc<Mutex<State>>,
    _held: Entry,
}

#[async_trait]
impl ContentsView for MemoryView {
    fn len(&self) -> usize {
        self.ids.len()
    }

    async fn rows(&self, start: usize, limit: usize, columns: &[PropTag]) -> StoreResult<Vec<MessageRow>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = self.ids.iter().skip(start).take(limit);
        let stored = ids.filter_map(|id| state.messages.get(id)).filter(|m| m.head.deleted == self.deleted);
        Ok(stored
            .map(|m| MessageRow {
                head: m.head.clone(),
                props: view::columns(m.content.props.clone(), columns),
                damaged: false,
            })
            .collect())
    }
}
