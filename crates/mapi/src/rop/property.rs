//! Property ROPs — [MS-OXCROPS] 2.2.8; [MS-OXCPRPT].

use watertight_wire::{Guid, Reader, Wire, WireError, WireField, Writer, wire_nested, wire_struct};

use super::{
    answer::{Context, ResponseFields},
    field::{List16, Maybe, Truth},
    table_of_rops::RequestBody,
};
use crate::{
    MapiCode, PropId, PropName, PropTag,
    prop::wire::{MaybePropName, PropertyRow, TaggedPropertyValue},
};

wire_struct! {
    /// RopGetPropertyIdsFromNames request — [MS-OXCROPS] 2.2.8.1.
    pub struct GetPropertyIdsFromNamesRequest {
        /// Flags.
        flags: u8,
        /// PropertyNames.
        names: List16<PropName>,
    }
}

wire_struct! {
    /// RopGetPropertyIdsFromNames response, after its return value — [MS-OXCROPS] 2.2.8.1.
    pub struct GetPropertyIdsFromNamesResponse {
        /// PropertyIds.
        prop_ids: List16<PropId>,
    }
}

wire_struct! {
    /// RopGetNamesFromPropertyIds request — [MS-OXCROPS] 2.2.8.2.
    pub struct GetNamesFromPropertyIdsRequest {
        /// PropertyIds.
        prop_ids: List16<PropId>,
    }
}

wire_struct! {
    /// RopGetNamesFromPropertyIds response, after its return value — [MS-OXCROPS] 2.2.8.2.
    pub struct GetNamesFromPropertyIdsResponse {
        /// PropertyNames.
        names: List16<MaybePropName>,
    }
}

