//! What a mailbox is asked: messages, and what changed since.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use watertight_mapi::{
    ics::GlobSet,
    store::{
        Cursor, Deleted, FolderId, ItemKind, Message, MessageContent, MessageHead, MessageId, Page,
        StoreError, StoreResult,
    },
};

use super::{
    codec,
    core::Core,
    error::{Doing, corrupt},
    folders,
    row::{COLUMN_COUNT, COLUMNS, Listed, MessageRow, glob, int, kind_column},
};
use crate::{cursor, names::Names, seen::Seen};

/// After so many entries of the seen set in a row, a scan goes to the end of the range that holds them.
const PATIENCE: u32 = 16;
/// Up to so many unseen messages are sorted in memory instead of looked up in order of delivery.
const SORTED_IN_MEMORY: usize = 4096;

/// What a message consists of.
pub(super) fn content(sql: &Connection, names: &Names, id: i64) -> StoreResult<MessageContent> {
    let mut statement =
        sql.prepare_cached("SELECT data FROM content WHERE id = ?").doing("reading a message")?;
    let mut rows = statement.query([id]).doing("reading a message")?;
    let row = rows.next().doing("reading a message")?;
    let row = row.ok_or_else(|| corrupt(format!("message {id:#x} has no content")))?;
    decode(row, 0, names, id)
}

fn decode(row: &rusqlite::Row<'_>, column: usize, names: &Names, id: i64) -> StoreResult<MessageContent> {
    let data = row.get_ref(column).doing("reading a message")?;
    let data = data.as_blob().map_err(|_| corrupt(format!("message {id:#x} has no content")))?;
    codec::decode(data, names).doing(&format!("message {id:#x}"))
}

/// The row and the content of a message.
pub(super) fn row_and_content(
    core: &Core,
    sql: &Connection,
    id: MessageId,
) -> StoreResult<Option<(MessageRow, MessageContent)>> {
    let text =
        format!("SELECT {COLUMNS}, c.data FROM message m LEFT JOIN content c ON c.id = m.id WHERE m.id = ?");
    let mut statement = sql.prepare_cached(&text).doing("reading a message")?;
    // The names after the row: then whatever the content names is among them.
    let mut rows = statement.query([int(id.0)]).doing("reading a message")?;
    let Some(row) = rows.next().doing("reading a message")? else { return Ok(None) };
    let found = MessageRow::take(row)?;
    let names = core.names(sql)?;
    let content = decode(row, COLUMN_COUNT, &names, found.id)?;
    Ok(Some((found, content)))
}

/// [`Mailbox::message`](watertight_mapi::store::Mailbox::message).
pub(super) fn message(core: &Core, sql: &Connection, id: MessageId, deleted: bool) -> StoreResult<Message> {
    let found = row_and_content(core, sql, id)?.filter(|(row, _)| deleted || !row.deleted);
    let (row, content) = found.ok_or(StoreError::NotFound("message"))?;
    Ok(Message { head: row.head(core.info.repl_guid)?, content })
}

/// [`Mailbox::message_ids`](watertight_mapi::store::Mailbox::message_ids).
pub(super) fn message_ids(
    core: &Core,
    sql: &Connection,
    folder: FolderId,
    kind: ItemKind,
) -> StoreResult<Arc<GlobSet>> {
    let version = folders::contents_version(sql, folder)?;
    let key = (int(folder.0), kind_column(kind));
    if let Some(set) = core.remembered(key, version) {
        return Ok(set);
    }
    let set = Arc::new(ids(sql, folder, kind, false)?);
    core.remember(key, version, &set);
    Ok(set)
}

fn ids(sql: &Connection, folder: FolderId, kind: ItemKind, deleted: bool) -> StoreResult<GlobSet> {
    let mut ids: Vec<i64> = sql
        .prepare_cached("SELECT id FROM message WHERE folder = ? AND kind = ? AND deleted = ?")
        .and_then(|mut s| {
            s.query_map(params![int(folder.0), kind_column(kind), deleted], |row| row.get(0))?.collect()
        })
        .doing("reading a folder")?;
    ids.sort_unstable();
    ids.into_iter().map(glob).collect()
}

/// [`Mailbox::deleted_ids`](watertight_mapi::store::Mailbox::deleted_ids).
pub(super) fn deleted_ids(
    core: &Core,
    sql: &Connection,
    folder: FolderId,
    given: &GlobSet,
) -> StoreResult<Deleted> {
    let mut left = given.clone();
    for kind in [ItemKind::Normal, ItemKind::Associated] {
        if !left.is_empty() {
            left = left.difference(&*message_ids(core, sql, folder, kind)?);
        }
    }
    let mut soft = GlobSet::new();
    for kind in [ItemKind::Normal, ItemKind::Associated] {
        if !left.is_empty() {
            let of_kind = left.intersection(&ids(sql, folder, kind, true)?);
            left = left.difference(&of_kind);
            soft.extend(&of_kind);
        }
    }
    Ok(Deleted { soft, gone: left })
}

