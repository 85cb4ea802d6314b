//! The file of accounts.

mod access;
mod further;

pub(super) use further::Listed;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

use rusqlite::{ErrorCode, OptionalExtension, Row, params};
use watertight_ledger::Kind;
use watertight_mapi::store::{Account, Cursor, NewAccount, Page, StoreError, StoreResult, legacy_dn};
use watertight_wire::Guid;

use super::{
    checksum::Sum,
    error::{Doing, corrupt},
    schema::{Access, Conn, DIRECTORY},
};
use crate::account::{key, random_guid};

/// The file of accounts, open.
pub(super) struct Directory(Mutex<Conn>);

/// The version of the file that brought archives, public folders and rights.
const SINCE: u32 = 3;

const COLUMNS: &str =
    "name, display_name, smtp_address, legacy_dn, mailbox, password_hash, sum, guid, guid_sum";

/// Accounts with their archives. A file that is only read may be from before there were any.
const fn accounts(conn: &Conn) -> &'static str {
    if conn.version >= SINCE {
        "account LEFT JOIN further ON further.kind = 1 AND further.owner = account.key"
    } else {
        "(SELECT *, NULL AS guid, NULL AS guid_sum FROM account)"
    }
}

impl Directory {
    pub(super) fn open(path: &Path, connections: &Kind) -> StoreResult<Self> {
        Ok(Self(Mutex::new(DIRECTORY.open(path, Access::Create, connections)?)))
    }

    /// The accounts in a file that is open already.
    pub(super) fn new(conn: Conn) -> Self {
        Self(Mutex::new(conn))
    }

    /// Gives back the memory of pages that are only remembered.
    pub(super) fn release_memory(&self) -> StoreResult<()> {
        super::core::shrink(&self.conn())
    }

    pub(super) fn conn(&self) -> MutexGuard<'_, Conn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account whose column has that value.
    pub(super) fn find(&self, column: &'static str, value: &str) -> StoreResult<Option<Account>> {
        find(&self.conn(), column, value)
    }

    /// The same, unless somebody else uses the file now. It is a matter of microseconds, and waits for nothing.
    pub(super) fn find_now(&self, column: &'static str, value: &str) -> Option<StoreResult<Option<Account>>> {
        self.conn_now().map(|conn| find(&conn, column, value))
    }

    /// The connection, unless somebody else uses it now.
    pub(super) fn conn_now(&self) -> Option<MutexGuard<'_, Conn>> {
        match self.0.try_lock() {
            Ok(conn) => Some(conn),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Accounts whose key is above `after`.
    pub(super) fn page(&self, after: &str, limit: usize) -> StoreResult<Page<Account>> {
        let conn = self.conn();
        let from = accounts(&conn);
        let text = format!("SELECT {COLUMNS} FROM {from} WHERE key > ? ORDER BY key LIMIT ?");
        let mut statement = conn.sql.prepare_cached(&text).doing("listing accounts")?;
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows =
            statement.query_map(params![after, one_more], |row| Ok(take(row))).doing("listing accounts")?;
        let mut items = Vec::new();
        for row in rows {
            items.push(row.doing("listing accounts")??);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|a: &Account| Cursor(key(&a.name).into_bytes()));
        Ok(Page { items, next })
    }

    /// Refuses a name or address that is taken.
    pub(super) fn check_free(&self, account: &Account) -> StoreResult<()> {
        if self.find("key", &key(&account.name))?.is_some() {
            return Err(name_taken(account));
        }
        if !account.smtp_address.is_empty() && self.find("smtp_key", &key(&account.smtp_address))?.is_some() {
            return Err(StoreError::Exists(format!("an account with the address {}", account.smtp_address)));
        }
        Ok(())
    }

    /// Writes a new account.
    pub(super) fn insert(&self, account: &Account) -> StoreResult<()> {
        let result = self.conn().sql.execute(
            "INSERT INTO account VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                key(&account.name),
                account.name,
                account.display_name,
                account.smtp_address,
                key(&account.smtp_address),
                account.legacy_dn,
                key(&account.legacy_dn),
                account.mailbox_guid.to_bytes(),
                account.password_hash,
                sum(account)
            ],
        );
        match result {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(name_taken(account))
            }
            other => other.doing("writing an account").map(drop),
        }
    }
}

/// All accounts.
fn all(directory: &Directory) -> StoreResult<Vec<Account>> {
    Ok(directory.page("", usize::MAX)?.items)
}

/// The account of those parts, with a mailbox GUID of its own.
pub(super) fn account(new: NewAccount) -> StoreResult<Account> {
    Ok(Account {
        legacy_dn: legacy_dn(&new.name),
        mailbox_guid: random_guid()?,
        archive: None,
        name: new.name,
        display_name: new.display_name,
        smtp_address: new.smtp_address,
        password_hash: new.password_hash,
    })
}

pub(super) fn find(conn: &Conn, column: &'static str, value: &str) -> StoreResult<Option<Account>> {
    let text = format!("SELECT {COLUMNS} FROM {} WHERE {column} = ?", accounts(conn));
    let mut statement = conn.sql.prepare_cached(&text).doing("looking for an account")?;
    let found = statement.query_row([value], |row| Ok(take(row))).optional();
    found.doing("looking for an account")?.transpose()
}

fn name_taken(account: &Account) -> StoreError {
    StoreError::Exists(format!("an account named {}", account.name))
}

fn take(row: &Row<'_>) -> StoreResult<Account> {
    let read = || -> rusqlite::Result<(Account, i64, Option<i64>)> {
        let account = Account {
            name: row.get(0)?,
            display_name: row.get(1)?,
            smtp_address: row.get(2)?,
            legacy_dn: row.get(3)?,
            mailbox_guid: Guid::from_bytes(row.get(4)?),
            archive: row.get::<_, Option<[u8; 16]>>(7)?.map(Guid::from_bytes),
            password_hash: row.get(5)?,
        };
        Ok((account, row.get(6)?, row.get(8)?))
    };
    let (account, stored, archive_sum) = read().doing("reading an account")?;
    if stored != sum(&account) {
        return Err(corrupt(format!("the account {} does not fit its checksum", account.name)));
    }
    if let Some(archive) = account.archive
        && archive_sum != Some(further::sum(further::ARCHIVE, &key(&account.name), archive))
    {
        return Err(corrupt(format!("the archive of {} does not fit its checksum", account.name)));
    }
    Ok(account)
}

pub(super) fn sum(account: &Account) -> i64 {
    Sum::new(6)
        .bytes(account.name.as_bytes())
        .bytes(account.display_name.as_bytes())
        .bytes(account.smtp_address.as_bytes())
        .bytes(account.legacy_dn.as_bytes())
        .bytes(&account.mailbox_guid.to_bytes())
        .bytes(account.password_hash.as_bytes())
        .finish()
}
