//! Properties that follow from what an object is and where it lies.

use watertight_mapi::{
    GlobCnt, PropTag, PropType, PropValue,
    prop::{PropBag, PropData, tags},
    store::{Attachment, Folder, FolderId, FolderKind, ItemKind, MessageHead, SpecialFolder},
};

use super::super::{
    logon::{Logon, known_type},
    object::{MessageObject, MessageState, Place},
    value,
};

/// PidTagAccess of a folder — [MS-OXCPERM] 2.2.1: MODIFY, READ, DELETE, CREATE_HIERARCHY, CREATE_CONTENTS, CREATE_ASSOCIATED.
const FOLDER_ACCESS: i32 = 0x3f;
/// PidTagAccess of a message: MODIFY, READ, DELETE.
const MESSAGE_ACCESS: i32 = 0x07;
/// PidTagAccess of what may only be read: READ.
const READ_ACCESS: i32 = 0x02;
/// PidTagRights of the owner.
const OWNER_RIGHTS: i32 = 0x0000_05fb;
/// PidTagRights of somebody who may read: ReadAny, FolderVisible.
const READER_RIGHTS: i32 = 0x0000_0401;
/// PidTagMessageFlags — [MS-OXCMSG] 2.2.1.6: mfRead, mfHasAttach, mfFAI.
const MF_READ: i32 = 0x01;
const MF_HAS_ATTACH: i32 = 0x10;
const MF_FAI: i32 = 0x40;

/// The computed properties of folders.
pub(in super::super) const FOLDER_PROPS: [PropTag; 36] = [
    tags::DISPLAY_NAME,
    tags::FOLDER_ID,
    tags::PARENT_FOLDER_ID,
    tags::FOLDER_TYPE,
    tags::CONTENT_COUNT,
    tags::CONTENT_UNREAD_COUNT,
    tags::ASSOCIATED_CONTENT_COUNT,
    tags::DELETED_COUNT_TOTAL,
    tags::SUBFOLDERS,
    tags::ENTRY_ID,
    tags::PARENT_ENTRY_ID,
    tags::RECORD_KEY,
    tags::INSTANCE_KEY,
    tags::SOURCE_KEY,
    tags::PARENT_SOURCE_KEY,
    tags::CHANGE_KEY,
    tags::PREDECESSOR_CHANGE_LIST,
    tags::CHANGE_NUMBER,
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::ACCESS,
    tags::ACCESS_LEVEL,
    tags::OBJECT_TYPE,
    tags::RIGHTS,
    tags::MESSAGE_SIZE_EXTENDED,
    tags::STORE_ENTRY_ID,
    tags::STORE_RECORD_KEY,
    tags::MAPPING_SIGNATURE,
    tags::HAS_RULES,
    tags::HIERARCHY_CHANGE_NUMBER,
    tags::IPM_APPOINTMENT_ENTRY_ID,
    tags::IPM_CONTACT_ENTRY_ID,
    tags::IPM_JOURNAL_ENTRY_ID,
    tags::IPM_NOTE_ENTRY_ID,
    tags::IPM_TASK_ENTRY_ID,
    tags::IPM_DRAFTS_ENTRY_ID,
];

/// The computed properties of messages.
pub(in super::super) const MESSAGE_PROPS: [PropTag; 32] = [
    tags::MID,
    tags::FOLDER_ID,
    tags::PARENT_FOLDER_ID,
    tags::ENTRY_ID,
    tags::PARENT_ENTRY_ID,
    tags::RECORD_KEY,
    tags::INSTANCE_KEY,
    tags::INST_ID,
    tags::INSTANCE_NUM,
    tags::SOURCE_KEY,
    tags::PARENT_SOURCE_KEY,
    tags::CHANGE_KEY,
    tags::PREDECESSOR_CHANGE_LIST,
    tags::CHANGE_NUMBER,
    tags::MESSAGE_SIZE,
    tags::MESSAGE_FLAGS,
    tags::HAS_ATTACHMENTS,
    tags::ASSOCIATED,
    tags::READ,
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::ROW_TYPE,
    tags::DEPTH,
    tags::ACCESS,
    tags::ACCESS_LEVEL,
    tags::OBJECT_TYPE,
    tags::STORE_ENTRY_ID,
    tags::STORE_RECORD_KEY,
    tags::SUBJECT,
    tags::DISPLAY_TO,
    tags::DISPLAY_CC,
    tags::DISPLAY_BCC,
];

