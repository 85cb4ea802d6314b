//! Messages: saved, deleted, moved, marked.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use watertight_mapi::{
    prop::{LargeValue, PropData, tags},
    store::{
        FolderId, FolderKind, Happened, ItemKind, MessageContent, MessageHead, MessageId, MoveCopy, Outcome,
        Place, SaveMessage, StoreError, StoreResult,
    },
};
use watertight_wire::to_u64;

use super::{
    changes, codec,
    error::Doing,
    folders::{self, Delta, FolderRow},
    large,
    row::{MessageRow, glob, int, kind_column},
    write::WriteTx,
};
use crate::{clock::now, content};

/// What the counts of folders become, kept until the end of an operation.
#[derive(Default)]
struct Deltas(BTreeMap<i64, Delta>);

impl Deltas {
    fn count(&mut self, row: &MessageRow, sign: i64) {
        self.0.entry(row.folder).or_default().count(row, sign);
    }

    fn apply(self, tx: &mut WriteTx<'_>) -> StoreResult<()> {
        self.0.into_iter().try_for_each(|(folder, delta)| tx.apply(folder, delta))
    }
}

/// How a message left a folder.
#[derive(Clone, Copy)]
enum Left {
    Deleted,
    Moved,
}

impl WriteTx<'_> {
    /// Checks that messages may be put into a folder.
    fn check_target(&self, folder: FolderId) -> StoreResult<()> {
        let row = FolderRow::find(self.sql, folder, false)?;
        if row.kind == folders::kind_column(FolderKind::Search) {
            return Err(StoreError::Denied("a search folder holds no messages of its own"));
        }
        Ok(())
    }

    /// [`Mailbox::save_messages`](watertight_mapi::store::Mailbox::save_messages); gives back the staged values
    /// that messages own now, too.
    pub(super) fn save_messages(
        &mut self,
        messages: Vec<SaveMessage>,
    ) -> StoreResult<(Vec<MessageHead>, Vec<u64>)> {
        let mut targets = BTreeSet::new();
        for message in &messages {
            if targets.insert(message.folder) {
                self.check_target(message.folder)?;
            }
        }
        let mut deltas = Deltas::default();
        let mut adopted = Vec::new();
        let mut replaced = BTreeSet::new();
        let mut heads = Vec::with_capacity(messages.len());
        for message in messages {
            if let (Some(id), Some(_)) = (message.id, message.expected)
                && !replaced.insert(id)
            {
                return Err(StoreError::Conflict);
            }
            heads.push(self.save(message, &mut deltas, &mut adopted)?);
        }
        deltas.apply(self)?;
        self.touch();
        Ok((heads, adopted))
    }

    fn save(
        &mut self,
        save: SaveMessage,
        deltas: &mut Deltas,
        adopted: &mut Vec<u64>,
    ) -> StoreResult<MessageHead> {
        let SaveMessage { folder, id, expected, kind, read, modified, mut content } = save;
        let mut old = None;
        let id = match (id, expected) {
            (None, Some(_)) => {
                return Err(StoreError::Invalid("a new message has no last version".to_owned()));
            }
            (None, None) => MessageId(self.next_id()?),
            (Some(id), None) => {
                let given_out = crate::special::FIRST_FREE_ID..self.counters.next_id.cast_unsigned();
                if !given_out.contains(&id.0.value()) {
                    return Err(StoreError::Invalid("the id of the message was not given out".to_owned()));
                }
                if MessageRow::find(self.sql, id)?.is_some() {
                    return Err(StoreError::Exists("a message of that id".to_owned()));
                }
                // It may have been here before.
                self.sql
                    .prepare_cached("DELETE FROM tombstone WHERE folder = ? AND message = ?")
                    .and_then(|mut s| s.execute([int(folder.0), int(id.0)]))
                    .doing("saving a message")?;
                id
            }
            (Some(id), Some(expected)) => {
                let row = MessageRow::find(self.sql, id)?
                    .filter(|m| !m.deleted && m.folder == int(folder.0) && m.kind == kind_column(kind));
                let row = row.ok_or(StoreError::NotFound("message"))?;
                if row.cn != int(expected.0) {
                    return Err(StoreError::Conflict);
                }
                old = Some(row);
                id
            }
        };
        let search_key = match &old {
            Some(old) if content.props.find(tags::SEARCH_KEY).is_none() => {
                let last = changes::content(self.sql, &self.names, old.id)?;
                last.props.binary(tags::SEARCH_KEY).map(<[u8]>::to_vec)
            }
            _ => None,
        };
        let search_key = search_key.unwrap_or_else(|| content::search_key(self.core.info.repl_guid, id.0));
        content::prepare(&mut content, search_key)?;
        let row_id = int(id.0);
        let owned_before = match &old {
            Some(old) => large::owned(self.sql, old.id)?,
            None => BTreeSet::new(),
        };
        let owned = self.take_in(&mut content, &owned_before, adopted)?;

        let modified = modified.unwrap_or_else(now).0.cast_signed();
        let row = MessageRow {
            id: row_id,
            folder: int(folder.0),
            kind: kind_column(kind),
            deleted: false,
            cn: self.next_cn()?,
            read_cn: old.as_ref().and_then(|m| m.read_cn),
            read,
            created: old.as_ref().map_or(modified, |m| m.created),
            modified,
            delivered: content::delivered(&content).map_or(-1, |time| time.0.cast_signed().max(0)),
            size: content::size(&content).cast_signed(),
            attachments: !content.attachments.is_empty(),
        };
        row.put(self.sql)?;
        self.put_content(row_id, &content)?;
        for large in owned.difference(&owned_before) {
            self.sql
                .prepare_cached("INSERT INTO owner VALUES(?, ?)")
                .and_then(|mut s| s.execute([row_id, *large]))
                .doing("saving a large value")?;
        }
        for large in owned_before.difference(&owned) {
            large::disown(self.sql, row_id, *large)?;
        }
        if let Some(old) = &old {
            deltas.count(old, -1);
        }
        deltas.count(&row, 1);
        let place = Place::message(folder, id);
        self.record(if old.is_some() { Happened::Modified(place) } else { Happened::Created(place) });
        row.head(self.core.info.repl_guid)
    }

    /// Gives names their identifiers and moves long values out of line; returns the large values of the message.
    fn take_in(
        &mut self,
        content: &mut MessageContent,
        owned_before: &BTreeSet<i64>,
        adopted: &mut Vec<u64>,
    ) -> StoreResult<BTreeSet<i64>> {
        let mut owned = BTreeSet::new();
        let mut inline = content::Inline::default();
        content::visit_mut(content, &mut |prop| {
            self.resolve_name(prop)?;
            match &mut prop.value {
                PropData::Inline(value) => {
                    let Some(bytes) = inline.take_large(value) else { return Ok(()) };
                    let id = self.next_large();
                    large::insert(self.sql, id, &bytes)?;
                    owned.insert(id);
                    prop.value =
                        PropData::Large(LargeValue { id: id.cast_unsigned(), len: to_u64(bytes.len()) });
                }
                PropData::Large(value) => {
                    let id = value.id.cast_signed();
                    let large = large::find(self.sql, id)?.ok_or(StoreError::NotFound("large value"))?;
                    if large.len != value.len {
                        return Err(StoreError::Invalid("the large value has another length".to_owned()));
                    }
                    if large.instance.is_some() {
                        large::adopt(self.sql, id)?;
                        adopted.push(value.id);
                    } else if !owned_before.contains(&id) && !owned.contains(&id) {
                        return Err(StoreError::NotFound("large value"));
                    }
                    owned.insert(id);
                }
            }
            Ok(())
        })?;
        Ok(owned)
    }

    fn put_content(&mut self, id: i64, content: &MessageContent) -> StoreResult<()> {
        let data = codec::encode(content).map_err(|e| StoreError::Invalid(e.to_string()))?;
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO content VALUES(?, ?)")
            .and_then(|mut s| s.execute(params![id, data]))
            .doing("saving a message")?;
        Ok(())
    }

    /// Removes a message for good.
    fn remove(&mut self, row: &MessageRow) -> StoreResult<()> {
        for large in large::owned(self.sql, row.id)? {
            large::disown(self.sql, row.id, large)?;
        }
        self.sql
            .prepare_cached("DELETE FROM content WHERE id = ?")
            .and_then(|mut s| s.execute([row.id]))
            .doing("deleting a message")?;
        row.remove(self.sql)
    }

    fn bury(&mut self, row: &MessageRow, how: Left) -> StoreResult<()> {
        let how: i64 = match how {
            Left::Deleted => 1,
            Left::Moved => 2,
        };
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO tombstone VALUES(?, ?, ?)")
            .and_then(|mut s| s.execute([row.folder, row.id, how]))
            .doing("remembering what left a folder")?;
        Ok(())
    }

    /// [`Mailbox::delete_messages`](watertight_mapi::store::Mailbox::delete_messages).
    pub(super) fn delete_messages(
        &mut self,
        folder: FolderId,
        ids: &[MessageId],
        hard: bool,
    ) -> StoreResult<Outcome> {
        FolderRow::find(self.sql, folder, true)?;
        let mut outcome = Outcome::Complete;
        let mut deltas = Deltas::default();
        for id in ids {
            let found = MessageRow::find(self.sql, *id)?;
            let Some(mut row) = found.filter(|m| m.folder == int(folder.0) && (hard || !m.deleted)) else {
                outcome = Outcome::Partial;
                continue;
            };
            deltas.count(&row, -1);
            if !row.deleted {
                self.record(Happened::Deleted(Place::message(folder, *id)));
            }
            if hard {
                self.remove(&row)?;
                self.bury(&row, Left::Deleted)?;
            } else {
                row.deleted = true;
                row.put(self.sql)?;
                deltas.count(&row, 1);
            }
        }
        deltas.apply(self)?;
        self.touch();
        Ok(outcome)
    }

    /// Deletes everything in a folder.
    pub(super) fn empty_folder(&mut self, folder: i64, hard: bool) -> StoreResult<()> {
        let ids: Vec<i64> = self
            .sql
            .prepare_cached("SELECT id FROM message WHERE folder = ? AND (deleted = 0 OR ?)")
            .and_then(|mut s| s.query_map(params![folder, hard], |row| row.get(0))?.collect())
            .doing("emptying a folder")?;
        let mut deltas = Deltas::default();
        for id in ids {
            let Some(mut row) = MessageRow::find(self.sql, MessageId(glob(id)?))? else { continue };
            deltas.count(&row, -1);
            if hard {
                self.remove(&row)?;
            } else {
                row.deleted = true;
                row.put(self.sql)?;
                deltas.count(&row, 1);
            }
        }
        if hard {
            self.sql
                .prepare_cached("DELETE FROM tombstone WHERE folder = ?")
                .and_then(|mut s| s.execute([folder]))
                .doing("emptying a folder")?;
        }
        deltas.apply(self)
    }

    /// [`Mailbox::move_copy`](watertight_mapi::store::Mailbox::move_copy).
    pub(super) fn move_copy(&mut self, job: &MoveCopy) -> StoreResult<Vec<Option<MessageHead>>> {
        FolderRow::find(self.sql, job.from, false)?;
        self.check_target(job.to)?;
        let mut deltas = Deltas::default();
        let mut heads = Vec::with_capacity(job.ids.len());
        for id in &job.ids {
            let found = MessageRow::find(self.sql, *id)?;
            let Some(old) = found.filter(|m| m.folder == int(job.from.0) && !m.deleted) else {
                heads.push(None);
                continue;
            };
            let new = MessageRow {
                id: int(self.next_id()?),
                folder: int(job.to.0),
                cn: self.next_cn()?,
                read_cn: None,
                ..old.clone()
            };
            new.put(self.sql)?;
            deltas.count(&new, 1);
            let steps = if job.copy {
                [
                    "INSERT INTO content SELECT ?1, data FROM content WHERE id = ?2",
                    "INSERT INTO owner SELECT ?1, large FROM owner WHERE message = ?2",
                ]
            } else {
                [
                    "UPDATE content SET id = ?1 WHERE id = ?2",
                    "UPDATE owner SET message = ?1 WHERE message = ?2",
                ]
            };
            for step in steps {
                self.sql
                    .prepare_cached(step)
                    .and_then(|mut s| s.execute([new.id, old.id]))
                    .doing("moving a message")?;
            }
            if !job.copy {
                old.remove(self.sql)?;
                self.bury(&old, Left::Moved)?;
                deltas.count(&old, -1);
            }
            let head = new.head(self.core.info.repl_guid)?;
            let (to, from) = (Place::message(job.to, head.id), Place::message(job.from, *id));
            self.record(if job.copy { Happened::Copied { to, from } } else { Happened::Moved { to, from } });
            heads.push(Some(head));
        }
        deltas.apply(self)?;
        self.touch();
        Ok(heads)
    }

    /// [`Mailbox::set_status`](watertight_mapi::store::Mailbox::set_status).
    pub(super) fn set_status(
        &mut self,
        folder: FolderId,
        id: MessageId,
        status: u32,
        mask: u32,
    ) -> StoreResult<u32> {
        let found = MessageRow::find(self.sql, id)?.filter(|m| m.folder == int(folder.0) && !m.deleted);
        let mut row = found.ok_or(StoreError::NotFound("message"))?;
        let mut content = changes::content(self.sql, &self.names, row.id)?;
        let old = content.props.int(tags::MESSAGE_STATUS).unwrap_or(0).cast_unsigned();
        let new = (old & !mask) | (status & mask);
        if new != old {
            let mut deltas = Deltas::default();
            deltas.count(&row, -1);
            content.props.set(tags::MESSAGE_STATUS, new.cast_signed());
            row.size = content::size(&content).cast_signed();
            row.put(self.sql)?;
            self.put_content(row.id, &content)?;
            deltas.count(&row, 1);
            deltas.apply(self)?;
            self.record(Happened::Modified(Place::message(folder, id)));
            self.touch();
        }
        Ok(old)
    }

    /// [`Mailbox::set_read`](watertight_mapi::store::Mailbox::set_read).
    pub(super) fn set_read(&mut self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32> {
        FolderRow::find(self.sql, folder, false)?;
        let ids: Vec<MessageId> = if ids.is_empty() {
            let all: Vec<i64> = self
                .sql
                .prepare_cached(
                    "SELECT id FROM message WHERE folder = ? AND kind = 0 AND deleted = 0 AND read <> ? ORDER BY id",
                )
                .and_then(|mut s| s.query_map(params![int(folder.0), read], |row| row.get(0))?.collect())
                .doing("looking into a folder")?;
            all.into_iter().map(|id| glob(id).map(MessageId)).collect::<StoreResult<_>>()?
        } else {
            ids.to_vec()
        };
        let mut deltas = Deltas::default();
        let mut changed: u32 = 0;
        for id in ids {
            let found = MessageRow::find(self.sql, id)?;
            let normal = kind_column(ItemKind::Normal);
            let Some(mut row) = found
                .filter(|m| m.folder == int(folder.0) && m.kind == normal && !m.deleted && m.read != read)
            else {
                continue;
            };
            deltas.count(&row, -1);
            row.read = read;
            row.read_cn = Some(self.next_cn()?);
            row.put(self.sql)?;
            deltas.count(&row, 1);
            changed = changed.saturating_add(1);
            self.record(Happened::Modified(Place::message(folder, id)));
        }
        if changed > 0 {
            deltas.apply(self)?;
            self.touch();
        }
        Ok(changed)
    }
}
