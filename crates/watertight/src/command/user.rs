//! `watertight user`

use anyhow::{Context, Result};
use watertight_ledger::Ledger;
use watertight_mapi::store::{NewAccount, Store};

use super::on_runtime;
use crate::cli::{Common, User, UserAdd};
use crate::exit::Exit;
use crate::out::say;
use crate::{data, secret};

/// Runs the command.
pub fn run(command: &User, common: &Common) -> Result<Exit> {
    match command {
        User::Add(args) => add(args, common),
    }
}

fn add(args: &UserAdd, common: &Common) -> Result<Exit> {
    let password = match &args.password_file {
        Some(file) => secret::from_file(file)?,
        None => secret::from_environment_or_prompt(&format!("Password of {}: ", args.name))?,
    };
    let password_hash =
        watertight_mapi_server::hash_password(&password).context("cannot hash the password")?;
    let smtp_address = args.smtp.clone().unwrap_or_else(|| {
        if args.name.contains('@') { args.name.clone() } else { format!("{}@localhost", args.name) }
    });
    let account = NewAccount {
        name: args.name.clone(),
        display_name: args.display.clone().unwrap_or_else(|| args.name.clone()),
        smtp_address,
        password_hash,
    };
    let account = on_runtime(1, async {
        let store = data::open_or_make(&args.data, &Ledger::new("watertight")).await?;
        store.create_account(account).await.with_context(|| format!("cannot add {}", args.name))
    })?;
    if common.json {
        let json = serde_json::json!({
            "version": 1,
            "name": account.name,
            "smtp": account.smtp_address,
            "display": account.display_name,
            "dn": account.legacy_dn,
        });
        say!("{json}");
    } else if !common.quiet {
        say!("{} <{}>, an empty mailbox", account.display_name, account.smtp_address);
        say!("dn {}", account.legacy_dn);
    }
    Ok(Exit::Done)
}
