//! How a message's properties, recipients and attachments lie in one column.
//!
//! Version 1: a version byte; the message: properties, recipients, attachments; eight bytes of [`Sum`]. Counts and
//! lengths are 32 bits, everything is little-endian. A property is its tag as this mailbox numbers it, a form byte
//! (0 inline, 1 large) and the value; strings are UTF-8. An attachment is its number, its properties, and a byte
//! that says whether a message follows.

use watertight_mapi::{
    MapiCode, PropTag, PropType, PropValue,
    prop::{LargeValue, Prop, PropBag, PropData},
    store::{Attachment, MessageContent},
};
use watertight_wire::{FileTime, Reader, WireError, WireErrorKind, Writer};

use super::checksum::Sum;
use crate::{content::MAX_DEPTH, names::Names};

const VERSION: u8 = 1;
const SUM_KIND: u64 = 0x636f_6e74;
const INLINE: u8 = 0;
const LARGE: u8 = 1;

/// The column of a message. Names must have their identifiers already.
pub(super) fn encode(content: &MessageContent) -> Result<Vec<u8>, WireError> {
    let mut w = Writer::with_capacity(4096);
    w.u8(VERSION);
    write_content(content, &mut w)?;
    Ok(sealed(w))
}

/// The message of a column; `names` gives the names of identifiers.
pub(super) fn decode(bytes: &[u8], names: &Names) -> Result<MessageContent, WireError> {
    let mut r = unsealed(bytes, "content")?;
    let content = read_content(&mut r, names, 0)?;
    r.finish()?;
    Ok(content)
}

/// The column of a folder's properties.
pub(super) fn encode_bag(bag: &PropBag) -> Result<Vec<u8>, WireError> {
    let mut w = Writer::new();
    w.u8(VERSION);
    write_bag(bag, &mut w)?;
    Ok(sealed(w))
}

/// The properties of a folder's column.
pub(super) fn decode_bag(bytes: &[u8], names: &Names) -> Result<PropBag, WireError> {
    let mut r = unsealed(bytes, "folder properties")?;
    let bag = read_bag(&mut r, names)?;
    r.finish()?;
    Ok(bag)
}

/// For `fuzz`: decodes any bytes as a message's column whose sum is right, and what was decoded once more after
/// encoding it; says whether both are the same (or nothing was decoded).
#[must_use]
pub fn content_column_holds(bytes: &[u8]) -> bool {
    let names = Names::default();
    let mut w = Writer::new();
    w.u8(VERSION);
    w.bytes(bytes);
    let Ok(content) = decode(&sealed(w), &names) else { return true };
    let Ok(column) = encode(&content) else { return false };
    // Not the contents: a float may be no number, and then equals nothing.
    decode(&column, &names).and_then(|again| encode(&again)).is_ok_and(|again| again == column)
}

/// For `fuzz`: some bytes to begin with.
#[must_use]
pub fn content_column_of(content: &MessageContent) -> Option<Vec<u8>> {
    let column = encode(content).ok()?;
    Some(column.get(1..column.len().checked_sub(8)?)?.to_vec())
}

fn sealed(mut w: Writer) -> Vec<u8> {
    let sum = Sum::new(SUM_KIND).bytes(w.as_slice()).finish();
    w.i64(sum);
    w.into_bytes()
}

fn unsealed<'a>(bytes: &'a [u8], structure: &'static str) -> Result<Reader<'a>, WireError> {
    let whole = Reader::new(bytes, structure);
    let Some((body, sum)) = bytes.split_last_chunk::<8>() else {
        return Err(whole.error("sum", WireErrorKind::Truncated { need: 8, have: bytes.len() }));
    };
    if Sum::new(SUM_KIND).bytes(body).finish() != i64::from_le_bytes(*sum) {
        return Err(whole.invalid("sum", u64::from_le_bytes(*sum)));
    }
    let mut r = Reader::new(body, structure);
    match r.u8("version")? {
        VERSION => Ok(r),
        other => Err(r.invalid("version", other)),
    }
}

