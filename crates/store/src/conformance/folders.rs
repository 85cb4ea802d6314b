use std::{collections::HashSet, sync::Arc};

use watertight_mapi::{
    PropName,
    ics::GlobSet,
    prop::{Prop, PropBag, tags},
    store::{
        DeleteFolder, Depth, Folder, FolderId, FolderKind, ItemKind, Mailbox, NewFolder, Outcome,
        SaveMessage, SpecialFolder, Store, StoreError,
    },
};
use watertight_wire::Guid;

use super::{counter, filled, mail, mailbox, new, save};

fn named(parent: FolderId, name: &str) -> NewFolder {
    NewFolder {
        parent,
        name: name.to_owned(),
        kind: FolderKind::Generic,
        props: PropBag::default(),
        open_existing: false,
    }
}

async fn make(mailbox: &Arc<dyn Mailbox>, parent: FolderId, name: &str) -> Folder {
    mailbox.create_folder(named(parent, name)).await.unwrap().0
}

async fn all_below(
    mailbox: &Arc<dyn Mailbox>,
    root: FolderId,
    depth: Depth,
    deleted: bool,
    limit: usize,
) -> Vec<Folder> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = mailbox.folders(root, depth, deleted, cursor.as_ref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        cursor = Some(next);
    }
}

pub(super) async fn standard_folders(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let mut ids = HashSet::new();
    for special in SpecialFolder::ALL {
        let folder = mailbox.folder(mailbox.special(special), false).await.unwrap();
        assert!(ids.insert(folder.id));
        assert_eq!(folder.name, special.display_name());
        assert_eq!(folder.parent, special.parent().map(|p| mailbox.special(p)));
        assert_eq!(folder.props.text(tags::CONTAINER_CLASS), special.container_class());
        assert_eq!(folder.kind == FolderKind::Root, special == SpecialFolder::Root);
        assert_eq!(folder.change_key.counter(), Some(folder.change_number.0));
    }
    let root = mailbox.special(SpecialFolder::Root);
    let below = mailbox.folder_ids(root).await.unwrap();
    assert_eq!(below.len(), 19);
    assert_eq!(mailbox.folder(root, false).await.unwrap().subfolders, 8);
}

pub(super) async fn made_renamed_moved(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let top = mailbox.special(SpecialFolder::IpmSubtree);
    let mut wanted = named(top, "Projekte");
    wanted.props.set(tags::COMMENT, "comment");
    let name = PropName::string(Guid::NIL, "named");
    wanted.props.put(Prop::named(name.clone(), 7));
    let (folder, existed) = mailbox.create_folder(wanted.clone()).await.unwrap();
    assert!(!existed);
    assert_eq!(folder.parent, Some(top));
    assert_eq!(folder.props.text(tags::COMMENT), Some("comment"));
    assert!(folder.props.find_named(&name).is_some());
    assert_eq!(mailbox.folder(folder.id, false).await.unwrap(), folder);
    assert!(matches!(mailbox.create_folder(named(top, "PROJEKTE")).await, Err(StoreError::Exists(_))));
    let open = NewFolder { open_existing: true, ..named(top, "PROJEKTE") };
    assert_eq!(mailbox.create_folder(open).await.unwrap(), (folder.clone(), true));

    let set = vec![
        Prop::new(tags::DISPLAY_NAME, "Projects"),
        Prop::new(tags::CONTAINER_CLASS, "IPF.Note"),
        Prop::new(tags::CHANGE_KEY, &b"forged"[..]),
    ];
    let changed = mailbox.change_folder(folder.id, set, vec![tags::COMMENT]).await.unwrap();
    assert_eq!(changed.name, "Projects");
    assert_eq!(changed.props.0.len(), 2);
    assert!(changed.change_number > folder.change_number);
    assert_eq!((changed.id, changed.created), (folder.id, folder.created));
    // Its own name in other letters is free.
    let set = vec![Prop::new(tags::DISPLAY_NAME, "PROJECTS")];
    mailbox.change_folder(folder.id, set, Vec::new()).await.unwrap();
    let other = make(&mailbox, top, "Other").await;
    let taken =
        mailbox.change_folder(other.id, vec![Prop::new(tags::DISPLAY_NAME, "projects")], Vec::new()).await;
    assert!(matches!(taken, Err(StoreError::Exists(_))));

    let moved = mailbox.move_folder(folder.id, other.id, Some("Inside".into())).await.unwrap();
    assert_eq!((moved.parent, moved.name.as_str()), (Some(other.id), "Inside"));
    assert!(moved.change_number > changed.change_number);
    assert_eq!(mailbox.folder(other.id, false).await.unwrap().subfolders, 1);
    let below = mailbox.folder_ids(other.id).await.unwrap();
    assert_eq!(*below, [folder.id.0].into_iter().collect());
}

