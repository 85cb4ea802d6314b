use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use watertight_testkit::captures::{Stream, StreamKind, streams};
use watertight_wire::{FileTime, Guid};

use super::*;
use crate::ics::lexical::{Marker, PropDef, Writer};
use crate::ics::sink::{
    ContentsSink, Count, Deletion, FolderHead, Heads, HierarchySink, MessageChange, Messages, Piece,
    ReadStateChange, SinkResult, Verdict, Whole,
};
use crate::ics::syntactical::{ExtendedErrorInfo, PropertyGroupInfo};
use crate::ics::{CnSet, Download, GlobSet, GuidIdSet, PredecessorChangeList, Root, Xid};
use crate::prop::tags;
use crate::{GlobCnt, GlobalId, MapiCode, PropTag, PropValue};

const PLACE: Guid = Guid::from_bytes([0xEE; 16]);

fn of_kind(kind: StreamKind) -> Vec<Stream> {
    let all: Vec<Stream> = streams().into_iter().filter(|s| s.kind == kind).collect();
    assert!(!all.is_empty());
    all
}

fn events(root: Root, bytes: &[u8]) -> Vec<Event> {
    let mut download = Download::new(root);
    let mut all = Vec::new();
    for piece in bytes.chunks(30_000) {
        download.handle_input(piece);
        while let Some(event) = download.poll_event().unwrap() {
            all.push(event);
        }
    }
    download.finish().unwrap();
    while let Some(event) = download.poll_event().unwrap() {
        all.push(event);
    }
    all
}

fn contents<S: ContentsSink + ?Sized>(
    export: &mut ContentsExport,
    events: &[Event],
    sink: &mut S,
) -> Result<Turn, ExportFault> {
    let mut turn = Turn::Inside;
    for event in events {
        while let Some(id) = export.unknown(event) {
            export.learn(id, PLACE);
        }
        turn = export.event(event.clone(), sink)?;
    }
    Ok(turn)
}

/// Takes, passes over or puts off by number, and fails at one.
#[derive(Default)]
struct Picky {
    verdicts: Vec<Verdict>,
    fail_at: Option<usize>,
    panic_at: Option<usize>,
    announced: Vec<MessageChange>,
    taken: Vec<GlobalId>,
    pieces: usize,
    deleted: GuidIdSet,
    reads: usize,
}

impl ContentsSink for Picky {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        let n = self.announced.len();
        self.announced.push(change.clone());
        self.pieces = 0;
        Ok(self.verdicts.get(n % self.verdicts.len().max(1)).copied().unwrap_or(Verdict::Take))
    }

    fn piece(&mut self, _: Piece) -> SinkResult {
        self.pieces += 1;
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        assert_ne!(self.panic_at, Some(self.taken.len()), "on purpose");
        if self.fail_at == Some(self.taken.len()) {
            return Err("no room".into());
        }
        assert!(self.pieces > 0);
        self.taken.push(self.announced.last().unwrap().id);
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        self.deleted.extend(ids);
        Ok(())
    }

    fn read_state_change(&mut self, _: &ReadStateChange) -> SinkResult {
        self.reads += 1;
        Ok(())
    }
}

#[test]
fn the_ready_made_sinks_see_all_of_the_captured_streams() {
    let mut seen = Count::default();
    for stream in of_kind(StreamKind::Contents) {
        let events = events(Root::ContentsSync, &stream.bytes);
        let mut raw: BTreeMap<&str, u64> = BTreeMap::new();
        for event in &events {
            let name = match event {
                Event::MessageEnd => "messages",
                Event::RecipientBegin => "recipients",
                Event::AttachmentBegin { .. } => "attachments",
                Event::EmbeddedBegin => "embedded",
                _ => continue,
            };
            *raw.entry(name).or_default() += 1;
        }
        let raw = |name: &str| raw.get(name).copied().unwrap_or(0);
        let mut count = Count::default();
        let mut export = ContentsExport::new(State::default());
        let partial = events.iter().filter(|e| matches!(e, Event::PartialChange(_))).count();
        assert_eq!(contents(&mut export, &events, &mut count).unwrap(), Turn::End, "{}", stream.label);
        assert!(export.is_ended());
        if partial == 0 && count.failed == 0 {
            assert_eq!(count.messages, raw("messages"), "{}", stream.label);
            assert_eq!(count.recipients, raw("recipients"));
            assert_eq!((count.attachments, count.embedded), (raw("attachments"), raw("embedded")));
        }
        assert_eq!(count.warnings, u64::try_from(partial).unwrap() + cuts(&events), "{}", stream.label);

        let mut heads = Heads::default();
        contents(&mut ContentsExport::new(State::default()), &events, &mut heads).unwrap();
        assert_eq!(u64::try_from(heads.changed.len()).unwrap(), count.messages);
        let (mut whole, mut attachments) = (0, 0);
        let mut messages = Messages::new(32 << 20, |change| {
            if let Whole::Message { content, left_out, .. } = change {
                whole += 1;
                attachments += count_attachments(&content);
                assert_eq!(left_out.count, 0);
            }
            Ok(())
        });
        contents(&mut ContentsExport::new(State::default()), &events, &mut messages).unwrap();
        drop(messages);
        assert_eq!((whole, attachments), (count.messages, count.attachments), "{}", stream.label);
        for (sum, n) in [
            (&mut seen.messages, count.messages),
            (&mut seen.deleted, count.deleted),
            (&mut seen.read, count.read),
            (&mut seen.unread, count.unread),
            (&mut seen.attachments, count.attachments),
            (&mut seen.embedded, count.embedded),
            (&mut seen.recipients, count.recipients),
        ] {
            *sum += n;
        }
    }
    let marks = (seen.deleted, seen.read, seen.unread);
    assert_eq!((seen.messages, marks), (268, (8, 5, 0)), "{seen:?}");
    assert_eq!((seen.attachments, seen.embedded, seen.recipients), (82, 23, 169), "{seen:?}");
}

