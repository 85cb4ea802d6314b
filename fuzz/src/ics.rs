//! [MS-OXCFXICS] 2.2.2: sets, change lists and state.

use watertight_mapi::GlobCnt;
use watertight_mapi::ics::lexical::{self, Lexer, Token};
use watertight_mapi::ics::{
    Download, Event, GlobSet, GuidIdSet, IdSet, PredecessorChangeList, Root, State, Xid,
};
use watertight_testkit::captures::{self, StreamKind};

use crate::{Seed, choice};

/// GLOBSET: what was read is written as the same set, and set algebra holds.
pub fn globset(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let cut = usize::from(*cut).min(data.len());
    let Ok(a) = GlobSet::from_bytes(data) else {
        let (a, b) = data.split_at(cut);
        if let (Ok(a), Ok(b)) = (GlobSet::from_bytes(a), GlobSet::from_bytes(b)) {
            algebra(&a, &b);
        }
        return;
    };
    assert_eq!(GlobSet::from_bytes(&a.to_bytes()).expect("our own bytes"), a);
    algebra(&a, &a.complement());
}

fn algebra(a: &GlobSet, b: &GlobSet) {
    let (union, both, left, right) = (a.union(b), a.intersection(b), a.difference(b), b.difference(a));
    assert_eq!(union.len(), both.len().saturating_add(left.len()).saturating_add(right.len()));
    assert!(union.contains_all(a) && union.contains_all(b) && a.contains_all(&left) && b.contains_all(&both));
    assert_eq!(both.union(&left), *a);
    assert!(left.intersection(b).is_empty());
    let mut last = None;
    for (low, high) in union.ranges() {
        assert!(low <= high);
        assert!(last.is_none_or(|last: GlobCnt| last.value().saturating_add(1) < low.value()));
        last = Some(high);
    }
}

pub fn globset_seeds() -> Vec<Seed> {
    let mut sparse = GlobSet::new();
    for n in 0..200_u64 {
        if let Some(counter) = GlobCnt::new(n.saturating_mul(n).saturating_add(1)) {
            sparse.insert(counter);
        }
    }
    let whole = GlobSet::new().complement();
    vec![
        ("empty".into(), vec![0, 0]),
        ("sparse".into(), [&[9][..], &sparse.to_bytes()].concat()),
        ("whole".into(), [&[9][..], &whole.to_bytes()].concat()),
        // [MS-OXCFXICS] 4.8.1: push, range, bitmask, pop.
        ("commands".into(), b"\x07\x05\0\0\0\0\0\x52\x01\x20\x42\x30\xff\x50\x06\0\0\0\0\x01\x02\0".to_vec()),
    ]
}

/// IDSETs by REPLID and by REPLGUID.
pub fn idset(data: &[u8]) {
    let Some((what, data)) = choice(data, 2) else { return };
    if what == 0 {
        if let Ok(set) = IdSet::from_bytes(data) {
            assert_eq!(IdSet::from_bytes(&set.to_bytes()).expect("our own bytes"), set);
        }
    } else if let Ok(set) = GuidIdSet::from_bytes(data) {
        assert_eq!(GuidIdSet::from_bytes(&set.to_bytes()).expect("our own bytes"), set);
    }
}

pub fn idset_seeds() -> Vec<Seed> {
    let set = globset_seeds();
    let mut seeds = Vec::new();
    for (name, bytes) in set {
        let bytes = bytes.get(1..).unwrap_or_default();
        seeds.push((format!("{name}-replid"), [&[0, 1, 0][..], bytes].concat()));
        seeds.push((format!("{name}-replguid"), [&[1; 17][..], bytes].concat()));
    }
    seeds
}

