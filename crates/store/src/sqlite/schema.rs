//! What the files look like, and how older ones become newer ones.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use watertight_ledger::{Entry, Kind};
use watertight_mapi::store::{StoreError, StoreResult};

use super::error::Doing;

/// A kind of file: its mark, and the steps that made it what it is. A step is never changed once it was released;
/// the number of steps that a file has gone through is its `user_version`.
pub(super) struct FileKind {
    /// `application_id`.
    pub(super) application_id: i32,
    /// What it is called in errors.
    pub(super) what: &'static str,
    pub(super) steps: &'static [&'static str],
}

/// The file of accounts.
pub(super) const DIRECTORY: FileKind = FileKind {
    application_id: 0x5754_4452,
    what: "directory of accounts",
    steps: &[
        "
    CREATE TABLE account(
        key TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        display_name TEXT NOT NULL,
        smtp_address TEXT NOT NULL,
        smtp_key TEXT NOT NULL,
        legacy_dn TEXT NOT NULL,
        dn_key TEXT NOT NULL UNIQUE,
        mailbox BLOB NOT NULL UNIQUE CHECK(length(mailbox) = 16),
        password_hash TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX account_by_address ON account(smtp_key) WHERE smtp_key <> '';
    ",
        "
    -- What accounts sign in with beside their password hash.
    CREATE TABLE nt_hash(
        account TEXT PRIMARY KEY NOT NULL REFERENCES account(key) ON DELETE CASCADE,
        hash BLOB NOT NULL CHECK(length(hash) = 16),
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE token(
        hash BLOB PRIMARY KEY NOT NULL CHECK(length(hash) = 32),
        account TEXT NOT NULL REFERENCES account(key) ON DELETE CASCADE,
        expires INTEGER NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX token_by_account ON token(account);
    ",
        "
    -- Mailboxes beside those of accounts: 1 an account's archive, 2 the public folders (of owner '').
    CREATE TABLE further(
        kind INTEGER NOT NULL CHECK(kind IN (1, 2)),
        owner TEXT NOT NULL,
        guid BLOB NOT NULL UNIQUE CHECK(length(guid) = 16),
        guid_sum INTEGER NOT NULL,
        PRIMARY KEY(kind, owner)
    ) STRICT, WITHOUT ROWID;
    -- What `grantee` may do in the mailboxes of `owner` ('': in the public folders): 1 read, 2 write.
    CREATE TABLE access(
        owner TEXT NOT NULL,
        grantee TEXT NOT NULL,
        level INTEGER NOT NULL CHECK(level IN (1, 2)),
        access_sum INTEGER NOT NULL,
        PRIMARY KEY(owner, grantee)
    ) STRICT, WITHOUT ROWID;
    ",
    ],
};

/// The file of a mailbox.
pub(super) const MAILBOX: FileKind = FileKind {
    application_id: 0x5754_4D42,
    what: "mailbox",
    steps: &["
    CREATE TABLE mailbox(
        id INTEGER PRIMARY KEY CHECK(id = 1),
        mailbox_guid BLOB NOT NULL CHECK(length(mailbox_guid) = 16),
        repl_guid BLOB NOT NULL CHECK(length(repl_guid) = 16),
        display_name TEXT NOT NULL,
        legacy_dn TEXT NOT NULL,
        smtp_address TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;

    -- The next of each counter, and a number that every change raises.
    CREATE TABLE counter(
        id INTEGER PRIMARY KEY CHECK(id = 1),
        next_id INTEGER NOT NULL,
        next_cn INTEGER NOT NULL,
        next_large INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE name(
        id INTEGER PRIMARY KEY CHECK(id BETWEEN 32768 AND 65534),
        guid BLOB NOT NULL CHECK(length(guid) = 16),
        lid INTEGER,
        name TEXT,
        sum INTEGER NOT NULL,
        CHECK((lid IS NULL) <> (name IS NULL))
    ) STRICT;

    CREATE TABLE folder(
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES folder(id),
        kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 2),
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        cn INTEGER NOT NULL,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        deleted INTEGER NOT NULL CHECK(deleted IN (0, 1)),
        props BLOB NOT NULL,
        sum INTEGER NOT NULL,
        messages INTEGER NOT NULL DEFAULT 0,
        unread INTEGER NOT NULL DEFAULT 0,
        associated INTEGER NOT NULL DEFAULT 0,
        deleted_messages INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        -- The mailbox's version at the last change of what the folder holds.
        contents_version INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE UNIQUE INDEX folder_by_name ON folder(parent, key) WHERE deleted = 0;
    CREATE INDEX folder_by_parent ON folder(parent, deleted);

    CREATE TABLE message(
        id INTEGER PRIMARY KEY,
        folder INTEGER NOT NULL REFERENCES folder(id),
        kind INTEGER NOT NULL CHECK(kind IN (0, 1)),
        deleted INTEGER NOT NULL CHECK(deleted IN (0, 1)),
        cn INTEGER NOT NULL,
        read_cn INTEGER,
        read INTEGER NOT NULL CHECK(read IN (0, 1)),
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        -- -1 where it has none.
        delivered INTEGER NOT NULL,
        size INTEGER NOT NULL,
        attachments INTEGER NOT NULL CHECK(attachments IN (0, 1)),
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX message_by_change ON message(folder, kind, deleted, cn);
    CREATE INDEX message_by_read ON message(folder, read_cn) WHERE read_cn IS NOT NULL;
    CREATE INDEX message_by_delivery ON message(folder, kind, deleted, delivered, cn);

    CREATE TABLE content(
        id INTEGER PRIMARY KEY REFERENCES message(id),
        data BLOB NOT NULL
    ) STRICT;

    -- A value of more than 64 KiB; `instance` is the opened store that is writing it, until a message owns it.
    CREATE TABLE large(
        id INTEGER PRIMARY KEY,
        len INTEGER NOT NULL,
        instance INTEGER
    ) STRICT;
    CREATE INDEX large_staged ON large(instance) WHERE instance IS NOT NULL;
    -- The id is that of the value times 2^24, and the number of the part.
    CREATE TABLE chunk(
        id INTEGER PRIMARY KEY,
        sum INTEGER NOT NULL,
        data BLOB NOT NULL
    ) STRICT;
    CREATE TABLE owner(
        message INTEGER NOT NULL REFERENCES message(id),
        large INTEGER NOT NULL REFERENCES large(id),
        PRIMARY KEY(message, large)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX owner_by_large ON owner(large);

    -- Messages that left a folder: 1 deleted for good, 2 moved. Soft-deleted ones are still in `message`.
    CREATE TABLE tombstone(
        folder INTEGER NOT NULL,
        message INTEGER NOT NULL,
        how INTEGER NOT NULL CHECK(how IN (1, 2)),
        PRIMARY KEY(folder, message)
    ) STRICT, WITHOUT ROWID;
    ", "
    -- The last things that happened: a ring, in which the slot is the number modulo its size.
    CREATE TABLE event(
        slot INTEGER PRIMARY KEY,
        number INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        folder INTEGER,
        message INTEGER,
        parent INTEGER,
        old_folder INTEGER,
        old_message INTEGER,
        old_parent INTEGER
    ) STRICT;
    ALTER TABLE counter ADD COLUMN next_event INTEGER NOT NULL DEFAULT 1;
    ", "
    -- 0 an account's mailbox, 1 an archive, 2 public folders.
    ALTER TABLE mailbox ADD COLUMN kind INTEGER NOT NULL DEFAULT 0 CHECK(kind BETWEEN 0 AND 2);
    "],
};

/// Bytes of a page in new files.
const PAGE_SIZE: u32 = 8 * 1024;

/// A connection, counted for as long as it is open.
pub(super) struct Conn {
    pub(super) sql: Connection,
    /// The version of the file: one that is only read may be older.
    pub(super) version: u32,
    _held: Entry,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Made when it is missing; older ones are brought up to date.
    Create,
    /// There already.
    Write,
    /// To read it.
    Read,
}

impl FileKind {
    /// Opens a file of this kind.
    pub(super) fn open(&self, path: &Path, access: Access, connections: &Kind) -> StoreResult<Conn> {
        let doing = format!("opening {}", path.display());
        let held = connections.enter();
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if access == Access::Create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let mut sql = Connection::open_with_flags(path, flags).doing(&doing)?;
        sql.busy_timeout(std::time::Duration::from_secs(30)).doing(&doing)?;
        sql.set_prepared_statement_cache_capacity(64);
        sql.pragma_update(None, "page_size", PAGE_SIZE).doing(&doing)?;
        let foreign =
            |_| StoreError::Version(format!("{} is not a Watertight {}", path.display(), self.what));
        let mark: (i32, u32) = sql
            .query_row(
                "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(|e| match e.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase) => foreign(()),
                _ => StoreError::Corrupt(format!("{doing}: {e}")),
            })?;
        let empty = || -> rusqlite::Result<bool> {
            sql.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        };
        match mark {
            (0, 0) if access == Access::Create && empty().doing(&doing)? => {}
            (id, _) if id != self.application_id => return Err(foreign(())),
            (_, version) if version > self.version() => {
                return Err(StoreError::Version(format!(
                    "{} has version {version} of a Watertight {}, and this program knows {} at most: use a newer one",
                    path.display(),
                    self.what,
                    self.version()
                )));
            }
            (..) => {}
        }
        if access == Access::Read {
            sql.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;").doing(&doing)?;
        } else {
            sql.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;
                 PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864;",
            )
            .doing(&doing)?;
            self.migrate(&mut sql).doing(&doing)?;
        }
        sql.execute_batch(
            "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;",
        )
        .doing(&doing)?;
        let version = if access == Access::Read { mark.1 } else { self.version() };
        Ok(Conn { sql, version, _held: held })
    }

    /// The version of new files.
    fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Takes a file through the steps that it has not gone through, each in a transaction of its own.
    fn migrate(&self, sql: &mut Connection) -> rusqlite::Result<()> {
        for (from, step) in (0..).zip(self.steps) {
            if sql.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? > from {
                continue;
            }
            let tx = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            if tx.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? == from {
                tx.execute_batch(step)?;
                tx.pragma_update(None, "application_id", self.application_id)?;
                tx.pragma_update(None, "user_version", u32::saturating_add(from, 1))?;
            }
            tx.commit()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: FileKind =
        FileKind { application_id: 77, what: "test", steps: &["CREATE TABLE a(x INTEGER) STRICT;"] };
    const TWO: FileKind = FileKind {
        application_id: 77,
        what: "test",
        steps: &[ONE.steps[0], "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'new';"],
    };
    const BROKEN: FileKind = FileKind {
        application_id: 77,
        what: "test",
        steps: &[ONE.steps[0], "CREATE TABLE b(x INTEGER) STRICT; INSERT INTO nowhere VALUES(1);"],
    };

    #[test]
    fn older_files_are_brought_up_to_date_and_newer_ones_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let kind = watertight_ledger::Ledger::new("test").kind("connections");
        let old = ONE.open(&path, Access::Create, &kind).unwrap();
        old.sql.execute("INSERT INTO a VALUES(5)", []).unwrap();
        drop(old);
        // A step that fails leaves the file as it was.
        assert!(BROKEN.open(&path, Access::Write, &kind).is_err());
        let new = TWO.open(&path, Access::Write, &kind).unwrap();
        let row: (i64, String) =
            new.sql.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (5, "new".to_owned()));
        drop(new);
        assert!(matches!(ONE.open(&path, Access::Write, &kind), Err(StoreError::Version(_))));
        assert!(matches!(MAILBOX.open(&path, Access::Write, &kind), Err(StoreError::Version(_))));
        drop(TWO.open(&path, Access::Read, &kind).unwrap());
        assert_eq!(kind.now(), 0);
    }
}