fn cuts(events: &[Event]) -> u64 {
    let cuts = events.iter().map(|e| if let Event::State(_, cuts) = e { cuts.len() } else { 0 });
    u64::try_from(cuts.sum::<usize>()).unwrap()
}

fn count_attachments(content: &crate::store::MessageContent) -> u64 {
    content.attachments.iter().map(|a| 1 + a.embedded.as_deref().map_or(0, count_attachments)).sum()
}

fn inbox() -> Vec<Event> {
    let stream = of_kind(StreamKind::Contents)
        .into_iter()
        .find(|s| s.label == "contents synchronization of the Inbox, no state")
        .unwrap();
    events(Root::ContentsSync, &stream.bytes)
}

#[test]
fn a_bound_leaves_out_what_does_not_fit_and_says_so() {
    let events = inbox();
    let (mut whole, mut left_out) = (0, 0);
    let mut messages = Messages::new(4096, |change| {
        if let Whole::Message { content, left_out: missing, .. } = change {
            whole += 1;
            left_out += missing.count;
            assert!(content.props.0.len() < 64);
        }
        Ok(())
    });
    contents(&mut ContentsExport::new(State::default()), &events, &mut messages).unwrap();
    drop(messages);
    assert!(whole == 123 && left_out > 123, "{whole} {left_out}");
}

/// After each change the state has what was accepted and nothing else.
#[test]
fn the_state_follows_what_is_accepted() {
    let events = inbox();
    let mut export = ContentsExport::new(State::default());
    let mut sink = Picky::default();
    let mut accepted = 0;
    for event in &events {
        while let Some(id) = export.unknown(event) {
            export.learn(id, PLACE);
        }
        let before = export.state().clone();
        let turn = export.event(event.clone(), &mut sink).unwrap();
        if sink.taken.len() > accepted {
            accepted = sink.taken.len();
            let change = sink.announced.last().unwrap();
            let mut expected = before;
            expected.given.insert(change.id.replica, change.id.counter);
            expected.seen.insert(change.change_number.replica, change.change_number.counter);
            assert_eq!(*export.state(), expected);
            assert_eq!(turn, Turn::Change);
            assert_eq!(export.progress().0, u32::try_from(accepted).unwrap());
        } else if !matches!(event, Event::State(..)) {
            assert_eq!(*export.state(), before);
        }
    }
    assert_eq!((accepted, export.state().given.len()), (123, 123));
}

#[test]
fn what_is_put_off_is_not_in_the_final_state_and_what_is_passed_over_is() {
    let events = inbox();
    let mut all = ContentsExport::new(State::default());
    contents(&mut all, &events, &mut Count::default()).unwrap();
    let mut export = ContentsExport::new(State::default());
    let verdicts = vec![Verdict::Take, Verdict::Ignore, Verdict::Later];
    let mut sink = Picky { verdicts, ..Picky::default() };
    contents(&mut export, &events, &mut sink).unwrap();
    assert_eq!((sink.announced.len(), sink.taken.len()), (123, 41));
    let state = export.state();
    for (n, change) in sink.announced.iter().enumerate() {
        let (id, cn) = (change.id, change.change_number);
        let there = n % 3 != 2;
        assert_eq!(state.given.contains(id.replica, id.counter), there);
        assert_eq!(state.seen.contains(cn.replica, cn.counter), there);
        assert!(all.state().seen.contains(cn.replica, cn.counter));
        assert!(!change.known);
    }
    // One that was there before stays given: its deletion must still be told.
    let mut before = State::default();
    let last = sink.announced.last().unwrap();
    before.given.insert(last.id.replica, last.id.counter);
    let mut export = ContentsExport::new(before);
    let mut sink = Picky { verdicts: vec![Verdict::Later], ..Picky::default() };
    contents(&mut export, &events, &mut sink).unwrap();
    assert_eq!(export.state().given.len(), 1);
    assert!(export.state().given.contains(last.id.replica, last.id.counter));
    assert!(sink.announced.last().unwrap().known);
}

