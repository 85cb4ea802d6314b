//! Property values as streams of pieces.

use std::io;

use watertight_mapi::prop::{LargeValue, PropData, PropType, PropValue};
use watertight_wire::{to_u64, to_usize};

use crate::{ExportError, charset};

/// Reads values that are not in memory.
pub trait LargeSource {
    /// Fills the front of `buf` with bytes of the value from `offset` on and returns how many; 0 only at the end.
    /// A PtypString is its UTF-16LE bytes without terminator.
    ///
    /// # Errors
    /// The error of whatever holds the value.
    fn read(&mut self, value: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

/// For contents whose values are all in memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLarge;

impl LargeSource for NoLarge {
    fn read(&mut self, _: LargeValue, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this message has no large values"))
    }
}

/// The size of a piece.
const PIECE: usize = 64 * 1024;

/// Calls `f` with the bytes of a value, piece by piece. Texts come as UTF-8, everything else as it is.
pub(crate) fn pieces(
    tag_type: PropType,
    data: &PropData,
    codepage: Option<i32>,
    large: &mut dyn LargeSource,
    f: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    match data {
        PropData::Inline(PropValue::Unicode(text)) => chunked(without_nul(text.as_bytes()), f),
        PropData::Inline(PropValue::String8(bytes)) => {
            chunked(charset::decode_codepage(without_nul(bytes), codepage).as_bytes(), f)
        }
        PropData::Inline(PropValue::Binary(bytes) | PropValue::Object(bytes)) => chunked(bytes, f),
        PropData::Inline(_) => Ok(()),
        PropData::Large(value) if tag_type == PropType::Unicode => utf16_pieces(*value, large, f),
        PropData::Large(value) => large_pieces(*value, large, f),
    }
}

/// The whole value as text when it is at most `limit` bytes long, else `None`.
pub(crate) fn text_up_to(
    tag_type: PropType,
    data: &PropData,
    codepage: Option<i32>,
    large: &mut dyn LargeSource,
    limit: u64,
) -> Result<Option<String>, ExportError> {
    if let PropData::Large(value) = data
        && value.len > limit
    {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    pieces(tag_type, data, codepage, large, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => charset::utf8_or_1252(e.as_bytes()).into_owned(),
    }))
}

fn chunked(bytes: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>) -> Result<(), ExportError> {
    bytes.chunks(PIECE).try_for_each(f)
}

fn without_nul(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(&[0]).unwrap_or(bytes)
}

fn large_pieces(
    value: LargeValue,
    large: &mut dyn LargeSource,
    f: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut buf = vec![0; PIECE];
    let mut offset = 0;
    while offset < value.len {
        let want = usize::try_from(value.len - offset).unwrap_or(PIECE).min(PIECE);
        let room = buf.get_mut(..want).unwrap_or_default();
        let n = large.read(value, offset, room).map_err(ExportError::Read)?;
        let piece = room.get(..n).unwrap_or_default();
        if piece.is_empty() {
            return Err(ExportError::Short { len: value.len, have: offset });
        }
        f(piece)?;
        offset += to_u64(piece.len());
    }
    Ok(())
}

/// UTF-16LE in pieces cut anywhere, as UTF-8. Lone surrogates become U+FFFD; one terminator is left out.
fn utf16_pieces(
    value: LargeValue,
    large: &mut dyn LargeSource,
    f: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut decoder = encoding_rs::UTF_16LE.new_decoder_without_bom_handling();
    let mut out = String::with_capacity(to_usize(128 * 1024));
    let mut nul = false;
    let mut seen = 0u64;
    large_pieces(value, large, &mut |mut piece| {
        seen += to_u64(piece.len());
        let last = seen >= value.len;
        loop {
            let (result, read, _) = decoder.decode_to_string(piece, &mut out, last);
            piece = piece.get(read..).unwrap_or_default();
            if nul {
                f(&[0])?;
            }
            nul = out.ends_with('\0');
            if nul {
                out.pop();
            }
            f(out.as_bytes())?;
            out.clear();
            if result == encoding_rs::CoderResult::InputEmpty {
                return Ok(());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>, usize);

    impl LargeSource for Bytes {
        fn read(&mut self, _: LargeValue, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            let from = usize::try_from(offset).unwrap().min(self.0.len());
            let n = buf.len().min(self.1).min(self.0.len() - from);
            buf[..n].copy_from_slice(&self.0[from..from + n]);
            Ok(n)
        }
    }

    fn text_of(source: &mut Bytes) -> String {
        let data = PropData::Large(LargeValue { id: 1, len: to_u64(source.0.len()) });
        text_up_to(PropType::Unicode, &data, None, source, u64::MAX).unwrap().unwrap()
    }

    #[test]
    fn utf16_cut_anywhere_is_the_same_text() {
        let text = "aä€😀 and 漢字\r\n".repeat(9);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for step in 1..9 {
            assert_eq!(text_of(&mut Bytes(bytes.clone(), step)), text);
        }
        let mut terminated = bytes;
        terminated.extend([0, 0]);
        assert_eq!(text_of(&mut Bytes(terminated, 3)), text);
    }

    #[test]
    fn a_value_that_ends_early_is_an_error() {
        let data = PropData::Large(LargeValue { id: 1, len: 10 });
        let result = text_up_to(PropType::Binary, &data, None, &mut Bytes(vec![1; 4], 3), 100);
        assert!(matches!(result, Err(ExportError::Short { len: 10, have: 4 })));
    }
}
