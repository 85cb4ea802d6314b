//! What accounts sign in with: NT hashes and access tokens, in the file of accounts.

use async_trait::async_trait;
use rusqlite::{ErrorCode, OptionalExtension, TransactionBehavior, params};
use watertight_mapi::store::{NtHash, SecretKinds, Secrets, StoreError, StoreResult, Token, TokenHash};

use super::SqliteStore;
use super::checksum::Sum;
use super::directory::{self, Directory};
use super::error::{Doing, corrupt};
use super::schema::Conn;
use crate::account::key;

/// The version of the file that brought these tables.
const SINCE: u32 = 2;

const NO_ACCOUNT: StoreError = StoreError::NotFound("account");

#[async_trait]
impl Secrets for SqliteStore {
    async fn set_password(
        &self,
        name: &str,
        password_hash: &str,
        nt_hash: Option<NtHash>,
    ) -> StoreResult<()> {
        let (key, password_hash) = (key(name), password_hash.to_owned());
        self.run(move |shared| shared.directory.set_password(&key, password_hash, nt_hash)).await
    }

    async fn nt_hash(&self, name: &str) -> StoreResult<Option<NtHash>> {
        let key = key(name);
        self.run(move |shared| shared.directory.nt_hash(&key)).await
    }

    async fn add_token(&self, name: &str, hash: TokenHash, expires: i64, now: i64) -> StoreResult<()> {
        let key = key(name);
        self.run(move |shared| shared.directory.add_token(&key, hash, expires, now)).await
    }

    async fn token(&self, hash: TokenHash) -> StoreResult<Option<Token>> {
        // It is a matter of microseconds, and waits for nothing.
        let now = self.0.directory.conn_now().map(|conn| token(&conn, hash));
        match now {
            Some(found) => found,
            None => self.run(move |shared| token(&shared.directory.conn(), hash)).await,
        }
    }

    async fn revoke_tokens(&self, name: &str) -> StoreResult<u64> {
        let key = key(name);
        self.run(move |shared| shared.directory.revoke_tokens(&key)).await
    }

    async fn kinds(&self) -> StoreResult<SecretKinds> {
        self.run(|shared| shared.directory.secret_kinds()).await
    }
}

impl Directory {
    fn set_password(&self, key: &str, password_hash: String, nt_hash: Option<NtHash>) -> StoreResult<()> {
        let mut conn = self.conn();
        let mut account = directory::find(&conn, "key", key)?.ok_or(NO_ACCOUNT)?;
        account.password_hash = password_hash;
        let mut write = || {
            let tx = conn.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute(
                "UPDATE account SET password_hash = ?, sum = ? WHERE key = ?",
                params![account.password_hash, directory::sum(&account), key],
            )?;
            tx.execute("DELETE FROM nt_hash WHERE account = ?", [key])?;
            if let Some(hash) = nt_hash {
                tx.execute(
                    "INSERT INTO nt_hash VALUES(?, ?, ?)",
                    params![key, hash.0, nt_hash_sum(key, &hash)],
                )?;
            }
            tx.commit()
        };
        write().doing("writing an account")
    }

    fn nt_hash(&self, key: &str) -> StoreResult<Option<NtHash>> {
        let conn = self.conn();
        let mut statement = conn
            .sql
            .prepare_cached("SELECT hash, sum FROM nt_hash WHERE account = ?")
            .doing("looking for an account")?;
        let found =
            statement.query_row([key], |row| Ok((NtHash(row.get(0)?), row.get::<_, i64>(1)?))).optional();
        let Some((hash, stored)) = found.doing("looking for an account")? else { return Ok(None) };
        if nt_hash_sum(key, &hash) != stored {
            return Err(corrupt(format!("the NT hash of {key} does not fit its checksum")));
        }
        Ok(Some(hash))
    }

    fn add_token(&self, key: &str, hash: TokenHash, expires: i64, now: i64) -> StoreResult<()> {
        let mut conn = self.conn();
        directory::find(&conn, "key", key)?.ok_or(NO_ACCOUNT)?;
        let mut write = || {
            let tx = conn.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM token WHERE account = ? AND expires < ?", params![key, now])?;
            tx.execute(
                "INSERT INTO token VALUES(?, ?, ?, ?)",
                params![hash.0, key, expires, token_sum(&hash, key, expires)],
            )?;
            tx.commit()
        };
        match write() {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(StoreError::Exists("the token".to_owned()))
            }
            other => other.doing("writing a token"),
        }
    }

    fn revoke_tokens(&self, key: &str) -> StoreResult<u64> {
        let conn = self.conn();
        directory::find(&conn, "key", key)?.ok_or(NO_ACCOUNT)?;
        let count = conn.sql.execute("DELETE FROM token WHERE account = ?", [key]);
        count.doing("revoking tokens").map(watertight_wire::to_u64)
    }

    fn secret_kinds(&self) -> StoreResult<SecretKinds> {
        let conn = self.conn();
        let mut statement = conn
            .sql
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM nt_hash), EXISTS(SELECT 1 FROM token)")
            .doing("looking for secrets")?;
        statement
            .query_row([], |row| Ok(SecretKinds { nt_hashes: row.get(0)?, tokens: row.get(1)? }))
            .doing("looking for secrets")
    }
}

