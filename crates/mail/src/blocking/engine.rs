//! Where the requests of blocking sessions are moved.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::coop;

use watertight_ledger::Ledger;
use watertight_mapi_client::{Mapi, Options};

use crate::Error;
use crate::link::Link;
use crate::session::{Open, Session, usual_profiles};

/// How long the end may take: what the server was not told by then, it finds out by itself.
const GOODBYE: Duration = Duration::from_secs(5);

/// One thread that moves the requests of blocking sessions. Whoever calls waits on the calling thread.
///
/// When the last clone is dropped, the thread says goodbye for the sessions that were dropped without
/// [`close`](super::Session::close), and ends.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    handle: Handle,
    mapi: Mapi,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// A child of fork has a copy of all this, but not the thread.
    process: u32,
    /// Sessions that may still be open.
    sessions: Arc<Mutex<Vec<Weak<Link>>>>,
}

/// The engine of sessions that were not given one, for as long as there is such a session.
static SHARED: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new() -> Result<Self, Error> {
        Self::over(Mapi::new(usual_profiles(), Options::default(), &Ledger::new("watertight_mail")))
    }

    /// The same over a [`Mapi`] that nothing else uses: its profiles, options and ledger hold for all sessions.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn over(mapi: Mapi) -> Result<Self, Error> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|e| Error::io("no event loop", e))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let sessions = Arc::new(Mutex::new(Vec::<Weak<Link>>::new()));
        let kept = mapi.clone();
        let thread = std::thread::Builder::new()
            .name("watertight".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // A sender that is dropped says the same.
                    let _ = stopped.await;
                    let _ = tokio::time::timeout(GOODBYE, kept.idle()).await;
                });
                runtime.shutdown_timeout(GOODBYE);
            })
            .map_err(|e| Error::io("no thread", e))?;
        let inner = Inner {
            handle,
            mapi,
            stop: Some(stop),
            thread: Some(thread),
            process: std::process::id(),
            sessions,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The engine that all sessions of this process share that were not given one.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn shared() -> Result<Self, Error> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = shared.upgrade().filter(|inner| inner.process == std::process::id()) {
            return Ok(Self(inner));
        }
        let engine = Self::new()?;
        *shared = Arc::downgrade(&engine.0);
        Ok(engine)
    }

    /// What sessions are opened through.
    #[must_use]
    pub fn mapi(&self) -> &Mapi {
        &self.0.mapi
    }

    /// Whether it can be used: a child of fork cannot use its parent's.
    #[must_use]
    pub fn is_of_this_process(&self) -> bool {
        self.0.process == std::process::id()
    }

    /// Opens a session whose requests this engine moves.
    ///
    /// # Errors
    /// As [`Open::open`] and [`Engine::wait`].
    pub async fn session(&self, open: Open) -> Result<Session, Error> {
        let session = open.through_if_none(&self.0.mapi).open_in(Some(self.clone())).await?;
        self.remember(&session);
        Ok(session)
    }

    /// Waits for a future on this thread.
    ///
    /// # Errors
    /// When this thread must not wait, for it runs asynchronous tasks; when the engine is another process's.
    pub fn wait<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        self.check()?;
        Ok(self.0.handle.block_on(future))
    }

    /// The same; `interrupted` is asked again and again, and the future is dropped when it says no.
    ///
    /// # Errors
    /// As [`Engine::wait`]; within, what `interrupted` said.
    pub fn wait_or<F: Future, E>(
        &self,
        future: F,
        every: Duration,
        mut interrupted: impl FnMut() -> Result<(), E>,
    ) -> Result<Result<F::Output, E>, Error> {
        self.check()?;
        let mut future = pin!(future);
        loop {
            let turn = async { tokio::time::timeout(every, future.as_mut()).await };
            match self.0.handle.block_on(turn) {
                Ok(output) => return Ok(Ok(output)),
                Err(_) => {
                    if let Err(no) = interrupted() {
                        return Ok(Err(no));
                    }
                }
            }
        }
    }

    /// Ends all sessions that are still open, as well as the server can be told within a few seconds, and waits for
    /// those that were dropped.
    pub fn close_all(&self) {
        let open: Vec<_> = {
            let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.drain(..).filter_map(|link| link.upgrade()).collect()
        };
        let _ = self.wait(async {
            let closing = futures_util::future::join_all(open.iter().map(|link| link.close()));
            let all = async {
                closing.await;
                self.0.mapi.idle().await;
            };
            let _ = tokio::time::timeout(GOODBYE, all).await;
        });
    }

    /// Remembers a session, for [`Engine::close_all`].
    fn remember(&self, session: &Session) {
        let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|link| link.strong_count() > 0);
        sessions.push(session.weak_link());
    }

    fn check(&self) -> Result<(), Error> {
        if !self.is_of_this_process() {
            return Err(Error::closed(
                "the session was opened in another process, before fork; open one in this process",
            ));
        }
        if runs_tasks() {
            return Err(Error::invalid(
                "a blocking call on a thread that runs asynchronous tasks would hold them up; use the asynchronous \
                 API of watertight_mail, or tokio::task::spawn_blocking",
            ));
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // In a child of fork there is no thread to wait for.
        if self.process != std::process::id() {
            std::mem::forget(self.thread.take());
            return;
        }
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("process", &self.0.process).finish_non_exhaustive()
    }
}

