use super::{
    Event,
    message_content::MessageContent,
    production::{Context, Input, Production, Step, StepResult},
};
use crate::ics::lexical::Marker;

/// embeddedMessage — [MS-OXCFXICS] 2.2.4.2, after its start marker.
#[derive(Default)]
pub(super) struct EmbeddedMessage {
    content: bool,
}

impl Production for EmbeddedMessage {
    fn name(&self) -> &'static str {
        "embeddedMessage"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::EndEmbed) => {
                cx.event(Event::EmbeddedEnd);
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
