//! The buffers of one download, the next of which travels while the last is being looked at.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use watertight_mapi::rop::transfer::{FastTransferSourceGetBufferRequest, SERVER_BUSY};
use watertight_mapi::rop::{
    Request, RequestBody, Response, ResponseBody, RopBuffer, RopResponse, read_responses,
};

use crate::error::{Error, ProtocolError};
use crate::handle::ServerHandle;
use crate::logon::unexpected;
use crate::notify::Inbox;
use crate::session::{self, Pending, Requester};

/// The most that a server may answer at once — [MS-OXCMAPIHTTP] 2.2.4.2.1 MaxRopOut.
pub(crate) const MAX_ROP_OUT: u32 = 0x40000;
/// BufferSize that says: as much as fits — [MS-OXCFXICS] 2.2.3.1.1.5.1.
const AS_MUCH_AS_FITS: u16 = 0xBABE;
/// MaximumBufferSize: a payload of 32 KiB with some room for other answers.
const MAXIMUM: u16 = 0x7BC0;
/// So many buffers in a row may be empty without the end.
const MAX_EMPTY: u32 = 1000;
const OPERATION: &str = "RopFastTransferSourceGetBuffer";

/// How much a RopFastTransferSourceGetBuffer asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    buffer_size: u16,
    maximum: Option<u16>,
}

/// As much as fits.
pub(crate) const FULL: Ask = Ask { buffer_size: AS_MUCH_AS_FITS, maximum: Some(MAXIMUM) };
/// Enough to see that nothing changed.
pub(crate) const PEEK: Ask = Ask { buffer_size: 1024, maximum: None };

/// RopFastTransferSourceGetBuffer — [MS-OXCROPS] 2.2.12.3.
pub(crate) const fn get_buffer(index: u8, ask: Ask) -> Request {
    let body =
        FastTransferSourceGetBufferRequest { buffer_size: ask.buffer_size, maximum_buffer_size: ask.maximum };
    Request::new(index, RequestBody::FastTransferSourceGetBuffer(body))
}

/// The answers in a payload that holds nothing but answers to RopFastTransferSourceGetBuffer.
pub(crate) fn chained(inbox: &Inbox, buffer: &RopBuffer) -> Result<Vec<RopResponse>, Error> {
    let request = [get_buffer(0, FULL)];
    let mut responses = read_responses(&buffer.rops, &request, |_| Vec::new())?;
    inbox.sort_out(&mut responses);
    Ok(responses.iter().filter_map(Response::rop).cloned().collect())
}

/// Where the buffers of a download come from.
pub(crate) struct Source {
    requester: Requester,
    sync: ServerHandle,
    _folder: Option<ServerHandle>,
    ready: VecDeque<Vec<u8>>,
    pending: Option<Pending>,
    /// The server wants to be left alone until then.
    resume: Option<Instant>,
    tried: u32,
    empty: u32,
    progress: Progress,
    end: End,
}

/// How far a download is, in steps of the server's choice — [MS-OXCFXICS] 2.2.3.1.1.5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// InProgressCount.
    pub done: u16,
    /// TotalStepCount.
    pub total: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Done,
    Failed,
}

impl Source {
    /// `first` is the answer to a first request, which may have gone on in `more`.
    pub(crate) fn new(
        requester: Requester,
        (sync, folder): (ServerHandle, Option<ServerHandle>),
        first: Option<RopResponse>,
        more: Vec<Vec<RopResponse>>,
    ) -> Result<Self, Error> {
        let mut source = Self {
            requester,
            sync,
            _folder: folder,
            ready: VecDeque::new(),
            pending: None,
            resume: None,
            tried: 0,
            empty: 0,
            progress: Progress::default(),
            end: End::Open,
        };
        first.into_iter().chain(more.into_iter().flatten()).try_for_each(|answer| source.take(answer))?;
        Ok(source)
    }

    pub(crate) const fn progress(&self) -> Progress {
        self.progress
    }

