//! Tables — [MS-OXCTABL].

use std::fmt;

use watertight_mapi::prop::PropBag;
use watertight_mapi::prop::wire::PropertyRow;
use watertight_mapi::restriction::Restriction;
use watertight_mapi::rop::field::{Bytes16, Empty, List16, Restriction16};
use watertight_mapi::rop::table::{
    FindRowRequest, FreeBookmarkRequest, QueryRowsRequest, RestrictRequest, SeekRowBookmarkRequest,
    SeekRowFractionalRequest, SeekRowRequest, SetColumnsRequest, SortOrder, SortTableRequest,
};
use watertight_mapi::rop::{RequestBody, ResponseBody};
use watertight_mapi::{MapiCode, PropTag};

use super::batch::{Answers, Batch, body};
use super::props::{On, bag_of};
use crate::error::{Error, ProtocolError};
use crate::handle::ServerHandle;
use crate::logon::Logon;

/// What a table shows, and in which order; to be set when it is opened, without a request of its own.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The columns; none leaves them to [`Table::set_columns`].
    pub columns: Vec<PropTag>,
    /// By these, the first before the second; the server's own order when empty.
    pub sort: Vec<Sort>,
    /// Only rows that match.
    pub restriction: Option<Restriction>,
}

impl View {
    /// These columns of all rows, in the server's order.
    #[must_use]
    pub fn of(columns: &[PropTag]) -> Self {
        Self { columns: columns.to_vec(), ..Self::default() }
    }

    /// In this order.
    #[must_use]
    pub fn sorted(mut self, sort: &[Sort]) -> Self {
        self.sort = sort.to_vec();
        self
    }

    /// Only rows that match.
    #[must_use]
    pub fn restricted(mut self, restriction: Restriction) -> Self {
        self.restriction = Some(restriction);
        self
    }
}

/// One column of a sort order — [MS-OXCDATA] 2.13.1 SortOrder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The property.
    pub tag: PropTag,
    /// Greatest first.
    pub descending: bool,
}

impl Sort {
    /// Least first.
    #[must_use]
    pub const fn ascending(tag: PropTag) -> Self {
        Self { tag, descending: false }
    }

    /// Greatest first.
    #[must_use]
    pub const fn descending(tag: PropTag) -> Self {
        Self { tag, descending: true }
    }
}

/// A place in a table — [MS-OXCTABL] 2.2.2.1.1 predefined bookmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Before the first row.
    Beginning,
    /// The cursor.
    Current,
    /// Behind the last row.
    End,
}

impl Origin {
    const fn number(self) -> u8 {
        match self {
            Self::Beginning => 0,
            Self::Current => 1,
            Self::End => 2,
        }
    }
}

/// BOOKMARK_CUSTOM — [MS-OXCTABL] 2.2.2.1.1.
const CUSTOM: u8 = 3;

/// A place that was marked in a table; it ends with the table, or with [`Table::free_bookmark`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark(Vec<u8>);

/// From where [`Table::find_row`] looks.
#[derive(Debug, Clone, Copy)]
pub enum FindFrom<'a> {
    /// A predefined place.
    Origin(Origin),
    /// A place that was marked.
    Bookmark(&'a Bookmark),
}

/// Where a table's cursor is — [MS-OXCTABL] 2.2.2.8 RopQueryPosition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The row that comes next.
    pub row: u32,
    /// How many rows there are.
    pub of: u32,
}

/// An open table (the role of `IMAPITable`): rows of a folder's messages or subfolders, or of a message's attachments.
/// A row is a [`PropBag`] with those of the columns that it has; long strings and bytes are cut by the server
/// (at 255 characters or 510 bytes).
#[doc(alias = "IMAPITable")]
pub struct Table {
    logon: Logon,
    handle: ServerHandle,
    columns: Vec<PropTag>,
}

impl Table {
    /// Opens a table and sets what it shows, in one request.
    pub(crate) async fn open(
        on: On<'_>,
        request: impl FnOnce(u8) -> RequestBody,
        view: &View,
    ) -> Result<Self, Error> {
        let mut batch = Batch::on(on.handle);
        let (at, output) = batch.open(0, request)?;
        let mut steps = vec![at];
        // The restriction first: then there is less to sort.
        if view.restriction.is_some() {
            steps.push(batch.push(output, restrict(view.restriction.as_ref()))?);
        }
        if !view.sort.is_empty() {
            steps.push(batch.push(output, sort(&view.sort))?);
        }
        if !view.columns.is_empty() {
            steps.push(batch.push(output, set_columns(&view.columns))?);
        }
        let mut answers = batch.ask(&on.logon.requester).await?;
        steps.into_iter().try_for_each(|at| answers.done(at))?;
        let handle = answers.object(output)?.counted(&on.logon.requester.settings.ledger.kind("tables"));
        Ok(Self { logon: on.logon.clone(), handle, columns: view.columns.clone() })
    }

