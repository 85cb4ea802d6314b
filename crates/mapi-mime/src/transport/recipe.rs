//! The mail in the transport form: pieces as they came, and attachments by reference where base64 of the
//! attachment gives exactly the bytes that came. An attachment is so kept once, not twice.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 0: a piece as it came; 1: base64 of an attachment |
//! | 4 | piece: its length |
//! | n | piece: its bytes |
//! | 4 | base64: the attachment's place in the message, from 0 |
//! | 2 | base64: characters a line, a multiple of four; 0 for one line only |
//! | 1 | base64: 1 for LF between lines, 2 for CRLF |
//!
//! Attachments come in their order, each at most once, so that a recipe makes no more than what the message holds.

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use watertight_mapi::{
    PropValue,
    prop::{LargeValue, PropData, tags},
    store::MessageContent,
};
use watertight_wire::{Reader, WireError, to_u64, to_usize};

use crate::{ExportError, LargeSource};

/// Attachments below this many bytes are not worth a reference.
const WORTH: usize = 512;
/// The longest line that is recognized, in characters.
const MAX_LINE: usize = 1000;
/// How many places that begin right are tried.
const MAX_TRIES: usize = 64;
/// How many bytes of an attachment are encoded at a time.
const BLOCK: usize = 48 * 1024;

const PIECE: u8 = 0;
const ATTACHMENT: u8 = 1;
const LF: u8 = 1;
const CRLF: u8 = 2;

/// Appends the recipe of `raw`, a mail from which the attachments of `content` were made.
pub(super) fn write(content: &MessageContent, raw: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for (place, attachment) in content.attachments.iter().enumerate() {
        let Some(data) = attachment.props.binary(tags::ATTACH_DATA_BINARY).filter(|d| d.len() >= WORTH)
        else {
            continue;
        };
        let Some(found) = find(raw, from, data) else { continue };
        let Ok(place) = u32::try_from(place) else { break };
        piece(raw.get(from..found.start).unwrap_or_default(), out);
        out.push(ATTACHMENT);
        out.extend_from_slice(&place.to_le_bytes());
        out.extend_from_slice(&found.line.to_le_bytes());
        out.push(found.eol);
        from = found.end;
    }
    piece(raw.get(from..).unwrap_or_default(), out);
}

fn piece(bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.chunks(to_usize(u32::MAX)) {
        out.push(PIECE);
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(part);
    }
}

struct Found {
    start: usize,
    end: usize,
    line: u16,
    eol: u8,
}

/// Where in `raw`, from `from` on, exactly the base64 of `data` stands.
fn find(raw: &[u8], from: usize, data: &[u8]) -> Option<Found> {
    // The first twelve bytes are within the first line of any line length of 16 and more.
    let head = STANDARD.encode(data.get(..12)?);
    memmem::find_iter(raw.get(from..)?, head.as_bytes())
        .map(|at| from + at)
        .filter(|start| start.checked_sub(1).is_none_or(|before| raw.get(before) == Some(&b'\n')))
        .take(MAX_TRIES)
        .find_map(|start| match_at(raw, start, data))
}

fn match_at(raw: &[u8], start: usize, data: &[u8]) -> Option<Found> {
    let window = raw.get(start..)?;
    let window = window.get(..window.len().min(MAX_LINE + 2)).unwrap_or_default();
    let (line, eol, code) = match memchr::memchr(b'\n', window) {
        Some(end) if end > 0 && window.get(end - 1) == Some(&b'\r') => (end - 1, &b"\r\n"[..], CRLF),
        Some(end) => (end, &b"\n"[..], LF),
        None => (0, &b""[..], LF),
    };
    let encoded = data.len().div_ceil(3) * 4;
    let line = if line >= encoded { 0 } else { line };
    if line % 4 != 0 || line > MAX_LINE {
        return None;
    }
    let mut rest = raw.get(start..)?;
    Lines::new(line, eol)
        .push(data, true, &mut |bytes| {
            rest = rest.strip_prefix(bytes).ok_or(ExportError::TransportForm)?;
            Ok(())
        })
        .ok()?;
    Some(Found { start, end: raw.len() - rest.len(), line: u16::try_from(line).ok()?, eol: code })
}

/// Base64 in lines, the last one without its end.
struct Lines {
    line: usize,
    eol: &'static [u8],
    /// Bytes that do not fill a block yet.
    left: Vec<u8>,
    started: bool,
}

type Sink<'s> = dyn FnMut(&[u8]) -> Result<(), ExportError> + 's;

impl Lines {
    fn new(line: usize, eol: &'static [u8]) -> Self {
        Self { line, eol, left: Vec::new(), started: false }
    }

