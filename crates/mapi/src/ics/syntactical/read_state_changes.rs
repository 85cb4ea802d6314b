use super::{
    Event,
    production::{Context, Input, MAX_SET, Production, Step, StepResult},
};
use crate::{ics::IdSet, prop::tags};

/// readStateChanges — [MS-OXCFXICS] 2.2.4.3.22: messages that were marked, by REPLID.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadStates {
    /// MetaTagIdsetRead.
    pub read: IdSet,
    /// MetaTagIdsetUnread.
    pub unread: IdSet,
}

/// The element after its marker.
#[derive(Default)]
pub(super) struct ReadStateChanges(ReadStates);

impl Production for ReadStateChanges {
    fn name(&self) -> &'static str {
        "readStateChanges"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        match input {
            Input::Prop(def, value) => {
                let slot = match def.tag {
                    tags::META_TAG_IDSET_READ => &mut self.0.read,
                    tags::META_TAG_IDSET_UNREAD => &mut self.0.unread,
                    _ => return Ok(Step::Refused(Input::Prop(def, value))),
                };
                *slot = IdSet::from_bytes(&value.into_bytes())?;
                Ok(Step::Taken)
            }
            Input::Marker(_) => {
                cx.event(Event::ReadStates(core::mem::take(&mut self.0)));
                Ok(Step::DoneBefore(input))
            }
            Input::Large(..) => Ok(Step::Refused(input)),
        }
    }

    fn gathers(&self) -> u32 {
        MAX_SET
    }
}
