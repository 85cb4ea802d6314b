use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::ndr::{Syntax, SyntaxId};
use crate::pdu::Features;
use crate::pdu::auth::AuthLevel;
use crate::security::Acceptor;

/// An interface of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// UUID and version.
    pub id: SyntaxId,
    /// The lowest level at which it may be called; none where anonymous callers may.
    pub least_level: Option<AuthLevel>,
}

impl Interface {
    /// An interface that anybody may call.
    #[must_use]
    pub const fn open(id: SyntaxId) -> Self {
        Self { id, least_level: None }
    }

    /// Whether a client that asks for `wanted` may have this: the same interface and major version, a minor version at
    /// least as high (C706 12.6.3.1).
    #[must_use]
    pub fn serves(&self, wanted: SyntaxId) -> bool {
        self.id.uuid == wanted.uuid && self.id.major == wanted.major && self.id.minor >= wanted.minor
    }
}

/// What a server offers, and its limits.
#[derive(Clone)]
pub struct ServerConfig {
    /// The interfaces.
    pub interfaces: Arc<[Interface]>,
    /// The transfer syntaxes, the one that is liked best first.
    pub syntaxes: Vec<Syntax>,
    /// Where security contexts come from; none where all callers are anonymous.
    pub security: Option<Arc<dyn Acceptor>>,
    /// sec_addr of a bind_ack: the endpoint, a port as its digits.
    pub endpoint: String,
    /// The features that are granted when a client asks for them.
    pub features: Features,
    /// Whether clients may have several calls at once.
    pub multiplex: bool,
    /// Whether the transport proves that the client is on this machine.
    pub local: bool,
    /// The largest fragment that is taken, and the largest that is sent.
    pub max_fragment: u16,
    /// The most stub data of one call.
    pub max_stub: usize,
    /// The most stub data of calls of one connection that are not complete yet.
    pub max_incomplete: usize,
    /// The most presentation contexts of one connection.
    pub max_contexts: usize,
    /// The most security contexts of one connection.
    pub max_security: usize,
    /// The most calls of one connection that are being received, are waiting or are being executed.
    pub max_calls: usize,
    /// How long a client may take for its bind.
    pub bind_timeout: Duration,
    /// How long the rest of a fragment or of a call may take.
    pub stall_timeout: Duration,
    /// How long a connection may have no call; none for ever.
    pub idle_timeout: Option<Duration>,
}

impl ServerConfig {
    /// A server of these interfaces with the limits of common servers.
    #[must_use]
    pub fn new(interfaces: impl Into<Arc<[Interface]>>) -> Self {
        Self {
            interfaces: interfaces.into(),
            syntaxes: vec![Syntax::Ndr, Syntax::Ndr64],
            security: None,
            endpoint: String::new(),
            features: Features::security_context_multiplexing | Features::keep_connection_on_orphan,
            multiplex: true,
            local: false,
            max_fragment: 5840,
            max_stub: 4 * 1024 * 1024,
            max_incomplete: 8 * 1024 * 1024,
            max_contexts: 64,
            max_security: 8,
            max_calls: 32,
            bind_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(900)),
        }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("interfaces", &self.interfaces)
            .field("max_fragment", &self.max_fragment)
            .finish_non_exhaustive()
    }
}
