use watertight_wire::{WireError, to_u64};

use crate::ndr::{Codec, Extent, Natural, NdrReader, NdrWriter, Syntax};

/// Elements behind an 8-bit count and `PAD` reserved bytes — C706 12.6.3.1 `p_cont_list_t` and its like, which are not
/// NDR arrays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountedList<T, const PAD: usize>(pub Vec<T>);

impl<T, const PAD: usize> Codec<CountedList<T, PAD>> for Natural
where
    Self: Codec<T>,
{
    type Pending = Vec<<Self as Codec<T>>::Pending>;

    fn align(syntax: Syntax) -> usize {
        if PAD == 0 { 1 } else { <Self as Codec<T>>::align(syntax) }
    }

    fn least(_: Syntax) -> usize {
        PAD.saturating_add(1)
    }

    fn write(value: &CountedList<T, PAD>, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.align(<Self as Codec<CountedList<T, PAD>>>::align(w.syntax()));
        let count = value.0.len();
        w.u8(u8::try_from(count).map_err(|_| w.invalid(to_u64(count)))?);
        w.bytes(&[0; PAD]);
        <Self as Codec<T>>::write_all(&value.0, w)
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<Self::Pending, WireError> {
        r.align(<Self as Codec<CountedList<T, PAD>>>::align(r.syntax()))?;
        let count = r.u8()?;
        // An empty list may end with its count.
        let pad = if count == 0 { PAD.min(r.remaining()) } else { PAD };
        r.bytes(pad)?;
        let len = r.elements(count.into(), <Self as Codec<T>>::least(r.syntax()))?;
        <Self as Codec<T>>::read_all(r, len)
    }

    fn read_referents(
        pending: Self::Pending,
        r: &mut NdrReader<'_>,
        _: Extent,
    ) -> Result<CountedList<T, PAD>, WireError> {
        <Self as Codec<T>>::read_all_referents(pending, r).map(CountedList)
    }
}

/// port_any_t — C706 12.6.3.1: a 16-bit length, the terminator counted, and the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortAny(pub Vec<u8>);

impl Codec<PortAny> for Natural {
    type Pending = PortAny;

    fn align(_: Syntax) -> usize {
        2
    }

    fn least(_: Syntax) -> usize {
        2
    }

    fn write(value: &PortAny, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        let len = if value.0.is_empty() { 0 } else { value.0.len().saturating_add(1) };
        w.u16(u16::try_from(len).map_err(|_| w.invalid(to_u64(len)))?);
        if len != 0 {
            w.bytes(&value.0);
            w.u8(0);
        }
        Ok(())
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<PortAny, WireError> {
        let len = r.u16()?;
        let text = r.bytes(len.into())?;
        Ok(PortAny(text.split(|b| *b == 0).next().unwrap_or_default().to_vec()))
    }

    fn read_referents(pending: PortAny, _: &mut NdrReader<'_>, _: Extent) -> Result<PortAny, WireError> {
        Ok(pending)
    }
}
