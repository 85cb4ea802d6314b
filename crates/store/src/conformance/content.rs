use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropId, PropName, PropTag, PropType, PropValue,
    prop::{LargeValue, Prop, PropBag, PropData, tags},
    store::{Attachment, INLINE_LIMIT, Mailbox, MessageContent, SpecialFolder, Store, StoreError},
};
use watertight_wire::{FileTime, Guid};

use super::{again, mail, mailbox, new, save, text};

fn every_value() -> Vec<PropValue> {
    use PropValue as V;
    let guid = Guid::from_bytes(*b"0123456789abcdef");
    vec![
        V::Null,
        V::I16(i16::MIN),
        V::I32(-1),
        V::F32(f32::from_bits(0x7FC0_1234)),
        V::F64(f64::from_bits(0xFFF8_0000_DEAD_BEEF)),
        V::F64(-0.0),
        V::Currency(i64::MIN),
        V::FloatingTime(45_000.5),
        V::Error(MapiCode::NotFound),
        V::Bool(true),
        V::Bool(false),
        V::Object(vec![1, 2, 3]),
        V::Object(Vec::new()),
        V::I64(i64::MAX),
        V::String8(vec![0xe4, 0]),
        V::String8(Vec::new()),
        text(""),
        text("Grüße, 世界 \u{1F600} \0 null"),
        V::Time(FileTime(u64::MAX)),
        V::Guid(guid),
        V::ServerId(vec![1]),
        V::Restriction(vec![0; 9]),
        V::RuleAction(vec![7]),
        V::Binary(Vec::new()),
        V::Binary(vec![0xff; INLINE_LIMIT]),
        V::MvI16(vec![1, -2]),
        V::MvI32(Vec::new()),
        V::MvF32(vec![1.5]),
        V::MvF64(vec![2.5, -2.5]),
        V::MvCurrency(vec![1]),
        V::MvFloatingTime(vec![0.25]),
        V::MvI64(vec![5, 6]),
        V::MvString8(vec![b"a".to_vec(), Vec::new()]),
        V::MvUnicode(vec!["ä".into(), String::new(), "c".into()]),
        V::MvTime(vec![FileTime(1), FileTime(2)]),
        V::MvGuid(vec![guid, Guid::NIL]),
        V::MvBinary(vec![vec![1], Vec::new(), vec![0; 70_000]]),
    ]
}

/// Equal, floats by their bits.
fn same(a: &PropBag, b: &PropBag) -> bool {
    format!("{:?}", bits(a)) == format!("{:?}", bits(b))
}

fn bits(bag: &PropBag) -> Vec<(PropTag, Option<PropName>, String)> {
    let value = |p: &Prop| match &p.value {
        PropData::Inline(PropValue::F32(f)) => format!("{:x}", f.to_bits()),
        PropData::Inline(PropValue::F64(f)) => format!("{:x}", f.to_bits()),
        other => format!("{other:?}"),
    };
    bag.0.iter().map(|p| (p.tag, p.name.as_deref().cloned(), value(p))).collect()
}

pub(super) async fn every_type_of_value(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let mut content = mail("types", 5);
    let set = Guid::from_bytes([9; 16]);
    for (n, value) in (0_u16..).zip(every_value()) {
        content.props.put(Prop::new(PropTag::new(PropId(0x6900 + n), value.ty()), value.clone()));
        content.props.put(Prop::named(PropName::lid(set, u32::from(n)), value.clone()));
        content.props.put(Prop::named(PropName::string(set, format!("name {n}")), value));
    }
    let head = save(&mailbox, new(inbox, content.clone())).await;
    let read = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(read.head, head);
    // The mailbox has given the names their identifiers; all else is as it was.
    for (prop, was) in read.content.props.0.iter().zip(&mut content.props.0) {
        if let Some(name) = &prop.name {
            assert_eq!(Some(name), was.name.as_ref());
            let id = mailbox.prop_ids(std::slice::from_ref(&**name), false).await.unwrap()[0];
            assert_eq!(Some(prop.tag.id()), id);
            was.tag = prop.tag;
        }
    }
    assert!(same(&read.content.props, &content.props), "{:#?}\n{:#?}", read.content.props, content.props);
    // An identifier that the mailbox gave out brings its name.
    let name = PropName::lid(set, 0);
    let id = mailbox.prop_ids(std::slice::from_ref(&name), false).await.unwrap()[0].unwrap();
    let mut by_id = mail("by id", 6);
    by_id.props.put(Prop { name: None, ..Prop::new(PropTag::new(id, PropType::I32), 3) });
    let head = save(&mailbox, new(inbox, by_id)).await;
    let read = mailbox.message(head.id, false).await.unwrap();
    assert!(read.content.props.find_named(&name).is_some());
}

