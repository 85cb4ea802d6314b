use std::{collections::BTreeMap, sync::Arc};

use watertight_ledger::Ledger;
use watertight_mapi::{
    GlobCnt, MapiCode, PropTag, PropValue, ReplId,
    ics::{Download, Event, GlobSet, Root, State},
    prop::{LargeValue, Prop, PropBag, PropData, tags},
    store::{
        Attachment, FolderId, ItemKind, Mailbox, MessageContent, MessageHead, MessageId, NewAccount,
        SaveMessage, SpecialFolder, Store,
    },
};
use watertight_store::{MemoryStore, SqliteStore};

use super::*;

mod client;
mod contents;
mod copies;
mod hierarchy;
mod ledger;
mod scope;

/// Everything that a mail synchronizer asks for.
const ALL_FLAGS: u16 = 0x8000 | 0x0100 | 0x0020 | 0x0010 | 0x0008 | 0x0001;
const ALL_EXTRA: u32 = 0x07;

async fn mailbox() -> Arc<dyn Mailbox> {
    mailbox_of(&MemoryStore::new()).await
}

async fn mailbox_of(store: &dyn Store) -> Arc<dyn Mailbox> {
    let account = NewAccount {
        name: "u".to_owned(),
        display_name: "U".to_owned(),
        smtp_address: "u@example.org".to_owned(),
        password_hash: String::new(),
    };
    let account = store.create_account(account).await.unwrap();
    store.mailbox(account.mailbox_guid).await.unwrap()
}

fn origin(mailbox: &Arc<dyn Mailbox>) -> Origin {
    origin_on(mailbox, &Ledger::new("test"))
}

fn origin_on(mailbox: &Arc<dyn Mailbox>, ledger: &Ledger) -> Origin {
    let replica = Replica { id: ReplId(1), guid: mailbox.info().repl_guid };
    Origin { mailbox: Arc::clone(mailbox), replica, code_page: 1252, ledger: ledger.clone() }
}

fn request(sync_type: u8, sync_flags: u16) -> SyncRequest {
    SyncRequest {
        sync_type,
        send_options: 0x01,
        sync_flags,
        restriction: None,
        extra_flags: ALL_EXTRA,
        tags: Vec::new(),
    }
}

fn upload(source: &mut Source, state: &State, hierarchy: bool) {
    for (tag, blob) in state.blobs(hierarchy) {
        source.put_state_begin(tag, u32::try_from(blob.len()).unwrap()).unwrap();
        for piece in blob.chunks(7) {
            source.put_state_continue(piece).unwrap();
        }
        source.put_state_end().unwrap();
    }
}

/// The whole stream, taken in buffers of `max`, as events.
async fn drain(source: &mut Source, root: Root, max: usize) -> Result<Vec<Event>, MapiCode> {
    let (mut download, mut events) = (Download::new(root), Vec::new());
    let mut progress = 0;
    loop {
        let filled = source.fill(max).await?;
        assert!(filled.bytes.len() <= max && filled.progress <= filled.total && filled.progress >= progress);
        progress = filled.progress;
        download.handle_input(&filled.bytes);
        while let Some(event) = download.poll_event().unwrap() {
            events.push(event);
        }
        if filled.status == TransferStatus::Done {
            break;
        }
    }
    download.finish().unwrap();
    while let Some(event) = download.poll_event().unwrap() {
        events.push(event);
    }
    assert_eq!(events.last(), Some(&Event::End));
    Ok(events)
}

async fn events(
    mailbox: &Arc<dyn Mailbox>,
    folder: FolderId,
    request: SyncRequest,
    state: &State,
) -> Vec<Event> {
    let (root, hierarchy) =
        if request.sync_type == 1 { (Root::ContentsSync, false) } else { (Root::HierarchySync, true) };
    let mut source = Source::synchronize(origin(mailbox), folder, request).unwrap();
    upload(&mut source, state, hierarchy);
    drain(&mut source, root, 32_000).await.unwrap()
}

fn final_state(events: &[Event]) -> State {
    let found = events.iter().find_map(|event| match event {
        Event::State(state, cuts) => {
            assert!(cuts.is_empty());
            Some((**state).clone())
        }
        _ => None,
    });
    found.unwrap()
}

fn text(subject: &str) -> MessageContent {
    let mut props = PropBag::default();
    props.set(tags::MESSAGE_CLASS, "IPM.Note");
    props.set(tags::SUBJECT, subject);
    MessageContent { props, ..MessageContent::default() }
}

async fn save(
    mailbox: &Arc<dyn Mailbox>,
    folder: FolderId,
    kind: ItemKind,
    content: MessageContent,
) -> MessageHead {
    let save = SaveMessage { folder, id: None, expected: None, kind, read: false, modified: None, content };
    mailbox.save_messages(vec![save]).await.unwrap().remove(0)
}

async fn change(mailbox: &Arc<dyn Mailbox>, head: &MessageHead, content: MessageContent) -> MessageHead {
    let save = SaveMessage {
        folder: head.folder,
        id: Some(head.id),
        expected: Some(head.change_number),
        kind: head.kind,
        read: head.read,
        modified: None,
        content,
    };
    mailbox.save_messages(vec![save]).await.unwrap().remove(0)
}

/// Subjects of the messages that came, in order.
fn subjects(events: &[Event]) -> Vec<String> {
    let (mut all, mut depth) = (Vec::new(), 0);
    for event in events {
        match event {
            Event::AttachmentBegin { .. } => depth += 1,
            Event::AttachmentEnd => depth -= 1,
            Event::ObjectFailed(_) => depth = 0,
            Event::Property(Prop {
                tag: tags::SUBJECT,
                value: PropData::Inline(PropValue::Unicode(text)),
                ..
            }) if depth == 0 => {
                all.push(text.clone());
            }
            _ => {}
        }
    }
    all
}

fn inbox(mailbox: &Arc<dyn Mailbox>) -> FolderId {
    mailbox.special(SpecialFolder::Inbox)
}
