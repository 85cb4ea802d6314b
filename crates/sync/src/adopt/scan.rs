//! Which files of other programs are in the tree, whatever their layout: Maildir++, directories in directories, or both.

use std::fs;
use std::io;
use std::path::Path;

use crate::{FOLDER_MARKER, MessageName, STATE_DIR, SyncError, SyncResult, folder_name};

/// Deeper directories are somebody's mistake.
const DEEPEST: usize = 32;

/// Calls `f` with every file that may be a message of another program, and its folder in [`canonical`] form.
pub(super) fn mailboxes(root: &Path, f: &mut dyn FnMut(&Path, &str) -> SyncResult<()>) -> SyncResult<()> {
    one(root, &mut Vec::new(), f)
}

/// Whether there is a Maildir in the directory, or the directory is one.
pub(super) fn any(root: &Path) -> SyncResult<bool> {
    let mut todo = vec![(root.to_owned(), 0_usize)];
    while let Some((dir, depth)) = todo.pop() {
        if dir.join("cur").is_dir() && dir.join("new").is_dir() {
            return Ok(true);
        }
        if depth < DEEPEST {
            let below = entries(&dir)?.into_iter().filter(|(_, kind)| kind.is_dir());
            todo.extend(below.map(|(name, _)| (dir.join(name), depth.saturating_add(1))));
        }
    }
    Ok(false)
}

fn one(
    dir: &Path,
    names: &mut Vec<String>,
    f: &mut dyn FnMut(&Path, &str) -> SyncResult<()>,
) -> SyncResult<()> {
    if names.len() > DEEPEST {
        return Ok(());
    }
    let folder =
        if names.is_empty() { "inbox".to_owned() } else { canonical(names.iter().map(String::as_str)) };
    let mut below = Vec::new();
    for (name, kind) in entries(dir)? {
        match name.as_str() {
            "cur" | "new" if kind.is_dir() => {
                let sub = dir.join(&name);
                for (file, kind) in entries(&sub)? {
                    let ours =
                        MessageName::parse(&file).is_some() || MessageName::parse_kept(&file).is_some();
                    if kind.is_file() && !ours && !file.starts_with('.') {
                        f(&sub.join(&file), &folder)?;
                    }
                }
            }
            "tmp" => {}
            STATE_DIR | super::MAKING | FOLDER_MARKER if names.is_empty() => {}
            _ if kind.is_dir() => below.push(name),
            _ => {}
        }
    }
    below.sort();
    for name in below {
        let path = dir.join(&name);
        names.push(name);
        one(&path, names, f)?;
        names.pop();
    }
    Ok(())
}

/// Names that are no UTF-8 are passed over: none of the programs that we know writes them.
fn entries(dir: &Path) -> SyncResult<Vec<(String, fs::FileType)>> {
    let io = |e| SyncError::io("read the directory", dir, e);
    let list = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io)?,
    };
    let mut out = Vec::new();
    for entry in list {
        let entry = entry.map_err(io)?;
        if let Ok(name) = entry.file_name().into_string() {
            out.push((name, entry.file_type().map_err(io)?));
        }
    }
    Ok(out)
}

/// A folder's path as it is compared: in small letters, out of modified UTF-7, with every separator that a program may
/// have used for the one between folders.
pub(super) fn canonical<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut out: Vec<String> = Vec::new();
    for name in names {
        for part in name.split('.').filter(|part| !part.is_empty()) {
            let text = folder_name::decode(part).unwrap_or_else(|| part.to_owned());
            out.extend(text.to_lowercase().split(['.', '/']).filter(|p| !p.is_empty()).map(str::to_owned));
        }
    }
    out.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_many_programs_name_the_same_folder() {
        for names in [
            &[".Archive.2004"][..],
            &["Archive", "2004"],
            &["Archive", ".2004"],
            &["Archive.2004"],
            &["archive", "2004"],
        ] {
            assert_eq!(canonical(names.iter().copied()), "archive/2004", "{names:?}");
        }
        assert_eq!(canonical(["Gr&APwA3w-e", "v1&AC4-2"].into_iter()), "grüße/v1/2");
        assert_eq!(canonical("Grüße/v1.2".split('/')), "grüße/v1/2");
        assert_eq!(canonical(["A&B"].into_iter()), "a&b", "no modified UTF-7");
    }
}
