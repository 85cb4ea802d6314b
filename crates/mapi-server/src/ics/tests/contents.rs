use watertight_mapi::store::MoveCopy;

use super::{
    client::{Client, Dice},
    *,
};

#[tokio::test]
async fn every_property_recipient_and_attachment_arrives_as_it_is_stored() {
    let mailbox = mailbox().await;
    let large: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let long = "Zeile mit Umlaut: äöü 😀\r\n".repeat(8_000);
    let mut content = text("whole");
    content.props.set(tags::BODY, long.as_str());
    content.props.set(tags::HTML, b"<p>".to_vec());
    content.props.put(Prop::named(
        watertight_mapi::PropName::string(watertight_wire::Guid::from_bytes([3; 16]), "Keywords"),
        PropValue::MvUnicode(vec!["rot".to_owned(), "grün".to_owned()]),
    ));
    for n in 0..3 {
        let mut bag = PropBag::default();
        bag.set(tags::RECIPIENT_TYPE, n + 1);
        bag.set(tags::DISPLAY_NAME, format!("r{n}"));
        content.recipients.push(bag);
    }
    let mut file = PropBag::default();
    file.set(tags::ATTACH_METHOD, 1);
    file.set(tags::ATTACH_DATA_BINARY, large.clone());
    content.attachments.push(Attachment { number: 4, props: file, embedded: None });
    let mut inner = PropBag::default();
    inner.set(tags::ATTACH_METHOD, 5);
    let embedded = Some(Box::new(MessageContent { recipients: content.recipients.clone(), ..text("inner") }));
    content.attachments.push(Attachment { number: 9, props: inner, embedded });
    let folder = inbox(&mailbox);
    let head = save(&mailbox, folder, ItemKind::Normal, content.clone()).await;

    for max in [600, 8_000, 32_000, 1_000_000] {
        let mut source = Source::synchronize(origin(&mailbox), folder, request(1, ALL_FLAGS)).unwrap();
        let all = drain(&mut source, Root::ContentsSync, max).await.unwrap();
        let Event::ProgressTotal(progress) = &all[0] else { panic!() };
        assert_eq!((progress.normal_count, progress.normal_size, progress.fai_count), (1, head.size, 0));
        let Event::MessageChange(header) = &all[2] else { panic!("{:?}", all[2]) };
        assert_eq!((&header.change_key, header.modified), (&head.change_key, head.modified));
        assert_eq!(header.size.map(u64::from), Some(head.size));

        // Put together again what came.
        let (mut values, mut blobs, mut open) = (Vec::new(), Vec::new(), None);
        let mut marks = Vec::new();
        for event in &all[3..] {
            match event {
                Event::Property(prop) => values.push(prop.clone()),
                Event::LargeBegin { tag, .. } => open = Some((*tag, Vec::new())),
                Event::LargeChunk(bytes) => {
                    assert!(bytes.len() <= 32 * 1024);
                    open.as_mut().unwrap().1.extend_from_slice(bytes);
                }
                Event::LargeEnd => blobs.push(open.take().unwrap()),
                Event::RecipientBegin => marks.push("r"),
                Event::AttachmentBegin { number } => marks.push(if *number == Some(4) { "a4" } else { "a9" }),
                Event::EmbeddedBegin => marks.push("e("),
                Event::EmbeddedEnd => marks.push(")"),
                Event::DeleteSubobjects(_) => marks.push("-"),
                Event::MessageEnd => break,
                _ => {}
            }
        }
        assert_eq!(marks.join(" "), "- r r r - a4 a9 e( - r r r - )");
        let body: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(blobs, [(tags::BODY, body), (tags::ATTACH_DATA_BINARY, large.clone())]);
        for want in content.props.0.iter().filter(|p| p.tag != tags::BODY) {
            let same = |p: &Prop| p.value == want.value && p.name == want.name;
            assert!(values.iter().any(same), "{want:?}");
        }
    }
}

