use crate::{FileTime, Guid, HResult, Reader, WireError, Writer};

/// What a field of a [`wire_struct!`](crate::wire_struct) can be: read under its own name.
pub trait WireField: Sized {
    /// Reads the field at the cursor.
    ///
    /// # Errors
    /// [`WireError`] that names the field.
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError>;

    /// Appends the field.
    ///
    /// # Errors
    /// [`WireError`] when a length does not fit.
    fn write_field(&self, w: &mut Writer) -> Result<(), WireError>;
}

/// A type whose wire form has one size.
pub trait FixedSize {
    /// Bytes on the wire.
    const SIZE: usize;
}

macro_rules! numbers {
    ($($ty:ident)*) => {$(
        impl WireField for $ty {
            fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
                r.$ty(field)
            }
            fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
                w.$ty(*self);
                Ok(())
            }
        }
        impl FixedSize for $ty {
            const SIZE: usize = size_of::<$ty>();
        }
    )*};
}
numbers!(u8 u16 u32 u64 i16 i32 i64 f32 f64);

impl<const N: usize> WireField for [u8; N] {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        r.array(field)
    }
    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.bytes(self);
        Ok(())
    }
}
impl<const N: usize> FixedSize for [u8; N] {
    const SIZE: usize = N;
}

impl WireField for Guid {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        r.guid(field)
    }
    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.guid(*self);
        Ok(())
    }
}
impl FixedSize for Guid {
    const SIZE: usize = 16;
}

impl WireField for FileTime {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.u64(field)?))
    }
    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u64(self.0);
        Ok(())
    }
}
impl FixedSize for FileTime {
    const SIZE: usize = 8;
}

impl WireField for HResult {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.u32(field)?))
    }
    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.0);
        Ok(())
    }
}
impl FixedSize for HResult {
    const SIZE: usize = 4;
}

/// A structure inside a structure: declared by the same macro, its own fields name themselves.
#[macro_export]
macro_rules! wire_nested {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::WireField for $name {
            fn read_field(r: &mut $crate::Reader<'_>, _field: &'static str) -> Result<Self, $crate::WireError> {
                $crate::Wire::read(r)
            }
            fn write_field(&self, w: &mut $crate::Writer) -> Result<(), $crate::WireError> {
                $crate::Wire::write(self, w)
            }
        }
    )*};
}
