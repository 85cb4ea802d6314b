//! Processing of ROP buffers — [MS-OXCROPS] 3.2.5.1, 3.2.5.2; chained responses — [MS-OXCRPC] 3.1.4.2.1.2.2.

use std::collections::BTreeSet;

use watertight_mapi::{
    MapiCode,
    rop::{
        Request, RequestBody, Response, ResponseBody, RopBuffer, RopResponse, notification::BufferTooSmall,
        stream::USE_MAXIMUM,
    },
};
use watertight_wire::{Reader, Wire, WireError, Writer};

use super::{Room, Session};

/// Bytes of an RPC_HEADER_EXT.
const HEADER: usize = 8;
/// The most payloads of a response.
const MOST_PAYLOADS: usize = 96;
/// Bytes that must be left for one more payload of rows.
const ROOM_FOR_ROWS: usize = 32 * 1024;
/// Bytes that must be left for one more payload of a stream or a download.
const ROOM_FOR_BYTES: usize = 8 * 1024;
/// RopSize is 16 bits.
const MOST_ROPS: usize = 65_535 - 2;
/// RopId, SizeNeeded.
const TOO_SMALL: usize = 3;

/// A request, and where it ends in the RopsList.
struct Parsed {
    request: Request,
    start: usize,
    end: usize,
}

/// `public` are the logons to public folders: their requests look otherwise.
fn parse(rops: &[u8], mut public: BTreeSet<u8>) -> Result<Vec<Parsed>, MapiCode> {
    let unreadable = |error: WireError| {
        tracing::debug!(%error, "a ROP request cannot be read");
        MapiCode::RpcFormat
    };
    let mut r = Reader::new(rops, "RopsList");
    let mut all = Vec::new();
    while !r.is_empty() {
        let start = r.offset();
        let mut request = Request::read(&mut r).map_err(unreadable)?;
        match &mut request.body {
            RequestBody::Logon(body) if body.logon_flags & super::logon::PRIVATE == 0 => {
                public.insert(request.logon_id);
            }
            RequestBody::Logon(_) => {
                public.remove(&request.logon_id);
            }
            RequestBody::SetMessageReadFlag(body) if public.contains(&request.logon_id) => {
                body.client_data = Some(r.array("ClientData").map_err(unreadable)?);
            }
            _ => {}
        }
        // Where a ROP ends that is reserved, nobody knows.
        if matches!(request.body, RequestBody::Unknown(id, _) if id.name().is_none()) {
            return Err(MapiCode::RpcFormat);
        }
        all.push(Parsed { request, start, end: r.offset() });
    }
    Ok(all)
}

