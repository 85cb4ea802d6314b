//! Reading properties, whatever form a server gives them.

use std::borrow::Cow;

use watertight_mapi::{
    PropTag, PropValue,
    prop::{PropBag, PropId, PropType, tags},
};
use watertight_wire::FileTime;

use crate::charset;

/// PidTagTextAttachmentCharset
pub(crate) const TEXT_ATTACHMENT_CHARSET: PropTag = PropTag::new(PropId(0x371B), PropType::Unicode);
/// PidTagAttachLongPathname
pub(crate) const ATTACH_LONG_PATHNAME: PropTag = PropTag::new(PropId(0x370D), PropType::Unicode);
/// PidTagTransmittableDisplayName
pub(crate) const TRANSMITTABLE_DISPLAY_NAME: PropTag = PropTag::new(PropId(0x3A20), PropType::Unicode);

/// The code page of the message's PtypString8 values and of PidTagHtml.
pub(crate) fn codepage(props: &PropBag) -> Option<i32> {
    props.int(tags::INTERNET_CODEPAGE).or_else(|| props.int(tags::MESSAGE_CODEPAGE)).filter(|page| *page > 0)
}

/// A text property, PtypString or PtypString8, without terminator; `None` where it is missing or empty.
pub(crate) fn text(props: &PropBag, tag: PropTag) -> Option<Cow<'_, str>> {
    let text = match props.get(tag)? {
        PropValue::Unicode(text) => Cow::Borrowed(text.strip_suffix('\0').unwrap_or(text)),
        PropValue::String8(bytes) => {
            charset::decode_codepage(bytes.strip_suffix(&[0]).unwrap_or(bytes), codepage(props))
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A point in time.
pub(crate) fn time(props: &PropBag, tag: PropTag) -> Option<FileTime> {
    match props.get(tag)? {
        PropValue::Time(time) if time.0 != 0 => Some(*time),
        _ => None,
    }
}