#[tokio::test]
async fn nothing_changed_is_some_two_hundred_bytes() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    for n in 0..300 {
        save(&mailbox, folder, ItemKind::Normal, text(&format!("{n}"))).await;
    }
    let state = final_state(&events(&mailbox, folder, request(1, ALL_FLAGS), &State::default()).await);
    let mut source = Source::synchronize(origin(&mailbox), folder, request(1, ALL_FLAGS)).unwrap();
    upload(&mut source, &state, false);
    let filled = source.fill(32_000).await.unwrap();
    assert_eq!(filled.status, TransferStatus::Done);
    assert!(filled.bytes.len() <= 220, "{}", filled.bytes.len());
}

#[tokio::test]
async fn deletions_moves_and_read_states() {
    let mailbox = mailbox().await;
    let (folder, drafts) = (inbox(&mailbox), mailbox.special(SpecialFolder::Drafts));
    let mut heads = Vec::new();
    for n in 0..10 {
        heads.push(save(&mailbox, folder, ItemKind::Normal, text(&format!("m{n}"))).await);
    }
    let id = |n: usize| heads[n].id;
    let state = final_state(&events(&mailbox, folder, request(1, ALL_FLAGS), &State::default()).await);
    mailbox.delete_messages(folder, &[id(0), id(1)], false).await.unwrap();
    mailbox.delete_messages(folder, &[id(2)], true).await.unwrap();
    let job = MoveCopy { from: folder, to: drafts, ids: vec![id(3), id(4)], copy: false };
    mailbox.move_copy(job).await.unwrap();
    mailbox.set_read(folder, &[id(5), id(6)], true).await.unwrap();
    change(&mailbox, &heads[7], text("m7 changed")).await;
    // Read and changed: it comes whole, and not among the read states.
    mailbox.set_read(folder, &[id(8)], true).await.unwrap();
    let now = mailbox.message(id(8), false).await.unwrap().head;
    change(&mailbox, &now, text("m8 changed")).await;

    let all = events(&mailbox, folder, request(1, ALL_FLAGS), &state).await;
    assert_eq!(subjects(&all), ["m7 changed", "m8 changed"]);
    let of = |ids: &[usize]| ids.iter().map(|n| id(*n).0).collect::<GlobSet>();
    let gone =
        all.iter().find_map(|e| if let Event::Deletions(gone) = e { Some(gone) } else { None }).unwrap();
    assert_eq!(gone.deleted.get(ReplId(1)), Some(&of(&[2, 3, 4])));
    assert_eq!(gone.no_longer_in_scope.get(ReplId(1)), Some(&of(&[0, 1])));
    let marked = all.iter().find_map(|e| if let Event::ReadStates(m) = e { Some(m) } else { None }).unwrap();
    assert_eq!(marked.read.get(ReplId(1)), Some(&of(&[5, 6])));
    assert!(marked.unread.is_empty());
    let after = final_state(&all);
    assert_eq!(after.given.get(mailbox.info().repl_guid), Some(&of(&[5, 6, 7, 8, 9])));

    mailbox.set_read(folder, &[id(5)], false).await.unwrap();
    let all = events(&mailbox, folder, request(1, ALL_FLAGS), &after).await;
    let marked = all.iter().find_map(|e| if let Event::ReadStates(m) = e { Some(m) } else { None }).unwrap();
    assert_eq!((marked.read.len(), marked.unread.get(ReplId(1))), (0, Some(&of(&[5]))));
}

