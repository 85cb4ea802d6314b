//! Exporters against our server: what a sink is told, and what the state is worth on every path.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tikv_jemalloc_ctl::{Access, AsName};
use watertight_mapi::ics::sink::{
    Count, Deletion, FolderHead, Heads, MessageChange, Piece, ReadStateChange, SinkResult, Verdict,
};
use watertight_mapi::ics::{ContentsSink, GuidIdSet, HierarchySink};
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::prop::{PropBag, PropData, tags};
use watertight_mapi::restriction::{FuzzyFlags, FuzzyLevel, Restriction};
use watertight_mapi::store::{
    Attachment, DeleteFolder, FolderKind, ItemKind, MessageContent, NewFolder, SaveMessage,
};
use watertight_mapi::{Fid, GlobalId, MapiCode, PropValue};
use watertight_mapi_client::{
    ContentsExporter, Export, ExportError, ExportFlags, Logon, MapiError, Session, SpecialFolder, Step,
};

use crate::bed::{Bed, mail};

pub async fn logon(bed: &Bed) -> (Session, Logon) {
    let session = bed.connector.connect(&bed.dn).await.unwrap();
    let logon = session.logon(&bed.dn).await.unwrap();
    (session, logon)
}

/// With a recipient, an attachment above 64 KiB, and a message in another.
fn rich(subject: &str) -> MessageContent {
    let mut content = mail(subject);
    let mut recipient = PropBag::default();
    recipient.set(tags::DISPLAY_NAME, "Bert");
    recipient.set(tags::RECIPIENT_TYPE, 1);
    content.recipients.push(recipient);
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 1);
    props.set(tags::ATTACH_DATA_BINARY, vec![0x5A; 200_000]);
    content.attachments.push(Attachment { number: 0, props, embedded: None });
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 5);
    let embedded = Some(Box::new(mail("inside")));
    content.attachments.push(Attachment { number: 1, props, embedded });
    content
}

