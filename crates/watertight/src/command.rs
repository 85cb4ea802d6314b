//! What the commands do: compose the libraries, print results.

pub mod demo;
pub mod import;
pub mod serve;
pub mod store;
pub mod sync;
pub mod user;

use std::future::Future;

use anyhow::{Context, Result};

/// Runs a command's future on a runtime with that many threads.
pub fn on_runtime<T>(threads: usize, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start threads")?
        .block_on(future)
}
