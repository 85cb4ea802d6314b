use std::sync::Arc;
use std::time::Duration;

use watertight_mapi::{
    Fid, Mid, PropValue,
    notification::{Event, EventKinds, TableEvent},
    prop::tags,
    rop::{
        RequestBody as B, Response, RopId,
        folder::{DeleteMessagesRequest, MoveCopyMessagesRequest},
        notification::RegisterNotificationRequest,
        table::SeekRowRequest,
    },
    store::Store,
};
use watertight_store::MemoryStore;

use super::{Client, NONE};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

fn register(kinds: EventKinds, scope: Option<(Fid, Mid)>) -> B {
    let notification_types = u8::try_from(kinds.0).unwrap();
    B::RegisterNotification(RegisterNotificationRequest { output_index: 1, notification_types, scope })
}

/// Two sessions of one account: the one that is told, and the one that does things.
async fn pair() -> (Client, Client) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let account = super::account(&*store, "u1").await;
    (Client::of(Arc::clone(&store), account.clone()), Client::of(store, account))
}

/// What is told to an Execute without any ROP.
async fn told(client: &mut Client) -> Vec<(u32, Event)> {
    assert!(client.run(&[], &mut vec![]).await.is_empty());
    std::mem::take(&mut client.told).into_iter().map(|n| (n.handle, n.event)).collect()
}