    /// Encodes `bytes` after those that came before; the rest as well when they are the `last`.
    fn push(&mut self, bytes: &[u8], last: bool, f: &mut Sink<'_>) -> Result<(), ExportError> {
        // Whole lines and whole groups of three; never nothing.
        let unit = if self.line == 0 { 3 } else { self.line / 4 * 3 };
        let block = (BLOCK / unit).max(1) * unit;
        let mut bytes = bytes;
        if !self.left.is_empty() {
            let fill = block.saturating_sub(self.left.len()).min(bytes.len());
            let (now, later) = bytes.split_at(fill);
            self.left.extend_from_slice(now);
            bytes = later;
            if self.left.len() == block {
                let full = core::mem::take(&mut self.left);
                self.encode(&full, f)?;
            }
        }
        while bytes.len() >= block {
            let (now, later) = bytes.split_at(block);
            self.encode(now, f)?;
            bytes = later;
        }
        self.left.extend_from_slice(bytes);
        if last {
            let rest = core::mem::take(&mut self.left);
            self.encode(&rest, f)?;
        }
        Ok(())
    }

    fn encode(&mut self, bytes: &[u8], f: &mut Sink<'_>) -> Result<(), ExportError> {
        let text = STANDARD.encode(bytes);
        if self.line == 0 {
            return f(text.as_bytes());
        }
        let mut out = Vec::with_capacity(text.len() + text.len() / self.line * 2 + 2);
        for line in text.as_bytes().chunks(self.line) {
            if self.started {
                out.extend_from_slice(self.eol);
            }
            self.started = true;
            out.extend_from_slice(line);
        }
        f(&out)
    }
}

/// Takes a recipe in pieces cut anywhere and gives out the mail in pieces.
#[derive(Default)]
pub(super) struct Cook {
    /// The bytes of a segment's head that have come so far.
    head: Vec<u8>,
    /// How many bytes of a piece are still to come.
    piece: usize,
    /// The first attachment that may still be taken.
    next: usize,
}

impl Cook {
    /// Takes more of the recipe.
    ///
    /// # Errors
    /// A recipe that does not make sense, an attachment that is not there or cannot be read, the output's errors.
    pub(super) fn push(
        &mut self,
        mut recipe: &[u8],
        content: &MessageContent,
        large: &mut dyn LargeSource,
        f: &mut Sink<'_>,
    ) -> Result<(), ExportError> {
        while !recipe.is_empty() {
            if self.piece > 0 {
                let (now, later) = recipe.split_at(self.piece.min(recipe.len()));
                f(now)?;
                self.piece -= now.len();
                recipe = later;
                continue;
            }
            let Some((byte, later)) = recipe.split_first() else { break };
            self.head.push(*byte);
            recipe = later;
            let head = core::mem::take(&mut self.head);
            match Segment::parse(&head)? {
                None => self.head = head,
                Some(Segment::Piece(len)) => self.piece = len,
                Some(Segment::Attachment { place, line, eol }) => {
                    if place < self.next {
                        return Err(ExportError::TransportForm);
                    }
                    self.next = place.saturating_add(1);
                    attachment(content, place, line, eol, large, f)?
                }
            }
        }
        Ok(())
    }

    /// Whether the recipe ended where one may end.
    pub(super) fn is_done(&self) -> bool {
        self.piece == 0 && self.head.is_empty()
    }
}

enum Segment {
    Piece(usize),
    Attachment { place: usize, line: usize, eol: &'static [u8] },
}

impl Segment {
    /// The head of a segment; `None` while it is not complete.
    fn parse(head: &[u8]) -> Result<Option<Self>, ExportError> {
        let need = match head.first() {
            Some(&PIECE) => 5,
            Some(&ATTACHMENT) => 8,
            _ => return Err(ExportError::TransportForm),
        };
        if head.len() < need {
            return Ok(None);
        }
        Self::whole(head).map(Some).map_err(|_| ExportError::TransportForm)
    }

    fn whole(head: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(head, "TransportForm");
        if r.u8("kind")? == PIECE {
            return Ok(Self::Piece(to_usize(r.u32("length")?)));
        }
        let place = to_usize(r.u32("place")?);
        let line = usize::from(r.u16("line")?);
        let eol: &[u8] = if r.u8("eol")? == CRLF { b"\r\n" } else { b"\n" };
        if line % 4 != 0 || line > MAX_LINE {
            return Err(r.invalid("line", to_u64(line)));
        }
        Ok(Self::Attachment { place, line, eol })
    }
}

fn attachment(
    content: &MessageContent,
    place: usize,
    line: usize,
    eol: &'static [u8],
    large: &mut dyn LargeSource,
    f: &mut Sink<'_>,
) -> Result<(), ExportError> {
    let attachment = content.attachments.get(place).ok_or(ExportError::TransportForm)?;
    let prop = attachment.props.find(tags::ATTACH_DATA_BINARY).ok_or(ExportError::TransportForm)?;
    let mut lines = Lines::new(line, eol);
    match &prop.value {
        PropData::Inline(PropValue::Binary(bytes)) => lines.push(bytes, true, f),
        PropData::Large(value) => {
            pieces(*value, large, &mut |bytes| lines.push(bytes, false, f))?;
            lines.push(&[], true, f)
        }
        PropData::Inline(_) => Err(ExportError::TransportForm),
    }
}

fn pieces(value: LargeValue, large: &mut dyn LargeSource, f: &mut Sink<'_>) -> Result<(), ExportError> {
    crate::large::pieces(watertight_mapi::PropType::Binary, &PropData::Large(value), None, large, f)
}

#[cfg(test)]
mod tests {
    use watertight_mapi::{prop::PropBag, store::Attachment};

