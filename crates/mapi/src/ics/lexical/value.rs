use watertight_wire::{FileTime, Guid, Reader, WireError, Writer};

use super::{PropDef, RawValue};
use crate::{MapiCode, PropType, PropValue};

/// 65001 in the fifteen bits that a code page string type has for it.
const CODE_PAGE_UTF_8: u16 = 0x7DE9;

/// How the values of a type are laid out in a stream — [MS-OXCFXICS] 2.2.4.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// fixedPropType of that many bytes.
    Fixed(usize),
    /// varPropType.
    Var,
    /// mvPropType over a fixedPropType of that many bytes.
    ManyFixed(PropType, usize),
    /// mvPropType over a varPropType.
    ManyVar,
}

impl Layout {
    /// The layout of a property's values; `None` for types that a stream cannot carry.
    pub(super) fn of(def: &PropDef) -> Option<Self> {
        // MetaTagIdsetGiven has the type PtypInteger32 and carries counted bytes (3.1.5.2.1).
        if def.tag == crate::prop::tags::META_TAG_IDSET_GIVEN || def.code_page().is_some() {
            return Some(Self::Var);
        }
        let base = PropType(def.ty().0 & !PropType::MULTI);
        let layout = match base {
            PropType::I16 | PropType::Bool => Self::Fixed(2),
            PropType::I32 | PropType::F32 | PropType::Error => Self::Fixed(4),
            PropType::F64 | PropType::Currency | PropType::FloatingTime | PropType::I64 | PropType::Time => {
                Self::Fixed(8)
            }
            PropType::Guid => Self::Fixed(16),
            PropType::String8
            | PropType::Unicode
            | PropType::Binary
            | PropType::Object
            | PropType::ServerId
            | PropType::Restriction
            | PropType::RuleAction => Self::Var,
            _ => return None,
        };
        Some(match (def.ty().is_multi(), layout) {
            (false, layout) => layout,
            (true, Self::Fixed(size)) => Self::ManyFixed(base, size),
            (true, _) => Self::ManyVar,
        })
    }
}

/// Reads a fixedSizeValue; booleans have two bytes (2.2.4.1.3).
pub(super) fn read_fixed(ty: PropType, r: &mut Reader<'_>) -> Result<PropValue, WireError> {
    const FIELD: &str = "fixedSizeValue";
    Ok(match ty {
        PropType::I16 => PropValue::I16(r.i16(FIELD)?),
        PropType::Bool => PropValue::Bool(r.u16(FIELD)? != 0),
        PropType::I32 => PropValue::I32(r.i32(FIELD)?),
        PropType::F32 => PropValue::F32(r.f32(FIELD)?),
        PropType::Error => PropValue::Error(MapiCode(r.u32(FIELD)?)),
        PropType::F64 => PropValue::F64(r.f64(FIELD)?),
        PropType::Currency => PropValue::Currency(r.i64(FIELD)?),
        PropType::FloatingTime => PropValue::FloatingTime(r.f64(FIELD)?),
        PropType::I64 => PropValue::I64(r.i64(FIELD)?),
        PropType::Time => PropValue::Time(FileTime(r.u64(FIELD)?)),
        PropType::Guid => PropValue::Guid(r.guid(FIELD)?),
        other => return Err(r.invalid("propType", other.0)),
    })
}

/// Appends a fixedSizeValue; nothing for values of other types.
pub(super) fn write_fixed(value: &PropValue, w: &mut Writer) {
    match value {
        PropValue::I16(n) => w.i16(*n),
        PropValue::Bool(b) => w.u16(u16::from(*b)),
        PropValue::I32(n) => w.i32(*n),
        PropValue::F32(n) => w.f32(*n),
        PropValue::Error(code) => w.u32(code.0),
        PropValue::F64(n) | PropValue::FloatingTime(n) => w.f64(*n),
        PropValue::Currency(n) | PropValue::I64(n) => w.i64(*n),
        PropValue::Time(time) => w.u64(time.0),
        PropValue::Guid(guid) => w.guid(*guid),
        _ => {}
    }
}

/// The bytes of PtypString: UTF-16LE with a terminator.
pub(super) fn utf16_z(text: &str) -> Vec<u8> {
    let mut w = Writer::with_capacity(text.len().saturating_mul(2).saturating_add(2));
    w.utf16(text);
    w.u16(0);
    w.into_bytes()
}

/// The bytes of PtypString8: with a terminator.
pub(super) fn bytes_z(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.push(0);
    bytes
}

fn unterminated(bytes: &[u8], len: usize) -> &[u8] {
    match bytes.len().checked_sub(len).and_then(|at| bytes.split_at_checked(at)) {
        Some((text, end)) if end.iter().all(|b| *b == 0) => text,
        _ => bytes,
    }
}

