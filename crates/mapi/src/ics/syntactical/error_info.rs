use watertight_wire::{Guid, Reader, WireError, Writer, to_usize};

use super::{
    Event,
    production::{Context, Input, Production, Step, StepResult, Subject},
};
use crate::{GlobCnt, MapiCode, PropTag, ics::Xid};

/// ExtendedErrorInfo — [MS-OXCFXICS] 2.2.2.10: why an object is not in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedErrorInfo {
    /// ErrorCode.
    pub code: MapiCode,
    /// FolderGID: the folder in context.
    pub folder: Option<Xid>,
    /// MessageGID: the message in context.
    pub message: Option<Xid>,
    /// AuxBytes: the server's diagnostics.
    pub aux: Vec<u8>,
}

impl ExtendedErrorInfo {
    /// The property that carries it: type PtypBinary, identifier 0.
    pub const TAG: PropTag = PropTag(0x0000_0102);

    /// Bytes before AuxBytes.
    const FIXED: u32 = 88;

    /// Reads the structure.
    ///
    /// # Errors
    /// Truncation; AuxBytes that lie outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "ExtendedErrorInfo");
        r.u16("Version")?;
        r.u16("Padding1")?;
        let code = MapiCode(r.u32("ErrorCode")?);
        let folder = gid(&mut r, "FolderGID")?;
        r.u16("Padding2")?;
        let message = gid(&mut r, "MessageGID")?;
        r.u16("Padding3")?;
        r.bytes(24, "Reserved")?;
        let count = to_usize(r.u32("AuxBytesCount")?);
        let offset = to_usize(r.u32("AuxBytesOffset")?);
        let aux = if count == 0 {
            Vec::new()
        } else {
            let mut at = Reader::new(bytes, "ExtendedErrorInfo");
            at.bytes(offset, "AuxBytesOffset")?;
            at.bytes(count, "AuxBytes")?.to_vec()
        };
        Ok(Self { code, folder, message, aux })
    }

    /// The structure's bytes.
    ///
    /// # Errors
    /// Diagnostics of 4 GiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut w = Writer::new();
        w.u32(0);
        w.u32(self.code.0);
        for object in [&self.folder, &self.message] {
            let counter = object.as_ref().and_then(Xid::counter).unwrap_or_default();
            w.guid(object.as_ref().map_or(Guid::NIL, |xid| xid.namespace));
            w.bytes(&counter.to_bytes());
            w.u16(0);
        }
        w.bytes(&[0; 24]);
        w.len32(self.aux.len(), "AuxBytesCount")?;
        w.u32(if self.aux.is_empty() { 0 } else { Self::FIXED });
        w.bytes(&self.aux);
        Ok(w.into_bytes())
    }
}

/// GID; all zero where no object was in context.
fn gid(r: &mut Reader<'_>, field: &'static str) -> Result<Option<Xid>, WireError> {
    let guid = r.guid(field)?;
    let counter = GlobCnt::from_bytes(r.array(field)?);
    let none = guid == Guid::NIL && counter.value() == 0;
    Ok(if none { None } else { Some(Xid::from_counter(guid, counter)) })
}

/// errorInfo — [MS-OXCFXICS] 2.2.4.3.4, after its marker.
pub(super) struct ErrorInfo {
    /// The message before it, when that is whole as it is.
    before: Option<Subject>,
}

impl ErrorInfo {
    pub(super) const fn new(before: Option<Subject>) -> Self {
        Self { before }
    }
}

impl Production for ErrorInfo {
    fn name(&self) -> &'static str {
        "errorInfo"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(def, value) if def.tag == ExtendedErrorInfo::TAG => {
                let info = ExtendedErrorInfo::from_bytes(&value.into_bytes())?;
                // A change has no end of its own. The error of another message is the end of one that is whole.
                if let (Some(before), Some(failed)) = (&self.before, &info.message)
                    && before.is_not(failed)
                {
                    cx.event(Event::MessageEnd);
                }
                cx.event(Event::ObjectFailed(Box::new(info)));
                Step::Done
            }
            other => Step::Refused(other),
        })
    }
}
