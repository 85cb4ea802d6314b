//! Clients that die, stall, or never log off: nothing of them is left when the session time-out is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use watertight_ledger::Ledger;
use watertight_mapi::http::body::ExecuteFlags;
use watertight_mapi::http::ext::Wrap;
use watertight_mapi::prop::tags;
use watertight_mapi::rop::field::{Bytes16, Restriction16};
use watertight_mapi::rop::folder::{GetContentsTableRequest, OpenFolderRequest};
use watertight_mapi::rop::logon::LogonRequest;
use watertight_mapi::rop::message::CreateMessageRequest;
use watertight_mapi::rop::stream::{OpenStreamRequest, SetStreamSizeRequest};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody as B, RopBuffer};
use watertight_mapi::store::{NewAccount, SpecialFolder, Store, legacy_dn};
use watertight_mapi::{Fid, PropTag, ReplId};
use watertight_store::{MemoryStore, SqliteStore};
use watertight_wire::{Wire, Writer};

use crate::bed::{Bed, Client, connect_body, execute_body, executed, hash};

/// Handles that one abandoned session holds: logon, folder, message, stream, download, table.
const HANDLES: i64 = 6;
/// On the clock that the tests move; the server looks every 20 milliseconds of the real one.
const EXPIRY: Duration = Duration::from_millis(160);

/// Of each kind of death.
const MANY: usize = 10_000;

async fn accounts(store: &dyn Store, count: usize) -> Vec<(String, Fid)> {
    let mut accounts = Vec::new();
    for i in 0..count {
        let name = format!("user{i}");
        let account = NewAccount {
            name: name.clone(),
            display_name: name.clone(),
            smtp_address: format!("{name}@test.local"),
            password_hash: hash(),
        };
        let account = store.create_account(account).await.unwrap();
        let mailbox = store.mailbox(account.mailbox_guid).await.unwrap();
        accounts.push((name, Fid::new(ReplId(1), mailbox.special(SpecialFolder::Inbox).0)));
    }
    accounts
}

/// An Execute that leaves much open: a message that is not saved with a stream over a large value, a synchronization,
/// a table.
fn open_much(user: &str, folder_id: Fid) -> Vec<u8> {
    let request = |index, body| Request::new(index, body);
    let requests = [
        request(
            0,
            B::Logon(LogonRequest {
                logon_flags: 1,
                open_flags: 0x0100_0000,
                store_state: 0,
                essdn: Bytes16([legacy_dn(user).as_bytes(), b"\0"].concat()),
            }),
        ),
        request(0, B::OpenFolder(OpenFolderRequest { output_index: 1, folder_id, open_mode_flags: 0 })),
        request(
            0,
            B::CreateMessage(CreateMessageRequest {
                output_index: 2,
                code_page_id: 0x0fff,
                folder_id,
                associated_flag: false.into(),
            }),
        ),
        request(
            2,
            B::OpenStream(OpenStreamRequest {
                tag: PropTag(0x0d01_0102),
                open_mode_flags: 2,
                output_index: 3,
            }),
        ),
        request(3, B::SetStreamSize(SetStreamSizeRequest { stream_size: 200_000 })),
        request(
            1,
            B::SynchronizationConfigure(SynchronizationConfigureRequest {
                output_index: 4,
                sync_type: 1,
                send_options: 1,
                sync_flags: 0x0139,
                restriction: Restriction16(None),
                extra_flags: 0x0f,
                tags: vec![tags::SUBJECT].into(),
            }),
        ),
        request(1, B::GetContentsTable(GetContentsTableRequest { output_index: 5, table_flags: 0 })),
    ];
    let mut w = Writer::new();
    requests.iter().for_each(|request| request.write(&mut w).unwrap());
    let buffer = RopBuffer { rops: w.into_bytes(), handles: vec![INVALID_HANDLE; 6] };
    execute_body(&buffer.to_bytes().unwrap(), ExecuteFlags(3), Wrap::default(), 0x1_0008)
}

