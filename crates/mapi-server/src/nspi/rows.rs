//! Rows of entries, and places in their table — [MS-OXNSPI] 3.1.4.5.

use watertight_mapi::nspi::{
    CP_UNICODE, Cell, CellValue, ColumnsAndRows, EPHEMERAL_IDS, List32, MID_BEGINNING, MID_CURRENT, MID_END,
    Row, Stat, tags,
};
use watertight_mapi::{MapiCode, PropTag, PropType};
use watertight_wire::to_usize;

use super::Desk;
use super::directory::{Entries, Entry};
use super::entry::{Form, value};
use crate::code_page;

/// The most columns of a row.
const MAX_COLUMNS: usize = 500;
/// The most cells of an answer.
const MAX_CELLS: usize = 50_000;

/// The columns of rows when a client names none — [MS-OXNSPI] 3.1.4.1.8.
const DEFAULT: [PropTag; 7] = [
    tags::CONTAINER_ID,
    tags::OBJECT_TYPE,
    tags::DISPLAY_TYPE,
    tags::DISPLAY_NAME.with_type(PropType::String8),
    PropTag(0x3A1A_001E),
    tags::DEPARTMENT.with_type(PropType::String8),
    tags::OFFICE.with_type(PropType::String8),
];

/// Where a request is: in the global address list, or nowhere.
pub(crate) fn stat(state: Option<&Stat>) -> Result<Stat, MapiCode> {
    let stat = *state.ok_or(MapiCode::InvalidParameter)?;
    if stat.container_id == 0 { Ok(stat) } else { Err(MapiCode::InvalidBookmark) }
}

/// The same, of an operation that makes strings of bytes: a code page that has none is refused.
pub(crate) fn stat_with_code_page(state: Option<&Stat>) -> Result<Stat, MapiCode> {
    let stat = stat(state)?;
    if stat.code_page == CP_UNICODE || !code_page::is_known(stat.code_page) {
        return Err(MapiCode::NotSupported);
    }
    Ok(stat)
}

impl Desk {
    /// How values are wanted in that place, with those flags.
    pub(crate) fn form(&self, stat: &Stat, flags: u32) -> Form {
        let ephemeral = (flags & EPHEMERAL_IDS != 0).then_some(self.server);
        Form { code_page: stat.code_page, ephemeral }
    }

    /// Rows of entries; of one that is not there, each cell says so.
    pub(crate) fn rows<'a>(
        &self,
        columns: Vec<PropTag>,
        entries: impl Iterator<Item = Option<&'a Entry>>,
        form: Form,
    ) -> ColumnsAndRows {
        let rows = entries.map(|entry| Row::new(columns.iter().map(|tag| cell(entry, *tag, form)).collect()));
        let rows = rows.collect();
        ColumnsAndRows { columns, rows }
    }
}

fn cell(entry: Option<&Entry>, tag: PropTag, form: Form) -> Cell {
    let found = entry.map_or(Err(MapiCode::NotFound), |entry| match tag {
        tags::CONTAINER_ID => Ok(0.into()),
        tag => value(entry, tag, form),
    });
    Cell::new(tag, found.map_or_else(CellValue::Error, CellValue::Value))
}

/// The columns that a client wants, and how many rows of them an answer holds.
pub(crate) fn columns(wanted: Option<&List32<PropTag>>) -> Result<(Vec<PropTag>, usize), MapiCode> {
    let columns = wanted.map_or_else(|| DEFAULT.to_vec(), |wanted| wanted.0.clone());
    if columns.len() > MAX_COLUMNS {
        return Err(MapiCode::TableTooBig);
    }
    let most = MAX_CELLS.checked_div(columns.len().max(1)).unwrap_or(MAX_CELLS);
    Ok((columns, most))
}

impl Entries {
    /// The row at which a client is, and the one from which its Delta counts. The one after the last has no entry.
    ///
    /// # Errors
    /// NotFound for an entry that is not there — [MS-OXNSPI] 3.1.4.5.1.
    pub(crate) fn position(&self, stat: &Stat) -> Result<(usize, usize), MapiCode> {
        let total = self.len();
        let from = match stat.current_rec {
            MID_BEGINNING => 0,
            MID_END => total,
            // 3.1.4.5.2: a fraction of what the client believes that there is.
            MID_CURRENT => {
                let part = u64::from(stat.num_pos).saturating_mul(watertight_wire::to_u64(total));
                let part = part.checked_div(u64::from(stat.total_recs)).unwrap_or(0);
                usize::try_from(part).unwrap_or(total).min(total)
            }
            id => self.row(id).ok_or(MapiCode::NotFound)?,
        };
        let steps = to_usize(stat.delta.unsigned_abs());
        let row =
            if stat.delta < 0 { from.saturating_sub(steps) } else { from.saturating_add(steps).min(total) };
        Ok((row, from))
    }

    /// The place of a row.
    pub(crate) fn stat_at(&self, stat: &Stat, row: usize) -> Stat {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Stat {
            current_rec: self.all().get(row).map_or(MID_END, |entry| entry.id),
            delta: 0,
            num_pos: number(row),
            total_recs: number(self.len()),
            ..*stat
        }
    }
}
