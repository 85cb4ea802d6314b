//! The listener: TLS or loopback, bounded in connections and time, with a graceful end.

mod stall;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use watertight_auth::ChannelBindings;
use watertight_ledger::{Entry, Ledger};
use watertight_mapi::store::Store;

use self::stall::Stall;
use crate::auth::{Authenticator, SignIn, SignInError};
use crate::clock::{Clock, SystemClock};
use crate::http::{Front, router};
use crate::nspi::Directory;
use crate::session::{Contexts, Limits};

/// How long the store is left alone at least before it is told to let go of what nobody uses.
const REST: Duration = Duration::from_secs(2);
/// The most bytes of the head of a request.
const MAX_HEAD: usize = 32 * 1024;
/// The same where Kerberos is taken: a ticket with a large authorization has 48 KiB, and more in base64.
const MAX_HEAD_WITH_TICKET: usize = 96 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// How a server listens, and its bounds.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where to listen; port 0 picks one.
    pub address: SocketAddr,
    /// TLS. Without it the address must be loopback.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What proofs of identity are bound to on a TLS connection: [`ServerConfig::with_tls`] takes it from the
    /// certificate.
    pub channel: Option<ChannelBindings>,
    /// How clients sign in.
    pub sign_in: SignIn,
    /// What Autodiscover calls this server: a URL up to the path. Without it, what each request was sent to.
    pub public_url: Option<String>,
    /// How long session contexts live, and how many there may be.
    pub contexts: Limits,
    /// How long a client waits for a PENDING at most — X-PendingPeriod.
    pub pending_period: Duration,
    /// How long a NotificationWait lasts when nothing happens — [MS-OXCMAPIHTTP] 2.2.4.4.
    pub notification_wait: Duration,
    /// The most connections at one time; more wait in the system's queue.
    pub connections: usize,
    /// How long a connection may be idle, or take to send the head of a request.
    pub idle_timeout: Duration,
    /// How long a request body may take.
    pub body_timeout: Duration,
    /// How long a TLS handshake may take, and how long a client may refuse to read.
    pub stall_timeout: Duration,
    /// How long requests may go on when the server is told to stop.
    pub grace: Duration,
    /// Where the server reads the time from for expiry, remembered passwords and sign-in limits.
    pub clock: Arc<dyn Clock>,
}

impl ServerConfig {
    /// The default bounds at an address, without TLS.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            channel: None,
            sign_in: SignIn::default(),
            public_url: None,
            contexts: Limits { expiry: Duration::from_secs(900), per_account: 100, total: 10_000 },
            pending_period: Duration::from_secs(15),
            notification_wait: Duration::from_secs(300),
            connections: 1024,
            idle_timeout: Duration::from_secs(180),
            body_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// TLS with a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// [`ServerError::Certificate`] when they cannot be read or do not belong together.
    pub fn with_tls(mut self, certificates: &[u8], key: &[u8]) -> Result<Self, ServerError> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let bad = |error: String| ServerError::Certificate(error);
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| bad(e.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| bad(e.to_string()))?;
        self.channel = chain.first().map(|certificate| ChannelBindings::tls_server_end_point(certificate));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| bad(e.to_string()))?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        self.tls = Some(Arc::new(tls));
        Ok(self)
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Passwords would travel in the clear.
    #[error(
        "{0} is not a loopback address: without TLS only loopback is served; give a certificate and a key"
    )]
    PlainHttp(SocketAddr),
    /// Nobody could sign in like this.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The certificate or the key is of no use.
    #[error("the TLS certificate or key cannot be used: {0}")]
    Certificate(String),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The machine gives no random numbers.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

/// A server that listens and, once [`run`](Server::run), answers.
pub struct Server {
    config: ServerConfig,
    listener: TcpListener,
    local: SocketAddr,
    front: Arc<Front>,
    /// Ends when no task that runs ROPs is left.
    running: mpsc::Receiver<()>,
}

