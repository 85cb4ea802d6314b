use std::sync::Arc;

use watertight_mapi::store::{
    DeleteFolder, Events, FolderKind, Happened, MoveCopy, NewFolder, Place, SpecialFolder, Store,
};

use super::{again, filled, mail, mailbox, new, save};

pub(super) async fn what_happens_is_told_in_order(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let (inbox, drafts) = (mailbox.special(SpecialFolder::Inbox), mailbox.special(SpecialFolder::Outbox));
    let start = mailbox.last_event().await.unwrap();
    assert_eq!(mailbox.events(start).await.unwrap(), Events { items: vec![], last: start, lost: false });
    let head = save(&mailbox, new(inbox, mail("one", 1))).await;
    let head = save(&mailbox, again(&head, mail("two", 1))).await;
    mailbox.set_read(inbox, &[head.id], !head.read).await.unwrap();
    // Nothing is different after this.
    mailbox.set_read(inbox, &[head.id], !head.read).await.unwrap();
    let job = |copy| MoveCopy { from: inbox, to: drafts, ids: vec![head.id], copy };
    let copy = mailbox.move_copy(job(true)).await.unwrap()[0].clone().unwrap();
    let moved = mailbox.move_copy(job(false)).await.unwrap()[0].clone().unwrap();
    mailbox.delete_messages(drafts, &[copy.id], false).await.unwrap();
    // It is not there any more for anybody.
    mailbox.delete_messages(drafts, &[copy.id], true).await.unwrap();
    mailbox.delete_messages(drafts, &[moved.id], true).await.unwrap();
    let folder = NewFolder {
        parent: inbox,
        name: "new".into(),
        kind: FolderKind::Generic,
        props: Default::default(),
        open_existing: false,
    };
    let folder = mailbox.create_folder(folder).await.unwrap().0.id;
    mailbox.change_folder(folder, vec![], vec![]).await.unwrap();
    mailbox.move_folder(folder, drafts, None).await.unwrap();
    mailbox.delete_folder(folder, DeleteFolder { hard: true, folders: true, messages: true }).await.unwrap();
    let old = Place::message(inbox, head.id);
    let expected = vec![
        Happened::Created(old),
        Happened::Modified(old),
        Happened::Modified(old),
        Happened::Copied { to: Place::message(drafts, copy.id), from: old },
        Happened::Moved { to: Place::message(drafts, moved.id), from: old },
        Happened::Deleted(Place::message(drafts, copy.id)),
        Happened::Deleted(Place::message(drafts, moved.id)),
        Happened::Created(Place::folder(folder, Some(inbox))),
        Happened::Modified(Place::folder(folder, None)),
        Happened::Moved { to: Place::folder(folder, Some(drafts)), from: Place::folder(folder, Some(inbox)) },
        Happened::Deleted(Place::folder(folder, Some(drafts))),
    ];
    let events = mailbox.events(start).await.unwrap();
    assert_eq!((events.items, events.lost), (expected.clone(), false));
    let half = mailbox.events(start + 6).await.unwrap();
    assert_eq!((half.items, half.last, half.lost), (expected[6..].to_vec(), events.last, false));
    assert_eq!(mailbox.events(events.last).await.unwrap().items, []);
    assert_eq!(mailbox.last_event().await.unwrap(), events.last);
}

pub(super) async fn too_much_is_told_as_one(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let start = mailbox.last_event().await.unwrap();
    let heads = filled(&mailbox, 3).await;
    let read: Vec<_> = heads.iter().map(|head| head.id).collect();
    for n in 0..400 {
        mailbox.set_read(inbox, &read, n % 2 == 0).await.unwrap();
    }
    let events = mailbox.events(start).await.unwrap();
    assert!(events.lost && events.items.len() <= crate::event::REMEMBERED, "{}", events.items.len());
    assert!(!mailbox.events(events.last - 100).await.unwrap().lost);
}

pub(super) async fn whoever_waits_is_told(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let start = mailbox.last_event().await.unwrap();
    let waiting = {
        let mailbox = Arc::clone(&mailbox);
        tokio::spawn(async move { mailbox.changed(start).await })
    };
    let short = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(short, mailbox.changed(start)).await.is_err());
    save(&mailbox, new(inbox, mail("one", 1))).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.unwrap().unwrap().unwrap();
    mailbox.changed(start).await.unwrap();
}
