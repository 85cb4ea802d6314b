//! MAPI/HTTP server: session contexts, logons, ROPs, ICS producer.
//!
//! It knows the store only through [`watertight_mapi::store`]. [`Server`] listens, with TLS or on loopback without;
//! `http` answers the request types of [MS-OXCMAPIHTTP]; [`session`] holds the session contexts; [`auth`] says
//! who sends a request; `autodiscover` answers [MS-OXDSCLI],
//! `nspi` [MS-OXNSPI]. [`rop`] is the ROP processor: one [`rop::Session`] is owned by
//! each session context, and dropping it releases everything that the client opened. [`ics`] produces FastTransfer
//! streams: one [`ics::Source`] is owned by the handle of each synchronization or copy.
//!
//! Invariants: what a client holds is owned by its session context, and that ends with Disconnect, expiry, a new
//! Connect with its cookies, or the server; credentials and cookies reach no log.

pub mod auth;
mod autodiscover;
pub mod clock;
mod code_page;
mod http;
pub mod ics;
mod nspi;
pub mod rop;
pub mod server;
pub mod session;

#[doc(hidden)]
pub use self::http::request_head;
#[doc(hidden)]
pub use auth::basic_credentials;
pub use auth::{Scheme, SignIn, SignInError, hash_password, new_token, nt_hash};
#[doc(hidden)]
pub use autodiscover::autodiscover_request;
pub use server::{Server, ServerConfig, ServerError};
