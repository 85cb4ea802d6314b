//! What the synchronizer reads: streams of a server, and names that it gives and finds on disk.

use std::path::PathBuf;
use std::sync::OnceLock;

use watertight_mapi::GlobCnt;
use watertight_mapi::ics::Root;
use watertight_sync::folder_name::{LONGEST, Place, decode, encode, layout};
use watertight_sync::fuzzing::{folder_marker, glob, receive};
use watertight_sync::{GlobalId, MessageName, SyncError};
use watertight_testkit::captures::StreamKind;
use watertight_wire::Guid;

use crate::ics::{captured, event_seeds};
use crate::{Seed, choice};

/// A stream from the wire to whole messages: what the grammar lets through never comes out of place.
pub fn sync_stream(data: &[u8]) {
    let Some((what, data)) = choice(data, 2) else { return };
    let Some((piece, data)) = data.split_first() else { return };
    let root = if what == 0 { Root::ContentsSync } else { Root::HierarchySync };
    let piece = usize::from(*piece).saturating_mul(64).saturating_add(1);
    match receive(root, data, piece, spool()) {
        // No message is shorter than its markers and its four keys.
        Ok((messages, folders)) => assert!(messages.saturating_add(folders) <= data.len()),
        Err(SyncError::Protocol(why)) => assert_eq!(why, "messages nested too deep"),
        Err(other) => unreachable!("{other}"),
    }
}

/// Where large values of this process go.
fn spool() -> &'static PathBuf {
    static SPOOL: OnceLock<PathBuf> = OnceLock::new();
    SPOOL.get_or_init(|| {
        let dir = std::env::temp_dir().join("watertight-fuzz");
        std::fs::create_dir_all(&dir).expect("a directory for large values");
        dir
    })
}

pub fn stream_seeds() -> Vec<Seed> {
    let mut seeds = event_seeds();
    seeds.retain(|(_, bytes)| bytes.first().is_some_and(|root| *root < 2));
    seeds.extend(captured(|kind| vec![u8::from(kind == StreamKind::Hierarchy), 0]).into_iter().take(4));
    seeds
}

/// A message's file name: what is read is written as a name that means the same.
pub fn message_name(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Some((name, flags)) = MessageName::parse(text) else { return };
    let again = MessageName::parse(&name.with_flags(flags)).expect("our own name");
    assert_eq!(again, (name, flags));
}

pub fn name_seeds() -> Vec<Seed> {
    let replica = "mfrggzdfmztwq2lkmfrggzdfmy";
    let seeds = [
        format!("1763632800.W{replica}M1fC2aFd.watertight:2,FS"),
        format!("0.W{replica}M1C1R{replica}F1.watertight"),
        format!("0.W{replica}M1C1Raaaaaaaaaaaaaaaaaaaaaaaaaaf1F1.watertight"),
        format!("99999999999.W{replica}MffffffffffffCffffffffffffFffffffffffff.watertight:2,DFPRST"),
    ];
    seeds.into_iter().enumerate().map(|(n, name)| (n.to_string(), name.into_bytes())).collect()
}

/// Names of folders: modified UTF-7 both ways, a tree of directories that no two folders share, markers, patterns.
pub fn folder_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let coded = encode(&text);
    assert!(coded.is_ascii() && !coded.contains(['.', '/', '~', '\0', '\n']));
    assert_eq!(decode(&coded).as_deref(), Some(text.as_ref()));
    if let Some(name) = decode(&text) {
        assert_eq!(decode(&encode(&name)), Some(name));
    }
    if let Some((id, path)) = folder_marker(&text) {
        assert_eq!(folder_marker(&format!("1 {id}\n{path}\n")), Some((id, path)));
    }
    let (pattern, path) = text.split_once('\n').unwrap_or((&text, ""));
    assert!(glob("*", path) && (pattern.contains(['*', '?']) || glob(pattern, path) == (pattern == path)));
    tree(&text);
}

/// Lines are folders: the first character says which one it is in.
fn tree(text: &str) {
    let id = |n: usize| {
        let counter = GlobCnt::new(watertight_wire::to_u64(n).saturating_add(1)).unwrap_or_default();
        GlobalId::new(Guid::NIL, counter)
    };
    let folders: Vec<Place> = text
        .split('\n')
        .take(64)
        .enumerate()
        .map(|(n, line)| {
            let mut name = line.chars();
            let parent = name.next().and_then(|c| c.to_digit(36)).map_or(99, watertight_wire::to_usize);
            Place { id: id(n), parent: id(parent), name: name.as_str().to_owned() }
        })
        .collect();
    let layout = layout(&folders, Some(id(0)));
    assert_eq!(layout.len(), folders.len());
    let mut dirs: Vec<String> = layout.values().map(|(dir, _)| dir.to_lowercase()).collect();
    for dir in &dirs {
        assert!(dir.is_empty() || (dir.starts_with('.') && dir.len() <= LONGEST), "{dir}");
        assert!(dir.is_ascii() && !dir.contains(['/', '\0', '\n']), "{dir:?}");
    }
    dirs.sort_unstable();
    dirs.dedup();
    assert_eq!(dirs.len(), folders.len(), "two folders in one directory");
}

pub fn folder_seeds() -> Vec<Seed> {
    [
        "&U,BTFw-/&ZeVnLIqe-",
        "~peter/mail/台北\nA*/b?\n",
        "1 00112233-4455-6677-8899-aabbccddeeff-1f\nINBOX/a\n",
        "zInbox\n0Sub\nzprojects\nzProjects\n3x\nzINBOX\n7ring\n6ring\nzv1.2",
    ]
    .into_iter()
    .enumerate()
    .map(|(n, text)| (n.to_string(), text.as_bytes().to_vec()))
    .collect()
}
