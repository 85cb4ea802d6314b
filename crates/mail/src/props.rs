//! Properties of folders, messages and attachments, by name or number.

use std::fmt;
use std::str::FromStr;

use watertight_mapi::prop::{Prop, PropBag, PropData, PropNameKind, tags};
use watertight_mapi::{PropId, PropName, PropTag, PropType, PropValue};
use watertight_mapi_client::{Object, OpenMode};
use watertight_wire::{Guid, to_u64};

use crate::Error;

/// The longest value that is read into memory.
const MOST: usize = 1 << 30;

/// Which property.
///
/// ```
/// use watertight_mail::Key;
///
/// let by_name: Key = "PidTagSubject".parse().unwrap();
/// assert_eq!(by_name, "subject".parse().unwrap());
/// assert_eq!(by_name, "0x0037001F".parse().unwrap());
/// let named: Key = "{00020329-0000-0000-C000-000000000046}/Keywords".parse().unwrap();
/// let numbered: Key = "{00062008-0000-0000-C000-000000000046}/0x8501".parse().unwrap();
/// assert_ne!(named, numbered);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A tag: identifier and type; with PtypUnspecified the value of whatever type.
    Tag(PropTag),
    /// A named property.
    Named(PropName),
}

impl From<PropTag> for Key {
    fn from(tag: PropTag) -> Self {
        Self::Tag(tag)
    }
}

impl From<PropName> for Key {
    fn from(name: PropName) -> Self {
        Self::Named(name)
    }
}

/// The name of a tag ("PidTagSubject", "subject"), its number ("0x0037001F"), or a named property: its set and its
/// name or number ("{guid}/Keywords", "{guid}/0x8501").
impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::invalid(format!("{text:?} names no property: give its tag as a number"));
        if let Some((set, name)) = text.split_once("}/") {
            let guid: Guid = set.strip_prefix('{').unwrap_or(set).parse().map_err(|_| unknown())?;
            return Ok(Self::Named(match number(name).and_then(|n| u32::try_from(n).ok()) {
                Some(lid) => PropName::lid(guid, lid),
                None => PropName::string(guid, name),
            }));
        }
        match number(text) {
            Some(number) => Self::try_from(number),
            None => tags::by_name(text).map(Self::Tag).ok_or_else(unknown),
        }
    }
}

/// A tag, or with less than 17 bits an identifier of whatever type.
impl TryFrom<u64> for Key {
    type Error = Error;

    fn try_from(number: u64) -> Result<Self, Error> {
        let bad = || Error::invalid(format!("{number:#x} is no property tag: it has 32 bits"));
        if let Ok(id) = u16::try_from(number) {
            return Ok(Self::Tag(PropTag::new(PropId(id), PropType::Unspecified)));
        }
        Ok(Self::Tag(PropTag(u32::try_from(number).map_err(|_| bad())?)))
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok()
}

/// As [`FromStr`] reads it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => match tags::name(*tag) {
                Some(name) => f.write_str(name),
                None => write!(f, "{:#010x}", tag.0),
            },
            Self::Named(PropName { guid, kind: PropNameKind::Name(name) }) => write!(f, "{{{guid}}}/{name}"),
            Self::Named(PropName { guid, kind: PropNameKind::Lid(lid) }) => {
                write!(f, "{{{guid}}}/{lid:#06x}")
            }
        }
    }
}

impl Key {
    /// The key of a property that an object has.
    pub(crate) fn of(prop: &Prop) -> Self {
        match &prop.name {
            Some(name) => Self::Named(name.as_ref().clone()),
            None => Self::Tag(prop.tag),
        }
    }

    /// The tag in this mailbox; `None` for a name that it does not know.
    async fn tag(&self, object: &Object) -> Result<Option<PropTag>, Error> {
        match self {
            Self::Tag(tag) => Ok(Some(*tag)),
            Self::Named(name) => {
                let ids = object.logon().prop_ids(std::slice::from_ref(name), false).await?;
                Ok(ids.first().copied().flatten().map(|id| PropTag::new(id, PropType::Unspecified)))
            }
        }
    }

    /// The property with that value, as it is set.
    pub(crate) fn with(&self, value: PropValue) -> Prop {
        match self {
            Self::Tag(tag) => {
                Prop { tag: tag.with_type(value.ty()), name: None, value: PropData::Inline(value) }
            }
            Self::Named(name) => Prop::named(name.clone(), value),
        }
    }
}

