//! What was opened ends: one by one, with the session, in a panic, when the server goes away.

use watertight_mapi::prop::{Prop, tags};
use watertight_mapi::{MapiCode, Mid};
use watertight_mapi_client::{
    Access, Associated, Error, Folder, MapiError, Message, OpenMode, SpecialFolder, Stream, View,
};

use super::bed::{Bed, held, logon, server_objects, until};

/// A folder with so many messages.
async fn filled(folder: &Folder, count: usize) -> Vec<Mid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let mut message = folder.create_message(Associated::No).await.unwrap();
        message.set_props(&[Prop::new(tags::SUBJECT, "x"), Prop::new(tags::BODY, "y")]).await.unwrap();
        ids.push(message.save().await.unwrap());
    }
    ids
}

#[tokio::test]
async fn ten_thousand_objects_cost_few_requests() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let ids = filled(&inbox, 50).await;
    let many: Vec<Mid> = ids.iter().copied().cycle().take(100).collect();
    let before = bed.connector.traffic().requests;
    let mut most = 0;
    for _ in 0..100 {
        let opened = inbox.open_messages(&many, Access::ReadOnly).await.unwrap();
        assert!(opened.iter().all(Result::is_ok));
        most = most.max(server_objects(&bed));
    }
    let requests = bed.connector.traffic().requests - before;
    assert!(requests <= 250, "{requests} requests for 10,000 objects");
    assert!(most <= 202, "{most} objects at a time");
    drop((inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// Nobody asks anything any more, and what was dropped is released all the same: all but a few.
#[tokio::test]
async fn what_is_dropped_does_not_wait_for_a_request() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut folders = Vec::new();
    for _ in 0..2000 {
        folders.push(logon.open_folder(inbox).await.unwrap());
    }
    assert_eq!(held(&bed.ledger, "folders"), 2000);
    let before = bed.connector.traffic().requests;
    drop(folders);
    until("most folders are released", || server_objects(&bed) <= 251).await;
    until("the client forgot them", || held(&bed.ledger, "folders") < 250).await;
    let requests = bed.connector.traffic().requests - before;
    assert!(requests <= 8, "{requests} requests for 2,000 objects");
    session.execute(&[], &[]).await.unwrap();
    assert_eq!(held(&bed.ledger, "handles"), 1);
    drop(logon);
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_panic_leaves_nothing() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let ids = filled(&inbox, 5).await;
    for _ in 0..20 {
        let (logon, ids) = (logon.clone(), ids.clone());
        let task = tokio::spawn(async move {
            let inbox = logon.inbox().await.unwrap();
            let opened = inbox.open_messages(&ids, Access::Best).await.unwrap();
            let message = opened[0].as_ref().unwrap();
            let _stream = message.open_stream(tags::BODY, OpenMode::ReadOnly).await.unwrap();
            let _table = inbox.contents_table(Associated::No, &View::of(&[tags::MID])).await.unwrap();
            std::panic::resume_unwind(Box::new("in the middle"));
        });
        assert!(task.await.unwrap_err().is_panic());
    }
    session.execute(&[], &[]).await.unwrap();
    assert_eq!(held(&bed.ledger, "handles"), 2, "logon and Inbox");
    assert_eq!(server_objects(&bed), 2);
    drop((inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

async fn use_all(message: &mut Message, stream: &mut Stream, folder: &Folder) -> Vec<Error> {
    vec![
        message.props(&[tags::SUBJECT]).await.unwrap_err(),
        message.all_props().await.unwrap_err(),
        message.set_props(&[Prop::new(tags::SUBJECT, "z")]).await.unwrap_err(),
        message.save().await.unwrap_err(),
        message.attachments().await.unwrap_err(),
        message.open_stream(tags::BODY, OpenMode::ReadOnly).await.unwrap_err(),
        stream.read(10).await.unwrap_err(),
        stream.write(b"x").await.unwrap_err(),
        folder.create_message(Associated::No).await.unwrap_err(),
        folder.contents_table(Associated::No, &View::default()).await.unwrap_err(),
        folder.logon().inbox().await.unwrap_err(),
        folder
            .logon()
            .prop_ids(&[watertight_mapi::PropName::lid(watertight_wire::Guid::NIL, 77)], true)
            .await
            .unwrap_err(),
    ]
}

#[tokio::test]
async fn objects_end_with_their_session() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let ids = filled(&inbox, 1).await;
    let mut message = inbox.open_message(ids[0], Access::Best).await.unwrap();
    let mut stream = message.open_stream(tags::BODY, OpenMode::ReadOnly).await.unwrap();
    session.disconnect().await.unwrap();
    // What the caller still has counts for nothing.
    assert_eq!(held(&bed.ledger, "messages") + held(&bed.ledger, "streams"), 0);
    assert_eq!(held(&bed.ledger, "handles"), 0);
    assert_eq!(server_objects(&bed), 0);
    for error in use_all(&mut message, &mut stream, &inbox).await {
        let error = MapiError::from(error);
        assert_eq!(error.code(), MapiCode::InvalidObject, "{error}");
        assert!(error.to_string().starts_with("MAPI_E_INVALID_OBJECT (0x80040108)"), "{error}");
    }
    // What is dropped later harms nobody.
    bed.connector.idle().await;
    drop((message, stream, inbox, logon));
    bed.end().await;
}

#[tokio::test]
async fn a_server_that_goes_away_takes_the_objects_with_it() {
    let mut bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let ids = filled(&inbox, 1).await;
    let mut message = inbox.open_message(ids[0], Access::Best).await.unwrap();
    let mut stream = message.open_stream(tags::BODY, OpenMode::ReadOnly).await.unwrap();
    let connector = bed.connector.clone();
    bed.stop().await;
    for error in use_all(&mut message, &mut stream, &inbox).await {
        let error = MapiError::from(error);
        assert!(
            [MapiCode::NetworkError, MapiCode::EndOfSession, MapiCode::InvalidObject].contains(&error.code()),
            "{error}"
        );
        assert!(error.to_string().starts_with("MAPI_E_"), "{error}");
    }
    drop((message, stream, inbox, logon, session));
    connector.idle().await;
    assert_eq!(bed.ledger.held(), 0, "{}", bed.ledger.inspect());
    bed.start().await;
    bed.end().await;
}

/// Of each kind some hundreds, dropped, with an error in between, and some that nobody waited for.
#[tokio::test]
async fn hundreds_of_each_kind_leave_nothing() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let mut message = inbox.create_message(Associated::No).await.unwrap();
    message.set_props(&[Prop::new(tags::BODY, "y")]).await.unwrap();
    message.create_attachment().await.unwrap().save().await.unwrap();
    let id = message.save().await.unwrap();
    drop(message);
    let view = View::of(&[tags::MID]);
    let mut most = 0;
    for n in 0..300 {
        let message = inbox.open_message(id, Access::ReadOnly).await.unwrap();
        let _table = inbox.contents_table(Associated::No, &view).await.unwrap();
        let _stream = message.open_stream(tags::BODY, OpenMode::ReadOnly).await.unwrap();
        let _attachment = message.open_attachment(0, Access::ReadOnly).await.unwrap();
        assert!(message.open_attachment(9, Access::ReadOnly).await.unwrap_err().is_not_found());
        if n % 10 == 0 {
            // Polled once, then given up.
            let opening = inbox.open_message(id, Access::ReadOnly);
            let _ = tokio::time::timeout(std::time::Duration::ZERO, opening).await;
        }
        most = most.max(server_objects(&bed));
    }
    session.execute(&[], &[]).await.unwrap();
    session.execute(&[], &[]).await.unwrap();
    assert!(most < 20, "{most} objects at a time");
    for kind in ["messages", "tables", "streams", "attachments"] {
        assert_eq!(held(&bed.ledger, kind), 0, "{kind}");
    }
    assert_eq!((held(&bed.ledger, "handles"), server_objects(&bed)), (2, 2));
    drop((inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// Tasks that share a session do not disturb each other.
#[tokio::test]
async fn tasks_share_a_session() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let logon = logon.clone();
            tokio::spawn(async move {
                let inbox = logon.inbox().await.unwrap();
                for n in 0..20 {
                    let subject = format!("{task} {n}");
                    let mut message = inbox.create_message(Associated::No).await.unwrap();
                    message.set_props(&[Prop::new(tags::SUBJECT, subject.as_str())]).await.unwrap();
                    let id = message.save().await.unwrap();
                    let message = inbox.open_message(id, Access::ReadOnly).await.unwrap();
                    assert_eq!(message.subject(), Some(subject.as_str()));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(logon);
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// A session that ends with a thousand open objects says so once.
#[tokio::test]
async fn the_end_of_a_session_is_one_request() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut folders = Vec::new();
    for _ in 0..1000 {
        folders.push(logon.open_folder(inbox).await.unwrap());
    }
    let before = bed.connector.traffic().requests;
    drop(session);
    drop((folders, logon));
    bed.connector.idle().await;
    let requests = bed.connector.traffic().requests - before;
    assert!(requests <= 1, "{requests} requests");
    assert_eq!(server_objects(&bed), 0);
    bed.end().await;
}
