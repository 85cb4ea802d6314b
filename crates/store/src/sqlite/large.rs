//! Values of more than 64 KiB, in parts.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use watertight_mapi::store::{StoreError, StoreResult};
use watertight_wire::to_u64;

use super::{
    checksum::Sum,
    error::{Doing, corrupt},
    instance::Instance,
    write::WriteTx,
};

/// Bytes of a part: what a reader asks for at a time.
pub(super) const PART: u64 = 64 * 1024;
/// Bytes by which a value grows in one transaction.
const STEP: u64 = 4 * 1024 * 1024;
/// The number of parts that an id has room for.
const PARTS: i64 = 1 << 24;
/// The most bytes of a value: what the 32-bit lengths of properties can say.
const MOST: u64 = 0x7FFF_FFFF;

/// The row of a large value.
pub(super) struct Large {
    pub(super) len: u64,
    /// Who is still writing it.
    pub(super) instance: Option<i64>,
}

/// The value of that number.
pub(super) fn find(sql: &Connection, id: i64) -> StoreResult<Option<Large>> {
    sql.prepare_cached("SELECT len, instance FROM large WHERE id = ?")
        .and_then(|mut s| {
            s.query_row([id], |row| {
                Ok(Large { len: row.get::<_, i64>(0)?.cast_unsigned(), instance: row.get(1)? })
            })
            .optional()
        })
        .doing("looking for a large value")
}

/// Writes a whole value that a message is about to own.
pub(super) fn insert(sql: &Connection, id: i64, bytes: &[u8]) -> StoreResult<()> {
    put_row(sql, id, to_u64(bytes.len()), None)?;
    let part_len = usize::try_from(PART).unwrap_or(usize::MAX);
    bytes.chunks(part_len).zip(0..).try_for_each(|(part, n)| put_part(sql, id, n, part))
}

/// Makes a staged value one that a message owns.
pub(super) fn adopt(sql: &Connection, id: i64) -> StoreResult<()> {
    sql.prepare_cached("UPDATE large SET instance = NULL WHERE id = ?")
        .and_then(|mut s| s.execute([id]))
        .doing("saving a large value")?;
    Ok(())
}

/// The values that a message owns.
pub(super) fn owned(sql: &Connection, message: i64) -> StoreResult<BTreeSet<i64>> {
    sql.prepare_cached("SELECT large FROM owner WHERE message = ?")
        .and_then(|mut s| s.query_map([message], |row| row.get(0))?.collect())
        .doing("looking for large values")
}

/// Takes a value from a message; it is removed with its last owner.
pub(super) fn disown(sql: &Connection, message: i64, large: i64) -> StoreResult<()> {
    let left: bool = sql
        .prepare_cached("DELETE FROM owner WHERE message = ? AND large = ?")
        .and_then(|mut s| s.execute([message, large]))
        .and_then(|_| sql.prepare_cached("SELECT EXISTS(SELECT 1 FROM owner WHERE large = ?)"))
        .and_then(|mut s| s.query_row([large], |row| row.get(0)))
        .doing("removing a large value")?;
    if left { Ok(()) } else { remove(sql, large) }
}

fn remove(sql: &Connection, id: i64) -> StoreResult<()> {
    drop_parts(sql, id, 0)?;
    sql.prepare_cached("DELETE FROM large WHERE id = ?")
        .and_then(|mut s| s.execute([id]))
        .doing("removing a large value")?;
    Ok(())
}

/// Up to `len` bytes from `offset`.
pub(super) fn read(sql: &Connection, id: i64, offset: u64, len: usize) -> StoreResult<Vec<u8>> {
    let large = find(sql, id)?.ok_or(StoreError::NotFound("large value"))?;
    let end = offset.saturating_add(to_u64(len)).min(large.len);
    let Some(wanted) = end.checked_sub(offset).filter(|n| *n > 0) else { return Ok(Vec::new()) };
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    let (first, last) = (offset / PART, end.saturating_sub(1) / PART);
    let mut statement = sql
        .prepare_cached("SELECT id, sum, data FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id")
        .doing("reading a large value")?;
    let mut rows = statement.query([part_id(id, first), part_id(id, last)]).doing("reading a large value")?;
    for n in first..=last {
        let row = rows.next().doing("reading a large value")?.ok_or_else(|| damaged(id))?;
        let part = checked(id, n, row)?;
        let from = offset.saturating_sub(n.saturating_mul(PART));
        let to = end.saturating_sub(n.saturating_mul(PART)).min(PART);
        let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
        bytes.extend_from_slice(part.get(range).ok_or_else(|| damaged(id))?);
    }
    Ok(bytes)
}

