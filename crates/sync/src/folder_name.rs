//! How folders are called on disk: Maildir++ directories.
//!
//! A folder *A* with a folder *B* in it is the directory `.A.B`; the Inbox is the root itself, and a folder *C* in
//! it is `.INBOX.C`. Each name is written in the modified UTF-7 of IMAP (RFC 3501, 5.1.3), as Dovecot and mbsync
//! have it; the characters that would mean something to the file system or to Maildir++ (`.`, `/`, control
//! characters) are written in base 64 too (`v1.2` is `v1&AC4-2`), so that every decoder of modified UTF-7 gives
//! the real name back.
//!
//! Three cases get `~` and the folder's FID in hexadecimal at the end: an empty name, a name that differs from a sibling's only in
//! case (the folder with the lower FID keeps the plain one, so that file systems which do not tell case apart
//! hold both), and a directory that would be longer than 255 bytes (shortened before it, and directly in the
//! root). The folder's marker file holds the real path in any case.

use std::collections::{BTreeMap, BTreeSet};

use crate::GlobalId;

/// The longest name of a directory, in bytes.
pub const LONGEST: usize = 255;

/// A folder, as far as its place in the tree goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// FID.
    pub id: GlobalId,
    /// The folder that it is in; one that is not among the folders means the top.
    pub parent: GlobalId,
    /// PidTagDisplayName.
    pub name: String,
}

/// Where each folder belongs: its directory in the root (`""` for the Inbox) and its path as people read it
/// (names separated by `/`, the Inbox as `INBOX`).
///
/// Folders in a ring of parents, which a server may claim, are placed at the top.
#[must_use]
pub fn layout(folders: &[Place], inbox: Option<GlobalId>) -> BTreeMap<GlobalId, (String, String)> {
    let by_id: BTreeMap<GlobalId, &Place> = folders.iter().map(|f| (f.id, f)).collect();
    let mut order: Vec<(usize, &Place)> = folders.iter().map(|f| (depth(f, &by_id, inbox), f)).collect();
    order.sort_by_key(|(depth, f)| (*depth, f.id));
    let mut out: BTreeMap<GlobalId, (String, String)> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::from([".inbox".to_owned()]);
    for (_, folder) in order {
        if Some(folder.id) == inbox {
            out.insert(folder.id, (String::new(), "INBOX".to_owned()));
            continue;
        }
        let (parent_dir, parent_path) = match out.get(&folder.parent) {
            Some((dir, path)) if dir.is_empty() => (".INBOX".to_owned(), Some(path.clone())),
            Some((dir, path)) => (dir.clone(), Some(path.clone())),
            None => (String::new(), None),
        };
        let path = parent_path.map_or_else(|| folder.name.clone(), |p| format!("{p}/{}", folder.name));
        let mut dir = format!("{parent_dir}.{}", encode(&folder.name));
        if dir.len() > LONGEST {
            dir = marked("", &folder.name, folder.id);
        } else if folder.name.is_empty() || taken.contains(&dir.to_lowercase()) {
            dir = marked(&parent_dir, &folder.name, folder.id);
        }
        taken.insert(dir.to_lowercase());
        out.insert(folder.id, (dir, path));
    }
    out
}

/// A directory with the folder's id at its end.
#[must_use]
pub fn marked(parent_dir: &str, name: &str, id: GlobalId) -> String {
    let tail = format!("~{:x}", id.counter.value());
    // No character takes less than one byte.
    let mut kept: String = name.chars().take(LONGEST).collect();
    loop {
        let dir = format!("{parent_dir}.{}{tail}", encode(&kept));
        if dir.len() <= LONGEST {
            return dir;
        }
        if kept.pop().is_none() {
            // The parent's directory leaves no room at all.
            return marked("", name, id);
        }
    }
}

/// One name in modified UTF-7, with `.`, `/`, `~` and control characters in base 64.
#[must_use]
pub fn encode(name: &str) -> String {
    let mut out = String::new();
    let mut wide: Vec<u8> = Vec::new();
    let mut units = [0_u16; 2];
    for c in name.chars() {
        let plain = matches!(c, ' '..='}') && !matches!(c, '.' | '/');
        if plain {
            flush(&mut out, &mut wide);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            wide.extend(c.encode_utf16(&mut units).iter().flat_map(|u| u.to_be_bytes()));
        }
    }
    flush(&mut out, &mut wide);
    out
}

/// The name that modified UTF-7 stands for; `None` when it is none.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (coded, more) = after.split_once('-')?;
        if coded.is_empty() {
            out.push('&');
        } else {
            out.push_str(&decode_wide(coded)?);
        }
        rest = more;
    }
    out.push_str(rest);
    Some(out)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn flush(out: &mut String, wide: &mut Vec<u8>) {
    if wide.is_empty() {
        return;
    }
    out.push('&');
    for three in wide.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, b| (bits << 8) | u32::from(*b));
        let (bits, letters) = match three.len() {
            1 => (bits << 16, 2),
            2 => (bits << 8, 3),
            _ => (bits, 4),
        };
        for i in 0..letters {
            let six = (bits >> (18_u32.saturating_sub(6_u32.saturating_mul(i)))) & 0x3f;
            let letter = usize::try_from(six).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'A');
            out.push(char::from(letter));
        }
    }
    out.push('-');
    wide.clear();
}

