//! The checksum that rows, contents and chunks carry, so that damage is found when it is read.

/// A 64-bit sum of words. Each step is a bijection of the sum and of the word, so that any change within one word
/// of eight bytes always changes the result.
pub(super) struct Sum(u64);

impl Sum {
    /// A sum of nothing yet; `kind` keeps rows of different tables apart.
    pub(super) const fn new(kind: u64) -> Self {
        Self(kind)
    }

    /// Adds a number.
    pub(super) fn number(mut self, n: i64) -> Self {
        self.word(n.cast_unsigned());
        self
    }

    /// Adds bytes and their length.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.word(watertight_wire::to_u64(bytes.len()));
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.word(u64::from_le_bytes(last));
        self
    }

    /// The sum, as a column holds it.
    pub(super) const fn finish(self) -> i64 {
        self.0.cast_signed()
    }

    fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_length_changes_it() {
        let bytes: Vec<u8> = (0..37).collect();
        let whole = Sum::new(1).bytes(&bytes).finish();
        watertight_testkit::mutate::survive(&bytes, |other| {
            assert_ne!(Sum::new(1).bytes(other).finish(), whole);
        });
        assert_ne!(Sum::new(2).bytes(&bytes).finish(), whole);
        assert_ne!(Sum::new(1).bytes(&[0; 8]).finish(), Sum::new(1).bytes(&[0; 9]).finish());
    }
}