/// The value of one property, however long; `None` when the object has none.
pub(crate) async fn get(object: &Object, key: &Key) -> Result<Option<PropValue>, Error> {
    let Some(tag) = key.tag(object).await? else { return Ok(None) };
    let bag = object.props(&[tag]).await?;
    match bag.0.into_iter().find(|prop| prop.tag.id() == tag.id()) {
        None => Ok(None),
        Some(prop) => value(object, prop).await,
    }
}

/// The value of a property that was read, fetched where it is large; `None` for one that cannot be had.
async fn value(object: &Object, prop: Prop) -> Result<Option<PropValue>, Error> {
    match prop.value {
        PropData::Inline(PropValue::Error(code)) if code.is_error() => {
            if code == watertight_mapi::MapiCode::NotFound {
                return Ok(None);
            }
            Err(Error::refused(code, format!("the value of {:?} cannot be read: {code}", prop.tag)))
        }
        PropData::Inline(value) => Ok(Some(value)),
        PropData::Large(large) => {
            if large.len > to_u64(MOST) {
                return Err(Error::refused(
                    watertight_mapi::MapiCode::TooBig,
                    format!("the value has {} bytes, more than fit in memory", large.len),
                ));
            }
            let bytes = object.open_stream(prop.tag, OpenMode::ReadOnly).await?.read_to_end(MOST).await?;
            Ok(Some(whole(prop.tag.ty(), bytes)))
        }
    }
}

/// The value of the bytes of a stream.
fn whole(ty: PropType, bytes: Vec<u8>) -> PropValue {
    match ty {
        PropType::Unicode => {
            let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk::<2>().copied());
            let text: String = char::decode_utf16(units.map(u16::from_le_bytes))
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            PropValue::Unicode(text.strip_suffix('\0').map(str::to_owned).unwrap_or(text))
        }
        PropType::String8 => {
            PropValue::String8(bytes.strip_suffix(&[0]).map(<[u8]>::to_vec).unwrap_or(bytes))
        }
        PropType::Object => PropValue::Object(bytes),
        _ => PropValue::Binary(bytes),
    }
}

/// Everything that an object has. Values above 64 KiB have no value here: ask for each.
pub(crate) async fn all(object: &Object) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
    let PropBag(props) = object.all_props().await?;
    Ok(props
        .into_iter()
        .map(|prop| {
            let key = Key::of(&prop);
            match prop.value {
                PropData::Inline(PropValue::Error(_)) | PropData::Large(_) => (key, None),
                PropData::Inline(value) => (key, Some(value)),
            }
        })
        .collect())
}

/// Sets properties, or says which could not be set.
pub(crate) async fn set(object: &Object, props: &[Prop]) -> Result<(), Error> {
    let problems = object.set_props(props).await?;
    match problems.first() {
        None => Ok(()),
        Some(problem) => {
            Err(Error::refused(problem.code, format!("{} cannot be set: {}", problem.tag, problem.code)))
        }
    }
}

/// Removes a property; nothing happens when there is none.
pub(crate) async fn remove(object: &Object, key: &Key) -> Result<(), Error> {
    let Some(tag) = key.tag(object).await? else { return Ok(()) };
    let problems = object.delete_props(&[tag]).await?;
    match problems.first() {
        Some(problem) if problem.code != watertight_mapi::MapiCode::NotFound => {
            Err(Error::refused(problem.code, format!("{} cannot be removed: {}", problem.tag, problem.code)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_through_text() {
        for text in [
            "PidTagSubject",
            "0x9999001f",
            "{00020329-0000-0000-c000-000000000046}/Keywords",
            "{00062008-0000-0000-c000-000000000046}/0x8501",
            "{00020329-0000-0000-c000-000000000046}/a/b}/c",
        ] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        let id: Key = "0x0037".parse().unwrap();
        assert_eq!(id, Key::Tag(PropTag::new(PropId(0x37), PropType::Unspecified)));
        for bad in ["", "PidTagNonsense", "{x}/y", "0x", "0x123456789"] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_streams_are_whole() {
        assert_eq!(whole(PropType::Unicode, b"a\0\xdf\0\0\0".to_vec()), PropValue::from("aß"));
        assert_eq!(whole(PropType::Unicode, b"\0\xd8a\0".to_vec()), PropValue::from("\u{fffd}a"));
        assert_eq!(whole(PropType::Binary, vec![1, 0]), PropValue::Binary(vec![1, 0]));
    }
}
