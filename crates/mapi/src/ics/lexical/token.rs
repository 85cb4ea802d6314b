use std::sync::Arc;

use super::Marker;
use crate::{PropId, PropTag, PropType, PropValue, prop::PropName};

/// propDef — [MS-OXCFXICS] 2.2.4.1: which property a value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PropDef {
    /// Identifier and type as in the stream; the type can be a code page string type (2.2.4.1.1.1).
    pub tag: PropTag,
    /// namedPropInfo, for identifiers of 0x8000 and above.
    pub name: Option<Arc<PropName>>,
}

impl PropDef {
    /// A property without a name.
    #[must_use]
    pub const fn new(tag: PropTag) -> Self {
        Self { tag, name: None }
    }

    /// The identifier.
    #[must_use]
    pub const fn id(&self) -> PropId {
        self.tag.id()
    }

    /// The type.
    #[must_use]
    pub const fn ty(&self) -> PropType {
        self.tag.ty()
    }

    /// The code page, when the type is a code page string type (2.2.4.1.1.1).
    #[must_use]
    pub const fn code_page(&self) -> Option<u16> {
        let ty = self.tag.ty().0;
        if ty & 0x8000 == 0 { None } else { Some(ty & 0x7FFF) }
    }
}

/// A value as its bytes, strings with their terminator.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// fixedSizeValue.
    Fixed(PropValue),
    /// varSizeValue.
    Bytes(Vec<u8>),
    /// The values of a multi-valued property.
    Many(Vec<Self>),
}

/// What the stream consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A marker.
    Marker(Marker),
    /// A property whose value has at most 64 KiB (1 MiB for all values of a multi-valued one).
    Prop(PropDef, RawValue),
    /// The start of a longer value: its length in bytes. Chunks of that many bytes follow, then [`Token::LargeEnd`].
    LargeBegin(PropDef, u32),
    /// The next bytes of the value, never none.
    LargeChunk(Vec<u8>),
    /// The end of the value.
    LargeEnd,
}
