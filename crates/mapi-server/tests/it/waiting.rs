//! Requests that take longer: PENDING, two at once, clients that do not wait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use watertight_mapi::MapiCode;
use watertight_mapi::http::body::ExecuteFlags;
use watertight_mapi::http::ext::Wrap;
use watertight_mapi::store::{
    Access, Account, Cursor, Grant, Mailbox, NewAccount, Page, Secrets, Store, StoreResult, legacy_dn,
};
use watertight_store::MemoryStore;
use watertight_wire::Guid;

use crate::bed::{Bed, Client, execute_body, executed, store};

/// A store whose mailboxes open when the test says so.
struct Gate {
    inner: MemoryStore,
    /// One permit for each call that has come.
    arrived: Semaphore,
    /// One permit for each call that may go on.
    open: Semaphore,
}

#[async_trait]
impl Store for Gate {
    async fn account(&self, name: &str) -> StoreResult<Option<Account>> {
        self.inner.account(name).await
    }
    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>> {
        self.inner.account_by_dn(legacy_dn).await
    }
    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>> {
        self.inner.account_by_address(smtp_address).await
    }
    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>> {
        self.inner.accounts(after, limit).await
    }
    async fn create_account(&self, account: NewAccount) -> StoreResult<Account> {
        self.inner.create_account(account).await
    }
    fn secrets(&self) -> &dyn Secrets {
        self.inner.secrets()
    }
    async fn create_archive(&self, name: &str) -> StoreResult<Account> {
        self.inner.create_archive(name).await
    }
    async fn public_store(&self) -> StoreResult<Option<Guid>> {
        self.inner.public_store().await
    }
    async fn create_public_store(&self) -> StoreResult<Guid> {
        self.inner.create_public_store().await
    }
    async fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>> {
        self.inner.access(owner, to).await
    }
    async fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>> {
        self.inner.grants(owner).await
    }
    async fn grant(&self, grant: Grant) -> StoreResult<()> {
        self.inner.grant(grant).await
    }
    async fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()> {
        self.inner.revoke(owner, to).await
    }
    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>> {
        self.arrived.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        self.inner.mailbox(mailbox_guid).await
    }
}

async fn bed() -> (Bed, Arc<Gate>) {
    let gate = Arc::new(Gate { inner: store().await, arrived: Semaphore::new(0), open: Semaphore::new(0) });
    let bed = Bed::with(gate.clone(), |config| config.pending_period = Duration::from_millis(5)).await;
    (bed, gate)
}

/// An Execute with RopLogon, which opens the mailbox.
fn logon() -> Vec<u8> {
    let dn = legacy_dn("u3");
    let mut rop = vec![0xFE, 0, 0, 1];
    rop.extend(0x0100_000C_u32.to_le_bytes());
    rop.extend([0; 4]);
    rop.extend(u16::try_from(dn.len() + 1).unwrap().to_le_bytes());
    rop.extend(dn.as_bytes());
    rop.push(0);
    let mut payload = u16::try_from(rop.len() + 2).unwrap().to_le_bytes().to_vec();
    payload.extend(rop);
    payload.extend([0xff; 4]);
    execute_body(&payload, ExecuteFlags(3), Wrap::default(), 0x10008)
}

/// Sends an Execute that stays inside until the gate opens.
async fn enter(client: &mut Client, gate: &Gate) {
    let headers = client.headers("Execute");
    client.send("POST /mapi/emsmdb/", &headers, &logon()).await;
    gate.arrived.acquire().await.unwrap().forget();
}

/// Reads the head of a response and its chunks up to the second PENDING; the new cookies count.
async fn second_pending(client: &mut Client) {
    let head = String::from_utf8(client.until(b"\r\n\r\n").await).unwrap();
    for line in head.lines().filter(|line| line.to_lowercase().starts_with("set-cookie: ")) {
        let (key, value) = line[12..].split(';').next().unwrap().split_once('=').unwrap();
        client.cookies.insert(key.into(), value.into());
    }
    assert!(head.contains("x-pendingperiod: 5\r\n"), "{head}");
    assert_eq!(client.until(b"PROCESSING\r\n\r\n").await, b"C\r\nPROCESSING\r\n\r\n");
    for _ in 0..2 {
        assert_eq!(client.until(b"PENDING\r\n\r\n").await, b"9\r\nPENDING\r\n\r\n");
    }
}

