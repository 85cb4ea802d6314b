//! Where the cursor of a table goes, and what a table says of itself — [MS-OXCTABL] 3.2.5.6 to 3.2.5.16.

use std::collections::{BTreeMap, BTreeSet};

use watertight_mapi::{
    MapiCode, PropTag,
    prop::{PropBag, tags},
    rop::{
        Request, RequestBody, ResponseBody,
        field::{Bytes16, Empty},
        table::{
            CreateBookmarkResponse, FreeBookmarkRequest, QueryColumnsAllResponse, SeekRowBookmarkRequest,
            SeekRowBookmarkResponse, SeekRowFractionalRequest, SeekRowRequest, SeekRowResponse,
            TableStatusResponse,
        },
    },
    store::{ContentsQuery, StoreError},
};
use watertight_wire::to_u64;

use super::{BEGINNING, CURRENT, END, Kind, PAGE, Table, failed};
use crate::rop::{
    Answer, Outcome, Session,
    logon::Logon,
    property::{ATTACHMENT_PROPS, FOLDER_PROPS, MESSAGE_PROPS},
    refused,
};

/// Origin — [MS-OXCTABL] 2.2.2.1.2: BOOKMARK_CUSTOM.
const CUSTOM: u8 = 3;
/// TableStatus — [MS-OXCTABL] 2.2.2.1.3: TBLSTAT_COMPLETE. Nothing is ever done asynchronously here.
const COMPLETE: TableStatusResponse = TableStatusResponse { table_status: 0 };
/// Bookmarks that one table may have.
const MOST_BOOKMARKS: usize = 1024;
/// Rows from which the list of all columns is made.
const SAMPLE: usize = PAGE;

/// The custom bookmarks of a table: places in its rows as they are now. They end when the rows are made anew.
#[derive(Default)]
pub(super) struct Bookmarks {
    places: BTreeMap<u32, usize>,
    last: u32,
}

impl Bookmarks {
    /// A bookmark at a place.
    fn create(&mut self, place: usize) -> Result<Bytes16, MapiCode> {
        if self.places.len() >= MOST_BOOKMARKS {
            return Err(MapiCode::OutOfResources);
        }
        // A number that was used is not used again, so that what was freed stays invalid.
        self.last = self.last.checked_add(1).ok_or(MapiCode::OutOfResources)?;
        self.places.insert(self.last, place);
        Ok(Bytes16(self.last.to_le_bytes().to_vec()))
    }

    /// The place of a bookmark.
    fn get(&self, bookmark: &[u8]) -> Result<usize, MapiCode> {
        let number = number(bookmark).ok_or(MapiCode::InvalidBookmark)?;
        self.places.get(&number).copied().ok_or(MapiCode::InvalidBookmark)
    }

    /// Forgets a bookmark.
    fn free(&mut self, bookmark: &[u8]) -> Result<(), MapiCode> {
        let number = number(bookmark).ok_or(MapiCode::InvalidBookmark)?;
        self.places.remove(&number).map(drop).ok_or(MapiCode::InvalidBookmark)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }
}

fn number(bookmark: &[u8]) -> Option<u32> {
    bookmark.try_into().ok().map(u32::from_le_bytes)
}

impl Table {
    /// The place that an origin stands for, and whether the row there is still there.
    pub(super) async fn place(
        &self,
        logon: &Logon,
        origin: u8,
        bookmark: &[u8],
    ) -> Result<(usize, bool), MapiCode> {
        match origin {
            BEGINNING => Ok((0, true)),
            CURRENT => Ok((self.position.min(self.len()), true)),
            END => Ok((self.len(), true)),
            CUSTOM => {
                let place = self.bookmarks.get(bookmark)?;
                Ok((place, self.is_there(logon, place).await?))
            }
            _ => Err(MapiCode::InvalidParameter),
        }
    }

