//! ROPs that travel in one Execute, and their answers, each checked against what was asked.

use watertight_mapi::rop::{
    INVALID_HANDLE, Request, RequestBody, Response, ResponseBody, RopBuffer, RopId, RopResponse,
};
use watertight_mapi::{MapiCode, PropTag};
use watertight_wire::Wire;

use crate::error::{Error, ProtocolError, SetupError};
use crate::handle::ServerHandle;
use crate::session::{self, Replies, Requester, SHORT_ANSWER};

/// Bytes of ROPs and handles that one request takes, with room for the releases that go before them.
pub(crate) const MAX_BYTES: usize = 32_000;
/// Objects in one request: as many may have to be released by the next one.
pub(crate) const MAX_OBJECTS: usize = 120;

/// A request that is being put together.
#[derive(Default)]
pub(crate) struct Batch {
    rops: Vec<Rop>,
    handles: Vec<u32>,
    columns: Vec<PropTag>,
    bytes: usize,
}

struct Rop {
    request: Request,
    /// The handle index that its answer has.
    answered: u8,
    bytes: Vec<u8>,
}

impl Batch {
    /// One that begins with this object, at index 0.
    pub(crate) fn on(handle: u32) -> Self {
        let mut batch = Self::default();
        batch.object(handle);
        batch
    }

