//! A server on a memory store, and a client that writes and reads bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use watertight_ledger::Ledger;
use watertight_mapi::http::body::{
    Answer, ConnectRequest, ConnectResponse, ExecuteFlags, ExecuteRequest, ExecuteResponse, Executed,
};
use watertight_mapi::http::ext::{self, Wrap};
use watertight_mapi::store::{NewAccount, Store, legacy_dn};
use watertight_mapi_server::clock::Clock;
use watertight_mapi_server::{Server, ServerConfig, hash_password};
use watertight_store::MemoryStore;
use watertight_wire::Wire;

pub const PASSWORD: &str = "Pässwört:1";
const GUID: &str = "{7A139165-9960-4398-A5D2-DD8B91CF0416}";

/// A clock that the test moves.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A running server with the accounts `u3` and `u4`.
pub struct Bed {
    pub address: SocketAddr,
    pub ledger: Ledger,
    pub clock: Arc<ManualClock>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

pub fn hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_password(PASSWORD).unwrap()).clone()
}

pub async fn store() -> MemoryStore {
    let store = MemoryStore::new();
    for name in ["u3", "u4"] {
        let account = NewAccount {
            name: name.into(),
            display_name: format!("Person {name}"),
            smtp_address: format!("{name}@test.local"),
            password_hash: hash(),
        };
        store.create_account(account).await.unwrap();
    }
    store
}

impl Bed {
    pub async fn new() -> Self {
        Self::with(Arc::new(store().await), |_| {}).await
    }

