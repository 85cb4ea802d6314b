use watertight_wire::{FileTime, WireError};

use super::production::{bad_value, missing};
use crate::{
    Mid, PropTag, PropValue,
    ics::{PredecessorChangeList, Xid},
    id::Cn,
    prop::{PropBag, tags},
};

/// messageChangeHeader — [MS-OXCFXICS] 2.2.4.3.14: which message changed, and to which version.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeHeader {
    /// PidTagSourceKey.
    pub source_key: Xid,
    /// PidTagLastModificationTime.
    pub modified: FileTime,
    /// PidTagChangeKey.
    pub change_key: Xid,
    /// PidTagPredecessorChangeList.
    pub predecessors: PredecessorChangeList,
    /// PidTagAssociated: whether it is an FAI message.
    pub associated: bool,
    /// PidTagMid, when the Eid flag asked for it.
    pub mid: Option<Mid>,
    /// PidTagMessageSize in bytes, when the MessageSize flag asked for it.
    pub size: Option<u32>,
    /// PidTagChangeNumber, when the CN flag asked for it.
    pub change_number: Option<Cn>,
}

impl ChangeHeader {
    /// From the element's properties; others are ignored.
    pub(super) fn from_props(props: &PropBag) -> Result<Self, WireError> {
        Ok(Self {
            source_key: xid(props, tags::SOURCE_KEY, "PidTagSourceKey")?,
            modified: time(props, tags::LAST_MODIFICATION_TIME, "PidTagLastModificationTime")?,
            change_key: xid(props, tags::CHANGE_KEY, "PidTagChangeKey")?,
            predecessors: predecessors(props)?,
            associated: props.bool(tags::ASSOCIATED).ok_or_else(|| missing("PidTagAssociated"))?,
            mid: id(props, tags::MID).map(Mid::from_u64),
            size: props.int(tags::MESSAGE_SIZE).map(i32::cast_unsigned),
            change_number: id(props, tags::CHANGE_NUMBER).map(Cn::from_u64),
        })
    }
}

/// The value of a required XID.
pub(super) fn xid(props: &PropBag, tag: PropTag, field: &'static str) -> Result<Xid, WireError> {
    let bytes = props.binary(tag).ok_or_else(|| missing(field))?;
    Xid::from_bytes(bytes).map_err(|_| bad_value(field, tag))
}

/// The value of PidTagPredecessorChangeList.
pub(super) fn predecessors(props: &PropBag) -> Result<PredecessorChangeList, WireError> {
    const FIELD: &str = "PidTagPredecessorChangeList";
    let bytes = props.binary(tags::PREDECESSOR_CHANGE_LIST).ok_or_else(|| missing(FIELD))?;
    PredecessorChangeList::from_bytes(bytes).map_err(|_| bad_value(FIELD, tags::PREDECESSOR_CHANGE_LIST))
}

/// The value of a required PtypTime.
pub(super) fn time(props: &PropBag, tag: PropTag, field: &'static str) -> Result<FileTime, WireError> {
    match props.get(tag) {
        Some(PropValue::Time(time)) => Ok(*time),
        _ => Err(missing(field)),
    }
}

/// The 64 bits of an identifier.
pub(super) fn id(props: &PropBag, tag: PropTag) -> Option<u64> {
    match props.get(tag)? {
        PropValue::I64(id) => Some(id.cast_unsigned()),
        _ => None,
    }
}
