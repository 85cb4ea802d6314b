//! Who may do what in whose mailbox.

use rusqlite::{OptionalExtension, params};
use watertight_mapi::store::{Access, Grant, StoreError, StoreResult};

use super::{Directory, SINCE, find, further::public_store};
use crate::{
    account::{key, not_oneself},
    sqlite::{
        checksum::Sum,
        error::{Doing, corrupt},
        schema::Conn,
    },
};

/// The key of an owner; the public folders have none.
fn owner_key(owner: Option<&str>) -> String {
    owner.map(key).unwrap_or_default()
}

impl Directory {
    /// What an account may do in another's mailboxes, or in the public folders.
    pub(in crate::sqlite) fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>> {
        access(&self.conn(), &owner_key(owner), &key(to))
    }

    /// The same, unless somebody else uses the file now.
    pub(in crate::sqlite) fn access_now(
        &self,
        owner: Option<&str>,
        to: &str,
    ) -> Option<StoreResult<Option<Access>>> {
        self.conn_now().map(|conn| access(&conn, &owner_key(owner), &key(to)))
    }

    /// Who has a right in an account's mailboxes, or in the public folders.
    pub(in crate::sqlite) fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>> {
        let conn = self.conn();
        let owner = match owner {
            Some(name) => find(&conn, "key", &key(name))?.map(|account| Some(account.name)),
            None => Some(None),
        };
        let Some(owner) = owner.filter(|_| conn.version >= SINCE) else { return Ok(Vec::new()) };
        let owner_key = owner_key(owner.as_deref());
        let rows: Vec<(String, i64, i64)> = conn
            .sql
            .prepare_cached("SELECT grantee, level, access_sum FROM access WHERE owner = ? ORDER BY grantee")
            .and_then(|mut s| {
                s.query_map([&owner_key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
            })
            .doing("listing rights")?;
        rows.into_iter()
            .map(|(to, level, stored)| {
                let access = checked(&owner_key, &to, level, stored)?;
                let to = find(&conn, "key", &to)?
                    .ok_or_else(|| corrupt(format!("{to} has a right and no account")))?
                    .name;
                Ok(Grant { owner: owner.clone(), to, access })
            })
            .collect()
    }

    /// Gives a right, in place of one that is there.
    pub(in crate::sqlite) fn grant(&self, grant: &Grant) -> StoreResult<()> {
        let conn = self.conn();
        let (owner, to) = (owner_key(grant.owner.as_deref()), key(&grant.to));
        not_oneself(Some(&owner), &to)?;
        find(&conn, "key", &to)?.ok_or(StoreError::NotFound("account"))?;
        match &grant.owner {
            Some(_) => drop(find(&conn, "key", &owner)?.ok_or(StoreError::NotFound("account"))?),
            None => drop(public_store(&conn)?.ok_or(StoreError::NotFound("mailbox of public folders"))?),
        }
        let level = level(grant.access);
        conn.sql
            .execute(
                "INSERT OR REPLACE INTO access VALUES(?, ?, ?, ?)",
                params![owner, to, level, sum(&owner, &to, level)],
            )
            .doing("writing a right")?;
        Ok(())
    }

    /// Takes a right away.
    pub(in crate::sqlite) fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()> {
        let gone = self
            .conn()
            .sql
            .execute("DELETE FROM access WHERE owner = ? AND grantee = ?", [owner_key(owner), key(to)])
            .doing("removing a right")?;
        if gone == 0 { Err(StoreError::NotFound("right")) } else { Ok(()) }
    }

    /// What is wrong with the rights, in words.
    pub(in crate::sqlite) fn check_access(&self) -> StoreResult<Vec<String>> {
        let conn = self.conn();
        if conn.version < SINCE {
            return Ok(Vec::new());
        }
        let rows: Vec<(String, String, i64, i64)> = conn
            .sql
            .prepare("SELECT owner, grantee, level, access_sum FROM access")
            .and_then(|mut s| {
                s.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect()
            })
            .doing("checking rights")?;
        let mut wrong = Vec::new();
        for (owner, to, level, stored) in rows {
            if let Err(error) = checked(&owner, &to, level, stored) {
                wrong.push(error.to_string());
            }
            let there = |name: &str| Ok::<_, StoreError>(find(&conn, "key", name)?.is_some());
            let owned = if owner.is_empty() { public_store(&conn)?.is_some() } else { there(&owner)? };
            if !owned || !there(&to)? {
                wrong.push(format!("the right of {to:?} in the mailbox of {owner:?} belongs to nobody"));
            }
        }
        let lost: i64 = conn
            .sql
            .query_row(
                "SELECT count(*) FROM further WHERE kind = 1 AND owner NOT IN (SELECT key FROM account)",
                [],
                |row| row.get(0),
            )
            .doing("checking archives")?;
        if lost > 0 {
            wrong.push(format!("{lost} archives belong to nobody"));
        }
        Ok(wrong)
    }
}

fn access(conn: &Conn, owner: &str, to: &str) -> StoreResult<Option<Access>> {
    if conn.version < SINCE {
        return Ok(None);
    }
    let found: Option<(i64, i64)> = conn
        .sql
        .prepare_cached("SELECT level, access_sum FROM access WHERE owner = ? AND grantee = ?")
        .and_then(|mut s| s.query_row([owner, to], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .doing("looking for a right")?;
    found.map(|(level, stored)| checked(owner, to, level, stored)).transpose()
}

fn checked(owner: &str, to: &str, level: i64, stored: i64) -> StoreResult<Access> {
    if stored != sum(owner, to, level) {
        return Err(corrupt(format!("the right of {to} does not fit its checksum")));
    }
    Ok(if level == 2 { Access::Write } else { Access::Read })
}

const fn level(access: Access) -> i64 {
    match access {
        Access::Read => 1,
        Access::Write => 2,
    }
}

fn sum(owner: &str, to: &str, level: i64) -> i64 {
    Sum::new(11).bytes(owner.as_bytes()).bytes(to.as_bytes()).number(level).finish()
}
