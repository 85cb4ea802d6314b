//! The task that owns a session context: its connection, its cookies, the order of its requests.
//!
//! One request at a time ([MS-OXCMAPIHTTP] 3.1.5: one per session context). Whoever asks may go away at any moment:
//! the request is brought to its end, so that the sequence stays right. When everybody is gone, the session context
//! is disconnected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use watertight_ledger::Entry;
use watertight_mapi::MapiCode;
use watertight_mapi::http::RequestType;
use watertight_mapi::http::body::{
    Answer, ConnectRequest, ConnectResponse, DisconnectRequest, ExecuteFlags, ExecuteRequest, ExecuteResponse,
};
use watertight_mapi::http::ext::{self, Limits, Wrap};
use watertight_mapi::rop::field::Empty;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, Response, RopBuffer, RopId};
use watertight_wire::{Reader, Wire, Writer, to_usize};

use crate::connector::Running;
use crate::error::{Error, Lost, ReachError, SetupError, SignInError};
use crate::handle::ServerHandle;
use crate::notify::Inbox;
use crate::session::{SHORT_ANSWER, SessionInfo};
use crate::settings::Settings;
use crate::transport::Transport;

/// Bytes of a response that is not Execute's.
const SMALL: usize = 256 << 10;
/// The most that the payloads of one Execute may come to when they are unpacked.
const MAX_UNPACKED: usize = 4 << 20;
/// A payload holds less than this — [MS-OXCRPC] 3.1.4.2: 32 KiB.
const MAX_PAYLOAD: usize = 0x7fff;
/// A handle index is a byte, and 255 stands for none.
const MAX_HANDLES: usize = 255;
/// Handles that nobody needs any more wait for the next Execute until they are so many: then they get one of their own.
const MAX_RELEASED: usize = 250;

/// What an Execute is answered with.
#[derive(Debug)]
pub struct Executed {
    /// The payloads: the first answers the request, the others go on with its last ROP.
    pub buffers: Vec<RopBuffer>,
    /// The objects that were opened; each is released when it is dropped.
    pub opened: Vec<ServerHandle>,
}

impl Executed {
    /// Takes the object with this handle out of [`Executed::opened`].
    pub fn take(&mut self, handle: u32) -> Option<ServerHandle> {
        let at = self.opened.iter().position(|opened| opened.raw() == handle)?;
        Some(self.opened.swap_remove(at))
    }
}

