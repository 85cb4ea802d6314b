//! Waiting for the server without holding the interpreter.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use watertight_mail::blocking::Engine;

use crate::error::raised;

/// How often a long wait looks for Ctrl-C.
const EVERY: Duration = Duration::from_millis(50);

/// The engine of this process, kept until the interpreter ends, so that connections serve one session after another.
static ENGINE: Mutex<Option<Engine>> = Mutex::new(None);

/// The engine of this process; a child of `fork` gets its own.
pub(crate) fn engine(py: Python<'_>) -> PyResult<Engine> {
    let found = py.detach(|| {
        let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        match &*engine {
            Some(engine) if engine.is_of_this_process() => Ok(engine.clone()),
            _ => Engine::new().inspect(|new| *engine = Some(new.clone())),
        }
    });
    found.map_err(|error| raised(py, &error))
}

/// Waits with the interpreter released. Ctrl-C ends the wait: what was asked for is given up.
pub(crate) fn wait<T, F>(py: Python<'_>, engine: &Engine, future: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = Result<T, watertight_mail::Error>> + Send,
{
    let waited = py.detach(|| engine.wait_or(future, EVERY, || Python::attach(|py| py.check_signals())));
    match waited {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) | Err(error) => Err(raised(py, &error)),
        Ok(Err(interrupted)) => Err(interrupted),
    }
}

/// Ends what is still open. Called when the interpreter ends.
#[pyfunction]
pub(crate) fn _close_all(py: Python<'_>) {
    py.detach(|| {
        let engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine.filter(Engine::is_of_this_process) {
            engine.close_all();
        }
    });
}