impl RawValue {
    /// The typed value and its type. A terminator is taken off strings only where it is there (2.2.4.1.3); strings of
    /// the code pages 1200 and 65001 become PtypString, those of others PtypString8.
    #[must_use]
    pub fn into_value(self, def: &PropDef) -> (PropType, PropValue) {
        if def.tag == crate::prop::tags::META_TAG_IDSET_GIVEN {
            return (PropType::I32, PropValue::Binary(self.into_bytes()));
        }
        let (ty, value) = match self {
            Self::Fixed(value) => return (def.ty(), value),
            Self::Bytes(bytes) => match (def.code_page(), def.ty()) {
                (Some(1200), _) | (None, PropType::Unicode) => {
                    (PropType::Unicode, PropValue::Unicode(Reader::decode_utf16le(unterminated(&bytes, 2))))
                }
                (Some(CODE_PAGE_UTF_8), _) => {
                    let text = String::from_utf8_lossy(unterminated(&bytes, 1)).into_owned();
                    (PropType::Unicode, PropValue::Unicode(text))
                }
                (Some(_), _) | (None, PropType::String8) => {
                    (PropType::String8, PropValue::String8(unterminated(&bytes, 1).to_vec()))
                }
                (None, PropType::Object) => (PropType::Object, PropValue::Object(bytes)),
                (None, PropType::ServerId) => (PropType::ServerId, PropValue::ServerId(bytes)),
                (None, PropType::Restriction) => (PropType::Restriction, PropValue::Restriction(bytes)),
                (None, PropType::RuleAction) => (PropType::RuleAction, PropValue::RuleAction(bytes)),
                (None, ty) => (ty, PropValue::Binary(bytes)),
            },
            Self::Many(values) => (def.ty(), many(def.ty(), values)),
        };
        (ty, value)
    }

    /// The bytes of a variable value; none for others.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Fixed(_) | Self::Many(_) => Vec::new(),
        }
    }

    /// The value as a stream carries it. PtypNull has no form there: no bytes.
    #[must_use]
    pub fn from_value(value: &PropValue) -> Self {
        let texts = |all: &[Vec<u8>], z: bool| {
            Self::Many(all.iter().map(|b| Self::Bytes(if z { bytes_z(b) } else { b.clone() })).collect())
        };
        macro_rules! fixed {
            ($all:expr, $variant:ident) => {
                Self::Many($all.iter().map(|v| Self::Fixed(PropValue::$variant(*v))).collect())
            };
        }
        match value {
            PropValue::Null => Self::Bytes(Vec::new()),
            PropValue::String8(text) => Self::Bytes(bytes_z(text)),
            PropValue::Unicode(text) => Self::Bytes(utf16_z(text)),
            PropValue::Object(b)
            | PropValue::ServerId(b)
            | PropValue::Restriction(b)
            | PropValue::RuleAction(b)
            | PropValue::Binary(b) => Self::Bytes(b.clone()),
            PropValue::MvString8(all) => texts(all, true),
            PropValue::MvBinary(all) => texts(all, false),
            PropValue::MvUnicode(all) => Self::Many(all.iter().map(|t| Self::Bytes(utf16_z(t))).collect()),
            PropValue::MvI16(all) => fixed!(all, I16),
            PropValue::MvI32(all) => fixed!(all, I32),
            PropValue::MvF32(all) => fixed!(all, F32),
            PropValue::MvF64(all) => fixed!(all, F64),
            PropValue::MvCurrency(all) => fixed!(all, Currency),
            PropValue::MvFloatingTime(all) => fixed!(all, FloatingTime),
            PropValue::MvI64(all) => fixed!(all, I64),
            PropValue::MvTime(all) => fixed!(all, Time),
            PropValue::MvGuid(all) => fixed!(all, Guid),
            fixed => Self::Fixed(fixed.clone()),
        }
    }
}

fn many(ty: PropType, values: Vec<RawValue>) -> PropValue {
    macro_rules! fixed {
        ($variant:ident, $ty:ty, $many:ident) => {
            PropValue::$many(
                values
                    .into_iter()
                    .filter_map(|v| match v {
                        RawValue::Fixed(PropValue::$variant(v)) => Some(v),
                        _ => None,
                    })
                    .collect::<Vec<$ty>>(),
            )
        };
    }
    match ty {
        PropType::MvI16 => fixed!(I16, i16, MvI16),
        PropType::MvI32 => fixed!(I32, i32, MvI32),
        PropType::MvF32 => fixed!(F32, f32, MvF32),
        PropType::MvF64 => fixed!(F64, f64, MvF64),
        PropType::MvCurrency => fixed!(Currency, i64, MvCurrency),
        PropType::MvFloatingTime => fixed!(FloatingTime, f64, MvFloatingTime),
        PropType::MvI64 => fixed!(I64, i64, MvI64),
        PropType::MvTime => fixed!(Time, FileTime, MvTime),
        PropType::MvGuid => fixed!(Guid, Guid, MvGuid),
        PropType::MvUnicode => PropValue::MvUnicode(
            values.into_iter().map(|v| Reader::decode_utf16le(unterminated(&v.into_bytes(), 2))).collect(),
        ),
        PropType::MvString8 => PropValue::MvString8(
            values.into_iter().map(|v| unterminated(&v.into_bytes(), 1).to_vec()).collect(),
        ),
        _ => PropValue::MvBinary(values.into_iter().map(RawValue::into_bytes).collect()),
    }
}
