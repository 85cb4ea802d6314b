use super::GlobSet;
use crate::GlobCnt;

impl GlobSet {
    /// Counters that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.ranges.clone();
        all.extend_from_slice(&other.ranges);
        Self::from_ranges(all)
    }

    /// Counters that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut a, mut b) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&(a_lo, a_hi)), Some(&&(b_lo, b_hi))) = (a.peek(), b.peek()) {
            let (lo, hi) = (a_lo.max(b_lo), a_hi.min(b_hi));
            if lo <= hi {
                ranges.push((lo, hi));
            }
            if a_hi < b_hi {
                a.next();
            } else {
                b.next();
            }
        }
        Self { ranges }
    }

    /// Counters that are in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// The counters from 0 to 2^48 − 1 that are not in the set.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len().saturating_add(1));
        let mut next = GlobCnt::new(0);
        for &(lo, hi) in &self.ranges {
            if let (Some(from), Some(to)) = (next, lo.value().checked_sub(1).and_then(GlobCnt::new))
                && from <= to
            {
                ranges.push((from, to));
            }
            next = GlobCnt::new(hi.value().saturating_add(1));
        }
        if let Some(from) = next {
            ranges.push((from, GlobCnt::MAX));
        }
        Self { ranges }
    }

    /// Whether every counter of the other set is in this one.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        other.ranges.iter().all(|(lo, hi)| {
            let after = self.ranges.partition_point(|(l, _)| l <= lo);
            after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|(_, h)| hi <= h)
        })
    }

    /// Adds all counters of the other set.
    pub fn extend(&mut self, other: &Self) {
        if !other.is_empty() {
            *self = self.union(other);
        }
    }

    /// Removes one counter; returns whether it was there.
    pub fn remove(&mut self, counter: GlobCnt) -> bool {
        let after = self.ranges.partition_point(|(lo, _)| *lo <= counter);
        let Some(at) = after.checked_sub(1) else { return false };
        let Some(&(lo, hi)) = self.ranges.get(at) else { return false };
        if counter > hi {
            return false;
        }
        let below = counter
            .value()
            .checked_sub(1)
            .and_then(GlobCnt::new)
            .filter(|end| lo <= *end)
            .map(|end| (lo, end));
        let above = counter
            .value()
            .checked_add(1)
            .and_then(GlobCnt::new)
            .filter(|start| *start <= hi)
            .map(|start| (start, hi));
        self.ranges.splice(at..after, below.into_iter().chain(above));
        true
    }
}
