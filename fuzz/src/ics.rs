//! [MS-OXCFXICS] 2.2.2: sets, change lists and state.

use watertight_mapi::GlobCnt;
use watertight_mapi::ics::{GlobSet, GuidIdSet, IdSet, PredecessorChangeList, State};

use crate::{Seed, choice};

/// GLOBSET: what was read is written as the same set, and set algebra holds.
pub fn globset(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let cut = usize::from(*cut).min(data.len());
    let Ok(a) = GlobSet::from_bytes(data) else {
        let (a, b) = data.split_at(cut);
        if let (Ok(a), Ok(b)) = (GlobSet::from_bytes(a), GlobSet::from_bytes(b)) {
            algebra(&a, &b);
        }
        return;
    };
    assert_eq!(GlobSet::from_bytes(&a.to_bytes()).expect("our own bytes"), a);
    algebra(&a, &a.complement());
}

fn algebra(a: &GlobSet, b: &GlobSet) {
    let (union, both, left, right) = (a.union(b), a.intersection(b), a.difference(b), b.difference(a));
    assert_eq!(union.len(), both.len().saturating_add(left.len()).saturating_add(right.len()));
    assert!(union.contains_all(a) && union.contains_all(b) && a.contains_all(&left) && b.contains_all(&both));
    assert_eq!(both.union(&left), *a);
    assert!(left.intersection(b).is_empty());
    let mut last = None;
    for (low, high) in union.ranges() {
        assert!(low <= high);
        assert!(last.is_none_or(|last: GlobCnt| last.value().saturating_add(1) < low.value()));
        last = Some(high);
    }
}

pub fn globset_seeds() -> Vec<Seed> {
    let mut sparse = GlobSet::new();
    for n in 0..200_u64 {
        if let Some(counter) = GlobCnt::new(n.saturating_mul(n).saturating_add(1)) {
            sparse.insert(counter);
        }
    }
    let whole = GlobSet::new().complement();
    vec![
        ("empty".into(), vec![0, 0]),
        ("sparse".into(), [&[9][..], &sparse.to_bytes()].concat()),
        ("whole".into(), [&[9][..], &whole.to_bytes()].concat()),
        // [MS-OXCFXICS] 4.8.1: push, range, bitmask, pop.
        ("commands".into(), b"\x07\x05\0\0\0\0\0\x52\x01\x20\x42\x30\xff\x50\x06\0\0\0\0\x01\x02\0".to_vec()),
    ]
}

/// IDSETs by REPLID and by REPLGUID.
pub fn idset(data: &[u8]) {
    let Some((what, data)) = choice(data, 2) else { return };
    if what == 0 {
        if let Ok(set) = IdSet::from_bytes(data) {
            assert_eq!(IdSet::from_bytes(&set.to_bytes()).expect("our own bytes"), set);
        }
    } else if let Ok(set) = GuidIdSet::from_bytes(data) {
        assert_eq!(GuidIdSet::from_bytes(&set.to_bytes()).expect("our own bytes"), set);
    }
}

pub fn idset_seeds() -> Vec<Seed> {
    let set = globset_seeds();
    let mut seeds = Vec::new();
    for (name, bytes) in set {
        let bytes = bytes.get(1..).unwrap_or_default();
        seeds.push((format!("{name}-replid"), [&[0, 1, 0][..], bytes].concat()));
        seeds.push((format!("{name}-replguid"), [&[1; 17][..], bytes].concat()));
    }
    seeds
}

/// PredecessorChangeList: merging is commutative, associative and idempotent.
pub fn pcl(data: &[u8]) {
    let mut lists = Vec::new();
    let mut rest = data;
    while let Some((len, tail)) = rest.split_first() {
        let (bytes, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        if let Ok(list) = PredecessorChangeList::from_bytes(bytes) {
            let again = list.to_bytes().expect("what was read is written");
            assert_eq!(PredecessorChangeList::from_bytes(&again).expect("our own bytes"), list);
            lists.push(list);
        }
        rest = tail;
    }
    if let [a, b, c, ..] = lists.as_slice() {
        assert_eq!(a.merge(b), b.merge(a));
        assert_eq!(a.merge(b).merge(c), a.merge(&b.merge(c)));
        assert_eq!(a.merge(a), *a);
        assert!(a.merge(b).includes(a));
    }
}

pub fn pcl_seeds() -> Vec<Seed> {
    let entry = |namespace: u8, counter: u8| {
        let mut bytes = vec![22];
        bytes.extend([namespace; 16]);
        bytes.extend([0, 0, 0, 0, 0, counter]);
        bytes
    };
    let list = |entries: &[(u8, u8)]| {
        let bytes: Vec<u8> = entries.iter().flat_map(|(n, c)| entry(*n, *c)).collect();
        [&[u8::try_from(bytes.len()).unwrap_or(0)][..], &bytes].concat()
    };
    vec![
        ("one".into(), list(&[(1, 1)])),
        ("three".into(), [list(&[(1, 1)]), list(&[(1, 2), (2, 1)]), list(&[(2, 3), (3, 1)])].concat()),
    ]
}

/// A saved state.
pub fn saved_state(data: &[u8]) {
    if let Ok(mut state) = State::from_saved(data) {
        assert_eq!(State::from_saved(&state.to_saved()).expect("our own bytes"), state);
        state.cut_read();
        assert!(state.cut_read().is_empty(), "a set that was cut is not cut again");
    }
}

pub fn saved_state_seeds() -> Vec<Seed> {
    let empty = State::default().to_saved();
    let mut full = State::default();
    for (tag, (_, set)) in State::TAGS.into_iter().zip(globset_seeds()) {
        let blob = [&[7; 16][..], set.get(1..).unwrap_or_default()].concat();
        full.set(tag, &blob).ok();
    }
    vec![("empty".into(), empty), ("full".into(), full.to_saved())]
}
