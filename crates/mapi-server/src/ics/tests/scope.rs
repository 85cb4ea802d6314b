use watertight_mapi::restriction::{RelOp, Restriction};

use super::*;

fn subject_is(text: &str) -> Restriction {
    use watertight_mapi::prop::wire::TaggedPropertyValue;
    Restriction::Property {
        op: RelOp::Equal,
        tag: tags::SUBJECT,
        value: TaggedPropertyValue { tag: tags::SUBJECT, value: text.into() },
    }
}

fn gone(events: &[Event]) -> Option<watertight_mapi::ics::syntactical::Deletions> {
    events.iter().find_map(|e| if let Event::Deletions(gone) = e { Some(gone.clone()) } else { None })
}

#[tokio::test]
async fn a_restriction_limits_what_comes_and_what_leaves() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let wanted = save(&mailbox, folder, ItemKind::Normal, text("yes")).await;
    let stays = save(&mailbox, folder, ItemKind::Normal, text("yes")).await;
    let deleted = save(&mailbox, folder, ItemKind::Normal, text("yes")).await;
    save(&mailbox, folder, ItemKind::Normal, text("no")).await;
    let restricted = |flags| SyncRequest { restriction: Some(subject_is("yes")), ..request(1, flags) };
    let all = events(&mailbox, folder, restricted(ALL_FLAGS), &State::default()).await;
    assert_eq!(subjects(&all), ["yes", "yes", "yes"]);
    let Event::ProgressTotal(progress) = &all[0] else { panic!() };
    assert_eq!(progress.normal_count, 3);
    let state = final_state(&all);
    change(&mailbox, &wanted, text("no longer")).await;
    mailbox.delete_messages(folder, &[deleted.id], true).await.unwrap();
    mailbox.set_read(folder, &[wanted.id, stays.id], true).await.unwrap();
    let all = events(&mailbox, folder, restricted(ALL_FLAGS), &state).await;
    assert!(subjects(&all).is_empty());
    let left = gone(&all).unwrap();
    assert_eq!(left.no_longer_in_scope.get(ReplId(1)), Some(&[wanted.id.0].into_iter().collect()));
    assert_eq!(left.deleted.get(ReplId(1)), Some(&[deleted.id.0].into_iter().collect()));
    let marked = all.iter().find_map(|e| if let Event::ReadStates(m) = e { Some(m) } else { None }).unwrap();
    assert_eq!(marked.read.get(ReplId(1)), Some(&[stays.id.0].into_iter().collect()));
    assert_eq!(final_state(&all).given.len(), 1);

    let quiet = events(&mailbox, folder, restricted(ALL_FLAGS | 0x0004), &state).await;
    assert!(gone(&quiet).unwrap().no_longer_in_scope.is_empty());
    let silent = events(&mailbox, folder, restricted(ALL_FLAGS | 0x0002), &state).await;
    assert!(gone(&silent).is_none() && final_state(&silent).given.len() == 3);
}

#[tokio::test]
async fn soft_deletions_are_reported_even_where_scope_is_ignored() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let head = save(&mailbox, folder, ItemKind::Normal, text("x")).await;
    let state = final_state(&events(&mailbox, folder, request(1, ALL_FLAGS), &State::default()).await);
    mailbox.delete_messages(folder, &[head.id], false).await.unwrap();
    let left = gone(&events(&mailbox, folder, request(1, ALL_FLAGS | 0x0004), &state).await).unwrap();
    assert_eq!((left.deleted.len(), left.no_longer_in_scope.len()), (1, 0));
}

fn tags_of(events: &[Event]) -> Vec<PropTag> {
    events.iter().filter_map(|e| if let Event::Property(p) = e { Some(p.tag) } else { None }).collect()
}

