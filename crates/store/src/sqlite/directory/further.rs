//! Mailboxes beside those of accounts: archives, public folders.

use rusqlite::{ErrorCode, OptionalExtension, params};
use watertight_mapi::store::{Account, MailboxInfo, PUBLIC_DN, StoreError, StoreResult};
use watertight_wire::Guid;

use super::{Directory, SINCE, all};
use crate::{
    account::{key, public_taken},
    sqlite::{
        checksum::Sum,
        error::{Doing, corrupt},
        schema::Conn,
    },
};

/// `kind` of archives.
pub(super) const ARCHIVE: i64 = 1;
/// `kind` of public folders.
const PUBLIC: i64 = 2;

/// A mailbox that the directory knows.
pub(in crate::sqlite) struct Listed {
    pub(in crate::sqlite) guid: Guid,
    pub(in crate::sqlite) legacy_dn: String,
    /// What it is, in words.
    pub(in crate::sqlite) what: String,
}

impl Directory {
    /// All mailboxes, those of accounts first.
    pub(in crate::sqlite) fn mailboxes(&self) -> StoreResult<Vec<Listed>> {
        let accounts = all(self)?;
        let private = accounts.iter().map(|account| Listed {
            guid: account.mailbox_guid,
            legacy_dn: account.legacy_dn.clone(),
            what: format!("the mailbox of {}", account.name),
        });
        let archives = accounts.iter().filter_map(|account| {
            let what = format!("the archive of {}", account.name);
            Some(Listed { guid: account.archive?, legacy_dn: account.archive_dn()?, what })
        });
        let public = self.public_store()?.map(|guid| Listed {
            guid,
            legacy_dn: PUBLIC_DN.to_owned(),
            what: "the mailbox of the public folders".to_owned(),
        });
        Ok(private.chain(archives).chain(public).collect())
    }

    /// The mailbox of the public folders.
    pub(in crate::sqlite) fn public_store(&self) -> StoreResult<Option<Guid>> {
        public_store(&self.conn())
    }

    /// Writes a new archive of an account.
    pub(in crate::sqlite) fn insert_archive(&self, account: &Account, info: &MailboxInfo) -> StoreResult<()> {
        let taken = || crate::account::archive_taken(account);
        self.insert_further(ARCHIVE, &key(&account.name), info.mailbox_guid, taken)
    }

    /// Writes new public folders.
    pub(in crate::sqlite) fn insert_public(&self, info: &MailboxInfo) -> StoreResult<()> {
        self.insert_further(PUBLIC, "", info.mailbox_guid, public_taken)
    }

    fn insert_further(
        &self,
        kind: i64,
        owner: &str,
        guid: Guid,
        taken: impl FnOnce() -> StoreError,
    ) -> StoreResult<()> {
        let row = params![kind, owner, guid.to_bytes(), sum(kind, owner, guid)];
        match self.conn().sql.execute("INSERT INTO further VALUES(?, ?, ?, ?)", row) {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(taken()),
            other => other.doing("writing a mailbox").map(drop),
        }
    }
}

pub(super) fn public_store(conn: &Conn) -> StoreResult<Option<Guid>> {
    if conn.version < SINCE {
        return Ok(None);
    }
    let found: Option<([u8; 16], i64)> = conn
        .sql
        .prepare_cached("SELECT guid, guid_sum FROM further WHERE kind = ? AND owner = ''")
        .and_then(|mut s| s.query_row([PUBLIC], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .doing("looking for the public folders")?;
    match found.map(|(guid, stored)| (Guid::from_bytes(guid), stored)) {
        Some((guid, stored)) if stored == sum(PUBLIC, "", guid) => Ok(Some(guid)),
        Some(_) => Err(corrupt("the entry of the public folders does not fit its checksum")),
        None => Ok(None),
    }
}

/// The checksum of a row.
pub(super) fn sum(kind: i64, owner: &str, guid: Guid) -> i64 {
    Sum::new(10).number(kind).bytes(owner.as_bytes()).bytes(&guid.to_bytes()).finish()
}
