use std::sync::Arc;

use watertight_mapi::{
    ics::GlobSet,
    prop::tags,
    store::{
        Cursor, FolderId, ItemKind, Mailbox, MessageContent, MessageHead, MoveCopy, Page, SpecialFolder,
        Store, StoreResult,
    },
};

use super::{again, counter, filled, ids, mail, mailbox, new, save};

async fn drain<F: Future<Output = StoreResult<Page<MessageHead>>>>(
    limit: usize,
    ask: impl Fn(Option<Cursor>) -> F,
) -> Vec<MessageHead> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = ask(cursor).await.unwrap();
        assert!(page.items.len() <= limit);
        assert!(!page.items.is_empty() || page.next.is_none());
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        cursor = Some(next);
    }
}

async fn changes(
    mailbox: &Arc<dyn Mailbox>,
    folder: FolderId,
    seen: &GlobSet,
    newest_first: bool,
    limit: usize,
) -> Vec<MessageHead> {
    drain(limit, |after| async move {
        mailbox.message_changes(folder, ItemKind::Normal, seen, newest_first, after.as_ref(), limit).await
    })
    .await
}

/// Sets of change numbers as clients may have them: none, all, ranges, holes, far beyond.
fn sets(all: &[MessageHead]) -> Vec<GlobSet> {
    let cn = |n: usize| all[n].change_number.0;
    let mut random: u32 = 0x2545_F491;
    let mut sets = vec![
        GlobSet::new(),
        all.iter().map(|h| h.change_number.0).collect(),
        all.iter().step_by(2).map(|h| h.change_number.0).collect(),
    ];
    for ranges in [vec![(0, 30)], vec![(40, 99)], vec![(10, 20), (22, 60), (62, 62)]] {
        let mut set = GlobSet::new();
        ranges.iter().for_each(|(low, high)| set.insert_range(cn(*low), cn(*high)));
        sets.push(set);
    }
    sets.push(GlobSet::from_ranges(vec![(counter(0), cn(50)), (cn(70), counter((1 << 48) - 1))]));
    for _ in 0..5 {
        let set = all.iter().filter(|_| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random & 8 == 0
        });
        sets.push(set.map(|h| h.change_number.0).collect());
    }
    sets
}

pub(super) async fn change_feed_for_arbitrary_seen_sets(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let mut all = filled(&mailbox, 100).await;
    let inbox = all[0].folder;
    // Other folders, kinds and deletions in between.
    for n in (0..100).rev().step_by(9) {
        let head = all.remove(n);
        mailbox.delete_messages(inbox, &[head.id], n % 2 == 0).await.unwrap();
        save(&mailbox, new(mailbox.special(SpecialFolder::Drafts), mail("elsewhere", 1))).await;
    }
    let changed = save(&mailbox, again(&all[3], mail("changed", 1_000_030))).await;
    all.remove(3);
    all.push(changed);
    all.extend(filled(&mailbox, 15).await);
    for seen in sets(&all) {
        let want: Vec<_> = all.iter().filter(|h| !seen.contains(h.change_number.0)).cloned().collect();
        for limit in [1, 7, 1000] {
            assert_eq!(changes(&mailbox, inbox, &seen, false, limit).await, want, "{seen:?} {limit}");
        }
        let total = mailbox.changes_total(inbox, ItemKind::Normal, &seen).await.unwrap();
        let bytes = want.iter().map(|h| h.size).sum();
        assert_eq!(total, (u32::try_from(want.len()).unwrap(), bytes));
        let none = mailbox.changes_total(inbox, ItemKind::Associated, &seen).await.unwrap();
        assert_eq!(none, (0, 0));
    }
    let given = mailbox.message_ids(inbox, ItemKind::Normal).await.unwrap();
    assert_eq!(*given, all.iter().map(|h| h.id.0).collect());
    let nowhere = FolderId(counter(0xdead));
    assert!(mailbox.changes_total(nowhere, ItemKind::Normal, &GlobSet::new()).await.is_err());
    assert!(mailbox.message_ids(nowhere, ItemKind::Normal).await.is_err());
    let bad = Cursor(vec![1]);
    let bad = mailbox.message_changes(inbox, ItemKind::Normal, &GlobSet::new(), false, Some(&bad), 1).await;
    assert!(bad.is_err());
}

