use std::time::Duration;

/// Two clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// CLOCK_MONOTONIC, which stands still while the machine sleeps.
    pub monotonic: Duration,
    /// CLOCK_BOOTTIME, which does not.
    pub boot: Duration,
}

impl Now {
    /// How long the machine has slept so far.
    pub(super) const fn slept(self) -> Duration {
        self.boot.saturating_sub(self.monotonic)
    }
}

/// When to do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// After a change was heard of, others are waited for so long,
    pub debounce: Duration,
    /// but no longer than this after the first.
    pub longest_debounce: Duration,
    /// After a run of some length it is quiet for the same time again, but no longer than this.
    pub longest_breath: Duration,
    /// How often all folders are looked at when the server tells what changes.
    pub full: Duration,
    /// How often when it does not.
    pub poll: Duration,
    /// The wait after the first failure, or half of it, or between; it doubles with each one in a row,
    pub backoff: Duration,
    /// up to this.
    pub longest_backoff: Duration,
    /// When nothing failed for so long the next failure is a first one.
    pub steady: Duration,
    /// The wait after the user was refused; five times as long after each one in a row, so that a wrong password does
    /// not lock the account.
    pub refused: Duration,
    /// After so many refusals in a row it ends.
    pub refusals: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(100),
            longest_debounce: Duration::from_millis(500),
            longest_breath: Duration::from_millis(500),
            full: Duration::from_secs(3600),
            poll: Duration::from_secs(60),
            backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(300),
            steady: Duration::from_secs(60),
            refused: Duration::from_secs(60),
            refusals: 3,
        }
    }
}

impl Timing {
    /// The wait after that many failures in a row.
    pub(super) fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.backoff.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let half = doubled.min(self.longest_backoff) / 2;
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
        half.saturating_add(half.mul_f64(jitter))
    }
}
