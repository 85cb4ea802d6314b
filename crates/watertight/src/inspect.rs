//! What this process holds, as one JSON line, and the socket that hands it out.
//!
//! A line is `{"version":1,"pid":N,"allocated":BYTES,"ledger":{…}}`: the bytes that are allocated and not given back,
//! SQLite's among them, and the tree of counts. The socket belongs to its owner alone (mode 0600); each line that
//! comes in, whatever it says, is answered by one. `release` gives back first what is in memory only because it may be read
//! again; so two lines can be compared.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustix::fs::Mode;
use serde::Serialize;
use tikv_jemalloc_ctl::{Access, AsName};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use watertight_ledger::{Inspect, Ledger};
use watertight_store::SqliteStore;

use crate::command::soak::Planted;

/// The longest line that is answered.
const MAX_LINE: u64 = 4096;

/// What one line says.
#[derive(Serialize)]
struct Line {
    version: u8,
    pid: u32,
    allocated: u64,
    ledger: Inspect,
}

/// The line, with its end.
///
/// # Errors
/// When the allocator does not say how much is allocated.
pub fn line(ledger: &Ledger) -> Result<String> {
    // First the bytes, so that the line itself is not among them.
    let allocated = allocated()?;
    let line = Line { version: 1, pid: std::process::id(), allocated, ledger: ledger.inspect() };
    let mut line = serde_json::to_string(&line).context("cannot write the counts as JSON")?;
    line.push('\n');
    Ok(line)
}

/// The bytes that are allocated now, less those that threads have freed and keep at hand.
fn allocated() -> Result<u64> {
    let read = || -> tikv_jemalloc_ctl::Result<u64> {
        tikv_jemalloc_ctl::epoch::advance()?;
        let allocated = tikv_jemalloc_ctl::stats::allocated::read()?;
        // 4096 stands for all arenas together: MALLCTL_ARENAS_ALL.
        let kept: usize = b"stats.arenas.4096.tcache_bytes\0"[..].name().read()?;
        Ok(watertight_wire::to_u64(allocated.saturating_sub(kept)))
    };
    read().map_err(|error| anyhow::anyhow!("cannot ask the allocator: {error}"))
}

/// A socket at which the counts can be asked for. Dropping it removes the socket and ends its connections.
pub struct Socket {
    file: File,
    listener: UnixListener,
    ledger: Ledger,
    orders: Orders,
}

/// What a line may ask for before it is answered.
#[derive(Default)]
pub struct Orders {
    /// The store that gives back memory.
    pub store: Option<SqliteStore>,
    /// What leaks on purpose: it grows when it is told how many operations there were.
    pub plant: Option<Planted>,
}

impl Socket {
    /// Listens at a path. A socket that a dead process left there is replaced.
    ///
    /// # Errors
    /// When somebody listens there, when there is something else, and when no socket can be made.
    pub fn bind(path: &Path, ledger: &Ledger, orders: Orders) -> Result<Self> {
        let context = || format!("cannot listen at {}", path.display());
        remove_stale(path).with_context(context)?;
        // From its first moment on the socket is its owner's alone.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = listener.with_context(context)?;
        let inode = fs::symlink_metadata(path).with_context(context)?.ino();
        Ok(Self { file: File { path: path.to_owned(), inode }, listener, ledger: ledger.clone(), orders })
    }

    /// Answers for as long as it is polled.
    pub async fn run(self) {
        let Self { file: _file, listener, ledger, orders } = self;
        let orders = Arc::new(orders);
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    while connections.try_join_next().is_some() {}
                    let (ledger, orders) = (ledger.clone(), Arc::clone(&orders));
                    connections.spawn(async move {
                        if let Err(error) = answer(stream, &ledger, &orders).await {
                            tracing::debug!(%error, "an inspection ended");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely; that does not pass at once.
                    tracing::warn!(%error, "an inspection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn answer(mut stream: UnixStream, ledger: &Ledger, orders: &Orders) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut asked = Vec::new();
    loop {
        asked.clear();
        (&mut reader).take(MAX_LINE).read_until(b'\n', &mut asked).await?;
        if asked.last() != Some(&b'\n') {
            return Ok(());
        }
        if let Some(plant) = &orders.plant {
            plant.told(&asked);
        }
        if asked.trim_ascii() == b"release"
            && let Some(store) = &orders.store
        {
            store.release_memory().await?;
        }
        writer.write_all(line(ledger)?.as_bytes()).await?;
    }
}

fn remove_stale(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => bail!("there is something that is no socket"),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => bail!("another process listens there"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) => Err(error.into()),
    }
}

/// The socket's file.
struct File {
    path: PathBuf,
    inode: u64,
}

impl Drop for File {
    fn drop(&mut self) {
        // Somebody may have put another in its place.
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "the socket cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_held() {
        let ledger = Ledger::new("test");
        let _entry = ledger.kind("things").enter();
        let before: serde_json::Value = serde_json::from_str(&line(&ledger).unwrap()).unwrap();
        let held = vec![1_u8; 8 << 20];
        let after: serde_json::Value = serde_json::from_str(&line(&ledger).unwrap()).unwrap();
        let grown = after["allocated"].as_i64().unwrap() - before["allocated"].as_i64().unwrap();
        drop(held);
        // Other tests run beside this one.
        assert!(grown > 4 << 20, "{grown}");
        assert_eq!(after["version"], 1);
        assert_eq!(after["pid"], std::process::id());
        assert_eq!(after["ledger"]["kinds"]["things"]["now"], 1);
    }
}
