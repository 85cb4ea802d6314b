//! One connection: TCP, TLS where the endpoint says so, HTTP/1.1.
//!
//! Nothing here runs by itself: hyper's half of the connection is polled together with the request that waits for
//! it, so dropping a [`Connection`] closes the socket at once and leaves no task behind.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::net::RecvFlags;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use watertight_auth::{ChannelBindings, Mechanism};
use watertight_ledger::{Entry, Kind};

use crate::discover::Dns;
use crate::endpoint::Endpoint;
use crate::error::{Error, ProtocolError, ReachError};
use crate::tcp::Tcp;
use crate::tls;
use crate::traffic::{Counted, Counters};

/// More bytes of headers than this are not read.
const MAX_HEADERS: usize = 64 << 10;

/// What a connection holds: hyper's buffers and state.
const BYTES: usize = 16 << 10;
/// The same, with those of TLS.
const BYTES_WITH_TLS: usize = 48 << 10;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

type Driver = http1::Connection<TokioIo<Box<dyn Socket>>, Full<Bytes>>;

/// An open connection, for one request at a time.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Gone once the connection has ended.
    driver: Option<Pin<Box<Driver>>>,
    /// To see whether the server has closed it.
    tcp: Arc<TcpStream>,
    address: String,
    /// The proof that the server accepted on this connection, and whether any request after it was let in.
    signed_in: Option<(Mechanism, bool)>,
    /// What ties a proof to this connection, where it has TLS.
    bindings: Option<ChannelBindings>,
    _entry: Entry,
}

/// Why a request got no response.
pub(crate) enum SendError {
    /// The connection had ended before: nothing was sent, here is the request again.
    NotSent(Box<Request<Full<Bytes>>>),
    /// Sent, or perhaps sent.
    Failed(Error),
}

