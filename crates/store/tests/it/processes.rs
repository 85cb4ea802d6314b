//! A data directory that several have open.

use watertight_ledger::Ledger;
use watertight_mapi::{
    PropName,
    store::{ItemKind, SpecialFolder, Store, StoreError},
};
use watertight_store::{SqliteStore, check};
use watertight_wire::Guid;

use crate::support::{is_number, mailbox, open, save};

#[tokio::test]
async fn one_server_and_others_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = open(dir.path()).unwrap();
    server.claim().unwrap();
    server.claim().unwrap();
    let served = mailbox(&server, "alice").await.unwrap();
    let inbox = served.special(SpecialFolder::Inbox);
    let version = served.version().await.unwrap();
    assert!(served.message_ids(inbox, ItemKind::Normal).await.unwrap().is_empty());

    let other = open(dir.path()).unwrap();
    let error = other.claim().unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
    // An account that is added beside it, and mail that is imported beside it.
    mailbox(&other, "bob").await.unwrap();
    assert!(server.account("bob").await.unwrap().is_some());
    let beside = mailbox(&other, "alice").await.unwrap();
    let heads = save(&beside, 0..10).await;
    assert_ne!(served.version().await.unwrap(), version);
    assert_eq!(served.message_ids(inbox, ItemKind::Normal).await.unwrap().len(), 10);
    for (n, head) in heads.iter().enumerate() {
        let message = served.message(head.id, false).await.unwrap();
        assert!(is_number(&served, &message, n).await);
    }
    // Names and counters are one series.
    let names = |n: u32| [PropName::lid(Guid::from_bytes([77; 16]), n)];
    let a = served.prop_ids(&names(1), true).await.unwrap();
    let b = beside.prop_ids(&names(2), true).await.unwrap();
    assert_ne!(a, b);
    assert_eq!(beside.prop_ids(&names(1), true).await.unwrap(), a);
    assert_eq!(served.prop_ids(&names(2), false).await.unwrap(), b);
    assert_ne!(served.allocate_ids(5).await.unwrap(), beside.allocate_ids(5).await.unwrap());
    let (x, y) = tokio::join!(save(&served, 10..20), save(&beside, 20..30));
    assert_eq!((x.len(), y.len()), (10, 10));
    assert!(check(dir.path()).unwrap().is_sound());
    drop(server);
    drop(served);
    other.claim().unwrap();
}

#[tokio::test]
async fn what_others_stage_is_theirs_until_they_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let a = open(dir.path()).unwrap();
    let in_a = mailbox(&a, "alice").await.unwrap();
    let value = in_a.create_large().await.unwrap();
    in_a.write_large(value, 0, &[7; 100_000]).await.unwrap();
    let b = open(dir.path()).unwrap();
    let in_b = mailbox(&b, "alice").await.unwrap();
    assert_eq!(in_b.read_large(value, 99_999, 5).await.unwrap(), [7]);
    assert_eq!(in_a.write_large(value, 100_000, &[8]).await.unwrap(), 100_001);
    drop((a, in_a, b, in_b));
    assert!(check(dir.path()).unwrap().is_sound());
    let c = open(dir.path()).unwrap();
    let in_c = mailbox(&c, "alice").await.unwrap();
    assert!(matches!(in_c.read_large(value, 0, 1).await, Err(StoreError::NotFound(_))));
    assert_eq!(check(dir.path()).unwrap().large_values, 0);
}

#[tokio::test]
async fn handles_outlive_the_files_beneath_them() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new("test");
    let store = SqliteStore::open(dir.path(), &ledger).unwrap();
    let mut handles = Vec::new();
    for n in 0..36 {
        let handle = mailbox(&store, &format!("user{n}")).await.unwrap();
        handles.push((handle.create_large().await.unwrap(), handle));
    }
    let held = |kind: &str| ledger.inspect().kinds[kind].now;
    assert_eq!(held("mailbox handles"), 36);
    assert_eq!(held("staged values"), 36);
    assert_eq!(held("open mailboxes"), 32);
    assert!(held("connections") <= 32 * 4 + 1);
    for (value, handle) in &handles {
        // Staged by this process: it survives that the file was closed.
        handle.write_large(*value, 0, &[1]).await.unwrap();
        save(handle, 0..2).await;
    }
    assert_eq!(held("open mailboxes"), 32);
    for (value, handle) in &handles {
        handle.discard_large(*value).await.unwrap();
    }
    assert_eq!(held("staged values"), 0);
    drop((store, handles));
    for _ in 0..1_000_000 {
        if ledger.held() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{ledger:?}");
}
