use crate::MapiCode;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The thing is not there.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// Somebody else changed the object first.
    #[error("the object was changed by somebody else")]
    Conflict,
    /// The folder would be moved into itself.
    #[error("a folder cannot be moved into itself")]
    Cycle,
    /// The operation is not allowed on this object.
    #[error("{0}")]
    Denied(&'static str),
    /// The argument makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The disk or a quota is full.
    #[error("no space is left for the store: {0}")]
    Full(String),
    /// What is stored cannot be read.
    #[error("the store is damaged: {0}; run `watertight store check`")]
    Corrupt(String),
    /// The directory or file was written by a newer program, or is not a store.
    #[error("{0}")]
    Version(String),
    /// The backend failed.
    #[error("{context}")]
    Backend {
        /// What was being done.
        context: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The store's answers.
pub type StoreResult<T> = Result<T, StoreError>;

impl StoreError {
    /// The code that a client is told.
    #[must_use]
    pub const fn code(&self) -> MapiCode {
        match self {
            Self::NotFound(_) => MapiCode::NotFound,
            Self::Exists(_) => MapiCode::DuplicateName,
            Self::Conflict => MapiCode::ObjectModified,
            Self::Cycle => MapiCode::FolderCycle,
            Self::Denied(_) => MapiCode::AccessDenied,
            Self::Invalid(_) => MapiCode::InvalidParameter,
            Self::Full(_) => MapiCode::OutOfDisk,
            Self::Corrupt(_) => MapiCode::CorruptData,
            Self::Version(_) => MapiCode::VersionMismatch,
            Self::Backend { .. } => MapiCode::DiskError,
        }
    }
}
