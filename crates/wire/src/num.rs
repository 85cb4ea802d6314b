#![expect(
    clippy::as_conversions,
    reason = "the two widenings that the rest of the workspace calls instead of `as`"
)]

const _: () = assert!(usize::BITS == 64 || usize::BITS == 32, "usize holds every u32");

/// Widens a wire count to `usize`; lossless on the platforms that build (32 and 64 bits).
#[must_use]
pub const fn to_usize(n: u32) -> usize {
    n as usize
}

/// Widens a length to `u64`; lossless.
#[must_use]
pub const fn to_u64(n: usize) -> u64 {
    n as u64
}
