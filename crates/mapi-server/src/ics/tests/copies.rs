use super::*;

fn options(send_options: u8) -> CopyOptions {
    CopyOptions {
        flags: CopyFlags::default(),
        send_options,
        tags: CopyTags::Except(Vec::new()),
        descendants: true,
    }
}

fn rich(subject: &str) -> MessageContent {
    let mut content = text(subject);
    content.recipients.push(PropBag(vec![Prop::new(tags::DISPLAY_NAME, "r")]));
    let embedded = Some(Box::new(text("inner")));
    let props = PropBag(vec![Prop::new(tags::ATTACH_METHOD, 5)]);
    content.attachments.push(Attachment { number: 2, props, embedded });
    content
}

#[tokio::test]
async fn a_list_of_messages() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let one = save(&mailbox, folder, ItemKind::Normal, rich("one")).await;
    let fai = save(&mailbox, folder, ItemKind::Associated, text("fai")).await;
    let elsewhere =
        save(&mailbox, mailbox.special(SpecialFolder::Drafts), ItemKind::Normal, text("elsewhere")).await;
    let ids = vec![fai.id, elsewhere.id, one.id];
    let mut source = Source::copy_messages(origin(&mailbox), folder, ids.clone(), options(1)).unwrap();
    let all = drain(&mut source, Root::MessageList, 200).await.unwrap();
    assert_eq!(subjects(&all), ["fai", "one"]);
    assert_eq!(all[0], Event::MessageBegin { associated: true });
    let Event::Property(mid) = &all[1] else { panic!() };
    assert_eq!(mid.tag, tags::MID);
    let has =
        |all: &[Event], tag: PropTag| all.iter().any(|e| matches!(e, Event::Property(p) if p.tag == tag));
    assert!(!has(&all, tags::CHANGE_KEY) && !has(&all, tags::LAST_MODIFICATION_TIME));
    let keyed = CopyOptions { flags: CopyFlags::of_copy_messages(0x20).unwrap(), ..options(1) };
    let mut source = Source::copy_messages(origin(&mailbox), folder, ids, keyed).unwrap();
    let all = drain(&mut source, Root::MessageList, 9_000).await.unwrap();
    for tag in [tags::SOURCE_KEY, tags::CHANGE_KEY, tags::ORIGINAL_ENTRY_ID, tags::LAST_MODIFICATION_TIME] {
        assert!(has(&all, tag), "{tag}");
    }
    let none = Source::copy_messages(origin(&mailbox), folder, Vec::new(), options(1));
    assert_eq!(none.err(), Some(MapiCode::InvalidParameter));
    assert_eq!((CopyFlags::of_copy_messages(0x40), CopyFlags::of_copy_to(0x10)), (None, None));
}

#[tokio::test]
async fn a_message_and_an_attachment() {
    let mailbox = mailbox().await;
    let head = save(&mailbox, inbox(&mailbox), ItemKind::Normal, rich("one")).await;
    let content = mailbox.message(head.id, false).await.unwrap().content;
    let copy = |options| {
        Source::copy_message(origin(&mailbox), Some(head.clone()), content.clone(), options).unwrap()
    };
    let all = drain(&mut copy(options(1)), Root::MessageContent, 300).await.unwrap();
    assert_eq!(subjects(&all), ["one"]);
    let count = |all: &[Event]| {
        (
            all.iter().filter(|e| **e == Event::RecipientBegin).count(),
            all.iter().filter(|e| **e == Event::EmbeddedBegin).count(),
        )
    };
    assert_eq!(count(&all), (1, 1));
    let flat = drain(&mut copy(CopyOptions { descendants: false, ..options(1) }), Root::MessageContent, 300)
        .await
        .unwrap();
    assert_eq!(count(&flat), (0, 0));
    let tags = CopyTags::Except(vec![tags::MESSAGE_ATTACHMENTS, tags::SUBJECT]);
    let some = drain(&mut copy(CopyOptions { tags, ..options(1) }), Root::MessageContent, 300).await.unwrap();
    assert_eq!((count(&some), subjects(&some).len()), ((1, 0), 0));

    let attachment = content.attachments[0].clone();
    let mut source = Source::copy_attachment(origin(&mailbox), attachment, options(1)).unwrap();
    let all = drain(&mut source, Root::AttachmentContent, 300).await.unwrap();
    assert_eq!(count(&all), (0, 1));
    assert_eq!(source.transfer_state().err(), Some(MapiCode::NotSupported));
    assert_eq!(source.put_state_begin(tags::META_TAG_CNSET_SEEN, 1), Err(MapiCode::NotSupported));
}

#[tokio::test]
async fn folders_with_what_is_in_them() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    for n in 0..200 {
        save(&mailbox, folder, ItemKind::Normal, text(&format!("{n}"))).await;
    }
    save(&mailbox, folder, ItemKind::Associated, text("fai")).await;
    let mut parent = folder;
    for name in ["sub", "subsub"] {
        let new = watertight_mapi::store::NewFolder {
            parent,
            name: name.to_owned(),
            kind: watertight_mapi::store::FolderKind::Generic,
            props: PropBag::default(),
            open_existing: false,
        };
        parent = mailbox.create_folder(new).await.unwrap().0.id;
        save(&mailbox, parent, ItemKind::Normal, text(name)).await;
    }
    let mut source = Source::copy_folder(origin(&mailbox), folder, options(1)).unwrap();
    let all = drain(&mut source, Root::FolderContent, 4_000).await.unwrap();
    let texts = subjects(&all);
    assert_eq!((texts.len(), texts[0].as_str(), texts[1].as_str()), (203, "fai", "0"));
    assert_eq!(texts[200..], ["199", "sub", "subsub"]);
    assert_eq!(all.iter().filter(|e| **e == Event::FolderBegin).count(), 3);
    let deletes = all.iter().filter(|e| matches!(e, Event::DeleteSubobjects(_))).count();
    assert_eq!(deletes, 9);
    let mut source = Source::copy_top_folder(origin(&mailbox), folder, true, options(1)).unwrap();
    let top = drain(&mut source, Root::TopFolder, 4_000).await.unwrap();
    assert_eq!(subjects(&top), texts);
    let mut source = Source::copy_top_folder(origin(&mailbox), folder, false, options(1)).unwrap();
    assert_eq!(subjects(&drain(&mut source, Root::TopFolder, 4_000).await.unwrap()).len(), 201);
    let only = CopyOptions { tags: CopyTags::Only(vec![tags::DISPLAY_NAME]), ..options(1) };
    let mut source = Source::copy_folder(origin(&mailbox), folder, only).unwrap();
    assert!(subjects(&drain(&mut source, Root::FolderContent, 4_000).await.unwrap()).is_empty());
}
