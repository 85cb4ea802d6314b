//! Folders below a folder, one after another.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use watertight_mapi::Fid;
use watertight_mapi::prop::tags;
use watertight_mapi_client::{Depth, Table, View};

use crate::blocking::Engine;
use crate::link::Link;
use crate::{Error, Folder, path};

/// Rows of one request.
const PAGE: u16 = 100;

/// The folders below a folder, as they were when the first was asked for; read in pages.
pub struct Folders {
    root: Folder,
    deep: bool,
    table: Option<Table>,
    ready: VecDeque<Folder>,
    /// Paths of the folders that others may lie in.
    paths: HashMap<Fid, String>,
    done: bool,
}

impl Folders {
    /// What waits for the session, when it is one of [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// For an asynchronous session.
    pub fn engine(&self) -> Result<Engine, Error> {
        self.link().engine().cloned()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.root.0.link
    }

    pub(crate) fn new(root: &Folder, deep: bool) -> Self {
        Self {
            root: root.clone(),
            deep,
            table: None,
            ready: VecDeque::new(),
            paths: HashMap::new(),
            done: false,
        }
    }

    /// The next folder.
    ///
    /// # Errors
    /// When the server cannot be asked. Nothing follows an error.
    pub async fn next(&mut self) -> Result<Option<Folder>, Error> {
        loop {
            if let Some(folder) = self.ready.pop_front() {
                return Ok(Some(folder));
            }
            if self.done {
                return Ok(None);
            }
            let more = self.more().await;
            if !matches!(more, Ok(true)) {
                self.done = true;
                self.table = None;
            }
            more?;
        }
    }

    async fn more(&mut self) -> Result<bool, Error> {
        self.root.0.link.store()?;
        let table = match &mut self.table {
            Some(table) => table,
            none => {
                self.paths.insert(self.root.id(), self.root.path().await?);
                let folder = self.root.open().await?;
                let columns = [tags::FOLDER_ID, tags::PARENT_FOLDER_ID, tags::DISPLAY_NAME];
                let depth = if self.deep { Depth::All } else { Depth::Children };
                none.insert(folder.hierarchy_table(depth, &View::of(&columns)).await?)
            }
        };
        let rows = table.query_rows(PAGE).await?;
        for row in &rows {
            let id = |tag| row.id(tag).map(Fid::from_u64);
            let Some(own) = id(tags::FOLDER_ID) else { continue };
            let parent = id(tags::PARENT_FOLDER_ID).unwrap_or_else(|| self.root.id());
            let name = row.text(tags::DISPLAY_NAME).unwrap_or_default();
            let path = self.paths.get(&parent).map(|parent| path::join(parent, name));
            if let Some(path) = &path
                && self.deep
            {
                self.paths.insert(own, path.clone());
            }
            self.ready.push_back(Folder::new(&self.root.0.link, own, path));
        }
        Ok(!rows.is_empty())
    }
}

impl fmt::Debug for Folders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folders").field("root", &self.root).field("done", &self.done).finish_non_exhaustive()
    }
}
