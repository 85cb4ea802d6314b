use watertight_wire::{Reader, WireError, Writer};

use super::{
    Event,
    production::{Context, Input, Production, Step, StepResult},
    prop_list::number,
};
use crate::{PropTag, PropValue, ics::lexical::RawValue};

/// ProgressInformation — [MS-OXCFXICS] 2.2.2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgressInformation {
    /// FAIMessageCount.
    pub fai_count: u32,
    /// FAIMessageTotalSize, in bytes.
    pub fai_size: u64,
    /// NormalMessageCount.
    pub normal_count: u32,
    /// NormalMessageTotalSize, in bytes.
    pub normal_size: u64,
}

impl ProgressInformation {
    /// The property that carries it: type PtypBinary, identifier 0.
    pub const TAG: PropTag = PropTag(0x0000_0102);

    /// Reads the structure.
    ///
    /// # Errors
    /// Fewer than 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "ProgressInformation");
        r.u16("Version")?;
        r.u16("Padding1")?;
        let fai_count = r.u32("FAIMessageCount")?;
        let fai_size = r.u64("FAIMessageTotalSize")?;
        let normal_count = r.u32("NormalMessageCount")?;
        r.u32("Padding2")?;
        let normal_size = r.u64("NormalMessageTotalSize")?;
        Ok(Self { fai_count, fai_size, normal_count, normal_size })
    }

    /// The structure's 32 bytes.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut w = Writer::with_capacity(32);
        w.u32(0);
        w.u32(self.fai_count);
        w.u64(self.fai_size);
        w.u32(self.normal_count);
        w.u32(0);
        w.u64(self.normal_size);
        w.into_bytes()
    }
}

/// progressTotal — [MS-OXCFXICS] 2.2.4.3.19.
pub(super) struct ProgressTotal;

impl Production for ProgressTotal {
    fn name(&self) -> &'static str {
        "progressTotal"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(def, value) if def.tag == ProgressInformation::TAG => {
                cx.event(Event::ProgressTotal(ProgressInformation::from_bytes(&value.into_bytes())?));
                Step::Done
            }
            other => Step::Refused(other),
        })
    }
}

/// progressPerMessage — [MS-OXCFXICS] 2.2.4.3.18.
#[derive(Default)]
pub(super) struct ProgressPerMessage {
    size: Option<u32>,
}

impl ProgressPerMessage {
    /// The size of the message that follows.
    pub(super) const SIZE: PropTag = PropTag(0x0000_0003);
    /// Whether it is FAI.
    pub(super) const FAI: PropTag = PropTag(0x0000_000B);
}

impl Production for ProgressPerMessage {
    fn name(&self) -> &'static str {
        "progressPerMessage"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match (self.size, input) {
            (None, Input::Prop(def, value)) if def.tag == Self::SIZE => {
                self.size = number(&value);
                Step::Taken
            }
            (Some(size), Input::Prop(def, RawValue::Fixed(PropValue::Bool(associated))))
                if def.tag == Self::FAI =>
            {
                cx.event(Event::ProgressMessage { size, associated });
                Step::Done
            }
            (_, other) => Step::Refused(other),
        })
    }
}
