//! Rows that are looked for — [MS-OXCTABL] 3.2.5.14.

use std::borrow::Cow;

use watertight_mapi::{
    MapiCode, PropTag, PropValue,
    prop::{PropBag, PropData, tags, wire::PropertyRow},
    restriction::{PropSource, Restriction},
    rop::{
        Request, ResponseBody,
        table::{FindRowRequest, FindRowResponse},
    },
    store::{ContentsView, MessageRow, StoreError},
};

use super::{Kind, PAGE, Table, failed, rows::FolderRow};
use crate::rop::{
    Answer, Outcome, Session,
    logon::Logon,
    property::{head_value, stored},
    refused,
};

/// FindRowFlags — [MS-OXCTABL] 2.2.2.14.1: perform the find backwards.
const BACKWARDS: u8 = 0x01;

/// A message of a contents table as a restriction sees it.
struct MessageSource<'a> {
    logon: &'a Logon,
    row: &'a MessageRow,
    /// What the row does not hold, where the restriction asks for it.
    recipients: &'a [PropBag],
    attachments: &'a [PropBag],
}

impl PropSource for MessageSource<'_> {
    fn prop(&self, tag: PropTag) -> Option<Cow<'_, PropValue>> {
        if let Some(value) = head_value(self.logon, &self.row.head, &self.row.props, tag) {
            return Some(Cow::Owned(value));
        }
        match stored(&self.row.props, tag)? {
            PropData::Inline(value) => Some(Cow::Owned(value)),
            PropData::Large(_) => None,
        }
    }

    fn size(&self, tag: PropTag) -> Option<u64> {
        match head_value(self.logon, &self.row.head, &self.row.props, tag) {
            Some(value) => {
                let mut bag = PropBag::default();
                bag.set(tag, value);
                PropSource::size(&bag, tag)
            }
            None => PropSource::size(&self.row.props, tag),
        }
    }

    fn any_subobject(&self, tag: PropTag, f: &mut dyn FnMut(&dyn PropSource) -> bool) -> bool {
        if tag.id() == tags::MESSAGE_RECIPIENTS.id() {
            self.recipients.iter().any(|bag| f(bag))
        } else if tag.id() == tags::MESSAGE_ATTACHMENTS.id() {
            self.attachments.iter().any(|bag| f(bag))
        } else {
            false
        }
    }
}

/// The properties that a restriction asks a message for, and whether it asks for what is in the message.
fn asked(restriction: &Restriction, tags: &mut Vec<PropTag>) -> bool {
    match restriction {
        Restriction::And(all) | Restriction::Or(all) => {
            // All of them, so no short cut.
            all.iter().fold(false, |sub, r| asked(r, tags) | sub)
        }
        Restriction::Not(inner) | Restriction::Count { restriction: inner, .. } => asked(inner, tags),
        Restriction::Comment { restriction: inner, .. } => inner.as_ref().is_some_and(|r| asked(r, tags)),
        Restriction::Content { tag, .. }
        | Restriction::Property { tag, .. }
        | Restriction::Bitmask { tag, .. }
        | Restriction::Size { tag, .. }
        | Restriction::Exist { tag } => {
            tags.push(*tag);
            false
        }
        Restriction::CompareProps { left, right, .. } => {
            tags.extend([*left, *right]);
            false
        }
        Restriction::SubObject { .. } => true,
        _ => false,
    }
}

impl Table {
    /// The place of the first row that matches, from a place on, or backwards from the row before it.
    async fn find(
        &self,
        logon: &Logon,
        restriction: &Restriction,
        from: usize,
        backwards: bool,
    ) -> Result<Option<usize>, MapiCode> {
        let len = self.len();
        let mut at = from.min(len);
        loop {
            let (start, end) = if backwards {
                (at.saturating_sub(PAGE), at)
            } else {
                (at, at.saturating_add(PAGE).min(len))
            };
            if start >= end {
                return Ok(None);
            }
            let found = match &self.kind {
                Kind::Hierarchy(hierarchy) => {
                    let ids = hierarchy.ids.get(start..end).unwrap_or_default();
                    let mut matching = Vec::new();
                    for (place, &(id, depth)) in (start..).zip(ids) {
                        match logon.mailbox.folder(id, hierarchy.deleted).await {
                            Ok(folder) => {
                                if restriction.matches(&FolderRow { logon, folder: &folder, depth }) {
                                    matching.push(place);
                                }
                            }
                            // Deleted since the table was made.
                            Err(StoreError::NotFound(_)) => {}
                            Err(error) => return Err(failed(error)),
                        }
                    }
                    matching
                }
                Kind::Contents { view, .. } => {
                    matching_messages(&**view, logon, restriction, start, end).await?
                }
                Kind::Attachments(_) => return Err(MapiCode::NotSupported),
            };
            if let Some(&place) = if backwards { found.last() } else { found.first() } {
                return Ok(Some(place));
            }
            at = if backwards { start } else { end };
        }
    }

