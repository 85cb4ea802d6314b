//! PropertyRow — [MS-OXCDATA] 2.8.1.

use watertight_wire::{Reader, WireError, WireField, Writer};

use super::{read_value, write_value};
use crate::{MapiCode, PropTag, PropType, PropValue};

/// PropertyRow — [MS-OXCDATA] 2.8.1: StandardPropertyRow (every value is there) or FlaggedPropertyRow.
///
/// The layout depends on the columns that the row answers; a cell remembers whether its column left the type open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PropertyRow {
    /// Flag: whether each value has a flag in front.
    pub flagged: bool,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// One value of a row: PropertyValue, TypedPropertyValue, FlaggedPropertyValue or FlaggedPropertyValueWithType
/// ([MS-OXCDATA] 2.11.2, 2.11.3, 2.11.5, 2.11.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The type in front of the value, for a column of PtypUnspecified.
    pub prefix: Option<PropType>,
    /// The value, or why there is none.
    pub value: CellValue,
}

/// The value of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum CellValue {
    /// 0x00: the value.
    Value(PropValue),
    /// 0x01: the object has no such value.
    Absent,
    /// 0x0A: the value cannot be had.
    Error(MapiCode),
}

impl Cell {
    /// The cell of a column.
    #[must_use]
    pub fn new(column: PropTag, value: CellValue) -> Self {
        let prefix = (column.ty() == PropType::Unspecified).then(|| match &value {
            CellValue::Value(value) => value.ty(),
            CellValue::Absent => PropType::Unspecified,
            CellValue::Error(_) => PropType::Error,
        });
        Self { prefix, value }
    }

    /// The value, when there is one.
    #[must_use]
    pub const fn value(&self) -> Option<&PropValue> {
        match &self.value {
            CellValue::Value(value) => Some(value),
            CellValue::Absent | CellValue::Error(_) => None,
        }
    }
}

impl PropertyRow {
    /// The row of cells: standard when each has a value, flagged otherwise.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        let flagged = cells.iter().any(|cell| !matches!(cell.value, CellValue::Value(_)));
        Self { flagged, cells }
    }

    /// Reads the row that answers `columns`.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Self, WireError> {
        r.within("PropertyRow", |r| {
            let flagged = match r.u8("Flag")? {
                0 => false,
                1 => true,
                other => return Err(r.invalid("Flag", other)),
            };
            let mut cells = Vec::new();
            for column in columns {
                cells.push(read_cell(r, *column, flagged)?);
            }
            Ok(Self { flagged, cells })
        })
    }

    /// Appends the row.
    ///
    /// # Errors
    /// [`WireError`] when a value has no wire form.
    pub fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(u8::from(self.flagged));
        for cell in &self.cells {
            if let Some(ty) = cell.prefix {
                w.u16(ty.0);
            }
            match &cell.value {
                CellValue::Value(value) => {
                    if self.flagged {
                        w.u8(0);
                    }
                    write_value(w, value)?;
                }
                CellValue::Absent => w.u8(1),
                CellValue::Error(code) => {
                    w.u8(0x0a);
                    w.u32(code.0);
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
        0 => CellValue::Value(read_value(r, ty)?),
        1 => CellValue::Absent,
        0x0a => CellValue::Error(MapiCode(r.u32("ErrorCode")?)),
        other => return Err(r.invalid("Flag", other)),
    };
    Ok(Cell { prefix, value })
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;
    use crate::prop::tags;

    fn bytes(row: &PropertyRow) -> Vec<u8> {
        let mut w = Writer::new();
        row.write(&mut w).unwrap();
        w.into_bytes()
    }

    #[test]
    fn rows_keep_their_form() {
        let columns =
            [tags::SUBJECT, tags::IMPORTANCE, PropTag(0x3001_0000), tags::BODY, PropTag(0x3002_0000)];
        let whole = [
            CellValue::Value("a".into()),
            CellValue::Value(1.into()),
            CellValue::Value("b".into()),
            CellValue::Value("c".into()),
            CellValue::Value(true.into()),
        ];
        let holes = [
            CellValue::Value("a".into()),
            CellValue::Absent,
            CellValue::Value("b".into()),
            CellValue::Error(MapiCode::NotEnoughMemory),
            CellValue::Error(MapiCode::NotFound),
        ];
        for (cells, flagged) in [(whole, false), (holes, true)] {
            let row = PropertyRow::new(
                columns.iter().zip(cells).map(|(&column, value)| Cell::new(column, value)).collect(),
            );
            assert_eq!(row.flagged, flagged);
            let sample = bytes(&row);
            let mut r = Reader::new(&sample, "X");
            assert_eq!(PropertyRow::read(&mut r, &columns).unwrap(), row);
            r.finish().unwrap();
            survive(&sample, |b| {
                let _ = PropertyRow::read(&mut Reader::new(b, "X"), &columns);
            });
        }
    }
}
