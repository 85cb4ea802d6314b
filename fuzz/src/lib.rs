//! What must hold for any bytes whatever: one ordinary function for each decoder.
//!
//! An oracle panics when its decoder broke a promise; a decoder that panics, hangs or allocates without bound fails
//! by itself. `cargo xtask fuzz` drives them with libFuzzer; the test at the end drives them with their own seeds.

#![expect(clippy::panic, reason = "an oracle says no by panicking")]

pub mod seeds;

use watertight_wire::Reader;

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
        assert_eq!(reader.offset() + reader.remaining(), bytes.len(), "left its bytes");
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn oracles_accept_their_seeds() {
        for (target, oracle) in super::seeds::TARGETS {
            for (name, seed) in super::seeds::of(target) {
                println!("{target}: {name}");
                oracle(&seed);
                oracle(seed.get(..seed.len() / 2).unwrap_or_default());
            }
        }
    }
}