fn write_content(content: &MessageContent, w: &mut Writer) -> Result<(), WireError> {
    write_bag(&content.props, w)?;
    w.len32(content.recipients.len(), "recipients")?;
    content.recipients.iter().try_for_each(|r| write_bag(r, w))?;
    w.len32(content.attachments.len(), "attachments")?;
    for attachment in &content.attachments {
        w.u32(attachment.number);
        write_bag(&attachment.props, w)?;
        w.u8(u8::from(attachment.embedded.is_some()));
        if let Some(inner) = &attachment.embedded {
            write_content(inner, w)?;
        }
    }
    Ok(())
}

fn read_content(r: &mut Reader<'_>, names: &Names, depth: usize) -> Result<MessageContent, WireError> {
    if depth > MAX_DEPTH {
        return Err(r.error("embedded", WireErrorKind::TooDeep { max: MAX_DEPTH }));
    }
    let props = read_bag(r, names)?;
    let recipients = list(r, 4, "recipients", |r| read_bag(r, names))?;
    let attachments = list(r, 9, "attachments", |r| {
        let number = r.u32("number")?;
        let props = read_bag(r, names)?;
        let embedded = match r.u8("embedded")? {
            0 => None,
            1 => Some(Box::new(read_content(r, names, depth.saturating_add(1))?)),
            other => return Err(r.invalid("embedded", other)),
        };
        Ok(Attachment { number, props, embedded })
    })?;
    Ok(MessageContent { props, recipients, attachments })
}

fn list<T>(
    r: &mut Reader<'_>,
    min_size: usize,
    field: &'static str,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = watertight_wire::to_usize(r.u32(field)?);
    let count = r.count(count, min_size, field)?;
    (0..count).map(|_| read(r)).collect()
}

fn write_bag(bag: &PropBag, w: &mut Writer) -> Result<(), WireError> {
    w.len32(bag.0.len(), "properties")?;
    for prop in &bag.0 {
        w.u32(prop.tag.0);
        match &prop.value {
            PropData::Inline(value) => {
                w.u8(INLINE);
                write_value(value, w)?;
            }
            PropData::Large(large) => {
                w.u8(LARGE);
                w.u64(large.id);
                w.u64(large.len);
            }
        }
    }
    Ok(())
}

fn read_bag(r: &mut Reader<'_>, names: &Names) -> Result<PropBag, WireError> {
    let prop = |r: &mut Reader<'_>| {
        let tag = PropTag(r.u32("tag")?);
        let name = if tag.is_named() {
            let name = names.name(tag.id()).cloned();
            Some(name.ok_or_else(|| r.invalid("name", tag.0))?)
        } else {
            None
        };
        let value = match r.u8("form")? {
            INLINE => PropData::Inline(read_value(r, tag.ty())?),
            LARGE => PropData::Large(LargeValue { id: r.u64("large.id")?, len: r.u64("large.len")? }),
            other => return Err(r.invalid("form", other)),
        };
        Ok(Prop { tag, name, value })
    };
    Ok(PropBag(list(r, 5, "properties", prop)?))
}

fn write_value(value: &PropValue, w: &mut Writer) -> Result<(), WireError> {
    use PropValue as V;
    fn many<T>(
        items: &[T],
        w: &mut Writer,
        mut one: impl FnMut(&T, &mut Writer) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        w.len32(items.len(), "values")?;
        items.iter().try_for_each(|item| one(item, w))
    }
    fn each<T>(items: &[T], w: &mut Writer, mut one: impl FnMut(&T, &mut Writer)) -> Result<(), WireError> {
        many(items, w, |item, w| {
            one(item, w);
            Ok(())
        })
    }
    match value {
        V::Null => {}
        V::I16(n) => w.i16(*n),
        V::I32(n) => w.i32(*n),
        V::F32(n) => w.f32(*n),
        V::F64(n) | V::FloatingTime(n) => w.f64(*n),
        V::Currency(n) | V::I64(n) => w.i64(*n),
        V::Error(code) => w.u32(code.0),
        V::Bool(on) => w.u8(u8::from(*on)),
        V::Unicode(text) => w.bytes32(text.as_bytes(), "value")?,
        V::Time(time) => w.u64(time.0),
        V::Guid(guid) => w.guid(*guid),
        V::Object(b)
        | V::String8(b)
        | V::ServerId(b)
        | V::Restriction(b)
        | V::RuleAction(b)
        | V::Binary(b) => {
            w.bytes32(b, "value")?;
        }
        V::MvI16(v) => each(v, w, |n, w| w.i16(*n))?,
        V::MvI32(v) => each(v, w, |n, w| w.i32(*n))?,
        V::MvF32(v) => each(v, w, |n, w| w.f32(*n))?,
        V::MvF64(v) | V::MvFloatingTime(v) => each(v, w, |n, w| w.f64(*n))?,
        V::MvCurrency(v) | V::MvI64(v) => each(v, w, |n, w| w.i64(*n))?,
        V::MvTime(v) => each(v, w, |time, w| w.u64(time.0))?,
        V::MvGuid(v) => each(v, w, |guid, w| w.guid(*guid))?,
        V::MvUnicode(v) => many(v, w, |text, w| w.bytes32(text.as_bytes(), "value"))?,
        V::MvString8(v) | V::MvBinary(v) => many(v, w, |b, w| w.bytes32(b, "value"))?,
    }
    Ok(())
}

