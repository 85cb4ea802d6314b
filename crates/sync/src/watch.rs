//! Keeping in step for ever: when to synchronize, what, and when to leave the server alone.
//!
//! [`Watch`] is a state machine without I/O: what happened goes in with [`Watch::handle`], what to do comes out of
//! [`Watch::poll`]. It knows no clock and no random source. [`run`] drives it from a mailbox.
//!
//! - The first run, and the first after every new session, looks at all folders; after it only what the server says
//!   has changed is looked at, [`Timing::debounce`] after it was said.
//! - In case a notification was lost, all folders are looked at every [`Timing::full`]; a server that cannot tell is
//!   asked every [`Timing::poll`].
//! - After a failure the server is left alone for [`Timing::backoff`], doubled each time, up to
//!   [`Timing::longest_backoff`]; a session that breaks again soon after it was made counts as a failure in a row.
//! - A machine that slept has no session any more: what was begun is given up, and all folders are looked at over a
//!   new one.
//! - A server that refuses the user [`Timing::refusals`] times in a row is not asked again.

mod drive;
mod timing;

use std::collections::BTreeSet;
use std::time::Duration;

pub use drive::{Feed, Happening, Home, Listening, Outside, Surroundings, World, run};
pub use timing::{Now, Timing};

use crate::{GlobalId, Scope, SyncError};
use watertight_mapi_client::{Error, ErrorClass};

/// More folders than this are everything.
const MANY: usize = 64;
/// A clock that was set, or read twice, is no sleep.
const NAP: Duration = Duration::from_secs(2);

/// What the server says has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// This folder, or something in it.
    Folder(GlobalId),
    /// It does not say what, or the folders themselves.
    Something,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The server says that something changed.
    Changed(Changed),
    /// A synchronization ended well.
    Synced {
        /// Whether the server tells what changes from now on; else it is polled.
        listening: bool,
        /// Whether it told all the time: nothing can have been missed since the run began.
        lasting: bool,
    },
    /// A synchronization, or the wait for changes, failed.
    Failed {
        /// How.
        failure: Failure,
        /// From 0 to 1: how much of half the back-off is added to the other half.
        jitter: f64,
    },
    /// What [`Action::Abandon`] asked for was done.
    Abandoned,
    /// Somebody wants a synchronization now.
    Asked,
    /// Somebody wants this to end.
    Stop,
}

/// How it failed, as far as that matters for what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server or the way to it: the session is gone.
    Server {
        /// How long the server wants to be left alone, where it said so.
        after: Option<Duration>,
    },
    /// The server does not let the user in.
    Refused,
    /// The disk, or another run that holds the Maildir. The session lives on.
    Local,
    /// It will not get better by itself.
    Fatal,
}

