//! The header of a message: the fields that it came with, and those made of properties — [MS-OXCMAIL] 2.1.3.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use watertight_mapi::{
    PropName, PropTag, PropValue,
    prop::{PropBag, PropData, tags},
    store::MessageContent,
};
use watertight_wire::{FileTime, Reader};

use super::{LeftOut, words};
use crate::{
    ExportError, LargeSource,
    content::{codepage, text, time},
    import::PS_PUBLIC_STRINGS,
    large,
    mime::{Field, Header},
};

/// A header longer than this is none.
const LIMIT: u64 = 8 << 20;

/// Whether the field describes the MIME structure, and is made anew.
pub(crate) fn is_mime_field(name: &str) -> bool {
    ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-Length", "MIME-Version"]
        .iter()
        .any(|n| n.eq_ignore_ascii_case(name))
}

/// The fields of PidTagTransportMessageHeaders, MIME fields included.
pub(super) fn kept(
    content: &MessageContent,
    large: &mut dyn LargeSource,
    left_out: &mut Vec<LeftOut>,
) -> Result<Header, ExportError> {
    let props = &content.props;
    let Some(prop) = props.find(tags::TRANSPORT_MESSAGE_HEADERS) else { return Ok(Header::default()) };
    match large::text_up_to(prop.tag.ty(), &prop.value, codepage(props), large, LIMIT)? {
        Some(text) => Ok(Header::from_text(&text)),
        None => {
            left_out.push(LeftOut {
                item: "transport headers".to_owned(),
                reason: format!("longer than {LIMIT} bytes; the header is made of other properties"),
            });
            Ok(Header::default())
        }
    }
}

/// The fields to write but those of the MIME structure: the kept ones as they are, then what is missing.
pub(super) fn all(content: &MessageContent, header: &Header) -> Vec<String> {
    let kept = header.fields.iter().filter(|f| !f.name.is_empty() && !is_mime_field(&f.name));
    let mut lines: Vec<String> = kept.map(line).collect();
    let mut made = Made { header, lines: &mut lines };
    made.of_properties(content);
    lines
}

/// A field as it came, without NUL and without blanks before the colon, which few programs read.
fn line(field: &Field) -> String {
    let text = field.text.replace('\0', "");
    match text.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.trim_end()),
        None => text,
    }
}

struct Made<'h> {
    header: &'h Header,
    lines: &'h mut Vec<String>,
}

