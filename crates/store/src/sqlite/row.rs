//! The row of a message.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use watertight_mapi::{
    GlobCnt,
    ics::{PredecessorChangeList, Xid},
    store::{ChangeNumber, FolderId, ItemKind, MessageHead, MessageId, StoreError, StoreResult},
};
use watertight_wire::{FileTime, Guid};

use super::{
    checksum::Sum,
    error::{Doing, corrupt},
};

/// The columns of [`MessageRow`], in its order, of a table called `m`.
pub(super) const COLUMNS: &str = "m.id, m.folder, m.kind, m.deleted, m.cn, m.read_cn, m.read, m.created, m.modified, \
                                  m.delivered, m.size, m.attachments, m.sum";
/// How many they are.
pub(super) const COLUMN_COUNT: usize = 13;

/// A message as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MessageRow {
    pub(super) id: i64,
    pub(super) folder: i64,
    pub(super) kind: i64,
    pub(super) deleted: bool,
    pub(super) cn: i64,
    pub(super) read_cn: Option<i64>,
    pub(super) read: bool,
    pub(super) created: i64,
    pub(super) modified: i64,
    /// -1 where it has none.
    pub(super) delivered: i64,
    pub(super) size: i64,
    pub(super) attachments: bool,
}

/// What an index says of a row.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    pub(super) folder: FolderId,
    pub(super) kind: ItemKind,
    pub(super) deleted: bool,
    pub(super) cn: i64,
}

impl MessageRow {
    /// From the first columns of a row.
    pub(super) fn take(row: &Row<'_>) -> StoreResult<Self> {
        Self::take_from(row, 0)
    }

    /// From the columns of a row that start at `first`.
    pub(super) fn take_from(row: &Row<'_>, first: usize) -> StoreResult<Self> {
        let at = |n: usize| first.saturating_add(n);
        let read = || -> rusqlite::Result<(Self, i64)> {
            let this = Self {
                id: row.get(at(0))?,
                folder: row.get(at(1))?,
                kind: row.get(at(2))?,
                deleted: row.get(at(3))?,
                cn: row.get(at(4))?,
                read_cn: row.get(at(5))?,
                read: row.get(at(6))?,
                created: row.get(at(7))?,
                modified: row.get(at(8))?,
                delivered: row.get(at(9))?,
                size: row.get(at(10))?,
                attachments: row.get(at(11))?,
            };
            Ok((this, row.get(at(12))?))
        };
        let (this, stored) = read().doing("reading the row of a message")?;
        if stored != this.sum() {
            return Err(corrupt(format!("the row of message {:#x} does not fit its checksum", this.id)));
        }
        Ok(this)
    }

    /// As [`take_from`](Self::take_from), for a list: of a damaged row, which message it is. Whoever reads that message
    /// is told of the damage.
    pub(super) fn listed(row: &Row<'_>, first: usize, of: Listed) -> StoreResult<Self> {
        match Self::take_from(row, first) {
            Err(StoreError::Corrupt(_)) => {
                Ok(Self::lost(row.get(first).doing("reading the row of a message")?, of))
            }
            other => other,
        }
    }

    /// The row of a message of which nothing else is known.
    pub(super) fn lost(id: i64, of: Listed) -> Self {
        Self {
            id,
            folder: int(of.folder.0),
            kind: kind_column(of.kind),
            deleted: of.deleted,
            cn: of.cn,
            read_cn: None,
            read: false,
            created: 0,
            modified: 0,
            delivered: -1,
            size: 0,
            attachments: false,
        }
    }

    fn sum(&self) -> i64 {
        Sum::new(3)
            .number(self.id)
            .number(self.folder)
            .number(self.kind)
            .number(i64::from(self.deleted))
            .number(self.cn)
            .number(self.read_cn.unwrap_or(-1))
            .number(i64::from(self.read))
            .number(self.created)
            .number(self.modified)
            .number(self.delivered)
            .number(self.size)
            .number(i64::from(self.attachments))
            .finish()
    }

    /// The message of that id.
    pub(super) fn find(sql: &Connection, id: MessageId) -> StoreResult<Option<Self>> {
        let text = find_by_id();
        let mut statement = sql.prepare_cached(&text).doing("finding a message")?;
        let found = statement.query_row([int(id.0)], |row| Ok(Self::take(row))).optional();
        found.doing("finding a message")?.transpose()
    }

    /// Writes the row, in place of the one with its id.
    pub(super) fn put(&self, sql: &Connection) -> StoreResult<()> {
        let sum = self.sum();
        let values: [&dyn ToSql; COLUMN_COUNT] = [
            &self.id,
            &self.folder,
            &self.kind,
            &self.deleted,
            &self.cn,
            &self.read_cn,
            &self.read,
            &self.created,
            &self.modified,
            &self.delivered,
            &self.size,
            &self.attachments,
            &sum,
        ];
        sql.prepare_cached("INSERT OR REPLACE INTO message VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .and_then(|mut s| s.execute(values))
            .doing("writing the row of a message")?;
        Ok(())
    }

    /// Removes the row.
    pub(super) fn remove(&self, sql: &Connection) -> StoreResult<()> {
        sql.prepare_cached("DELETE FROM message WHERE id = ?")
            .and_then(|mut s| s.execute(params![self.id]))
            .doing("removing the row of a message")?;
        Ok(())
    }

    /// What is known of the message.
    pub(super) fn head(&self, repl_guid: Guid) -> StoreResult<MessageHead> {
        let cn = glob(self.cn)?;
        let change_key = Xid::from_counter(repl_guid, cn);
        Ok(MessageHead {
            id: MessageId(glob(self.id)?),
            folder: FolderId(glob(self.folder)?),
            kind: kind(self.kind)?,
            change_number: ChangeNumber(cn),
            read_change_number: self.read_cn.map(glob).transpose()?.map(ChangeNumber),
            read: self.read,
            deleted: self.deleted,
            predecessors: PredecessorChangeList::of(change_key.clone()),
            change_key,
            created: FileTime(self.created.cast_unsigned()),
            modified: FileTime(self.modified.cast_unsigned()),
            delivered: u64::try_from(self.delivered).ok().map(FileTime),
            size: self.size.cast_unsigned(),
            has_attachments: self.attachments,
        })
    }
}

fn find_by_id() -> String {
    format!("SELECT {COLUMNS} FROM message m WHERE m.id = ?")
}

/// A counter as a column holds it.
pub(super) fn int(counter: GlobCnt) -> i64 {
    counter.value().cast_signed()
}

/// The counter of a column.
pub(super) fn glob(value: i64) -> StoreResult<GlobCnt> {
    GlobCnt::new(value.cast_unsigned()).ok_or_else(|| corrupt(format!("{value:#x} is not a counter")))
}

/// A kind as a column holds it.
pub(super) fn kind_column(kind: ItemKind) -> i64 {
    match kind {
        ItemKind::Normal => 0,
        ItemKind::Associated => 1,
    }
}

fn kind(column: i64) -> StoreResult<ItemKind> {
    match column {
        0 => Ok(ItemKind::Normal),
        1 => Ok(ItemKind::Associated),
        other => Err(corrupt(format!("a message of kind {other}"))),
    }
}
