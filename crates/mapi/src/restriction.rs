//! Restrictions — [MS-OXCDATA] 2.12: their wire form, and what they select.

mod matches;

pub use matches::PropSource;
use watertight_wire::{
    Reader, Wire, WireError, WireErrorKind, WireField, Writer, wire_enum, wire_flags, wire_nested,
};

use crate::{PropTag, prop::wire::TaggedPropertyValue};

/// How deep restrictions may nest, the outermost counted.
pub const MAX_DEPTH: usize = 64;

/// How many clauses one restriction may have in all.
pub const MAX_CLAUSES: usize = 4096;

/// A condition on an object's properties — [MS-OXCDATA] 2.12.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Restriction {
    /// RES_AND: all of them.
    And(Vec<Self>),
    /// RES_OR: any of them.
    Or(Vec<Self>),
    /// RES_NOT: not this.
    Not(Box<Self>),
    /// RES_CONTENT: a string or bytes compare with a part of a property.
    Content {
        /// FuzzyLevelLow.
        level: FuzzyLevel,
        /// FuzzyLevelHigh.
        flags: FuzzyFlags,
        /// PropTag.
        tag: PropTag,
        /// TaggedValue.
        value: TaggedPropertyValue,
    },
    /// RES_PROPERTY: a property compares with a value.
    Property {
        /// RelOp.
        op: RelOp,
        /// PropTag.
        tag: PropTag,
        /// TaggedValue.
        value: TaggedPropertyValue,
    },
    /// RES_COMPAREPROPS: two properties compare.
    CompareProps {
        /// RelOp.
        op: RelOp,
        /// PropTag1.
        left: PropTag,
        /// PropTag2.
        right: PropTag,
    },
    /// RES_BITMASK: bits of a property are zero, or are not.
    Bitmask {
        /// BitmapRelOp: BMR_NEZ instead of BMR_EQZ.
        nonzero: bool,
        /// PropTag.
        tag: PropTag,
        /// Mask.
        mask: u32,
    },
    /// RES_SIZE: the size of a property's value compares with a number of bytes.
    Size {
        /// RelOp.
        op: RelOp,
        /// PropTag.
        tag: PropTag,
        /// Size.
        size: u32,
    },
    /// RES_EXIST: the property is there.
    Exist {
        /// PropTag.
        tag: PropTag,
    },
    /// RES_SUBRESTRICTION: a recipient or attachment matches.
    SubObject {
        /// Subobject: PidTagMessageRecipients or PidTagMessageAttachments.
        tag: PropTag,
        /// Restriction.
        restriction: Box<Self>,
    },
    /// RES_COMMENT: the restriction in it, with values that say something about it.
    Comment {
        /// TaggedValues.
        values: Vec<TaggedPropertyValue>,
        /// Restriction, where there is one.
        restriction: Option<Box<Self>>,
    },
    /// RES_COUNT: the restriction in it, for so many objects at most.
    Count {
        /// Count.
        count: u32,
        /// SubRestriction.
        restriction: Box<Self>,
    },
}

wire_enum! {
    /// RelOp — [MS-OXCDATA] 2.12.5.1.
    pub enum RelOp: u8 {
        /// RELOP_LT.
        Less = 0x00,
        /// RELOP_LE.
        LessOrEqual = 0x01,
        /// RELOP_GT.
        Greater = 0x02,
        /// RELOP_GE.
        GreaterOrEqual = 0x03,
        /// RELOP_EQ.
        Equal = 0x04,
        /// RELOP_NE.
        NotEqual = 0x05,
        /// RELOP_RE: like a regular expression; matches nothing here.
        Like = 0x06,
        /// RELOP_MEMBER_OF_DL: member of a distribution list; matches nothing here.
        MemberOfDl = 0x64,
    }
}

wire_enum! {
    /// FuzzyLevelLow — [MS-OXCDATA] 2.12.4.1.
    pub enum FuzzyLevel: u16 {
        /// FL_FULLSTRING.
        Full = 0,
        /// FL_SUBSTRING.
        Substring = 1,
        /// FL_PREFIX.
        Prefix = 2,
    }
}

wire_flags! {
    /// FuzzyLevelHigh — [MS-OXCDATA] 2.12.4.1.
    pub struct FuzzyFlags: u16 {
        /// FL_IGNORECASE.
        IgnoreCase = 1,
        /// FL_IGNORENONSPACE: without combining marks.
        IgnoreNonSpace = 2,
        /// FL_LOOSE: whatever matches rather than not.
        Loose = 4,
    }
}

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
const COMMENT: u8 = 0x0a;
const COUNT: u8 = 0x0b;

impl Restriction {
    /// Matches all.
    #[must_use]
    pub const fn all() -> Self {
        Self::And(Vec::new())
    }

    /// The property equals the value.
    #[must_use]
    pub fn equals(tag: PropTag, value: impl Into<crate::PropValue>) -> Self {
        Self::Property { op: RelOp::Equal, tag, value: TaggedPropertyValue::new(tag, value.into()) }
    }

