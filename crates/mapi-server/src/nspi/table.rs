//! Operations on the table of entries — [MS-OXNSPI] 3.1.4.1.4, .8 to .12.

use watertight_mapi::nspi::body::{
    CompareMIdsRequest, Compared, GetMatchesRequest, Matches, QueryRowsRequest, ResortRestrictionRequest,
    Resorted, RowsFound, SeekEntriesRequest, StatUpdated, UpdateStatRequest,
};
use watertight_mapi::nspi::{ColumnsAndRows, Has, List32, MID_BEGINNING, SORT_DISPLAY_NAME, Stat, tags};
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::restriction::{FuzzyFlags, FuzzyLevel, RelOp, Restriction};
use watertight_mapi::{MapiCode, PropTag, PropValue};
use watertight_wire::to_usize;

use super::Desk;
use super::operation::{Operation, no_more};
use super::rows::{columns, stat, stat_with_code_page};
use crate::code_page;

/// How many comparisons a restriction may take over all entries.
const MAX_COMPARISONS: usize = 10_000_000;

impl Operation for UpdateStatRequest {
    type Answer = StatUpdated;

    fn run(&self, desk: &Desk) -> Result<StatUpdated, MapiCode> {
        let stat = stat_with_code_page(self.state.0.as_ref())?;
        let (row, from) = desk.entries.position(&stat)?;
        let signed = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let delta = signed(row).saturating_sub(signed(from));
        Ok(StatUpdated {
            error_code: MapiCode::Success,
            state: Has(Some(desk.entries.stat_at(&stat, row))),
            delta: Has((self.delta_requested != 0).then_some(delta)),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> StatUpdated {
        StatUpdated { error_code, state: self.state.clone(), delta: Has(None), auxiliary: no_more() }
    }
}

impl Operation for QueryRowsRequest {
    type Answer = RowsFound;

    fn run(&self, desk: &Desk) -> Result<RowsFound, MapiCode> {
        let stat = stat(self.state.0.as_ref())?;
        let (columns, most) = columns(self.columns.0.as_ref())?;
        let form = desk.form(&stat, self.flags);
        let most = most.min(to_usize(self.row_count));
        if self.explicit.is_empty() {
            if self.row_count == 0 {
                return Err(MapiCode::InvalidParameter);
            }
            let (row, _) = desk.entries.position(&stat)?;
            let all = desk.entries.all().iter().skip(row).take(most);
            let rows = desk.rows(columns, all.map(Some), form);
            let after = row.saturating_add(rows.rows.len());
            return Ok(rows_found(desk.entries.stat_at(&stat, after), rows));
        }
        let wanted = self.explicit.iter().take(most).map(|id| desk.entries.entry(*id));
        Ok(rows_found(stat, desk.rows(columns, wanted, form)))
    }

    fn refused(&self, error_code: MapiCode) -> RowsFound {
        RowsFound { error_code, state: self.state.clone(), rows: Has(None), auxiliary: no_more() }
    }
}

fn rows_found(stat: Stat, rows: ColumnsAndRows) -> RowsFound {
    RowsFound {
        error_code: MapiCode::Success,
        state: Has(Some(stat)),
        rows: Has(Some(rows)),
        auxiliary: no_more(),
    }
}

impl Operation for SeekEntriesRequest {
    type Answer = RowsFound;

    fn run(&self, desk: &Desk) -> Result<RowsFound, MapiCode> {
        let stat = stat_with_code_page(self.state.0.as_ref())?;
        let target = self.target.0.as_ref().ok_or(MapiCode::InvalidParameter)?;
        if stat.sort_type != SORT_DISPLAY_NAME || target.tag.id() != tags::DISPLAY_NAME.id() {
            return Err(MapiCode::NotSupported);
        }
        let key = match &target.value {
            Some(PropValue::Unicode(text)) => text.to_lowercase(),
            Some(PropValue::String8(bytes)) => code_page::decode(stat.code_page, bytes).to_lowercase(),
            _ => return Err(MapiCode::InvalidParameter),
        };
        let entries = &desk.entries;
        let form = desk.form(&stat, 0);
        let wanted = self.columns.0.as_ref().map(|wanted| columns(Some(wanted))).transpose()?;
        if let Some(explicit) = self.explicit.0.as_ref() {
            let mut rows: Vec<_> = explicit.iter().filter_map(|id| entries.row(*id)).collect();
            rows.sort_unstable();
            rows.retain(|row| entries.all().get(*row).is_some_and(|entry| entry.key >= key));
            let first = *rows.first().ok_or(MapiCode::NotFound)?;
            let (columns, most) = wanted.unwrap_or_default();
            let found = rows.iter().take(most).map(|row| entries.all().get(*row));
            return Ok(rows_found(entries.stat_at(&stat, first), desk.rows(columns, found, form)));
        }
        let row = entries.all().partition_point(|entry| entry.key < key);
        let entry = entries.all().get(row).ok_or(MapiCode::NotFound)?;
        let rows = wanted.map(|(columns, _)| desk.rows(columns, std::iter::once(Some(entry)), form));
        Ok(RowsFound {
            error_code: MapiCode::Success,
            state: Has(Some(entries.stat_at(&stat, row))),
            rows: Has(rows),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> RowsFound {
        RowsFound { error_code, state: self.state.clone(), rows: Has(None), auxiliary: no_more() }
    }
}

impl Operation for GetMatchesRequest {
    type Answer = Matches;

    fn run(&self, desk: &Desk) -> Result<Matches, MapiCode> {
        let stat = stat_with_code_page(self.state.0.as_ref())?;
        let wanted = self.columns.0.as_ref().map(|wanted| columns(Some(wanted))).transpose()?;
        let most = to_usize(self.row_count);
        let mut found = Vec::new();
        // Without a filter, the entries are those that a property of an entry names; none of ours has such a property.
        if let Some(filter) = self.filter.0.as_ref() {
            let restriction = anr(&filter.0, stat.code_page);
            if restriction.tags().len().saturating_mul(desk.entries.len()) > MAX_COMPARISONS {
                return Err(MapiCode::TooComplex);
            }
            found.extend(desk.entries.all().iter().filter(|entry| restriction.matches(*entry)));
        }
        if found.len() > most {
            return Err(MapiCode::TableTooBig);
        }
        let ids = found.iter().map(|entry| entry.id).collect();
        let rows = wanted.map(|(columns, most)| {
            desk.rows(columns, found.iter().take(most).map(|entry| Some(*entry)), desk.form(&stat, 0))
        });
        Ok(Matches {
            error_code: MapiCode::Success,
            state: Has(Some(stat)),
            ids: Has(Some(List32(ids))),
            rows: Has(rows),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> Matches {
        let state = self.state.clone();
        Matches { error_code, state, ids: Has(None), rows: Has(None), auxiliary: no_more() }
    }
}

/// The same restriction, with what PidTagAnr stands for in its place.
fn anr(restriction: &Restriction, code_page: u32) -> Restriction {
    match restriction {
        Restriction::And(all) => Restriction::And(all.iter().map(|r| anr(r, code_page)).collect()),
        Restriction::Or(all) => Restriction::Or(all.iter().map(|r| anr(r, code_page)).collect()),
        Restriction::Not(inner) => Restriction::Not(Box::new(anr(inner, code_page))),
        Restriction::Property { op: RelOp::Equal, tag, value } if tag.id() == tags::ANR.id() => {
            let text = match &value.value {
                PropValue::Unicode(text) => text.clone(),
                PropValue::String8(bytes) => code_page::decode(code_page, bytes),
                _ => return Restriction::Or(Vec::new()),
            };
            let content = |level, tag: PropTag, text: String| Restriction::Content {
                level,
                flags: FuzzyFlags::IgnoreCase,
                tag,
                value: TaggedPropertyValue::new(tag, PropValue::Unicode(text)),
            };
            let text = text.trim().to_owned();
            Restriction::Or(vec![
                content(FuzzyLevel::Prefix, tags::DISPLAY_NAME, text.clone()),
                content(FuzzyLevel::Substring, tags::DISPLAY_NAME, format!(" {text}")),
                content(FuzzyLevel::Prefix, tags::ACCOUNT, text.clone()),
                content(FuzzyLevel::Prefix, tags::SMTP_ADDRESS, text),
            ])
        }
        other => other.clone(),
    }
}

impl Operation for ResortRestrictionRequest {
    type Answer = Resorted;

    fn run(&self, desk: &Desk) -> Result<Resorted, MapiCode> {
        let stat = stat_with_code_page(self.state.0.as_ref())?;
        let ids = self.ids.0.as_ref().ok_or(MapiCode::InvalidParameter)?;
        let mut rows: Vec<_> = ids.iter().filter_map(|id| desk.entries.row(*id)).collect();
        rows.sort_unstable();
        let sorted: Vec<u32> =
            rows.iter().filter_map(|row| desk.entries.all().get(*row)).map(|entry| entry.id).collect();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = sorted.iter().position(|id| *id == stat.current_rec);
        let stat = Stat {
            current_rec: if at.is_some() { stat.current_rec } else { MID_BEGINNING },
            num_pos: number(at.unwrap_or(0)),
            total_recs: number(sorted.len()),
            delta: 0,
            ..stat
        };
        Ok(Resorted {
            error_code: MapiCode::Success,
            state: Has(Some(stat)),
            ids: Has(Some(List32(sorted))),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> Resorted {
        Resorted { error_code, state: self.state.clone(), ids: Has(None), auxiliary: no_more() }
    }
}

impl Operation for CompareMIdsRequest {
    type Answer = Compared;

    fn run(&self, desk: &Desk) -> Result<Compared, MapiCode> {
        stat(self.state.0.as_ref())?;
        let row = |id| desk.entries.row(id).ok_or(MapiCode::NotFound);
        let result = match row(self.first)?.cmp(&row(self.second)?) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        };
        Ok(Compared { error_code: MapiCode::Success, result, auxiliary: no_more() })
    }

    fn refused(&self, error_code: MapiCode) -> Compared {
        Compared { error_code, result: 0, auxiliary: no_more() }
    }
}
