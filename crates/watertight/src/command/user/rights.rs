//! `watertight user list`, `grant`, `revoke`: who there is, and who may open whose mailbox.

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use watertight_ledger::Ledger;
use watertight_mapi::store::{Access, Account, Grant, Store, StoreError};

use crate::cli::{Common, UserAdd, UserGrant, UserList, UserRevoke};
use crate::command::on_runtime;
use crate::data;
use crate::exit::{Exit, Failure};
use crate::out::say;

/// Accounts that are asked of the store at once.
const PAGE: usize = 256;

/// An account, and who may open its mailbox.
struct Listed {
    account: Account,
    grants: Vec<Grant>,
}

/// `watertight user list`
pub(super) fn list(args: &UserList, common: &Common) -> Result<Exit> {
    let (all, public) = on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = store.accounts(after.as_ref(), PAGE).await.context("cannot list the accounts")?;
            for account in page.items {
                let grants = store.grants(Some(&account.name)).await.context("cannot list the rights")?;
                all.push(Listed { account, grants });
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let public = match store.public_store().await.context("cannot look for public folders")? {
            Some(_) => Some(store.grants(None).await.context("cannot list the rights")?),
            None => None,
        };
        Ok((all, public))
    })?;
    if common.json {
        let rights = |grants: &[Grant]| -> Vec<_> {
            grants.iter().map(|g| json!({"to": g.to, "read_only": g.access == Access::Read})).collect()
        };
        let users: Vec<_> = all
            .iter()
            .map(|Listed { account, grants }| {
                json!({
                    "name": account.name,
                    "smtp": account.smtp_address,
                    "display": account.display_name,
                    "dn": account.legacy_dn,
                    "archive_dn": account.archive_dn(),
                    "grants": rights(grants),
                })
            })
            .collect();
        let public = public.as_deref().map(rights);
        say!("{}", json!({"version": 1, "users": users, "public_folders": public}));
        return Ok(Exit::Done);
    }
    for Listed { account, grants } in &all {
        let archive = if account.archive.is_some() { ", with an archive" } else { "" };
        say!("{} <{}>{archive}", account.name, account.smtp_address);
        grants.iter().for_each(|grant| say!("  {} {}", grant.to, may(grant)));
    }
    if let Some(grants) = &public {
        say!("public folders, which everybody may read");
        grants.iter().for_each(|grant| say!("  {} {}", grant.to, may(grant)));
    }
    Ok(Exit::Done)
}

/// `watertight user grant`
pub(super) fn grant(args: &UserGrant, common: &Common) -> Result<Exit> {
    let (owner, to) = who(args.public, &args.names)?;
    let access = if args.read_only { Access::Read } else { Access::Write };
    let grant = Grant { owner: owner.map(str::to_owned), to: to.to_owned(), access };
    on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        store.grant(grant.clone()).await.map_err(|error| refused(error, args.public))
    })?;
    if common.json {
        say!("{}", json!({"version": 1, "owner": owner, "to": to, "read_only": args.read_only}));
    } else if !common.quiet {
        say!("{to} {} {}", may(&grant), whose(owner));
    }
    Ok(Exit::Done)
}

/// `watertight user revoke`
pub(super) fn revoke(args: &UserRevoke, common: &Common) -> Result<Exit> {
    let (owner, to) = who(args.public, &args.names)?;
    on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        store.revoke(owner, to).await.map_err(|error| match error {
            StoreError::NotFound(_) => anyhow!(Failure::new(
                Exit::Failed,
                format!("{to} has no right in {}", whose(owner)),
                "see who has one with: watertight user list"
            )),
            error => anyhow!(error).context("cannot take the right away"),
        })
    })?;
    if common.json {
        say!("{}", json!({"version": 1, "owner": owner, "to": to}));
    } else if !common.quiet {
        say!("{to} has no right in {} any more", whose(owner));
    }
    Ok(Exit::Done)
}

/// `watertight user add --archive` for an account that is there; says whether it was.
pub(super) fn add_archive(args: &UserAdd, common: &Common) -> Result<bool> {
    let account = on_runtime(1, async {
        let store = data::open_or_make(&args.data, &Ledger::new("watertight")).await?;
        if store.account(&args.name).await.context("cannot look the account up")?.is_none() {
            return Ok(None);
        }
        let made = store.create_archive(&args.name).await;
        made.with_context(|| format!("cannot make an archive for {}", args.name)).map(Some)
    })?;
    let Some(account) = account else { return Ok(false) };
    let dn = account.archive_dn();
    if common.json {
        say!("{}", json!({"version": 1, "name": account.name, "dn": account.legacy_dn, "archive_dn": dn}));
    } else if !common.quiet {
        say!("{} has an archive", account.name);
        say!("dn {}", dn.unwrap_or_default());
    }
    Ok(true)
}

/// The names of a command line: the owner, unless it is the public folders, and who the right is for.
fn who(public: bool, names: &[String]) -> Result<(Option<&str>, &str)> {
    match (public, names) {
        (false, [owner, to]) => Ok((Some(owner), to)),
        (true, [to]) => Ok((None, to)),
        (false, _) => Err(Failure::usage("give two names: OWNER TO (or --public, and one)").into()),
        (true, _) => Err(Failure::usage("with --public give one name: who it is for").into()),
    }
}

fn may(grant: &Grant) -> &'static str {
    match grant.access {
        Access::Read => "may read",
        Access::Write => "may read and write",
    }
}

fn whose(owner: Option<&str>) -> String {
    owner.map_or_else(|| "the public folders".to_owned(), |owner| format!("the mailbox of {owner}"))
}

fn refused(error: StoreError, public: bool) -> anyhow::Error {
    match error {
        StoreError::NotFound(what) => {
            let cure = match public {
                true => {
                    "see the accounts with: watertight user list; make public folders with: watertight store public"
                }
                false => "see the accounts with: watertight user list",
            };
            anyhow!(Failure::new(Exit::Failed, format!("the {what} is not there"), cure))
        }
        error => anyhow!(error).context("cannot grant the right"),
    }
}