pub(super) async fn newest_first(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let times = [50, 10, 30, 30, 20, 40, 10];
    let mut contents: Vec<_> = times.iter().map(|t| mail("x", *t)).collect();
    let mut without = MessageContent::default();
    without.props.set(tags::SUBJECT, "no delivery time");
    contents.insert(2, without);
    let heads = mailbox.save_messages(contents.into_iter().map(|c| new(inbox, c)).collect()).await.unwrap();
    for limit in [1, 3, 100] {
        let found = changes(&mailbox, inbox, &GlobSet::new(), true, limit).await;
        assert_eq!(found.len(), heads.len());
        assert!(found.windows(2).all(|w| w[0].delivered >= w[1].delivered), "{found:#?}");
        assert_eq!(found.last().unwrap().delivered, None);
        let mut found: Vec<_> = found.into_iter().map(|h| h.id).collect();
        found.sort();
        assert_eq!(found, ids(&heads), "each once");
        let seen = [heads[0].change_number.0, heads[5].change_number.0].into_iter().collect();
        assert_eq!(changes(&mailbox, inbox, &seen, true, limit).await.len(), heads.len() - 2);
    }
}

pub(super) async fn read_changes(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 30).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    let changed = |read: GlobSet, limit: usize| {
        let mailbox = Arc::clone(&mailbox);
        async move {
            drain(limit, |after| {
                let (mailbox, read) = (Arc::clone(&mailbox), read.clone());
                async move { mailbox.read_changes(inbox, &read, after.as_ref(), limit).await }
            })
            .await
        }
    };
    assert!(changed(GlobSet::new(), 5).await.is_empty());
    mailbox.set_read(inbox, &all[..20], true).await.unwrap();
    mailbox.set_read(inbox, &all[5..6], false).await.unwrap();
    mailbox.delete_messages(inbox, &all[7..8], false).await.unwrap();
    let found = changed(GlobSet::new(), 3).await;
    assert_eq!(found.len(), 19);
    assert!(found.windows(2).all(|w| w[0].read_change_number < w[1].read_change_number));
    assert!(found.last().is_some_and(|h| h.id == all[5] && !h.read), "{:?}", found.last());
    let seen: GlobSet = found[..10].iter().filter_map(|h| h.read_change_number).map(|cn| cn.0).collect();
    assert_eq!(changed(seen, 1000).await, found[10..]);
    let up_to_now = GlobSet::up_to(mailbox.last_change().await.unwrap().0);
    assert!(changed(up_to_now, 2).await.is_empty());
}

pub(super) async fn deleted_ids(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let heads = filled(&mailbox, 20).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    let given: GlobSet = all.iter().map(|id| id.0).chain([counter(0xdead_beef)]).collect();
    mailbox.delete_messages(inbox, &all[..3], false).await.unwrap();
    mailbox.delete_messages(inbox, &all[5..8], true).await.unwrap();
    let to = mailbox.special(SpecialFolder::DeletedItems);
    mailbox.move_copy(MoveCopy { from: inbox, to, ids: all[10..12].to_vec(), copy: false }).await.unwrap();
    mailbox.move_copy(MoveCopy { from: inbox, to, ids: all[15..16].to_vec(), copy: true }).await.unwrap();
    let found = mailbox.deleted_ids(inbox, &given).await.unwrap();
    assert_eq!(found.soft, all[..3].iter().map(|id| id.0).collect());
    let gone = all[5..8].iter().chain(&all[10..12]).map(|id| id.0);
    assert_eq!(found.gone, gone.chain([counter(0xdead_beef)]).collect());
    let none = mailbox.deleted_ids(inbox, &mailbox.message_ids(inbox, ItemKind::Normal).await.unwrap()).await;
    assert!(none.unwrap().gone.is_empty());
}

pub(super) async fn version_changes_with_every_change(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let mut versions = vec![mailbox.version().await.unwrap()];
    assert_eq!(mailbox.version().await.unwrap(), versions[0]);
    let heads = filled(&mailbox, 3).await;
    let (all, inbox) = (ids(&heads), heads[0].folder);
    versions.push(mailbox.version().await.unwrap());
    mailbox.set_read(inbox, &all[..1], true).await.unwrap();
    versions.push(mailbox.version().await.unwrap());
    mailbox.delete_messages(inbox, &all[..1], false).await.unwrap();
    versions.push(mailbox.version().await.unwrap());
    let to = mailbox.special(SpecialFolder::Drafts);
    mailbox.move_copy(MoveCopy { from: inbox, to, ids: all[1..2].to_vec(), copy: false }).await.unwrap();
    versions.push(mailbox.version().await.unwrap());
    mailbox
        .change_folder(inbox, vec![watertight_mapi::prop::Prop::new(tags::COMMENT, "x")], vec![])
        .await
        .unwrap();
    versions.push(mailbox.version().await.unwrap());
    let count = versions.len();
    versions.dedup();
    assert_eq!(versions.len(), count);
}
