//! `watertight user`

mod rights;

use std::path::Path;

use anyhow::{Context, Result};
use watertight_ledger::Ledger;
use watertight_mapi::store::{NewAccount, Store};
use zeroize::Zeroizing;

use super::on_runtime;
use crate::cli::{Common, User, UserAdd, UserPasswd, UserToken};
use crate::exit::{Exit, Failure};
use crate::out::say;
use crate::{data, secret};

/// Runs the command.
pub fn run(command: &User, common: &Common) -> Result<Exit> {
    match command {
        User::Add(args) => add(args, common),
        User::Passwd(args) => passwd(args, common),
        User::Token(args) => token(args, common),
        User::List(args) => rights::list(args, common),
        User::Grant(args) => rights::grant(args, common),
        User::Revoke(args) => rights::revoke(args, common),
    }
}

/// The new password of an account.
fn new_password(name: &str, file: Option<&Path>) -> Result<Zeroizing<String>> {
    match file {
        Some(file) => secret::from_file(file),
        None => secret::from_environment_or_prompt(&format!("Password of {name}: ")),
    }
}

fn add(args: &UserAdd, common: &Common) -> Result<Exit> {
    if args.archive && rights::add_archive(args, common)? {
        return Ok(Exit::Done);
    }
    let password = new_password(&args.name, args.password_file.as_deref())?;
    let password_hash =
        watertight_mapi_server::hash_password(&password).context("cannot hash the password")?;
    let smtp_address = args.smtp.clone().unwrap_or_else(|| {
        if args.name.contains('@') { args.name.clone() } else { format!("{}@localhost", args.name) }
    });
    let account = NewAccount {
        name: args.name.clone(),
        display_name: args.display.clone().unwrap_or_else(|| args.name.clone()),
        smtp_address,
        password_hash: password_hash.clone(),
    };
    let account = on_runtime(1, async {
        let store = data::open_or_make(&args.data, &Ledger::new("watertight")).await?;
        let account =
            store.create_account(account).await.with_context(|| format!("cannot add {}", args.name))?;
        if args.ntlm {
            let hash = Some(watertight_mapi_server::nt_hash(&password));
            let set = store.secrets().set_password(&args.name, &password_hash, hash).await;
            set.with_context(|| {
                format!("{0} is there, but without NTLM: watertight user passwd {0} --ntlm", args.name)
            })?;
        }
        match args.archive {
            true => store.create_archive(&account.name).await.context("cannot make the archive"),
            false => Ok(account),
        }
    })?;
    if common.json {
        let json = serde_json::json!({
            "version": 1,
            "name": account.name,
            "smtp": account.smtp_address,
            "display": account.display_name,
            "dn": account.legacy_dn,
            "archive_dn": account.archive_dn(),
        });
        say!("{json}");
    } else if !common.quiet {
        say!("{} <{}>, an empty mailbox", account.display_name, account.smtp_address);
        say!("dn {}", account.legacy_dn);
    }
    Ok(Exit::Done)
}

fn passwd(args: &UserPasswd, common: &Common) -> Result<Exit> {
    let password = new_password(&args.name, args.password_file.as_deref())?;
    let password_hash =
        watertight_mapi_server::hash_password(&password).context("cannot hash the password")?;
    let ntlm = on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        let name = account_name(&store, &args.name).await?;
        let secrets = store.secrets();
        let before = secrets.nt_hash(&name).await.context("cannot look the account up")?.is_some();
        let ntlm = args.ntlm || (before && !args.no_ntlm);
        let hash = ntlm.then(|| watertight_mapi_server::nt_hash(&password));
        secrets
            .set_password(&name, &password_hash, hash)
            .await
            .with_context(|| format!("cannot change the password of {}", args.name))?;
        anyhow::Ok(ntlm)
    })?;
    if common.json {
        say!("{}", serde_json::json!({"version": 1, "name": args.name, "ntlm": ntlm}));
    } else if !common.quiet {
        say!("{} has another password{}", args.name, if ntlm { ", also for NTLM" } else { "" });
    }
    Ok(Exit::Done)
}

fn token(args: &UserToken, common: &Common) -> Result<Exit> {
    let now = jiff::Timestamp::now().as_second();
    let expires = now.saturating_add(i64::from(args.valid).saturating_mul(24 * 3600));
    let (token, hash) = watertight_mapi_server::new_token().context("cannot make a token")?;
    let revoked = on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        let name = account_name(&store, &args.name).await?;
        let secrets = store.secrets();
        if args.revoke {
            return secrets.revoke_tokens(&name).await.map(Some).context("cannot revoke the tokens");
        }
        secrets.add_token(&name, hash, expires, now).await.map(|()| None).context("cannot keep the token")
    })?;
    let until = jiff::Timestamp::from_second(expires).context("the token would be good for too long")?;
    match (revoked, common.json) {
        (Some(count), true) => {
            say!("{}", serde_json::json!({"version": 1, "name": args.name, "revoked": count}));
        }
        (Some(count), false) if !common.quiet => {
            say!("{count} {} of {} revoked", if count == 1 { "token" } else { "tokens" }, args.name);
        }
        (Some(_), false) => {}
        (None, true) => {
            let json = serde_json::json!({
                "version": 1,
                "name": args.name,
                "token": token.as_str(),
                "expires": until.to_string(),
            });
            say!("{json}");
        }
        // Alone, so that it can be put into a file.
        (None, false) => say!("{}", token.as_str()),
    }
    Ok(Exit::Done)
}

/// The login name as it was given when the account was made, or how to make it.
async fn account_name(store: &dyn Store, name: &str) -> Result<String> {
    let account = store.account(name).await.context("cannot look the account up")?;
    let cure = || format!("make it with: watertight user add --data DIR {name}");
    let found =
        account.ok_or_else(|| Failure::new(Exit::Failed, format!("there is no account {name}"), cure()))?;
    Ok(found.name)
}
