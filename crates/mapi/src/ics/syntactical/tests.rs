use std::collections::BTreeMap;

use watertight_testkit::captures::{Stream, StreamKind, streams};

use super::*;
use crate::ics::{Root, State};

mod grammar;
mod partial;

/// The events of a stream that comes in pieces of `size`.
fn events(root: Root, bytes: &[u8], size: usize) -> Result<Vec<Event>, watertight_wire::WireError> {
    let mut download = Download::new(root);
    let mut all = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        download.handle_input(piece);
        while let Some(event) = download.poll_event()? {
            match (all.last_mut(), event) {
                (Some(Event::LargeChunk(before)), Event::LargeChunk(more)) => before.extend(more),
                (_, event) => all.push(event),
            }
        }
    }
    download.finish()?;
    while let Some(event) = download.poll_event()? {
        all.push(event);
    }
    assert_eq!(download.offset(), u64::try_from(bytes.len()).unwrap());
    assert_eq!(all.last(), Some(&Event::End));
    Ok(all)
}

fn root(stream: &Stream) -> Root {
    match stream.kind {
        StreamKind::Contents => Root::ContentsSync,
        StreamKind::Hierarchy => Root::HierarchySync,
        StreamKind::CopyMessages => Root::MessageList,
        StreamKind::CopyFolder => Root::TopFolder,
        StreamKind::CopyTo | StreamKind::CopyProperties if stream.label.contains("attachment:") => {
            Root::AttachmentContent
        }
        StreamKind::CopyTo | StreamKind::CopyProperties if stream.label.contains("folder") => {
            Root::FolderContent
        }
        // Of a folder with a subfolder, of session G.
        StreamKind::CopyTo if stream.n == 1082 => Root::FolderContent,
        StreamKind::CopyTo | StreamKind::CopyProperties => Root::MessageContent,
    }
}

