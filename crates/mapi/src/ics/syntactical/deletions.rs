use super::{
    Event,
    production::{Context, Input, MAX_SET, Production, Step, StepResult},
};
use crate::{ics::IdSet, prop::tags};

/// deletions — [MS-OXCFXICS] 2.2.4.3.3: objects that left the synchronization scope, by REPLID.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deletions {
    /// MetaTagIdsetDeleted: deleted, or moved away.
    pub deleted: IdSet,
    /// MetaTagIdsetNoLongerInScope: they are there, or in the recoverable items, but do not belong to the scope.
    pub no_longer_in_scope: IdSet,
    /// MetaTagIdsetExpired: public folder messages past their age.
    pub expired: IdSet,
}

/// The element after its marker.
#[derive(Default)]
pub(super) struct DeletionsElement(Deletions);

impl Production for DeletionsElement {
    fn name(&self) -> &'static str {
        "deletions"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        match input {
            Input::Prop(def, value) => {
                let slot = match def.tag {
                    tags::META_TAG_IDSET_DELETED => &mut self.0.deleted,
                    tags::META_TAG_IDSET_NO_LONGER_IN_SCOPE => &mut self.0.no_longer_in_scope,
                    tags::META_TAG_IDSET_EXPIRED => &mut self.0.expired,
                    _ => return Ok(Step::Refused(Input::Prop(def, value))),
                };
                *slot = IdSet::from_bytes(&value.into_bytes())?;
                Ok(Step::Taken)
            }
            Input::Marker(_) => {
                cx.event(Event::Deletions(core::mem::take(&mut self.0)));
                Ok(Step::DoneBefore(input))
            }
            Input::Large(..) => Ok(Step::Refused(input)),
        }
    }

    fn gathers(&self) -> u32 {
        MAX_SET
    }
}
