//! Property values of the address book — [MS-OXCMAPIHTTP] 2.2.1.1 to 2.2.1.3.

use watertight_wire::{
    FileTime, Reader, Wire, WireError, WireErrorKind, WireField, Writer, to_usize, wire_nested,
};

use super::field::List32;
use crate::{MapiCode, PropTag, PropType, PropValue};

const F: &str = "PropertyValue";

/// Whether values of the type have a HasValue byte in front.
#[must_use]
pub const fn may_be_missing(ty: PropType) -> bool {
    matches!(ty, PropType::String8 | PropType::Unicode | PropType::Binary) || ty.is_multi()
}

/// Reads an AddressBookPropertyValue — [MS-OXCMAPIHTTP] 2.2.1.1; `None` when its HasValue says that there is none.
/// Lengths and counts have 32 bits.
///
/// # Errors
/// [`WireError`]; a type that takes no bytes, or that entries of address books do not have, is invalid.
pub fn read_value(r: &mut Reader<'_>, ty: PropType) -> Result<Option<PropValue>, WireError> {
    r.within("AddressBookPropertyValue", |r| {
        if may_be_missing(ty) && r.u8("HasValue")? == 0 {
            return Ok(None);
        }
        value(r, ty).map(Some)
    })
}

fn value(r: &mut Reader<'_>, ty: PropType) -> Result<PropValue, WireError> {
    Ok(match ty {
        PropType::I16 => PropValue::I16(r.i16(F)?),
        PropType::I32 => PropValue::I32(r.i32(F)?),
        PropType::F32 => PropValue::F32(r.f32(F)?),
        PropType::F64 => PropValue::F64(r.f64(F)?),
        PropType::Currency => PropValue::Currency(r.i64(F)?),
        PropType::FloatingTime => PropValue::FloatingTime(r.f64(F)?),
        PropType::Error => PropValue::Error(MapiCode(r.u32(F)?)),
        PropType::Bool => PropValue::Bool(r.u8(F)? != 0),
        // PtypEmbeddedTable: a reserved number stands for it.
        PropType::Object => PropValue::Object(r.bytes(4, F)?.to_vec()),
        PropType::I64 => PropValue::I64(r.i64(F)?),
        PropType::String8 => PropValue::String8(r.cstr(F)?.to_vec()),
        PropType::Unicode => PropValue::Unicode(r.cstr16(F)?),
        PropType::Time => PropValue::Time(FileTime(r.u64(F)?)),
        PropType::Guid => PropValue::Guid(r.guid(F)?),
        PropType::Binary => PropValue::Binary(r.bytes32(F)?.to_vec()),
        PropType::MvI16 => PropValue::MvI16(many(r, |r| r.i16(F))?),
        PropType::MvI32 => PropValue::MvI32(many(r, |r| r.i32(F))?),
        PropType::MvF32 => PropValue::MvF32(many(r, |r| r.f32(F))?),
        PropType::MvF64 => PropValue::MvF64(many(r, |r| r.f64(F))?),
        PropType::MvCurrency => PropValue::MvCurrency(many(r, |r| r.i64(F))?),
        PropType::MvFloatingTime => PropValue::MvFloatingTime(many(r, |r| r.f64(F))?),
        PropType::MvI64 => PropValue::MvI64(many(r, |r| r.i64(F))?),
        PropType::MvTime => PropValue::MvTime(many(r, |r| Ok(FileTime(r.u64(F)?)))?),
        PropType::MvGuid => PropValue::MvGuid(many(r, |r| r.guid(F))?),
        // Each has a HasValue of its own.
        PropType::MvString8 => PropValue::MvString8(many(r, |r| element(r, |r| Ok(r.cstr(F)?.to_vec())))?),
        PropType::MvUnicode => PropValue::MvUnicode(many(r, |r| element(r, |r| r.cstr16(F)))?),
        PropType::MvBinary => PropValue::MvBinary(many(r, |r| element(r, |r| Ok(r.bytes32(F)?.to_vec())))?),
        other => return Err(r.invalid("PropertyType", other.0)),
    })
}

fn many<T>(
    r: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = to_usize(r.u32("count")?);
    let count = r.count(count, 1, "count")?;
    (0..count).map(|_| one(r)).collect()
}

