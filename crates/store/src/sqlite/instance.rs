//! Which processes have a data directory open.
//!
//! Each opened store holds a locked file of its own in `instances`. What it has staged is kept for as long as that
//! lock is held by somebody, and removed by whoever opens the mailbox after that.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use watertight_mapi::store::{StoreError, StoreResult};

use super::error::Doing;

/// An opened store's own mark.
pub(super) struct Instance {
    /// Its number: positive, random.
    pub(super) number: i64,
    folder: PathBuf,
    _lock: File,
}

impl Instance {
    /// Makes a mark, and removes those whose processes are gone.
    pub(super) fn register(dir: &Path) -> StoreResult<Self> {
        let folder = dir.join("instances");
        fs::create_dir_all(&folder).doing("making the folder of instances")?;
        // Whoever makes or removes marks holds this: between making one and locking it nobody takes it for dead.
        let gate = open(&dir.join("lock"))?;
        gate.lock().doing("locking the data directory")?;
        for entry in fs::read_dir(&folder).doing("reading the folder of instances")? {
            let path = entry.doing("reading the folder of instances")?.path();
            if !is_locked(&path)? {
                fs::remove_file(&path).doing("removing the mark of an ended process")?;
            }
        }
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|source| StoreError::Backend {
            context: "the system gives no random bytes".to_owned(),
            source: source.to_string().into(),
        })?;
        let number = (u64::from_le_bytes(bytes) >> 1).cast_signed();
        let lock = open(&mark(&folder, number))?;
        lock.lock().doing("locking the mark of this process")?;
        Ok(Self { number, folder, _lock: lock })
    }

    /// Whether the store of that number is still open somewhere.
    pub(super) fn is_live(&self, number: i64) -> StoreResult<bool> {
        if number == self.number {
            return Ok(true);
        }
        is_locked(&mark(&self.folder, number))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // What stays behind is removed by the next process.
        let _ = fs::remove_file(mark(&self.folder, self.number));
    }
}

/// Takes the lock that one server at a time has.
pub(super) fn claim(dir: &Path) -> StoreResult<File> {
    let file = open(&dir.join("serving"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Denied("another server has this data directory open: stop it first"))
        }
        Err(TryLockError::Error(source)) => Err(source).doing("locking the data directory"),
    }
}

fn mark(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{number:016x}"))
}

fn open(path: &Path) -> StoreResult<File> {
    File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(path)
        .doing(&format!("opening {}", path.display()))
}

fn is_locked(path: &Path) -> StoreResult<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).doing(&format!("opening {}", path.display())),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e).doing(&format!("locking {}", path.display())),
    }
}
