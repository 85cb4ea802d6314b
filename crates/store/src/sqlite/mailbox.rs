//! A handle of a mailbox.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;
use watertight_ledger::Entry;
use watertight_mapi::{
    GlobCnt, PropId, PropName, PropTag,
    ics::GlobSet,
    prop::{Prop, PropBag},
    store::{
        ChangeNumber, ContentsQuery, ContentsView, Cursor, DeleteFolder, Deleted, Depth, Events, Folder,
        FolderChange, FolderId, ItemKind, Mailbox, MailboxInfo, Message, MessageHead, MessageId, MessageRow,
        MoveCopy, NewFolder, Outcome, Page, SaveMessage, SpecialFolder, StoreError, StoreResult,
    },
};

use super::{
    Shared, changes, codec,
    core::Core,
    error::Doing,
    events::{self, Feed},
    folders, large, pool,
    row::{self, COLUMN_COUNT, COLUMNS, Listed, glob, int, kind_column},
    write::{Counters, WriteTx},
};
use crate::{
    seen::Seen,
    special,
    tree::Node,
    view::{self, SortKey},
};

/// A handle of a mailbox; the file may be closed and opened again beneath it.
pub(super) struct SqliteMailbox {
    shared: Arc<Shared>,
    info: Arc<MailboxInfo>,
    feed: Arc<Feed>,
    _held: Entry,
}

impl SqliteMailbox {
    pub(super) fn new(shared: Arc<Shared>, info: Arc<MailboxInfo>) -> Self {
        let held = shared.kinds.mailboxes.enter();
        let feed = shared.feed(info.mailbox_guid);
        Self { shared, info, feed, _held: held }
    }

    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Core, &Connection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        read(&self.shared, &self.info, f).await
    }

    async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut WriteTx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.write_as(true, f).await
    }

    /// Runs a write in the mailbox's queue; returns when it is committed.
    async fn write_as<T: Send + 'static>(
        &self,
        durable: bool,
        f: impl FnOnce(&mut WriteTx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (done, result) = oneshot::channel();
        let (shared, guid) = (Arc::clone(&self.shared), self.info.mailbox_guid);
        self.shared.pool.submit(Box::new(move || {
            let core = match shared.core(guid) {
                Ok(core) => core,
                Err(error) => {
                    // Nobody is there any more to be told: then nobody is told.
                    let _ = done.send(Err(error));
                    return;
                }
            };
            // Whoever is told of the result finds the store let go.
            drop(shared);
            let job: super::core::Job = Box::new(move |tx| {
                let result = f(tx);
                let ok = result.is_ok();
                let told: super::core::Told = Box::new(move |failure| {
                    let _ = done.send(match (result, failure) {
                        (Ok(_), Some(failure)) => Err(failure.into()),
                        (result, _) => result,
                    });
                });
                (ok, told)
            });
            core.write(job, durable);
        }))?;
        result.await.map_err(|_| pool::lost())?
    }
}

async fn read<T: Send + 'static>(
    shared: &Arc<Shared>,
    info: &MailboxInfo,
    f: impl FnOnce(&Core, &Connection) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let (inner, guid) = (Arc::clone(shared), info.mailbox_guid);
    shared
        .pool
        .run(move || {
            let core = inner.core(guid)?;
            core.read(|sql| f(&core, sql))
        })
        .await
}

fn folder_id(id: u64) -> StoreResult<FolderId> {
    glob(id.cast_signed()).map(FolderId)
}

#[async_trait]
impl Mailbox for SqliteMailbox {
    fn info(&self) -> &MailboxInfo {
        &self.info
    }

    fn special(&self, folder: SpecialFolder) -> FolderId {
        special::id(folder)
    }

    async fn prop_ids(&self, names: &[PropName], create: bool) -> StoreResult<Vec<Option<PropId>>> {
        let wanted = names.to_vec();
        let known = self
            .read(move |core, sql| {
                let names = core.names(sql)?;
                Ok(wanted.iter().map(|name| names.id(name)).collect::<Vec<_>>())
            })
            .await?;
        if !create || known.iter().all(Option::is_some) {
            return Ok(known);
        }
        let wanted = names.to_vec();
        self.write(move |tx| {
            let ids = wanted.iter().map(|name| tx.prop_id(name).map(Some)).collect();
            tx.touch();
            ids
        })
        .await
    }

