//! Property values in the form that ROP buffers give them — [MS-OXCDATA] 2.11.2 to 2.11.7, 2.8.1, 2.6.1.

mod cell;
mod name;

pub use cell::{Cell, CellValue, PropertyRow};
pub use name::MaybePropName;
use watertight_wire::{FileTime, Reader, Wire, WireError, WireErrorKind, WireField, Writer, wire_nested};

use super::{PropTag, PropType, PropValue};
use crate::{MapiCode, restriction::Restriction};

/// Reads a PropertyValue of a known type — [MS-OXCDATA] 2.11.2.1. Lengths of PtypBinary, PtypServerId and
/// PtypObject have 16 bits here, counts of multivalues 32.
///
/// # Errors
/// [`WireError`]; a type that has no form in ROP buffers is invalid.
pub fn read_value(r: &mut Reader<'_>, ty: PropType) -> Result<PropValue, WireError> {
    r.within("PropertyValue", |r| value(r, ty))
}

fn value(r: &mut Reader<'_>, ty: PropType) -> Result<PropValue, WireError> {
    const F: &str = "PropertyValue";
    // A column of MultivalueInstance carries one value of the list.
    let both = PropType::MULTI | PropType::INSTANCE;
    let ty = if ty.0 & both == both { PropType(ty.0 & !both) } else { ty };
    Ok(match ty {
        PropType::Null => PropValue::Null,
        PropType::I16 => PropValue::I16(r.i16(F)?),
        PropType::I32 => PropValue::I32(r.i32(F)?),
        PropType::F32 => PropValue::F32(r.f32(F)?),
        PropType::F64 => PropValue::F64(r.f64(F)?),
        PropType::Currency => PropValue::Currency(r.i64(F)?),
        PropType::FloatingTime => PropValue::FloatingTime(r.f64(F)?),
        PropType::Error => PropValue::Error(MapiCode(r.u32(F)?)),
        PropType::Bool => PropValue::Bool(boolean(r, F)?),
        PropType::Object => PropValue::Object(r.bytes16(F)?.to_vec()),
        PropType::I64 => PropValue::I64(r.i64(F)?),
        PropType::String8 => PropValue::String8(r.cstr(F)?.to_vec()),
        PropType::Unicode => PropValue::Unicode(r.cstr16(F)?),
        PropType::Time => PropValue::Time(FileTime(r.u64(F)?)),
        PropType::Guid => PropValue::Guid(r.guid(F)?),
        PropType::ServerId => PropValue::ServerId(r.bytes16(F)?.to_vec()),
        PropType::Restriction => PropValue::Restriction(span(r, |r| Restriction::read(r).map(drop))?),
        PropType::RuleAction => PropValue::RuleAction(span(r, rule_actions)?),
        PropType::Binary => PropValue::Binary(r.bytes16(F)?.to_vec()),
        PropType::MvI16 => PropValue::MvI16(many(r, 2, |r| r.i16(F))?),
        PropType::MvI32 => PropValue::MvI32(many(r, 4, |r| r.i32(F))?),
        PropType::MvF32 => PropValue::MvF32(many(r, 4, |r| r.f32(F))?),
        PropType::MvF64 => PropValue::MvF64(many(r, 8, |r| r.f64(F))?),
        PropType::MvCurrency => PropValue::MvCurrency(many(r, 8, |r| r.i64(F))?),
        PropType::MvFloatingTime => PropValue::MvFloatingTime(many(r, 8, |r| r.f64(F))?),
        PropType::MvI64 => PropValue::MvI64(many(r, 8, |r| r.i64(F))?),
        PropType::MvString8 => PropValue::MvString8(many(r, 1, |r| Ok(r.cstr(F)?.to_vec()))?),
        PropType::MvUnicode => PropValue::MvUnicode(many(r, 2, |r| r.cstr16(F))?),
        PropType::MvTime => PropValue::MvTime(many(r, 8, |r| Ok(FileTime(r.u64(F)?)))?),
        PropType::MvGuid => PropValue::MvGuid(many(r, 16, |r| r.guid(F))?),
        PropType::MvBinary => PropValue::MvBinary(many(r, 2, |r| Ok(r.bytes16(F)?.to_vec()))?),
        other => return Err(r.invalid("PropertyType", other.0)),
    })
}

fn boolean(r: &mut Reader<'_>, field: &'static str) -> Result<bool, WireError> {
    Ok(r.u8(field)? != 0)
}

fn many<T>(
    r: &mut Reader<'_>,
    min_size: usize,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = watertight_wire::to_usize(r.u32("count")?);
    let count = r.count(count, min_size, "count")?;
    (0..count).map(|_| one(r)).collect()
}

