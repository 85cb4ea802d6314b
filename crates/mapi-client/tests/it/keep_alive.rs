//! Connections go from one session to the next, and never when anything is wrong with them.

use std::time::Duration;

use watertight_ledger::Ledger;
use watertight_mapi_client::{Connector, Credentials, Endpoint, Options};
use watertight_testkit::replay::{Fault, Replay, When};

use crate::kit::{Bench, options};

/// Logs on and off so often, one after the other.
async fn sessions(connector: &Connector, dn: &str, times: usize) {
    for _ in 0..times {
        let session = connector.connect(dn).await.unwrap();
        session.logon(dn).await.unwrap();
        session.disconnect().await.unwrap();
    }
}

/// Waits until the server sees so many connections.
fn connections(replay: &Replay, count: usize) {
    let started = std::time::Instant::now();
    while replay.counts().connections != count {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", replay.counts());
        std::thread::yield_now();
    }
}

/// Waits until nothing is held.
fn empty(ledger: &Ledger) {
    let started = std::time::Instant::now();
    while ledger.held() > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", ledger.inspect());
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn sessions_one_after_the_other_share_a_connection() {
    let bench = Bench::new();
    sessions(&bench.connector, &bench.dn, 50).await;
    let counts = bench.replay.counts();
    assert_eq!((counts.connections_ever, counts.sessions_ever, counts.sessions), (1, 50, 0));
    let kinds = bench.ledger.inspect().children.remove(0).kinds;
    assert_eq!((kinds["connections"].now, kinds["sessions"].now), (1, 0), "it is in the ledger");
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn they_can_be_told_not_to() {
    let bench = Bench::with(Options { kept_connections: 0, ..options() });
    sessions(&bench.connector, &bench.dn, 5).await;
    assert_eq!(bench.ledger.held(), 0);
    assert_eq!(bench.replay.counts().connections_ever, 5);
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn no_more_are_kept_than_allowed() {
    let bench = Bench::with(Options { kept_connections: 3, ..options() });
    let mut open = Vec::new();
    for _ in 0..7 {
        open.push(bench.connector.connect(&bench.dn).await.unwrap());
    }
    for session in open {
        session.disconnect().await.unwrap();
    }
    assert_eq!(bench.ledger.held(), 3);
    connections(&bench.replay, 3);
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn the_connector_ends_what_is_kept() {
    let bench = Bench::new();
    let endpoint = Endpoint::parse(&bench.replay.url()).unwrap();
    let credentials = Credentials::new("u4@test.local", "secret").unwrap();
    let connector = Connector::new(endpoint, &credentials, options(), &bench.ledger).unwrap();
    sessions(&connector, &bench.dn, 2).await;
    assert_eq!(bench.ledger.held(), 1);
    drop(connector);
    assert_eq!(bench.ledger.held(), 0);
    bench.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_ends_after_a_while() {
    let bench = Bench::with(Options { kept_for: Duration::from_millis(40), ..options() });
    sessions(&bench.connector, &bench.dn, 1).await;
    assert_eq!(bench.replay.quiet().connections, 0);
    empty(&bench.ledger);
    // And again, once the task that ends them has ended itself.
    sessions(&bench.connector, &bench.dn, 1).await;
    assert_eq!(bench.replay.quiet().connections, 0);
    empty(&bench.ledger);
}

/// Whether the server says so or not, before the client looks or after, on this runtime's watch or not.
#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_without_an_error() {
    for announced in [true, false] {
        let bench = Bench::new();
        for round in 1..=20 {
            bench.replay.fault(When::request("Disconnect"), Fault::CloseAfter { announced });
            sessions(&bench.connector, &bench.dn, 1).await;
            // The close is on this machine's side of the wire, and the runtime was not told of it.
            connections(&bench.replay, 0);
            assert_eq!(bench.replay.counts().connections_ever, round, "announced: {announced}");
        }
        bench.assert_nothing_left().await;
    }
}

/// A server that is killed takes kept connections with it; the one that follows it is found.
#[tokio::test]
async fn a_server_that_died_is_noticed() {
    let bench = Bench::new();
    let connector = bench.connector.clone();
    sessions(&connector, &bench.dn, 3).await;
    let Bench { replay, ledger, dn, .. } = bench;
    drop(replay);
    let error = connector.connect(&dn).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    connector.idle().await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn nothing_is_kept_after_an_error() {
    let bench = Bench::new();
    // Out of step.
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    bench.replay.fault(When::rop(0xFE), Fault::Body(b"nonsense".to_vec()));
    session.logon(&bench.dn).await.unwrap_err();
    session.disconnect().await.unwrap();
    assert_eq!(bench.ledger.held(), 0);
    // Refused.
    bench.replay.fault(When::request("Connect"), Fault::ResponseCode(11));
    bench.connector.connect(&bench.dn).await.unwrap_err();
    bench.replay.fault(When::request("Connect"), Fault::Status(401, Vec::new()));
    bench.connector.connect(&bench.dn).await.unwrap_err();
    assert_eq!(bench.ledger.held(), 0);
    // Forgotten by the server.
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    bench.replay.forget_sessions();
    session.disconnect().await.unwrap_err();
    assert_eq!(bench.ledger.held(), 0, "{}", bench.ledger.inspect());
    // Given up.
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    bench.replay.fault(When::request("Disconnect"), Fault::Stall);
    session.disconnect().await.unwrap_err();
    assert_eq!(bench.ledger.held(), 0);
    bench.replay.forget_sessions();
    bench.assert_nothing_left().await;
}

/// A kept connection is of the runtime that it was made on; another one makes its own.
#[test]
fn another_runtime_gets_a_connection_of_its_own() {
    let bench = Bench::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for n in 1..=3 {
        runtime().block_on(sessions(&bench.connector, &bench.dn, 2));
        assert_eq!(bench.replay.counts().connections_ever, n);
    }
    runtime().block_on(bench.assert_nothing_left());
}

/// Other credentials, another connector: nothing is shared.
#[tokio::test]
async fn others_get_none_of_them() {
    let replay = Replay::first_set();
    let ledger = Ledger::new("test");
    for user in ["anna", "bert"] {
        let endpoint = Endpoint::parse(&replay.url()).unwrap();
        let credentials = Credentials::new(user, "secret").unwrap();
        let connector = Connector::new(endpoint, &credentials, options(), &ledger).unwrap();
        sessions(&connector, &replay.user_dn(), 2).await;
    }
    assert_eq!(replay.counts().connections_ever, 2);
    assert_eq!(ledger.held(), 0);
}

/// Many at once, on many threads: no more connections than there were ever sessions at one time, and none left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_share_a_few_connections() {
    let bench = Bench::with(Options { kept_connections: 16, ..options() });
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (connector, dn) = (bench.connector.clone(), bench.dn.clone());
            tokio::spawn(async move { sessions(&connector, &dn, 40).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let counts = bench.replay.counts();
    assert_eq!((counts.sessions_ever, counts.sessions), (640, 0));
    assert!(counts.connections_ever <= 16, "{counts:?}");
    bench.assert_nothing_left().await;
}
