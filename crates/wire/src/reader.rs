use crate::{Guid, WireError, WireErrorKind, to_usize};

/// A cursor over bytes from outside. It knows the structure that is being read, so that an error names it.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
    base: usize,
    structure: &'static str,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`WireErrorKind::Truncated`] when too few bytes are left.
        pub fn $name(&mut self, field: &'static str) -> Result<$ty, WireError> {
            Ok(<$ty>::from_le_bytes(self.array(field)?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`, reading a structure of that name.
    #[must_use]
    pub fn new(bytes: &'a [u8], structure: &'static str) -> Self {
        Self { bytes, pos: 0, base: 0, structure }
    }

    /// The name of the structure that is being read.
    #[must_use]
    pub fn structure(&self) -> &'static str {
        self.structure
    }

    /// Reads a part under another structure's name: errors inside `f` carry that name.
    ///
    /// # Errors
    /// Whatever `f` returns.
    pub fn within<T, E>(
        &mut self,
        structure: &'static str,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let outer = core::mem::replace(&mut self.structure, structure);
        let result = f(self);
        self.structure = outer;
        result
    }

    /// Bytes from the start of the outermost buffer to the cursor.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.base.saturating_add(self.pos)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.pos)
    }

    /// Whether no byte is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The bytes that are left, without consuming them.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.pos..).unwrap_or_default()
    }

    /// Consumes and returns all the bytes that are left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.rest();
        self.pos = self.bytes.len();
        rest
    }

    /// The next byte, without consuming it.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// An error at the cursor.
    #[must_use]
    pub fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError::new(self.structure, field, self.offset(), kind)
    }

    /// The error of a value that is not allowed, at the cursor.
    #[must_use]
    pub fn invalid(&self, field: &'static str, value: impl Into<u64>) -> WireError {
        self.error(field, WireErrorKind::Invalid { value: value.into() })
    }

    /// Consumes `len` bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] when fewer are left.
    pub fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        match self.rest().get(..len) {
            Some(bytes) => {
                self.pos = self.pos.saturating_add(len);
                Ok(bytes)
            }
            None => Err(self.error(field, WireErrorKind::Truncated { need: len, have: self.remaining() })),
        }
    }

    /// Consumes as many bytes as a 16-bit length in front of them says.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`].
    pub fn bytes16(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.u16(field)?;
        self.bytes(usize::from(len), field)
    }

    /// Consumes as many bytes as a 32-bit length in front of them says.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`].
    pub fn bytes32(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.u32(field)?;
        self.bytes(to_usize(len), field)
    }

    /// Checks a count of elements of at least `min_size` bytes each against the bytes that are left, so that a
    /// vector may be reserved for it.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`] when so many elements cannot be there.
    pub fn count(&self, count: usize, min_size: usize, field: &'static str) -> Result<usize, WireError> {
        let need = count.saturating_mul(min_size.max(1));
        if need > self.remaining() {
            return Err(self.error(field, WireErrorKind::Truncated { need, have: self.remaining() }));
        }
        Ok(count)
    }

    /// A cursor over the next `len` bytes, which are consumed here.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`].
    pub fn sub(&mut self, len: usize, field: &'static str) -> Result<Reader<'a>, WireError> {
        let base = self.offset();
        let bytes = self.bytes(len, field)?;
        Ok(Reader { bytes, pos: 0, base, structure: self.structure })
    }

    /// Consumes an array.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`].
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let bytes = self.bytes(N, field)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    fixed! {
        /// Consumes an unsigned byte.
        u8 -> u8;
        /// Consumes 16 bits, little-endian.
        u16 -> u16;
        /// Consumes 32 bits, little-endian.
        u32 -> u32;
        /// Consumes 64 bits, little-endian.
        u64 -> u64;
        /// Consumes a signed 16-bit number, little-endian.
        i16 -> i16;
        /// Consumes a signed 32-bit number, little-endian.
        i32 -> i32;
        /// Consumes a signed 64-bit number, little-endian.
        i64 -> i64;
        /// Consumes a 32-bit floating-point number, little-endian.
        f32 -> f32;
        /// Consumes a 64-bit floating-point number, little-endian.
        f64 -> f64;
    }

    /// Consumes a GUID.
    ///
    /// # Errors
    /// [`WireErrorKind::Truncated`].
    pub fn guid(&mut self, field: &'static str) -> Result<Guid, WireError> {
        Ok(Guid::from_bytes(self.array(field)?))
    }

    /// Consumes a string of bytes and its null terminator; returns the bytes before it.
    ///
    /// # Errors
    /// [`WireErrorKind::BadString`] when no terminator follows.
    pub fn cstr(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let rest = self.rest();
        let Some(len) = rest.iter().position(|&b| b == 0) else {
            return Err(self.error(field, WireErrorKind::BadString));
        };
        self.pos = self.pos.saturating_add(len).saturating_add(1);
        Ok(rest.get(..len).unwrap_or_default())
    }

    /// Consumes a UTF-16LE string and its two-byte terminator. Unpaired surrogates become U+FFFD.
    ///
    /// # Errors
    /// [`WireErrorKind::BadString`] when no terminator follows.
    pub fn cstr16(&mut self, field: &'static str) -> Result<String, WireError> {
        let rest = self.rest();
        let Some(units) = rest.chunks_exact(2).position(|pair| pair == [0, 0]) else {
            return Err(self.error(field, WireErrorKind::BadString));
        };
        let len = units.saturating_mul(2);
        self.pos = self.pos.saturating_add(len).saturating_add(2);
        Ok(crate::reader::utf16le(rest.get(..len).unwrap_or_default()))
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`WireErrorKind::Trailing`].
    pub fn finish(&self) -> Result<(), WireError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(self.error("(end)", WireErrorKind::Trailing { count })),
        }
    }
}

/// Decodes UTF-16LE; unpaired surrogates become U+FFFD, an odd last byte is ignored.
pub(crate) fn utf16le(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [lo, hi] => u16::from_le_bytes([*lo, *hi]),
        _ => 0,
    });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

impl Reader<'_> {
    /// Decodes UTF-16LE bytes; unpaired surrogates become U+FFFD, an odd last byte is ignored.
    #[must_use]
    pub fn decode_utf16le(bytes: &[u8]) -> String {
        utf16le(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_before_use() {
        let mut r = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1], "X");
        let err = r.bytes32("f").unwrap_err();
        assert_eq!(err.to_string(), "X.f at offset 4: needs 4294967295 bytes, 1 are left");
        let r = Reader::new(&[0; 10], "X");
        assert!(r.count(usize::MAX, 8, "n").is_err());
        assert_eq!(r.count(5, 2, "n"), Ok(5));
    }

    #[test]
    fn strings_end_at_their_terminator() {
        let mut r = Reader::new(b"ab\0c\0d\0\0\0x", "X");
        assert_eq!(r.cstr("s"), Ok(&b"ab"[..]));
        assert_eq!(r.cstr16("s"), Ok("cd".to_owned()));
        assert_eq!(r.remaining(), 1);
        assert!(r.cstr("s").is_err());
        assert!(r.cstr16("s").is_err());
    }

    #[test]
    fn a_part_keeps_the_outer_offset() {
        let mut r = Reader::new(&[0; 8], "X");
        r.u16("a").unwrap();
        let mut sub = r.sub(4, "b").unwrap();
        sub.u16("c").unwrap();
        assert_eq!(sub.u32("d").unwrap_err().offset, 4);
        assert_eq!(r.remaining(), 2);
        assert!(r.finish().is_err());
    }
}
