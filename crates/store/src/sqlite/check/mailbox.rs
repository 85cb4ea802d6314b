//! Looking for damage in the file of a mailbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::Connection;
use watertight_ledger::Kind;
use watertight_mapi::{
    prop::PropData,
    store::{MailboxKind, SpecialFolder, StoreResult},
};

use super::{CheckReport, integrity};
use crate::{
    content,
    names::Names,
    special,
    sqlite::{
        codec,
        directory::Listed,
        error::Doing,
        folders::{self, Delta},
        large, meta,
        row::{COLUMN_COUNT, COLUMNS, MessageRow, int},
        schema::{Access, MAILBOX},
    },
};

/// A check of one mailbox, in one snapshot.
struct Check<'a> {
    sql: &'a Connection,
    file: &'a str,
    kind: MailboxKind,
    names: Names,
    report: &'a mut CheckReport,
    /// What each folder holds, counted.
    counted: BTreeMap<i64, Delta>,
    /// The large values of all messages.
    owned: BTreeSet<(i64, i64)>,
    highest_id: i64,
    highest_cn: i64,
}

pub(super) fn check(
    path: &Path,
    file: &str,
    known: Option<&Listed>,
    kind: &Kind,
    report: &mut CheckReport,
) -> StoreResult<()> {
    let conn = MAILBOX.open(path, Access::Read, kind)?;
    let snapshot = conn.sql.unchecked_transaction().doing("checking a mailbox")?;
    report.mailboxes = report.mailboxes.saturating_add(1);
    integrity(&snapshot, file, report)?;
    let info = meta::read(&snapshot)?;
    if let Some(known) = known
        && (info.mailbox_guid, &info.legacy_dn) != (known.guid, &known.legacy_dn)
    {
        report.damaged(file, format!("it is that of {}, not {}", info.legacy_dn, known.what));
    }
    let mut names = Names::default();
    if let Err(error) = meta::more_names(&snapshot, &mut names) {
        report.damaged(file, error);
    }
    let mut check = Check {
        sql: &snapshot,
        file,
        kind: info.kind,
        names,
        report,
        counted: BTreeMap::new(),
        owned: BTreeSet::new(),
        highest_id: 0,
        highest_cn: 0,
    };
    for part in [Check::messages, Check::owners, Check::folders, Check::large_values, Check::counters] {
        if let Err(error) = part(&mut check) {
            check.damaged(error);
        }
    }
    Ok(())
}

