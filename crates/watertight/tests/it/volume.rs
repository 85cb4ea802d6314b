//! Messages of every property type, written and read back through the API, with no property different.
//!
//! `WATERTIGHT_VOLUME` says how many messages (2,000 without; 20,000 in CI; a million by hand). Message number `n` is
//! the same in every run: what is compared is made again from its number, and never remembered.

mod compare;
mod make;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use watertight_ledger::Ledger;
use watertight_mapi::ics::sink::{Messages, Whole};
use watertight_mapi::store::MessageContent;
use watertight_mapi::{GlobCnt, Mid, PropValue};
use watertight_mapi_client::{Access, Export, Logon, Message, NewMessage, NoLarge, OpenMode, SpecialFolder};
use watertight_store::SqliteStore;

use crate::bed::Bed;
use crate::exporter::logon;
use compare::Compared;
use make::{FORMS, TYPES, message};

/// Messages that are written in one call.
const BATCH: u64 = 100;
/// Every so many-th message is read back as objects too, one by one.
const OBJECTS: u64 = 10;
/// The most that a message of these has.
const LIMIT: usize = 16 << 20;

fn volume() -> u64 {
    match std::env::var("WATERTIGHT_VOLUME") {
        Ok(text) => text.replace('_', "").parse().expect("WATERTIGHT_VOLUME is a number"),
        Err(_) => 2_000,
    }
}