pub(super) async fn recipients_attachments_and_messages_in_messages(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let recipient = |name: &str| {
        let mut bag = PropBag::default();
        bag.set(tags::DISPLAY_NAME, name);
        bag.set(tags::RECIPIENT_TYPE, 1);
        bag
    };
    let mut content = mail("innermost", 1);
    for depth in 0..3 {
        let mut outer = mail(&format!("depth {depth}"), 2);
        outer.recipients = vec![recipient("B"), recipient("A"), PropBag::default()];
        let mut props = PropBag::default();
        props.set(tags::ATTACH_METHOD, 5);
        props.put(Prop::named(PropName::string(Guid::NIL, "on an attachment"), 1));
        outer.attachments = vec![
            Attachment { number: 7, props: recipient("plain"), embedded: None },
            Attachment { number: 3, props, embedded: Some(Box::new(content)) },
        ];
        content = outer;
    }
    let head = save(&mailbox, new(mailbox.special(SpecialFolder::Drafts), content.clone())).await;
    assert!(head.has_attachments);
    let read = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(read.content, content);
    assert!(head.size > 100, "{}", head.size);
}

pub(super) async fn a_small_message_in_a_deep_one(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let nested = |depth: usize| {
        let mut content = mail("x", 1);
        for _ in 0..depth {
            let inner =
                Attachment { number: 0, props: PropBag::default(), embedded: Some(Box::new(content)) };
            content = MessageContent { attachments: vec![inner], ..mail("y", 1) };
        }
        content
    };
    let head = save(&mailbox, new(inbox, nested(32))).await;
    assert_eq!(mailbox.message(head.id, false).await.unwrap().content, nested(32));
    let too_deep = mailbox.save_messages(vec![new(inbox, nested(33))]).await;
    assert!(matches!(too_deep, Err(StoreError::Invalid(_))));
}

async fn whole(mailbox: &Arc<dyn Mailbox>, large: LargeValue, step: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let part = mailbox.read_large(large.id, bytes.len().try_into().unwrap(), step).await.unwrap();
        assert!(part.len() <= step);
        if part.is_empty() {
            return bytes;
        }
        bytes.extend(part);
    }
}

