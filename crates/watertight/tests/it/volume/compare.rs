//! What was written beside what was read.

use std::collections::{BTreeMap, BTreeSet};

use watertight_mapi::prop::{Prop, PropBag, PropData, PropNameKind, tags};
use watertight_mapi::store::{INLINE_LIMIT, MessageContent};
use watertight_mapi::{PropTag, PropType, PropValue};

use super::make::FORMS;

/// What was compared, and found the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub messages: u64,
    pub embedded: u64,
    pub recipients: u64,
    pub attachments: u64,
    pub values: u64,
    pub large: u64,
    /// How many values of each type, by tag, number and name.
    pub types: BTreeMap<PropType, [u64; FORMS]>,
    /// The first differences; of what was never written one of each kind.
    pub wrong: Vec<String>,
    unknown: BTreeSet<(usize, PropTag)>,
    opened: bool,
}

/// So many differences are told.
const TOLD: usize = 40;

/// What a server adds to a message, a recipient or an attachment by itself.
const ADDED: [&[PropTag]; 3] = [
    &[
        tags::IMPORTANCE,
        tags::SENSITIVITY,
        tags::CREATION_TIME,
        tags::LAST_MODIFICATION_TIME,
        tags::MESSAGE_FLAGS,
        tags::TRUST_SENDER,
        tags::SEARCH_KEY,
        tags::DISPLAY_TO,
        tags::DISPLAY_CC,
        tags::DISPLAY_BCC,
        tags::SUBJECT_PREFIX,
        tags::NORMALIZED_SUBJECT,
        tags::MID,
    ],
    &[tags::ROWID, tags::SEND_RICH_INFO, tags::RESPONSIBILITY],
    &[tags::RENDERING_POSITION, tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME],
];

/// What an open object answers beside that: properties that are computed for who asks.
const COMPUTED: [&[PropTag]; 3] = [
    &[
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
        tags::HAS_ATTACHMENTS,
        tags::ASSOCIATED,
        tags::READ,
        tags::ROW_TYPE,
        tags::DEPTH,
        tags::ACCESS,
        tags::ACCESS_LEVEL,
        tags::OBJECT_TYPE,
        tags::STORE_ENTRY_ID,
        tags::STORE_RECORD_KEY,
    ],
    // PidTagTransmittableDisplayName.
    &[PropTag(0x3A20_001F)],
    &[
        tags::ATTACH_NUMBER,
        tags::ATTACH_SIZE,
        tags::RECORD_KEY,
        tags::INSTANCE_KEY,
        tags::OBJECT_TYPE,
        tags::ACCESS_LEVEL,
    ],
];

impl Compared {
    /// Of open objects.
    pub fn opened() -> Self {
        Self { opened: true, ..Self::default() }
    }

    /// Counts what a comparison of this message will have compared.
    pub fn count(&mut self, content: &MessageContent) {
        self.messages += 1;
        self.content("", content, content);
    }

    /// Compares a message that was read with the one that was written.
    pub fn message(&mut self, n: u64, written: &MessageContent, read: &MessageContent) {
        self.messages += 1;
        self.content(&format!("message {n}"), written, read);
    }

    fn wrong(&mut self, what: String) {
        if self.wrong.len() < TOLD {
            self.wrong.push(what);
        }
    }

    fn content(&mut self, place: &str, written: &MessageContent, read: &MessageContent) {
        self.bag(place, 0, &written.props, &read.props);
        let lengths = |content: &MessageContent| (content.recipients.len(), content.attachments.len());
        if lengths(written) != lengths(read) {
            self.wrong(format!(
                "{place}: {:?} recipients and attachments, {:?} read",
                lengths(written),
                lengths(read)
            ));
        }
        for (n, (written, read)) in written.recipients.iter().zip(&read.recipients).enumerate() {
            self.recipients += 1;
            self.bag(&format!("{place}, recipient {n}"), 1, written, read);
        }
        for (written, read) in written.attachments.iter().zip(&read.attachments) {
            self.attachments += 1;
            let place = format!("{place}, attachment {}", written.number);
            if written.number != read.number {
                self.wrong(format!("{place}: read as number {}", read.number));
            }
            self.bag(&place, 2, &written.props, &read.props);
            match (&written.embedded, &read.embedded) {
                (None, None) => {}
                (Some(written), Some(read)) => {
                    self.embedded += 1;
                    self.content(&format!("{place}, embedded"), written, read);
                }
                (_, read) => self.wrong(format!("{place}: a message in it: {}", read.is_some())),
            }
        }
    }