#[tokio::test]
async fn what_changed_comes_once_and_then_no_more() {
    let bed = Bed::new().await;
    let heads = bed.save(vec![rich("one"), mail("two"), mail("three")]).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut exporter = logon.contents_exporter(inbox);

    exporter.config(&[], &Export::default()).await.unwrap();
    let mut count = Count::default();
    let mut steps = Vec::new();
    loop {
        let step = exporter.synchronize(&mut count).await.unwrap();
        steps.push(step);
        if step.done {
            break;
        }
        assert_eq!(step.code().0, 0x0004_0820);
    }
    assert!(steps.len() >= 6, "three changes and the end, the large one in pieces: {steps:?}");
    assert!(steps.iter().all(|s| s.progress <= s.steps && s.steps == 3), "{steps:?}");
    assert_eq!((count.messages, count.recipients, count.attachments, count.embedded), (3, 1, 2, 1));
    assert!(count.bytes > 200_000 && count.bytes < 210_000, "{count:?}");
    let state = exporter.update_state().unwrap();
    // After the end it says so again.
    assert!(exporter.synchronize(&mut count).await.unwrap().done);
    assert_eq!(exporter.update_state().unwrap(), state);

    exporter.config(&state, &Export::default()).await.unwrap();
    let mut nothing = Count::default();
    assert!(exporter.synchronize(&mut nothing).await.unwrap().done);
    assert_eq!(nothing, Count::default());

    bed.mailbox.delete_messages(bed.inbox(), &[heads[0].id], true).await.unwrap();
    bed.mailbox.set_read(bed.inbox(), &[heads[1].id], true).await.unwrap();
    bed.change(&heads[2], mail("three, again")).await;
    exporter.config(&state, &Export::default()).await.unwrap();
    let mut list = Heads::default();
    assert!(exporter.synchronize_all(&mut list).await.unwrap().done);
    assert_eq!(list.changed.iter().map(|h| h.subject.as_str()).collect::<Vec<_>>(), ["three, again"]);
    assert_eq!(list.changed[0].sender, "Somebody");
    assert_eq!((list.deleted.len(), list.marked.read.len(), list.marked.unread.len()), (1, 1, 0));

    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// Remembers what it is told, in order; takes, passes over, puts off, fails or panics as it is told.
#[derive(Default)]
struct Record {
    /// Subjects of messages that were taken whole.
    taken: Vec<String>,
    deleted: GuidIdSet,
    read: GuidIdSet,
    /// What to say to a message, by its size; takes all without.
    verdict: Option<fn(&MessageChange) -> Verdict>,
    /// Fails instead of taking this many-th message.
    fail_after: Option<usize>,
    panics: bool,
    fail_deletions: bool,
    subject: String,
    depth: usize,
    longest: usize,
}

impl ContentsSink for Record {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        (self.subject, self.depth) = (String::new(), 0);
        Ok(self.verdict.map_or(Verdict::Take, |verdict| verdict(change)))
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        match piece {
            Piece::Property(prop) => {
                if let PropData::Inline(PropValue::Unicode(text)) = prop.value
                    && self.depth == 0
                    && prop.tag == tags::SUBJECT
                {
                    self.subject = text;
                }
            }
            Piece::LargeChunk(bytes) => self.longest = self.longest.max(bytes.len()),
            Piece::RecipientBegin | Piece::AttachmentBegin { .. } => self.depth += 1,
            Piece::RecipientEnd | Piece::AttachmentEnd => self.depth -= 1,
            _ => {}
        }
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        if self.fail_after == Some(self.taken.len()) {
            if self.panics {
                // A panic that nobody prints.
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            return Err("the disk is full".into());
        }
        self.taken.push(std::mem::take(&mut self.subject));
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        if self.fail_deletions {
            return Err("not now".into());
        }
        self.deleted.extend(ids);
        Ok(())
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        self.read.extend(&change.read);
        Ok(())
    }
}

/// Has no room for anything.
struct Full;

impl ContentsSink for Full {
    fn message_change(&mut self, _: &MessageChange) -> SinkResult<Verdict> {
        Err(MapiCode::OutOfDisk.into())
    }

    fn message_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        unreachable!("nothing was deleted")
    }

    fn read_state_change(&mut self, _: &ReadStateChange) -> SinkResult {
        unreachable!("nothing was marked")
    }
}

fn subjects(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("number {i:03}")).collect()
}

fn numbered(n: usize) -> Vec<MessageContent> {
    subjects(n).iter().enumerate().map(|(i, s)| if i % 5 == 3 { rich(s) } else { mail(s) }).collect()
}

fn sorted(mut taken: Vec<String>) -> Vec<String> {
    taken.sort_unstable();
    taken
}

/// Steps until a change is complete, or all is.
async fn one_change(exporter: &mut ContentsExporter, sink: &mut Record) -> Result<Step, ExportError> {
    let mut step = exporter.synchronize(sink).await?;
    let before = step.progress;
    while step.progress == before && !step.done {
        step = exporter.synchronize(sink).await?;
    }
    Ok(step)
}