impl Failure {
    /// What an error means.
    #[must_use]
    pub fn of(error: &SyncError) -> Self {
        match error {
            SyncError::Server(error) => match (error.class(), error) {
                (ErrorClass::SignIn, _) => Self::Refused,
                (ErrorClass::Setup, _) => Self::Fatal,
                (_, Error::Busy { retry_after, .. }) => Self::Server { after: *retry_after },
                _ => Self::Server { after: None },
            },
            SyncError::NoWay { failure, .. } => *failure,
            SyncError::Protocol(_) => Self::Server { after: None },
            SyncError::NotOurs(_) | SyncError::Newer { .. } | SyncError::NoFolder { .. } => Self::Fatal,
            _ => Self::Local,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin a synchronization; [`Event::Synced`] or [`Event::Failed`] says how it ended.
    Sync {
        /// Of what.
        scope: Scope,
        /// Over a new session: what there is of an old one cannot be trusted.
        fresh: bool,
    },
    /// Nothing before this time (as [`Now::boot`]), unless something happens; none while a synchronization goes on.
    Wait(Option<Duration>),
    /// Give up the synchronization that goes on, and say [`Event::Abandoned`].
    Abandon,
    /// This is the end.
    Stop(Stop),
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody wanted it.
    Asked,
    /// The server refused the user too often.
    Refused,
    /// Something that will not get better by itself.
    Fatal,
}

/// Says when to synchronize, and what.
#[derive(Debug, Clone)]
pub struct Watch {
    timing: Timing,
    /// How long the machine has slept so far.
    slept: Duration,
    /// It slept since the last run began.
    woke: bool,
    /// The session is of no use.
    fresh: bool,
    /// What is being synchronized, since when.
    running: Option<(Scope, Duration)>,
    /// Whether the server tells what changes.
    listening: bool,
    /// Everything is to be looked at.
    all: bool,
    /// These folders are to be looked at: which, and when the first and the last was heard of.
    changed: BTreeSet<GlobalId>,
    heard: Option<(Duration, Duration)>,
    /// What was heard of is more than these folders.
    something: bool,
    /// When everything is looked at next.
    full_at: Duration,
    /// Not before this.
    breath: Duration,
    /// The server is left alone until then.
    retry: Option<Duration>,
    /// In a row.
    failures: u32,
    refusals: u32,
    /// Since when nothing has failed.
    well: Option<Duration>,
    stop: Option<Stop>,
}

impl Watch {
    /// Begins with a synchronization of everything.
    #[must_use]
    pub fn new(timing: Timing, now: Now) -> Self {
        Self {
            timing,
            slept: now.slept(),
            woke: false,
            fresh: true,
            running: None,
            listening: false,
            all: true,
            changed: BTreeSet::new(),
            heard: None,
            something: false,
            full_at: now.boot,
            breath: now.boot,
            retry: None,
            failures: 0,
            refusals: 0,
            well: None,
            stop: None,
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Now, event: Event) {
        self.look(now);
        match event {
            Event::Changed(changed) => self.changed(now.boot, changed),
            Event::Synced { listening, lasting } => self.synced(now.boot, listening, lasting),
            Event::Failed { failure, jitter } => self.failed(now.boot, failure, jitter),
            Event::Abandoned => {
                self.running = None;
                self.all = true;
                self.fresh = true;
            }
            Event::Asked => {
                self.all = true;
                self.retry = None;
                self.breath = now.boot;
            }
            Event::Stop => self.stop = self.stop.or(Some(Stop::Asked)),
        }
    }

    /// What to do now.
    pub fn poll(&mut self, now: Now) -> Action {
        self.look(now);
        let at = now.boot;
        match (self.stop, &self.running) {
            (Some(_), Some(_)) => return Action::Abandon,
            (Some(why), None) => return Action::Stop(why),
            (None, Some(_)) if self.woke => return Action::Abandon,
            (None, Some(_)) => return Action::Wait(None),
            (None, None) => {}
        }
        if let Some(retry) = self.retry {
            if at < retry {
                return Action::Wait(Some(retry));
            }
            self.retry = None;
        }
        let due = match (self.all, self.heard) {
            (true, _) => at,
            (false, None) => self.full_at,
            (false, Some((first, last))) => {
                let quiet = last.saturating_add(self.timing.debounce);
                quiet.min(first.saturating_add(self.timing.longest_debounce)).min(self.full_at)
            }
        }
        .max(self.breath);
        if at < due {
            return Action::Wait(Some(due));
        }
        let named = std::mem::take(&mut self.changed);
        self.heard = None;
        let everything = std::mem::take(&mut self.something) || self.all || at >= self.full_at;
        let scope = if everything { Scope::Everything } else { Scope::Folders(named) };
        let fresh = std::mem::take(&mut self.fresh);
        self.all = false;
        self.woke = false;
        self.running = Some((scope.clone(), at));
        Action::Sync { scope, fresh }
    }

    /// How often it failed in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When the server is asked again after a failure (as [`Now::boot`]).
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether this is the end.
    #[must_use]
    pub const fn ends(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether the machine slept in the meantime.
    fn look(&mut self, now: Now) {
        let slept = now.slept();
        if slept > self.slept.saturating_add(NAP) {
            self.woke = true;
            self.fresh = true;
            self.all = true;
            self.retry = None;
            self.failures = 0;
            self.breath = now.boot;
        }
        self.slept = slept;
    }

    fn changed(&mut self, at: Duration, changed: Changed) {
        let first = self.heard.map_or(at, |(first, _)| first);
        match changed {
            Changed::Folder(folder) if !self.something && self.changed.len() < MANY => {
                self.changed.insert(folder);
                self.heard = Some((first, at));
            }
            Changed::Folder(_) | Changed::Something => {
                // It is looked at as soon as a change of one folder would be.
                self.changed.clear();
                self.something = true;
                self.heard = Some((first, at));
            }
        }
    }

    fn synced(&mut self, at: Duration, listening: bool, lasting: bool) {
        let Some((scope, since)) = self.running.take() else { return };
        self.listening = listening;
        self.refusals = 0;
        // A run that takes long is not followed by the next without a pause, however much changes.
        self.breath = at.saturating_add(at.saturating_sub(since).min(self.timing.longest_breath));
        if scope == Scope::Everything {
            let next = if listening { self.timing.full } else { self.timing.poll };
            self.full_at = at.saturating_add(next);
        }
        if lasting {
            self.well.get_or_insert(at);
        } else {
            // The session broke and was made again: what changed between them was not told.
            self.fail(at, None, 1.0);
        }
    }

    fn failed(&mut self, at: Duration, failure: Failure, jitter: f64) {
        self.running = None;
        self.all = true;
        match failure {
            Failure::Server { after } => {
                self.fresh = true;
                self.fail(at, after, jitter);
            }
            Failure::Local => self.fail(at, None, jitter),
            Failure::Refused => {
                self.fresh = true;
                self.refusals = self.refusals.saturating_add(1);
                if self.refusals >= self.timing.refusals {
                    self.stop = self.stop.or(Some(Stop::Refused));
                }
                let wait = self
                    .timing
                    .refused
                    .saturating_mul(5_u32.saturating_pow(self.refusals.saturating_sub(1).min(4)));
                self.fail(at, Some(wait), jitter);
            }
            Failure::Fatal => self.stop = self.stop.or(Some(Stop::Fatal)),
        }
    }

    /// One more failure, in a row unless all was well for long enough.
    fn fail(&mut self, at: Duration, after: Option<Duration>, jitter: f64) {
        if self.well.take().is_some_and(|well| at.saturating_sub(well) >= self.timing.steady) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.all = true;
        let wait = self.timing.wait(self.failures, jitter);
        let wait = after.map_or(wait, |after| wait.max(after.min(self.timing.full)));
        self.retry = Some(at.saturating_add(wait));
    }
}

#[cfg(test)]
mod tests;