    /// The handle, for [`Session::execute`](crate::Session::execute).
    #[must_use]
    pub const fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// The columns of its rows.
    #[must_use]
    pub fn columns(&self) -> &[PropTag] {
        &self.columns
    }

    /// Sets the columns — [MS-OXCTABL] 2.2.2.2 RopSetColumns.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SetColumns")]
    pub async fn set_columns(&mut self, columns: &[PropTag]) -> Result<(), Error> {
        self.ask(set_columns(columns)).await?.done(0)?;
        self.columns = columns.to_vec();
        Ok(())
    }

    /// All columns that can be asked for — [MS-OXCTABL] 2.2.2.13 RopQueryColumnsAll.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "QueryColumns")]
    pub async fn all_columns(&self) -> Result<Vec<PropTag>, Error> {
        let mut answers = self.ask(RequestBody::QueryColumnsAll(Empty)).await?;
        Ok(body!(answers, 0, QueryColumnsAll)?.columns.0)
    }

    /// Sorts the rows and goes to the beginning — [MS-OXCTABL] 2.2.2.3 RopSortTable.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SortTable")]
    pub async fn sort(&mut self, by: &[Sort]) -> Result<(), Error> {
        self.ask(sort(by)).await?.done(0)
    }

    /// Shows only rows that match, or all again, and goes to the beginning — [MS-OXCTABL] 2.2.2.4 RopRestrict.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "Restrict")]
    pub async fn restrict(&mut self, restriction: Option<&Restriction>) -> Result<(), Error> {
        self.ask(restrict(restriction)).await?.done(0)
    }

    /// The next rows, and the cursor goes behind them — [MS-OXCTABL] 2.2.2.5 RopQueryRows. One answer holds some
    /// 30 KiB of them, so they may be fewer than `most`; at the end there are none.
    ///
    /// # Errors
    /// [`Error::Refused`], without columns for example; [`Error::Protocol`] for more rows than asked for.
    #[doc(alias = "QueryRows")]
    pub async fn query_rows(&mut self, most: u16) -> Result<Vec<PropBag>, Error> {
        self.rows(most, true, 0).await
    }

    /// The rows before the cursor, nearest first, and the cursor goes before them.
    ///
    /// # Errors
    /// As [`Table::query_rows`].
    pub async fn query_rows_back(&mut self, most: u16) -> Result<Vec<PropBag>, Error> {
        self.rows(most, false, 0).await
    }

    /// The next rows; the cursor stays.
    ///
    /// # Errors
    /// As [`Table::query_rows`].
    pub async fn peek_rows(&mut self, most: u16) -> Result<Vec<PropBag>, Error> {
        // NoAdvance — [MS-OXCTABL] 2.2.2.5.1.
        self.rows(most, true, 1).await
    }

    /// All rows from the cursor on.
    ///
    /// # Errors
    /// As [`Table::query_rows`]; [`Error::Setup`] when they are more than `limit`.
    #[doc(alias = "HrQueryAllRows")]
    pub async fn all_rows(&mut self, limit: usize) -> Result<Vec<PropBag>, Error> {
        let mut rows = Vec::new();
        loop {
            let page = self.query_rows(u16::MAX).await?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows.extend(page);
            if rows.len() > limit {
                let what = "the table".to_owned();
                let limit = watertight_wire::to_u64(limit);
                return Err(crate::error::SetupError::TooManyRows { what, limit }.into());
            }
        }
    }

    async fn rows(&mut self, most: u16, forward: bool, flags: u8) -> Result<Vec<PropBag>, Error> {
        let request = QueryRowsRequest { flags, forward_read: forward.into(), row_count: most };
        let mut answers = self.ask(RequestBody::QueryRows(request)).await?;
        let body = body!(answers, 0, QueryRows)?;
        let (mut rows, mut origin) = (body.rows, body.origin);
        // Some go on in further payloads though nobody asked for that.
        for at in 1..answers.len() {
            if let Some((_, Some(ResponseBody::QueryRows(more)))) = answers.raw(at) {
                rows.extend(more.rows);
                origin = more.origin;
            }
        }
        if rows.len() > usize::from(most) {
            let what = format!("RopQueryRows was asked for {most} rows and answered {}", rows.len());
            return Err(ProtocolError::Unexpected(what).into());
        }
        if rows.is_empty() && forward && most > 0 && origin != Origin::End.number() {
            let what = format!("RopQueryRows gave no row, but not the end (Origin {origin})");
            return Err(ProtocolError::Unexpected(what).into());
        }
        Ok(rows.into_iter().map(|row| self.bag(row)).collect())
    }

    fn bag(&self, row: PropertyRow) -> PropBag {
        bag_of(&self.columns, row)
    }

    /// Where the cursor is.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "QueryPosition")]
    pub async fn position(&self) -> Result<Position, Error> {
        let mut answers = self.ask(RequestBody::QueryPosition(Empty)).await?;
        let body = body!(answers, 0, QueryPosition)?;
        Ok(Position { row: body.numerator, of: body.denominator })
    }

