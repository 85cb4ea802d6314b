//! Maildir and Maildir++: messages in `cur` and `new`, folders as `.Name.Below` (or as directories below).

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Result;
use watertight_sync::folder_name;

use super::source::{Bytes, Flags, Item, Limits, Sink, entries, file_name, modified};

/// Whether it is the root of a Maildir.
pub fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir() && path.join("new").is_dir()
}

/// Gives the messages of the Maildir and of its folders to the sink.
pub fn walk(root: &Path, _limits: Limits, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
    one(root, &mut Vec::new(), 0, sink)
}

/// Deeper directories are a loop.
const DEEPEST: usize = 64;

fn one(path: &Path, folder: &mut Vec<String>, depth: usize, sink: &mut dyn Sink) -> Result<ControlFlow<()>> {
    if sink.folder(folder).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    for part in ["cur", "new"] {
        for entry in entries(&path.join(part))? {
            if message(&entry, folder, sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    for entry in entries(path)? {
        if !is_maildir(&entry) {
            continue;
        }
        if depth >= DEEPEST {
            sink.skip(entry.display().to_string(), format!("deeper than {DEEPEST} directories"));
            continue;
        }
        let len = folder.len();
        folder.extend(names(&file_name(&entry)));
        let flow = one(&entry, folder, depth.saturating_add(1), sink)?;
        folder.truncate(len);
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The names that a directory stands for: `.Archive.2004` is two, a directory without the dot is one.
///
/// A name that is not modified UTF-7 is taken as it is.
pub fn names(directory: &str) -> Vec<String> {
    let name = |text: &str| folder_name::decode(text).unwrap_or_else(|| text.to_owned());
    match directory.strip_prefix('.') {
        Some(dotted) => dotted.split('.').filter(|text| !text.is_empty()).map(name).collect(),
        None => vec![name(directory)],
    }
}

fn message(path: &Path, folder: &[String], sink: &mut dyn Sink) -> ControlFlow<()> {
    let place = path.display().to_string();
    let name = file_name(path);
    if name.starts_with('.') {
        return ControlFlow::Continue(());
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => {
            sink.skip(place, "not a file".into());
            return ControlFlow::Continue(());
        }
        Err(error) => {
            sink.skip(place, error.to_string());
            return ControlFlow::Continue(());
        }
    };
    sink.item(Item {
        folder: folder.to_vec(),
        place,
        bytes: Bytes::File(path.to_owned(), metadata.len()),
        flags: flags(&name),
        delivered: modified(&metadata),
    })
}

/// The flags at the end of a name: `…:2,FRS`.
pub fn flags(name: &str) -> Flags {
    Flags::parse(name.rsplit_once(":2,").map_or("", |(_, letters)| letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_of_files() {
        assert_eq!(names(".Archive.2004"), ["Archive", "2004"]);
        assert_eq!(names(".Entw&APw-rfe"), ["Entwürfe"]);
        assert_eq!(names("plain"), ["plain"]);
        assert_eq!(names(".a&b.&2D3eAA-.Beta &- Gamma"), ["a&b", "\u{1f600}", "Beta & Gamma"]);
        let f = flags("1.M2P3.host,S=4:2,FRS");
        assert!(f.flagged && f.replied && f.seen && !f.passed && !f.draft && !f.trashed);
        assert_eq!(flags("1.M2P3.host"), Flags::default());
    }
}
