use crate::charset;

/// How many fields a header may have; further lines continue the last one.
const MAX_FIELDS: usize = 10_000;

/// A header field as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The name, without colon; empty for an envelope line ("From …").
    pub(crate) name: String,
    /// Name, colon and value; folded lines are separated by CRLF, and there is none at the end.
    pub(crate) text: String,
}

impl Field {
    /// What follows the colon, still folded.
    pub(crate) fn value(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, value)| value)
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a message or part, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    pub(crate) fields: Vec<Field>,
}

impl Header {
    /// Reads fields up to the first line that is none; returns them and where the body starts.
    ///
    /// A blank line ends the header and belongs to it; any other line that is no field begins the body.
    pub(crate) fn parse(raw: &[u8]) -> (Self, usize) {
        let mut header = Self::default();
        let mut at = 0;
        while let Some(line) = line_at(raw, at) {
            let next = at + line.len();
            let content = strip_eol(line);
            if content.is_empty() {
                return (header, next);
            }
            let full = header.fields.len() >= MAX_FIELDS;
            match content.first() {
                Some(b' ' | b'\t') => match header.fields.last_mut() {
                    Some(field) => {
                        field.text.push_str("\r\n");
                        field.text.push_str(&readable(content));
                    }
                    // A continuation of nothing: kept as a body would be if it were not blank.
                    None if content.iter().all(u8::is_ascii_whitespace) => {}
                    None => return (header, at),
                },
                _ => match field_name(content) {
                    Some(_) if full => header.continue_with(&readable(content)),
                    Some(name) => header.fields.push(Field {
                        name: String::from_utf8_lossy(name).into_owned(),
                        text: readable(content),
                    }),
                    None if is_envelope(content) => {
                        header.fields.push(Field { name: String::new(), text: readable(content) });
                    }
                    None => return (header, at),
                },
            }
            at = next;
        }
        (header, at)
    }

    /// The same from PidTagTransportMessageHeaders: up to a blank line; lines that are no fields continue the one
    /// before.
    pub(crate) fn from_text(text: &str) -> Self {
        let mut header = Self::default();
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                // Some servers go on with the fields of the parts.
                if header.fields.is_empty() {
                    continue;
                }
                break;
            }
            let continues = line.starts_with([' ', '\t']);
            let full = header.fields.len() >= MAX_FIELDS;
            match (field_name(line.as_bytes()).filter(|_| !full), header.fields.last_mut()) {
                (Some(name), _) if !continues => header
                    .fields
                    .push(Field { name: String::from_utf8_lossy(name).into_owned(), text: line.to_owned() }),
                (_, Some(field)) => {
                    field.text.push_str("\r\n");
                    if !continues {
                        field.text.push(' ');
                    }
                    field.text.push_str(line);
                }
                (_, None) if is_envelope(line.as_bytes()) => {
                    header.fields.push(Field { name: String::new(), text: line.to_owned() });
                }
                (_, None) => {}
            }
        }
        header
    }

    fn continue_with(&mut self, line: &str) {
        if let Some(field) = self.fields.last_mut() {
            field.text.push_str("\r\n ");
            field.text.push_str(line);
        }
    }

    /// All fields as a text with CRLF line ends.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        for field in &self.fields {
            out.push_str(&field.text);
            out.push_str("\r\n");
        }
        out
    }

    /// The first field with that name.
    pub(crate) fn first(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.is(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

/// The line that starts at `at`, with its end.
pub(crate) fn line_at(raw: &[u8], at: usize) -> Option<&[u8]> {
    let rest = raw.get(at..).filter(|rest| !rest.is_empty())?;
    let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
    rest.get(..len)
}

/// A line without its end.
pub(crate) fn strip_eol(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A line as text; NUL, which no MAPI string can hold, is left out.
fn readable(line: &[u8]) -> String {
    charset::utf8_or_1252(line).replace('\0', "")
}

/// The name before the colon, when the line is a field: printable ASCII without space ([RFC 5322] 3.6.8); blanks
/// before the colon are let through ([RFC 5322] 4.5).
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    (!name.is_empty() && name.iter().all(|b| (0x21..=0x7e).contains(b))).then_some(name)
}

fn is_envelope(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_folding() {
        let (header, body) = Header::parse(b"A: 1\n 2\r\nB : x\n\nbody");
        assert_eq!(header.fields.len(), 2);
        assert_eq!(header.first("a").unwrap().text, "A: 1\r\n 2");
        assert_eq!(header.first("B").unwrap().value(), " x");
        assert_eq!(body, 16);
        assert_eq!(Header::from_text(&header.to_text()), header);
    }

    #[test]
    fn a_line_that_is_no_field_begins_the_body() {
        let raw = b"A: 1\nno field here\n";
        let (header, body) = Header::parse(raw);
        assert_eq!((header.fields.len(), body), (1, 5));
        assert_eq!(Header::from_text("A: 1\nno field").to_text(), "A: 1\r\n no field\r\n");
    }
}