/// The computed properties of attachments.
pub(in super::super) const ATTACHMENT_PROPS: [PropTag; 6] = [
    tags::ATTACH_NUMBER,
    tags::ATTACH_SIZE,
    tags::RECORD_KEY,
    tags::INSTANCE_KEY,
    tags::OBJECT_TYPE,
    tags::ACCESS_LEVEL,
];

/// A computed property of a folder.
pub(in super::super) fn folder_value(logon: &Logon, folder: &Folder, tag: PropTag) -> Option<PropValue> {
    let parent = folder.parent.unwrap_or(folder.id);
    let count = |n: u32| PropValue::I32(i32::try_from(n).unwrap_or(i32::MAX));
    // The root and the Inbox tell where the special folders are — [MS-OXOSFLD] 2.2.3.
    let special = |which: SpecialFolder| {
        let here = [SpecialFolder::Root, SpecialFolder::Inbox].map(|s| logon.mailbox.special(s));
        here.contains(&folder.id).then(|| logon.folder_entry_id(logon.mailbox.special(which)))
    };
    Some(match tag.with_type(known_type(tag, &FOLDER_PROPS)?) {
        tags::DISPLAY_NAME => PropValue::Unicode(folder.name.clone()),
        tags::FOLDER_ID => id(folder.id.0),
        tags::PARENT_FOLDER_ID => id(parent.0),
        tags::FOLDER_TYPE => match folder.kind {
            FolderKind::Root => 0.into(),
            FolderKind::Generic => 1.into(),
            FolderKind::Search => 2.into(),
        },
        tags::CONTENT_COUNT => count(folder.counts.messages),
        tags::CONTENT_UNREAD_COUNT => count(folder.counts.unread),
        tags::ASSOCIATED_CONTENT_COUNT => count(folder.counts.associated),
        tags::DELETED_COUNT_TOTAL => count(folder.counts.deleted),
        tags::SUBFOLDERS => (folder.subfolders > 0).into(),
        tags::ENTRY_ID | tags::RECORD_KEY => logon.folder_entry_id(folder.id),
        tags::INSTANCE_KEY => instance_key(folder.id.0),
        tags::PARENT_ENTRY_ID => logon.folder_entry_id(parent),
        tags::SOURCE_KEY => logon.source_key(folder.id.0),
        tags::PARENT_SOURCE_KEY => match folder.parent {
            Some(parent) => logon.source_key(parent.0),
            None => Vec::new().into(),
        },
        tags::CHANGE_KEY => folder.change_key.to_bytes().into(),
        tags::PREDECESSOR_CHANGE_LIST => folder.predecessors.to_bytes().ok()?.into(),
        tags::CHANGE_NUMBER => id(folder.change_number.0),
        tags::CREATION_TIME => folder.created.into(),
        tags::LAST_MODIFICATION_TIME => folder.modified.into(),
        tags::ACCESS => if logon.is_read_only() { READ_ACCESS } else { FOLDER_ACCESS }.into(),
        tags::ACCESS_LEVEL => i32::from(!logon.is_read_only()).into(),
        tags::OBJECT_TYPE => 3.into(),
        tags::RIGHTS => if logon.is_read_only() { READER_RIGHTS } else { OWNER_RIGHTS }.into(),
        tags::MESSAGE_SIZE_EXTENDED => i64::try_from(folder.counts.bytes).unwrap_or(i64::MAX).into(),
        tags::STORE_ENTRY_ID => logon.store_entry_id(),
        tags::STORE_RECORD_KEY => logon.info().mailbox_guid.to_bytes().to_vec().into(),
        tags::MAPPING_SIGNATURE => logon.info().repl_guid.to_bytes().to_vec().into(),
        tags::HAS_RULES => false.into(),
        tags::HIERARCHY_CHANGE_NUMBER => {
            i32::try_from(folder.change_number.0.value() & 0x7fff_ffff).unwrap_or(i32::MAX).into()
        }
        tags::IPM_APPOINTMENT_ENTRY_ID => special(SpecialFolder::Calendar)?,
        tags::IPM_CONTACT_ENTRY_ID => special(SpecialFolder::Contacts)?,
        tags::IPM_JOURNAL_ENTRY_ID => special(SpecialFolder::Journal)?,
        tags::IPM_NOTE_ENTRY_ID => special(SpecialFolder::Notes)?,
        tags::IPM_TASK_ENTRY_ID => special(SpecialFolder::Tasks)?,
        tags::IPM_DRAFTS_ENTRY_ID => special(SpecialFolder::Drafts)?,
        _ => return None,
    })
}