impl Session {
    /// Runs the ROPs of one payload; returns the payloads of the response, at least one.
    ///
    /// Once called it runs to its end: a client that disappears does not cut it off.
    ///
    /// # Errors
    /// The ErrorCode of the Execute response when nothing can be answered at all: [`MapiCode::RpcFormat`] for a
    /// payload that cannot be parsed, [`MapiCode::BufferTooSmall`] when `room` cannot take any response.
    pub async fn execute(&mut self, payload: &[u8], room: Room) -> Result<Vec<Vec<u8>>, MapiCode> {
        let buffer = RopBuffer::from_bytes(payload).map_err(|_| MapiCode::RpcFormat)?;
        let public = self.logons.iter().filter(|(_, logon)| logon.is_public()).map(|(id, _)| *id).collect();
        let requests = parse(&buffer.rops, public)?;
        self.renew_rights().await?;
        let mut handles = buffer.handles;
        let table = handles.len().saturating_mul(4).saturating_add(2);
        let most = |left: usize| {
            let bytes = room.payload.min(left.saturating_sub(HEADER));
            bytes.checked_sub(table).map(|rops| rops.min(MOST_ROPS))
        };
        let available = most(room.total).ok_or(MapiCode::BufferTooSmall)?;
        let mut rops = Writer::new();
        let mut cut = false;
        let mut last = None;
        for parsed in &requests {
            // What stays behind must fit into RopBufferTooSmall, should the next response not fit.
            let rest = buffer.rops.len().saturating_sub(parsed.end);
            let reserve = if rest == 0 { 0 } else { rest.saturating_add(TOO_SMALL) };
            let used = rops.len().saturating_add(reserve);
            let limit = available.saturating_sub(used);
            let least = least(&parsed.request);
            let done = if limit < least {
                Err(least)
            } else {
                // After others, what would be cut to fit is rather asked for again, with a buffer of its own.
                let full = if rops.is_empty() { limit } else { available };
                self.one(&parsed.request, &mut handles, limit, full).await
            };
            match done {
                Ok(Some((bytes, response))) => {
                    rops.bytes(&bytes);
                    last = Some(response);
                }
                Ok(None) => last = None,
                Err(need) => {
                    let request_buffers = buffer.rops.get(parsed.start..).unwrap_or_default().to_vec();
                    let fits = rops.len().saturating_add(request_buffers.len()).saturating_add(TOO_SMALL)
                        <= available;
                    if rops.is_empty() || !fits {
                        return Err(MapiCode::BufferTooSmall);
                    }
                    let need = need.saturating_add(rops.len()).saturating_add(table);
                    let size_needed = u16::try_from(need).unwrap_or(u16::MAX);
                    let answer = Response::BufferTooSmall(BufferTooSmall { size_needed, request_buffers });
                    answer.write(&mut rops).map_err(|_| MapiCode::GeneralFailure)?;
                    last = None;
                    cut = true;
                    break;
                }
            }
        }
        // What may go on in further payloads is not interrupted, nor is RopBufferTooSmall followed by anything.
        let goes_on = room.chain
            && last
                .as_ref()
                .zip(requests.last())
                .is_some_and(|(response, parsed)| proceed(&mut parsed.request.clone(), response).is_some());
        if !cut && !goes_on && !self.notices.0.is_idle() {
            self.notices.0.tell(&mut rops, available).await;
        }
        let mut payloads = vec![finish(rops, &handles)?];
        if let (true, Some(mut response), Some(parsed)) = (room.chain, last, requests.last()) {
            let mut request = parsed.request.clone();
            while payloads.len() < MOST_PAYLOADS {
                let used: usize = payloads.iter().map(|p| p.len().saturating_add(HEADER)).sum();
                let left = room.total.saturating_sub(used);
                let Some(need) = proceed(&mut request, &response) else { break };
                let Some(limit) = most(left).filter(|_| left >= need) else { break };
                let Ok(Some((bytes, next))) = self.one(&request, &mut handles, limit, limit).await else {
                    break;
                };
                if next.return_value != MapiCode::Success || is_empty(&next) {
                    break;
                }
                let mut rops = Writer::new();
                rops.bytes(&bytes);
                payloads.push(finish(rops, &handles)?);
                response = next;
            }
        }
        Ok(payloads)
    }