impl Made<'_> {
    fn of_properties(&mut self, content: &MessageContent) {
        let props = &content.props;
        if !self.header.fields.is_empty() {
            // The header that a mail came with has all the fields that it came with. Bcc may be in the table only.
            self.add("Bcc", &address_list(&recipients(content, 3)));
            return;
        }
        self.times(props);
        self.originators(props);
        self.recipients(content);
        self.texts(props);
        self.ranks(props);
    }

    fn missing(&self, name: &str) -> bool {
        !self.header.has(name)
    }

    fn add(&mut self, name: &str, words: &[String]) {
        if self.missing(name) && words.iter().any(|w| !w.is_empty()) {
            self.lines.push(words::field(name, words));
        }
    }

    fn times(&mut self, props: &PropBag) {
        let sent = [
            tags::CLIENT_SUBMIT_TIME,
            tags::MESSAGE_DELIVERY_TIME,
            tags::CREATION_TIME,
            tags::LAST_MODIFICATION_TIME,
        ];
        if let Some(sent) = sent.into_iter().find_map(|tag| time(props, tag)) {
            self.add("Date", &[date(sent)]);
        }
    }

    /// [MS-OXCMAIL] 2.1.3.1.1: From and Sender.
    fn originators(&mut self, props: &PropBag) {
        let from = Person::of(
            props,
            tags::SENT_REPRESENTING_NAME,
            tags::SENT_REPRESENTING_SMTP_ADDRESS,
            tags::SENT_REPRESENTING_ADDRESS_TYPE,
            tags::SENT_REPRESENTING_EMAIL_ADDRESS,
        );
        let sender = Person::of(
            props,
            tags::SENDER_NAME,
            tags::SENDER_SMTP_ADDRESS,
            tags::SENDER_ADDRESS_TYPE,
            tags::SENDER_EMAIL_ADDRESS,
        );
        if let Some(who) = from.as_ref().or(sender.as_ref()) {
            self.add("From", &who.words());
        }
        if let (Some(from), Some(sender)) = (&from, &sender)
            && !from.address.eq_ignore_ascii_case(&sender.address)
            && !sender.address.is_empty()
        {
            self.add("Sender", &sender.words());
        }
        self.add("Reply-To", &address_list(&reply_recipients(props)));
    }

    /// [MS-OXCMAIL] 2.1.3.1.4: To, Cc, Bcc of the recipient table.
    fn recipients(&mut self, content: &MessageContent) {
        for (name, kind) in [("To", 1), ("Cc", 2), ("Bcc", 3)] {
            self.add(name, &address_list(&recipients(content, kind)));
        }
    }

    fn texts(&mut self, props: &PropBag) {
        if let Some(subject) = subject(props) {
            self.add("Subject", &words::text(&subject));
        }
        for (name, tag) in [
            ("Message-ID", tags::INTERNET_MESSAGE_ID),
            ("In-Reply-To", tags::IN_REPLY_TO_ID),
            ("References", tags::INTERNET_REFERENCES),
        ] {
            if let Some(ids) = text(props, tag) {
                let ids: String = ids.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                let words: Vec<String> = ids.split_whitespace().map(str::to_owned).collect();
                self.add(name, &words);
            }
        }
        for (name, tag) in [
            ("List-Help", tags::LIST_HELP),
            ("List-Subscribe", tags::LIST_SUBSCRIBE),
            ("List-Unsubscribe", tags::LIST_UNSUBSCRIBE),
        ] {
            if let Some(value) = text(props, tag) {
                self.add(name, &words::text(&value));
            }
        }
        if let Some(topic) = text(props, tags::CONVERSATION_TOPIC)
            && let Some(PropValue::Binary(index)) = props.get(tags::CONVERSATION_INDEX)
        {
            self.add("Thread-Topic", &words::text(&topic));
            self.add("Thread-Index", &[STANDARD.encode(index)]);
        }
        let keywords = PropName::string(PS_PUBLIC_STRINGS, "Keywords");
        if let Some(PropData::Inline(PropValue::MvUnicode(list))) =
            props.find_named(&keywords).map(|p| &p.value)
        {
            self.add("Keywords", &words::text(&list.join(", ")));
        }
    }

    /// [MS-OXCMAIL] 2.1.3.2.1 to 2.1.3.2.3.
    fn ranks(&mut self, props: &PropBag) {
        match props.int(tags::IMPORTANCE) {
            Some(0) => self.add("Importance", &["low".to_owned()]),
            Some(2) => self.add("Importance", &["high".to_owned()]),
            _ => {}
        }
        let sensitivity = match props.int(tags::SENSITIVITY) {
            Some(1) => "personal",
            Some(2) => "private",
            Some(3) => "company-confidential",
            _ => "",
        };
        self.add("Sensitivity", &[sensitivity.to_owned()]);
    }
}

fn recipients(content: &MessageContent, kind: i32) -> Vec<Person> {
    // The high bits of the type say whether a recipient has been sent to.
    let rows =
        content.recipients.iter().filter(|r| r.int(tags::RECIPIENT_TYPE).map(|n| n & 0xF) == Some(kind));
    rows.filter_map(|r| {
        Person::of(r, tags::DISPLAY_NAME, tags::SMTP_ADDRESS, tags::ADDRESS_TYPE, tags::EMAIL_ADDRESS)
    })
    .collect()
}

/// PidTagSubject, or what it is made of.
fn subject(props: &PropBag) -> Option<Cow<'_, str>> {
    text(props, tags::SUBJECT).or_else(|| {
        let normalized = text(props, tags::NORMALIZED_SUBJECT)?;
        Some(Cow::Owned(format!("{}{normalized}", text(props, tags::SUBJECT_PREFIX).unwrap_or_default())))
    })
}

/// A mailbox.
struct Person {
    name: String,
    address: String,
}

