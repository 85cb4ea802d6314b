//! How synchronizations start: folder, configuration, state and a first buffer in as few requests as that takes.

use watertight_mapi::ics::State;
use watertight_mapi::rop::field::{Bytes32, Empty};
use watertight_mapi::rop::sync::{
    SynchronizationConfigureRequest, SynchronizationUploadStateStreamBeginRequest,
    SynchronizationUploadStateStreamContinueRequest,
};
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, Response};
use watertight_mapi::{Fid, PropTag};
use watertight_wire::{Wire, Writer};

use crate::actor::Executed;
use crate::download::{Download, Kind};
use crate::error::{Error, ProtocolError};
use crate::folder::open;
use crate::handle::ServerHandle;
use crate::logon::{Logon, unexpected};
use crate::session::{self, Replies};
use crate::source::{self, Source};
use crate::sync_options::{SyncOptions, hierarchy};

impl Logon {
    /// Opens a folder and downloads what changed below it since `state`, in as few requests as that takes.
    ///
    /// # Errors
    /// When the folder cannot be opened or the synchronization cannot be started.
    pub async fn sync_hierarchy(&self, folder: Fid, state: &State) -> Result<Download, Error> {
        start_one(self, Plan { folder: Which::Id(folder), configure: hierarchy(), state }).await
    }

    /// Opens a folder and downloads what changed in it since `state`, in as few requests as that takes.
    ///
    /// # Errors
    /// When the folder cannot be opened or the synchronization cannot be started.
    pub async fn sync_contents(
        &self,
        folder: Fid,
        state: &State,
        options: &SyncOptions,
    ) -> Result<Download, Error> {
        start_one(self, Plan { folder: Which::Id(folder), configure: options.configure(), state }).await
    }

    /// Opens several folders and downloads what changed in each since its state. As many as fit share a request, with
    /// the beginning of each download in the answer: folders without a change cost a few hundred bytes each. The
    /// downloads are to be read one after the other; until then each holds a synchronization context on the server, so
    /// ask for a screenful of folders at a time, not for thousands.
    ///
    /// # Errors
    /// The outer one ends the session's use; an inner one is about that folder alone.
    pub async fn sync_contents_of(
        &self,
        folders: &[(Fid, &State)],
        options: &SyncOptions,
    ) -> Result<Vec<Result<Download, Error>>, Error> {
        let mut started = Vec::with_capacity(folders.len());
        let mut rest = folders.iter().peekable();
        while rest.peek().is_some() {
            let mut batch = Batch::new(self);
            let mut count = 0_usize;
            while let Some((id, state)) = rest.peek() {
                let plan = Plan { folder: Which::Id(*id), configure: options.configure(), state };
                if !batch.add(&plan, source::PEEK)? {
                    break;
                }
                rest.next();
                count = count.saturating_add(1);
            }
            if count == 0 {
                // Too large to share a request.
                let Some((id, state)) = rest.next() else { break };
                started.push(self.sync_contents(*id, state, options).await);
                continue;
            }
            let outcomes = match batch.run(Kind::Contents).await {
                Ok(outcomes) => outcomes,
                // Some servers leave out fields of a refusal that others send: the answers behind it are unreadable.
                Err(Error::Protocol(ProtocolError::Wire(_))) if count > 1 => {
                    std::iter::repeat_with(|| None).take(count).collect()
                }
                Err(error) => return Err(error),
            };
            for outcome in outcomes {
                match outcome {
                    Some(download) => started.push(download),
                    None => {
                        let Some((id, state)) = folders.get(started.len()) else { break };
                        started.push(self.sync_contents(*id, state, options).await);
                    }
                }
            }
        }
        Ok(started)
    }
}

/// The folder of a synchronization.
pub(crate) enum Which {
    Open(u32),
    Id(Fid),
}

/// A synchronization to be started.
pub(crate) struct Plan<'a> {
    pub(crate) folder: Which,
    pub(crate) configure: SynchronizationConfigureRequest,
    pub(crate) state: &'a State,
}

impl Plan<'_> {
    fn kind(&self) -> Kind {
        if self.configure.sync_type == 1 { Kind::Contents } else { Kind::Hierarchy }
    }
}

