//! The two stores do the same, whatever is asked of them: a seeded sequence of operations on both.

use watertight_mapi::{
    ics::GlobSet,
    prop::{Prop, PropBag, PropData, tags},
    store::{
        ContentsQuery, DeleteFolder, Depth, Folder, FolderId, FolderKind, MoveCopy, NewFolder, SortColumn,
        StoreError,
    },
};

use super::*;

/// A small generator, so that a seed says everything.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())])
    }
}

/// What must be the same of a head: all but times and what follows from the GUID of the replica.
fn head(head: &MessageHead) -> String {
    let MessageHead { id, folder, kind, change_number, read_change_number, read, deleted, size, .. } = head;
    let rest = (head.delivered, head.has_attachments);
    format!(
        "{id:?} {folder:?} {kind:?} {change_number:?} {read_change_number:?} {read} {deleted} {size} {rest:?}"
    )
}

fn folder(folder: &Folder) -> String {
    let Folder { id, parent, kind, name, change_number, deleted, counts, subfolders, props, .. } = folder;
    format!("{id:?} {parent:?} {kind:?} {name} {change_number:?} {deleted} {counts:?} {subfolders} {props:?}")
}

fn error(error: &StoreError) -> String {
    error.to_string()
}

/// One operation, chosen by `random`, on one store; what came of it.
async fn operation(mailbox: &Arc<dyn Mailbox>, random: &mut Random, known: &mut Known) -> String {
    let place = random.of(&known.folders).unwrap();
    let some: Vec<MessageId> = (0..random.below(5)).filter_map(|_| random.of(&known.messages)).collect();
    let heads = |result: Result<Vec<Option<MessageHead>>, StoreError>, known: &mut Known| match result {
        Ok(all) => {
            known.messages.extend(all.iter().flatten().map(|h| h.id));
            all.iter().map(|h| h.as_ref().map_or("none".to_owned(), head)).collect::<Vec<_>>().join("\n")
        }
        Err(e) => error(&e),
    };
    match random.below(12) {
        0..4 => {
            let batch = (0..1 + random.below(4)).map(|_| {
                let mut content =
                    mail(&format!("m{}", random.below(100)), random.below(50).try_into().unwrap());
                if random.below(6) == 0 {
                    content.props.set(tags::HTML, vec![1_u8; 65_500 + random.below(100)]);
                }
                let kind = if random.below(5) == 0 { ItemKind::Associated } else { ItemKind::Normal };
                SaveMessage { kind, read: random.below(2) == 0, ..new(place, content) }
            });
            let batch: Vec<_> = batch.collect();
            let result = mailbox.save_messages(batch).await;
            heads(result.map(|all| all.into_iter().map(Some).collect()), known)
        }
        4 => {
            let Some(id) = some.first() else { return String::new() };
            let Ok(message) = mailbox.message(*id, false).await else { return "gone".to_owned() };
            let mut content = message.content;
            content.props.set(tags::SUBJECT, "changed");
            let mut wanted = again(&message.head, content);
            if random.below(4) == 0 {
                wanted.expected = Some(watertight_mapi::store::ChangeNumber(counter(1)));
            }
            let result = mailbox.save_messages(vec![wanted]).await;
            heads(result.map(|all| all.into_iter().map(Some).collect()), known)
        }
        5 | 6 => {
            let hard = random.below(2) == 0;
            format!("{:?}", mailbox.delete_messages(place, &some, hard).await.map_err(|e| error(&e)))
        }
        7 => {
            let to = random.of(&known.folders).unwrap();
            let job = MoveCopy { from: place, to, ids: some, copy: random.below(2) == 0 };
            heads(mailbox.move_copy(job).await, known)
        }
        8 => {
            let read = random.below(2) == 0;
            format!("{:?}", mailbox.set_read(place, &some, read).await.map_err(|e| error(&e)))
        }
        9 => {
            let wanted = NewFolder {
                parent: place,
                name: ["a", "B", "c"][random.below(3)].to_owned(),
                kind: if random.below(9) == 0 { FolderKind::Search } else { FolderKind::Generic },
                props: PropBag::default(),
                open_existing: random.below(2) == 0,
            };
            match mailbox.create_folder(wanted).await {
                Ok((made, existed)) => {
                    known.folders.push(made.id);
                    format!("{} {existed}", folder(&made))
                }
                Err(e) => error(&e),
            }
        }
        10 => {
            let name = ["A", "b", "d"][random.below(3)];
            let result = if random.below(2) == 0 {
                let to = random.of(&known.folders).unwrap();
                mailbox.move_folder(place, to, Some(name.to_owned())).await
            } else {
                let set = vec![Prop::new(tags::DISPLAY_NAME, name), Prop::new(tags::COMMENT, name)];
                mailbox.change_folder(place, set, Vec::new()).await
            };
            result.as_ref().map_or_else(error, folder)
        }
        _ => {
            let mut flag = || random.below(2) == 0;
            let how = DeleteFolder { messages: flag(), folders: flag(), hard: flag() };
            format!("{:?}", mailbox.delete_folder(place, how).await.map_err(|e| error(&e)))
        }
    }
}

