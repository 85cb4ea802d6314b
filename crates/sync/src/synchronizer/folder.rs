//! Folders of one session context, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use watertight_mapi::{Fid, ics::State, prop::tags};
use watertight_mapi_client::{Download, Error, ErrorClass, Logon, Mailbox, SyncOptions};

use super::{Work, blocking};
use crate::{Change, FolderRun, LeftOut, Replica, SyncError, SyncFolder, SyncResult, translate::Translator};

/// Pieces travel to the disk's thread in batches of so many,
const BATCH: usize = 256;
/// or so many bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches that wait for the disk; then the network waits.
const WAITING: usize = 2;
/// When nothing came for so long, what came is handed on.
const QUIET: Duration = Duration::from_secs(2);

/// Synchronizes folders whose changes are asked for together.
pub(super) async fn batch(work: &Work, mailbox: &mut Mailbox, folders: Vec<SyncFolder>) -> SyncResult<()> {
    let replica = Arc::clone(&work.replica);
    let mut waiting: VecDeque<(SyncFolder, FolderRun)> = blocking(move || {
        folders.into_iter().map(|f| FolderRun::start(&replica, f.key).map(|run| (f, run))).collect()
    })
    .await?;
    while !waiting.is_empty() {
        let logon = mailbox.logon().await?.clone();
        if let Err(e) = pass(work, mailbox, &logon, &mut waiting).await {
            match e {
                SyncError::Server(e) => mailbox.again(e).await?,
                other => return Err(other),
            }
        }
    }
    Ok(())
}

/// Goes through the folders that wait, until all are done or the session is lost.
async fn pass(
    work: &Work,
    mailbox: &mut Mailbox,
    logon: &Logon,
    waiting: &mut VecDeque<(SyncFolder, FolderRun)>,
) -> SyncResult<()> {
    let mut ids = Vec::with_capacity(waiting.len());
    for (folder, _) in waiting.iter() {
        ids.push(logon.id(folder.fid.replica, folder.fid.counter).await?);
    }
    let states: Vec<State> = waiting.iter().map(|(_, run)| run.state().clone()).collect();
    let asked: Vec<(Fid, &State)> = ids.into_iter().zip(&states).collect();
    let replica = &work.replica;
    let options = SyncOptions {
        restriction: replica.settings.since.restriction(),
        // What a dry run adopts has no files yet that could be marked; their read states are known.
        read_state: !(replica.dry() && replica.adopting()),
        ..SyncOptions::default()
    };
    let downloads = logon.sync_contents_of(&asked, &options).await?;
    drop(asked);
    for (download, asked) in downloads.into_iter().zip(states) {
        let Some((folder, run)) = waiting.pop_front() else { break };
        let (run, result) = match download {
            Ok(download) => one(run, download).await?,
            Err(e) => (Some(run), Err(e)),
        };
        match result {
            Ok(()) => mailbox.progressed(),
            Err(e) if of_the_folder(&e) => {
                tracing::warn!(folder = %folder.path, error = %e, "left out");
                let refused = e.class() == ErrorClass::Refused;
                // Gone since the hierarchy was asked for: the next run will know.
                if !e.is_not_found() {
                    work.leave_out(&folder.path, e.to_string(), refused);
                }
            }
            Err(e) => {
                if let Some(run) = run {
                    // A connection that breaks again and again still brings all, a part each time.
                    if *run.state() != asked {
                        mailbox.progressed();
                    }
                    waiting.push_front((folder, run));
                }
                return Err(e.into());
            }
        }
    }
    Ok(())
}

/// Whether another folder may still go well in the same session.
pub(super) fn of_the_folder(error: &Error) -> bool {
    matches!(error.class(), ErrorClass::Refused)
}

/// What travels to the disk's thread.
enum Piece {
    Changes(Vec<Change>),
    Finish,
}

