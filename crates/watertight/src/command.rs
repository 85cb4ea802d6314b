//! What the commands do: compose the libraries, print results.

pub mod account;
pub mod check;
pub mod cure;
pub mod demo;
pub mod import;
pub mod login;
pub mod serve;
pub mod soak;
pub mod store;
pub mod sync;
pub mod user;
pub mod watch;
pub mod who;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};

/// Runs a command's future on a runtime with that many threads.
pub fn on_runtime<T>(threads: usize, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        // Threads for what blocks stay: how many there are says how much went on at one time, not when.
        .thread_keep_alive(Duration::from_secs(3600))
        .build()
        .context("cannot start threads")?
        .block_on(future)
}
