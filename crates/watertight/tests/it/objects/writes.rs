//! Messages written many at a time.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use watertight_mapi::prop::{LargeValue, Prop, PropBag, PropData, tags};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi::{MapiCode, PropName, PropTag, PropType, PropValue};
use watertight_mapi_client::{
    Access, Associated, Error, LargeSource, NewMessage, NoLarge, OpenMode, RecipientKind, SetupError, View,
};
use watertight_wire::{FileTime, Guid};

use super::bed::{Bed, held, logon};

/// Large values whose bytes follow from their number and place.
struct Pattern;

fn byte(id: u64, at: u64) -> u8 {
    let [a, b, ..] = (at ^ id).to_le_bytes();
    a ^ b
}

fn pattern(id: u64, offset: u64, len: u64) -> Vec<u8> {
    (offset..offset + len).map(|at| byte(id, at)).collect()
}

#[async_trait]
impl LargeSource for Pattern {
    async fn read(&self, value: LargeValue, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        // Less than it may be, now and then.
        let len = u64::try_from(len).unwrap().min(value.len - offset).min(20_011);
        Ok(pattern(value.id, offset, len))
    }
}

fn small(n: usize) -> NewMessage {
    let mut props = PropBag::default();
    props.set(tags::SUBJECT, format!("small {n}"));
    props.set(tags::BODY, "text ".repeat(60));
    props.set(tags::MESSAGE_DELIVERY_TIME, FileTime(0x01d0_0000_0000_0000 + u64::try_from(n).unwrap()));
    props.put(Prop::named(PropName::string(Guid::NIL, format!("x-{}", n % 7)), PropValue::from("named")));
    let mut data = PropBag::default();
    data.set(tags::ATTACH_METHOD, 1);
    data.set(tags::ATTACH_LONG_FILENAME, format!("{n}.txt"));
    data.set(tags::ATTACH_DATA_BINARY, vec![7_u8; 300]);
    NewMessage {
        content: MessageContent {
            props,
            recipients: vec![
                RecipientKind::To.smtp("Anna", "anna@example.org"),
                RecipientKind::Cc.smtp("Bob", "bob@example.org"),
            ],
            attachments: vec![Attachment { number: 0, props: data, embedded: None }],
        },
        read: n.is_multiple_of(2),
        ..NewMessage::default()
    }
}

