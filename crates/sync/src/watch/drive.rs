//! The loop around the state machine.

use std::time::Duration;

use async_trait::async_trait;
use watertight_mapi_client::{Error, Mailbox};

use super::{Action, Changed, Event, Failure, Now, Stop, Timing, Watch};
use crate::{Report, Scope, SyncError, SyncResult, Synchronizer};

/// The clock, the signals, and those who are told. One task asks, one thing at a time.
#[async_trait]
pub trait World: Send + Sync {
    /// What the clocks say.
    fn now(&self) -> Now;

    /// A random number from 0 to 1.
    fn jitter(&self) -> f64;

    /// Waits until that time (as [`Now::boot`]; for ever without one) or until something happens outside. It may be
    /// over earlier, and must be now and then: whether the machine slept is looked at after it. Dropping the future
    /// loses nothing.
    async fn pause(&self, until: Option<Duration>) -> Outside;

    /// Told what happens.
    fn happened(&self, what: &Happening<'_>);
}

/// Why a pause is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Time passed.
    Time,
    /// Somebody wants a synchronization now.
    Asked,
    /// Somebody wants the end.
    Stop,
}

/// Where the mailbox is found.
#[async_trait]
pub trait Home: Send {
    /// The way to the mailbox. Asked for at first, after the user was refused, and now and then while the server cannot
    /// be reached: password, address and name may have changed.
    ///
    /// # Errors
    /// As of a synchronization.
    async fn synchronizer(&mut self) -> SyncResult<Synchronizer>;
}

/// How a server is made to tell what changes.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Begins to listen over the mailbox's session; `None` when the server does not tell.
    ///
    /// # Errors
    /// Those of the session.
    async fn listen(&self, mailbox: &mut Mailbox) -> Result<Option<Box<dyn Listening>>, Error>;
}

/// A server that tells what changes. Dropping it ends that.
#[async_trait]
pub trait Listening: Send {
    /// Waits for changes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the session, which is lost then.
    async fn next(&mut self, mailbox: &Mailbox) -> Result<Vec<Changed>, Error>;
}

/// What happens in the loop.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// A synchronization begins.
    Begins {
        /// Of what.
        scope: &'a Scope,
    },
    /// A synchronization ended well.
    Synced {
        /// Of what.
        scope: &'a Scope,
        /// What it did.
        report: &'a Report,
        /// Whether the server tells what changes from now on.
        listening: bool,
    },
    /// A synchronization, or the wait for changes, failed.
    Failed {
        /// Why.
        error: &'a SyncError,
        /// How often in a row.
        failures: u32,
        /// How long the server is left alone; none when this is the end.
        again_in: Option<Duration>,
    },
    /// The machine slept, and what was begun is given up.
    Woke,
}

/// What the loop lives in.
pub struct Surroundings<'a> {
    /// The clock, the signals, and those who are told.
    pub world: &'a dyn World,
    /// Where the mailbox is found.
    pub home: &'a mut dyn Home,
    /// How the server is made to tell what changes.
    pub feed: &'a dyn Feed,
}

/// Failures in a row after which the way to the mailbox is asked for again, each time.
const ASTRAY: u32 = 4;

/// A session that breaks in the middle of a run is made again once; what comes after that is the back-off.
const TRIES: u32 = 2;

/// A server that says that there is something, and then has nothing, is asked no more often.
const NOTHING: Duration = Duration::from_secs(1);

