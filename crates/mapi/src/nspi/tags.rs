//! Properties of address-book entries — [MS-OXOABK] 2.2, [MS-OXPROPS].

use crate::{
    PropTag,
    prop::{PropId, PropType},
};

macro_rules! tags {
    ($($const:ident $name:ident $id:literal $ty:ident;)*) => {$(
        #[doc = stringify!($name)]
        pub const $const: PropTag = PropTag::new(PropId($id), PropType::$ty);
    )*};
}

tags! {
    INSTANCE_KEY PidTagInstanceKey 0x0FF6 Binary;
    MAPPING_SIGNATURE PidTagMappingSignature 0x0FF8 Binary;
    RECORD_KEY PidTagRecordKey 0x0FF9 Binary;
    OBJECT_TYPE PidTagObjectType 0x0FFE I32;
    ENTRY_ID PidTagEntryId 0x0FFF Binary;
    DISPLAY_NAME PidTagDisplayName 0x3001 Unicode;
    ADDRESS_TYPE PidTagAddressType 0x3002 Unicode;
    EMAIL_ADDRESS PidTagEmailAddress 0x3003 Unicode;
    DEPTH PidTagDepth 0x3005 I32;
    SEARCH_KEY PidTagSearchKey 0x300B Binary;
    CONTAINER_FLAGS PidTagContainerFlags 0x3600 I32;
    ANR PidTagAnr 0x360C Unicode;
    DISPLAY_TYPE PidTagDisplayType 0x3900 I32;
    TEMPLATE_ID PidTagTemplateid 0x3902 Binary;
    DISPLAY_TYPE_EX PidTagDisplayTypeEx 0x3905 I32;
    SMTP_ADDRESS PidTagSmtpAddress 0x39FE Unicode;
    DISPLAY_NAME_PRINTABLE PidTagAddressBookDisplayNamePrintable 0x39FF Unicode;
    ACCOUNT PidTagAccount 0x3A00 Unicode;
    GIVEN_NAME PidTagGivenName 0x3A06 Unicode;
    BUSINESS_PHONE PidTagBusinessTelephoneNumber 0x3A08 Unicode;
    SURNAME PidTagSurname 0x3A11 Unicode;
    ORIGINAL_ENTRY_ID PidTagOriginalEntryId 0x3A12 Binary;
    COMPANY PidTagCompanyName 0x3A16 Unicode;
    TITLE PidTagTitle 0x3A17 Unicode;
    DEPARTMENT PidTagDepartmentName 0x3A18 Unicode;
    OFFICE PidTagOfficeLocation 0x3A19 Unicode;
    MOBILE_PHONE PidTagMobileTelephoneNumber 0x3A1C Unicode;
    TRANSMITTABLE_DISPLAY_NAME PidTagTransmittableDisplayName 0x3A20 Unicode;
    SEND_RICH_INFO PidTagSendRichInfo 0x3A40 Bool;
    HOME_MDB PidTagAddressBookHomeMessageDatabase 0x8006 Unicode;
    PROXY_ADDRESSES PidTagAddressBookProxyAddresses 0x800F MvUnicode;
    CONTAINER_ID PidTagAddressBookContainerId 0xFFFD I32;
    IS_MASTER PidTagAddressBookIsMaster 0xFFFB Bool;
}