/// An identifier under the mailbox's own REPLID.
fn id(counter: GlobCnt) -> PropValue {
    PropValue::I64(Logon::fid(FolderId(counter)).to_u64().cast_signed())
}

fn instance_key(counter: GlobCnt) -> PropValue {
    let mut key = Logon::fid(FolderId(counter)).to_u64().to_le_bytes().to_vec();
    key.extend([0; 4]);
    key.into()
}

/// A computed property of a message that was saved, from its head and its stored properties.
pub(in super::super) fn head_value(
    logon: &Logon,
    head: &MessageHead,
    props: &PropBag,
    tag: PropTag,
) -> Option<PropValue> {
    Some(match tag.with_type(known_type(tag, &MESSAGE_PROPS)?) {
        tags::MID | tags::INST_ID => id(head.id.0),
        tags::FOLDER_ID | tags::PARENT_FOLDER_ID => id(head.folder.0),
        tags::ENTRY_ID | tags::RECORD_KEY => logon.message_entry_id(head.folder, head.id),
        tags::PARENT_ENTRY_ID => logon.folder_entry_id(head.folder),
        tags::INSTANCE_KEY => instance_key(head.id.0),
        tags::INSTANCE_NUM => 0.into(),
        tags::SOURCE_KEY => logon.source_key(head.id.0),
        tags::PARENT_SOURCE_KEY => logon.source_key(head.folder.0),
        tags::CHANGE_KEY => head.change_key.to_bytes().into(),
        tags::PREDECESSOR_CHANGE_LIST => head.predecessors.to_bytes().ok()?.into(),
        tags::CHANGE_NUMBER => id(head.change_number.0),
        tags::MESSAGE_SIZE if tag.ty() == PropType::I64 => {
            i64::try_from(head.size).unwrap_or(i64::MAX).into()
        }
        tags::MESSAGE_SIZE => i32::try_from(head.size).unwrap_or(i32::MAX).into(),
        tags::MESSAGE_FLAGS => flags(props, head.read, head.has_attachments, head.kind),
        tags::HAS_ATTACHMENTS => head.has_attachments.into(),
        tags::READ => head.read.into(),
        tags::CREATION_TIME => head.created.into(),
        tags::LAST_MODIFICATION_TIME => head.modified.into(),
        _ => return any_value(logon, head.kind, props, tag),
    })
}

/// What every message has, saved or not.
fn any_value(logon: &Logon, kind: ItemKind, props: &PropBag, tag: PropTag) -> Option<PropValue> {
    Some(match tag.with_type(known_type(tag, &MESSAGE_PROPS)?) {
        tags::ASSOCIATED => (kind == ItemKind::Associated).into(),
        tags::ROW_TYPE => 1.into(),
        tags::DEPTH => 0.into(),
        tags::ACCESS => if logon.is_read_only() { READ_ACCESS } else { MESSAGE_ACCESS }.into(),
        tags::ACCESS_LEVEL => i32::from(!logon.is_read_only()).into(),
        tags::OBJECT_TYPE => 5.into(),
        tags::STORE_ENTRY_ID => logon.store_entry_id(),
        tags::STORE_RECORD_KEY => logon.info().mailbox_guid.to_bytes().to_vec().into(),
        tags::SUBJECT => subject(props)?,
        _ => return None,
    })
}

fn flags(props: &PropBag, read: bool, has_attachments: bool, kind: ItemKind) -> PropValue {
    let bit = |on: bool, bit: i32| if on { bit } else { 0 };
    let stored = props.int(tags::MESSAGE_FLAGS).unwrap_or(0) & !(MF_READ | MF_HAS_ATTACH | MF_FAI);
    PropValue::I32(
        stored
            | bit(read, MF_READ)
            | bit(has_attachments, MF_HAS_ATTACH)
            | bit(kind == ItemKind::Associated, MF_FAI),
    )
}

/// PidTagSubject from its stored value, or from its parts — [MS-OXCMSG] 2.2.1.46.
fn subject(props: &PropBag) -> Option<PropValue> {
    if let Some(subject) = props.text(tags::SUBJECT) {
        return Some(subject.into());
    }
    let normalized = props.text(tags::NORMALIZED_SUBJECT);
    let prefix = props.text(tags::SUBJECT_PREFIX);
    if normalized.is_none() && prefix.is_none() {
        return None;
    }
    Some(PropValue::Unicode([prefix.unwrap_or_default(), normalized.unwrap_or_default()].concat()))
}

