//! Bytes and values of every construct, both ways: the layouts are worked out from C706 chapter 14 and [MS-RPCE] 2.2.5.

use core::fmt::Debug;
use std::sync::Arc;

use watertight_testkit::mutate;

use super::*;
use crate::{Guid, WireErrorKind};

/// A value is written as these bytes, read from them, and every damaged form of them is read or refused.
fn law<T: PartialEq + Debug>(value: &T, syntax: Syntax, expected: &[u8])
where
    Natural: Codec<T>,
{
    let bytes = to_bytes(value, syntax).unwrap();
    assert_eq!(hex(&bytes), hex(expected), "{value:?}");
    assert_eq!(&from_bytes::<T>(expected, syntax, Order::Little).unwrap(), value);
    mutate::survive(expected, |bytes| {
        for (syntax, order) in [(Syntax::Ndr, Order::Little), (syntax, Order::Little), (syntax, Order::Big)] {
            if let Ok(value) = from_bytes::<T>(bytes, syntax, order) {
                // What was read can be written, and is then read as the same.
                if let Ok(bytes) = to_bytes(&value, syntax) {
                    let again = from_bytes::<T>(&bytes, syntax, Order::Little).unwrap();
                    assert_eq!(to_bytes(&again, syntax).unwrap(), bytes);
                }
            }
        }
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(4).map(|four| four.iter().map(|b| format!("{b:02x}")).collect::<String>() + " ").collect()
}

/// Bytes of words written as in the layouts: `u32s` little-endian.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

#[derive(Debug, PartialEq, Ndr)]
struct Scalars {
    small: u8,
    hyper: u64,
    short: i16,
    long: i32,
    flag: bool,
    float: f32,
    double: f64,
    id: Guid,
}

#[test]
fn scalars_are_aligned_to_their_size() {
    let value = Scalars {
        small: 1,
        hyper: 2,
        short: -3,
        long: 4,
        flag: true,
        float: 1.0,
        double: 1.0,
        id: Guid::new(0x0102_0304, 0x0506, 0x0708, [9, 10, 11, 12, 13, 14, 15, 16]),
    };
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([0xfd, 0xff, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x80, 0x3f]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    bytes.extend([4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]);
    law(&value, Syntax::Ndr, &bytes);
    law(&value, Syntax::Ndr64, &bytes);
}

#[test]
fn big_endian_numbers_are_read() {
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    bytes.extend([0xff, 0xfd, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0x3f, 0x80, 0, 0]);
    bytes.extend([0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let value: Scalars = from_bytes(&bytes, Syntax::Ndr, Order::Big).unwrap();
    assert_eq!((value.hyper, value.short, value.long), (2, -3, 4));
    assert_eq!((value.float, value.double), (1.0, 1.0));
    assert_eq!(value.id.to_string(), "01020304-0506-0708-090a-0b0c0d0e0f10");
    let text: Strings = from_bytes(
        &[
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, // the structure
            0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, b'x', 0, 0,
        ],
        Syntax::Ndr,
        Order::Big,
    )
    .unwrap();
    assert_eq!(text.wide.as_deref(), Some("x"));
}

#[derive(Debug, PartialEq, Ndr)]
struct Strings {
    #[ndr(unique, string)]
    wide: Option<String>,
    #[ndr(unique, string)]
    narrow: Option<Vec<u8>>,
    #[ndr(string, size(8))]
    fixed: Vec<u8>,
}

#[test]
fn strings_stand_behind_their_counts() {
    let value = Strings { wide: Some("aé".into()), narrow: Some(b"xyz".to_vec()), fixed: b"hello".to_vec() };
    let mut bytes = words(&[0x20000, 0x20004, 0, 6]);
    bytes.extend(b"hello\0\0\0");
    bytes.extend(words(&[3, 0, 3]));
    bytes.extend([b'a', 0, 0xe9, 0, 0, 0, 0, 0]);
    bytes.extend(words(&[4, 0, 4]));
    bytes.extend(b"xyz\0");
    law(&value, Syntax::Ndr, &bytes);

    let mut bytes = longs(&[0x20000, 0x20004, 0, 6]);
    // The structure ends on a multiple of its alignment: NDR64 alone.
    bytes.extend(b"hello\0\0\0");
    bytes.extend(longs(&[3, 0, 3]));
    bytes.extend([b'a', 0, 0xe9, 0, 0, 0, 0, 0]);
    bytes.extend(longs(&[4, 0, 4]));
    bytes.extend(b"xyz\0");
    law(&value, Syntax::Ndr64, &bytes);

    for wrong in ["aé", "a\0b"] {
        let value = Strings { wide: Some(wrong.into()), narrow: None, fixed: b"12345678".to_vec() };
        assert!(to_bytes(&value, Syntax::Ndr).is_err());
    }
}

#[derive(Debug, PartialEq, Ndr)]
struct Inner {
    a: u16,
    #[ndr(unique)]
    p: Option<u32>,
}

#[derive(Debug, PartialEq, Ndr)]
struct Outer {
    first: Inner,
    count: u32,
    #[ndr(unique, size_is(count))]
    array: Option<Vec<Inner>>,
    #[ndr(ref)]
    must: Inner,
    last: Inner,
}

#[test]
fn referents_follow_the_outermost_structure_in_order() {
    let inner = |a, p| Inner { a, p };
    let value = Outer {
        first: inner(1, Some(11)),
        count: 2,
        array: Some(vec![inner(2, Some(22)), inner(3, None)]),
        must: inner(4, Some(44)),
        last: inner(5, Some(55)),
    };
    let layout: [u32; 18] = [
        1, 0x20000, // first
        2,       // count
        0x20004, // array
        0x20008, // must
        5, 0x2000c, // last
        11,      // first.p
        2, 2, 0x20010, 3, 0,  // array: its count, its elements
        22, // and their referents
        4, 0x20014, 44, // must, and its referent
        55, // last.p
    ];
    law(&value, Syntax::Ndr, &words(&layout));
    let layout: [u64; 18] =
        [1, 0x20000, 2, 0x20004, 0x20008, 5, 0x2000c, 11, 2, 2, 0x20010, 3, 0, 22, 4, 0x20014, 44, 55];
    let mut bytes = longs(&layout[..7]);
    bytes.extend(words(&[11, 0]));
    bytes.extend(longs(&[2, 2, 0x20010, 3, 0]));
    bytes.extend(words(&[22, 0]));
    bytes.extend(longs(&[4, 0x20014]));
    bytes.extend(words(&[44, 55]));
    law(&value, Syntax::Ndr64, &bytes);

    let lies = Outer { count: 3, ..value };
    let error = to_bytes(&lies, Syntax::Ndr).unwrap_err();
    assert_eq!((error.structure, error.field), ("Outer", "array"));
    let mut lies = words(&[1, 0, 3, 0x20004, 0x20008, 5, 0, 2, 2, 0, 3, 0, 4, 0]);
    let error = from_bytes::<Outer>(&lies, Syntax::Ndr, Order::Little).unwrap_err();
    assert_eq!(error.to_string(), "Outer.array at offset 32: value 0x2 is not allowed here");
    lies[16] = 0;
    lies[18] = 0;
    let error = from_bytes::<Outer>(&lies, Syntax::Ndr, Order::Little).unwrap_err();
    assert_eq!((error.structure, error.field), ("Outer", "must"), "a reference pointer is not null");
}

#[derive(Debug, PartialEq, Ndr)]
struct Conformed {
    n: u16,
    #[ndr(size_is(n))]
    tail: Vec<u16>,
}

#[derive(Debug, PartialEq, Ndr)]
struct Around {
    before: u8,
    end: Conformed,
}

#[derive(Debug, PartialEq, Ndr)]
struct Hypers {
    n: u32,
    #[ndr(size_is(n))]
    tail: Vec<u64>,
}

#[test]
fn a_conformant_structure_has_its_count_in_front_of_the_outermost() {
    let value = Around { before: 9, end: Conformed { n: 3, tail: vec![1, 2, 3] } };
    law(&value, Syntax::Ndr, &[3, 0, 0, 0, 9, 0, 3, 0, 1, 0, 2, 0, 3, 0]);
    law(&value, Syntax::Ndr64, &[3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3, 0, 1, 0, 2, 0, 3, 0]);
    // Between the count and the structure there is a gap when the structure wants one.
    let value = Hypers { n: 1, tail: vec![7] };
    let mut bytes = words(&[1, 0, 1, 0]);
    bytes.extend(longs(&[7]));
    law(&value, Syntax::Ndr, &bytes);
    // A pointer to such a structure, in an array.
    let value = Pointers { n: 2, all: vec![Some(Conformed { n: 1, tail: vec![8] }), None] };
    let mut bytes = words(&[2, 2, 0x20000, 0, 1]);
    bytes.extend([1, 0, 8, 0]);
    law(&value, Syntax::Ndr, &bytes);
}

#[derive(Debug, PartialEq, Ndr)]
struct Pointers {
    n: u32,
    #[ndr(size_is(n))]
    all: Vec<Option<Conformed>>,
}

#[derive(Debug, PartialEq, Ndr)]
struct Varied {
    room: u32,
    used: u32,
    #[ndr(size(4), length_is(used))]
    varying: Vec<u16>,
    fixed: [u8; 3],
    grid: [[u16; 2]; 2],
    #[ndr(size_is(room * 2), length_is(used))]
    both: Vec<u8>,
}

#[test]
fn arrays_of_every_kind() {
    let value = Varied {
        room: 4,
        used: 2,
        varying: vec![1, 2],
        fixed: [7, 8, 9],
        grid: [[1, 2], [3, 4]],
        both: vec![5, 6],
    };
    let mut bytes = words(&[8, 4, 2, 0, 2]);
    bytes.extend([1, 0, 2, 0, 7, 8, 9, 0, 1, 0, 2, 0, 3, 0, 4, 0]);
    bytes.extend(words(&[0, 2]));
    bytes.extend([5, 6]);
    law(&value, Syntax::Ndr, &bytes);
    let mut bytes = longs(&[8]);
    bytes.extend(words(&[4, 2]));
    bytes.extend(longs(&[0, 2]));
    bytes.extend([1, 0, 2, 0, 7, 8, 9, 0, 1, 0, 2, 0, 3, 0, 4, 0]);
    bytes.extend(longs(&[0, 2]));
    bytes.extend([5, 6, 0, 0, 0, 0, 0, 0]);
    law(&value, Syntax::Ndr64, &bytes);
    let too_many = Varied { used: 5, varying: vec![0; 5], both: vec![0; 5], ..value };
    let error = to_bytes(&too_many, Syntax::Ndr).unwrap_err();
    assert_eq!((error.field, error.kind), ("varying", WireErrorKind::TooLarge { len: 5, max: 4 }));
}

#[derive(Debug, PartialEq, Ndr)]
#[ndr(switch_type(u16))]
enum Choice {
    #[ndr(case(1))]
    Small(u8),
    #[ndr(case(2))]
    Hyper(u64),
    #[ndr(case(3))]
    Nothing,
    #[ndr(case(4))]
    Pointer(#[ndr(unique)] Option<Inner>),
    #[ndr(case(5, 6))]
    Either(u16, u32),
    #[ndr(default)]
    Other(u16),
}

#[derive(Debug, PartialEq, Ndr)]
struct Chosen {
    level: u32,
    #[ndr(switch_is(level))]
    choice: Choice,
    after: u8,
}

#[test]
fn a_union_has_its_tag_and_one_arm() {
    let chosen = |level, choice| Chosen { level, choice, after: 0xee };
    law(&Choice::Small(9), Syntax::Ndr, &[1, 0, 9]);
    law(&Choice::Hyper(9), Syntax::Ndr, &[2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    law(&chosen(3, Choice::Nothing), Syntax::Ndr, &[3, 0, 0, 0, 3, 0, 0xee]);
    law(&chosen(6, Choice::Either(6, 7)), Syntax::Ndr, &[6, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0xee]);
    law(&chosen(99, Choice::Other(99)), Syntax::Ndr, &[99, 0, 0, 0, 99, 0, 0xee]);
    let pointer = chosen(4, Choice::Pointer(Some(Inner { a: 1, p: Some(2) })));
    let mut bytes = vec![4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 2, 0, 0xee, 0, 0, 0];
    bytes.extend(words(&[1, 0x20004, 2]));
    law(&pointer, Syntax::Ndr, &bytes);
    // NDR64: tag and arm stand on the alignment of the widest arm, and the structure ends on it.
    let mut bytes = longs(&[1, 1]);
    bytes.extend([9, 0xee, 0, 0, 0, 0, 0, 0]);
    law(&chosen(1, Choice::Small(9)), Syntax::Ndr64, &bytes);
    let error = to_bytes(&chosen(2, Choice::Nothing), Syntax::Ndr).unwrap_err();
    assert_eq!((error.structure, error.field), ("Choice", "(tag)"));
    let error = from_bytes::<Chosen>(&[3, 0, 0, 0, 1, 0, 9, 0xee], Syntax::Ndr, Order::Little).unwrap_err();
    assert_eq!((error.structure, error.field, error.offset), ("Choice", "(tag)", 6));
}

watertight_wire::wire_enum! {
    /// Of 16 bits in NDR, of 32 in NDR64.
    #[derive(Ndr)]
    #[ndr(enum)]
    enum Colour: u16 {
        red = 1,
    }
}

#[derive(Debug, PartialEq, Ndr)]
struct Coloured {
    colour: Colour,
    pointer: Uint3264,
}

#[test]
fn enumerations_and_pointer_sized_numbers_grow_in_ndr64() {
    let value = Coloured { colour: Colour::red, pointer: Uint3264(5) };
    law(&value, Syntax::Ndr, &[1, 0, 0, 0, 5, 0, 0, 0]);
    law(&value, Syntax::Ndr64, &longs(&[1, 5]));
    let error = from_bytes::<Coloured>(&longs(&[0x10001, 5]), Syntax::Ndr64, Order::Little).unwrap_err();
    assert_eq!(error.field, "colour");
}

#[derive(Debug, PartialEq, Ndr)]
struct Shared {
    #[ndr(ptr)]
    a: Option<Arc<Inner>>,
    #[ndr(ptr)]
    b: Option<Arc<Inner>>,
    #[ndr(ptr)]
    c: Option<Arc<Inner>>,
}

#[test]
fn full_pointers_share_their_referents() {
    let one = Arc::new(Inner { a: 1, p: None });
    let value = Shared { a: Some(Arc::clone(&one)), b: None, c: Some(one) };
    law(&value, Syntax::Ndr, &words(&[1, 0, 1, 1, 0]));
    let read: Shared = from_bytes(&words(&[1, 0, 1, 1, 0]), Syntax::Ndr, Order::Little).unwrap();
    assert!(Arc::ptr_eq(read.a.as_ref().unwrap(), read.c.as_ref().unwrap()));
    let own = Arc::new(Inner { a: 1, p: None });
    let value = Shared { c: Some(own), ..read };
    law(&value, Syntax::Ndr, &words(&[1, 0, 2, 1, 0, 1, 0]));
}

#[derive(Debug, PartialEq, Ndr)]
struct Node {
    value: u32,
    #[ndr(unique)]
    next: Option<Box<Node>>,
}

#[derive(Debug, PartialEq, Ndr)]
struct Cycle {
    #[ndr(ptr)]
    next: Option<Arc<Cycle>>,
}

#[test]
fn lists_are_read_to_a_depth_and_cycles_are_not() {
    let list =
        |len: u32| (0..len).rev().fold(None, |next, value| Some(Box::new(Node { value, next }))).unwrap();
    let short = list(3);
    law(&*short, Syntax::Ndr, &words(&[0, 0x20000, 1, 0x20004, 2, 0]));
    let limit = u32::try_from(DEPTH).unwrap();
    let bytes = to_bytes(&*list(limit + 1), Syntax::Ndr).unwrap();
    from_bytes::<Node>(&bytes, Syntax::Ndr, Order::Little).unwrap();
    let bytes = to_bytes(&*list(limit + 2), Syntax::Ndr).unwrap();
    let error = from_bytes::<Node>(&bytes, Syntax::Ndr, Order::Little).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::TooDeep { max: DEPTH });
    // The referent of 1 contains a pointer to itself.
    assert!(from_bytes::<Cycle>(&words(&[1, 1]), Syntax::Ndr, Order::Little).is_err());
}

#[derive(Debug, PartialEq, Ndr)]
struct Ranged {
    #[ndr(range(2, 4))]
    n: u16,
}

#[test]
fn ranges_are_kept() {
    for (n, good) in [(1, false), (2, true), (4, true), (5, false)] {
        let read = from_bytes::<Ranged>(&[n, 0], Syntax::Ndr, Order::Little);
        assert_eq!(read.is_ok(), good);
    }
}

#[test]
fn a_length_is_believed_only_as_far_as_there_are_bytes() {
    #[derive(Debug, PartialEq, Ndr)]
    struct Empty {
        n: u32,
        #[ndr(unique, size_is(n))]
        all: Option<Vec<Node>>,
    }
    let bytes = words(&[u32::MAX, 1, u32::MAX, 0, 0]);
    let error = from_bytes::<Empty>(&bytes, Syntax::Ndr, Order::Little).unwrap_err();
    assert_eq!((error.structure, error.field), ("Empty", "all"));
    assert!(matches!(error.kind, WireErrorKind::Truncated { have: 8, .. }), "{error}");
    let bytes = longs(&[u64::MAX, 1, u64::MAX, 0]);
    assert!(from_bytes::<Empty>(&bytes, Syntax::Ndr64, Order::Little).is_err());
}

#[test]
fn context_handles_have_twenty_bytes() {
    let handle = ContextHandle { attributes: 0, uuid: Guid::new(1, 2, 3, [4; 8]) };
    let bytes = [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 4, 4, 4, 4, 4, 4, 4];
    law(&handle, Syntax::Ndr, &bytes);
    law(&handle, Syntax::Ndr64, &bytes);
    assert!(ContextHandle::NULL.is_null() && !handle.is_null());
}

#[test]
fn pickles_have_their_headers() {
    // [MS-RPCE] 2.2.6: headers of 8 bytes each, the length padded to 8.
    let value = Conformed { n: 1, tail: vec![7] };
    let bytes = to_pickle(&value).unwrap();
    let expected = [
        1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc, 8, 0, 0, 0, 0, 0, 0, 0, // headers
        1, 0, 0, 0, 1, 0, 7, 0,
    ];
    assert_eq!(hex(&bytes), hex(&expected));
    assert_eq!(from_pickle::<Conformed>(&bytes).unwrap(), value);
    // Big-endian, as nobody we know writes it.
    let big = [
        1, 0, 0, 8, 0xcc, 0xcc, 0xcc, 0xcc, 0, 0, 0, 8, 0, 0, 0, 0, // headers
        0, 0, 0, 1, 0, 1, 0, 7,
    ];
    assert_eq!(from_pickle::<Conformed>(&big).unwrap(), value);
    for syntax in [Syntax::Ndr, Syntax::Ndr64] {
        let version = PickleVersion::Two(syntax, SyntaxId::new(Guid::new(9, 9, 9, [9; 8]), 1, 0));
        let bytes = write_pickle(&value, version).unwrap();
        assert_eq!(bytes.len(), 0x40 + 16 + 16);
        let (read, seen, used) = read_pickle::<Conformed>(&bytes).unwrap();
        assert_eq!((read, seen, used), (Conformed { n: 1, tail: vec![7] }, version, bytes.len()));
        mutate::survive(&bytes, |bytes| drop(from_pickle::<Conformed>(bytes)));
    }
    mutate::survive(&bytes, |bytes| drop(from_pickle::<Conformed>(bytes)));
    let mut trailing = bytes;
    trailing.push(0);
    assert!(from_pickle::<Conformed>(&trailing).is_err());
}

#[test]
fn other_representations_are_refused() {
    assert_eq!(Drep::LITTLE.order(), Ok(Order::Little));
    assert_eq!(Drep::BIG.order(), Ok(Order::Big));
    // EBCDIC, VAX floats.
    for drep in [[0x11, 0, 0, 0], [0x10, 1, 0, 0], [0x20, 0, 0, 0]] {
        assert!(Drep(drep).order().is_err());
    }
}
