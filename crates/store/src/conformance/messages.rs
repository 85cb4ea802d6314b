use std::sync::Arc;

use watertight_mapi::{
    ics::{PredecessorChangeList, Xid},
    prop::tags,
    store::{
        FolderCounts, FolderId, FolderKind, ItemKind, Mailbox, MessageContent, MoveCopy, NewFolder, Outcome,
        SaveMessage, SpecialFolder, Store, StoreError,
    },
};
use watertight_wire::FileTime;

use super::{again, counter, filled, ids, mail, mailbox, new, save};

async fn counts(mailbox: &Arc<dyn Mailbox>, folder: FolderId) -> FolderCounts {
    mailbox.folder(folder, true).await.unwrap().counts
}

pub(super) async fn a_new_message_has_a_head(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let modified = Some(FileTime::from_unix_seconds(77));
    let head = save(&mailbox, SaveMessage { modified, read: true, ..new(inbox, mail("a", 5)) }).await;
    assert_eq!((head.folder, head.kind, head.read, head.deleted), (inbox, ItemKind::Normal, true, false));
    assert_eq!(head.read_change_number, None);
    assert_eq!(
        (head.created, head.modified),
        (FileTime::from_unix_seconds(77), FileTime::from_unix_seconds(77))
    );
    assert_eq!(head.delivered, Some(FileTime::from_unix_seconds(5)));
    assert_eq!(head.change_number, mailbox.last_change().await.unwrap());
    let key = Xid::from_counter(mailbox.info().repl_guid, head.change_number.0);
    assert_eq!(head.change_key, key);
    assert_eq!(head.predecessors, PredecessorChangeList::of(key));
    assert_eq!(head.size, 2 + 8 + 1);
    assert!(!head.has_attachments);
    let found = counts(&mailbox, inbox).await;
    assert_eq!(found, FolderCounts { messages: 1, bytes: 11, ..FolderCounts::default() });
    // A message without a search key gets one, which it keeps.
    let head = save(&mailbox, new(inbox, MessageContent::default())).await;
    let first = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(first.head.delivered, None);
    let key = first.content.props.binary(tags::SEARCH_KEY).unwrap().to_vec();
    assert_eq!(key.len(), 16);
    save(&mailbox, again(&head, MessageContent::default())).await;
    let second = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(second.content.props.binary(tags::SEARCH_KEY).unwrap(), key);
    let other = save(&mailbox, new(inbox, MessageContent::default())).await;
    let other = mailbox.message(other.id, false).await.unwrap();
    assert_ne!(other.content.props.binary(tags::SEARCH_KEY).unwrap(), key);
}

pub(super) async fn a_status_changes_nothing_else(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let head = filled(&mailbox, 1).await.remove(0);
    let version = mailbox.version().await.unwrap();
    assert_eq!(mailbox.set_status(inbox, head.id, 0x3000, 0x1000).await.unwrap(), 0);
    assert_ne!(mailbox.version().await.unwrap(), version);
    assert_eq!(mailbox.set_status(inbox, head.id, 0x2000, 0x3000).await.unwrap(), 0x1000);
    let version = mailbox.version().await.unwrap();
    assert_eq!(mailbox.set_status(inbox, head.id, 0xffff_ffff, 0).await.unwrap(), 0x2000);
    assert_eq!(mailbox.version().await.unwrap(), version, "nothing changed");
    let now = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(now.content.props.int(tags::MESSAGE_STATUS), Some(0x2000));
    let size = now.head.size;
    assert_eq!(now.head, watertight_mapi::store::MessageHead { size, ..head.clone() });
    assert_eq!(counts(&mailbox, inbox).await.bytes, size);
    let elsewhere = mailbox.special(SpecialFolder::Drafts);
    for (folder, id) in [(elsewhere, head.id), (inbox, watertight_mapi::store::MessageId(counter(1)))] {
        let refused = mailbox.set_status(folder, id, 1, 1).await;
        assert!(matches!(refused, Err(StoreError::NotFound("message"))), "{refused:?}");
    }
}