/// Whether this thread polls tokio's tasks at this moment. Only then is there a budget that can be used up; threads
/// of `spawn_blocking`, where waiting is allowed, have none. What is taken of the budget is given back.
fn runs_tasks() -> bool {
    if Handle::try_current().is_err() {
        return false;
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut taken = Vec::new();
    let mut spent = false;
    // A budget is a number below 256.
    for _ in 0..=u8::MAX {
        match coop::poll_proceed(&mut context) {
            Poll::Ready(unit) => taken.push(unit),
            Poll::Pending => {
                spent = true;
                break;
            }
        }
    }
    // The last first: each puts back what was there before it.
    while let Some(unit) = taken.pop() {
        drop(unit);
    }
    spent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_refused_exactly_where_tasks_run() {
        let engine = Engine::new().unwrap();
        assert_eq!(engine.wait(async { 1 }).unwrap(), 1);
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let runtime = builder.enable_all().build().unwrap();
            let (inner, cloned) = (engine.clone(), engine.clone());
            runtime.block_on(async move {
                assert!(inner.wait(async {}).unwrap_err().to_string().contains("spawn_blocking"));
                assert!(coop::has_budget_remaining(), "the budget is as it was");
                let task = tokio::spawn(async move { inner.wait(async {}).is_err() });
                assert!(task.await.unwrap());
                let blocking = tokio::task::spawn_blocking(move || cloned.wait(async { 2 }).unwrap());
                assert_eq!(blocking.await.unwrap(), 2);
            });
        }
    }

    #[test]
    fn a_wait_that_is_interrupted_drops_its_future() {
        let engine = Engine::new().unwrap();
        let (sender, receiver) = oneshot::channel::<()>();
        let mut asked = 0;
        let waited = engine.wait_or(
            async move {
                let _sender = sender;
                std::future::pending::<()>().await;
            },
            Duration::from_millis(1),
            || {
                asked += 1;
                if asked == 3 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!(waited.unwrap(), Err("enough"));
        assert!(engine.wait(receiver).unwrap().is_err(), "the sender is gone");
    }

    #[test]
    fn the_thread_ends_with_the_last_engine() {
        let engine = Engine::shared().unwrap();
        let same = Engine::shared().unwrap();
        assert!(Arc::ptr_eq(&engine.0, &same.0));
        let handle = engine.0.handle.clone();
        drop((engine, same));
        assert!(handle.spawn(async {}).is_finished() || SHARED.lock().unwrap().upgrade().is_none());
    }
}