#[tokio::test]
async fn fai_and_normal_messages_are_kept_apart() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    save(&mailbox, folder, ItemKind::Normal, text("n1")).await;
    let f1 = save(&mailbox, folder, ItemKind::Associated, text("f1")).await;
    let (normal, fai) = (0x0021_u16, 0x0011_u16);
    let only_normal = events(&mailbox, folder, request(1, normal), &State::default()).await;
    assert_eq!(subjects(&only_normal), ["n1"]);
    let state = final_state(&only_normal);
    assert!(state.seen_fai.is_empty() && state.read.is_empty() && !state.seen.is_empty());
    // With that state the FAI message still comes, and no normal one.
    let both = events(&mailbox, folder, request(1, normal | fai), &state).await;
    assert_eq!(subjects(&both), ["f1"]);
    let state = final_state(&both);
    save(&mailbox, folder, ItemKind::Normal, text("n2")).await;
    change(&mailbox, &f1, text("f1 changed")).await;
    let only_fai = events(&mailbox, folder, request(1, fai), &state).await;
    assert_eq!(subjects(&only_fai), ["f1 changed"]);
    assert!(!only_fai.iter().any(|e| matches!(e, Event::Deletions(_))), "normal messages are not gone");
    assert_eq!(
        subjects(&events(&mailbox, folder, request(1, normal), &final_state(&only_fai)).await),
        ["n2"]
    );
}

/// Whatever happens, whenever a download is given up, the client ends with what the server has, and is sent nothing
/// that it has.
#[tokio::test]
async fn a_replica_follows_the_folder_through_everything() {
    for seed in 1..=12 {
        follow(&mailbox().await, seed, 40).await;
    }
}

#[tokio::test]
async fn a_replica_follows_a_folder_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path(), &Ledger::new("store")).unwrap();
    follow(&mailbox_of(&store).await, 99, 25).await;
}

async fn follow(mailbox: &Arc<dyn Mailbox>, seed: u64, rounds: usize) {
    let (folder, other) = (inbox(mailbox), mailbox.special(SpecialFolder::Drafts));
    let (mut dice, mut client) = (Dice(seed), Client::default());
    for round in 0..rounds {
        for step in 0..dice.roll(6) {
            happen(mailbox, folder, other, &mut dice, &format!("{seed} {round} {step}")).await;
        }
        let stop = (dice.roll(3) == 0).then(|| u32::try_from(dice.roll(4) + 1).unwrap());
        let max = [700, 4_000, 32_000][dice.roll(3)];
        let mut request = request(1, ALL_FLAGS);
        if dice.roll(2) == 0 {
            request.extra_flags |= 0x08;
        }
        client.synchronize(mailbox, folder, request, max, stop).await;
        assert_eq!(client.doubled, 0, "seed {seed} round {round}");
        if stop.is_none() {
            assert_eq!(client.messages, Client::expected(mailbox, folder).await, "seed {seed} round {round}");
        }
    }
}

/// One thing that happens to a folder.
async fn happen(
    mailbox: &Arc<dyn Mailbox>,
    folder: FolderId,
    other: FolderId,
    dice: &mut Dice,
    subject: &str,
) {
    let kind = if dice.roll(5) == 0 { ItemKind::Associated } else { ItemKind::Normal };
    let ids: Vec<_> = mailbox.message_ids(folder, kind).await.unwrap().iter().map(MessageId).collect();
    let any = if ids.is_empty() { None } else { Some(ids[dice.roll(ids.len())]) };
    match (dice.roll(8), any) {
        (0..=2, _) | (_, None) => {
            save(mailbox, folder, kind, text(subject)).await;
        }
        (3, Some(id)) => {
            let head = mailbox.message(id, false).await.unwrap().head;
            change(mailbox, &head, text(&format!("{subject} changed"))).await;
        }
        (4, Some(id)) => {
            let soft = dice.roll(2) == 0;
            mailbox.delete_messages(folder, &[id], !soft).await.unwrap();
        }
        (5, Some(id)) => {
            let job = MoveCopy { from: folder, to: other, ids: vec![id], copy: dice.roll(2) == 0 };
            mailbox.move_copy(job).await.unwrap();
        }
        (_, Some(id)) => {
            let read = dice.roll(2) == 0;
            mailbox.set_read(folder, &[id], read).await.unwrap();
        }
    }
}

