//! What both stores do for contents views: which properties a row has, how rows are compared and chosen.

use std::{borrow::Cow, cmp::Ordering};

use watertight_mapi::{
    PropTag, PropValue,
    prop::{Prop, PropBag, PropData, tags},
    restriction::{PropSource, Restriction},
    store::{ItemKind, MessageContent, MessageHead, SortColumn},
};

use crate::content;

/// PidTagMessageFlags — [MS-OXCMSG] 2.2.1.6: mfRead, mfHasAttach, mfFAI, which follow from the head.
const MF_READ: i32 = 0x01;
const MF_HAS_ATTACH: i32 = 0x10;
const MF_FAI: i32 = 0x40;

/// A message as restrictions see it: its properties with those that the store computes.
struct Source<'a> {
    head: &'a MessageHead,
    content: &'a MessageContent,
}

impl PropSource for Source<'_> {
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>> {
        match head_value(self.head, &self.content.props, tag) {
            Some(value) => Some(Cow::Owned(value)),
            None => self.content.props.prop(tag),
        }
    }

    fn size(&self, tag: PropTag) -> Option<u64> {
        match head_value(self.head, &self.content.props, tag) {
            Some(value) => Some(content::value_size(&value)),
            None => self.content.props.size(tag),
        }
    }

    fn any_subobject(&self, tag: PropTag, f: &mut dyn FnMut(&dyn PropSource) -> bool) -> bool {
        if tag.id() == tags::MESSAGE_RECIPIENTS.id() {
            self.content.recipients.iter().any(|r| f(r))
        } else if tag.id() == tags::MESSAGE_ATTACHMENTS.id() {
            self.content.attachments.iter().any(|a| f(&a.props))
        } else {
            false
        }
    }
}

/// The value of a property that follows from the head.
fn head_value(head: &MessageHead, props: &PropBag, tag: PropTag) -> Option<PropValue> {
    let same = |other: PropTag| tag.id() == other.id();
    if tag.is_named() {
        None
    } else if same(tags::MESSAGE_SIZE) {
        Some(if tag.ty() == tags::MESSAGE_SIZE_EXTENDED.ty() {
            PropValue::I64(i64::try_from(head.size).unwrap_or(i64::MAX))
        } else {
            PropValue::I32(i32::try_from(head.size).unwrap_or(i32::MAX))
        })
    } else if same(tags::CREATION_TIME) {
        Some(PropValue::Time(head.created))
    } else if same(tags::LAST_MODIFICATION_TIME) {
        Some(PropValue::Time(head.modified))
    } else if same(tags::MESSAGE_DELIVERY_TIME) {
        head.delivered.map(PropValue::Time)
    } else if same(tags::HAS_ATTACHMENTS) {
        Some(PropValue::Bool(head.has_attachments))
    } else if same(tags::READ) {
        Some(PropValue::Bool(head.read))
    } else if same(tags::ASSOCIATED) {
        Some(PropValue::Bool(head.kind == ItemKind::Associated))
    } else if same(tags::MESSAGE_FLAGS) {
        let bit = |on: bool, bit: i32| if on { bit } else { 0 };
        let stored = props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & !(MF_READ | MF_HAS_ATTACH | MF_FAI);
        Some(PropValue::I32(
            stored
                | bit(head.read, MF_READ)
                | bit(head.has_attachments, MF_HAS_ATTACH)
                | bit(head.kind == ItemKind::Associated, MF_FAI),
        ))
    } else if same(tags::CHANGE_KEY) {
        Some(PropValue::Binary(head.change_key.to_bytes()))
    } else {
        None
    }
}

/// Whether a sort order needs nothing but the head.
pub(crate) fn sorts_by_head(sort: &[SortColumn]) -> bool {
    let by_head = [
        tags::MESSAGE_SIZE,
        tags::CREATION_TIME,
        tags::LAST_MODIFICATION_TIME,
        tags::MESSAGE_DELIVERY_TIME,
        tags::HAS_ATTACHMENTS,
        tags::READ,
        tags::CHANGE_KEY,
    ];
    sort.iter().all(|column| by_head.iter().any(|tag| tag.id() == column.tag.id()))
}

/// What a message is sorted by: one value for each column.
pub(crate) struct SortKey {
    values: Vec<Option<PropValue>>,
    delivered: Option<u64>,
    pub(crate) id: u64,
}

