//! Folders.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use watertight_mapi::prop::{Prop, PropBag, tags};
use watertight_mapi::restriction::Restriction;
use watertight_mapi::{Fid, MapiCode, Mid, PropTag, PropValue};
use watertight_mapi_client::{self as client, Completion, Deletion, Depth, SpecialFolder, Transfer, View};

use crate::blocking::Engine;
use crate::link::Link;
use crate::slot::Slot;
use crate::{Changes, Error, Folders, Key, Message, Messages, Query, path};

/// A folder. Clones are the same one. It is opened on the server when something is asked of it, and released when it
/// was not needed for a while.
#[derive(Clone)]
pub struct Folder(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) link: Arc<Link>,
    pub(crate) id: Fid,
    /// Names of the folders from the top to this one, where they are known.
    path: Mutex<Option<String>>,
    slot: Arc<Slot<client::Folder>>,
}

/// How many messages a folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All messages.
    pub messages: u32,
    /// Those that nobody has read.
    pub unread: u32,
}

/// How [`Folder::add`] adds a mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AddOptions {
    /// The message is unread.
    pub unread: bool,
    /// When it was received; by default what its newest Received field says, else its Date.
    pub received: Option<jiff::Timestamp>,
}

impl Folder {
    pub(crate) fn new(link: &Arc<Link>, id: Fid, path: Option<String>) -> Self {
        Self(Arc::new(Inner { link: Arc::clone(link), id, path: Mutex::new(path), slot: Slot::new() }))
    }

    /// What waits for the session, when it is one of [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// For an asynchronous session.
    pub fn engine(&self) -> Result<Engine, Error> {
        self.0.link.engine().cloned()
    }

    /// The folder's id in this session.
    #[must_use]
    pub fn id(&self) -> Fid {
        self.0.id
    }

    /// The folder of the client below, open.
    ///
    /// # Errors
    /// When it is not there any more.
    pub async fn open(&self) -> Result<Arc<client::Folder>, Error> {
        let store = self.0.link.store()?;
        if let Some(folder) = self.0.slot.get() {
            return Ok(folder);
        }
        let folder = store.open_folder(self.0.id).await?;
        Ok(self.0.slot.fill(&self.0.link.slots, folder))
    }

