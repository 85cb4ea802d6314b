//! NTLM, Kerberos and Negotiate on both sides, for HTTP and for DCE/RPC.
//!
//! [`Client`] and [`Server`] take and give tokens ([`Step`]) until both have a [`SecurityContext`], which signs and
//! encrypts messages. They open no socket: HTTP carries the tokens in its headers, in base64, on the one connection
//! that the context belongs to; DCE/RPC carries them in bind, bind_ack, alter_context and auth3.
//!
//! # HTTP
//!
//! [`http::Scheme`] reads and writes the headers. `NTLM` is [`Mechanism::Ntlm`], `Negotiate` is
//! [`Mechanism::Negotiate`]; [`Purpose::SignIn`]. Over TLS both sides give the hash of the server's certificate
//! ([`ChannelBindings::tls_server_end_point`]). A token of the server's last [`Step`] goes into the answer that lets
//! the client in.
//!
//! # DCE/RPC
//!
//! [`Purpose::Rpc`]; authentication type 10 is [`Mechanism::Ntlm`], 9 [`Mechanism::Negotiate`], 16
//! [`Mechanism::Kerberos`]. The client's first token is in its bind, the server's answer in the bind_ack. A [`Step`]
//! with a token and without a context waits for an answer (alter_context); one with both goes as auth3 when the
//! mechanism is NTLM, and as alter_context when it is Kerberos by itself (the third leg). Level connect uses the
//! exchange only. Packet and integrity call `sign` and `verify`, privacy `seal` and `unseal`; the body is the stub with
//! its padding, and [`SecurityContext::covers_header`] says whether header and trailer are signed with it.
//! [`SecurityContext::signature_len`] is the auth_length.
//!
//! # Why not the `sspi` crate
//!
//! It was looked at (0.23.1) and left out. Its NTLM server compares clear-text passwords, where a store should hold
//! hashes; it sends no names and takes its challenge from nowhere that a test can reach, so that the worked examples
//! of [MS-NLMP] cannot be run; it takes a MIC for granted where there may be none; and the time of an unknown account
//! differs. Its Kerberos reads no credential cache. It brings two hundred crates, a release candidate of RSA among
//! them. What is left to write is what the documents describe: here, on the primitives of RustCrypto.
//!
//! # Invariants
//!
//! - Secrets are overwritten when they drop, and no `Debug` shows them. Neither are tokens shown: an NTLMv2 response
//!   can be searched for its password.
//! - An unknown account and a wrong password take the same way through the same computations.
//! - Time and random numbers are arguments ([`Environment`]).
//! - NTLMv1 and LM responses are neither made nor accepted.
//! - An exchange ends with its first error; a context ends with its first wrong signature.

mod accounts;
mod bindings;
mod context;
mod der;
mod environment;
mod error;
mod exchange;
mod files;
pub mod http;
mod identity;
pub mod kerberos;
pub mod ntlm;
mod secret;
pub mod spnego;

pub use accounts::{Accounts, ServerNames};
pub use bindings::{BindingPolicy, ChannelBindings};
pub use context::{Mechanism, Peer, Protection, Purpose, SecurityContext};
pub use environment::{Environment, System};
pub use error::AuthError;
pub use exchange::{Client, Security, Server, Step, TOKEN_AT_MOST, Target};
pub use identity::Identity;
pub use secret::{NtHash, SessionKey};
