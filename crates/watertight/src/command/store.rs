//! `watertight store`

use anyhow::{Context, Result};
use indicatif::HumanBytes;
use serde_json::json;
use watertight_ledger::Ledger;
use watertight_mapi::store::{PUBLIC_DN, Store as _};
use watertight_store::{CheckReport, Damage};

use super::on_runtime;
use crate::cli::{Common, Store, StoreBackup, StoreCheck, StorePublic};
use crate::data;
use crate::exit::Exit;
use crate::out::say;
use crate::words::counted;

/// Runs the command.
pub fn run(command: &Store, common: &Common) -> Result<Exit> {
    match command {
        Store::Check(args) => check(args, common),
        Store::Backup(args) => backup(args, common),
        Store::Public(args) => public(args, common),
    }
}

fn check(args: &StoreCheck, common: &Common) -> Result<Exit> {
    let report = watertight_store::check(&args.data)
        .with_context(|| format!("cannot check {}", args.data.display()))?;
    if common.json {
        say!("{}", as_json(&report));
    } else {
        if !common.quiet {
            say!(
                "{}, {}, {}, {}, {}",
                counted(report.mailboxes, "mailbox"),
                counted(report.folders, "folder"),
                counted(report.messages, "message"),
                HumanBytes(report.bytes),
                counted(report.large_values, "large value")
            );
            report.notes.iter().for_each(|note| say!("note: {}: {}", note.file, note.what));
        }
        report.damage.iter().for_each(|damage| say!("DAMAGED: {}: {}", damage.file, damage.what));
        if report.is_sound() {
            say!("sound");
        } else {
            say!("restore the named files from a backup, or import their mail again");
        }
    }
    Ok(if report.is_sound() { Exit::Done } else { Exit::Failed })
}

fn as_json(report: &CheckReport) -> serde_json::Value {
    let list = |found: &[Damage]| -> Vec<_> {
        found.iter().map(|d| json!({"file": d.file, "what": d.what})).collect()
    };
    json!({
        "version": 1,
        "sound": report.is_sound(),
        "mailboxes": report.mailboxes,
        "folders": report.folders,
        "messages": report.messages,
        "large_values": report.large_values,
        "bytes": report.bytes,
        "damage": list(&report.damage),
        "notes": list(&report.notes),
    })
}

fn backup(args: &StoreBackup, common: &Common) -> Result<Exit> {
    let mailboxes = watertight_store::backup(&args.data, &args.to)
        .with_context(|| format!("cannot copy {} to {}", args.data.display(), args.to.display()))?;
    if common.json {
        say!("{}", json!({"version": 1, "mailboxes": mailboxes}));
    } else if !common.quiet {
        say!("{} copied to {}", counted(mailboxes, "mailbox"), args.to.display());
    }
    Ok(Exit::Done)
}

fn public(args: &StorePublic, common: &Common) -> Result<Exit> {
    on_runtime(1, async {
        let store = data::open(&args.data, &Ledger::new("watertight")).await?;
        store.create_public_store().await.context("cannot make the public folders")
    })?;
    if common.json {
        say!("{}", json!({"version": 1, "dn": PUBLIC_DN}));
    } else if !common.quiet {
        say!("public folders, empty; everybody with an account may read them");
    }
    Ok(Exit::Done)
}