/// PidTagSubjectPrefix and PidTagNormalizedSubject of a subject — [MS-OXCMSG] 3.2.5.2: one to three characters, none of
/// them a digit, and `: `.
pub(in super::super) fn subject_parts(subject: &str) -> (&str, &str) {
    if let Some((head, _)) = subject.split_once(": ") {
        let letters = head.chars().count();
        if (1..=3).contains(&letters) && head.chars().all(|c| c.is_alphabetic()) {
            return subject.split_at(head.len().saturating_add(2));
        }
    }
    ("", subject)
}

/// The names of recipients of a type, as PidTagDisplayTo and its like hold them.
pub(in super::super) fn display_names<'a>(
    recipients: impl Iterator<Item = &'a PropBag>,
    kind: i32,
) -> String {
    let names: Vec<&str> = recipients
        .filter(|r| r.int(tags::RECIPIENT_TYPE).unwrap_or(1) & 0x0f == kind)
        .filter_map(|r| r.text(tags::DISPLAY_NAME).or_else(|| r.text(tags::EMAIL_ADDRESS)))
        .collect();
    names.join("; ")
}

/// A computed property of an open message.
pub(in super::super) fn message_value(
    logon: &Logon,
    message: &MessageObject,
    state: &MessageState,
    tag: PropTag,
) -> Option<PropData> {
    let known = tag.with_type(known_type(tag, &MESSAGE_PROPS)?);
    let kind = match message.place {
        Place::Folder(_, kind) => kind,
        Place::Attachment(_) => ItemKind::Normal,
    };
    let attachments = !state.content.attachments.is_empty();
    let names = |kind| display_names(state.recipients.iter().map(|(_, bag)| bag), kind).into();
    let value: Option<PropValue> = match known {
        // A long subject lies elsewhere.
        tags::SUBJECT
            if state.content.props.get(tags::SUBJECT).is_none()
                && state.content.props.find(tags::SUBJECT).is_some() =>
        {
            None
        }
        tags::DISPLAY_TO => Some(names(1)),
        tags::DISPLAY_CC => Some(names(2)),
        tags::DISPLAY_BCC => Some(names(3)),
        tags::MESSAGE_FLAGS => Some(flags(&state.content.props, state.read, attachments, kind)),
        tags::HAS_ATTACHMENTS => Some(attachments.into()),
        tags::READ => Some(state.read.into()),
        _ => match &state.head {
            Some(head) => head_value(logon, head, &state.content.props, tag),
            None => any_value(logon, kind, &state.content.props, tag),
        },
    };
    value.map(PropData::Inline)
}

/// A computed property of an attachment.
pub(in super::super) fn attachment_value(attachment: &Attachment, tag: PropTag) -> Option<PropValue> {
    let number = || PropValue::I32(i32::try_from(attachment.number).unwrap_or(i32::MAX));
    Some(match tag.with_type(known_type(tag, &ATTACHMENT_PROPS)?) {
        tags::ATTACH_NUMBER => number(),
        tags::ATTACH_SIZE => {
            let size: u64 = attachment.props.0.iter().map(|p| data_size(&p.value)).sum();
            PropValue::I32(i32::try_from(size).unwrap_or(i32::MAX))
        }
        tags::RECORD_KEY | tags::INSTANCE_KEY => attachment.number.to_le_bytes().to_vec().into(),
        tags::OBJECT_TYPE => 7.into(),
        tags::ACCESS_LEVEL => 1.into(),
        _ => return None,
    })
}

fn data_size(data: &PropData) -> u64 {
    match data {
        PropData::Inline(value) => value::size(value).map_or(65_536, watertight_wire::to_u64),
        PropData::Large(large) => large.len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_a_short_prefix_or_none() {
        assert_eq!(subject_parts("RE: x"), ("RE: ", "x"));
        assert_eq!(subject_parts("Aw: Re: x"), ("Aw: ", "Re: x"));
        assert_eq!(subject_parts("Note: x"), ("", "Note: x"));
        assert_eq!(subject_parts("R2: x"), ("", "R2: x"));
        assert_eq!(subject_parts("RE:x"), ("", "RE:x"));
    }
}