    async fn prop_names(&self, ids: &[PropId]) -> StoreResult<Vec<Option<PropName>>> {
        let ids = ids.to_vec();
        self.read(move |core, sql| {
            let names = core.names(sql)?;
            Ok(ids.iter().map(|id| names.name(*id).map(|name| PropName::clone(name))).collect())
        })
        .await
    }

    async fn all_prop_names(&self) -> StoreResult<Vec<(PropId, PropName)>> {
        self.read(|core, sql| {
            let names = core.names(sql)?;
            Ok(names.all().map(|(id, name)| (id, PropName::clone(name))).collect())
        })
        .await
    }

    async fn allocate_ids(&self, count: u32) -> StoreResult<GlobCnt> {
        self.write(move |tx| {
            tx.touch();
            tx.allocate(count)
        })
        .await
    }

    async fn version(&self) -> StoreResult<u64> {
        self.read(|_, sql| Ok(Counters::read(sql)?.version.cast_unsigned())).await
    }

    async fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder> {
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            folders::read(&snapshot, &*core.names(sql)?, core.info.repl_guid, id, deleted)
        })
        .await
    }

    async fn folders(
        &self,
        root: FolderId,
        depth: Depth,
        deleted: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<Folder>> {
        let after = after.cloned();
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading folders")?;
            folders::FolderRow::find(&snapshot, root, true)?;
            let wanted = |n: &Node| n.deleted == deleted;
            let page = folders::tree(&snapshot)?.page(root.0.value(), depth, wanted, after.as_ref(), limit);
            page_of_folders(core, &snapshot, page)
        })
        .await
    }

    async fn create_folder(&self, folder: NewFolder) -> StoreResult<(Folder, bool)> {
        self.write(move |tx| tx.create_folder(folder)).await
    }

    async fn change_folder(&self, id: FolderId, set: Vec<Prop>, remove: Vec<PropTag>) -> StoreResult<Folder> {
        self.write(move |tx| tx.change_folder(id, set, &remove)).await
    }

    async fn move_folder(&self, id: FolderId, parent: FolderId, name: Option<String>) -> StoreResult<Folder> {
        self.write(move |tx| tx.move_folder(id, parent, name)).await
    }

    async fn delete_folder(&self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome> {
        self.write(move |tx| tx.delete_folder(id, how)).await
    }

    async fn folder_ids(&self, root: FolderId) -> StoreResult<Arc<GlobSet>> {
        self.read(move |_, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading folders")?;
            folders::FolderRow::find(&snapshot, root, false)?;
            let ids = folders::tree(&snapshot)?.below(root.0.value(), |n| !n.deleted);
            let ids: StoreResult<GlobSet> = ids.into_iter().map(|id| glob(id.cast_signed())).collect();
            Ok(Arc::new(ids?))
        })
        .await
    }

    async fn folder_changes(
        &self,
        root: FolderId,
        seen: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<FolderChange>> {
        let (seen, after) = (Seen::new(seen), after.cloned());
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading folders")?;
            folders::FolderRow::find(&snapshot, root, false)?;
            let wanted = |n: &Node| !n.deleted && !seen.contains(n.cn);
            let page =
                folders::tree(&snapshot)?.page(root.0.value(), Depth::All, wanted, after.as_ref(), limit);
            let page = page_of_folders(core, &snapshot, page)?;
            let items = page.items.into_iter().map(|folder| FolderChange { folder }).collect();
            Ok(Page { items, next: page.next })
        })
        .await
    }

    async fn message(&self, id: MessageId, deleted: bool) -> StoreResult<Message> {
        self.read(move |core, sql| changes::message(core, sql, id, deleted)).await
    }

    async fn read_large(&self, id: u64, offset: u64, len: usize) -> StoreResult<Vec<u8>> {
        self.read(move |_, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a large value")?;
            large::read(&snapshot, id.cast_signed(), offset, len)
        })
        .await
    }

    async fn create_large(&self) -> StoreResult<u64> {
        let id = self.write_as(false, |tx| tx.create_large()).await?;
        self.shared.stage(self.info.mailbox_guid, id);
        Ok(id)
    }

    async fn write_large(&self, id: u64, offset: u64, bytes: &[u8]) -> StoreResult<u64> {
        let bytes = bytes.to_vec();
        self.write_as(false, move |tx| tx.write_large(id.cast_signed(), offset, &bytes)).await
    }

    async fn resize_large(&self, id: u64, len: u64) -> StoreResult<()> {
        while !self.write_as(false, move |tx| tx.resize_large(id.cast_signed(), len)).await? {}
        Ok(())
    }

    async fn discard_large(&self, id: u64) -> StoreResult<()> {
        self.write_as(false, move |tx| tx.discard_large(id.cast_signed())).await?;
        self.shared.unstage(self.info.mailbox_guid, &[id]);
        Ok(())
    }

    async fn save_messages(&self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>> {
        let (heads, adopted) = self.write(move |tx| tx.save_messages(messages)).await?;
        self.shared.unstage(self.info.mailbox_guid, &adopted);
        Ok(heads)
    }

    async fn delete_messages(&self, folder: FolderId, ids: &[MessageId], hard: bool) -> StoreResult<Outcome> {
        let ids = ids.to_vec();
        self.write(move |tx| tx.delete_messages(folder, &ids, hard)).await
    }

    async fn move_copy(&self, job: MoveCopy) -> StoreResult<Vec<Option<MessageHead>>> {
        self.write(move |tx| tx.move_copy(&job)).await
    }

    async fn set_read(&self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32> {
        let ids = ids.to_vec();
        self.write(move |tx| tx.set_read(folder, &ids, read)).await
    }

    async fn set_status(&self, folder: FolderId, id: MessageId, status: u32, mask: u32) -> StoreResult<u32> {
        self.write(move |tx| tx.set_status(folder, id, status, mask)).await
    }

    async fn message_ids(&self, folder: FolderId, kind: ItemKind) -> StoreResult<Arc<GlobSet>> {
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            changes::message_ids(core, &snapshot, folder, kind)
        })
        .await
    }

    async fn deleted_ids(&self, folder: FolderId, ids: &GlobSet) -> StoreResult<Deleted> {
        let ids = ids.clone();
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            changes::deleted_ids(core, &snapshot, folder, &ids)
        })
        .await
    }

    async fn changes_total(
        &self,
        folder: FolderId,
        kind: ItemKind,
        seen: &GlobSet,
    ) -> StoreResult<(u32, u64)> {
        let seen = seen.clone();
        self.read(move |_, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            changes::changes_total(&snapshot, folder, kind, &seen)
        })
        .await
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
        let (seen, after) = (seen.clone(), after.cloned());
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            let query = changes::Query { core, sql: &snapshot, folder, limit: limit.max(1) };
            query.message_changes(kind, &seen, newest_first, after.as_ref())
        })
        .await
    }

    async fn read_changes(
        &self,
        folder: FolderId,
        read: &GlobSet,
        after: Option<&Cursor>,
        limit: usize,
    ) -> StoreResult<Page<MessageHead>> {
        let (read, after) = (read.clone(), after.cloned());
        self.read(move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a folder")?;
            let query = changes::Query { core, sql: &snapshot, folder, limit: limit.max(1) };
            query.read_changes(&read, after.as_ref())
        })
        .await
    }

    async fn last_change(&self) -> StoreResult<ChangeNumber> {
        self.read(|_, sql| glob(Counters::read(sql)?.next_cn.saturating_sub(1)).map(ChangeNumber)).await
    }

    async fn last_event(&self) -> StoreResult<u64> {
        let last = self.read(|_, sql| events::last(sql)).await?;
        self.feed.raise(last);
        Ok(last)
    }

    async fn events(&self, after: u64) -> StoreResult<Events> {
        if self.feed.latest() <= after && !self.feed.may_have_changed(false) {
            return Ok(Events { items: Vec::new(), last: after, lost: false });
        }
        let events = self
            .read(move |_, sql| {
                let snapshot = sql.unchecked_transaction().doing("reading what happened")?;
                events::after(&snapshot, after)
            })
            .await?;
        self.feed.raise(events.last);
        Ok(events)
    }

    async fn changed(&self, after: u64) -> StoreResult<()> {
        while !self.feed.wait(after).await {
            if self.feed.may_have_changed(true) {
                self.last_event().await?;
            }
        }
        Ok(())
    }

    async fn contents(&self, folder: FolderId, query: ContentsQuery) -> StoreResult<Box<dyn ContentsView>> {
        let of = listed(folder, &query);
        let ids = self
            .read(move |core, sql| {
                let snapshot = sql.unchecked_transaction().doing("making a view")?;
                folders::FolderRow::find(&snapshot, folder, query.deleted)?;
                view_ids(core, &snapshot, folder, &query)
            })
            .await?;
        Ok(Box::new(SqliteView {
            held: self.shared.kinds.views.enter(),
            shared: Arc::clone(&self.shared),
            info: Arc::clone(&self.info),
            ids,
            of,
        }))
    }
}