    use super::*;
    use crate::NoLarge;

    fn content(data: &[&[u8]]) -> MessageContent {
        let attachments = data
            .iter()
            .enumerate()
            .map(|(i, d)| {
                let mut props = PropBag::default();
                props.set(tags::ATTACH_DATA_BINARY, d.to_vec());
                Attachment { number: u32::try_from(i).unwrap(), props, embedded: None }
            })
            .collect();
        MessageContent { attachments, ..MessageContent::default() }
    }

    fn lines(data: &[u8], line: usize, eol: &str) -> String {
        let text = STANDARD.encode(data);
        let parts: Vec<_> = text.as_bytes().chunks(line).map(|c| core::str::from_utf8(c).unwrap()).collect();
        parts.join(eol)
    }

    fn cook(recipe: &[u8], content: &MessageContent, cut: usize) -> Result<Vec<u8>, ExportError> {
        let mut out = Vec::new();
        let mut cook = Cook::default();
        for part in recipe.chunks(cut) {
            cook.push(part, content, &mut NoLarge, &mut |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        if cook.is_done() { Ok(out) } else { Err(ExportError::TransportForm) }
    }

    #[test]
    fn any_line_length_and_ending_comes_back() {
        let data: Vec<u8> = (0..150_001u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for (line, eol) in
            [(76, "\r\n"), (76, "\n"), (60, "\n"), (4, "\n"), (16, "\r\n"), (1 << 20, "\n"), (72, "\n")]
        {
            for len in [600, 57 * 20, 57 * 20 + 1, data.len()] {
                let data = &data[..len];
                let raw = format!("Head{eol}{eol}{}{eol}--tail--{eol}", lines(data, line, eol));
                let content = content(&[data]);
                let mut recipe = Vec::new();
                write(&content, raw.as_bytes(), &mut recipe);
                if line >= 16 {
                    assert!(recipe.len() < 80, "{line} {len} is by reference: {}", recipe.len());
                }
                for cut in [1, 7, 1 << 20] {
                    assert_eq!(cook(&recipe, &content, cut).unwrap(), raw.as_bytes(), "{line} {len} {cut}");
                }
            }
        }
    }

    #[test]
    fn what_base64_does_not_give_again_is_kept_as_it_came() {
        let data: Vec<u8> = (0..2000u32).map(|i| i.to_le_bytes()[0]).collect();
        let mut text = lines(&data, 76, "\n");
        text.insert(300, '\n');
        let raw = format!("Head\n\n{text}\n");
        let content = content(&[&data]);
        let mut recipe = Vec::new();
        write(&content, raw.as_bytes(), &mut recipe);
        assert!(recipe.len() > raw.len());
        assert_eq!(cook(&recipe, &content, 1000).unwrap(), raw.as_bytes());
    }

    #[test]
    fn two_equal_attachments_are_two_references() {
        let data: Vec<u8> = (0..3000u32).map(|i| i.wrapping_mul(7919).to_be_bytes()[2]).collect();
        let text = lines(&data, 76, "\r\n");
        let raw = format!("a\r\n{text}\r\nb\r\n{text}\r\n");
        let content = content(&[&data, &data]);
        let mut recipe = Vec::new();
        write(&content, raw.as_bytes(), &mut recipe);
        assert!(recipe.len() < 80);
        assert_eq!(cook(&recipe, &content, 3).unwrap(), raw.as_bytes());
    }

    #[test]
    fn an_attachment_is_taken_once() {
        let content = content(&[&[7; 600], &[8; 600]]);
        let refer = |place: u8| [ATTACHMENT, place, 0, 0, 0, 76, 0, LF];
        assert!(cook(&[refer(0), refer(1)].concat(), &content, 3).is_ok());
        for places in [[0, 0], [1, 0]] {
            let recipe = places.map(refer).concat();
            assert!(matches!(cook(&recipe, &content, 3), Err(ExportError::TransportForm)));
        }
    }

    #[test]
    fn any_recipe_is_refused_or_cooked() {
        let data = vec![7; 600];
        let content = content(&[&data]);
        let mut recipe = Vec::new();
        write(&content, format!("x\n{}\n", lines(&data, 76, "\n")).as_bytes(), &mut recipe);
        watertight_testkit::mutate::survive(&recipe, |bytes| {
            let _ = cook(bytes, &content, 5);
        });
    }
}