/// The bytes that `f` consumes.
fn span(
    r: &mut Reader<'_>,
    f: impl FnOnce(&mut Reader<'_>) -> Result<(), WireError>,
) -> Result<Vec<u8>, WireError> {
    let all = r.rest();
    f(r)?;
    let used = all.len().saturating_sub(r.remaining());
    Ok(all.get(..used).unwrap_or_default().to_vec())
}

/// RuleAction — [MS-OXORULE] 2.2.5: a count and that many action blocks, each with its length in front.
fn rule_actions(r: &mut Reader<'_>) -> Result<(), WireError> {
    for _ in 0..r.u16("NoOfActions")? {
        r.bytes16("ActionLength")?;
    }
    Ok(())
}

/// Appends a PropertyValue — [MS-OXCDATA] 2.11.2.1.
///
/// # Errors
/// [`WireError`] when a length does not fit 16 bits or a string holds a null.
pub fn write_value(w: &mut Writer, value: &PropValue) -> Result<(), WireError> {
    const F: &str = "PropertyValue";
    match value {
        PropValue::Null => {}
        PropValue::I16(v) => w.i16(*v),
        PropValue::I32(v) => w.i32(*v),
        PropValue::F32(v) => w.f32(*v),
        PropValue::F64(v) | PropValue::FloatingTime(v) => w.f64(*v),
        PropValue::Currency(v) | PropValue::I64(v) => w.i64(*v),
        PropValue::Error(v) => w.u32(v.0),
        PropValue::Bool(v) => w.u8(u8::from(*v)),
        PropValue::Object(v) | PropValue::ServerId(v) | PropValue::Binary(v) => w.bytes16(v, F)?,
        PropValue::String8(v) => w.cstr(v, F)?,
        PropValue::Unicode(v) => w.cstr16(v, F)?,
        PropValue::Time(v) => w.u64(v.0),
        PropValue::Guid(v) => w.guid(*v),
        PropValue::Restriction(v) | PropValue::RuleAction(v) => w.bytes(v),
        PropValue::MvI16(v) => plain(w, v, |w, v| w.i16(*v))?,
        PropValue::MvI32(v) => plain(w, v, |w, v| w.i32(*v))?,
        PropValue::MvF32(v) => plain(w, v, |w, v| w.f32(*v))?,
        PropValue::MvF64(v) | PropValue::MvFloatingTime(v) => plain(w, v, |w, v| w.f64(*v))?,
        PropValue::MvCurrency(v) | PropValue::MvI64(v) => plain(w, v, |w, v| w.i64(*v))?,
        PropValue::MvString8(v) => each(w, v, |w, v| w.cstr(v, F))?,
        PropValue::MvUnicode(v) => each(w, v, |w, v| w.cstr16(v, F))?,
        PropValue::MvTime(v) => plain(w, v, |w, v| w.u64(v.0))?,
        PropValue::MvGuid(v) => plain(w, v, |w, v| w.guid(*v))?,
        PropValue::MvBinary(v) => each(w, v, |w, v| w.bytes16(v, F))?,
    }
    Ok(())
}

fn each<T>(
    w: &mut Writer,
    items: &[T],
    mut one: impl FnMut(&mut Writer, &T) -> Result<(), WireError>,
) -> Result<(), WireError> {
    w.len32(items.len(), "count")?;
    items.iter().try_for_each(|item| one(w, item))
}

fn plain<T>(w: &mut Writer, items: &[T], mut one: impl FnMut(&mut Writer, &T)) -> Result<(), WireError> {
    w.len32(items.len(), "count")?;
    items.iter().for_each(|item| one(w, item));
    Ok(())
}

/// TaggedPropertyValue — [MS-OXCDATA] 2.11.4.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedPropertyValue {
    /// PropertyTag.
    pub tag: PropTag,
    /// PropertyValue.
    pub value: PropValue,
}

impl TaggedPropertyValue {
    /// A value under the tag's identifier and the value's own type.
    #[must_use]
    pub fn new(tag: PropTag, value: PropValue) -> Self {
        Self { tag: tag.with_type(value.ty()), value }
    }
}

impl Wire for TaggedPropertyValue {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("TaggedPropertyValue", |r| {
            let tag = PropTag::read_field(r, "PropertyTag")?;
            Ok(Self { tag, value: value(r, tag.ty())? })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.tag.0);
        write_value(w, &self.value)
    }
}

/// TypedPropertyValue — [MS-OXCDATA] 2.11.3.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedPropertyValue(pub PropValue);

impl Wire for TypedPropertyValue {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let ty = PropType::read_field(r, "PropertyType")?;
        Ok(Self(read_value(r, ty)?))
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.0.ty().0);
        write_value(w, &self.0)
    }
}

/// TypedString — [MS-OXCDATA] 2.11.7.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TypedString {
    /// 0x00: no string is present.
    #[default]
    None,
    /// 0x01: the string is empty.
    Empty,
    /// 0x02: in the code page of its context.
    String8(Vec<u8>),
    /// 0x03: UTF-16 whose high bytes are all zero, with those left out.
    Reduced(Vec<u8>),
    /// 0x04: UTF-16.
    Unicode(String),
}