fn page_of_folders(
    core: &Core,
    sql: &Connection,
    (ids, next): (Vec<u64>, Option<Cursor>),
) -> StoreResult<Page<Folder>> {
    let names = core.names(sql)?;
    let read = |id| folders::read(sql, &names, core.info.repl_guid, folder_id(id)?, true);
    Ok(Page { items: ids.into_iter().map(read).collect::<StoreResult<_>>()?, next })
}

fn listed(folder: FolderId, query: &ContentsQuery) -> Listed {
    Listed { folder, kind: query.kind, deleted: query.deleted, cn: 0 }
}

/// The ids of a view, sorted. Contents are read only where the restriction or the order needs them.
fn view_ids(core: &Core, sql: &Connection, folder: FolderId, query: &ContentsQuery) -> StoreResult<Vec<u64>> {
    let of = listed(folder, query);
    let with_content = query.restriction.is_some() || !view::sorts_by_head(&query.sort);
    let names = core.names(sql)?;
    let (data, join) = if with_content { (", c.data", "JOIN content c ON c.id = m.id") } else { ("", "") };
    let text = format!(
        "SELECT {COLUMNS}{data} FROM message m {join} WHERE m.folder = ? AND m.kind = ? AND m.deleted = ?"
    );
    let mut statement = sql.prepare_cached(&text).doing("making a view")?;
    let mut rows = statement
        .query(params![int(folder.0), kind_column(query.kind), query.deleted])
        .doing("making a view")?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().doing("making a view")? {
        let head = row::MessageRow::listed(row, 0, of)?.head(core.info.repl_guid)?;
        if with_content {
            let data = row.get_ref(COLUMN_COUNT).doing("making a view")?;
            let content = data.as_blob().ok().and_then(|data| codec::decode(data, &names).ok());
            // What is damaged is shown among all, and matches nothing.
            if content.is_none() && query.restriction.is_some() {
                continue;
            }
            let content = content.unwrap_or_default();
            if view::matches(query.restriction.as_ref(), &head, &content) {
                keys.push(SortKey::new(&head, &content.props, &query.sort));
            }
        } else {
            keys.push(SortKey::new(&head, &PropBag::default(), &query.sort));
        }
    }
    Ok(view::sorted(keys, &query.sort))
}

