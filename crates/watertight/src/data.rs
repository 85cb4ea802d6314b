//! Data directories: opened for a command.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use watertight_ledger::Ledger;
use watertight_mapi::store::{Account, Mailbox, Store};
use watertight_store::SqliteStore;

use crate::exit::{Exit, Failure};

/// Opens a data directory that is there.
pub async fn open(dir: &Path, ledger: &Ledger) -> Result<SqliteStore> {
    if !dir.is_dir() {
        let cure = format!("make one with: watertight user add --data {} NAME", dir.display());
        return Err(
            Failure::new(Exit::Failed, format!("{} is no data directory", dir.display()), cure).into()
        );
    }
    open_or_make(dir, ledger).await
}

/// Opens a data directory, made when it is not there.
pub async fn open_or_make(dir: &Path, ledger: &Ledger) -> Result<SqliteStore> {
    let (path, ledger) = (dir.to_owned(), ledger.clone());
    tokio::task::spawn_blocking(move || SqliteStore::open(&path, &ledger))
        .await?
        .with_context(|| format!("cannot open the data directory {}", dir.display()))
}

/// The account and its mailbox.
pub async fn mailbox(store: &dyn Store, name: &str) -> Result<(Account, Arc<dyn Mailbox>)> {
    let account = store.account(name).await.context("cannot look the account up")?;
    let account = account.ok_or_else(|| {
        let cure = format!("make it with: watertight user add --data DIR {name}");
        Failure::new(Exit::Failed, format!("there is no account {name}"), cure)
    })?;
    let mailbox = store.mailbox(account.mailbox_guid).await.context("cannot open the mailbox")?;
    Ok((account, mailbox))
}

/// The archive of an account.
pub async fn archive(store: &dyn Store, name: &str) -> Result<Arc<dyn Mailbox>> {
    let (account, _) = mailbox(store, name).await?;
    let archive = account.archive.ok_or_else(|| {
        let cure = format!("make one with: watertight user add --data DIR {name} --archive");
        Failure::new(Exit::Failed, format!("{name} has no archive"), cure)
    })?;
    store.mailbox(archive).await.context("cannot open the archive")
}

/// The mailbox of the public folders.
pub async fn public(store: &dyn Store) -> Result<Arc<dyn Mailbox>> {
    let public = store.public_store().await.context("cannot look for public folders")?;
    let public = public.ok_or_else(|| {
        let cure = "make them with: watertight store public --data DIR";
        Failure::new(Exit::Failed, "there are no public folders", cure)
    })?;
    store.mailbox(public).await.context("cannot open the public folders")
}
