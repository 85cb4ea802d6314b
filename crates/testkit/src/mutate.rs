//! What every decoder must survive: every truncation and every flipped bit of a sample.

/// Calls `f` with every proper prefix of `sample`, the empty one included.
pub fn truncations(sample: &[u8], mut f: impl FnMut(&[u8])) {
    for len in 0..sample.len() {
        f(sample.get(..len).unwrap_or_default());
    }
}

/// Calls `f` with `sample` once for each of its bits, that bit flipped.
pub fn bit_flips(sample: &[u8], mut f: impl FnMut(&[u8])) {
    let mut copy = sample.to_vec();
    for at in 0..sample.len() {
        for bit in 0..8 {
            if let Some(byte) = copy.get_mut(at) {
                *byte ^= 1 << bit;
            }
            f(&copy);
            if let Some(byte) = copy.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
    }
}

/// Both, for a decoder that must return (with whatever result) and not panic.
pub fn survive(sample: &[u8], mut decode: impl FnMut(&[u8])) {
    truncations(sample, &mut decode);
    bit_flips(sample, &mut decode);
}
