use super::{
    Event,
    attachment::Attachment,
    production::{Context, Input, Production, Step, StepResult, bad_value},
    prop_list::{stream, tag},
    recipient::Recipient,
};
use crate::{ics::lexical::Marker, prop::tags};

/// messageContent and messageChildren — [MS-OXCFXICS] 2.2.4.3.16, 2.2.4.3.12.
#[derive(Default)]
pub(super) struct MessageContent {
    stage: Stage,
    root: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Props,
    Recipients,
    Attachments,
}

impl MessageContent {
    /// The whole of a stream.
    pub(super) const fn root() -> Self {
        Self { stage: Stage::Props, root: true }
    }

    /// Only messageChildren.
    pub(super) const fn children() -> Self {
        Self { stage: Stage::Recipients, root: false }
    }
}

impl Production for MessageContent {
    fn name(&self) -> &'static str {
        if self.stage == Stage::Props { "messageContent" } else { "messageChildren" }
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(ref def, ref value) if def.tag == tags::META_TAG_FX_DEL_PROP => {
                let what = tag(value).ok_or_else(|| bad_value("MetaTagFXDelProp", def.tag))?;
                let stage = if what.id() == tags::MESSAGE_ATTACHMENTS.id() {
                    Stage::Attachments
                } else {
                    Stage::Recipients
                };
                if self.stage > stage {
                    return Ok(Step::Refused(input));
                }
                self.stage = stage;
                cx.event(Event::DeleteSubobjects(what));
                Step::Taken
            }
            Input::Marker(Marker::StartRecip) if self.stage <= Stage::Recipients => {
                self.stage = Stage::Recipients;
                cx.event(Event::RecipientBegin);
                Step::Down(Box::new(Recipient))
            }
            Input::Marker(Marker::NewAttach) => {
                self.stage = Stage::Attachments;
                Step::Down(Box::new(Attachment::default()))
            }
            Input::Marker(_) if self.root => Step::Refused(input),
            Input::Marker(_) => Step::DoneBefore(input),
            // Of contentsSync: what follows is another message.
            Input::Prop(ref def, _) if !self.root && def.tag == tags::META_TAG_INCR_SYNC_GROUP_ID => {
                Step::DoneBefore(input)
            }
            input if self.stage == Stage::Props => stream(input, cx).map_or(Step::Taken, Step::Refused),
            Input::Prop(ref def, _) if !self.root && is_list_meta(def.tag) => Step::DoneBefore(input),
            other => Step::Refused(other),
        })
    }

    fn end(&mut self, cx: &mut Context) -> bool {
        if self.root {
            cx.event(Event::MessageEnd);
        }
        self.root
    }

    fn is_whole(&self) -> bool {
        true
    }
}

/// Whether the meta-property can stand before the next message of a list.
fn is_list_meta(tag: crate::PropTag) -> bool {
    tag == tags::META_TAG_DN_PREFIX || tag == tags::META_TAG_EC_WARNING
}
