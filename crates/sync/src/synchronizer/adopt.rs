//! Asks the server for the heads of messages that may be here already.

use std::collections::VecDeque;
use std::sync::Arc;

use watertight_mapi::{Fid, GlobCnt, ics::State, prop::PropBag};
use watertight_mapi_client::{Download, Error, Logon, Mailbox, SyncOptions};

use super::{SHARED, blocking, folder::of_the_folder};
use crate::{
    Change, MessageHeader, OFFER_PROPERTIES, Offer, Replica, SyncError, SyncFolder, SyncResult,
    translate::Translator,
};

/// Heads that are handed on at once.
const BATCH: usize = 256;

/// Finds what is here already, and takes it.
pub(super) async fn adopt(
    replica: &Arc<Replica>,
    mailbox: &mut Mailbox,
    folders: &[SyncFolder],
) -> SyncResult<()> {
    let here = Arc::clone(replica);
    blocking(move || here.look_around()).await?;
    for some in folders.chunks(SHARED) {
        let mut waiting: VecDeque<SyncFolder> = some.iter().cloned().collect();
        while !waiting.is_empty() {
            let logon = mailbox.logon().await?.clone();
            match pass(replica, &logon, &mut waiting).await {
                Ok(()) => mailbox.progressed(),
                Err(SyncError::Server(e)) => mailbox.again(e).await?,
                Err(e) => return Err(e),
            }
        }
    }
    let here = Arc::clone(replica);
    blocking(move || here.adopt()).await
}

async fn pass(replica: &Arc<Replica>, logon: &Logon, waiting: &mut VecDeque<SyncFolder>) -> SyncResult<()> {
    let options = SyncOptions {
        read_state: false,
        deletions: false,
        only: true,
        properties: OFFER_PROPERTIES.to_vec(),
        restriction: replica.settings.since.restriction(),
        ..SyncOptions::default()
    };
    let (keys, here) = (waiting.iter().map(|f| f.key).collect::<Vec<_>>(), Arc::clone(replica));
    let states: Vec<State> =
        blocking(move || keys.into_iter().map(|key| here.state_of(key)).collect()).await?;
    let mut ids = Vec::with_capacity(waiting.len());
    for folder in waiting.iter() {
        ids.push(logon.id(folder.fid.replica, folder.fid.counter).await?);
    }
    let asked: Vec<(Fid, &State)> = ids.into_iter().zip(&states).collect();
    let downloads = logon.sync_contents_of(&asked, &options).await?;
    for (download, state) in downloads.into_iter().zip(&states) {
        let Some(folder) = waiting.front() else { break };
        let result = match download {
            Ok(download) => one(replica, folder, download, state).await?,
            Err(e) => Err(e),
        };
        match result {
            Ok(()) => {}
            // The download that follows says it.
            Err(e) if of_the_folder(&e) => tracing::debug!(folder = %folder.path, error = %e, "not offered"),
            Err(e) => return Err(e.into()),
        }
        waiting.pop_front();
    }
    Ok(())
}

async fn one(
    replica: &Arc<Replica>,
    folder: &SyncFolder,
    mut download: Download,
    state: &State,
) -> SyncResult<Result<(), Error>> {
    let mut translator = Translator::default();
    let mut offers: Vec<Offer> = Vec::new();
    let mut current: Option<Offer> = None;
    let mut changes = Vec::new();
    let key = folder.key;
    let flush = |offers: &mut Vec<Offer>| {
        let (here, all) = (Arc::clone(replica), std::mem::take(offers));
        blocking(move || here.offer(key, &all))
    };
    let has = |id: &MessageHeader| {
        let (guid, counter): (_, GlobCnt) = (id.mid.replica, id.mid.counter);
        state.given.contains(guid, counter)
    };
    loop {
        let event = match download.next_event().await {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(e) => return Ok(Err(e)),
        };
        while let Some(id) = translator.unknown(&event) {
            match download.logon().replica(id).await {
                Ok(guid) => translator.learn(id, guid),
                Err(e) => return Ok(Err(e)),
            }
        }
        translator.contents(
            event,
            &mut changes,
            &mut |text| tracing::debug!(folder = %folder.path, "{text}"),
        );
        for change in changes.drain(..) {
            match change {
                Change::Message(header) => {
                    // What is here in an older version comes as a change.
                    offers.extend(current.take().filter(|o| !has(&o.header)));
                    current = Some(Offer { header, props: PropBag::default() });
                }
                Change::Prop(prop) => {
                    // A list of properties was asked for: more of them are the server's mistake.
                    if let Some(offer) = current.as_mut().filter(|o| o.props.0.len() < 64) {
                        offer.props.0.push(prop);
                    }
                }
                _ => offers.extend(current.take().filter(|o| !has(&o.header))),
            }
        }
        if offers.len() >= BATCH {
            flush(&mut offers).await?;
        }
    }
    offers.extend(current.take().filter(|o| !has(&o.header)));
    flush(&mut offers).await?;
    Ok(Ok(()))
}