pub(super) async fn versions_and_conflicts(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let head = filled(&mailbox, 1).await.remove(0);
    let next = save(&mailbox, again(&head, mail("changed", 9))).await;
    assert_eq!((next.id, next.created), (head.id, head.created));
    assert!(next.change_number > head.change_number);
    assert_eq!(next.predecessors, PredecessorChangeList::of(next.change_key.clone()));
    assert_eq!(mailbox.message(head.id, false).await.unwrap().content, mail("changed", 9));
    let stale = mailbox.save_messages(vec![again(&head, mail("stale", 9))]).await;
    assert!(matches!(stale, Err(StoreError::Conflict)));
    let twice = vec![again(&next, mail("once", 9)), again(&next, mail("twice", 9))];
    assert!(matches!(mailbox.save_messages(twice).await, Err(StoreError::Conflict)));
    let elsewhere =
        SaveMessage { folder: mailbox.special(SpecialFolder::Drafts), ..again(&next, mail("x", 1)) };
    assert!(matches!(mailbox.save_messages(vec![elsewhere]).await, Err(StoreError::NotFound(_))));
    let no_version = SaveMessage { id: None, ..again(&next, mail("x", 1)) };
    assert!(matches!(mailbox.save_messages(vec![no_version]).await, Err(StoreError::Invalid(_))));
    mailbox.delete_messages(head.folder, &[head.id], false).await.unwrap();
    let deleted = mailbox.save_messages(vec![again(&next, mail("x", 1))]).await;
    assert!(matches!(deleted, Err(StoreError::NotFound(_))));
}

pub(super) async fn one_bad_message_saves_none(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let (version, last) = (mailbox.version().await.unwrap(), mailbox.last_change().await.unwrap());
    let nowhere = new(FolderId(counter(0xdead)), mail("bad", 1));
    let result = mailbox.save_messages(vec![new(inbox, mail("good", 1)), nowhere]).await;
    assert!(matches!(result, Err(StoreError::NotFound("folder"))));
    assert_eq!(mailbox.version().await.unwrap(), version);
    assert_eq!(mailbox.last_change().await.unwrap(), last);
    assert_eq!(counts(&mailbox, inbox).await, FolderCounts::default());
    assert!(mailbox.message_ids(inbox, ItemKind::Normal).await.unwrap().is_empty());
    assert!(mailbox.save_messages(Vec::new()).await.unwrap().is_empty());
}

pub(super) async fn given_ids(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let first = mailbox.allocate_ids(10).await.unwrap();
    let id = watertight_mapi::store::MessageId(counter(first.value() + 4));
    let given = SaveMessage { id: Some(id), ..new(inbox, mail("given", 1)) };
    assert_eq!(save(&mailbox, given.clone()).await.id, id);
    assert!(matches!(mailbox.save_messages(vec![given.clone()]).await, Err(StoreError::Exists(_))));
    mailbox.delete_messages(inbox, &[id], true).await.unwrap();
    assert_eq!(save(&mailbox, given.clone()).await.id, id);
    let never = watertight_mapi::store::MessageId(counter(first.value() + 1_000));
    let never = SaveMessage { id: Some(never), ..given };
    assert!(matches!(mailbox.save_messages(vec![never]).await, Err(StoreError::Invalid(_))));
}

