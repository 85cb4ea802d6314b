use watertight_wire::{WireError, WireErrorKind};

use super::{NdrReader, NdrWriter, Order, Syntax};

/// How a value of type `T` stands in an octet stream — C706 14.3.
///
/// A representation has up to three parts: the count of a conformant array, which stands in front of the outermost
/// structure around it (14.3.7.1); the value itself; and the referents of the pointers in it, which follow the
/// outermost constructed type (14.3.12.3). [`put`] and [`get`] do all three, where a parameter or a referent stands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no NDR representation for `{T}`",
    note = "`#[derive(Ndr)]` gives a structure, a union or an enumeration one"
)]
pub trait Codec<T> {
    /// What is known of a value before the referents of its pointers are read.
    type Pending;

    /// Whether a count goes in front.
    const CONFORMANT: bool = false;

    /// The alignment in bytes.
    fn align(syntax: Syntax) -> usize;

    /// The least number of bytes that the second part takes.
    fn least(syntax: Syntax) -> usize;

    /// Writes the first part.
    ///
    /// # Errors
    /// When the value has no representation.
    fn write_count(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        let _ = (value, extent, w);
        Ok(())
    }

    /// Writes the second part.
    ///
    /// # Errors
    /// When the value has no representation.
    fn write(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError>;

    /// Writes the third part.
    ///
    /// # Errors
    /// When a referent has no representation.
    fn write_referents(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        let _ = (value, extent, w);
        Ok(())
    }

    /// Reads the second part; `count` is the first, where there is one.
    ///
    /// # Errors
    /// When the bytes are not a representation.
    fn read(r: &mut NdrReader<'_>, extent: Extent, count: u64) -> Result<Self::Pending, WireError>;

    /// Reads the third part.
    ///
    /// # Errors
    /// When the bytes are not a representation.
    fn read_referents(pending: Self::Pending, r: &mut NdrReader<'_>, extent: Extent) -> Result<T, WireError>;

    /// The second part of each element of an array.
    ///
    /// # Errors
    /// As [`Codec::write`].
    fn write_all(values: &[T], w: &mut NdrWriter) -> Result<(), WireError> {
        values.iter().try_for_each(|value| Self::write(value, Extent::NONE, w))
    }

    /// The third part of each element of an array.
    ///
    /// # Errors
    /// As [`Codec::write_referents`].
    fn write_all_referents(values: &[T], w: &mut NdrWriter) -> Result<(), WireError> {
        values.iter().try_for_each(|value| Self::write_referents(value, Extent::NONE, w))
    }

    /// The second part of each of `len` elements; `len` was checked against the bytes that are left.
    ///
    /// # Errors
    /// As [`Codec::read`].
    fn read_all(r: &mut NdrReader<'_>, len: usize) -> Result<Vec<Self::Pending>, WireError> {
        let mut values = Vec::with_capacity(len);
        for _ in 0..len {
            values.push(Self::read(r, Extent::NONE, 0)?);
        }
        Ok(values)
    }

    /// The third part of each element.
    ///
    /// # Errors
    /// As [`Codec::read_referents`].
    fn read_all_referents(pending: Vec<Self::Pending>, r: &mut NdrReader<'_>) -> Result<Vec<T>, WireError> {
        pending.into_iter().map(|pending| Self::read_referents(pending, r, Extent::NONE)).collect()
    }
}

/// The representation that a type has by itself: what `#[derive(Ndr)]` declares.
#[derive(Debug, Clone, Copy)]
pub struct Natural;

/// What other fields say about one: the values of `size_is`, `length_is` and `switch_is`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// size_is: how many elements there is room for.
    pub size: Option<u64>,
    /// length_is: how many elements are transmitted.
    pub length: Option<u64>,
    /// switch_is: which arm a union has.
    pub switch: Option<u64>,
}

impl Extent {
    /// Nothing is known.
    pub const NONE: Self = Self { size: None, length: None, switch: None };

    /// The same with a size.
    #[must_use]
    pub const fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// The same with a length.
    #[must_use]
    pub const fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// The same with a discriminant.
    #[must_use]
    pub const fn with_switch(mut self, switch: u64) -> Self {
        self.switch = Some(switch);
        self
    }

    /// The error when a value from the wire is not what another field says.
    pub(super) fn agree(expected: Option<u64>, value: u64, r: &NdrReader<'_>) -> Result<(), WireError> {
        match expected {
            Some(expected) if expected != value => Err(r.invalid(value)),
            _ => Ok(()),
        }
    }
}

/// A field that another one names in `size_is`, `length_is` or `switch_is`.
pub trait Count {
    /// Its value, at most 2⁴⁰, so that expressions of it do not overflow.
    fn count(&self) -> u64;
}

const COUNT_MAX: u64 = 1 << 40;

macro_rules! counts {
    ($($ty:ty)*) => {$(
        impl Count for $ty {
            fn count(&self) -> u64 {
                u64::try_from(*self).unwrap_or(COUNT_MAX).min(COUNT_MAX)
            }
        }
    )*};
}
counts!(u8 u16 u32 u64 i16 i32);

impl<T: Count + ?Sized> Count for &T {
    fn count(&self) -> u64 {
        (**self).count()
    }
}

/// Writes a parameter or a referent: all three parts.
///
/// # Errors
/// When the value has no representation.
pub fn put<C: Codec<T>, T>(value: &T, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
    C::write_count(value, extent, w)?;
    C::write(value, extent, w)?;
    C::write_referents(value, extent, w)
}

/// Reads a parameter or a referent: all three parts.
///
/// # Errors
/// When the bytes are not a representation.
pub fn get<C: Codec<T>, T>(r: &mut NdrReader<'_>, extent: Extent) -> Result<T, WireError> {
    let count = if C::CONFORMANT { r.count()? } else { 0 };
    let pending = C::read(r, extent, count)?;
    C::read_referents(pending, r, extent)
}

/// The bytes of one value.
///
/// # Errors
/// When the value has no representation.
pub fn to_bytes<T>(value: &T, syntax: Syntax) -> Result<Vec<u8>, WireError>
where
    Natural: Codec<T>,
{
    let mut w = NdrWriter::new(syntax);
    put::<Natural, T>(value, Extent::NONE, &mut w)?;
    Ok(w.into_bytes())
}

/// One value, whose bytes these are.
///
/// # Errors
/// When the bytes are not a representation, or more than a gap follows.
pub fn from_bytes<T>(bytes: &[u8], syntax: Syntax, order: Order) -> Result<T, WireError>
where
    Natural: Codec<T>,
{
    let mut r = NdrReader::new(bytes, syntax, order);
    let value = get::<Natural, T>(&mut r, Extent::NONE)?;
    r.finish()?;
    Ok(value)
}

/// range: the bounds of a number.
///
/// # Errors
/// When it is outside.
pub fn check_range(value: &impl Count, low: u64, high: u64, r: &NdrReader<'_>) -> Result<(), WireError> {
    let value = value.count();
    if (low..=high).contains(&value) { Ok(()) } else { Err(r.invalid(value)) }
}

/// The length that `length_is` gives, when it can be an index.
pub(super) fn to_len(count: u64, w: &NdrWriter) -> Result<usize, WireError> {
    usize::try_from(count).map_err(|_| w.error(WireErrorKind::Invalid { value: count }))
}