/// XID: the same bytes. PredecessorChangeList: merging is commutative, associative and idempotent.
pub fn pcl(data: &[u8]) {
    if let Ok(xid) = Xid::from_bytes(data) {
        assert_eq!(xid.to_bytes(), data);
        assert!(xid.counter().is_none_or(|counter| Xid::from_counter(xid.namespace, counter) == xid));
    }
    let mut lists = Vec::new();
    let mut rest = data;
    while let Some((len, tail)) = rest.split_first() {
        let (bytes, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        if let Ok(list) = PredecessorChangeList::from_bytes(bytes) {
            let again = list.to_bytes().expect("what was read is written");
            assert_eq!(PredecessorChangeList::from_bytes(&again).expect("our own bytes"), list);
            lists.push(list);
        }
        rest = tail;
    }
    if let [a, b, c, ..] = lists.as_slice() {
        assert_eq!(a.merge(b), b.merge(a));
        assert_eq!(a.merge(b).merge(c), a.merge(&b.merge(c)));
        assert_eq!(a.merge(a), *a);
        assert!(a.merge(b).includes(a));
    }
}

pub fn pcl_seeds() -> Vec<Seed> {
    let entry = |namespace: u8, counter: u8| {
        let mut bytes = vec![22];
        bytes.extend([namespace; 16]);
        bytes.extend([0, 0, 0, 0, 0, counter]);
        bytes
    };
    let list = |entries: &[(u8, u8)]| {
        let bytes: Vec<u8> = entries.iter().flat_map(|(n, c)| entry(*n, *c)).collect();
        [&[u8::try_from(bytes.len()).unwrap_or(0)][..], &bytes].concat()
    };
    vec![
        ("one".into(), list(&[(1, 1)])),
        ("three".into(), [list(&[(1, 1)]), list(&[(1, 2), (2, 1)]), list(&[(2, 3), (3, 1)])].concat()),
    ]
}

/// A saved state.
pub fn saved_state(data: &[u8]) {
    if let Ok(mut state) = State::from_saved(data) {
        assert_eq!(State::from_saved(&state.to_saved()).expect("our own bytes"), state);
        state.cut_read();
        assert!(state.cut_read().is_empty(), "a set that was cut is not cut again");
    }
}

pub fn saved_state_seeds() -> Vec<Seed> {
    let empty = State::default().to_saved();
    let mut full = State::default();
    for (tag, (_, set)) in State::TAGS.into_iter().zip(globset_seeds()) {
        let blob = [&[7; 16][..], set.get(1..).unwrap_or_default()].concat();
        full.set(tag, &blob).ok();
    }
    vec![("empty".into(), empty), ("full".into(), full.to_saved())]
}

/// The lexer: the same tokens whatever the pieces are, and written again as the same bytes.
pub fn fast_transfer_tokens(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let whole = tokens([data]);
    let pieces = tokens(data.chunks(usize::from(*cut).saturating_add(1)));
    assert_eq!(whole.0.len(), pieces.0.len(), "pieces of {cut} + 1");
    assert_eq!(whole.1, pieces.1);
    let Ok(()) = whole.1 else { return };
    let mut writer = lexical::Writer::new();
    for token in &whole.0 {
        writer.token(token).expect("what was read is written");
    }
    let again = writer.take(usize::MAX);
    // What was read of the end is not a whole token yet.
    let (tokens, _) = tokens([again.as_slice()]);
    assert_eq!(tokens.len(), whole.0.len());
}

type Tokens = (Vec<Token>, Result<(), String>);

fn tokens<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Tokens {
    let mut lexer = Lexer::new();
    let mut tokens: Vec<Token> = Vec::new();
    for piece in pieces {
        lexer.handle_input(piece);
        loop {
            match lexer.poll() {
                // How a long value is cut depends on the pieces.
                Ok(Some(Token::LargeChunk(bytes))) => match tokens.last_mut() {
                    Some(Token::LargeChunk(before)) => before.extend(bytes),
                    _ => tokens.push(Token::LargeChunk(bytes)),
                },
                Ok(Some(token)) => tokens.push(token),
                Ok(None) => break,
                Err(error) => return (tokens, Err(error.to_string())),
            }
        }
    }
    (tokens, Ok(()))
}

/// The productions: whatever comes, events are balanced, and the end is the end.
pub fn fast_transfer_events(data: &[u8]) {
    let Some((what, data)) = choice(data, 8) else { return };
    let Some((cut, data)) = data.split_first() else { return };
    let root = ROOTS.get(usize::from(what)).copied().unwrap_or(Root::ContentsSync);
    let mut download = Download::new(root);
    let mut depth = 0_i64;
    let mut failed = false;
    let mut ended = false;
    let mut held = 0;
    'all: for piece in data.chunks(usize::from(*cut).saturating_mul(64).saturating_add(1)) {
        download.handle_input(piece);
        loop {
            match download.poll_event() {
                Ok(Some(event)) => {
                    assert!(!ended, "{event:?} after the end");
                    match &event {
                        Event::RecipientBegin | Event::AttachmentBegin { .. } | Event::EmbeddedBegin => {
                            depth += 1
                        }
                        Event::RecipientEnd | Event::AttachmentEnd | Event::EmbeddedEnd => {
                            depth -= 1;
                            assert!(depth >= 0, "{event:?} without its begin");
                        }
                        // The message that it tells of is given up, with what was open in it.
                        Event::ObjectFailed(_) => depth = 0,
                        Event::LargeChunk(bytes) => {
                            assert!(!bytes.is_empty() && bytes.len() <= 32 * 1024);
                            held += bytes.len();
                        }
                        Event::End => ended = true,
                        _ => {}
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    failed = true;
                    break 'all;
                }
            }
        }
    }
    assert!(held <= data.len());
    if !failed {
        let _ = download.finish();
        while let Ok(Some(_)) = download.poll_event() {}
    }
}

const ROOTS: [Root; 8] = [
    Root::ContentsSync,
    Root::HierarchySync,
    Root::State,
    Root::FolderContent,
    Root::MessageContent,
    Root::AttachmentContent,
    Root::MessageList,
    Root::TopFolder,
];

pub fn captured(first: impl Fn(StreamKind) -> Vec<u8>) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for stream in captures::streams() {
        // The start of a long one teaches as much as all of it.
        let bytes = stream.bytes.get(..12_000).unwrap_or(&stream.bytes);
        seeds.push((format!("{}-{:04}", stream.set, stream.n), [&first(stream.kind)[..], bytes].concat()));
    }
    seeds
}

pub fn token_seeds() -> Vec<Seed> {
    captured(|_| vec![99])
}

pub fn event_seeds() -> Vec<Seed> {
    captured(|kind| {
        let root = match kind {
            StreamKind::Contents => 0,
            StreamKind::Hierarchy => 1,
            StreamKind::CopyMessages => 6,
            StreamKind::CopyFolder => 7,
            _ => 4,
        };
        vec![root, 7]
    })
}
