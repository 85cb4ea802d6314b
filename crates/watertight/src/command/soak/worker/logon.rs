//! The loop of Q293150: MAPILogonEx, Logoff, Release.

use anyhow::{Result, bail, ensure};
use watertight_mapi::{Fid, GlobCnt};
use watertight_mapi_client::{
    Associated, ContentsExporter, Error, Export, Folder, LogoffFlags, MapiSession, SpecialFolder, Table, View,
};

use super::{Client, panic, refused};
use crate::cli::How;
use crate::command::sync;

/// Sessions, one after the other.
pub struct Logon {
    client: Client,
}

/// What a caller has open.
struct Opened {
    store: watertight_mapi_client::Logon,
    _folders: Vec<Folder>,
    _table: Table,
    _exporter: ContentsExporter,
}

impl Logon {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// One session, which so many follow. Returns how many operations that was.
    pub async fn one(&mut self, left: u64) -> Result<u64> {
        let how = self.client.how(left);
        let session = self.client.logon().await?;
        match how {
            // Dropping it is Release.
            How::Closed | How::Rotate => logoff(&session).await?,
            How::Unclosed => {
                let opened = open(&session).await?;
                logoff(&session).await?;
                // Only now, when the session is over.
                drop(opened);
            }
            How::Panic => {
                let task = tokio::spawn(async move {
                    let _opened = open(&session).await?;
                    panic()
                });
                let ended: Result<Result<()>, _> = task.await;
                match ended {
                    Err(error) => ensure!(error.is_panic(), "the task did not panic"),
                    Ok(done) => done?,
                }
            }
            How::Error => fail(&session).await?,
        }
        Ok(1)
    }

    /// Waits until all of it has ended.
    pub async fn quiet(&mut self) {
        self.client.mapi.idle().await;
    }
}

async fn logoff(session: &MapiSession) -> Result<()> {
    session.logoff(LogoffFlags::empty()).await.map_err(|e| refused(&e))
}

/// Opens what a caller could forget to close.
async fn open(session: &MapiSession) -> Result<Opened> {
    let store = session.open_msg_store().map_err(|e| refused(&e))?;
    let inbox = store.inbox().await.map_err(sync::client)?;
    let top = store.ipm_subtree().await.map_err(sync::client)?;
    let table = inbox.contents_table(Associated::No, &View::default()).await.map_err(sync::client)?;
    let mut exporter = inbox.contents_exporter();
    exporter.config(&[], &Export::default()).await?;
    Ok(Opened { store, _folders: vec![inbox, top], _table: table, _exporter: exporter })
}

/// Comes upon an error with everything open, and returns at once.
async fn fail(session: &MapiSession) -> Result<()> {
    let opened = open(session).await?;
    not_there(opened.store.open_folder(nowhere(&opened.store)).await.map(drop))
}

/// A folder that is not there.
pub fn nowhere(store: &watertight_mapi_client::Logon) -> Fid {
    let inbox = store.special_folder(SpecialFolder::Inbox);
    Fid::new(inbox.repl_id, GlobCnt::new(0x7fff_ffff_fff0).unwrap_or_default())
}

/// It must have been refused.
pub fn not_there(done: Result<(), Error>) -> Result<()> {
    match done {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(sync::client(error)),
        Ok(()) => bail!("a folder that is not there was opened"),
    }
}
