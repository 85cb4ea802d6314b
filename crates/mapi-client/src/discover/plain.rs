//! The one request without TLS: it carries nothing, and its answer is believed only after a question —
//! [MS-OXDISCO] 3.1.5.3, the unauthenticated GET.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, LOCATION, USER_AGENT};
use http::{HeaderValue, Request};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use watertight_ledger::Kind;

use super::TARGET;
use super::dns::Dns;
use crate::error::{Error, ProtocolError, ReachError};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Bytes of the answer's head.
const MAX_HEAD: usize = 16 << 10;

/// Where `http://HOST/autodiscover/autodiscover.xml` sends a client; `None` when it sends it nowhere.
pub(super) async fn redirection(
    host: &str,
    dns: &dyn Dns,
    timeout: Duration,
    kind: &Kind,
) -> Result<Option<String>, Error> {
    let address = format!("{host}:80");
    tokio::time::timeout(timeout, asked(host, &address, dns, kind))
        .await
        .unwrap_or(Err(ReachError::ConnectTimeout { address, after: timeout }.into()))
}

async fn asked(host: &str, address: &str, dns: &dyn Dns, kind: &Kind) -> Result<Option<String>, Error> {
    let _entry = kind.enter();
    let stream = connect(host, address, dns).await?;
    let broken = |e: hyper::Error| -> Error {
        if e.is_parse() || e.is_parse_too_large() {
            return ProtocolError::Http(e.to_string()).into();
        }
        ReachError::Interrupted { address: address.to_owned(), why: e.to_string() }.into()
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_header_size(MAX_HEAD)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let value = HeaderValue::from_str(host).map_err(|e| ProtocolError::Http(e.to_string()))?;
    let request = Request::get(TARGET)
        .header(HOST, value)
        .header(USER_AGENT, HeaderValue::from_static(crate::settings::USER_AGENT))
        .body(Empty::new())
        .map_err(|e| ProtocolError::Http(e.to_string()))?;
    let mut sending = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut sending => response,
        ended = connection => {
            ended.map_err(broken)?;
            // What came before the end is there.
            sending.await
        }
    };
    let response = response.map_err(broken)?;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    Ok(location.filter(|_| response.status().is_redirection()).map(str::to_owned))
}

async fn connect(host: &str, address: &str, dns: &dyn Dns) -> Result<TcpStream, Error> {
    let found = dns
        .addresses(host, 80)
        .await
        .map_err(|source| ReachError::Resolve { host: host.to_owned(), source })?;
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no usable address");
    for socket in found.into_iter().take(MAX_ADDRESSES) {
        match TcpStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(ReachError::Connect { address: address.to_owned(), source: last }.into())
}
