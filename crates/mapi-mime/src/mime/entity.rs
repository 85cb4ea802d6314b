use std::borrow::Cow;

use super::{
    header::{Header, line_at, strip_eol},
    transfer,
    value::{self, MediaType},
};

/// How deep parts may be nested, embedded messages included; what is deeper stays whole.
pub(crate) const MAX_DEPTH: usize = 40;
/// How many parts a mail may have, those of embedded messages included; a multipart entity with more stays whole.
pub(crate) const MAX_PARTS: usize = 10_000;

/// A message or part.
#[derive(Debug)]
pub(crate) struct Entity<'a> {
    /// Its fields.
    pub(crate) header: Header,
    /// Header and body as they came.
    pub(crate) whole: &'a [u8],
    /// The body as it came.
    pub(crate) body: &'a [u8],
    /// Content-Type; text/plain (message/rfc822 in a digest) where it is missing or makes no sense.
    pub(crate) media: MediaType,
    /// Content-Disposition.
    pub(crate) disposition: Option<MediaType>,
    /// The parts of a multipart entity that could be cut.
    pub(crate) parts: Vec<Entity<'a>>,
    /// Whether it has parts that were not cut, because there are too many or they are nested too deep.
    pub(crate) is_uncut: bool,
}

impl<'a> Entity<'a> {
    /// Reads an entity and, to `depth` levels and as long as `budget` lasts, its parts.
    pub(crate) fn parse(whole: &'a [u8], depth: usize, budget: &mut usize) -> Self {
        Self::parse_in(whole, depth, budget, false)
    }

    fn parse_in(whole: &'a [u8], depth: usize, budget: &mut usize, in_digest: bool) -> Self {
        let (header, start) = Header::parse(whole);
        let body = whole.get(start..).unwrap_or_default();
        let parsed = header.first("Content-Type").and_then(|f| MediaType::parse(f.value()));
        let known = parsed.filter(MediaType::is_valid);
        let media = known.unwrap_or_else(|| default_media(&header, in_digest));
        let disposition = header.first("Content-Disposition").and_then(|f| MediaType::parse(f.value()));
        let mut entity = Self { header, whole, body, media, disposition, parts: Vec::new(), is_uncut: false };
        if entity.media.main == "multipart"
            && let Some(boundary) = entity.media.param("boundary")
        {
            let limit = if depth == 0 { 0 } else { *budget };
            match cut(body, boundary.trim_end().as_bytes(), limit) {
                Some(slices) => {
                    *budget = budget.saturating_sub(slices.len());
                    let in_digest = entity.media.sub == "digest";
                    let parts = slices.into_iter();
                    entity.parts = parts.map(|s| Self::parse_in(s, depth - 1, budget, in_digest)).collect();
                }
                None => entity.is_uncut = true,
            }
        }
        entity
    }

    /// Whether it has parts of its own.
    pub(crate) fn is_multipart(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The type that the content is to be read as: a multipart entity without parts is plain text.
    pub(crate) fn essence(&self) -> String {
        if self.media.main == "multipart" && !self.is_multipart() && !self.is_uncut {
            return "text/plain".to_owned();
        }
        self.media.essence()
    }

    /// Whether it is a multipart entity that has no parts and nothing else either.
    pub(crate) fn is_hollow(&self) -> bool {
        self.media.main == "multipart"
            && !self.is_multipart()
            && !self.is_uncut
            && self.body.trim_ascii().is_empty()
    }

    /// The body without its transfer encoding.
    pub(crate) fn content(&self) -> Cow<'a, [u8]> {
        transfer::decode(&self.transfer_encoding(), self.body)
    }

    /// Content-Transfer-Encoding: its first word, in lower case.
    pub(crate) fn transfer_encoding(&self) -> String {
        let value = self.header.first("Content-Transfer-Encoding").map(|f| f.value()).unwrap_or_default();
        let word = value.trim().split(|c: char| c == ';' || c.is_whitespace()).next().unwrap_or_default();
        word.trim_matches('"').to_ascii_lowercase()
    }