#[tokio::test]
async fn newest_delivery_comes_first() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    for day in [3, 1, 5, 2, 4] {
        let mut content = text(&format!("day {day}"));
        content
            .props
            .set(tags::MESSAGE_DELIVERY_TIME, watertight_wire::FileTime::from_unix_seconds(day * 86_400));
        save(&mailbox, folder, ItemKind::Normal, content).await;
    }
    let mut ordered = request(1, ALL_FLAGS);
    ordered.extra_flags |= 0x08;
    let all = events(&mailbox, folder, ordered, &State::default()).await;
    assert_eq!(subjects(&all), ["day 5", "day 4", "day 3", "day 2", "day 1"]);
    let all = events(&mailbox, folder, request(1, ALL_FLAGS), &State::default()).await;
    assert_eq!(subjects(&all), ["day 3", "day 1", "day 5", "day 2", "day 4"]);
}

/// A message of which a large part vanishes while it is being sent.
async fn vanishing(send_options: u8) -> (Arc<dyn Mailbox>, Result<Vec<Event>, MapiCode>) {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    save(&mailbox, folder, ItemKind::Normal, text("before")).await;
    let mut content = text("vanishes");
    let mut file = PropBag::default();
    file.set(tags::ATTACH_DATA_BINARY, vec![7; 400_000]);
    content.attachments.push(Attachment { number: 0, props: file, embedded: None });
    let head = save(&mailbox, folder, ItemKind::Normal, content).await;
    save(&mailbox, folder, ItemKind::Normal, text("after")).await;
    let request = SyncRequest { send_options, ..request(1, ALL_FLAGS) };
    let mut source = Source::synchronize(origin(&mailbox), folder, request).unwrap();
    let (mut download, mut all, mut buffers) = (Download::new(Root::ContentsSync), Vec::new(), 0);
    let result = loop {
        match source.fill(30_000).await {
            Err(code) => break Err(code),
            Ok(filled) => {
                download.handle_input(&filled.bytes);
                while let Some(event) = download.poll_event().unwrap() {
                    all.push(event);
                }
                if filled.status == TransferStatus::Done {
                    break Ok(all);
                }
            }
        }
        buffers += 1;
        if buffers == 3 {
            mailbox.delete_messages(folder, &[head.id], true).await.unwrap();
        }
    };
    if let Err(code) = result {
        assert_eq!(source.fill(30_000).await, Err(code), "and goes on to say so");
    }
    (mailbox, result)
}

#[tokio::test]
async fn with_recover_mode_an_object_that_cannot_be_read_costs_that_object() {
    let (mailbox, result) = vanishing(0x05).await;
    let all = result.unwrap();
    assert_eq!(subjects(&all), ["before", "vanishes", "after"]);
    let failed =
        all.iter().find_map(|e| if let Event::ObjectFailed(info) = e { Some(info) } else { None }).unwrap();
    assert_eq!(failed.code, MapiCode::NotFound);
    assert_eq!(failed.folder.as_ref().unwrap().counter(), Some(inbox(&mailbox).0));
    assert_eq!(all.iter().filter(|e| **e == Event::MessageEnd).count(), 2);
    let state = final_state(&all);
    assert_eq!(state.given.len(), 2);
    let failed_cn = state.seen.get(mailbox.info().repl_guid).unwrap().ranges().len();
    assert_eq!(failed_cn, 2, "its change is not among those seen");
}

/// Flips a bit of those bytes, which a file holds somewhere.
fn damage(dir: &std::path::Path, bytes: &[u8]) {
    let mut files = std::fs::read_dir(dir.join("mailboxes")).unwrap().map(|file| file.unwrap().path());
    let file = files.find(|file| file.extension().is_some_and(|e| e == "db")).unwrap();
    let mut all = std::fs::read(&file).unwrap();
    let at = all.windows(bytes.len()).position(|w| w == bytes).unwrap();
    all[at + bytes.len() - 1] ^= 1;
    std::fs::write(file, all).unwrap();
}

