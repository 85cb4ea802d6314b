//! What is changed by waiting: iterators, which threads of Python may share.

use std::sync::Arc;

use pyo3::prelude::*;
use tokio::sync::{Mutex, MutexGuard};
use watertight_mail::Error;
use watertight_mail::blocking::Engine;

use crate::error::raised;

/// An iterator. One thread waits for its next item at a time; others wait for their turn, which can be interrupted.
pub(crate) struct Shared<T> {
    inner: Arc<Mutex<T>>,
    engine: Result<Engine, Error>,
}

impl<T> Shared<T> {
    pub(crate) fn new(inner: T, engine: Result<Engine, Error>) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), engine }
    }

    pub(crate) fn engine(&self, py: Python<'_>) -> PyResult<&Engine> {
        self.engine.as_ref().map_err(|error| raised(py, error))
    }

    pub(crate) async fn lock(&self) -> MutexGuard<'_, T> {
        self.inner.lock().await
    }
}