    /// The most rows that the restriction lets through: Count of an outermost RES_COUNT.
    #[must_use]
    pub const fn row_limit(&self) -> Option<u32> {
        match self {
            Self::Count { count, .. } => Some(*count),
            _ => None,
        }
    }

    /// All property tags that the restriction looks at (those of subobjects as one).
    #[must_use]
    pub fn tags(&self) -> Vec<PropTag> {
        let mut tags = Vec::new();
        self.collect_tags(&mut tags);
        tags
    }

    fn collect_tags(&self, tags: &mut Vec<PropTag>) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|r| r.collect_tags(tags)),
            Self::Not(r) | Self::Count { restriction: r, .. } => r.collect_tags(tags),
            Self::Comment { restriction, .. } => restriction.iter().for_each(|r| r.collect_tags(tags)),
            Self::CompareProps { left, right, .. } => tags.extend([*left, *right]),
            Self::Content { tag, .. }
            | Self::Property { tag, .. }
            | Self::Bitmask { tag, .. }
            | Self::Size { tag, .. }
            | Self::Exist { tag }
            | Self::SubObject { tag, .. } => tags.push(*tag),
        }
    }

    fn read_bounded(r: &mut Reader<'_>, depth: usize, left: &mut usize) -> Result<Self, WireError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(r.error("RestrictType", WireErrorKind::TooDeep { max: MAX_DEPTH }));
        };
        *left = left.checked_sub(1).ok_or_else(|| {
            let kind = WireErrorKind::TooLarge { len: MAX_CLAUSES.saturating_add(1), max: MAX_CLAUSES };
            r.error("RestrictType", kind)
        })?;
        Ok(match r.u8("RestrictType")? {
            kind @ (AND | OR) => {
                let count = usize::from(r.u16("RestrictCount")?);
                let count = r.count(count, 1, "RestrictCount")?;
                let all =
                    (0..count).map(|_| Self::read_bounded(r, depth, left)).collect::<Result<Vec<_>, _>>()?;
                if kind == AND { Self::And(all) } else { Self::Or(all) }
            }
            NOT => Self::Not(Box::new(Self::read_bounded(r, depth, left)?)),
            CONTENT => Self::Content {
                level: FuzzyLevel::read_field(r, "FuzzyLevelLow")?,
                flags: FuzzyFlags::read_field(r, "FuzzyLevelHigh")?,
                tag: PropTag::read_field(r, "PropertyTag")?,
                value: tagged(r)?,
            },
            PROPERTY => Self::Property {
                op: RelOp::read_field(r, "RelOp")?,
                tag: PropTag::read_field(r, "PropTag")?,
                value: tagged(r)?,
            },
            COMPARE => Self::CompareProps {
                op: RelOp::read_field(r, "RelOp")?,
                left: PropTag::read_field(r, "PropTag1")?,
                right: PropTag::read_field(r, "PropTag2")?,
            },
            BITMASK => Self::Bitmask {
                nonzero: match r.u8("BitmapRelOp")? {
                    0 => false,
                    1 => true,
                    other => return Err(r.invalid("BitmapRelOp", other)),
                },
                tag: PropTag::read_field(r, "PropTag")?,
                mask: r.u32("Mask")?,
            },
            SIZE => Self::Size {
                op: RelOp::read_field(r, "RelOp")?,
                tag: PropTag::read_field(r, "PropTag")?,
                size: r.u32("Size")?,
            },
            EXIST => Self::Exist { tag: PropTag::read_field(r, "PropTag")? },
            SUB_OBJECT => Self::SubObject {
                tag: PropTag::read_field(r, "Subobject")?,
                restriction: Box::new(Self::read_bounded(r, depth, left)?),
            },
            COMMENT => Self::Comment {
                values: (0..r.u8("TaggedValuesCount")?).map(|_| tagged(r)).collect::<Result<Vec<_>, _>>()?,
                restriction: match r.u8("RestrictionPresent")? {
                    0 => None,
                    1 => Some(Box::new(Self::read_bounded(r, depth, left)?)),
                    other => return Err(r.invalid("RestrictionPresent", other)),
                },
            },
            COUNT => Self::Count {
                count: r.u32("Count")?,
                restriction: Box::new(Self::read_bounded(r, depth, left)?),
            },
            other => return Err(r.invalid("RestrictType", other)),
        })
    }
}

/// A value in a restriction. One of PtypRestriction would start the bounds anew, and no restriction compares with one.
fn tagged(r: &mut Reader<'_>) -> Result<TaggedPropertyValue, WireError> {
    if r.rest().get(..2) == Some(&crate::PropType::Restriction.0.to_le_bytes()) {
        return Err(r.invalid("TaggedValue", crate::PropType::Restriction.0));
    }
    TaggedPropertyValue::read(r)
}

