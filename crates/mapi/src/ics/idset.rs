//! Sets of identifiers and of change numbers — [MS-OXCFXICS] 2.2.2.4 IDSET and CNSET.
//!
//! Three types that do not mix: [`IdSet`] by REPLID, which only the logon that gave the REPLIDs out can read;
//! [`GuidIdSet`] and [`CnSet`] by REPLGUID, which may be kept.

use std::collections::BTreeMap;

use watertight_wire::{Guid, Reader, WireError, WireErrorKind, Writer};

use super::GlobSet;
use crate::{GlobCnt, ReplId};

/// Replicas in one set. A mailbox has a handful; the bound keeps the map of a hostile set small.
const MAX_REPLICAS: usize = 4096;

macro_rules! keyed_set {
    ($(#[$doc:meta])* $name:ident by $key:ty, read $read:expr, write $write:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// INVARIANT: no set in it is empty.
            sets: BTreeMap<$key, GlobSet>,
        }

        impl $name {
            /// The empty set.
            #[must_use]
            pub const fn new() -> Self {
                Self { sets: BTreeMap::new() }
            }

            /// The set of one replica's counters.
            #[must_use]
            pub fn of(replica: $key, counters: GlobSet) -> Self {
                let mut set = Self::new();
                set.put(replica, counters);
                set
            }

            /// Whether nothing is in the set.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.sets.is_empty()
            }

            /// How many are in the set.
            #[must_use]
            pub fn len(&self) -> u64 {
                self.sets.values().map(GlobSet::len).fold(0, u64::saturating_add)
            }

            /// Whether the replica's counter is in the set.
            #[must_use]
            pub fn contains(&self, replica: $key, counter: GlobCnt) -> bool {
                self.sets.get(&replica).is_some_and(|set| set.contains(counter))
            }

            /// Adds one.
            pub fn insert(&mut self, replica: $key, counter: GlobCnt) {
                self.sets.entry(replica).or_default().insert(counter);
            }

            /// Removes one; returns whether it was there.
            pub fn remove(&mut self, replica: $key, counter: GlobCnt) -> bool {
                let Some(set) = self.sets.get_mut(&replica) else { return false };
                let was_there = set.remove(counter);
                if set.is_empty() {
                    self.sets.remove(&replica);
                }
                was_there
            }

            /// Adds all of another set.
            pub fn extend(&mut self, other: &Self) {
                for (replica, set) in &other.sets {
                    self.sets.entry(*replica).or_default().extend(set);
                }
            }

            /// Removes all of another set.
            pub fn subtract(&mut self, other: &Self) {
                for (replica, set) in &other.sets {
                    if let Some(own) = self.sets.get(replica) {
                        let left = own.difference(set);
                        self.put(*replica, left);
                    }
                }
            }

            /// The counters of one replica.
            #[must_use]
            pub fn get(&self, replica: $key) -> Option<&GlobSet> {
                self.sets.get(&replica)
            }

            /// Replaces the counters of one replica.
            pub fn put(&mut self, replica: $key, counters: GlobSet) {
                if counters.is_empty() {
                    self.sets.remove(&replica);
                } else {
                    self.sets.insert(replica, counters);
                }
            }

            /// The replicas in ascending order with their counters.
            pub fn iter(&self) -> impl ExactSizeIterator<Item = ($key, &GlobSet)> + '_ {
                self.sets.iter().map(|(replica, set)| (*replica, set))
            }

            /// Reads a set that fills `bytes`; no bytes are the empty set.
            ///
            /// # Errors
            /// Truncation, a bad GLOBSET, or thousands of replicas.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
                let mut r = Reader::new(bytes, stringify!($name));
                let mut set = Self::new();
                while !r.is_empty() {
                    let replica: $key = $read(&mut r)?;
                    let counters = GlobSet::read(&mut r)?;
                    if set.sets.len() >= MAX_REPLICAS {
                        return Err(r.error("(count)", WireErrorKind::TooLarge { len: MAX_REPLICAS.saturating_add(1), max: MAX_REPLICAS }));
                    }
                    if !counters.is_empty() {
                        set.sets.entry(replica).or_default().extend(&counters);
                    }
                }
                Ok(set)
            }

            /// The set's bytes, ascending by replica; none for the empty set.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut w = Writer::new();
                for (replica, set) in &self.sets {
                    $write(&mut w, *replica);
                    set.write(&mut w);
                }
                w.into_bytes()
            }
        }
    };
}

keyed_set! {
    /// IDSET by REPLID — [MS-OXCFXICS] 2.2.2.4.1: the form in which deletions and read states are reported.
    IdSet by ReplId,
    read |r: &mut Reader<'_>| r.u16("REPLID").map(ReplId),
    write |w: &mut Writer, replica: ReplId| w.u16(replica.0)
}

keyed_set! {
    /// IDSET by REPLGUID — [MS-OXCFXICS] 2.2.2.4.2: the form of MetaTagIdsetGiven.
    GuidIdSet by Guid,
    read |r: &mut Reader<'_>| r.guid("REPLGUID"),
    write |w: &mut Writer, replica: Guid| w.guid(replica)
}

keyed_set! {
    /// CNSET by REPLGUID — [MS-OXCFXICS] 2.2.2.4.2: the form of MetaTagCnsetSeen, MetaTagCnsetSeenFAI and MetaTagCnsetRead.
    CnSet by Guid,
    read |r: &mut Reader<'_>| r.guid("REPLGUID"),
    write |w: &mut Writer, replica: Guid| w.guid(replica)
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    fn n(value: u64) -> GlobCnt {
        GlobCnt::new(value).unwrap()
    }

    #[test]
    fn captured_deletions_are_read_and_written_no_longer() {
        // Of the capture "… after these changes, with the first state": MetaTagIdsetDeleted.
        let bytes = [1, 0, 5, 0, 0, 0, 3, 0, 0x52, 0x50, 0x51, 1, 0x5a, 0x52, 0x61, 0x62, 0x50, 0];
        let set = IdSet::from_bytes(&bytes).unwrap();
        assert_eq!(
            set.get(ReplId(1)).unwrap().iter().map(GlobCnt::value).collect::<Vec<_>>(),
            [0x3_0050, 0x3_0051, 0x3_005a, 0x3_0061, 0x3_0062]
        );
        assert_eq!(IdSet::from_bytes(&set.to_bytes()).unwrap(), set);
        assert!(set.to_bytes().len() < bytes.len(), "a bitmask in place of a push and a range");
        assert_eq!(IdSet::from_bytes(&[]).unwrap(), IdSet::new());
        survive(&bytes, |b| {
            let _ = IdSet::from_bytes(b);
        });
    }

    #[test]
    fn replicas_are_kept_apart_and_in_order() {
        let (a, b) = (Guid::from_bytes([1; 16]), Guid::from_bytes([2; 16]));
        let mut set = CnSet::new();
        set.insert(b, n(7));
        set.insert(a, n(9));
        assert!(set.contains(a, n(9)) && !set.contains(a, n(7)) && set.len() == 2);
        assert_eq!(set.to_bytes().first(), Some(&1));
        assert_eq!(CnSet::from_bytes(&set.to_bytes()).unwrap(), set);
        assert!(set.remove(b, n(7)) && !set.remove(b, n(7)) && set.get(b).is_none());
        set.subtract(&CnSet::of(a, GlobSet::up_to(n(10))));
        assert!(set.is_empty() && set.to_bytes().is_empty());
    }
}
