//! Flipped bits and torn files: found or harmless, never a panic, never another message than was saved.

use std::{fs, path::PathBuf};

use watertight_mapi::store::{SpecialFolder, StoreError};
use watertight_store::check;

use crate::support::{Dump, Random, copy_dir, dump, mailbox, open, save};

async fn filled() -> (tempfile::TempDir, Dump) {
    let dir = tempfile::tempdir().unwrap();
    let whole = {
        let store = open(dir.path()).unwrap();
        let mailbox = mailbox(&store, "alice").await.unwrap();
        let heads = save(&mailbox, 0..24).await;
        let inbox = mailbox.special(SpecialFolder::Inbox);
        mailbox.delete_messages(inbox, &[heads[1].id], true).await.unwrap();
        mailbox.delete_messages(inbox, &[heads[2].id], false).await.unwrap();
        mailbox.set_read(inbox, &[heads[3].id], true).await.unwrap();
        dump(&store).await.unwrap()
    };
    (dir, whole)
}

fn databases(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut files = vec![dir.join("directory.db")];
    files.extend(fs::read_dir(dir.join("mailboxes")).unwrap().map(|e| e.unwrap().path()));
    files.retain(|f| f.extension().is_some_and(|e| e == "db"));
    files
}

#[tokio::test]
async fn flipped_bits_are_found_or_harmless() {
    let (dir, whole) = filled().await;
    assert!(check(dir.path()).unwrap().is_sound());
    let mut random = Random(42);
    let mut found = 0;
    for round in 0..150 {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let files = databases(copy.path());
        let file = &files[if round % 5 == 0 { 0 } else { 1 }];
        let mut bytes = fs::read(file).unwrap();
        // Half of them among the first pages, where the headers and the schema are.
        let within = if round % 2 == 0 { bytes.len() } else { bytes.len().min(20_000) };
        let at = random.index(within);
        bytes[at] ^= 1 << random.below(8);
        fs::write(file, bytes).unwrap();
        let sound = check(copy.path()).is_ok_and(|report| {
            assert!(!report.to_string().is_empty());
            report.is_sound()
        });
        let read = match open(copy.path()) {
            Ok(store) => dump(&store).await,
            Err(error) => Err(error),
        };
        if sound {
            assert_eq!(read.unwrap(), whole, "round {round}: byte {at} of {}", file.display());
        } else {
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

#[tokio::test]
async fn torn_files_are_found() {
    let (dir, _) = filled().await;
    for keep in [0, 1, 100, 512, 16_384, 40_000] {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), copy.path());
        let file = databases(copy.path()).remove(1);
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(keep).unwrap();
        let report = check(copy.path()).unwrap();
        assert!(!report.is_sound(), "{keep} bytes are left");
        let store = open(copy.path()).unwrap();
        assert!(dump(&store).await.is_err(), "{keep} bytes are left");
    }
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    fs::remove_file(databases(copy.path()).remove(1)).unwrap();
    let report = check(copy.path()).unwrap();
    assert!(report.to_string().contains("the mailbox of alice is not there"), "{report}");
    fs::remove_dir_all(copy.path().join("mailboxes")).unwrap();
    assert_eq!(check(copy.path()).unwrap().damage.len(), 2);
    // Accounts that are lost are not made anew, empty.
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    fs::remove_file(copy.path().join("directory.db")).unwrap();
    assert!(matches!(open(copy.path()), Err(StoreError::Corrupt(_))));
    assert!(!copy.path().join("directory.db").exists());
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("photo.jpg"), "x").unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(matches!(error, StoreError::Version(_)), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "it is left as it was");
    assert!(matches!(check(dir.path()), Err(StoreError::NotFound(_))));

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("directory.db"), "no database at all, but long enough for a header".repeat(9))
        .unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::Version(_))));

    let (dir, _) = filled().await;
    let other = rusqlite::Connection::open(dir.path().join("directory.db")).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    let error = open(dir.path()).err().unwrap();
    assert!(error.to_string().contains("version 99"), "{error}");
    assert!(matches!(check(dir.path()), Err(StoreError::Version(_))));

    let (dir, _) = filled().await;
    let file = databases(dir.path()).remove(1);
    let other = rusqlite::Connection::open(file).unwrap();
    other.pragma_update(None, "application_id", 7).unwrap();
    drop(other);
    let store = open(dir.path()).unwrap();
    assert!(matches!(mailbox(&store, "alice").await, Err(StoreError::Version(_))));
}
