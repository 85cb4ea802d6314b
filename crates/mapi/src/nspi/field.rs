//! What the fields of address-book bodies are made of.

use core::ops::Deref;

use watertight_wire::{Reader, WireError, WireField, Writer, to_usize};

/// A byte that says whether a field is there (0xFF, or 0x00), and the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Has<T>(pub Option<T>);

/// A list with a 32-bit count in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List32<T>(pub Vec<T>);

/// A string in UTF-16 with its terminator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wide(pub String);

/// A string of bytes with its terminator; what is no UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrow(pub String);

impl<T> Default for Has<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Option<T>> for Has<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T> Deref for Has<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<T> Default for List32<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for List32<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> Deref for List32<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: WireField> WireField for Has<T> {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(match r.u8(field)? {
            0 => None,
            _ => Some(T::read_field(r, field)?),
        }))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        match &self.0 {
            None => w.u8(0),
            Some(value) => {
                w.u8(0xff);
                value.write_field(w)?;
            }
        }
        Ok(())
    }
}

impl<T: WireField> WireField for List32<T> {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        let count = to_usize(r.u32(field)?);
        let count = r.count(count, 1, field)?;
        (0..count).map(|_| T::read_field(r, field)).collect::<Result<_, _>>().map(Self)
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len32(self.0.len(), "count")?;
        self.0.iter().try_for_each(|item| item.write_field(w))
    }
}

impl WireField for Wide {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.cstr16(field)?))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.cstr16(&self.0, "string")
    }
}

impl WireField for Narrow {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(String::from_utf8_lossy(r.cstr(field)?).into_owned()))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.cstr(self.0.as_bytes(), "string")
    }
}
