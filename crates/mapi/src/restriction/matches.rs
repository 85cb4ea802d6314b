//! Whether an object matches a restriction.

use core::cmp::Ordering;
use std::borrow::Cow;

use super::{FuzzyFlags, FuzzyLevel, RelOp, Restriction};
use crate::{
    PropTag, PropValue,
    prop::{PropBag, PropData, compare, order},
};

/// An object as a restriction sees it.
pub trait PropSource {
    /// The value of the property with that tag's identifier, whatever its type; computed properties included.
    /// A string that is asked for in either string type is found in both.
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>>;

    /// The size of the value in bytes (strings as UTF-16), also of one that [`PropSource::prop`] does not give because
    /// it is large.
    fn size(&self, tag: PropTag) -> Option<u64> {
        self.prop(tag).map(|value| value_size(&value))
    }

    /// Whether the property is there.
    fn exists(&self, tag: PropTag) -> bool {
        self.prop(tag).is_some() || self.size(tag).is_some()
    }

    /// Whether any subobject of that kind (PidTagMessageRecipients, PidTagMessageAttachments) satisfies `f`.
    fn any_subobject(&self, tag: PropTag, f: &mut dyn FnMut(&dyn PropSource) -> bool) -> bool {
        let _ = (tag, f);
        false
    }
}

impl PropSource for PropBag {
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>> {
        let prop = self.0.iter().find(|p| p.tag.id() == tag.id())?;
        match &prop.value {
            PropData::Inline(value) => Some(Cow::Borrowed(value)),
            PropData::Large(_) => None,
        }
    }

    fn size(&self, tag: PropTag) -> Option<u64> {
        match &self.0.iter().find(|p| p.tag.id() == tag.id())?.value {
            PropData::Inline(value) => Some(value_size(value)),
            PropData::Large(large) => Some(large.len),
        }
    }
}

/// Bytes of a value: strings as UTF-16, lists as the sum of their elements.
fn value_size(value: &PropValue) -> u64 {
    use PropValue as V;
    let len = match value {
        V::Null => 0,
        V::I16(_) | V::Bool(_) => 2,
        V::I32(_) | V::F32(_) | V::Error(_) => 4,
        V::F64(_) | V::Currency(_) | V::FloatingTime(_) | V::I64(_) | V::Time(_) => 8,
        V::Guid(_) => 16,
        V::Unicode(text) => text.encode_utf16().count().saturating_mul(2),
        V::String8(b)
        | V::Binary(b)
        | V::Object(b)
        | V::ServerId(b)
        | V::Restriction(b)
        | V::RuleAction(b) => b.len(),
        list => return order::elements(list).iter().map(value_size).sum(),
    };
    watertight_wire::to_u64(len)
}

impl Restriction {
    /// Whether the object matches. A property that is absent makes every comparison with it false, and has no bit set.
    #[must_use]
    pub fn matches(&self, object: &dyn PropSource) -> bool {
        match self {
            Self::And(all) => all.iter().all(|r| r.matches(object)),
            Self::Or(any) => any.iter().any(|r| r.matches(object)),
            Self::Not(inner) => !inner.matches(object),
            Self::Content { level, flags, tag, value } => object.prop(*tag).is_some_and(|have| {
                order::elements(&have).iter().any(|have| contains(have, &value.value, *level, *flags))
            }),
            Self::Property { op, tag, value } => object.prop(*tag).is_some_and(|have| {
                let want = &value.value;
                if have.ty().is_multi() && !want.ty().is_multi() {
                    order::elements(&have).iter().any(|have| holds(*op, compare(have, want)))
                } else {
                    holds(*op, compare(&have, want))
                }
            }),
            Self::CompareProps { op, left, right } => match (object.prop(*left), object.prop(*right)) {
                (Some(left), Some(right)) => holds(*op, compare(&left, &right)),
                _ => false,
            },
            Self::Bitmask { nonzero, tag, mask } => {
                let bits = match object.prop(*tag).as_deref() {
                    Some(PropValue::I32(v)) => v.cast_unsigned(),
                    Some(PropValue::I16(v)) => u32::from(v.cast_unsigned()),
                    _ => 0,
                };
                (bits & mask != 0) == *nonzero
            }
            Self::Size { op, tag, size } => {
                object.size(*tag).is_some_and(|have| holds(*op, Some(have.cmp(&u64::from(*size)))))
            }
            Self::Exist { tag } => object.exists(*tag),
            Self::SubObject { tag, restriction } => {
                object.any_subobject(*tag, &mut |sub| restriction.matches(sub))
            }
            Self::Comment { restriction, .. } => restriction.as_ref().is_none_or(|r| r.matches(object)),
            Self::Count { restriction, .. } => restriction.matches(object),
        }
    }
}