impl Check<'_> {
    fn damaged(&mut self, what: impl std::fmt::Display) {
        self.report.damaged(self.file, what);
    }

    fn seen(&mut self, id: i64, cn: i64) {
        self.highest_id = self.highest_id.max(id);
        self.highest_cn = self.highest_cn.max(cn);
    }

    fn messages(&mut self) -> StoreResult<()> {
        let sql = self.sql;
        let text = format!("SELECT {COLUMNS}, c.data FROM message m LEFT JOIN content c ON c.id = m.id");
        let mut statement = sql.prepare(&text).doing("checking messages")?;
        let mut rows = statement.query([]).doing("checking messages")?;
        while let Some(row) = rows.next().doing("checking messages")? {
            if let Err(error) = self.message(row) {
                self.damaged(error);
            }
        }
        let lost: i64 = sql
            .query_row("SELECT count(*) FROM content WHERE id NOT IN (SELECT id FROM message)", [], |r| {
                r.get(0)
            })
            .doing("checking messages")?;
        if lost > 0 {
            self.damaged(format!("{lost} contents belong to no message"));
        }
        Ok(())
    }

    fn message(&mut self, row: &rusqlite::Row<'_>) -> StoreResult<()> {
        let head = MessageRow::take(row)?;
        self.report.messages = self.report.messages.saturating_add(1);
        self.seen(head.id, head.cn.max(head.read_cn.unwrap_or(0)));
        self.counted.entry(head.folder).or_default().count(&head, 1);
        if !head.deleted {
            self.report.bytes = self.report.bytes.saturating_add(head.size.cast_unsigned());
        }
        let data = row.get_ref(COLUMN_COUNT).doing("checking a message")?;
        let Ok(data) = data.as_blob() else {
            self.damaged(format!("message {:#x} has no content", head.id));
            return Ok(());
        };
        let found = codec::decode(data, &self.names).doing(&format!("message {:#x}", head.id))?;
        if content::size(&found) != head.size.cast_unsigned()
            || head.attachments == found.attachments.is_empty()
        {
            self.damaged(format!("the row of message {:#x} does not fit its content", head.id));
        }
        content::visit(&found, &mut |prop| {
            if let PropData::Large(value) = &prop.value {
                self.owned.insert((head.id, value.id.cast_signed()));
                let there = large::find(self.sql, value.id.cast_signed())?;
                if !there.is_some_and(|there| there.len == value.len && there.instance.is_none()) {
                    self.damaged(format!("large value {} of message {:#x} is not there", value.id, head.id));
                }
            }
            Ok(())
        })
    }

    fn owners(&mut self) -> StoreResult<()> {
        let stored: BTreeSet<(i64, i64)> = self
            .sql
            .prepare("SELECT message, large FROM owner")
            .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .doing("checking large values")?;
        let differ: Vec<_> = stored.symmetric_difference(&self.owned).copied().collect();
        for (message, large) in differ {
            self.damaged(format!("message {message:#x} and its list of large values differ about {large}"));
        }
        Ok(())
    }

    fn folders(&mut self) -> StoreResult<()> {
        let sql = self.sql;
        let mut count: usize = 0;
        for (row, stored) in folders::all(sql)? {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    self.damaged(error);
                    continue;
                }
            };
            count = count.saturating_add(1);
            self.seen(row.id, row.cn);
            if let Err(error) = codec::decode_bag(&row.props, &self.names) {
                self.damaged(format!("the properties of folder {:#x}: {error}", row.id));
            }
            let counted = self.counted.remove(&row.id).unwrap_or_default();
            if counted != stored {
                self.damaged(format!(
                    "the counts of folder {:#x}: {stored:?} instead of {counted:?}",
                    row.id
                ));
            }
        }
        self.report.folders = self.report.folders.saturating_add(watertight_wire::to_u64(count));
        let root = special::id(SpecialFolder::Root).0.value();
        let below = folders::tree(sql)?.below(root, |_| true).len();
        if below.saturating_add(1) != count {
            self.damaged(format!("{} folders are not below the root", count.saturating_sub(below)));
        }
        for &folder in SpecialFolder::all_of(self.kind) {
            let id = special::id(folder);
            if folders::FolderRow::find(sql, id, false).is_err() {
                self.damaged(format!("the folder {} ({:#x}) is not there", folder.display_name(), int(id.0)));
            }
        }
        let wrong: i64 = sql
            .query_row(
                "SELECT count(*) FROM tombstone t JOIN message m ON m.id = t.message AND m.folder = t.folder",
                [],
                |row| row.get(0),
            )
            .doing("checking what left the folders")?;
        if wrong > 0 {
            self.damaged(format!("{wrong} messages are said to have left the folder that they are in"));
        }
        Ok(())
    }

    fn large_values(&mut self) -> StoreResult<()> {
        let ids: Vec<(i64, bool)> = self
            .sql
            .prepare(
                "SELECT id, instance IS NULL AND NOT EXISTS(SELECT 1 FROM owner WHERE large = id) FROM large",
            )
            .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .doing("checking large values")?;
        let mut parts: u64 = 0;
        for (id, lost) in &ids {
            if *lost {
                self.damaged(format!("the large value {id} belongs to no message"));
            }
            match large::verify(self.sql, *id) {
                Ok(count) => parts = parts.saturating_add(count),
                Err(error) => self.damaged(error),
            }
        }
        self.report.large_values =
            self.report.large_values.saturating_add(watertight_wire::to_u64(ids.len()));
        let stored: i64 = self
            .sql
            .query_row("SELECT count(*) FROM chunk", [], |row| row.get(0))
            .doing("checking large values")?;
        if stored.cast_unsigned() != parts && self.report.is_sound() {
            self.damaged(format!("{stored} parts of large values are stored, {parts} belong to any"));
        }
        Ok(())
    }

    fn counters(&mut self) -> StoreResult<()> {
        // A file of an older version may lack the counter of events, which matters to nothing that is kept.
        let (next_id, next_cn, next_large, version): (i64, i64, i64, i64) = self
            .sql
            .query_row("SELECT next_id, next_cn, next_large, version FROM counter WHERE id = 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .doing("reading the counters")?;
        let (buried, large, contents): (i64, i64, i64) = self
            .sql
            .query_row(
                "SELECT (SELECT ifnull(max(message), 0) FROM tombstone), (SELECT ifnull(max(id), 0) FROM large),
                        (SELECT ifnull(max(contents_version), 0) FROM folder)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .doing("checking the counters")?;
        if next_id <= self.highest_id.max(buried)
            || next_cn <= self.highest_cn
            || next_large <= large
            || version < contents
        {
            self.damaged("a counter is not above everything that it gave out");
        }
        Ok(())
    }
}
