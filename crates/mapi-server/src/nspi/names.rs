//! From names to entries — [MS-OXNSPI] 3.1.4.7 (ambiguous name resolution), 3.1.4.1.13, 3.1.4.1.17.

use watertight_mapi::MapiCode;
use watertight_mapi::nspi::body::{DnToMIdRequest, FoundMIds, NamesResolved, ResolveNamesRequest};
use watertight_mapi::nspi::{AMBIGUOUS, Has, List32, RESOLVED, UNRESOLVED};

use super::Desk;
use super::directory::{Entries, Entry};
use super::operation::{Operation, no_more};
use super::rows::{columns, stat_with_code_page};

/// The most names of one request: each may look at every entry.
const MAX_NAMES: usize = 200;

/// What a name leads to.
pub(crate) enum Found<'a> {
    Nobody,
    One(&'a Entry),
    Several,
}

impl Entries {
    /// Ambiguous name resolution: who has the name, address, account or distinguished name; else whose names begin with
    /// it, each word of it with a word. With `=` in front only the first counts, and so it does for `SMTP:` and `EX:`.
    pub(crate) fn resolve(&self, text: &str) -> Found<'_> {
        let text = text.trim();
        let (exact, text) = match text.strip_prefix('=') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let lower = text.to_lowercase();
        if let Some(address) = lower.strip_prefix("smtp:") {
            return one(self.all().iter().filter(|entry| entry.smtp_address.to_lowercase() == address));
        }
        if lower.starts_with("ex:") || lower.starts_with("/o=") {
            let dn = lower.strip_prefix("ex:").unwrap_or(&lower);
            return self.by_dn(dn).map_or(Found::Nobody, Found::One);
        }
        if lower.is_empty() {
            return Found::Nobody;
        }
        let is = |entry: &&Entry| {
            entry.key == lower
                || entry.name.to_lowercase() == lower
                || entry.smtp_address.to_lowercase() == lower
        };
        match one(self.all().iter().filter(is)) {
            Found::Nobody if !exact => one(self.all().iter().filter(|entry| entry.begins_with(&lower))),
            found => found,
        }
    }
}

impl Entry {
    /// Whether the account or address begins with a text in lower case, or each word of the text begins a word of the
    /// display name.
    pub(crate) fn begins_with(&self, text: &str) -> bool {
        let words = |word: &str| self.key.split([' ', ',', '-', '.']).any(|own| own.starts_with(word));
        self.key.starts_with(text)
            || self.name.to_lowercase().starts_with(text)
            || self.smtp_address.to_lowercase().starts_with(text)
            || text.split([' ', ',']).filter(|word| !word.is_empty()).all(words)
    }
}

fn one<'a>(mut found: impl Iterator<Item = &'a Entry>) -> Found<'a> {
    match (found.next(), found.next()) {
        (None, _) => Found::Nobody,
        (Some(entry), None) => Found::One(entry),
        _ => Found::Several,
    }
}

impl Operation for ResolveNamesRequest {
    type Answer = NamesResolved;

    fn run(&self, desk: &Desk) -> Result<NamesResolved, MapiCode> {
        let stat = stat_with_code_page(self.state.0.as_ref())?;
        let names = self.names.0.as_ref().ok_or(MapiCode::InvalidParameter)?;
        let (columns, most) = columns(self.tags.0.as_ref())?;
        if names.len() > MAX_NAMES.min(most) {
            return Err(MapiCode::OutOfResources);
        }
        let found: Vec<_> = names.iter().map(|name| desk.entries.resolve(&name.0)).collect();
        let ids = found.iter().map(|found| match found {
            Found::Nobody => UNRESOLVED,
            Found::One(_) => RESOLVED,
            Found::Several => AMBIGUOUS,
        });
        let entries = found.iter().filter_map(|found| match found {
            Found::One(entry) => Some(Some(*entry)),
            Found::Nobody | Found::Several => None,
        });
        let rows = desk.rows(columns, entries, desk.form(&stat, 0));
        Ok(NamesResolved {
            error_code: MapiCode::Success,
            code_page: stat.code_page,
            ids: Has(Some(List32(ids.collect()))),
            rows: Has(Some(rows)),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> NamesResolved {
        let code_page = self.state.as_ref().map_or(0, |stat| stat.code_page);
        NamesResolved { error_code, code_page, ids: Has(None), rows: Has(None), auxiliary: no_more() }
    }
}

impl Operation for DnToMIdRequest {
    type Answer = FoundMIds;

    fn run(&self, desk: &Desk) -> Result<FoundMIds, MapiCode> {
        let names = self.names.0.as_ref().ok_or(MapiCode::InvalidParameter)?;
        if names.len() > MAX_NAMES {
            return Err(MapiCode::OutOfResources);
        }
        let ids = names.iter().map(|name| desk.entries.by_dn(&name.0).map_or(UNRESOLVED, |entry| entry.id));
        let ids = Has(Some(List32(ids.collect())));
        Ok(FoundMIds { error_code: MapiCode::Success, ids, auxiliary: no_more() })
    }

    fn refused(&self, error_code: MapiCode) -> FoundMIds {
        FoundMIds { error_code, ids: Has(None), auxiliary: no_more() }
    }
}