impl Connection {
    /// Connects, all steps within `timeout`.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        tls: Option<&Arc<ClientConfig>>,
        timeout: Duration,
        dns: &dyn Dns,
        kind: &Kind,
        counters: &Arc<Counters>,
    ) -> Result<Self, Error> {
        let address = endpoint.address();
        let opening = async {
            let mut entry = kind.enter();
            let tcp = Arc::new(connect(endpoint, timeout, dns).await?);
            let counted = Counted { stream: Tcp(Arc::clone(&tcp)), counters: Arc::clone(counters) };
            entry.set_bytes(if tls.is_some() { BYTES_WITH_TLS } else { BYTES });
            let mut bindings = None;
            let socket: Box<dyn Socket> = match tls {
                None => Box::new(counted),
                Some(config) => {
                    let host = endpoint.host().to_owned();
                    let name = ServerName::try_from(host).map_err(|e| ReachError::Handshake {
                        address: endpoint.address(),
                        why: e.to_string(),
                    })?;
                    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
                    let stream = connector
                        .connect(name, counted)
                        .await
                        .map_err(|e| tls::failure(endpoint.host(), &endpoint.address(), &e))?;
                    let certificates = stream.get_ref().1.peer_certificates();
                    bindings = certificates
                        .and_then(|chain| chain.first())
                        .map(|own| ChannelBindings::tls_server_end_point(own));
                    Box::new(stream)
                }
            };
            let (sender, driver) = http1::Builder::new()
                .max_header_size(MAX_HEADERS)
                .handshake(TokioIo::new(socket))
                .await
                .map_err(|e| http_error(&endpoint.address(), &e))?;
            let driver = Some(Box::pin(driver));
            let address = endpoint.address();
            Ok(Self { sender, driver, tcp, address, signed_in: None, bindings, _entry: entry })
        };
        tokio::time::timeout(timeout, opening)
            .await
            .unwrap_or(Err(Error::Reach(ReachError::ConnectTimeout { address, after: timeout })))
    }

    /// Sends a request and waits for the head of its response, at most `timeout`.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, SendError> {
        let Self { sender, driver, address, .. } = self;
        let sending = async {
            if sender.ready().await.is_err() {
                return Err(SendError::NotSent(Box::new(request)));
            }
            sender.try_send_request(request).await.map_err(|mut e| match e.take_message() {
                Some(request) => SendError::NotSent(Box::new(request)),
                None => SendError::Failed(http_error(address, e.error())),
            })
        };
        match tokio::time::timeout(timeout, drive(driver, sending)).await {
            Ok(done) => done,
            Err(_) => Err(SendError::Failed(stalled(address, timeout))),
        }
    }

    /// The next bytes of a response's body; `None` at its proper end.
    pub(crate) async fn body(
        &mut self,
        response: &mut Response<Incoming>,
        timeout: Duration,
    ) -> Result<Option<Bytes>, Error> {
        let Self { driver, address, .. } = self;
        loop {
            let frame = tokio::time::timeout(timeout, drive(driver, response.body_mut().frame())).await;
            match frame {
                Err(_) => return Err(stalled(address, timeout)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => return Err(http_error(address, &e)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Whether the next request may go over it: the last response is read to its end, and the server neither closed
    /// the connection nor sent what nobody asked for.
    pub(crate) fn is_ready(&mut self) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        let mut context = Context::from_waker(Waker::noop());
        if driver.as_mut().poll(&mut context).is_ready() {
            self.driver = None;
            return false;
        }
        // What the system knows may not have reached the runtime yet.
        let quiet = rustix::net::recv(&*self.tcp, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        self.sender.is_ready() && matches!(quiet, Err(rustix::io::Errno::AGAIN))
    }

    /// Whether the server has accepted a proof on this connection, so that requests need none.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.signed_in.is_some()
    }

    /// What was proved on this connection, and how; nothing when that no longer counts.
    pub(crate) fn set_signed_in(&mut self, mechanism: Option<Mechanism>) {
        self.signed_in = mechanism.map(|mechanism| (mechanism, false));
    }

    /// A request without a proof of its own was let in.
    pub(crate) fn used(&mut self) {
        if let Some((_, used)) = &mut self.signed_in {
            *used = true;
        }
    }

    /// Whether it is signed in by Kerberos, and no request after that was let in.
    pub(crate) fn is_unused_kerberos(&self) -> bool {
        self.signed_in == Some((Mechanism::Kerberos, false))
    }

    /// What ties a proof to this connection, where it has TLS.
    pub(crate) fn bindings(&self) -> Option<&ChannelBindings> {
        self.bindings.as_ref()
    }

    /// Waits, between requests, until the server closes the connection.
    pub(crate) async fn ended(&mut self) {
        drive(&mut self.driver, std::future::pending::<()>()).await;
    }
}

/// Polls `future` together with the connection it depends on. A future that never ends stands for the end of the
/// connection: it is given up then.
async fn drive<F: Future>(driver: &mut Option<Pin<Box<Driver>>>, future: F) -> F::Output
where
    F::Output: OrGone,
{
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        let Some(connection) = driver else {
            return F::Output::gone().map_or(Poll::Pending, Poll::Ready);
        };
        if connection.as_mut().poll(cx).is_ready() {
            // Dropping hyper's half tells the other half.
            *driver = None;
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            return F::Output::gone().map_or(Poll::Pending, Poll::Ready);
        }
        Poll::Pending
    })
    .await
}

/// What stands for the end of the connection, where that is what was waited for.
trait OrGone: Sized {
    fn gone() -> Option<Self> {
        None
    }
}
impl OrGone for () {
    fn gone() -> Option<Self> {
        Some(())
    }
}
impl<T, E> OrGone for Result<T, E> {}
impl<T> OrGone for Option<T> {}

/// Tries the addresses of the host one after the other, each for its share of the time.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    timeout: Duration,
    dns: &dyn Dns,
) -> Result<TcpStream, Error> {
    let found = dns
        .addresses(endpoint.host(), endpoint.port())
        .await
        .map_err(|source| ReachError::Resolve { host: endpoint.host().to_owned(), source })?;
    let found: Vec<SocketAddr> =
        found.into_iter().filter(|a| endpoint.tls() || a.ip().is_loopback()).take(MAX_ADDRESSES).collect();
    let share = timeout / u32::try_from(found.len().max(1)).unwrap_or(1);
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no usable address");
    for address in found {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only latency depends on it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    if last.kind() == io::ErrorKind::TimedOut {
        return Err(ReachError::ConnectTimeout { address: endpoint.address(), after: timeout }.into());
    }
    Err(ReachError::Connect { address: endpoint.address(), source: last }.into())
}

fn stalled(address: &str, after: Duration) -> Error {
    ReachError::Stalled { address: address.to_owned(), after }.into()
}

fn http_error(address: &str, error: &hyper::Error) -> Error {
    if error.is_parse() || error.is_parse_too_large() {
        return ProtocolError::Http(error.to_string()).into();
    }
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    ReachError::Interrupted { address: address.to_owned(), why }.into()
}
