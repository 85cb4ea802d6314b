//! SPNEGO — RFC 4178 with the additions of [MS-SPNG]: which mechanism both sides have, and a signature that nobody
//! made them believe in a shorter list.

mod client;
mod message;
mod server;

pub use message::{NegState, NegToken, NegTokenInit, NegTokenResp};

pub(crate) use client::SpnegoClient;
pub(crate) use server::SpnegoServer;

/// Contents of 1.2.840.113554.1.2.2: Kerberos.
pub(crate) const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// Contents of 1.2.840.48018.1.2.2: Kerberos, as Windows 2000 wrote it by mistake.
pub(crate) const MS_KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// Contents of 1.3.6.1.4.1.311.2.2.10: NTLM.
pub(crate) const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
/// Contents of 1.3.6.1.5.5.2: SPNEGO.
pub(crate) const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
