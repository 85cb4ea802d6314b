use super::{
    Event,
    production::{Context, Input},
};
use crate::{
    MapiCode, PropTag, PropValue,
    ics::lexical::{PropDef, RawValue},
    prop::{Prop, PropBag, PropData, tags},
};

/// propList — [MS-OXCFXICS] 2.2.4.3.20, where properties go out one by one. Gives the input back that is none of it:
/// markers, and the meta-properties that the grammar places.
pub(super) fn stream(input: Input, cx: &mut Context) -> Option<Input> {
    match input {
        Input::Prop(ref def, _) if def.tag == tags::META_TAG_DN_PREFIX => None,
        Input::Prop(ref def, ref value) if def.tag == tags::META_TAG_EC_WARNING => {
            cx.event(Event::Warning(MapiCode(number(value).unwrap_or_default())));
            None
        }
        Input::Prop(ref def, _)
            if def.tag == tags::META_TAG_FX_DEL_PROP || def.tag == tags::META_TAG_NEW_FX_FOLDER =>
        {
            Some(input)
        }
        Input::Prop(def, value) => {
            cx.event(Event::Property(prop(def, value)));
            None
        }
        Input::Large(def, len) => {
            let ty = RawValue::Bytes(Vec::new()).into_value(&def).0;
            cx.event(Event::LargeBegin { tag: def.tag.with_type(ty), name: def.name, len });
            None
        }
        Input::Marker(_) => Some(input),
    }
}

/// A property with its typed value.
pub(super) fn prop(def: PropDef, value: RawValue) -> Prop {
    let (ty, value) = value.into_value(&def);
    Prop { tag: def.tag.with_type(ty), name: def.name, value: PropData::Inline(value) }
}

/// Adds a property to a list that is kept whole, while that stays within `budget` bytes; else gives it back.
pub(super) fn keep(input: Input, bag: &mut PropBag, budget: &mut usize) -> Option<Input> {
    let Input::Prop(def, value) = input else { return Some(input) };
    let size = size(&value).saturating_add(64);
    if size > *budget {
        return Some(Input::Prop(def, value));
    }
    *budget = budget.saturating_sub(size);
    bag.0.push(prop(def, value));
    None
}

fn size(value: &RawValue) -> usize {
    match value {
        RawValue::Fixed(_) => 16,
        RawValue::Bytes(bytes) => bytes.len(),
        RawValue::Many(values) => values.iter().map(size).map(|n| n.saturating_add(32)).sum(),
    }
}

/// The 32 bits of a PtypInteger32.
pub(super) fn number(value: &RawValue) -> Option<u32> {
    match value {
        RawValue::Fixed(PropValue::I32(n)) => Some(n.cast_unsigned()),
        RawValue::Fixed(PropValue::Error(code)) => Some(code.0),
        _ => None,
    }
}

/// The tag that MetaTagFXDelProp carries.
pub(super) fn tag(value: &RawValue) -> Option<PropTag> {
    number(value).map(PropTag)
}
