//! Bodies of the address-book endpoint's requests and responses — [MS-OXCMAPIHTTP] 2.2.5.
//!
//! A response body comes in a success and a failure form: [`Answer`](crate::http::body::Answer) of the structures
//! here, which begin after StatusCode.

use watertight_wire::{Guid, wire_nested, wire_struct};

use super::field::{Has, List32, Narrow, Wide};
use super::filter::Filter;
use super::row::ColumnsAndRows;
use super::stat::Stat;
use super::value::{TaggedValue, ValueList};
use crate::MapiCode;
use crate::PropTag;
use crate::rop::field::Bytes32;

/// LargePropertyTagArray — [MS-OXCMAPIHTTP] 2.2.1.8.
pub type Tags = List32<PropTag>;
/// MinimalIdCount and MinimalIds.
pub type MinimalIds = List32<u32>;

wire_struct! {
    /// Bind request — [MS-OXCMAPIHTTP] 2.2.5.1.1.
    #[derive(Default)]
    pub struct BindRequest {
        /// Flags: fAnonymousLogin is ignored.
        flags: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// Bind success response — [MS-OXCMAPIHTTP] 2.2.5.1.2.
    pub struct Bound {
        /// ErrorCode.
        error_code: MapiCode,
        /// ServerGuid.
        server_guid: Guid,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// Unbind request — [MS-OXCMAPIHTTP] 2.2.5.2.1.
    #[derive(Default)]
    pub struct UnbindRequest {
        /// Reserved.
        reserved: u32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// Success response that says no more: Unbind, ModLinkAtt, ModProps — [MS-OXCMAPIHTTP] 2.2.5.2.2, 2.2.5.10.2,
    /// 2.2.5.11.2.
    pub struct Plain {
        /// ErrorCode.
        error_code: MapiCode,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// CompareMinIds request — [MS-OXCMAPIHTTP] 2.2.5.3.1.
    pub struct CompareMIdsRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// MinimalId1.
        first: u32,
        /// MinimalId2.
        second: u32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// CompareMinIds success response — [MS-OXCMAPIHTTP] 2.2.5.3.2.
    pub struct Compared {
        /// ErrorCode.
        error_code: MapiCode,
        /// Result: negative when the first comes before the second.
        result: i32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// DnToMinId request — [MS-OXCMAPIHTTP] 2.2.5.4.1.
    pub struct DnToMIdRequest {
        /// Reserved.
        reserved: u32,
        /// HasNames and Names.
        names: Has<List32<Narrow>>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// DnToMinId success response — [MS-OXCMAPIHTTP] 2.2.5.4.2.
    pub struct FoundMIds {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasMinimalIds, MinimalIdCount and MinimalIds: 0 for a name that nobody has.
        ids: Has<MinimalIds>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// PropertyNameGuid and PropertyNameId of a GetMatches request — [MS-OXCMAPIHTTP] 2.2.5.5.1.
    #[derive(Copy, Eq)]
    pub struct PropertyName {
        /// PropertyNameGuid.
        guid: Guid,
        /// PropertyNameId.
        id: u32,
    } = 20
}

wire_struct! {
    /// GetMatches request — [MS-OXCMAPIHTTP] 2.2.5.5.1.
    #[derive(Default)]
    pub struct GetMatchesRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasMinimalIds, MinimalIdCount and MinimalIds: reserved.
        ids: Has<MinimalIds>,
        /// InterfaceOptionFlags.
        flags: u32,
        /// HasFilter and Filter.
        filter: Has<Filter>,
        /// HasPropertyName, PropertyNameGuid and PropertyNameId.
        name: Has<PropertyName>,
        /// RowCount: the most rows.
        row_count: u32,
        /// HasColumns and Columns.
        columns: Has<Tags>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetMatches success response — [MS-OXCMAPIHTTP] 2.2.5.5.2.
    pub struct Matches {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasState and State.
        state: Has<Stat>,
        /// HasMinimalIds, MinimalIdCount and MinimalIds.
        ids: Has<MinimalIds>,
        /// HasColumnsAndRows, Columns, RowCount and RowData.
        rows: Has<ColumnsAndRows>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetPropList request — [MS-OXCMAPIHTTP] 2.2.5.6.1.
    pub struct GetPropListRequest {
        /// Flags.
        flags: u32,
        /// MinimalId.
        id: u32,
        /// CodePage.
        code_page: u32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetPropList and QueryColumns success response — [MS-OXCMAPIHTTP] 2.2.5.6.2, 2.2.5.13.2.
    pub struct TagsFound {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasPropertyTags and PropertyTags.
        tags: Has<Tags>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetProps request — [MS-OXCMAPIHTTP] 2.2.5.7.1.
    #[derive(Default)]
    pub struct GetPropsRequest {
        /// Flags.
        flags: u32,
        /// HasState and State: CurrentRec is the entry.
        state: Has<Stat>,
        /// HasPropertyTags and PropertyTags.
        tags: Has<Tags>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetProps and GetTemplateInfo success response — [MS-OXCMAPIHTTP] 2.2.5.7.2, 2.2.5.9.2.
    pub struct PropsFound {
        /// ErrorCode.
        error_code: MapiCode,
        /// CodePage of the strings.
        code_page: u32,
        /// HasPropertyValues and PropertyValues.
        values: Has<ValueList>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetSpecialTable request — [MS-OXCMAPIHTTP] 2.2.5.8.1.
    pub struct GetSpecialTableRequest {
        /// Flags.
        flags: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasVersion and Version: of the table that the client has.
        version: Has<u32>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetSpecialTable success response — [MS-OXCMAPIHTTP] 2.2.5.8.2.
    pub struct SpecialTable {
        /// ErrorCode.
        error_code: MapiCode,
        /// CodePage of the strings.
        code_page: u32,
        /// HasVersion and Version.
        version: Has<u32>,
        /// HasRows, RowsCount and Rows.
        rows: Has<List32<ValueList>>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetTemplateInfo request — [MS-OXCMAPIHTTP] 2.2.5.9.1.
    pub struct GetTemplateInfoRequest {
        /// Flags.
        flags: u32,
        /// DisplayType.
        display_type: u32,
        /// HasTemplateDn and TemplateDn.
        template_dn: Has<Narrow>,
        /// CodePage.
        code_page: u32,
        /// LocaleId.
        locale: u32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ModLinkAtt request — [MS-OXCMAPIHTTP] 2.2.5.10.1.
    pub struct ModLinkAttRequest {
        /// Flags.
        flags: u32,
        /// PropertyTag.
        tag: PropTag,
        /// MinimalId.
        id: u32,
        /// HasEntryIds, EntryIdCount and EntryIds.
        entry_ids: Has<List32<Bytes32>>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ModProps request — [MS-OXCMAPIHTTP] 2.2.5.11.1.
    pub struct ModPropsRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasPropertyTagsToRemove and PropertyTagsToRemove.
        remove: Has<Tags>,
        /// HasPropertyValues and PropertyValues.
        values: Has<ValueList>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// QueryColumns request — [MS-OXCMAPIHTTP] 2.2.5.13.1.
    pub struct QueryColumnsRequest {
        /// Reserved.
        reserved: u32,
        /// MapiFlags.
        flags: u32,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// QueryRows request — [MS-OXCMAPIHTTP] 2.2.5.12.1.
    #[derive(Default)]
    pub struct QueryRowsRequest {
        /// Flags.
        flags: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// ExplicitTableCount and ExplicitTable: these entries, in place of a container.
        explicit: MinimalIds,
        /// RowCount: the most rows.
        row_count: u32,
        /// HasColumns and Columns.
        columns: Has<Tags>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// QueryRows and SeekEntries success response — [MS-OXCMAPIHTTP] 2.2.5.12.2, 2.2.5.16.2.
    pub struct RowsFound {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasState and State.
        state: Has<Stat>,
        /// HasColumnsAndRows, Columns, RowCount and RowData.
        rows: Has<ColumnsAndRows>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ResolveNames request — [MS-OXCMAPIHTTP] 2.2.5.14.1.
    #[derive(Default)]
    pub struct ResolveNamesRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasPropertyTags and PropertyTags.
        tags: Has<Tags>,
        /// HasNames and Names.
        names: Has<List32<Wide>>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ResolveNames success response — [MS-OXCMAPIHTTP] 2.2.5.14.2.
    pub struct NamesResolved {
        /// ErrorCode.
        error_code: MapiCode,
        /// CodePage of the strings.
        code_page: u32,
        /// HasMinimalIds, MinimalIdCount and MinimalIds: for each name whether it was resolved.
        ids: Has<MinimalIds>,
        /// HasRowsAndPropertyTags, PropertyTags, RowCount and RowData: a row for each name that was.
        rows: Has<ColumnsAndRows>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ResortRestriction request — [MS-OXCMAPIHTTP] 2.2.5.15.1.
    pub struct ResortRestrictionRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasMinimalIds, MinimalIdCount and MinimalIds.
        ids: Has<MinimalIds>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// ResortRestriction success response — [MS-OXCMAPIHTTP] 2.2.5.15.2.
    pub struct Resorted {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasState and State.
        state: Has<Stat>,
        /// HasMinimalIds, MinimalIdCount and MinimalIds.
        ids: Has<MinimalIds>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// SeekEntries request — [MS-OXCMAPIHTTP] 2.2.5.16.1.
    pub struct SeekEntriesRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// HasTarget and Target.
        target: Has<TaggedValue>,
        /// HasExplicitTable and ExplicitTable.
        explicit: Has<MinimalIds>,
        /// HasColumns and Columns.
        columns: Has<Tags>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// UpdateStat request — [MS-OXCMAPIHTTP] 2.2.5.17.1.
    pub struct UpdateStatRequest {
        /// Reserved.
        reserved: u32,
        /// HasState and State.
        state: Has<Stat>,
        /// DeltaRequested.
        delta_requested: u8,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// UpdateStat success response — [MS-OXCMAPIHTTP] 2.2.5.17.2.
    pub struct StatUpdated {
        /// ErrorCode.
        error_code: MapiCode,
        /// HasState and State.
        state: Has<Stat>,
        /// HasDelta and Delta: how many rows it moved.
        delta: Has<i32>,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetMailboxUrl and GetAddressBookUrl request — [MS-OXCMAPIHTTP] 2.2.5.18.1, 2.2.5.19.1.
    #[derive(Default)]
    pub struct AddressBookUrlRequest {
        /// Flags: reserved.
        flags: u32,
        /// ServerDn or UserDn.
        dn: Wide,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_struct! {
    /// GetMailboxUrl and GetAddressBookUrl success response — [MS-OXCMAPIHTTP] 2.2.5.18.2, 2.2.5.19.2.
    pub struct UrlFound {
        /// ErrorCode.
        error_code: MapiCode,
        /// ServerUrl.
        url: Wide,
        /// AuxiliaryBuffer.
        auxiliary: Bytes32,
    }
}

wire_nested!(PropertyName);