#[tokio::test]
async fn every_change_can_be_the_last_of_an_exporter() {
    let bed = Bed::new().await;
    let heads = bed.save(numbered(12)).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let (mut state, mut record, mut exporters) = (Vec::new(), Record::default(), 0);
    for round in 0..2 {
        loop {
            let mut exporter = logon.contents_exporter(inbox);
            exporter.config(&state, &Export::default()).await.unwrap();
            exporters += 1;
            let mut step = exporter.synchronize(&mut record).await.unwrap();
            while !step.done && exporter.update_state().unwrap() == state {
                step = exporter.synchronize(&mut record).await.unwrap();
            }
            state = exporter.update_state().unwrap();
            if step.done {
                break;
            }
        }
        if round == 0 {
            assert_eq!(sorted(std::mem::take(&mut record.taken)), subjects(12));
            assert!(exporters >= 13, "{exporters}");
            bed.mailbox.set_read(bed.inbox(), &[heads[4].id, heads[5].id], true).await.unwrap();
            bed.mailbox.delete_messages(bed.inbox(), &[heads[0].id, heads[1].id], true).await.unwrap();
            bed.mailbox.delete_messages(bed.inbox(), &[heads[2].id], false).await.unwrap();
            bed.change(&heads[7], mail("number 7, changed")).await;
        }
    }
    assert_eq!(record.taken, ["number 7, changed"]);
    assert_eq!((record.deleted.len(), record.read.len()), (3, 2));
    assert!(record.longest > 16 * 1024 && record.longest <= 32 * 1024, "{}", record.longest);
    drop(logon);
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_step_that_is_given_up_is_gone_on_with() {
    let bed = Bed::new().await;
    bed.save(numbered(20)).await;
    let (session, logon) = logon(&bed).await;
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
    exporter.config(&[], &Export::default()).await.unwrap();
    let (mut record, mut given_up) = (Record::default(), 0);
    loop {
        // Polled once, and dropped where it has to wait.
        let step = tokio::select! {
            biased;
            step = exporter.synchronize(&mut record) => Some(step.unwrap()),
            () = std::future::ready(()) => None,
        };
        match step {
            Some(step) if step.done => break,
            Some(_) => {}
            None => {
                given_up += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(given_up > 0);
    assert_eq!(sorted(record.taken), subjects(20));
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_sink_that_fails_gets_the_change_again_and_no_other() {
    let bed = Bed::new().await;
    let heads = bed.save(numbered(9)).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut exporter = logon.contents_exporter(inbox);
    let mut all = Vec::new();
    let mut state = Vec::new();
    for n in 0..9 {
        exporter.config(&state, &Export::default()).await.unwrap();
        // Each takes one, and fails at the next.
        let mut record = Record { fail_after: Some(1), ..Record::default() };
        let ended = exporter.synchronize_all(&mut record).await;
        if n < 8 {
            let error = ended.unwrap_err();
            assert_eq!(error.to_string(), "the sink failed: the disk is full");
            assert_eq!(error.code(), MapiCode::UnableToComplete);
            // After an error it says so until it is configured.
            let again = exporter.synchronize(&mut record).await.unwrap_err();
            assert!(matches!(again, ExportError::Interrupted), "{again}");
        } else {
            assert!(ended.unwrap().done);
        }
        assert_eq!(record.taken.len(), 1);
        all.append(&mut record.taken);
        state = exporter.update_state().unwrap();
    }
    assert_eq!(sorted(all), subjects(9));

    // With a code of its own.
    exporter.config(&[], &Export::default()).await.unwrap();
    let error = exporter.synchronize_all(&mut Full).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::OutOfDisk);
    let error = MapiError::from(error).to_string();
    assert!(error.starts_with("MAPI_E_NOT_ENOUGH_DISK (0x8004010D): the sink failed"), "{error}");

    // Deletions too.
    bed.mailbox.delete_messages(bed.inbox(), &[heads[3].id], true).await.unwrap();
    for fail_deletions in [true, false] {
        exporter.config(&state, &Export::default()).await.unwrap();
        let mut record = Record { fail_deletions, ..Record::default() };
        let ended = exporter.synchronize_all(&mut record).await;
        assert_eq!(ended.is_err(), fail_deletions);
        assert_eq!(record.deleted.len(), u64::from(!fail_deletions));
        state = exporter.update_state().unwrap();
    }
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn what_is_put_off_comes_again_and_what_is_passed_over_does_not() {
    let bed = Bed::new().await;
    let heads = bed.save(numbered(15)).await;
    let (session, logon) = logon(&bed).await;
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
    exporter.config(&[], &Export::default()).await.unwrap();
    // The large ones are put off, half of the others passed over.
    let mut record = Record {
        verdict: Some(|change| match (change.size > 100_000, change.id.counter.value() % 2) {
            (true, _) => Verdict::Later,
            (false, 0) => Verdict::Ignore,
            (false, _) => Verdict::Take,
        }),
        ..Record::default()
    };
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!(record.longest, 0);
    let first = record.taken.len();
    assert!(first > 3 && first < 12, "{:?}", record.taken);
    // One that was put off is deleted before it was ever taken: nobody needs to know.
    bed.mailbox.delete_messages(bed.inbox(), &[heads[3].id], true).await.unwrap();
    // One that was passed over changes.
    let ignored = (0..15).find(|i| i % 5 != 3 && heads[*i].id.0.value() % 2 == 0).unwrap();
    bed.change(&heads[ignored], mail("changed")).await;
    let state = exporter.update_state().unwrap();
    exporter.config(&state, &Export::default()).await.unwrap();
    let mut record = Record::default();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!(sorted(record.taken), ["changed", "number 008", "number 013"]);
    assert!(record.deleted.is_empty());
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn calls_in_the_wrong_order_and_states_of_others_are_refused_in_words() {
    let bed = Bed::new().await;
    bed.save(vec![mail("one")]).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut exporter = logon.contents_exporter(inbox);
    let mut count = Count::default();
    let error = exporter.synchronize(&mut count).await.unwrap_err();
    assert_eq!(error.to_string(), "the exporter was not configured; call config first");
    assert_eq!(error.code().0, 0x8004_011C);
    assert!(matches!(exporter.update_state(), Err(ExportError::Unconfigured)));

    let flags = Export::of(ExportFlags::from_bits_retain(0x1020));
    let error = exporter.config(&[], &flags).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.code()), ("unknown flags 0x1000", MapiCode::UnknownFlags));

    exporter.config(&[], &Export::default()).await.unwrap();
    exporter.synchronize_all(&mut count).await.unwrap();
    let state = exporter.update_state().unwrap();
    let mut damaged = state.clone();
    damaged[40] ^= 1;
    let mut sent = logon.contents_exporter(logon.special_folder(SpecialFolder::SentItems));
    let mut folders = logon.hierarchy_exporter(inbox);
    let restriction = Some(Restriction::Exist { tag: tags::SUBJECT });
    let restricted = Export { restriction, ..Export::default() };
    for (error, words, code) in [
        (exporter.config(&damaged, &Export::default()).await, "damaged", MapiCode::CorruptData),
        (exporter.config(b"rubbish", &Export::default()).await, "no saved state", MapiCode::CorruptData),
        (exporter.config(&state, &restricted).await, "another restriction", MapiCode::InvalidParameter),
        (sent.config(&state, &Export::default()).await, "belongs to folder", MapiCode::InvalidParameter),
        (folders.config(&state, &Export::default()).await, "a contents", MapiCode::InvalidParameter),
    ] {
        let error = error.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.code(), code);
    }
    // A config that was refused leaves nothing configured.
    assert!(matches!(exporter.synchronize(&mut count).await, Err(ExportError::Unconfigured)));
    drop((exporter, sent, folders));

    // A folder that is not there.
    let nowhere = Fid::new(inbox.repl_id, watertight_mapi::GlobCnt::MAX);
    let mut exporter = logon.contents_exporter(nowhere);
    let error = exporter.config(&[], &Export::default()).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::NotFound, "{error}");
    drop(exporter);
    // After its session.
    let mut exporter = logon.contents_exporter(inbox);
    drop(logon);
    session.disconnect().await.unwrap();
    let error = exporter.config(&[], &Export::default()).await.unwrap_err();
    assert_eq!(error.code(), MapiCode::InvalidObject, "{error}");
    drop(exporter);
    bed.end().await;
}

#[tokio::test]
async fn flags_say_what_comes() {
    let bed = Bed::new().await;
    let heads = bed.save(vec![rich("apple"), mail("pear"), mail("plum")]).await;
    let new = |content| SaveMessage {
        folder: bed.inbox(),
        id: None,
        expected: None,
        kind: ItemKind::Associated,
        read: true,
        modified: None,
        content,
    };
    bed.mailbox.save_messages(vec![new(mail("a view"))]).await.unwrap();
    let (session, logon) = logon(&bed).await;
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));

    exporter.config(&[], &Export::of(ExportFlags::ASSOCIATED)).await.unwrap();
    let mut record = Record::default();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!(record.taken, ["a view"]);
    // The same state, for normal messages now: those of the other kind do not come again.
    let state = exporter.update_state().unwrap();
    let both = ExportFlags::ASSOCIATED | ExportFlags::NORMAL | ExportFlags::READ_STATE;
    exporter.config(&state, &Export::of(both)).await.unwrap();
    let mut record = Record::default();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!(sorted(record.taken), ["apple", "pear", "plum"]);
    let whole = exporter.update_state().unwrap();

    let only = Export {
        flags: ExportFlags::NORMAL | ExportFlags::ONLY_SPECIFIED_PROPS,
        include: vec![tags::SUBJECT],
        ..Export::default()
    };
    exporter.config(&[], &only).await.unwrap();
    let mut count = Count::default();
    exporter.synchronize_all(&mut count).await.unwrap();
    assert_eq!((count.messages, count.attachments, count.recipients), (3, 0, 0));
    assert!(count.properties >= 3 && count.properties <= 9, "{count:?}");

    let value = TaggedPropertyValue::new(tags::SUBJECT, PropValue::Unicode("p".to_owned()));
    let restriction = Restriction::Content {
        level: FuzzyLevel::Prefix,
        flags: FuzzyFlags::IgnoreCase,
        tag: tags::SUBJECT,
        value,
    };
    let matching = Export { restriction: Some(restriction), ..Export::default() };
    exporter.config(&[], &matching).await.unwrap();
    let mut record = Record::default();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!(sorted(record.taken), ["pear", "plum"]);
    let restricted = exporter.update_state().unwrap();
    // It leaves the scope.
    bed.change(&heads[1], mail("quince")).await;
    for (flag, gone) in
        [(ExportFlags::NO_SOFT_DELETIONS, 0), (ExportFlags::NO_DELETIONS, 0), (ExportFlags::UNICODE, 1)]
    {
        let export = Export { flags: ExportFlags::default() | flag, ..matching.clone() };
        exporter.config(&restricted, &export).await.unwrap();
        let mut record = Record::default();
        exporter.synchronize_all(&mut record).await.unwrap();
        assert_eq!((record.taken.len(), record.deleted.len()), (0, gone), "{flag:?}");
    }

    // SYNC_CATCHUP: as one that has everything, without having been told.
    bed.mailbox.delete_messages(bed.inbox(), &[heads[2].id], true).await.unwrap();
    exporter.config(&whole, &Export::of(both | ExportFlags::CATCHUP)).await.unwrap();
    let mut record = Record::default();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert!(record.taken.is_empty() && record.deleted.is_empty());
    let caught_up = exporter.update_state().unwrap();
    bed.save(vec![mail("new")]).await;
    exporter.config(&caught_up, &Export::of(both)).await.unwrap();
    exporter.synchronize_all(&mut record).await.unwrap();
    assert_eq!((record.taken, record.deleted.len()), (vec!["new".to_owned()], 0));
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn folders_are_exported_with_their_parents() {
    #[derive(Default)]
    struct Tree(Vec<(String, Option<GlobalId>, GlobalId)>, u64);
    impl HierarchySink for Tree {
        fn folder_change(&mut self, change: &FolderHead<'_>) -> SinkResult<Verdict> {
            self.0.push((change.folder.name.clone(), change.parent, change.id));
            Ok(Verdict::Take)
        }

        fn folder_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
            self.1 += ids.len();
            Ok(())
        }
    }
    let bed = Bed::new().await;
    let (session, logon) = logon(&bed).await;
    let mut exporter = logon.hierarchy_exporter(logon.special_folder(SpecialFolder::IpmSubtree));
    exporter.config(&[], &Export::default()).await.unwrap();
    let mut tree = Tree::default();
    let step = exporter.synchronize_all(&mut tree).await.unwrap();
    assert!(step.progress > 3 && tree.0.iter().any(|(name, ..)| name == "Inbox"), "{:?}", tree.0);
    assert_eq!(step.progress, u32::try_from(tree.0.len()).unwrap());
    let state = exporter.update_state().unwrap();
    let new = |parent, name: &str| NewFolder {
        parent,
        name: name.to_owned(),
        kind: FolderKind::Generic,
        props: PropBag::default(),
        open_existing: false,
    };
    let outer = bed.mailbox.create_folder(new(bed.inbox(), "outer")).await.unwrap().0;
    bed.mailbox.create_folder(new(outer.id, "inner")).await.unwrap();
    exporter.config(&state, &Export::default()).await.unwrap();
    let mut tree = Tree::default();
    exporter.synchronize_all(&mut tree).await.unwrap();
    let names: Vec<&str> = tree.0.iter().map(|(name, ..)| name.as_str()).filter(|n| *n != "Inbox").collect();
    assert_eq!(names, ["outer", "inner"]);
    let outer_id = tree.0.iter().find(|(name, ..)| name == "outer").unwrap().2;
    assert_eq!(tree.0.last().unwrap().1, Some(outer_id));
    let state = exporter.update_state().unwrap();
    let how = DeleteFolder { messages: true, folders: true, hard: true };
    bed.mailbox.delete_folder(outer.id, how).await.unwrap();
    exporter.config(&state, &Export::default()).await.unwrap();
    let mut tree = Tree::default();
    exporter.synchronize_all(&mut tree).await.unwrap();
    assert_eq!(tree.1, 2);
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_server_that_is_started_anew_between_steps_costs_an_error_and_nothing_else() {
    let mut bed = Bed::new().await;
    bed.save((0..40).map(|i| rich(&format!("number {i:03}"))).collect()).await;
    let (mut state, mut record, mut lost) = (Vec::new(), Record::default(), 0);
    for round in 0.. {
        let (session, logon) = logon(&bed).await;
        let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
        exporter.config(&state, &Export::default()).await.unwrap();
        for _ in 0..3 {
            one_change(&mut exporter, &mut record).await.unwrap();
        }
        if round < 3 {
            bed.stop().await;
            bed.start().await;
        }
        let ended = exporter.synchronize_all(&mut record).await;
        state = exporter.update_state().unwrap();
        drop((exporter, logon));
        match ended {
            Ok(step) => {
                assert!(step.done);
                session.disconnect().await.unwrap();
                break;
            }
            Err(error) => {
                lost += 1;
                assert!(error.wants_new_session(), "{error}");
                // The answer that was on its way is lost, or the session context.
                let words = error.to_string();
                assert!(
                    words.contains("the session with the server was lost") || words.contains("broke"),
                    "{words}"
                );
                drop(session);
            }
        }
    }
    assert_eq!(lost, 3);
    assert_eq!(sorted(record.taken), subjects(40));
    bed.end().await;
}

/// Counts the bytes of large values, and how much was allocated at most meanwhile.
#[derive(Default)]
struct Weigh {
    bytes: u64,
    most: u64,
    pieces: u64,
}

impl ContentsSink for Weigh {
    fn message_change(&mut self, _: &MessageChange) -> SinkResult<Verdict> {
        Ok(Verdict::Take)
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        if let Piece::LargeChunk(bytes) = piece {
            self.bytes += u64::try_from(bytes.len()).unwrap();
            self.pieces += 1;
            if self.pieces.is_multiple_of(16) {
                self.most = self.most.max(allocated());
            }
        }
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        Ok(())
    }

    fn read_state_change(&mut self, _: &ReadStateChange) -> SinkResult {
        Ok(())
    }
}

/// What a step takes does not grow with the attachment.
#[tokio::test]
async fn a_large_attachment_passes_through_in_pieces() {
    const SIZE: usize = 24 << 20;
    let bed = Bed::new().await;
    let mut content = mail("large");
    let mut props = PropBag::default();
    props.set(tags::ATTACH_METHOD, 1);
    props.set(tags::ATTACH_DATA_BINARY, vec![0xA5; SIZE]);
    content.attachments.push(Attachment { number: 0, props, embedded: None });
    bed.save(vec![content]).await;
    let (session, logon) = logon(&bed).await;
    let mut exporter = logon.contents_exporter(logon.special_folder(SpecialFolder::Inbox));
    exporter.config(&[], &Export::default()).await.unwrap();
    let before = allocated();
    let (mut weigh, mut steps) = (Weigh::default(), 0);
    while !exporter.synchronize(&mut weigh).await.unwrap().done {
        steps += 1;
    }
    assert_eq!(weigh.bytes, u64::try_from(SIZE).unwrap());
    assert!(steps >= SIZE / (96 * 1024), "{steps} steps");
    // Client and server together: some buffers of 256 KiB.
    if std::env::var_os("NEXTEST").is_some() {
        let grown = weigh.most.saturating_sub(before);
        assert!(weigh.most > 0 && grown < 6 << 20, "{grown} bytes for {SIZE}");
    }
    drop((exporter, logon));
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// Ten thousand exporters, made and ended in every way that there is.
#[tokio::test]
async fn ten_thousand_exporters_leave_nothing() {
    let bed = Bed::new().await;
    let heads = bed.save(numbered(4)).await;
    let (session, logon) = logon(&bed).await;
    let inbox = logon.special_folder(SpecialFolder::Inbox);
    let mut exporter = logon.contents_exporter(inbox);
    exporter.config(&[], &Export::default()).await.unwrap();
    exporter.synchronize_all(&mut Record::default()).await.unwrap();
    let state = exporter.update_state().unwrap();
    bed.change(&heads[0], mail("changed")).await;
    drop(exporter);
    let mut samples = Vec::new();
    for n in 0..10_000 {
        let mut exporter = logon.contents_exporter(inbox);
        let mut record = Record::default();
        match n % 8 {
            // Never configured.
            0 => {}
            // Configured and let go; again in place of the first.
            1 => exporter.config(&state, &Export::default()).await.unwrap(),
            2 => {
                exporter.config(&[], &Export::default()).await.unwrap();
                exporter.config(&state, &Export::default()).await.unwrap();
            }
            // In the middle of a message, its large value half way.
            3 => {
                exporter.config(&[], &Export::default()).await.unwrap();
                exporter.synchronize(&mut record).await.unwrap();
            }
            4 => {
                exporter.config(&state, &Export::default()).await.unwrap();
                assert!(exporter.synchronize_all(&mut record).await.unwrap().done);
                assert_eq!(record.taken, ["changed"]);
            }
            5 => {
                exporter.config(&state, &Export::default()).await.unwrap();
                record.fail_after = Some(0);
                exporter.synchronize_all(&mut record).await.unwrap_err();
            }
            6 => {
                exporter.config(&state, &Export::default()).await.unwrap();
                (record.fail_after, record.panics) = (Some(0), true);
                let caught = AssertUnwindSafe(exporter.synchronize_all(&mut record)).catch_unwind().await;
                caught.unwrap_err();
            }
            _ => exporter.config(b"rubbish", &Export::default()).await.map_or((), |()| unreachable!()),
        }
        drop(exporter);
        if n % 500 == 499 {
            // The releases have gone when this is answered.
            logon.folder(SpecialFolder::Inbox).await.unwrap();
            session.ping().await.unwrap();
            samples.push((bed.ledger.held(), bed.served.held(), allocated()));
        }
    }
    let settled = &samples[4..];
    assert!(settled.iter().all(|s| (s.0, s.1) == (settled[0].0, settled[0].1)), "{samples:?}");
    assert!(bed.ledger.inspect().children[0].kinds["exporters"].now == 0, "{}", bed.ledger.inspect());
    // Other tests of the same process allocate too; nextest gives each its own.
    if std::env::var_os("NEXTEST").is_some() {
        let (first, last) = (settled[0].2, settled[settled.len() - 1].2);
        assert!(last.saturating_sub(first) < 8_000, "less than a byte for each: {samples:?}");
    }
    drop(logon);
    session.disconnect().await.unwrap();
    bed.end().await;
}

/// The bytes that are allocated now, less those that threads have freed and keep at hand.
pub fn allocated() -> u64 {
    tikv_jemalloc_ctl::epoch::advance().unwrap();
    let allocated = tikv_jemalloc_ctl::stats::allocated::read().unwrap();
    let kept: usize = b"stats.arenas.4096.tcache_bytes\0"[..].name().read().unwrap();
    u64::try_from(allocated - kept).unwrap()
}
