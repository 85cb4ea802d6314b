//! The Python module `watertight`.

mod attachment;
mod changes;
mod convert;
mod error;
mod folder;
mod message;
mod props;
mod session;
mod shared;
mod wait;

/// Exchange and grommunio mailboxes over MAPI/HTTP.
///
/// >>> import watertight
/// >>> with watertight.Session("https://mail.example.org", user="anna", password="…") as s:
/// ...     for m in s.inbox:
/// ...         print(m.subject)
#[pyo3::pymodule]
mod watertight {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::attachment::Attachment;
    #[pymodule_export]
    use crate::changes::{Change, Changes};
    #[pymodule_export]
    use crate::error::{ClosedError, Error, NotFoundError, ReachError, SignInError};
    #[pymodule_export]
    use crate::folder::{Folder, Folders, Messages};
    #[pymodule_export]
    use crate::message::{Address, Message};
    #[pymodule_export]
    use crate::props::Props;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::wait::_close_all;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::error::defaults(py)?;
        let mutable = py.import("collections.abc")?.getattr("MutableMapping")?;
        mutable.call_method1("register", (py.get_type::<Props>(),))?;
        // Sessions that are still open when the program ends are ended on the server, too.
        py.import("atexit")?.call_method1("register", (module.getattr("_close_all")?,))?;
        Ok(())
    }
}
