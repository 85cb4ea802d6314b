//! The captured mailbox, through the whole client.

use watertight_mapi::ics::State;
use watertight_mapi_client::{SpecialFolder, SyncOptions};
use watertight_testkit::replay::Phase;

use crate::kit::{Bench, drain};

#[tokio::test]
async fn the_captured_mailbox_is_downloaded_to_its_end() {
    for chain in [1, 5] {
        let bench = Bench::new();
        bench.replay.chain(chain);
        let session = bench.connector.connect(&bench.dn).await.unwrap();
        assert_eq!(session.info().display_name, "u4");
        assert_eq!(session.info().server_application.as_deref(), Some("Exchange/15.00.0847.4040"));
        let logon = session.logon(&bench.dn).await.unwrap();

        let ipm = logon.special_folder(SpecialFolder::IpmSubtree);
        let mut hierarchy = logon.sync_hierarchy(ipm, &State::default()).await.unwrap();
        let brought = drain(&mut hierarchy).await.unwrap();
        assert_eq!((brought.folders, brought.ended), (19, true), "{brought:?}");
        assert_eq!(hierarchy.bytes(), 7073);
        drop(hierarchy);

        let inbox = logon.open_folder(logon.special_folder(SpecialFolder::Inbox)).await.unwrap();
        let mut contents = inbox.sync_contents(&State::default(), &SyncOptions::default()).await.unwrap();
        let brought = drain(&mut contents).await.unwrap();
        assert_eq!(
            (brought.messages, brought.recipients, brought.attachments, brought.embedded),
            (123, 147, 68, 15),
            "{brought:?}"
        );
        assert!(brought.ended);
        assert!(contents.next_event().await.unwrap().is_none());
        let state = brought.state.unwrap();
        drop(contents);

        let mut again = inbox.sync_contents(&state, &SyncOptions::default()).await.unwrap();
        let brought = drain(&mut again).await.unwrap();
        assert_eq!((brought.messages, brought.deletions, again.bytes()), (0, 0, 208));

        bench.replay.set_phase(Phase::Changed);
        let mut state = state;
        for expected in [(0, 1, 1), (0, 0, 0)] {
            let mut changed = inbox.sync_contents(&state, &SyncOptions::default()).await.unwrap();
            let brought = drain(&mut changed).await.unwrap();
            assert_eq!((brought.messages, brought.deletions, brought.read_states), expected, "{brought:?}");
            state = brought.state.unwrap();
        }

        drop((again, inbox, logon));
        session.disconnect().await.unwrap();
        // The connection, for the next session.
        assert_eq!(bench.ledger.held(), 1);
        bench.assert_nothing_left().await;
        assert_eq!(bench.replay.counts().connections_ever, 1);
    }
}

#[tokio::test]
async fn folders_without_changes_share_a_request() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut contents = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await.unwrap();
    let state = drain(&mut contents).await.unwrap().state.unwrap();
    drop(contents);

    let before = bench.connector.traffic();
    let folders = vec![(inbox, &state); 45];
    let downloads = logon.sync_contents_of(&folders, &SyncOptions::default()).await.unwrap();
    assert_eq!(downloads.len(), 45);
    for download in downloads {
        assert_eq!(drain(&mut download.unwrap()).await.unwrap().messages, 0);
    }
    assert_eq!(bench.connector.traffic().requests - before.requests, 3);

    // One of them has much to say, and one is not there.
    let nowhere =
        logon.id(logon.replica(inbox.repl_id).await.unwrap(), watertight_mapi::GlobCnt::MAX).await.unwrap();
    let nothing = State::default();
    let folders = [(inbox, &state), (inbox, &nothing), (nowhere, &nothing), (inbox, &state)];
    let mut downloads = logon.sync_contents_of(&folders, &SyncOptions::default()).await.unwrap();
    assert!(downloads.remove(2).unwrap_err().is_not_found());
    let mut found = Vec::new();
    for download in downloads {
        found.push(drain(&mut download.unwrap()).await.unwrap().messages);
    }
    assert_eq!(found, [0, 123, 0]);
    drop(logon);
    session.disconnect().await.unwrap();
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn replicas_are_asked_for_once() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    assert_ne!(inbox.repl_id, logon.own_replica().0, "the server's peculiarity");
    let replica = logon.replica(inbox.repl_id).await.unwrap();
    assert_eq!(replica.to_string(), "00000004-18a5-6f7b-bcdc-ea1ed03c5657");
    let before = bench.connector.traffic().requests;
    assert_eq!(logon.replica(inbox.repl_id).await.unwrap(), replica);
    assert_eq!(logon.id(replica, inbox.counter).await.unwrap(), inbox);
    assert_eq!(bench.connector.traffic().requests, before);
    drop(logon);
    drop(session);
    bench.assert_nothing_left().await;
}

#[tokio::test]
async fn a_state_that_fills_several_requests_is_uploaded() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let mut state = State::default();
    let replica = logon.own_replica().1;
    for n in 0..40_000_u64 {
        state.given.insert(replica, watertight_mapi::GlobCnt::new(n * 3 + 1).unwrap());
    }
    assert!(state.blobs(false)[0].1.len() > 30_000, "{}", state.blobs(false)[0].1.len());
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut contents = logon.sync_contents(inbox, &state, &SyncOptions::default()).await.unwrap();
    assert!(drain(&mut contents).await.unwrap().ended);
    let folders = [(inbox, &state)];
    let downloads = logon.sync_contents_of(&folders, &SyncOptions::default()).await.unwrap();
    assert_eq!(downloads.len(), 1);
}

#[tokio::test]
async fn the_next_buffer_travels_while_events_are_handled() {
    let bench = Bench::new();
    let session = bench.connector.connect(&bench.dn).await.unwrap();
    let logon = session.logon(&bench.dn).await.unwrap();
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut contents = logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await.unwrap();
    // Connect, RopLogon, and one request for folder, configuration and first buffer.
    assert_eq!(bench.replay.counts().requests, 3);
    contents.next_event().await.unwrap();
    // The PING waits its turn: behind the second buffer, which nobody has asked for yet.
    session.ping().await.unwrap();
    assert_eq!(bench.replay.counts().requests, 5);
    for _ in 0..20 {
        contents.next_event().await.unwrap();
    }
    session.ping().await.unwrap();
    assert_eq!(bench.replay.counts().requests, 6, "one buffer ahead, not more");
    assert_eq!(contents.progress().total, 0x0b57);
    drop((contents, logon));
    session.disconnect().await.unwrap();
    bench.assert_nothing_left().await;
}
