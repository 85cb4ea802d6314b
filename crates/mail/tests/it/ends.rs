//! Ten thousand of each kind, however they end: nothing is left in the client or on the server.

use std::time::Duration;

use watertight_mail::{AddOptions, Folder, Message};

use crate::kit::{House, mail};

const TEN_THOUSAND: usize = 10_000;

/// Polls once, or to the end.
async fn some<F: Future>(n: usize, future: F) {
    if n.is_multiple_of(3) {
        let _ = tokio::time::timeout(Duration::ZERO, future).await;
    } else {
        future.await;
    }
}

async fn nothing_is_left(house: House, session: watertight_mail::Session) {
    // Releases go with the next request.
    session.trash().counts().await.unwrap();
    session.trash().counts().await.unwrap();
    for kind in ["messages", "tables", "attachments", "streams", "exporters", "downloads"] {
        assert_eq!(house.client_held(kind), 0, "{}", house.client.inspect());
    }
    session.close().await.unwrap();
    house.mapi.idle().await;
    assert_eq!(house.client.held(), 0, "{}", house.client.inspect());
    house.end();
}

async fn folder_with(house: &House, count: usize) -> (watertight_mail::Session, Folder, Vec<Message>) {
    let session = house.session().await;
    let inbox = session.inbox();
    let mut messages = Vec::new();
    for n in 0..count {
        messages.push(inbox.add(&mail(n), &AddOptions::default()).await.unwrap());
    }
    (session, inbox, messages)
}

#[tokio::test]
async fn folders_leave_nothing() {
    let house = House::new();
    let (session, ..) = folder_with(&house, 0).await;
    for n in 0..TEN_THOUSAND {
        let folder = session.inbox();
        some(n, async { drop(folder.counts().await) }).await;
        assert!(house.client_held("folders") <= 40);
    }
    nothing_is_left(house, session).await;
}

#[tokio::test]
async fn messages_leave_nothing() {
    let house = House::new();
    let (session, inbox, messages) = folder_with(&house, 5).await;
    let id = messages[0].id();
    drop(messages);
    let mut kept = Vec::new();
    for n in 0..TEN_THOUSAND {
        some(n, async {
            if let Ok(message) = inbox.message(&id).await
                && n % 10 == 1
            {
                kept.push(message);
            }
        })
        .await;
        // Those that are kept do not stay open for that.
        assert!(house.client_held("messages") <= 40, "{}", house.client.inspect());
    }
    assert!(kept.len() > 500);
    assert!(kept[0].body().await.unwrap().starts_with("line"), "it is opened again");
    drop(kept);
    nothing_is_left(house, session).await;
}

#[tokio::test]
async fn lists_leave_nothing() {
    let house = House::new();
    let (session, inbox, messages) = folder_with(&house, 3).await;
    drop(messages);
    for n in 0..TEN_THOUSAND {
        if n % 2 == 0 {
            let mut messages = inbox.messages();
            some(n, async { drop(messages.next().await) }).await;
        } else {
            let mut folders = session.folders();
            some(n, async { drop(folders.next().await) }).await;
        }
    }
    nothing_is_left(house, session).await;
}

#[tokio::test]
async fn changes_leave_nothing() {
    let house = House::new();
    let (session, inbox, messages) = folder_with(&house, 3).await;
    drop(messages);
    for n in 0..TEN_THOUSAND {
        let mut changes = inbox.sync(&[]);
        // Given up at the start, after one change, or at the end.
        some(n, async {
            while let Ok(Some(_)) = changes.next().await {
                if n % 2 == 0 {
                    break;
                }
            }
        })
        .await;
    }
    nothing_is_left(house, session).await;
}

#[tokio::test]
async fn attachments_leave_nothing() {
    let house = House::new();
    let session = house.session().await;
    let mut raw = b"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\
        Content-Type: text/plain\n\nt\n--x\nContent-Disposition: attachment; filename=f\n\n"
        .to_vec();
    raw.extend(std::iter::repeat_n(b'x', 1000));
    raw.extend_from_slice(b"\n--x--\n");
    let message = session.inbox().add(&raw, &AddOptions::default()).await.unwrap();
    let attachment = message.attachments().await.unwrap().remove(0);
    for n in 0..TEN_THOUSAND {
        some(n, async { drop(attachment.read().await) }).await;
    }
    drop((attachment, message));
    nothing_is_left(house, session).await;
}

/// A panic in the middle ends what was open.
#[tokio::test]
async fn panics_leave_nothing() {
    let house = House::new();
    for n in 0..200 {
        let session = house.session().await;
        let task = tokio::spawn(async move {
            let inbox = session.inbox();
            let message = inbox.add(&mail(n), &AddOptions::default()).await.unwrap();
            let mut messages = inbox.messages();
            let mut changes = inbox.sync(&[]);
            drop((messages.next().await, changes.next().await));
            assert!(message.subject().is_empty(), "on purpose");
        });
        assert!(task.await.unwrap_err().is_panic());
    }
    house.mapi.idle().await;
    house.until_none("session contexts");
    assert_eq!(house.client.held(), 0, "{}", house.client.inspect());
    house.end();
}
