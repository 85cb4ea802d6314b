//! The loop of KB 887828: Config, Synchronize, UpdateState, again, while the mailbox changes.

mod changes;

use anyhow::{Context, Result, ensure};
use watertight_mapi::Mid;
use watertight_mapi::ics::sink::{
    Deletion, FolderHead, HierarchySink, MessageChange, Piece, ReadStateChange, SinkResult, Verdict,
};
use watertight_mapi::ics::{ContentsSink, GuidIdSet};
use watertight_mapi_client::{ContentsExporter, Export, Folder, LogoffFlags, Logon, MapiSession};

use super::logon::{not_there, nowhere};
use super::{Client, panic, refused};
use crate::cli::How;
use crate::command::sync;
use changes::Changes;

/// Every so many rounds all of the mailbox is synchronized from an empty state.
const FULL: u64 = 25;
/// The mailbox is listed, and changed, up to so many messages.
const MOST: usize = 100_000;

/// A mailbox that is synchronized while it changes.
pub struct Ics {
    client: Client,
    /// Gone while we rest.
    open: Option<Open>,
    contents: Vec<u8>,
    hierarchy: Vec<u8>,
    changes: Changes,
    round: u64,
}

struct Open {
    inbox: Folder,
    top: Folder,
    store: Logon,
    session: MapiSession,
}

impl Open {
    async fn new(client: &Client) -> Result<Self> {
        let session = client.logon().await?;
        let store = session.open_msg_store().map_err(|e| refused(&e))?;
        let inbox = store.inbox().await.map_err(sync::client)?;
        let top = store.ipm_subtree().await.map_err(sync::client)?;
        Ok(Self { inbox, top, store, session })
    }
}

impl Ics {
    /// Connects, and synchronizes for the first time.
    pub async fn new(client: Client) -> Result<Self> {
        let open = Open::new(&client).await?;
        let mut counter = Counter { ids: Some(Vec::new()), ..Counter::default() };
        let contents = contents(&open.inbox, &[], &mut counter).await?;
        let mut changes = Changes::new(counter.ids.unwrap_or_default());
        changes.warm_up(&open.inbox).await?;
        Ok(Self { client, open: Some(open), contents, hierarchy: Vec::new(), changes, round: 0 })
    }

    /// One round, which so many follow. Returns how many synchronizations it was.
    pub async fn round(&mut self, left: u64) -> Result<u64> {
        let round = self.round;
        self.round = self.round.wrapping_add(1);
        let how = self.client.how(left);
        let Open { inbox, top, store, .. } = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::new(&self.client).await?),
        };
        let changed = self.changes.make(inbox).await?;
        interrupted(how, store, inbox).await?;

        let mut counter = Counter::default();
        self.contents = contents(inbox, &self.contents, &mut counter).await?;
        ensure!(counter.messages == changed, "{changed} messages changed, and {} came", counter.messages);
        let mut counter = Counter::default();
        self.contents = contents(inbox, &self.contents, &mut counter).await?;
        ensure!(counter.messages == 0, "nothing changed, and {} messages came", counter.messages);

        let mut exporter = top.hierarchy_exporter();
        exporter.config(&self.hierarchy, &Export::default()).await?;
        exporter.synchronize_all(&mut Counter::default()).await?;
        self.hierarchy = exporter.update_state()?;
        if !round.is_multiple_of(FULL) {
            return Ok(3);
        }
        let mut counter = Counter::default();
        contents(inbox, &[], &mut counter).await?;
        ensure!(counter.messages > 0 && counter.pieces > counter.messages, "the whole mailbox is empty");
        Ok(4)
    }

    /// Waits until all of it has ended, but for the session.
    pub async fn quiet(&mut self) -> Result<()> {
        if let Some(open) = &self.open {
            // What was dropped goes along with a request.
            open.store.long_term_id(open.inbox.id()).await.map_err(sync::client)?;
        }
        Ok(())
    }

    /// Logs off.
    pub async fn rest(&mut self) -> Result<()> {
        if let Some(Open { session, .. }) = self.open.take() {
            session.logoff(LogoffFlags::empty()).await.map_err(|e| refused(&e))?;
        }
        self.client.mapi.idle().await;
        Ok(())
    }
}

/// Config, Synchronize until it is done, UpdateState.
async fn contents(inbox: &Folder, state: &[u8], sink: &mut Counter) -> Result<Vec<u8>> {
    let mut exporter = inbox.contents_exporter();
    exporter.config(state, &Export::default()).await?;
    while !exporter.synchronize(sink).await?.done {}
    exporter.update_state().context("a synchronization without a state")
}

/// What does not come to its end, before what does.
async fn interrupted(how: How, store: &Logon, inbox: &Folder) -> Result<()> {
    match how {
        How::Closed | How::Rotate => Ok(()),
        // An exporter that has begun: its caller forgets it.
        How::Unclosed => begun(inbox).await.map(drop),
        How::Panic => {
            let store = store.clone();
            let task = tokio::spawn(async move {
                let inbox = store.inbox().await.map_err(sync::client)?;
                let _exporter = begun(&inbox).await?;
                panic()
            });
            let ended: Result<Result<()>, _> = task.await;
            match ended {
                Err(error) => ensure!(error.is_panic(), "the task did not panic"),
                Ok(done) => done?,
            }
            Ok(())
        }
        How::Error => {
            let _exporter = begun(inbox).await?;
            not_there(store.open_folder(nowhere(store)).await.map(drop))
        }
    }
}

/// An export of everything, of which only the beginning was taken.
async fn begun(inbox: &Folder) -> Result<ContentsExporter> {
    let mut exporter = inbox.contents_exporter();
    exporter.config(&[], &Export::default()).await?;
    for _ in 0..5 {
        exporter.synchronize(&mut Counter::default()).await?;
    }
    Ok(exporter)
}

/// Takes everything, and keeps nothing but counts.
#[derive(Default)]
struct Counter {
    messages: u64,
    pieces: u64,
    /// The ids too, where they are wanted.
    ids: Option<Vec<Mid>>,
}

impl ContentsSink for Counter {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        self.messages = self.messages.saturating_add(1);
        if let (Some(ids), Some(mid)) = (&mut self.ids, change.header.mid)
            && ids.len() < MOST
        {
            ids.push(mid);
        }
        Ok(Verdict::Take)
    }

    fn piece(&mut self, _: Piece) -> SinkResult {
        self.pieces = self.pieces.saturating_add(1);
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        Ok(())
    }

    fn read_state_change(&mut self, _: &ReadStateChange) -> SinkResult {
        Ok(())
    }
}

impl HierarchySink for Counter {
    fn folder_change(&mut self, _: &FolderHead<'_>) -> SinkResult<Verdict> {
        Ok(Verdict::Take)
    }

    fn folder_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        Ok(())
    }
}
