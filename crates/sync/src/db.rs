//! The state of a Maildir: one SQLite file.
//!
//! Write-ahead log, `synchronous=NORMAL`: after power loss it may be older than the tree, never newer than what was
//! durable when a checkpoint was written, because files come first. The mark that a run is changing the tree is
//! written with `synchronous=FULL`; while it stands, every folder is compared with its directory before use.

pub(crate) mod adopt;

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use watertight_mapi::{GlobCnt, ics::State};
use watertight_wire::Guid;

use crate::{Flags, Fsync, GlobalId, SyncError, SyncResult};

/// The version of the layout below.
pub(crate) const VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE replica (id INTEGER PRIMARY KEY, guid BLOB NOT NULL UNIQUE);
CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    replica INTEGER NOT NULL, counter INTEGER NOT NULL,          -- FID
    parent_replica INTEGER NOT NULL, parent_counter INTEGER NOT NULL,
    name TEXT NOT NULL, class TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,                         -- as the server counted them when it last said so
    dir TEXT,                                                    -- where its files are now; NULL before it has one
    doomed INTEGER NOT NULL DEFAULT 0,                           -- deleted on the server
    dirty INTEGER NOT NULL DEFAULT 0,                            -- a run was cut off: adopt what is in the tree
    cur_mtime INTEGER NOT NULL DEFAULT 0, new_mtime INTEGER NOT NULL DEFAULT 0,
    state BLOB NOT NULL DEFAULT x'',                             -- ICS state of its contents
    partial INTEGER NOT NULL DEFAULT 0,                          -- a download was cut off: its messages count too
    UNIQUE (replica, counter)
);
CREATE TABLE message (
    folder INTEGER NOT NULL, replica INTEGER NOT NULL, counter INTEGER NOT NULL,   -- MID
    cn_replica INTEGER NOT NULL, cn INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    state INTEGER NOT NULL,                                      -- see Fate
    fresh INTEGER NOT NULL,                                      -- in new/
    flags INTEGER NOT NULL, server_flags INTEGER NOT NULL,
    search_key BLOB NOT NULL,
    run INTEGER NOT NULL,                                        -- the run that added it
    digest BLOB,                                                 -- dry runs only
    PRIMARY KEY (folder, replica, counter)
) WITHOUT ROWID;
CREATE INDEX message_doomed ON message (folder) WHERE state = 2;
CREATE TABLE left_out (
    folder INTEGER NOT NULL, replica INTEGER NOT NULL, counter INTEGER NOT NULL,
    what TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (folder, replica, counter)
) WITHOUT ROWID;
";

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in the tree.
    Present,
    /// Somebody deleted its file; it stays deleted.
    DeletedHere,
    /// The server deleted it; its file goes at the end of the run.
    Doomed,
    /// It could not be converted and was kept aside.
    Aside,
    /// It is in the tree, but older than what is synchronized: the server is not told that it is here.
    OutOfScope,
}

impl Fate {
    fn to_i64(self) -> i64 {
        match self {
            Self::Present => 0,
            Self::DeletedHere => 1,
            Self::Doomed => 2,
            Self::Aside => 3,
            Self::OutOfScope => 4,
        }
    }

    fn from_i64(n: i64) -> Self {
        match n {
            1 => Self::DeletedHere,
            2 => Self::Doomed,
            3 => Self::Aside,
            4 => Self::OutOfScope,
            _ => Self::Present,
        }
    }
}

/// A message of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) mid: GlobalId,
    pub(crate) cn: GlobalId,
    pub(crate) seconds: i64,
    pub(crate) state: Fate,
    /// In `new/`, else in `cur/`.
    pub(crate) fresh: bool,
    /// The letters that its file had when it was last looked at.
    pub(crate) flags: Flags,
    /// The letters that the server's version stands for.
    pub(crate) server_flags: Flags,
    pub(crate) search_key: Vec<u8>,
    pub(crate) run: i64,
    pub(crate) digest: Option<Vec<u8>>,
}

/// A folder of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderRow {
    pub(crate) id: i64,
    pub(crate) fid: GlobalId,
    pub(crate) parent: GlobalId,
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) messages: u64,
    pub(crate) dir: Option<String>,
    pub(crate) doomed: bool,
    pub(crate) dirty: bool,
    pub(crate) mtimes: (i64, i64),
    /// Whether messages were recorded that the state does not have yet.
    pub(crate) partial: bool,
    /// Whether it was synchronized before; an empty folder's state may be empty.
    pub(crate) known: bool,
    pub(crate) state: State,
}

