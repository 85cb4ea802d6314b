//! What every store must do: plain functions over [`Store`], run for each that there is.

mod changes;
mod content;
mod directory;
mod events;
mod folders;
mod messages;
mod same;
mod views;

use std::sync::Arc;

use watertight_ledger::Ledger;
use watertight_mapi::{
    GlobCnt, PropValue,
    prop::tags,
    store::{
        FolderId, ItemKind, Mailbox, MessageContent, MessageHead, MessageId, NewAccount, SaveMessage,
        SpecialFolder, Store,
    },
};
use watertight_wire::FileTime;

use crate::{MemoryStore, SqliteStore};

/// Runs each function as a test of each store, and looks at the ledger after it.
macro_rules! on_every_store {
    ($($module:ident::$test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                let ledger = super::Ledger::new("test");
                super::$module::$test(super::Arc::new(super::MemoryStore::with_ledger(&ledger))).await;
                assert_eq!(ledger.held(), 0, "{ledger:?}");
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let ledger = super::Ledger::new("test");
                let dir = tempfile::tempdir().unwrap();
                let store = super::Arc::new(super::SqliteStore::open(dir.path(), &ledger).unwrap());
                super::$module::$test(store).await;
                super::ends_at_zero(&ledger);
                let report = crate::check(dir.path()).unwrap();
                assert!(report.is_sound(), "{report}");
            })*
        }
    };
}

on_every_store! {
    directory::accounts,
    directory::secrets,
    directory::accounts_are_paged,
    directory::archives,
    directory::public_folders,
    directory::rights,
    directory::names_of_properties,
    directory::counters_are_given_out_once,
    content::every_type_of_value,
    content::recipients_attachments_and_messages_in_messages,
    content::long_values_lie_out_of_line,
    content::staged_values,
    content::staged_values_stay_private,
    content::what_does_not_fit_is_refused,
    content::a_small_message_in_a_deep_one,
    messages::a_new_message_has_a_head,
    messages::versions_and_conflicts,
    messages::a_status_changes_nothing_else,
    messages::one_bad_message_saves_none,
    messages::given_ids,
    messages::soft_and_hard_deletion,
    messages::moves_and_copies,
    messages::copies_share_large_values,
    messages::read_state,
    messages::associated_messages_are_apart,
    changes::change_feed_for_arbitrary_seen_sets,
    changes::newest_first,
    changes::read_changes,
    changes::deleted_ids,
    events::what_happens_is_told_in_order,
    events::too_much_is_told_as_one,
    events::whoever_waits_is_told,
    changes::version_changes_with_every_change,
    folders::standard_folders,
    folders::made_renamed_moved,
    folders::refusals,
    folders::deleted_softly_and_for_good,
    folders::pages_and_depths,
    folders::hierarchy_changes,
    views::sorted_and_restricted,
    views::a_view_is_a_snapshot,
    views::ten_thousand_of_each_leave_nothing,
}

/// Waits until the threads of a store that was dropped have let go of what they held.
fn ends_at_zero(ledger: &Ledger) {
    for _ in 0..1_000_000 {
        if ledger.held() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("something is still held: {ledger:?}");
}

fn alice() -> NewAccount {
    NewAccount {
        name: "Alice".to_owned(),
        display_name: "Alice Example".to_owned(),
        smtp_address: "alice@example.org".to_owned(),
        password_hash: "$argon2id$hash".to_owned(),
    }
}

async fn mailbox(store: &Arc<impl Store + 'static>) -> Arc<dyn Mailbox> {
    let account = store.create_account(alice()).await.unwrap();
    store.mailbox(account.mailbox_guid).await.unwrap()
}

/// A small message.
fn mail(subject: &str, delivered: i64) -> MessageContent {
    let mut content = MessageContent::default();
    content.props.set(tags::SUBJECT, subject);
    content.props.set(tags::MESSAGE_DELIVERY_TIME, FileTime::from_unix_seconds(delivered));
    content.props.set(tags::SEARCH_KEY, subject.as_bytes());
    content
}

fn new(folder: FolderId, content: MessageContent) -> SaveMessage {
    SaveMessage {
        folder,
        id: None,
        expected: None,
        kind: ItemKind::Normal,
        read: false,
        modified: None,
        content,
    }
}

fn again(head: &MessageHead, content: MessageContent) -> SaveMessage {
    SaveMessage {
        id: Some(head.id),
        expected: Some(head.change_number),
        kind: head.kind,
        read: head.read,
        ..new(head.folder, content)
    }
}

async fn save(mailbox: &Arc<dyn Mailbox>, message: SaveMessage) -> MessageHead {
    mailbox.save_messages(vec![message]).await.unwrap().remove(0)
}

/// So many messages in the Inbox.
async fn filled(mailbox: &Arc<dyn Mailbox>, count: i64) -> Vec<MessageHead> {
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let all = (0..count).map(|n| new(inbox, mail(&format!("subject {n}"), 1_000_000 + n * 10))).collect();
    mailbox.save_messages(all).await.unwrap()
}

fn ids(heads: &[MessageHead]) -> Vec<MessageId> {
    heads.iter().map(|head| head.id).collect()
}

fn counter(n: u64) -> GlobCnt {
    GlobCnt::new(n).unwrap()
}

fn text(s: &str) -> PropValue {
    PropValue::Unicode(s.to_owned())
}
