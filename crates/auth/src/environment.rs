use std::time::{SystemTime, UNIX_EPOCH};

use watertight_wire::FileTime;

use crate::AuthError;

/// Time and random numbers, as arguments.
pub trait Environment: Send + Sync {
    /// The time of day.
    fn now(&self) -> FileTime;

    /// Fills a buffer with random bytes that nobody can guess.
    ///
    /// # Errors
    /// [`AuthError::Random`] when there are none.
    fn random(&self, buffer: &mut [u8]) -> Result<(), AuthError>;
}

/// The machine's own.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Environment for System {
    fn now(&self) -> FileTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        FileTime::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), AuthError> {
        Ok(getrandom::fill(buffer)?)
    }
}
