use watertight_mapi::{
    PropId, PropTag, PropValue,
    ics::{Xid, lexical::Marker},
    id::Mid,
    prop::{Prop, PropBag, PropData, tags},
    store::{Attachment, ItemKind, MessageContent, MessageHead},
};

use super::{filter::Filter, output::Output, source::Replica};

/// PidTagMessageFlags — [MS-OXCMSG] 2.2.1.6: mfRead, mfHasAttach, mfFAI follow from what the message is.
const MF_READ: i32 = 0x01;
const MF_HAS_ATTACH: i32 = 0x10;
const MF_FAI: i32 = 0x40;

/// How a message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MessageForm {
    /// MetaTagFXDelProp before recipients and attachments.
    pub(super) fx_del: bool,
    /// Only the body in its original format.
    pub(super) best_body: bool,
}

/// The parts of messageContent: properties, recipients, attachments. Properties that the head gives are not among
/// those of `content`; `computed` come in front.
pub(super) fn message(
    out: &mut Output,
    head: Option<&MessageHead>,
    content: MessageContent,
    filter: &Filter,
    form: MessageForm,
) {
    let MessageContent { mut props, recipients, attachments } = content;
    props.set(tags::MESSAGE_FLAGS, flags(head, &props, !attachments.is_empty()));
    if let Some(head) = head {
        props.set(tags::CREATION_TIME, head.created);
        props.set(tags::LAST_MODIFICATION_TIME, head.modified);
    }
    if form.best_body {
        best_body(&mut props);
    }
    for prop in props.0 {
        if is_transmitted(prop.tag) && filter.includes(prop.tag) {
            out.prop(prop);
        }
    }
    if filter.includes(tags::MESSAGE_RECIPIENTS) {
        if form.fx_del {
            out.value(tags::META_TAG_FX_DEL_PROP, tags::MESSAGE_RECIPIENTS.0.cast_signed());
        }
        for (row, props) in (0_i32..).zip(recipients) {
            recipient(out, row, props);
        }
    }
    if filter.includes(tags::MESSAGE_ATTACHMENTS) {
        if form.fx_del {
            out.value(tags::META_TAG_FX_DEL_PROP, tags::MESSAGE_ATTACHMENTS.0.cast_signed());
        }
        for one in attachments {
            out.marker(Marker::NewAttach);
            out.value(tags::ATTACH_NUMBER, one.number.cast_signed());
            attachment(out, one, &Filter::ALL, form);
            out.marker(Marker::EndAttach);
        }
    }
}

/// The parts of attachmentContent.
pub(super) fn attachment(out: &mut Output, attachment: Attachment, filter: &Filter, form: MessageForm) {
    for prop in attachment.props.0 {
        let own = prop.tag.id() != tags::ATTACH_NUMBER.id();
        // PidTagAttachDataObject has no bytes of its own beside an embedded message.
        let data = attachment.embedded.is_some() && prop.tag == tags::ATTACH_DATA_OBJECT;
        if own && !data && filter.includes(prop.tag) {
            out.prop(prop);
        }
    }
    if let Some(inner) = attachment.embedded
        && filter.includes(tags::ATTACH_DATA_OBJECT)
    {
        out.marker(Marker::StartEmbed);
        // PidTagMid of an embedded message means nothing (2.2.4.3.16).
        out.value(tags::MID, 0_i64);
        message(out, None, *inner, &Filter::ALL, form);
        out.marker(Marker::EndEmbed);
    }
}

fn recipient(out: &mut Output, row: i32, props: PropBag) {
    out.marker(Marker::StartRecip);
    out.value(tags::ROWID, row);
    for prop in props.0 {
        if prop.tag.id() != tags::ROWID.id() {
            out.prop(prop);
        }
    }
    out.marker(Marker::EndToRecip);
}

/// messageChangeHeader — [MS-OXCFXICS] 2.2.4.3.14: what is always there; the rest is asked for by flags.
pub(super) fn change_header(out: &mut Output, head: &MessageHead, source_key: Vec<u8>) {
    out.value(tags::SOURCE_KEY, source_key);
    out.value(tags::LAST_MODIFICATION_TIME, head.modified);
    out.value(tags::CHANGE_KEY, head.change_key.to_bytes());
    out.value(tags::PREDECESSOR_CHANGE_LIST, head.predecessors.to_bytes().unwrap_or_default());
    out.value(tags::ASSOCIATED, head.kind == ItemKind::Associated);
}

/// PidTagMid of a message.
pub(super) fn mid(head: &MessageHead, replica: Replica) -> PropValue {
    PropValue::I64(Mid::new(replica.id, head.id.0).to_u64().cast_signed())
}

/// PidTagMessageSize of a message; messages of 2 GiB and more say 2 GiB.
pub(super) fn size(head: &MessageHead) -> i32 {
    i32::try_from(head.size).unwrap_or(i32::MAX)
}

/// PidTagSourceKey: the persisted one, or that of the message's id — [MS-OXCFXICS] 3.2.5.5.
pub(super) fn source_key(head: &MessageHead, persisted: Option<&[u8]>, replica: Replica) -> Vec<u8> {
    persisted.map_or_else(|| Xid::from_counter(replica.guid, head.id.0).to_bytes(), <[u8]>::to_vec)
}

fn flags(head: Option<&MessageHead>, props: &PropBag, has_attachments: bool) -> i32 {
    let stored = props.int(tags::MESSAGE_FLAGS).unwrap_or(0);
    let bit = |on: bool, bit: i32| if on { bit } else { 0 };
    let Some(head) = head else { return (stored & !MF_HAS_ATTACH) | bit(has_attachments, MF_HAS_ATTACH) };
    (stored & !(MF_READ | MF_HAS_ATTACH | MF_FAI))
        | bit(head.read, MF_READ)
        | bit(has_attachments, MF_HAS_ATTACH)
        | bit(head.kind == ItemKind::Associated, MF_FAI)
}

/// PidTagNativeBody says in which format the body came — [MS-OXBBODY] 2.1.1.1; the others are left out.
fn best_body(props: &mut PropBag) {
    let rtf = tags::RTF_COMPRESSED;
    let (best, others) = match props.int(tags::NATIVE_BODY) {
        Some(1) => (tags::BODY, [rtf, tags::HTML]),
        Some(2) => (rtf, [tags::BODY, tags::HTML]),
        Some(3) => (tags::HTML, [tags::BODY, rtf]),
        _ => return,
    };
    if props.find(best).is_some() {
        for other in others {
            props.remove(other);
        }
    }
}

/// Whether a property of a message goes into streams: the provider-defined range of internal ones does not
/// ([MS-OXCFXICS] 3.2.5.12), nor what the header of a change says already.
fn is_transmitted(tag: PropTag) -> bool {
    let in_header = [
        tags::SOURCE_KEY,
        tags::CHANGE_KEY,
        tags::PREDECESSOR_CHANGE_LIST,
        tags::MESSAGE_SIZE,
        tags::ENTRY_ID,
        tags::PARENT_ENTRY_ID,
    ];
    !(PropId(0x6700)..=PropId(0x67FF)).contains(&tag.id()) && !in_header.iter().any(|t| t.id() == tag.id())
}

/// Whether a value that is kept inline is there, for a property of a bag.
pub(super) fn persisted_source_key(props: &PropBag) -> Option<Vec<u8>> {
    match &props.find(tags::SOURCE_KEY)? {
        Prop { value: PropData::Inline(PropValue::Binary(key)), .. } => Some(key.clone()),
        _ => None,
    }
}
