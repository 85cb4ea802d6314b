//! Sender, recipients and reply recipients — [MS-OXCMAIL] 2.2.3.1.

use watertight_mapi::{
    PropTag,
    prop::{PropBag, tags},
    store::MessageContent,
};
use watertight_wire::Guid;

use crate::{
    content::TRANSMITTABLE_DISPLAY_NAME,
    mime::{Address, Header, addresses},
};

/// MAPI_TO, MAPI_CC, MAPI_BCC — [MS-OXOMSG] 2.2.3.1 PidTagRecipientType.
const FIELDS: [(&str, i32); 3] = [("To", 1), ("Cc", 2), ("Bcc", 3)];

/// How many recipients a message gets; the transport headers have all.
const MAX_RECIPIENTS: usize = 10_000;

/// Sets the sender's properties and adds the recipients.
pub(super) fn set(content: &mut MessageContent, header: &Header) {
    let from = list(header, "From").into_iter().next();
    let sender = list(header, "Sender").into_iter().next();
    if let Some(who) = from.as_ref().or(sender.as_ref()) {
        originator(&mut content.props, who, &SENT_REPRESENTING);
    }
    if let Some(who) = sender.as_ref().or(from.as_ref()) {
        originator(&mut content.props, who, &SENDER);
    }
    reply_recipients(&mut content.props, &list(header, "Reply-To"));
    for (field, kind) in FIELDS {
        let room = MAX_RECIPIENTS.saturating_sub(content.recipients.len());
        for who in list(header, field).iter().filter(|who| !who.address.is_empty()).take(room) {
            content.recipients.push(recipient(who, kind));
        }
    }
    for (tag, kind) in [(tags::DISPLAY_TO, 1), (tags::DISPLAY_CC, 2), (tags::DISPLAY_BCC, 3)] {
        let names: Vec<&str> = content
            .recipients
            .iter()
            .filter(|r| r.int(tags::RECIPIENT_TYPE) == Some(kind))
            .filter_map(|r| r.text(tags::DISPLAY_NAME))
            .collect();
        content.props.set(tag, names.join("; "));
    }
}

/// The mailboxes of all fields of that name.
fn list(header: &Header, name: &str) -> Vec<Address> {
    header.fields.iter().filter(|f| f.is(name)).flat_map(|f| addresses(f.value())).collect()
}

struct Originator {
    name: PropTag,
    kind: PropTag,
    address: PropTag,
    smtp: PropTag,
    entry_id: PropTag,
    search_key: PropTag,
}

const SENT_REPRESENTING: Originator = Originator {
    name: tags::SENT_REPRESENTING_NAME,
    kind: tags::SENT_REPRESENTING_ADDRESS_TYPE,
    address: tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    smtp: tags::SENT_REPRESENTING_SMTP_ADDRESS,
    entry_id: tags::SENT_REPRESENTING_ENTRY_ID,
    search_key: tags::SENT_REPRESENTING_SEARCH_KEY,
};
const SENDER: Originator = Originator {
    name: tags::SENDER_NAME,
    kind: tags::SENDER_ADDRESS_TYPE,
    address: tags::SENDER_EMAIL_ADDRESS,
    smtp: tags::SENDER_SMTP_ADDRESS,
    entry_id: tags::SENDER_ENTRY_ID,
    search_key: tags::SENDER_SEARCH_KEY,
};

fn originator(props: &mut PropBag, who: &Address, of: &Originator) {
    props.set(of.name, shown(who));
    if who.address.is_empty() {
        return;
    }
    props.set(of.kind, "SMTP");
    props.set(of.address, who.address.as_str());
    props.set(of.smtp, who.address.as_str());
    props.set(of.entry_id, one_off_entry_id(who));
    props.set(of.search_key, search_key(who));
}

fn recipient(who: &Address, kind: i32) -> PropBag {
    let mut props = PropBag::default();
    props.set(tags::RECIPIENT_TYPE, kind);
    props.set(tags::RESPONSIBILITY, true);
    props.set(tags::OBJECT_TYPE, 6);
    props.set(tags::DISPLAY_TYPE, 0);
    props.set(tags::DISPLAY_NAME, shown(who));
    props.set(TRANSMITTABLE_DISPLAY_NAME, shown(who));
    props.set(tags::ADDRESS_TYPE, "SMTP");
    props.set(tags::EMAIL_ADDRESS, who.address.as_str());
    props.set(tags::SMTP_ADDRESS, who.address.as_str());
    props.set(tags::ENTRY_ID, one_off_entry_id(who));
    props.set(tags::SEARCH_KEY, search_key(who));
    props.set(tags::RECIPIENT_FLAGS, 1);
    props
}

/// [MS-OXOMSG] 2.2.1.42, 2.2.1.43: PidTagReplyRecipientNames and PidTagReplyRecipientEntries.
fn reply_recipients(props: &mut PropBag, list: &[Address]) {
    let list: Vec<&Address> = list.iter().filter(|who| !who.address.is_empty()).collect();
    if list.is_empty() {
        return;
    }
    let names: Vec<&str> = list.iter().map(|who| shown(who)).collect();
    props.set(tags::REPLY_RECIPIENT_NAMES, names.join("; "));
    let ids: Vec<Vec<u8>> = list.iter().map(|who| one_off_entry_id(who)).collect();
    props.set(tags::REPLY_RECIPIENT_ENTRIES, flat_entry_list(&ids));
}

fn shown(who: &Address) -> &str {
    if who.name.is_empty() { &who.address } else { &who.name }
}

/// [MS-OXCDATA] 2.2.5.1 One-Off EntryID: Unicode, MIME only.
fn one_off_entry_id(who: &Address) -> Vec<u8> {
    const PROVIDER: Guid =
        Guid::new(0xA41F_2B81, 0xA3BE, 0x1910, [0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02]);
    let mut out = vec![0; 4];
    out.extend(PROVIDER.to_bytes());
    out.extend([0, 0, 0x01, 0x80]);
    for text in [shown(who), "SMTP", &who.address] {
        out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        out.extend([0, 0]);
    }
    out
}

fn search_key(who: &Address) -> Vec<u8> {
    let mut out = format!("SMTP:{}", who.address.to_uppercase()).into_bytes();
    out.push(0);
    out
}

/// [MS-OXCDATA] 2.3.3 FlatEntryList: each entry padded to four bytes.
fn flat_entry_list(ids: &[Vec<u8>]) -> Vec<u8> {
    let mut entries = Vec::new();
    for id in ids {
        entries.extend(u32::try_from(id.len()).unwrap_or(u32::MAX).to_le_bytes());
        entries.extend(id);
        entries.resize(entries.len().next_multiple_of(4), 0);
    }
    let mut out = Vec::new();
    out.extend(u32::try_from(ids.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(entries);
    out
}
