//! Finding and marking rows, moving and copying folders, emptying, copying properties.

use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::prop::{Prop, PropBag, tags};
use watertight_mapi::restriction::{FuzzyFlags, FuzzyLevel, Restriction};
use watertight_mapi::store::MessageContent;
use watertight_mapi::{MapiCode, PropValue};
use watertight_mapi_client::{
    Access, Associated, Completion, Deletion, Depth, Error, FindFrom, Folder, NewMessage, NoLarge, Origin,
    RecipientKind, Sort, Transfer, View,
};

use super::bed::{Bed, logon};

async fn fill(folder: &Folder, subjects: &[&str], associated: Associated) {
    let message = |subject: &&str| {
        let props = PropBag(vec![Prop::new(tags::SUBJECT, *subject)]);
        let recipients = vec![RecipientKind::To.smtp("Anna", "anna@example.org")];
        let content = MessageContent { props, recipients, ..MessageContent::default() };
        NewMessage { content, associated, ..NewMessage::default() }
    };
    let messages: Vec<NewMessage> = subjects.iter().map(message).collect();
    let added = folder.add_messages(&messages, &NoLarge).await.unwrap();
    assert!(added.iter().all(Result::is_ok));
}

async fn count(folder: &Folder, associated: Associated) -> usize {
    let mut table = folder.contents_table(associated, &View::of(&[tags::MID])).await.unwrap();
    table.all_rows(1000).await.unwrap().len()
}

fn contains(text: &str) -> Restriction {
    Restriction::Content {
        level: FuzzyLevel::Substring,
        flags: FuzzyFlags::IgnoreCase,
        tag: tags::SUBJECT,
        value: TaggedPropertyValue::new(tags::SUBJECT, text.into()),
    }
}

fn subject(row: Option<PropBag>) -> Option<String> {
    row.map(|row| row.text(tags::SUBJECT).unwrap().to_owned())
}

