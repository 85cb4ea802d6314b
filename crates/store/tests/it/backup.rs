use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use watertight_mapi::store::{ItemKind, SpecialFolder, StoreError};
use watertight_store::{backup, check};

use crate::support::{is_number, mailbox, open, save};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_taken_while_it_serves() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(dir.path()).unwrap();
    store.claim().unwrap();
    let alice = mailbox(&store, "alice").await.unwrap();
    mailbox(&store, "bob").await.unwrap();
    let before = save(&alice, 0..30).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (alice, stop) = (Arc::clone(&alice), Arc::clone(&stop));
        async move {
            let mut n = 30;
            while !stop.load(Ordering::Relaxed) {
                save(&alice, n..n + 3).await;
                n += 3;
            }
            n
        }
    });
    let destination = to.path().join("copy");
    for round in 0..3 {
        let destination = destination.join(round.to_string());
        let dir = dir.path().to_owned();
        let copied = tokio::task::spawn_blocking(move || {
            let count = backup(&dir, &destination).unwrap();
            (count, destination)
        });
        let (count, destination) = copied.await.unwrap();
        assert_eq!(count, 2);
        let report = check(&destination).unwrap();
        assert!(report.is_sound() && report.notes.is_empty(), "{report}");
        let copy = open(&destination).unwrap();
        let mailbox = mailbox(&copy, "alice").await.unwrap();
        for (n, head) in before.iter().enumerate() {
            let message = mailbox.message(head.id, false).await.unwrap();
            assert!(is_number(&mailbox, &message, n).await);
        }
        // The copy is a store of its own.
        save(&mailbox, 0..1).await;
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let inbox = alice.special(SpecialFolder::Inbox);
    let ids = alice.message_ids(inbox, ItemKind::Normal).await.unwrap();
    assert_eq!(ids.len(), u64::try_from(written).unwrap());
    assert!(matches!(backup(dir.path(), &destination.join("0")), Err(StoreError::Exists(_))));
    assert!(matches!(backup(to.path(), &to.path().join("x")), Err(StoreError::NotFound(_))));
}