#[tokio::test]
async fn properties_and_subobjects_are_chosen() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let mut content = text("s");
    content.props.set(tags::BODY, "b");
    content.recipients.push(PropBag(vec![Prop::new(tags::DISPLAY_NAME, "r")]));
    content.attachments.push(Attachment::default());
    save(&mailbox, folder, ItemKind::Normal, content.clone()).await;
    save(&mailbox, folder, ItemKind::Associated, content).await;
    let normal = 0x8001 | 0x0020;
    let chosen = |flags, tags: &[PropTag]| SyncRequest { tags: tags.to_vec(), ..request(1, flags) };

    let all = events(&mailbox, folder, chosen(normal | 0x0080, &[tags::SUBJECT]), &State::default()).await;
    assert_eq!(tags_of(&all), [tags::SUBJECT]);
    assert!(!all.iter().any(|e| matches!(e, Event::DeleteSubobjects(_) | Event::RecipientBegin)));
    let with = [tags::SUBJECT, tags::MESSAGE_RECIPIENTS];
    let all = events(&mailbox, folder, chosen(normal | 0x0080, &with), &State::default()).await;
    assert_eq!(tags_of(&all), [tags::SUBJECT, tags::ROWID, tags::DISPLAY_NAME]);
    assert!(!all.iter().any(|e| matches!(e, Event::AttachmentBegin { .. })));

    let without = [tags::BODY, tags::MESSAGE_ATTACHMENTS];
    let all = events(&mailbox, folder, chosen(normal, &without), &State::default()).await;
    let have = tags_of(&all);
    assert!(have.contains(&tags::SUBJECT) && !have.contains(&tags::BODY));
    assert!(
        all.contains(&Event::RecipientBegin)
            && !all.iter().any(|e| matches!(e, Event::AttachmentBegin { .. }))
    );

    // FAI messages come whole when they are exempt.
    let fai = 0x0011 | 0x0080;
    let all = events(&mailbox, folder, chosen(fai, &[tags::SUBJECT]), &State::default()).await;
    assert_eq!(tags_of(&all), [tags::SUBJECT]);
    let all = events(&mailbox, folder, chosen(fai | 0x4000, &[tags::SUBJECT]), &State::default()).await;
    assert!(tags_of(&all).contains(&tags::BODY) && all.contains(&Event::RecipientBegin));
}

#[tokio::test]
async fn the_header_has_what_was_asked_for() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    save(&mailbox, folder, ItemKind::Normal, text("x")).await;
    for extra_flags in [0, 1, 2, 4, 0xFFFF_FFF7] {
        let request = SyncRequest { extra_flags, ..request(1, 0x0021) };
        let all = events(&mailbox, folder, request, &State::default()).await;
        let Event::MessageChange(header) = &all[0] else { panic!("no progress was asked for") };
        assert_eq!(header.mid.is_some(), extra_flags & 1 != 0);
        assert_eq!(header.size.is_some(), extra_flags & 2 != 0);
        assert_eq!(header.change_number.is_some(), extra_flags & 4 != 0);
    }
}

#[tokio::test]
async fn only_the_best_body_comes_when_it_is_asked_for() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    for native in 1..4 {
        let mut content = text("x");
        content.props.set(tags::BODY, "b");
        content.props.set(tags::HTML, vec![1]);
        content.props.set(tags::RTF_COMPRESSED, vec![2]);
        content.props.set(tags::NATIVE_BODY, native);
        save(&mailbox, folder, ItemKind::Normal, content).await;
    }
    let bodies = |all: &[Event]| {
        let wanted = [tags::BODY, tags::HTML, tags::RTF_COMPRESSED];
        tags_of(all).into_iter().filter(|tag| wanted.contains(tag)).collect::<Vec<_>>()
    };
    let best = events(&mailbox, folder, request(1, 0x2021), &State::default()).await;
    assert_eq!(bodies(&best), [tags::BODY, tags::RTF_COMPRESSED, tags::HTML]);
    assert_eq!(bodies(&events(&mailbox, folder, request(1, 0x0021), &State::default()).await).len(), 9);
}

#[tokio::test]
async fn strings_come_in_the_code_page_when_unicode_is_not_asked_for() {
    let mailbox = mailbox().await;
    let folder = inbox(&mailbox);
    let mut content = text("Grüße Łódź");
    content.props.set(tags::BODY, "ü€ ".repeat(40_000));
    save(&mailbox, folder, ItemKind::Normal, content).await;
    let request = SyncRequest { send_options: 0, ..request(1, 0x0020) };
    let all = events(&mailbox, folder, request, &State::default()).await;
    let subject = all.iter().find_map(|e| match e {
        Event::Property(Prop { tag, value: PropData::Inline(value), .. })
            if tag.id() == tags::SUBJECT.id() =>
        {
            Some(value)
        }
        _ => None,
    });
    assert_eq!(subject, Some(&PropValue::String8(b"Gr\xfc\xdfe ?\xf3d?".to_vec())));
    let at = all.iter().position(|e| matches!(e, Event::LargeBegin { .. })).unwrap();
    assert_eq!(all[at], Event::LargeBegin { tag: PropTag(0x1000_001E), name: None, len: 120_001 });
    let body: Vec<u8> = all[at..]
        .iter()
        .filter_map(|e| if let Event::LargeChunk(c) = e { Some(c.clone()) } else { None })
        .flatten()
        .collect();
    assert_eq!(body, b"\xfc\x80 ".repeat(40_000));

    let forced = SyncRequest { send_options: 0x02 | 0x01, ..super::request(1, 0x0021) };
    let raw = Source::synchronize(origin(&mailbox), folder, forced).unwrap().fill(2_000).await.unwrap().bytes;
    assert!(raw.windows(4).any(|w| w == [0xB0, 0x84, 0x37, 0x00]), "code page types");
}
