use super::{
    Event,
    message::Message,
    production::{Context, Input, Production, Step, StepResult},
    prop_list::stream,
};
use crate::{ics::lexical::Marker, prop::tags};

/// messageList — [MS-OXCFXICS] 2.2.4.3.17.
pub(super) struct MessageList;

impl Production for MessageList {
    fn name(&self) -> &'static str {
        "messageList"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::StartMessage) => {
                cx.event(Event::MessageBegin { associated: false });
                Step::Down(Box::new(Message::default()))
            }
            Input::Marker(Marker::StartFAIMsg) => {
                cx.event(Event::MessageBegin { associated: true });
                Step::Down(Box::new(Message::default()))
            }
            Input::Prop(ref def, _)
                if def.tag == tags::META_TAG_DN_PREFIX || def.tag == tags::META_TAG_EC_WARNING =>
            {
                stream(input, cx).map_or(Step::Taken, Step::Refused)
            }
            other => Step::DoneBefore(other),
        })
    }

    fn end(&mut self, _cx: &mut Context) -> bool {
        true
    }

    fn recovers(&self) -> bool {
        true
    }
}
