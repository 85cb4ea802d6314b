//! Messages of a folder, one after another.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use watertight_mapi::prop::tags;
use watertight_mapi_client::{Associated, Sort, Table, View};

use crate::blocking::Engine;
use crate::link::Link;
use crate::{Error, Folder, Message, Query};

/// Rows of one request.
const PAGE: u16 = 64;

/// Messages of a folder, read in pages: memory does not grow with the folder.
///
/// Messages may be changed, moved and deleted while this goes on.
pub struct Messages {
    folder: Folder,
    query: Query,
    table: Option<Table>,
    ready: VecDeque<Message>,
    done: bool,
}

impl Messages {
    /// What waits for the session, when it is one of [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// For an asynchronous session.
    pub fn engine(&self) -> Result<Engine, Error> {
        self.link().engine().cloned()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.folder.0.link
    }

    pub(crate) fn new(folder: &Folder, query: Query) -> Self {
        Self { folder: folder.clone(), query, table: None, ready: VecDeque::new(), done: false }
    }

    /// The next message.
    ///
    /// # Errors
    /// When the server cannot be asked. Nothing follows an error.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        if self.ready.is_empty() {
            let page = self.page().await?;
            self.ready.extend(page);
        }
        Ok(self.ready.pop_front())
    }

    /// The messages that are there and the next ones; none at the end.
    ///
    /// # Errors
    /// As [`Messages::next`].
    pub async fn page(&mut self) -> Result<Vec<Message>, Error> {
        if !self.ready.is_empty() {
            return Ok(self.ready.drain(..).collect());
        }
        if self.done {
            return Ok(Vec::new());
        }
        let page = self.more().await;
        if !matches!(&page, Ok(page) if !page.is_empty()) {
            self.done = true;
            self.table = None;
        }
        page
    }

    async fn more(&mut self) -> Result<Vec<Message>, Error> {
        let store = self.folder.0.link.store()?;
        let table = match &mut self.table {
            Some(table) => table,
            none => {
                let by = tags::MESSAGE_DELIVERY_TIME;
                let oldest = self.query.is_oldest_first();
                let sort = if oldest { Sort::ascending(by) } else { Sort::descending(by) };
                let mut view = View::of(Folder::message_columns()).sorted(&[sort]);
                view.restriction = self.query.clone().restriction();
                none.insert(self.folder.open().await?.contents_table(Associated::No, &view).await?)
            }
        };
        // A page of rows that are no messages is not the end.
        loop {
            let rows = table.query_rows(PAGE).await?;
            if rows.is_empty() {
                return Ok(Vec::new());
            }
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                page.extend(Message::of_row(&store, &self.folder, row).await?);
            }
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("folder", &self.folder)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