    /// Moves the cursor by so many rows from a place; returns by how many it could be — [MS-OXCTABL] 2.2.2.9
    /// RopSeekRow.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SeekRow")]
    pub async fn seek(&mut self, from: Origin, rows: i32) -> Result<i32, Error> {
        let request =
            SeekRowRequest { origin: from.number(), row_count: rows, want_row_moved_count: true.into() };
        let mut answers = self.ask(RequestBody::SeekRow(request)).await?;
        Ok(body!(answers, 0, SeekRow)?.rows_sought)
    }

    /// Moves the cursor to a fraction of the rows — [MS-OXCTABL] 2.2.2.11 RopSeekRowFractional.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "SeekRowApprox")]
    pub async fn seek_fraction(&mut self, numerator: u32, denominator: u32) -> Result<(), Error> {
        let request = SeekRowFractionalRequest { numerator, denominator };
        self.ask(RequestBody::SeekRowFractional(request)).await?.done(0)
    }

    /// Moves the cursor by so many rows from a bookmark; returns by how many it could be — [MS-OXCTABL] 2.2.2.10
    /// RopSeekRowBookmark.
    ///
    /// # Errors
    /// [`Error::Refused`], with InvalidBookmark when it was freed.
    pub async fn seek_bookmark(&mut self, from: &Bookmark, rows: i32) -> Result<i32, Error> {
        let request = SeekRowBookmarkRequest {
            bookmark: Bytes16(from.0.clone()),
            row_count: rows,
            want_row_moved_count: true.into(),
        };
        let mut answers = self.ask(RequestBody::SeekRowBookmark(request)).await?;
        Ok(body!(answers, 0, SeekRowBookmark)?.rows_sought)
    }

    /// Marks where the cursor is — [MS-OXCTABL] 2.2.2.12 RopCreateBookmark.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "CreateBookmark")]
    pub async fn create_bookmark(&mut self) -> Result<Bookmark, Error> {
        let mut answers = self.ask(RequestBody::CreateBookmark(Empty)).await?;
        Ok(Bookmark(body!(answers, 0, CreateBookmark)?.bookmark.0))
    }

    /// Forgets a bookmark — [MS-OXCTABL] 2.2.2.15 RopFreeBookmark.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "FreeBookmark")]
    pub async fn free_bookmark(&mut self, bookmark: Bookmark) -> Result<(), Error> {
        let request = FreeBookmarkRequest { bookmark: Bytes16(bookmark.0) };
        self.ask(RequestBody::FreeBookmark(request)).await?.done(0)
    }

    /// The first row from a place on, or backward from it, that matches; the cursor goes to it — [MS-OXCTABL] 2.2.2.14
    /// RopFindRow. `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "FindRow")]
    pub async fn find_row(
        &mut self,
        restriction: &Restriction,
        from: FindFrom<'_>,
        forward: bool,
    ) -> Result<Option<PropBag>, Error> {
        let (origin, bookmark) = match from {
            FindFrom::Origin(origin) => (origin.number(), Vec::new()),
            FindFrom::Bookmark(bookmark) => (CUSTOM, bookmark.0.clone()),
        };
        let request = FindRowRequest {
            flags: u8::from(!forward),
            restriction: Restriction16(Some(restriction.clone())),
            origin,
            bookmark: Bytes16(bookmark),
        };
        let mut answers = self.ask(RequestBody::FindRow(request)).await?;
        match body!(answers, 0, FindRow) {
            Ok(body) => Ok(body.row.map(|row| self.bag(row))),
            Err(Error::Refused { code: MapiCode::NotFound, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets columns, order, restriction and bookmarks, and goes to the beginning — [MS-OXCTABL] 2.2.2.16
    /// RopResetTable.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub async fn reset(&mut self) -> Result<(), Error> {
        self.ask(RequestBody::ResetTable(Empty)).await?.done(0)?;
        self.columns.clear();
        Ok(())
    }

    async fn ask(&self, request: RequestBody) -> Result<Answers, Error> {
        let mut batch = Batch::on(self.handle.raw());
        batch.columns(&self.columns);
        batch.push(0, request)?;
        batch.ask(&self.logon.requester).await
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("columns", &self.columns).finish_non_exhaustive()
    }
}

fn set_columns(columns: &[PropTag]) -> RequestBody {
    RequestBody::SetColumns(SetColumnsRequest { flags: 0, columns: List16(columns.to_vec()) })
}

fn sort(by: &[Sort]) -> RequestBody {
    let orders =
        by.iter().map(|sort| SortOrder { tag: sort.tag, order: u8::from(sort.descending) }).collect();
    RequestBody::SortTable(SortTableRequest { flags: 0, category_count: 0, expanded_count: 0, orders })
}

fn restrict(restriction: Option<&Restriction>) -> RequestBody {
    RequestBody::Restrict(RestrictRequest { flags: 0, restriction: Restriction16(restriction.cloned()) })
}
