use std::sync::Arc;

use rusqlite::Connection;
use watertight_ledger::Ledger;
use watertight_mapi::{
    PropValue,
    prop::{PropBag, PropData, tags},
    store::{
        Attachment, ContentsQuery, ItemKind, Mailbox, MessageContent, NewAccount, SaveMessage, SortColumn,
        SpecialFolder, Store, StoreError,
    },
};

use super::*;

async fn opened() -> (tempfile::TempDir, SqliteStore, Arc<dyn Mailbox>) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path(), &Ledger::new("test")).unwrap();
    let account = NewAccount {
        name: "alice".into(),
        display_name: String::new(),
        smtp_address: String::new(),
        password_hash: String::new(),
    };
    let guid = store.create_account(account).await.unwrap().mailbox_guid;
    let mailbox = store.mailbox(guid).await.unwrap();
    (dir, store, mailbox)
}

fn message(mailbox: &Arc<dyn Mailbox>, len: usize) -> SaveMessage {
    let mut content = MessageContent::default();
    content.props.set(tags::HTML, vec![7_u8; len]);
    SaveMessage {
        folder: mailbox.special(SpecialFolder::Inbox),
        id: None,
        expected: None,
        kind: ItemKind::Normal,
        read: false,
        modified: None,
        content,
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let (dir, store, mailbox) = opened().await;
    let core = store.0.core(mailbox.info().mailbox_guid).unwrap();
    let limit = |more: i64| {
        core.with_writer(|sql| {
            let pages: i64 = sql.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
            let limit = pages + more;
            sql.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(())).unwrap();
        });
    };
    limit(40);
    let mut saved = Vec::new();
    let error = loop {
        match mailbox.save_messages(vec![message(&mailbox, 10_000), message(&mailbox, 100_000)]).await {
            Ok(heads) => saved.extend(heads),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert_eq!(error.code(), watertight_mapi::MapiCode::OutOfDisk);
    assert!(!saved.is_empty());
    let staged = mailbox.create_large().await;
    if let Ok(id) = staged {
        assert!(matches!(mailbox.write_large(id, 0, &[1; 1_000_000]).await, Err(StoreError::Full(_))));
        mailbox.discard_large(id).await.unwrap();
    }
    let inbox = mailbox.special(SpecialFolder::Inbox);
    for head in &saved {
        assert_eq!(mailbox.message(head.id, false).await.unwrap().head, *head);
    }
    let counts = mailbox.folder(inbox, false).await.unwrap().counts;
    assert_eq!(usize::try_from(counts.messages).unwrap(), saved.len());
    let report = check(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
    // Room again: it goes on.
    limit(1_000);
    mailbox.save_messages(vec![message(&mailbox, 100_000)]).await.unwrap();
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let (dir, store, mailbox) = opened().await;
    let guid = mailbox.info().mailbox_guid;
    let core = store.0.core(guid).unwrap();
    let other = Connection::open(mailbox_path(dir.path(), guid)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = core.commits();
    let mut tasks = Vec::new();
    for n in 0..20 {
        let mailbox = Arc::clone(&mailbox);
        tasks.push(tokio::spawn(async move {
            let mut wanted = message(&mailbox, 100);
            if n % 5 == 4 {
                // One that fails takes nothing of the others with it.
                wanted.folder = watertight_mapi::store::FolderId(watertight_mapi::GlobCnt::MAX);
            }
            mailbox.save_messages(vec![wanted, message(&mailbox, 100_000)]).await
        }));
    }
    while core.pushed() < 20 {
        tokio::task::yield_now().await;
    }
    // Readers do not wait for any of it.
    assert_eq!(
        mailbox.folder(mailbox.special(SpecialFolder::Inbox), false).await.unwrap().counts.messages,
        0
    );
    other.execute_batch("COMMIT").unwrap();
    let mut saved = 0;
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(heads) => saved += heads.len(),
            Err(error) => assert!(n % 5 == 4 && matches!(error, StoreError::NotFound(_)), "{n}: {error}"),
        }
    }
    assert_eq!(saved, 32);
    assert!(core.commits() - before <= 2, "{}", core.commits() - before);
    let counts = mailbox.folder(mailbox.special(SpecialFolder::Inbox), false).await.unwrap().counts;
    assert_eq!(counts.messages, 32);
    assert!(check(dir.path()).unwrap().is_sound());
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_queue_running() {
    let (dir, _store, mailbox) = opened().await;
    for _ in 0..50 {
        let mailbox = Arc::clone(&mailbox);
        let task = tokio::spawn(async move { mailbox.save_messages(vec![message(&mailbox, 100)]).await });
        task.abort();
    }
    mailbox.save_messages(vec![message(&mailbox, 100)]).await.unwrap();
    assert!(check(dir.path()).unwrap().is_sound());
}

#[test]
fn contents_survive_mutations() {
    let mut names = crate::names::Names::default();
    let id = names.add(watertight_mapi::PropName::lid(Guid::NIL, 1)).unwrap();
    let mut content = MessageContent::default();
    content.props.set(tags::SUBJECT, "ä");
    let tag = watertight_mapi::PropTag::new(id, watertight_mapi::PropType::MvUnicode);
    let name = names.name(id).cloned();
    let value = watertight_mapi::PropValue::MvUnicode(vec!["a".into(), String::new()]);
    content.props.put(watertight_mapi::prop::Prop {
        tag,
        name,
        value: watertight_mapi::prop::PropData::Inline(value),
    });
    content.recipients.push(content.props.clone());
    content.attachments.push(watertight_mapi::store::Attachment {
        number: 1,
        props: content.props.clone(),
        embedded: Some(Box::new(content.clone())),
    });
    let bytes = codec::encode(&content).unwrap();
    assert_eq!(codec::decode(&bytes, &names).unwrap(), content);
    watertight_testkit::mutate::survive(&bytes, |other| assert!(codec::decode(other, &names).is_err()));
    // What is behind the checksum is bounded too.
    watertight_testkit::mutate::survive(&bytes[..bytes.len() - 8], |other| {
        let sum = checksum::Sum::new(0x636f_6e74).bytes(other).finish();
        let sealed = [other, &sum.to_le_bytes()].concat();
        if let Ok(decoded) = codec::decode(&sealed, &names) {
            assert_eq!(codec::encode(&decoded).unwrap(), sealed);
        }
    });
}

#[tokio::test]
async fn what_a_message_holds_in_one_piece_is_bounded_whatever_it_consists_of() {
    let (_dir, _store, mailbox) = opened().await;
    let mut save = message(&mailbox, 10);
    for n in 0..48_u32 {
        let mut props = PropBag::default();
        props.set(tags::ATTACH_DATA_BINARY, vec![u8::try_from(n).unwrap(); 32_000]);
        save.content.attachments.push(Attachment { number: n, props, embedded: None });
    }
    let head = mailbox.save_messages(vec![save]).await.unwrap().remove(0);
    let read = mailbox.message(head.id, false).await.unwrap();
    let mut held = 0;
    for (n, attachment) in (0_u8..).zip(&read.content.attachments) {
        match &attachment.props.find(tags::ATTACH_DATA_BINARY).unwrap().value {
            PropData::Inline(PropValue::Binary(bytes)) => held += bytes.len(),
            PropData::Large(value) => {
                let bytes = mailbox.read_large(value.id, 0, 65_536).await.unwrap();
                assert_eq!(bytes, vec![n; 32_000]);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((1..=600_000).contains(&held), "{held}");
    assert!(head.size > 48 * 32_000);
}

#[tokio::test]
async fn a_value_that_grows_far_lets_others_write_meanwhile() {
    let (_dir, store, mailbox) = opened().await;
    let core = store.0.core(mailbox.info().mailbox_guid).unwrap();
    let id = mailbox.create_large().await.unwrap();
    let before = core.commits();
    mailbox.resize_large(id, 9 * 1024 * 1024).await.unwrap();
    assert_eq!(core.commits() - before, 3, "4 MiB at a time");
    assert_eq!(mailbox.read_large(id, 9 * 1024 * 1024 - 3, 100).await.unwrap(), [0; 3]);
    mailbox.resize_large(id, 5).await.unwrap();
    assert_eq!(mailbox.read_large(id, 0, 100).await.unwrap(), [0; 5]);
}

#[tokio::test]
async fn a_damaged_message_is_a_row_of_its_view_and_no_more() {
    let (_dir, store, mailbox) = opened().await;
    let mut heads = Vec::new();
    for len in [1, 2, 3, 4] {
        heads.push(mailbox.save_messages(vec![message(&mailbox, len)]).await.unwrap().remove(0));
    }
    let core = store.0.core(mailbox.info().mailbox_guid).unwrap();
    core.with_writer(|sql| {
        let [row, content] = [1, 2].map(|n: usize| heads[n].id.0.value().cast_signed());
        sql.execute("UPDATE message SET size = size + 1 WHERE id = ?", [row]).unwrap();
        sql.execute("UPDATE content SET data = x'010203' WHERE id = ?", [content]).unwrap();
    });
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let sort = SortColumn { tag: tags::SUBJECT, descending: false };
    for sort in [Vec::new(), vec![sort]] {
        let query = ContentsQuery { kind: ItemKind::Normal, deleted: false, restriction: None, sort };
        let view = mailbox.contents(inbox, query).await.unwrap();
        assert_eq!(view.len(), 4);
        let mut rows = view.rows(0, 4, &[tags::HTML]).await.unwrap();
        rows.sort_by_key(|row| row.head.id.0);
        let seen: Vec<_> = rows.iter().map(|row| (row.head.id, row.damaged)).collect();
        let expected: Vec<_> = heads.iter().zip([false, true, true, false]).map(|(h, d)| (h.id, d)).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn what_nobody_uses_is_closed_and_handles_stay_valid() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new("test");
    let store = SqliteStore::open(dir.path(), &ledger).unwrap();
    let account = NewAccount {
        name: "alice".into(),
        display_name: String::new(),
        smtp_address: String::new(),
        password_hash: String::new(),
    };
    let guid = store.create_account(account).await.unwrap().mailbox_guid;
    let closed = ledger.kind("connections").now();
    let mailbox = store.mailbox(guid).await.unwrap();
    let large = mailbox.create_large().await.unwrap();
    mailbox.write_large(large, 0, b"staged").await.unwrap();
    store.rest().await;
    assert_eq!(ledger.kind("open mailboxes").now(), 1, "it was used since");
    store.rest().await;
    // The thread that wrote lets go of the mailbox after the result is told.
    let gone = async {
        while (ledger.kind("open mailboxes").now(), ledger.kind("connections").now()) != (0, closed) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(mailbox.read_large(large, 0, 100).await.unwrap(), b"staged");
    assert_eq!(ledger.kind("open mailboxes").now(), 1);
    mailbox.discard_large(large).await.unwrap();
    drop((mailbox, store));
    assert_eq!(ledger.held(), 0);
}