    pub async fn with(store: Arc<dyn Store>, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let clock = Arc::new(ManualClock::default());
        let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap());
        config.clock = Arc::<ManualClock>::clone(&clock);
        config.grace = Duration::from_secs(5);
        config.notification_wait = Duration::from_millis(50);
        change(&mut config);
        let ledger = Ledger::new("bed");
        let server = Server::bind(config, store, &ledger).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, ledger, clock, stop, server }
    }

    /// Stops the server and checks that nothing is held.
    pub async fn end(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
    }

    /// How many of a kind the server holds.
    pub fn held(&self, kind: &str) -> i64 {
        let inspect = self.ledger.inspect();
        let server = inspect.children.iter().find(|c| c.name == "mapi-server").expect("a running server");
        server.kinds.get(kind).map_or(0, |held| held.now)
    }

    /// Yields until the server holds so many of a kind.
    pub async fn until_held(&self, kind: &str, count: i64) {
        tokio::time::timeout(Duration::from_secs(20), async {
            while self.held(kind) != count {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{kind}: {} held, not {count}", self.held(kind)));
    }

    /// Yields until something is so.
    pub async fn until(&self, so: impl Fn() -> bool) {
        let waiting = async {
            while !so() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time");
    }

    pub async fn client(&self, user: &str) -> Client {
        Client::new(self.address, user).await
    }
}

/// One connection of one user.
pub struct Client {
    pub socket: TcpStream,
    pub cookies: BTreeMap<String, String>,
    pub authorization: String,
    pub user: String,
    counter: u32,
    buffer: Vec<u8>,
}

/// A response, its chunks apart.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The chunks; one for a body that is not chunked.
    pub chunks: Vec<Vec<u8>>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn code(&self) -> u32 {
        self.header("X-ResponseCode").unwrap_or_else(|| panic!("{self:?}")).parse().unwrap()
    }

    pub fn whole(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// What follows the additional headers.
    pub fn body(&self) -> Vec<u8> {
        let whole = self.whole();
        let at = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{self:?}"));
        whole[at + 4..].to_vec()
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

impl Client {
    pub async fn new(address: SocketAddr, user: &str) -> Self {
        Self {
            socket: TcpStream::connect(address).await.unwrap(),
            cookies: BTreeMap::new(),
            authorization: basic(user, PASSWORD),
            user: user.into(),
            counter: 0,
            buffer: Vec::new(),
        }
    }

    /// The headers of a request as they should be.
    pub fn headers(&mut self, request_type: &str) -> Vec<(String, String)> {
        self.counter += 1;
        let cookies: Vec<_> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let mut headers: Vec<(String, String)> = [
            ("Host", "127.0.0.1"),
            ("Content-Type", "application/mapi-http"),
            ("X-RequestType", request_type),
            ("X-ClientApplication", "Outlook/16.0.10000.1000"),
            ("Authorization", &self.authorization),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        headers.push(("X-RequestId".into(), format!("{GUID}:{}", self.counter)));
        headers.push(("X-ClientInfo".into(), format!("{GUID}:1")));
        if !cookies.is_empty() {
            headers.push(("Cookie".into(), cookies.join("; ")));
        }
        headers
    }

    /// A request with these headers, as bytes.
    pub fn bytes(line: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
        let mut request = format!("{line} HTTP/1.1\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        [request.as_bytes(), body].concat()
    }

    pub async fn send(&mut self, line: &str, headers: &[(String, String)], body: &[u8]) {
        self.socket.write_all(&Self::bytes(line, headers, body)).await.unwrap();
    }

    /// Sends a request of that type; keeps the cookies of the answer.
    pub async fn post(&mut self, request_type: &str, body: &[u8]) -> Response {
        let headers = self.headers(request_type);
        self.exchange(&headers, body).await
    }

    pub async fn exchange(&mut self, headers: &[(String, String)], body: &[u8]) -> Response {
        let line = format!("POST /mapi/emsmdb/?MailboxId={}@test.local", self.user);
        self.send(&line, headers, body).await;
        self.receive().await
    }

    pub async fn receive(&mut self) -> Response {
        let response = tokio::time::timeout(Duration::from_secs(20), self.read()).await.expect("an answer");
        for (name, value) in &response.headers {
            if name.eq_ignore_ascii_case("Set-Cookie") {
                let (key, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(key.into(), value.into());
            }
        }
        response
    }

    async fn read(&mut self) -> Response {
        let head = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|l| l.split_once(": ").unwrap()).map(|(n, v)| (n.into(), v.into())).collect();
        let mut response = Response { status, headers, chunks: Vec::new() };
        if let Some(length) = response.header("Content-Length") {
            let length = length.parse().unwrap();
            response.chunks.push(self.exactly(length).await);
            return response;
        }
        assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
        loop {
            let size = self.until(b"\r\n").await;
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let chunk = self.exactly(size + 2).await;
            if size == 0 {
                return response;
            }
            response.chunks.push(chunk[..size].to_vec());
        }
    }

    /// The next chunk of a response whose head was read.
    pub async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|w| w == end) {
                return self.buffer.drain(..at + end.len()).collect();
            }
            self.more().await;
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            self.more().await;
        }
        self.buffer.drain(..length).collect()
    }

    async fn more(&mut self) {
        let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
        assert_ne!(read, 0, "the server closed the connection");
    }

    pub async fn connect(&mut self) -> Response {
        let body = connect_body(&legacy_dn(&self.user));
        let response = self.post("Connect", &body).await;
        assert_eq!(response.code(), 0);
        match ConnectResponse::from_bytes(&response.body()).unwrap() {
            Answer::Success(connected) => assert_eq!(connected.error_code.0, 0),
            Answer::Failure(failure) => panic!("{failure:?}"),
        }
        response
    }

    /// An Execute with no ROP.
    pub async fn execute(&mut self) -> Response {
        self.post("Execute", &execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008)).await
    }
}

pub fn connect_body(dn: &str) -> Vec<u8> {
    ConnectRequest {
        user_dn: dn.into(),
        default_code_page: 1252,
        lcid_sort: 1033,
        lcid_string: 1033,
        ..ConnectRequest::default()
    }
    .to_bytes()
    .unwrap()
}

pub fn execute_body(payload: &[u8], flags: ExecuteFlags, how: Wrap, max_rop_out: u32) -> Vec<u8> {
    let rop_buffer = ext::wrap(payload, Wrap { last: true, ..how }).unwrap();
    ExecuteRequest { flags, rop_buffer, max_rop_out, auxiliary: Vec::new() }.to_bytes().unwrap()
}

pub fn executed(response: &Response) -> Executed {
    match ExecuteResponse::from_bytes(&response.body()).unwrap() {
        Answer::Success(executed) => executed,
        Answer::Failure(failure) => panic!("{failure:?}"),
    }
}
