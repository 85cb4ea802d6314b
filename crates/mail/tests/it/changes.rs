//! What has changed.

use std::collections::BTreeSet;

use watertight_mail::{AddOptions, Change, Changes, ErrorKind};

use crate::kit::{House, mail};

async fn drained(changes: &mut Changes) -> BTreeSet<(char, String)> {
    let mut all = BTreeSet::new();
    while let Some(change) = changes.next().await.unwrap() {
        all.insert(match change {
            Change::New(message) => ('n', message.id()),
            Change::Changed(message) => ('c', message.id()),
            Change::Deleted(id) => ('d', id),
            Change::Read(id) => ('r', id),
            Change::Unread(id) => ('u', id),
            other => panic!("{other:?}"),
        });
    }
    all
}

#[tokio::test]
async fn changes_come_once() {
    let house = House::new();
    let session = house.session().await;
    let inbox = session.inbox();
    let mut messages = Vec::new();
    for n in 0..6 {
        messages.push(inbox.add(&mail(n), &AddOptions::default()).await.unwrap());
    }
    let mut first = inbox.sync(&[]);
    let expected = messages.iter().map(|message| ('n', message.id())).collect();
    assert_eq!(drained(&mut first).await, expected);
    assert!(first.next().await.unwrap().is_none());
    assert!(drained(&mut inbox.sync(first.state())).await.is_empty());
    messages[0].set_prop(&"importance".parse().unwrap(), 2.into()).await.unwrap();
    messages[1].delete().await.unwrap();
    messages[2].mark_unread().await.unwrap();
    let new = inbox.add(&mail(9), &AddOptions::default()).await.unwrap();
    let mut second = inbox.sync(first.state());
    let expected = [('c', &messages[0]), ('d', &messages[1]), ('u', &messages[2]), ('n', &new)];
    let expected: BTreeSet<_> = expected.into_iter().map(|(kind, message)| (kind, message.id())).collect();
    assert_eq!(drained(&mut second).await, expected);
    // What comes is a message.
    let mut all = inbox.sync(&[]);
    let Some(Change::New(message)) = all.next().await.unwrap() else { panic!("no message") };
    assert!(message.subject().starts_with("message number"));
    assert!(message.to_bytes().await.unwrap().starts_with(b"From: Sender"));
    drop((all, message));
    let error = inbox.sync(b"nonsense").next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let elsewhere = session.sent().sync(first.state()).next().await.unwrap_err();
    assert_eq!(elsewhere.kind(), ErrorKind::Invalid, "{elsewhere}");
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}

/// A state that is kept in the middle loses nothing.
#[tokio::test]
async fn a_state_in_the_middle_goes_on() {
    let house = House::new();
    let session = house.session().await;
    let inbox = session.inbox();
    let mut ids = BTreeSet::new();
    for n in 0..40 {
        ids.insert(inbox.add(&mail(n), &AddOptions::default()).await.unwrap().id());
    }
    let (mut seen, mut given, mut state) = (BTreeSet::new(), 0, Vec::new());
    loop {
        let mut changes = inbox.sync(&state);
        let mut some = 0;
        while some < 7
            && let Some(change) = changes.next().await.unwrap()
        {
            let Change::New(message) = change else { panic!("{change:?}") };
            seen.insert(message.id());
            some += 1;
        }
        given += some;
        let before = std::mem::replace(&mut state, changes.state().to_vec());
        if some == 0 || before == state {
            break;
        }
    }
    assert_eq!(seen, ids);
    assert!(given < 60, "{given}");
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}
