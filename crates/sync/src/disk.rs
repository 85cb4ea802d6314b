use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, Timespec, Timestamps};

use crate::{SyncError, SyncResult};

/// When files are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before the checkpoint that records them: power loss costs nothing that was recorded.
    #[default]
    Safe,
    /// Never: a killed process still costs nothing, power loss may.
    Off,
}

/// Called before every step that changes something on disk, with the step's name; an error makes the step fail.
/// Tests kill a run at every step with it.
pub type Hook = Arc<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>;

/// Mail is read by its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;
pub(crate) const PRIVATE_DIR: u32 = 0o700;

/// Every change of the tree goes through here.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) fsync: Fsync,
    pub(crate) hook: Option<Hook>,
}

impl Disk {
    /// Asks the hook.
    pub(crate) fn step(&self, what: &'static str, path: &Path) -> SyncResult<()> {
        match &self.hook {
            Some(hook) => hook(what).map_err(|e| SyncError::io(what, path, e)),
            None => Ok(()),
        }
    }

    /// Makes a directory and those that it is in.
    pub(crate) fn make_dirs(&self, path: &Path) -> SyncResult<()> {
        self.step("make the directory", path)?;
        DirBuilder::new()
            .mode(PRIVATE_DIR)
            .recursive(true)
            .create(path)
            .map_err(|e| SyncError::io("make the directory", path, e))
    }

    /// Makes a directory that may exist already.
    pub(crate) fn make_dir(&self, path: &Path) -> SyncResult<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.step("make the directory", path)?;
        match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other.map_err(|e| SyncError::io("make the directory", path, e)),
        }
    }

    /// Makes a Maildir: `cur`, `new`, `tmp`.
    pub(crate) fn make_maildir(&self, path: &Path) -> SyncResult<()> {
        self.make_dir(path)?;
        ["tmp", "new", "cur"].iter().try_for_each(|sub| self.make_dir(&path.join(sub)))
    }

    /// Creates a file for writing, in place of an older one.
    pub(crate) fn create(&self, path: &Path) -> SyncResult<File> {
        self.step("write", path)?;
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(path)
            .map_err(|e| SyncError::io("write", path, e))
    }

    /// Puts a small file in place, whole or not at all.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> SyncResult<()> {
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        let mut file = self.create(&tmp)?;
        file.write_all(bytes).map_err(|e| SyncError::io("write", &tmp, e))?;
        if self.fsync == Fsync::Safe {
            file.sync_all().map_err(|e| SyncError::io("write", &tmp, e))?;
        }
        drop(file);
        self.rename(&tmp, path)
    }

    /// Renames; what was called `to` is gone.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> SyncResult<()> {
        self.step("rename", from)?;
        fs::rename(from, to).map_err(|e| SyncError::io("rename", from, e))
    }

    /// Renames when `from` is there; says whether it was.
    pub(crate) fn rename_if_there(&self, from: &Path, to: &Path) -> SyncResult<bool> {
        if from == to {
            return Ok(from.exists());
        }
        match self.rename(from, to) {
            Err(SyncError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Puts the file `new` in the place of `old` when `old` is still there; says whether it was. The old content
    /// is gone.
    pub(crate) fn replace_if_there(&self, new: &Path, old: &Path) -> SyncResult<bool> {
        self.step("replace", old)?;
        match rustix::fs::renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            Ok(()) => self.unlink(new).map(|_| true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            // The file system cannot exchange two names: the old one is looked for first.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => {
                if !old.exists() {
                    return Ok(false);
                }
                self.rename(new, old).map(|()| true)
            }
            Err(e) => Err(SyncError::io("replace", old, e.into())),
        }
    }

    /// Removes a file when it is there; says whether it was.
    pub(crate) fn unlink(&self, path: &Path) -> SyncResult<bool> {
        self.step("remove", path)?;
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(SyncError::io("remove", path, e)),
        }
    }

    /// Removes a directory when it is there and empty; says whether it is gone.
    pub(crate) fn remove_dir(&self, path: &Path) -> SyncResult<bool> {
        self.step("remove the directory", path)?;
        match fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(e) => Err(SyncError::io("remove the directory", path, e)),
        }
    }

    /// Sets a file's modification time.
    pub(crate) fn set_mtime(&self, file: &File, path: &Path, seconds: i64, nanos: u32) -> SyncResult<()> {
        let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::futimens(file, &times).map_err(|e| SyncError::io("set the time of", path, e.into()))
    }

    /// Forces files to the disk: one by one when they are few, else the whole file system once.
    pub(crate) fn sync_files(&self, root: &Path, files: &[PathBuf]) -> SyncResult<()> {
        if self.fsync == Fsync::Off || files.is_empty() {
            return Ok(());
        }
        self.step("force to the disk", root)?;
        if files.len() <= 8 {
            return files.iter().try_for_each(|path| {
                File::open(path)
                    .and_then(|f| f.sync_all())
                    .map_err(|e| SyncError::io("force to the disk", path, e))
            });
        }
        let dir = File::open(root).map_err(|e| SyncError::io("open", root, e))?;
        rustix::fs::syncfs(&dir).map_err(|e| SyncError::io("force to the disk", root, e.into()))
    }

    /// Forces a directory's names to the disk.
    pub(crate) fn sync_dir(&self, path: &Path) -> SyncResult<()> {
        if self.fsync == Fsync::Off {
            return Ok(());
        }
        self.step("force to the disk", path)?;
        File::open(path).and_then(|d| d.sync_all()).map_err(|e| SyncError::io("force to the disk", path, e))
    }
}

/// A directory's modification time in nanoseconds; 0 when it is not there.
pub(crate) fn mtime(path: &Path) -> i64 {
    rustix::fs::stat(path)
        .ok()
        .and_then(|s| {
            s.st_mtime.checked_mul(1_000_000_000)?.checked_add(i64::try_from(s.st_mtime_nsec).ok()?)
        })
        .unwrap_or(0)
}
