use super::{
    ChangeHeader, Event,
    message_content::MessageContent,
    production::{Context, Input, Production, Step, StepResult, Subject},
    prop_list::keep,
};
use crate::{ics::lexical::Marker, prop::PropBag};

/// Bytes of all properties of a header.
pub(super) const MAX_HEADER: usize = 256 * 1024;

/// messageChangeFull — [MS-OXCFXICS] 2.2.4.3.13. It has no end of its own: it ends where something else begins.
pub(super) struct MessageChangeFull {
    header: PropBag,
    budget: usize,
    /// Once the content has begun.
    subject: Option<Subject>,
}

impl Default for MessageChangeFull {
    fn default() -> Self {
        Self { header: PropBag::default(), budget: MAX_HEADER, subject: None }
    }
}

impl Production for MessageChangeFull {
    fn name(&self) -> &'static str {
        if self.subject.is_some() { "messageChangeFull" } else { "messageChangeHeader" }
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        if self.subject.is_some() {
            cx.event(Event::MessageEnd);
            return Ok(Step::DoneBefore(input));
        }
        if let Input::Marker(Marker::IncrSyncMessage) = input {
            let header = ChangeHeader::from_props(&core::mem::take(&mut self.header))?;
            self.subject = Some(Subject {
                counter: header.mid.map(|mid| mid.counter),
                source_key: header.source_key.clone(),
            });
            cx.event(Event::MessageChange(Box::new(header)));
            return Ok(Step::Down(Box::new(MessageContent::default())));
        }
        Ok(keep(input, &mut self.header, &mut self.budget).map_or(Step::Taken, Step::Refused))
    }

    fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }
}
