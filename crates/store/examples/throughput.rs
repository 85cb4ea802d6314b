//! How fast the store imports and reads: `cargo run --release -p watertight-store --example throughput -- DIR [COUNT]`.
//!
//! DIR must be on the disk that is meant. The messages are like a mixed corpus of 55 KB on average with the
//! transport form kept beside the properties, so that about 1.6 times as much is stored.

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::{path::PathBuf, sync::Arc, time::Instant};

use watertight_ledger::Ledger;
use watertight_mapi::{
    PropName, PropValue,
    ics::GlobSet,
    prop::{Prop, PropBag, PropData, tags},
    store::{Attachment, ItemKind, Mailbox, MessageContent, NewAccount, SaveMessage, SpecialFolder, Store},
};
use watertight_store::SqliteStore;
use watertight_wire::{FileTime, Guid};

const BATCH: usize = 128;
const FOLDERS: usize = 20;

fn raw_len(n: usize) -> usize {
    match n % 100 {
        0..70 => 3_000 + n % 4_000,
        70..90 => 20_000 + n % 20_000,
        90..98 => 150_000 + n % 100_000,
        _ => 1_500_000,
    }
}

fn message(n: usize, noise: &[u8]) -> MessageContent {
    let len = raw_len(n);
    let bytes = |len: usize| noise.get(n % 4_096..).unwrap_or_default().get(..len).unwrap_or_default();
    let mut content = MessageContent::default();
    let seconds = i64::try_from(n).unwrap_or(0).saturating_add(1_700_000_000);
    content.props.set(tags::SUBJECT, format!("message {n}"));
    content.props.set(tags::MESSAGE_DELIVERY_TIME, FileTime::from_unix_seconds(seconds));
    content.props.set(tags::INTERNET_MESSAGE_ID, format!("<{n}@example.org>"));
    content
        .props
        .set(tags::TRANSPORT_MESSAGE_HEADERS, "Received: from somewhere by somewhere\r\n".repeat(40));
    content.props.set(tags::BODY, "All work and no play makes Jack a dull boy. ".repeat(40));
    for _ in 0..3 {
        let mut recipient = PropBag::default();
        recipient.set(tags::DISPLAY_NAME, "Somebody Else");
        recipient.set(tags::SMTP_ADDRESS, "somebody@example.org");
        content.recipients.push(recipient);
    }
    if len > 10_000 {
        let mut props = PropBag::default();
        props.set(tags::ATTACH_DATA_BINARY, bytes(len.saturating_mul(7) / 10));
        content.attachments.push(Attachment { number: 0, props, embedded: None });
    }
    let form = PropName::string(Guid::from_bytes([1; 16]), "transport form");
    content.props.put(Prop::named(form, PropValue::Binary(bytes(len).to_vec())));
    content
}

async fn large(mailbox: &Arc<dyn Mailbox>, bag: &PropBag) -> Result<u64, Box<dyn std::error::Error>> {
    let mut total: u64 = 0;
    for prop in &bag.0 {
        let PropData::Large(value) = prop.value else { continue };
        let mut at: u64 = 0;
        while at < value.len {
            let part = mailbox.read_large(value.id, at, 64 * 1024).await?;
            at = at.saturating_add(u64::try_from(part.len())?);
        }
        total = total.saturating_add(at);
    }
    Ok(total)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let dir = PathBuf::from(args.next().ok_or("which directory?")?);
    let count: usize = args.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(10_000);
    let noise: Vec<u8> = (0..2_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let store = SqliteStore::open(&dir, &Ledger::new("throughput"))?;
    let account = NewAccount {
        name: "alice".into(),
        display_name: "Alice".into(),
        smtp_address: "alice@example.org".into(),
        password_hash: "none".into(),
    };
    let mailbox = store.mailbox(store.create_account(account).await?.mailbox_guid).await?;
    let mut folders = Vec::new();
    for n in 0..FOLDERS {
        let folder = watertight_mapi::store::NewFolder {
            parent: mailbox.special(SpecialFolder::IpmSubtree),
            name: format!("folder {n}"),
            kind: watertight_mapi::store::FolderKind::Generic,
            props: PropBag::default(),
            open_existing: false,
        };
        folders.push(mailbox.create_folder(folder).await?.0.id);
    }

    let started = Instant::now();
    let (mut mail, mut next) = (0, 0);
    while next < count {
        let end = next.saturating_add(BATCH).min(count);
        let folder = *folders.get(next / BATCH % FOLDERS).ok_or("no folder")?;
        let batch: Vec<SaveMessage> = (next..end)
            .map(|n| SaveMessage {
                folder,
                id: None,
                expected: None,
                kind: ItemKind::Normal,
                read: false,
                modified: None,
                content: message(n, &noise),
            })
            .collect();
        mail = (next..end).map(raw_len).fold(mail, usize::saturating_add);
        mailbox.save_messages(batch).await?;
        next = end;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("import: {count} messages, {} MB of mail, {seconds:.2} s", mail / 1_000_000);
    println!(
        "        {:.0} messages/s, durable, {BATCH} to a transaction",
        f64::from(u32::try_from(count)?) / seconds
    );

    for pass in ["first", "second"] {
        let started = Instant::now();
        let (mut messages, mut bytes) = (0_u32, 0_u64);
        for folder in &folders {
            let mut cursor = None;
            loop {
                let seen = GlobSet::new();
                let page = mailbox
                    .message_changes(*folder, ItemKind::Normal, &seen, false, cursor.as_ref(), 256)
                    .await?;
                for head in page.items {
                    let message = mailbox.message(head.id, false).await?;
                    large(&mailbox, &message.content.props).await?;
                    for attachment in &message.content.attachments {
                        large(&mailbox, &attachment.props).await?;
                    }
                    messages = messages.saturating_add(1);
                    bytes = bytes.saturating_add(head.size);
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{pass} read: {messages} messages, {} MB, {seconds:.2} s", bytes / 1_000_000);
    }

    let started = Instant::now();
    for folder in &folders {
        let ids = mailbox.message_ids(*folder, ItemKind::Normal).await?;
        let up_to = GlobSet::up_to(mailbox.last_change().await?.0);
        mailbox.message_changes(*folder, ItemKind::Normal, &up_to, false, None, 256).await?;
        mailbox.read_changes(*folder, &up_to, None, 256).await?;
        mailbox.deleted_ids(*folder, &ids).await?;
    }
    println!("no change: {FOLDERS} folders, {:.1} ms", started.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}
