use super::{
    Event,
    embedded_message::EmbeddedMessage,
    production::{Context, Input, Production, Step, StepResult, bad_value},
    prop_list::{number, stream},
};
use crate::{ics::lexical::Marker, prop::tags};

/// attachment and attachmentContent — [MS-OXCFXICS] 2.2.4.2, 2.2.4.3.1, after the start marker.
#[derive(Default)]
pub(super) struct Attachment {
    stage: Stage,
    root: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Number,
    Props,
    Embedded,
}

impl Attachment {
    /// The whole of a stream: attachmentContent.
    pub(super) const fn root() -> Self {
        Self { stage: Stage::Props, root: true }
    }
}

impl Production for Attachment {
    fn name(&self) -> &'static str {
        if self.root { "attachmentContent" } else { "attachment" }
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match (self.stage, input) {
            (Stage::Number, Input::Prop(def, value)) if def.tag == tags::ATTACH_NUMBER => {
                let number = number(&value).ok_or_else(|| bad_value("PidTagAttachNumber", def.tag))?;
                cx.event(Event::AttachmentBegin { number: Some(number) });
                self.stage = Stage::Props;
                Step::Taken
            }
            (Stage::Props, Input::Marker(Marker::StartEmbed)) => {
                self.stage = Stage::Embedded;
                cx.event(Event::EmbeddedBegin);
                Step::Down(Box::new(EmbeddedMessage::default()))
            }
            (Stage::Props | Stage::Embedded, Input::Marker(Marker::EndAttach)) if !self.root => {
                cx.event(Event::AttachmentEnd);
                Step::Done
            }
            (Stage::Props, input) => stream(input, cx).map_or(Step::Taken, Step::Refused),
            (_, other) => Step::Refused(other),
        })
    }

    fn end(&mut self, cx: &mut Context) -> bool {
        if self.root {
            cx.event(Event::AttachmentEnd);
        }
        self.root
    }
}
