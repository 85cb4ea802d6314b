//! LZ77 with DIRECT2 encoding — [MS-OXCRPC] 3.1.4.1.1.2, the Plain LZ77 of [MS-XCA].
//!
//! The stream is groups of a 32-bit mask, most significant bit first, and as many elements: a zero bit stands for a
//! literal byte, a one bit for a match (13 bits of distance less one, 3 bits of length) whose longer lengths go on in
//! a nibble that two matches share, a byte, and 16 bits. A one bit after the last element ends the stream.

use watertight_wire::{Reader, WireError, WireErrorKind};

/// The farthest that a match may reach back.
const WINDOW: usize = 8192;
/// The shortest match.
const MIN_MATCH: usize = 3;
/// The longest match: 16 bits of length and the minimum.
const MAX_MATCH: usize = 65_535 + MIN_MATCH;
/// How many earlier places are looked at for each match; more compresses better and slower.
const MAX_CHAIN: usize = 24;
/// A match this long is taken without looking further.
const GOOD_MATCH: usize = 64;

const HASH_BITS: u32 = 13;
const HASH_SIZE: usize = 1 << HASH_BITS;

/// Decompresses a stream that stands for exactly `size` bytes; never makes more.
///
/// # Errors
/// [`WireError`] when the stream ends early, a match reaches before the start, or a match goes past `size`.
pub fn decompress(stream: &[u8], size: usize) -> Result<Vec<u8>, WireError> {
    let mut r = Reader::new(stream, "LZ77");
    // Not more than the longest stream can stand for: a match of 65,538 bytes takes six.
    let mut out = Vec::with_capacity(size.min(stream.len().saturating_mul(MAX_MATCH / 6)));
    let mut mask = 0_u32;
    let mut bits = 0_u32;
    let mut nibble: Option<u8> = None;
    while out.len() < size {
        if bits == 0 {
            mask = r.u32("Bitmask")?;
            bits = 32;
        }
        bits -= 1;
        if mask >> bits & 1 == 0 {
            out.push(r.u8("(data)")?);
            continue;
        }
        let metadata = r.u16("(metadata)")?;
        let distance = usize::from(metadata >> 3) + 1;
        let length = match_length(&mut r, metadata & 7, &mut nibble)?;
        let left = size - out.len();
        if length > left {
            return Err(r.error("(length)", WireErrorKind::TooLarge { len: length, max: left }));
        }
        let Some(start) = out.len().checked_sub(distance) else {
            return Err(r.error("(offset)", WireErrorKind::TooLarge { len: distance, max: out.len() }));
        };
        copy_within(&mut out, start, length);
    }
    Ok(out)
}

/// Reads what follows the three bits of length.
fn match_length(r: &mut Reader<'_>, three_bits: u16, shared: &mut Option<u8>) -> Result<usize, WireError> {
    if three_bits < 7 {
        return Ok(usize::from(three_bits) + MIN_MATCH);
    }
    let nibble = match shared.take() {
        Some(byte) => byte >> 4,
        None => {
            let byte = r.u8("(shared length)")?;
            *shared = Some(byte);
            byte & 0xf
        }
    };
    if nibble < 15 {
        return Ok(usize::from(nibble) + 7 + MIN_MATCH);
    }
    let byte = r.u8("(length byte)")?;
    if byte < 255 {
        return Ok(usize::from(byte) + 15 + 7 + MIN_MATCH);
    }
    // The whole length again, not added to what came before.
    let word = r.u16("(length word)")?;
    if word < 15 + 7 {
        return Err(r.invalid("(length word)", word));
    }
    Ok(usize::from(word) + MIN_MATCH)
}

/// Appends `length` bytes from `start`, which may overlap what is being appended.
fn copy_within(out: &mut Vec<u8>, start: usize, length: usize) {
    let mut left = length;
    while left > 0 {
        // What lies between `start` and the end doubles with each round.
        let piece = left.min(out.len().saturating_sub(start));
        if piece == 0 {
            return;
        }
        out.extend_from_within(start..start.saturating_add(piece));
        left = left.saturating_sub(piece);
    }
}

/// Compresses; `None` when the stream would not be smaller than the input.
#[must_use]
pub fn compress(input: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(input.len());
    let mut finder = Finder::new(input);
    let mut at = 0;
    while at < input.len() {
        match finder.longest(at) {
            Some((distance, length)) => {
                encoder.matched(distance, length)?;
                for skipped in at..at.saturating_add(length) {
                    finder.insert(skipped);
                }
                at = at.saturating_add(length);
            }
            None => {
                encoder.literal(*input.get(at)?);
                finder.insert(at);
                at = at.saturating_add(1);
            }
        }
        if encoder.out.len() >= input.len() {
            return None;
        }
    }
    let stream = encoder.finish();
    (stream.len() < input.len()).then_some(stream)
}

