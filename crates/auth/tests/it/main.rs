//! The public interface, between our own two sides and against peers that are not ours.

mod pair;
mod peer;
mod peer_impacket;
mod peer_pyspnego;
mod support;
