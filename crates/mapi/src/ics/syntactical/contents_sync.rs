use super::{
    deletions::DeletionsElement,
    group_info::GroupInfo,
    message_change_full::MessageChangeFull,
    message_change_partial::MessageChangePartial,
    production::{Context, Input, Production, Step, StepResult, bad_value},
    progress::{ProgressPerMessage, ProgressTotal},
    prop_list::number,
    read_state_changes::ReadStateChanges,
    state::StateElement,
};
use crate::{ics::lexical::Marker, prop::tags};

/// contentsSync — [MS-OXCFXICS] 2.2.4.3.2.
#[derive(Default)]
pub(super) struct ContentsSync {
    stage: Stage,
}

/// How far the element has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Start,
    Changes,
    Deletions,
    Reads,
    State,
}

impl ContentsSync {
    fn enter(&mut self, stage: Stage, child: impl Production + 'static) -> Step {
        self.stage = stage;
        Step::Down(Box::new(child))
    }
}

impl Production for ContentsSync {
    fn name(&self) -> &'static str {
        "contentsSync"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        use Stage::{Changes, Deletions, Reads, Start, State};
        Ok(match input {
            Input::Marker(Marker::IncrSyncProgressMode) if self.stage == Start => {
                self.enter(Changes, ProgressTotal)
            }
            Input::Marker(Marker::IncrSyncProgressPerMsg) if self.stage <= Changes => {
                self.enter(Changes, ProgressPerMessage::default())
            }
            Input::Marker(Marker::IncrSyncChg) if self.stage <= Changes => {
                self.enter(Changes, MessageChangeFull::default())
            }
            Input::Marker(Marker::IncrSyncGroupInfo) if self.stage <= Changes => {
                self.enter(Changes, GroupInfo)
            }
            Input::Marker(Marker::IncrSyncChgPartial) if self.stage <= Changes => {
                let mapping = cx.group.and_then(|id| cx.groups.get(&id)).cloned();
                let Some(mapping) = mapping else { return Ok(Step::Refused(input)) };
                self.enter(Changes, MessageChangePartial::new(mapping))
            }
            Input::Prop(ref def, ref value)
                if def.tag == tags::META_TAG_INCR_SYNC_GROUP_ID && self.stage <= Changes =>
            {
                let id = number(value).ok_or_else(|| bad_value("MetaTagIncrSyncGroupId", def.tag))?;
                if !cx.groups.contains_key(&id) {
                    return Ok(Step::Refused(input));
                }
                cx.group = Some(id);
                Step::Taken
            }
            Input::Marker(Marker::IncrSyncDel) if self.stage < Deletions => {
                self.enter(Deletions, DeletionsElement::default())
            }
            Input::Marker(Marker::IncrSyncRead) if self.stage < Reads => {
                self.enter(Reads, ReadStateChanges::default())
            }
            Input::Marker(Marker::IncrSyncStateBegin) if self.stage < State => {
                self.enter(State, StateElement::default())
            }
            Input::Marker(Marker::IncrSyncEnd) if self.stage == State => Step::Done,
            other => Step::Refused(other),
        })
    }

    fn recovers(&self) -> bool {
        true
    }
}
