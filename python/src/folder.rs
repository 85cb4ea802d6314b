//! `watertight.Folder`, and the iterators over what is in one.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use watertight_mail::{AddOptions, Folder as Mail, Query};

use crate::changes::Changes;
use crate::convert::{mail, timestamp};
use crate::message::Message;
use crate::props::{Of, Props};
use crate::shared::Shared;
use crate::wait::wait;

/// Waits for something of that folder's session.
pub(crate) fn waited<T, F>(py: Python<'_>, folder: &Mail, future: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = Result<T, watertight_mail::Error>> + Send,
{
    let engine = folder.engine().map_err(|error| crate::error::raised(py, &error))?;
    wait(py, &engine, future)
}

/// A condition of [`Folder::search`] about a text.
type Condition = fn(Query, &str) -> Query;

/// A folder. Iterating over it gives its messages, the newest first.
///
/// >>> inbox = s.inbox
/// >>> len(inbox), inbox.unread
/// (1204, 7)
/// >>> for m in inbox:
/// ...     print(m.received, m.sender, m.subject)
///
/// Messages are read in pages; they may be changed, moved and deleted while this goes on.
#[pyclass(frozen, eq, hash, module = "watertight")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Folder(pub(crate) Mail);

#[pymethods]
impl Folder {
    /// Its name; :meth:`rename` changes it.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        waited(py, &self.0, self.0.name())
    }

    /// The names from the top of the mailbox to this folder, with slashes between: ``Archive/2004``.
    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<String> {
        waited(py, &self.0, self.0.path())
    }

    /// How many unread messages it has now.
    #[getter]
    fn unread(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(waited(py, &self.0, self.0.counts())?.unread)
    }

    /// How many messages it has now.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(watertight_wire::to_usize(waited(py, &self.0, self.0.counts())?.messages))
    }

    /// A folder is true, an empty one too.
    #[expect(clippy::unused_self, reason = "a method of Python's")]
    const fn __bool__(&self) -> bool {
        true
    }

    fn __iter__(&self) -> Messages {
        Messages::new(self.0.messages())
    }

    /// Its messages, the newest first or the oldest first.
    #[pyo3(signature = (*, oldest_first=false))]
    fn messages(&self, oldest_first: bool) -> Messages {
        let query = if oldest_first { Query::new().oldest_first() } else { Query::new() };
        Messages::new(self.0.search(query))
    }

    /// Messages that meet all of these conditions. Texts are found anywhere, without regard to case. The server
    /// searches; only what it finds travels.
    ///
    /// >>> for m in s.inbox.search(sender="@example.org", subject="invoice", since=date(2024, 1, 1)):
    /// ...     m.move_to(archive)
    #[pyo3(signature = (*, subject=None, sender=None, recipient=None, body=None, unread=None, has_attachments=None,
        since=None, before=None, larger=None, smaller=None, message_class=None, oldest_first=false))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn search(
        &self,
        subject: Option<&str>,
        sender: Option<&str>,
        recipient: Option<&str>,
        body: Option<&str>,
        unread: Option<bool>,
        has_attachments: Option<bool>,
        since: Option<&Bound<'_, PyAny>>,
        before: Option<&Bound<'_, PyAny>>,
        larger: Option<u32>,
        smaller: Option<u32>,
        message_class: Option<&str>,
        oldest_first: bool,
    ) -> PyResult<Messages> {
        let mut query = Query::new();
        let texts: [(Option<&str>, Condition); 5] = [
            (subject, Query::subject),
            (sender, Query::sender),
            (recipient, Query::recipient),
            (body, Query::body),
            (message_class, Query::class),
        ];
        for (text, with) in texts {
            if let Some(text) = text {
                query = with(query, text);
            }
        }
        if let Some(unread) = unread {
            query = query.unread(unread);
        }
        if let Some(has) = has_attachments {
            query = query.has_attachments(has);
        }
        if let Some(since) = since {
            query = query.since(timestamp(since)?);
        }
        if let Some(before) = before {
            query = query.before(timestamp(before)?);
        }
        if let Some(bytes) = larger {
            query = query.larger(bytes);
        }
        if let Some(bytes) = smaller {
            query = query.smaller(bytes);
        }
        if oldest_first {
            query = query.oldest_first();
        }
        Ok(Messages::new(self.0.search(query)))
    }

    /// The message with this id (``Message.id``).
    fn message(&self, py: Python<'_>, id: &str) -> PyResult<Message> {
        Ok(Message(waited(py, &self.0, self.0.message(id))?))
    }

    /// The folders in it, by name; with ``deep`` all below it, each before those in it.
    #[pyo3(signature = (*, deep=false))]
    fn folders(&self, deep: bool) -> Folders {
        Folders::new(if deep { self.0.walk() } else { self.0.folders() })
    }

    /// The folder with this path below it.
    fn folder(&self, py: Python<'_>, path: &str) -> PyResult<Self> {
        Ok(Self(waited(py, &self.0, self.0.folder(path))?))
    }

    /// Makes a folder below it, and those that are missing on the way; one that is there is opened.
    ///
    /// >>> may = s.root.create("Archive/2004/May")
    fn create(&self, py: Python<'_>, path: &str) -> PyResult<Self> {
        Ok(Self(waited(py, &self.0, self.0.create(path))?))
    }

    /// Renames it.
    fn rename(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        waited(py, &self.0, self.0.rename(name))
    }

    /// Deletes it with all in it.
    fn delete(&self, py: Python<'_>) -> PyResult<()> {
        waited(py, &self.0, self.0.delete())
    }

    /// Deletes all messages in it; its subfolders stay.
    fn empty(&self, py: Python<'_>) -> PyResult<()> {
        waited(py, &self.0, self.0.empty())
    }

    /// Adds a mail: bytes (RFC 5322) or an ``email.message.EmailMessage``. ``Message.as_bytes()`` gives the same bytes
    /// back.
    ///
    /// >>> mail = email.message.EmailMessage()
    /// >>> mail["Subject"] = "To be kept"
    /// >>> mail.set_content("…")
    /// >>> s.folder("Archive").add(mail, unread=False)
    #[pyo3(signature = (mail, *, unread=false, received=None))]
    fn add(
        &self,
        py: Python<'_>,
        mail: &Bound<'_, PyAny>,
        unread: bool,
        received: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Message> {
        let bytes = self::mail(mail)?;
        let mut options = AddOptions::default();
        options.unread = unread;
        options.received = received.map(timestamp).transpose()?;
        Ok(Message(waited(py, &self.0, self.0.add(&bytes, &options))?))
    }

    /// What has changed since a state, an opaque ``bytes`` that :attr:`Changes.state` gave; everything without one.
    ///
    /// >>> changes = s.inbox.sync(state)
    /// >>> for change in changes:
    /// ...     print(change.kind, change.id)
    /// >>> state = changes.state
    #[pyo3(signature = (state=None))]
    fn sync(&self, state: Option<&Bound<'_, PyBytes>>) -> Changes {
        Changes::new(self.0.sync(state.map_or(&[][..], |state| state.as_bytes())))
    }

    /// Its properties, as a mapping.
    ///
    /// >>> s.inbox.props["PidTagContentCount"]
    /// 1204
    #[getter]
    fn props(&self) -> Props {
        Props(Of::Folder(self.0.clone()))
    }

    fn __repr__(&self) -> String {
        match self.0.known_path() {
            Some(path) => format!("<watertight.Folder {path:?}>"),
            None => format!("<watertight.Folder {:#x}>", self.0.id().to_u64()),
        }
    }
}

/// Messages of a folder, read in pages.
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Messages(Shared<watertight_mail::Messages>);

impl Messages {
    fn new(messages: watertight_mail::Messages) -> Self {
        let engine = messages.engine();
        Self(Shared::new(messages, engine))
    }
}

#[pymethods]
impl Messages {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Message>> {
        let next = wait(py, self.0.engine(py)?, async { self.0.lock().await.next().await })?;
        Ok(next.map(Message))
    }
}

/// Folders below a folder, read in pages.
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Folders(Shared<watertight_mail::Folders>);

impl Folders {
    pub(crate) fn new(folders: watertight_mail::Folders) -> Self {
        let engine = folders.engine();
        Self(Shared::new(folders, engine))
    }
}

#[pymethods]
impl Folders {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Folder>> {
        let next = wait(py, self.0.engine(py)?, async { self.0.lock().await.next().await })?;
        Ok(next.map(Folder))
    }
}
