//! The exceptions.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use watertight_mail::{Error as MailError, ErrorKind};

create_exception!(
    watertight,
    Error,
    PyException,
    "A failed operation.\n\n\
     ``code`` is the MAPI error code as a number, ``name`` its name (``MAPI_E_…``), ``text`` says what happened and \
     what to do next.\n\n\
     >>> try:\n\
     ...     s.folder(\"Archive/2004\")\n\
     ... except watertight.NotFoundError as error:\n\
     ...     print(error.name, hex(error.code))\n\
     MAPI_E_NOT_FOUND 0x8004010f\n"
);
create_exception!(
    watertight,
    SignInError,
    Error,
    "The server does not accept the user, or knows no such mailbox."
);
create_exception!(
    watertight,
    ReachError,
    Error,
    "The server cannot be reached or trusted, does not speak MAPI over HTTP, or stopped answering."
);
create_exception!(watertight, NotFoundError, Error, "The object is not there, or not there any more.");
create_exception!(
    watertight,
    ClosedError,
    Error,
    "The session was closed before, or the server has ended it: what was opened through it is of no use any more."
);

/// The exception for a failure.
pub(crate) fn raised(py: Python<'_>, error: &MailError) -> PyErr {
    let shown = error.to_string();
    let raised = match error.kind() {
        ErrorKind::SignIn => SignInError::new_err(shown),
        ErrorKind::Reach => ReachError::new_err(shown),
        ErrorKind::NotFound => NotFoundError::new_err(shown),
        ErrorKind::Closed => ClosedError::new_err(shown),
        _ => Error::new_err(shown),
    };
    let value = raised.value(py);
    let described = value
        .setattr("code", error.code().0)
        .and_then(|()| value.setattr("name", error.name()))
        .and_then(|()| value.setattr("text", error.text()));
    match described {
        Ok(()) => raised,
        Err(other) => other,
    }
}

/// What every exception has, also one that a program makes itself.
pub(crate) fn defaults(py: Python<'_>) -> PyResult<()> {
    let base = py.get_type::<Error>();
    base.setattr("code", 0)?;
    base.setattr("name", "")?;
    base.setattr("text", "")
}
