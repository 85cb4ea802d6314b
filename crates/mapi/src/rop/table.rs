//! Table ROPs — [MS-OXCROPS] 2.2.5; [MS-OXCTABL].

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_struct};

use super::{
    answer::{Context, ResponseFields},
    field::{Bytes16, List16, Restriction16, Truth, items},
};
use crate::{PropTag, prop::wire::PropertyRow};

wire_struct! {
    /// RopSetColumns request — [MS-OXCROPS] 2.2.5.1.
    pub struct SetColumnsRequest {
        /// SetColumnsFlags.
        flags: u8,
        /// PropertyTags.
        columns: List16<PropTag>,
    }
}

wire_struct! {
    /// RopRestrict request — [MS-OXCROPS] 2.2.5.3.
    pub struct RestrictRequest {
        /// RestrictFlags.
        flags: u8,
        /// RestrictionData.
        restriction: Restriction16,
    }
}

wire_struct! {
    /// RopQueryRows request — [MS-OXCROPS] 2.2.5.4.
    pub struct QueryRowsRequest {
        /// QueryRowsFlags.
        flags: u8,
        /// ForwardRead.
        forward_read: Truth,
        /// RowCount.
        row_count: u16,
    }
}

wire_struct! {
    /// RopQueryPosition response, after its return value — [MS-OXCROPS] 2.2.5.7.
    pub struct QueryPositionResponse {
        /// Numerator.
        numerator: u32,
        /// Denominator.
        denominator: u32,
    }
}

wire_struct! {
    /// RopSeekRow request — [MS-OXCROPS] 2.2.5.8.
    pub struct SeekRowRequest {
        /// Origin.
        origin: u8,
        /// RowCount.
        row_count: i32,
        /// WantRowMovedCount.
        want_row_moved_count: Truth,
    }
}

wire_struct! {
    /// RopSeekRow response, after its return value — [MS-OXCROPS] 2.2.5.8.
    pub struct SeekRowResponse {
        /// HasSoughtLess.
        has_sought_less: Truth,
        /// RowsSought.
        rows_sought: i32,
    }
}

wire_struct! {
    /// RopSeekRowBookmark request — [MS-OXCROPS] 2.2.5.9.
    pub struct SeekRowBookmarkRequest {
        /// Bookmark.
        bookmark: Bytes16,
        /// RowCount.
        row_count: i32,
        /// WantRowMovedCount.
        want_row_moved_count: Truth,
    }
}

wire_struct! {
    /// RopSeekRowBookmark response, after its return value — [MS-OXCROPS] 2.2.5.9.
    pub struct SeekRowBookmarkResponse {
        /// RowNoLongerVisible.
        row_no_longer_visible: Truth,
        /// HasSoughtLess.
        has_sought_less: Truth,
        /// RowsSought.
        rows_sought: i32,
    }
}

wire_struct! {
    /// RopSeekRowFractional request — [MS-OXCROPS] 2.2.5.10.
    pub struct SeekRowFractionalRequest {
        /// Numerator.
        numerator: u32,
        /// Denominator.
        denominator: u32,
    }
}

wire_struct! {
    /// RopCreateBookmark response, after its return value — [MS-OXCROPS] 2.2.5.11.
    pub struct CreateBookmarkResponse {
        /// Bookmark.
        bookmark: Bytes16,
    }
}

wire_struct! {
    /// RopQueryColumnsAll response, after its return value — [MS-OXCROPS] 2.2.5.12.
    pub struct QueryColumnsAllResponse {
        /// PropertyTags.
        columns: List16<PropTag>,
    }
}

wire_struct! {
    /// RopFindRow request — [MS-OXCROPS] 2.2.5.13.
    pub struct FindRowRequest {
        /// FindRowFlags.
        flags: u8,
        /// RestrictionData.
        restriction: Restriction16,
        /// Origin.
        origin: u8,
        /// Bookmark.
        bookmark: Bytes16,
    }
}

wire_struct! {
    /// RopFreeBookmark request — [MS-OXCROPS] 2.2.5.14.
    pub struct FreeBookmarkRequest {
        /// Bookmark.
        bookmark: Bytes16,
    }
}

wire_struct! {
    /// RopExpandRow request — [MS-OXCROPS] 2.2.5.16.
    pub struct ExpandRowRequest {
        /// MaxRowCount.
        max_row_count: u16,
        /// CategoryId.
        category_id: u64,
    }
}

wire_struct! {
    /// RopCollapseRow request — [MS-OXCROPS] 2.2.5.17.
    pub struct CollapseRowRequest {
        /// CategoryId.
        category_id: u64,
    }
}

wire_struct! {
    /// RopCollapseRow response, after its return value — [MS-OXCROPS] 2.2.5.17.
    pub struct CollapseRowResponse {
        /// CollapsedRowCount.
        collapsed_row_count: u32,
    }
}