impl Server {
    /// Listens at the configured address. What the server holds is counted below `ledger`.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn bind(
        config: ServerConfig,
        store: Arc<dyn Store>,
        ledger: &Ledger,
    ) -> Result<Self, ServerError> {
        if config.tls.is_none() && !config.address.ip().to_canonical().is_loopback() {
            return Err(ServerError::PlainHttp(config.address));
        }
        config.sign_in.check(config.tls.is_some())?;
        let listen = |source| ServerError::Listen { address: config.address, source };
        let listener = TcpListener::bind(config.address).await.map_err(listen)?;
        let local = listener.local_addr().map_err(listen)?;
        let ledger = ledger.child("mapi-server");
        let clock = Arc::clone(&config.clock);
        let channel = config.channel.clone().filter(|_| config.tls.is_some());
        let auth = Authenticator::new(
            Arc::clone(&store),
            &ledger,
            Arc::clone(&clock),
            config.sign_in.clone(),
            channel,
        );
        let (sender, running) = mpsc::channel(1);
        let front = Front {
            store,
            auth: auth.map_err(ServerError::Random)?.remembering_for(config.contexts.expiry),
            contexts: Contexts::new(&ledger, config.contexts, Arc::clone(&clock)),
            books: Contexts::counted(
                ledger.kind("address book contexts"),
                config.contexts,
                Arc::clone(&clock),
            ),
            directory: Directory::new(clock).map_err(ServerError::Random)?,
            pending_period: config.pending_period,
            notification_wait: config.notification_wait,
            body_timeout: config.body_timeout,
            tls: config.tls.is_some(),
            public_url: config.public_url.clone(),
            own_authority: local.to_string(),
            stopping: AtomicBool::new(false),
            running: sender,
            requests: ledger.kind("http requests"),
            ledger,
        };
        Ok(Self { config, listener, local, front: Arc::new(front), running })
    }

    /// The address that it listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The URLs that it answers at.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.front.tls { "https" } else { "http" };
        vec![format!("{scheme}://{}/mapi/emsmdb/", self.local)]
    }

    /// Where it counts what it holds.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.front.ledger.clone()
    }

    /// Answers until `shutdown`; then lets requests end for as long as configured, and releases everything.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { config, listener, front, mut running, .. } = self;
        let (stop, stopped) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(config.connections));
        let mut connections = JoinSet::new();
        let sweeper = tokio::spawn(sweep(Arc::clone(&front), config.contexts.expiry));
        {
            let listen = accept(&config, &listener, &front, &slots, &stopped, &mut connections);
            tokio::select! {
                () = shutdown => {}
                never = listen => match never {},
            }
        }
        drop(listener);
        sweeper.abort();
        front.stopping.store(true, Ordering::Relaxed);
        front.contexts.end_waits();
        // Connections hold receivers; when there is none, nobody has to be told.
        let _ = stop.send(true);
        let ended =
            tokio::time::timeout(config.grace, async { while connections.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!(left = connections.len(), "connections were cut off");
            connections.shutdown().await;
        }
        // The sweeper's share of the front is gone when it has ended.
        let _ = sweeper.await;
        front.contexts.clear();
        front.books.clear();
        if tokio::time::timeout(config.grace, front.auth.idle()).await.is_err() {
            tracing::warn!("passwords are still checked");
        }
        drop(front);
        // The last task that runs ROPs drops the last sender.
        if tokio::time::timeout(config.grace, running.recv()).await.is_err() {
            tracing::warn!("requests still run");
        }
    }
}

/// Ends expired contexts, and forgets passwords, also when nobody asks for them.
async fn sweep(front: Arc<Front>, expiry: Duration) {
    let mut timer =
        tokio::time::interval((expiry / 8).clamp(Duration::from_millis(20), Duration::from_secs(30)));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rested = Instant::now();
    loop {
        timer.tick().await;
        front.auth.sweep();
        let ended = front.contexts.sweep().saturating_add(front.books.sweep());
        if ended > 0 {
            tracing::info!(ended, "session contexts expired");
        }
        if rested.elapsed() >= REST {
            rested = Instant::now();
            front.store.rest().await;
        }
    }
}

async fn accept(
    config: &ServerConfig,
    listener: &TcpListener,
    front: &Arc<Front>,
    slots: &Arc<Semaphore>,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) -> Infallible {
    let sockets = front.ledger.kind("connections");
    let max_head = if config.sign_in.keytab.is_some() { MAX_HEAD_WITH_TICKET } else { MAX_HEAD };
    let tls = config.tls.clone().map(TlsAcceptor::from);
    let next = async || {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
            return std::future::pending().await;
        };
        (slot, listener.accept().await)
    };
    loop {
        let (slot, accepted) = tokio::select! {
            accepted = next() => accepted,
            // What is left of a connection that has ended is let go at once, not when the next one comes.
            Some(_) = connections.join_next() => continue,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the client has gone already; the first does not pass at once.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let held = Held { _slot: slot, _entry: sockets.enter() };
        let connection = Connection {
            client: Arc::new(front.auth.connection(peer.ip())),
            max_head,
            router: router(Arc::clone(front)),
            idle_timeout: config.idle_timeout,
            stall_timeout: config.stall_timeout,
            stopped: stopped.clone(),
        };
        let tls = tls.clone();
        connections.spawn(async move {
            connection.serve(socket, tls).await;
            drop(held);
        });
    }
}

/// What a connection holds as long as it lasts.
struct Held {
    _slot: OwnedSemaphorePermit,
    _entry: Entry,
}

struct Connection {
    client: Arc<crate::auth::Connection>,
    max_head: usize,
    router: Router,
    idle_timeout: Duration,
    stall_timeout: Duration,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(self, socket: TcpStream, tls: Option<TlsAcceptor>) {
        // A PROCESSING must not wait for more data.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let Some(tls) = tls else { return self.http(socket).await };
        match tokio::time::timeout(self.stall_timeout, tls.accept(socket)).await {
            Ok(Ok(stream)) => self.http(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn http(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let client = self.client;
        let router = self.router;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&client));
            router.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(self.max_head)
            .serve_connection(TokioIo::new(Stall::new(stream, self.stall_timeout)), service);
        let mut connection = pin!(connection);
        let stopped = async {
            // An error means that the server is gone, which is as good as stopped.
            let _ = self.stopped.wait_for(|stopped| *stopped).await;
        };
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended");
        }
    }
}
