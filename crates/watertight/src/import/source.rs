//! Where mail lies: Maildir trees, mbox files, eml files, directories of them.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use watertight_wire::FileTime;

use super::{maildir, mbox};

/// One message, not read yet where it is a file of its own.
#[derive(Debug)]
pub struct Item {
    /// The names of its folder, below the folder that is imported into.
    pub folder: Vec<String>,
    /// Where it is, for people.
    pub place: String,
    /// Its bytes, or where they are.
    pub bytes: Bytes,
    /// What the place says about it.
    pub flags: Flags,
    /// When it was delivered, where the place says so.
    pub delivered: Option<FileTime>,
}

/// The bytes of a message.
#[derive(Debug)]
pub enum Bytes {
    /// A file that holds nothing else, and its length.
    File(PathBuf, u64),
    /// A part of a file, read.
    Here(Vec<u8>),
}

impl Bytes {
    /// How many there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::File(_, len) => *len,
            Self::Here(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }
}

/// The flags of Maildir's info part, which mbox files have as Status and X-Status fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// S.
    pub seen: bool,
    /// R.
    pub replied: bool,
    /// P.
    pub passed: bool,
    /// F.
    pub flagged: bool,
    /// D.
    pub draft: bool,
    /// T.
    pub trashed: bool,
}

impl Flags {
    /// From the letters of a Maildir file's name.
    pub fn parse(letters: &str) -> Self {
        Self {
            seen: letters.contains('S'),
            replied: letters.contains('R'),
            passed: letters.contains('P'),
            flagged: letters.contains('F'),
            draft: letters.contains('D'),
            trashed: letters.contains('T'),
        }
    }
}

/// What takes the items.
pub trait Sink {
    /// A message.
    fn item(&mut self, item: Item) -> ControlFlow<()>;
    /// A file that is none, and why.
    fn skip(&mut self, place: String, reason: String);
    /// A folder, also when nothing is in it.
    fn folder(&mut self, folder: &[String]) -> ControlFlow<()>;
}

/// Longest message that is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In bytes.
    pub max_message: u64,
}

/// Gives everything below the path to the sink: in the order of names, folder after folder.
pub fn walk(path: &Path, limits: Limits, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.is_dir() {
        if maildir::is_maildir(path) {
            return maildir::walk(path, limits, sink);
        }
        return directory(path, &mut Vec::new(), limits, sink);
    }
    file(path, &[], limits, sink)
}

/// Deeper directories are a loop.
const DEEPEST: usize = 64;

fn directory(
    path: &Path,
    folder: &mut Vec<String>,
    limits: Limits,
    sink: &mut dyn Sink,
) -> Result<ControlFlow<()>> {
    let mut below = Vec::new();
    let mut files = Vec::new();
    for entry in entries(path)? {
        let kind = fs::metadata(&entry);
        match kind {
            Ok(kind) if kind.is_dir() => below.push(entry),
            Ok(kind) if kind.is_file() => files.push(entry),
            _ => sink.skip(entry.display().to_string(), "neither a file nor a directory".into()),
        }
    }
    for entry in files {
        let name = file_name(&entry);
        if name.starts_with('.') {
            continue;
        }
        let stem = name.strip_suffix(".mbox").or_else(|| name.strip_suffix(".mbox.txt"));
        let flow = match stem {
            // Among other files an mbox is a folder of its own.
            Some(stem) => {
                let folder: Vec<String> = folder.iter().cloned().chain([stem.to_owned()]).collect();
                file(&entry, &folder, limits, sink)?
            }
            None => file(&entry, folder, limits, sink)?,
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    for entry in below {
        if maildir::is_maildir(&entry) {
            let mut sink =
                Below { prefix: folder.iter().cloned().chain([file_name(&entry)]).collect(), sink };
            if maildir::walk(&entry, limits, &mut sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            continue;
        }
        if folder.len() >= DEEPEST {
            sink.skip(entry.display().to_string(), format!("deeper than {DEEPEST} directories"));
            continue;
        }
        folder.push(file_name(&entry));
        let flow = directory(&entry, folder, limits, sink)?;
        folder.pop();
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn file(path: &Path, folder: &[String], limits: Limits, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
    let place = path.display().to_string();
    let mut start = Vec::new();
    let opened = File::open(path).and_then(|file| {
        let len = file.metadata()?.len();
        (&file).take(512).read_to_end(&mut start)?;
        Ok(len)
    });
    let len = match opened {
        Ok(len) => len,
        Err(error) => {
            sink.skip(place, error.to_string());
            return Ok(ControlFlow::Continue(()));
        }
    };
    // A mail may begin with the envelope line of the mbox that it was cut from.
    let is_eml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("eml"));
    match what(&start) {
        What::Mbox if !is_eml => {
            let file = File::open(path).with_context(|| format!("cannot read {place}"))?;
            if sink.folder(folder).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            mbox::walk(BufReader::with_capacity(256 * 1024, file), &place, folder, limits, sink)
        }
        What::Mbox | What::Mail => Ok(sink.item(Item {
            folder: folder.to_vec(),
            place,
            bytes: Bytes::File(path.to_owned(), len),
            flags: Flags { seen: true, ..Flags::default() },
            delivered: None,
        })),
        What::Other(reason) => {
            sink.skip(place, reason.into());
            Ok(ControlFlow::Continue(()))
        }
    }
}

enum What {
    Mbox,
    Mail,
    Other(&'static str),
}

fn what(start: &[u8]) -> What {
    if start.is_empty() {
        return What::Other("the file is empty");
    }
    if start.starts_with(b"From ") {
        return What::Mbox;
    }
    if start.starts_with(&[0x78, 0x9f, 0x3e, 0x22]) {
        return What::Other("a TNEF stream, which this version does not read");
    }
    if start.contains(&0) {
        return What::Other("not mail: it has zero bytes");
    }
    What::Mail
}

/// The entries of a directory, ascending by name.
pub fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot read {}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).with_context(context)? {
        entries.push(entry.with_context(context)?.path());
    }
    entries.sort();
    Ok(entries)
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// When a file was last changed.
pub fn modified(metadata: &fs::Metadata) -> Option<FileTime> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(FileTime::from_unix_micros(i64::try_from(since.as_micros()).ok()?))
}

/// Puts what comes into folders below another.
struct Below<'a> {
    prefix: Vec<String>,
    sink: &'a mut dyn Sink,
}

impl Sink for Below<'_> {
    fn item(&mut self, mut item: Item) -> ControlFlow<()> {
        item.folder.splice(0..0, self.prefix.iter().cloned());
        self.sink.item(item)
    }

    fn skip(&mut self, place: String, reason: String) {
        self.sink.skip(place, reason);
    }

    fn folder(&mut self, folder: &[String]) -> ControlFlow<()> {
        let folder: Vec<String> = self.prefix.iter().chain(folder).cloned().collect();
        self.sink.folder(&folder)
    }
}