/// Writes elements and their masks.
struct Encoder {
    out: Vec<u8>,
    mask_at: usize,
    mask: u32,
    bits: u32,
    /// Where the shared byte of lengths lies whose high nibble is free.
    nibble_at: Option<usize>,
}

impl Encoder {
    fn new(capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity.saturating_add(8));
        out.extend_from_slice(&[0; 4]);
        Self { out, mask_at: 0, mask: 0, bits: 0, nibble_at: None }
    }

    fn literal(&mut self, byte: u8) {
        self.out.push(byte);
        self.bit(0);
    }

    fn matched(&mut self, distance: usize, length: usize) -> Option<()> {
        let length = length.checked_sub(MIN_MATCH)?;
        let distance = u16::try_from(distance.checked_sub(1)?).ok()?;
        let three_bits = u16::try_from(length.min(7)).ok()?;
        self.out.extend_from_slice(&(distance << 3 | three_bits).to_le_bytes());
        if let Some(more) = length.checked_sub(7) {
            let nibble = u8::try_from(more.min(15)).ok()?;
            match self.nibble_at.take() {
                Some(at) => *self.out.get_mut(at)? |= nibble << 4,
                None => {
                    self.nibble_at = Some(self.out.len());
                    self.out.push(nibble);
                }
            }
            if let Some(more) = more.checked_sub(15) {
                match u8::try_from(more) {
                    Ok(byte) if byte < 255 => self.out.push(byte),
                    _ => {
                        self.out.push(255);
                        self.out.extend_from_slice(&u16::try_from(length).ok()?.to_le_bytes());
                    }
                }
            }
        }
        self.bit(1);
        Some(())
    }

    fn bit(&mut self, bit: u32) {
        self.mask = self.mask << 1 | bit;
        self.bits += 1;
        if self.bits == 32 {
            self.put_mask();
            self.mask_at = self.out.len();
            self.out.extend_from_slice(&[0; 4]);
            self.mask = 0;
            self.bits = 0;
        }
    }

    fn put_mask(&mut self) {
        if let Some(slot) = self.out.get_mut(self.mask_at..self.mask_at.saturating_add(4)) {
            slot.copy_from_slice(&self.mask.to_le_bytes());
        }
    }

    /// The rest of the last mask is ones.
    fn finish(mut self) -> Vec<u8> {
        let free = 32 - self.bits;
        self.mask = self.mask.checked_shl(free).unwrap_or(0) | u32::MAX.checked_shr(self.bits).unwrap_or(0);
        self.put_mask();
        self.out
    }
}

/// Finds earlier places with the same three bytes.
struct Finder<'a> {
    input: &'a [u8],
    /// By hash: the latest place plus one, 0 for none.
    head: Vec<u32>,
    /// By place modulo the window: the place before with the same hash, plus one.
    previous: Vec<u32>,
}

