use watertight_wire::{WireError, WireErrorKind, to_u64};

use super::array::{read_variance, write_variance};
use super::{Codec, Extent, NdrReader, NdrWriter, Syntax};

/// What a string is in memory: a `String` of 16-bit characters on the wire, or a `Vec<u8>` of octets.
pub trait Text: Sized {
    /// Bytes of a character on the wire.
    const UNIT: usize;
    /// How many characters it has, without the terminator.
    fn units(&self) -> usize;
    /// Writes the characters and the terminator.
    ///
    /// # Errors
    /// When a terminator is among them.
    fn write(&self, w: &mut NdrWriter) -> Result<(), WireError>;
    /// Reads so many characters, of which the last is the terminator and the only one.
    ///
    /// # Errors
    /// When that is not so.
    fn read(r: &mut NdrReader<'_>, units: usize) -> Result<Self, WireError>;
}

impl Text for String {
    const UNIT: usize = 2;

    fn units(&self) -> usize {
        self.encode_utf16().count()
    }

    fn write(&self, w: &mut NdrWriter) -> Result<(), WireError> {
        if self.contains('\0') {
            return Err(w.error(WireErrorKind::BadString));
        }
        self.encode_utf16().for_each(|unit| w.u16(unit));
        w.u16(0);
        Ok(())
    }

    fn read(r: &mut NdrReader<'_>, units: usize) -> Result<Self, WireError> {
        let mut text = Vec::with_capacity(units);
        for _ in 0..units {
            text.push(r.u16()?);
        }
        match text.pop() {
            Some(0) if !text.contains(&0) => Ok(Self::from_utf16_lossy(&text)),
            _ => Err(r.error(WireErrorKind::BadString)),
        }
    }
}

impl Text for Vec<u8> {
    const UNIT: usize = 1;

    fn units(&self) -> usize {
        self.len()
    }

    fn write(&self, w: &mut NdrWriter) -> Result<(), WireError> {
        if self.contains(&0) {
            return Err(w.error(WireErrorKind::BadString));
        }
        w.bytes(self);
        w.u8(0);
        Ok(())
    }

    fn read(r: &mut NdrReader<'_>, units: usize) -> Result<Self, WireError> {
        match r.bytes(units)?.split_last() {
            Some((0, text)) if !text.contains(&0) => Ok(text.to_vec()),
            _ => Err(r.error(WireErrorKind::BadString)),
        }
    }
}

/// A conformant string — C706 14.3.4.2. Characters of 16 bits into a `String` (unpaired surrogates become U+FFFD), of
/// 8 bits into a `Vec<u8>`; the terminator is on the wire only.
#[derive(Debug, Clone, Copy)]
pub struct ConformantString;

impl<T: Text> Codec<T> for ConformantString {
    type Pending = T;
    const CONFORMANT: bool = true;

    fn align(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size().saturating_mul(2)
    }

    fn write_count(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.count(extent.size.unwrap_or_else(|| terminated(value)))
    }

    fn write(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        let len = terminated(value);
        write_variance(len, Extent::NONE, extent.size.unwrap_or(len), w)?;
        value.write(w)
    }

    fn read(r: &mut NdrReader<'_>, extent: Extent, count: u64) -> Result<T, WireError> {
        Extent::agree(extent.size, count, r)?;
        read_text(r, count)
    }

    fn read_referents(pending: T, _: &mut NdrReader<'_>, _: Extent) -> Result<T, WireError> {
        Ok(pending)
    }
}

/// A varying string — C706 14.3.4.1: room for `N` characters, the terminator among them.
#[derive(Debug, Clone, Copy)]
pub struct VaryingString<const N: usize>;

impl<T: Text, const N: usize> Codec<T> for VaryingString<N> {
    type Pending = T;

    fn align(syntax: Syntax) -> usize {
        syntax.pointer_size()
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size().saturating_mul(2)
    }

    fn write(value: &T, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        write_variance(terminated(value), Extent::NONE, to_u64(N), w)?;
        value.write(w)
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<T, WireError> {
        read_text(r, to_u64(N))
    }

    fn read_referents(pending: T, _: &mut NdrReader<'_>, _: Extent) -> Result<T, WireError> {
        Ok(pending)
    }
}

fn terminated(text: &impl Text) -> u64 {
    to_u64(text.units().saturating_add(1))
}

fn read_text<T: Text>(r: &mut NdrReader<'_>, max: u64) -> Result<T, WireError> {
    let actual = read_variance(r, Extent::NONE, max)?;
    let units = r.elements(actual, T::UNIT)?;
    T::read(r, units)
}
