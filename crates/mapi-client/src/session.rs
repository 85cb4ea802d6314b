//! One session context.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::oneshot;
use watertight_mapi::PropTag;
use watertight_mapi::http::body::Connected;
use watertight_mapi::http::header;
use watertight_mapi::rop::{Request, Response, ResponseBody, RopBuffer, read_responses};
use watertight_wire::{Wire, Writer};

use crate::actor::{Command, Executed, Link};
use crate::error::{Error, ProtocolError};
use crate::handle::ServerHandle;
use crate::notify::Inbox;
use crate::settings::Settings;
use crate::transport::Transport;

/// MaxRopOut of requests whose answers are short — [MS-OXCMAPIHTTP] 2.2.4.2.1.
pub(crate) const SHORT_ANSWER: u32 = 0x10008;

/// What the server says about itself and the user when a session begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The user's display name.
    pub display_name: String,
    /// DnPrefix.
    pub dn_prefix: String,
    /// The longest time between polls for events.
    pub polls_max: Duration,
    /// X-ServerApplication.
    pub server_application: Option<String>,
    /// After how much silence the server forgets the session context (X-ExpirationInfo).
    pub expires_after: Option<Duration>,
}

impl SessionInfo {
    pub(crate) fn new(connected: Connected, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            display_name: connected.display_name,
            dn_prefix: connected.dn_prefix,
            polls_max: Duration::from_millis(u64::from(connected.polls_max)),
            server_application: text(header::X_SERVER_APPLICATION).map(str::to_owned),
            expires_after: text(header::X_EXPIRATION_INFO)
                .and_then(|ms| ms.trim().parse().ok())
                .map(Duration::from_millis),
        }
    }
}

/// A session context. It lasts until [`Session::disconnect`], or until the last of the session, its logons, folders,
/// downloads and handles is dropped: then it is disconnected in the background.
pub struct Session {
    link: Link,
    info: SessionInfo,
    pub(crate) settings: Arc<Settings>,
    /// What the last wait went over.
    pub(crate) waiter: tokio::sync::Mutex<Option<Box<Transport>>>,
}

impl Session {
    pub(crate) fn new(link: Link, info: SessionInfo, settings: Arc<Settings>) -> Self {
        Self { link, info, settings, waiter: tokio::sync::Mutex::default() }
    }

    /// What the server said when the session began.
    #[must_use]
    pub const fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Executes ROPs. The handle table is what they refer to by index; [`INVALID_HANDLE`] stands where an object is
    /// opened. RopBackoff is waited for.
    ///
    /// # Errors
    /// [`Error::Refused`] when the request as a whole was refused; return values of ROPs are the caller's affair.
    ///
    /// [`INVALID_HANDLE`]: watertight_mapi::rop::INVALID_HANDLE
    pub async fn execute(&self, requests: &[Request], handles: &[u32]) -> Result<Replies, Error> {
        self.requester().ask(requests, handles, &[]).await
    }

