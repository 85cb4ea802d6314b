use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use watertight_ledger::{Entry, Kind};
use watertight_mapi::prop::LargeValue;

use crate::disk::PRIVATE;

/// Large values of the message that is being received, each in a file of `watertight/spool/`. The files go when the
/// values are forgotten or the spool is dropped.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    kind: Kind,
    values: BTreeMap<u64, Value>,
    writing: Option<(u64, File)>,
}

#[derive(Debug)]
struct Value {
    path: PathBuf,
    len: u64,
    _entry: Entry,
}

/// Numbers are never used twice in one process, so that spools can share a directory.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Spool {
    /// A spool in that directory, which must exist when the first value comes.
    pub(crate) fn new(dir: &Path, kind: Kind) -> Self {
        Self { dir: dir.to_owned(), kind, values: BTreeMap::new(), writing: None }
    }

    /// Where the values lie.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins a value; an unfinished one ends.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{}-{id}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).mode(PRIVATE).open(&path)?;
        self.values.insert(id, Value { path, len: 0, _entry: self.kind.enter() });
        self.writing = Some((id, file));
        Ok(())
    }

    /// More bytes of the value that was begun last.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((id, file)) = &mut self.writing else { return Ok(()) };
        file.write_all(bytes)?;
        if let Some(value) = self.values.get_mut(id) {
            value.len = value.len.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        }
        Ok(())
    }

    /// Ends the value that was begun last.
    pub(crate) fn end(&mut self) -> Option<LargeValue> {
        let (id, _) = self.writing.take()?;
        Some(LargeValue { id, len: self.values.get(&id)?.len })
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.writing = None;
        for (_, value) in std::mem::take(&mut self.values) {
            let _ = fs::remove_file(value.path);
        }
    }

    /// The value, to be read.
    ///
    /// # Errors
    /// `NotFound` for a value that is not (or no longer) here.
    pub fn open(&self, id: u64) -> io::Result<File> {
        File::open(&self.values.get(&id).ok_or(io::ErrorKind::NotFound)?.path)
    }

    /// Where the value lies.
    pub(crate) fn path(&self, id: u64) -> Option<&Path> {
        self.values.get(&id).map(|v| v.path.as_path())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.clear();
    }
}
