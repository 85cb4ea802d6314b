//! Folders, messages and attachments that wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use watertight_mapi::PropValue;

use crate::link::Link;
use crate::{AddOptions, Address, Counts, Error, Key, Query, RecipientKind};

fn wait<T>(link: &Link, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    link.engine()?.wait(future)?
}

/// A folder; [`crate::Folder`] without `async`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(pub(super) crate::Folder);

impl Folder {
    /// As [`crate::Folder::name`].
    ///
    /// # Errors
    /// As there.
    pub fn name(&self) -> Result<String, Error> {
        wait(&self.0.0.link, self.0.name())
    }

    /// As [`crate::Folder::path`].
    ///
    /// # Errors
    /// As there.
    pub fn path(&self) -> Result<String, Error> {
        wait(&self.0.0.link, self.0.path())
    }

    /// As [`crate::Folder::counts`].
    ///
    /// # Errors
    /// As there.
    pub fn counts(&self) -> Result<Counts, Error> {
        wait(&self.0.0.link, self.0.counts())
    }

    /// As [`crate::Folder::messages`].
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages { below: self.0.messages(), failed: false }
    }

    /// As [`crate::Folder::search`].
    #[must_use]
    pub fn search(&self, query: Query) -> Messages {
        Messages { below: self.0.search(query), failed: false }
    }

    /// As [`crate::Folder::message`].
    ///
    /// # Errors
    /// As there.
    pub fn message(&self, id: &str) -> Result<Message, Error> {
        wait(&self.0.0.link, self.0.message(id)).map(Message)
    }

    /// As [`crate::Folder::folders`].
    #[must_use]
    pub fn folders(&self) -> Folders {
        Folders { below: self.0.folders(), failed: false }
    }

    /// As [`crate::Folder::walk`].
    #[must_use]
    pub fn walk(&self) -> Folders {
        Folders { below: self.0.walk(), failed: false }
    }

    /// As [`crate::Folder::folder`].
    ///
    /// # Errors
    /// As there.
    pub fn folder(&self, path: &str) -> Result<Self, Error> {
        wait(&self.0.0.link, self.0.folder(path)).map(Self)
    }

    /// As [`crate::Folder::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, path: &str) -> Result<Self, Error> {
        wait(&self.0.0.link, self.0.create(path)).map(Self)
    }

    /// As [`crate::Folder::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&self, name: &str) -> Result<(), Error> {
        wait(&self.0.0.link, self.0.rename(name))
    }

    /// As [`crate::Folder::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self) -> Result<(), Error> {
        wait(&self.0.0.link, self.0.delete())
    }

    /// As [`crate::Folder::empty`].
    ///
    /// # Errors
    /// As there.
    pub fn empty(&self) -> Result<(), Error> {
        wait(&self.0.0.link, self.0.empty())
    }

    /// As [`crate::Folder::add`].
    ///
    /// # Errors
    /// As there.
    pub fn add(&self, mail: &[u8], options: &AddOptions) -> Result<Message, Error> {
        wait(&self.0.0.link, self.0.add(mail, options)).map(Message)
    }

    /// As [`crate::Folder::sync`].
    #[must_use]
    pub fn sync(&self, state: &[u8]) -> Changes {
        Changes(self.0.sync(state))
    }

    /// As [`crate::Folder::prop`].
    ///
    /// # Errors
    /// As there.
    pub fn prop(&self, key: &Key) -> Result<Option<PropValue>, Error> {
        wait(&self.0.0.link, self.0.prop(key))
    }

    /// As [`crate::Folder::props`].
    ///
    /// # Errors
    /// As there.
    pub fn props(&self) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
        wait(&self.0.0.link, self.0.props())
    }

    /// As [`crate::Folder::set_prop`].
    ///
    /// # Errors
    /// As there.
    pub fn set_prop(&self, key: &Key, value: PropValue) -> Result<(), Error> {
        wait(&self.0.0.link, self.0.set_prop(key, value))
    }

    /// As [`crate::Folder::remove_prop`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_prop(&self, key: &Key) -> Result<(), Error> {
        wait(&self.0.0.link, self.0.remove_prop(key))
    }
}

/// A message; [`crate::Message`] without `async`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(pub(super) crate::Message);