pub(super) async fn soft_and_hard_deletion(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 6).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    assert_eq!(mailbox.delete_messages(inbox, &all[..2], false).await.unwrap(), Outcome::Complete);
    assert_eq!(mailbox.delete_messages(inbox, &all[2..4], true).await.unwrap(), Outcome::Complete);
    assert_eq!(mailbox.delete_messages(inbox, &all[1..3], false).await.unwrap(), Outcome::Partial);
    assert_eq!(
        mailbox.delete_messages(mailbox.special(SpecialFolder::Drafts), &all[5..], true).await.unwrap(),
        Outcome::Partial
    );
    assert!(matches!(mailbox.message(all[0], false).await, Err(StoreError::NotFound(_))));
    let soft = mailbox.message(all[0], true).await.unwrap();
    assert!(soft.head.deleted);
    assert_eq!(soft.content, mail("subject 0", 1_000_000));
    assert!(matches!(mailbox.message(all[2], true).await, Err(StoreError::NotFound(_))));
    let found = counts(&mailbox, inbox).await;
    assert_eq!((found.messages, found.unread, found.deleted), (2, 2, 2));
    assert_eq!(found.bytes, heads[4].size + heads[5].size);
    // A soft-deleted message can be deleted for good.
    assert_eq!(mailbox.delete_messages(inbox, &all[..1], true).await.unwrap(), Outcome::Complete);
    assert_eq!(counts(&mailbox, inbox).await.deleted, 1);
    assert!(mailbox.delete_messages(FolderId(counter(0xdead)), &all, true).await.is_err());
}

pub(super) async fn moves_and_copies(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 4).await;
    let all = ids(&heads);
    let (from, to) = (heads[0].folder, mailbox.special(SpecialFolder::Drafts));
    mailbox.set_read(from, &all[..1], true).await.unwrap();
    let job = MoveCopy {
        from,
        to,
        ids: vec![all[0], all[3], watertight_mapi::store::MessageId(counter(1))],
        copy: false,
    };
    let moved = mailbox.move_copy(job.clone()).await.unwrap();
    assert!(moved[2].is_none());
    let head = moved[0].clone().unwrap();
    assert_ne!(head.id, all[0]);
    assert!(head.change_number > heads[3].change_number);
    assert_eq!((head.folder, head.read, head.read_change_number), (to, true, None));
    assert_eq!(
        (head.created, head.modified, head.size),
        (heads[0].created, heads[0].modified, heads[0].size)
    );
    let read = mailbox.message(head.id, false).await.unwrap();
    assert_eq!(read.head, head);
    assert_eq!(read.content, mail("subject 0", 1_000_000), "with its PidTagSearchKey");
    assert!(mailbox.message(all[0], true).await.is_err());
    assert!(mailbox.move_copy(job).await.unwrap().iter().all(Option::is_none));

    let copied = mailbox.move_copy(MoveCopy { from, to, ids: vec![all[1]], copy: true }).await.unwrap();
    let copy = mailbox.message(copied[0].clone().unwrap().id, false).await.unwrap();
    assert_eq!(copy.content, mailbox.message(all[1], false).await.unwrap().content);
    assert_ne!(copy.head.id, all[1]);
    let found = (counts(&mailbox, from).await, counts(&mailbox, to).await);
    assert_eq!((found.0.messages, found.0.unread, found.1.messages, found.1.unread), (2, 2, 3, 2));
    // Within one folder, and to where there is none.
    let within = mailbox.move_copy(MoveCopy { from: to, to, ids: vec![head.id], copy: false }).await.unwrap();
    assert_ne!(within[0].as_ref().unwrap().id, head.id);
    assert_eq!(counts(&mailbox, to).await.messages, 3);
    let nowhere = MoveCopy { from, to: FolderId(counter(0xdead)), ids: all, copy: true };
    assert!(matches!(mailbox.move_copy(nowhere).await, Err(StoreError::NotFound(_))));
    let search = NewFolder {
        parent: mailbox.special(SpecialFolder::Search),
        name: "search".into(),
        kind: FolderKind::Search,
        props: Default::default(),
        open_existing: false,
    };
    let search = mailbox.create_folder(search).await.unwrap().0.id;
    assert!(matches!(
        mailbox.save_messages(vec![new(search, mail("x", 1))]).await,
        Err(StoreError::Denied(_))
    ));
}