    /// Its name.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn name(&self) -> Result<String, Error> {
        Ok(path::split(&self.path().await?).pop().unwrap_or_default())
    }

    /// The names from the top of the mailbox to this folder, with slashes between: `Archive/2004`. A slash in a name
    /// has a backslash before it. Asked once.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn path(&self) -> Result<String, Error> {
        if let Some(path) = self.known_path() {
            return Ok(path);
        }
        let store = self.0.link.store()?;
        let top = store.special_folder(SpecialFolder::IpmSubtree);
        let mut names = Vec::new();
        let mut id = self.0.id;
        let mut folder = self.open().await?;
        // A tree of folders is not deeper than this; a server that says otherwise is not believed.
        for _ in 0..256 {
            if id == top || id.is_null() {
                break;
            }
            let bag = folder.props(&[tags::DISPLAY_NAME, tags::PARENT_FOLDER_ID]).await?;
            names.push(bag.text(tags::DISPLAY_NAME).unwrap_or_default().to_owned());
            let Some(parent) = bag.id(tags::PARENT_FOLDER_ID).map(Fid::from_u64) else { break };
            if parent == id || parent == top || parent.is_null() {
                break;
            }
            id = parent;
            folder = Arc::new(store.open_folder(id).await?);
        }
        let path = names.iter().rev().fold(String::new(), |path, name| path::join(&path, name));
        *self.0.path.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
        Ok(path)
    }

    /// The path, where it is known without asking.
    #[must_use]
    pub fn known_path(&self) -> Option<String> {
        self.0.path.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages it has now.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let folder = self.open().await?;
        let bag = folder.props(&[tags::CONTENT_COUNT, tags::CONTENT_UNREAD_COUNT]).await?;
        let count = |tag| bag.int(tag).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        Ok(Counts { messages: count(tags::CONTENT_COUNT), unread: count(tags::CONTENT_UNREAD_COUNT) })
    }

    /// Its messages, the newest first.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.search(Query::new())
    }

    /// Those of its messages that match.
    #[must_use]
    pub fn search(&self, query: Query) -> Messages {
        Messages::new(self, query)
    }

    /// The message with this id, as [`Message::id`] gives it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not in this folder.
    pub async fn message(&self, id: &str) -> Result<Message, Error> {
        Message::by_id(self, id).await
    }

    /// The folders directly below it, by name.
    #[must_use]
    pub fn folders(&self) -> Folders {
        Folders::new(self, false)
    }

    /// All folders below it, each before those in it.
    #[must_use]
    pub fn walk(&self) -> Folders {
        Folders::new(self, true)
    }

    /// The folder with this path below it: `2004/May`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub async fn folder(&self, path: &str) -> Result<Self, Error> {
        let mut found = self.clone();
        for name in path::split(path) {
            found = match found.child(&name).await? {
                Some(child) => child,
                None => {
                    let at = found.path().await?;
                    let at =
                        if at.is_empty() { "the top of the mailbox".to_owned() } else { format!("{at:?}") };
                    return Err(Error::not_found(format!(
                        "there is no folder {name:?} in {at}; look at the names that are there, or create it"
                    )));
                }
            };
        }
        Ok(found)
    }

    /// The folder with that name directly below it.
    async fn child(&self, name: &str) -> Result<Option<Self>, Error> {
        let folder = self.open().await?;
        let view = View::of(&[tags::FOLDER_ID, tags::DISPLAY_NAME])
            .restricted(Restriction::equals(tags::DISPLAY_NAME, name));
        let mut table = folder.hierarchy_table(Depth::Children, &view).await?;
        let rows = table.query_rows(10).await?;
        // Names compare without case, but an equal one is better.
        let best = rows.iter().find(|row| row.text(tags::DISPLAY_NAME) == Some(name)).or(rows.first());
        let Some(row) = best else { return Ok(None) };
        Ok(self.of_row(row))
    }

    /// The folder of a row of a hierarchy table of this one.
    pub(crate) fn of_row(&self, row: &PropBag) -> Option<Self> {
        let id = row.id(tags::FOLDER_ID).map(Fid::from_u64)?;
        let name = row.text(tags::DISPLAY_NAME).unwrap_or_default();
        let path = self.known_path().map(|path| path::join(&path, name));
        Some(Self::new(&self.0.link, id, path))
    }

    /// Makes a folder below it, and those that are missing on the way: `create("2004/May")`. What is there already
    /// is opened.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create(&self, path: &str) -> Result<Self, Error> {
        let names = path::split(path);
        if names.is_empty() {
            return Err(Error::invalid("a folder needs a name"));
        }
        let mut at = self.clone();
        for name in names {
            let folder = at.open().await?;
            let made = folder.create_folder(&name, "", true).await?;
            let path = at.known_path().map(|path| path::join(&path, &name));
            let new = Self::new(&self.0.link, made.id(), path);
            new.0.slot.fill(&self.0.link.slots, made);
            at = new;
        }
        Ok(at)
    }

    /// Renames it.
    ///
    /// # Errors
    /// When the server refuses: for a standard folder, or a name that is taken.
    pub async fn rename(&self, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(Error::invalid("a folder needs a name"));
        }
        let folder = self.open().await?;
        crate::props::set(&folder, &[Prop::new(tags::DISPLAY_NAME, name)]).await?;
        let mut path = self.0.path.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = path.take() {
            let mut names = path::split(&known);
            names.pop();
            names.push(name.to_owned());
            *path = Some(names.iter().fold(String::new(), |path, name| path::join(&path, name)));
        }
        Ok(())
    }

    /// Deletes it with all in it.
    ///
    /// # Errors
    /// When the server refuses, for a standard folder for example.
    pub async fn delete(&self) -> Result<(), Error> {
        let folder = self.open().await?;
        let bag = folder.props(&[tags::PARENT_FOLDER_ID]).await?;
        let Some(parent) = bag.id(tags::PARENT_FOLDER_ID).map(Fid::from_u64) else {
            return Err(Error::not_found("the folder has no parent that is known"));
        };
        drop(folder);
        // What is open, of this folder and of those in it, would outlive them.
        self.0.link.slots.empty();
        let parent = self.0.link.store()?.open_folder(parent).await?;
        let all = parent.delete_folder(self.0.id, Deletion::Soft).await?;
        complete(all, "some of what is in the folder could not be deleted")
    }

    /// Deletes all messages in it; its subfolders stay.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn empty(&self) -> Result<(), Error> {
        let mut messages = self.messages();
        loop {
            let page = messages.page().await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<Mid> = page.iter().map(Message::mid).collect();
            self.delete_messages(&ids).await?;
        }
    }

    /// Adds a mail (RFC 5322) as it is: what [`Message::to_bytes`](crate::Message::to_bytes) gives of it later is the
    /// same, byte for byte.
    ///
    /// # Errors
    /// For an empty mail, and when the server refuses.
    pub async fn add(&self, mail: &[u8], options: &AddOptions) -> Result<Message, Error> {
        crate::add::add(self, mail, options).await
    }

    /// What has changed since a state that [`Changes::state`] gave; everything, for an empty one.
    #[must_use]
    pub fn sync(&self, state: &[u8]) -> Changes {
        Changes::new(self, state)
    }

    /// The value of a property.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn prop(&self, key: &Key) -> Result<Option<PropValue>, Error> {
        crate::props::get(&*self.open().await?, key).await
    }

    /// All properties; those above 64 KiB without a value.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn props(&self) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
        crate::props::all(&*self.open().await?).await
    }

    /// Sets a property.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_prop(&self, key: &Key, value: PropValue) -> Result<(), Error> {
        crate::props::set(&*self.open().await?, &[key.with(value)]).await
    }

    /// Removes a property.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove_prop(&self, key: &Key) -> Result<(), Error> {
        crate::props::remove(&*self.open().await?, key).await
    }

    pub(crate) async fn delete_messages(&self, ids: &[Mid]) -> Result<(), Error> {
        let done = self.open().await?.delete_messages(ids, Deletion::Soft).await?;
        complete(done, "some of the messages could not be deleted")
    }

    pub(crate) async fn transfer(&self, ids: &[Mid], to: &Self, how: Transfer) -> Result<(), Error> {
        if !Arc::ptr_eq(&self.0.link, &to.0.link) {
            return Err(Error::invalid(
                "the other folder is of another session; add the mail there and delete it here",
            ));
        }
        let (from, to) = (self.open().await?, to.open().await?);
        let done = from.transfer_messages(ids, &to, how).await?;
        complete(done, "some of the messages could not be moved or copied")
    }

    /// Columns of a table of this folder's messages that make [`Message`]s.
    pub(crate) fn message_columns() -> &'static [PropTag] {
        crate::message::COLUMNS
    }
}

/// Whether all of it was done.
pub(crate) fn complete(done: Completion, otherwise: &str) -> Result<(), Error> {
    match done {
        Completion::All => Ok(()),
        Completion::Part => Err(Error::refused(MapiCode::PartialCompletion, otherwise)),
    }
}

impl PartialEq for Folder {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id && Arc::ptr_eq(&self.0.link, &other.0.link)
    }
}

impl Eq for Folder {}

impl Hash for Folder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("id", &self.0.id)
            .field("path", &self.known_path())
            .finish_non_exhaustive()
    }
}