/// Reads all parts of a value; returns how many there are.
pub(super) fn verify(sql: &Connection, id: i64) -> StoreResult<u64> {
    let large = find(sql, id)?.ok_or(StoreError::NotFound("large value"))?;
    let mut statement = sql
        .prepare_cached("SELECT id, sum, data FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id")
        .doing("reading a large value")?;
    let last = part_id(id, PARTS.cast_unsigned().saturating_sub(1));
    let mut rows = statement.query([part_id(id, 0), last]).doing("reading a large value")?;
    let (mut count, mut len) = (0_u64, 0_u64);
    while let Some(row) = rows.next().doing("reading a large value")? {
        if len != count.saturating_mul(PART) {
            return Err(damaged(id));
        }
        len = len.saturating_add(to_u64(checked(id, count, row)?.len()));
        count = count.saturating_add(1);
    }
    if len == large.len { Ok(count) } else { Err(damaged(id)) }
}

/// The bytes of a part's row (id, sum, data), when they are what was written.
fn checked<'a>(id: i64, n: u64, row: &'a rusqlite::Row<'_>) -> StoreResult<&'a [u8]> {
    let columns = || -> rusqlite::Result<(i64, i64)> { Ok((row.get(0)?, row.get(1)?)) };
    let (at, sum) = columns().doing("reading a large value")?;
    let part = row.get_ref(2).doing("reading a large value")?;
    let part = part.as_blob().map_err(|_| damaged(id))?;
    if at == part_id(id, n) && sum == part_sum(at, part) { Ok(part) } else { Err(damaged(id)) }
}

fn damaged(id: i64) -> StoreError {
    corrupt(format!("the large value {id} does not fit its checksum"))
}

fn part_id(id: i64, n: u64) -> i64 {
    id.saturating_mul(PARTS).saturating_add(n.cast_signed())
}

fn part_sum(id: i64, bytes: &[u8]) -> i64 {
    Sum::new(5).number(id).bytes(bytes).finish()
}

fn put_row(sql: &Connection, id: i64, len: u64, instance: Option<i64>) -> StoreResult<()> {
    sql.prepare_cached("INSERT OR REPLACE INTO large VALUES(?, ?, ?)")
        .and_then(|mut s| s.execute(params![id, len.cast_signed(), instance]))
        .doing("writing a large value")?;
    Ok(())
}

fn put_part(sql: &Connection, id: i64, n: u64, bytes: &[u8]) -> StoreResult<()> {
    let at = part_id(id, n);
    sql.prepare_cached("INSERT OR REPLACE INTO chunk VALUES(?, ?, ?)")
        .and_then(|mut s| s.execute(params![at, part_sum(at, bytes), bytes]))
        .doing("writing a large value")?;
    Ok(())
}

/// Removes the parts from that number on.
fn drop_parts(sql: &Connection, id: i64, from: u64) -> StoreResult<()> {
    let last = part_id(id, PARTS.cast_unsigned().saturating_sub(1));
    sql.prepare_cached("DELETE FROM chunk WHERE id BETWEEN ? AND ?")
        .and_then(|mut s| s.execute([part_id(id, from), last]))
        .doing("removing a large value")?;
    Ok(())
}

/// Removes what opened stores that are gone have staged.
pub(super) fn remove_orphans(sql: &Connection, instance: &Instance) -> StoreResult<()> {
    let owners: Vec<i64> = sql
        .prepare("SELECT DISTINCT instance FROM large WHERE instance IS NOT NULL")
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .doing("looking for staged values")?;
    for owner in owners {
        if instance.is_live(owner)? {
            continue;
        }
        let transaction = rusqlite::Transaction::new_unchecked(sql, rusqlite::TransactionBehavior::Immediate)
            .doing("removing staged values")?;
        let ids: Vec<i64> = transaction
            .prepare("SELECT id FROM large WHERE instance = ?")
            .and_then(|mut s| s.query_map([owner], |row| row.get(0))?.collect())
            .doing("removing staged values")?;
        ids.into_iter().try_for_each(|id| remove(&transaction, id))?;
        transaction.commit().doing("removing staged values")?;
    }
    Ok(())
}

