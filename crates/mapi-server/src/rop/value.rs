//! Values in the type that a client asks for — [MS-OXCPRPT] 3.2.5.1, and the bounds of rows and buffers.

use watertight_mapi::{
    MapiCode, PropTag, PropType, PropValue,
    prop::{
        PropData,
        wire::{Cell, CellValue, PropertyRow, TaggedPropertyValue, write_value},
    },
};
use watertight_wire::Writer;

use super::text;

/// Characters of a string, or half of the bytes of a binary value, that a row of a table shows at most — [MS-OXCTABL]
/// 2.2.2.1.
const TABLE_LIMIT: usize = 255;

/// The value in the type that was asked for: strings in either string type, integers in either width. With
/// PtypUnspecified the value as it is, strings as the client wants them.
pub(super) fn convert(value: PropValue, ty: PropType, code_page: u32, unicode: bool) -> Option<PropValue> {
    let ty = match ty {
        PropType::Unspecified if unicode => return Some(value),
        PropType::Unspecified => match value.ty() {
            PropType::Unicode => PropType::String8,
            PropType::MvUnicode => PropType::MvString8,
            other => other,
        },
        ty => ty,
    };
    if value.ty() == ty {
        return Some(value);
    }
    Some(match (value, ty) {
        (PropValue::Unicode(v), PropType::String8) => PropValue::String8(text::encode(code_page, &v)),
        (PropValue::String8(v), PropType::Unicode) => PropValue::Unicode(text::decode(code_page, &v)),
        (PropValue::MvUnicode(v), PropType::MvString8) => {
            PropValue::MvString8(v.iter().map(|v| text::encode(code_page, v)).collect())
        }
        (PropValue::MvString8(v), PropType::MvUnicode) => {
            PropValue::MvUnicode(v.iter().map(|v| text::decode(code_page, v)).collect())
        }
        (PropValue::I64(v), PropType::I32) => PropValue::I32(i32::try_from(v).unwrap_or(i32::MAX)),
        (PropValue::I32(v), PropType::I64) => PropValue::I64(i64::from(v)),
        (PropValue::I16(v), PropType::I32) => PropValue::I32(i32::from(v)),
        _ => return None,
    })
}

/// The value as it is kept: strings as Unicode.
pub(super) fn incoming(value: PropValue, code_page: u32) -> PropValue {
    match value {
        PropValue::String8(v) => PropValue::Unicode(text::decode(code_page, &v)),
        PropValue::MvString8(v) => {
            PropValue::MvUnicode(v.iter().map(|v| text::decode(code_page, v)).collect())
        }
        other => other,
    }
}

/// The cell of a column.
pub(super) fn cell(column: PropTag, data: Option<PropData>, code_page: u32, unicode: bool) -> Cell {
    let value = match data {
        None => CellValue::Error(MapiCode::NotFound),
        Some(PropData::Large(_)) => CellValue::Error(MapiCode::NotEnoughMemory),
        Some(PropData::Inline(PropValue::Error(code))) if column.ty() != PropType::Error => {
            CellValue::Error(code)
        }
        Some(PropData::Inline(value)) => match convert(value, column.ty(), code_page, unicode) {
            None => CellValue::Error(MapiCode::NotFound),
            Some(value) if size(&value).is_none() => CellValue::Error(MapiCode::NotEnoughMemory),
            Some(value) => CellValue::Value(value),
        },
    };
    Cell::new(column, value)
}

/// The value as a table shows it: long strings and long bytes are cut.
pub(super) fn cut(value: PropValue) -> PropValue {
    match value {
        PropValue::Unicode(v) => PropValue::Unicode(v.chars().take(TABLE_LIMIT).collect()),
        PropValue::String8(mut v) => {
            v.truncate(TABLE_LIMIT);
            PropValue::String8(v)
        }
        PropValue::Binary(mut v) => {
            v.truncate(TABLE_LIMIT.saturating_mul(2));
            PropValue::Binary(v)
        }
        other => other,
    }
}

/// Bytes of a value on the wire; `None` when it has no form in a ROP buffer.
pub(super) fn size(value: &PropValue) -> Option<usize> {
    let mut w = Writer::new();
    write_value(&mut w, value).ok()?;
    Some(w.len())
}

/// Makes a row fit by leaving out its longest values, each with the error that says to open a stream. Returns
/// whether any is left out now.
pub(super) fn fit_row(row: &mut PropertyRow, limit: usize) -> bool {
    let mut sizes: Vec<usize> =
        row.cells.iter().map(|cell| cell.value().and_then(size).unwrap_or(4).saturating_add(3)).collect();
    let mut total: usize = sizes.iter().sum::<usize>().saturating_add(1);
    let mut cut = false;
    while total > limit {
        let longest =
            (0..).zip(&sizes).max_by_key(|(_, size)| **size).map(|(i, size): (usize, _)| (i, *size));
        let Some((at, longest)) = longest.filter(|(_, size)| *size > 7) else { break };
        if let (Some(cell), Some(size)) = (row.cells.get_mut(at), sizes.get_mut(at)) {
            cell.value = CellValue::Error(MapiCode::NotEnoughMemory);
            cell.prefix = cell.prefix.map(|_| PropType::Error);
            *size = 7;
            cut = true;
        }
        total = total.saturating_sub(longest).saturating_add(7);
    }
    row.flagged |= cut;
    cut
}

/// Makes a list of values fit by leaving out the longest, each as an error in its place.
pub(super) fn fit_values(values: &mut [TaggedPropertyValue], limit: usize) {
    let mut sizes: Vec<usize> =
        values.iter().map(|v| size(&v.value).unwrap_or(0).saturating_add(4)).collect();
    let mut total: usize = sizes.iter().sum();
    while total > limit {
        let longest =
            (0..).zip(&sizes).max_by_key(|(_, size)| **size).map(|(i, size): (usize, _)| (i, *size));
        let Some((at, longest)) = longest.filter(|(_, size)| *size > 8) else { break };
        if let (Some(value), Some(size)) = (values.get_mut(at), sizes.get_mut(at)) {
            *value = TaggedPropertyValue::new(value.tag, MapiCode::NotEnoughMemory.into());
            *size = 8;
        }
        total = total.saturating_sub(longest).saturating_add(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_values_give_way() {
        let columns = [PropTag(0x1001_001f), PropTag(0x1002_0102), PropTag(0x1003_0003)];
        let values: [PropValue; 3] = ["short".into(), vec![0_u8; 1000].into(), 7.into()];
        let cells = columns.iter().zip(values).map(|(&c, v)| Cell::new(c, CellValue::Value(v))).collect();
        let mut row = PropertyRow::new(cells);
        assert!(fit_row(&mut row, 100));
        assert!(row.flagged);
        assert_eq!(row.cells[1].value, CellValue::Error(MapiCode::NotEnoughMemory));
        assert!(row.cells[0].value().is_some() && row.cells[2].value().is_some());
        let mut w = Writer::new();
        row.write(&mut w).unwrap();
        assert!(w.len() <= 100);
    }

    #[test]
    fn types_give_way_to_what_is_asked() {
        assert_eq!(convert("é".into(), PropType::String8, 1252, true), Some(PropValue::String8(vec![0xe9])));
        assert_eq!(convert("a".into(), PropType::Unspecified, 1252, true), Some("a".into()));
        assert_eq!(convert(PropValue::I64(5), PropType::I32, 1252, true), Some(PropValue::I32(5)));
        assert_eq!(convert("a".into(), PropType::I32, 1252, true), None);
    }
}
