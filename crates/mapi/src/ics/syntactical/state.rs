use super::{
    Event,
    production::{Context, Input, MAX_SET, Production, Step, StepResult},
};
use crate::ics::{State, lexical::Marker};

/// state — [MS-OXCFXICS] 2.2.4.3.25, after its start marker.
#[derive(Default)]
pub(super) struct StateElement(Box<State>);

impl Production for StateElement {
    fn name(&self) -> &'static str {
        "state"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        match input {
            Input::Prop(def, value) => {
                let tag = def.tag;
                if !State::TAGS.iter().any(|known| known.id() == tag.id()) {
                    return Ok(Step::Refused(Input::Prop(def, value)));
                }
                self.0.set(tag, &value.into_bytes())?;
                Ok(Step::Taken)
            }
            Input::Marker(Marker::IncrSyncStateEnd) => {
                let mut state = core::mem::take(&mut self.0);
                let cuts = state.cut_read();
                cx.event(Event::State(state, cuts));
                Ok(Step::Done)
            }
            other => Ok(Step::Refused(other)),
        }
    }

    fn gathers(&self) -> u32 {
        MAX_SET
    }
}

/// A stream that is only a state.
#[derive(Default)]
pub(super) struct StateRoot {
    seen: bool,
}

impl Production for StateRoot {
    fn name(&self) -> &'static str {
        "state"
    }

    fn take(&mut self, input: Input, _cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::IncrSyncStateBegin) if !self.seen => {
                self.seen = true;
                Step::Down(Box::<StateElement>::default())
            }
            other => Step::Refused(other),
        })
    }

    fn end(&mut self, _cx: &mut Context) -> bool {
        self.seen
    }
}