fn code(error: Error) -> MapiCode {
    match error {
        Error::Refused { code, .. } => code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn rows_are_found_and_bookmarked() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    fill(&inbox, &["apple", "banana", "cherry", "apricot", "blueberry"], Associated::No).await;
    let view = View::of(&[tags::SUBJECT]).sorted(&[Sort::ascending(tags::SUBJECT)]);
    let mut table = inbox.contents_table(Associated::No, &view).await.unwrap();
    let beginning = FindFrom::Origin(Origin::Beginning);
    let found = table.find_row(&contains("B"), beginning, true).await.unwrap();
    assert_eq!(subject(found).as_deref(), Some("banana"));
    let bookmark = table.create_bookmark().await.unwrap();
    let found = table.find_row(&contains("rry"), FindFrom::Origin(Origin::End), false).await.unwrap();
    assert_eq!(subject(found).as_deref(), Some("cherry"));
    assert_eq!(subject(table.query_rows(1).await.unwrap().pop()).as_deref(), Some("cherry"));
    let found = table.find_row(&contains("rry"), FindFrom::Bookmark(&bookmark), true).await.unwrap();
    assert_eq!(subject(found).as_deref(), Some("blueberry"));
    assert_eq!(table.find_row(&contains("apple"), FindFrom::Bookmark(&bookmark), true).await.unwrap(), None);
    assert_eq!(table.seek_bookmark(&bookmark, -1).await.unwrap(), -1);
    assert_eq!(subject(table.query_rows(1).await.unwrap().pop()).as_deref(), Some("apricot"));
    table.free_bookmark(bookmark.clone()).await.unwrap();
    assert_eq!(code(table.seek_bookmark(&bookmark, 0).await.unwrap_err()), MapiCode::InvalidBookmark);
    assert!(table.all_columns().await.unwrap().contains(&tags::SUBJECT));
    table.seek_fraction(4, 5).await.unwrap();
    assert_eq!(subject(table.query_rows(1).await.unwrap().pop()).as_deref(), Some("cherry"));
    table.reset().await.unwrap();
    assert!(table.query_rows(1).await.is_err());
    drop((table, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn folders_are_moved_copied_and_emptied() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let top = logon.ipm_subtree().await.unwrap();
    let a = top.create_folder("A", "", false).await.unwrap();
    let b = top.create_folder("B", "", false).await.unwrap();
    let inner = a.create_folder("Inner", "", false).await.unwrap();
    fill(&inner, &["one", "two"], Associated::No).await;
    fill(&a, &["three"], Associated::No).await;
    fill(&a, &["hidden"], Associated::Yes).await;
    assert_eq!(a.transfer_folder(inner.id(), &b, "Moved", Transfer::Move).await.unwrap(), Completion::All);
    assert_eq!(top.transfer_folder(b.id(), &a, "Copied", Transfer::Copy).await.unwrap(), Completion::All);
    let view = View::of(&[tags::DISPLAY_NAME, tags::CONTENT_COUNT]);
    let mut table = a.hierarchy_table(Depth::All, &view).await.unwrap();
    let rows = table.all_rows(100).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.text(tags::DISPLAY_NAME).unwrap()).collect();
    assert_eq!(names, ["Copied", "Moved"]);
    assert_eq!(rows[1].get(tags::CONTENT_COUNT), Some(&PropValue::I32(2)));
    let cycle = top.transfer_folder(a.id(), &a, "Itself", Transfer::Move).await;
    assert_eq!(code(cycle.unwrap_err()), MapiCode::FolderCycle);
    let taken = top.transfer_folder(a.id(), &top, "B", Transfer::Copy).await;
    assert_eq!(code(taken.unwrap_err()), MapiCode::DuplicateName);

    assert_eq!(a.empty(Deletion::Soft, Associated::No).await.unwrap(), Completion::All);
    assert_eq!((count(&a, Associated::No).await, count(&a, Associated::Yes).await), (0, 1));
    assert_eq!(a.empty(Deletion::Hard, Associated::Yes).await.unwrap(), Completion::All);
    assert_eq!(count(&a, Associated::Yes).await, 0);
    let mut table = a.hierarchy_table(Depth::All, &view).await.unwrap();
    assert_eq!(table.all_rows(100).await.unwrap(), []);
    drop((table, a, b, inner, top, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn objects_are_copied_into_each_other() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    fill(&inbox, &["original"], Associated::No).await;
    let mut table = inbox.contents_table(Associated::No, &View::of(&[tags::MID])).await.unwrap();
    let id = table.query_rows(1).await.unwrap()[0].id(tags::MID).map(watertight_mapi::Mid::from_u64).unwrap();
    let original = inbox.open_message(id, Access::ReadOnly).await.unwrap();
    let mut copy = inbox.create_message(Associated::No).await.unwrap();
    assert_eq!(original.copy_to(&copy, &[tags::IMPORTANCE], true).await.unwrap(), []);
    let id = copy.save().await.unwrap();
    let copy = inbox.open_message(id, Access::ReadOnly).await.unwrap();
    assert_eq!(copy.subject(), Some("original"));
    assert_eq!(copy.recipients().await.unwrap().len(), 1);
    let mut part = inbox.create_message(Associated::No).await.unwrap();
    assert_eq!(original.copy_props(&part, &[tags::SUBJECT]).await.unwrap(), []);
    part.save().await.unwrap();
    assert_eq!(part.props(&[tags::SUBJECT]).await.unwrap().text(tags::SUBJECT), Some("original"));
    assert!(part.recipients().await.unwrap().is_empty());
    drop((original, copy, part, table, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// Two change a message: the second to save is told, and may insist.
#[tokio::test]
async fn whoever_comes_second_is_told() {
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.inbox().await.unwrap();
    let mut message = inbox.create_message(Associated::No).await.unwrap();
    let id = message.save().await.unwrap();
    let mut one = inbox.open_message(id, Access::ReadWrite).await.unwrap();
    let mut two = inbox.open_message(id, Access::ReadWrite).await.unwrap();
    one.set_props(&[Prop::new(tags::SUBJECT, "one")]).await.unwrap();
    two.set_props(&[Prop::new(tags::SUBJECT, "two")]).await.unwrap();
    one.save().await.unwrap();
    assert_eq!(code(two.save().await.unwrap_err()), MapiCode::ObjectModified);
    assert_eq!(two.save_anyway().await.unwrap(), id);
    let last = inbox.open_message(id, Access::ReadOnly).await.unwrap();
    assert_eq!(last.subject(), Some("two"));
    let mut last = last;
    assert_eq!(code(last.save().await.unwrap_err()), MapiCode::AccessDenied);
    drop((message, one, two, last, inbox, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// A handle of one session means something else in another.
#[tokio::test]
async fn nothing_goes_from_one_session_to_another() {
    let bed = Bed::new().await;
    let (session, one) = logon(&bed).await;
    let (other, two) = logon(&bed).await;
    let (here, there) = (one.inbox().await.unwrap(), two.ipm_subtree().await.unwrap());
    fill(&here, &["x"], Associated::No).await;
    let mut message = here.create_message(Associated::No).await.unwrap();
    let id = message.save().await.unwrap();
    let foreign = two.inbox().await.unwrap().create_message(Associated::No).await.unwrap();
    let errors = [
        here.transfer_messages(&[id], &there, Transfer::Copy).await.map(drop).unwrap_err(),
        here.transfer_folder(there.id(), &there, "y", Transfer::Copy).await.map(drop).unwrap_err(),
        message.copy_to(&foreign, &[], true).await.map(drop).unwrap_err(),
        message.copy_props(&foreign, &[tags::SUBJECT]).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Setup(watertight_mapi_client::SetupError::OtherLogon)), "{error}");
    }
    drop((message, foreign, here, there, one, two));
    session.disconnect().await.unwrap();
    other.disconnect().await.unwrap();
    bed.end().await;
}