/// What a session context is asked for.
pub(crate) enum Command {
    Connect {
        user_dn: String,
        reply: oneshot::Sender<Result<SessionInfo, Error>>,
    },
    Execute {
        request: RopBuffer,
        max_rop_out: u32,
        reply: oneshot::Sender<Result<Executed, Error>>,
    },
    /// What a wait goes over: with the cookies of now, and the connection of the last wait.
    Beside {
        last: Option<Box<Transport>>,
        reply: oneshot::Sender<Result<Box<Transport>, Error>>,
    },
    /// The object is of a kind that the ledger knows.
    Kind {
        handle: u32,
        entry: Entry,
    },
    Release {
        handle: u32,
    },
    Ping {
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Disconnect {
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// The same, and nobody waits for it.
    End,
}

/// The way to the task. The session context lives for as long as somebody has one.
#[derive(Clone)]
pub(crate) struct Link {
    sender: mpsc::UnboundedSender<Command>,
    state: Arc<LinkState>,
    inbox: Arc<Inbox>,
}

/// What the task says about itself.
#[derive(Default)]
struct LinkState {
    /// The session context can no longer be used.
    dead: AtomicBool,
    /// What the task takes.
    bytes: AtomicUsize,
}

/// The task's own way to make a [`Link`], for as long as somebody has one.
pub(crate) struct WeakLink {
    sender: mpsc::WeakUnboundedSender<Command>,
    state: Arc<LinkState>,
    inbox: Arc<Inbox>,
}

impl WeakLink {
    pub(crate) fn upgrade(&self) -> Option<Link> {
        Some(Link {
            sender: self.sender.upgrade()?,
            state: Arc::clone(&self.state),
            inbox: Arc::clone(&self.inbox),
        })
    }
}

impl Link {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (sender, commands) = mpsc::unbounded_channel();
        (Self { sender, state: Arc::default(), inbox: Arc::default() }, commands)
    }

    pub(crate) fn downgrade(&self) -> WeakLink {
        WeakLink {
            sender: self.sender.downgrade(),
            state: Arc::clone(&self.state),
            inbox: Arc::clone(&self.inbox),
        }
    }

    /// Where notifications are kept.
    pub(crate) const fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub(crate) fn send(&self, command: Command) -> Result<(), Error> {
        self.sender.send(command).map_err(|_| Error::Closed)
    }

    /// What the task takes.
    pub(crate) fn set_bytes(&self, bytes: usize) {
        self.state.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether the session context can be used, as far as is known.
    pub(crate) fn is_alive(&self) -> bool {
        !self.sender.is_closed() && !self.state.dead.load(Ordering::Acquire)
    }
}

/// What the ledger has of an object: a handle, and what it is of.
struct Held {
    _handle: Entry,
    kind: Option<Entry>,
}

/// The task's state.
pub(crate) struct Actor {
    settings: Arc<Settings>,
    transport: Transport,
    commands: mpsc::UnboundedReceiver<Command>,
    link: WeakLink,
    /// Handles of objects that somebody has. They end with the session, whoever still has them.
    open: BTreeMap<u32, Held>,
    /// Handles that nobody needs any more: they go with the next Execute.
    released: Vec<(u32, Held)>,
    /// So many of them go with an Execute of their own.
    flush_at: usize,
    stage: Stage,
    session: Entry,
    /// Last, so that all else is gone when it says so.
    _running: Running,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The server knows nothing of us.
    New,
    Connected,
    /// The session context exists, but the order of requests is broken.
    OutOfStep,
    /// The server has no session context for us.
    Gone,
}

impl Actor {
    pub(crate) fn new(
        settings: Arc<Settings>,
        commands: mpsc::UnboundedReceiver<Command>,
        link: WeakLink,
        running: Running,
    ) -> Result<Self, Error> {
        let transport = Transport::new(Arc::clone(&settings))?;
        let session = settings.ledger.kind("sessions").enter();
        Ok(Self {
            settings,
            transport,
            commands,
            link,
            open: BTreeMap::new(),
            released: Vec::new(),
            flush_at: MAX_RELEASED,
            stage: Stage::New,
            session,
            _running: running,
        })
    }

    pub(crate) async fn run(mut self) {
        loop {
            let command = tokio::select! {
                biased;
                command = self.commands.recv() => command,
                () = self.transport.ended() => continue,
            };
            match command {
                Some(Command::Connect { user_dn, reply }) => match self.connect(user_dn).await {
                    Ok(info) => {
                        self.count();
                        if reply.send(Ok(info)).is_err() {
                            break;
                        }
                    }
                    Err(error) => {
                        // There may be a session context, but not a connection that is known to be in order.
                        if self.stage == Stage::Connected {
                            self.stage = Stage::OutOfStep;
                        }
                        self.end().await;
                        let _ = reply.send(Err(error));
                        return;
                    }
                },
                Some(Command::Execute { request, max_rop_out, mut reply }) => {
                    let patience = self.settings.options.goodbye_timeout;
                    let result = tokio::select! {
                        result = self.execute(request, max_rop_out) => result,
                        () = given_up(&mut reply, patience) => Err(Lost::OutOfStep.into()),
                    };
                    let result = self.judged(result);
                    // Whoever asked may be gone.
                    let _ = reply.send(result);
                }
                Some(Command::Kind { handle, entry }) => {
                    if let Some(held) = self.open.get_mut(&handle) {
                        held.kind = Some(entry);
                    }
                }
                Some(Command::Release { handle }) => {
                    if let Some(held) = self.open.remove(&handle) {
                        self.released.push((handle, held));
                    }
                    if self.released.len() >= self.flush_at {
                        self.flush().await;
                    }
                }
                Some(Command::Beside { last, reply }) => {
                    let beside = match self.stage {
                        Stage::Connected => Ok(Box::new(self.transport.beside(last.map(|last| *last)))),
                        Stage::New | Stage::OutOfStep | Stage::Gone => Err(Lost::OutOfStep.into()),
                    };
                    // Whoever asked may be gone.
                    let _ = reply.send(beside);
                }
                Some(Command::Ping { reply }) => {
                    let result = self.ping().await;
                    let _ = reply.send(self.judged(result));
                }
                Some(Command::Disconnect { reply }) => {
                    let result = self.disconnect().await;
                    drop(self);
                    let _ = reply.send(result);
                    return;
                }
                Some(Command::End) | None => break,
            }
        }
        self.end().await;
    }

    /// Releases what is waiting for it. When the server cannot do that now, as many more are waited for.
    async fn flush(&mut self) {
        if self.stage != Stage::Connected || self.commands.is_closed() {
            // The end of the session releases them.
            self.released.clear();
            return;
        }
        let result = self.execute(RopBuffer::default(), SHORT_ANSWER).await;
        if let Err(error) = self.judged(result) {
            tracing::debug!(%error, "objects that nobody needs could not be released");
        }
        self.flush_at = self.released.len().saturating_add(MAX_RELEASED);
    }

    /// What the session holds, but for its connection and its handles, which count themselves.
    fn count(&mut self) {
        let released = self.released.capacity().saturating_mul(size_of::<(u32, Held)>());
        let task = self.link.state.bytes.load(Ordering::Relaxed);
        let bytes = task.saturating_add(self.transport.bytes()).saturating_add(released);
        self.session.set_bytes(bytes);
    }

    /// The end of a session that nobody has any more.
    async fn end(mut self) {
        if let Err(error) = self.disconnect().await {
            tracing::debug!(%error, "a session that nobody needs could not be disconnected");
        }
    }

    async fn connect(&mut self, user_dn: String) -> Result<SessionInfo, Error> {
        let request = ConnectRequest {
            user_dn,
            default_code_page: 1252,
            lcid_sort: 1033,
            lcid_string: 1033,
            ..ConnectRequest::default()
        };
        let body = Bytes::from(request.to_bytes()?);
        let result = self.transport.request(RequestType::Connect, body, SMALL).await;
        let reply = match result {
            Ok(reply) => reply,
            Err(error) => {
                self.transport.close();
                return Err(error);
            }
        };
        // From here on there may be a session context.
        self.stage = Stage::Connected;
        match ConnectResponse::from_bytes(&reply.body)? {
            Answer::Success(connected) if connected.error_code == MapiCode::Success => {
                Ok(SessionInfo::new(connected, &reply.headers))
            }
            Answer::Success(connected) => {
                self.stage = Stage::Gone;
                Err(SignInError::of(connected.error_code).map_or(
                    Error::Refused { operation: "Connect", code: connected.error_code },
                    Error::SignIn,
                ))
            }
            Answer::Failure(failure) => {
                self.stage = Stage::Gone;
                Err(Error::Refused { operation: "Connect", code: MapiCode(failure.status_code.0) })
            }
        }
    }

    async fn execute(&mut self, mut request: RopBuffer, max_rop_out: u32) -> Result<Executed, Error> {
        match self.stage {
            Stage::Connected => {}
            Stage::New | Stage::OutOfStep | Stage::Gone => return Err(Lost::OutOfStep.into()),
        }
        let asked = request.handles.len();
        let released = self.prepend_releases(&mut request)?;
        let result = self.execute_until_not_busy(&request, max_rop_out).await;
        let buffers = match result {
            Ok(buffers) => buffers,
            Err(error) => {
                // They may not have been released.
                self.released.extend(released);
                return Err(error);
            }
        };
        drop(released);
        let answered = buffers.first().map_or(&[][..], |first| &first.handles);
        let opened = request
            .handles
            .iter()
            .zip(answered)
            .take(asked)
            .filter(|(before, after)| **before == INVALID_HANDLE && **after != INVALID_HANDLE)
            // An object that was there before is not this request's to release; the number of one that is being
            // released may be given again.
            .filter(|(_, after)| !request.handles.iter().take(asked).any(|before| before == *after))
            .filter_map(|(_, handle)| self.adopt(*handle))
            .collect();
        Ok(Executed { buffers, opened })
    }

    async fn execute_until_not_busy(
        &mut self,
        request: &RopBuffer,
        max_rop_out: u32,
    ) -> Result<Vec<RopBuffer>, Error> {
        let body = Bytes::from(self.execute_request(request, max_rop_out)?);
        let limit = to_usize(max_rop_out).max(SMALL).saturating_add(SMALL);
        let mut tried = 0_u32;
        loop {
            tried = tried.saturating_add(1);
            let reply = self.transport.request(RequestType::Execute, body.clone(), limit).await?;
            let executed = match ExecuteResponse::from_bytes(&reply.body)? {
                Answer::Success(executed) if executed.error_code == MapiCode::Success => executed,
                Answer::Success(executed) => {
                    return Err(Error::Refused { operation: "Execute", code: executed.error_code });
                }
                Answer::Failure(failure) => {
                    return Err(Error::Refused {
                        operation: "Execute",
                        code: MapiCode(failure.status_code.0),
                    });
                }
            };
            let limits = Limits { bytes: MAX_UNPACKED, ..Limits::default() };
            let buffers = ext::unwrap(&executed.rop_buffer, limits)?
                .into_iter()
                .map(|payload| RopBuffer::from_bytes(&payload.bytes))
                .collect::<Result<Vec<_>, _>>()?;
            let Some(asked) = buffers.first().and_then(|first| backoff(&first.rops)) else {
                return Ok(buffers);
            };
            let Some(wait) = self.settings.options.backoff.wait(tried, Some(asked)) else {
                return Err(Error::Busy { tries: tried, retry_after: Some(asked) });
            };
            tracing::info!(?wait, tried, "the server asks to come back later");
            tokio::time::sleep(wait).await;
        }
    }

    /// The object with a new handle; `None` when everybody is gone, for then the session ends.
    fn adopt(&mut self, handle: u32) -> Option<ServerHandle> {
        let link = self.link.upgrade()?;
        let mut entry = self.settings.ledger.kind("handles").enter();
        entry.set_bytes(size_of::<(u32, Held)>().saturating_add(size_of::<ServerHandle>()));
        self.open.insert(handle, Held { _handle: entry, kind: None });
        Some(ServerHandle::new(handle, link))
    }

    /// Handles that are not needed any more go first: RopRelease has no response.
    fn prepend_releases(&mut self, request: &mut RopBuffer) -> Result<Vec<(u32, Held)>, Error> {
        let room = MAX_PAYLOAD
            .saturating_sub(2)
            .saturating_sub(request.rops.len())
            .saturating_sub(request.handles.len().saturating_mul(4))
            / 7;
        let slots = MAX_HANDLES.saturating_sub(request.handles.len());
        let count = self.released.len().min(room).min(slots);
        let mut w = Writer::new();
        for ((handle, _), index) in self.released.iter().zip(request.handles.len()..).take(count) {
            let index = u8::try_from(index).unwrap_or(u8::MAX);
            Request::new(index, RequestBody::Release(Empty)).write(&mut w)?;
            request.handles.push(*handle);
        }
        w.bytes(&request.rops);
        request.rops = w.into_bytes();
        Ok(self.released.drain(..count).collect())
    }

    fn execute_request(&self, request: &RopBuffer, max_rop_out: u32) -> Result<Vec<u8>, Error> {
        let mut flags = ExecuteFlags::NoXorMagic;
        // Only who has room for several payloads wants them (gromox 3.10 chains dozens of empty ones at the end of a
        // table).
        if max_rop_out > SHORT_ANSWER {
            flags = flags | ExecuteFlags::Chain;
        }
        if !self.settings.compression(max_rop_out > SHORT_ANSWER) {
            flags = flags | ExecuteFlags::NoCompression;
        }
        let payload = request.to_bytes()?;
        if payload.len() > MAX_PAYLOAD || request.handles.len() > MAX_HANDLES {
            return Err(SetupError::RequestTooLarge.into());
        }
        let rop_buffer = ext::wrap(&payload, Wrap { last: true, ..Wrap::default() })?;
        Ok(ExecuteRequest { flags, rop_buffer, max_rop_out, auxiliary: Vec::new() }.to_bytes()?)
    }

    async fn ping(&mut self) -> Result<(), Error> {
        match self.stage {
            Stage::Connected => {}
            Stage::New | Stage::OutOfStep | Stage::Gone => return Err(Lost::OutOfStep.into()),
        }
        self.transport.request(RequestType::Ping, Bytes::new(), SMALL).await.map(drop)
    }

    /// Ends the session context, also one that is out of step: the server holds things for it.
    async fn disconnect(&mut self) -> Result<(), Error> {
        let in_step = self.stage == Stage::Connected;
        let result = match self.stage {
            Stage::Gone => Ok(()),
            // A Connect that failed half way may have made a session context all the same.
            Stage::New if !self.transport.has_cookies() => Ok(()),
            Stage::New | Stage::Connected | Stage::OutOfStep => {
                self.stage = Stage::Gone;
                let body = Bytes::from(DisconnectRequest::default().to_bytes()?);
                let patience = self.settings.options.goodbye_timeout;
                let request = self.transport.request(RequestType::Disconnect, body, SMALL);
                match tokio::time::timeout(patience, request).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(ReachError::Stalled {
                        address: self.settings.endpoint.address(),
                        after: patience,
                    }
                    .into()),
                }
            }
        };
        self.open.clear();
        if in_step && result.is_ok() {
            self.transport.keep();
        }
        self.transport.close();
        self.released.clear();
        result
    }

    /// What an outcome means for the requests after it.
    fn judged<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Ok(_) | Err(Error::Refused { .. } | Error::Busy { .. } | Error::Setup(_)) => {}
            Err(Error::SessionLost(Lost::Forgotten(_))) => {
                self.stage = Stage::Gone;
                self.link.state.dead.store(true, Ordering::Release);
            }
            Err(_) => {
                self.link.state.dead.store(true, Ordering::Release);
                if self.stage == Stage::Connected {
                    self.stage = Stage::OutOfStep;
                }
                self.transport.close();
            }
        }
        result
    }
}

/// Ends some time after nobody waits for the reply any more.
async fn given_up<T>(reply: &mut oneshot::Sender<T>, patience: Duration) {
    reply.closed().await;
    tokio::time::sleep(patience).await;
}

/// The time that a RopBackoff response asks for; `None` for any other response.
fn backoff(rops: &[u8]) -> Option<Duration> {
    if rops.first() != Some(&RopId::Backoff.0) {
        return None;
    }
    let Ok(Response::Backoff(backoff)) = Response::read(&mut Reader::new(rops, "RopBackoff"), None, &[])
    else {
        return None;
    };
    let longest = backoff.rops.iter().map(|(_, duration)| *duration).chain([backoff.duration]).max();
    longest.map(|ms| Duration::from_millis(u64::from(ms)))
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    #[test]
    fn a_backoff_is_the_longest_time_in_it() {
        let rop = [0xF9, 0, 100, 0, 0, 0, 1, 0x70, 250, 0, 0, 0, 0, 0];
        assert_eq!(backoff(&rop), Some(Duration::from_millis(250)));
        assert_eq!(backoff(&[0x02, 0, 0, 0, 0, 0, 0]), None);
        survive(&rop, |b| {
            let _ = backoff(b);
        });
    }
}
