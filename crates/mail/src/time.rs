//! Points in time: FILETIME on the wire, [`Timestamp`] here.

use jiff::{SignedDuration, Timestamp};
use watertight_wire::FileTime;

/// The point in time of a FILETIME; `None` for what lies outside the years that a timestamp has.
#[must_use]
pub fn from_filetime(time: FileTime) -> Option<Timestamp> {
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    Timestamp::new(time.to_unix_seconds(), 0)
        .ok()
        .and_then(|seconds| seconds.checked_add(SignedDuration::new(0, nanos)).ok())
}

/// The FILETIME of a point in time, clamped to what a FILETIME holds.
#[must_use]
pub fn to_filetime(time: Timestamp) -> FileTime {
    let ticks = time.as_nanosecond().div_euclid(100).saturating_add(116_444_736_000_000_000);
    FileTime(u64::try_from(ticks.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for ticks in [0, 1, 116_444_736_000_000_000, 116_444_735_999_999_999, 133_000_000_123_456_789] {
            let time = from_filetime(FileTime(ticks)).unwrap();
            assert_eq!(to_filetime(time), FileTime(ticks));
        }
        assert_eq!(from_filetime(FileTime(u64::MAX)), None);
        assert_eq!(to_filetime(Timestamp::MIN), FileTime(0));
    }
}
