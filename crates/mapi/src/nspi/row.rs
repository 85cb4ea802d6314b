//! Rows of the address book — [MS-OXCMAPIHTTP] 2.2.1.4 to 2.2.1.7.

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, to_usize, wire_nested};

use super::field::List32;
use super::value::{may_be_missing, read_value, write_value};
use crate::{MapiCode, PropTag, PropType, PropValue};

/// AddressBookPropertyRow — [MS-OXCMAPIHTTP] 2.2.1.7. Its layout depends on the columns that it answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Flags: whether each value has a flag in front.
    pub flagged: bool,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// One value of a row — [MS-OXCMAPIHTTP] 2.2.1.1, 2.2.1.4, 2.2.1.5, 2.2.1.6.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// PropertyType in front, for a column of PtypUnspecified.
    pub prefix: Option<PropType>,
    /// The value, or why there is none.
    pub value: CellValue,
}

/// The value of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum CellValue {
    /// The value.
    Value(PropValue),
    /// The flag says that there is a value, and its HasValue that there is none.
    Missing,
    /// 0x01: the entry has no such value.
    Absent,
    /// 0x0A: the value cannot be had.
    Error(MapiCode),
}

/// LargePropertyTagArray and the rows that answer it — [MS-OXCMAPIHTTP] 2.2.5, Columns, RowCount and RowData.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnsAndRows {
    /// Columns.
    pub columns: Vec<PropTag>,
    /// RowData.
    pub rows: Vec<Row>,
}

impl Cell {
    /// The cell of a column.
    #[must_use]
    pub fn new(column: PropTag, value: CellValue) -> Self {
        let prefix = (column.ty() == PropType::Unspecified).then(|| match &value {
            CellValue::Value(value) => value.ty(),
            CellValue::Missing => PropType::Unicode,
            CellValue::Absent => PropType::Unspecified,
            CellValue::Error(_) => PropType::Error,
        });
        Self { prefix, value }
    }
}

impl Row {
    /// The row of cells, with flags where one of them has no value.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        let flagged = cells.iter().any(|cell| matches!(cell.value, CellValue::Absent | CellValue::Error(_)));
        Self { flagged, cells }
    }

    fn read(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Self, WireError> {
        r.within("AddressBookPropertyRow", |r| {
            let flagged = match r.u8("Flags")? {
                0 => false,
                1 => true,
                other => return Err(r.invalid("Flags", other)),
            };
            // Every cell takes a byte at least, so there are no more cells than bytes.
            let cells =
                columns.iter().map(|column| read_cell(r, *column, flagged)).collect::<Result<_, _>>()?;
            Ok(Self { flagged, cells })
        })
    }

    fn write(&self, w: &mut Writer, columns: &[PropTag]) -> Result<(), WireError> {
        w.u8(u8::from(self.flagged));
        for (cell, column) in self.cells.iter().zip(columns) {
            let ty = cell.prefix.unwrap_or_else(|| column.ty());
            if let Some(prefix) = cell.prefix {
                w.u16(prefix.0);
            }
            match &cell.value {
                CellValue::Absent => w.u8(1),
                CellValue::Error(code) => {
                    w.u8(0x0a);
                    w.u32(code.0);
                }
                CellValue::Value(_) | CellValue::Missing => {
                    if self.flagged {
                        w.u8(0);
                    }
                    let value = match &cell.value {
                        CellValue::Value(value) => Some(value),
                        _ => None,
                    };
                    write_value(w, ty, value)?;
                }
            }
        }
        Ok(())
    }
}

fn read_cell(r: &mut Reader<'_>, column: PropTag, flagged: bool) -> Result<Cell, WireError> {
    let (prefix, ty) = if column.ty() == PropType::Unspecified {
        let ty = PropType::read_field(r, "PropertyType")?;
        (Some(ty), ty)
    } else {
        (None, column.ty())
    };
    let value = match if flagged { r.u8("Flag")? } else { 0 } {
        0 => read_value(r, ty)?.map_or(CellValue::Missing, CellValue::Value),
        1 => CellValue::Absent,
        0x0a => CellValue::Error(MapiCode(r.u32("ErrorCode")?)),
        other => return Err(r.invalid("Flag", other)),
    };
    debug_assert!(may_be_missing(ty) || value != CellValue::Missing, "only these may be missing");
    Ok(Cell { prefix, value })
}

impl ColumnsAndRows {
    /// The value of a column in a row.
    #[must_use]
    pub fn value<'a>(&self, row: &'a Row, tag: PropTag) -> Option<&'a PropValue> {
        let at = self.columns.iter().position(|column| column.id() == tag.id())?;
        match &row.cells.get(at)?.value {
            CellValue::Value(PropValue::Error(_)) => None,
            CellValue::Value(value) => Some(value),
            CellValue::Missing | CellValue::Absent | CellValue::Error(_) => None,
        }
    }
}

impl Wire for ColumnsAndRows {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let columns = List32::<PropTag>::read_field(r, "Columns")?.0;
        let count = to_usize(r.u32("RowCount")?);
        let count = r.count(count, 1, "RowCount")?;
        let rows = (0..count).map(|_| Row::read(r, &columns)).collect::<Result<_, _>>()?;
        Ok(Self { columns, rows })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len32(self.columns.len(), "Columns")?;
        for column in &self.columns {
            w.u32(column.0);
        }
        w.len32(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| row.write(w, &self.columns))
    }
}
wire_nested!(ColumnsAndRows);