impl<'a> Finder<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self { input, head: vec![0; HASH_SIZE], previous: vec![0; WINDOW] }
    }

    fn hash(&self, at: usize) -> Option<usize> {
        let end = at.checked_add(MIN_MATCH)?;
        let [a, b, c] = *self.input.get(at..end)? else { return None };
        let key = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1);
        Some(watertight_wire::to_usize(key >> (32 - HASH_BITS)))
    }

    fn insert(&mut self, at: usize) {
        let Some(hash) = self.hash(at) else { return };
        let Ok(next) = u32::try_from(at.saturating_add(1)) else { return };
        if let (Some(head), Some(previous)) = (self.head.get_mut(hash), self.previous.get_mut(at % WINDOW)) {
            *previous = *head;
            *head = next;
        }
    }

    /// The longest match at a place, nearest first.
    fn longest(&self, at: usize) -> Option<(usize, usize)> {
        let mut next = *self.head.get(self.hash(at)?)?;
        let here = self.input.get(at..)?;
        let here = here.get(..here.len().min(MAX_MATCH))?;
        let mut best: Option<(usize, usize)> = None;
        for _ in 0..MAX_CHAIN {
            let Some(place) = watertight_wire::to_usize(next).checked_sub(1) else { break };
            let distance = at.saturating_sub(place);
            if distance == 0 || distance > WINDOW {
                break;
            }
            let there = self.input.get(place..)?;
            let longest = best.map_or(MIN_MATCH - 1, |(_, length)| length);
            // A place that differs in the byte that would make it longer is not looked at further.
            if there.get(longest) == here.get(longest) {
                let length = here.iter().zip(there).take_while(|(a, b)| a == b).count();
                if length > longest {
                    best = Some((distance, length));
                    if length >= GOOD_MATCH || length == here.len() {
                        break;
                    }
                }
            }
            let before = *self.previous.get(place % WINDOW)?;
            if before >= next {
                break;
            }
            next = before;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watertight_testkit::{captures, mutate::survive};

    use super::*;

    #[test]
    fn examples_of_the_document() {
        // [MS-XCA] 3.1: literals alone, and one match of 297 bytes.
        let stream = [&[0x3f, 0, 0, 0][..], b"abcdefghijklmnopqrstuvwxyz"].concat();
        assert_eq!(decompress(&stream, 26).unwrap(), b"abcdefghijklmnopqrstuvwxyz");
        let stream = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0, 0x0f, 0xff, 0x26, 0x01];
        let abc = b"abc".repeat(100);
        assert_eq!(decompress(&stream, 300).unwrap(), abc);
        assert_eq!(compress(&abc).unwrap(), stream);
        // [MS-OXCRPC] 3.1.4.1.1.2.2.1: ABCABCDEF is A B C (3,3) D E F and the end, mask b'00010001'.
        let stream = [0xff, 0xff, 0xff, 0x11, b'A', b'B', b'C', 0x10, 0, b'D', b'E', b'F'];
        assert_eq!(decompress(&stream, 9).unwrap(), b"ABCABCDEF");
        // [MS-OXCRPC] 3.1.4.1.1.2.2.3: metadata 0x0018 is offset -4, length 3.
        let stream = [0xff, 0xff, 0xff, 0x0f, b'A', b'B', b'C', b'D', 0x18, 0];
        assert_eq!(decompress(&stream, 7).unwrap(), b"ABCDABC");
    }

    #[test]
    fn match_lengths_are_written_as_the_documents_table() {
        // [MS-OXCRPC] 3.1.4.1.1.2.2.4; each after one literal, so that the distance is 1.
        let lengths: [(usize, &[u8]); 8] = [
            (3, &[0]),
            (9, &[6]),
            (10, &[7, 0, 0]),
            (24, &[7, 0, 14]),
            (25, &[7, 0, 15, 0]),
            (26, &[7, 0, 15, 1]),
            (279, &[7, 0, 15, 254]),
            (280, &[7, 0, 15, 255, 0x15, 0x01]),
        ];
        for (length, code) in lengths {
            let mut encoder = Encoder::new(0);
            encoder.literal(b'x');
            encoder.matched(1, length).unwrap();
            let stream = encoder.finish();
            assert_eq!(stream[5..][..code.len()], *code, "{length}");
            assert_eq!(decompress(&stream, length + 1).unwrap(), vec![b'x'; length + 1], "{length}");
        }
    }

    #[test]
    fn what_a_real_compressor_made_comes_out() {
        let mut pairs = 0;
        for exchange in captures::group("09") {
            if exchange.request_type != "lzxpress" {
                continue;
            }
            pairs += 1;
            let (plain, stream) = (exchange.request(), exchange.response());
            assert_eq!(decompress(&stream, plain.len()).unwrap(), plain, "{}", exchange.label);
            if let Some(ours) = compress(&plain) {
                assert!(ours.len() < plain.len());
                assert_eq!(decompress(&ours, plain.len()).unwrap(), plain, "{}", exchange.label);
            }
        }
        assert_eq!(pairs, 42);
    }

    #[test]
    fn wrong_streams_are_errors_and_bounded() {
        let plain = b"a text that repeats, a text that repeats, a text that repeats and ends".repeat(3);
        let stream = compress(&plain).unwrap();
        survive(&stream, |bytes| {
            if let Ok(out) = decompress(bytes, plain.len()) {
                assert_eq!(out.len(), plain.len());
            }
        });
        assert!(matches!(
            decompress(&[0xff, 0xff, 0xff, 0xff, 0, 0], 3).unwrap_err().kind,
            WireErrorKind::TooLarge { len: 1, max: 0 }
        ));
        let past_the_end = [0xff, 0xff, 0xff, 0x7f, b'x', 6, 0];
        assert!(matches!(
            decompress(&past_the_end, 5).unwrap_err().kind,
            WireErrorKind::TooLarge { len: 9, max: 4 }
        ));
        assert!(decompress(&[], 1).is_err());
        assert_eq!(decompress(&[], 0).unwrap(), b"");
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(
            seed in prop::collection::vec(any::<u8>(), 1..64),
            picks in prop::collection::vec((0_usize..64, 1_usize..400), 0..80),
        ) {
            let mut input = Vec::new();
            for (start, length) in picks {
                input.extend(seed.iter().cycle().skip(start).take(length));
            }
            if let Some(stream) = compress(&input) {
                prop_assert!(stream.len() < input.len());
                prop_assert_eq!(decompress(&stream, input.len()).unwrap(), input);
            }
        }
    }
}
