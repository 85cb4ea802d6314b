//! Bytes out: lines and transfer encodings.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use watertight_wire::to_u64;

use super::LineEnding;
use crate::ExportError;

/// The buffer before the output.
const BUFFER: usize = 32 * 1024;

/// A counted, buffered output that knows its line ends.
pub(super) struct Output<'o> {
    inner: &'o mut dyn Write,
    buffer: Vec<u8>,
    eol: &'static [u8],
    bytes: u64,
    at_line_start: bool,
}

impl<'o> Output<'o> {
    pub(super) fn new(inner: &'o mut dyn Write, ending: LineEnding) -> Self {
        let eol: &[u8] = match ending {
            LineEnding::Lf => b"\n",
            LineEnding::CrLf => b"\r\n",
        };
        Self { inner, buffer: Vec::with_capacity(BUFFER), eol, bytes: 0, at_line_start: true }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        if let Some(last) = bytes.last() {
            self.at_line_start = *last == b'\n';
        }
        self.bytes += to_u64(bytes.len());
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            return self.inner.write_all(bytes).map_err(ExportError::Write);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn end_of_line(&mut self) -> Result<(), ExportError> {
        self.raw(self.eol)
    }

    /// A header field whose folded lines are separated by CRLF.
    pub(super) fn field(&mut self, text: &str) -> Result<(), ExportError> {
        for line in text.split("\r\n") {
            self.raw(line.as_bytes())?;
            self.end_of_line()?;
        }
        Ok(())
    }

    /// A boundary line; the line end before it belongs to it.
    pub(super) fn boundary(&mut self, boundary: &str) -> Result<(), ExportError> {
        self.end_of_line()?;
        self.field(&format!("--{boundary}"))
    }

    pub(super) fn end_boundary(&mut self, boundary: &str) -> Result<(), ExportError> {
        self.end_of_line()?;
        self.field(&format!("--{boundary}--"))
    }

    pub(super) fn finish(mut self) -> Result<u64, ExportError> {
        self.flush()?;
        self.inner.flush().map_err(ExportError::Write)?;
        Ok(self.bytes)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.inner.write_all(&self.buffer).map_err(ExportError::Write)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Whether a content has anything that matters for its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stats {
    /// All bytes but CR, so that line ends make no difference.
    pub(super) bytes: u64,
    /// Bytes above 127.
    pub(super) high: u64,
    /// NUL, bare CR and other control characters but tab.
    pub(super) controls: bool,
    /// NUL.
    pub(super) nul: bool,
    /// A line of more than 998 bytes.
    pub(super) long_lines: bool,
    /// A line that starts as our boundaries do.
    pub(super) boundary_like: bool,
    line: u64,
    front: [u8; 4],
    cr: bool,
}

impl Stats {
    pub(super) fn add(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.bytes += u64::from(byte != b'\r');
            if self.cr && byte != b'\n' {
                self.controls = true;
            }
            self.cr = byte == b'\r';
            match byte {
                b'\n' => {
                    self.line = 0;
                    continue;
                }
                b'\r' => continue,
                b'\t' | b' '..=b'~' => {}
                0x80.. => self.high += 1,
                0 => {
                    self.controls = true;
                    self.nul = true;
                }
                _ => self.controls = true,
            }
            if let Some(slot) = usize::try_from(self.line).ok().and_then(|at| self.front.get_mut(at)) {
                *slot = byte;
                self.boundary_like |= self.line == 3 && self.front == *b"--=_";
            }
            self.line += 1;
            self.long_lines |= self.line > 998;
        }
    }

    pub(super) fn finish(mut self) -> Self {
        self.controls |= self.cr;
        self
    }

    /// The encoding for text.
    pub(super) fn text_encoding(&self) -> Encoding {
        if self.high == 0 && !self.controls && !self.long_lines && !self.boundary_like {
            Encoding::SevenBit
        } else if self.high > self.bytes / 4 {
            Encoding::Base64
        } else {
            Encoding::QuotedPrintable
        }
    }
}

/// How a part is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is, line ends made ours.
    SevenBit,
    /// As it is, line ends made ours, with bytes above 127.
    EightBit,
    /// Byte for byte.
    Binary,
    QuotedPrintable,
    Base64,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Binary => "binary",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// Encodes pieces of one content.
pub(super) struct Encoder {
    encoding: Encoding,
    /// The unfinished line (quoted-printable) or the unfinished 57 bytes (base64).
    rest: Vec<u8>,
    /// CRs that came last. All of them and an LF are one end of a line.
    crs: usize,
    started: bool,
}

impl Encoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, rest: Vec::with_capacity(128), crs: 0, started: false }
    }

    pub(super) fn write(&mut self, piece: &[u8], out: &mut Output<'_>) -> Result<(), ExportError> {
        match self.encoding {
            Encoding::Binary => out.raw(piece),
            Encoding::SevenBit | Encoding::EightBit => self.lines(piece, out),
            Encoding::QuotedPrintable => piece.iter().try_for_each(|byte| self.quote(*byte, out)),
            Encoding::Base64 => self.base64(piece, out),
        }
    }

    pub(super) fn finish(mut self, out: &mut Output<'_>) -> Result<(), ExportError> {
        match self.encoding {
            Encoding::Binary => Ok(()),
            Encoding::SevenBit | Encoding::EightBit => (0..self.crs).try_for_each(|_| out.raw(b"\r")),
            Encoding::QuotedPrintable => {
                self.quote_crs(out)?;
                self.protect_blank(out)?;
                out.raw(&self.rest)
            }
            Encoding::Base64 => self.base64_line(out),
        }
    }

    fn lines(&mut self, piece: &[u8], out: &mut Output<'_>) -> Result<(), ExportError> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (content, ends) = match part.strip_suffix(b"\n") {
                Some(content) => (content, true),
                None => (part, false),
            };
            let text = content.len() - content.iter().rev().take_while(|byte| **byte == b'\r').count();
            if text > 0 {
                (0..self.crs).try_for_each(|_| out.raw(b"\r"))?;
                self.crs = 0;
                out.raw(content.get(..text).unwrap_or_default())?;
            }
            if ends {
                self.crs = 0;
                out.end_of_line()?;
            } else {
                self.crs += content.len() - text;
            }
        }
        Ok(())
    }

    fn quote(&mut self, byte: u8, out: &mut Output<'_>) -> Result<(), ExportError> {
        match byte {
            b'\r' => {
                self.crs += 1;
                return Ok(());
            }
            b'\n' => self.crs = 0,
            _ => self.quote_crs(out)?,
        }
        match byte {
            b'\n' => {
                self.protect_blank(out)?;
                out.raw(&self.rest)?;
                self.rest.clear();
                out.end_of_line()
            }
            b'\t' | b' '..=b'<' | b'>'..=b'~' => self.token(&[byte], out),
            _ => {
                let [high, low] = [byte >> 4, byte & 15].map(hex);
                self.token(&[b'=', high, low], out)
            }
        }
    }

    /// CRs that are no end of a line.
    fn quote_crs(&mut self, out: &mut Output<'_>) -> Result<(), ExportError> {
        for _ in 0..core::mem::take(&mut self.crs) {
            self.token(b"=0D", out)?;
        }
        Ok(())
    }

    fn token(&mut self, token: &[u8], out: &mut Output<'_>) -> Result<(), ExportError> {
        if self.rest.len() + token.len() > 75 {
            out.raw(&self.rest)?;
            out.raw(b"=")?;
            out.end_of_line()?;
            self.rest.clear();
        }
        self.rest.extend_from_slice(token);
        Ok(())
    }

    /// A blank at the end of a line would be lost on the way.
    fn protect_blank(&mut self, out: &mut Output<'_>) -> Result<(), ExportError> {
        match self.rest.last() {
            Some(b' ') => {
                self.rest.pop();
                self.token(b"=20", out)
            }
            Some(b'\t') => {
                self.rest.pop();
                self.token(b"=09", out)
            }
            _ => Ok(()),
        }
    }

    fn base64(&mut self, mut piece: &[u8], out: &mut Output<'_>) -> Result<(), ExportError> {
        while !piece.is_empty() {
            let want = 57 - self.rest.len();
            let (now, after) = piece.split_at(want.min(piece.len()));
            self.rest.extend_from_slice(now);
            piece = after;
            if self.rest.len() == 57 {
                self.base64_line(out)?;
            }
        }
        Ok(())
    }

    fn base64_line(&mut self, out: &mut Output<'_>) -> Result<(), ExportError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        if self.started {
            out.end_of_line()?;
        }
        self.started = true;
        let mut line = [0; 76];
        let n = STANDARD.encode_slice(&self.rest, &mut line).unwrap_or(0);
        self.rest.clear();
        out.raw(line.get(..n).unwrap_or_default())
    }
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(encoding: Encoding, content: &[u8], piece: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Output::new(&mut bytes, LineEnding::Lf);
        let mut encoder = Encoder::new(encoding);
        for piece in content.chunks(piece) {
            encoder.write(piece, &mut out).unwrap();
        }
        encoder.finish(&mut out).unwrap();
        out.finish().unwrap();
        bytes
    }

    #[test]
    fn pieces_cut_anywhere_give_the_same_bytes() {
        let content = "Grüße = \r\n\tlang ".repeat(20) + "x\r";
        for encoding in [Encoding::EightBit, Encoding::QuotedPrintable, Encoding::Base64, Encoding::Binary] {
            let whole = encode(encoding, content.as_bytes(), usize::MAX);
            for piece in 1..70 {
                assert_eq!(encode(encoding, content.as_bytes(), piece), whole, "{encoding:?} {piece}");
            }
            let decoded = crate::mime::Entity::parse(
                &[format!("Content-Transfer-Encoding: {}\n\n", encoding.name()).as_bytes(), &whole].concat(),
                1,
                &mut 1,
            )
            .content()
            .into_owned();
            let expected = if encoding == Encoding::Base64 || encoding == Encoding::Binary {
                content.clone()
            } else {
                content.replace("\r\n", "\n")
            };
            assert_eq!(String::from_utf8(decoded).unwrap(), expected, "{encoding:?}");
            assert!(
                encoding == Encoding::EightBit
                    || encoding == Encoding::Binary
                    || whole.split(|b| *b == b'\n').all(|line| line.len() <= 76)
            );
        }
    }

    #[test]
    fn what_matters_for_the_encoding() {
        let of = |text: &[u8]| {
            let mut stats = Stats::default();
            text.chunks(3).for_each(|piece| stats.add(piece));
            stats.finish()
        };
        assert_eq!(of(b"plain\r\ntext\n").text_encoding(), Encoding::SevenBit);
        assert_eq!(of("fast nur plain, grüß".as_bytes()).text_encoding(), Encoding::QuotedPrintable);
        assert_eq!(of("漢字".as_bytes()).text_encoding(), Encoding::Base64);
        assert!(of(b"x\n--=_0").boundary_like && !of(b"x --=_0").boundary_like);
        assert!(of(b"a\rb").controls && of(b"a\r").controls && !of(b"a\r\n").controls);
        assert!(of(&[b'x'; 999]).long_lines);
    }
}