impl SortKey {
    /// The key of a message.
    pub(crate) fn new(head: &MessageHead, props: &PropBag, sort: &[SortColumn]) -> Self {
        let value = |column: &SortColumn| {
            head_value(head, props, column.tag).or_else(|| match &find(props, column.tag)?.value {
                PropData::Inline(value) => Some(folded(value)),
                PropData::Large(_) => None,
            })
        };
        Self {
            values: sort.iter().map(value).collect(),
            delivered: head.delivered.map(|time| time.0),
            id: head.id.0.value(),
        }
    }
}

/// The ids in the order of the view.
pub(crate) fn sorted(mut keys: Vec<SortKey>, sort: &[SortColumn]) -> Vec<u64> {
    keys.sort_by(|a, b| {
        if sort.is_empty() {
            return b.delivered.cmp(&a.delivered).then(a.id.cmp(&b.id));
        }
        let columns = a.values.iter().zip(&b.values).zip(sort);
        columns
            .map(|((a, b), column)| {
                let order = compare(a.as_ref(), b.as_ref());
                if column.descending { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
            .then(a.id.cmp(&b.id))
    });
    keys.into_iter().map(|key| key.id).collect()
}

/// The property of that tag, named or not, as this mailbox numbers it.
pub(crate) fn find(props: &PropBag, tag: PropTag) -> Option<&Prop> {
    props.0.iter().find(|p| p.tag.id() == tag.id())
}

/// Those of the wanted properties that the message has.
pub(crate) fn columns(props: PropBag, wanted: &[PropTag]) -> PropBag {
    PropBag(props.0.into_iter().filter(|p| wanted.iter().any(|tag| tag.id() == p.tag.id())).collect())
}

/// Whether a message matches.
pub(crate) fn matches(
    restriction: Option<&Restriction>,
    head: &MessageHead,
    content: &MessageContent,
) -> bool {
    restriction.is_none_or(|r| r.matches(&Source { head, content }))
}

/// The value that strings are compared by: without case, of bounded length.
fn folded(value: &PropValue) -> PropValue {
    match value {
        PropValue::Unicode(text) => {
            PropValue::Unicode(text.chars().take(255).flat_map(char::to_lowercase).collect())
        }
        PropValue::Binary(bytes) => PropValue::Binary(bytes.iter().take(510).copied().collect()),
        other => other.clone(),
    }
}

/// Values of one property in order; what is missing comes first, values of other types last.
fn compare(a: Option<&PropValue>, b: Option<&PropValue>) -> Ordering {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return a.is_some().cmp(&b.is_some()),
    };
    match (a, b) {
        (PropValue::I16(a), PropValue::I16(b)) => a.cmp(b),
        (PropValue::I32(a), PropValue::I32(b)) => a.cmp(b),
        (PropValue::I64(a), PropValue::I64(b)) | (PropValue::Currency(a), PropValue::Currency(b)) => a.cmp(b),
        (PropValue::F32(a), PropValue::F32(b)) => a.total_cmp(b),
        (PropValue::F64(a), PropValue::F64(b)) | (PropValue::FloatingTime(a), PropValue::FloatingTime(b)) => {
            a.total_cmp(b)
        }
        (PropValue::Bool(a), PropValue::Bool(b)) => a.cmp(b),
        (PropValue::Time(a), PropValue::Time(b)) => a.cmp(b),
        (PropValue::Guid(a), PropValue::Guid(b)) => a.cmp(b),
        (PropValue::Unicode(a), PropValue::Unicode(b)) => a.cmp(b),
        (PropValue::Error(a), PropValue::Error(b)) => a.0.cmp(&b.0),
        (PropValue::Binary(a), PropValue::Binary(b))
        | (PropValue::String8(a), PropValue::String8(b))
        | (PropValue::Object(a), PropValue::Object(b))
        | (PropValue::ServerId(a), PropValue::ServerId(b)) => a.cmp(b),
        (PropValue::MvUnicode(a), PropValue::MvUnicode(b)) => a.cmp(b),
        (PropValue::MvI32(a), PropValue::MvI32(b)) => a.cmp(b),
        (a, b) => a.ty().0.cmp(&b.ty().0),
    }
}
