use core::cmp::Ordering;

use watertight_wire::{Guid, Reader, WireError, WireErrorKind, Writer};

use super::Xid;

/// PredecessorChangeList — [MS-OXCFXICS] 2.2.2.3: the newest change of each replica that went into a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PredecessorChangeList {
    /// INVARIANT: ascending by namespace (as its sixteen bytes), one entry for each.
    entries: Vec<Xid>,
}

impl PredecessorChangeList {
    /// The list of one change.
    #[must_use]
    pub fn of(change_key: Xid) -> Self {
        Self { entries: vec![change_key] }
    }

    /// The entries, ascending by namespace.
    #[must_use]
    pub fn entries(&self) -> &[Xid] {
        &self.entries
    }

    /// The change of a replica, where the list has one.
    #[must_use]
    pub fn get(&self, namespace: Guid) -> Option<&Xid> {
        let at = self.entries.binary_search_by(|x| x.namespace.cmp(&namespace)).ok()?;
        self.entries.get(at)
    }

    /// Adds a change unless the list has a later one of the same replica — [MS-OXCFXICS] 3.1.5.3.
    pub fn add(&mut self, change_key: Xid) {
        match self.entries.binary_search_by(|x| x.namespace.cmp(&change_key.namespace)) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at)
                    && later(&change_key, entry) == Ordering::Greater
                {
                    *entry = change_key;
                }
            }
            Err(at) => self.entries.insert(at, change_key),
        }
    }

    /// The list that succeeds both: of each replica the later change — [MS-OXCFXICS] 3.1.5.6.2.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut all = self.clone();
        other.entries.iter().for_each(|x| all.add(x.clone()));
        all
    }

    /// Whether the change, or a later one of the same replica, is in the list.
    #[must_use]
    pub fn contains(&self, change_key: &Xid) -> bool {
        self.get(change_key.namespace).is_some_and(|x| later(x, change_key) != Ordering::Less)
    }

    /// Whether every change of the other list is contained: this version is the same or newer — [MS-OXCFXICS]
    /// 3.1.5.6.1. When neither list includes the other, the versions conflict.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.entries.iter().all(|x| self.contains(x))
    }

    /// Reads a list that fills `bytes`: SizedXid structures (2.2.2.3.1). The order that the document asks for is
    /// not insisted on, and of two changes of one replica the later one stays.
    ///
    /// # Errors
    /// A size below 17, or truncation.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "PredecessorChangeList");
        let mut entries = Vec::new();
        while !r.is_empty() {
            let size = r.u8("XidSize")?;
            if size < 17 {
                return Err(r.invalid("XidSize", size));
            }
            let xid = r.bytes(usize::from(size), "XID")?;
            entries.push(Xid::from_bytes(xid)?);
        }
        entries.sort_by(|a, b| a.namespace.cmp(&b.namespace).then_with(|| later(b, a)));
        entries.dedup_by(|next, first| next.namespace == first.namespace);
        Ok(Self { entries })
    }

    /// The value of PidTagPredecessorChangeList.
    ///
    /// # Errors
    /// A local id that is too long for a SizedXid (none that was read has one).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut w = Writer::new();
        for xid in &self.entries {
            let size = xid.local_id.len().saturating_add(16);
            let len = u8::try_from(size)
                .map_err(|_| w.error("XidSize", WireErrorKind::TooLarge { len: size, max: 255 }))?;
            w.u8(len);
            w.guid(xid.namespace);
            w.bytes(&xid.local_id);
        }
        Ok(w.into_bytes())
    }
}

impl FromIterator<Xid> for PredecessorChangeList {
    fn from_iter<I: IntoIterator<Item = Xid>>(keys: I) -> Self {
        let mut list = Self::default();
        keys.into_iter().for_each(|key| list.add(key));
        list
    }
}

/// Which of two changes of one replica is later: local ids are numbers with the most significant byte first.
/// Replicas give all of their ids one length; for others the longer one of equal numbers counts as later.
fn later(a: &Xid, b: &Xid) -> Ordering {
    let digits = |x: &Xid| {
        let zeros = x.local_id.iter().take_while(|b| **b == 0).count();
        x.local_id.get(zeros..).unwrap_or_default().to_vec()
    };
    let (x, y) = (digits(a), digits(b));
    x.len().cmp(&y.len()).then_with(|| x.cmp(&y)).then_with(|| a.local_id.len().cmp(&b.local_id.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watertight_testkit::mutate::survive;

    use super::*;

    fn xid(namespace: u8, local_id: Vec<u8>) -> Xid {
        Xid { namespace: Guid::from_bytes([namespace; 16]), local_id }
    }

    fn lists() -> impl Strategy<Value = PredecessorChangeList> {
        let keys = (0_u8..4, prop::collection::vec(0_u8..3, 1..4)).prop_map(|(n, id)| xid(n, id));
        prop::collection::vec(keys, 0..6).prop_map(|keys| keys.into_iter().collect())
    }

    proptest! {
        #[test]
        fn merging_is_a_semilattice(a in lists(), b in lists(), c in lists()) {
            prop_assert_eq!(a.merge(&b), b.merge(&a));
            prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
            prop_assert_eq!(a.merge(&a), a.clone());
            prop_assert!(a.merge(&b).includes(&a) && a.merge(&b).includes(&b));
            prop_assert_eq!(a.includes(&b), a.merge(&b) == a);
            prop_assert_eq!(PredecessorChangeList::from_bytes(&a.to_bytes().unwrap()).unwrap(), a);
        }
    }

    #[test]
    fn a_captured_list_both_ways() {
        // Of the captured Inbox: message 0x39.
        let bytes = [
            0x16, 0x04, 0, 0, 0, 0xa5, 0x18, 0x7b, 0x6f, 0xbc, 0xdc, 0xea, 0x1e, 0xd0, 0x3c, 0x56, 0x57, 0,
            0, 0, 0, 0, 0x5a,
        ];
        let list = PredecessorChangeList::from_bytes(&bytes).unwrap();
        assert_eq!(list.entries().len(), 1);
        assert_eq!(list.entries()[0].counter().unwrap().value(), 0x5a);
        assert_eq!(list.to_bytes().unwrap(), bytes);
        assert!(list.contains(&xid_of(&list, 0x59)) && !list.contains(&xid_of(&list, 0x5b)));
        survive(&bytes, |b| {
            let _ = PredecessorChangeList::from_bytes(b);
        });
    }

    fn xid_of(list: &PredecessorChangeList, n: u64) -> Xid {
        Xid::from_counter(list.entries()[0].namespace, crate::GlobCnt::new(n).unwrap())
    }

    #[test]
    fn later_is_a_matter_of_numbers() {
        let mut list = PredecessorChangeList::of(xid(1, vec![0, 0xff]));
        list.add(xid(1, vec![1, 0]));
        list.add(xid(1, vec![0, 0xfe]));
        assert_eq!(list.entries(), [xid(1, vec![1, 0])]);
        PredecessorChangeList::from_bytes(&[16; 17]).unwrap_err();
        Xid::from_bytes(&[0; 16]).unwrap_err();
        Xid::from_bytes(&[0; 256]).unwrap_err();
    }
}
