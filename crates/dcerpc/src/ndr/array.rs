use watertight_wire::{WireError, WireErrorKind, to_u64};

use super::codec::to_len;
use super::{Codec, Extent, NdrReader, NdrWriter, Syntax};

/// A conformant array — C706 14.3.3.2: its count stands in front of the outermost structure that it ends.
#[derive(Debug, Clone, Copy)]
pub struct Conformant<C>(C);

impl<T, C: Codec<T>> Codec<Vec<T>> for Conformant<C> {
    type Pending = Vec<C::Pending>;
    const CONFORMANT: bool = true;

    fn align(syntax: Syntax) -> usize {
        C::align(syntax)
    }

    fn least(_: Syntax) -> usize {
        0
    }

    fn write_count(value: &Vec<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        let len = to_u64(value.len());
        if extent.size.is_some_and(|size| size != len) {
            return Err(w.invalid(len));
        }
        w.count(len)
    }

    fn write(value: &Vec<T>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        const { assert!(!C::CONFORMANT, "an element may not be conformant") }
        C::write_all(value, w)
    }

    fn write_referents(value: &Vec<T>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_all_referents(value, w)
    }

    fn read(r: &mut NdrReader<'_>, extent: Extent, count: u64) -> Result<Vec<C::Pending>, WireError> {
        Extent::agree(extent.size, count, r)?;
        let len = r.elements(count, C::least(r.syntax()))?;
        C::read_all(r, len)
    }

    fn read_referents(
        pending: Vec<C::Pending>,
        r: &mut NdrReader<'_>,
        _: Extent,
    ) -> Result<Vec<T>, WireError> {
        C::read_all_referents(pending, r)
    }
}

/// A conformant and varying array — C706 14.3.3.4: room for so many elements, of which the first so many are there.
#[derive(Debug, Clone, Copy)]
pub struct ConformantVarying<C>(C);

impl<T, C: Codec<T>> Codec<Vec<T>> for ConformantVarying<C> {
    type Pending = Vec<C::Pending>;
    const CONFORMANT: bool = true;

    fn align(syntax: Syntax) -> usize {
        C::align(syntax).max(syntax.pointer_size())
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size().saturating_mul(2)
    }

    fn write_count(value: &Vec<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.count(extent.size.unwrap_or_else(|| to_u64(value.len())))
    }

    fn write(value: &Vec<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        const { assert!(!C::CONFORMANT, "an element may not be conformant") }
        let len = to_u64(value.len());
        write_variance(len, extent, extent.size.unwrap_or(len), w)?;
        C::write_all(value, w)
    }

    fn write_referents(value: &Vec<T>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_all_referents(value, w)
    }

    fn read(r: &mut NdrReader<'_>, extent: Extent, count: u64) -> Result<Vec<C::Pending>, WireError> {
        Extent::agree(extent.size, count, r)?;
        let actual = read_variance(r, extent, count)?;
        let len = r.elements(actual, C::least(r.syntax()))?;
        C::read_all(r, len)
    }

    fn read_referents(
        pending: Vec<C::Pending>,
        r: &mut NdrReader<'_>,
        extent: Extent,
    ) -> Result<Vec<T>, WireError> {
        Extent::agree(extent.length, to_u64(pending.len()), r)?;
        C::read_all_referents(pending, r)
    }
}

/// A varying array — C706 14.3.3.3: room for `N` elements, of which the first so many are there.
#[derive(Debug, Clone, Copy)]
pub struct Varying<C, const N: usize>(C);

impl<T, C: Codec<T>, const N: usize> Codec<Vec<T>> for Varying<C, N> {
    type Pending = Vec<C::Pending>;

    fn align(syntax: Syntax) -> usize {
        C::align(syntax).max(syntax.pointer_size())
    }

    fn least(syntax: Syntax) -> usize {
        syntax.pointer_size().saturating_mul(2)
    }

    fn write(value: &Vec<T>, extent: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        const { assert!(!C::CONFORMANT, "an element may not be conformant") }
        write_variance(to_u64(value.len()), extent, to_u64(N), w)?;
        C::write_all(value, w)
    }

    fn write_referents(value: &Vec<T>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_all_referents(value, w)
    }

    fn read(r: &mut NdrReader<'_>, extent: Extent, _: u64) -> Result<Vec<C::Pending>, WireError> {
        let actual = read_variance(r, extent, to_u64(N))?;
        let len = r.elements(actual, C::least(r.syntax()))?;
        C::read_all(r, len)
    }

    fn read_referents(
        pending: Vec<C::Pending>,
        r: &mut NdrReader<'_>,
        _: Extent,
    ) -> Result<Vec<T>, WireError> {
        C::read_all_referents(pending, r)
    }
}

/// A fixed array — C706 14.3.3.1.
#[derive(Debug, Clone, Copy)]
pub struct Fixed<C>(C);

impl<T, C: Codec<T>, const N: usize> Codec<[T; N]> for Fixed<C> {
    type Pending = Vec<C::Pending>;

    fn align(syntax: Syntax) -> usize {
        C::align(syntax)
    }

    fn least(syntax: Syntax) -> usize {
        C::least(syntax).saturating_mul(N)
    }

    fn write(value: &[T; N], _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        const { assert!(!C::CONFORMANT, "an element may not be conformant") }
        C::write_all(value, w)
    }

    fn write_referents(value: &[T; N], _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        C::write_all_referents(value, w)
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<Vec<C::Pending>, WireError> {
        let len = r.elements(to_u64(N), C::least(r.syntax()))?;
        C::read_all(r, len)
    }

    fn read_referents(
        pending: Vec<C::Pending>,
        r: &mut NdrReader<'_>,
        _: Extent,
    ) -> Result<[T; N], WireError> {
        let values = C::read_all_referents(pending, r)?;
        <[T; N]>::try_from(values).map_err(|values| r.invalid(to_u64(values.len())))
    }
}

/// Offset and actual count of a varying array.
pub(super) fn write_variance(len: u64, extent: Extent, max: u64, w: &mut NdrWriter) -> Result<(), WireError> {
    if extent.length.is_some_and(|length| length != len) {
        return Err(w.invalid(len));
    }
    if len > max {
        let (len, max) = (to_len(len, w)?, to_len(max, w)?);
        return Err(w.error(WireErrorKind::TooLarge { len, max }));
    }
    w.count(0)?;
    w.count(len)
}

/// The same, read: the actual count, which is within `max`. An offset other than zero is refused: nobody sends one.
pub(super) fn read_variance(r: &mut NdrReader<'_>, extent: Extent, max: u64) -> Result<u64, WireError> {
    let offset = r.count()?;
    if offset != 0 {
        return Err(r.invalid(offset));
    }
    let actual = r.count()?;
    if actual > max {
        return Err(r.invalid(actual));
    }
    Extent::agree(extent.length, actual, r)?;
    Ok(actual)
}