wire_struct! {
    /// RopGetCollapseState request — [MS-OXCROPS] 2.2.5.18.
    pub struct GetCollapseStateRequest {
        /// RowId.
        row_id: u64,
        /// RowInstanceNumber.
        row_instance_number: u32,
    }
}

wire_struct! {
    /// RopGetCollapseState response, after its return value — [MS-OXCROPS] 2.2.5.18.
    pub struct GetCollapseStateResponse {
        /// CollapseState.
        collapse_state: Bytes16,
    }
}

wire_struct! {
    /// RopSetCollapseState request — [MS-OXCROPS] 2.2.5.19.
    pub struct SetCollapseStateRequest {
        /// CollapseState.
        collapse_state: Bytes16,
    }
}

wire_struct! {
    /// RopSetCollapseState response, after its return value — [MS-OXCROPS] 2.2.5.19.
    pub struct SetCollapseStateResponse {
        /// Bookmark.
        bookmark: Bytes16,
    }
}

/// SortOrder — [MS-OXCDATA] 2.13.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortOrder {
    /// PropertyType and PropertyId.
    pub tag: PropTag,
    /// Order: 0 ascending, 1 descending, 4 by the maximum of the category.
    pub order: u8,
}

/// RopSortTable request — [MS-OXCROPS] 2.2.5.2.1 (a SortOrderSet of [MS-OXCDATA] 2.13.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortTableRequest {
    /// SortTableFlags.
    pub flags: u8,
    /// CategoryCount.
    pub category_count: u16,
    /// ExpandedCount.
    pub expanded_count: u16,
    /// SortOrders.
    pub orders: Vec<SortOrder>,
}

impl Wire for SortTableRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let flags = r.u8("SortTableFlags")?;
        let count = r.u16("SortOrderCount")?;
        let category_count = r.u16("CategoryCount")?;
        let expanded_count = r.u16("ExpandedCount")?;
        let orders = items(r, u32::from(count), "SortOrders", |r| {
            Ok(SortOrder { tag: PropTag::read_field(r, "PropertyTag")?, order: r.u8("Order")? })
        })?;
        Ok(Self { flags, category_count, expanded_count, orders })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.flags);
        w.len16(self.orders.len(), "SortOrderCount")?;
        w.u16(self.category_count);
        w.u16(self.expanded_count);
        for order in &self.orders {
            w.u32(order.tag.0);
            w.u8(order.order);
        }
        Ok(())
    }
}

wire_struct! {
    /// The response of ROPs that tell the state of a table — [MS-OXCROPS] 2.2.5.1.2 and others.
    #[derive(Copy, Eq)]
    pub struct TableStatusResponse {
        /// TableStatus.
        table_status: u8,
    }
}

/// RopQueryRows response — [MS-OXCROPS] 2.2.5.4.2. Its columns are those of RopSetColumns.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRowsResponse {
    /// Origin.
    pub origin: u8,
    /// RowData.
    pub rows: Vec<PropertyRow>,
}

impl ResponseFields for QueryRowsResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() {
            return Ok(None);
        }
        let origin = r.u8("Origin")?;
        let count = r.u16("RowCount")?;
        let rows = items(r, u32::from(count), "RowData", |r| PropertyRow::read(r, context.columns))?;
        Ok(Some(Self { origin, rows }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.origin);
        w.len16(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| row.write(w))
    }
}

/// RopFindRow response — [MS-OXCROPS] 2.2.5.13.2.
#[derive(Debug, Clone, PartialEq)]
pub struct FindRowResponse {
    /// RowNoLongerVisible.
    pub row_no_longer_visible: Truth,
    /// HasRowData and RowData.
    pub row: Option<PropertyRow>,
}

impl ResponseFields for FindRowResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() {
            return Ok(None);
        }
        let row_no_longer_visible = Truth::read_field(r, "RowNoLongerVisible")?;
        let row = match r.u8("HasRowData")? {
            0 => None,
            _ => Some(PropertyRow::read(r, context.columns)?),
        };
        Ok(Some(Self { row_no_longer_visible, row }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.row_no_longer_visible.write_field(w)?;
        w.u8(u8::from(self.row.is_some()));
        self.row.iter().try_for_each(|row| row.write(w))
    }
}

/// RopExpandRow response — [MS-OXCROPS] 2.2.5.16.2.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpandRowResponse {
    /// ExpandedRowCount.
    pub expanded_row_count: u32,
    /// RowData.
    pub rows: Vec<PropertyRow>,
}

impl ResponseFields for ExpandRowResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() {
            return Ok(None);
        }
        let expanded_row_count = r.u32("ExpandedRowCount")?;
        let count = r.u16("RowCount")?;
        let rows = items(r, u32::from(count), "RowData", |r| PropertyRow::read(r, context.columns))?;
        Ok(Some(Self { expanded_row_count, rows }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.expanded_row_count);
        w.len16(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| row.write(w))
    }
}
