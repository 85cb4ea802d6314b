//! Session contexts: who may use them, when they end, and that nothing is left of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use watertight_mapi::MapiCode;
use watertight_mapi::http::body::{Answer, ConnectResponse, ExecuteFlags};
use watertight_mapi::http::ext::Wrap;
use watertight_mapi::store::legacy_dn;
use watertight_wire::Wire;

use crate::bed::{Bed, Client, connect_body, execute_body, store};

const MANY: usize = 10_000;

async fn bed() -> Bed {
    Bed::with(Arc::new(store().await), |config| {
        config.contexts.per_account = MANY;
        config.contexts.total = MANY;
        // The sweeper looks every 20 milliseconds.
        config.contexts.expiry = Duration::from_millis(100);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_disconnect() {
    let bed = bed().await;
    let mut client = bed.client("u3").await;
    for _ in 0..MANY {
        client.cookies.clear();
        client.connect().await;
        assert_eq!(client.post("Disconnect", &[]).await.code(), 0);
    }
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (0, 0));
    drop(client);
    bed.until_held("connections", 0).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_expire() {
    let bed = bed().await;
    let mut client = bed.client("u3").await;
    for _ in 0..MANY {
        client.cookies.clear();
        client.connect().await;
    }
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (10_000, 10_000));
    bed.clock.advance(Duration::from_millis(100));
    bed.until_held("session contexts", 0).await;
    assert_eq!(bed.held("rop sessions"), 0);
    assert_eq!(client.execute().await.code(), 10);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_are_refused() {
    let bed = bed().await;
    let mut client = bed.client("u3").await;
    let other_user = connect_body(&legacy_dn("u4"));
    client.connect().await;
    for i in 0..MANY {
        let cookies = client.cookies.clone();
        match i % 4 {
            0 => assert_eq!(client.post("Connect", b"bad").await.code(), 12),
            1 => {
                client.cookies.insert("MapiSequence".into(), format!("{i}-0"));
                assert_eq!(client.execute().await.code(), 15);
            }
            2 => {
                client.cookies.insert("MapiContext".into(), format!("{i:032x}"));
                assert_eq!(client.execute().await.code(), 10);
            }
            _ => {
                client.cookies.clear();
                assert!(client.post("Connect", &other_user).await.header("Set-Cookie").is_none());
            }
        }
        client.cookies = cookies;
    }
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (1, 1));
    assert_eq!(client.execute().await.code(), 0);
    assert_eq!(client.post("Disconnect", &[]).await.code(), 0);
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (0, 0));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_vanish() {
    let bed = bed().await;
    let mut first = bed.client("u3").await;
    first.connect().await;
    let body = connect_body(&legacy_dn("u3"));
    for i in 0..MANY {
        let mut client = bed.client("u3").await;
        match i % 3 {
            // Gone before the answer.
            0 => {
                let headers = client.headers("Connect");
                client.send("POST /mapi/emsmdb/", &headers, &body).await;
            }
            // Gone after it.
            1 => drop(client.connect().await),
            // Gone in the middle of a request of a context that goes on.
            _ => {
                client.cookies.clone_from(&first.cookies);
                let headers = client.headers("Execute");
                let body = execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008);
                let request = Client::bytes("POST /mapi/emsmdb/", &headers, &body);
                client.socket.write_all(&request[..request.len() - 1 - i % 400]).await.unwrap();
            }
        }
    }
    bed.until_held("connections", 1).await;
    bed.until_held("http requests", 0).await;
    assert_eq!(first.execute().await.code(), 0, "the ones that vanished do not lock the context");
    // Connections that the system had not handed to the server yet may still make contexts.
    while bed.held("session contexts") > 0 || bed.held("connections") > 1 {
        bed.clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    bed.until_held("rop sessions", 0).await;
    bed.end().await;
}

#[tokio::test]
async fn a_context_lives_as_long_as_it_is_used() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    for request_type in ["PING", "NotificationWait", "Execute", "PING"] {
        bed.clock.advance(Duration::from_secs(899));
        let body = match request_type {
            "PING" => Vec::new(),
            "Execute" => execute_body(&[2, 0], ExecuteFlags(3), Wrap::default(), 0x10008),
            _ => vec![0; 8],
        };
        assert_eq!(client.post(request_type, &body).await.code(), 0, "{request_type}");
    }
    bed.clock.advance(Duration::from_secs(900));
    assert_eq!(client.post("PING", &[]).await.code(), 10);
    assert_eq!(bed.held("session contexts"), 0);
    bed.end().await;
}

#[tokio::test]
async fn a_context_belongs_to_who_made_it() {
    let bed = Bed::new().await;
    let mut owner = bed.client("u3").await;
    owner.connect().await;
    let mut other = bed.client("u4").await;
    other.cookies.clone_from(&owner.cookies);
    assert_eq!(other.execute().await.code(), 11);
    assert_eq!(other.post("Disconnect", &[]).await.code(), 11);
    // Connect with the cookies of somebody else does not end their context.
    other.connect().await;
    assert_eq!(bed.held("session contexts"), 2);
    assert_eq!(owner.execute().await.code(), 0);
    bed.end().await;
}

#[tokio::test]
async fn reconnecting_ends_the_old_context_whatever_its_sequence() {
    let bed = Bed::new().await;
    let mut client = bed.client("u3").await;
    client.connect().await;
    let old = client.cookies.clone();
    client.cookies.insert("MapiSequence".into(), "no sequence".into());
    client.connect().await;
    assert_eq!(bed.held("session contexts"), 1);
    assert_ne!(old["MapiContext"], client.cookies["MapiContext"]);
    assert_eq!(client.execute().await.code(), 0);
    client.cookies = old;
    assert_eq!(client.execute().await.code(), 10);
    bed.end().await;
}

#[tokio::test]
async fn an_account_has_so_many_contexts_and_no_more() {
    let bed = Bed::with(Arc::new(store().await), |config| {
        config.contexts.per_account = 3;
        config.contexts.total = 5;
    })
    .await;
    let mut outcomes = Vec::new();
    for user in ["u3", "u3", "u3", "u3", "u4", "u4", "u4"] {
        let mut client = bed.client(user).await;
        let response = client.post("Connect", &connect_body(&legacy_dn(user))).await;
        let Answer::Success(connected) = ConnectResponse::from_bytes(&response.body()).unwrap() else {
            panic!()
        };
        outcomes.push(connected.error_code);
    }
    let (ok, full) = (MapiCode::Success, MapiCode::TooManySessions);
    assert_eq!(outcomes, [ok, ok, ok, full, ok, ok, full]);
    assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (5, 5));
    // Those that were abandoned make room for their own account one by one, long before they expire.
    bed.clock.advance(Duration::from_secs(120));
    for _ in 0..3 {
        bed.client("u3").await.connect().await;
        assert_eq!((bed.held("session contexts"), bed.held("rop sessions")), (5, 5));
    }
    let mut again = bed.client("u3").await;
    let response = again.post("Connect", &connect_body(&legacy_dn("u3"))).await;
    let Answer::Success(connected) = ConnectResponse::from_bytes(&response.body()).unwrap() else { panic!() };
    assert_eq!(connected.error_code, full, "those that are there now were not abandoned");
    // The refusals did not take a place: after expiry there is room again.
    bed.clock.advance(Duration::from_secs(900));
    bed.client("u3").await.connect().await;
    assert_eq!(bed.held("session contexts"), 1);
    bed.end().await;
}
