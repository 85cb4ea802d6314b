//! Sets of counters — [MS-OXCFXICS] 2.2.2.6 GLOBSET.

use crate::GlobCnt;

/// A set of counters as disjoint, ascending, non-adjacent ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GlobSet {
    /// INVARIANT: `low <= high`; each `low` is at least two above the `high` before it.
    ranges: Vec<(GlobCnt, GlobCnt)>,
}

impl GlobSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, ascending, both ends included.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (GlobCnt, GlobCnt)> + DoubleEndedIterator + '_ {
        self.ranges.iter().copied()
    }

    /// How many counters are in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(lo, hi)| hi.value().saturating_sub(lo.value()).saturating_add(1)).sum()
    }

    /// Whether the counter is in the set.
    #[must_use]
    pub fn contains(&self, counter: GlobCnt) -> bool {
        let after = self.ranges.partition_point(|(lo, _)| *lo <= counter);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|(_, hi)| counter <= *hi)
    }

    /// Adds one counter.
    pub fn insert(&mut self, counter: GlobCnt) {
        self.insert_range(counter, counter);
    }

    /// Adds all counters from `low` to `high`, both included. Nothing when `low > high`.
    pub fn insert_range(&mut self, low: GlobCnt, high: GlobCnt) {
        if low > high {
            return;
        }
        // Everything from the first range that touches `low - 1` to the last that touches `high + 1` melts in.
        let start = self.ranges.partition_point(|(_, hi)| hi.value().saturating_add(1) < low.value());
        let end = self.ranges.partition_point(|(lo, _)| lo.value() <= high.value().saturating_add(1));
        let merged = match (self.ranges.get(start), end.checked_sub(1).and_then(|i| self.ranges.get(i))) {
            (Some((lo, _)), Some((_, hi))) if start < end => (low.min(*lo), high.max(*hi)),
            _ => (low, high),
        };
        self.ranges.splice(start..end.max(start), [merged]);
    }

    /// The greatest counter.
    #[must_use]
    pub fn max(&self) -> Option<GlobCnt> {
        self.ranges.last().map(|(_, hi)| *hi)
    }
}

impl FromIterator<GlobCnt> for GlobSet {
    fn from_iter<I: IntoIterator<Item = GlobCnt>>(counters: I) -> Self {
        let mut set = Self::new();
        for counter in counters {
            set.insert(counter);
        }
        set
    }
}
