//! What all sessions of a connector share.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use rustls::ClientConfig;
use watertight_ledger::{Kind, Ledger};

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::{Error, SetupError};
use crate::options::Options;
use crate::pool::Pool;
use crate::sign_in::{Credentials, Line, Signer};
use crate::tls;
use crate::traffic::Counters;

/// How we call ourselves in HTTP.
pub(crate) const USER_AGENT: &str = concat!("Watertight/", env!("CARGO_PKG_VERSION"));

/// What all sessions of a connector share.
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    pub(crate) user: String,
    pub(crate) signer: Signer,
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
        let ledger = ledger.child("client");
        let patience = options.token_timeout;
        let signer = Signer::new(&endpoint, credentials, options.sign_in, patience, &ledger)?;
        Ok(Self {
            uri,
            host: text(&host)?,
            client_application: text(&options.client_application)?,
            user: credentials.user().to_owned(),
            signer,
            tls,
            counters: Arc::default(),
            pool: Pool::new(options.kept_connections, options.kept_for),
            ledger,
            endpoint,
            options,
        })
    }

    /// The way of requests to the endpoint.
    pub(crate) fn line<'a>(&'a self, kind: &'a Kind) -> Line<'a> {
        Line { settings: self, endpoint: &self.endpoint, kind, pooled: true }
    }

    /// A new connection to an endpoint of the same kind (with TLS or without).
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
