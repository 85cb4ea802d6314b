use std::collections::BTreeMap;
use std::fmt;

use watertight_mapi::{GlobCnt, ics::GlobSet};
use watertight_wire::Guid;

/// An identifier that means the same in every logon: a counter of a replica (MID, FID or CN in REPLGUID form).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalId {
    /// REPLGUID.
    pub replica: Guid,
    /// GLOBCNT.
    pub counter: GlobCnt,
}

impl GlobalId {
    /// From its parts.
    #[must_use]
    pub const fn new(replica: Guid, counter: GlobCnt) -> Self {
        Self { replica, counter }
    }

    /// From the 22 bytes of a GID (PidTagSourceKey) — [MS-OXCDATA] 2.2.1.3.
    #[must_use]
    pub fn from_gid(gid: &[u8]) -> Option<Self> {
        let (guid, counter) = gid.split_first_chunk::<16>()?;
        Some(Self::new(Guid::from_bytes(*guid), GlobCnt::from_bytes(counter.try_into().ok()?)))
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.replica, self.counter.value())
    }
}

impl fmt::Debug for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of identifiers in REPLGUID form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdSets {
    /// INVARIANT: no set is empty.
    sets: BTreeMap<Guid, GlobSet>,
}

impl IdSets {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// How many identifiers are in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.sets.values().map(GlobSet::len).fold(0, u64::saturating_add)
    }

    /// Whether the identifier is in it.
    #[must_use]
    pub fn contains(&self, id: GlobalId) -> bool {
        self.sets.get(&id.replica).is_some_and(|set| set.contains(id.counter))
    }

    /// Adds one.
    pub fn insert(&mut self, id: GlobalId) {
        self.sets.entry(id.replica).or_default().insert(id.counter);
    }

    /// Adds all counters of a replica from `low` to `high`.
    pub fn insert_range(&mut self, replica: Guid, low: GlobCnt, high: GlobCnt) {
        if low <= high {
            self.sets.entry(replica).or_default().insert_range(low, high);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, id: GlobalId) {
        if !self.contains(id) {
            return;
        }
        let Some(set) = self.sets.remove(&id.replica) else { return };
        let mut rest = GlobSet::new();
        let (before, after) = (id.counter.value().checked_sub(1), id.counter.value().saturating_add(1));
        for (low, high) in set.ranges() {
            if low <= id.counter && id.counter <= high {
                if let Some(before) = before.and_then(GlobCnt::new) {
                    rest.insert_range(low, before);
                }
                if let Some(after) = GlobCnt::new(after) {
                    rest.insert_range(after, high);
                }
            } else {
                rest.insert_range(low, high);
            }
        }
        if !rest.is_empty() {
            self.sets.insert(id.replica, rest);
        }
    }

    /// The sets, ascending by replica.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, &GlobSet)> {
        self.sets.iter().map(|(guid, set)| (*guid, set))
    }

    /// The bytes that the state keeps: for each replica its GUID, the number of ranges, and their ends.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (guid, set) in &self.sets {
            bytes.extend_from_slice(&guid.to_bytes());
            bytes.extend_from_slice(&u32::try_from(set.ranges().len()).unwrap_or(u32::MAX).to_le_bytes());
            for (low, high) in set.ranges() {
                bytes.extend_from_slice(&low.to_bytes());
                bytes.extend_from_slice(&high.to_bytes());
            }
        }
        bytes
    }

    /// From what [`IdSets::to_bytes`] made; `None` when it did not.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sets = Self::default();
        while !bytes.is_empty() {
            let (guid, rest) = bytes.split_first_chunk::<16>()?;
            let (count, mut rest) = rest.split_first_chunk::<4>()?;
            for _ in 0..u32::from_le_bytes(*count) {
                let (low, more) = rest.split_first_chunk::<6>()?;
                let (high, more) = more.split_first_chunk::<6>()?;
                sets.insert_range(Guid::from_bytes(*guid), GlobCnt::from_bytes(*low), GlobCnt::from_bytes(*high));
                rest = more;
            }
            bytes = rest;
        }
        Some(sets)
    }
}

impl FromIterator<GlobalId> for IdSets {
    fn from_iter<I: IntoIterator<Item = GlobalId>>(ids: I) -> Self {
        let mut sets = Self::default();
        for id in ids {
            sets.insert(id);
        }
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(guid: u8, counter: u64) -> GlobalId {
        GlobalId::new(Guid::from_bytes([guid; 16]), GlobCnt::new(counter).unwrap())
    }

    #[test]
    fn sets_keep_their_bytes_and_survive_others() {
        let sets: IdSets = [id(1, 5), id(1, 6), id(1, 9), id(2, 0), id(2, (1 << 48) - 1)].into_iter().collect();
        let bytes = sets.to_bytes();
        assert_eq!(IdSets::from_bytes(&bytes), Some(sets));
        watertight_testkit::mutate::survive(&bytes, |b| drop(IdSets::from_bytes(b)));
    }

    #[test]
    fn one_can_be_taken_out_anywhere() {
        let all: Vec<_> = (0..6).map(|n| id(1, n)).chain([id(1, (1 << 48) - 1)]).collect();
        for gone in &all {
            let mut sets: IdSets = all.iter().copied().collect();
            sets.remove(*gone);
            assert_eq!(sets, all.iter().copied().filter(|i| i != gone).collect());
        }
        let mut one: IdSets = [id(3, 3)].into_iter().collect();
        one.remove(id(3, 3));
        assert!(one.is_empty());
    }
}
