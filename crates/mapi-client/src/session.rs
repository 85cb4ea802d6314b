//! One session context.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::oneshot;
use watertight_mapi::http::body::Connected;
use watertight_mapi::http::header;

use crate::actor::{Command, Link, Payload};
use crate::error::Error;
use crate::handle::ServerHandle;
use crate::settings::Settings;

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
}

impl Session {
    pub(crate) fn new(link: Link, info: SessionInfo, settings: Arc<Settings>) -> Self {
        Self { link, info, settings }
    }

    /// What the server said when the session began.
    #[must_use]
    pub const fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Executes ROPs as they are: the response payloads, the first of which answers them, the others of which go on
    /// with the last ROP where the server chained. RopBackoff is waited for.
    ///
    /// # Errors
    /// [`Error::Refused`] when the request as a whole was refused; return values of ROPs are not looked at.
    pub async fn execute(&self, payload: Payload) -> Result<Vec<Payload>, Error> {
        self.requester().execute(payload, SHORT_ANSWER).await
    }

    /// A handle that the server gave in [`Session::execute`]: it is released when it is dropped.
    #[must_use]
    pub fn adopt(&self, handle: u32) -> ServerHandle {
        self.requester().adopt(handle)
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
        let (reply, done) = oneshot::channel();
        self.link.send(Command::Disconnect { reply })?;
        done.await.map_err(|_| Error::Closed)?
    }

    pub(crate) fn requester(&self) -> Requester {
        Requester { link: self.link.clone(), settings: Arc::clone(&self.settings) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("info", &self.info).finish_non_exhaustive()
    }
}

/// What the objects of a session ask through.
#[derive(Clone)]
pub(crate) struct Requester {
    link: Link,
    pub(crate) settings: Arc<Settings>,
}

impl Requester {
    /// Sends a request now; the answer is waited for later.
    pub(crate) fn begin(
        &self,
        payload: Payload,
        max_rop_out: u32,
    ) -> Result<oneshot::Receiver<Result<Vec<Payload>, Error>>, Error> {
        let (reply, answer) = oneshot::channel();
        self.link.send(Command::Execute { payload, max_rop_out, reply })?;
        Ok(answer)
    }

    pub(crate) async fn execute(&self, payload: Payload, max_rop_out: u32) -> Result<Vec<Payload>, Error> {
        self.begin(payload, max_rop_out)?.await.map_err(|_| Error::Closed)?
    }

    pub(crate) fn adopt(&self, handle: u32) -> ServerHandle {
        let entry = self.settings.ledger.kind("handles").enter();
        ServerHandle::new(handle, self.link.clone(), entry)
    }
}