    /// As [`Session::execute`]; `columns` are those of the rows in the answer.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub async fn execute_rows(
        &self,
        requests: &[Request],
        handles: &[u32],
        columns: &[PropTag],
    ) -> Result<Replies, Error> {
        self.requester().ask(requests, handles, columns).await
    }

    /// Executes ROPs as they are, with answers of up to `max_rop_out` bytes; above 0x10008 the server may go on with
    /// the last ROP in further payloads.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub async fn execute_raw(&self, request: RopBuffer, max_rop_out: u32) -> Result<Executed, Error> {
        self.requester().execute(request, max_rop_out).await
    }

    /// Keeps the session context alive — [MS-OXCMAPIHTTP] 2.2.6 PING.
    ///
    /// # Errors
    /// As for every request.
    pub async fn ping(&self) -> Result<(), Error> {
        let (reply, pong) = oneshot::channel();
        self.link.send(Command::Ping { reply })?;
        pong.await.map_err(|_| Error::Closed)?
    }

    /// Ends the session context; what is still open in it is gone after this.
    ///
    /// # Errors
    /// When the server could not be told. It holds nothing for us all the same, later.
    pub async fn disconnect(self) -> Result<(), Error> {
        self.close().await
    }

    /// The same, where others hold the session too.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let (reply, done) = oneshot::channel();
        self.link.send(Command::Disconnect { reply })?;
        done.await.map_err(|_| Error::Closed)?
    }

    /// Ends the session context in the background.
    pub(crate) fn end(&self) {
        // It may have ended before.
        let _ = self.link.send(Command::End);
    }

    /// Whether the session context can be used, as far as is known here.
    pub(crate) fn is_alive(&self) -> bool {
        self.link.is_alive()
    }

    pub(crate) fn requester(&self) -> Requester {
        Requester::new(self.link.clone(), Arc::clone(&self.settings))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The answers to [`Session::execute`].
#[derive(Debug)]
pub struct Replies {
    /// One for each ROP but RopRelease, as far as the server got.
    pub responses: Vec<Response>,
    /// The handle table, objects opened by this request included.
    pub handles: Vec<u32>,
    /// The objects that were opened; each is released when it is dropped.
    pub opened: Vec<ServerHandle>,
}

impl Replies {
    /// Takes the object that was opened into this place of the handle table.
    pub fn take(&mut self, index: u8) -> Option<ServerHandle> {
        let handle = *self.handles.get(usize::from(index))?;
        let at = self.opened.iter().position(|opened| opened.raw() == handle)?;
        Some(self.opened.swap_remove(at))
    }

    /// The body of the answer number `at`, where that ROP succeeded.
    ///
    /// # Errors
    /// [`Error::Refused`] with its return value; [`Error::Protocol`] when there is no such answer.
    pub fn success(&self, at: usize, operation: &'static str) -> Result<Option<&ResponseBody>, Error> {
        let Some(response) = self.responses.get(at).and_then(Response::rop) else {
            return Err(ProtocolError::Unexpected(format!("no answer to {operation}")).into());
        };
        if response.return_value.is_error() {
            return Err(Error::Refused { operation, code: response.return_value });
        }
        Ok(response.body.as_ref())
    }
}

/// What the objects of a session ask through.
#[derive(Clone)]
pub(crate) struct Requester {
    link: Link,
    pub(crate) settings: Arc<Settings>,
}

/// An answer on its way.
pub(crate) type Pending = oneshot::Receiver<Result<Executed, Error>>;

impl Requester {
    pub(crate) const fn new(link: Link, settings: Arc<Settings>) -> Self {
        Self { link, settings }
    }

    /// Sends a request now; the answer is waited for later.
    pub(crate) fn begin(&self, request: RopBuffer, max_rop_out: u32) -> Result<Pending, Error> {
        let (reply, answer) = oneshot::channel();
        self.link.send(Command::Execute { request, max_rop_out, reply })?;
        Ok(answer)
    }

    pub(crate) async fn execute(&self, request: RopBuffer, max_rop_out: u32) -> Result<Executed, Error> {
        self.begin(request, max_rop_out)?.await.map_err(|_| Error::Closed)?
    }

    pub(crate) async fn ask(
        &self,
        requests: &[Request],
        handles: &[u32],
        columns: &[PropTag],
    ) -> Result<Replies, Error> {
        let executed = self.execute(buffer(requests, handles)?, SHORT_ANSWER).await?;
        replies(self.inbox(), executed, requests, columns)
    }

    /// Where notifications go that come with other answers.
    pub(crate) const fn inbox(&self) -> &Arc<Inbox> {
        self.link.inbox()
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }
}

/// ROPs and handle table in one.
pub(crate) fn buffer(requests: &[Request], handles: &[u32]) -> Result<RopBuffer, Error> {
    let mut w = Writer::new();
    requests.iter().try_for_each(|request| request.write(&mut w))?;
    Ok(RopBuffer { rops: w.into_bytes(), handles: handles.to_vec() })
}

/// The responses of all payloads, those that the server chained included.
pub(crate) fn replies(
    inbox: &Inbox,
    executed: Executed,
    requests: &[Request],
    columns: &[PropTag],
) -> Result<Replies, Error> {
    let Executed { buffers, opened } = executed;
    let mut responses = Vec::new();
    let mut handles = None;
    for buffer in buffers {
        // Every payload after the first goes on with the last ROP.
        let asked =
            if handles.is_none() { requests } else { requests.last().map_or(&[][..], std::slice::from_ref) };
        let mut answers = read_responses(&buffer.rops, asked, |_| columns.to_vec())?;
        inbox.sort_out(&mut answers);
        responses.append(&mut answers);
        handles.get_or_insert(buffer.handles);
    }
    Ok(Replies { responses, handles: handles.unwrap_or_default(), opened })
}
