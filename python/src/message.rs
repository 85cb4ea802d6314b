//! `watertight.Message` and `watertight.Address`.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes};
use watertight_mail::{Message as Mail, RecipientKind};

use crate::attachment::Attachment;
use crate::convert::datetime;
use crate::folder::{Folder, waited};
use crate::props::{Of, Props};

/// A person or list: ``name`` and ``email``, either of which may be empty. ``str()`` of it is ``Name <address>``.
#[pyclass(frozen, eq, hash, get_all, module = "watertight")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// The name that is shown.
    name: String,
    /// The SMTP address, or what the server has in its place.
    email: String,
}

#[pymethods]
impl Address {
    fn __str__(&self) -> String {
        let Self { name, email } = self.clone();
        watertight_mail::Address { name, email }.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<watertight.Address {:?}>", self.__str__())
    }
}

impl From<&watertight_mail::Address> for Address {
    fn from(address: &watertight_mail::Address) -> Self {
        Self { name: address.name.clone(), email: address.email.clone() }
    }
}

/// A message.
///
/// >>> m = next(iter(s.inbox))
/// >>> m.subject, str(m.sender), m.received, m.unread
/// >>> m.save(f"{m.id}.eml")
///
/// Subject, sender, times, size and read state are those that the list of messages had; the rest is fetched when it is
/// asked for.
#[pyclass(frozen, eq, hash, module = "watertight")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Message(pub(crate) Mail);

impl Message {
    fn wait<T, F>(&self, py: Python<'_>, future: F) -> PyResult<T>
    where
        T: Send,
        F: Future<Output = Result<T, watertight_mail::Error>> + Send,
    {
        waited(py, self.0.folder(), future)
    }

    fn people(&self, py: Python<'_>, kind: RecipientKind) -> PyResult<Vec<Address>> {
        Ok(self.wait(py, self.0.recipients_of(kind))?.iter().map(Address::from).collect())
    }
}

#[pymethods]
impl Message {
    /// What names the message beyond this session, for as long as it stays in its folder: ``Folder.message(id)``
    /// finds it again.
    #[getter]
    fn id(&self) -> String {
        self.0.id()
    }

    /// The folder that it is in.
    #[getter]
    fn folder(&self) -> Folder {
        Folder(self.0.folder().clone())
    }

    /// The subject, whole.
    #[getter]
    fn subject(&self, py: Python<'_>) -> PyResult<String> {
        // Servers cut long ones in lists.
        if self.0.subject().chars().count() < 255 {
            return Ok(self.0.subject().to_owned());
        }
        self.wait(py, self.0.whole_subject())
    }

    /// Who it is from.
    #[getter]
    fn sender(&self) -> Address {
        self.0.sender().into()
    }

    /// Those it is for.
    #[getter]
    fn to(&self, py: Python<'_>) -> PyResult<Vec<Address>> {
        self.people(py, RecipientKind::To)
    }

    /// Those who get a copy.
    #[getter]
    fn cc(&self, py: Python<'_>) -> PyResult<Vec<Address>> {
        self.people(py, RecipientKind::Cc)
    }

    /// Those who get a copy that the others do not see.
    #[getter]
    fn bcc(&self, py: Python<'_>) -> PyResult<Vec<Address>> {
        self.people(py, RecipientKind::Bcc)
    }

    /// When it was received, an aware ``datetime`` in UTC.
    #[getter]
    fn received<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.received().map(|time| datetime(py, time)).transpose()
    }

    /// When it was sent, an aware ``datetime`` in UTC.
    #[getter]
    fn sent<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.sent().map(|time| datetime(py, time)).transpose()
    }

    /// Bytes that it takes on the server; its mail may be longer or shorter.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// The kind of item: ``IPM.Note`` for mail.
    #[getter]
    fn message_class(&self) -> &str {
        self.0.class()
    }

    /// Whether nobody has read it.
    #[getter]
    fn unread(&self) -> bool {
        self.0.unread()
    }

    /// Whether it has attachments that a person would see.
    #[getter]
    fn has_attachments(&self) -> bool {
        self.0.has_attachments()
    }

    /// The body as text; empty where it has none.
    #[getter]
    fn body(&self, py: Python<'_>) -> PyResult<String> {
        self.wait(py, self.0.body())
    }

    /// The body as HTML, or ``None``.
    #[getter]
    fn html(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.wait(py, self.0.html())
    }

    /// The fields of its header, as an ``email.message.EmailMessage`` without a body.
    ///
    /// >>> m.headers["Message-ID"], m.headers.get_all("Received")
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = self.wait(py, self.0.headers())?;
        let policy = py.import("email.policy")?.getattr("default")?;
        let parser = py.import("email.parser")?.getattr("HeaderParser")?;
        parser.call((), Some(&[("policy", policy)].into_py_dict(py)?))?.call_method1("parsestr", (text,))
    }

    /// Its attachments, in order.
    #[getter]
    fn attachments(&self, py: Python<'_>) -> PyResult<Vec<Attachment>> {
        let all = self.wait(py, self.0.attachments())?;
        Ok(all.into_iter().map(|attachment| Attachment(attachment, self.0.clone())).collect())
    }

    /// The message as mail (RFC 5322): as it was added, where the message is still what was made of it; else made
    /// from its properties.
    fn as_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.wait(py, self.0.to_bytes())?))
    }

    /// The message as an ``email.message.EmailMessage``.
    fn as_email<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let policy = py.import("email.policy")?.getattr("default")?;
        let bytes = self.as_bytes(py)?;
        py.import("email")?
            .getattr("message_from_bytes")?
            .call((bytes,), Some(&[("policy", policy)].into_py_dict(py)?))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.as_bytes(py)
    }

    /// The message as mail into a file, which is there whole or not at all; memory does not grow with it. Returns its
    /// length in bytes.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<u64> {
        self.wait(py, self.0.save_as(path))
    }

    /// Moves it to another folder of the session. It is another message there.
    fn move_to(&self, py: Python<'_>, folder: &Folder) -> PyResult<()> {
        self.wait(py, self.0.move_to(&folder.0))
    }

    /// Copies it into another folder of the session.
    fn copy_to(&self, py: Python<'_>, folder: &Folder) -> PyResult<()> {
        self.wait(py, self.0.copy_to(&folder.0))
    }

    /// Deletes it.
    fn delete(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, self.0.delete())
    }

    /// Marks it read; no receipt is sent.
    fn mark_read(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, self.0.mark_read())
    }

    /// Marks it unread.
    fn mark_unread(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, self.0.mark_unread())
    }

    /// Its properties, as a mapping. What is set or deleted is saved at once.
    ///
    /// >>> m.props["PidTagImportance"] = 2
    /// >>> m.props["{00020329-0000-0000-C000-000000000046}/Keywords"] = ["red", "blue"]
    #[getter]
    fn props(&self) -> Props {
        Props(Of::Message(self.0.clone()))
    }

    fn __repr__(&self) -> String {
        format!("<watertight.Message {:?}>", self.0.subject())
    }
}
