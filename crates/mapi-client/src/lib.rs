//! A MAPI/HTTP client: sessions, logons, folders, and their synchronization by ICS.
//!
//! A [`Connector`] knows the way to a server; [`Connector::connect`] makes a [`Session`], a session context with a
//! connection of its own, owned by one task. Everything that is opened in a session keeps it alive, is counted in the
//! ledger, and ends when it is dropped: a handle with the next request, the session with a Disconnect.
//!
//! Invariants: no request goes out while another of the same session context is on its way; nothing received is
//! larger than a stated bound; no wait is without a bound; neither credentials nor cookies are ever formatted.

mod actor;
mod connection;
mod connector;
mod cookies;
mod endpoint;
mod error;
mod handle;
mod options;
mod retry_after;
mod session;
mod settings;
mod tls;
mod traffic;
mod transport;

pub use actor::Payload;
pub use connector::Connector;
pub use endpoint::{Credentials, Endpoint};
pub use error::{
    DiscoveryError, Error, ErrorClass, Lost, ProtocolError, ReachError, SetupError, SignInError, TrustError,
};
pub use handle::ServerHandle;
pub use options::{Backoff, Options};
pub use session::{Session, SessionInfo};
pub use traffic::Traffic;
