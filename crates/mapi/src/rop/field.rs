//! What the fields of ROP buffers are made of.

use core::ops::Deref;

use watertight_wire::{Guid, Reader, Wire, WireError, WireField, Writer, to_usize, wire_nested, wire_struct};

use crate::{GlobCnt, prop::wire::TaggedPropertyValue, restriction::Restriction};

/// A list with a 16-bit count in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List16<T>(pub Vec<T>);

/// Bytes with a 16-bit length in front.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes16(pub Vec<u8>);

/// Bytes with a 32-bit length in front.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes32(pub Vec<u8>);

/// A string of bytes with a null terminator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ascii(pub Vec<u8>);

/// A string that is either bytes or UTF-16, with its terminator; another field says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Bytes of a code page.
    Narrow(Vec<u8>),
    /// UTF-16.
    Wide(String),
}

/// A Boolean byte. What is not zero is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Truth(pub bool);

/// A Boolean byte and, when it is true, what it announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

/// A restriction with its 16-bit size in front; none when the size is zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restriction16(pub Option<Restriction>);

wire_struct! {
    /// LongTermID — [MS-OXCDATA] 2.2.1.3.1.
    #[derive(Copy, Eq)]
    pub struct LongTermId {
        /// DatabaseGuid: the REPLGUID.
        database_guid: Guid,
        /// GlobalCounter.
        global_counter: GlobCnt,
        /// Pad.
        pad: u16,
    } = 24
}

/// IsGhosted and the servers of a ghosted folder — [MS-OXCROPS] 2.2.4.1.2.
pub type Ghosted = Maybe<Servers>;

/// Servers that hold a public folder — [MS-OXCROPS] 2.2.3.6.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Servers {
    /// CheapServerCount.
    pub cheap: u16,
    /// Servers.
    pub names: Vec<Ascii>,
}

wire_struct! {
    /// What RopCreateFolder says of a folder that existed — [MS-OXCROPS] 2.2.4.2.2.
    pub struct ExistingFolder {
        /// HasRules.
        has_rules: Truth,
        /// IsGhosted and what follows.
        ghosted: Ghosted,
    }
}

wire_struct! {
    /// PermissionData or RuleData — [MS-OXCPERM] 2.2.2.1, [MS-OXORULE] 2.2.1.3.
    pub struct FlaggedRow {
        /// PermissionDataFlags or RuleDataFlags.
        flags: u8,
        /// PropertyValues.
        values: List16<TaggedPropertyValue>,
    }
}

wire_nested!(LongTermId, ExistingFolder, FlaggedRow, Servers);

/// Nothing: the ROP has no fields here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty;

impl Wire for Empty {
    fn read(_: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self)
    }

    fn write(&self, _: &mut Writer) -> Result<(), WireError> {
        Ok(())
    }
}

impl<T> Default for List16<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for List16<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for List16<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        Self(value)
    }
}

impl Text {
    /// The text; bytes are read as Latin-1.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Narrow(bytes) => bytes.iter().map(|&b| char::from(b)).collect(),
            Self::Wide(text) => text.clone(),
        }
    }

    /// Reads the form that `wide` says.
    ///
    /// # Errors
    /// [`WireError`] when the terminator is missing.
    pub fn read(r: &mut Reader<'_>, wide: bool, field: &'static str) -> Result<Self, WireError> {
        Ok(if wide { Self::Wide(r.cstr16(field)?) } else { Self::Narrow(r.cstr(field)?.to_vec()) })
    }

    /// Appends it.
    ///
    /// # Errors
    /// [`WireError`] when it holds a null.
    pub fn write(&self, w: &mut Writer, field: &'static str) -> Result<(), WireError> {
        match self {
            Self::Narrow(bytes) => w.cstr(bytes, field),
            Self::Wide(text) => w.cstr16(text, field),
        }
    }

    /// Whether it is UTF-16.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        matches!(self, Self::Wide(_))
    }
}

impl<T: WireField> WireField for List16<T> {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        let count = r.u16(field)?;
        let count = r.count(usize::from(count), 1, field)?;
        Ok(Self((0..count).map(|_| T::read_field(r, field)).collect::<Result<_, _>>()?))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.0.len(), "count")?;
        self.0.iter().try_for_each(|item| item.write_field(w))
    }
}

impl WireField for Bytes16 {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.bytes16(field)?.to_vec()))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.bytes16(&self.0, "length")
    }
}

impl WireField for Bytes32 {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.bytes32(field)?.to_vec()))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.bytes32(&self.0, "length")
    }
}

impl WireField for Ascii {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.cstr(field)?.to_vec()))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.cstr(&self.0, "string")
    }
}

impl WireField for Truth {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(r.u8(field)? != 0))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(u8::from(self.0));
        Ok(())
    }
}

impl<T: WireField> WireField for Maybe<T> {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self(if r.u8(field)? == 0 { None } else { Some(T::read_field(r, field)?) }))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(u8::from(self.0.is_some()));
        self.0.iter().try_for_each(|value| value.write_field(w))
    }
}

impl WireField for Restriction16 {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        let len = usize::from(r.u16(field)?);
        if len == 0 {
            return Ok(Self(None));
        }
        let mut data = r.sub(len, field)?;
        let restriction = Restriction::read(&mut data)?;
        data.finish()?;
        Ok(Self(Some(restriction)))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        match &self.0 {
            None => w.u16(0),
            Some(restriction) => w.bytes16(&restriction.to_bytes()?, "RestrictionData")?,
        }
        Ok(())
    }
}

impl Wire for Servers {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.u16("ServerCount")?;
        let cheap = r.u16("CheapServerCount")?;
        let count = r.count(usize::from(count), 1, "ServerCount")?;
        let names = (0..count).map(|_| Ascii::read_field(r, "Servers")).collect::<Result<_, _>>()?;
        Ok(Self { cheap, names })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.names.len(), "ServerCount")?;
        w.u16(self.cheap);
        self.names.iter().try_for_each(|name| name.write_field(w))
    }
}

impl WireField for GlobCnt {
    fn read_field(r: &mut Reader<'_>, field: &'static str) -> Result<Self, WireError> {
        Ok(Self::from_bytes(r.array(field)?))
    }

    fn write_field(&self, w: &mut Writer) -> Result<(), WireError> {
        w.bytes(&self.to_bytes());
        Ok(())
    }
}

impl watertight_wire::FixedSize for GlobCnt {
    const SIZE: usize = 6;
}

/// Reads `count` items one after another; nothing is reserved for a count that is not believed yet.
pub(super) fn items<T>(
    r: &mut Reader<'_>,
    count: u32,
    field: &'static str,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = r.count(to_usize(count), 1, field)?;
    (0..count).map(|_| one(r)).collect()
}