#[test]
fn a_sink_that_fails_or_panics_ends_the_export_and_its_change_comes_again() {
    let events = inbox();
    for n in [0, 5, 122] {
        let mut export = ContentsExport::new(State::default());
        let mut sink = Picky { fail_at: Some(n), ..Picky::default() };
        let fault = contents(&mut export, &events, &mut sink).unwrap_err();
        assert!(matches!(&fault, ExportFault::Sink(e) if e.to_string() == "no room"), "{fault}");
        assert_eq!(export.state().given.len(), u64::try_from(n).unwrap());
        let again = export.event(Event::End, &mut sink).unwrap_err();
        assert!(matches!(again, ExportFault::Broken));

        let mut export = ContentsExport::new(State::default());
        let mut sink = Picky { panic_at: Some(n), ..Picky::default() };
        catch_unwind(AssertUnwindSafe(|| contents(&mut export, &events, &mut sink))).unwrap_err();
        assert_eq!(export.state().given.len(), u64::try_from(n).unwrap());
        assert!(matches!(contents(&mut export, &events, &mut sink), Err(ExportFault::Broken)));
    }
}

#[test]
fn an_end_without_a_state_is_none() {
    let mut export = ContentsExport::new(State::default());
    assert!(matches!(export.event(Event::End, &mut Count::default()), Err(ExportFault::NoState)));
    let mut export = HierarchyExport::new(State::default());
    assert!(matches!(export.event(Event::End, &mut Count::default()), Err(ExportFault::NoState)));
}

fn xid(n: u64) -> Xid {
    Xid::from_counter(PLACE, GlobCnt::new(n).unwrap())
}

/// messageChangeHeader of message `n`.
fn header(w: &mut Writer, n: u64) {
    let key = PropValue::Binary(xid(n).to_bytes());
    w.prop(tags::SOURCE_KEY, &key).unwrap();
    w.prop(tags::LAST_MODIFICATION_TIME, &PropValue::Time(FileTime(1))).unwrap();
    w.prop(tags::CHANGE_KEY, &key).unwrap();
    let list = PredecessorChangeList::of(xid(n)).to_bytes().unwrap();
    w.prop(tags::PREDECESSOR_CHANGE_LIST, &PropValue::Binary(list)).unwrap();
    w.prop(tags::ASSOCIATED, &PropValue::Bool(false)).unwrap();
}

fn full(w: &mut Writer, n: u64) {
    w.marker(Marker::IncrSyncChg);
    header(w, n);
    w.marker(Marker::IncrSyncMessage);
    w.prop(tags::SUBJECT, &"s".into()).unwrap();
}

fn failed(w: &mut Writer, n: u64) {
    let info = ExtendedErrorInfo {
        code: MapiCode::CorruptData,
        folder: None,
        message: Some(xid(n)),
        aux: Vec::new(),
    };
    w.marker(Marker::FXErrorInfo);
    w.prop(ExtendedErrorInfo::TAG, &PropValue::Binary(info.to_bytes().unwrap())).unwrap();
}

/// The final state of who has messages up to 9.
fn ending(w: &mut Writer) {
    w.marker(Marker::IncrSyncStateBegin);
    let nine = GlobSet::up_to(GlobCnt::new(9).unwrap());
    let state =
        State { given: GuidIdSet::of(PLACE, nine.clone()), seen: CnSet::of(PLACE, nine), ..State::default() };
    for (tag, blob) in state.blobs(false) {
        w.prop(tag, &PropValue::Binary(blob)).unwrap();
    }
    w.marker(Marker::IncrSyncStateEnd);
    w.marker(Marker::IncrSyncEnd);
}

fn given(state: &State) -> Vec<u64> {
    state.given.get(PLACE).map(|set| set.iter().map(GlobCnt::value).collect()).unwrap_or_default()
}