    /// The next buffer; `None` after the last. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if self.end == End::Open && self.pending.is_none() && self.resume.is_none() {
                // Travels while the caller looks at what is ready.
                let request = session::buffer(&[get_buffer(0, FULL)], &[self.sync.raw()])?;
                self.pending = Some(self.requester.begin(request, MAX_ROP_OUT)?);
            }
            if let Some(buffer) = self.ready.pop_front() {
                return Ok(Some(buffer));
            }
            match self.end {
                End::Open => {}
                End::Done => return Ok(None),
                End::Failed => return Err(unexpected("the download had failed before")),
            }
            if let Some(at) = self.resume {
                tokio::time::sleep_until(at).await;
                self.resume = None;
            }
            if let Some(pending) = &mut self.pending {
                let answer = pending.await;
                self.pending = None;
                let result = match answer {
                    Ok(Ok(executed)) => self.take_all(&executed.buffers),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(Error::Closed),
                };
                if result.is_err() {
                    self.end = End::Failed;
                }
                result?;
            }
        }
    }

    fn take_all(&mut self, buffers: &[RopBuffer]) -> Result<(), Error> {
        let mut answered = false;
        for buffer in buffers {
            for answer in chained(self.requester.inbox(), buffer)? {
                answered = true;
                self.take(answer)?;
            }
        }
        if answered { Ok(()) } else { Err(unexpected("no answer to RopFastTransferSourceGetBuffer")) }
    }

    fn take(&mut self, answer: RopResponse) -> Result<(), Error> {
        let body = match answer.body {
            Some(ResponseBody::FastTransferSourceGetBuffer(body)) => Some(body),
            _ => None,
        };
        if self.end == End::Done {
            return Ok(());
        }
        if answer.return_value == SERVER_BUSY {
            self.tried = self.tried.saturating_add(1);
            let asked = body.and_then(|b| b.backoff_time).map(|ms| Duration::from_millis(u64::from(ms)));
            let backoff = &self.requester.settings.options.backoff;
            let Some(wait) = backoff.wait(self.tried, asked) else {
                return Err(Error::Busy { tries: self.tried, retry_after: asked });
            };
            self.resume = Some(Instant::now() + wait);
            return Ok(());
        }
        if answer.return_value.is_error() {
            return Err(Error::Refused { operation: OPERATION, code: answer.return_value });
        }
        let Some(body) = body else { return Err(unexpected("no answer to RopFastTransferSourceGetBuffer")) };
        self.tried = 0;
        self.progress = Progress { done: body.in_progress_count, total: body.total_step_count };
        // TransferStatus — [MS-OXCFXICS] 2.2.3.1.1.5.2.
        match body.transfer_status {
            1 | 2 => {}
            3 => self.end = End::Done,
            other => {
                return Err(ProtocolError::Unexpected(format!("{OPERATION}: TransferStatus {other}")).into());
            }
        }
        if !body.transfer_buffer.is_empty() {
            self.empty = 0;
            self.ready.push_back(body.transfer_buffer);
        } else if self.end == End::Open {
            self.empty = self.empty.saturating_add(1);
            if self.empty > MAX_EMPTY {
                return Err(unexpected("a download that goes on without bytes"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use watertight_ledger::Ledger;
    use watertight_mapi::http::ext::{self, Limits};
    use watertight_testkit::captures;
    use watertight_testkit::mutate::survive;
    use watertight_wire::Wire as _;

    use super::*;
    use crate::actor::Link;
    use crate::endpoint::Endpoint;
    use crate::settings::Settings;
    use crate::sign_in::Credentials;

    fn source(ledger: &Ledger) -> Source {
        let endpoint = Endpoint::parse("http://127.0.0.1:1/").unwrap();
        let credentials = Credentials::new("u", "p").unwrap();
        let settings = Settings::new(endpoint, &credentials, crate::Options::default(), ledger).unwrap();
        let (link, _) = Link::new();
        let sync = ServerHandle::new(1, link.clone());
        Source::new(Requester::new(link, Arc::new(settings)), (sync, None), None, Vec::new()).unwrap()
    }

    /// The answer of the capture in which nothing had changed: whatever is damaged, it is taken or refused.
    #[test]
    fn damaged_answers_do_no_harm() {
        let exchange = captures::first_set().into_iter().find(|e| e.n == 71).unwrap();
        let body = exchange.response_body();
        let ledger = Ledger::new("test");
        let mut taken = 0;
        let mut read = |field: &[u8]| {
            let Ok(payloads) = ext::unwrap(field, Limits::default()) else { return };
            let buffers = payloads.iter().map(|payload| RopBuffer::from_bytes(&payload.bytes));
            let Ok(buffers) = buffers.collect::<Result<Vec<_>, _>>() else { return };
            taken += u32::from(source(&ledger).take_all(&buffers).is_ok());
        };
        let field = &body[16..body.len() - 4];
        read(field);
        survive(field, read);
        assert!(taken > 1);
        assert_eq!(ledger.held(), 0);
    }

    #[test]
    fn a_download_without_bytes_ends() {
        let ledger = Ledger::new("test");
        let mut source = source(&ledger);
        let empty = || {
            let body = watertight_mapi::rop::transfer::FastTransferSourceGetBufferResponse {
                transfer_status: 1,
                ..Default::default()
            };
            RopResponse::success(0, ResponseBody::FastTransferSourceGetBuffer(body))
        };
        let refused = (0..2 * MAX_EMPTY).find(|_| source.take(empty()).is_err());
        assert_eq!(refused, Some(MAX_EMPTY));
    }
}
