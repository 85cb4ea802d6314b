use std::io;

use rusqlite::ErrorCode;
use watertight_mapi::store::{StoreError, StoreResult};
use watertight_wire::WireError;

/// Says what was being done when something failed.
pub(super) trait Doing<T> {
    /// Turns the failure into a [`StoreError`].
    fn doing(self, what: &str) -> StoreResult<T>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, what: &str) -> StoreResult<T> {
        self.map_err(|source| sql(what, source))
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str) -> StoreResult<T> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full(format!("{what}: {source}"))
            }
            _ => StoreError::Backend { context: format!("{what}: {source}"), source: Box::new(source) },
        })
    }
}

impl<T> Doing<T> for Result<T, WireError> {
    fn doing(self, what: &str) -> StoreResult<T> {
        self.map_err(|source| StoreError::Corrupt(format!("{what}: {source}")))
    }
}

fn sql(what: &str, source: rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match (&source, source.sqlite_error_code()) {
        (_, Some(ErrorCode::DiskFull)) => StoreError::Full(format!("{what}: {source}")),
        (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        | (
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..),
            _,
        ) => StoreError::Corrupt(format!("{what}: {source}")),
        (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => StoreError::Backend {
            context: format!("{what}: another program keeps the file locked"),
            source: Box::new(source),
        },
        _ => StoreError::Backend { context: format!("{what}: {source}"), source: Box::new(source) },
    }
}

/// The error of something that cannot be so in a store that is whole.
pub(super) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(what.into())
}