    /// Each property that was written is there once, with its type and value; what else is there, servers add.
    fn bag(&mut self, place: &str, of: usize, written: &PropBag, read: &PropBag) {
        let mut rest: Vec<&Prop> = read.0.iter().collect();
        for prop in &written.0 {
            let Some(at) = rest.iter().position(|other| same_name(prop, other)) else {
                self.wrong(format!("{place}: {:?} {:?} is missing", prop.tag, prop.name));
                continue;
            };
            let other = rest.swap_remove(at);
            let (PropData::Inline(value), PropData::Inline(read)) = (&prop.value, &other.value) else {
                self.wrong(format!("{place}: {:?} is not in memory", prop.tag));
                continue;
            };
            if !same(value, read) {
                let (value, read) = (format!("{value:?}"), format!("{read:?}"));
                let what =
                    format!("{:?} {:?}: {value:.200} was written, {read:.200} read", prop.tag, prop.name);
                self.wrong(format!("{place}: {what}"));
                continue;
            }
            self.values += 1;
            self.large += u64::from(length(value) > INLINE_LIMIT);
            let form = match prop.name.as_deref().map(|name| &name.kind) {
                None => 0,
                Some(PropNameKind::Lid(_)) => 1,
                Some(PropNameKind::Name(_)) => 2,
            };
            self.types.entry(value.ty()).or_default()[form] += 1;
        }
        for prop in rest {
            let computed = if self.opened { COMPUTED[of] } else { &[] };
            let mut known = ADDED[of].iter().chain(computed);
            let known = prop.name.is_none() && known.any(|tag| tag.id() == prop.tag.id());
            if !known && self.unknown.insert((of, prop.tag)) {
                let value = format!("{:?}", prop.value);
                self.wrong(format!(
                    "{place}: {:?} {:?} was never written: {value:.100}",
                    prop.tag, prop.name
                ));
            }
        }
    }
}

fn same_name(a: &Prop, b: &Prop) -> bool {
    match (&a.name, &b.name) {
        (None, None) => a.tag.id() == b.tag.id(),
        (a, b) => a == b,
    }
}

/// The same value, floats by their bits. Who asks for Unicode gets strings of eight bits as Unicode.
fn same(written: &PropValue, read: &PropValue) -> bool {
    use PropValue as V;
    match (written, read) {
        (V::String8(bytes), V::Unicode(text)) => text.as_bytes() == bytes,
        (V::MvString8(all), V::MvUnicode(texts)) => {
            all.iter().map(Vec::as_slice).eq(texts.iter().map(String::as_bytes))
        }
        (V::F32(a), V::F32(b)) => a.to_bits() == b.to_bits(),
        (V::F64(a), V::F64(b)) | (V::FloatingTime(a), V::FloatingTime(b)) => a.to_bits() == b.to_bits(),
        (V::MvF32(a), V::MvF32(b)) => a.iter().map(|f| f.to_bits()).eq(b.iter().map(|f| f.to_bits())),
        (V::MvF64(a), V::MvF64(b)) | (V::MvFloatingTime(a), V::MvFloatingTime(b)) => {
            a.iter().map(|f| f.to_bits()).eq(b.iter().map(|f| f.to_bits()))
        }
        (a, b) => a == b,
    }
}

fn length(value: &PropValue) -> usize {
    match value {
        PropValue::Binary(b) | PropValue::Object(b) => b.len(),
        PropValue::Unicode(s) => s.encode_utf16().count() * 2,
        _ => 0,
    }
}