/// What an operation may be about.
#[derive(Default, Clone)]
struct Known {
    folders: Vec<FolderId>,
    messages: Vec<MessageId>,
}

/// Everything that a client could ask, as text.
async fn all(mailbox: &Arc<dyn Mailbox>, random: &mut Random, known: &Known) -> String {
    let mut said = Vec::new();
    let root = mailbox.special(SpecialFolder::Root);
    let last = mailbox.last_change().await.unwrap().0.value();
    let seen: GlobSet = (1..=last).filter(|_| random.below(3) > 0).map(counter).collect();
    let given: GlobSet = known.messages.iter().map(|id| id.0).collect();
    for deleted in [false, true] {
        let page = mailbox.folders(root, Depth::All, deleted, None, 1_000).await.unwrap();
        said.extend(page.items.iter().map(folder));
    }
    let changed = mailbox.folder_changes(root, &seen, None, 1_000).await.unwrap();
    said.extend(changed.items.iter().map(|c| folder(&c.folder)));
    for place in &known.folders {
        for kind in [ItemKind::Normal, ItemKind::Associated] {
            said.push(format!("{:?}", mailbox.message_ids(*place, kind).await.map_err(|e| error(&e))));
            said.push(format!(
                "{:?}",
                mailbox.changes_total(*place, kind, &seen).await.map_err(|e| error(&e))
            ));
            if let Ok(page) = mailbox.message_changes(*place, kind, &seen, false, None, 1_000).await {
                said.extend(page.items.iter().map(head));
            }
            for deleted in [false, true] {
                let sort = vec![SortColumn { tag: tags::SUBJECT, descending: deleted }];
                let query = ContentsQuery { kind, deleted, restriction: None, sort };
                let Ok(view) = mailbox.contents(*place, query).await else { continue };
                let rows = view.rows(0, 1_000, &[tags::SUBJECT]).await.unwrap();
                said.extend(rows.iter().map(|row| format!("{} {:?}", head(&row.head), row.props)));
            }
        }
        if let Ok(page) = mailbox.read_changes(*place, &seen, None, 1_000).await {
            said.extend(page.items.iter().map(head));
        }
        said.push(format!("{:?}", mailbox.deleted_ids(*place, &given).await.map_err(|e| error(&e))));
    }
    for id in &known.messages {
        match mailbox.message(*id, true).await {
            Ok(message) => said.push(format!("{} {:?}", head(&message.head), large_apart(message.content))),
            Err(e) => said.push(error(&e)),
        }
    }
    said.join("\n")
}

/// The content with the numbers of large values left out: each store counts them as it likes.
fn large_apart(mut content: MessageContent) -> MessageContent {
    for prop in &mut content.props.0 {
        if let PropData::Large(large) = &mut prop.value {
            large.id = 0;
        }
    }
    content
}

#[tokio::test]
async fn memory_and_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(SqliteStore::open(dir.path(), &Ledger::new("test")).unwrap());
    for seed in 1..=6 {
        let name = format!("user{seed}");
        let account =
            NewAccount { name: name.clone(), smtp_address: format!("{name}@example.org"), ..alice() };
        let guid = sqlite.create_account(account).await.unwrap().mailbox_guid;
        let stores = [mailbox(&Arc::new(MemoryStore::new())).await, sqlite.mailbox(guid).await.unwrap()];
        let mut known = Known {
            folders: vec![
                stores[0].special(SpecialFolder::Inbox),
                stores[0].special(SpecialFolder::Drafts),
                FolderId(counter(0xdead)),
            ],
            messages: vec![MessageId(counter(0xdead))],
        };
        for step in 0..120 {
            let state = seed * 1_000 + step;
            let (mut other, before) = (known.clone(), known.clone());
            let a = operation(&stores[0], &mut Random(state), &mut known).await;
            let b = operation(&stores[1], &mut Random(state), &mut other).await;
            assert_eq!(a, b, "seed {seed}, step {step}, {} messages", before.messages.len());
            assert_eq!(known.messages, other.messages);
            if step % 20 == 19 {
                let a = all(&stores[0], &mut Random(state), &known).await;
                let b = all(&stores[1], &mut Random(state), &known).await;
                let differ = a.lines().zip(b.lines()).find(|(a, b)| a != b);
                assert!(a == b, "seed {seed}, step {step}: {differ:#?}");
            }
        }
    }
    let report = crate::check(dir.path()).unwrap();
    assert!(report.is_sound(), "{report}");
}
