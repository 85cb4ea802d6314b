//! The rows of tables.

use std::borrow::Cow;

use watertight_mapi::{
    MapiCode, PropTag, PropValue,
    prop::{PropBag, PropData, tags, wire::PropertyRow},
    restriction::PropSource,
    store::{Attachment, Folder, MessageRow},
};
use watertight_wire::Writer;

use super::{Hierarchy, Kind, PAGE, Table, failed, shown};
use crate::rop::{
    logon::Logon,
    property::{attachment_value, display_names, folder_value, head_value, stored},
    value,
};

/// What the row of a damaged message still has.
const IDENTITY: [PropTag; 10] = [
    tags::MID,
    tags::INST_ID,
    tags::INSTANCE_NUM,
    tags::INSTANCE_KEY,
    tags::FOLDER_ID,
    tags::PARENT_FOLDER_ID,
    tags::ENTRY_ID,
    tags::RECORD_KEY,
    tags::ROW_TYPE,
    tags::ASSOCIATED,
];

/// A folder as a restriction of a hierarchy table sees it.
pub(super) struct FolderRow<'a> {
    pub(super) logon: &'a Logon,
    pub(super) folder: &'a Folder,
    pub(super) depth: u32,
}

impl FolderRow<'_> {
    fn get(&self, tag: PropTag) -> Option<PropData> {
        if tag.id() == tags::DEPTH.id() {
            return Some(PropData::Inline(i32::try_from(self.depth).unwrap_or(i32::MAX).into()));
        }
        folder_value(self.logon, self.folder, tag)
            .map(PropData::Inline)
            .or_else(|| stored(&self.folder.props, tag))
    }
}

impl PropSource for FolderRow<'_> {
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>> {
        match self.get(tag)? {
            PropData::Inline(value) => Some(Cow::Owned(value)),
            PropData::Large(_) => None,
        }
    }
}

/// Rows that are being gathered under a bound of bytes.
struct Gathered {
    rows: Vec<PropertyRow>,
    size: usize,
    limit: usize,
    code_page: u32,
}

impl Gathered {
    /// Takes a row when it fits; the first is made to fit.
    fn take(&mut self, columns: &[PropTag], mut get: impl FnMut(PropTag) -> Option<PropData>) -> bool {
        let cells =
            columns.iter().map(|&c| value::cell(c, get(c).map(shown), self.code_page, true)).collect();
        let mut row = PropertyRow::new(cells);
        if self.rows.is_empty() {
            value::fit_row(&mut row, self.limit);
        }
        let mut w = Writer::new();
        if row.write(&mut w).is_err() || self.size.saturating_add(w.len()) > self.limit {
            return false;
        }
        self.size = self.size.saturating_add(w.len());
        self.rows.push(row);
        true
    }
}

impl Table {
    /// Up to `most` rows from the cursor in one direction, as many as `limit` bytes hold; and where the cursor is
    /// then.
    pub(super) async fn rows(
        &self,
        logon: &Logon,
        most: usize,
        forward: bool,
        limit: usize,
        code_page: u32,
    ) -> Result<(Vec<PropertyRow>, usize), MapiCode> {
        self.rows_from(logon, self.position, most, forward, limit, code_page).await
    }

    /// The same from any place.
    pub(super) async fn rows_from(
        &self,
        logon: &Logon,
        place: usize,
        most: usize,
        forward: bool,
        limit: usize,
        code_page: u32,
    ) -> Result<(Vec<PropertyRow>, usize), MapiCode> {
        let len = self.len();
        let mut position = place.min(len);
        let mut gathered = Gathered { rows: Vec::new(), size: 0, limit, code_page };
        while gathered.rows.len() < most {
            let wanted = most.saturating_sub(gathered.rows.len()).min(PAGE);
            let (start, end) = if forward {
                (position, position.saturating_add(wanted).min(len))
            } else {
                (position.saturating_sub(wanted), position)
            };
            if start >= end {
                break;
            }
            let taken = self.page(logon, start, end, forward, &mut gathered).await?;
            position = if forward { start.saturating_add(taken) } else { end.saturating_sub(taken) };
            if taken < end.saturating_sub(start) {
                if gathered.rows.is_empty() {
                    return Err(MapiCode::BufferTooSmall);
                }
                break;
            }
        }
        Ok((gathered.rows, position))
    }