fn token(conn: &Conn, hash: TokenHash) -> StoreResult<Option<Token>> {
    let mut statement = conn
        .sql
        .prepare_cached("SELECT account, expires, sum FROM token WHERE hash = ?")
        .doing("looking for a token")?;
    let found = statement.query_row([hash.0], |row| {
        Ok((Token { account: row.get(0)?, expires: row.get(1)? }, row.get::<_, i64>(2)?))
    });
    let Some((token, stored)) = found.optional().doing("looking for a token")? else { return Ok(None) };
    if token_sum(&hash, &token.account, token.expires) != stored {
        return Err(corrupt(format!("a token of {} does not fit its checksum", token.account)));
    }
    Ok(Some(token))
}

/// Reads every row, of a file that may be older than these tables.
pub(super) fn check(conn: &Conn) -> StoreResult<()> {
    let doing = "checking what accounts sign in with";
    let version: u32 = conn.sql.pragma_query_value(None, "user_version", |row| row.get(0)).doing(doing)?;
    if version < SINCE {
        return Ok(());
    }
    let mut statement = conn.sql.prepare("SELECT account, hash, sum FROM nt_hash").doing(doing)?;
    let mut rows = statement.query([]).doing(doing)?;
    while let Some(row) = rows.next().doing(doing)? {
        let read = || -> rusqlite::Result<_> { Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)) };
        let (account, hash, sum): (_, _, i64) = read().doing(doing)?;
        if nt_hash_sum(&account, &NtHash(hash)) != sum {
            return Err(corrupt(format!("the NT hash of {account} does not fit its checksum")));
        }
    }
    let mut statement = conn.sql.prepare("SELECT hash, account, expires, sum FROM token").doing(doing)?;
    let mut rows = statement.query([]).doing(doing)?;
    while let Some(row) = rows.next().doing(doing)? {
        let read = || -> rusqlite::Result<_> {
            Ok((TokenHash(row.get(0)?), row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
        };
        let (hash, account, expires, sum): (_, _, _, i64) = read().doing(doing)?;
        if token_sum(&hash, &account, expires) != sum {
            return Err(corrupt(format!("a token of {account} does not fit its checksum")));
        }
    }
    Ok(())
}

fn nt_hash_sum(account: &str, hash: &NtHash) -> i64 {
    Sum::new(21).bytes(account.as_bytes()).bytes(&hash.0).finish()
}

fn token_sum(hash: &TokenHash, account: &str, expires: i64) -> i64 {
    Sum::new(22).bytes(&hash.0).bytes(account.as_bytes()).number(expires).finish()
}

#[cfg(test)]
mod tests {
    use watertight_ledger::Ledger;
    use watertight_mapi::store::{NewAccount, Store};

    use super::super::schema::{Access, DIRECTORY, FileKind};
    use super::*;

    /// A data directory of the first version, with an account, opened by this one.
    #[tokio::test]
    async fn older_directories_of_accounts_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("directory.db");
        let ledger = Ledger::new("test");
        let first = FileKind { steps: &DIRECTORY.steps[..1], ..DIRECTORY };
        let conn = first.open(&path, Access::Create, &ledger.kind("connections")).unwrap();
        let directory = Directory::new(conn);
        let new = NewAccount {
            name: "anna".into(),
            display_name: "Anna".into(),
            smtp_address: "anna@example.org".into(),
            password_hash: "old".into(),
        };
        directory.insert(&directory::account(new).unwrap()).unwrap();
        assert_eq!(directory.page("", 9).unwrap().items.len(), 1);
        check(&directory.conn()).unwrap();
        drop(directory);

        let store = SqliteStore::open(dir.path(), &ledger).unwrap();
        assert_eq!(store.account("anna").await.unwrap().unwrap().password_hash, "old");
        assert_eq!(store.kinds().await.unwrap(), SecretKinds::default());
        store.set_password("anna", "new", Some(NtHash([1; 16]))).await.unwrap();
        store.add_token("anna", TokenHash([2; 32]), 9, 0).await.unwrap();
        check(&store.0.directory.conn()).unwrap();
        store.0.directory.conn().sql.execute("UPDATE token SET expires = expires + 1", []).unwrap();
        assert!(matches!(store.token(TokenHash([2; 32])).await, Err(StoreError::Corrupt(_))));
        assert!(matches!(check(&store.0.directory.conn()), Err(StoreError::Corrupt(_))));
    }
}