    /// Whether the row at a place is still there; the end always is.
    async fn is_there(&self, logon: &Logon, place: usize) -> Result<bool, MapiCode> {
        if place >= self.len() {
            return Ok(true);
        }
        match &self.kind {
            Kind::Contents { view, .. } => Ok(!view.rows(place, 1, &[]).await.map_err(failed)?.is_empty()),
            Kind::Hierarchy(hierarchy) => {
                let Some(&(id, _)) = hierarchy.ids.get(place) else { return Ok(false) };
                match logon.mailbox.folder(id, hierarchy.deleted).await {
                    Ok(_) => Ok(true),
                    Err(StoreError::NotFound(_)) => Ok(false),
                    Err(error) => Err(failed(error)),
                }
            }
            Kind::Attachments(_) => Ok(true),
        }
    }

    /// Moves the cursor by so many rows from a place; returns how many it moved and whether that is fewer.
    fn seek(&mut self, from: usize, rows: i32) -> (i32, bool) {
        let len = i64::try_from(self.len()).unwrap_or(i64::MAX);
        let from = i64::try_from(from).unwrap_or(i64::MAX).min(len);
        let wanted = from.saturating_add(i64::from(rows));
        let to = wanted.clamp(0, len);
        self.position = usize::try_from(to).unwrap_or(0);
        (i32::try_from(to.saturating_sub(from)).unwrap_or(i32::MAX), to != wanted)
    }

    /// Contents and hierarchy tables have bookmarks; others have none.
    const fn has_bookmarks(&self) -> bool {
        !matches!(self.kind, Kind::Attachments(_))
    }

    /// The properties that rows of the table have: those that are computed, and those that the first rows store.
    async fn all_columns(&self, logon: &Logon) -> Result<Vec<PropTag>, MapiCode> {
        let known: &[PropTag] = match self.kind {
            Kind::Hierarchy(_) => &FOLDER_PROPS,
            Kind::Contents { .. } => &MESSAGE_PROPS,
            Kind::Attachments(_) => &ATTACHMENT_PROPS,
        };
        let mut stored = BTreeSet::new();
        let mut add = |bag: &PropBag| stored.extend(bag.0.iter().map(|prop| prop.tag.0));
        match &self.kind {
            Kind::Hierarchy(hierarchy) => {
                for &(id, _) in hierarchy.ids.iter().take(SAMPLE) {
                    if let Ok(folder) = logon.mailbox.folder(id, hierarchy.deleted).await {
                        add(&folder.props);
                    }
                }
            }
            Kind::Contents { view, query, .. } => {
                for row in view.rows(0, SAMPLE, &[]).await.map_err(failed)? {
                    if let Ok(message) = logon.mailbox.message(row.head.id, query.deleted).await {
                        add(&message.content.props);
                    }
                }
            }
            Kind::Attachments(message) => {
                message.state().content.attachments.iter().for_each(|a| add(&a.props));
            }
        }
        let mut all = known.to_vec();
        if matches!(self.kind, Kind::Hierarchy(_)) {
            all.push(tags::DEPTH);
        }
        let fresh: Vec<PropTag> =
            stored.into_iter().map(PropTag).filter(|tag| !known.iter().any(|k| k.id() == tag.id())).collect();
        all.extend(fresh);
        Ok(all)
    }
}

impl Session {
    /// RopAbort — [MS-OXCTABL] 3.2.5.6: there never is anything to abort.
    pub(in super::super) fn rop_abort(&mut self, request: &Request, handle: u32) -> Outcome {
        let table = self.table(request, handle)?;
        refused(if table.has_bookmarks() { MapiCode::UnableToAbort } else { MapiCode::NotSupported })
    }

    /// RopGetStatus — [MS-OXCTABL] 3.2.5.7.
    pub(in super::super) fn rop_get_status(&mut self, request: &Request, handle: u32) -> Outcome {
        self.table(request, handle)?;
        Ok(Answer::of(ResponseBody::GetStatus(COMPLETE)))
    }

    /// RopSeekRow — [MS-OXCTABL] 3.2.5.9.
    pub(in super::super) fn rop_seek_row(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SeekRowRequest,
    ) -> Outcome {
        let table = self.table(request, handle)?;
        let from = match body.origin {
            BEGINNING => 0,
            CURRENT => table.position,
            END => table.len(),
            _ => return refused(MapiCode::InvalidParameter),
        };
        let (moved, less) = table.seek(from, body.row_count);
        let wants = body.want_row_moved_count.0;
        Ok(Answer::of(ResponseBody::SeekRow(SeekRowResponse {
            has_sought_less: (wants && less).into(),
            rows_sought: if wants { moved } else { 0 },
        })))
    }