impl TypedString {
    /// The form of a text: empty, or Unicode.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Unicode(text.to_owned()) }
    }

    /// The text; bytes of a code page are read as Latin-1.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Empty => Some(String::new()),
            Self::String8(b) | Self::Reduced(b) => Some(b.iter().map(|&b| char::from(b)).collect()),
            Self::Unicode(text) => Some(text.clone()),
        }
    }
}

impl Wire for TypedString {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("TypedString", |r| {
            Ok(match r.peek() {
                Some(0) => r.u8("StringType").map(|_| Self::None)?,
                Some(1) => r.u8("StringType").map(|_| Self::Empty)?,
                Some(ty @ 2..=4) => {
                    r.u8("StringType")?;
                    match ty {
                        2 => Self::String8(r.cstr("String")?.to_vec()),
                        3 => Self::Reduced(r.cstr("String")?.to_vec()),
                        _ => Self::Unicode(r.cstr16("String")?),
                    }
                }
                Some(other) => return Err(r.invalid("StringType", other)),
                None => {
                    return Err(r.error("StringType", WireErrorKind::Truncated { need: 1, have: 0 }));
                }
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::None => w.u8(0),
            Self::Empty => w.u8(1),
            Self::String8(bytes) => {
                w.u8(2);
                w.cstr(bytes, "String")?;
            }
            Self::Reduced(bytes) => {
                w.u8(3);
                w.cstr(bytes, "String")?;
            }
            Self::Unicode(text) => {
                w.u8(4);
                w.cstr16(text, "String")?;
            }
        }
        Ok(())
    }
}

wire_nested!(TaggedPropertyValue, TypedPropertyValue, TypedString);

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;
    use crate::prop::tags;

    fn samples() -> Vec<PropValue> {
        use PropValue as V;
        vec![
            V::Null,
            V::I16(-2),
            V::I32(i32::MIN),
            V::F32(1.5),
            V::F64(-2.5),
            V::Currency(10_000),
            V::FloatingTime(44_000.25),
            V::Error(MapiCode::NotFound),
            V::Bool(true),
            V::Object(vec![1, 2]),
            V::I64(-5),
            V::String8(b"caf\xe9".to_vec()),
            V::Unicode("Grüße 🙂".into()),
            V::Time(FileTime(0x01d0_0000_0000_0001)),
            V::Guid(watertight_wire::Guid::new(1, 2, 3, [4; 8])),
            V::ServerId(vec![1; 21]),
            V::Restriction(vec![8, 0x1f, 0, 0x37, 0]),
            V::RuleAction(vec![1, 0, 2, 0, 7, 7]),
            V::Binary(vec![0; 300]),
            V::MvI16(vec![1, 2]),
            V::MvI32(vec![]),
            V::MvF32(vec![0.5]),
            V::MvF64(vec![0.5, 1.0]),
            V::MvCurrency(vec![7]),
            V::MvFloatingTime(vec![1.0]),
            V::MvI64(vec![1, -1]),
            V::MvString8(vec![b"a".to_vec(), vec![]]),
            V::MvUnicode(vec!["ä".into(), String::new()]),
            V::MvTime(vec![FileTime(9)]),
            V::MvGuid(vec![watertight_wire::Guid::NIL]),
            V::MvBinary(vec![vec![1], vec![]]),
        ]
    }

    #[test]
    fn every_type_survives_the_round_trip_and_every_damage() {
        for value in samples() {
            let tagged = TaggedPropertyValue::new(tags::SUBJECT, value.clone());
            let bytes = tagged.to_bytes().unwrap();
            assert_eq!(TaggedPropertyValue::from_bytes(&bytes).unwrap(), tagged);
            let typed = TypedPropertyValue(value);
            assert_eq!(TypedPropertyValue::from_bytes(&typed.to_bytes().unwrap()).unwrap(), typed);
            survive(&bytes, |b| {
                let _ = TaggedPropertyValue::from_bytes(b);
            });
        }
    }

    #[test]
    fn a_count_of_values_is_believed_only_when_they_are_there() {
        let mut bytes = 0x1002_0037_u32.rotate_left(16).to_le_bytes().to_vec();
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(TaggedPropertyValue::from_bytes(&bytes).is_err());
    }

    #[test]
    fn typed_strings_have_five_forms() {
        for (bytes, text) in [
            (&b"\0"[..], None),
            (b"\x01", Some("")),
            (b"\x02ab\0", Some("ab")),
            (b"\x03ab\0", Some("ab")),
            (b"\x04a\0b\0\0\0", Some("ab")),
        ] {
            let string = TypedString::from_bytes(bytes).unwrap();
            assert_eq!(string.text().as_deref(), text);
            assert_eq!(string.to_bytes().unwrap(), bytes);
            survive(bytes, |b| {
                let _ = TypedString::from_bytes(b);
            });
        }
    }
}