#[tokio::test]
async fn pending_comes_while_the_work_goes_on() {
    let (bed, gate) = bed().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    enter(&mut client, &gate).await;
    second_pending(&mut client).await;
    gate.open.add_permits(1);
    let rest = client.until(b"\r\n0\r\n\r\n").await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("DONE\r\nX-ElapsedTime: "), "{rest}");
    // The next request finds the context free and its sequence good.
    assert_eq!(client.execute().await.code(), 0);
    bed.end().await;
}

#[tokio::test]
async fn of_two_requests_at_once_the_second_is_refused() {
    let (bed, gate) = bed().await;
    let mut first = bed.client("u3").await;
    first.connect().await;
    let mut second = bed.client("u3").await;
    second.cookies.clone_from(&first.cookies);
    enter(&mut first, &gate).await;
    // With the sequence that the first has used up, and with the one that its answer hands out.
    assert_eq!(second.execute().await.code(), 15);
    second_pending(&mut first).await;
    second.cookies.clone_from(&first.cookies);
    assert_eq!(second.execute().await.code(), 15);
    assert_eq!(second.post("Disconnect", &[]).await.code(), 15);
    assert_eq!(second.post("PING", &[]).await.code(), 15);
    assert_eq!(second.post("NotificationWait", &[0; 8]).await.code(), 0, "may come at any time");
    gate.open.add_permits(1);
    first.until(b"\r\n0\r\n\r\n").await;
    assert_eq!(second.execute().await.code(), 0);
    bed.end().await;
}

#[tokio::test]
async fn a_client_that_disappears_in_the_middle_does_not_lock_its_context() {
    let (bed, gate) = bed().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    enter(&mut client, &gate).await;
    second_pending(&mut client).await;
    let cookies = client.cookies.clone();
    drop(client);
    bed.until_held("connections", 0).await;
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (1, 1));
    gate.open.add_permits(1);
    let mut again = bed.client("u3").await;
    again.cookies = cookies;
    let code = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let response = again.execute().await;
            if response.code() != 15 {
                return executed(&response).error_code;
            }
        }
    });
    assert_eq!(code.await.unwrap(), MapiCode::Success, "the work has run to its end");
    bed.end().await;
}

#[tokio::test]
async fn a_client_that_reconnects_in_the_middle_leaves_nothing_behind() {
    let (bed, gate) = bed().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    enter(&mut client, &gate).await;
    let mut again = bed.client("u3").await;
    again.cookies.clone_from(&client.cookies);
    drop(client);
    again.connect().await;
    assert_eq!(bed.held("rop sessions"), 2, "the old request still runs");
    gate.open.add_permits(1);
    bed.until_held("rop sessions", 1).await;
    bed.until_held("session contexts", 1).await;
    assert_eq!(again.execute().await.code(), 0);
    bed.end().await;
}

#[tokio::test]
async fn a_context_does_not_expire_while_a_request_runs() {
    let (bed, gate) = bed().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    enter(&mut client, &gate).await;
    bed.clock.advance(Duration::from_secs(10_000));
    second_pending(&mut client).await;
    gate.open.add_permits(1);
    client.until(b"\r\n0\r\n\r\n").await;
    assert_eq!(client.execute().await.code(), 0);
    bed.end().await;
}

#[tokio::test]
async fn the_end_waits_for_requests_that_run() {
    let (bed, gate) = bed().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    enter(&mut client, &gate).await;
    let open = tokio::spawn(async move {
        second_pending(&mut client).await;
        gate.open.add_permits(1);
        client.until(b"\r\n0\r\n\r\n").await
    });
    bed.end().await;
    let rest = open.await.unwrap();
    assert!(rest.windows(4).any(|w| w == b"DONE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_disappear_in_the_middle() {
    let (bed, gate) = bed().await;
    for _ in 0..1000 {
        let mut client = bed.client("u3").await;
        client.connect().await;
        enter(&mut client, &gate).await;
        let mut again = bed.client("u3").await;
        again.cookies.clone_from(&client.cookies);
        drop(client);
        gate.open.add_permits(1);
        again.connect().await;
        assert_eq!(again.post("Disconnect", &[]).await.code(), 0);
    }
    bed.until_held("session contexts", 0).await;
    bed.until_held("rop sessions", 0).await;
    bed.end().await;
}
