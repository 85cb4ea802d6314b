use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watertight_wire::{WireError, WireErrorKind};

use super::{Event, PropertyGroupInfo};
use crate::{
    PropTag,
    ics::lexical::{Marker, PropDef, RawValue},
};

/// What a production is given.
#[derive(Debug)]
pub(super) enum Input {
    Marker(Marker),
    Prop(PropDef, RawValue),
    /// A value above 64 KiB begins. When it is taken, its pieces go out as events.
    Large(PropDef, u32),
}

/// What a production did with it.
pub(super) enum Step {
    /// Took it.
    Taken,
    /// Took it; the next input is for the child.
    Down(Box<dyn Production>),
    /// The child shall have it.
    DownWith(Box<dyn Production>, Input),
    /// Took it, and is complete.
    Done,
    /// Was complete before it.
    DoneBefore(Input),
    /// It is not allowed here.
    Refused(Input),
}

pub(super) type StepResult = Result<Step, WireError>;

/// What productions share while a stream is read.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) events: VecDeque<Event>,
    /// Property group mappings by their ids.
    pub(super) groups: BTreeMap<u32, Arc<PropertyGroupInfo>>,
    /// MetaTagIncrSyncGroupId: the mapping in force.
    pub(super) group: Option<u32>,
}

impl Context {
    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

/// A production of the grammar, at work.
pub(super) trait Production: Send {
    /// Its name in the document.
    fn name(&self) -> &'static str;

    /// Takes the next element.
    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult;

    /// The stream is at its end: whether the production may end here.
    fn end(&mut self, _cx: &mut Context) -> bool {
        false
    }

    /// Up to how many bytes of a long value it wants in one piece.
    fn gathers(&self) -> u32 {
        0
    }

    /// Whether parsing goes on here after FXErrorInfo (2.2.4.3.4).
    fn recovers(&self) -> bool {
        false
    }
}

/// Sets of identifiers can be long: a folder of a million scattered messages has 2 MiB of them.
pub(super) const MAX_SET: u32 = 16 * 1024 * 1024;

/// The error of a value that does not fit its property.
pub(super) fn bad_value(field: &'static str, tag: PropTag) -> WireError {
    WireError::new("", field, 0, WireErrorKind::Invalid { value: tag.0.into() })
}

/// The error of a property that is missing.
pub(super) fn missing(field: &'static str) -> WireError {
    WireError::new("", field, 0, WireErrorKind::Truncated { need: 1, have: 0 })
}