/// A message that the server failed to send, and one of which it sent a part that nobody asked for, come again.
#[test]
fn what_did_not_come_whole_comes_again() {
    let mut w = Writer::new();
    full(&mut w, 1);
    full(&mut w, 2);
    w.marker(Marker::StartRecip);
    failed(&mut w, 2);
    full(&mut w, 3);
    let mapping = PropertyGroupInfo { id: 7, groups: vec![vec![PropDef::new(tags::SUBJECT)]] };
    w.marker(Marker::IncrSyncGroupInfo);
    w.prop(PropTag(0x0000_0102), &PropValue::Binary(mapping.to_bytes().unwrap())).unwrap();
    w.prop(tags::META_TAG_INCR_SYNC_GROUP_ID, &PropValue::I32(7)).unwrap();
    w.marker(Marker::IncrSyncChgPartial);
    header(&mut w, 4);
    w.prop(tags::META_TAG_INCREMENTAL_SYNC_MESSAGE_PARTIAL, &PropValue::I32(0)).unwrap();
    w.prop(tags::SUBJECT, &"new".into()).unwrap();
    ending(&mut w);
    let events = events(Root::ContentsSync, &w.take(usize::MAX));
    let mut before = State::default();
    before.given.insert(PLACE, GlobCnt::new(4).unwrap());
    let mut export = ContentsExport::new(before);
    let mut sink = Picky::default();
    assert_eq!(contents(&mut export, &events, &mut sink).unwrap(), Turn::End);
    assert_eq!(sink.taken.iter().map(|id| id.counter.value()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(given(export.state()), [1, 3, 5, 6, 7, 8, 9]);
    let seen = export.state().seen.get(PLACE).unwrap();
    assert_eq!(seen.iter().map(GlobCnt::value).collect::<Vec<_>>(), [1, 3, 5, 6, 7, 8, 9]);
    assert_eq!(export.progress().0, 4);
}

/// Whatever a stream says: no panic, and before the final state what was taken is in the state and nothing else.
#[test]
fn damaged_streams_do_no_harm() {
    let whole = of_kind(StreamKind::Contents);
    let changes = whole.iter().filter(|s| s.bytes.len() < 400).map(|s| s.bytes.clone()).take(3);
    let mut w = Writer::new();
    full(&mut w, 1);
    full(&mut w, 2);
    failed(&mut w, 2);
    full(&mut w, 3);
    ending(&mut w);
    let (mut taken, mut ended, mut samples) = (0, 0, 0);
    for sample in changes.chain([w.take(usize::MAX)]) {
        samples += 1;
        watertight_testkit::mutate::survive(&sample, |bytes| {
            let mut download = Download::new(Root::ContentsSync);
            download.handle_input(bytes);
            let mut export = ContentsExport::new(State::default());
            let mut sink = Picky::default();
            while let Ok(Some(event)) = download.poll_event() {
                while let Some(id) = export.unknown(&event) {
                    export.learn(id, PLACE);
                }
                // Of a final state the server says what is given.
                if matches!(event, Event::State(..) | Event::PartialChange(_)) {
                    ended += 1;
                    break;
                }
                if export.event(event, &mut sink).is_err() {
                    break;
                }
                let mut expected = GuidIdSet::new();
                sink.taken.iter().for_each(|id| expected.insert(id.replica, id.counter));
                expected.subtract(&sink.deleted);
                assert_eq!(export.state().given, expected);
            }
            taken += sink.taken.len();
        });
    }
    assert!(samples == 4 && taken > 2000 && ended > 1000, "{samples} {taken} {ended}");
}

#[derive(Default)]
struct Tree {
    later: usize,
    seen: Vec<(GlobalId, Option<GlobalId>, String)>,
}

impl HierarchySink for Tree {
    fn folder_change(&mut self, change: &FolderHead<'_>) -> SinkResult<Verdict> {
        self.seen.push((change.id, change.parent, change.folder.name.clone()));
        Ok(if self.seen.len() == self.later { Verdict::Later } else { Verdict::Take })
    }

    fn folder_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        Ok(())
    }
}

#[test]
fn folders_come_with_their_parents() {
    let stream = of_kind(StreamKind::Hierarchy).remove(0);
    let events = events(Root::HierarchySync, &stream.bytes);
    for later in [0, 3] {
        let mut export = HierarchyExport::new(State::default());
        let mut tree = Tree { later, ..Tree::default() };
        for event in events.clone() {
            while let Some(id) = export.unknown(&event) {
                export.learn(id, PLACE);
            }
            export.event(event, &mut tree).unwrap();
        }
        assert!(export.is_ended());
        assert_eq!(tree.seen.len(), 19);
        for (at, (_, parent, name)) in tree.seen.iter().enumerate() {
            let known = parent.is_none_or(|p| tree.seen[..at].iter().any(|(id, ..)| *id == p));
            assert!(known && !name.is_empty(), "{name}");
        }
        assert_eq!(export.state().given.len(), if later == 0 { 19 } else { 18 });
        let at = if later == 0 { GlobCnt::MAX } else { tree.seen[later - 1].0.counter };
        assert!(!export.state().given.contains(tree.seen[0].0.replica, at));
    }
}
