//! A session that is made again when it was lost.

use std::fmt;

use crate::connector::Connector;
use crate::error::{Error, MailboxError, ProtocolError, ReachError};
use crate::logon::{Logon, Target};
use crate::session::Session;

/// A user's mailbox on one server, over one session context at a time, which is made again when it was lost.
///
/// ```text
/// loop {
///     let logon = mailbox.logon().await?;
///     match one_step(logon, state).await {
///         Ok(state) => mailbox.progressed(),
///         Err(error) => mailbox.again(error).await?,
///     }
/// }
/// ```
pub struct Mailbox {
    connector: Connector,
    /// Whoever signs in.
    dn: String,
    target: Target,
    open: Option<(Session, Logon)>,
    /// Whether it was ever reached: what cannot be reached at first is not tried again.
    reached: bool,
    /// Failures since something last went well.
    failures: u32,
    /// Sessions that were made so far.
    sessions: u64,
    /// No more tries than this in a row.
    tries: u32,
}

impl Mailbox {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(connector: Connector, dn: impl Into<String>) -> Self {
        let dn = dn.into();
        Self {
            connector,
            target: Target::Mailbox(dn.clone()),
            dn,
            open: None,
            reached: false,
            failures: 0,
            sessions: 0,
            tries: u32::MAX,
        }
    }

    /// Opens another mailbox than that of whoever signs in, or the public folders.
    #[must_use]
    pub fn with_target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// The same with fewer tries: for callers that come again later by themselves.
    #[must_use]
    pub const fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// The logon, made if there is none.
    ///
    /// # Errors
    /// As [`Connector::connect`] and [`Session::logon`].
    pub async fn logon(&mut self) -> Result<&Logon, Error> {
        while self.open.is_none() {
            match self.connect().await {
                Ok(open) => {
                    self.open = Some(open);
                    self.reached = true;
                    self.sessions = self.sessions.saturating_add(1);
                }
                Err(error) if self.reached => self.again(error).await?,
                Err(error) => return Err(error),
            }
        }
        match &self.open {
            Some((_, logon)) => Ok(logon),
            None => Err(Error::Closed),
        }
    }

    /// The session, where there is one.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.open.as_ref().map(|(session, _)| session)
    }

    /// How many sessions were made so far. What belongs to a session (subscriptions) is to be made again when this
    /// number has changed.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// What to do after an error: when a new session may help, the old one is let go, some time passes, and
    /// [`Mailbox::logon`] may be called again; everything that was opened before is gone. Else the error comes back.
    ///
    /// # Errors
    /// The given one, when a new session cannot help or too many in a row did not.
    pub async fn again(&mut self, error: Error) -> Result<(), Error> {
        let hopeful = error.wants_new_session()
            || (self.reached
                && matches!(
                    error,
                    Error::Reach(ReachError::Connect { .. } | ReachError::ConnectTimeout { .. })
                        // A proxy whose server is away.
                        | Error::Protocol(ProtocolError::Status(502 | 504))
                ));
        if !hopeful {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.tries {
            return Err(error);
        }
        let Some(wait) = self.connector.settings.options.backoff.wait(self.failures, None) else {
            return Err(error);
        };
        // Once is enough to know why it takes so long.
        if self.failures == 1 {
            tracing::warn!(%error, "connecting again");
        } else {
            tracing::info!(%error, ?wait, "connecting again");
        }
        // Dropped, it is disconnected in the background, as far as that is possible.
        self.open = None;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Something went well: the tries are counted from here.
    pub const fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Ends the session, if there is one.
    ///
    /// # Errors
    /// As [`Session::disconnect`].
    pub async fn disconnect(mut self) -> Result<(), Error> {
        match self.open.take() {
            Some((session, logon)) => {
                drop(logon);
                session.disconnect().await
            }
            None => Ok(()),
        }
    }

    async fn connect(&self) -> Result<(Session, Logon), Error> {
        let session = self.connector.connect(&self.dn).await?;
        match session.logon_to(&self.target).await {
            Ok(logon) => Ok((session, logon)),
            Err(error) => {
                // The first error is the one that matters.
                let _ = session.disconnect().await;
                Err(match &self.target {
                    Target::Mailbox(dn) if *dn != self.dn => MailboxError::of_other(error, &self.dn, dn),
                    _ => error,
                })
            }
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("dn", &self.dn).field("open", &self.open).finish_non_exhaustive()
    }
}
