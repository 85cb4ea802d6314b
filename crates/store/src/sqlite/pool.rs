//! The threads that SQLite runs on: few, started when they are needed, ended with the store.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use tokio::sync::oneshot;
use watertight_mapi::store::{StoreError, StoreResult};

/// How many threads there are at most.
pub(super) const THREADS: usize = 8;

type Task = Box<dyn FnOnce() + Send>;

/// A bounded pool of threads.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    /// Held only to add or take a task.
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), work: Condvar::new() }))
    }

    /// Runs `f` on one of the threads. It runs to its end also when the caller stops waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (done, result) = oneshot::channel();
        self.submit(Box::new(move || {
            // Nobody is there any more to be told: then nobody is told.
            let _ = done.send(f());
        }))?;
        result.await.map_err(|_| lost())?
    }

    /// Queues a task.
    pub(super) fn submit(&self, task: Task) -> StoreResult<()> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tasks.push_back(task);
        if state.idle < state.tasks.len() && state.threads < THREADS {
            let shared = Arc::clone(&self.0);
            let started = std::thread::Builder::new().name("store".to_owned()).spawn(move || shared.serve());
            match started {
                Ok(_) => state.threads = state.threads.saturating_add(1),
                Err(_) if state.threads > 0 => {}
                Err(source) => {
                    state.tasks.pop_back();
                    return Err(StoreError::Backend {
                        context: "no thread can be started".to_owned(),
                        source: Box::new(source),
                    });
                }
            }
        }
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.work.notify_all();
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(task) = state.tasks.pop_front() {
                drop(state);
                // What a task held is dropped with it; whoever waits for it learns that it is lost.
                if catch_unwind(AssertUnwindSafe(task)).is_err() {
                    tracing::error!("a task of the store panicked");
                }
                state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if state.closed {
                return;
            }
            state.idle = state.idle.saturating_add(1);
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle = state.idle.saturating_sub(1);
        }
    }
}

/// The error of a task that did not come to its end.
pub(super) fn lost() -> StoreError {
    StoreError::Backend {
        context: "the operation did not come to its end".to_owned(),
        source: "its task was dropped".into(),
    }
}