#[tokio::test]
async fn a_thousand_messages_take_few_requests() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let messages: Vec<NewMessage> = (0..1000).map(small).collect();
    let before = bed.connector.traffic().requests;
    let added = inbox.add_messages(&messages, &NoLarge).await.unwrap();
    let requests = bed.connector.traffic().requests - before;
    // Some 1.4 KB each on the wire.
    assert!(requests < 60, "{requests} requests");
    let added: Vec<_> = added.into_iter().map(Result::unwrap).collect();
    assert!(added.iter().all(|a| a.problems.is_empty()));
    let opened = inbox.open_messages(&[added[0].id, added[999].id], Access::ReadOnly).await.unwrap();
    for (n, message) in [0, 999].into_iter().zip(opened) {
        let message = message.unwrap();
        let props = message.all_props().await.unwrap();
        for prop in &messages[n].content.props.0 {
            let back = match &prop.name {
                Some(name) => props.find_named(name),
                None => props.find(prop.tag),
            };
            assert_eq!(back.map(|p| &p.value), Some(&prop.value));
        }
        assert_eq!(props.int(tags::MESSAGE_FLAGS).unwrap() & 1 == 1, n == 0);
        let recipients = message.recipients().await.unwrap();
        assert_eq!(recipients[1].props.text(tags::EMAIL_ADDRESS), Some("bob@example.org"));
        let attachments = message.attachments().await.unwrap();
        assert_eq!(attachments[0].text(tags::ATTACH_LONG_FILENAME), Some(format!("{n}.txt").as_str()));
    }
    assert!(held(&bed.ledger, "handles") < 300);
    drop((inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_message_with_everything_in_it_is_written() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let large = |id, len| PropData::Large(LargeValue { id, len });
    let mut inner = small(1).content;
    inner.props.0.push(Prop { tag: tags::BODY_HTML, name: None, value: large(3, 150_000) });
    let mut deep = small(2).content;
    deep.attachments.push(Attachment {
        number: 1,
        props: PropBag(vec![Prop::new(tags::ATTACH_METHOD, 5)]),
        embedded: Some(Box::new(inner)),
    });
    let name = Arc::new(PropName::lid(Guid::NIL, 5));
    let mut message = small(3);
    message.content.props.0.extend([
        Prop { tag: tags::RTF_COMPRESSED, name: None, value: large(1, 1_000_000) },
        Prop { tag: PropTag(0x8000_0102), name: Some(Arc::clone(&name)), value: large(2, 70_000) },
        Prop::new(tags::TRANSPORT_MESSAGE_HEADERS, "header: ä\r\n".repeat(5000)),
        Prop::new(tags::MESSAGE_SIZE, 12),
    ]);
    message.content.attachments.extend([
        Attachment {
            number: 9,
            props: PropBag(vec![
                Prop::new(tags::ATTACH_METHOD, 1),
                Prop { tag: tags::ATTACH_DATA_BINARY, name: None, value: large(4, 200_000) },
            ]),
            embedded: None,
        },
        Attachment {
            number: 10,
            props: PropBag(vec![Prop::new(tags::ATTACH_METHOD, 5)]),
            embedded: Some(Box::new(deep)),
        },
    ]);
    message.content.recipients =
        (0..700).map(|n| RecipientKind::To.smtp(&format!("R {n}"), &format!("r{n}@example.org"))).collect();
    let added = inbox.add_message(&message, &Pattern).await.unwrap();
    assert_eq!(added.problems.len(), 1);
    assert_eq!(message.content.props.0[added.problems[0].index].tag, tags::MESSAGE_SIZE);
    assert_eq!(added.problems[0].code, MapiCode::AccessDenied);

    let back = inbox.open_message(added.id, Access::ReadOnly).await.unwrap();
    let recipients = back.recipients().await.unwrap();
    assert_eq!(recipients.len(), 700);
    assert_eq!(recipients[699].props.text(tags::DISPLAY_NAME), Some("R 699"));
    let id = logon.prop_ids(&[(*name).clone()], false).await.unwrap()[0].unwrap();
    for (tag, value, len) in
        [(tags::RTF_COMPRESSED, 1, 1_000_000_u64), (PropTag::new(id, PropType::Binary), 2, 70_000)]
    {
        let mut stream = back.open_stream(tag, OpenMode::ReadOnly).await.unwrap();
        assert_eq!(stream.len(), len);
        assert_eq!(stream.read_to_end(1 << 20).await.unwrap(), pattern(value, 0, len));
    }
    let headers = back.props_within(&[tags::TRANSPORT_MESSAGE_HEADERS], 1 << 20).await.unwrap();
    assert_eq!(headers.text(tags::TRANSPORT_MESSAGE_HEADERS), Some("header: ä\r\n".repeat(5000).as_str()));
    let attachment = back.open_attachment(1, Access::ReadOnly).await.unwrap();
    let mut data = attachment.open_data(OpenMode::ReadOnly).await.unwrap();
    assert_eq!(data.read_to_end(1 << 20).await.unwrap(), pattern(4, 0, 200_000));
    let outer = back.open_attachment(2, Access::ReadOnly).await.unwrap();
    let outer = outer.open_embedded(Access::ReadOnly).await.unwrap();
    assert_eq!(outer.subject(), Some("small 2"));
    let inner = outer.open_attachment(1, Access::ReadOnly).await.unwrap();
    let inner = inner.open_embedded(Access::ReadOnly).await.unwrap();
    assert_eq!(inner.subject(), Some("small 1"));
    assert_eq!(inner.recipients().await.unwrap().len(), 2);
    let html = inner.props(&[tags::BODY_HTML]).await.unwrap();
    assert_eq!(
        html.find(tags::BODY_HTML).map(|p| &p.value),
        Some(&PropData::Large(LargeValue { id: u64::from(tags::BODY_HTML.0), len: 150_000 }))
    );
    drop((back, attachment, data, outer, inner, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_not_saved_in_part() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let mut messages: Vec<NewMessage> = (0..300).map(small).collect();
    for message in messages.iter_mut().skip(1).step_by(3) {
        message.content.props.set(PropTag(0x6801_101f), PropValue::MvUnicode(vec!["x".repeat(40_000)]));
    }
    for message in messages.iter_mut().skip(2).step_by(3) {
        let value = PropData::Large(LargeValue { id: 1, len: 5 });
        message.content.attachments[0].props.0.push(Prop { tag: tags::ATTACH_RENDERING, name: None, value });
    }
    // A null in a string has no wire form.
    messages[0].content.recipients[0].set(tags::DISPLAY_NAME, "a\0b");
    let added = inbox.add_messages(&messages, &NoLarge).await.unwrap();
    assert!(matches!(added[0], Err(Error::Setup(SetupError::NoWireForm(_)))));
    for (n, added) in added.iter().enumerate().skip(1) {
        match n % 3 {
            0 => assert!(added.is_ok()),
            1 => assert!(matches!(added, Err(Error::Setup(SetupError::TooLarge { .. })))),
            _ => assert!(matches!(added, Err(Error::Setup(SetupError::Source { .. })))),
        }
    }
    let mut table = inbox.contents_table(Associated::No, &View::of(&[tags::MID])).await.unwrap();
    assert_eq!(table.all_rows(1000).await.unwrap().len(), 99);
    let mut deep = small(0);
    for _ in 0..100 {
        let attachment =
            Attachment { number: 0, props: PropBag::default(), embedded: Some(Box::new(deep.content)) };
        deep.content = MessageContent { attachments: vec![attachment], ..MessageContent::default() };
    }
    assert!(matches!(
        inbox.add_message(&deep, &NoLarge).await,
        Err(Error::Setup(SetupError::TooDeep { .. }))
    ));
    drop((table, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}