    /// Runs one ROP; `limit` bounds its response, `full` the response that it would get at the start of a buffer.
    /// `Err` is the size of a response that does not fit; nothing that it opened is open then.
    async fn one(
        &mut self,
        request: &Request,
        handles: &mut [u32],
        limit: usize,
        full: usize,
    ) -> Result<Option<(Vec<u8>, RopResponse)>, usize> {
        if matches!(request.body, RequestBody::Release(_)) {
            self.rop_release(request, handles).await;
            return Ok(None);
        }
        let index = response_index(request);
        let whole = matches!(
            request.body,
            RequestBody::GetPropertiesAll(_)
                | RequestBody::GetPropertiesSpecific(_)
                | RequestBody::GetPropertiesList(_)
        );
        let outcome = self.dispatch(request, handles, if whole { full } else { limit }).await;
        let (response, opened) = match outcome {
            Err(refusal) if refusal.code == MapiCode::BufferTooSmall && full > limit => return Err(full),
            Ok(answer) => {
                let body = Some(answer.body);
                (RopResponse { id: request.id(), index, return_value: answer.code, body }, answer.opened)
            }
            Err(refusal) => {
                let body = refusal.body.map(|body| *body).or_else(|| empty_body(request));
                (RopResponse { id: request.id(), index, return_value: refusal.code, body }, None)
            }
        };
        let mut w = Writer::new();
        let (mut w, response) = match Response::Rop(response.clone()).write(&mut w) {
            Ok(()) => (w, response),
            Err(error) => {
                tracing::warn!(%error, "a ROP response has no wire form");
                let response = RopResponse::refusal(request.id(), index, MapiCode::GeneralFailure);
                let mut w = Writer::new();
                // INVARIANT: a refusal without a body always has a wire form.
                let _ = Response::Rop(response.clone()).write(&mut w);
                (w, response)
            }
        };
        if w.len() > limit {
            return Err(w.len());
        }
        let mut response = response;
        if let Some(object) = opened {
            match self.handles.open(request.logon_id, object) {
                Ok(handle) => match handles.get_mut(usize::from(index)) {
                    Some(slot) => *slot = handle,
                    None => {
                        self.handles.release(handle);
                        response = RopResponse::refusal(request.id(), index, MapiCode::NullObject);
                    }
                },
                Err(code) => response = RopResponse::refusal(request.id(), index, code),
            }
            if response.return_value != MapiCode::Success {
                w = Writer::new();
                let _ = Response::Rop(response.clone()).write(&mut w);
            }
        }
        Ok(Some((w.into_bytes(), response)))
    }
}

fn finish(rops: Writer, handles: &[u32]) -> Result<Vec<u8>, MapiCode> {
    let buffer = RopBuffer { rops: rops.into_bytes(), handles: handles.to_vec() };
    buffer.to_bytes().map_err(|_| MapiCode::BufferTooSmall)
}

/// The handle index of the response: that of the object which the ROP opens, else that of the request.
fn response_index(request: &Request) -> u8 {
    use RequestBody as B;
    match &request.body {
        B::OpenFolder(b) => b.output_index,
        B::CreateFolder(b) => b.output_index,
        B::GetHierarchyTable(b) => b.output_index,
        B::GetContentsTable(b) => b.output_index,
        B::OpenMessage(b) => b.output_index,
        B::CreateMessage(b) => b.output_index,
        B::OpenAttachment(b) => b.output_index,
        B::CreateAttachment(b) => b.output_index,
        B::OpenEmbeddedMessage(b) => b.output_index,
        B::GetAttachmentTable(b) => b.output_index,
        B::OpenStream(b) => b.output_index,
        B::CloneStream(b) => b.output_index,
        B::GetPermissionsTable(b) => b.output_index,
        B::GetRulesTable(b) => b.output_index,
        B::FastTransferDestinationConfigure(b) => b.output_index,
        B::FastTransferSourceCopyFolder(b) => b.output_index,
        B::FastTransferSourceCopyMessages(b) => b.output_index,
        B::FastTransferSourceCopyTo(b) => b.output_index,
        B::FastTransferSourceCopyProperties(b) => b.output_index,
        B::SynchronizationConfigure(b) => b.output_index,
        B::SynchronizationOpenCollector(b) => b.output_index,
        B::SynchronizationGetTransferState(b) => b.output_index,
        B::RegisterNotification(b) => b.output_index,
        _ => request.index,
    }
}

/// The fields that a response has after an error too; they say that nothing was done.
fn empty_body(request: &Request) -> Option<ResponseBody> {
    use RequestBody as B;
    Some(match &request.body {
        B::DeleteFolder(_) => ResponseBody::DeleteFolder(Default::default()),
        B::EmptyFolder(_) => ResponseBody::EmptyFolder(Default::default()),
        B::HardDeleteMessagesAndSubfolders(_) => {
            ResponseBody::HardDeleteMessagesAndSubfolders(Default::default())
        }
        B::DeleteMessages(_) => ResponseBody::DeleteMessages(Default::default()),
        B::HardDeleteMessages(_) => ResponseBody::HardDeleteMessages(Default::default()),
        B::SetReadFlags(_) => ResponseBody::SetReadFlags(Default::default()),
        B::MoveCopyMessages(_) => ResponseBody::MoveCopyMessages(Default::default()),
        B::MoveFolder(_) => ResponseBody::MoveFolder(Default::default()),
        B::CopyFolder(_) => ResponseBody::CopyFolder(Default::default()),
        B::ReadStream(_) => ResponseBody::ReadStream(Default::default()),
        B::WriteStream(_) => ResponseBody::WriteStream(Default::default()),
        B::WriteAndCommitStream(_) => ResponseBody::WriteAndCommitStream(Default::default()),
        B::CopyToStream(_) => ResponseBody::CopyToStream(Default::default()),
        B::FastTransferSourceGetBuffer(_) => ResponseBody::FastTransferSourceGetBuffer(Default::default()),
        B::FastTransferDestinationPutBuffer(_) => {
            ResponseBody::FastTransferDestinationPutBuffer(Default::default())
        }
        _ => return None,
    })
}