impl Person {
    fn of(props: &PropBag, name: PropTag, smtp: PropTag, kind: PropTag, address: PropTag) -> Option<Self> {
        let name = text(props, name).unwrap_or_default().into_owned();
        let is_smtp = text(props, kind).is_none_or(|kind| kind.eq_ignore_ascii_case("SMTP"));
        let plain = text(props, address).filter(|a| is_smtp || a.contains('@'));
        let address = match text(props, smtp).or(plain) {
            Some(address) => address.into_owned(),
            None => match (text(props, kind), text(props, address)) {
                (Some(kind), Some(address)) => encapsulated(&kind, &address),
                _ => String::new(),
            },
        };
        (!name.is_empty() || !address.is_empty()).then_some(Self { name, address })
    }

    fn words(&self) -> Vec<String> {
        words::mailbox(&self.name, &self.address)
    }
}

/// [MS-OXCMAIL] 2.1.3.1.2: an address that is not SMTP, as an SMTP address.
fn encapsulated(kind: &str, address: &str) -> String {
    let mut out = format!("IMCEA{}-", kind.to_ascii_uppercase());
    for c in address.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '=' | '.' | '-' => out.push(c),
            '/' => out.push('_'),
            _ => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("+{byte:02X}"));
                }
            }
        }
    }
    out.push_str("@invalid");
    out
}

fn address_list(people: &[Person]) -> Vec<String> {
    let mut words = Vec::new();
    for (at, person) in people.iter().enumerate() {
        words.extend(person.words());
        if at + 1 < people.len()
            && let Some(last) = words.last_mut()
        {
            last.push(',');
        }
    }
    words
}

/// PidTagReplyRecipientEntries: the one-off entry ids in it — [MS-OXCDATA] 2.3.3, 2.2.5.1.
fn reply_recipients(props: &PropBag) -> Vec<Person> {
    let Some(bytes) = props.binary(tags::REPLY_RECIPIENT_ENTRIES) else { return Vec::new() };
    let mut reader = Reader::new(bytes, "FlatEntryList");
    let (Ok(_), Ok(_)) = (reader.u32("Count"), reader.u32("Size")) else { return Vec::new() };
    let mut people = Vec::new();
    while let Ok(id) = reader.bytes32("EntryID") {
        let padding = id.len().next_multiple_of(4) - id.len();
        let more = reader.bytes(padding, "Padding").is_ok();
        people.extend(one_off(id));
        if !more {
            break;
        }
    }
    people
}

fn one_off(id: &[u8]) -> Option<Person> {
    let mut reader = Reader::new(id, "OneOffEntryId");
    reader.bytes(22, "ProviderUID").ok()?;
    let flags = reader.u16("Flags").ok()?;
    if flags & 0x8000 == 0 {
        return None;
    }
    let name = reader.cstr16("DisplayName").ok()?;
    let kind = reader.cstr16("AddressType").ok()?;
    let address = reader.cstr16("EmailAddress").ok()?;
    kind.eq_ignore_ascii_case("SMTP").then_some(Person { name, address })
}

/// [RFC 5322] 3.3, in UTC.
fn date(time: FileTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.to_unix_seconds();
    let (days, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    // Days from 1970-01-01 to a date of the Gregorian calendar, whose years start in March here.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let name = |names: &[&'static str], n: i64| {
        usize::try_from(n).ok().and_then(|n| names.get(n).copied()).unwrap_or("")
    };
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} +0000",
        name(&DAYS, days.rem_euclid(7)),
        name(&MONTHS, month - 1),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(FileTime::from_unix_seconds(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date(FileTime::from_unix_seconds(1_256_929_662)), "Fri, 30 Oct 2009 19:07:42 +0000");
        assert_eq!(date(FileTime::from_unix_seconds(951_782_400)), "Tue, 29 Feb 2000 00:00:00 +0000");
        for seconds in (-11_000_000_000..11_000_000_000i64).step_by(86_400_001) {
            let time = FileTime::from_unix_seconds(seconds);
            if seconds > 0 {
                assert_eq!(crate::mime::date(&date(time)), Some(time));
            }
        }
    }

    #[test]
    fn addresses_that_are_not_smtp() {
        assert_eq!(encapsulated("EX", "/O=First/CN=Anna B"), "IMCEAEX-_O=First_CN=Anna+20B@invalid");
    }
}
