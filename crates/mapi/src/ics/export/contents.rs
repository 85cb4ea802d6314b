use watertight_wire::Guid;

use super::{Export, ExportFault, Phase, Replicas, Turn, call};
use crate::{
    GlobalId, MapiCode, ReplId,
    ics::{
        CnSet, GuidIdSet, State,
        sink::{ContentsSink, Failure, MessageChange, Piece, ReadStateChange, Verdict},
        syntactical::{ChangeHeader, Event},
    },
};

/// The messages of a folder on their way to a sink.
#[derive(Debug)]
pub struct ContentsExport {
    replicas: Replicas,
    /// What the sink has.
    state: State,
    phase: Phase,
    current: Current,
    /// progressPerMessage of the message that comes next.
    size: u64,
    later: Later,
    /// Marked messages: which versions these are only the final state says, so they go out with it.
    reads: Option<ReadStateChange>,
    done: u32,
    total: u32,
}

/// The message whose pieces come.
#[derive(Debug, Clone, Copy)]
enum Current {
    None,
    Message {
        id: GlobalId,
        change_number: GlobalId,
        associated: bool,
        wanted: bool,
    },
    /// One that comes again.
    Skipped,
}

/// What the server believes to have sent and the sink has not taken.
#[derive(Debug, Default)]
struct Later {
    given: GuidIdSet,
    seen: CnSet,
    seen_fai: CnSet,
}

