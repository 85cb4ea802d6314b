//! The loop of Q293150: MAPILogonEx, Logoff, Release.

use anyhow::{Result, ensure};
use watertight_mapi::ics::State;
use watertight_mapi::{Fid, GlobCnt};
use watertight_mapi_client::{Download, Error, Folder, Session, SpecialFolder, SyncOptions};

use super::{Client, panic};
use crate::cli::How;
use crate::command::sync;

/// Sessions, one after the other.
pub struct Logon {
    client: Client,
    count: u64,
}

/// What a caller has open.
struct Opened {
    logon: watertight_mapi_client::Logon,
    _folders: Vec<Folder>,
    _download: Download,
}

impl Logon {
    pub fn new(client: Client) -> Self {
        Self { client, count: 0 }
    }

    /// One session. Returns how many operations that was.
    pub async fn one(&mut self) -> Result<u64> {
        let how = self.client.how(self.count);
        self.count = self.count.wrapping_add(1);
        let dn = self.client.dn.as_str();
        let session = self.client.connector.connect(dn).await.map_err(sync::client)?;
        match how {
            How::Closed | How::Rotate => {
                let logon = session.logon(dn).await.map_err(sync::client)?;
                drop(logon);
                session.disconnect().await.map_err(sync::client)?;
            }
            How::Unclosed => {
                let opened = open(&session, dn).await.map_err(sync::client)?;
                session.disconnect().await.map_err(sync::client)?;
                // Only now, when the session is over.
                drop(opened);
            }
            How::Panic => {
                let dn = dn.to_owned();
                let task = tokio::spawn(async move {
                    let _opened = open(&session, &dn).await?;
                    panic()
                });
                let ended: Result<Result<(), Error>, _> = task.await;
                match ended {
                    Err(error) => ensure!(error.is_panic(), "the task did not panic"),
                    Ok(done) => done.map_err(sync::client)?,
                }
            }
            How::Error => {
                let refused = fail(&session, dn).await;
                match refused {
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(sync::client(error)),
                    Ok(()) => anyhow::bail!("a folder that is not there was opened"),
                }
            }
        }
        Ok(1)
    }

    /// Waits until all of it has ended.
    pub async fn rest(&mut self) {
        self.client.connector.idle().await;
    }
}

/// Opens what a caller could forget to close.
async fn open(session: &Session, dn: &str) -> Result<Opened, Error> {
    let logon = session.logon(dn).await?;
    let mut folders = Vec::new();
    for which in [SpecialFolder::Inbox, SpecialFolder::IpmSubtree] {
        folders.push(logon.open_folder(logon.special_folder(which)).await?);
    }
    let inbox = logon.open_folder(logon.special_folder(SpecialFolder::Inbox)).await?;
    let download = inbox.sync_contents(&State::default(), &SyncOptions::default()).await?;
    folders.push(inbox);
    Ok(Opened { logon, _folders: folders, _download: download })
}

/// Comes upon an error with everything open, and returns at once.
async fn fail(session: &Session, dn: &str) -> Result<(), Error> {
    let opened = open(session, dn).await?;
    let inbox = opened.logon.special_folder(SpecialFolder::Inbox);
    let nowhere = Fid::new(inbox.repl_id, GlobCnt::new(0x7fff_ffff_fff0).unwrap_or_default());
    opened.logon.open_folder(nowhere).await?;
    Ok(())
}
