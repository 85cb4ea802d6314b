//! Restrictions in bodies of the address book.
//!
//! The structures of [MS-OXCDATA] 2.12, but counts have 32 bits, values the form of the address book
//! ([MS-OXCMAPIHTTP] 2.2.1.2), and a byte in front of each value says that it is there. The documents do not mention
//! that byte; gromox 3.10 reads it. One that is not there is no error here: no type begins with 0xFF.

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, WireField, Writer, to_usize, wire_nested};

use super::value::TaggedValue;
use crate::prop::wire::TaggedPropertyValue;
use crate::restriction::{FuzzyFlags, FuzzyLevel, MAX_CLAUSES, MAX_DEPTH, RelOp, Restriction};
use crate::{PropTag, PropType};

/// Filter of GetMatches — [MS-OXCMAPIHTTP] 2.2.5.5.1.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(pub Restriction);

const AND: u8 = 0x00;
const OR: u8 = 0x01;
const NOT: u8 = 0x02;
const CONTENT: u8 = 0x03;
const PROPERTY: u8 = 0x04;
const COMPARE: u8 = 0x05;
const BITMASK: u8 = 0x06;
const SIZE: u8 = 0x07;
const EXIST: u8 = 0x08;
const SUB_OBJECT: u8 = 0x09;

impl Wire for Filter {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("Filter", |r| read(r, MAX_DEPTH, &mut MAX_CLAUSES.clone())).map(Self)
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        write(w, &self.0)
    }
}
wire_nested!(Filter);

fn read(r: &mut Reader<'_>, depth: usize, left: &mut usize) -> Result<Restriction, WireError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(r.error("RestrictType", WireErrorKind::TooDeep { max: MAX_DEPTH }));
    };
    *left = left.checked_sub(1).ok_or_else(|| {
        let kind = WireErrorKind::TooLarge { len: MAX_CLAUSES.saturating_add(1), max: MAX_CLAUSES };
        r.error("RestrictType", kind)
    })?;
    Ok(match r.u8("RestrictType")? {
        kind @ (AND | OR) => {
            let count = to_usize(r.u32("RestrictCount")?);
            let count = r.count(count, 1, "RestrictCount")?;
            let all = (0..count).map(|_| read(r, depth, left)).collect::<Result<Vec<_>, _>>()?;
            if kind == AND { Restriction::And(all) } else { Restriction::Or(all) }
        }
        NOT => Restriction::Not(Box::new(read(r, depth, left)?)),
        CONTENT => Restriction::Content {
            level: FuzzyLevel::read_field(r, "FuzzyLevelLow")?,
            flags: FuzzyFlags::read_field(r, "FuzzyLevelHigh")?,
            tag: PropTag::read_field(r, "PropertyTag")?,
            value: tagged(r)?,
        },
        PROPERTY => Restriction::Property {
            op: RelOp::read_field(r, "RelOp")?,
            tag: PropTag::read_field(r, "PropTag")?,
            value: tagged(r)?,
        },
        COMPARE => Restriction::CompareProps {
            op: RelOp::read_field(r, "RelOp")?,
            left: PropTag::read_field(r, "PropTag1")?,
            right: PropTag::read_field(r, "PropTag2")?,
        },
        BITMASK => Restriction::Bitmask {
            nonzero: match r.u8("BitmapRelOp")? {
                0 => false,
                1 => true,
                other => return Err(r.invalid("BitmapRelOp", other)),
            },
            tag: PropTag::read_field(r, "PropTag")?,
            mask: r.u32("Mask")?,
        },
        SIZE => Restriction::Size {
            op: RelOp::read_field(r, "RelOp")?,
            tag: PropTag::read_field(r, "PropTag")?,
            size: r.u32("Size")?,
        },
        EXIST => Restriction::Exist { tag: PropTag::read_field(r, "PropTag")? },
        SUB_OBJECT => Restriction::SubObject {
            tag: PropTag::read_field(r, "Subobject")?,
            restriction: Box::new(read(r, depth, left)?),
        },
        // What remains has no meaning for entries of an address book — [MS-OXNSPI] 2.2.4.
        other => return Err(r.invalid("RestrictType", other)),
    })
}

fn tagged(r: &mut Reader<'_>) -> Result<TaggedPropertyValue, WireError> {
    match r.peek() {
        Some(0xff) => {
            r.u8("HasValue")?;
        }
        Some(0) => return Err(r.invalid("HasValue", 0_u8)),
        _ => {}
    }
    let TaggedValue { tag, value } = TaggedValue::read(r)?;
    let value = value.ok_or_else(|| r.invalid("TaggedValue", 0_u8))?;
    Ok(TaggedPropertyValue { tag, value })
}

fn write(w: &mut Writer, restriction: &Restriction) -> Result<(), WireError> {
    let put = |w: &mut Writer, value: &TaggedPropertyValue| {
        w.u8(0xff);
        TaggedValue { tag: value.tag, value: Some(value.value.clone()) }.write(w)
    };
    match restriction {
        Restriction::And(all) | Restriction::Or(all) => {
            w.u8(if matches!(restriction, Restriction::And(_)) { AND } else { OR });
            w.len32(all.len(), "RestrictCount")?;
            all.iter().try_for_each(|one| write(w, one))?;
        }
        Restriction::Not(inner) => {
            w.u8(NOT);
            write(w, inner)?;
        }
        Restriction::Content { level, flags, tag, value } => {
            w.u8(CONTENT);
            w.u16(level.0);
            w.u16(flags.0);
            w.u32(tag.0);
            put(w, value)?;
        }
        Restriction::Property { op, tag, value } => {
            w.u8(PROPERTY);
            w.u8(op.0);
            w.u32(tag.0);
            put(w, value)?;
        }
        Restriction::CompareProps { op, left, right } => {
            w.u8(COMPARE);
            w.u8(op.0);
            w.u32(left.0);
            w.u32(right.0);
        }
        Restriction::Bitmask { nonzero, tag, mask } => {
            w.u8(BITMASK);
            w.u8(u8::from(*nonzero));
            w.u32(tag.0);
            w.u32(*mask);
        }
        Restriction::Size { op, tag, size } => {
            w.u8(SIZE);
            w.u8(op.0);
            w.u32(tag.0);
            w.u32(*size);
        }
        Restriction::Exist { tag } => {
            w.u8(EXIST);
            w.u32(tag.0);
        }
        Restriction::SubObject { tag, restriction } => {
            w.u8(SUB_OBJECT);
            w.u32(tag.0);
            write(w, restriction)?;
        }
        Restriction::Comment { .. } | Restriction::Count { .. } => {
            let kind = WireErrorKind::Invalid { value: u64::from(PropType::Restriction.0) };
            return Err(w.error("RestrictType", kind));
        }
    }
    Ok(())
}
