use std::sync::Arc;

use super::{
    ChangeHeader, Event, PropertyGroupInfo,
    message_change_full::MAX_HEADER,
    message_content::MessageContent,
    production::{Context, Input, Production, Step, StepResult, bad_value},
    progress::ProgressPerMessage,
    prop_list::{keep, number, stream},
};
use crate::{
    ics::lexical::PropDef,
    prop::{PropBag, tags},
};

/// messageChangePartial after its groupInfo — [MS-OXCFXICS] 2.2.4.3.15.
pub(super) struct MessageChangePartial {
    mapping: Arc<PropertyGroupInfo>,
    header: PropBag,
    budget: usize,
    stage: Stage,
}

enum Stage {
    Header,
    /// Inside a group: its properties that have not come yet.
    Group(Vec<PropDef>),
    Children,
}

/// MetaTagIncrementalSyncMessagePartial for properties that are in no group.
const NO_GROUP: u32 = 0xFFFF_FFFF;

impl MessageChangePartial {
    pub(super) fn new(mapping: Arc<PropertyGroupInfo>) -> Self {
        Self { mapping, header: PropBag::default(), budget: MAX_HEADER, stage: Stage::Header }
    }

    /// Ends the header or the group.
    fn close(&mut self, next: Stage, cx: &mut Context) -> Result<(), watertight_wire::WireError> {
        match core::mem::replace(&mut self.stage, next) {
            Stage::Header => {
                let header = ChangeHeader::from_props(&core::mem::take(&mut self.header))?;
                cx.event(Event::PartialChange(Box::new(header)));
            }
            Stage::Group(deleted) => cx.event(Event::GroupEnd { deleted }),
            Stage::Children => {}
        }
        Ok(())
    }
}

impl Production for MessageChangePartial {
    fn name(&self) -> &'static str {
        if let Stage::Header = self.stage { "messageChangeHeader" } else { "messageChangePartial" }
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        if let Stage::Children = self.stage {
            cx.event(Event::MessageEnd);
            return Ok(Step::DoneBefore(input));
        }
        match input {
            Input::Prop(def, value) if def.tag == tags::META_TAG_INCREMENTAL_SYNC_MESSAGE_PARTIAL => {
                let index = number(&value)
                    .ok_or_else(|| bad_value("MetaTagIncrementalSyncMessagePartial", def.tag))?;
                let (index, members) = if index == NO_GROUP {
                    (None, Vec::new())
                } else {
                    let Some(members) = self.mapping.group(index) else {
                        return Ok(Step::Refused(Input::Prop(def, value)));
                    };
                    (Some(index), members.to_vec())
                };
                self.close(Stage::Group(members), cx)?;
                cx.event(Event::GroupBegin { index });
                Ok(Step::Taken)
            }
            Input::Marker(_) => self.children(input, cx),
            Input::Prop(ref def, _) if def.tag == tags::META_TAG_FX_DEL_PROP => self.children(input, cx),
            Input::Prop(..) | Input::Large(..) => Ok(match &mut self.stage {
                Stage::Header => {
                    keep(input, &mut self.header, &mut self.budget).map_or(Step::Taken, Step::Refused)
                }
                Stage::Group(absent) => {
                    if let Input::Prop(def, _) | Input::Large(def, _) = &input {
                        // Stands for an empty group; its value means nothing.
                        if def.tag == ProgressPerMessage::SIZE {
                            return Ok(Step::Taken);
                        }
                        absent.retain(|other| !same(def, other));
                    }
                    stream(input, cx).map_or(Step::Taken, Step::Refused)
                }
                Stage::Children => Step::Refused(input),
            }),
        }
    }
}

impl MessageChangePartial {
    fn children(&mut self, input: Input, cx: &mut Context) -> StepResult {
        self.close(Stage::Children, cx)?;
        Ok(Step::DownWith(Box::new(MessageContent::children()), input))
    }
}

/// Whether two definitions are of one property: by name where there is one, whatever the type.
fn same(a: &PropDef, b: &PropDef) -> bool {
    match (&a.name, &b.name) {
        (None, None) => a.id() == b.id(),
        (a, b) => a == b,
    }
}
