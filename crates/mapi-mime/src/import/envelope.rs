//! The header fields of a message as properties — [MS-OXCMAIL] 2.2.3.2.

use watertight_mapi::{
    PropName, PropValue,
    prop::{Prop, PropBag, tags},
    store::MessageContent,
};
use watertight_wire::{FileTime, Guid};

use super::people;
use crate::mime::{self, Header, base64_lenient};

/// PS_PUBLIC_STRINGS
pub(crate) const PS_PUBLIC_STRINGS: Guid = Guid::new(0x0002_0329, 0, 0, [0xC0, 0, 0, 0, 0, 0, 0, 0x46]);

/// Sets everything that the header says.
pub(super) fn set(content: &mut MessageContent, header: &Header) {
    let props = &mut content.props;
    if !header.fields.is_empty() {
        props.set(tags::TRANSPORT_MESSAGE_HEADERS, header.to_text());
    }
    subject(props, header);
    people::set(content, header);
    let props = &mut content.props;
    ids(props, header);
    times(props, header);
    ranks(props, header);
    threads(props, header);
    keywords(props, header);
}

fn value<'h>(header: &'h Header, name: &str) -> Option<&'h str> {
    header.first(name).map(|f| f.value()).filter(|v| !v.trim().is_empty())
}

/// [MS-OXCMSG] 2.2.1.9, 2.2.1.10, 2.2.1.46 PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagSubject.
fn subject(props: &mut PropBag, header: &Header) {
    let Some(subject) = value(header, "Subject").map(mime::text) else { return };
    let (prefix, normalized) = split_subject(&subject);
    props.set(tags::SUBJECT_PREFIX, prefix);
    props.set(tags::NORMALIZED_SUBJECT, normalized);
    let topic = value(header, "Thread-Topic").map(mime::text).filter(|t| !t.is_empty());
    props.set(tags::CONVERSATION_TOPIC, topic.as_deref().unwrap_or(normalized));
    props.set(tags::SUBJECT, subject);
}

/// [MS-OXCMSG] 3.2.4.1.1: a prefix is up to three characters, none of them a digit, with a colon and a space.
fn split_subject(subject: &str) -> (&str, &str) {
    if let Some((prefix, _)) = subject.split_once(": ")
        && (1..=3).contains(&prefix.chars().count())
        && prefix.chars().all(char::is_alphabetic)
    {
        let end = prefix.len() + 2;
        return subject.split_at_checked(end).unwrap_or(("", subject));
    }
    ("", subject)
}

fn ids(props: &mut PropBag, header: &Header) {
    for (name, tag) in [
        ("Message-ID", tags::INTERNET_MESSAGE_ID),
        ("In-Reply-To", tags::IN_REPLY_TO_ID),
        ("References", tags::INTERNET_REFERENCES),
        ("List-Help", tags::LIST_HELP),
        ("List-Subscribe", tags::LIST_SUBSCRIBE),
        ("List-Unsubscribe", tags::LIST_UNSUBSCRIBE),
    ] {
        if let Some(value) = value(header, name) {
            props.set(tag, mime::ids(value));
        }
    }
}

fn times(props: &mut PropBag, header: &Header) {
    let sent = value(header, "Date").and_then(mime::date);
    if let Some(sent) = sent {
        props.set(tags::CLIENT_SUBMIT_TIME, sent);
    }
    let received = value(header, "Received").and_then(received_date);
    if let Some(time) = received.or(sent) {
        props.set(tags::MESSAGE_DELIVERY_TIME, time);
    }
}

/// The date of a Received field is what follows the last semicolon.
fn received_date(value: &str) -> Option<FileTime> {
    mime::date(value.rsplit_once(';')?.1)
}

/// [MS-OXCMAIL] 2.2.3.2.6 and 2.2.3.2.8: importance, priority, sensitivity, receipts.
fn ranks(props: &mut PropBag, header: &Header) {
    let word = |name| value(header, name).map(|v| v.trim().to_ascii_lowercase());
    let importance = match word("Importance").as_deref() {
        Some("low") => Some(0),
        Some("normal") => Some(1),
        Some("high") => Some(2),
        _ => match word("X-Priority").as_deref().and_then(|v| v.bytes().next()) {
            Some(b'1' | b'2') => Some(2),
            Some(b'3') => Some(1),
            Some(b'4' | b'5') => Some(0),
            _ => match word("X-MSMail-Priority").as_deref() {
                Some("low") => Some(0),
                Some("normal") => Some(1),
                Some("high") => Some(2),
                _ => None,
            },
        },
    };
    props.set(tags::IMPORTANCE, importance.unwrap_or(1));
    let priority = match word("Priority").as_deref() {
        Some("non-urgent") => -1,
        Some("urgent") => 1,
        Some(_) => 0,
        None => importance.map_or(0, |n| n - 1),
    };
    props.set(tags::PRIORITY, priority);
    let sensitivity = match word("Sensitivity").as_deref() {
        Some("personal") => 1,
        Some("private") => 2,
        Some("company-confidential") => 3,
        _ => 0,
    };
    props.set(tags::SENSITIVITY, sensitivity);
    props.set(tags::READ_RECEIPT_REQUESTED, value(header, "Disposition-Notification-To").is_some());
    props.set(tags::ORIGINATOR_DELIVERY_REPORT_REQUESTED, value(header, "Return-Receipt-To").is_some());
}

/// [MS-OXOMSG] 2.2.1.3: the conversation, where the mail says which.
fn threads(props: &mut PropBag, header: &Header) {
    let Some(value) = value(header, "Thread-Index") else { return };
    let index = base64_lenient(value.as_bytes());
    if index.len() >= 22 {
        props.set(tags::CONVERSATION_INDEX, index);
    }
}

/// [MS-OXCMAIL] 2.2.3.2.19: PidNameKeywords.
fn keywords(props: &mut PropBag, header: &Header) {
    let Some(value) = value(header, "Keywords") else { return };
    let words: Vec<String> =
        mime::text(value).split(',').map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect();
    if !words.is_empty() {
        let name = PropName::string(PS_PUBLIC_STRINGS, "Keywords");
        props.put(Prop::named(name, PropValue::MvUnicode(words)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_their_prefixes() {
        assert_eq!(split_subject("Re: it"), ("Re: ", "it"));
        assert_eq!(split_subject("FWD: it"), ("FWD: ", "it"));
        assert_eq!(split_subject("Note: it"), ("", "Note: it"));
        assert_eq!(split_subject("1: it"), ("", "1: it"));
        assert_eq!(split_subject("Re:it"), ("", "Re:it"));
        assert_eq!(split_subject("Änd: é"), ("Änd: ", "é"));
    }
}
