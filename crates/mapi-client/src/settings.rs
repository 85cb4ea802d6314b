//! What all sessions of a connector share.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use watertight_ledger::{Kind, Ledger};

use crate::connection::Connection;
use crate::endpoint::{Credentials, Endpoint};
use crate::error::{Error, SetupError};
use crate::options::Options;
use crate::pool::Pool;
use crate::tls;
use crate::traffic::Counters;

/// How we call ourselves in HTTP.
pub(crate) const USER_AGENT: &str = concat!("Watertight/", env!("CARGO_PKG_VERSION"));

/// What all sessions of a connector share.
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    pub(crate) user: String,
    /// Marked as sensitive: it never shows.
    pub(crate) authorization: HeaderValue,
    /// What each request has, made once.
    pub(crate) uri: Uri,
    pub(crate) host: HeaderValue,
    pub(crate) client_application: HeaderValue,
    pub(crate) options: Options,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pool: Pool,
    pub(crate) ledger: Ledger,
}

impl Settings {
    pub(crate) fn new(
        endpoint: Endpoint,
        credentials: &Credentials,
        options: Options,
        ledger: &Ledger,
    ) -> Result<Self, SetupError> {
        let tls = if endpoint.tls() { Some(tls::config(options.tls_ca.as_deref())?) } else { None };
        let bad = |_| SetupError::Url { url: endpoint.to_string(), why: "not a URL" };
        let uri = endpoint.target().parse().map_err(bad)?;
        let host = endpoint.host_header();
        let text = |value: &str| HeaderValue::from_str(value).map_err(|_| SetupError::UserName);
        Ok(Self {
            uri,
            host: text(&host)?,
            client_application: text(&options.client_application)?,
            user: credentials.user().to_owned(),
            authorization: credentials.authorization()?,
            tls,
            counters: Arc::default(),
            pool: Pool::new(options.kept_connections, options.kept_for),
            ledger: ledger.child("client"),
            endpoint,
            options,
        })
    }

    /// A new connection to the endpoint.
    pub(crate) async fn connect(&self, kind: &Kind) -> Result<Connection, Error> {
        self.connect_to(&self.endpoint, kind).await
    }

    /// A new connection to another endpoint of the same kind (with TLS or without).
    pub(crate) async fn connect_to(&self, endpoint: &Endpoint, kind: &Kind) -> Result<Connection, Error> {
        let timeout = self.options.connect_timeout;
        Connection::open(endpoint, self.tls.as_ref(), timeout, &*self.options.dns, kind, &self.counters).await
    }

    /// Whether a response may come compressed: a long one not when the way is so short that it only costs time.
    pub(crate) fn compression(&self, long: bool) -> bool {
        self.options.compression.unwrap_or_else(|| {
            let host = self.endpoint.host();
            let near = host.eq_ignore_ascii_case("localhost")
                || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            !(long && near)
        })
    }
}