/// An element that may be missing is as good as an empty one.
fn element<T: Default>(
    r: &mut Reader<'_>,
    one: impl FnOnce(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<T, WireError> {
    if r.u8("HasValue")? == 0 { Ok(T::default()) } else { one(r) }
}

/// Appends an AddressBookPropertyValue of a type — [MS-OXCMAPIHTTP] 2.2.1.1.
///
/// # Errors
/// [`WireError`] when a string holds a null, a length does not fit, the value is of another type or has no form here,
/// or a value that must be there is missing.
pub fn write_value(w: &mut Writer, ty: PropType, value: Option<&PropValue>) -> Result<(), WireError> {
    let Some(value) = value else {
        if !may_be_missing(ty) {
            return Err(w.error(F, WireErrorKind::Invalid { value: 0 }));
        }
        w.u8(0);
        return Ok(());
    };
    if value.ty() != ty {
        return Err(w.error(F, WireErrorKind::Invalid { value: u64::from(value.ty().0) }));
    }
    if may_be_missing(ty) {
        w.u8(0xff);
    }
    match value {
        PropValue::I16(v) => w.i16(*v),
        PropValue::I32(v) => w.i32(*v),
        PropValue::F32(v) => w.f32(*v),
        PropValue::F64(v) | PropValue::FloatingTime(v) => w.f64(*v),
        PropValue::Currency(v) | PropValue::I64(v) => w.i64(*v),
        PropValue::Error(v) => w.u32(v.0),
        PropValue::Bool(v) => w.u8(u8::from(*v)),
        PropValue::Object(v) if v.len() == 4 => w.bytes(v),
        PropValue::String8(v) => w.cstr(v, F)?,
        PropValue::Unicode(v) => w.cstr16(v, F)?,
        PropValue::Time(v) => w.u64(v.0),
        PropValue::Guid(v) => w.guid(*v),
        PropValue::Binary(v) => w.bytes32(v, F)?,
        PropValue::MvI16(v) => plain(w, v, |w, v| w.i16(*v))?,
        PropValue::MvI32(v) => plain(w, v, |w, v| w.i32(*v))?,
        PropValue::MvF32(v) => plain(w, v, |w, v| w.f32(*v))?,
        PropValue::MvF64(v) | PropValue::MvFloatingTime(v) => plain(w, v, |w, v| w.f64(*v))?,
        PropValue::MvCurrency(v) | PropValue::MvI64(v) => plain(w, v, |w, v| w.i64(*v))?,
        PropValue::MvTime(v) => plain(w, v, |w, v| w.u64(v.0))?,
        PropValue::MvGuid(v) => plain(w, v, |w, v| w.guid(*v))?,
        PropValue::MvString8(v) => each(w, v, |w, v| {
            w.u8(0xff);
            w.cstr(v, F)
        })?,
        PropValue::MvUnicode(v) => each(w, v, |w, v| {
            w.u8(0xff);
            w.cstr16(v, F)
        })?,
        PropValue::MvBinary(v) => each(w, v, |w, v| {
            w.u8(0xff);
            w.bytes32(v, F)
        })?,
        PropValue::Null
        | PropValue::Object(_)
        | PropValue::ServerId(_)
        | PropValue::Restriction(_)
        | PropValue::RuleAction(_) => {
            return Err(w.error(F, WireErrorKind::Invalid { value: u64::from(ty.0) }));
        }
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

/// AddressBookTaggedPropertyValue — [MS-OXCMAPIHTTP] 2.2.1.2.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedValue {
    /// PropertyType and PropertyId.
    pub tag: PropTag,
    /// PropertyValue, where there is one.
    pub value: Option<PropValue>,
}

impl TaggedValue {
    /// A value under the tag's identifier and the value's own type.
    #[must_use]
    pub fn new(tag: PropTag, value: impl Into<PropValue>) -> Self {
        let value = value.into();
        Self { tag: tag.with_type(value.ty()), value: Some(value) }
    }
}

impl Wire for TaggedValue {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("AddressBookTaggedPropertyValue", |r| {
            let tag = PropTag::read_field(r, "PropertyTag")?;
            Ok(Self { tag, value: read_value(r, tag.ty())? })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.tag.0);
        write_value(w, self.tag.ty(), self.value.as_ref())
    }
}
wire_nested!(TaggedValue);

/// AddressBookPropertyValueList — [MS-OXCMAPIHTTP] 2.2.1.3.
pub type ValueList = List32<TaggedValue>;

impl ValueList {
    /// The value of a property, whatever its type; errors are none.
    #[must_use]
    pub fn value(&self, tag: PropTag) -> Option<&PropValue> {
        let found = self.iter().find(|value| value.tag.id() == tag.id())?.value.as_ref()?;
        (!matches!(found, PropValue::Error(_))).then_some(found)
    }
}