wire_struct! {
    /// RopGetPropertiesSpecific request — [MS-OXCROPS] 2.2.8.3.
    pub struct GetPropertiesSpecificRequest {
        /// PropertySizeLimit.
        property_size_limit: u16,
        /// WantUnicode.
        want_unicode: u16,
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopGetPropertiesAll request — [MS-OXCROPS] 2.2.8.4.
    pub struct GetPropertiesAllRequest {
        /// PropertySizeLimit.
        property_size_limit: u16,
        /// WantUnicode.
        want_unicode: u16,
    }
}

wire_struct! {
    /// RopGetPropertiesAll response, after its return value — [MS-OXCROPS] 2.2.8.4.
    pub struct GetPropertiesAllResponse {
        /// PropertyValues.
        values: List16<TaggedPropertyValue>,
    }
}

wire_struct! {
    /// RopGetPropertiesList response, after its return value — [MS-OXCROPS] 2.2.8.5.
    pub struct GetPropertiesListResponse {
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopDeleteProperties request — [MS-OXCROPS] 2.2.8.8.
    pub struct DeletePropertiesRequest {
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopDeletePropertiesNoReplicate request — [MS-OXCROPS] 2.2.8.9.
    pub struct DeletePropertiesNoReplicateRequest {
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopQueryNamedProperties request — [MS-OXCROPS] 2.2.8.10.
    pub struct QueryNamedPropertiesRequest {
        /// QueryFlags.
        query_flags: u8,
        /// HasGuid and PropertyGuid.
        guid: Maybe<Guid>,
    }
}

wire_struct! {
    /// RopCopyProperties request — [MS-OXCROPS] 2.2.8.11.
    pub struct CopyPropertiesRequest {
        /// DestHandleIndex.
        dest_index: u8,
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// CopyFlags.
        copy_flags: u8,
        /// PropertyTags.
        tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopCopyTo request — [MS-OXCROPS] 2.2.8.12.
    pub struct CopyToRequest {
        /// DestHandleIndex.
        dest_index: u8,
        /// WantAsynchronous.
        want_asynchronous: Truth,
        /// WantSubObjects.
        want_sub_objects: Truth,
        /// CopyFlags.
        copy_flags: u8,
        /// ExcludedTags.
        excluded_tags: List16<PropTag>,
    }
}

wire_struct! {
    /// RopProgress request — [MS-OXCROPS] 2.2.8.13.
    pub struct ProgressRequest {
        /// WantCancel.
        want_cancel: Truth,
    }
}

wire_struct! {
    /// RopProgress response, after its return value — [MS-OXCROPS] 2.2.8.13.
    pub struct ProgressResponse {
        /// LogonId.
        logon_id: u8,
        /// CompletedTaskCount.
        completed_task_count: u32,
        /// TotalTaskCount.
        total_task_count: u32,
    }
}

/// RopSetProperties or RopSetPropertiesNoReplicate request — [MS-OXCROPS] 2.2.8.6.1, 2.2.8.7.1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SetPropertiesRequest {
    /// PropertyValues.
    pub values: List16<TaggedPropertyValue>,
}

impl Wire for SetPropertiesRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let size = usize::from(r.u16("PropertyValueSize")?);
        let mut part = r.sub(size, "PropertyValues")?;
        let values = List16::read_field(&mut part, "PropertyValues")?;
        part.finish()?;
        Ok(Self { values })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        let mut part = Writer::new();
        self.values.write_field(&mut part)?;
        w.bytes16(part.as_slice(), "PropertyValueSize")
    }
}

wire_struct! {
    /// PropertyProblem — [MS-OXCDATA] 2.7.
    #[derive(Copy, Eq)]
    pub struct PropertyProblem {
        /// Index in the list of the request.
        index: u16,
        /// PropertyTag.
        tag: PropTag,
        /// ErrorCode.
        code: MapiCode,
    } = 10
}

wire_nested!(PropertyProblem);

wire_struct! {
    /// The response of ROPs that set or delete properties — [MS-OXCROPS] 2.2.8.6.2 to 2.2.8.9.2.
    #[derive(Default)]
    pub struct PropertyProblemsResponse {
        /// PropertyProblems.
        problems: List16<PropertyProblem>,
    }
}

/// RopCopyProperties or RopCopyTo response — [MS-OXCROPS] 2.2.8.11.2, 2.2.8.12.2.
#[derive(Debug, Clone, PartialEq)]
pub enum CopiedPropertiesResponse {
    /// What could not be copied.
    Problems(List16<PropertyProblem>),
    /// DestHandleIndex: ReturnValue is ecDstNullObject.
    NullDestination(u32),
}

impl ResponseFields for CopiedPropertiesResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        Ok(match context.return_value {
            MapiCode::DestinationNullObject => Some(Self::NullDestination(r.u32("DestHandleIndex")?)),
            code if code.is_error() => None,
            _ => Some(Self::Problems(List16::read_field(r, "PropertyProblems")?)),
        })
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Problems(problems) => problems.write_field(w),
            Self::NullDestination(index) => {
                w.u32(*index);
                Ok(())
            }
        }
    }
}

/// RopGetPropertiesSpecific response — [MS-OXCROPS] 2.2.8.3.2.
#[derive(Debug, Clone, PartialEq)]
pub struct GetPropertiesSpecificResponse {
    /// RowData: one value for each tag of the request.
    pub row: PropertyRow,
}

impl ResponseFields for GetPropertiesSpecificResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() {
            return Ok(None);
        }
        let columns: &[PropTag] = match context.request.map(|q| &q.body) {
            Some(RequestBody::GetPropertiesSpecific(request)) => &request.tags,
            _ => context.columns,
        };
        Ok(Some(Self { row: PropertyRow::read(r, columns)? }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.row.write(w)
    }
}

/// RopQueryNamedProperties response — [MS-OXCROPS] 2.2.8.10.2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryNamedPropertiesResponse {
    /// PropertyIds.
    pub prop_ids: Vec<PropId>,
    /// PropertyNames, as many.
    pub names: Vec<MaybePropName>,
}

impl Wire for QueryNamedPropertiesResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let prop_ids = List16::<PropId>::read_field(r, "PropertyIds")?.0;
        let names = prop_ids.iter().map(|_| MaybePropName::read(r)).collect::<Result<_, _>>()?;
        Ok(Self { prop_ids, names })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.prop_ids.len(), "IdCount")?;
        self.prop_ids.iter().for_each(|id| w.u16(id.0));
        self.names.iter().try_for_each(|name| name.write(w))
    }
}
