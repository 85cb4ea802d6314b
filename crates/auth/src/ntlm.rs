//! NTLM — [MS-NLMP]: connection-oriented, NTLMv2 with extended session security, both sides.
//!
//! NTLMv1 and LM responses are never made and never accepted. A client that cannot do extended session security is
//! let in (HTTP needs no more), and has no signatures then.

mod av_pair;
mod challenge;
mod client;
mod compute;
mod flags;
mod message;
mod server;
mod session;

pub use av_pair::{AvId, AvPair, TargetInfo};
pub use challenge::ClientChallenge;
pub use flags::NegotiateFlags;
pub use message::{Authenticate, Challenge, Negotiate, Version};

pub(crate) use client::NtlmClient;
pub(crate) use server::NtlmServer;
pub(crate) use session::NtlmSession;

/// What every message begins with.
pub(crate) const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

#[cfg(test)]
mod example;