fn large(bag: &PropBag, tag: PropTag) -> LargeValue {
    match bag.find(tag).unwrap().value {
        PropData::Large(large) => large,
        PropData::Inline(_) => panic!("{tag} is inline"),
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

pub(super) async fn long_values_lie_out_of_line(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let mut content = mail("long", 1);
    let bytes = pattern(1_000_001);
    let words = "wörd ".repeat(20_000);
    content.props.set(tags::HTML, bytes.as_slice());
    content.props.set(tags::BODY, words.as_str());
    content.props.set(tags::TRANSPORT_MESSAGE_HEADERS, "a".repeat(INLINE_LIMIT / 2));
    content.props.put(Prop::new(tags::ATTACH_DATA_OBJECT, PropValue::Object(pattern(INLINE_LIMIT + 1))));
    let head = save(&mailbox, new(mailbox.special(SpecialFolder::Inbox), content)).await;
    let read = mailbox.message(head.id, false).await.unwrap();
    let html = large(&read.content.props, tags::HTML);
    assert_eq!(html.len, 1_000_001);
    for step in [333_333, INLINE_LIMIT, 10_000_000] {
        assert!(whole(&mailbox, html, step).await == bytes);
    }
    let utf16: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(whole(&mailbox, large(&read.content.props, tags::BODY), 65_536).await == utf16);
    assert!(read.content.props.text(tags::TRANSPORT_MESSAGE_HEADERS).is_some());
    assert_eq!(large(&read.content.props, tags::ATTACH_DATA_OBJECT).len, 65_537);
    assert!(head.size > 1_000_001 + 200_000);
    assert!(mailbox.read_large(html.id, 1_000_001, 10).await.unwrap().is_empty());
    assert!(mailbox.read_large(html.id, u64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(mailbox.read_large(html.id, 1_000_000, 10).await.unwrap(), bytes[1_000_000..]);
    assert!(matches!(mailbox.read_large(999, 0, 1).await, Err(StoreError::NotFound(_))));
    // A new version keeps what it refers to and drops the rest.
    let mut next = mail("long, again", 1);
    next.props.put(read.content.props.find(tags::HTML).unwrap().clone());
    let head = save(&mailbox, again(&head, next)).await;
    assert!(whole(&mailbox, html, 1 << 20).await == bytes);
    let body = large(&read.content.props, tags::BODY);
    assert!(matches!(mailbox.read_large(body.id, 0, 1).await, Err(StoreError::NotFound(_))));
    mailbox.delete_messages(head.folder, &[head.id], true).await.unwrap();
    assert!(matches!(mailbox.read_large(html.id, 0, 1).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn staged_values(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let id = mailbox.create_large().await.unwrap();
    let bytes = pattern(300_000);
    let mut at = 0;
    for part in bytes.chunks(4_099) {
        at = mailbox.write_large(id, at, part).await.unwrap();
    }
    assert_eq!(at, 300_000);
    // Over what is there, within it, across parts.
    let mut bytes = bytes;
    bytes[65_000..135_000].fill(9);
    assert_eq!(mailbox.write_large(id, 65_000, &[9; 70_000]).await.unwrap(), 300_000);
    assert!(matches!(mailbox.write_large(id, 300_001, &[1]).await, Err(StoreError::Invalid(_))));
    mailbox.resize_large(id, 200_001).await.unwrap();
    mailbox.resize_large(id, 400_000).await.unwrap();
    bytes.truncate(200_001);
    bytes.resize(400_000, 0);
    let value = LargeValue { id, len: 400_000 };
    assert!(whole(&mailbox, value, 50_000).await == bytes);
    mailbox.resize_large(id, 65_536).await.unwrap();
    mailbox.resize_large(id, 0).await.unwrap();
    assert!(whole(&mailbox, value, 1).await.is_empty());
    mailbox.write_large(id, 0, &bytes).await.unwrap();

    let mut content = mail("staged", 1);
    let prop = Prop { tag: tags::HTML, name: None, value: PropData::Large(value) };
    content.props.put(prop.clone());
    let head = save(&mailbox, new(mailbox.special(SpecialFolder::Inbox), content.clone())).await;
    let read = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(read.content, content);
    assert!(whole(&mailbox, value, 1 << 20).await == bytes);
    // It belongs to the message now.
    assert!(matches!(mailbox.write_large(id, 0, &[1]).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.resize_large(id, 1).await, Err(StoreError::NotFound(_))));
    mailbox.discard_large(id).await.unwrap();
    assert!(whole(&mailbox, value, 1 << 20).await == bytes);

    let lost = mailbox.create_large().await.unwrap();
    mailbox.write_large(lost, 0, &bytes).await.unwrap();
    mailbox.discard_large(lost).await.unwrap();
    mailbox.discard_large(lost).await.unwrap();
    assert!(matches!(mailbox.read_large(lost, 0, 1).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.write_large(lost, 0, &[1]).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn staged_values_stay_private(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let id = mailbox.create_large().await.unwrap();
    mailbox.write_large(id, 0, &[1; 100]).await.unwrap();
    let with = |id, len| {
        let mut content = mail("x", 1);
        content.props.put(Prop {
            tag: tags::HTML,
            name: None,
            value: PropData::Large(LargeValue { id, len }),
        });
        content
    };
    let wrong = mailbox.save_messages(vec![new(inbox, with(id, 99))]).await;
    assert!(matches!(wrong, Err(StoreError::Invalid(_))));
    let nowhere = mailbox.save_messages(vec![new(inbox, with(12_345, 99))]).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));
    save(&mailbox, new(inbox, with(id, 100))).await;
    let somebody_elses = mailbox.save_messages(vec![new(inbox, with(id, 100))]).await;
    assert!(matches!(somebody_elses, Err(StoreError::NotFound(_))));
}

pub(super) async fn what_does_not_fit_is_refused(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let refused = |prop: Prop| {
        let mailbox = Arc::clone(&mailbox);
        async move {
            let mut content = mail("x", 1);
            content.props.put(prop);
            let result = mailbox.save_messages(vec![new(inbox, content)]).await;
            assert!(matches!(result, Err(StoreError::Invalid(_))), "{result:?}");
        }
    };
    refused(Prop::new(tags::BODY, 1)).await;
    refused(Prop::new(PropTag::new(PropId(0x8123), PropType::I32), 1)).await;
    let value = PropData::Large(LargeValue { id: 1, len: 1 });
    refused(Prop { tag: tags::IMPORTANCE, name: None, value }).await;
    // What the store computes is dropped.
    let mut content = mail("x", 1);
    content.props.set(tags::CREATION_TIME, FileTime(5));
    content.props.set(tags::CHANGE_KEY, &b"forged"[..]);
    let head = save(&mailbox, new(inbox, content)).await;
    let read = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(read.content, mail("x", 1));
}
