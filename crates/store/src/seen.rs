use watertight_mapi::ics::GlobSet;

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
