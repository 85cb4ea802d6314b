//! Words of header fields: encoded words ([RFC 2047]), parameters ([RFC 2231]), folding ([RFC 5322] 2.2.3).

use core::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Where lines are folded.
const WIDTH: usize = 76;

/// A field of words; folded between words where a line gets too long.
pub(super) fn field(name: &str, words: &[String]) -> String {
    let mut out = format!("{name}:");
    let mut column = out.len();
    for (at, word) in words.iter().enumerate() {
        if at > 0 && column + 1 + word.len() > WIDTH {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out
}

/// An unstructured text as words.
pub(super) fn text(text: &str) -> Vec<String> {
    let plain = text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && !text.contains("=?")
        && !text.contains("  ")
        && text.trim() == text
        && text.split(' ').all(|word| word.len() < WIDTH);
    if plain { text.split(' ').map(str::to_owned).collect() } else { encoded(text) }
}

/// A mailbox as words.
pub(super) fn mailbox(name: &str, address: &str) -> Vec<String> {
    let address: String = address.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    if name.is_empty() || name == address {
        return vec![if address.contains([' ', ',', ';']) { format!("<{address}>") } else { address }];
    }
    let mut words = phrase(name);
    words.push(format!("<{address}>"));
    words
}

fn phrase(name: &str) -> Vec<String> {
    if !name.bytes().all(|b| (b' '..=b'~').contains(&b)) || name.contains("=?") || name.len() > 200 {
        return encoded(name);
    }
    let atoms =
        name.bytes().all(|b| b == b' ' || b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    if atoms && !name.contains("  ") && name.trim() == name {
        return name.split(' ').map(str::to_owned).collect();
    }
    vec![format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))]
}

/// Encoded words short enough for a field name beside them, cut between characters; Q where most is ASCII, else B.
pub(super) fn encoded(text: &str) -> Vec<String> {
    let high = text.bytes().filter(|b| !b.is_ascii()).count();
    let quoted = high * 3 < text.len();
    let mut words = Vec::new();
    let mut part = String::new();
    let mut size = 0;
    for c in text.chars() {
        let cost = if quoted { q(c).len() } else { c.len_utf8() };
        if size + cost > if quoted { 50 } else { 36 } {
            words.push(word(&part, quoted));
            part.clear();
            size = 0;
        }
        part.push(c);
        size += cost;
    }
    words.push(word(&part, quoted));
    words
}

fn word(part: &str, quoted: bool) -> String {
    if quoted {
        format!("=?utf-8?Q?{}?=", part.chars().map(q).collect::<String>())
    } else {
        format!("=?utf-8?B?{}?=", STANDARD.encode(part))
    }
}

/// Q for any place: letters, digits and a few marks as they are ([RFC 2047] 5 (3)).
fn q(c: char) -> String {
    match c {
        ' ' => "_".to_owned(),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '*' | '+' | '-' | '/' => c.to_string(),
        _ => percent(c, '='),
    }
}

fn percent(c: char, mark: char) -> String {
    let mut bytes = [0; 4];
    let mut out = String::new();
    for byte in c.encode_utf8(&mut bytes).bytes() {
        // Writing to a string cannot fail.
        _ = write!(out, "{mark}{byte:02X}");
    }
    out
}

/// A parameter with what separates it from the one before: on a line of its own, in sections if it is long, with
/// a charset if it is not ASCII.
pub(super) fn parameter(name: &str, value: &str) -> String {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`{}~".contains(c);
    if value.chars().all(|c| (' '..='~').contains(&c)) && name.len() + value.len() < WIDTH {
        return if !value.is_empty() && value.chars().all(token) {
            format!(";\r\n\t{name}={value}")
        } else {
            format!(";\r\n\t{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        };
    }
    let mut sections = vec![String::from("utf-8''")];
    for c in value.chars() {
        let piece = if token(c) { c.to_string() } else { percent(c, '%') };
        if sections.last().is_some_and(|s| s.len() + piece.len() > 60) {
            sections.push(String::new());
        }
        if let Some(last) = sections.last_mut() {
            last.push_str(&piece);
        }
    }
    match sections.as_slice() {
        [one] => format!(";\r\n\t{name}*={one}"),
        many => many.iter().enumerate().map(|(n, part)| format!(";\r\n\t{name}*{n}*={part}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime;

    #[test]
    fn texts_come_back() {
        for given in [
            "plain words",
            "Grüße aus Köln und noch viel mehr Text, der gefaltet wird, weil er lang ist",
            "漢字かな".repeat(30).as_str(),
            "=?not?",
            "two  blanks",
            " front",
        ] {
            let field = field("Subject", &text(given));
            assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
            let value = field.split_once(':').unwrap().1;
            assert_eq!(mime::text(value), given.trim(), "{field}");
        }
    }

    #[test]
    fn mailboxes_come_back() {
        for name in ["Anna", "Müller, Jörg", "Doe, J. \"JD\" \\o/", "a  b", "漢字", "=?x?="] {
            let value = mailbox(name, "a@example.org").join(" ");
            let list = mime::addresses(&value);
            assert_eq!(list.len(), 1, "{value}");
            assert_eq!((list[0].name.as_str(), list[0].address.as_str()), (name, "a@example.org"), "{value}");
        }
    }

    #[test]
    fn parameters_come_back() {
        for value in [
            "a.txt",
            "two words.pdf",
            "quo\"te.pdf",
            "Übergrößenträger.txt",
            &"長い名前".repeat(40),
            &"x".repeat(300),
            "",
        ] {
            let field = format!("attachment{}", parameter("filename", value));
            assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
            let parsed = mime::MediaType::parse(&field).unwrap();
            assert_eq!(parsed.param("filename").unwrap_or_default(), value, "{field}");
        }
    }

    #[test]
    fn a_parameter_whose_name_is_longer_than_a_line_comes_back() {
        let name = "n".repeat(200);
        for value in ["", "a.txt", "Übergröße"] {
            let field = format!("text/plain{}", parameter(&name, value));
            let parsed = mime::MediaType::parse(&field).unwrap();
            assert_eq!(parsed.param(&name).unwrap_or_default(), value, "{field}");
        }
    }
}