pub(super) async fn copies_share_large_values(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let (from, to) = (mailbox.special(SpecialFolder::Inbox), mailbox.special(SpecialFolder::Drafts));
    let mut content = mail("large", 1);
    content.props.set(tags::HTML, vec![5_u8; 200_000]);
    let head = save(&mailbox, new(from, content)).await;
    let copied = mailbox.move_copy(MoveCopy { from, to, ids: vec![head.id], copy: true }).await.unwrap();
    let copy = copied[0].clone().unwrap();
    mailbox.delete_messages(from, &[head.id], true).await.unwrap();
    let read = mailbox.message(copy.id, false).await.unwrap();
    let watertight_mapi::prop::PropData::Large(large) = read.content.props.find(tags::HTML).unwrap().value
    else {
        panic!("inline")
    };
    assert_eq!(mailbox.read_large(large.id, 199_999, 10).await.unwrap(), [5]);
    let moved =
        mailbox.move_copy(MoveCopy { from: to, to: from, ids: vec![copy.id], copy: false }).await.unwrap();
    assert_eq!(mailbox.read_large(large.id, 0, 3).await.unwrap(), [5; 3]);
    mailbox.delete_messages(from, &[moved[0].as_ref().unwrap().id], true).await.unwrap();
    assert!(matches!(mailbox.read_large(large.id, 0, 1).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn read_state(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 5).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    assert_eq!(mailbox.set_read(inbox, &all[..2], true).await.unwrap(), 2);
    let version = mailbox.version().await.unwrap();
    assert_eq!(mailbox.set_read(inbox, &all[..2], true).await.unwrap(), 0);
    assert_eq!(mailbox.version().await.unwrap(), version, "nothing changed");
    let head = mailbox.message(all[1], false).await.unwrap().head;
    assert!(head.read);
    assert_eq!(head.change_number, heads[1].change_number, "the message itself did not change");
    assert_eq!(head.modified, heads[1].modified);
    assert!(head.read_change_number.unwrap() > heads[4].change_number);
    assert_eq!(mailbox.last_change().await.unwrap(), head.read_change_number.unwrap());
    assert_eq!(counts(&mailbox, inbox).await.unread, 3);
    assert_eq!(mailbox.set_read(inbox, &[], true).await.unwrap(), 3);
    assert_eq!(mailbox.set_read(inbox, &all[2..3], false).await.unwrap(), 1);
    assert_eq!(mailbox.set_read(mailbox.special(SpecialFolder::Drafts), &all, false).await.unwrap(), 0);
    assert_eq!(counts(&mailbox, inbox).await.unread, 1);
    mailbox.delete_messages(inbox, &all[3..4], false).await.unwrap();
    assert_eq!(mailbox.set_read(inbox, &all[3..4], false).await.unwrap(), 0);
}

pub(super) async fn associated_messages_are_apart(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 2).await;
    let inbox = heads[0].folder;
    let fai = save(&mailbox, SaveMessage { kind: ItemKind::Associated, ..new(inbox, mail("fai", 1)) }).await;
    let found = counts(&mailbox, inbox).await;
    assert_eq!((found.messages, found.unread, found.associated), (2, 2, 1));
    assert_eq!(found.bytes, heads[0].size + heads[1].size + fai.size);
    let normal = mailbox.message_ids(inbox, ItemKind::Normal).await.unwrap();
    let associated = mailbox.message_ids(inbox, ItemKind::Associated).await.unwrap();
    assert_eq!((normal.len(), associated.len()), (2, 1));
    assert!(associated.contains(fai.id.0));
    assert_eq!(mailbox.set_read(inbox, &[], true).await.unwrap(), 2);
    assert_eq!(mailbox.set_read(inbox, &[fai.id], true).await.unwrap(), 0);
    let other_kind = SaveMessage { kind: ItemKind::Normal, ..again(&fai, mail("x", 1)) };
    assert!(matches!(mailbox.save_messages(vec![other_kind]).await, Err(StoreError::NotFound(_))));
    mailbox.delete_messages(inbox, &[fai.id], true).await.unwrap();
    assert_eq!(counts(&mailbox, inbox).await.associated, 0);
}