/// Keeps a mailbox in step until somebody wants the end. One session is kept all the time.
///
/// # Errors
/// What will not get better by itself: a user that is refused again and again, a directory that is not ours.
pub async fn run(around: Surroundings<'_>, timing: Timing) -> SyncResult<()> {
    let Surroundings { world, home, feed } = around;
    let mut watch = Watch::new(timing, world.now());
    let mut way: Option<Synchronizer> = None;
    let mut open: Option<Open> = None;
    let mut last: Option<SyncError> = None;
    let mut deaf = Duration::ZERO;
    let mut due: Option<Action> = None;
    loop {
        let event = match due.take().unwrap_or_else(|| watch.poll(world.now())) {
            Action::Stop(why) => {
                if let Some(open) = open.take() {
                    drop(open.listening);
                    // The server forgets it by itself, later.
                    let _ = open.mailbox.disconnect().await;
                }
                return match (why, last) {
                    (Stop::Refused | Stop::Fatal, Some(error)) => Err(error),
                    _ => Ok(()),
                };
            }
            Action::Sync { scope, fresh } => {
                if fresh {
                    open = None;
                }
                world.happened(&Happening::Begins { scope: &scope });
                let ended = {
                    let running = once(home, feed, &mut way, &mut open, scope);
                    tokio::pin!(running);
                    loop {
                        tokio::select! {
                            ended = &mut running => break Some(ended),
                            outside = world.pause(None) => {
                                tell(&mut watch, world, outside);
                                if watch.poll(world.now()) == Action::Abandon {
                                    break None;
                                }
                            }
                        }
                    }
                };
                match ended {
                    Some(Ok(done)) => {
                        world.happened(&Happening::Synced {
                            scope: &done.scope,
                            report: &done.report,
                            listening: done.listening,
                        });
                        Event::Synced { listening: done.listening, lasting: done.lasting }
                    }
                    Some(Err(error)) => {
                        fail(&mut watch, world, &mut way, &mut open, &mut last, error);
                        continue;
                    }
                    None => {
                        open = None;
                        if !watch.ends() {
                            world.happened(&Happening::Woke);
                        }
                        Event::Abandoned
                    }
                }
            }
            Action::Wait(mut until) => {
                let asked = world.now().boot;
                let heard = {
                    // One wait, however often the clock is looked at meanwhile.
                    let hearing = next(&mut open);
                    tokio::pin!(hearing);
                    loop {
                        let listens = world.now().boot >= deaf;
                        let first = if listens { until } else { Some(until.map_or(deaf, |at| at.min(deaf))) };
                        let outside = tokio::select! {
                            heard = &mut hearing, if listens => break Some(heard),
                            outside = world.pause(first) => outside,
                        };
                        tell(&mut watch, world, outside);
                        match watch.poll(world.now()) {
                            Action::Wait(later) if listens => until = later,
                            Action::Wait(_) => break None,
                            action => {
                                due = Some(action);
                                break None;
                            }
                        }
                    }
                };
                match heard {
                    None => {}
                    Some(Ok(changes)) => {
                        let now = world.now();
                        if changes.is_empty() {
                            deaf = asked.saturating_add(NOTHING);
                        }
                        changes.into_iter().for_each(|what| watch.handle(now, Event::Changed(what)));
                    }
                    Some(Err(error)) => fail(&mut watch, world, &mut way, &mut open, &mut last, error.into()),
                }
                continue;
            }
            // Nothing is running.
            Action::Abandon => Event::Abandoned,
        };
        watch.handle(world.now(), event);
    }
}

fn tell(watch: &mut Watch, world: &dyn World, outside: Outside) {
    match outside {
        Outside::Time => {}
        Outside::Asked => watch.handle(world.now(), Event::Asked),
        Outside::Stop => watch.handle(world.now(), Event::Stop),
    }
}

fn fail(
    watch: &mut Watch,
    world: &dyn World,
    way: &mut Option<Synchronizer>,
    open: &mut Option<Open>,
    last: &mut Option<SyncError>,
    error: SyncError,
) {
    let failure = Failure::of(&error);
    if failure != Failure::Local {
        *open = None;
    }
    let now = world.now();
    watch.handle(now, Event::Failed { failure, jitter: world.jitter() });
    if failure == Failure::Refused || watch.failures().is_multiple_of(ASTRAY) {
        *way = None;
    }
    world.happened(&Happening::Failed {
        error: &error,
        failures: watch.failures(),
        again_in: watch.retry().map(|at| at.saturating_sub(now.boot)).filter(|_| !watch.ends()),
    });
    *last = Some(error);
}

/// A mailbox with its session, and the server that tells.
struct Open {
    mailbox: Mailbox,
    listening: Option<Box<dyn Listening>>,
    /// Which of the mailbox's sessions it listens over.
    session: u64,
}

struct Done {
    report: Report,
    scope: Scope,
    listening: bool,
    lasting: bool,
}

/// One synchronization: of everything when nobody listened before.
async fn once(
    home: &mut dyn Home,
    feed: &dyn Feed,
    way: &mut Option<Synchronizer>,
    open: &mut Option<Open>,
    scope: Scope,
) -> SyncResult<Done> {
    let synchronizer = match way {
        Some(way) => way.clone(),
        None => way.insert(home.synchronizer().await?).clone(),
    };
    let open = open.get_or_insert_with(|| Open {
        mailbox: synchronizer.mailbox().with_tries(TRIES),
        listening: None,
        session: 0,
    });
    open.mailbox.logon().await?;
    let scope = if open.session == open.mailbox.sessions() {
        scope
    } else {
        // What it listened over is gone.
        open.listening = None;
        open.listening = feed.listen(&mut open.mailbox).await?;
        open.session = open.mailbox.sessions();
        Scope::Everything
    };
    let report = synchronizer.run_on(&mut open.mailbox, &scope).await?;
    let lasting = open.session == open.mailbox.sessions();
    Ok(Done { report, scope, listening: open.listening.is_some(), lasting })
}

async fn next(open: &mut Option<Open>) -> Result<Vec<Changed>, Error> {
    match open {
        Some(Open { mailbox, listening: Some(listening), .. }) => listening.next(mailbox).await,
        _ => std::future::pending().await,
    }
}
