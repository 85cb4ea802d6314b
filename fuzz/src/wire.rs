use watertight_testkit::captures;
use watertight_wire::Reader;

use crate::Seed;

/// The cursor: whatever is read in whatever order, it never leaves its bytes and never goes back.
pub fn wire(data: &[u8]) {
    let Some((program, bytes)) = data.split_first_chunk::<8>() else { return };
    let mut reader = Reader::new(bytes, "fuzz");
    for step in program.iter().cycle().take(64) {
        let before = reader.offset();
        let read = match step % 12 {
            0 => reader.u8("f").map(drop),
            1 => reader.u16("f").map(drop),
            2 => reader.u32("f").map(drop),
            3 => reader.u64("f").map(drop),
            4 => reader.bytes16("f").map(drop),
            5 => reader.bytes32("f").map(drop),
            6 => reader.guid("f").map(drop),
            7 => reader.cstr("f").map(drop),
            8 => reader.cstr16("f").map(drop),
            9 => reader.sub(usize::from(*step), "f").map(drop),
            10 => reader.count(usize::from(*step), 3, "f").map(drop),
            _ => reader.bytes(usize::from(*step), "f").map(drop),
        };
        assert!(reader.offset() >= before, "went back");
        assert_eq!(reader.offset().saturating_add(reader.remaining()), bytes.len(), "left its bytes");
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    }
}

pub fn seeds() -> Vec<Seed> {
    let program = [0_u8, 1, 2, 3, 4, 5, 7, 8];
    captures::first_set()
        .iter()
        .take(8)
        .map(|e| (format!("{:04}", e.n), [program.as_slice(), &e.request()].concat()))
        .collect()
}
