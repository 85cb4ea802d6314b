//! `watertight.Props`.

use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use watertight_mail::{Attachment, Error, Folder, Key, Message, PropValue};
use watertight_mapi::PropType;

use crate::convert::{key, prop_value, value};
use crate::folder::waited;

/// The properties of a folder, a message or an attachment, as a mapping.
///
/// A key is the name of a property (``"PidTagSubject"``, ``"subject"``), its tag (``0x0037001F``), or a named property:
/// ``("00020329-0000-0000-c000-000000000046", "Keywords")``, ``"{00020329-0000-0000-c000-000000000046}/Keywords"``.
/// Every access asks the server. What is set or deleted lasts at once.
///
/// >>> m.props["subject"]
/// 'Hello'
/// >>> dict(m.props)
/// {'PidTagImportance': 1, ...}
#[pyclass(frozen, module = "watertight")]
pub(crate) struct Props(pub(crate) Of);

/// Whose properties.
pub(crate) enum Of {
    Folder(Folder),
    Message(Message),
    Attachment(Attachment, Message),
}

impl Props {
    fn wait<T, F>(&self, py: Python<'_>, future: F) -> PyResult<T>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let folder = match &self.0 {
            Of::Folder(folder) => folder,
            Of::Message(message) | Of::Attachment(_, message) => message.folder(),
        };
        waited(py, folder, future)
    }

    fn one(&self, py: Python<'_>, key: &Key) -> PyResult<Option<PropValue>> {
        self.wait(py, async {
            match &self.0 {
                Of::Folder(folder) => folder.prop(key).await,
                Of::Message(message) => message.prop(key).await,
                Of::Attachment(attachment, _) => attachment.prop(key).await,
            }
        })
    }

    fn all(&self, py: Python<'_>) -> PyResult<Vec<(Key, Option<PropValue>)>> {
        self.wait(py, async {
            match &self.0 {
                Of::Folder(folder) => folder.props().await,
                Of::Message(message) => message.props().await,
                Of::Attachment(attachment, _) => attachment.props().await,
            }
        })
    }

    /// A value that was listed, or fetched where it is too long for a list.
    fn shown<'py>(
        &self,
        py: Python<'py>,
        key: &Key,
        listed: Option<&PropValue>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match listed {
            Some(listed) => value(py, listed),
            None => match self.one(py, key) {
                Ok(Some(fetched)) => value(py, &fetched),
                Ok(None) => Ok(py.None().into_bound(py)),
                Err(error) => Err(error),
            },
        }
    }
}

#[pymethods]
impl Props {
    fn __getitem__<'py>(&self, py: Python<'py>, of: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.one(py, &key(of)?)? {
            Some(found) => value(py, &found),
            None => Err(PyKeyError::new_err(of.clone().unbind())),
        }
    }

    fn __setitem__(&self, py: Python<'_>, of: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.changeable()?;
        let key = key(of)?;
        let ty = match &key {
            Key::Tag(tag) => tag.ty(),
            Key::Named(_) => PropType::Unspecified,
        };
        let new = prop_value(new, ty)?;
        self.wait(py, async {
            match &self.0 {
                Of::Folder(folder) => folder.set_prop(&key, new).await,
                Of::Message(message) => message.set_prop(&key, new).await,
                // Refused before.
                Of::Attachment(..) => Ok(()),
            }
        })
    }

    fn __delitem__(&self, py: Python<'_>, of: &Bound<'_, PyAny>) -> PyResult<()> {
        self.changeable()?;
        let key = key(of)?;
        if self.one(py, &key)?.is_none() {
            return Err(PyKeyError::new_err(of.clone().unbind()));
        }
        self.wait(py, async {
            match &self.0 {
                Of::Folder(folder) => folder.remove_prop(&key).await,
                Of::Message(message) => message.remove_prop(&key).await,
                Of::Attachment(..) => Ok(()),
            }
        })
    }

    fn __contains__(&self, py: Python<'_>, of: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(key) = key(of) else { return Ok(false) };
        Ok(self.one(py, &key)?.is_some())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.all(py)?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.keys(py)?.try_iter()?.into_any())
    }

    /// The value, or ``default``.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.one(py, &crate::convert::key(key)?)? {
            Some(found) => value(py, &found),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    /// What names each property: texts that are keys here.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.all(py)?.iter().map(|(key, _)| key.to_string()))
    }

    /// All values.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let all = self.all(py)?;
        let values = all.iter().map(|(key, listed)| self.shown(py, key, listed.as_ref()));
        PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)
    }

    /// Pairs of a name and a value.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let all = self.all(py)?;
        let items =
            all.iter().map(|(key, listed)| Ok((key.to_string(), self.shown(py, key, listed.as_ref())?)));
        PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)
    }
}

impl Props {
    fn changeable(&self) -> PyResult<()> {
        match &self.0 {
            Of::Attachment(..) => {
                Err(PyTypeError::new_err("the properties of an attachment cannot be changed here"))
            }
            _ => Ok(()),
        }
    }
}