/// Bytes that the response to a request needs at least. What cannot be done again must find its room before it is done.
fn least(request: &Request) -> usize {
    const PROBLEM: usize = 10;
    match &request.body {
        RequestBody::Release(_) => 0,
        RequestBody::Logon(_) => 6 + 160,
        RequestBody::SetProperties(b) | RequestBody::SetPropertiesNoReplicate(b) => {
            b.values.len().saturating_mul(PROBLEM).saturating_add(8)
        }
        RequestBody::DeleteProperties(b) => b.tags.len().saturating_mul(PROBLEM).saturating_add(8),
        RequestBody::DeletePropertiesNoReplicate(b) => b.tags.len().saturating_mul(PROBLEM).saturating_add(8),
        RequestBody::GetPropertyIdsFromNames(b) => b.names.len().saturating_mul(2).saturating_add(8),
        RequestBody::GetLocalReplicaIds(_) => 28,
        RequestBody::CopyProperties(b) => b.tags.len().saturating_mul(PROBLEM).saturating_add(12),
        RequestBody::CreateFolder(_) => 32,
        RequestBody::CopyToStream(_) => 26,
        _ => 18,
    }
}

/// Makes of a request the one that goes on where the response stopped, and says how many bytes must be left for it;
/// `None` when there is nothing to go on with.
fn proceed(request: &mut Request, response: &RopResponse) -> Option<usize> {
    match (&mut request.body, response.body.as_ref()?) {
        (RequestBody::QueryRows(asked), ResponseBody::QueryRows(got)) => {
            let count = u16::try_from(got.rows.len()).ok()?;
            asked.row_count = asked.row_count.saturating_sub(count);
            let advances = asked.flags & super::table::NO_ADVANCE == 0;
            // BOOKMARK_CURRENT: neither end was reached.
            (advances && count > 0 && asked.row_count > 0 && got.origin == 1).then_some(ROOM_FOR_ROWS)
        }
        (RequestBody::ReadStream(asked), ResponseBody::ReadStream(got)) => {
            let len = got.data.0.len();
            let left = if asked.byte_count == USE_MAXIMUM {
                let max = asked.maximum_byte_count.as_mut()?;
                *max = max.saturating_sub(u32::try_from(len).ok()?);
                watertight_wire::to_usize(*max)
            } else {
                asked.byte_count = asked.byte_count.saturating_sub(u16::try_from(len).ok()?);
                usize::from(asked.byte_count)
            };
            (len > 0 && left > 0).then_some(ROOM_FOR_BYTES)
        }
        (RequestBody::FastTransferSourceGetBuffer(_), ResponseBody::FastTransferSourceGetBuffer(got)) => {
            matches!(got.transfer_status, 1 | 2).then_some(ROOM_FOR_BYTES)
        }
        _ => None,
    }
}

/// Whether a further payload would carry nothing.
fn is_empty(response: &RopResponse) -> bool {
    match &response.body {
        Some(ResponseBody::QueryRows(got)) => got.rows.is_empty(),
        Some(ResponseBody::ReadStream(got)) => got.data.0.is_empty(),
        Some(ResponseBody::FastTransferSourceGetBuffer(_)) => false,
        _ => true,
    }
}
