//! The public interface, between our own two sides and against peers that are not ours.

mod kdc;
mod pair;
mod peer;
mod peer_impacket;
mod peer_krb5;
mod peer_pyspnego;
mod support;
