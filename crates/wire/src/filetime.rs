/// FILETIME — [MS-DTYP] 2.3.3: 100-nanosecond intervals since 1601-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime(pub u64);

impl FileTime {
    /// Seconds from 1601-01-01 to 1970-01-01.
    const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;
    const TICKS_PER_SECOND: i64 = 10_000_000;

    /// From seconds since 1970-01-01 00:00 UTC; clamped to what the type holds.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let ticks = seconds.saturating_add(Self::UNIX_EPOCH_SECONDS).saturating_mul(Self::TICKS_PER_SECOND);
        Self(u64::try_from(ticks).unwrap_or(0))
    }

    /// From microseconds since 1970-01-01 00:00 UTC; clamped to what the type holds.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Self {
        let ticks = micros
            .saturating_mul(10)
            .saturating_add(Self::UNIX_EPOCH_SECONDS.saturating_mul(Self::TICKS_PER_SECOND));
        Self(u64::try_from(ticks).unwrap_or(0))
    }

    /// Whole seconds since 1970-01-01 00:00 UTC (negative before), rounded down.
    #[must_use]
    pub fn to_unix_seconds(self) -> i64 {
        let ticks = i64::try_from(self.0).unwrap_or(i64::MAX);
        ticks.div_euclid(Self::TICKS_PER_SECOND).saturating_sub(Self::UNIX_EPOCH_SECONDS)
    }

    /// Nanoseconds past [`FileTime::to_unix_seconds`], below 1,000,000,000.
    #[must_use]
    pub fn subsec_nanos(self) -> u32 {
        u32::try_from(self.0 % 10_000_000).unwrap_or(0).saturating_mul(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unix_epoch_is_where_it_is() {
        assert_eq!(FileTime::from_unix_seconds(0).0, 116_444_736_000_000_000);
        assert_eq!(FileTime(116_444_736_000_000_000).to_unix_seconds(), 0);
        assert_eq!(FileTime::from_unix_seconds(-1).to_unix_seconds(), -1);
        assert_eq!(FileTime::from_unix_micros(1_500_000).to_unix_seconds(), 1);
        assert_eq!(FileTime::from_unix_micros(1_500_000).subsec_nanos(), 500_000_000);
        assert_eq!(FileTime::from_unix_seconds(i64::MAX), FileTime::from_unix_seconds(i64::MAX - 1));
    }
}
