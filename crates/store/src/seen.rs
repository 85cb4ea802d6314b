use watertight_mapi::{GlobCnt, ics::GlobSet};

/// A set of counters laid out for looking up what comes next outside it.
pub(crate) struct Seen(Vec<(u64, u64)>);

impl Seen {
    /// The set.
    pub(crate) fn new(set: &GlobSet) -> Self {
        Self(set.ranges().map(|(low, high)| (low.value(), high.value())).collect())
    }

    /// The last counter of the range that holds `counter`; `None` when it is in no range.
    pub(crate) fn end_of(&self, counter: u64) -> Option<u64> {
        let after = self.0.partition_point(|(low, _)| *low <= counter);
        let (_, high) = self.0.get(after.checked_sub(1)?)?;
        (counter <= *high).then_some(*high)
    }

    /// Whether the counter is in the set.
    pub(crate) fn contains(&self, counter: u64) -> bool {
        self.end_of(counter).is_some()
    }
}

/// What is in `a` and not in `b`.
pub(crate) fn difference(a: &GlobSet, b: &GlobSet) -> GlobSet {
    let mut left = GlobSet::new();
    let mut holes = b.ranges().peekable();
    for (low, high) in a.ranges() {
        let (mut low, high) = (low.value(), high.value());
        let mut keep = |from: u64, to: u64| {
            if let (Some(from), Some(to)) = (GlobCnt::new(from), GlobCnt::new(to)) {
                left.insert_range(from, to);
            }
        };
        while let Some((from, to)) = holes.peek().map(|(from, to)| (from.value(), to.value())) {
            if to < low {
                holes.next();
                continue;
            }
            if from > high {
                break;
            }
            if let Some(before) = from.checked_sub(1).filter(|before| *before >= low) {
                keep(low, before);
            }
            low = to.saturating_add(1);
            if low > high {
                break;
            }
            holes.next();
        }
        if low <= high {
            keep(low, high);
        }
    }
    left
}
