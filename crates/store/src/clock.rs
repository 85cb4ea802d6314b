use std::time::{SystemTime, UNIX_EPOCH};

use watertight_wire::FileTime;

/// The time now, in microseconds.
pub(crate) fn now() -> FileTime {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX).saturating_neg(),
    };
    FileTime::from_unix_micros(micros)
}
