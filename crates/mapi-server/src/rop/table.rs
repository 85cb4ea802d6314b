//! Table ROPs — [MS-OXCTABL] 3.2.5; hierarchy and contents tables — [MS-OXCFOLD] 3.2.5.13, 3.2.5.14.

mod find;
mod rows;
mod seek;

use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropTag,
    prop::PropData,
    rop::{
        Request, ResponseBody,
        folder::{
            GetContentsTableRequest, GetContentsTableResponse, GetHierarchyTableRequest,
            GetHierarchyTableResponse,
        },
        table::{
            QueryPositionResponse, QueryRowsRequest, QueryRowsResponse, RestrictRequest, SetColumnsRequest,
            SortTableRequest, TableStatusResponse,
        },
    },
    store::{ContentsQuery, ContentsView, Depth, FolderId, ItemKind, Mailbox, SortColumn},
};

use super::{
    Answer, Outcome, Session, failed,
    logon::Logon,
    notify::{Registered, Topic},
    object::{MessageObject, Object},
    refused,
};

/// TableFlags — [MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1: Associated, Depth, NoNotifications, SoftDeletes, ConversationMembers.
const ASSOCIATED: u8 = 0x02;
const DEPTH: u8 = 0x04;
const NO_NOTIFICATIONS: u8 = 0x10;
const SOFT_DELETES: u8 = 0x20;
const CONVERSATION_MEMBERS: u8 = 0x80;
/// QueryRowsFlags — [MS-OXCTABL] 2.2.2.5.1.1: NoAdvance.
pub(super) const NO_ADVANCE: u8 = 0x01;
/// Predefined bookmarks — [MS-OXCTABL] 2.2.2.1.1.
const BEGINNING: u8 = 0;
const CURRENT: u8 = 1;
const END: u8 = 2;
/// Columns that a table may show.
const MOST_COLUMNS: usize = 1024;
/// Columns that a table may be sorted by.
const MOST_SORTS: usize = 16;
/// Folders or messages that are asked of the store at once.
const PAGE: usize = 64;

/// An open table: what it shows, its columns, and its cursor.
pub(super) struct Table {
    kind: Kind,
    columns: Vec<PropTag>,
    position: usize,
    bookmarks: seek::Bookmarks,
    /// Its client is told when it shows something else.
    watched: Option<Registered>,
}

/// What a table shows.
enum Kind {
    /// Folders below a folder.
    Hierarchy(Hierarchy),
    /// Messages of a folder.
    Contents { folder: FolderId, query: ContentsQuery, view: Box<dyn ContentsView> },
    /// Attachments of a message.
    Attachments(Arc<MessageObject>),
}

/// A hierarchy table: only the ids are held.
struct Hierarchy {
    root: FolderId,
    depth: Depth,
    deleted: bool,
    /// Nothing is left out.
    whole: bool,
    ids: Vec<(FolderId, u32)>,
}

impl Table {
    fn new(kind: Kind) -> Self {
        Self { kind, columns: Vec::new(), position: 0, bookmarks: seek::Bookmarks::default(), watched: None }
    }

    /// The handle that notifications will name.
    pub(super) fn named(&self, handle: u32) {
        if let Some(watched) = &self.watched {
            watched.named(handle);
        }
    }

    /// The attachments of a message.
    pub(super) fn attachments(message: Arc<MessageObject>) -> Self {
        Self::new(Kind::Attachments(message))
    }

    /// After its rows were chosen or sorted anew: the cursor is at the beginning, and no bookmark is valid.
    fn rows_are_new(&mut self) {
        self.position = 0;
        self.bookmarks.clear();
    }

    /// Finds the rows anew, with the same restriction and order; a restricted hierarchy table stays as it is.
    async fn fill_again(&mut self, logon: &Logon) -> Result<(), MapiCode> {
        match &mut self.kind {
            Kind::Contents { folder, query, view } => {
                *view = logon.mailbox.contents(*folder, query.clone()).await.map_err(failed)?;
            }
            Kind::Hierarchy(hierarchy) if hierarchy.whole => hierarchy.fill(logon, None).await?,
            Kind::Hierarchy(_) | Kind::Attachments(_) => return Ok(()),
        }
        self.rows_are_new();
        Ok(())
    }

