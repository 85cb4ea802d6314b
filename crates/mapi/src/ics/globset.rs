//! Sets of counters — [MS-OXCFXICS] 2.2.2.6 GLOBSET.

mod algebra;
mod decode;
mod encode;

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

    /// Every counter from 1 to `high`; empty for 0.
    #[must_use]
    pub fn up_to(high: GlobCnt) -> Self {
        let mut set = Self::new();
        if let Some(one) = GlobCnt::new(1) {
            set.insert_range(one, high);
        }
        set
    }

    /// The set of all counters in the ranges, which may overlap and come in any order. Cheaper than inserting
    /// them one by one.
    #[must_use]
    pub fn from_ranges(mut ranges: Vec<(GlobCnt, GlobCnt)>) -> Self {
        ranges.retain(|(lo, hi)| lo <= hi);
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        ranges.dedup_by(|next, last| {
            let touches = next.0.value() <= last.1.value().saturating_add(1);
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
        Self { ranges }
    }

    /// The least counter.
    #[must_use]
    pub fn min(&self) -> Option<GlobCnt> {
        self.ranges.first().map(|(lo, _)| *lo)
    }

    /// Every counter, ascending. A set from outside can hold 2^48 of them: bound the iteration.
    pub fn iter(&self) -> impl Iterator<Item = GlobCnt> + '_ {
        self.ranges.iter().flat_map(|(lo, hi)| (lo.value()..=hi.value()).filter_map(GlobCnt::new))
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

#[cfg(test)]
mod tests;
