//! As much of DER (X.690) as SPNEGO and Kerberos need. Lengths are definite and compared with the bytes that are
//! left; tags have one byte. Nothing here descends by itself, so that depth is the caller's own.

use watertight_wire::{WireError, WireErrorKind};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const GENERAL_STRING: u8 = 0x1b;
pub(crate) const SEQUENCE: u8 = 0x30;

/// `[n]`, constructed.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// `[APPLICATION n]`, constructed.
pub(crate) const fn application(n: u8) -> u8 {
    0x60 | n
}

/// A cursor over the contents of one element.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
    structure: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], structure: &'static str) -> Self {
        Self { rest: bytes, offset: 0, structure }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError::new(self.structure, field, self.offset, kind)
    }

    pub(crate) fn invalid(&self, field: &'static str, value: u64) -> WireError {
        self.error(field, WireErrorKind::Invalid { value })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.error(field, WireErrorKind::Truncated { need: len, have: self.rest.len() }));
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(len);
        Ok(taken)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.take(1, field).map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    /// Tag and contents of the next element.
    pub(crate) fn any(&mut self, field: &'static str) -> Result<(u8, &'a [u8]), WireError> {
        let tag = self.byte(field)?;
        if tag & 0x1f == 0x1f {
            return Err(self.invalid(field, tag.into()));
        }
        let first = self.byte(field)?;
        let len = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let bytes = self.take(usize::from(first & 0x7f), field)?;
                bytes.iter().fold(0_usize, |len, byte| (len << 8) | usize::from(*byte))
            }
            _ => return Err(self.invalid(field, first.into())),
        };
        Ok((tag, self.take(len, field)?))
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8, field: &'static str) -> Result<&'a [u8], WireError> {
        match self.peek() {
            Some(found) if found == tag => Ok(self.any(field)?.1),
            Some(found) => Err(self.invalid(field, found.into())),
            None => Err(self.error(field, WireErrorKind::Truncated { need: 2, have: 0 })),
        }
    }

    /// The same, to read in.
    pub(crate) fn nested(&mut self, tag: u8, field: &'static str) -> Result<Self, WireError> {
        let value = self.value(tag, field)?;
        let offset = self.offset.saturating_sub(value.len());
        Ok(Self { rest: value, offset, structure: self.structure })
    }

    /// The same, when the next element has this tag.
    pub(crate) fn optional(&mut self, tag: u8, field: &'static str) -> Result<Option<Self>, WireError> {
        if self.peek() == Some(tag) { self.nested(tag, field).map(Some) } else { Ok(None) }
    }

    /// Nothing may follow.
    pub(crate) fn finish(&self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.error("(end)", WireErrorKind::Trailing { count })),
        }
    }
}

/// One element.
pub(crate) fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len();
    let mut bytes = vec![tag];
    if let Ok(short @ 0..=0x7f) = u8::try_from(len) {
        bytes.push(short);
    } else {
        let long = len.to_be_bytes();
        let significant: Vec<u8> = long.into_iter().skip_while(|byte| *byte == 0).collect();
        bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
        bytes.extend(significant);
    }
    bytes.extend_from_slice(contents);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_short_and_long() {
        for len in [0, 1, 127, 128, 255, 256, 65536] {
            let bytes = tagged(OCTET_STRING, &vec![7; len]);
            let mut reader = Reader::new(&bytes, "X");
            assert_eq!(reader.value(OCTET_STRING, "f").unwrap().len(), len);
            reader.finish().unwrap();
        }
        assert_eq!(tagged(OCTET_STRING, &[0; 128])[..3], [4, 0x81, 0x80]);
    }

    #[test]
    fn lengths_that_lie() {
        for bad in [
            &[0x30, 0x80][..],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 0],
        ] {
            assert!(Reader::new(bad, "X").any("f").is_err());
        }
    }
}
