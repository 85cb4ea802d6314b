//! Our server in this process, on a store of the test's choice, and the way to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use watertight_ledger::Ledger;
use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi::store::{
    ItemKind, Mailbox, MessageContent, MessageHead, NewAccount, SaveMessage, SpecialFolder, Store,
};
use watertight_mapi_client::{Backoff, Connector, Credentials, Endpoint, Options};
use watertight_mapi_server::{Server, ServerConfig};
use watertight_store::MemoryStore;
use watertight_wire::FileTime;

pub const PASSWORD: &str = "in-process";

/// Of the password, by the cheapest Argon2id that there is: tests start servers by the thousand.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OLJBcNB/rIQjtTb10oFq7JkvaJu06+uRObgyF/r4O8c";

/// A server with the account anna, and a connector of hers.
pub struct Bed {
    pub store: Arc<dyn Store>,
    pub mailbox: Arc<dyn Mailbox>,
    pub dn: String,
    /// What the server holds.
    pub served: Ledger,
    /// What the client holds.
    pub ledger: Ledger,
    pub connector: Connector,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    address: std::net::SocketAddr,
}

impl Bed {
    /// On a store in memory.
    pub async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new())).await
    }

    pub async fn on(store: Arc<dyn Store>) -> Self {
        let account = NewAccount {
            name: "anna".into(),
            display_name: "Anna".into(),
            smtp_address: "anna@example.org".into(),
            password_hash: HASH.into(),
        };
        let account = store.create_account(account).await.unwrap();
        let mailbox = store.mailbox(account.mailbox_guid).await.unwrap();
        let ledger = Ledger::new("client");
        let mut bed = Self {
            store,
            mailbox,
            dn: account.legacy_dn,
            served: Ledger::new("server"),
            connector: connector("127.0.0.1:1".parse().unwrap(), &ledger),
            ledger,
            running: None,
            address: "127.0.0.1:0".parse().unwrap(),
        };
        bed.start().await;
        bed
    }

    /// Starts the server, again at the address of the last time.
    pub async fn start(&mut self) {
        let mut config = ServerConfig::new(self.address);
        config.grace = Duration::from_secs(5);
        let server = Server::bind(config, Arc::clone(&self.store), &self.served).await.unwrap();
        self.address = server.local_addr();
        self.connector = connector(self.address, &self.ledger);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        self.running = Some((stop, task));
    }

    /// Stops the server; it must hold nothing then.
    pub async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.send(()).unwrap();
        task.await.unwrap();
        assert_eq!(self.served.held(), 0, "{}", self.served.inspect());
    }

    /// Everybody is gone: nothing is held.
    pub async fn end(mut self) {
        self.connector.idle().await;
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
        self.stop().await;
    }

    pub fn inbox(&self) -> watertight_mapi::store::FolderId {
        self.mailbox.special(SpecialFolder::Inbox)
    }

    /// Saves messages into the Inbox.
    pub async fn save(&self, contents: Vec<MessageContent>) -> Vec<MessageHead> {
        let new = |content| SaveMessage {
            folder: self.inbox(),
            id: None,
            expected: None,
            kind: ItemKind::Normal,
            read: false,
            modified: None,
            content,
        };
        self.mailbox.save_messages(contents.into_iter().map(new).collect()).await.unwrap()
    }

    /// Saves a new version of a message.
    pub async fn change(&self, head: &MessageHead, content: MessageContent) -> MessageHead {
        let message = SaveMessage {
            folder: head.folder,
            id: Some(head.id),
            expected: None,
            kind: head.kind,
            read: head.read,
            modified: None,
            content,
        };
        let now = self.mailbox.message(head.id, false).await.unwrap().head.change_number;
        self.mailbox
            .save_messages(vec![SaveMessage { expected: Some(now), ..message }])
            .await
            .unwrap()
            .remove(0)
    }
}

fn connector(address: std::net::SocketAddr, ledger: &Ledger) -> Connector {
    let options = Options {
        goodbye_timeout: Duration::from_millis(500),
        backoff: Backoff {
            tries: 3,
            first: Duration::from_millis(1),
            jitter: Arc::new(|| 0.0),
            ..Backoff::default()
        },
        ..Options::default()
    };
    let endpoint = Endpoint::parse(&format!("http://{address}/mapi/emsmdb/")).unwrap();
    let credentials = Credentials::new("anna", PASSWORD).unwrap();
    Connector::new(endpoint, &credentials, options, ledger).unwrap()
}

/// A small message.
pub fn mail(subject: &str) -> MessageContent {
    let mut props = PropBag::default();
    props.set(tags::MESSAGE_CLASS, "IPM.Note");
    props.set(tags::SUBJECT, subject);
    props.set(tags::SENDER_NAME, "Somebody");
    props.set(tags::MESSAGE_DELIVERY_TIME, FileTime(132_000_000_000_000_000));
    props.set(tags::BODY, "A line.\r\n");
    MessageContent { props, ..MessageContent::default() }
}
