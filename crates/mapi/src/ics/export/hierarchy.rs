use watertight_wire::Guid;

use super::{Export, ExportFault, Phase, Replicas, Turn, call};
use crate::{
    MapiCode, ReplId,
    ics::{
        CnSet, GuidIdSet, State,
        sink::{Failure, FolderHead, HierarchySink, Verdict},
        syntactical::{Event, FolderChange},
    },
    id::Cn,
    prop::tags,
};

/// The folders below a folder on their way to a sink.
#[derive(Debug)]
pub struct HierarchyExport {
    replicas: Replicas,
    /// What the sink has.
    state: State,
    phase: Phase,
    /// What the server believes to have sent and the sink has not taken.
    later_given: GuidIdSet,
    later_seen: CnSet,
    done: u32,
}

impl HierarchyExport {
    /// An export that goes on from a state.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self {
            replicas: Replicas::default(),
            state,
            phase: Phase::Open,
            later_given: GuidIdSet::new(),
            later_seen: CnSet::new(),
            done: 0,
        }
    }

    /// Takes the next event of the stream, whose REPLIDs are known.
    ///
    /// # Errors
    /// [`ExportFault`]; nothing can follow it.
    pub fn event<S: HierarchySink + ?Sized>(
        &mut self,
        event: Event,
        sink: &mut S,
    ) -> Result<Turn, ExportFault> {
        if self.phase == Phase::Broken {
            return Err(ExportFault::Broken);
        }
        match event {
            Event::FolderChange(folder) => {
                self.folder(&folder, sink)?;
                self.done = self.done.saturating_add(1);
                return Ok(Turn::Change);
            }
            Event::ObjectFailed(info) => {
                let id = info.folder.as_ref().and_then(crate::ics::Xid::global);
                call(&mut self.phase, || sink.failed(&Failure { id, code: info.code }))?;
                return Ok(Turn::Change);
            }
            Event::Warning(code) => sink.warning(&format!("the server left something out: {code}")),
            Event::Deletions(all) => {
                for (why, ids) in self.replicas.deletions(&all) {
                    call(&mut self.phase, || sink.folder_deletion(why, &ids))?;
                    self.state.given.subtract(&ids);
                }
                return Ok(Turn::Change);
            }
            Event::State(state, cuts) => {
                cuts.iter().for_each(|cut| sink.warning(&cut.to_string()));
                self.state = State { given: state.given, seen: state.seen, ..State::default() };
                self.state.given.subtract(&self.later_given);
                self.state.seen.subtract(&self.later_seen);
                self.phase = Phase::Final;
            }
            Event::End => {
                if self.phase != Phase::Final {
                    return Err(ExportFault::NoState);
                }
                self.phase = Phase::Ended;
                return Ok(Turn::End);
            }
            _ => {}
        }
        Ok(Turn::Inside)
    }

    fn folder<S: HierarchySink + ?Sized>(
        &mut self,
        folder: &FolderChange,
        sink: &mut S,
    ) -> Result<(), ExportFault> {
        let fid = folder.folder_id.map(|f| (f.repl_id, f.counter));
        let version = folder.props.id(tags::CHANGE_NUMBER).map(Cn::from_u64);
        let ids = self.replicas.object(&folder.source_key, fid).zip(
            // The replica of its change number is known when it is that of some folder.
            self.replicas.version(&folder.change_key, version.map(|cn| (cn.repl_id, cn.counter))),
        );
        let Some((id, change_number)) = ids else {
            let failure = Failure { id: None, code: MapiCode::InvalidEntryId };
            return call(&mut self.phase, || sink.failed(&failure));
        };
        let parent = folder.parent_source_key.as_ref().and_then(crate::ics::Xid::global);
        let known = self.state.given.contains(id.replica, id.counter);
        let head = FolderHead { id, parent, change_number, known, folder };
        match call(&mut self.phase, || sink.folder_change(&head))? {
            Verdict::Take | Verdict::Ignore => {
                self.state.given.insert(id.replica, id.counter);
                self.state.seen.insert(change_number.replica, change_number.counter);
                self.later_given.remove(id.replica, id.counter);
            }
            Verdict::Later => {
                if !known {
                    self.later_given.insert(id.replica, id.counter);
                }
                self.later_seen.insert(change_number.replica, change_number.counter);
            }
        }
        Ok(())
    }
}

impl Export for HierarchyExport {
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
        (self.done, self.done)
    }

    fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }
}
