use std::sync::Arc;

use watertight_mapi::{
    prop::tags,
    restriction::{RelOp, Restriction},
    store::{ContentsQuery, FolderId, ItemKind, MessageId, SaveMessage, SortColumn, SpecialFolder, Store},
};

use super::{counter, filled, ids, mail, mailbox, new, save};

fn query() -> ContentsQuery {
    ContentsQuery { kind: ItemKind::Normal, deleted: false, restriction: None, sort: Vec::new() }
}

fn by(tag: watertight_mapi::PropTag, descending: bool) -> SortColumn {
    SortColumn { tag, descending }
}

pub(super) async fn sorted_and_restricted(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let mut made = Vec::new();
    for (subject, delivered, importance) in [("b", 30, 1), ("A", 10, 2), ("c", 20, 1), ("a", 40, 2)] {
        let mut content = mail(subject, delivered);
        content.props.set(tags::IMPORTANCE, importance);
        made.push(save(&mailbox, new(inbox, content)).await.id);
    }
    let order = |query: ContentsQuery| {
        let (mailbox, made) = (Arc::clone(&mailbox), made.clone());
        async move {
            let view = mailbox.contents(inbox, query).await.unwrap();
            let mut found = Vec::new();
            for start in 0..view.len() {
                for row in view.rows(start, 1, &[tags::SUBJECT]).await.unwrap() {
                    assert_eq!(row.props.0.len(), 1);
                    found.push(made.iter().position(|id| *id == row.head.id).unwrap());
                }
            }
            assert_eq!(found.len(), view.len());
            assert_eq!(view.is_empty(), found.is_empty());
            found
        }
    };
    assert_eq!(order(query()).await, [3, 0, 2, 1], "newest delivery first");
    let sorted = |sort: Vec<SortColumn>| ContentsQuery { sort, ..query() };
    assert_eq!(order(sorted(vec![by(tags::SUBJECT, false)])).await, [1, 3, 0, 2]);
    assert_eq!(order(sorted(vec![by(tags::SUBJECT, true)])).await, [2, 0, 1, 3]);
    assert_eq!(order(sorted(vec![by(tags::MESSAGE_DELIVERY_TIME, false)])).await, [1, 2, 0, 3]);
    let two = vec![by(tags::IMPORTANCE, true), by(tags::MESSAGE_DELIVERY_TIME, true)];
    assert_eq!(order(sorted(two)).await, [3, 1, 0, 2]);
    let restriction = Restriction::Property {
        op: RelOp::Equal,
        tag: tags::IMPORTANCE,
        value: watertight_mapi::prop::wire::TaggedPropertyValue { tag: tags::IMPORTANCE, value: 1.into() },
    };
    let restricted = ContentsQuery { restriction: Some(restriction.clone()), ..query() };
    assert_eq!(order(restricted).await, [0, 2]);
    let not = Restriction::Not(Box::new(restriction));
    assert_eq!(order(ContentsQuery { restriction: Some(not), ..query() }).await, [3, 1]);
    mailbox.set_read(inbox, &made[1..2], true).await.unwrap();
    let read = Restriction::Bitmask { nonzero: true, tag: tags::MESSAGE_FLAGS, mask: 1 };
    assert_eq!(order(ContentsQuery { restriction: Some(read), ..query() }).await, [1]);
    assert!(order(ContentsQuery { kind: ItemKind::Associated, ..query() }).await.is_empty());
    assert!(order(ContentsQuery { deleted: true, ..query() }).await.is_empty());
    assert!(mailbox.contents(FolderId(counter(0xdead)), query()).await.is_err());
}

pub(super) async fn a_view_is_a_snapshot(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 10).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    let view = mailbox.contents(inbox, query()).await.unwrap();
    filled(&mailbox, 5).await;
    mailbox.delete_messages(inbox, &all[2..4], true).await.unwrap();
    mailbox.delete_messages(inbox, &all[4..5], false).await.unwrap();
    assert_eq!(view.len(), 10);
    let rows = view.rows(0, 100, &[]).await.unwrap();
    let mut found: Vec<MessageId> = rows.iter().map(|r| r.head.id).collect();
    found.reverse();
    assert_eq!(found, [&all[..2], &all[5..]].concat());
    assert!(view.rows(10, 5, &[]).await.unwrap().is_empty());
    assert!(view.rows(usize::MAX, usize::MAX, &[]).await.unwrap().is_empty());
    let deleted = mailbox.contents(inbox, ContentsQuery { deleted: true, ..query() }).await.unwrap();
    assert_eq!(deleted.rows(0, 9, &[]).await.unwrap()[0].head.id, all[4]);
    let fai = SaveMessage { kind: ItemKind::Associated, ..new(inbox, mail("fai", 1)) };
    let fai = save(&mailbox, fai).await;
    let view =
        mailbox.contents(inbox, ContentsQuery { kind: ItemKind::Associated, ..query() }).await.unwrap();
    assert_eq!(view.rows(0, 9, &[]).await.unwrap()[0].head.id, fai.id);
}

pub(super) async fn ten_thousand_of_each_leave_nothing(store: Arc<impl Store + 'static>) {
    let guid = mailbox(&store).await.info().mailbox_guid;
    for _ in 0..10_000 {
        let mailbox = store.mailbox(guid).await.unwrap();
        let inbox = mailbox.special(SpecialFolder::Inbox);
        let view = mailbox.contents(inbox, query()).await.unwrap();
        let staged = mailbox.create_large().await.unwrap();
        assert!(view.is_empty());
        mailbox.discard_large(staged).await.unwrap();
    }
}
