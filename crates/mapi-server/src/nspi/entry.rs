//! Properties of entries — [MS-OXOABK] 2.2.

use std::borrow::Cow;

use watertight_mapi::nspi::entry_id::{DT_MAILUSER, NSPI_PROVIDER};
use watertight_mapi::nspi::{CP_UNICODE, EphemeralEntryId, PermanentEntryId, tags};
use watertight_mapi::restriction::PropSource;
use watertight_mapi::{MapiCode, PropTag, PropType, PropValue};
use watertight_wire::{Guid, Wire};

use super::directory::Entry;
use crate::code_page;

/// MAPI_MAILUSER — [MS-OXOABK] 2.2.3.10 PidTagObjectType.
const MAPI_MAILUSER: i32 = 6;
/// A mailbox of this forest that may be given rights — [MS-OXOABK] 2.2.3.12 PidTagDisplayTypeEx.
const DT_EX_MAILUSER: i32 = 0x4000_0000;

/// The properties that an entry has.
pub(crate) const ALL: &[PropTag] = &[
    tags::INSTANCE_KEY,
    tags::MAPPING_SIGNATURE,
    tags::RECORD_KEY,
    tags::OBJECT_TYPE,
    tags::ENTRY_ID,
    tags::DISPLAY_NAME,
    tags::ADDRESS_TYPE,
    tags::EMAIL_ADDRESS,
    tags::SEARCH_KEY,
    tags::DISPLAY_TYPE,
    tags::TEMPLATE_ID,
    tags::DISPLAY_TYPE_EX,
    tags::SMTP_ADDRESS,
    tags::DISPLAY_NAME_PRINTABLE,
    tags::ACCOUNT,
    tags::ORIGINAL_ENTRY_ID,
    tags::TRANSMITTABLE_DISPLAY_NAME,
    tags::SEND_RICH_INFO,
    tags::HOME_MDB,
    tags::PROXY_ADDRESSES,
];

/// How the values of a request are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Of strings that are not Unicode.
    pub(crate) code_page: u32,
    /// Ephemeral Entry IDs, of the server with that GUID.
    pub(crate) ephemeral: Option<Guid>,
}

impl Form {
    /// The type that a property has when nobody asks for another: strings are bytes, but for clients of Unicode.
    pub(crate) fn native(self, tag: PropTag) -> PropTag {
        match tag.ty() {
            PropType::Unicode if self.code_page != CP_UNICODE => tag.with_type(PropType::String8),
            PropType::MvUnicode if self.code_page != CP_UNICODE => tag.with_type(PropType::MvString8),
            _ => tag,
        }
    }

    fn bytes(self, text: &str) -> Vec<u8> {
        code_page::encode(self.code_page, text)
    }
}

/// The distinguished name of the mailbox server of an entry, as Outlook asks for it in GetMailboxUrl.
fn home_mdb(entry: &Entry) -> String {
    format!("{SERVERS}{}@{}/cn=Microsoft Private MDB", entry.mailbox, entry.domain())
}

/// What distinguished names of servers begin with.
pub(crate) const SERVERS: &str =
    "/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn=";

/// A property of an entry in its own type.
pub(crate) fn property(entry: &Entry, tag: PropTag, ephemeral: Option<Guid>) -> Option<PropValue> {
    let permanent = || {
        let id = PermanentEntryId { display_type: DT_MAILUSER, dn: entry.dn.clone() };
        id.to_bytes().ok().map(PropValue::Binary)
    };
    let text = |text: &str| Some(PropValue::from(text));
    let known = ALL.iter().find(|known| known.id() == tag.id())?;
    match *known {
        tags::INSTANCE_KEY => Some(PropValue::Binary(entry.id.to_le_bytes().to_vec())),
        tags::MAPPING_SIGNATURE => Some(PropValue::Binary(NSPI_PROVIDER.to_bytes().to_vec())),
        tags::ENTRY_ID => match ephemeral {
            Some(server) => {
                EphemeralEntryId::new(server, DT_MAILUSER, entry.id).to_bytes().ok().map(PropValue::Binary)
            }
            None => permanent(),
        },
        tags::RECORD_KEY | tags::TEMPLATE_ID | tags::ORIGINAL_ENTRY_ID => permanent(),
        tags::OBJECT_TYPE => Some(PropValue::I32(MAPI_MAILUSER)),
        tags::DISPLAY_TYPE => Some(PropValue::I32(0)),
        tags::DISPLAY_TYPE_EX => Some(PropValue::I32(DT_EX_MAILUSER)),
        tags::DISPLAY_NAME | tags::DISPLAY_NAME_PRINTABLE | tags::TRANSMITTABLE_DISPLAY_NAME => {
            text(&entry.display_name)
        }
        tags::ADDRESS_TYPE => text("EX"),
        tags::EMAIL_ADDRESS => text(&entry.dn),
        tags::SEARCH_KEY => {
            let mut key = format!("EX:{}", entry.dn.to_uppercase()).into_bytes();
            key.push(0);
            Some(PropValue::Binary(key))
        }
        tags::SMTP_ADDRESS => text(&entry.smtp_address),
        tags::ACCOUNT => text(&entry.name),
        tags::SEND_RICH_INFO => Some(PropValue::Bool(true)),
        tags::HOME_MDB => text(&home_mdb(entry)),
        tags::PROXY_ADDRESSES => {
            let mut all = vec![format!("SMTP:{}", entry.smtp_address)];
            all.push(format!("EX:{}", entry.dn));
            Some(PropValue::MvUnicode(all))
        }
        _ => None,
    }
}

/// A property of an entry in the type that was asked for — [MS-OXNSPI] 3.1.4.3.
///
/// # Errors
/// NotFound for what is not there; InvalidParameter-like codes for another type of it.
pub(crate) fn value(entry: &Entry, tag: PropTag, form: Form) -> Result<PropValue, MapiCode> {
    let found = property(entry, tag, form.ephemeral).ok_or(MapiCode::NotFound)?;
    let wanted = match tag.ty() {
        PropType::Unspecified => form.native(tag.with_type(found.ty())).ty(),
        wanted => wanted,
    };
    convert(found, wanted, form)
}

/// A value in another type of string.
pub(crate) fn convert(value: PropValue, wanted: PropType, form: Form) -> Result<PropValue, MapiCode> {
    match (value, wanted) {
        (value, wanted) if value.ty() == wanted => Ok(value),
        (PropValue::Unicode(text), PropType::String8) => Ok(PropValue::String8(form.bytes(&text))),
        (PropValue::MvUnicode(all), PropType::MvString8) => {
            Ok(PropValue::MvString8(all.iter().map(|text| form.bytes(text)).collect()))
        }
        _ => Err(MapiCode::NotFound),
    }
}

impl PropSource for Entry {
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>> {
        property(self, tag, None).map(Cow::Owned)
    }
}
