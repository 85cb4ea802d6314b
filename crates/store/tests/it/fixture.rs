//! Data directories as each released version wrote them.

use std::path::{Path, PathBuf};

use watertight_mapi::{
    PropName,
    prop::{PropData, tags},
    store::{
        Access, FolderKind, Grant, ItemKind, MailboxKind, NewFolder, Outcome, SaveMessage, SpecialFolder,
        Store,
    },
};
use watertight_store::{backup, check};
use watertight_wire::Guid;

use crate::support::{content, copy_dir, is_number, mailbox, new, open, save};

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

/// Writes the fixture of the present version: once, before it is released.
#[tokio::test]
#[ignore = "writes tests/fixtures/v1"]
async fn write_v1() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let alice = mailbox(&store, "alice").await.unwrap();
    let inbox = alice.special(SpecialFolder::Inbox);
    let heads = save(&alice, 0..8).await;
    alice.set_read(inbox, &[heads[1].id], true).await.unwrap();
    assert_eq!(alice.delete_messages(inbox, &[heads[2].id], false).await.unwrap(), Outcome::Complete);
    assert_eq!(alice.delete_messages(inbox, &[heads[4].id], true).await.unwrap(), Outcome::Complete);
    let mut folder = NewFolder {
        parent: alice.special(SpecialFolder::IpmSubtree),
        name: "Projekte".to_owned(),
        kind: FolderKind::Generic,
        props: Default::default(),
        open_existing: false,
    };
    folder.props.set(tags::COMMENT, "kept");
    let folder = alice.create_folder(folder).await.unwrap().0.id;
    let fai = SaveMessage { kind: ItemKind::Associated, ..new(folder, content(9)) };
    alice.save_messages(vec![fai, new(folder, content(12))]).await.unwrap();
    backup(dir.path(), &fixture("v1")).unwrap();
}

#[tokio::test]
async fn version_1() {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&fixture("v1"), dir.path());
    let report = check(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    let store = open(dir.path()).unwrap();
    let account = store.account("ALICE").await.unwrap().unwrap();
    assert_eq!(account.smtp_address, "alice@example.org");
    assert_eq!(account.password_hash, "$argon2id$v=19$made-up");
    let alice = store.mailbox(account.mailbox_guid).await.unwrap();
    let inbox = alice.special(SpecialFolder::Inbox);
    let counts = alice.folder(inbox, false).await.unwrap().counts;
    assert_eq!((counts.messages, counts.unread, counts.deleted), (6, 5, 1));
    let ids = alice.message_ids(inbox, ItemKind::Normal).await.unwrap();
    for (id, n) in ids.iter().zip([0, 1, 3, 5, 6, 7]) {
        let message = alice.message(watertight_mapi::store::MessageId(id), false).await.unwrap();
        assert!(is_number(&alice, &message, n).await, "{n}");
        assert_eq!(message.head.read, n == 1);
        assert_eq!(message.content.props.0.iter().any(|p| matches!(p.value, PropData::Large(_))), n % 5 == 0);
    }
    let top = alice.special(SpecialFolder::IpmSubtree);
    let folders =
        alice.folders(top, watertight_mapi::store::Depth::Children, false, None, 100).await.unwrap();
    let folder = folders.items.iter().find(|f| f.name == "Projekte").unwrap();
    assert_eq!(folder.props.text(tags::COMMENT), Some("kept"));
    assert_eq!((folder.counts.messages, folder.counts.associated), (1, 1));
    let name = PropName::string(Guid::from_bytes([3; 16]), "x");
    assert!(alice.prop_ids(&[name], false).await.unwrap()[0].is_some());
    // It goes on from there, with what that version did not have.
    save(&alice, 0..3).await;
    assert_eq!((account.archive, store.public_store().await.unwrap()), (None, None));
    assert_eq!(alice.info().kind, MailboxKind::Private);
    let archive = store.create_archive("alice").await.unwrap().archive.unwrap();
    save(&store.mailbox(archive).await.unwrap(), 0..2).await;
    store.create_public_store().await.unwrap();
    let to = "alice".to_owned();
    store.grant(Grant { owner: None, to, access: Access::Write }).await.unwrap();
    let report = check(dir.path()).unwrap();
    assert!(report.is_sound() && report.notes.is_empty(), "{report}");
    assert_eq!(report.mailboxes, 3);
    // A copy has all of it.
    let copy = tempfile::tempdir().unwrap();
    assert_eq!(backup(dir.path(), copy.path()).unwrap(), 3);
    let report = check(copy.path()).unwrap();
    assert!(report.is_sound() && report.notes.is_empty() && report.mailboxes == 3, "{report}");
    let copied = open(copy.path()).unwrap();
    assert_eq!(copied.access(None, "alice").await.unwrap(), Some(Access::Write));
    assert_eq!(copied.account("alice").await.unwrap().unwrap().archive, Some(archive));
    // The file of one that is there does not pass for another.
    drop((copied, store));
    let file = |guid: Guid| copy.path().join(format!("mailboxes/{guid}.db"));
    std::fs::copy(file(account.mailbox_guid), file(archive)).unwrap();
    assert!(!check(copy.path()).unwrap().is_sound());
    std::fs::remove_file(file(archive)).unwrap();
    let report = check(copy.path()).unwrap();
    assert!(report.damage.iter().any(|d| d.what == "the archive of alice is not there"), "{report}");
}