impl ContentsExport {
    /// An export that goes on from a state.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self {
            replicas: Replicas::default(),
            state,
            phase: Phase::Open,
            current: Current::None,
            size: 0,
            later: Later::default(),
            reads: None,
            done: 0,
            total: 0,
        }
    }

    /// Takes the next event of the stream, whose REPLIDs are known.
    ///
    /// # Errors
    /// [`ExportFault`]; nothing can follow it.
    pub fn event<S: ContentsSink + ?Sized>(
        &mut self,
        event: Event,
        sink: &mut S,
    ) -> Result<Turn, ExportFault> {
        if self.phase == Phase::Broken {
            return Err(ExportFault::Broken);
        }
        match event {
            Event::ProgressTotal(total) => {
                self.total = total.normal_count.saturating_add(total.fai_count);
                call(&mut self.phase, || sink.total(&total))?;
            }
            Event::ProgressMessage { size, .. } => self.size = size.into(),
            Event::MessageChange(header) => self.begin(header, sink)?,
            Event::PartialChange(header) => return self.partial(&header, sink),
            Event::MessageEnd => return self.end(sink),
            Event::ObjectFailed(info) => {
                let inside = core::mem::replace(&mut self.current, Current::None);
                let mut id = info.message.as_ref().and_then(crate::ics::Xid::global);
                if let Current::Message { id: begun, change_number, associated, .. } = inside {
                    self.not_taken(begun, change_number, associated);
                    id = Some(begun);
                }
                self.done = self.done.saturating_add(1);
                call(&mut self.phase, || sink.failed(&Failure { id, code: info.code }))?;
                return Ok(Turn::Change);
            }
            Event::Warning(code) => sink.warning(&format!("the server left something out: {code}")),
            Event::Deletions(all) => {
                for (why, ids) in self.replicas.deletions(&all) {
                    call(&mut self.phase, || sink.message_deletion(why, &ids))?;
                    self.state.given.subtract(&ids);
                }
                return Ok(Turn::Change);
            }
            Event::ReadStates(all) => {
                let (read, unread) = (self.replicas.set(&all.read), self.replicas.set(&all.unread));
                self.reads = Some(ReadStateChange { read, unread });
            }
            Event::State(state, cuts) => {
                cuts.iter().for_each(|cut| sink.warning(&cut.to_string()));
                if let Some(change) = self.reads.take() {
                    call(&mut self.phase, || sink.read_state_change(&change))?;
                }
                self.state = *state;
                self.state.given.subtract(&self.later.given);
                self.state.seen.subtract(&self.later.seen);
                self.state.seen_fai.subtract(&self.later.seen_fai);
                self.later = Later::default();
                self.phase = Phase::Final;
            }
            Event::End => {
                if self.phase != Phase::Final {
                    return Err(ExportFault::NoState);
                }
                self.phase = Phase::Ended;
                return Ok(Turn::End);
            }
            other => {
                if let (Current::Message { wanted: true, .. }, Some(piece)) = (self.current, piece(other)) {
                    call(&mut self.phase, || sink.piece(piece))?;
                }
            }
        }
        Ok(Turn::Inside)
    }

    fn begin<S: ContentsSink + ?Sized>(
        &mut self,
        header: Box<ChangeHeader>,
        sink: &mut S,
    ) -> Result<(), ExportFault> {
        let size = header.size.map_or(core::mem::take(&mut self.size), u64::from);
        self.current = Current::Skipped;
        let Some((id, change_number)) = self.ids(&header) else {
            let failure = Failure { id: None, code: MapiCode::InvalidEntryId };
            return call(&mut self.phase, || sink.failed(&failure));
        };
        let associated = header.associated;
        let known = self.state.given.contains(id.replica, id.counter);
        let change = MessageChange { id, change_number, associated, size, known, header };
        let verdict = call(&mut self.phase, || sink.message_change(&change))?;
        match verdict {
            Verdict::Take | Verdict::Ignore => {
                let wanted = verdict == Verdict::Take;
                self.current = Current::Message { id, change_number, associated, wanted };
            }
            Verdict::Later => self.not_taken(id, change_number, associated),
        }
        Ok(())
    }

    /// A part of a message is not asked for; a server that sends one all the same sends the whole next time.
    fn partial<S: ContentsSink + ?Sized>(
        &mut self,
        header: &ChangeHeader,
        sink: &mut S,
    ) -> Result<Turn, ExportFault> {
        self.size = 0;
        self.current = Current::Skipped;
        if let Some((id, change_number)) = self.ids(header) {
            self.state.given.remove(id.replica, id.counter);
            self.not_taken(id, change_number, header.associated);
            sink.warning(&format!("only a part of message {id} came; it is asked for again"));
        }
        Ok(Turn::Inside)
    }

    fn end<S: ContentsSink + ?Sized>(&mut self, sink: &mut S) -> Result<Turn, ExportFault> {
        let current = core::mem::replace(&mut self.current, Current::None);
        if let Current::Message { id, change_number, associated, wanted } = current {
            if wanted {
                call(&mut self.phase, || sink.message_end())?;
            }
            self.state.given.insert(id.replica, id.counter);
            self.later.given.remove(id.replica, id.counter);
            let seen = if associated { &mut self.state.seen_fai } else { &mut self.state.seen };
            seen.insert(change_number.replica, change_number.counter);
        }
        self.done = self.done.saturating_add(1);
        Ok(Turn::Change)
    }

    /// The message comes again: it is not in the final state either.
    fn not_taken(&mut self, id: GlobalId, change_number: GlobalId, associated: bool) {
        // Of one that was there before, a deletion must still be reported.
        if !self.state.given.contains(id.replica, id.counter) {
            self.later.given.insert(id.replica, id.counter);
        }
        let seen = if associated { &mut self.later.seen_fai } else { &mut self.later.seen };
        seen.insert(change_number.replica, change_number.counter);
    }

    fn ids(&self, header: &ChangeHeader) -> Option<(GlobalId, GlobalId)> {
        let mid = self.replicas.object(&header.source_key, header.mid.map(|m| (m.repl_id, m.counter)))?;
        let cn = header.change_number.map(|c| (c.repl_id, c.counter));
        Some((mid, self.replicas.version(&header.change_key, cn)?))
    }
}

impl Export for ContentsExport {
    fn unknown(&mut self, event: &Event) -> Option<ReplId> {
        self.replicas.unknown(event)
    }

    fn learn(&mut self, id: ReplId, replica: Guid) {
        self.replicas.learn(id, replica);
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn progress(&self) -> (u32, u32) {
        (self.done, self.total.max(self.done))
    }

    fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }
}

/// The piece of a message that an event is.
fn piece(event: Event) -> Option<Piece> {
    Some(match event {
        Event::Property(prop) => Piece::Property(prop),
        Event::LargeBegin { tag, name, len } => Piece::LargeBegin { tag, name, len },
        Event::LargeChunk(bytes) => Piece::LargeChunk(bytes),
        Event::LargeEnd => Piece::LargeEnd,
        Event::RecipientBegin => Piece::RecipientBegin,
        Event::RecipientEnd => Piece::RecipientEnd,
        Event::AttachmentBegin { number } => Piece::AttachmentBegin { number },
        Event::AttachmentEnd => Piece::AttachmentEnd,
        Event::EmbeddedBegin => Piece::EmbeddedBegin,
        Event::EmbeddedEnd => Piece::EmbeddedEnd,
        // What is deleted from a message that comes whole was never there.
        _ => return None,
    })
}
