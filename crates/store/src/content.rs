//! What both stores do with a message before it is kept.

use watertight_mapi::{
    GlobCnt, PropTag, PropType, PropValue,
    prop::{Prop, PropBag, PropData, tags},
    store::{Attachment, INLINE_LIMIT, MessageContent, StoreError, StoreResult},
};
use watertight_wire::{FileTime, Guid, to_u64};

/// How deep messages may lie in messages.
pub(crate) const MAX_DEPTH: usize = 32;

/// The properties that the store computes: whatever a caller gives for them is dropped.
const COMPUTED: [PropTag; 15] = [
    tags::MESSAGE_SIZE,
    tags::CHANGE_KEY,
    tags::PREDECESSOR_CHANGE_LIST,
    tags::CHANGE_NUMBER,
    tags::MID,
    tags::FOLDER_ID,
    tags::PARENT_FOLDER_ID,
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::HAS_ATTACHMENTS,
    tags::READ,
    tags::ASSOCIATED,
    tags::ENTRY_ID,
    tags::PARENT_ENTRY_ID,
    tags::INSTANCE_KEY,
];

/// Checks a message, drops what the store computes, and gives it a search key where it has none: the old one of
/// the message, else one made of its first id.
pub(crate) fn prepare(content: &mut MessageContent, search_key: Vec<u8>) -> StoreResult<()> {
    content.props.0.retain(|p| p.name.is_some() || !COMPUTED.iter().any(|tag| tag.id() == p.tag.id()));
    if content.props.find(tags::SEARCH_KEY).is_none() {
        content.props.set(tags::SEARCH_KEY, search_key);
    }
    visit(content, &mut |prop| check(prop))
}

/// The search key of a message that came without one: unique, as the counter is in the replica.
pub(crate) fn search_key(repl_guid: Guid, id: GlobCnt) -> Vec<u8> {
    let mut key = repl_guid.to_bytes();
    let (_, tail) = key.split_at_mut(10);
    for (byte, of_id) in tail.iter_mut().zip(id.to_bytes()) {
        *byte ^= of_id;
    }
    key.to_vec()
}

fn check(prop: &Prop) -> StoreResult<()> {
    let fits = match &prop.value {
        PropData::Inline(value) => value.ty() == prop.tag.ty(),
        PropData::Large(_) => matches!(
            prop.tag.ty(),
            PropType::Binary | PropType::Object | PropType::Unicode | PropType::String8
        ),
    };
    if fits {
        Ok(())
    } else {
        Err(StoreError::Invalid(format!("{}: the value is not of that type", prop.tag)))
    }
}

/// Visits every property of a message: its own, its recipients', its attachments', and so on inwards.
pub(crate) fn visit(
    content: &MessageContent,
    f: &mut dyn FnMut(&Prop) -> StoreResult<()>,
) -> StoreResult<()> {
    fn level(
        content: &MessageContent,
        depth: usize,
        f: &mut dyn FnMut(&Prop) -> StoreResult<()>,
    ) -> StoreResult<()> {
        content.props.0.iter().try_for_each(&mut *f)?;
        content.recipients.iter().flat_map(|r| &r.0).try_for_each(&mut *f)?;
        for attachment in &content.attachments {
            attachment.props.0.iter().try_for_each(&mut *f)?;
            if let Some(inner) = &attachment.embedded {
                level(inner, deeper(depth)?, f)?;
            }
        }
        Ok(())
    }
    level(content, 0, f)
}

/// Visits every property of a message to change it, in the order of [`visit`].
pub(crate) fn visit_mut(
    content: &mut MessageContent,
    f: &mut dyn FnMut(&mut Prop) -> StoreResult<()>,
) -> StoreResult<()> {
    fn level(
        content: &mut MessageContent,
        depth: usize,
        f: &mut dyn FnMut(&mut Prop) -> StoreResult<()>,
    ) -> StoreResult<()> {
        content.props.0.iter_mut().try_for_each(&mut *f)?;
        content.recipients.iter_mut().flat_map(|r| &mut r.0).try_for_each(&mut *f)?;
        for attachment in &mut content.attachments {
            attachment.props.0.iter_mut().try_for_each(&mut *f)?;
            if let Some(inner) = &mut attachment.embedded {
                level(inner, deeper(depth)?, f)?;
            }
        }
        Ok(())
    }
    level(content, 0, f)
}

fn deeper(depth: usize) -> StoreResult<usize> {
    let depth = depth.saturating_add(1);
    if depth > MAX_DEPTH {
        return Err(StoreError::Invalid(format!("messages lie in messages more than {MAX_DEPTH} deep")));
    }
    Ok(depth)
}