impl Message {
    /// As [`crate::Message::id`].
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// As [`crate::Message::folder`].
    #[must_use]
    pub fn folder(&self) -> Folder {
        Folder(self.0.folder().clone())
    }

    /// As [`crate::Message::subject`].
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0.subject()
    }

    /// As [`crate::Message::sender`].
    #[must_use]
    pub fn sender(&self) -> &Address {
        self.0.sender()
    }

    /// As [`crate::Message::received`].
    #[must_use]
    pub fn received(&self) -> Option<Timestamp> {
        self.0.received()
    }

    /// As [`crate::Message::sent`].
    #[must_use]
    pub fn sent(&self) -> Option<Timestamp> {
        self.0.sent()
    }

    /// As [`crate::Message::size`].
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// As [`crate::Message::class`].
    #[must_use]
    pub fn class(&self) -> &str {
        self.0.class()
    }

    /// As [`crate::Message::has_attachments`].
    #[must_use]
    pub fn has_attachments(&self) -> bool {
        self.0.has_attachments()
    }

    /// As [`crate::Message::unread`].
    #[must_use]
    pub fn unread(&self) -> bool {
        self.0.unread()
    }

    /// As [`crate::Message::recipients`].
    ///
    /// # Errors
    /// As there.
    pub fn recipients(&self) -> Result<Vec<(RecipientKind, Address)>, Error> {
        wait(self.0.link(), self.0.recipients())
    }

    /// As [`crate::Message::recipients_of`].
    ///
    /// # Errors
    /// As there.
    pub fn recipients_of(&self, kind: RecipientKind) -> Result<Vec<Address>, Error> {
        wait(self.0.link(), self.0.recipients_of(kind))
    }

    /// As [`crate::Message::body`].
    ///
    /// # Errors
    /// As there.
    pub fn body(&self) -> Result<String, Error> {
        wait(self.0.link(), self.0.body())
    }

    /// As [`crate::Message::html`].
    ///
    /// # Errors
    /// As there.
    pub fn html(&self) -> Result<Option<String>, Error> {
        wait(self.0.link(), self.0.html())
    }

    /// As [`crate::Message::headers`].
    ///
    /// # Errors
    /// As there.
    pub fn headers(&self) -> Result<String, Error> {
        wait(self.0.link(), self.0.headers())
    }

    /// As [`crate::Message::attachments`].
    ///
    /// # Errors
    /// As there.
    pub fn attachments(&self) -> Result<Vec<Attachment>, Error> {
        wait(self.0.link(), self.0.attachments()).map(|all| all.into_iter().map(Attachment).collect())
    }

    /// As [`crate::Message::to_bytes`].
    ///
    /// # Errors
    /// As there.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        wait(self.0.link(), self.0.to_bytes())
    }

    /// As [`crate::Message::save_as`].
    ///
    /// # Errors
    /// As there.
    pub fn save_as(&self, path: impl AsRef<Path>) -> Result<u64, Error> {
        wait(self.0.link(), self.0.save_as(path))
    }

    /// As [`crate::Message::move_to`].
    ///
    /// # Errors
    /// As there.
    pub fn move_to(&self, folder: &Folder) -> Result<(), Error> {
        wait(self.0.link(), self.0.move_to(&folder.0))
    }

    /// As [`crate::Message::copy_to`].
    ///
    /// # Errors
    /// As there.
    pub fn copy_to(&self, folder: &Folder) -> Result<(), Error> {
        wait(self.0.link(), self.0.copy_to(&folder.0))
    }

    /// As [`crate::Message::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self) -> Result<(), Error> {
        wait(self.0.link(), self.0.delete())
    }

    /// As [`crate::Message::mark_read`].
    ///
    /// # Errors
    /// As there.
    pub fn mark_read(&self) -> Result<(), Error> {
        wait(self.0.link(), self.0.mark_read())
    }

    /// As [`crate::Message::mark_unread`].
    ///
    /// # Errors
    /// As there.
    pub fn mark_unread(&self) -> Result<(), Error> {
        wait(self.0.link(), self.0.mark_unread())
    }

    /// As [`crate::Message::prop`].
    ///
    /// # Errors
    /// As there.
    pub fn prop(&self, key: &Key) -> Result<Option<PropValue>, Error> {
        wait(self.0.link(), self.0.prop(key))
    }

    /// As [`crate::Message::props`].
    ///
    /// # Errors
    /// As there.
    pub fn props(&self) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
        wait(self.0.link(), self.0.props())
    }

    /// As [`crate::Message::set_prop`].
    ///
    /// # Errors
    /// As there.
    pub fn set_prop(&self, key: &Key, value: PropValue) -> Result<(), Error> {
        wait(self.0.link(), self.0.set_prop(key, value))
    }

    /// As [`crate::Message::remove_prop`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_prop(&self, key: &Key) -> Result<(), Error> {
        wait(self.0.link(), self.0.remove_prop(key))
    }
}