fn holds(op: RelOp, order: Option<Ordering>) -> bool {
    let Some(order) = order else { return op == RelOp::NotEqual };
    match op {
        RelOp::Less => order.is_lt(),
        RelOp::LessOrEqual => order.is_le(),
        RelOp::Greater => order.is_gt(),
        RelOp::GreaterOrEqual => order.is_ge(),
        RelOp::Equal => order.is_eq(),
        RelOp::NotEqual => order.is_ne(),
        _ => false,
    }
}

fn contains(have: &PropValue, want: &PropValue, level: FuzzyLevel, flags: FuzzyFlags) -> bool {
    if let (PropValue::Binary(have), PropValue::Binary(want)) = (have, want) {
        return match level {
            FuzzyLevel::Substring => {
                want.is_empty() || have.windows(want.len()).any(|part| part == want.as_slice())
            }
            FuzzyLevel::Prefix => have.starts_with(want),
            _ => have == want,
        };
    }
    let (Some(have), Some(want)) = (folded(have, flags), folded(want, flags)) else { return false };
    match level {
        FuzzyLevel::Substring => have.contains(&want),
        FuzzyLevel::Prefix => have.starts_with(&want),
        _ => have == want,
    }
}

/// The text as the flags want it compared.
fn folded(value: &PropValue, flags: FuzzyFlags) -> Option<String> {
    let mut text = match value {
        PropValue::Unicode(text) => text.clone(),
        PropValue::String8(bytes) => bytes.iter().map(|&b| char::from(b)).collect(),
        _ => return None,
    };
    if flags.intersects(FuzzyFlags::IgnoreNonSpace | FuzzyFlags::Loose) {
        text.retain(|c| !matches!(c, '\u{300}'..='\u{36f}'));
    }
    if flags.intersects(FuzzyFlags::IgnoreCase | FuzzyFlags::Loose) {
        text = text.to_lowercase();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prop::{tags, wire::TaggedPropertyValue};

    fn mail() -> PropBag {
        let mut bag = PropBag::default();
        bag.set(tags::SUBJECT, "Hello World");
        bag.set(tags::IMPORTANCE, 1);
        bag.set(tags::MESSAGE_FLAGS, 0x11);
        bag.set(tags::BODY, "four");
        bag.set(PropTag(0x8001_101f), PropValue::MvUnicode(vec!["red".into(), "blue".into()]));
        bag
    }

    fn content(level: FuzzyLevel, flags: FuzzyFlags, text: &str) -> Restriction {
        Restriction::Content {
            level,
            flags,
            tag: tags::SUBJECT,
            value: TaggedPropertyValue::new(tags::SUBJECT, text.into()),
        }
    }

    #[test]
    fn text_is_found_as_the_level_says() {
        let (mail, none, fold) = (mail(), FuzzyFlags(0), FuzzyFlags::IgnoreCase);
        assert!(content(FuzzyLevel::Substring, none, "lo W").matches(&mail));
        assert!(!content(FuzzyLevel::Substring, none, "LO w").matches(&mail));
        assert!(content(FuzzyLevel::Substring, fold, "LO w").matches(&mail));
        assert!(content(FuzzyLevel::Prefix, fold, "hello").matches(&mail));
        assert!(!content(FuzzyLevel::Full, fold, "hello").matches(&mail));
        assert!(content(FuzzyLevel::Full, fold, "hello world").matches(&mail));
    }

    #[test]
    fn comparisons_with_what_is_absent_are_false() {
        let mail = mail();
        assert!(Restriction::equals(tags::IMPORTANCE, 1).matches(&mail));
        assert!(!Restriction::equals(tags::SENSITIVITY, 0).matches(&mail));
        let not = Restriction::Property {
            op: RelOp::NotEqual,
            tag: tags::SENSITIVITY,
            value: TaggedPropertyValue::new(tags::SENSITIVITY, 0.into()),
        };
        assert!(!not.matches(&mail));
        assert!(Restriction::Not(Box::new(Restriction::Exist { tag: tags::HTML })).matches(&mail));
        assert!(Restriction::all().matches(&mail));
        assert!(!Restriction::Or(Vec::new()).matches(&mail));
    }

    #[test]
    fn bits_sizes_and_lists() {
        let mail = mail();
        let bit =
            |nonzero, mask| Restriction::Bitmask { nonzero, tag: tags::MESSAGE_FLAGS, mask }.matches(&mail);
        assert!(bit(true, 0x10) && bit(false, 2) && !bit(true, 2) && !bit(false, 1));
        assert!(Restriction::Size { op: RelOp::Equal, tag: tags::BODY, size: 8 }.matches(&mail));
        let keyword = |text: &str| Restriction::Property {
            op: RelOp::Equal,
            tag: PropTag(0x8001_301f),
            value: TaggedPropertyValue { tag: PropTag(0x8001_001f), value: text.into() },
        };
        assert!(keyword("BLUE").matches(&mail) && !keyword("green").matches(&mail));
    }
}