#[tokio::test]
async fn a_damaged_row_costs_its_message_and_no_other() {
    const TIME: u64 = 0x01D9_ABCD_1234_5678;
    let dir = tempfile::tempdir().unwrap();
    let guid = {
        let store = SqliteStore::open(dir.path(), &Ledger::new("test")).unwrap();
        let mailbox = mailbox_of(&store).await;
        for (subject, modified) in
            [("first", 1), ("damaged one", 2), ("between", 3), ("row", TIME), ("last", 5)]
        {
            let message = SaveMessage {
                folder: inbox(&mailbox),
                id: None,
                expected: None,
                kind: ItemKind::Normal,
                read: false,
                modified: Some(watertight_wire::FileTime(modified)),
                content: text(subject),
            };
            mailbox.save_messages(vec![message]).await.unwrap();
        }
        mailbox.info().mailbox_guid
    };
    damage(dir.path(), b"damaged one");
    damage(dir.path(), &TIME.to_be_bytes());
    let store = SqliteStore::open(dir.path(), &Ledger::new("test")).unwrap();
    let mailbox = store.mailbox(guid).await.unwrap();
    for extra in [ALL_EXTRA, ALL_EXTRA | 0x08, 0] {
        let first = SyncRequest { send_options: 0x05, extra_flags: extra, ..request(1, ALL_FLAGS) };
        let all = events(&mailbox, inbox(&mailbox), first, &State::default()).await;
        let mut whole = subjects(&all);
        whole.sort();
        assert_eq!(whole, ["between", "first", "last"]);
        assert_eq!(all.iter().filter(|e| **e == Event::MessageEnd).count(), 3);
        assert_eq!(all.iter().filter(|e| matches!(e, Event::ObjectFailed(_))).count(), 2);
        let state = final_state(&all);
        assert_eq!(state.given.get(mailbox.info().repl_guid).unwrap().len(), 3);
        // Those that failed are offered again, and no other.
        let again = SyncRequest { send_options: 0x05, ..request(1, ALL_FLAGS) };
        let all = events(&mailbox, inbox(&mailbox), again, &state).await;
        assert!(subjects(&all).is_empty());
        assert_eq!(all.iter().filter(|e| matches!(e, Event::ObjectFailed(_))).count(), 2);
    }
}

#[tokio::test]
async fn without_it_the_download_fails() {
    assert_eq!(vanishing(0x01).await.1, Err(MapiCode::NotFound));
}

#[tokio::test]
async fn what_happens_during_a_download_is_for_the_next_one() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let mut heads = Vec::new();
    for n in 0..5 {
        heads.push(save(&mailbox, folder, ItemKind::Normal, text(&format!("{n}"))).await);
    }
    let mut client = Client::default();
    let mut source = Source::synchronize(origin(&mailbox), folder, request(1, ALL_FLAGS)).unwrap();
    // Begun, and all produced up to the middle.
    let first = source.fill(900).await.unwrap();
    change(&mailbox, &heads[0], text("0 changed")).await;
    mailbox.delete_messages(folder, &[heads[1].id], true).await.unwrap();
    mailbox.set_read(folder, &[heads[2].id], true).await.unwrap();
    save(&mailbox, folder, ItemKind::Normal, text("5")).await;
    let mut download = Download::new(Root::ContentsSync);
    download.handle_input(&first.bytes);
    let mut all = Vec::new();
    while let Some(event) = download.poll_event().unwrap() {
        all.push(event);
    }
    loop {
        let filled = source.fill(900).await.unwrap();
        download.handle_input(&filled.bytes);
        while let Some(event) = download.poll_event().unwrap() {
            all.push(event);
        }
        if filled.status == TransferStatus::Done {
            break;
        }
    }
    // A client that has what came, with the final state, gets the rest.
    client.state = final_state(&all);
    let mut pending = None;
    for event in all {
        match event {
            Event::MessageChange(header) => {
                pending = Some((header.source_key.counter().unwrap(), header.change_key.counter().unwrap()));
            }
            Event::MessageEnd => {
                let (id, change) = pending.take().unwrap();
                let copy = client::Copy { subject: String::new(), read: false, change, associated: false };
                client.messages.insert(id, copy);
            }
            Event::Deletions(gone) => {
                for id in gone.deleted.iter().flat_map(|(_, ids)| ids.iter()) {
                    client.messages.remove(&id);
                }
            }
            _ => {}
        }
    }
    client.synchronize(&mailbox, folder, request(1, ALL_FLAGS), 32_000, None).await;
    let expected = Client::expected(&mailbox, folder).await;
    let versions =
        |all: &BTreeMap<GlobCnt, client::Copy>| all.iter().map(|(id, c)| (*id, c.change)).collect::<Vec<_>>();
    assert_eq!(versions(&client.messages), versions(&expected));
    assert!(client.messages[&heads[2].id.0].read);
}