/// How often each kind of event comes.
fn count(events: &[Event]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let name = match event {
            Event::FolderChange(_) => "folders",
            Event::MessageChange(_) | Event::MessageBegin { .. } => "messages",
            Event::RecipientBegin => "recipients",
            Event::AttachmentBegin { .. } => "attachments",
            Event::EmbeddedBegin => "embedded",
            Event::State(..) => "states",
            Event::LargeBegin { .. } => "large",
            _ => continue,
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// What begins also ends, in order.
fn nesting(events: &[Event]) {
    let mut open = Vec::new();
    for event in events {
        match event {
            Event::MessageChange(_) | Event::MessageBegin { .. } => open.push("message"),
            Event::RecipientBegin => open.push("recipient"),
            Event::AttachmentBegin { .. } => open.push("attachment"),
            Event::EmbeddedBegin => open.push("embedded"),
            Event::FolderBegin => open.push("folder"),
            Event::LargeBegin { .. } => open.push("large"),
            Event::MessageEnd => assert_eq!(open.pop(), Some("message")),
            Event::RecipientEnd => assert_eq!(open.pop(), Some("recipient")),
            Event::AttachmentEnd => assert_eq!(open.pop(), Some("attachment")),
            Event::EmbeddedEnd => assert_eq!(open.pop(), Some("embedded")),
            Event::FolderEnd => assert_eq!(open.pop(), Some("folder")),
            Event::LargeEnd => assert_eq!(open.pop(), Some("large")),
            _ => {}
        }
    }
    assert!(open.is_empty());
}

fn captured(n: u32, set: u8) -> Stream {
    streams().into_iter().find(|s| (s.n, s.set) == (n, set)).unwrap()
}

fn state(events: &[Event]) -> State {
    let state = events.iter().find_map(|e| match e {
        Event::State(state, _) => Some((**state).clone()),
        _ => None,
    });
    state.unwrap()
}

#[test]
fn every_captured_stream_is_read_to_its_end() {
    for stream in streams() {
        let all = events(root(&stream), &stream.bytes, stream.bytes.len())
            .unwrap_or_else(|e| panic!("{} {} {}: {e}", stream.set, stream.n, stream.label));
        nesting(&all);
        let sync = matches!(stream.kind, StreamKind::Contents | StreamKind::Hierarchy);
        assert_eq!(count(&all).get("states").copied().unwrap_or(0), usize::from(sync));
    }
}

#[test]
fn where_the_input_is_cut_makes_no_difference() {
    for stream in streams() {
        let whole = events(root(&stream), &stream.bytes, stream.bytes.len()).unwrap();
        let sizes: &[usize] =
            if stream.bytes.len() > 20_000 { &[997, 32_749] } else { &[1, 3, 5, 7, 9, 101, 999] };
        for size in sizes {
            assert!(events(root(&stream), &stream.bytes, *size).unwrap() == whole, "{} by {size}", stream.n);
        }
    }
}

#[test]
fn the_captured_inbox_has_what_its_readme_says() {
    let inbox = captured(54, 1);
    let all = events(Root::ContentsSync, &inbox.bytes, 30_000).unwrap();
    let counts = count(&all);
    let of = |name| counts.get(name).copied().unwrap_or(0);
    assert_eq!((of("messages"), of("recipients"), of("attachments"), of("embedded")), (123, 147, 68, 15));
    assert!(of("large") > 0);
    let Event::ProgressTotal(progress) = &all[0] else { panic!() };
    assert_eq!(
        *progress,
        ProgressInformation { fai_count: 0, fai_size: 0, normal_count: 123, normal_size: 0x000e_9ec9 }
    );
    assert_eq!(all[1], Event::ProgressMessage { size: 0x6c0e, associated: false });
    let Event::MessageChange(header) = &all[2] else { panic!() };
    assert_eq!(header.source_key.counter().unwrap().value(), 0x3_0039);
    assert_eq!(header.mid.unwrap().counter.value(), 0x3_0039);
    assert_eq!((header.size, header.change_number.unwrap().counter.value()), (Some(0x6c0e), 0x5a));
    assert!(header.predecessors.contains(&header.change_key) && !header.associated);
    // Every message is in the final state, under the replica that its source key names.
    let state = state(&all);
    for event in &all {
        if let Event::MessageChange(h) = event {
            assert!(state.given.contains(h.source_key.namespace, h.source_key.counter().unwrap()));
            assert!(state.seen.contains(h.change_key.namespace, h.change_key.counter().unwrap()));
        }
    }
    assert_eq!(state.given.len(), 123);
}

#[test]
fn the_captured_hierarchy() {
    let stream = captured(5, 1);
    let all = events(Root::HierarchySync, &stream.bytes, 1000).unwrap();
    let folders: Vec<&FolderChange> = all
        .iter()
        .filter_map(|e| match e {
            Event::FolderChange(change) => Some(&**change),
            _ => None,
        })
        .collect();
    assert_eq!((folders[0].name.as_str(), folders[0].folder_id.unwrap().counter.value()), ("Sent Items", 10));
    assert!(folders.iter().any(|f| f.name == "Inbox") && folders[0].parent_source_key.is_none());
    for (at, folder) in folders.iter().enumerate() {
        if let Some(parent) = &folder.parent_source_key {
            assert!(
                folders[..at].iter().any(|f| f.source_key == *parent),
                "{} comes before its parent",
                folder.name
            );
        }
    }
    assert_eq!(usize::try_from(state(&all).given.len()).unwrap(), folders.len());
}

#[test]
fn the_captured_deletions_and_read_states() {
    let all = events(Root::ContentsSync, &captured(174, 1).bytes, 999).unwrap();
    let Some(Event::Deletions(gone)) = all.get(1) else { panic!("{all:?}") };
    assert_eq!((gone.deleted.len(), gone.no_longer_in_scope.len(), gone.expired.len()), (5, 3, 0));
    assert!(!all.iter().any(|e| matches!(e, Event::ReadStates(_))));
    let all = events(Root::ContentsSync, &captured(190, 1).bytes, 999).unwrap();
    let Some(Event::ReadStates(marked)) = all.get(1) else { panic!("{all:?}") };
    assert_eq!((marked.read.len(), marked.unread.len()), (5, 0));
}

#[test]
fn the_captured_state_that_claims_too_much_is_cut_and_told() {
    let all = events(Root::ContentsSync, &captured(71, 1).bytes, 999).unwrap();
    let Some(Event::State(state, cuts)) = all.get(1) else { panic!("{all:?}") };
    assert_eq!(cuts.len(), 1);
    assert_eq!((cuts[0].claimed.value(), cuts[0].cut_to.unwrap().value()), ((1 << 48) - 1, 0xa7));
    assert_eq!(state.read, state.seen);
    assert_eq!((state.given.len(), state.seen.len()), (123, 0xa7));
}

#[test]
fn no_captured_set_is_shorter_than_ours() {
    use crate::{
        ics::{
            CnSet, GuidIdSet, IdSet,
            lexical::{Lexer, Token},
        },
        prop::tags,
    };
    let mut compared = 0;
    for stream in streams() {
        let mut lexer = Lexer::new();
        lexer.handle_input(&stream.bytes);
        while let Some(token) = lexer.poll().unwrap() {
            let Token::Prop(def, value) = token else { continue };
            let bytes = value.into_bytes();
            let ours = match def.tag {
                tags::META_TAG_IDSET_GIVEN => GuidIdSet::from_bytes(&bytes).unwrap().to_bytes(),
                tags::META_TAG_CNSET_SEEN | tags::META_TAG_CNSET_SEEN_FAI | tags::META_TAG_CNSET_READ => {
                    CnSet::from_bytes(&bytes).unwrap().to_bytes()
                }
                tags::META_TAG_IDSET_DELETED
                | tags::META_TAG_IDSET_NO_LONGER_IN_SCOPE
                | tags::META_TAG_IDSET_READ
                | tags::META_TAG_IDSET_UNREAD => IdSet::from_bytes(&bytes).unwrap().to_bytes(),
                _ => continue,
            };
            assert!(ours.len() <= bytes.len(), "{} {}: {ours:02x?} for {bytes:02x?}", stream.n, def.tag);
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared}");
}

#[test]
fn small_captured_streams_survive_mutations() {
    for stream in streams().iter().filter(|s| s.bytes.len() < 450) {
        watertight_testkit::mutate::survive(&stream.bytes, |b| {
            let _ = events_lenient(root(stream), b);
        });
    }
}

fn events_lenient(root: Root, bytes: &[u8]) -> Result<(), watertight_wire::WireError> {
    let mut download = Download::new(root);
    download.handle_input(bytes);
    while download.poll_event()?.is_some() {}
    download.finish()
}
