//! Properties — [MS-OXCDATA] 2.9 to 2.11, [MS-OXPROPS].

pub(crate) mod order;
pub mod tags;
mod ty;
mod value;
pub mod wire;

use core::fmt;
use std::sync::Arc;

pub use order::compare;
pub use ty::PropType;
pub use value::PropValue;
use watertight_wire::{Guid, wire_newtype};

/// A property identifier; 0x8000 and above stand for names, by a map that belongs to the mailbox.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PropId(pub u16);
wire_newtype!(PropId, u16);

impl PropId {
    /// Whether the identifier stands for a name.
    #[must_use]
    pub const fn is_named(self) -> bool {
        self.0 >= 0x8000
    }
}

impl fmt::Debug for PropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// PropertyTag — [MS-OXCDATA] 2.9: type in the low 16 bits, identifier in the high.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PropTag(pub u32);

impl PropTag {
    /// From its two parts.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "widening in a const fn")]
    pub const fn new(id: PropId, ty: PropType) -> Self {
        Self(((id.0 as u32) << 16) | ty.0 as u32)
    }

    /// The identifier.
    #[must_use]
    pub const fn id(self) -> PropId {
        let [_, _, a, b] = self.0.to_le_bytes();
        PropId(u16::from_le_bytes([a, b]))
    }

    /// The type.
    #[must_use]
    pub const fn ty(self) -> PropType {
        let [a, b, _, _] = self.0.to_le_bytes();
        PropType(u16::from_le_bytes([a, b]))
    }

    /// The same identifier with another type.
    #[must_use]
    pub const fn with_type(self, ty: PropType) -> Self {
        Self::new(self.id(), ty)
    }

    /// Whether the identifier stands for a name.
    #[must_use]
    pub const fn is_named(self) -> bool {
        self.id().is_named()
    }
}

impl fmt::Debug for PropTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match tags::name(*self) {
            Some(name) => write!(f, "{name} ({:#010x})", self.0),
            None => write!(f, "PropTag({:#010x})", self.0),
        }
    }
}

impl fmt::Display for PropTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

wire_newtype!(PropTag, u32);

/// PropertyName — [MS-OXCDATA] 2.6.1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropName {
    /// The property set.
    pub guid: Guid,
    /// The name in the set.
    pub kind: PropNameKind,
}

/// What names a property in its set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropNameKind {
    /// LID: a number.
    Lid(u32),
    /// A string.
    Name(String),
}

impl PropName {
    /// A name that is a number.
    #[must_use]
    pub const fn lid(guid: Guid, lid: u32) -> Self {
        Self { guid, kind: PropNameKind::Lid(lid) }
    }

    /// A name that is a string.
    #[must_use]
    pub fn string(guid: Guid, name: impl Into<String>) -> Self {
        Self { guid, kind: PropNameKind::Name(name.into()) }
    }
}

/// A property of an object: tag, its name when the identifier stands for one, and the value.
///
/// In memory the *name* says which property it is when there is one; the identifier in `tag` is then only
/// meaningful beside the mailbox that gave it out (and is 0x8000 where no mailbox has yet).
#[derive(Debug, Clone, PartialEq)]
pub struct Prop {
    /// Identifier and type.
    pub tag: PropTag,
    /// The name, exactly for identifiers of 0x8000 and above.
    pub name: Option<Arc<PropName>>,
    /// The value.
    pub value: PropData,
}

impl Prop {
    /// A property without a name. The tag's type must be the value's.
    #[must_use]
    pub fn new(tag: PropTag, value: impl Into<PropValue>) -> Self {
        Self { tag, name: None, value: PropData::Inline(value.into()) }
    }

    /// A named property whose identifier no mailbox has given out yet.
    #[must_use]
    pub fn named(name: PropName, value: impl Into<PropValue>) -> Self {
        let value = value.into();
        Self {
            tag: PropTag::new(PropId(0x8000), value.ty()),
            name: Some(Arc::new(name)),
            value: PropData::Inline(value),
        }
    }
}

/// A value that is in memory, or that is so large that only its place and length are.
#[derive(Debug, Clone, PartialEq)]
pub enum PropData {
    /// The value itself.
    Inline(PropValue),
    /// More than 64 KiB of bytes elsewhere, to be read in pieces.
    Large(LargeValue),
}

/// Where a large value lies. The holder of the number decides what it means: a row of the store, a spool file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LargeValue {
    /// The holder's number for it.
    pub id: u64,
    /// Length in bytes; for PtypString the UTF-16LE bytes without terminator.
    pub len: u64,
}

/// A list of properties, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PropBag(pub Vec<Prop>);

impl PropBag {
    /// The property with that tag's identifier (and no name) whatever its type.
    #[must_use]
    pub fn find(&self, tag: PropTag) -> Option<&Prop> {
        self.0.iter().find(|p| p.tag.id() == tag.id() && p.name.is_none())
    }

    /// The inline value with that tag's identifier (and no name).
    #[must_use]
    pub fn get(&self, tag: PropTag) -> Option<&PropValue> {
        match &self.find(tag)?.value {
            PropData::Inline(value) => Some(value),
            PropData::Large(_) => None,
        }
    }

    /// The named property.
    #[must_use]
    pub fn find_named(&self, name: &PropName) -> Option<&Prop> {
        self.0.iter().find(|p| p.name.as_deref() == Some(name))
    }

    /// The text of a string property.
    #[must_use]
    pub fn text(&self, tag: PropTag) -> Option<&str> {
        match self.get(tag)? {
            PropValue::Unicode(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a binary property.
    #[must_use]
    pub fn binary(&self, tag: PropTag) -> Option<&[u8]> {
        match self.get(tag)? {
            PropValue::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number of a PtypInteger32 property.
    #[must_use]
    pub fn int(&self, tag: PropTag) -> Option<i32> {
        match self.get(tag)? {
            PropValue::I32(n) => Some(*n),
            _ => None,
        }
    }

    /// The bits of a PtypInteger64 property: an FID, MID or CN.
    #[must_use]
    pub fn id(&self, tag: PropTag) -> Option<u64> {
        match self.get(tag)? {
            PropValue::I64(n) => Some(n.cast_unsigned()),
            _ => None,
        }
    }

    /// The truth of a PtypBoolean property.
    #[must_use]
    pub fn bool(&self, tag: PropTag) -> Option<bool> {
        match self.get(tag)? {
            PropValue::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Sets an unnamed property, in place of one with the same identifier.
    pub fn set(&mut self, tag: PropTag, value: impl Into<PropValue>) {
        self.put(Prop::new(tag, value));
    }

    /// Sets a property, in place of the same one.
    pub fn put(&mut self, prop: Prop) {
        let same = |p: &Prop| match (&p.name, &prop.name) {
            (None, None) => p.tag.id() == prop.tag.id(),
            (Some(a), Some(b)) => a == b,
            _ => false,
        };
        match self.0.iter_mut().find(|p| same(p)) {
            Some(slot) => *slot = prop,
            None => self.0.push(prop),
        }
    }

    /// Removes an unnamed property; returns whether it was there.
    pub fn remove(&mut self, tag: PropTag) -> bool {
        let before = self.0.len();
        self.0.retain(|p| p.name.is_some() || p.tag.id() != tag.id());
        self.0.len() != before
    }
}
