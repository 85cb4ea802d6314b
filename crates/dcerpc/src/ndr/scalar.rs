use watertight_wire::{FileTime, Guid, HResult, WireError};

use super::{Codec, Extent, Natural, NdrReader, NdrWriter, Syntax};

macro_rules! numbers {
    ($($ty:ident)*) => {$(
        impl Codec<$ty> for Natural {
            type Pending = $ty;
            fn align(_: Syntax) -> usize {
                size_of::<$ty>()
            }
            fn least(_: Syntax) -> usize {
                size_of::<$ty>()
            }
            fn write(value: &$ty, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
                w.$ty(*value);
                Ok(())
            }
            fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<$ty, WireError> {
                r.$ty()
            }
            fn read_referents(pending: $ty, _: &mut NdrReader<'_>, _: Extent) -> Result<$ty, WireError> {
                Ok(pending)
            }
        }
    )*};
}
numbers!(u16 u32 u64 i8 i16 i32 i64 f32 f64);

impl Codec<u8> for Natural {
    type Pending = u8;
    fn align(_: Syntax) -> usize {
        1
    }
    fn least(_: Syntax) -> usize {
        1
    }
    fn write(value: &u8, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.u8(*value);
        Ok(())
    }
    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<u8, WireError> {
        r.u8()
    }
    fn read_referents(pending: u8, _: &mut NdrReader<'_>, _: Extent) -> Result<u8, WireError> {
        Ok(pending)
    }
    fn write_all(values: &[u8], w: &mut NdrWriter) -> Result<(), WireError> {
        w.bytes(values);
        Ok(())
    }
    fn read_all(r: &mut NdrReader<'_>, len: usize) -> Result<Vec<u8>, WireError> {
        Ok(r.bytes(len)?.to_vec())
    }
    fn read_all_referents(pending: Vec<u8>, _: &mut NdrReader<'_>) -> Result<Vec<u8>, WireError> {
        Ok(pending)
    }
}

/// A representation without pointers: read and written by one function each.
macro_rules! plain {
    ($(#[$doc:meta])* $codec:ty, $ty:ty, $align:expr, $least:expr, $read:expr, $write:expr) => {
        $(#[$doc])*
        impl Codec<$ty> for $codec {
            type Pending = $ty;
            fn align(syntax: Syntax) -> usize {
                let align: fn(Syntax) -> usize = $align;
                align(syntax)
            }
            fn least(syntax: Syntax) -> usize {
                let least: fn(Syntax) -> usize = $least;
                least(syntax)
            }
            fn write(value: &$ty, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
                let write: fn(&$ty, &mut NdrWriter) -> Result<(), WireError> = $write;
                write(value, w)
            }
            fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<$ty, WireError> {
                let read: fn(&mut NdrReader<'_>) -> Result<$ty, WireError> = $read;
                read(r)
            }
            fn read_referents(pending: $ty, _: &mut NdrReader<'_>, _: Extent) -> Result<$ty, WireError> {
                Ok(pending)
            }
        }
    };
}

plain!(Natural, Guid, |_| 4, |_| 16, |r| r.guid(), |value, w| {
    w.guid(*value);
    Ok(())
});
plain!(Natural, HResult, |_| 4, |_| 4, |r| r.u32().map(HResult), |value, w| {
    w.u32(value.0);
    Ok(())
});
// FILETIME is a structure of two 32-bit numbers, low half first: [MS-DTYP] 2.3.3.
plain!(
    Natural,
    FileTime,
    |_| 4,
    |_| 8,
    |r| {
        let (low, high) = (u64::from(r.u32()?), u64::from(r.u32()?));
        Ok(FileTime(high << 32 | low))
    },
    |value, w| {
        let [a, b, c, d, e, f, g, h] = value.0.to_le_bytes();
        w.u32(u32::from_le_bytes([a, b, c, d]));
        w.u32(u32::from_le_bytes([e, f, g, h]));
        Ok(())
    }
);
// boolean — C706 14.2.4: an octet, true when it is not zero.
plain!(Natural, bool, |_| 1, |_| 1, |r| Ok(r.u8()? != 0), |value, w| {
    w.u8(u8::from(*value));
    Ok(())
});

/// An enumeration — C706 14.2.5: 16 bits in NDR, 32 bits in NDR64 ([MS-RPCE] 2.2.5.1.1).
#[derive(Debug, Clone, Copy)]
pub struct Enumeration;

fn enum_size(syntax: Syntax) -> usize {
    syntax.pointer_size() / 2
}

plain!(
    Enumeration,
    u16,
    enum_size,
    enum_size,
    |r| match r.syntax() {
        Syntax::Ndr => r.u16(),
        Syntax::Ndr64 => {
            let value = r.u32()?;
            u16::try_from(value).map_err(|_| r.invalid(value))
        }
    },
    |value, w| {
        match w.syntax() {
            Syntax::Ndr => w.u16(*value),
            Syntax::Ndr64 => w.u32(u32::from(*value)),
        }
        Ok(())
    }
);

/// `__int3264` — [MS-RPCE] 2.2.4.1.1 and 2.2.5: 32 bits in NDR, 64 in NDR64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uint3264(pub u64);

plain!(
    Natural,
    Uint3264,
    Syntax::pointer_size,
    Syntax::pointer_size,
    |r| r.count().map(Uint3264),
    |value, w| w.count(value.0)
);

/// The tag of a union.
pub trait Discriminant: Copy {
    /// Its value.
    fn to_switch(self) -> u64;
    /// The tag of that value, when it has one.
    fn from_switch(value: u64) -> Option<Self>;
}

macro_rules! discriminants {
    ($($ty:ty)*) => {$(
        impl Discriminant for $ty {
            fn to_switch(self) -> u64 {
                u64::from(self)
            }
            fn from_switch(value: u64) -> Option<Self> {
                Self::try_from(value).ok()
            }
        }
    )*};
}
discriminants!(u8 u16 u32);
