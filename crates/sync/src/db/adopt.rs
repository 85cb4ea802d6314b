//! What an adoption knows: the files that are here and the messages that the server offers.

use rusqlite::{Row, params};

use super::{Tx, number};
use crate::{Flags, GlobalId};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS known (
    path BLOB PRIMARY KEY, folder TEXT NOT NULL, fresh INTEGER NOT NULL, flags INTEGER NOT NULL, size INTEGER NOT NULL,
    key TEXT NOT NULL, subject TEXT NOT NULL, submitted INTEGER, digest BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS known_key ON known (key);
CREATE INDEX IF NOT EXISTS known_digest ON known (digest);
CREATE TABLE IF NOT EXISTS candidate (
    folder INTEGER NOT NULL, replica INTEGER NOT NULL, counter INTEGER NOT NULL,
    cn_replica INTEGER NOT NULL, cn INTEGER NOT NULL, seconds INTEGER NOT NULL, flags INTEGER NOT NULL,
    search_key BLOB NOT NULL, size INTEGER NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL, submitted INTEGER,
    PRIMARY KEY (folder, replica, counter)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS candidate_key ON candidate (folder, key);
";

/// A file of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// In the Maildir.
    pub(crate) path: Vec<u8>,
    pub(crate) folder: String,
    pub(crate) fresh: bool,
    pub(crate) flags: Flags,
    pub(crate) size: u64,
    pub(crate) key: String,
    pub(crate) subject: String,
    pub(crate) submitted: Option<i64>,
}

/// A message that the server has and that is not here under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) mid: GlobalId,
    pub(crate) cn: GlobalId,
    pub(crate) seconds: i64,
    pub(crate) flags: Flags,
    pub(crate) search_key: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) key: String,
    pub(crate) subject: String,
    pub(crate) submitted: Option<i64>,
}

const KNOWN: &str = "path, folder, fresh, flags, size, key, subject, submitted";

fn known_row(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        path: row.get(0)?,
        folder: row.get(1)?,
        fresh: row.get(2)?,
        flags: Flags::from_i64(row.get(3)?),
        size: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        key: row.get(5)?,
        subject: row.get(6)?,
        submitted: row.get(7)?,
    })
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Tx<'_> {
    pub(crate) fn clear_adoption(&self) -> rusqlite::Result<()> {
        self.tx.execute_batch("DELETE FROM known; DELETE FROM candidate")
    }

    pub(crate) fn put_known(&self, m: &Known) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO known ({KNOWN}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"
            ))?
            .execute(params![
                m.path,
                m.folder,
                m.fresh,
                m.flags.to_i64(),
                signed(m.size),
                m.key,
                m.subject,
                m.submitted
            ])
            .map(drop)
    }

    pub(crate) fn put_candidate(&mut self, folder: i64, m: &Candidate) -> rusqlite::Result<()> {
        let (replica, cn_replica) = (self.replica(m.mid.replica)?, self.replica(m.cn.replica)?);
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO candidate VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
            )?
            .execute(params![
                folder,
                replica,
                number(m.mid.counter),
                cn_replica,
                number(m.cn.counter),
                m.seconds,
                m.flags.to_i64(),
                m.search_key,
                signed(m.size),
                m.key,
                m.subject,
                m.submitted
            ])
            .map(drop)
    }

    /// Keys that a folder's candidates and files (of a folder, or of any) have in common, in their order.
    pub(crate) fn shared_keys(
        &self,
        folder: i64,
        of: Option<&str>,
        after: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<String>> {
        let mut stmt = self.tx.prepare_cached(
            "SELECT DISTINCT c.key FROM candidate c WHERE c.folder=?1 AND c.key>?3 AND EXISTS
                (SELECT 1 FROM known k WHERE k.key=c.key AND (?2 IS NULL OR k.folder=?2))
             ORDER BY c.key LIMIT ?4",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        stmt.query_map(params![folder, of, after, limit], |r| r.get(0))?.collect()
    }

    pub(crate) fn candidates(&self, folder: i64, key: &str) -> rusqlite::Result<Vec<Candidate>> {
        let mut stmt = self.tx.prepare_cached(
            "SELECT replica, counter, cn_replica, cn, seconds, flags, search_key, size, key, subject, submitted
             FROM candidate WHERE folder=?1 AND key=?2",
        )?;
        let mut rows = stmt.query(params![folder, key])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(Candidate {
                mid: self.id(row, 0)?,
                cn: self.id(row, 2)?,
                seconds: row.get(4)?,
                flags: Flags::from_i64(row.get(5)?),
                search_key: row.get(6)?,
                size: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
                key: row.get(8)?,
                subject: row.get(9)?,
                submitted: row.get(10)?,
            });
        }
        Ok(out)
    }

    pub(crate) fn known(&self, folder: Option<&str>, key: &str) -> rusqlite::Result<Vec<Known>> {
        let mut stmt = self.tx.prepare_cached(&format!(
            "SELECT {KNOWN} FROM known WHERE key=?2 AND (?1 IS NULL OR folder=?1) ORDER BY path"
        ))?;
        stmt.query_map(params![folder, key], known_row)?.collect()
    }

    /// A file with that digest; of several one of the folder, and of those one with these flags (a reader's keywords
    /// do not count).
    pub(crate) fn known_by_digest(
        &self,
        digest: &[u8],
        folder: &str,
        flags: Flags,
    ) -> rusqlite::Result<Option<Known>> {
        let mut stmt = self.tx.prepare_cached(&format!(
            "SELECT {KNOWN} FROM known WHERE digest=?1 ORDER BY folder<>?2, path"
        ))?;
        let mut first = None;
        for file in stmt.query_map(params![digest, folder], known_row)? {
            let file = file?;
            let here = file.folder == folder;
            if here && file.flags.without(file.flags.keywords()) == flags {
                return Ok(Some(file));
            }
            first = first.or(Some(file));
        }
        Ok(first)
    }

    pub(crate) fn remove_candidate(&mut self, folder: i64, mid: GlobalId) -> rusqlite::Result<()> {
        let replica = self.replica(mid.replica)?;
        self.tx
            .prepare_cached("DELETE FROM candidate WHERE folder=?1 AND replica=?2 AND counter=?3")?
            .execute(params![folder, replica, number(mid.counter)])
            .map(drop)
    }

    pub(crate) fn remove_known(&self, path: &[u8]) -> rusqlite::Result<()> {
        self.tx.prepare_cached("DELETE FROM known WHERE path=?1")?.execute([path]).map(drop)
    }

    /// Paths behind `after` of files that have no digest yet.
    pub(crate) fn without_digest(&self, after: &[u8], limit: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
        let mut stmt = self.tx.prepare_cached(
            "SELECT path FROM known WHERE path>?1 AND digest IS NULL ORDER BY path LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        stmt.query_map(params![after, limit], |r| r.get(0))?.collect()
    }

    pub(crate) fn set_digest(&self, path: &[u8], digest: &[u8]) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached("UPDATE known SET digest=?2 WHERE path=?1")?
            .execute(params![path, digest])
            .map(drop)
    }

    /// Paths behind `after`, each with its folder.
    pub(crate) fn known_page(&self, after: &[u8], limit: usize) -> rusqlite::Result<Vec<(Vec<u8>, String)>> {
        let mut stmt =
            self.tx.prepare_cached("SELECT path, folder FROM known WHERE path>?1 ORDER BY path LIMIT ?2")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        stmt.query_map(params![after, limit], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
    }
}