#[tokio::test]
async fn what_another_session_does_is_told_in_order() {
    let (mut told_to, mut doer) = pair().await;
    let (logon, answer) = told_to.logon().await;
    let (other, _) = doer.logon().await;
    let (inbox, drafts) = (answer.folder_ids.0[4], answer.folder_ids.0[5]);
    let (all, _) = told_to.ok(logon, register(EventKinds::OBJECTS, None)).await;
    let (here, _) =
        told_to.ok(logon, register(EventKinds::ObjectDeleted, Some((drafts, Mid::default())))).await;
    assert_eq!(told(&mut told_to).await, []);

    let message = doer.create_message(other, inbox).await;
    doer.set(message, vec![(tags::SUBJECT, "one".into())]).await;
    let id = doer.save(message).await;
    let events = told(&mut told_to).await;
    let [(h1, Event::Created(made)), (h2, Event::Modified(folder, counts))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((*h1, *h2, made.folder, made.message), (all, all, inbox, Some(id)));
    assert_eq!((folder.folder, folder.message, counts.total), (inbox, None, Some(1)));

    let from = doer.open_folder(other, inbox).await;
    let to = doer.open_folder(other, drafts).await;
    let body = MoveCopyMessagesRequest {
        dest_index: 1,
        message_ids: vec![id].into(),
        want_asynchronous: false.into(),
        want_copy: false.into(),
    };
    let mut handles = vec![from, to];
    doer.run(&[watertight_mapi::rop::Request::new(0, B::MoveCopyMessages(body))], &mut handles).await;
    let events = told(&mut told_to).await;
    let Some((_, Event::Moved { to: now, from: old })) = events.first() else { panic!("{events:?}") };
    assert_eq!((old.folder, old.message, now.folder), (inbox, Some(id), drafts));
    assert_eq!(events.len(), 3, "and the counts of both folders: {events:?}");

    let body = DeleteMessagesRequest {
        want_asynchronous: false.into(),
        notify_non_read: false.into(),
        message_ids: vec![now.message.unwrap()].into(),
    };
    doer.ok(to, B::DeleteMessages(body)).await;
    let events = told(&mut told_to).await;
    let deleted = |handle| events.iter().any(|(h, e)| *h == handle && matches!(e, Event::Deleted(_)));
    assert!(deleted(all) && deleted(here), "{events:?}");
    assert_eq!(events.len(), 3, "{events:?}");

    // What is released is told nothing any more.
    told_to.release(all).await;
    let (_, _) = doer.create_folder(to, "new").await;
    assert_eq!(told(&mut told_to).await, []);
}

#[tokio::test]
async fn what_does_not_fit_is_announced_and_too_much_is_told_as_one() {
    let (mut told_to, mut doer) = pair().await;
    let (logon, answer) = told_to.logon().await;
    let (other, _) = doer.logon().await;
    let inbox = answer.folder_ids.0[4];
    told_to.ok(logon, register(EventKinds::ObjectCreated, None)).await;
    for _ in 0..10 {
        let message = doer.create_message(other, inbox).await;
        doer.save(message).await;
        doer.release(message).await;
    }
    let wide = told_to.room;
    told_to.room.payload = 100;
    let responses = told_to.run(&[], &mut vec![]).await;
    assert!(matches!(responses.as_slice(), [Response::Pending(_)]), "{responses:?}");
    let first = told_to.told.len();
    assert!((1..10).contains(&first));
    told_to.room = wide;
    assert!(told_to.run(&[], &mut vec![]).await.is_empty());
    assert_eq!(told_to.told.len(), 10);
    told_to.told.clear();
    for _ in 0..300 {
        let message = doer.create_message(other, inbox).await;
        doer.save(message).await;
        doer.release(message).await;
    }
    let events = told(&mut told_to).await;
    let [(_, Event::Modified(folder, _))] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(folder.folder, answer.folder_ids.0[0]);
    assert_eq!(told(&mut told_to).await, []);
}

#[tokio::test]
async fn a_table_that_was_read_is_told_of_one_change_and_shows_it() {
    let (mut told_to, mut doer) = pair().await;
    let (logon, answer) = told_to.logon().await;
    let (other, _) = doer.logon().await;
    let inbox = answer.folder_ids.0[4];
    let folder = told_to.open_folder(logon, inbox).await;
    let table = told_to.table(folder, vec![tags::MID]).await;
    async fn make(doer: &mut Client, other: u32, inbox: Fid) {
        let message = doer.create_message(other, inbox).await;
        doer.save(message).await;
    }
    make(&mut doer, other, inbox).await;
    assert_eq!(told(&mut told_to).await, [], "it was not read");
    let (_, rows) = told_to.rows(table, 10, true).await;
    assert_eq!(rows.len(), 1);
    make(&mut doer, other, inbox).await;
    make(&mut doer, other, inbox).await;
    assert_eq!(told(&mut told_to).await, [(table, Event::Table(TableEvent::Changed))]);
    let start = SeekRowRequest { origin: 0, row_count: 0, want_row_moved_count: false.into() };
    told_to.ok(table, B::SeekRow(start)).await;
    let (_, rows) = told_to.rows(table, 10, true).await;
    assert_eq!(rows.len(), 3);
    assert!(matches!(rows[0][0], Some(PropValue::I64(_))));
    told_to.release(table).await;
    make(&mut doer, other, inbox).await;
    assert_eq!(told(&mut told_to).await, []);
}

#[tokio::test]
async fn a_wait_ends_with_an_event_with_its_time_and_with_the_session() {
    let (mut told_to, mut doer) = pair().await;
    let (logon, answer) = told_to.logon().await;
    let (other, _) = doer.logon().await;
    let notices = told_to.session.notices();
    let wait = notices.begin_wait().unwrap();
    assert!(notices.begin_wait().is_none(), "one at a time");
    assert_eq!(wait.run(SHORT).await, Ok(false));
    // A subscription that comes while a wait is open counts.
    let waiting = tokio::spawn(notices.begin_wait().unwrap().run(LONG));
    tokio::task::yield_now().await;
    told_to.ok(logon, register(EventKinds::ObjectCreated, None)).await;
    let message = doer.create_message(other, answer.folder_ids.0[4]).await;
    doer.save(message).await;
    assert_eq!(waiting.await.unwrap(), Ok(true));
    // It was not fetched: the next one is answered at once.
    assert_eq!(notices.begin_wait().unwrap().run(LONG).await, Ok(true));
    assert_eq!(told(&mut told_to).await.len(), 1);
    let ledger = told_to.ledger.clone();
    let waiting = tokio::spawn(notices.begin_wait().unwrap().run(LONG));
    tokio::task::yield_now().await;
    drop(told_to);
    assert_eq!(waiting.await.unwrap(), Ok(false));
    drop(notices);
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn ten_thousand_subscriptions_and_waits_leave_nothing() {
    let (mut told_to, mut doer) = pair().await;
    let (logon, answer) = told_to.logon().await;
    let (other, _) = doer.logon().await;
    let notices = told_to.session.notices();
    let held = told_to.ledger.held();
    for round in 0..10_000 {
        let (subscription, _) = told_to.ok(logon, register(EventKinds::OBJECTS, None)).await;
        let wait = notices.begin_wait().unwrap();
        match round % 4 {
            // Nobody waits any more before it began, or while it waits.
            0 => drop(wait),
            1 => assert!(tokio::time::timeout(Duration::ZERO, wait.run(LONG)).await.is_err()),
            2 => assert_eq!(wait.run(Duration::ZERO).await, Ok(false)),
            _ => {
                let message = doer.create_message(other, answer.folder_ids.0[4]).await;
                doer.save(message).await;
                doer.release(message).await;
                assert_eq!(wait.run(LONG).await, Ok(true));
            }
        }
        told_to.release(subscription).await;
    }
    assert_eq!(told_to.ledger.held(), held, "{}", told_to.ledger.inspect());
    // What is not released goes with the session.
    for _ in 0..100 {
        told_to.ok(logon, register(EventKinds::OBJECTS, None)).await;
    }
    let ledger = told_to.ledger.clone();
    drop((told_to, notices));
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
}

#[tokio::test]
async fn nonsense_is_refused_and_there_is_a_bound() {
    let (mut client, _) = pair().await;
    let (logon, _) = client.logon().await;
    client.refused(logon, register(EventKinds(0), None)).await;
    client.refused(NONE, register(EventKinds::OBJECTS, None)).await;
    for _ in 0..128 {
        client.ok(logon, register(EventKinds::OBJECTS, None)).await;
    }
    client.refused(logon, register(EventKinds::OBJECTS, None)).await;
    let (_, response) = client.one(logon, register(EventKinds::OBJECTS, None)).await;
    assert_eq!(response.id, RopId::RegisterNotification);
}
