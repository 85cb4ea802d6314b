use std::collections::BTreeSet;

use proptest::prelude::*;
use watertight_testkit::mutate::survive;

use super::*;

fn set(ranges: &[(u64, u64)]) -> GlobSet {
    GlobSet::from_ranges(
        ranges.iter().map(|(lo, hi)| (GlobCnt::new(*lo).unwrap(), GlobCnt::new(*hi).unwrap())).collect(),
    )
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[track_caller]
fn both_ways(ranges: &[(u64, u64)], bytes: &str) {
    assert_eq!(set(ranges).to_bytes(), hex(bytes), "{:02x?}", set(ranges).to_bytes());
    assert_eq!(GlobSet::from_bytes(&hex(bytes)).unwrap(), set(ranges));
}

#[test]
fn the_bitmask_of_the_specification() {
    // [MS-OXCFXICS] 3.1.5.4.3.1.3: 0x01-0x03, 0x05, 0x07-0x09 are StartingValue 0x01, Bitmask 0xEB.
    both_ways(&[(0x01, 0x03), (0x05, 0x05), (0x07, 0x09)], "05 0000000000 42 01 eb 50 00");
}

#[test]
fn every_command_at_its_edge() {
    both_ways(&[], "00");
    both_ways(&[(1, 1)], "06 000000000001 00");
    both_ways(&[(1, 0xa7)], "05 0000000000 52 01 a7 50 00");
    both_ways(&[(0, (1 << 48) - 1)], "52 000000000000 ffffffffffff 00");
    both_ways(&[(0xff, 0xff)], "06 0000000000ff 00");
    both_ways(&[(0xf8, 0xf8), (0xff, 0xff)], "05 0000000000 42 f8 40 50 00");
    // Two pushes, one inside the other.
    both_ways(
        &[(0x3_0001, 0x3_0005), (0x3_0107, 0x3_0107), (0x3_0109, 0x3_0109), (0x3_0110, 0x3_0110)],
        "04 00000003 52 0001 0005 01 01 01 07 42 09 40 50 50 00",
    );
}

#[test]
fn what_a_decoder_refuses() {
    for bad in [
        "",
        "07",
        "05 0000000000 00",
        "50 00",
        "42 01 01 00",
        "04 00000000 42 01 01 50 00",
        "05 0000000000 42 ff 01 50 00",
        "52 000000000002 000000000001 00",
        "05 0000000000 02 0102 50 00",
        "06 0000000000",
        "00 00",
    ] {
        GlobSet::from_bytes(&hex(bad)).expect_err(bad);
    }
}

#[test]
fn survives_mutations() {
    let sample =
        set(&[(1, 3), (5, 9), (0x1234, 0x56_789a), (0x8000_0000, 0x8000_0000), (0x8000_0003, 0x8000_0004)])
            .to_bytes();
    survive(&sample, |bytes| {
        let _ = GlobSet::from_bytes(bytes);
    });
}

#[test]
fn a_hundred_thousand_single_counters_take_under_three_bytes_each() {
    let odd: Vec<_> = (0..100_000_u64).map(|i| (i * 2, i * 2)).collect();
    let bytes = set(&odd).to_bytes();
    assert!(bytes.len() < 80_000, "{}", bytes.len());
    assert_eq!(GlobSet::from_bytes(&bytes).unwrap(), set(&odd));
}

fn counters() -> impl Strategy<Value = BTreeSet<u64>> {
    prop_oneof![
        prop::collection::btree_set(0_u64..64, 0..40),
        prop::collection::btree_set(
            prop_oneof![0_u64..0x400, 0xfffe..0x1_0010_u64, 0xffff_ffff_ff00..=0xffff_ffff_ffff_u64],
            0..60
        ),
    ]
}

fn from(set: &BTreeSet<u64>) -> GlobSet {
    set.iter().map(|n| GlobCnt::new(*n).unwrap()).collect()
}

fn to(set: &GlobSet) -> BTreeSet<u64> {
    set.iter().map(GlobCnt::value).collect()
}

proptest! {
    #[test]
    fn algebra_is_that_of_sets(a in counters(), b in counters(), n in 0_u64..80) {
        let (x, y) = (from(&a), from(&b));
        prop_assert_eq!(to(&x), a.clone());
        prop_assert_eq!(x.len(), u64::try_from(a.len()).unwrap());
        prop_assert_eq!(to(&x.union(&y)), &a | &b);
        prop_assert_eq!(to(&x.intersection(&y)), &a & &b);
        prop_assert_eq!(to(&x.difference(&y)), &a - &b);
        prop_assert_eq!(x.contains_all(&y), a.is_superset(&b));
        prop_assert_eq!(x.complement().complement(), x.clone());
        prop_assert!(x.complement().intersection(&x).is_empty());
        let counter = GlobCnt::new(n).unwrap();
        prop_assert_eq!(x.contains(counter), a.contains(&n));
        prop_assert_eq!(x.min().map(GlobCnt::value), a.first().copied());
        prop_assert_eq!(x.max().map(GlobCnt::value), a.last().copied());
        let (mut less, mut less_too) = (x.clone(), a.clone());
        prop_assert_eq!(less.remove(counter), less_too.remove(&n));
        prop_assert_eq!(to(&less), less_too);
    }

    #[test]
    fn encoding_gives_the_set_back_and_is_never_longer_than_ranges(a in counters()) {
        let x = from(&a);
        let bytes = x.to_bytes();
        prop_assert_eq!(GlobSet::from_bytes(&bytes).unwrap(), x.clone());
        let plain: usize = x.ranges().map(|(lo, hi)| if lo == hi { 7 } else { 13 }).sum();
        prop_assert!(bytes.len() <= plain + 1);
    }
}