fn decode_wide(coded: &str) -> Option<String> {
    let (mut bits, mut have) = (0_u32, 0_u32);
    let mut bytes = Vec::new();
    for letter in coded.bytes() {
        let six = u32::try_from(ALPHABET.iter().position(|b| *b == letter)?).ok()?;
        bits = ((bits << 6) | six) & 0xffff;
        have = have.saturating_add(6);
        if have >= 8 {
            have = have.saturating_sub(8);
            bytes.push(u8::try_from((bits >> have) & 0xff).ok()?);
        }
    }
    let (units, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    String::from_utf16(&units.iter().map(|u| u16::from_be_bytes(*u)).collect::<Vec<_>>()).ok()
}

/// How many folders are above it, up to the top or the Inbox; 0 in a ring.
fn depth(folder: &Place, by_id: &BTreeMap<GlobalId, &Place>, inbox: Option<GlobalId>) -> usize {
    let mut depth = 0_usize;
    let mut at = folder;
    while Some(at.id) != inbox {
        let Some(parent) = by_id.get(&at.parent) else { return depth };
        depth = depth.saturating_add(1);
        if depth > by_id.len() {
            return 0;
        }
        at = parent;
    }
    depth
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watertight_mapi::GlobCnt;
    use watertight_wire::Guid;

    use super::*;

    fn id(n: u64) -> GlobalId {
        GlobalId::new(Guid::NIL, GlobCnt::new(n).unwrap())
    }

    fn place(n: u64, parent: u64, name: &str) -> Place {
        Place { id: id(n), parent: id(parent), name: name.to_owned() }
    }

    #[test]
    fn names_as_in_rfc_3501() {
        assert_eq!(encode("台北"), "&U,BTFw-");
        assert_eq!(encode("日本語"), "&ZeVnLIqe-");
        assert_eq!(encode("Entwürfe & mehr"), "Entw&APw-rfe &- mehr");
        assert_eq!(encode("v1.2/x"), "v1&AC4-2&AC8-x");
        assert_eq!(decode("&U,BTFw-"), Some("台北".to_owned()));
        assert_eq!(decode("&x"), None);
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in any::<String>()) {
            let text = encode(&name);
            prop_assert!(!text.contains(['.', '/', '~', '\0']) && text.is_ascii());
            prop_assert_eq!(decode(&text), Some(name));
        }

        #[test]
        fn decoding_never_panics(text in any::<String>()) {
            let _ = decode(&text);
        }
    }

    #[test]
    fn a_name_of_any_length_is_shortened_at_once() {
        let long = "ü".repeat(32 * 1024);
        let dir = marked(".parent", &long, id(7));
        assert!((LONGEST - 8..=LONGEST).contains(&dir.len()) && dir.ends_with("~7"), "{dir}");
    }

    #[test]
    fn the_tree_is_laid_out() {
        let long = "ü".repeat(120);
        let folders = [
            place(1, 99, "Inbox"),
            place(2, 99, "Sent Items"),
            place(3, 1, "Sub"),
            place(4, 99, "projects"),
            place(5, 99, "Projects"),
            place(6, 5, "x"),
            place(7, 99, "INBOX"),
            place(8, 99, &long),
            place(11, 99, ""),
            place(12, 6, ""),
            place(9, 10, "ring"),
            place(10, 9, "ring too"),
        ];
        let layout = layout(&folders, Some(id(1)));
        let dir = |n| layout[&id(n)].0.as_str();
        assert_eq!(dir(1), "");
        assert_eq!(dir(2), ".Sent Items");
        assert_eq!(dir(3), ".INBOX.Sub");
        assert_eq!(layout[&id(3)].1, "INBOX/Sub");
        assert_eq!(dir(4), ".projects");
        assert_eq!(dir(5), ".Projects~5");
        assert_eq!(dir(6), ".Projects~5.x");
        assert_eq!(layout[&id(6)].1, "Projects/x");
        assert_eq!(dir(7), ".INBOX~7");
        assert!(dir(8).len() <= 255 && dir(8).ends_with("~8"), "{}", dir(8));
        assert_eq!((dir(11), dir(12)), (".~b", ".Projects~5.x.~c"));
        assert!(dir(9).starts_with('.') && dir(10).starts_with('.') && dir(9) != dir(10));
        let unique: BTreeSet<_> = layout.values().map(|(d, _)| d.to_lowercase()).collect();
        assert_eq!(unique.len(), folders.len());
    }
}