/// A directory in memory where there is one and the messages (some 12 KB each) fit: this is a test of values, not of
/// the disk.
fn directory(count: u64) -> tempfile::TempDir {
    if count > 200_000 {
        return tempfile::tempdir().unwrap();
    }
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_property_of_every_type_comes_back_as_it_was_written() {
    let count = volume();
    let dir = directory(count);
    let stored = Ledger::new("store");
    let bed = Bed::on(Arc::new(SqliteStore::open(dir.path(), &stored).unwrap())).await;

    let begin = Instant::now();
    let halves = [(0, count / 2), (count / 2, count)].map(|(from, to)| {
        let connector = bed.connector.clone();
        let dn = bed.dn.clone();
        tokio::spawn(async move {
            let session = connector.connect(&dn).await.unwrap();
            let logon = session.logon(&dn).await.unwrap();
            let numbers = write(&logon, from, to).await;
            drop(logon);
            session.disconnect().await.unwrap();
            numbers
        })
    });
    // Which message has which id.
    let mut numbers = HashMap::new();
    for half in halves {
        numbers.extend(half.await.unwrap());
    }
    assert_eq!(numbers.len(), usize::try_from(count).unwrap(), "every message has an id of its own");
    let written = begin.elapsed();

    // All through an exporter and some as objects, in two sessions at a time.
    let numbers = Arc::new(numbers);
    let (known, (session, logged_on)) = (Arc::clone(&numbers), logon(&bed).await);
    let exporting = tokio::spawn(async move {
        let compared = export(&logged_on, &known).await;
        drop(logged_on);
        session.disconnect().await.unwrap();
        compared
    });
    let (session, logon) = logon(&bed).await;
    let opened = objects(&logon, &numbers).await;
    drop(logon);
    session.disconnect().await.unwrap();
    let exported = exporting.await.unwrap();
    let all = begin.elapsed();

    // All there is was compared: as many values of each kind as the messages have, counted when they are made again.
    let mut expected = Compared::default();
    let mut expected_opened = Compared::opened();
    for n in 0..count {
        let content = message(n);
        expected.count(&content);
        if n % OBJECTS == 0 {
            expected_opened.count(&content);
        }
    }
    let wrong = [exported.wrong.join("\n"), opened.wrong.join("\n")];
    assert!(wrong.iter().all(String::is_empty), "exported:\n{}\nopened:\n{}", wrong[0], wrong[1]);
    assert_eq!((&exported, &opened), (&expected, &expected_opened));
    assert_eq!(expected.messages, count);
    for (ty, forms) in &expected.types {
        assert!(forms.iter().all(|n| *n >= count / 20), "{ty:?} is in {forms:?} of {count}");
    }
    assert_eq!((expected.types.len(), FORMS), (TYPES.len(), 3));
    assert!(expected.large >= count / 50, "{} large values", expected.large);
    println!(
        "{count} messages, {} values, {} above 64 KiB, {} recipients, {} attachments: written {written:.1?}, all exported \
         and {} read as objects {:.1?}",
        expected.values,
        expected.large,
        expected.recipients,
        expected.attachments,
        opened.messages,
        all - written
    );
    bed.end().await;
    assert_eq!(stored.held(), 0, "{}", stored.inspect());
}

/// What the test above leans on: no difference goes unseen.
#[test]
fn the_comparison_sees_every_difference() {
    let mut tried = 0;
    for n in 0..50 {
        let written = message(n);
        let mut see = |what: &str, change: &dyn Fn(&mut MessageContent)| {
            let mut read = written.clone();
            change(&mut read);
            let (mut compared, mut expected) = (Compared::default(), Compared::default());
            compared.message(n, &written, &read);
            expected.count(&written);
            let same = read.props == written.props
                && read.recipients == written.recipients
                && read.attachments == written.attachments;
            assert_eq!(compared.wrong.is_empty(), same, "message {n}: {what}: {:?}", compared.wrong);
            assert_eq!(compared == expected, same, "message {n}: {what}");
            tried += u32::from(!same);
        };
        see("nothing", &|_| ());
        for at in 0..written.props.0.len() {
            see("a property is missing", &|read| drop(read.props.0.remove(at)));
            see("a property twice", &|read| read.props.0.push(read.props.0[at].clone()));
            see("another value", &|read| make::alter(&mut read.props.0[at]));
        }
        see("nothing was read", &|read| *read = MessageContent::default());
        see("no recipients", &|read| read.recipients.clear());
        see("no attachments", &|read| read.attachments.clear());
        see("another recipient", &|read| read.recipients.iter_mut().for_each(|r| make::alter(&mut r.0[1])));
        see("another attachment", &|read| {
            read.attachments.iter_mut().for_each(|a| make::alter(a.props.0.last_mut().unwrap()));
        });
        see("another message in it", &|read| {
            let inner = read.attachments.iter_mut().filter_map(|a| a.embedded.as_mut());
            inner.for_each(|embedded| make::alter(embedded.props.0.last_mut().unwrap()));
        });
    }
    assert!(tried > 3_000, "{tried}");
}

/// Writes messages; the counters of their MIDs with their numbers.
async fn write(logon: &Logon, from: u64, to: u64) -> Vec<(GlobCnt, u64)> {
    let inbox = logon.inbox().await.unwrap();
    let mut numbers = Vec::new();
    let mut next = from;
    while next < to {
        let part: Vec<u64> = (next..to.min(next + BATCH)).collect();
        next += BATCH;
        let messages: Vec<NewMessage> =
            part.iter().map(|n| NewMessage { content: message(*n), ..NewMessage::default() }).collect();
        let added = inbox.add_messages(&messages, &NoLarge).await.unwrap();
        assert_eq!(added.len(), part.len());
        for (n, added) in part.into_iter().zip(added) {
            let added = added.unwrap_or_else(|error| panic!("message {n}: {error}"));
            assert!(added.problems.is_empty(), "message {n}: {:?}", added.problems);
            numbers.push((added.id.counter, n));
        }
    }
    numbers
}

/// Reads all messages through an exporter.
async fn export(logon: &Logon, numbers: &HashMap<GlobCnt, u64>) -> Compared {
    let mut compared = Compared::default();
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
    exporter.config(&[], &Export::default()).await.unwrap();
    let mut sink = Messages::new(LIMIT, |whole| {
        let Whole::Message { change, content, left_out } = whole else { panic!("{whole:?}") };
        assert_eq!(left_out.count, 0);
        let n = numbers[&change.id.counter];
        compared.message(n, &message(n), &content);
        Ok(())
    });
    let step = exporter.synchronize_all(&mut sink).await.unwrap();
    assert_eq!(u64::from(step.progress), u64::try_from(numbers.len()).unwrap());
    drop(sink);
    compared
}

/// Reads some messages as objects.
async fn objects(logon: &Logon, numbers: &HashMap<GlobCnt, u64>) -> Compared {
    let mut compared = Compared::opened();
    let inbox = logon.inbox().await.unwrap();
    let mut chosen: Vec<(u64, GlobCnt)> =
        numbers.iter().filter(|(_, n)| **n % OBJECTS == 0).map(|(id, n)| (*n, *id)).collect();
    chosen.sort_unstable();
    for part in chosen.chunks(100) {
        let ids: Vec<Mid> = part.iter().map(|(_, id)| Mid::new(inbox.id().repl_id, *id)).collect();
        let opened = inbox.open_messages(&ids, Access::ReadOnly).await.unwrap();
        for ((n, _), opened) in part.iter().zip(opened) {
            let content = Box::pin(whole(&opened.unwrap())).await;
            compared.message(*n, &message(*n), &content);
        }
    }
    compared
}

/// All of an open message, as it is in memory.
async fn whole(opened: &Message) -> MessageContent {
    let mut content = MessageContent { props: all(opened).await, ..MessageContent::default() };
    for recipient in opened.recipients().await.unwrap() {
        content.recipients.push(recipient.props);
    }
    for row in opened.attachments().await.unwrap() {
        let number = u32::try_from(row.int(watertight_mapi::prop::tags::ATTACH_NUMBER).unwrap()).unwrap();
        let attachment = opened.open_attachment(number, Access::ReadOnly).await.unwrap();
        let props = all(&attachment).await;
        let mut embedded = None;
        if props.int(watertight_mapi::prop::tags::ATTACH_METHOD) == Some(5) {
            let inner = attachment.open_embedded(Access::ReadOnly).await.unwrap();
            embedded = Some(Box::new(Box::pin(whole(&inner)).await));
        }
        content.attachments.push(watertight_mapi::store::Attachment { number, props, embedded });
    }
    content
}

/// All properties of an object, the large ones through streams.
async fn all(object: &watertight_mapi_client::Object) -> watertight_mapi::prop::PropBag {
    use watertight_mapi::prop::PropData;
    let mut props = object.all_props().await.unwrap();
    for prop in &mut props.0 {
        let PropData::Large(large) = prop.value else { continue };
        let mut stream = object.open_stream(prop.tag, OpenMode::ReadOnly).await.unwrap();
        let bytes = stream.read_to_end(LIMIT).await.unwrap();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), large.len);
        let value = match prop.tag.ty() {
            watertight_mapi::PropType::Unicode => {
                PropValue::Unicode(watertight_wire::Reader::decode_utf16le(&bytes))
            }
            watertight_mapi::PropType::Object => PropValue::Object(bytes),
            watertight_mapi::PropType::String8 => PropValue::String8(bytes),
            _ => PropValue::Binary(bytes),
        };
        prop.value = PropData::Inline(value);
    }
    props
}