/// The bytes of an inline value that is so long that it must live out of line; the value is left empty.
pub(crate) fn take_large(value: &mut PropValue) -> Option<Vec<u8>> {
    take_above(INLINE_LIMIT, value)
}

fn take_above(limit: usize, value: &mut PropValue) -> Option<Vec<u8>> {
    match value {
        PropValue::Binary(bytes) | PropValue::Object(bytes) | PropValue::String8(bytes)
            if bytes.len() > limit =>
        {
            Some(std::mem::take(bytes))
        }
        PropValue::Unicode(text) if text.len() > limit / 2 => {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            (bytes.len() > limit).then_some(bytes)
        }
        _ => None,
    }
}

/// Bytes of inline values that a message may have before shorter ones too live out of line.
const INLINE_TOTAL: u64 = 512 * 1024;
/// Values up to so many bytes are inline always.
const SHORT: usize = 4 * 1024;

/// What of one message is held in one piece: a message of a thousand pictures is no more of a burden than one of ten.
#[derive(Default)]
pub(crate) struct Inline {
    bytes: u64,
}

impl Inline {
    /// As [`take_large`], for one value of the message after another.
    pub(crate) fn take_large(&mut self, value: &mut PropValue) -> Option<Vec<u8>> {
        let full = self.bytes >= INLINE_TOTAL;
        let taken = take_above(if full { SHORT } else { INLINE_LIMIT }, value);
        if taken.is_none() {
            self.bytes = self.bytes.saturating_add(value_size(value));
        }
        taken
    }
}

/// PidTagMessageDeliveryTime.
pub(crate) fn delivered(content: &MessageContent) -> Option<FileTime> {
    match content.props.get(tags::MESSAGE_DELIVERY_TIME)? {
        PropValue::Time(time) => Some(*time),
        _ => None,
    }
}

/// PidTagMessageSizeExtended: the bytes of all values, strings as UTF-16.
pub(crate) fn size(content: &MessageContent) -> u64 {
    let bag = |bag: &PropBag| bag.0.iter().map(prop_size).fold(0, u64::saturating_add);
    let attachment = |a: &Attachment| bag(&a.props).saturating_add(a.embedded.as_deref().map_or(0, size));
    let recipients = content.recipients.iter().map(bag).fold(0, u64::saturating_add);
    let attachments = content.attachments.iter().map(attachment).fold(0, u64::saturating_add);
    bag(&content.props).saturating_add(recipients).saturating_add(attachments)
}

fn prop_size(prop: &Prop) -> u64 {
    match &prop.value {
        PropData::Inline(value) => value_size(value),
        PropData::Large(large) => large.len,
    }
}

/// How many bytes a value has.
pub(crate) fn value_size(value: &PropValue) -> u64 {
    let units = |s: &String| if s.is_ascii() { s.len() } else { s.encode_utf16().count() };
    let text = |s: &String| to_u64(units(s)).saturating_mul(2);
    let times = |n: usize, of: u64| to_u64(n).saturating_mul(of);
    match value {
        PropValue::Null => 0,
        PropValue::I16(_) => 2,
        PropValue::Bool(_) => 1,
        PropValue::I32(_) | PropValue::F32(_) | PropValue::Error(_) => 4,
        PropValue::F64(_)
        | PropValue::Currency(_)
        | PropValue::FloatingTime(_)
        | PropValue::I64(_)
        | PropValue::Time(_) => 8,
        PropValue::Guid(_) => 16,
        PropValue::Unicode(s) => text(s),
        PropValue::Object(b)
        | PropValue::String8(b)
        | PropValue::ServerId(b)
        | PropValue::Restriction(b)
        | PropValue::RuleAction(b)
        | PropValue::Binary(b) => to_u64(b.len()),
        PropValue::MvI16(v) => times(v.len(), 2),
        PropValue::MvI32(v) => times(v.len(), 4),
        PropValue::MvF32(v) => times(v.len(), 4),
        PropValue::MvF64(v) | PropValue::MvFloatingTime(v) => times(v.len(), 8),
        PropValue::MvCurrency(v) | PropValue::MvI64(v) => times(v.len(), 8),
        PropValue::MvTime(v) => times(v.len(), 8),
        PropValue::MvGuid(v) => times(v.len(), 16),
        PropValue::MvString8(v) | PropValue::MvBinary(v) => v.iter().map(|b| to_u64(b.len())).sum(),
        PropValue::MvUnicode(v) => v.iter().map(text).sum(),
    }
}
