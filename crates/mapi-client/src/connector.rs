//! The way to one server as one user.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use watertight_ledger::Ledger;

use crate::actor::{Actor, Command, Link};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::options::Options;
use crate::session::Session;
use crate::settings::Settings;
use crate::sign_in::{Credentials, Scheme};
use crate::traffic::Traffic;
use crate::transport::Transport;

/// The way to one server as one user. Each [`Session`] is a session context with a connection that it has for itself;
/// after its Disconnect the connection is kept for the next one ([`Options::kept_connections`]). With the last clone
/// and the last session, what is kept ends.
#[derive(Clone)]
pub struct Connector {
    pub(crate) settings: Arc<Settings>,
    /// How many sessions have not ended yet.
    pub(crate) running: Arc<watch::Sender<usize>>,
}

impl Connector {
    /// Checks what can be checked without the network, and reads the trusted roots.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn new(
        endpoint: Endpoint,
        credentials: &Credentials,
        options: Options,
        ledger: &Ledger,
    ) -> Result<Self, Error> {
        let settings = Settings::new(endpoint, credentials, options, ledger)?;
        Ok(Self { settings: Arc::new(settings), running: Arc::new(watch::Sender::new(0)) })
    }

    /// Connects: a new session context for the user with this DN — [MS-OXCMAPIHTTP] 2.2.4.1.
    ///
    /// When the future is dropped, a session context that came to be is disconnected in the background.
    ///
    /// # Errors
    /// Every kind but [`Error::Refused`] of ROPs.
    pub async fn connect(&self, user_dn: &str) -> Result<Session, Error> {
        let (link, commands) = Link::new();
        let actor = Actor::new(
            Arc::clone(&self.settings),
            commands,
            link.downgrade(),
            Running::enter(&self.running),
        )?;
        let (reply, connected) = oneshot::channel();
        link.send(Command::Connect { user_dn: user_dn.to_owned(), reply })?;
        let task = actor.run();
        link.set_bytes(size_of_val(&task));
        tokio::spawn(task);
        let info = connected.await.map_err(|_| Error::Closed)??;
        tracing::debug!(server = %self.settings.endpoint, "connected");
        Ok(Session::new(link, info, Arc::clone(&self.settings)))
    }

    /// Asks the server which ways to sign in it offers, in its own order, by a request that proves nothing. Empty when
    /// it asks for no proof.
    ///
    /// # Errors
    /// What reaching the server meets.
    pub async fn offered(&self) -> Result<Vec<Scheme>, Error> {
        Transport::new(Arc::clone(&self.settings))?.offered().await
    }

    /// Waits until every session has ended, those too that were dropped without [`Session::disconnect`], and ends the
    /// connections that are kept.
    pub async fn idle(&self) {
        // The sender lives here, so the wait cannot fail.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
        self.settings.pool.clear();
    }

    /// What all sessions together asked and moved so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.settings.counters.read()
    }

    /// Where the server is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.settings.endpoint
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("endpoint", &self.settings.endpoint)
            .field("user", &self.settings.user)
            .finish_non_exhaustive()
    }
}

/// A session that has not ended.
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Running {
    pub(crate) fn enter(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|running| *running = running.saturating_add(1));
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}
