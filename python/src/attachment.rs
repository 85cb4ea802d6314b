//! `watertight.Attachment`.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use watertight_mail::{Attachment as Mail, Message};

use crate::folder::waited;
use crate::props::{Of, Props};

/// An attachment of a message: a file, or another message.
///
/// >>> for a in m.attachments:
/// ...     a.save("downloads/")
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Attachment(pub(crate) Mail, pub(crate) Message);

#[pymethods]
impl Attachment {
    /// Its name, as the message says it: nothing to be trusted as a path. Empty where it has none.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// Bytes that it takes on the server, its properties included.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// The MIME type.
    #[getter]
    fn content_type(&self) -> &str {
        self.0.content_type()
    }

    /// What an HTML body names it by (``cid:``); empty where it does not.
    #[getter]
    fn content_id(&self) -> &str {
        self.0.content_id()
    }

    /// Whether it is a message.
    #[getter]
    fn is_message(&self) -> bool {
        self.0.is_message()
    }

    /// Its bytes; of a message, its mail.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &waited(py, self.1.folder(), self.0.read())?))
    }

    /// Its bytes into a file, which is there whole or not at all; memory does not grow with it. In a directory the file
    /// gets the attachment's name, made harmless. Returns where it is.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<PathBuf> {
        waited(py, self.1.folder(), self.0.save(path))
    }

    /// Its properties, as a mapping that can be read.
    #[getter]
    fn props(&self) -> Props {
        Props(Of::Attachment(self.0.clone(), self.1.clone()))
    }

    fn __repr__(&self) -> String {
        format!("<watertight.Attachment {:?}, {} bytes>", self.0.name(), self.0.size())
    }
}
