//! The address book: the Name Service Provider Interface over MAPI/HTTP — [MS-OXCMAPIHTTP] 2.2.5, [MS-OXNSPI].
//!
//! [`body`]: request and response bodies. [`value`]: property values, with a byte in front of what may be missing.
//! [`row`]: rows of values. [`filter`]: restrictions as they travel here. [`stat`]: STAT, where a table stands.
//! [`entry_id`]: the identifiers of entries.

pub mod body;
pub mod entry_id;
pub mod field;
pub mod filter;
pub mod row;
pub mod stat;
pub mod tags;
pub mod value;

pub use body::{
    AddressBookUrlRequest, BindRequest, CompareMIdsRequest, DnToMIdRequest, GetMatchesRequest,
    GetPropListRequest, GetPropsRequest, GetSpecialTableRequest, GetTemplateInfoRequest, ModLinkAttRequest,
    ModPropsRequest, QueryColumnsRequest, QueryRowsRequest, ResolveNamesRequest, ResortRestrictionRequest,
    SeekEntriesRequest, UnbindRequest, UpdateStatRequest,
};
pub use entry_id::{EphemeralEntryId, PermanentEntryId};
pub use field::{Has, List32, Narrow, Wide};
pub use filter::Filter;
pub use row::{Cell, CellValue, ColumnsAndRows, Row};
pub use stat::Stat;
pub use value::{TaggedValue, ValueList};

/// MID_BEGINNING_OF_TABLE: the position before the first row — [MS-OXNSPI] 2.2.1.8.
pub const MID_BEGINNING: u32 = 0;
/// MID_CURRENT: the position that STAT states as a fraction — [MS-OXNSPI] 2.2.1.8.
pub const MID_CURRENT: u32 = 1;
/// MID_END_OF_TABLE: the position after the last row — [MS-OXNSPI] 2.2.1.8.
pub const MID_END: u32 = 2;

/// MID_UNRESOLVED: no entry has the name — [MS-OXNSPI] 2.2.1.9.
pub const UNRESOLVED: u32 = 0;
/// MID_AMBIGUOUS: more than one entry has the name — [MS-OXNSPI] 2.2.1.9.
pub const AMBIGUOUS: u32 = 1;
/// MID_RESOLVED: one entry has the name — [MS-OXNSPI] 2.2.1.9.
pub const RESOLVED: u32 = 2;

/// CP_WINUNICODE, no code page for strings of bytes — [MS-OXNSPI] 2.2.1.4.
pub const CP_UNICODE: u32 = 1200;
/// CP_TELETEX: every server has it — [MS-OXNSPI] 2.2.1.4.
pub const CP_TELETEX: u32 = 1252;

/// UnbindSuccess, what Unbind returns when all is well — [MS-OXNSPI] 3.1.4.1.2.
pub const UNBIND_SUCCESS: crate::MapiCode = crate::MapiCode(1);
/// InvalidCodepage — [MS-OXNSPI] 2.2.1.2 (the document's table of error codes): the code page is not known.
pub const INVALID_CODE_PAGE: crate::MapiCode = crate::MapiCode(0x8004_011E);
/// InvalidLocale: the locale is not known.
pub const INVALID_LOCALE: crate::MapiCode = crate::MapiCode(0x8004_011F);

/// fSkipObjects, Flags of GetPropList and GetProps: no values of PtypEmbeddedTable — [MS-OXNSPI] 2.2.1.11.
pub const SKIP_OBJECTS: u32 = 1;
/// fEphID, Flags of GetProps and QueryRows: Ephemeral Entry IDs — [MS-OXNSPI] 2.2.1.11.
pub const EPHEMERAL_IDS: u32 = 2;
/// NspiAddressCreationTemplates, Flags of GetSpecialTable — [MS-OXNSPI] 2.2.1.13.
pub const CREATION_TEMPLATES: u32 = 2;
/// NspiUnicodeStrings, Flags of GetSpecialTable — [MS-OXNSPI] 2.2.1.13.
pub const UNICODE_STRINGS: u32 = 4;

/// SortTypeDisplayName — [MS-OXNSPI] 2.2.1.10.
pub const SORT_DISPLAY_NAME: u32 = 0;
/// SortTypePhoneticDisplayName — [MS-OXNSPI] 2.2.1.10.
pub const SORT_PHONETIC: u32 = 3;

#[cfg(test)]
mod tests;