impl Wire for Restriction {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("Restriction", |r| Self::read_bounded(r, MAX_DEPTH, &mut MAX_CLAUSES.clone()))
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::And(all) | Self::Or(all) => {
                w.u8(if matches!(self, Self::And(_)) { AND } else { OR });
                w.len16(all.len(), "RestrictCount")?;
                all.iter().try_for_each(|r| r.write(w))?;
            }
            Self::Not(inner) => {
                w.u8(NOT);
                inner.write(w)?;
            }
            Self::Content { level, flags, tag, value } => {
                w.u8(CONTENT);
                w.u16(level.0);
                w.u16(flags.0);
                w.u32(tag.0);
                value.write(w)?;
            }
            Self::Property { op, tag, value } => {
                w.u8(PROPERTY);
                w.u8(op.0);
                w.u32(tag.0);
                value.write(w)?;
            }
            Self::CompareProps { op, left, right } => {
                w.u8(COMPARE);
                w.u8(op.0);
                w.u32(left.0);
                w.u32(right.0);
            }
            Self::Bitmask { nonzero, tag, mask } => {
                w.u8(BITMASK);
                w.u8(u8::from(*nonzero));
                w.u32(tag.0);
                w.u32(*mask);
            }
            Self::Size { op, tag, size } => {
                w.u8(SIZE);
                w.u8(op.0);
                w.u32(tag.0);
                w.u32(*size);
            }
            Self::Exist { tag } => {
                w.u8(EXIST);
                w.u32(tag.0);
            }
            Self::SubObject { tag, restriction } => {
                w.u8(SUB_OBJECT);
                w.u32(tag.0);
                restriction.write(w)?;
            }
            Self::Comment { values, restriction } => {
                w.u8(COMMENT);
                w.len8(values.len(), "TaggedValuesCount")?;
                values.iter().try_for_each(|value| value.write(w))?;
                w.u8(u8::from(restriction.is_some()));
                restriction.iter().try_for_each(|r| r.write(w))?;
            }
            Self::Count { count, restriction } => {
                w.u8(COUNT);
                w.u32(*count);
                restriction.write(w)?;
            }
        }
        Ok(())
    }
}

wire_nested!(Restriction);

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;
    use crate::{PropValue, prop::tags};

    pub(super) fn every_kind() -> Restriction {
        Restriction::And(vec![
            Restriction::Or(vec![
                Restriction::Content {
                    level: FuzzyLevel::Substring,
                    flags: FuzzyFlags::IgnoreCase,
                    tag: tags::SUBJECT,
                    value: TaggedPropertyValue::new(tags::SUBJECT, "hello".into()),
                },
                Restriction::equals(tags::IMPORTANCE, 2),
                Restriction::CompareProps {
                    op: RelOp::Less,
                    left: tags::CREATION_TIME,
                    right: tags::LAST_MODIFICATION_TIME,
                },
            ]),
            Restriction::Not(Box::new(Restriction::Bitmask {
                nonzero: true,
                tag: tags::MESSAGE_FLAGS,
                mask: 1,
            })),
            Restriction::Size { op: RelOp::Greater, tag: tags::BODY, size: 4 },
            Restriction::Exist { tag: tags::BODY },
            Restriction::SubObject {
                tag: tags::MESSAGE_RECIPIENTS,
                restriction: Box::new(Restriction::equals(tags::RECIPIENT_TYPE, 1)),
            },
            Restriction::Comment {
                values: vec![TaggedPropertyValue::new(tags::COMMENT, PropValue::from("why"))],
                restriction: Some(Box::new(Restriction::Exist { tag: tags::SUBJECT })),
            },
            Restriction::Count { count: 3, restriction: Box::new(Restriction::all()) },
        ])
    }

    #[test]
    fn every_kind_survives() {
        let restriction = every_kind();
        let bytes = restriction.to_bytes().unwrap();
        assert_eq!(Restriction::from_bytes(&bytes).unwrap(), restriction);
        survive(&bytes, |b| {
            let _ = Restriction::from_bytes(b);
        });
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = [NOT; 100_000];
        let error = Restriction::from_bytes(&deep).unwrap_err();
        assert_eq!(error.kind, WireErrorKind::TooDeep { max: MAX_DEPTH });
        let mut wide = vec![AND, 0xff, 0xff];
        wide.extend([AND, 0, 0].repeat(65_535));
        let error = Restriction::from_bytes(&wide).unwrap_err();
        assert!(matches!(error.kind, WireErrorKind::TooLarge { max: MAX_CLAUSES, .. }));
        // A restriction as the value in a restriction, as the value in a restriction …
        let mut nested = Vec::new();
        for _ in 0..1000 {
            nested.extend([PROPERTY, 4]);
            nested.extend(0x1234_00fd_u32.to_le_bytes());
            nested.extend(0x1234_00fd_u32.to_le_bytes());
        }
        assert!(Restriction::from_bytes(&nested).is_err());
    }
}