/// A message in a folder: the folder's number in the state, and MID.
pub(crate) type Slot = (i64, GlobalId);

/// The open state.
pub(crate) struct Db {
    conn: Connection,
    replicas: HashMap<Guid, i64>,
    guids: HashMap<i64, Guid>,
}

impl Db {
    /// Opens or makes it. `Ok(None)` when the file is damaged.
    pub(crate) fn open(path: &Path, fsync: Fsync) -> SyncResult<Option<Self>> {
        match Self::try_open(path, fsync) {
            Ok(db) => Ok(Some(db)),
            Err(SyncError::State { source, .. }) if damaged(&source) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn try_open(path: &Path, fsync: Fsync) -> SyncResult<Self> {
        let conn = Connection::open(path).map_err(SyncError::state("cannot open it"))?;
        let synchronous = if fsync == Fsync::Safe { "NORMAL" } else { "OFF" };
        conn.execute_batch(&format!(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous={synchronous}; PRAGMA journal_mode=WAL;
             PRAGMA cache_size=-2000; PRAGMA temp_store=MEMORY;"
        ))
        .map_err(SyncError::state("cannot open it"))?;
        let found: i64 = conn
            .query_row("PRAGMA user_version", [], |r| r.get(0))
            .map_err(SyncError::state("cannot read its version"))?;
        if found == 0 {
            conn.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT;"))
                .map_err(SyncError::state("cannot make it"))?;
        } else if found != VERSION {
            return Err(SyncError::Newer { path: path.to_owned(), found, known: VERSION });
        }
        conn.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS scope (folder INTEGER PRIMARY KEY, since INTEGER NOT NULL); {}",
            adopt::SCHEMA
        ))
        .map_err(SyncError::state("cannot make it"))?;
        let mut db = Self { conn, replicas: HashMap::new(), guids: HashMap::new() };
        db.load_replicas().map_err(SyncError::state("cannot read it"))?;
        Ok(db)
    }

    fn load_replicas(&mut self) -> rusqlite::Result<()> {
        self.replicas.clear();
        self.guids.clear();
        let mut stmt = self.conn.prepare("SELECT id, guid FROM replica")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let (id, guid) = (row.get(0)?, Guid::from_bytes(row.get(1)?));
            self.replicas.insert(guid, id);
            self.guids.insert(id, guid);
        }
        Ok(())
    }

    /// Does all of it or nothing. With `full` it is on the disk afterwards.
    pub(crate) fn transaction<T>(
        &mut self,
        what: &'static str,
        full: bool,
        f: impl FnOnce(&mut Tx<'_>) -> rusqlite::Result<T>,
    ) -> SyncResult<T> {
        if full {
            self.conn.execute_batch("PRAGMA synchronous=FULL").map_err(SyncError::state(what))?;
        }
        let result = (|| {
            let tx = self.conn.transaction()?;
            let mut wrapped = Tx { tx, replicas: &mut self.replicas, guids: &mut self.guids };
            let value = f(&mut wrapped)?;
            wrapped.tx.commit()?;
            Ok(value)
        })();
        if result.is_err() {
            // A replica that was numbered in vain must not be remembered.
            self.load_replicas().map_err(SyncError::state(what))?;
        }
        if full {
            self.conn.execute_batch("PRAGMA synchronous=NORMAL").map_err(SyncError::state(what))?;
        }
        result.map_err(SyncError::state(what))
    }
}

fn damaged(e: &rusqlite::Error) -> bool {
    matches!(
        e.sqlite_error_code(),
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)
    )
}

/// A transaction.
pub(crate) struct Tx<'a> {
    tx: Transaction<'a>,
    replicas: &'a mut HashMap<Guid, i64>,
    guids: &'a mut HashMap<i64, Guid>,
}

const MESSAGE: &str =
    "replica, counter, cn_replica, cn, seconds, state, fresh, flags, server_flags, search_key, run, digest";
const FOLDER: &str = "id, replica, counter, parent_replica, parent_counter, name, class, messages, dir, doomed, dirty, \
                      cur_mtime, new_mtime, state, partial";

