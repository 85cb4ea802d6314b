use std::{fs, path::Path, sync::Arc};

use watertight_ledger::Ledger;
use watertight_mapi::{
    PropName,
    ics::GlobSet,
    prop::{LargeValue, Prop, PropBag, PropData, tags},
    store::{
        Account, Attachment, Depth, Folder, FolderId, ItemKind, Mailbox, Message, MessageContent,
        MessageHead, NewAccount, SaveMessage, SpecialFolder, Store, StoreResult,
    },
};
use watertight_store::SqliteStore;
use watertight_wire::{FileTime, Guid};

pub fn open(dir: &Path) -> StoreResult<SqliteStore> {
    SqliteStore::open(dir, &Ledger::new("test"))
}

pub fn new_account(name: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        display_name: format!("{name} Example"),
        smtp_address: format!("{name}@example.org"),
        password_hash: "$argon2id$v=19$made-up".to_owned(),
    }
}

pub async fn mailbox(store: &SqliteStore, name: &str) -> StoreResult<Arc<dyn Mailbox>> {
    let account = match store.account(name).await? {
        Some(account) => account,
        None => store.create_account(new_account(name)).await?,
    };
    store.mailbox(account.mailbox_guid).await
}

pub fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from((n * 31 + seed * 7) % 251).unwrap()).collect()
}

/// From this number on every second message has 1 MB, so that few of them make the log flow into the file.
pub const HEAVY: usize = 10_000_000;

/// Message number `n`: every fifth has a large value, every third a recipient, a named property and an attachment.
pub fn content(n: usize) -> MessageContent {
    let mut content = MessageContent::default();
    let time = FileTime::from_unix_seconds(1_600_000_000 + i64::try_from(n).unwrap());
    content.props.set(tags::SUBJECT, format!("message {n}"));
    content.props.set(tags::MESSAGE_DELIVERY_TIME, time);
    content.props.set(tags::SEARCH_KEY, format!("key {n}").as_bytes());
    content.props.set(tags::BODY, "Grüße ".repeat(n * 37 % 500));
    if n.is_multiple_of(5) {
        content.props.set(tags::HTML, bytes(n, 100_000 + n));
    }
    if n >= HEAVY && n.is_multiple_of(2) {
        content.props.set(tags::RTF_COMPRESSED, vec![u8::try_from(n % 251).unwrap(); 1_000_000]);
    }
    if n.is_multiple_of(3) {
        let mut recipient = PropBag::default();
        recipient.set(tags::DISPLAY_NAME, "Bob");
        content.recipients.push(recipient.clone());
        content
            .props
            .put(Prop::named(PropName::string(Guid::from_bytes([n.try_into().unwrap_or(0); 16]), "x"), 5));
        let mut inner = MessageContent::default();
        inner.props.set(tags::SUBJECT, "inside");
        let embedded = n.is_multiple_of(2).then(|| Box::new(inner));
        content.attachments.push(Attachment { number: 4, props: recipient, embedded });
    }
    content
}

pub fn new(folder: FolderId, content: MessageContent) -> SaveMessage {
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

pub async fn save(mailbox: &Arc<dyn Mailbox>, numbers: std::ops::Range<usize>) -> Vec<MessageHead> {
    let inbox = mailbox.special(SpecialFolder::Inbox);
    mailbox.save_messages(numbers.map(|n| new(inbox, content(n))).collect()).await.unwrap()
}

/// All of a large value.
pub async fn whole(mailbox: &Arc<dyn Mailbox>, value: LargeValue) -> StoreResult<Vec<u8>> {
    mailbox.read_large(value.id, 0, usize::try_from(value.len).unwrap()).await
}

/// Whether the message that was read is number `n`, names and large values included.
pub async fn is_number(mailbox: &Arc<dyn Mailbox>, message: &Message, n: usize) -> bool {
    let mut read = message.content.clone();
    for prop in &mut read.props.0 {
        if let PropData::Large(value) = prop.value {
            let bytes = whole(mailbox, value).await.unwrap();
            assert_eq!(bytes.len(), usize::try_from(value.len).unwrap());
            prop.value = PropData::Inline(bytes.into());
        }
        if prop.name.is_some() {
            *prop = Prop::named(prop.name.as_deref().unwrap().clone(), 5);
        }
    }
    read == content(n)
}

/// Everything in a store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dump {
    pub accounts: Vec<Account>,
    pub folders: Vec<Folder>,
    pub messages: Vec<(Message, Vec<Vec<u8>>)>,
}

pub async fn dump(store: &SqliteStore) -> StoreResult<Dump> {
    let mut dump = Dump { accounts: store.accounts(None, 1000).await?.items, ..Dump::default() };
    for account in &dump.accounts {
        let mailbox = store.mailbox(account.mailbox_guid).await?;
        let root = mailbox.special(SpecialFolder::Root);
        let folders = mailbox.folders(root, Depth::All, false, None, 1000).await?.items;
        for folder in &folders {
            for kind in [ItemKind::Normal, ItemKind::Associated] {
                let page =
                    mailbox.message_changes(folder.id, kind, &GlobSet::new(), false, None, 1000).await?;
                for head in page.items {
                    let message = mailbox.message(head.id, false).await?;
                    let mut large = Vec::new();
                    for prop in &message.content.props.0 {
                        if let PropData::Large(value) = prop.value {
                            large.push(whole(&mailbox, value).await?);
                        }
                    }
                    dump.messages.push((message, large));
                }
            }
        }
        dump.folders.extend(folders);
    }
    Ok(dump)
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A small generator, so that a seed says everything.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n.try_into().unwrap())).unwrap()
    }
}
