//! What the values of fields mean; the reading is `mail-parser`'s.

use mail_parser::{HeaderValue, parsers::MessageStream};
use watertight_wire::FileTime;

/// How much of a value is read, in bytes.
const MAX_VALUE: usize = 1 << 20;

/// A mailbox of an address list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    /// The display name; empty where there is none.
    pub(crate) name: String,
    /// The address; empty where there is none.
    pub(crate) address: String,
}

/// Content-Type or Content-Disposition: a word (or two) and parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MediaType {
    /// The type in lower case; for a disposition the word.
    pub(crate) main: String,
    /// The subtype in lower case.
    pub(crate) sub: String,
    /// Parameters, names in lower case, values decoded.
    pub(crate) params: Vec<(String, String)>,
}

impl MediaType {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let terminated = format!("{}\r\n", without_blanks(front(value.trim())));
        let HeaderValue::ContentType(parsed) = MessageStream::new(terminated.as_bytes()).parse_content_type()
        else {
            return None;
        };
        let params = parsed.attributes().unwrap_or_default().iter();
        Some(Self {
            main: parsed.ctype().trim().to_ascii_lowercase(),
            sub: parsed.subtype().unwrap_or_default().trim().to_ascii_lowercase(),
            params: params
                .map(|a| (a.name.to_ascii_lowercase(), a.value.replace(['\r', '\n', '\0'], "")))
                .collect(),
        })
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether type and subtype are words that a type can have — [RFC 2045] 5.1 token.
    pub(crate) fn is_valid(&self) -> bool {
        is_token(&self.main) && is_token(&self.sub)
    }

    pub(crate) fn essence(&self) -> String {
        format!("{}/{}", self.main, self.sub)
    }
}

/// The mailboxes of an address list; groups are opened.
pub(crate) fn addresses(value: &str) -> Vec<Address> {
    let terminated = format!("{}\r\n", front(value));
    let HeaderValue::Address(parsed) = MessageStream::new(terminated.as_bytes()).parse_address() else {
        return Vec::new();
    };
    parsed
        .iter()
        .map(|a| Address {
            name: clean(a.name.as_deref().unwrap_or_default()),
            address: clean(a.address.as_deref().unwrap_or_default()),
        })
        .filter(|a| !a.name.is_empty() || !a.address.is_empty())
        .collect()
}

/// Unstructured text, unfolded and decoded.
pub(crate) fn text(value: &str) -> String {
    let terminated = format!("{}\r\n", front(value));
    match MessageStream::new(terminated.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => clean(&text),
        _ => String::new(),
    }
}

fn front(value: &str) -> &str {
    value.get(..value.floor_char_boundary(MAX_VALUE)).unwrap_or(value)
}

fn is_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
}

/// Parameters unfolded, without the blanks that some programs write before ";" and after "=".
fn without_blanks(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut quoted = false;
    let mut escaped = false;
    for c in value.chars() {
        let blank = matches!(c, ' ' | '\t' | '\r' | '\n');
        match c {
            '\r' | '\n' => continue,
            _ if blank && !quoted && out.ends_with('=') => continue,
            ';' if !quoted => out.truncate(out.trim_end().len()),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// Zones by name, with their hours before UTC — [RFC 5322] 4.3 obs-zone.
const ZONES: [(&str, &str); 8] = [
    ("EDT", "-0400"),
    ("EST", "-0500"),
    ("CDT", "-0500"),
    ("CST", "-0600"),
    ("MDT", "-0600"),
    ("MST", "-0700"),
    ("PDT", "-0700"),
    ("PST", "-0800"),
];

/// A date and time.
pub(crate) fn date(value: &str) -> Option<FileTime> {
    let value = front(value.trim());
    let (before, last) = value.rsplit_once(' ').unwrap_or(("", value));
    let terminated = match ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(last)) {
        Some((_, hours)) => format!("{before} {hours}\r\n"),
        None => format!("{value}\r\n"),
    };
    match MessageStream::new(terminated.as_bytes()).parse_date() {
        HeaderValue::DateTime(date) if date.is_valid() => {
            Some(FileTime::from_unix_seconds(date.to_timestamp()))
        }
        _ => None,
    }
}

/// Message ids, unfolded, as they are written.
pub(crate) fn ids(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_with_encoded_names() {
        let it = MediaType::parse("text/Plain; charset=\"UTF-8\"; name*=utf-8''%C3%A4.txt").unwrap();
        assert_eq!(it.essence(), "text/plain");
        assert_eq!(it.param("charset"), Some("UTF-8"));
        assert_eq!(it.param("name"), Some("ä.txt"));
        let it = MediaType::parse("attachment; filename=\"=?utf-8?Q?=C3=A4.txt?=\"").unwrap();
        assert_eq!(it.param("filename"), Some("ä.txt"));
        assert_eq!(it.main, "attachment");
        let it = MediaType::parse("text/html   ; boundary=\r\n \"a = ; b\"; x=y").unwrap();
        assert_eq!(
            (it.essence().as_str(), it.param("boundary"), it.param("x")),
            ("text/html", Some("a = ; b"), Some("y"))
        );
    }

    #[test]
    fn address_lists() {
        let list = addresses(" =?utf-8?Q?J=C3=B6rg?= <j@example.org>, g: a@example.org, b@example.org;");
        assert_eq!(list.len(), 3);
        assert_eq!(list[0], Address { name: "Jörg".into(), address: "j@example.org".into() });
        assert!(addresses("undisclosed-recipients:;").is_empty());
    }

    #[test]
    fn dates() {
        let time = date(" Fri, 30 Oct 2009 20:07:42 +0100").unwrap();
        assert_eq!(time.to_unix_seconds(), 1_256_929_662);
        assert_eq!(date("Fri, 30 Oct 2009 14:07:42 cdt"), Some(time));
        assert_eq!(date("yesterday"), None);
    }
}
