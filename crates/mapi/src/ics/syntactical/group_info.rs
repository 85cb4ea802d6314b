use std::sync::Arc;

use watertight_wire::{Reader, WireError, WireErrorKind, Writer, to_usize};

use super::production::{Context, Input, Production, Step, StepResult};
use crate::{
    PropTag,
    ics::lexical::PropDef,
    prop::{PropName, PropNameKind, tags},
};

/// Mappings that one stream may define; a server has one or two.
const MAX_MAPPINGS: usize = 64;

/// PropertyGroupInfo — [MS-OXCFXICS] 2.2.2.8: which properties change together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyGroupInfo {
    /// GroupId.
    pub id: u32,
    /// Groups: the properties of each.
    pub groups: Vec<Vec<PropDef>>,
}

impl PropertyGroupInfo {
    /// The properties of the group with that index, those that stand for recipients and attachments left out: these
    /// are deleted by MetaTagFXDelProp.
    pub(super) fn group(&self, index: u32) -> Option<Vec<PropDef>> {
        let children = [tags::MESSAGE_RECIPIENTS.id(), tags::MESSAGE_ATTACHMENTS.id()];
        let group = self.groups.get(to_usize(index))?;
        Some(group.iter().filter(|def| !children.contains(&def.id())).cloned().collect())
    }

    /// Reads the structure.
    ///
    /// # Errors
    /// Truncation, counts that cannot be, an unknown kind of name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "PropertyGroupInfo");
        let id = r.u32("GroupId")?;
        r.u32("Reserved")?;
        let count = to_usize(r.u32("GroupCount")?);
        let count = r.count(count, 4, "GroupCount")?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let tags = to_usize(r.u32("PropertyTagCount")?);
            let tags = r.count(tags, 4, "PropertyTagCount")?;
            let mut group = Vec::new();
            for _ in 0..tags {
                let tag = PropTag(r.u32("PropertyTag")?);
                let name = if tag.is_named() { Some(Arc::new(read_name(&mut r)?)) } else { None };
                group.push(PropDef { tag, name });
            }
            groups.push(group);
        }
        r.finish()?;
        Ok(Self { id, groups })
    }

    /// The structure's bytes.
    ///
    /// # Errors
    /// More than 2^32 of anything.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut w = Writer::new();
        w.u32(self.id);
        w.u32(0);
        w.len32(self.groups.len(), "GroupCount")?;
        for group in &self.groups {
            w.len32(group.len(), "PropertyTagCount")?;
            for def in group {
                w.u32(def.tag.0);
                if let Some(name) = &def.name {
                    w.guid(name.guid);
                    match &name.kind {
                        PropNameKind::Lid(lid) => {
                            w.u32(0);
                            w.u32(*lid);
                        }
                        PropNameKind::Name(text) => {
                            w.u32(1);
                            let mut utf16 = Writer::new();
                            utf16.utf16(text);
                            w.bytes32(utf16.as_slice(), "NameSize")?;
                        }
                    }
                }
            }
        }
        Ok(w.into_bytes())
    }
}

/// GroupPropertyName — [MS-OXCFXICS] 2.2.2.8.1.1.
fn read_name(r: &mut Reader<'_>) -> Result<PropName, WireError> {
    let guid = r.guid("GUID")?;
    let kind = match r.u32("Kind")? {
        0 => PropNameKind::Lid(r.u32("LID")?),
        1 => {
            let text = Reader::decode_utf16le(r.bytes32("NameSize")?);
            PropNameKind::Name(text.trim_end_matches('\0').to_owned())
        }
        other => return Err(r.error("Kind", WireErrorKind::Invalid { value: other.into() })),
    };
    Ok(PropName { guid, kind })
}

/// groupInfo — [MS-OXCFXICS] 2.2.4.3.8.
pub(super) struct GroupInfo;

impl Production for GroupInfo {
    fn name(&self) -> &'static str {
        "groupInfo"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(def, value) if def.tag == PropTag(0x0000_0102) => {
                let mapping = PropertyGroupInfo::from_bytes(&value.into_bytes())?;
                if cx.groups.len() >= MAX_MAPPINGS && !cx.groups.contains_key(&mapping.id) {
                    let (len, max) = (cx.groups.len().saturating_add(1), MAX_MAPPINGS);
                    return Err(WireError::new("", "GroupId", 0, WireErrorKind::TooLarge { len, max }));
                }
                cx.groups.insert(mapping.id, Arc::new(mapping));
                Step::Done
            }
            other => Step::Refused(other),
        })
    }
}