#[tokio::test]
async fn states_are_given_back_as_they_came_or_as_they_are_now() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    save(&mailbox, folder, ItemKind::Normal, text("1")).await;
    let mut state = State::default();
    let foreign = watertight_wire::Guid::from_bytes([9; 16]);
    state.given.insert(foreign, GlobCnt::new(5).unwrap());
    state.seen.put(foreign, GlobSet::up_to(GlobCnt::new(8).unwrap()));
    let mut source = Source::synchronize(origin(&mailbox), folder, request(1, ALL_FLAGS)).unwrap();
    upload(&mut source, &state, false);
    async fn asked(source: &Source) -> State {
        let mut transfer = source.transfer_state().unwrap();
        final_state(&drain(&mut transfer, Root::State, 100).await.unwrap())
    }
    assert_eq!(asked(&source).await, state);
    let all = drain(&mut source, Root::ContentsSync, 500).await.unwrap();
    let last = final_state(&all);
    assert_eq!(asked(&source).await, last);
    assert!(
        last.given.contains(foreign, GlobCnt::new(5).unwrap()) && last.given.len() == 2,
        "others are left alone"
    );
    assert_eq!(last.seen.get(foreign), state.seen.get(foreign));
    assert_eq!(source.put_state_begin(tags::META_TAG_CNSET_SEEN, 0), Err(MapiCode::NotSupported), "too late");
}

#[tokio::test]
async fn what_cannot_be_uploaded_or_configured() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let new = |request| Source::synchronize(origin(&mailbox), folder, request).err();
    for bad in [
        request(4, ALL_FLAGS),
        request(1, 0x1000),
        request(1, 0x0040),
        SyncRequest { send_options: 0x80, ..request(1, ALL_FLAGS) },
        SyncRequest {
            restriction: Some(watertight_mapi::restriction::Restriction::And(Vec::new())),
            ..request(2, 1)
        },
    ] {
        assert_eq!(new(bad), Some(MapiCode::InvalidParameter));
    }
    let mut source = Source::synchronize(origin(&mailbox), folder, request(1, ALL_FLAGS)).unwrap();
    assert_eq!(source.put_state_continue(&[1]), Err(MapiCode::NotSupported));
    assert_eq!(source.put_state_end(), Err(MapiCode::NotSupported));
    assert_eq!(source.put_state_begin(tags::SUBJECT, 1), Err(MapiCode::InvalidParameter));
    assert_eq!(source.put_state_begin(tags::META_TAG_CNSET_READ, u32::MAX), Err(MapiCode::InvalidParameter));
    source.put_state_begin(tags::META_TAG_CNSET_READ, 1).unwrap();
    assert_eq!(source.put_state_begin(tags::META_TAG_CNSET_SEEN, 1), Err(MapiCode::NotSupported));
    source.put_state_continue(&[1, 2, 3]).unwrap();
    assert_eq!(source.put_state_end(), Err(MapiCode::RpcFormat));
    assert_eq!(source.fill(3).await, Err(MapiCode::BufferTooSmall));
    assert!(source.fill(100).await.is_ok(), "which does not end it");
}
