use watertight_mapi::MapiCode;
use watertight_mapi::ics::CheckpointError;
use watertight_mapi::ics::export::ExportFault;
use watertight_mapi::ics::sink::SinkError;

use crate::error::{Error, ProtocolError};
use crate::mapi::error::{MapiError, code as mapi_code};

/// Why an exporter does not do what it was asked for.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// `synchronize` or `update_state` without `config` before it.
    #[error("the exporter was not configured; call config first")]
    Unconfigured,
    /// `synchronize` after it had failed.
    #[error("the export had failed before; go on with config from update_state")]
    Interrupted,
    /// Flags that there are not, or that are for the server alone.
    #[error("unknown flags {0:#x}")]
    UnknownFlags(u32),
    /// Arguments that do not go together.
    #[error("{0}")]
    Parameter(&'static str),
    /// The bytes that were given as a state are not one of this folder.
    #[error("{0}; begin anew with no state")]
    State(#[from] CheckpointError),
    /// The sink failed; this is what it said.
    #[error("the sink failed: {0}")]
    Sink(SinkError),
    /// The server, or the way to it.
    #[error(transparent)]
    Client(#[from] Error),
}

impl ExportError {
    /// The code that the interface returns for it; for [`ExportError::Sink`] the sink's own, where its error is a
    /// [`MapiCode`] or a [`MapiError`].
    #[must_use]
    pub fn code(&self) -> MapiCode {
        match self {
            // MAPI_E_UNCONFIGURED.
            Self::Unconfigured => MapiCode::UnconfiguredLogon,
            // SYNC_E_UNSYNCHRONIZED.
            Self::Interrupted => MapiCode::SyncIncomplete,
            Self::UnknownFlags(_) => MapiCode::UnknownFlags,
            Self::Parameter(_) | Self::State(CheckpointError::Foreign { .. }) => MapiCode::InvalidParameter,
            Self::State(CheckpointError::Version(_)) => MapiCode::VersionMismatch,
            Self::State(_) => MapiCode::CorruptData,
            Self::Sink(error) => error
                .downcast_ref::<MapiCode>()
                .copied()
                .or_else(|| error.downcast_ref::<MapiError>().map(MapiError::code))
                .unwrap_or(MapiCode::UnableToComplete),
            Self::Client(error) => mapi_code(error),
        }
    }

    /// Whether a new session may succeed where this one failed.
    #[must_use]
    pub const fn wants_new_session(&self) -> bool {
        match self {
            Self::Client(error) => error.wants_new_session() || matches!(error, Error::Closed),
            _ => false,
        }
    }
}

impl From<ExportFault> for ExportError {
    fn from(fault: ExportFault) -> Self {
        match fault {
            ExportFault::Sink(error) => Self::Sink(error),
            ExportFault::Broken => Self::Interrupted,
            other => Self::Client(ProtocolError::Unexpected(other.to_string()).into()),
        }
    }
}

impl From<ExportError> for MapiError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Client(error) => error.into(),
            error => Self::new(error.code(), error.to_string(), ""),
        }
    }
}