    /// The index of an open object.
    pub(crate) fn object(&mut self, handle: u32) -> u8 {
        let at = self.handles.iter().position(|known| *known == handle).unwrap_or_else(|| {
            self.handles.push(handle);
            self.handles.len().saturating_sub(1)
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// Rows in the answer have these columns.
    pub(crate) fn columns(&mut self, columns: &[PropTag]) {
        self.columns = columns.to_vec();
    }

    /// Adds a ROP on the object at `index`; returns the number of its answer.
    pub(crate) fn push(&mut self, index: u8, body: RequestBody) -> Result<usize, Error> {
        self.add(Request::new(index, body), index)
    }

    /// Adds a ROP that opens an object; returns the number of its answer and the object's index.
    pub(crate) fn open(
        &mut self,
        index: u8,
        body: impl FnOnce(u8) -> RequestBody,
    ) -> Result<(usize, u8), Error> {
        let output = u8::try_from(self.handles.len()).unwrap_or(u8::MAX);
        self.handles.push(INVALID_HANDLE);
        Ok((self.add(Request::new(index, body(output)), output)?, output))
    }

    fn add(&mut self, request: Request, answered: u8) -> Result<usize, Error> {
        let bytes = request.to_bytes().map_err(SetupError::NoWireForm)?;
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.rops.push(Rop { request, answered, bytes });
        Ok(self.rops.len().saturating_sub(1))
    }

    /// Bytes of the request as it is.
    pub(crate) fn size(&self) -> usize {
        self.bytes.saturating_add(self.handles.len().saturating_mul(4)).saturating_add(2)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rops.is_empty()
    }

    /// Asks, with an answer of one payload.
    pub(crate) async fn ask(self, requester: &Requester) -> Result<Answers, Error> {
        self.ask_for(requester, SHORT_ANSWER).await
    }

    /// Asks; with more than [`SHORT_ANSWER`] bytes the server may go on with the last ROP in further payloads. What
    /// did not fit into the answer (RopBufferTooSmall) is asked again.
    pub(crate) async fn ask_for(self, requester: &Requester, max_rop_out: u32) -> Result<Answers, Error> {
        let mut answers = Answers {
            names: self.rops.iter().map(|rop| rop.request.body.name()).collect(),
            answers: Vec::with_capacity(self.rops.len()),
            handles: self.handles,
            opened: Vec::new(),
        };
        let mut rops = self.rops.as_slice();
        while let Some(first) = rops.first() {
            let buffer = RopBuffer {
                rops: rops.iter().flat_map(|rop| &rop.bytes).copied().collect(),
                handles: answers.handles.clone(),
            };
            let executed = requester.execute(buffer, max_rop_out).await?;
            let requests: Vec<Request> = rops.iter().map(|rop| rop.request.clone()).collect();
            let replies = session::replies(requester.inbox(), executed, &requests, &self.columns)?;
            let answered = answers.take_in(replies, rops)?;
            if answered == 0 {
                return Err(Error::Refused {
                    operation: first.request.body.name(),
                    code: MapiCode::BufferTooSmall,
                });
            }
            rops = rops.get(answered..).unwrap_or_default();
        }
        Ok(answers)
    }
}

/// The answers to a [`Batch`], by number.
pub(crate) struct Answers {
    names: Vec<&'static str>,
    answers: Vec<RopResponse>,
    handles: Vec<u32>,
    /// Released when the answers are dropped, unless they were taken.
    opened: Vec<ServerHandle>,
}

impl Answers {
    /// Takes in what answers `rops`; returns how many of them were answered: all, but after RopBufferTooSmall.
    fn take_in(&mut self, replies: Replies, rops: &[Rop]) -> Result<usize, Error> {
        let Replies { responses, mut handles, opened } = replies;
        handles.truncate(self.handles.len());
        for (known, answered) in self.handles.iter_mut().zip(handles) {
            // What was open is what it was: only places that were free are believed.
            if *known == INVALID_HANDLE {
                *known = answered;
            }
        }
        self.opened.extend(opened);
        let mut asked = rops.iter();
        let mut answered = 0_usize;
        for response in responses {
            let response = match response {
                Response::Rop(response) => response,
                Response::BufferTooSmall(_) => return Ok(answered),
                _ => continue,
            };
            match asked.next() {
                Some(rop) => {
                    check(rop, &response)?;
                    answered = answered.saturating_add(1);
                }
                // Further payloads go on with the last ROP.
                None => {
                    if let Some(last) = rops.last() {
                        check(last, &response)?;
                    }
                }
            }
            self.answers.push(response);
        }
        match asked.next() {
            Some(rop) => {
                let name = rop.request.body.name();
                Err(ProtocolError::Unexpected(format!("{name} was not answered")).into())
            }
            None => Ok(answered),
        }
    }

    /// The body of an answer of success. It can be taken once.
    pub(crate) fn body(&mut self, at: usize) -> Result<Option<ResponseBody>, Error> {
        let operation = self.name(at);
        let Some(answer) = self.answers.get_mut(at) else {
            return Err(ProtocolError::Unexpected(format!("{operation} was not answered")).into());
        };
        if answer.return_value.is_error() {
            return Err(Error::Refused { operation, code: answer.return_value });
        }
        Ok(answer.body.take())
    }

    /// Whether the operation succeeded.
    pub(crate) fn done(&mut self, at: usize) -> Result<(), Error> {
        self.body(at).map(drop)
    }

    /// The return value.
    pub(crate) fn code(&self, at: usize) -> Option<MapiCode> {
        self.answers.get(at).map(|answer| answer.return_value)
    }

    /// The return value and the body, whatever they are.
    pub(crate) fn raw(&mut self, at: usize) -> Option<(MapiCode, Option<ResponseBody>)> {
        self.answers.get_mut(at).map(|answer| (answer.return_value, answer.body.take()))
    }

    /// How many answers there are; more than ROPs when the server went on with the last one.
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// The object that was opened into this place.
    pub(crate) fn object(&mut self, output: u8) -> Result<ServerHandle, Error> {
        let handle = self.handles.get(usize::from(output)).copied();
        let at = self.opened.iter().position(|opened| Some(opened.raw()) == handle);
        at.map(|at| self.opened.swap_remove(at)).ok_or_else(|| {
            ProtocolError::Unexpected(format!("no handle came for the object with index {output}")).into()
        })
    }

    /// The error for an answer that has another body than its ROP gives.
    pub(crate) fn bodiless(&self, at: usize) -> Error {
        ProtocolError::Unexpected(format!("the answer to {} says nothing", self.name(at))).into()
    }

    fn name(&self, at: usize) -> &'static str {
        self.names.get(at).or(self.names.last()).copied().unwrap_or("a ROP")
    }
}

/// The body of an answer, of the kind that its ROP gives.
macro_rules! body {
    ($answers:expr, $at:expr, $kind:ident) => {
        match $answers.body($at) {
            Ok(Some(watertight_mapi::rop::ResponseBody::$kind(body))) => Ok(body),
            Ok(_) => Err($answers.bodiless($at)),
            Err(error) => Err(error),
        }
    };
}
pub(crate) use body;

/// Whether a response answers that ROP.
fn check(rop: &Rop, response: &RopResponse) -> Result<(), Error> {
    let name = rop.request.body.name();
    // RopGetMessageStatus is answered under the name of the ROP that sets it — [MS-OXCROPS] 2.2.6.9.2.
    let answers = match rop.request.id() {
        RopId::GetMessageStatus => RopId::SetMessageStatus,
        id => id,
    };
    if response.id != answers {
        let what = format!("{name} was answered by {}", response.id);
        return Err(ProtocolError::Unexpected(what).into());
    }
    if response.index != rop.answered {
        let what =
            format!("the answer to {name} has handle index {} instead of {}", response.index, rop.answered);
        return Err(ProtocolError::Unexpected(what).into());
    }
    Ok(())
}
