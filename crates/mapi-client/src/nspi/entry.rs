//! Somebody in the address book.

use watertight_mapi::nspi::{ColumnsAndRows, Row, tags};
use watertight_mapi::rop::field::Bytes32;
use watertight_mapi::{PropTag, PropValue};

/// What is asked for of each entry.
pub(super) const COLUMNS: &[PropTag] = &[
    tags::DISPLAY_NAME,
    tags::SMTP_ADDRESS,
    tags::EMAIL_ADDRESS,
    tags::DISPLAY_TYPE,
    tags::ACCOUNT,
    tags::TITLE,
    tags::DEPARTMENT,
    tags::COMPANY,
    tags::OFFICE,
    tags::BUSINESS_PHONE,
    tags::MOBILE_PHONE,
];

/// Somebody in the address book, with what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookEntry {
    /// PidTagDisplayName.
    pub display_name: String,
    /// PidTagSmtpAddress.
    pub address: Option<String>,
    /// PidTagEmailAddress: the legacy distinguished name.
    pub dn: Option<String>,
    /// PidTagDisplayType — [MS-OXOABK] 2.2.3.11: 0 for a person, 1 for a distribution list.
    pub display_type: Option<u32>,
    /// PidTagAccount.
    pub account: Option<String>,
    /// PidTagTitle.
    pub title: Option<String>,
    /// PidTagDepartmentName.
    pub department: Option<String>,
    /// PidTagCompanyName.
    pub company: Option<String>,
    /// PidTagOfficeLocation.
    pub office: Option<String>,
    /// PidTagBusinessTelephoneNumber.
    pub phone: Option<String>,
    /// PidTagMobileTelephoneNumber.
    pub mobile: Option<String>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolved {
    /// Nobody has it.
    Nobody,
    /// One entry.
    One(Box<BookEntry>),
    /// More than one, or one that the server does not tell apart.
    Several,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// The entries, as the server sorts them.
    pub entries: Vec<BookEntry>,
    /// There are more than were asked for; some servers give none of them then.
    pub too_many: bool,
}

impl BookEntry {
    pub(super) fn of_row(table: &ColumnsAndRows, row: &Row) -> Self {
        let text = |tag| match table.value(row, tag) {
            Some(PropValue::Unicode(text)) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        };
        Self {
            display_name: text(tags::DISPLAY_NAME).unwrap_or_default(),
            address: text(tags::SMTP_ADDRESS),
            dn: text(tags::EMAIL_ADDRESS),
            display_type: match table.value(row, tags::DISPLAY_TYPE) {
                Some(PropValue::I32(kind)) => Some(kind.cast_unsigned()),
                _ => None,
            },
            account: text(tags::ACCOUNT),
            title: text(tags::TITLE),
            department: text(tags::DEPARTMENT),
            company: text(tags::COMPANY),
            office: text(tags::OFFICE),
            phone: text(tags::BUSINESS_PHONE),
            mobile: text(tags::MOBILE_PHONE),
        }
    }
}

/// No auxiliary buffer.
pub(super) fn nothing() -> Bytes32 {
    Bytes32::default()
}
