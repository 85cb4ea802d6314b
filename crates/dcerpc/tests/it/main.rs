//! Associations against each other over a simulated network, and what we write as others read it.

mod association;
mod interface;
mod pair;
mod peer_impacket;
mod peer_ndrdump;
mod security;
