//! Kerberos — RFC 4120, its GSS-API form RFC 4121, and [MS-KILE]: from a credential cache or a password on the
//! client's side, with a keytab on the server's. AES with SHA-1 (RFC 3962) only.
//!
//! Why not a library: MIT's `libgssapi` cannot be linked into a static program, needs `unsafe` and its headers
//! when it is built; `sspi` reads neither credential caches nor keytabs and brings two hundred crates. The part of
//! Kerberos that a client and a service need is small, and MIT's own programs are its judges in the tests.

mod cache;
mod client;
mod config;
mod crypto;
mod kdc;
mod kdc_message;
mod keytab;
mod message;
mod samples;
mod server;
mod session;
mod token;

pub use config::Realms;
pub use kdc::{KeyDistribution, Tcp};
pub use keytab::Keytab;

pub(crate) use cache::owner;
pub(crate) use client::KerberosClient;
pub(crate) use server::KerberosServer;

#[doc(hidden)]
pub mod fuzzing {
    //! What the fuzz oracles call.

    /// Reads whatever may come from a peer or a file; the numbers say what it is meant to be.
    pub fn read(which: u8, bytes: &[u8]) {
        super::samples::read_any(which, bytes);
    }

    /// A message of each kind, with the number that [`read`] wants.
    #[must_use]
    pub fn samples() -> Vec<(u8, Vec<u8>)> {
        super::samples::all()
    }
}
