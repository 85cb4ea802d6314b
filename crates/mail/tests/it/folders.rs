//! Folders.

use watertight_mail::{AddOptions, Counts, ErrorKind, Key, PropValue};

use crate::kit::{House, mail};

#[tokio::test]
async fn folders_are_made_found_renamed_and_deleted() {
    let house = House::new();
    let session = house.session().await;
    let may = session.create_folder("Archive/2004/May").await.unwrap();
    let odd = session.create_folder(r"Archive/a\/b").await.unwrap();
    assert_eq!((may.name().await.unwrap(), odd.name().await.unwrap()), ("May".into(), "a/b".into()));
    assert_eq!(may.path().await.unwrap(), "Archive/2004/May");
    let archive = session.folder("archive").await.unwrap();
    assert_eq!(archive.folder("2004/MAY").await.unwrap(), may);
    assert_eq!(session.folder("").await.unwrap(), session.root());
    // What was opened by its id finds its path.
    let by_id = session.folder("Archive/2004").await.unwrap().folder("May").await.unwrap();
    assert_eq!(by_id.path().await.unwrap(), "Archive/2004/May");
    for folder in [session.inbox(), session.sent(), session.trash(), session.outbox()] {
        assert_eq!(session.folder(&folder.path().await.unwrap()).await.unwrap(), folder);
    }
    let mut paths = Vec::new();
    let mut walk = archive.walk();
    while let Some(folder) = walk.next().await.unwrap() {
        paths.push(folder.path().await.unwrap());
    }
    assert_eq!(paths, ["Archive/2004", "Archive/2004/May", r"Archive/a\/b"]);
    let mut names = Vec::new();
    let mut below = archive.folders();
    while let Some(folder) = below.next().await.unwrap() {
        names.push(folder.name().await.unwrap());
    }
    assert_eq!(names, ["2004", "a/b"]);
    may.rename("June").await.unwrap();
    assert_eq!(may.path().await.unwrap(), "Archive/2004/June");
    assert_eq!(session.folder("Archive/2004/June").await.unwrap(), may);
    assert!(may.rename("").await.is_err());
    archive.delete().await.unwrap();
    let gone = session.folder("Archive").await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(gone.text().contains("Archive"), "{gone}");
    assert_eq!(may.counts().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(session.inbox().delete().await.is_err());
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}

#[tokio::test]
async fn folders_have_counts_and_properties() {
    let house = House::new();
    let session = house.session().await;
    let inbox = session.inbox();
    for n in 0..5 {
        let mut options = AddOptions::default();
        options.unread = n < 2;
        inbox.add(&mail(n), &options).await.unwrap();
    }
    assert_eq!(inbox.counts().await.unwrap(), Counts { messages: 5, unread: 2 });
    let comment: Key = "PidTagComment".parse().unwrap();
    inbox.set_prop(&comment, "for tests".into()).await.unwrap();
    assert_eq!(inbox.prop(&comment).await.unwrap(), Some(PropValue::from("for tests")));
    assert!(inbox.props().await.unwrap().iter().any(|(key, _)| *key == comment));
    inbox.remove_prop(&comment).await.unwrap();
    assert_eq!(inbox.prop(&comment).await.unwrap(), None);
    inbox.empty().await.unwrap();
    assert_eq!(inbox.counts().await.unwrap(), Counts::default());
    session.close().await.unwrap();
    house.mapi.idle().await;
    house.end();
}
