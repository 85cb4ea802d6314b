//! A server on a memory store, with an account, on a thread of its own.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use watertight_ledger::{Inspect, Ledger};
use watertight_mail::{Session, blocking};
use watertight_mapi::store::{NewAccount, Store, legacy_dn};
use watertight_mapi_client::{Mapi, Options, ProfileSet, Profiles};
use watertight_mapi_server::{Server, ServerConfig, hash_password};
use watertight_store::MemoryStore;

pub const PASSWORD: &str = "Pässwört:1";

fn hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_password(PASSWORD).unwrap()).clone()
}

/// A running server with the account `anna`, and a client.
pub struct House {
    pub url: String,
    pub server: Ledger,
    pub client: Ledger,
    pub mapi: Mapi,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl House {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap());
        config.grace = Duration::from_secs(5);
        change(&mut config);
        let server = Ledger::new("server");
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let ledger = server.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let store = MemoryStore::new();
                let account = NewAccount {
                    name: "anna".into(),
                    display_name: "Anna Example".into(),
                    smtp_address: "anna@test.local".into(),
                    password_hash: hash(),
                };
                store.create_account(account).await.unwrap();
                let server = Server::bind(config, Arc::new(store), &ledger).await.unwrap();
                ready.send(server.urls().remove(0)).unwrap();
                server
                    .run(async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        let url = is_ready.recv().unwrap();
        let client = Ledger::new("client");
        let options = Options { connect_timeout: Duration::from_secs(20), ..Options::default() };
        let mapi = Mapi::new(Profiles::of(ProfileSet::default()), options, &client);
        Self { url, server, client, mapi, stop: Mutex::new(Some(stop)), thread: Mutex::new(Some(thread)) }
    }

    pub fn dn() -> String {
        legacy_dn("anna")
    }

    pub async fn session(&self) -> Session {
        let open = Session::to(&self.url).user("anna").password(PASSWORD).user_dn(Self::dn());
        open.through(&self.mapi).open().await.unwrap()
    }

    pub fn engine(&self) -> blocking::Engine {
        blocking::Engine::over(self.mapi.clone()).unwrap()
    }

    pub fn blocking(&self, engine: &blocking::Engine) -> blocking::Session {
        let open = blocking::Session::to(&self.url).user("anna").password(PASSWORD).user_dn(Self::dn());
        open.over(engine).open().unwrap()
    }

    /// How many of a kind the server holds.
    pub fn held(&self, kind: &str) -> i64 {
        let inspect = self.server.inspect();
        let server = inspect.children.iter().find(|child| child.name == "mapi-server");
        server.and_then(|server| server.kinds.get(kind)).map_or(0, |held| held.now)
    }

    /// How many of a kind the client holds.
    pub fn client_held(&self, kind: &str) -> i64 {
        fn sum(node: &Inspect, kind: &str) -> i64 {
            let own = node.kinds.get(kind).map_or(0, |held| held.now);
            own + node.children.iter().map(|child| sum(child, kind)).sum::<i64>()
        }
        sum(&self.client.inspect(), kind)
    }

    /// Waits until the server holds none of a kind.
    pub fn until_none(&self, kind: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.held(kind) != 0 {
            assert!(Instant::now() < end, "{kind}: {}", self.server.inspect());
            std::thread::yield_now();
        }
    }

    /// Stops the server.
    pub fn end_server(&self) {
        drop(self.stop.lock().unwrap().take());
        self.thread.lock().unwrap().take().unwrap().join().unwrap();
    }

    /// Stops the server; nothing may be held anywhere.
    pub fn end(self) {
        self.end_server();
        assert_eq!(self.server.held(), 0, "{}", self.server.inspect());
        let ledger = self.client.clone();
        drop(self);
        assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.stop.lock().unwrap().take());
        if let Some(thread) = self.thread.lock().unwrap().take() {
            let _ = thread.join();
        }
    }
}

/// A small mail.
pub fn mail(n: usize) -> Vec<u8> {
    format!(
        "From: Sender {n} <s{n}@example.org>\r\nTo: Anna <anna@test.local>, b@example.org\r\nCc: Carl <c@example.org>\r\n\
         Subject: message number {n}\r\nDate: Mon, 02 Jan 2023 10:{:02}:{:02} +0000\r\nMessage-ID: <{n}@example.org>\r\n\
         \r\nline of message {n}\r\n",
        n / 60 % 60,
        n % 60
    )
    .into_bytes()
}