    /// Gathers the rows from `start` to `end`, backward ones last first; returns how many places the cursor moves.
    async fn page(
        &self,
        logon: &Logon,
        start: usize,
        end: usize,
        forward: bool,
        gathered: &mut Gathered,
    ) -> Result<usize, MapiCode> {
        let span = end.saturating_sub(start);
        match &self.kind {
            Kind::Hierarchy(hierarchy) => self.folders(hierarchy, logon, start, end, forward, gathered).await,
            Kind::Contents { view, .. } => {
                let wanted = stored_columns(&self.columns);
                let rows = view.rows(start, span, &wanted).await.map_err(failed)?;
                // When some are gone since the view was made, nobody knows which: then one place after another.
                if rows.len() == span {
                    return self.messages(logon, in_order(rows, forward), gathered).await;
                }
                let mut taken = 0_usize;
                for at in in_order((start..end).collect(), forward) {
                    let row = view.rows(at, 1, &wanted).await.map_err(failed)?;
                    let count = row.len();
                    if self.messages(logon, row, gathered).await? < count {
                        break;
                    }
                    taken = taken.saturating_add(1);
                }
                Ok(taken)
            }
            Kind::Attachments(message) => {
                let state = message.state();
                let page: Vec<&Attachment> =
                    state.content.attachments.iter().skip(start).take(span).collect();
                let mut taken = 0_usize;
                for attachment in in_order(page, forward) {
                    let get = |tag| {
                        attachment_value(attachment, tag)
                            .map(PropData::Inline)
                            .or_else(|| stored(&attachment.props, tag))
                    };
                    if !gathered.take(&self.columns, get) {
                        break;
                    }
                    taken = taken.saturating_add(1);
                }
                Ok(taken)
            }
        }
    }

    async fn folders(
        &self,
        hierarchy: &Hierarchy,
        logon: &Logon,
        start: usize,
        end: usize,
        forward: bool,
        gathered: &mut Gathered,
    ) -> Result<usize, MapiCode> {
        let ids = hierarchy.ids.get(start..end).unwrap_or_default().to_vec();
        let mut taken = 0_usize;
        for (id, depth) in in_order(ids, forward) {
            match logon.mailbox.folder(id, hierarchy.deleted).await {
                Ok(folder) => {
                    let row = FolderRow { logon, folder: &folder, depth };
                    if !gathered.take(&self.columns, |tag| row.get(tag)) {
                        break;
                    }
                }
                // Deleted since the table was made.
                Err(watertight_mapi::store::StoreError::NotFound(_)) => {}
                Err(error) => return Err(failed(error)),
            }
            taken = taken.saturating_add(1);
        }
        Ok(taken)
    }

    /// Gathers rows of messages; returns how many.
    async fn messages(
        &self,
        logon: &Logon,
        rows: Vec<MessageRow>,
        gathered: &mut Gathered,
    ) -> Result<usize, MapiCode> {
        let wants_names = self.columns.iter().any(|tag| display_kind(*tag).is_some());
        let mut taken = 0_usize;
        for row in rows {
            // Display names that were not stored are made of the recipients.
            let missing = wants_names
                && self
                    .columns
                    .iter()
                    .any(|tag| display_kind(*tag).is_some() && stored(&row.props, *tag).is_none());
            let recipients: Vec<PropBag> = if missing {
                match logon.mailbox.message(row.head.id, true).await {
                    Ok(message) => message.content.recipients,
                    Err(_) => Vec::new(),
                }
            } else {
                Vec::new()
            };
            let get = |tag: PropTag| {
                // Which message it is can be told; the rest is lost.
                if row.damaged && !IDENTITY.iter().any(|known| known.id() == tag.id()) {
                    return Some(PropData::Inline(PropValue::Error(MapiCode::CorruptData)));
                }
                head_value(logon, &row.head, &row.props, tag)
                    .map(PropData::Inline)
                    .or_else(|| stored(&row.props, tag))
                    .or_else(|| {
                        let names = display_names(recipients.iter(), display_kind(tag)?);
                        Some(PropData::Inline(PropValue::Unicode(names)))
                    })
            };
            if !gathered.take(&self.columns, get) {
                break;
            }
            taken = taken.saturating_add(1);
        }
        Ok(taken)
    }
}

fn in_order<T>(mut items: Vec<T>, forward: bool) -> Vec<T> {
    if !forward {
        items.reverse();
    }
    items
}

/// MAPI_TO, MAPI_CC, MAPI_BCC of a display property.
fn display_kind(tag: PropTag) -> Option<i32> {
    [(tags::DISPLAY_TO, 1), (tags::DISPLAY_CC, 2), (tags::DISPLAY_BCC, 3)]
        .into_iter()
        .find(|(known, _)| known.id() == tag.id())
        .map(|(_, kind)| kind)
}

/// The stored properties of which the columns are made.
fn stored_columns(columns: &[PropTag]) -> Vec<PropTag> {
    let mut wanted = columns.to_vec();
    let has = |tag: PropTag| columns.iter().any(|c| c.id() == tag.id());
    if has(tags::SUBJECT) {
        wanted.extend([tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT]);
    }
    wanted
}
