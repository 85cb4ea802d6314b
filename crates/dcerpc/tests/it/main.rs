//! Associations against each other over a simulated network, and what we write as others read it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panicking"
)]

mod association;
mod interface;
mod laws;
mod pair;
mod peer_impacket;
mod peer_ndrdump;
mod security;