impl Tx<'_> {
    /// The number of a replica, made at first use.
    fn replica(&mut self, guid: Guid) -> rusqlite::Result<i64> {
        if let Some(id) = self.replicas.get(&guid) {
            return Ok(*id);
        }
        self.tx.execute("INSERT INTO replica (guid) VALUES (?1)", [guid.to_bytes()])?;
        let id = self.tx.last_insert_rowid();
        self.replicas.insert(guid, id);
        self.guids.insert(id, guid);
        Ok(id)
    }

    fn id(&self, row: &Row<'_>, at: usize) -> rusqlite::Result<GlobalId> {
        let guid = self.guids.get(&row.get(at)?).copied().unwrap_or_default();
        Ok(GlobalId::new(guid, counter(row.get(at.saturating_add(1))?)))
    }

    // ----- small values -----

    pub(crate) fn meta(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        self.tx
            .prepare_cached("SELECT value FROM meta WHERE key=?1")?
            .query_row([key], |r| r.get(0))
            .optional()
    }

    pub(crate) fn set_meta(&self, key: &str, value: &[u8]) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
            .execute(params![key, value])
            .map(drop)
    }

    // ----- folders -----

    pub(crate) fn folders(&self) -> rusqlite::Result<Vec<FolderRow>> {
        let mut stmt = self.tx.prepare_cached(&format!("SELECT {FOLDER} FROM folder ORDER BY id"))?;
        let mut rows = stmt.query([])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(self.folder_row(row)?);
        }
        Ok(out)
    }

    pub(crate) fn folder(&self, id: i64) -> rusqlite::Result<Option<FolderRow>> {
        let mut stmt = self.tx.prepare_cached(&format!("SELECT {FOLDER} FROM folder WHERE id=?1"))?;
        let mut rows = stmt.query([id])?;
        rows.next()?.map(|row| self.folder_row(row)).transpose()
    }

    fn folder_row(&self, row: &Row<'_>) -> rusqlite::Result<FolderRow> {
        let saved: Vec<u8> = row.get(13)?;
        Ok(FolderRow {
            id: row.get(0)?,
            fid: self.id(row, 1)?,
            parent: self.id(row, 3)?,
            name: row.get(5)?,
            class: row.get(6)?,
            messages: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
            dir: row.get(8)?,
            doomed: row.get(9)?,
            dirty: row.get(10)?,
            mtimes: (row.get(11)?, row.get(12)?),
            partial: row.get(14)?,
            known: !saved.is_empty(),
            state: State::from_saved(&saved).unwrap_or_default(),
        })
    }

    /// The folder with that FID, made when it is new; not doomed any more.
    pub(crate) fn put_folder(
        &mut self,
        fid: GlobalId,
        parent: GlobalId,
        name: &str,
        class: &str,
        messages: u64,
    ) -> rusqlite::Result<i64> {
        let (replica, parent_replica) = (self.replica(fid.replica)?, self.replica(parent.replica)?);
        self.tx
            .prepare_cached(
                "INSERT INTO folder (replica, counter, parent_replica, parent_counter, name, class, messages)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (replica, counter) DO UPDATE SET parent_replica=?3, parent_counter=?4, name=?5,
                     class=?6, messages=?7, doomed=0
                 RETURNING id",
            )?
            .query_row(
                params![
                    replica,
                    number(fid.counter),
                    parent_replica,
                    number(parent.counter),
                    name,
                    class,
                    i64::try_from(messages).unwrap_or(i64::MAX)
                ],
                |r| r.get(0),
            )
    }

    pub(crate) fn set_folder_dir(&self, id: i64, dir: Option<&str>) -> rusqlite::Result<()> {
        self.tx.execute("UPDATE folder SET dir=?2 WHERE id=?1", params![id, dir]).map(drop)
    }

    pub(crate) fn doom_folder(&self, id: i64, doomed: bool) -> rusqlite::Result<()> {
        self.tx.execute("UPDATE folder SET doomed=?2 WHERE id=?1", params![id, doomed]).map(drop)
    }

    pub(crate) fn set_folder_dirty(&self, id: Option<i64>, dirty: bool) -> rusqlite::Result<()> {
        match id {
            Some(id) => self.tx.execute("UPDATE folder SET dirty=?2 WHERE id=?1", params![id, dirty]),
            None => self.tx.execute("UPDATE folder SET dirty=?1", params![dirty]),
        }
        .map(drop)
    }

    pub(crate) fn set_folder_mtimes(&self, id: i64, (cur, new): (i64, i64)) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached("UPDATE folder SET cur_mtime=?2, new_mtime=?3 WHERE id=?1")?
            .execute(params![id, cur, new])
            .map(drop)
    }

    pub(crate) fn set_folder_state(&self, id: i64, state: &State) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached("UPDATE folder SET state=?2, partial=0 WHERE id=?1")?
            .execute(params![id, state.to_saved()])
            .map(drop)
    }

    /// Notes that messages are recorded which the folder's state does not have.
    pub(crate) fn set_folder_partial(&self, id: i64) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached("UPDATE folder SET partial=1 WHERE id=?1 AND partial=0")?
            .execute([id])
            .map(drop)
    }

    pub(crate) fn remove_folder(&self, id: i64) -> rusqlite::Result<()> {
        self.tx.execute("DELETE FROM message WHERE folder=?1", [id])?;
        self.tx.execute("DELETE FROM left_out WHERE folder=?1", [id])?;
        self.tx.execute("DELETE FROM scope WHERE folder=?1", [id])?;
        self.tx.execute("DELETE FROM folder WHERE id=?1", [id]).map(drop)
    }

    /// Forgets the folder's messages and its contents state.
    pub(crate) fn forget_messages(&self, id: i64) -> rusqlite::Result<()> {
        self.tx.execute("DELETE FROM message WHERE folder=?1", [id])?;
        self.tx.execute("DELETE FROM left_out WHERE folder=?1", [id])?;
        self.tx.execute("UPDATE folder SET state=x'', partial=0 WHERE id=?1", [id]).map(drop)
    }

    /// The folder's state with all its recorded messages — [MS-OXCFXICS] 3.3.5.6: a message that is durable adds its
    /// MID to the given set and its CN to the seen set.
    pub(crate) fn folder_checkpoint(&self, id: i64, mut state: State) -> rusqlite::Result<State> {
        self.each_message(id, |row| {
            if row.state != Fate::OutOfScope {
                state.given.insert(row.mid.replica, row.mid.counter);
                state.seen.insert(row.cn.replica, row.cn.counter);
            }
        })?;
        Ok(state)
    }

    /// From when on the folder's messages were asked for last.
    pub(crate) fn scope(&self, folder: i64) -> rusqlite::Result<Option<i64>> {
        self.tx
            .prepare_cached("SELECT since FROM scope WHERE folder=?1")?
            .query_row([folder], |r| r.get(0))
            .optional()
    }

    pub(crate) fn set_scope(&self, folder: i64, since: Option<i64>) -> rusqlite::Result<()> {
        match since {
            Some(since) => {
                self.tx.execute("INSERT OR REPLACE INTO scope VALUES (?1, ?2)", params![folder, since])
            }
            None => self.tx.execute("DELETE FROM scope WHERE folder=?1", [folder]),
        }
        .map(drop)
    }

    /// Messages that were out of scope and are in it from now on: they are present.
    pub(crate) fn bring_in_scope(&self, folder: i64, since: Option<i64>) -> rusqlite::Result<()> {
        self.tx
            .execute(
                "UPDATE message SET state=0 WHERE folder=?1 AND state=4 AND seconds>=coalesce(?2, seconds)",
                params![folder, since],
            )
            .map(drop)
    }

    /// How many messages of each folder are here and out of scope; only folders that have some.
    pub(crate) fn out_of_scope_counts(&self) -> rusqlite::Result<Vec<(i64, u64)>> {
        let mut stmt =
            self.tx.prepare_cached("SELECT folder, count(*) FROM message WHERE state=4 GROUP BY folder")?;
        let rows =
            stmt.query_map([], |r| Ok((r.get(0)?, u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0))))?;
        rows.collect()
    }

    /// Dooms the folder's messages that are out of scope.
    pub(crate) fn doom_out_of_scope(&self, folder: i64) -> rusqlite::Result<()> {
        self.tx.execute("UPDATE message SET state=2 WHERE folder=?1 AND state=4", [folder]).map(drop)
    }

    // ----- messages -----

    pub(crate) fn message(&mut self, folder: i64, mid: GlobalId) -> rusqlite::Result<Option<MessageRow>> {
        let Some(replica) = self.replicas.get(&mid.replica).copied() else { return Ok(None) };
        let mut stmt = self.tx.prepare_cached(&format!(
            "SELECT {MESSAGE} FROM message WHERE folder=?1 AND replica=?2 AND counter=?3"
        ))?;
        let mut rows = stmt.query(params![folder, replica, number(mid.counter)])?;
        rows.next()?.map(|row| self.message_row(row)).transpose()
    }

    fn message_row(&self, row: &Row<'_>) -> rusqlite::Result<MessageRow> {
        Ok(MessageRow {
            mid: self.id(row, 0)?,
            cn: self.id(row, 2)?,
            seconds: row.get(4)?,
            state: Fate::from_i64(row.get(5)?),
            fresh: row.get(6)?,
            flags: Flags::from_i64(row.get(7)?),
            server_flags: Flags::from_i64(row.get(8)?),
            search_key: row.get(9)?,
            run: row.get(10)?,
            digest: row.get(11)?,
        })
    }

    /// Calls `f` with every message of the folder, ascending by the replica's number and the counter.
    pub(crate) fn each_message(&self, folder: i64, mut f: impl FnMut(MessageRow)) -> rusqlite::Result<()> {
        let mut stmt = self.tx.prepare_cached(&format!(
            "SELECT {MESSAGE} FROM message WHERE folder=?1 ORDER BY replica, counter"
        ))?;
        let mut rows = stmt.query([folder])?;
        while let Some(row) = rows.next()? {
            f(self.message_row(row)?);
        }
        Ok(())
    }

    /// Up to `limit` messages of the folder whose MIDs are of the replica, above `after` and up to `high`.
    pub(crate) fn messages_between(
        &self,
        folder: i64,
        replica: Guid,
        low: GlobCnt,
        high: GlobCnt,
        limit: u32,
    ) -> rusqlite::Result<Vec<MessageRow>> {
        let Some(replica) = self.replicas.get(&replica) else { return Ok(Vec::new()) };
        let mut stmt = self.tx.prepare_cached(&format!(
            "SELECT {MESSAGE} FROM message WHERE folder=?1 AND replica=?2 AND counter BETWEEN ?3 AND ?4
             ORDER BY counter LIMIT ?5"
        ))?;
        let mut rows = stmt.query(params![folder, replica, number(low), number(high), limit])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(self.message_row(row)?);
        }
        Ok(out)
    }

    pub(crate) fn put_message(&mut self, folder: i64, m: &MessageRow) -> rusqlite::Result<()> {
        let (replica, cn_replica) = (self.replica(m.mid.replica)?, self.replica(m.cn.replica)?);
        self.tx
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO message (folder, {MESSAGE})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
            ))?
            .execute(params![
                folder,
                replica,
                number(m.mid.counter),
                cn_replica,
                number(m.cn.counter),
                m.seconds,
                m.state.to_i64(),
                m.fresh,
                m.flags.to_i64(),
                m.server_flags.to_i64(),
                m.search_key,
                m.run,
                m.digest
            ])
            .map(drop)
    }

    pub(crate) fn remove_message(&mut self, folder: i64, mid: GlobalId) -> rusqlite::Result<()> {
        let replica = self.replica(mid.replica)?;
        let key = params![folder, replica, number(mid.counter)];
        self.tx
            .prepare_cached("DELETE FROM message WHERE folder=?1 AND replica=?2 AND counter=?3")?
            .execute(key)?;
        self.tx
            .prepare_cached("DELETE FROM left_out WHERE folder=?1 AND replica=?2 AND counter=?3")?
            .execute(key)
            .map(drop)
    }

    /// Up to `limit` doomed messages of the folder.
    pub(crate) fn doomed(&self, folder: i64, limit: u32) -> rusqlite::Result<Vec<MessageRow>> {
        let mut stmt = self
            .tx
            .prepare_cached(&format!("SELECT {MESSAGE} FROM message WHERE folder=?1 AND state=2 LIMIT ?2"))?;
        let mut rows = stmt.query(params![folder, limit])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(self.message_row(row)?);
        }
        Ok(out)
    }

    /// How many messages of each folder are doomed; only folders that have some.
    pub(crate) fn doomed_counts(&self) -> rusqlite::Result<Vec<(i64, u64)>> {
        let mut stmt =
            self.tx.prepare_cached("SELECT folder, count(*) FROM message WHERE state=2 GROUP BY folder")?;
        let rows =
            stmt.query_map([], |r| Ok((r.get(0)?, u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0))))?;
        rows.collect()
    }

    /// How many messages of the folder are in the tree, and how many of them this run added.
    pub(crate) fn message_counts(&self, folder: i64, run: i64) -> rusqlite::Result<(u64, u64)> {
        self.tx
            .prepare_cached(
                "SELECT count(*), coalesce(sum(run=?2 AND state=0), 0) FROM message
                 WHERE folder=?1 AND state IN (0, 2)",
            )?
            .query_row(params![folder, run], |r| {
                let n = |at| Ok::<_, rusqlite::Error>(u64::try_from(r.get::<_, i64>(at)?).unwrap_or(0));
                Ok((n(0)?, n(1)?))
            })
    }

    /// Dooms all messages of a folder.
    pub(crate) fn doom_messages(&self, folder: i64) -> rusqlite::Result<()> {
        self.tx.execute("DELETE FROM message WHERE folder=?1 AND state IN (1, 3)", [folder])?;
        self.tx.execute("DELETE FROM left_out WHERE folder=?1", [folder])?;
        self.tx.execute("UPDATE message SET state=2 WHERE folder=?1", [folder]).map(drop)
    }

    /// Makes all doomed messages of the folder present again; returns their MIDs.
    pub(crate) fn reprieve(&self, folder: i64) -> rusqlite::Result<Vec<GlobalId>> {
        let mut stmt = self.tx.prepare_cached(
            "UPDATE message SET state=0 WHERE folder=?1 AND state=2 RETURNING replica, counter",
        )?;
        let mut rows = stmt.query([folder])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(self.id(row, 0)?);
        }
        Ok(out)
    }

    /// Pairs of a doomed message and one that this run added with the same search key, each with its folder.
    pub(crate) fn move_candidates(&self, run: i64) -> rusqlite::Result<Vec<(Slot, Slot)>> {
        let none: i64 = self.tx.query_row("SELECT count(*) FROM message WHERE state=2", [], |r| r.get(0))?;
        if none == 0 {
            return Ok(Vec::new());
        }
        self.tx.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS gone (search_key BLOB, folder INTEGER, replica INTEGER, counter INTEGER);
             CREATE INDEX IF NOT EXISTS temp.gone_key ON gone (search_key); DELETE FROM gone;
             INSERT INTO gone SELECT search_key, folder, replica, counter FROM message
                 WHERE state=2 AND search_key<>x'';",
        )?;
        let mut stmt = self.tx.prepare(
            "SELECT g.folder, g.replica, g.counter, m.folder, m.replica, m.counter FROM message m
             JOIN gone g ON g.search_key = m.search_key
             WHERE m.run=?1 AND m.state=0 AND m.folder<>g.folder
             ORDER BY g.folder, g.replica, g.counter, m.folder, m.replica, m.counter",
        )?;
        let mut rows = stmt.query([run])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(((row.get(0)?, self.id(row, 1)?), (row.get(3)?, self.id(row, 4)?)));
        }
        Ok(out)
    }

    // ----- what was left out -----

    pub(crate) fn put_left_out(
        &mut self,
        folder: i64,
        mid: GlobalId,
        what: &str,
        reason: &str,
    ) -> rusqlite::Result<()> {
        let replica = self.replica(mid.replica)?;
        self.tx
            .execute(
                "INSERT OR REPLACE INTO left_out VALUES (?1, ?2, ?3, ?4, ?5)",
                params![folder, replica, number(mid.counter), what, reason],
            )
            .map(drop)
    }

    pub(crate) fn clear_left_out(&mut self, folder: i64, mid: GlobalId) -> rusqlite::Result<()> {
        let replica = self.replica(mid.replica)?;
        self.tx
            .prepare_cached("DELETE FROM left_out WHERE folder=?1 AND replica=?2 AND counter=?3")?
            .execute(params![folder, replica, number(mid.counter)])
            .map(drop)
    }

    /// Folder, message and reason of everything that is left out.
    pub(crate) fn left_out(&self) -> rusqlite::Result<Vec<(i64, String, String)>> {
        let mut stmt = self.tx.prepare_cached("SELECT folder, what, reason FROM left_out LIMIT 10000")?;
        let rows = stmt.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        rows.collect()
    }

    /// The order of MIDs that [`Tx::each_message`] has.
    pub(crate) fn order(&mut self, mid: GlobalId) -> rusqlite::Result<(i64, GlobCnt)> {
        Ok((self.replica(mid.replica)?, mid.counter))
    }
}

fn counter(n: i64) -> GlobCnt {
    u64::try_from(n).ok().and_then(GlobCnt::new).unwrap_or_default()
}

fn number(counter: GlobCnt) -> i64 {
    i64::try_from(counter.value()).unwrap_or(0)
}
