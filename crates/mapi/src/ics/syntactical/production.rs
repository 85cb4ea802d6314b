use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use watertight_wire::{WireError, WireErrorKind};

use super::{Event, PropertyGroupInfo};
use crate::{
    GlobCnt, PropTag,
    ics::{
        Xid,
        lexical::{Marker, PropDef, RawValue},
    },
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

    /// Whether the element is whole with what it has, though more of it may come.
    fn is_whole(&self) -> bool {
        false
    }

    /// The message that this is a change of, once its content has begun.
    fn subject(&self) -> Option<&Subject> {
        None
    }
}

/// What names the message of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// Of PidTagMid.
    pub(super) counter: Option<GlobCnt>,
    /// PidTagSourceKey.
    pub(super) source_key: Xid,
}

impl Subject {
    /// Whether that is certainly another message.
    pub(super) fn is_not(&self, message: &Xid) -> bool {
        let Some(counter) = message.counter() else { return false };
        match self.counter {
            Some(own) => own != counter,
            // The source key of a message that came from another mailbox says nothing about its id here.
            None => self.source_key.namespace == message.namespace && self.source_key != *message,
        }
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