pub(super) async fn refusals(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let top = mailbox.special(SpecialFolder::IpmSubtree);
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let nowhere = FolderId(counter(0xdead));
    assert!(matches!(mailbox.folder(nowhere, true).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.create_folder(named(nowhere, "x")).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.create_folder(named(top, "")).await, Err(StoreError::Invalid(_))));
    assert!(matches!(mailbox.create_folder(named(top, "a\0b")).await, Err(StoreError::Invalid(_))));
    let root = NewFolder { kind: FolderKind::Root, ..named(top, "root") };
    assert!(matches!(mailbox.create_folder(root).await, Err(StoreError::Invalid(_))));
    assert!(matches!(mailbox.change_folder(nowhere, vec![], vec![]).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.move_folder(inbox, top, None).await, Err(StoreError::Denied(_))));
    let all = DeleteFolder { messages: true, folders: true, hard: true };
    assert!(matches!(mailbox.delete_folder(inbox, all).await, Err(StoreError::Denied(_))));
    assert!(matches!(mailbox.delete_folder(nowhere, all).await, Err(StoreError::NotFound(_))));
    let a = make(&mailbox, top, "a").await.id;
    let b = make(&mailbox, a, "b").await.id;
    let c = make(&mailbox, b, "c").await.id;
    assert!(matches!(mailbox.move_folder(a, c, None).await, Err(StoreError::Cycle)));
    assert!(matches!(mailbox.move_folder(a, a, None).await, Err(StoreError::Cycle)));
    make(&mailbox, top, "C").await;
    assert!(matches!(mailbox.move_folder(c, top, None).await, Err(StoreError::Exists(_))));
    assert!(matches!(mailbox.move_folder(c, nowhere, None).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.folder_ids(nowhere).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn deleted_softly_and_for_good(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let top = mailbox.special(SpecialFolder::IpmSubtree);
    let a = make(&mailbox, top, "a").await.id;
    let b = make(&mailbox, a, "b").await.id;
    let head = save(&mailbox, new(b, mail("x", 1))).await;
    save(&mailbox, SaveMessage { kind: ItemKind::Associated, ..new(a, mail("fai", 1)) }).await;
    let nothing = DeleteFolder::default();
    assert_eq!(mailbox.delete_folder(a, nothing).await.unwrap(), Outcome::Partial);
    assert_eq!(mailbox.delete_folder(b, nothing).await.unwrap(), Outcome::Partial);
    let folders = DeleteFolder { folders: true, ..nothing };
    assert_eq!(mailbox.delete_folder(a, folders).await.unwrap(), Outcome::Partial);
    let soft = DeleteFolder { messages: true, ..folders };
    assert_eq!(mailbox.delete_folder(a, soft).await.unwrap(), Outcome::Complete);
    assert!(matches!(mailbox.folder(b, false).await, Err(StoreError::NotFound(_))));
    let deleted = mailbox.folder(b, true).await.unwrap();
    assert!(deleted.deleted);
    assert_eq!((deleted.counts.messages, deleted.counts.deleted), (0, 1));
    assert!(matches!(mailbox.message(head.id, false).await, Err(StoreError::NotFound(_))));
    assert!(mailbox.message(head.id, true).await.unwrap().head.deleted);
    assert!(matches!(mailbox.save_messages(vec![new(a, mail("x", 1))]).await, Err(StoreError::NotFound(_))));
    let live: Vec<_> = all_below(&mailbox, top, Depth::All, false, 3).await;
    assert!(live.iter().all(|f| f.id != a && f.id != b));
    let dead: Vec<_> = all_below(&mailbox, top, Depth::All, true, 1).await.iter().map(|f| f.id).collect();
    assert_eq!(dead, [a, b]);
    // The name is free again.
    let again = make(&mailbox, top, "A").await.id;
    assert_ne!(again, a);
    assert!(matches!(mailbox.delete_folder(a, soft).await, Err(StoreError::NotFound(_))));
    let hard = DeleteFolder { hard: true, ..soft };
    assert_eq!(mailbox.delete_folder(a, hard).await.unwrap(), Outcome::Complete);
    assert!(matches!(mailbox.folder(b, true).await, Err(StoreError::NotFound(_))));
    assert!(matches!(mailbox.message(head.id, true).await, Err(StoreError::NotFound(_))));
}

pub(super) async fn pages_and_depths(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let inbox = mailbox.special(SpecialFolder::Inbox);
    let b = make(&mailbox, inbox, "b").await.id;
    let a = make(&mailbox, inbox, "A").await.id;
    let ab = make(&mailbox, inbox, "ab").await.id;
    let a_z = make(&mailbox, a, "z").await.id;
    let a_c = make(&mailbox, a, "C").await.id;
    let a_c_x = make(&mailbox, a_c, "x").await.id;
    for limit in [1, 2, 3, 100] {
        let all: Vec<_> =
            all_below(&mailbox, inbox, Depth::All, false, limit).await.iter().map(|f| f.id).collect();
        assert_eq!(all, [a, a_c, a_c_x, a_z, ab, b], "{limit}");
        let children: Vec<_> =
            all_below(&mailbox, inbox, Depth::Children, false, limit).await.iter().map(|f| f.id).collect();
        assert_eq!(children, [a, ab, b], "{limit}");
    }
    // A page goes on where it was, whatever happened meanwhile.
    let page = mailbox.folders(inbox, Depth::All, false, None, 4).await.unwrap();
    assert_eq!(page.items.last().unwrap().id, a_z);
    let hard = DeleteFolder { hard: true, ..DeleteFolder::default() };
    mailbox.delete_folder(a_z, hard).await.unwrap();
    let page = mailbox.folders(inbox, Depth::All, false, page.next.as_ref(), 4).await.unwrap();
    assert_eq!(page.items.iter().map(|f| f.id).collect::<Vec<_>>(), [ab, b]);
}

pub(super) async fn hierarchy_changes(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let top = mailbox.special(SpecialFolder::IpmSubtree);
    let changes = |seen: GlobSet, limit: usize| {
        let mailbox = Arc::clone(&mailbox);
        async move {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                let page = mailbox.folder_changes(top, &seen, cursor.as_ref(), limit).await.unwrap();
                all.extend(page.items.into_iter().map(|c| c.folder));
                let Some(next) = page.next else { return all };
                cursor = Some(next);
            }
        }
    };
    let all = changes(GlobSet::new(), 2).await;
    assert_eq!(all.len(), 11);
    let a = make(&mailbox, top, "a").await;
    make(&mailbox, a.id, "b").await;
    let all = changes(GlobSet::new(), 1000).await;
    let place = |id| all.iter().position(|f| f.id == id).unwrap();
    assert!(all.iter().all(|f| f.parent == Some(top) || place(f.parent.unwrap()) < place(f.id)));
    let seen: GlobSet = all.iter().map(|f| f.change_number.0).collect();
    assert!(changes(seen.clone(), 5).await.is_empty());
    // What a folder holds does not change the folder.
    filled(&mailbox, 3).await;
    assert!(changes(seen.clone(), 5).await.is_empty());
    mailbox.change_folder(a.id, vec![Prop::new(tags::COMMENT, "c")], Vec::new()).await.unwrap();
    let found = changes(seen, 5).await;
    assert_eq!(found.iter().map(|f| f.id).collect::<Vec<_>>(), [a.id]);
    let before = mailbox.folder_ids(top).await.unwrap();
    assert!(before.contains(a.id.0));
    let how = DeleteFolder { folders: true, ..DeleteFolder::default() };
    mailbox.delete_folder(a.id, how).await.unwrap();
    assert_eq!(mailbox.folder_ids(top).await.unwrap().len(), before.len() - 2);
}
