//! `watertight.Session`.

use std::path::PathBuf;

use pyo3::prelude::*;
use watertight_mail::Session as Mail;

use crate::folder::{Folder, Folders};
use crate::wait::{engine, wait};

/// An open mailbox.
///
/// >>> with watertight.Session("https://mail.example.org", user="anna", password="…") as s:
/// ...     for m in s.inbox:
/// ...         print(m.subject)
///
/// ``profile`` names one in ``~/.config/watertight/config.toml`` instead; ``Session()`` takes the default one. With
/// ``ask=True`` what is missing is asked for on the terminal.
///
/// The session ends with the ``with`` block, with :meth:`close`, or when it and everything that was opened through
/// it is gone.
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Session(Mail);

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (server=None, user=None, password=None, *, profile=None, user_dn=None, tls_ca=None, ask=false))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        py: Python<'_>,
        server: Option<String>,
        user: Option<String>,
        password: Option<String>,
        profile: Option<String>,
        user_dn: Option<String>,
        tls_ca: Option<PathBuf>,
        ask: bool,
    ) -> PyResult<Self> {
        let mut open = match (server, profile) {
            (Some(_), Some(_)) => {
                return Err(pyo3::exceptions::PyTypeError::new_err("either a server or a profile, not both"));
            }
            (Some(server), None) => Mail::to(server),
            (None, profile) => {
                if user.is_some() || user_dn.is_some() || tls_ca.is_some() {
                    return Err(pyo3::exceptions::PyTypeError::new_err(
                        "user, user_dn and tls_ca go with a server; a profile has its own",
                    ));
                }
                Mail::with_profile(profile.unwrap_or_default())
            }
        };
        if let Some(user) = user {
            open = open.user(user);
        }
        if let Some(password) = password {
            open = open.password(password);
        }
        if let Some(dn) = user_dn {
            open = open.user_dn(dn);
        }
        if let Some(file) = tls_ca {
            open = open.tls_ca(file);
        }
        if ask {
            open = open.ask();
        }
        let engine = engine(py)?;
        Ok(Self(wait(py, &engine, engine.session(open))?))
    }

    /// The user's display name, as the server knows it.
    #[getter]
    fn user(&self) -> &str {
        self.0.user()
    }

    /// The server's URL.
    #[getter]
    fn server(&self) -> &str {
        self.0.server()
    }

    /// The Inbox.
    #[getter]
    fn inbox(&self) -> Folder {
        Folder(self.0.inbox())
    }

    /// Where messages that were sent are kept.
    #[getter]
    fn sent(&self) -> Folder {
        Folder(self.0.sent())
    }

    /// Where messages go that a person deletes.
    #[getter]
    fn trash(&self) -> Folder {
        Folder(self.0.trash())
    }

    /// Where messages wait to be sent.
    #[getter]
    fn outbox(&self) -> Folder {
        Folder(self.0.outbox())
    }

    /// The top of the mailbox: the folder that all that people see lie in.
    #[getter]
    fn root(&self) -> Folder {
        Folder(self.0.root())
    }

    /// The folder with this path. Case does not matter; a slash in a name has a backslash before it.
    ///
    /// >>> s.folder("Archive/2004")
    fn folder(&self, py: Python<'_>, path: &str) -> PyResult<Folder> {
        Ok(Folder(crate::folder::waited(py, &self.0.root(), self.0.folder(path))?))
    }

    /// All folders, each before those in it.
    ///
    /// >>> for f in s.folders():
    /// ...     print(f.path, len(f))
    fn folders(&self) -> Folders {
        Folders::new(self.0.folders())
    }

    /// Makes a folder, and those that are missing on the way; one that is there is opened.
    fn create_folder(&self, py: Python<'_>, path: &str) -> PyResult<Folder> {
        Ok(Folder(crate::folder::waited(py, &self.0.root(), self.0.create_folder(path))?))
    }

    /// Ends the session: when this returns the server holds nothing for it. Closing again does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        crate::folder::waited(py, &self.0.root(), self.0.close())
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (exc_type=None, exc_value=None, traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let _ = (exc_value, traceback);
        let closed = self.close(py);
        // What went wrong in the block matters more.
        if exc_type.is_none() {
            closed?;
        }
        Ok(false)
    }

    fn __repr__(&self) -> String {
        let closed = if self.0.is_closed() { ", closed" } else { "" };
        format!("<watertight.Session {} at {}{closed}>", self.0.user(), self.0.server())
    }
}