/// Which number of a message a scan goes by.
#[derive(Clone, Copy)]
enum By {
    Change(ItemKind),
    ReadChange,
}

/// Visits the messages of a folder whose number is not in `seen`, ascending, from above `after`; `f` says whether
/// to go on.
fn scan(
    sql: &Connection,
    folder: FolderId,
    by: By,
    seen: &Seen,
    after: Option<u64>,
    columns: &str,
    f: &mut dyn FnMut(&rusqlite::Row<'_>) -> StoreResult<bool>,
) -> StoreResult<()> {
    // The number is the first column.
    let text = match by {
        By::Change(kind) => format!(
            "SELECT m.cn, {columns} FROM message m WHERE folder = ?1 AND kind = {} AND deleted = 0 AND cn > ?2 ORDER BY cn",
            kind_column(kind)
        ),
        By::ReadChange => format!(
            "SELECT m.read_cn, {columns} FROM message m INDEXED BY message_by_read
             WHERE folder = ?1 AND read_cn IS NOT NULL AND read_cn > ?2 AND kind = 0 AND deleted = 0 ORDER BY read_cn"
        ),
    };
    let mut statement = sql.prepare_cached(&text).doing("looking for changes")?;
    let mut above = after.unwrap_or(0);
    'seek: loop {
        if let Some(end) = seen.end_of(above.saturating_add(1)) {
            above = end;
        }
        let mut rows = statement.query([int(folder.0), above.cast_signed()]).doing("looking for changes")?;
        let mut skipped = 0;
        while let Some(row) = rows.next().doing("looking for changes")? {
            let number = row.get::<_, i64>(0).doing("looking for changes")?.cast_unsigned();
            match seen.end_of(number) {
                Some(end) if skipped >= PATIENCE => {
                    above = end;
                    continue 'seek;
                }
                Some(_) => skipped = skipped.saturating_add(1),
                None => {
                    skipped = 0;
                    if !f(row)? {
                        return Ok(());
                    }
                }
            }
        }
        return Ok(());
    }
}

/// [`Mailbox::changes_total`](watertight_mapi::store::Mailbox::changes_total).
pub(super) fn changes_total(
    sql: &Connection,
    folder: FolderId,
    kind: ItemKind,
    seen: &GlobSet,
) -> StoreResult<(u32, u64)> {
    folders::contents_version(sql, folder)?;
    let mut total = (0_u32, 0_u64);
    scan(sql, folder, By::Change(kind), &Seen::new(seen), None, "m.size", &mut |row| {
        let size: i64 = row.get(1).doing("adding up changes")?;
        total = (total.0.saturating_add(1), total.1.saturating_add(size.cast_unsigned()));
        Ok(true)
    })?;
    Ok(total)
}

/// A page of changes that is asked for, within a snapshot.
pub(super) struct Query<'a> {
    pub(super) core: &'a Core,
    pub(super) sql: &'a Connection,
    pub(super) folder: FolderId,
    /// At least 1.
    pub(super) limit: usize,
}