    /// The row at a place when there is room for it.
    async fn row_at(
        &self,
        logon: &Logon,
        place: usize,
        limit: usize,
        code_page: u32,
    ) -> Result<Option<PropertyRow>, MapiCode> {
        match self.rows_from(logon, place, 1, true, limit, code_page).await {
            Ok((rows, _)) => Ok(rows.into_iter().next()),
            Err(MapiCode::BufferTooSmall) => Ok(None),
            Err(code) => Err(code),
        }
    }
}

/// The places of the messages from `start` to `end` that match.
async fn matching_messages(
    view: &dyn ContentsView,
    logon: &Logon,
    restriction: &Restriction,
    start: usize,
    end: usize,
) -> Result<Vec<usize>, MapiCode> {
    let mut wanted = Vec::new();
    let inside = asked(restriction, &mut wanted);
    if wanted.iter().any(|tag| tag.id() == tags::SUBJECT.id()) {
        wanted.extend([tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT]);
    }
    wanted.push(tags::MESSAGE_FLAGS);
    let span = end.saturating_sub(start);
    let rows = view.rows(start, span, &wanted).await.map_err(failed)?;
    let mut placed: Vec<(usize, MessageRow)> = Vec::with_capacity(span);
    if rows.len() == span {
        placed.extend((start..).zip(rows));
    } else {
        // Some are gone since the view was made, and nobody knows which.
        for place in start..end {
            let row = view.rows(place, 1, &wanted).await.map_err(failed)?;
            placed.extend(row.into_iter().map(|row| (place, row)));
        }
    }
    let mut matching = Vec::new();
    for (place, row) in placed.iter().filter(|(_, row)| !row.damaged) {
        let (mut recipients, mut attachments) = (Vec::new(), Vec::new());
        if inside && let Ok(message) = logon.mailbox.message(row.head.id, true).await {
            recipients = message.content.recipients;
            attachments = message.content.attachments.into_iter().map(|a| a.props).collect();
        }
        let source = MessageSource { logon, row, recipients: &recipients, attachments: &attachments };
        if restriction.matches(&source) {
            matching.push(*place);
        }
    }
    Ok(matching)
}

impl Session {
    /// RopFindRow — [MS-OXCTABL] 3.2.5.14.
    pub(in super::super) async fn rop_find_row(
        &mut self,
        request: &Request,
        handle: u32,
        body: &FindRowRequest,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let code_page = self.origin.code_page;
        let table = self.table(request, handle)?;
        if matches!(table.kind, Kind::Attachments(_)) {
            return refused(MapiCode::NotSupported);
        }
        if table.columns.is_empty() {
            // No columns were set — [MS-OXCTABL] 3.2.5.2.
            return refused(MapiCode::NullObject);
        }
        let Some(restriction) = &body.restriction.0 else { return refused(MapiCode::InvalidParameter) };
        let (from, visible) = table.place(&logon, body.origin, &body.bookmark.0).await?;
        let found = table.find(&logon, restriction, from, body.flags & BACKWARDS != 0).await?;
        let Some(place) = found else { return refused(MapiCode::NotFound) };
        let row = table.row_at(&logon, place, limit.saturating_sub(8), code_page).await?;
        table.position = place;
        let body = FindRowResponse { row_no_longer_visible: (!visible).into(), row };
        Ok(Answer::of(ResponseBody::FindRow(body)))
    }
}