impl WriteTx<'_> {
    /// [`Mailbox::create_large`](watertight_mapi::store::Mailbox::create_large).
    pub(super) fn create_large(&mut self) -> StoreResult<u64> {
        let id = self.next_large();
        put_row(self.sql, id, 0, Some(self.core.instance))?;
        Ok(id.cast_unsigned())
    }

    fn staged(&self, id: i64) -> StoreResult<Large> {
        let large = find(self.sql, id)?.filter(|l| l.instance.is_some());
        large.ok_or(StoreError::NotFound("large value"))
    }

    /// [`Mailbox::write_large`](watertight_mapi::store::Mailbox::write_large).
    pub(super) fn write_large(&mut self, id: i64, offset: u64, bytes: &[u8]) -> StoreResult<u64> {
        let large = self.staged(id)?;
        if offset > large.len {
            return Err(StoreError::Invalid("a gap in a large value".to_owned()));
        }
        let end = offset.saturating_add(to_u64(bytes.len()));
        if end > MOST {
            return Err(StoreError::Full("a value has at most 2 GiB".to_owned()));
        }
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let (n, within) = (at / PART, at % PART);
            let room = usize::try_from(PART.saturating_sub(within)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            let start = usize::try_from(within).unwrap_or(usize::MAX);
            let part_end = n.saturating_add(1).saturating_mul(PART).min(large.len);
            let part_len = part_end.saturating_sub(n.saturating_mul(PART));
            let mut part = if part_len == 0 || (within == 0 && to_u64(now.len()) >= part_len) {
                Vec::new()
            } else {
                let part_len = usize::try_from(part_len).unwrap_or(usize::MAX);
                read(self.sql, id, n.saturating_mul(PART), part_len)?
            };
            let stop = start.saturating_add(now.len()).min(part.len());
            part.splice(start.min(stop)..stop, now.iter().copied());
            put_part(self.sql, id, n, &part)?;
            at = at.saturating_add(to_u64(now.len()));
            rest = later;
        }
        let len = end.max(large.len);
        put_row(self.sql, id, len, large.instance)?;
        Ok(len)
    }

    /// A step of [`Mailbox::resize_large`](watertight_mapi::store::Mailbox::resize_large); says whether it was the
    /// last. Others have their turn between the steps.
    pub(super) fn resize_large(&mut self, id: i64, len: u64) -> StoreResult<bool> {
        let large = self.staged(id)?;
        if len > MOST {
            return Err(StoreError::Full("a value has at most 2 GiB".to_owned()));
        }
        let (wanted, len) = (len, len.min(large.len.saturating_add(STEP)));
        let zeros = vec![0; usize::try_from(PART).unwrap_or(0)];
        let mut at = large.len;
        while at < len {
            let step = PART.saturating_sub(at % PART).min(len.saturating_sub(at));
            let zeros = zeros.get(..usize::try_from(step).unwrap_or(0)).unwrap_or_default();
            at = self.write_large(id, at, zeros)?;
        }
        if len < large.len {
            let (n, within) = (len / PART, usize::try_from(len % PART).unwrap_or(0));
            let last = read(self.sql, id, n.saturating_mul(PART), within)?;
            drop_parts(self.sql, id, n)?;
            if within > 0 {
                put_part(self.sql, id, n, &last)?;
            }
            put_row(self.sql, id, len, large.instance)?;
        }
        Ok(len == wanted)
    }

    /// [`Mailbox::discard_large`](watertight_mapi::store::Mailbox::discard_large).
    pub(super) fn discard_large(&mut self, id: i64) -> StoreResult<()> {
        match find(self.sql, id)? {
            Some(Large { instance: Some(_), .. }) => remove(self.sql, id),
            _ => Ok(()),
        }
    }
}