/// Bytes of ROPs and handles that are put into one request.
const MAX_BATCH: usize = 30_000;
/// Bytes of a state that are sent in one piece.
const MAX_PIECE: usize = 16_000;
/// Folders in one request: each has up to two handles, and its answer has room.
const MAX_FOLDERS: usize = 20;

/// A request that starts synchronizations, being put together.
struct Batch<'a> {
    logon: &'a Logon,
    requests: Vec<Request>,
    table: Vec<u32>,
    bytes: usize,
    started: Vec<Started>,
}

/// Where the answers of one synchronization are.
struct Started {
    /// Of RopOpenFolder, where it was asked for.
    open: Option<usize>,
    configure: usize,
    uploads: std::ops::Range<usize>,
    get_buffer: usize,
    folder_index: Option<u8>,
    sync_index: u8,
}

impl<'a> Batch<'a> {
    fn new(logon: &'a Logon) -> Self {
        Self { logon, requests: Vec::new(), table: vec![logon.handle().raw()], bytes: 4, started: Vec::new() }
    }

    /// Adds a synchronization with its whole state and a first RopFastTransferSourceGetBuffer; `false` when there is
    /// no room.
    fn add(&mut self, plan: &Plan<'_>, first: source::Ask) -> Result<bool, Error> {
        let base = self.table.len();
        let index = |at: usize| u8::try_from(at).map_err(|_| unexpected("too many handles"));
        let mut table = Vec::with_capacity(2);
        let mut requests = Vec::with_capacity(8);
        let (folder_index, open_at) = match plan.folder {
            Which::Open(handle) => {
                table.push(handle);
                (None, None)
            }
            Which::Id(id) => {
                table.push(INVALID_HANDLE);
                requests.push(open(id, 0, index(base)?));
                (Some(index(base)?), Some(self.requests.len()))
            }
        };
        table.push(INVALID_HANDLE);
        let sync_index = index(base.saturating_add(1))?;
        let configure_at = self.requests.len().saturating_add(requests.len());
        let configure =
            SynchronizationConfigureRequest { output_index: sync_index, ..plan.configure.clone() };
        requests.push(Request::new(index(base)?, RequestBody::SynchronizationConfigure(configure)));
        let uploads_at = configure_at.saturating_add(1);
        for (tag, blob) in plan.state.blobs(plan.kind() == Kind::Hierarchy) {
            if !blob.is_empty() {
                requests.extend(upload(tag, &blob, sync_index)?);
            }
        }
        let get_buffer = self.requests.len().saturating_add(requests.len());
        requests.push(source::get_buffer(sync_index, first));

        let mut w = Writer::new();
        requests.iter().try_for_each(|request| request.write(&mut w))?;
        let bytes = w.into_bytes().len().saturating_add(table.len().saturating_mul(4));
        if self.bytes.saturating_add(bytes) > MAX_BATCH || self.started.len() >= MAX_FOLDERS {
            return Ok(false);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.requests.append(&mut requests);
        self.table.append(&mut table);
        self.started.push(Started {
            open: open_at,
            configure: configure_at,
            uploads: uploads_at..get_buffer,
            get_buffer,
            folder_index,
            sync_index,
        });
        Ok(true)
    }

    /// One outcome for each synchronization; `None` where the server did not get that far.
    async fn run(self, kind: Kind) -> Result<Vec<Option<Result<Download, Error>>>, Error> {
        let Self { logon, requests, table, started, .. } = self;
        let one = started.len() == 1;
        let request = session::buffer(&requests, &table)?;
        // One download alone may go on in chained payloads.
        let max_rop_out = if one { source::MAX_ROP_OUT } else { session::SHORT_ANSWER };
        let executed = logon.requester.execute(request, max_rop_out).await?;
        let Executed { buffers, opened } = executed;
        let mut buffers = buffers.into_iter();
        let first = Executed { buffers: buffers.next().into_iter().collect(), opened };
        let mut replies = session::replies(logon.requester.inbox(), first, &requests, &[])?;
        let mut chained = buffers
            .map(|buffer| source::chained(logon.requester.inbox(), &buffer))
            .collect::<Result<Vec<_>, _>>()?;
        let downloads = started
            .iter()
            .map(|started| {
                let first = started.open.unwrap_or(started.configure);
                replies.responses.get(first).and_then(Response::rop)?;
                let more = std::mem::take(&mut chained);
                Some(started.outcome(&mut replies).and_then(|handles| {
                    let answer = replies.responses.get(started.get_buffer).and_then(Response::rop).cloned();
                    let source = Source::new(logon.requester.clone(), handles, answer, more)?;
                    Ok(Download::new(logon, kind, source))
                }))
            })
            .collect();
        Ok(downloads)
    }
}

impl Started {
    /// The handles of the synchronization and its folder, or the first refusal.
    fn outcome(&self, replies: &mut Replies) -> Result<(ServerHandle, Option<ServerHandle>), Error> {
        let folder = self.folder_index.and_then(|index| replies.take(index));
        let sync = replies.take(self.sync_index);
        if let Some(open) = self.open {
            replies.success(open, "RopOpenFolder")?;
        }
        replies.success(self.configure, "RopSynchronizationConfigure")?;
        for at in self.uploads.clone() {
            replies.success(at, "RopSynchronizationUploadStateStream")?;
        }
        Ok((sync.ok_or_else(|| unexpected("RopSynchronizationConfigure gave no handle"))?, folder))
    }
}

/// Starts one synchronization.
pub(crate) async fn start_one(logon: &Logon, plan: Plan<'_>) -> Result<Download, Error> {
    let kind = plan.kind();
    let mut batch = Batch::new(logon);
    if batch.add(&plan, source::FULL)? {
        let mut started = batch.run(kind).await?;
        return started.pop().flatten().ok_or_else(|| unexpected("no synchronization was started"))?;
    }
    start_with_large_state(logon, plan).await
}

/// A state that does not fit one request goes in several.
async fn start_with_large_state(logon: &Logon, plan: Plan<'_>) -> Result<Download, Error> {
    let kind = plan.kind();
    let (mut requests, handle) = match plan.folder {
        Which::Open(handle) => (Vec::new(), handle),
        Which::Id(id) => (vec![open(id, 0, 1)], INVALID_HANDLE),
    };
    let configure = SynchronizationConfigureRequest { output_index: 2, ..plan.configure.clone() };
    requests.push(Request::new(1, RequestBody::SynchronizationConfigure(configure)));
    let configured_at = requests.len().saturating_sub(1);
    let table = [logon.handle().raw(), handle, INVALID_HANDLE];
    let mut replies = logon.requester.ask(&requests, &table, &[]).await?;
    let (folder, sync) = (replies.take(1), replies.take(2));
    if configured_at > 0 {
        replies.success(0, "RopOpenFolder")?;
    }
    replies.success(configured_at, "RopSynchronizationConfigure")?;
    let sync = sync.ok_or_else(|| unexpected("RopSynchronizationConfigure gave no handle"))?;
    for (tag, blob) in plan.state.blobs(kind == Kind::Hierarchy) {
        if blob.is_empty() {
            continue;
        }
        for request in upload(tag, &blob, 0)? {
            let replies = logon.requester.ask(std::slice::from_ref(&request), &[sync.raw()], &[]).await?;
            replies.success(0, "RopSynchronizationUploadStateStream")?;
        }
    }
    let source = Source::new(logon.requester.clone(), (sync, folder), None, Vec::new())?;
    Ok(Download::new(logon, kind, source))
}

/// Begin, pieces, End — [MS-OXCFXICS] 2.2.3.2.2.
fn upload(tag: PropTag, blob: &[u8], index: u8) -> Result<Vec<Request>, Error> {
    let size = u32::try_from(blob.len()).map_err(|_| unexpected("a state of 4 GiB"))?;
    let begin =
        SynchronizationUploadStateStreamBeginRequest { state_property: tag, transfer_buffer_size: size };
    let mut requests = vec![Request::new(index, RequestBody::SynchronizationUploadStateStreamBegin(begin))];
    for piece in blob.chunks(MAX_PIECE) {
        let body = SynchronizationUploadStateStreamContinueRequest { stream_data: Bytes32(piece.to_vec()) };
        requests.push(Request::new(index, RequestBody::SynchronizationUploadStateStreamContinue(body)));
    }
    requests.push(Request::new(index, RequestBody::SynchronizationUploadStateStreamEnd(Empty)));
    Ok(requests)
}
