use super::{
    Event,
    production::{Context, Input, Production, Step, StepResult},
    prop_list::stream,
};
use crate::ics::lexical::Marker;

/// recipient — [MS-OXCFXICS] 2.2.4.3.23, after its start marker.
pub(super) struct Recipient;

impl Production for Recipient {
    fn name(&self) -> &'static str {
        "recipient"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        if let Input::Marker(Marker::EndToRecip) = input {
            cx.event(Event::RecipientEnd);
            return Ok(Step::Done);
        }
        Ok(stream(input, cx).map_or(Step::Taken, Step::Refused))
    }
}
