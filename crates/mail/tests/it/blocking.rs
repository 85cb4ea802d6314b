//! The API without `async`.

use watertight_mail::blocking::{Change, Session};
use watertight_mail::{AddOptions, Error, ErrorKind, Key, PropValue, Query, RecipientKind};

use crate::kit::{House, PASSWORD, mail};

#[test]
fn every_method_waits() -> Result<(), Error> {
    let house = House::new();
    let engine = house.engine();
    let session = house.blocking(&engine);
    assert_eq!((session.user(), session.server()), ("Anna Example", house.url.as_str()));
    let box_ = session.create_folder("Box")?;
    let inner = box_.create("inner")?;
    let message = inner.add(&mail(3), &AddOptions::default())?;
    assert_eq!(message.body()?.trim(), "line of message 3");
    assert_eq!(message.to_bytes()?, mail(3));
    assert_eq!(message.subject(), "message number 3");
    assert_eq!(message.sender().email, "s3@example.org");
    assert_eq!(message.recipients()?.len(), 3);
    assert_eq!(message.recipients_of(RecipientKind::Cc)?[0].name, "Carl");
    assert!(message.html()?.is_none() && message.attachments()?.is_empty() && !message.has_attachments());
    assert!(message.headers()?.contains("Message-ID") && message.size() > 0 && message.class() == "IPM.Note");
    assert_eq!(message.received(), message.sent());
    assert_eq!(message.folder(), inner);
    message.mark_unread()?;
    assert!(message.unread() && inner.counts()?.unread == 1);
    message.mark_read()?;
    let key: Key = "comment".parse()?;
    message.set_prop(&key, "x".into())?;
    assert_eq!(message.prop(&key)?, Some(PropValue::from("x")));
    message.remove_prop(&key)?;
    assert!(message.props()?.len() > 5);
    let dir = tempfile::tempdir().unwrap();
    message.save_as(dir.path().join("x.eml"))?;
    message.copy_to(&box_)?;
    message.move_to(&box_)?;
    assert_eq!(box_.messages().collect::<Result<Vec<_>, _>>()?.len(), 2);
    assert_eq!(box_.search(Query::new().subject("3")).count(), 2);
    let first = box_.messages().next().unwrap()?;
    assert_eq!(box_.message(&first.id())?, first);
    let mut changes = box_.sync(&[]);
    assert!(changes.by_ref().all(|change| matches!(change, Ok(Change::New(_)))));
    assert_eq!(box_.sync(changes.state()).count(), 0);
    first.delete()?;
    box_.empty()?;
    inner.rename("other")?;
    assert_eq!((inner.name()?, inner.path()?), ("other".to_owned(), "Box/other".to_owned()));
    assert_eq!(session.folder("Box/other")?, inner);
    assert_eq!(box_.folder("other")?, inner);
    assert_eq!(box_.folders().count() + box_.walk().count(), 2);
    box_.set_prop(&key, "y".into())?;
    assert_eq!(box_.prop(&key)?, Some(PropValue::from("y")));
    assert!(!box_.props()?.is_empty());
    box_.remove_prop(&key)?;
    inner.delete()?;
    assert!(session.folders().any(|folder| folder.is_ok_and(|folder| folder == box_)));
    for folder in [session.inbox(), session.sent(), session.trash(), session.outbox(), session.root()] {
        folder.counts()?;
    }
    let with = inner_with_attachment(&box_)?;
    let attachment = with.attachments()?.remove(0);
    assert_eq!((attachment.name(), attachment.read()?), ("f", b"data".to_vec()));
    assert!(attachment.number() == 0 && attachment.size() > 0 && !attachment.is_message());
    assert_eq!((attachment.content_type(), attachment.content_id()), ("a/b", ""));
    attachment.save(dir.path())?;
    assert!(!attachment.props()?.is_empty() && attachment.prop(&"PidTagAttachMethod".parse()?)?.is_some());
    session.close()?;
    assert!(session.is_closed());
    assert_eq!(box_.counts().unwrap_err().kind(), ErrorKind::Closed);
    // After an error an iterator ends.
    assert_eq!(box_.messages().count() + session.folders().count() + box_.sync(&[]).count(), 3);
    drop((box_, inner, message, first, with, attachment, session, changes));
    drop(engine);
    house.end();
    Ok(())
}

fn inner_with_attachment(
    folder: &watertight_mail::blocking::Folder,
) -> Result<watertight_mail::blocking::Message, Error> {
    let mail = b"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\
        Content-Type: text/plain\n\nt\n--x\nContent-Type: a/b\nContent-Disposition: attachment; filename=f\n\ndata\n--x--\n";
    folder.add(mail, &AddOptions::default())
}

#[test]
fn a_session_that_is_dropped_has_ended_when_the_engine_has() {
    let house = House::new();
    for _ in 0..20 {
        let engine = house.engine();
        let session = house.blocking(&engine);
        session.inbox().counts().unwrap();
        drop(engine);
        drop(session);
        assert_eq!(house.held("session contexts"), 0, "{}", house.server.inspect());
    }
    house.end();
}

#[test]
fn an_engine_closes_what_is_open() {
    let house = House::new();
    let engine = house.engine();
    let session = house.blocking(&engine);
    let other = house.blocking(&engine);
    engine.close_all();
    assert!(session.is_closed() && other.is_closed());
    assert_eq!(house.held("session contexts"), 0);
    drop((session, other, engine));
    house.end();
}

#[tokio::test]
async fn from_asynchronous_code_the_place_is_spawn_blocking() {
    let house = House::new();
    let url = house.url.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let session = Session::to(url).user("anna").password(PASSWORD).user_dn(House::dn()).open()?;
        session.inbox().counts()?;
        session.close()
    });
    opened.await.unwrap().unwrap();
    house.end();
}

#[test]
fn threads_share_a_session() {
    let house = House::new();
    let engine = house.engine();
    let session = house.blocking(&engine);
    let inbox = session.inbox();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let inbox = &inbox;
            scope.spawn(move || {
                for n in 0..20 {
                    inbox.add(&mail(thread * 100 + n), &AddOptions::default()).unwrap();
                    inbox.messages().for_each(|message| drop(message.unwrap()));
                }
            });
        }
    });
    assert_eq!(inbox.counts().unwrap().messages, 160);
    session.close().unwrap();
    drop((inbox, session, engine));
    house.end();
}