    fn len(&self) -> usize {
        match &self.kind {
            Kind::Hierarchy(hierarchy) => hierarchy.ids.len(),
            Kind::Contents { query, view, .. } => {
                let most =
                    query.restriction.as_ref().and_then(watertight_mapi::restriction::Restriction::row_limit);
                most.map_or(view.len(), |most| view.len().min(watertight_wire::to_usize(most)))
            }
            Kind::Attachments(message) => message.state().content.attachments.len(),
        }
    }
}

impl Hierarchy {
    /// Reads the ids of the folders that match, with their depths.
    async fn fill(
        &mut self,
        logon: &Logon,
        restriction: Option<&watertight_mapi::restriction::Restriction>,
    ) -> Result<(), MapiCode> {
        self.whole = restriction.is_none();
        let mailbox: &dyn Mailbox = logon.mailbox.as_ref();
        let mut ids: Vec<(FolderId, u32)> = Vec::new();
        let mut depths = std::collections::HashMap::from([(self.root, 0_u32)]);
        let mut after = None;
        loop {
            let page = mailbox
                .folders(self.root, self.depth, self.deleted, after.as_ref(), PAGE)
                .await
                .map_err(failed)?;
            for folder in &page.items {
                let above = folder.parent.and_then(|parent| depths.get(&parent)).copied().unwrap_or(0);
                let depth = above.saturating_add(1);
                depths.insert(folder.id, depth);
                if restriction.is_none_or(|r| r.matches(&rows::FolderRow { logon, folder, depth })) {
                    ids.push((folder.id, depth));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.ids = ids;
        Ok(())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Session {
    /// RopGetHierarchyTable — [MS-OXCFOLD] 3.2.5.13.
    pub(super) async fn rop_get_hierarchy_table(
        &self,
        request: &Request,
        handle: u32,
        body: &GetHierarchyTableRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let root = self.folder_of(request, handle)?;
        let depth = if body.table_flags & DEPTH == 0 { Depth::Children } else { Depth::All };
        let deleted = body.table_flags & SOFT_DELETES != 0;
        let mut hierarchy = Hierarchy { root, depth, deleted, whole: true, ids: Vec::new() };
        hierarchy.fill(&logon, None).await?;
        let mut table = Table::new(Kind::Hierarchy(hierarchy));
        let topic = Topic::Table { folder: root, hierarchy: true, read: false, changed: false };
        table.watched = self.watched(request, &logon, body.table_flags, topic).await?;
        let body = GetHierarchyTableResponse { row_count: count(table.len()) };
        Ok(Answer::opens(ResponseBody::GetHierarchyTable(body), Object::Table(Box::new(table))))
    }

    /// RopGetContentsTable — [MS-OXCFOLD] 3.2.5.14.
    pub(super) async fn rop_get_contents_table(
        &self,
        request: &Request,
        handle: u32,
        body: &GetContentsTableRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = self.folder_of(request, handle)?;
        if body.table_flags & CONVERSATION_MEMBERS != 0 {
            return refused(MapiCode::NotSupported);
        }
        let associated = body.table_flags & ASSOCIATED != 0;
        let query = ContentsQuery {
            kind: if associated { ItemKind::Associated } else { ItemKind::Normal },
            deleted: body.table_flags & SOFT_DELETES != 0,
            restriction: None,
            sort: Vec::new(),
        };
        let view = logon.mailbox.contents(folder, query.clone()).await.map_err(failed)?;
        let mut table = Table::new(Kind::Contents { folder, query, view });
        let topic = Topic::Table { folder, hierarchy: false, read: false, changed: false };
        table.watched = self.watched(request, &logon, body.table_flags, topic).await?;
        let body = GetContentsTableResponse { row_count: count(table.len()) };
        Ok(Answer::opens(ResponseBody::GetContentsTable(body), Object::Table(Box::new(table))))
    }

    /// Tables are watched unless the client says that it does not want it — [MS-OXCNOTIF] 3.1.4.3.
    async fn watched(
        &self,
        request: &Request,
        logon: &Logon,
        table_flags: u8,
        topic: Topic,
    ) -> Result<Option<Registered>, MapiCode> {
        if table_flags & (NO_NOTIFICATIONS | SOFT_DELETES) != 0 {
            return Ok(None);
        }
        let registered = self.notices().register(request.logon_id, &logon.mailbox, topic).await;
        registered.map(Some).map_err(failed)
    }

    fn table(&mut self, request: &Request, handle: u32) -> Result<&mut Table, MapiCode> {
        match self.handles.get_mut(request.logon_id, handle)? {
            Object::Table(table) => Ok(table),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopSetColumns — [MS-OXCTABL] 3.2.5.2.
    pub(super) fn rop_set_columns(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SetColumnsRequest,
    ) -> Outcome {
        let table = self.table(request, handle)?;
        if body.columns.is_empty() || body.columns.len() > MOST_COLUMNS {
            return refused(MapiCode::InvalidParameter);
        }
        table.columns = body.columns.to_vec();
        Ok(Answer::of(ResponseBody::SetColumns(TableStatusResponse { table_status: 0 })))
    }

    /// RopSortTable — [MS-OXCTABL] 3.2.5.3. Categories are not made.
    pub(super) async fn rop_sort_table(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SortTableRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let table = self.table(request, handle)?;
        let Kind::Contents { folder, query, view } = &mut table.kind else {
            return refused(MapiCode::NotSupported);
        };
        if body.category_count > 0 || body.orders.len() > MOST_SORTS {
            return refused(MapiCode::TooComplex);
        }
        let instances = watertight_mapi::PropType::INSTANCE;
        if body.orders.iter().any(|o| o.order > 1 || o.tag.ty().0 & instances != 0) {
            return refused(MapiCode::TooComplex);
        }
        let sort = body.orders.iter().map(|o| SortColumn { tag: o.tag, descending: o.order == 1 }).collect();
        let sorted = ContentsQuery { sort, ..query.clone() };
        *view = logon.mailbox.contents(*folder, sorted.clone()).await.map_err(failed)?;
        *query = sorted;
        table.rows_are_new();
        Ok(Answer::of(ResponseBody::SortTable(TableStatusResponse { table_status: 0 })))
    }

    /// RopRestrict — [MS-OXCTABL] 3.2.5.4.
    pub(super) async fn rop_restrict(
        &mut self,
        request: &Request,
        handle: u32,
        body: &RestrictRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let table = self.table(request, handle)?;
        match &mut table.kind {
            Kind::Contents { folder, query, view } => {
                let restricted = ContentsQuery { restriction: body.restriction.0.clone(), ..query.clone() };
                *view = logon.mailbox.contents(*folder, restricted.clone()).await.map_err(failed)?;
                *query = restricted;
            }
            Kind::Hierarchy(hierarchy) => hierarchy.fill(&logon, body.restriction.0.as_ref()).await?,
            Kind::Attachments(_) => return refused(MapiCode::NotSupported),
        }
        table.rows_are_new();
        Ok(Answer::of(ResponseBody::Restrict(TableStatusResponse { table_status: 0 })))
    }

    /// RopQueryRows — [MS-OXCTABL] 3.2.5.5.
    pub(super) async fn rop_query_rows(
        &mut self,
        request: &Request,
        handle: u32,
        body: &QueryRowsRequest,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let code_page = self.origin.code_page;
        let table = self.table(request, handle)?;
        if table.columns.is_empty() {
            // No columns were set — [MS-OXCTABL] 3.2.5.2.
            return refused(MapiCode::NullObject);
        }
        // A client that was told of a change reads the table from its beginning again.
        let anew = table.position == 0;
        if table.watched.as_ref().is_some_and(|watched| watched.reads(anew)) {
            table.fill_again(&logon).await?;
        }
        let (rows, position) = table
            .rows(
                &logon,
                usize::from(body.row_count),
                body.forward_read.0,
                limit.saturating_sub(9),
                code_page,
            )
            .await?;
        let origin = match position {
            0 if !body.forward_read.0 => BEGINNING,
            position if position >= table.len() => END,
            0 => BEGINNING,
            _ => CURRENT,
        };
        if body.flags & NO_ADVANCE == 0 {
            table.position = position;
        }
        Ok(Answer::of(ResponseBody::QueryRows(QueryRowsResponse { origin, rows })))
    }

    /// RopQueryPosition — [MS-OXCTABL] 3.2.5.8.
    pub(super) fn rop_query_position(&mut self, request: &Request, handle: u32) -> Outcome {
        let table = self.table(request, handle)?;
        let denominator = count(table.len());
        let numerator = count(table.position).min(denominator);
        let body = QueryPositionResponse { numerator, denominator };
        Ok(Answer::of(ResponseBody::QueryPosition(body)))
    }
}

/// A value that is no longer than a table shows.
fn shown(data: PropData) -> PropData {
    match data {
        PropData::Inline(value) => PropData::Inline(super::value::cut(value)),
        large @ PropData::Large(_) => large,
    }
}
