//! What can go wrong.

use std::fmt;
use std::io;
use std::sync::Arc;

use watertight_mapi::MapiCode;
use watertight_mapi_client::{self as client, ErrorClass, MapiError};
use watertight_mapi_mime::{ExportError, ImportError};

/// A failed operation: what kind, which MAPI code, and in words what happened and what to do next.
///
/// It prints as `MAPI_E_NOT_FOUND (0x8004010f): …`. Clones share the cause.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    code: MapiCode,
    text: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure that a program treats differently.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The user is not accepted, or has no mailbox here.
    SignIn,
    /// The server cannot be reached or trusted, is busy for too long, or is no MAPI server.
    Reach,
    /// The object is not there (any more).
    NotFound,
    /// The session was closed, or the server has ended it.
    Closed,
    /// The server refused; the session lives on.
    Refused,
    /// The server broke the protocol.
    Protocol,
    /// An argument, a profile or a configuration that cannot be used.
    Invalid,
    /// A file here could not be read or written.
    Local,
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The MAPI code.
    #[must_use]
    pub const fn code(&self) -> MapiCode {
        self.code
    }

    /// The code's name: `MAPI_E_NOT_FOUND`.
    #[must_use]
    pub fn name(&self) -> String {
        self.code.mapi_name().map_or_else(
            || {
                // Codes of servers only: "UnknownUser (0x000003EB)" without its number.
                let shown = self.code.to_string();
                shown.split(' ').next().unwrap_or_default().to_owned()
            },
            str::to_owned,
        )
    }

    /// What happened, and what to do next.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn new(kind: ErrorKind, code: MapiCode, text: impl Into<String>) -> Self {
        Self { kind, code, text: text.into(), source: None }
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, MapiCode::NotFound, text)
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, MapiCode::InvalidParameter, text)
    }

    pub(crate) fn closed(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Closed, MapiCode::InvalidObject, text)
    }

    pub(crate) fn refused(code: MapiCode, text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, code, text)
    }

    /// A file or another resource of this machine.
    pub(crate) fn io(what: impl fmt::Display, error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => MapiCode::NotFound,
            io::ErrorKind::PermissionDenied => MapiCode::AccessDenied,
            io::ErrorKind::AlreadyExists => MapiCode::DuplicateName,
            io::ErrorKind::StorageFull => MapiCode::OutOfDisk,
            _ => MapiCode::DiskError,
        };
        let text = format!("{what}: {error}");
        Self { source: Some(Arc::new(error)), ..Self::new(ErrorKind::Local, code, text) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#010x}): {}", self.name(), self.code.0, self.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text is that of the cause already.
        self.source.as_deref().and_then(std::error::Error::source)
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        MapiError::from(error).into()
    }
}

impl From<MapiError> for Error {
    fn from(error: MapiError) -> Self {
        let code = error.code();
        let kind = match error.cause() {
            Some(cause) if cause.is_not_found() => ErrorKind::NotFound,
            Some(cause) => match cause.class() {
                ErrorClass::Reach => ErrorKind::Reach,
                ErrorClass::SignIn => ErrorKind::SignIn,
                ErrorClass::SessionLost => ErrorKind::Closed,
                ErrorClass::Protocol => ErrorKind::Protocol,
                ErrorClass::Refused => ErrorKind::Refused,
                _ => ErrorKind::Invalid,
            },
            None => match code {
                MapiCode::LogonFailed | MapiCode::UserCancel => ErrorKind::SignIn,
                MapiCode::InvalidObject | MapiCode::EndOfSession => ErrorKind::Closed,
                MapiCode::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Invalid,
            },
        };
        let text = match error.next() {
            "" => error.text().to_owned(),
            next => format!("{}; {next}", error.text()),
        };
        Self { kind, code, text, source: Some(Arc::new(error)) }
    }
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        let code = match error {
            ImportError::TooLarge { .. } => MapiCode::OutOfResources,
            _ => MapiCode::InvalidParameter,
        };
        Self {
            source: Some(Arc::new(error.clone())),
            ..Self::new(ErrorKind::Invalid, code, error.to_string())
        }
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        let below = match &error {
            ExportError::Write(below) | ExportError::Read(below) => Some(below),
            _ => None,
        };
        // What the server or the reader said, where an error of this crate went through an I/O error.
        if let Some(ours) = below.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<Self>())
        {
            return ours.clone();
        }
        let text = below.map_or_else(|| error.to_string(), |below| format!("{error}: {below}"));
        let kind =
            if matches!(error, ExportError::Write(_)) { ErrorKind::Local } else { ErrorKind::Protocol };
        let code =
            if matches!(error, ExportError::Write(_)) { MapiCode::DiskError } else { MapiCode::CorruptData };
        Self { source: Some(Arc::new(error)), ..Self::new(kind, code, text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_code_and_name() {
        let error = Error::not_found("there is no folder \"x\"");
        assert_eq!(error.to_string(), "MAPI_E_NOT_FOUND (0x8004010f): there is no folder \"x\"");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = Error::from(client::Error::Closed);
        assert_eq!((error.kind(), error.name().as_str()), (ErrorKind::Closed, "MAPI_E_INVALID_OBJECT"));
        let odd = Error::refused(MapiCode::UnknownUser, "x");
        assert!(!odd.name().is_empty() && !odd.name().contains(' '), "{}", odd.name());
    }

    #[test]
    fn an_error_of_ours_comes_back_through_an_export() {
        let io = io::Error::other(Error::not_found("gone"));
        let error = Error::from(ExportError::Read(io));
        assert_eq!((error.kind(), error.text()), (ErrorKind::NotFound, "gone"));
    }
}
