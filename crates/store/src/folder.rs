//! What both stores demand of a folder.

use watertight_mapi::{
    PropTag, PropValue,
    prop::{Prop, PropBag, PropData, tags},
    store::{StoreError, StoreResult},
};

/// The properties that [`Folder`](watertight_mapi::store::Folder) gives in fields of its own.
const COMPUTED: [PropTag; 19] = [
    tags::DISPLAY_NAME,
    tags::CHANGE_KEY,
    tags::PREDECESSOR_CHANGE_LIST,
    tags::CHANGE_NUMBER,
    tags::FOLDER_ID,
    tags::PARENT_FOLDER_ID,
    tags::FOLDER_TYPE,
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::CONTENT_COUNT,
    tags::CONTENT_UNREAD_COUNT,
    tags::ASSOCIATED_CONTENT_COUNT,
    tags::DELETED_COUNT_TOTAL,
    tags::MESSAGE_SIZE,
    tags::SUBFOLDERS,
    tags::SOURCE_KEY,
    tags::PARENT_SOURCE_KEY,
    tags::ENTRY_ID,
    tags::PARENT_ENTRY_ID,
];

/// Checks a folder's name.
pub(crate) fn check_name(name: &str) -> StoreResult<()> {
    if name.is_empty() || name.contains('\0') || name.encode_utf16().count() > 1024 {
        return Err(StoreError::Invalid(
            "the name of a folder has 1 to 1024 characters and no null".to_owned(),
        ));
    }
    Ok(())
}

/// Drops what the store computes; checks the rest.
pub(crate) fn prepare(props: &mut PropBag) -> StoreResult<()> {
    props.0.retain(|p| p.name.is_some() || !COMPUTED.iter().any(|tag| tag.id() == p.tag.id()));
    for prop in &props.0 {
        match &prop.value {
            PropData::Inline(value) if value.ty() == prop.tag.ty() => {}
            PropData::Inline(_) => {
                return Err(StoreError::Invalid(format!("{}: the value is not of that type", prop.tag)));
            }
            PropData::Large(_) => {
                return Err(StoreError::Invalid(format!("{}: a folder has no large values", prop.tag)));
            }
        }
    }
    Ok(())
}

/// The new name among the properties that are to be set, and the others.
pub(crate) fn split_name(set: Vec<Prop>) -> StoreResult<(Option<String>, Vec<Prop>)> {
    let mut new_name = None;
    let mut others = Vec::with_capacity(set.len());
    for prop in set {
        if prop.name.is_none() && prop.tag.id() == tags::DISPLAY_NAME.id() {
            let PropData::Inline(PropValue::Unicode(name)) = prop.value else {
                return Err(StoreError::Invalid("the name of a folder is a string".to_owned()));
            };
            check_name(&name)?;
            new_name = Some(name);
        } else {
            others.push(prop);
        }
    }
    Ok((new_name, others))
}

/// The error for an identifier that stands for no name.
pub(crate) fn unknown_name(tag: PropTag) -> StoreError {
    StoreError::Invalid(format!("{tag}: the identifier stands for no name in this mailbox"))
}