    /// The file name: of the disposition, else of the type.
    pub(crate) fn file_name(&self) -> Option<String> {
        let of_disposition = self.disposition.as_ref().and_then(|d| d.param("filename"));
        let name = of_disposition.or_else(|| self.media.param("name"))?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// Whether it says that it is an attachment.
    pub(crate) fn is_attachment(&self) -> bool {
        self.disposition.as_ref().is_some_and(|d| d.main == "attachment")
    }

    /// The charset parameter.
    pub(crate) fn charset(&self) -> Option<&str> {
        self.media.param("charset")
    }

    /// The decoded text of a field; `None` where it is missing or blank.
    pub(crate) fn field_text(&self, name: &str) -> Option<String> {
        let text = value::text(self.header.first(name)?.value());
        (!text.is_empty()).then_some(text)
    }
}

fn default_media(header: &Header, in_digest: bool) -> MediaType {
    let (main, sub) =
        if in_digest && !header.has("Content-Type") { ("message", "rfc822") } else { ("text", "plain") };
    MediaType { main: main.into(), sub: sub.into(), params: Vec::new() }
}

/// The parts between boundary lines, without the line end before each; what is before the first and after the last
/// is no part. A missing last boundary is taken to be at the end. `None` when there are more than `limit`.
fn cut<'a>(body: &'a [u8], boundary: &[u8], limit: usize) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(line) = line_at(body, at) {
        let next = at + line.len();
        if let Some(last) = boundary_line(line, boundary) {
            if let Some(start) = start {
                push(&mut parts, body, start, at);
            }
            if parts.len() > limit {
                return None;
            }
            start = Some(next);
            if last {
                start = None;
                break;
            }
        }
        at = next;
    }
    if let Some(start) = start.filter(|s| *s < body.len()) {
        parts.extend(body.get(start..));
    }
    (parts.len() <= limit).then_some(parts)
}

fn push<'a>(parts: &mut Vec<&'a [u8]>, body: &'a [u8], start: usize, end: usize) {
    // Two boundary lines with nothing between them are one.
    if start < end {
        parts.extend(body.get(start..end).map(strip_eol));
    }
}

/// Whether the line is "--boundary" (`Some(false)`) or "--boundary--" (`Some(true)`), blanks at the end allowed.
fn boundary_line(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, last) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    rest.iter().all(u8::is_ascii_whitespace).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_at_lines() {
        let body = b"preamble\n--b\n\none\n--bb\n--b \r\n\r\ntwo\r\n--b--\nepilogue";
        assert_eq!(cut(body, b"b", 9).unwrap(), [&b"\none\n--bb"[..], b"\r\ntwo"]);
        assert_eq!(cut(b"--b\nA: 1\n\nopen", b"b", 9).unwrap(), [&b"A: 1\n\nopen"[..]]);
        assert_eq!(cut(b"--b\n--b\nx\n--b--", b"b", 9).unwrap(), [&b"x"[..]]);
        assert!(cut(b"nothing here", b"b", 9).unwrap().is_empty());
        assert_eq!(cut(body, b"b", 1), None);
    }

    #[test]
    fn digests_hold_messages() {
        let raw = b"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nb\n--x--\n";
        let entity = Entity::parse(raw, 5, &mut 9);
        assert_eq!(entity.parts[0].essence(), "message/rfc822");
        assert_eq!(entity.parts[0].body, b"Subject: a\n\nb");
    }

    #[test]
    fn depth_is_bounded() {
        let mut raw = Vec::new();
        for n in 0..1000 {
            raw.extend(format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n").bytes());
        }
        let mut budget = MAX_PARTS;
        let mut entity = &Entity::parse(&raw, MAX_DEPTH, &mut budget);
        let mut depth = 0;
        while let Some(part) = entity.parts.first() {
            entity = part;
            depth += 1;
        }
        assert_eq!(depth, MAX_DEPTH);
        assert!(entity.is_uncut);
    }
}