/// A thousand sessions of ten accounts, each with much open. `ledger` is where the store counts.
async fn a_thousand_at_once(store: Arc<dyn Store>, ledger: &Ledger) {
    let accounts = accounts(&*store, 10).await;
    let bed = Bed::with(store, |config| {
        config.connections = 1100;
        config.contexts.expiry = EXPIRY;
    })
    .await;
    let of_store = |kind: &'static str| ledger.kind(kind).now();
    let handles = of_store("mailbox handles");
    for round in 0..2 {
        let mut alive = Vec::new();
        for i in 0..1000 {
            let (user, inbox) = &accounts[i % accounts.len()];
            let mut client = bed.client(user).await;
            client.connect().await;
            let body = open_much(user, *inbox);
            if i % 10 == 9 {
                // Dies before the answer.
                let headers = client.headers("Execute");
                client.send("POST /mapi/emsmdb/", &headers, &body).await;
                continue;
            }
            assert_eq!(executed(&client.post("Execute", &body).await).error_code.0, 0);
            if i % 2 == 0 {
                alive.push(client);
            }
        }
        bed.until_held("http requests", 0).await;
        // Of those that died at once some were gone before their request had come.
        bed.until(|| {
            let opened = bed.held("fasttransfer sources");
            let same = [of_store("staged values"), of_store("contents views")] == [opened; 2];
            opened >= 900 && same && bed.held("rop handles") == opened * HANDLES
        })
        .await;
        assert_eq!(bed.held("session contexts"), 1000);
        if round == 0 {
            drop(alive);
            bed.until_held("connections", 0).await;
        } else {
            // Half of them are still connected, and say nothing.
            bed.until_held("connections", 500).await;
        }
        bed.clock.advance(EXPIRY - Duration::from_millis(1));
        assert_eq!(bed.held("session contexts"), 1000, "none ends before its time");
        bed.clock.advance(Duration::from_millis(1));
        let kinds = ["session contexts", "rop sessions", "rop handles", "fasttransfer sources"];
        for kind in kinds.into_iter().chain(["http requests", "remembered passwords", "sign-in buckets"]) {
            bed.until_held(kind, 0).await;
        }
        // What was never saved is discarded in tasks of its own.
        bed.until(|| of_store("staged values") == 0 && of_store("contents views") == 0).await;
        bed.until(|| of_store("mailbox handles") == handles).await;
    }
    bed.until_held("connections", 0).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_in_memory() {
    let ledger = Ledger::new("store");
    a_thousand_at_once(Arc::new(MemoryStore::with_ledger(&ledger)), &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_on_disk() {
    let ledger = Ledger::new("store");
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("data"), &ledger).unwrap();
    a_thousand_at_once(Arc::new(store), &ledger).await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

/// Sends a part of a request and ends the connection, in every second case with a reset.
async fn cut_off(bed: &Bed, request: &[u8], at: usize) {
    let mut socket = TcpStream::connect(bed.address).await.unwrap();
    socket.write_all(&request[..at]).await.unwrap();
    if at.is_multiple_of(2) {
        socket.set_zero_linger().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cut_off_at_any_byte() {
    let ledger = Ledger::new("store");
    let store = MemoryStore::with_ledger(&ledger);
    let accounts = accounts(&store, 1).await;
    let (user, inbox) = &accounts[0];
    let bed = Bed::with(Arc::new(store), |config| {
        config.contexts.expiry = EXPIRY;
        config.contexts.per_account = MANY;
    })
    .await;
    let mut client = bed.client(user).await;
    let headers = client.headers("Connect");
    let connect = Client::bytes("POST /mapi/emsmdb/", &headers, &connect_body(&legacy_dn(user)));
    client.connect().await;
    let headers = client.headers("Execute");
    let execute = Client::bytes("POST /mapi/emsmdb/", &headers, &open_much(user, *inbox));
    let headers = client.headers("Disconnect");
    let disconnect = Client::bytes("POST /mapi/emsmdb/", &headers, &[]);
    let mut cuts = 0;
    // What comes to its end is a Connect of its own, once the Execute, and the Disconnect of its context.
    for request in [&connect, &execute, &disconnect] {
        for at in (0..=request.len()).cycle().take(MANY / 3 + 1) {
            cut_off(&bed, request, at).await;
            cuts += 1;
        }
    }
    assert!(cuts >= MANY);
    bed.until_held("connections", 1).await;
    bed.until_held("http requests", 0).await;
    assert!(bed.held("session contexts") > 0);
    bed.clock.advance(EXPIRY);
    for kind in ["session contexts", "rop sessions", "rop handles", "fasttransfer sources"] {
        bed.until_held(kind, 0).await;
    }
    bed.until(|| ledger.held() == 0).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_stall_lose_their_connection() {
    let ledger = Ledger::new("store");
    let store = MemoryStore::with_ledger(&ledger);
    let accounts = accounts(&store, 1).await;
    let (user, inbox) = &accounts[0];
    let bed = Bed::with(Arc::new(store), |config| {
        config.contexts.expiry = EXPIRY;
        config.idle_timeout = Duration::from_secs(1);
        config.body_timeout = Duration::from_secs(1);
        config.stall_timeout = Duration::from_secs(1);
    })
    .await;
    let mut first = bed.client(user).await;
    first.connect().await;
    let headers = first.headers("Execute");
    let execute = Client::bytes("POST /mapi/emsmdb/", &headers, &open_much(user, *inbox));
    let head = execute.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let mut headers = first.headers("PING");
    headers.retain(|(name, _)| name != "Cookie");
    let pings = Client::bytes("POST /mapi/emsmdb/", &headers, &[]).repeat(16 * 1024);
    let mut held = Vec::new();
    for i in 0..300 {
        let mut socket = TcpStream::connect(bed.address).await.unwrap();
        let part = match i % 3 {
            // Nothing, half a head, half a body.
            0 => 0,
            1 => head / 2,
            _ => head + 4 + (execute.len() - head) / 2,
        };
        socket.write_all(&execute[..part]).await.unwrap();
        held.push(socket);
    }
    // Thousands of requests, and not one answer is taken.
    for _ in 0..8 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let socket = socket.connect(bed.address).await.unwrap();
        let mut sent = 0;
        // Until the server takes no more, or has taken all that was to be sent.
        while sent < pings.len() {
            let write = async {
                socket.writable().await.unwrap();
                socket.try_write(&pings[sent..])
            };
            match tokio::time::timeout(Duration::from_millis(500), write).await {
                Ok(Ok(n)) => sent += n,
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        held.push(socket);
    }
    bed.until_held("connections", 0).await;
    bed.until_held("http requests", 0).await;
    bed.clock.advance(EXPIRY);
    for kind in ["session contexts", "rop sessions", "rop handles"] {
        bed.until_held(kind, 0).await;
    }
    bed.until(|| ledger.held() == 0).await;
    drop(held);
    bed.end().await;
}