/// Synchronizes one folder. Gives the run back, ready to begin again, when the server failed.
async fn one(run: FolderRun, mut download: Download) -> SyncResult<(Option<FolderRun>, Result<(), Error>)> {
    let (send, receive) = mpsc::channel(WAITING);
    let progress = Arc::clone(run.progress());
    let path = run.path().to_owned();
    let writer = tokio::task::spawn_blocking(move || write(run, receive));
    let mut translator = Translator::default();
    let mut batch = Vec::new();
    let mut bytes = 0_usize;
    let mut warn = |text: String| {
        tracing::warn!(folder = %path, "{text}");
        progress.warning(&format!("{path}: {text}"));
    };
    let result = loop {
        let event = match tokio::time::timeout(QUIET, download.next_event()).await {
            Ok(Ok(Some(event))) => event,
            Ok(Ok(None)) => break Ok(()),
            Ok(Err(e)) => break Err(e),
            Err(_) => {
                bytes = 0;
                if send.send(Piece::Changes(std::mem::take(&mut batch))).await.is_err() {
                    break Ok(());
                }
                continue;
            }
        };
        let mut failed = None;
        while let Some(id) = translator.unknown(&event) {
            match download.logon().replica(id).await {
                Ok(replica) => translator.learn(id, replica),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        if let Some(e) = failed {
            break Err(e);
        }
        bytes = bytes.saturating_add(weight(&event));
        translator.contents(event, &mut batch, &mut warn);
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if send.send(Piece::Changes(full)).await.is_err() {
                break Ok(());
            }
        }
    };
    // What the writer met is told by the writer.
    if result.is_ok() && send.send(Piece::Changes(batch)).await.is_ok() {
        let _ = send.send(Piece::Finish).await;
    }
    drop(send);
    let run = joined(writer).await?;
    Ok((run, result))
}

async fn joined(writer: JoinHandle<SyncResult<Option<FolderRun>>>) -> SyncResult<Option<FolderRun>> {
    writer.await.unwrap_or(Err(SyncError::Cancelled))
}

/// Writes what comes; when it ends without [`Piece::Finish`] the run is ready to begin again.
fn write(mut run: FolderRun, mut pieces: mpsc::Receiver<Piece>) -> SyncResult<Option<FolderRun>> {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Changes(changes) => {
                changes.into_iter().try_for_each(|change| run.change(change))?;
                run.checkpoint_if_due()?;
            }
            Piece::Finish => return run.finish().map(|()| None),
        }
    }
    run.restart()?;
    Ok(Some(run))
}

fn weight(event: &watertight_mapi::ics::syntactical::Event) -> usize {
    use watertight_mapi::ics::syntactical::Event;
    match event {
        Event::LargeChunk(bytes) => bytes.len(),
        Event::Property(prop) => crate::assemble::size_of(prop),
        _ => 64,
    }
}

/// Counts the messages of folders that do not hold mail: they are not synchronized, but not silently.
pub(super) async fn count(
    replica: &Arc<Replica>,
    mailbox: &mut Mailbox,
    folders: Vec<SyncFolder>,
) -> SyncResult<()> {
    let options = SyncOptions {
        only: true,
        read_state: false,
        properties: vec![tags::MESSAGE_CLASS],
        ..SyncOptions::default()
    };
    let mut waiting = VecDeque::from(folders);
    while !waiting.is_empty() {
        let logon = mailbox.logon().await?.clone();
        match count_pass(replica, &logon, &options, &mut waiting).await {
            Ok(()) => mailbox.progressed(),
            Err(SyncError::Server(e)) => mailbox.again(e).await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

async fn count_pass(
    replica: &Arc<Replica>,
    logon: &Logon,
    options: &SyncOptions,
    waiting: &mut VecDeque<SyncFolder>,
) -> SyncResult<()> {
    let mut asked = Vec::with_capacity(waiting.len());
    for folder in waiting.iter() {
        let id = logon.id(folder.fid.replica, folder.fid.counter).await?;
        asked.push((id, replica.counted(folder.key)?));
    }
    let asked: Vec<(Fid, &State)> = asked.iter().map(|(id, state)| (*id, state)).collect();
    let downloads = logon.sync_contents_of(&asked, options).await?;
    for download in downloads {
        let Some(folder) = waiting.front() else { break };
        match last_state(download).await {
            Ok(Some(state)) => {
                let count = state.given.len();
                if count > 0 {
                    replica.leave_out(LeftOut {
                        folder: folder.path.clone(),
                        message: None,
                        count,
                        reason: format!(
                            "{count} {} of a folder of class {}: only mail is synchronized",
                            if count == 1 { "item" } else { "items" },
                            folder.class
                        ),
                    });
                }
                replica.set_counted(folder.key, &state)?;
            }
            Ok(None) => {}
            Err(e) if of_the_folder(&e) => tracing::debug!(folder = %folder.path, error = %e, "not counted"),
            Err(e) => return Err(e.into()),
        }
        waiting.pop_front();
    }
    Ok(())
}

async fn last_state(download: Result<Download, Error>) -> Result<Option<State>, Error> {
    use watertight_mapi::ics::syntactical::Event;
    let mut download = download?;
    let mut last = None;
    while let Some(event) = download.next_event().await? {
        if let Event::State(state, _) = event {
            last = Some(*state);
        }
    }
    Ok(last)
}
