//! `watertight.Changes` and `watertight.Change`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use watertight_mail::Change as Mail;

use crate::message::Message;
use crate::shared::Shared;
use crate::wait::wait;

/// Something that has changed in a folder.
///
/// ``kind`` is ``"new"``, ``"changed"``, ``"deleted"``, ``"read"``, ``"unread"`` or ``"failed"``; ``id`` names the
/// message; ``message`` is there for the first two.
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Change(Mail);

#[pymethods]
impl Change {
    /// What has happened.
    #[getter]
    const fn kind(&self) -> &'static str {
        match &self.0 {
            Mail::New(_) => "new",
            Mail::Changed(_) => "changed",
            Mail::Deleted(_) => "deleted",
            Mail::Read(_) => "read",
            Mail::Unread(_) => "unread",
            _ => "failed",
        }
    }

    /// Which message: its ``Message.id``. ``None`` when the server does not say.
    #[getter]
    fn id(&self) -> Option<String> {
        match &self.0 {
            Mail::New(message) | Mail::Changed(message) => Some(message.id()),
            Mail::Deleted(id) | Mail::Read(id) | Mail::Unread(id) => Some(id.clone()),
            Mail::Failed(id) => id.clone(),
            _ => None,
        }
    }

    /// The message that is new or has changed.
    #[getter]
    fn message(&self) -> Option<Message> {
        match &self.0 {
            Mail::New(message) | Mail::Changed(message) => Some(Message(message.clone())),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        format!("<watertight.Change {} {}>", self.kind(), self.id().unwrap_or_default())
    }
}

/// What has changed in a folder since a state, one change after another.
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Changes(Shared<watertight_mail::Changes>);

impl Changes {
    pub(crate) fn new(changes: watertight_mail::Changes) -> Self {
        let engine = changes.engine();
        Self(Shared::new(changes, engine))
    }
}

#[pymethods]
impl Changes {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Change>> {
        let next = wait(py, self.0.engine(py)?, async { self.0.lock().await.next().await })?;
        Ok(next.map(Change))
    }

    /// What has been given so far: keep it, and give it to ``Folder.sync`` to go on, at once or years later. A change
    /// counts when the next one is asked for.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let state = wait(py, self.0.engine(py)?, async { Ok(self.0.lock().await.state().to_vec()) })?;
        Ok(PyBytes::new(py, &state))
    }
}
