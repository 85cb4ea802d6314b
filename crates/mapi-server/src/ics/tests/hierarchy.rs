use watertight_mapi::{
    ics::syntactical::FolderChange,
    store::{DeleteFolder, FolderKind, NewFolder},
};

use super::*;

async fn create(mailbox: &Arc<dyn Mailbox>, parent: FolderId, name: &str) -> FolderId {
    let new = NewFolder {
        parent,
        name: name.to_owned(),
        kind: FolderKind::Generic,
        props: PropBag(vec![Prop::new(tags::CONTAINER_CLASS, "IPF.Note")]),
        open_existing: false,
    };
    mailbox.create_folder(new).await.unwrap().0.id
}

fn folders(events: &[Event]) -> Vec<&FolderChange> {
    events.iter().filter_map(|e| if let Event::FolderChange(f) = e { Some(&**f) } else { None }).collect()
}

#[tokio::test]
async fn a_hierarchy_and_its_changes() {
    let mailbox = mailbox().await;
    let root = mailbox.special(SpecialFolder::IpmSubtree);
    let a = create(&mailbox, root, "A").await;
    let b = create(&mailbox, a, "B").await;
    let c = create(&mailbox, b, "C").await;
    let hierarchy = || request(2, 0x0101);
    let first = events(&mailbox, root, hierarchy(), &State::default()).await;
    let all = folders(&first);
    let ids = mailbox.folder_ids(root).await.unwrap();
    assert_eq!(watertight_wire::to_u64(all.len()), ids.len());
    for (at, folder) in all.iter().enumerate() {
        if let Some(parent) = &folder.parent_source_key {
            assert!(all[..at].iter().any(|f| f.source_key == *parent), "{} before its parent", folder.name);
        }
        assert_eq!(folder.folder_id.unwrap().counter, folder.source_key.counter().unwrap());
    }
    let of = |name: &str| *all.iter().find(|f| f.name == name).unwrap();
    assert!(of("Inbox").parent_source_key.is_none());
    assert_eq!(of("Inbox").parent_folder_id.unwrap().counter, root.0);
    assert_eq!(of("C").parent_source_key.as_ref(), Some(&of("B").source_key));
    assert_eq!(of("C").props.text(tags::CONTAINER_CLASS), Some("IPF.Note"));
    let state = final_state(&first);
    assert_eq!(state.given.get(mailbox.info().repl_guid), Some(&*ids));
    assert!(state.seen_fai.is_empty() && state.read.is_empty());

    let nothing = events(&mailbox, root, hierarchy(), &state).await;
    assert_eq!(nothing.len(), 2, "{nothing:?}");
    // A message changes its folder's counts, and not the folder.
    save(&mailbox, a, ItemKind::Normal, text("x")).await;
    assert!(folders(&events(&mailbox, root, hierarchy(), &state).await).is_empty());

    mailbox.change_folder(b, vec![Prop::new(tags::DISPLAY_NAME, "B renamed")], Vec::new()).await.unwrap();
    mailbox.move_folder(c, root, None).await.unwrap();
    let changed = events(&mailbox, root, hierarchy(), &state).await;
    let mut names: Vec<(&str, bool)> =
        folders(&changed).iter().map(|f| (f.name.as_str(), f.parent_source_key.is_none())).collect();
    names.sort_unstable();
    assert_eq!(names, [("B renamed", false), ("C", true)]);

    let state = final_state(&changed);
    let soft = DeleteFolder { messages: true, folders: true, hard: false };
    mailbox.delete_folder(a, soft).await.unwrap();
    mailbox.delete_folder(c, DeleteFolder { hard: true, ..soft }).await.unwrap();
    let after = events(&mailbox, root, hierarchy(), &state).await;
    let Event::Deletions(gone) = &after[0] else { panic!("{after:?}") };
    assert_eq!(gone.deleted.get(ReplId(1)), Some(&[a.0, b.0, c.0].into_iter().collect()));
    assert!(gone.no_longer_in_scope.is_empty());
    let last = final_state(&after);
    assert_eq!(last.given.get(mailbox.info().repl_guid), Some(&*mailbox.folder_ids(root).await.unwrap()));
    let silent = events(&mailbox, root, request(2, 0x0103), &state).await;
    assert_eq!(silent.len(), 2);
}

#[tokio::test]
async fn identifiers_come_when_they_are_asked_for() {
    let mailbox = mailbox().await;
    let root = mailbox.special(SpecialFolder::IpmSubtree);
    for (flags, extra_flags, own, parent) in
        [(0x0001, 0, false, false), (0x0101, 0, false, true), (0x0001, 1, true, true)]
    {
        let request = SyncRequest { extra_flags, ..request(2, flags) };
        let all = events(&mailbox, root, request, &State::default()).await;
        let first = folders(&all)[0];
        assert_eq!((first.folder_id.is_some(), first.parent_folder_id.is_some()), (own, parent));
    }
}
