//! Messages and attachments.

use watertight_mail::{
    AddOptions, Error, ErrorKind, Key, Message, Messages, PropValue, Query, RecipientKind,
};

use crate::kit::{House, mail};

async fn subjects(mut messages: Messages) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(message) = messages.next().await.unwrap() {
        all.push(message.subject().to_owned());
    }
    all
}

const PARTS: &[u8] = b"From: Sender <s@example.org>\r\nTo: Anna <anna@test.local>\r\nSubject: parts\r\n\
Date: Mon, 02 Jan 2023 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Gr\xc3\xbc\xc3\x9fe</p>\r\n\
--x\r\nContent-Type: application/pdf; name=\"../a.pdf\"\r\nContent-Disposition: attachment; filename=\"../a.pdf\"\r\n\
Content-ID: <c1>\r\n\r\n%PDF\r\n\
--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n\r\n--x--\r\n";

#[tokio::test]
async fn a_message_has_all_its_parts() {
    let house = House::new();
    let session = house.session().await;
    let message = session.inbox().add(PARTS, &AddOptions::default()).await.unwrap();
    assert_eq!(message.subject(), "parts");
    assert_eq!(message.whole_subject().await.unwrap(), "parts");
    assert_eq!(message.sender().to_string(), "Sender <s@example.org>");
    assert_eq!(message.received().unwrap().to_string(), "2023-01-02T10:00:00Z");
    assert_eq!(message.sent(), message.received());
    assert_eq!((message.class(), message.unread(), message.has_attachments()), ("IPM.Note", false, true));
    assert!(message.size() > 0);
    assert_eq!(message.html().await.unwrap().unwrap().trim(), "<p>Grüße</p>");
    assert!(message.headers().await.unwrap().contains("Subject: parts"));
    let to = message.recipients().await.unwrap();
    assert_eq!(to.len(), 1);
    assert_eq!(message.recipients_of(RecipientKind::To).await.unwrap()[0].email, "anna@test.local");
    assert!(message.recipients_of(RecipientKind::Bcc).await.unwrap().is_empty());
    let attachments = message.attachments().await.unwrap();
    let [pdf, inner] = attachments.as_slice() else { panic!("{attachments:?}") };
    assert_eq!((pdf.name(), pdf.content_type(), pdf.content_id()), ("../a.pdf", "application/pdf", "c1"));
    assert_eq!(pdf.read().await.unwrap(), b"%PDF");
    assert!(!pdf.is_message() && inner.is_message());
    assert!(pdf.props().await.unwrap().len() > 3);
    assert!(String::from_utf8(inner.read().await.unwrap()).unwrap().contains("inside"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(pdf.save(dir.path()).await.unwrap(), dir.path().join("a.pdf"));
    assert_eq!(std::fs::read(dir.path().join("a.pdf")).unwrap(), b"%PDF");
    inner.save(dir.path().join("inner.eml")).await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    let error = pdf.save(dir.path().join("no/place")).await.unwrap_err();
    assert_eq!((error.kind(), error.name().as_str()), (ErrorKind::Local, "MAPI_E_NOT_FOUND"));
    let error = message.save_as(dir.path().join("no/place")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error}");
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}

/// A large attachment passes through in pieces, and comes back in the mail as it was.
#[tokio::test]
async fn large_values_pass_through() {
    let house = House::new();
    let session = house.session().await;
    let mut big = b"Subject: big\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\
        Content-Type: text/plain\n\n"
        .to_vec();
    big.extend((0..20_000).flat_map(|n| format!("line {n} of a long body\n").into_bytes()));
    big.extend_from_slice(b"--x\nContent-Type: a/b\nContent-Disposition: attachment; filename=f\n\n");
    big.extend((0..30_000).flat_map(|n| format!("line {n} of a long attachment\n").into_bytes()));
    big.extend_from_slice(b"--x--\n");
    let message = session.inbox().add(&big, &AddOptions::default()).await.unwrap();
    assert_eq!(message.to_bytes().await.unwrap(), big);
    assert!(message.body().await.unwrap().contains("line 19999 of"));
    let attachment = message.attachments().await.unwrap().remove(0);
    assert!(attachment.read().await.unwrap().len() > 800_000);
    // Given up in the middle: nothing is left.
    for _ in 0..20 {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(1), message.to_bytes()).await;
    }
    assert_eq!(message.to_bytes().await.unwrap(), big);
    // After a change of what the mail is made of, the mail is made anew.
    message.set_prop(&"subject".parse().unwrap(), "other".into()).await.unwrap();
    let made = message.to_bytes().await.unwrap();
    assert!(made != big && made.len() > 1_000_000);
    assert_eq!(
        message.attachments().await.unwrap()[0].read().await.unwrap(),
        attachment.read().await.unwrap()
    );
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}

#[tokio::test]
async fn messages_are_listed_found_marked_moved_and_deleted() {
    let house = House::new();
    let session = house.session().await;
    let (inbox, there) = (session.inbox(), session.create_folder("there").await.unwrap());
    for n in 0..150 {
        let mut options = AddOptions::default();
        options.unread = n % 2 == 0;
        inbox.add(&mail(n), &options).await.unwrap();
    }
    let expected: Vec<_> = (0..150).rev().map(|n| format!("message number {n}")).collect();
    assert_eq!(subjects(inbox.messages()).await, expected);
    let oldest = subjects(inbox.search(Query::new().oldest_first())).await;
    assert_eq!(oldest, expected.into_iter().rev().collect::<Vec<_>>());
    for (query, count) in [
        (Query::new().subject("NUMBER 7"), 11),
        (Query::new().sender("s9@"), 1),
        (Query::new().recipient("carl"), 150),
        (Query::new().body("message 33"), 1),
        (Query::new().unread(true), 75),
        (Query::new().unread(false).subject("number 10"), 5),
        (Query::new().has_attachments(true), 0),
        (Query::new().larger(1 << 20), 0),
        (Query::new().smaller(1 << 20).class("ipm.note"), 150),
        (Query::new().since("2023-01-02T10:02:00Z".parse().unwrap()), 30),
        (Query::new().before("2023-01-02T10:02:00Z".parse().unwrap()), 120),
    ] {
        assert_eq!(subjects(inbox.search(query.clone())).await.len(), count, "{query:?}");
    }
    // While the list is read, what it lists is moved, deleted, marked.
    let mut messages = inbox.messages();
    let mut n = 0;
    while let Some(message) = messages.next().await.unwrap() {
        match n % 3 {
            0 => message.move_to(&there).await.unwrap(),
            1 => message.delete().await.unwrap(),
            _ => {
                message.mark_read().await.unwrap();
                assert!(!message.unread());
            }
        }
        n += 1;
    }
    assert_eq!(n, 150);
    assert_eq!(inbox.counts().await.unwrap().unread, 0);
    assert_eq!((inbox.counts().await.unwrap().messages, there.counts().await.unwrap().messages), (50, 50));
    let left = inbox.messages().next().await.unwrap().unwrap();
    left.mark_unread().await.unwrap();
    left.copy_to(&there).await.unwrap();
    assert_eq!(there.counts().await.unwrap().messages, 51);
    assert_eq!(inbox.message(&left.id()).await.unwrap(), left);
    left.delete().await.unwrap();
    assert_eq!(left.body().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(inbox.message(&left.id()).await.unwrap_err().kind(), ErrorKind::NotFound);
    for bad in ["", "x", "x-1", "00020329-0000-0000-c000-000000000046-zz"] {
        assert_eq!(inbox.message(bad).await.unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
    let other = house.session().await;
    let kept = there.messages().next().await.unwrap().unwrap();
    assert_eq!(kept.move_to(&other.inbox()).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(inbox.add(b"", &AddOptions::default()).await.is_err());
    other.close().await.unwrap();
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}

#[tokio::test]
async fn properties_are_set_and_removed() -> Result<(), Error> {
    let house = House::new();
    let session = house.session().await;
    let message: Message = session.inbox().add(&mail(1), &AddOptions::default()).await?;
    let named: Key = "{00020329-0000-0000-C000-000000000046}/Keywords".parse()?;
    let numbered: Key = "{00062008-0000-0000-C000-000000000046}/0x8501".parse()?;
    let importance: Key = "importance".parse()?;
    assert_eq!(message.prop(&named).await?, None);
    let words = PropValue::MvUnicode(vec!["red".into(), "blau".into()]);
    let long = PropValue::from("ß".repeat(100_000).as_str());
    for (key, value) in [(&named, &words), (&numbered, &long), (&importance, &PropValue::I32(2))] {
        message.set_prop(key, value.clone()).await?;
        assert_eq!(message.prop(key).await?.as_ref(), Some(value));
    }
    let all = message.props().await?;
    assert!(all.contains(&(named.clone(), Some(words))));
    assert!(all.contains(&(numbered, None)), "large values are asked for one by one");
    message.remove_prop(&named).await?;
    message.remove_prop(&named).await?;
    assert_eq!(message.prop(&named).await?, None);
    session.close().await?;
    house.mapi.idle().await;
    house.end();
    Ok(())
}
