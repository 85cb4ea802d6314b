//! What the kernel says about a process.

use std::collections::HashMap;

use procfs::ProcError;
use procfs::process::{FDTarget, MMapPath, MemoryMap};

use crate::sample::{Descriptors, Figures};

/// A running process. It is known by its number and its start, so another that gets the number is not taken for it.
#[derive(Debug)]
pub struct Process {
    inner: procfs::process::Process,
    pid: u32,
    start: u64,
    name: String,
    command: String,
}

/// A process cannot be looked at.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not there (any more).
    #[error("there is no process {0}")]
    Gone(u32),
    /// It is somebody else's.
    #[error("process {0} may be looked at by its owner and root only")]
    Denied(u32),
    /// The kernel's answer cannot be read.
    #[error("cannot read /proc/{pid}")]
    Unreadable {
        /// The process.
        pid: u32,
        /// Why not.
        #[source]
        why: ProcError,
    },
}

impl Process {
    /// Finds a process.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn open(pid: u32) -> Result<Self, ProcessError> {
        let number = i32::try_from(pid).map_err(|_| ProcessError::Gone(pid))?;
        let inner = procfs::process::Process::new(number).map_err(|e| failed(pid, e))?;
        let stat = inner.stat().map_err(|e| failed(pid, e))?;
        let command = inner.cmdline().map(|words| words.join(" ")).unwrap_or_default();
        Ok(Self { inner, pid, start: stat.starttime, name: stat.comm, command })
    }

    /// Its number.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its name, as the kernel has it: at most 15 bytes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its command line when it was found; it may hold what others need not see.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// What it holds now.
    ///
    /// # Errors
    /// [`ProcessError`]; [`ProcessError::Gone`] when it has ended, a zombie included.
    pub fn sample(&self) -> Result<Figures, ProcessError> {
        let pid = self.pid;
        let stat = self.inner.stat().map_err(|e| failed(pid, e))?;
        if stat.starttime != self.start || matches!(stat.state, 'Z' | 'X' | 'x') {
            return Err(ProcessError::Gone(pid));
        }
        let mut figures = Figures {
            descriptors: self.descriptors()?,
            threads: u64::try_from(stat.num_threads).unwrap_or(0),
            ..Figures::default()
        };
        for map in &self.inner.smaps().map_err(|e| failed(pid, e))? {
            let of = |key: &str| bytes(&map.extension.map, key);
            let plus = |sum: &mut u64, n: u64| *sum = sum.saturating_add(n);
            plus(&mut figures.rss, of("Rss"));
            plus(&mut figures.private_dirty, of("Private_Dirty"));
            if is_heap(map) {
                plus(&mut figures.heap, of("Private_Dirty").saturating_add(of("Swap")));
            }
        }
        // One that ends while it is looked at has no memory any more.
        if figures.rss == 0 && !self.inner.is_alive() {
            return Err(ProcessError::Gone(pid));
        }
        Ok(figures)
    }

    fn descriptors(&self) -> Result<Descriptors, ProcessError> {
        let mut found = Descriptors::default();
        for fd in self.inner.fd().map_err(|e| failed(self.pid, e))? {
            let count = match fd {
                Ok(fd) => match fd.target {
                    FDTarget::Socket(_) => &mut found.sockets,
                    FDTarget::Pipe(_) => &mut found.pipes,
                    FDTarget::AnonInode(_) | FDTarget::MemFD(_) => &mut found.anon,
                    _ => &mut found.files,
                },
                // Closed while we looked.
                Err(ProcError::NotFound(_)) => continue,
                Err(error) => return Err(failed(self.pid, error)),
            };
            *count = count.saturating_add(1);
        }
        Ok(found)
    }
}

fn is_heap(map: &MemoryMap) -> bool {
    match &map.pathname {
        MMapPath::Heap | MMapPath::Anonymous => true,
        // Anonymous memory that has a name (PR_SET_VMA_ANON_NAME).
        MMapPath::Other(name) => name.trim_start_matches('[').starts_with("anon"),
        _ => false,
    }
}

fn bytes(map: &HashMap<String, u64>, key: &str) -> u64 {
    map.get(key).copied().unwrap_or(0)
}

fn failed(pid: u32, why: ProcError) -> ProcessError {
    match why {
        ProcError::NotFound(_) => ProcessError::Gone(pid),
        ProcError::PermissionDenied(_) => ProcessError::Denied(pid),
        // What reading from a process that has just ended gives.
        ProcError::Io(ref error, _) if error.raw_os_error() == Some(3) => ProcessError::Gone(pid),
        why => ProcessError::Unreadable { pid, why },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_is_seen() {
        let me = Process::open(std::process::id()).unwrap();
        let before = me.sample().unwrap();
        assert!(before.threads >= 1 && before.rss > 0 && before.heap > 0, "{before:?}");
        assert!(before.private_dirty >= 4096 && before.rss >= before.private_dirty);
    }

    #[test]
    fn what_a_process_opens_is_counted_by_kind() {
        // Other processes: the descriptors of this one belong to the tests beside us too. They inherit some.
        let spawn = |input: Stdio| Command::new("cat").stdin(input).stdout(Stdio::piped()).spawn().unwrap();
        let mut child = spawn(Stdio::piped());
        let process = Process::open(child.id()).unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"x").unwrap();
        let figures = process.sample().unwrap();
        let mut other = spawn(std::fs::File::open("/dev/zero").unwrap().into());
        let others = Process::open(other.id()).unwrap().sample().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(figures.descriptors.pipes, others.descriptors.pipes + 1, "{figures:?} {others:?}");
        assert_eq!(figures.descriptors.files + 1, others.descriptors.files);
        assert_eq!(figures.descriptors.total(), others.descriptors.total());
        drop(input);
        child.wait().unwrap();
        assert!(matches!(process.sample(), Err(ProcessError::Gone(_))));
        assert!(matches!(Process::open(u32::MAX), Err(ProcessError::Gone(_))));
    }
}