struct SqliteView {
    shared: Arc<Shared>,
    info: Arc<MailboxInfo>,
    ids: Vec<u64>,
    of: Listed,
    held: Entry,
}

#[async_trait]
impl ContentsView for SqliteView {
    fn len(&self) -> usize {
        let _ = &self.held;
        self.ids.len()
    }

    async fn rows(&self, start: usize, limit: usize, columns: &[PropTag]) -> StoreResult<Vec<MessageRow>> {
        let ids: Vec<u64> = self.ids.iter().skip(start).take(limit).copied().collect();
        let (columns, of) = (columns.to_vec(), self.of);
        read(&self.shared, &self.info, move |core, sql| {
            let snapshot = sql.unchecked_transaction().doing("reading a view")?;
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                let id = MessageId(glob(id.cast_signed())?);
                let found = if columns.is_empty() {
                    row::MessageRow::find(&snapshot, id).map(|row| row.map(|row| (row, PropBag::default())))
                } else {
                    changes::row_and_content(core, &snapshot, id)
                        .map(|found| found.map(|(row, content)| (row, content.props)))
                };
                let (found, damaged) = match found {
                    Err(StoreError::Corrupt(why)) => {
                        tracing::warn!(why, "a message cannot be read");
                        (Some((row::MessageRow::lost(int(id.0), of), PropBag::default())), true)
                    }
                    found => (found?, false),
                };
                if let Some((row, props)) = found.filter(|(row, _)| row.deleted == of.deleted) {
                    let head = row.head(core.info.repl_guid)?;
                    rows.push(MessageRow { head, props: view::columns(props, &columns), damaged });
                }
            }
            Ok(rows)
        })
        .await
    }
}
