//! Ten thousand of each end, however they end.

use std::time::Duration;

use watertight_mapi::ics::State;
use watertight_mapi::rop::field::Empty;
use watertight_mapi::rop::{Request, RequestBody};
use watertight_mapi_client::{Session, SpecialFolder, SyncOptions};
use watertight_testkit::replay::{Fault, When};

use crate::kit::{Bench, drain};

const TEN_THOUSAND: usize = 10_000;

#[tokio::test]
async fn ten_thousand_sessions_leave_nothing() {
    let bench = Bench::new();
    // Some are refused, some find the server gone.
    bench.replay.fault(When::request("Connect").after(3000).times(100), Fault::ResponseCode(11));
    bench.replay.fault(When::request("Connect").after(6000).times(100), Fault::Drop);
    bench.replay.fault(When::request("Disconnect").after(1000).times(100), Fault::Drop);
    let mut refused = 0;
    for n in 0..TEN_THOUSAND {
        match bench.connector.connect(&bench.dn).await {
            Ok(session) if n % 2 == 0 => drop(session.disconnect().await),
            Ok(session) => drop(session),
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused, 200);
    bench.connector.idle().await;
    assert_eq!(bench.ledger.held(), 0, "{}", bench.ledger.inspect());
    let counts = bench.replay.quiet();
    assert_eq!(counts.connections, 0);
    // Those whose Connect or Disconnect the server lost, it has to forget by itself.
    assert!(counts.sessions <= 200, "{counts:?}");
}

#[tokio::test]
async fn ten_thousand_handles_and_downloads_leave_nothing() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let drafts = logon.special_folder(SpecialFolder::Outbox);
    let mut most = 0;
    for n in 0..TEN_THOUSAND {
        if n % 4 == 0 {
            let folder = logon.open_folder(inbox).await.unwrap();
            drop(folder);
        } else {
            // Given up at the start, or after it has ended.
            let mut download =
                logon.sync_contents(drafts, &State::default(), &SyncOptions::default()).await.unwrap();
            if n % 2 == 0 {
                drain(&mut download).await.unwrap();
            }
        }
        most = most.max(bench.replay.counts().handles);
    }
    assert!(most <= 8, "{most} handles at a time");
    // Release goes with the next request.
    session.execute(&[], &[]).await.unwrap();
    assert_eq!(bench.replay.counts().handles, 1);
    drop(logon);
    session.disconnect().await.unwrap();
    // The connection, for the next session.
    assert_eq!(bench.ledger.held(), 1, "{}", bench.ledger.inspect());
    bench.assert_nothing_left().await;
}

/// Polls a future until it has sent what it has to send, then drops it.
async fn give_up<F: Future>(future: F, after: Duration) {
    assert!(tokio::time::timeout(after, future).await.is_err(), "the future ended");
}

#[tokio::test]
async fn whoever_gives_up_leaves_nothing() {
    let bench = Bench::new();
    let soon = Duration::from_millis(20);

    // In the middle of Connect.
    bench.replay.fault(When::request("Connect"), Fault::Stall);
    give_up(bench.connector.connect(&bench.dn), soon).await;
    bench.connector.idle().await;
    bench.replay.forget_sessions();

    // In the middle of a request: the session is told, a while later, that it is out of step.
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    bench.replay.fault(When::rop(0xFE), Fault::Stall);
    give_up(session.logon(&bench.dn), soon).await;
    assert!(session.logon(&bench.dn).await.unwrap_err().wants_new_session());
    drop(session);
    bench.connector.idle().await;

    // In the middle of a download, with the next buffer on its way.
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut download = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await.unwrap();
    for _ in 0..50 {
        download.next_event().await.unwrap();
    }
    drop((download, logon));
    drop(session);
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_event() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut download = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await.unwrap();
    let mut messages = 0;
    loop {
        // Polled once, dropped, and asked again.
        let impatient = tokio::time::timeout(Duration::ZERO, download.next_event()).await;
        let event = match impatient {
            Ok(event) => event.unwrap(),
            Err(_) => download.next_event().await.unwrap(),
        };
        match event {
            Some(watertight_mapi::ics::syntactical::Event::MessageChange(_)) => messages += 1,
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(messages, 123);
    drop((download, logon, session));
    bench.assert_nothing_left().await;
}

/// Objects that were opened and whose answer nobody fetched are released.
#[tokio::test]
async fn an_answer_that_nobody_fetches_releases_what_it_opened() {
    let bench = Bench::new();
    let session: Session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    for _ in 0..100 {
        let opening = logon.open_folder(inbox);
        let _ = tokio::time::timeout(Duration::ZERO, opening).await;
    }
    session.execute(&[], &[]).await.unwrap();
    let release = Request::new(0, RequestBody::Release(Empty));
    session.execute(&[release], &[4711]).await.unwrap();
    assert_eq!(bench.replay.counts().handles, 1);
    assert_eq!(bench.ledger.child("x").held(), 0);
    drop((logon, session));
    bench.assert_nothing_left().await;
}