fn read_value(r: &mut Reader<'_>, ty: PropType) -> Result<PropValue, WireError> {
    use PropValue as V;
    fn bytes(r: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
        Ok(r.bytes32("value")?.to_vec())
    }
    fn text(r: &mut Reader<'_>) -> Result<String, WireError> {
        let bytes = r.bytes32("value")?;
        let text = std::str::from_utf8(bytes).map_err(|_| r.error("value", WireErrorKind::BadString))?;
        Ok(text.to_owned())
    }
    const VALUES: &str = "values";
    Ok(match ty {
        PropType::Null => V::Null,
        PropType::I16 => V::I16(r.i16("value")?),
        PropType::I32 => V::I32(r.i32("value")?),
        PropType::F32 => V::F32(r.f32("value")?),
        PropType::F64 => V::F64(r.f64("value")?),
        PropType::Currency => V::Currency(r.i64("value")?),
        PropType::FloatingTime => V::FloatingTime(r.f64("value")?),
        PropType::Error => V::Error(MapiCode(r.u32("value")?)),
        PropType::Bool => match r.u8("value")? {
            0 => V::Bool(false),
            1 => V::Bool(true),
            other => return Err(r.invalid("value", other)),
        },
        PropType::Object => V::Object(bytes(r)?),
        PropType::I64 => V::I64(r.i64("value")?),
        PropType::String8 => V::String8(bytes(r)?),
        PropType::Unicode => V::Unicode(text(r)?),
        PropType::Time => V::Time(FileTime(r.u64("value")?)),
        PropType::Guid => V::Guid(r.guid("value")?),
        PropType::ServerId => V::ServerId(bytes(r)?),
        PropType::Restriction => V::Restriction(bytes(r)?),
        PropType::RuleAction => V::RuleAction(bytes(r)?),
        PropType::Binary => V::Binary(bytes(r)?),
        PropType::MvI16 => V::MvI16(list(r, 2, VALUES, |r| r.i16("value"))?),
        PropType::MvI32 => V::MvI32(list(r, 4, VALUES, |r| r.i32("value"))?),
        PropType::MvF32 => V::MvF32(list(r, 4, VALUES, |r| r.f32("value"))?),
        PropType::MvF64 => V::MvF64(list(r, 8, VALUES, |r| r.f64("value"))?),
        PropType::MvCurrency => V::MvCurrency(list(r, 8, VALUES, |r| r.i64("value"))?),
        PropType::MvFloatingTime => V::MvFloatingTime(list(r, 8, VALUES, |r| r.f64("value"))?),
        PropType::MvI64 => V::MvI64(list(r, 8, VALUES, |r| r.i64("value"))?),
        PropType::MvString8 => V::MvString8(list(r, 4, VALUES, bytes)?),
        PropType::MvUnicode => V::MvUnicode(list(r, 4, VALUES, text)?),
        PropType::MvTime => V::MvTime(list(r, 8, VALUES, |r| Ok(FileTime(r.u64("value")?)))?),
        PropType::MvGuid => V::MvGuid(list(r, 16, VALUES, |r| r.guid("value"))?),
        PropType::MvBinary => V::MvBinary(list(r, 4, VALUES, bytes)?),
        other => return Err(r.invalid("type", other.0)),
    })
}
