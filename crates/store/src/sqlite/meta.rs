//! What a mailbox is, and its named properties.

use rusqlite::{Connection, OptionalExtension, params};
use watertight_mapi::{
    PropId, PropName,
    prop::PropNameKind,
    store::{MailboxInfo, MailboxKind, StoreResult},
};
use watertight_wire::Guid;

use super::{
    checksum::Sum,
    error::{Doing, corrupt},
};
use crate::names::Names;

/// Writes what a new mailbox is.
pub(super) fn write(sql: &Connection, info: &MailboxInfo) -> StoreResult<()> {
    sql.execute(
        "INSERT INTO mailbox VALUES(1, ?, ?, ?, ?, ?, ?, ?)",
        params![
            info.mailbox_guid.to_bytes(),
            info.repl_guid.to_bytes(),
            info.display_name,
            info.legacy_dn,
            info.smtp_address,
            sum(info),
            kind_column(info.kind)
        ],
    )
    .doing("writing a mailbox's description")?;
    Ok(())
}

/// Reads what the mailbox is.
pub(super) fn read(sql: &Connection) -> StoreResult<MailboxInfo> {
    let version: u32 = sql
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .doing("reading a mailbox's description")?;
    // In older files all are mailboxes of accounts.
    let column = if version >= 3 { "kind" } else { "0" };
    let found = sql
        .query_row(
            &format!(
                "SELECT mailbox_guid, repl_guid, display_name, legacy_dn, smtp_address, sum, {column} FROM mailbox
                 WHERE id = 1"
            ),
            [],
            |row| {
                let info = MailboxInfo {
                    mailbox_guid: Guid::from_bytes(row.get(0)?),
                    repl_guid: Guid::from_bytes(row.get(1)?),
                    kind: kind(row.get(6)?),
                    display_name: row.get(2)?,
                    legacy_dn: row.get(3)?,
                    smtp_address: row.get(4)?,
                };
                Ok((info, row.get::<_, i64>(5)?))
            },
        )
        .optional()
        .doing("reading a mailbox's description")?;
    match found {
        Some((info, stored)) if stored == sum(&info) => Ok(info),
        Some(_) => Err(corrupt("the mailbox's description does not fit its checksum")),
        None => Err(corrupt("the mailbox has no description")),
    }
}

fn sum(info: &MailboxInfo) -> i64 {
    let sum = Sum::new(1)
        .bytes(&info.mailbox_guid.to_bytes())
        .bytes(&info.repl_guid.to_bytes())
        .bytes(info.display_name.as_bytes())
        .bytes(info.legacy_dn.as_bytes())
        .bytes(info.smtp_address.as_bytes());
    // Older files have sums without it.
    match info.kind {
        MailboxKind::Private => sum,
        other => sum.number(kind_column(other)),
    }
    .finish()
}

const fn kind_column(kind: MailboxKind) -> i64 {
    match kind {
        MailboxKind::Private => 0,
        MailboxKind::Archive => 1,
        MailboxKind::Public => 2,
    }
}

/// Of a column that has one of three values; the checksum speaks for it.
const fn kind(column: i64) -> MailboxKind {
    match column {
        1 => MailboxKind::Archive,
        2 => MailboxKind::Public,
        _ => MailboxKind::Private,
    }
}

/// How many names there are.
pub(super) fn count_names(sql: &Connection) -> StoreResult<usize> {
    let last: Option<i64> = sql
        .prepare_cached("SELECT max(id) FROM name")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .doing("counting names")?;
    let Some(last) = last else { return Ok(0) };
    usize::try_from(last.saturating_sub(0x7FFF))
        .map_err(|_| corrupt("a name has an identifier that none can have"))
}

/// Adds the names that are in the file and not yet known.
pub(super) fn more_names(sql: &Connection, names: &mut Names) -> StoreResult<()> {
    let next = i64::try_from(names.len()).unwrap_or(i64::MAX).saturating_add(0x8000);
    let mut statement = sql
        .prepare_cached("SELECT id, guid, lid, name, sum FROM name WHERE id >= ? ORDER BY id")
        .doing("reading names")?;
    let mut rows = statement.query([next]).doing("reading names")?;
    while let Some(row) = rows.next().doing("reading names")? {
        let (id, name, stored) = named(row).doing("reading names")?;
        let name = name.ok_or_else(|| corrupt("a named property has no name"))?;
        if stored != name_sum(id, &name) {
            return Err(corrupt(format!("the name of property {id:#x} does not fit its checksum")));
        }
        let given = names.add(name)?;
        if i64::from(given.0) != id {
            return Err(corrupt(format!("a name is missing before property {id:#x}")));
        }
    }
    Ok(())
}

fn named(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Option<PropName>, i64)> {
    let guid = Guid::from_bytes(row.get(1)?);
    let name = match (row.get::<_, Option<u32>>(2)?, row.get::<_, Option<String>>(3)?) {
        (Some(lid), None) => Some(PropName::lid(guid, lid)),
        (None, Some(name)) => Some(PropName::string(guid, name)),
        _ => None,
    };
    Ok((row.get(0)?, name, row.get(4)?))
}

/// Writes a new name.
pub(super) fn write_name(sql: &Connection, id: PropId, name: &PropName) -> StoreResult<()> {
    let (lid, text) = match &name.kind {
        PropNameKind::Lid(lid) => (Some(*lid), None),
        PropNameKind::Name(text) => (None, Some(text)),
    };
    sql.prepare_cached("INSERT INTO name VALUES(?, ?, ?, ?, ?)")
        .and_then(|mut s| {
            s.execute(params![id.0, name.guid.to_bytes(), lid, text, name_sum(i64::from(id.0), name)])
        })
        .doing("writing a name")?;
    Ok(())
}

fn name_sum(id: i64, name: &PropName) -> i64 {
    let sum = Sum::new(2).number(id).bytes(&name.guid.to_bytes());
    match &name.kind {
        PropNameKind::Lid(lid) => sum.number(i64::from(*lid)),
        PropNameKind::Name(text) => sum.bytes(text.as_bytes()),
    }
    .finish()
}
