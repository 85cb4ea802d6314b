//! The loop of KB 887828: Config, Synchronize, UpdateState, again, while the mailbox changes.

mod changes;

use anyhow::{Context, Result, bail, ensure};
use watertight_mapi::Mid;
use watertight_mapi::ics::State;
use watertight_mapi::ics::syntactical::Event;
use watertight_mapi_client::{Download, Error, Folder, Logon, Session, SpecialFolder, SyncOptions};

use super::{Client, panic};
use crate::cli::How;
use crate::command::sync;
use changes::Changes;

/// Every so many rounds all of the mailbox is synchronized from an empty state.
const FULL: u64 = 25;
/// So many small requests end a run.
const SMALL_REQUESTS: u32 = 16;
/// The mailbox is listed, and changed, up to so many messages.
const MOST: usize = 100_000;

/// A mailbox that is synchronized while it changes.
pub struct Ics {
    client: Client,
    open: Open,
    contents: State,
    hierarchy: State,
    changes: Changes,
    round: u64,
}

struct Open {
    inbox: Folder,
    top: Folder,
    logon: Logon,
    session: Session,
}

/// What a synchronization brought.
#[derive(Debug, Default)]
struct Counted {
    events: u64,
    messages: u64,
    state: Option<State>,
}

impl Ics {
    /// Connects, and synchronizes for the first time.
    pub async fn new(client: Client) -> Result<Self> {
        let session = client.connector.connect(&client.dn).await.map_err(sync::client)?;
        let logon = session.logon(&client.dn).await.map_err(sync::client)?;
        let folder = async |which| logon.open_folder(logon.special_folder(which)).await.map_err(sync::client);
        let (inbox, top) = (folder(SpecialFolder::Inbox).await?, folder(SpecialFolder::IpmSubtree).await?);
        let mut ids = Vec::new();
        let download = inbox.sync_contents(&State::default(), &SyncOptions::default()).await.map_err(sync::client)?;
        let counted = count(download, |id| ids.push(id)).await.map_err(sync::client)?;
        ids.truncate(MOST);
        let contents = counted.state.context("a synchronization without a state")?;
        let mut changes = Changes::new(ids);
        changes.warm_up(&session, &inbox).await?;
        let open = Open { inbox, top, logon, session };
        Ok(Self { client, open, contents, hierarchy: State::default(), changes, round: 0 })
    }

    /// One round. Returns how many synchronizations it was.
    pub async fn round(&mut self) -> Result<u64> {
        let round = self.round;
        self.round = self.round.wrapping_add(1);
        let changed = self.changes.make(&self.open.session, &self.open.inbox).await?;
        self.interrupted(self.client.how(round)).await?;
        let first = self.contents().await?;
        ensure!(first.messages == changed, "{changed} messages changed, and {} came", first.messages);
        let second = self.contents().await?;
        ensure!(second.messages == 0, "nothing changed, and {} messages came", second.messages);
        let download = self.open.top.sync_hierarchy(&self.hierarchy).await.map_err(sync::client)?;
        let counted = count(download, |_| ()).await.map_err(sync::client)?;
        self.hierarchy = counted.state.context("a synchronization without a state")?;
        if !round.is_multiple_of(FULL) {
            return Ok(3);
        }
        let download = self.download(&State::default()).await.map_err(sync::client)?;
        let all = count(download, |_| ()).await.map_err(sync::client)?;
        ensure!(all.messages > 0 && all.events > all.messages, "the whole mailbox is empty");
        Ok(4)
    }

    /// Waits until all of it has ended.
    pub async fn rest(&mut self) {
        // A request takes along what was dropped before it. Buffers that were large for a download become small again.
        for _ in 0..SMALL_REQUESTS {
            let _ = self.open.logon.long_term_id(self.open.inbox.id()).await;
        }
    }

    async fn download(&self, state: &State) -> Result<Download, Error> {
        self.open.inbox.sync_contents(state, &SyncOptions::default()).await
    }

    async fn contents(&mut self) -> Result<Counted> {
        let download = self.download(&self.contents).await.map_err(sync::client)?;
        let mut counted = count(download, |_| ()).await.map_err(sync::client)?;
        self.contents = counted.state.take().context("a synchronization without a state")?;
        Ok(counted)
    }

    /// What does not come to its end, before what does.
    async fn interrupted(&self, how: How) -> Result<()> {
        match how {
            How::Closed | How::Rotate => {}
            // A download that was begun, and a folder: their caller forgets them.
            How::Unclosed => {
                begun(&self.open.inbox).await.map_err(sync::client)?;
            }
            How::Panic => {
                let logon = self.open.logon.clone();
                let task = tokio::spawn(async move {
                    let inbox = logon.open_folder(logon.special_folder(SpecialFolder::Inbox)).await?;
                    let _download = begun(&inbox).await?;
                    panic()
                });
                let ended: Result<Result<(), Error>, _> = task.await;
                match ended {
                    Err(error) => ensure!(error.is_panic(), "the task did not panic"),
                    Ok(done) => done.map_err(sync::client)?,
                }
            }
            How::Error => {
                let _download = begun(&self.open.inbox).await.map_err(sync::client)?;
                match self.changes.fail(&self.open.logon).await {
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(sync::client(error)),
                    Ok(()) => bail!("a folder that is not there was opened"),
                }
            }
        }
        Ok(())
    }
}

/// A download of everything, of which only the beginning was taken.
async fn begun(inbox: &Folder) -> Result<Download, Error> {
    let mut download = inbox.sync_contents(&State::default(), &SyncOptions::default()).await?;
    for _ in 0..20 {
        download.next_event().await?;
    }
    Ok(download)
}

/// Takes everything, and keeps nothing but the state.
async fn count(mut download: Download, mut id: impl FnMut(Mid)) -> Result<Counted, Error> {
    let mut counted = Counted::default();
    while let Some(event) = download.next_event().await? {
        counted.events = counted.events.saturating_add(1);
        match event {
            Event::MessageChange(header) | Event::PartialChange(header) => {
                counted.messages = counted.messages.saturating_add(1);
                if let Some(mid) = header.mid {
                    id(mid);
                }
            }
            Event::State(state, _) => counted.state = Some(*state),
            _ => {}
        }
    }
    Ok(counted)
}
