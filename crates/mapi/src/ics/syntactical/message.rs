use super::{
    Event,
    message_content::MessageContent,
    production::{Context, Input, Production, Step, StepResult},
};
use crate::ics::lexical::Marker;

/// message — [MS-OXCFXICS] 2.2.4.3.10, after its start marker.
#[derive(Default)]
pub(super) struct Message {
    content: bool,
}

impl Production for Message {
    fn name(&self) -> &'static str {
        "message"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::EndMessage) => {
                cx.event(Event::MessageEnd);
                Step::Done
            }
            input if !self.content => {
                self.content = true;
                Step::DownWith(Box::new(MessageContent::default()), input)
            }
            other => Step::Refused(other),
        })
    }
}