    /// RopSeekRowBookmark — [MS-OXCTABL] 3.2.5.10. Of a row that is gone, the next one is counted from.
    pub(in super::super) async fn rop_seek_row_bookmark(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SeekRowBookmarkRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let table = self.table(request, handle)?;
        if !table.has_bookmarks() {
            return refused(MapiCode::NotSupported);
        }
        let (from, visible) = table.place(&logon, CUSTOM, &body.bookmark.0).await?;
        let (moved, less) = table.seek(from, body.row_count);
        let wants = body.want_row_moved_count.0;
        Ok(Answer::of(ResponseBody::SeekRowBookmark(SeekRowBookmarkResponse {
            row_no_longer_visible: (!visible).into(),
            has_sought_less: (wants && less).into(),
            rows_sought: if wants { moved } else { 0 },
        })))
    }

    /// RopSeekRowFractional — [MS-OXCTABL] 3.2.5.11.
    pub(in super::super) fn rop_seek_row_fractional(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SeekRowFractionalRequest,
    ) -> Outcome {
        let table = self.table(request, handle)?;
        if body.denominator == 0 {
            return refused(MapiCode::InvalidParameter);
        }
        let part = u128::from(body.numerator.min(body.denominator));
        let place = u128::from(to_u64(table.len())).saturating_mul(part) / u128::from(body.denominator);
        table.position = usize::try_from(place).unwrap_or(usize::MAX);
        Ok(Answer::of(ResponseBody::SeekRowFractional(Empty)))
    }

    /// RopCreateBookmark — [MS-OXCTABL] 3.2.5.12.
    pub(in super::super) fn rop_create_bookmark(&mut self, request: &Request, handle: u32) -> Outcome {
        let table = self.table(request, handle)?;
        if !table.has_bookmarks() {
            return refused(MapiCode::NotSupported);
        }
        let place = table.position.min(table.len());
        let bookmark = table.bookmarks.create(place)?;
        Ok(Answer::of(ResponseBody::CreateBookmark(CreateBookmarkResponse { bookmark })))
    }

    /// RopFreeBookmark — [MS-OXCTABL] 3.2.5.15.
    pub(in super::super) fn rop_free_bookmark(
        &mut self,
        request: &Request,
        handle: u32,
        body: &FreeBookmarkRequest,
    ) -> Outcome {
        let table = self.table(request, handle)?;
        if !table.has_bookmarks() {
            return refused(MapiCode::NotSupported);
        }
        table.bookmarks.free(&body.bookmark.0)?;
        Ok(Answer::of(ResponseBody::FreeBookmark(Empty)))
    }

    /// RopQueryColumnsAll — [MS-OXCTABL] 3.2.5.13. What no row among the first has is not known to be a column.
    pub(in super::super) async fn rop_query_columns_all(
        &mut self,
        request: &Request,
        handle: u32,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let table = self.table(request, handle)?;
        let mut columns = table.all_columns(&logon).await?;
        columns.truncate(limit.saturating_sub(8) / 4);
        let body = QueryColumnsAllResponse { columns: columns.into() };
        Ok(Answer::of(ResponseBody::QueryColumnsAll(body)))
    }

    /// RopResetTable — [MS-OXCTABL] 3.2.5.16.
    pub(in super::super) async fn rop_reset_table(&mut self, request: &Request, handle: u32) -> Outcome {
        let logon = self.logon(request)?;
        let table = self.table(request, handle)?;
        let Kind::Contents { folder, query, view } = &mut table.kind else {
            return refused(MapiCode::NotSupported);
        };
        let reset = ContentsQuery { restriction: None, sort: Vec::new(), ..query.clone() };
        *view = logon.mailbox.contents(*folder, reset.clone()).await.map_err(failed)?;
        *query = reset;
        table.columns = Vec::new();
        table.rows_are_new();
        debug_assert!(matches!(request.body, RequestBody::ResetTable(_)), "only RopResetTable comes here");
        Ok(Answer::of(ResponseBody::ResetTable(Empty)))
    }
}