impl Query<'_> {
    /// [`Mailbox::message_changes`](watertight_mapi::store::Mailbox::message_changes).
    pub(super) fn message_changes(
        &self,
        kind: ItemKind,
        seen: &GlobSet,
        newest_first: bool,
        after: Option<&Cursor>,
    ) -> StoreResult<Page<MessageHead>> {
        folders::contents_version(self.sql, self.folder)?;
        let seen = Seen::new(seen);
        if newest_first {
            return self.newest_changes(kind, &seen, cursor::two(after)?);
        }
        self.ascending(By::Change(kind), &seen, cursor::one(after)?, |row| row.cn)
    }

    /// [`Mailbox::read_changes`](watertight_mapi::store::Mailbox::read_changes).
    pub(super) fn read_changes(
        &self,
        read: &GlobSet,
        after: Option<&Cursor>,
    ) -> StoreResult<Page<MessageHead>> {
        folders::contents_version(self.sql, self.folder)?;
        self.ascending(By::ReadChange, &Seen::new(read), cursor::one(after)?, |row| row.read_cn.unwrap_or(0))
    }

    fn ascending(
        &self,
        by: By,
        seen: &Seen,
        after: Option<u64>,
        number: impl Fn(&MessageRow) -> i64,
    ) -> StoreResult<Page<MessageHead>> {
        let mut found: Vec<MessageRow> = Vec::new();
        let mut more = false;
        scan(self.sql, self.folder, by, seen, after, COLUMNS, &mut |row| {
            more = found.len() == self.limit;
            if !more {
                let read = match by {
                    By::Change(kind) => {
                        let cn = row.get(0).doing("looking for changes")?;
                        MessageRow::listed(row, 1, self.listed(kind, cn))
                    }
                    By::ReadChange => MessageRow::take_from(row, 1),
                };
                match read {
                    // Whether a damaged message is read is not known.
                    Err(StoreError::Corrupt(_)) => {}
                    read => found.push(read?),
                }
            }
            Ok(!more)
        })?;
        let next = found.last().filter(|_| more).map(|row| cursor::numbers(&[number(row).cast_unsigned()]));
        Ok(Page { items: self.heads(&found)?, next })
    }

    fn listed(&self, kind: ItemKind, cn: i64) -> Listed {
        Listed { folder: self.folder, kind, deleted: false, cn }
    }

    fn heads(&self, rows: &[MessageRow]) -> StoreResult<Vec<MessageHead>> {
        rows.iter().map(|row| row.head(self.core.info.repl_guid)).collect()
    }

    /// Newest delivery first; what has no delivery time last. The cursor is delivery and change number of the last.
    fn newest_changes(
        &self,
        kind: ItemKind,
        seen: &Seen,
        after: Option<(u64, u64)>,
    ) -> StoreResult<Page<MessageHead>> {
        let after = after.map(|(delivered, cn)| (delivered.cast_signed(), cn.cast_signed()));
        let mut few: Vec<(i64, i64)> = Vec::new();
        scan(self.sql, self.folder, By::Change(kind), seen, None, "m.delivered", &mut |row| {
            few.push((row.get(1).doing("looking for changes")?, row.get(0).doing("looking for changes")?));
            Ok(few.len() <= SORTED_IN_MEMORY)
        })?;
        let (found, more) = if few.len() <= SORTED_IN_MEMORY {
            few.retain(|key| after.is_none_or(|after| *key < after));
            few.sort_unstable_by(|a, b| b.cmp(a));
            (self.by_change(kind, few.iter().take(self.limit).map(|(_, cn)| *cn))?, few.len() > self.limit)
        } else {
            self.by_delivery(kind, seen, after)?
        };
        let next = found.last().filter(|_| more);
        let next = next.map(|row| cursor::numbers(&[row.delivered.cast_unsigned(), row.cn.cast_unsigned()]));
        Ok(Page { items: self.heads(&found)?, next })
    }

    /// The messages of those change numbers.
    fn by_change(&self, kind: ItemKind, numbers: impl Iterator<Item = i64>) -> StoreResult<Vec<MessageRow>> {
        let text = format!(
            "SELECT {COLUMNS} FROM message m WHERE folder = ? AND kind = ? AND deleted = 0 AND cn = ?"
        );
        let mut statement = self.sql.prepare_cached(&text).doing("looking for changes")?;
        let mut found = Vec::new();
        for cn in numbers {
            let row = statement
                .query_row([int(self.folder.0), kind_column(kind), cn], |row| {
                    Ok(MessageRow::listed(row, 0, self.listed(kind, cn)))
                })
                .optional();
            found.extend(row.doing("looking for changes")?.transpose()?);
        }
        Ok(found)
    }

    /// The unseen messages in the order of their delivery, and whether there are more.
    fn by_delivery(
        &self,
        kind: ItemKind,
        seen: &Seen,
        after: Option<(i64, i64)>,
    ) -> StoreResult<(Vec<MessageRow>, bool)> {
        let text = format!(
            "SELECT {COLUMNS} FROM message m INDEXED BY message_by_delivery
             WHERE folder = ?1 AND kind = ?2 AND deleted = 0 AND delivered <= ?3
               AND (delivered < ?3 OR cn < ?4) ORDER BY delivered DESC, cn DESC"
        );
        let (delivered, cn) = after.unwrap_or((i64::MAX, i64::MAX));
        let mut statement = self.sql.prepare_cached(&text).doing("looking for changes")?;
        let mut rows = statement
            .query([int(self.folder.0), kind_column(kind), delivered, cn])
            .doing("looking for changes")?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().doing("looking for changes")? {
            let cn: i64 = row.get(4).doing("looking for changes")?;
            if seen.contains(cn.cast_unsigned()) {
                continue;
            }
            if found.len() == self.limit {
                return Ok((found, true));
            }
            found.push(MessageRow::listed(row, 0, self.listed(kind, cn))?);
        }
        Ok((found, false))
    }
}