/// An attachment; [`crate::Attachment`] without `async`.
#[derive(Debug, Clone)]
pub struct Attachment(crate::Attachment);

impl Attachment {
    /// As [`crate::Attachment::number`].
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.number()
    }

    /// As [`crate::Attachment::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// As [`crate::Attachment::size`].
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// As [`crate::Attachment::content_type`].
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.0.content_type()
    }

    /// As [`crate::Attachment::content_id`].
    #[must_use]
    pub fn content_id(&self) -> &str {
        self.0.content_id()
    }

    /// As [`crate::Attachment::is_message`].
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.0.is_message()
    }

    /// As [`crate::Attachment::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        wait(self.0.message().link(), self.0.read())
    }

    /// As [`crate::Attachment::save`].
    ///
    /// # Errors
    /// As there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<PathBuf, Error> {
        wait(self.0.message().link(), self.0.save(path))
    }

    /// As [`crate::Attachment::prop`].
    ///
    /// # Errors
    /// As there.
    pub fn prop(&self, key: &Key) -> Result<Option<PropValue>, Error> {
        wait(self.0.message().link(), self.0.prop(key))
    }

    /// As [`crate::Attachment::props`].
    ///
    /// # Errors
    /// As there.
    pub fn props(&self) -> Result<Vec<(Key, Option<PropValue>)>, Error> {
        wait(self.0.message().link(), self.0.props())
    }
}

/// Folders below a folder; [`crate::Folders`] without `async`.
#[derive(Debug)]
pub struct Folders {
    below: crate::Folders,
    failed: bool,
}

impl Iterator for Folders {
    type Item = Result<Folder, Error>;

    /// Nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let link = Arc::clone(self.below.link());
        let next = wait(&link, self.below.next());
        self.failed = next.is_err();
        next.map(|item| item.map(Folder)).transpose()
    }
}

/// Messages of a folder, read in pages; [`crate::Messages`] without `async`.
#[derive(Debug)]
pub struct Messages {
    below: crate::Messages,
    failed: bool,
}

impl Iterator for Messages {
    type Item = Result<Message, Error>;

    /// Nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let link = Arc::clone(self.below.link());
        let next = wait(&link, self.below.next());
        self.failed = next.is_err();
        next.map(|item| item.map(Message)).transpose()
    }
}

/// Something that has changed in a folder; [`crate::Change`] without `async`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// A message is new.
    New(Message),
    /// A message has changed, its read state apart.
    Changed(Message),
    /// The message with this id was deleted or moved away.
    Deleted(String),
    /// The message with this id was marked read.
    Read(String),
    /// The message with this id was marked unread.
    Unread(String),
    /// The server could not give the message with this id, where it says which.
    Failed(Option<String>),
}

impl From<crate::Change> for Change {
    fn from(change: crate::Change) -> Self {
        match change {
            crate::Change::New(message) => Self::New(Message(message)),
            crate::Change::Changed(message) => Self::Changed(Message(message)),
            crate::Change::Deleted(id) => Self::Deleted(id),
            crate::Change::Read(id) => Self::Read(id),
            crate::Change::Unread(id) => Self::Unread(id),
            crate::Change::Failed(id) => Self::Failed(id),
        }
    }
}

/// What has changed since a state; [`crate::Changes`] without `async`. Nothing follows an error.
#[derive(Debug)]
pub struct Changes(crate::Changes);

impl Changes {
    /// As [`crate::Changes::state`].
    #[must_use]
    pub fn state(&self) -> &[u8] {
        self.0.state()
    }
}

impl Iterator for Changes {
    type Item = Result<Change, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.has_failed() {
            return None;
        }
        let link = Arc::clone(self.0.link());
        wait(&link, self.0.next()).map(|change| change.map(Change::from)).transpose()
    }
}
