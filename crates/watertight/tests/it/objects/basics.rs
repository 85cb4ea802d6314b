//! What each kind of object can do.

use watertight_mapi::prop::{Prop, PropBag, PropData, tags};
use watertight_mapi::restriction::{FuzzyFlags, FuzzyLevel, RelOp, Restriction};
use watertight_mapi::{Fid, Mid, PropName, PropTag, PropValue};
use watertight_mapi_client::{
    Access, Associated, Completion, Deletion, Depth, Error, OpenMode, Origin, ReadFlag, RecipientKind,
    SeekFrom, Sort, SpecialFolder, Transfer, View,
};
use watertight_wire::{FileTime, Guid};

use super::bed::{Bed, held, logon};

fn mid(row: &PropBag) -> Mid {
    row.id(tags::MID).map_or_else(|| panic!("a row without id: {row:?}"), Mid::from_u64)
}

fn subjects(rows: &[PropBag]) -> Vec<&str> {
    rows.iter().map(|row| row.text(tags::SUBJECT).unwrap_or_default()).collect()
}

const ALL: usize = 10_000;

#[tokio::test]
async fn folders_are_made_listed_renamed_and_deleted() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let top = logon.ipm_subtree().await.unwrap();
    let new = top.create_folder("Projects", "what we do", false).await.unwrap();
    assert!(matches!(top.create_folder("projects", "", false).await, Err(Error::Refused { .. })));
    assert_eq!(top.create_folder("projects", "", true).await.unwrap().id(), new.id());
    new.create_folder("Inner", "", false).await.unwrap();

    let view = View::of(&[tags::DISPLAY_NAME, tags::FOLDER_ID, tags::DEPTH]);
    let mut table = top.hierarchy_table(Depth::All, &view).await.unwrap();
    let rows = table.all_rows(ALL).await.unwrap();
    let inner = rows.iter().find(|row| row.text(tags::DISPLAY_NAME) == Some("Inner")).unwrap();
    assert_eq!(inner.int(tags::DEPTH), Some(2));
    let inner = inner.id(tags::FOLDER_ID).map(Fid::from_u64).unwrap();
    let children = top.hierarchy_table(Depth::Children, &view).await.unwrap().all_rows(ALL).await.unwrap();
    assert!(children.iter().all(|row| row.text(tags::DISPLAY_NAME) != Some("Inner")));

    let problems = new.set_props(&[Prop::new(tags::DISPLAY_NAME, "Plans")]).await.unwrap();
    assert_eq!(problems, []);
    let props = new.props(&[tags::DISPLAY_NAME, tags::COMMENT, tags::SUBJECT]).await.unwrap();
    assert_eq!(props.text(tags::DISPLAY_NAME), Some("Plans"));
    assert_eq!(props.text(tags::COMMENT), Some("what we do"));
    assert_eq!(props.find(tags::SUBJECT), None);

    assert_eq!(top.delete_empty_folder(new.id()).await.unwrap(), Completion::Part);
    assert_eq!(top.delete_folder(new.id(), Deletion::Soft).await.unwrap(), Completion::All);
    assert!(logon.open_folder(inner).await.unwrap_err().is_not_found());

    let store = logon.all_props().await.unwrap();
    assert!(store.find(tags::MAILBOX_OWNER_NAME).is_some(), "{store:?}");
    drop((table, new, top, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_message_is_written_and_read() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let mut message = inbox.create_message(Associated::No).await.unwrap();
    let keywords = PropName::string(Guid::new(0x0002_0329, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46]), "Keywords");
    let long_text = "Grüße 🙂 ".repeat(4000);
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let written = [
        Prop::new(tags::SUBJECT, "Re: hello"),
        Prop::new(tags::IMPORTANCE, 2),
        Prop::new(tags::CLIENT_SUBMIT_TIME, FileTime(0x01d0_0000_0000_0000)),
        Prop::new(tags::BODY, long_text.clone()),
        Prop::new(PropTag(0x6801_0102), bytes.clone()),
        Prop::named(keywords.clone(), PropValue::MvUnicode(vec!["a".into(), "b".into()])),
    ];
    assert_eq!(message.set_props(&written).await.unwrap(), []);
    let problems = message.set_props(&[Prop::new(tags::MESSAGE_SIZE, 5)]).await.unwrap();
    assert_eq!((problems[0].index, problems[0].tag), (0, tags::MESSAGE_SIZE));

    let recipients =
        [RecipientKind::To.smtp("Bob", "bob@example.org"), RecipientKind::Cc.smtp("Zoë", "zoe@example.org")];
    message.set_recipients(&recipients).await.unwrap();
    let back = message.recipients().await.unwrap();
    assert_eq!(back.len(), 2);
    assert_eq!(back[1].props.text(tags::EMAIL_ADDRESS), Some("zoe@example.org"));

    let mut attachment = message.create_attachment().await.unwrap();
    attachment
        .set_props(&[
            Prop::new(tags::ATTACH_METHOD, 1),
            Prop::new(tags::ATTACH_LONG_FILENAME, "data.bin"),
            Prop::new(tags::ATTACH_DATA_BINARY, bytes.clone()),
        ])
        .await
        .unwrap();
    attachment.save().await.unwrap();
    let mut forwarded = message.create_attachment().await.unwrap();
    forwarded.set_props(&[Prop::new(tags::ATTACH_METHOD, 5)]).await.unwrap();
    let mut inner = forwarded.create_embedded().await.unwrap();
    inner.set_props(&[Prop::new(tags::SUBJECT, "inner")]).await.unwrap();
    inner.save().await.unwrap();
    forwarded.save().await.unwrap();
    let id = message.save().await.unwrap();
    assert_eq!(message.id(), Some(id));
    drop((message, attachment, forwarded, inner));

    let message = inbox.open_message(id, Access::ReadOnly).await.unwrap();
    assert_eq!(message.subject(), Some("Re: hello"));
    let back = message.recipients().await.unwrap();
    assert_eq!(back[0].props.text(tags::DISPLAY_NAME), Some("Bob"));
    let props = message.all_props().await.unwrap();
    assert_eq!(props.text(tags::SUBJECT), Some("Re: hello"));
    assert_eq!(props.int(tags::IMPORTANCE), Some(2));
    // 72,000 bytes of UTF-16 are more than what is fetched unasked.
    let Some(PropData::Large(large)) = props.find(tags::BODY).map(|p| &p.value) else { panic!("{props:?}") };
    assert_eq!(large.len, 8000 * 9);
    let named = props.find_named(&keywords).unwrap();
    assert_eq!(named.value, PropData::Inline(PropValue::MvUnicode(vec!["a".into(), "b".into()])));
    let whole = message.props_within(&[tags::BODY, PropTag(0x6801_0102)], 1 << 20).await.unwrap();
    assert_eq!(whole.text(tags::BODY), Some(long_text.as_str()));
    assert_eq!(whole.binary(PropTag(0x6801_0102)), Some(bytes.as_slice()));

    let list = message.attachments().await.unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].text(tags::ATTACH_LONG_FILENAME), Some("data.bin"));
    let attachment = message.open_attachment(0, Access::ReadOnly).await.unwrap();
    let mut data = attachment.open_data(OpenMode::ReadOnly).await.unwrap();
    assert_eq!(data.len(), 100_000);
    assert!(matches!(data.read_to_end(1000).await, Err(Error::Setup(_))));
    assert_eq!(data.read_to_end(100_000).await.unwrap(), bytes);
    assert!(data.read(10).await.unwrap().is_empty());
    assert_eq!(data.seek(SeekFrom::End(-5)).await.unwrap(), 99_995);
    assert_eq!(data.read(10).await.unwrap(), bytes[99_995..]);
    let inner = message.open_attachment(1, Access::ReadOnly).await.unwrap();
    let inner = inner.open_embedded(Access::ReadOnly).await.unwrap();
    assert_eq!(inner.subject(), Some("inner"));
    assert!(message.open_attachment(7, Access::ReadOnly).await.unwrap_err().is_not_found());
    // What was dropped is released with this.
    session.execute(&[], &[]).await.unwrap();
    assert_eq!(held(&bed.ledger, "streams"), 1);
    assert_eq!(held(&bed.ledger, "attachments"), 2);
    assert_eq!(held(&bed.ledger, "messages"), 2);

    drop((message, attachment, data, inner, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn streams_are_written_cut_and_read() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let mut message = inbox.create_message(Associated::No).await.unwrap();
    let mut stream = message.open_stream(tags::HTML, OpenMode::Create).await.unwrap();
    let bytes: Vec<u8> = (0..500_000_u32).map(|n| n.to_be_bytes()[2]).collect();
    stream.write(&bytes).await.unwrap();
    assert_eq!(stream.size().await.unwrap(), 500_000);
    stream.set_size(300_000).await.unwrap();
    stream.seek(SeekFrom::Start(7)).await.unwrap();
    stream.write(b"seven").await.unwrap();
    assert_eq!(stream.seek(SeekFrom::Current(-5)).await.unwrap(), 7);
    assert_eq!(stream.read(5).await.unwrap(), b"seven");
    stream.commit().await.unwrap();
    drop(stream);
    message.save().await.unwrap();
    let mut stream = message.open_stream(tags::HTML, OpenMode::ReadOnly).await.unwrap();
    let back = stream.read_to_end(1 << 20).await.unwrap();
    assert_eq!(back.len(), 300_000);
    assert_eq!((&back[..7], &back[7..12], &back[12..]), (&bytes[..7], &b"seven"[..], &bytes[12..300_000]));
    assert!(matches!(stream.write(b"x").await, Err(Error::Refused { .. })));
    assert!(message.open_stream(tags::RTF_COMPRESSED, OpenMode::ReadOnly).await.unwrap_err().is_not_found());
    drop((stream, message, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn tables_are_sorted_restricted_and_paged() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    for n in 0..30 {
        let mut message = inbox.create_message(Associated::No).await.unwrap();
        message
            .set_props(&[
                Prop::new(tags::SUBJECT, format!("message {n:02}")),
                Prop::new(tags::IMPORTANCE, n % 3),
            ])
            .await
            .unwrap();
        message.save().await.unwrap();
    }
    let columns = [tags::MID, tags::SUBJECT, tags::IMPORTANCE, tags::ATTACH_FILENAME];
    let view = View::of(&columns).sorted(&[Sort::descending(tags::SUBJECT)]);
    let mut table = inbox.contents_table(Associated::No, &view).await.unwrap();
    let page = table.query_rows(3).await.unwrap();
    assert_eq!(subjects(&page), ["message 29", "message 28", "message 27"]);
    assert!(page[0].find(tags::ATTACH_FILENAME).is_none());
    assert_eq!(subjects(&table.peek_rows(1).await.unwrap()), ["message 26"]);
    let position = table.position().await.unwrap();
    assert_eq!((position.row, position.of), (3, 30));
    assert_eq!(table.seek(Origin::End, -2).await.unwrap(), -2);
    assert_eq!(subjects(&table.query_rows(10).await.unwrap()), ["message 01", "message 00"]);
    assert_eq!(table.query_rows(10).await.unwrap(), []);
    assert_eq!(subjects(&table.query_rows_back(1).await.unwrap()), ["message 00"]);
    assert_eq!(table.seek(Origin::Beginning, 1000).await.unwrap(), 30);

    table.restrict(Some(&Restriction::equals(tags::IMPORTANCE, 2))).await.unwrap();
    let rows = table.all_rows(ALL).await.unwrap();
    assert_eq!(rows.len(), 10);
    assert!(matches!(table.restrict(None).await, Ok(())));
    table.sort(&[Sort::ascending(tags::IMPORTANCE), Sort::descending(tags::SUBJECT)]).await.unwrap();
    assert_eq!(subjects(&table.query_rows(2).await.unwrap()), ["message 27", "message 24"]);
    assert!(matches!(table.all_rows(5).await, Err(Error::Setup(_))));
    let contains = Restriction::Content {
        level: FuzzyLevel::Substring,
        flags: FuzzyFlags::IgnoreCase,
        tag: tags::SUBJECT,
        value: watertight_mapi::prop::wire::TaggedPropertyValue::new(tags::SUBJECT, "GE 1".into()),
    };
    let late = Restriction::Property {
        op: RelOp::GreaterOrEqual,
        tag: tags::SUBJECT,
        value: watertight_mapi::prop::wire::TaggedPropertyValue::new(tags::SUBJECT, "message 18".into()),
    };
    let view = View::of(&columns).restricted(Restriction::And(vec![contains, late]));
    let mut found = inbox.contents_table(Associated::No, &view).await.unwrap();
    assert_eq!(found.all_rows(ALL).await.unwrap().len(), 2);
    drop((table, found, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn messages_are_marked_moved_copied_and_deleted() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let trash = logon.folder(SpecialFolder::DeletedItems).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..10 {
        let mut message = inbox.create_message(Associated::No).await.unwrap();
        message.set_props(&[Prop::new(tags::SUBJECT, format!("{n}"))]).await.unwrap();
        ids.push(message.save().await.unwrap());
    }
    assert_eq!(inbox.set_read_flags(&ids[..4], ReadFlag::ReadQuietly).await.unwrap(), Completion::All);
    assert_eq!(inbox.set_read_flags(&ids[..2], ReadFlag::Unread).await.unwrap(), Completion::All);
    let opened = inbox.open_messages(&ids, Access::Best).await.unwrap();
    let flags = [false, false, true, true];
    for (message, read) in opened.iter().zip(flags) {
        let message = message.as_ref().unwrap();
        let props = message.props(&[tags::READ, tags::MESSAGE_FLAGS]).await.unwrap();
        assert_eq!(props.int(tags::MESSAGE_FLAGS).unwrap() & 1 != 0, read);
    }
    opened[0].as_ref().unwrap().set_read_flag(ReadFlag::Read).await.unwrap();

    assert_eq!(inbox.transfer_messages(&ids[..3], &trash, Transfer::Move).await.unwrap(), Completion::All);
    assert_eq!(inbox.transfer_messages(&ids[3..5], &trash, Transfer::Copy).await.unwrap(), Completion::All);
    assert_eq!(inbox.transfer_messages(&ids[5..6], &inbox, Transfer::Copy).await.unwrap(), Completion::All);
    assert_eq!(inbox.transfer_messages(&ids[..1], &trash, Transfer::Move).await.unwrap(), Completion::Part);
    assert_eq!(inbox.delete_messages(&ids[8..], Deletion::Soft).await.unwrap(), Completion::All);
    assert_eq!(inbox.delete_messages(&ids[7..8], Deletion::Hard).await.unwrap(), Completion::All);
    let view = View::of(&[tags::MID, tags::SUBJECT]);
    let count = async |folder: &watertight_mapi_client::Folder| {
        let mut table = folder.contents_table(Associated::No, &view).await.unwrap();
        table.all_rows(ALL).await.unwrap().iter().map(mid).count()
    };
    assert_eq!(count(&inbox).await, 5);
    assert_eq!(count(&trash).await, 5);
    let gone = inbox.open_messages(&ids[6..], Access::ReadOnly).await.unwrap();
    assert!(gone[0].is_ok());
    assert!(gone[1..].iter().all(|m| m.as_ref().is_err_and(Error::is_not_found)));
    drop((opened, gone, inbox, trash, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn names_are_asked_for_once() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let names: Vec<PropName> =
        (0..600).map(|n| PropName::string(Guid::NIL, format!("name {n:03}"))).collect();
    assert!(logon.prop_ids(&names, false).await.unwrap().iter().all(Option::is_none));
    let ids = logon.prop_ids(&names, true).await.unwrap();
    assert!(ids.iter().all(Option::is_some));
    let before = bed.connector.traffic().requests;
    assert_eq!(logon.prop_ids(&names, false).await.unwrap(), ids);
    let ids: Vec<_> = ids.into_iter().flatten().collect();
    let back = logon.prop_names(&ids).await.unwrap();
    assert!(back.iter().zip(&names).all(|(back, name)| back.as_deref() == Some(name)));
    assert_eq!(bed.connector.traffic().requests, before);
    // Another session asks, and has the same.
    let (other, second) = super::bed::logon(&bed).await;
    let back = second.prop_names(&ids).await.unwrap();
    assert!(back.iter().zip(&names).all(|(back, name)| back.as_deref() == Some(name)));
    drop((logon, second));
    session.disconnect().await.unwrap();
    other.disconnect().await.unwrap();
    bed.end().await;
}
