//! What an exporter takes from outside: states that a caller kept, and streams of a server.

use watertight_mapi::ics::checkpoint::{CheckpointError, fingerprint};
use watertight_mapi::ics::export::{ContentsExport, Export, ExportFault, HierarchyExport, Turn};
use watertight_mapi::ics::sink::{
    ContentsSink, Count, Deletion, Failure, MessageChange, Messages, Piece, ReadStateChange, SinkResult,
    Verdict, Whole,
};
use watertight_mapi::ics::{Checkpoint, Download, Event, GuidIdSet, Root, Scope, ScopeKind, State};
use watertight_mapi::{GlobCnt, GlobalId};
use watertight_testkit::captures::StreamKind;
use watertight_wire::Guid;

use crate::ics::{captured, saved_state_seeds};
use crate::{Seed, choice};

/// A kept state: what was read is written as the same; damage is refused; a state of something else is refused.
///
/// The first byte says whether the checksum is made right, so that what lies behind it is reached.
pub fn checkpoint(data: &[u8]) {
    let Some((what, data)) = choice(data, 2) else { return };
    let mut bytes = data.to_vec();
    if let (0, Some((body, _))) = (what, data.split_last_chunk::<8>()) {
        bytes = body.to_vec();
        bytes.extend(fingerprint(body).to_le_bytes());
    }
    let Ok(saved) = Checkpoint::from_bytes(&bytes) else { return };
    let again = saved.to_bytes();
    assert_eq!(Checkpoint::from_bytes(&again).as_ref(), Ok(&saved));
    assert_eq!(Checkpoint::open(&again, &saved.scope).as_ref(), Ok(&saved.state));
    let other = Scope { mailbox: Guid::from_bytes([0xA5; 16]), ..saved.scope };
    assert!(
        other == saved.scope
            || matches!(Checkpoint::open(&again, &other), Err(CheckpointError::Foreign { .. }))
    );
}

pub fn checkpoint_seeds() -> Vec<Seed> {
    let scope = |kind| Scope {
        kind,
        mailbox: Guid::from_bytes([1; 16]),
        folder: GlobalId::new(Guid::from_bytes([2; 16]), GlobCnt::default()),
        restriction: 0,
    };
    let mut seeds = Vec::new();
    for (name, saved) in saved_state_seeds() {
        let state = State::from_saved(&saved).unwrap_or_default();
        for (kind, first) in [(ScopeKind::Contents, 0), (ScopeKind::Hierarchy, 1)] {
            let bytes = Checkpoint { scope: scope(kind), state: state.clone() }.to_bytes();
            seeds.push((format!("{name}-{first}"), [&[first][..], &bytes].concat()));
        }
    }
    seeds
}

/// Takes or refuses changes by the bits of a byte, and remembers what it took.
struct Chooser {
    choices: u8,
    inside: Option<GlobalId>,
    depth: i32,
    taken: GuidIdSet,
}

impl ContentsSink for Chooser {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        assert!(self.inside.is_none(), "a message in a message");
        self.choices = self.choices.rotate_left(1);
        let id = change.id;
        Ok(match self.choices & 3 {
            0 | 1 => {
                self.inside = Some(id);
                self.depth = 0;
                Verdict::Take
            }
            2 => Verdict::Ignore,
            _ => Verdict::Later,
        })
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        assert!(self.inside.is_some(), "a piece of nothing");
        match piece {
            Piece::RecipientBegin | Piece::AttachmentBegin { .. } | Piece::EmbeddedBegin => self.depth += 1,
            Piece::RecipientEnd | Piece::AttachmentEnd | Piece::EmbeddedEnd => self.depth -= 1,
            _ => {}
        }
        assert!(self.depth >= 0);
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        let id = self.inside.take().expect("a message that began");
        assert_eq!(self.depth, 0);
        self.taken.insert(id.replica, id.counter);
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        self.taken.subtract(ids);
        Ok(())
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        assert!(self.inside.is_none() && change.read.len() < u64::MAX);
        Ok(())
    }

    fn failed(&mut self, _: &Failure) -> SinkResult {
        self.inside = None;
        Ok(())
    }
}

/// A stream from the wire to sinks: calls are balanced, and before the final state what was taken is in the state.
pub fn export_stream(data: &[u8]) {
    let Some((what, data)) = choice(data, 3) else { return };
    let Some((choices, data)) = data.split_first() else { return };
    if what == 2 {
        let mut export = HierarchyExport::new(State::default());
        let mut sink = Count::default();
        run(Root::HierarchySync, data, &mut export, |export, event| export.event(event, &mut sink));
        return;
    }
    if what == 1 {
        let limit = usize::from(*choices).saturating_mul(256);
        let mut sink = Messages::new(limit, |whole| {
            if let Whole::Message { content, .. } = whole {
                assert!(content.props.0.len() <= limit);
            }
            Ok(())
        });
        let mut export = ContentsExport::new(State::default());
        run(Root::ContentsSync, data, &mut export, |export, event| export.event(event, &mut sink));
        return;
    }
    let mut sink = Chooser { choices: *choices, inside: None, depth: 0, taken: GuidIdSet::new() };
    let mut export = ContentsExport::new(State::default());
    // Of a part of a message that is there the whole is asked for again.
    let mut last = false;
    run(Root::ContentsSync, data, &mut export, |export, event| {
        last |= matches!(event, Event::State(..) | Event::PartialChange(_));
        let turn = export.event(event, &mut sink)?;
        if !last && turn == Turn::Change {
            let mut missing = sink.taken.clone();
            missing.subtract(&export.state().given);
            assert!(missing.is_empty(), "{missing:?} was taken and is not in the state");
        }
        Ok(turn)
    });
}

fn run<E: Export>(
    root: Root,
    data: &[u8],
    export: &mut E,
    mut take: impl FnMut(&mut E, Event) -> Result<Turn, ExportFault>,
) {
    let mut download = Download::new(root);
    download.handle_input(data);
    while let Ok(Some(event)) = download.poll_event() {
        while let Some(id) = export.unknown(&event) {
            export.learn(id, Guid::new(u32::from(id.0), 0, 0, [7; 8]));
        }
        match take(export, event) {
            Ok(Turn::End) => {
                assert!(export.is_ended());
                let (done, steps) = export.progress();
                assert!(done <= steps);
                return;
            }
            Ok(_) => {}
            Err(ExportFault::NoState) => return,
            Err(fault) => unreachable!("{fault}"),
        }
    }
}

/// Marks streams that are no synchronization.
const NONE: u8 = 255;

pub fn stream_seeds() -> Vec<Seed> {
    let mut seeds = captured(|kind| match kind {
        StreamKind::Contents => vec![0, 0b0010_0100],
        StreamKind::Hierarchy => vec![2, 0],
        _ => vec![NONE],
    });
    seeds.retain(|(_, bytes)| bytes.first() != Some(&NONE));
    let bounded = seeds.iter().filter(|(_, bytes)| bytes.first() == Some(&0)).take(3).cloned();
    let bounded: Vec<Seed> = bounded
        .map(|(name, mut bytes)| {
            if let Some(first) = bytes.first_mut() {
                *first = 1;
            }
            (format!("{name}-bounded"), bytes)
        })
        .collect();
    seeds.extend(bounded);
    seeds
}
