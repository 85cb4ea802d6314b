//! Mail from sources into a mailbox: read in one thread, parsed in two, saved in transactions of many messages.
//!
//! # What is imported once
//!
//! A message is known by its *import key*: a digest of its bytes and of how often the same bytes came before it in
//! the same folder of the same run. The key is the message's PidTagSearchKey. A message whose key is in the folder
//! already is not saved again, so that a run that was killed at any moment is finished by running it again, and
//! a second run changes nothing. Keys of one folder are in memory: 16 bytes a message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use watertight_mapi::prop::{PropBag, PropValue, tags};
use watertight_mapi::store::{
    ContentsQuery, FolderId, FolderKind, ItemKind, Mailbox, MessageContent, NewFolder, SaveMessage,
    SpecialFolder, StoreError,
};
use watertight_mapi_mime::ImportOptions;

use super::source::{self, Bytes, Flags, Item, Limits, Sink};

/// Where to, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that is imported into; none for the Inbox, with other folders beside it.
    pub folder: Option<String>,
    /// Longest message that is read.
    pub limits: Limits,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Messages that were saved.
    pub imported: u64,
    /// Messages that an earlier run had saved.
    pub already: u64,
    /// Bytes of the messages that were saved.
    pub bytes: u64,
    /// Folders that were looked at.
    pub folders: u64,
    /// What was left out, and why.
    pub skipped: Vec<(String, String)>,
}

/// How many messages go into one transaction.
const BATCH: usize = 256;
/// How many bytes of mail go into one transaction.
const BATCH_BYTES: u64 = 8 << 20;
/// How many bytes of mail are between reading and saving; a longer message goes alone.
const IN_FLIGHT: u64 = 32 << 20;
/// Threads that parse.
const PARSERS: usize = 2;

/// What is imported.
#[derive(Debug)]
pub enum Mail {
    /// What lies there.
    Paths(Vec<PathBuf>),
    /// Messages that are in memory.
    Items(Vec<Item>),
}

/// Imports the mail. `progress` is called now and then with what was done so far.
pub async fn import(
    mailbox: &dyn Mailbox,
    mail: Mail,
    options: Options,
    mut progress: impl FnMut(&Report),
) -> Result<Report> {
    let budget = Arc::new(Budget::default());
    let (parsed_in, mut parsed) = mpsc::channel::<(u64, Event)>(BATCH);
    let limits = options.limits;
    let reader = {
        let budget = Arc::clone(&budget);
        std::thread::spawn(move || read(mail, limits, &budget, &parsed_in))
    };
    let mut saver = Saver::new(mailbox, options.folder.as_deref());
    let mut waiting: BTreeMap<u64, Event> = BTreeMap::new();
    let mut next = 0_u64;
    let mut failed = None;
    'all: while let Some((number, event)) = parsed.recv().await {
        waiting.insert(number, event);
        while let Some(event) = waiting.remove(&next) {
            next = next.saturating_add(1);
            match saver.event(event, &budget).await {
                Ok(true) => progress(&saver.report),
                Ok(false) => {}
                Err(error) => {
                    failed = Some(error);
                    break 'all;
                }
            }
        }
    }
    // With nobody to receive, readers and parsers end.
    drop(parsed);
    budget.close();
    let read = reader.join().map_err(|_| anyhow::anyhow!("the thread that reads mail panicked"))?;
    if let Some(error) = failed {
        return Err(error);
    }
    saver.flush(&budget).await?;
    progress(&saver.report);
    read?;
    Ok(saver.report)
}

/// What comes out of reading and parsing.
enum Event {
    Folder(Vec<String>),
    Message(Box<Parsed>),
    /// What was left out; `len` is what it took of the budget.
    Skip {
        place: String,
        reason: String,
        len: u64,
    },
}

struct Parsed {
    folder: Vec<String>,
    place: String,
    digest: [u8; 32],
    len: u64,
    read: bool,
    content: MessageContent,
}

// ----- reading -----

struct Reader<'a> {
    number: u64,
    limits: Limits,
    budget: &'a Budget,
    jobs: SyncSender<(u64, Item)>,
    events: &'a mpsc::Sender<(u64, Event)>,
}

fn read(mail: Mail, limits: Limits, budget: &Budget, events: &mpsc::Sender<(u64, Event)>) -> Result<()> {
    let (jobs_in, jobs) = sync_channel(64);
    let jobs = Mutex::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..PARSERS {
            scope.spawn(|| parse_all(&jobs, events, limits));
        }
        let mut reader = Reader { number: 0, limits, budget, jobs: jobs_in, events };
        let _ = match mail {
            Mail::Paths(paths) => {
                paths.iter().try_fold(ControlFlow::Continue(()), |flow, path| match flow {
                    ControlFlow::Continue(()) => source::walk(path, limits, &mut reader),
                    stop => Ok(stop),
                })?
            }
            Mail::Items(items) => items.into_iter().try_for_each(|item| reader.item(item)),
        };
        Ok(())
    })
}

impl Reader<'_> {
    fn send(&mut self, event: Event) -> ControlFlow<()> {
        let number = self.number;
        self.number = self.number.saturating_add(1);
        match self.events.blocking_send((number, event)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl Sink for Reader<'_> {
    fn item(&mut self, item: Item) -> ControlFlow<()> {
        if item.flags.trashed {
            self.skip(item.place, "marked as deleted".into());
            return ControlFlow::Continue(());
        }
        if item.bytes.len() > self.limits.max_message {
            let reason = format!("{} bytes, more than --max-message allows", item.bytes.len());
            self.skip(item.place, reason);
            return ControlFlow::Continue(());
        }
        if !self.budget.take(item.bytes.len()) {
            return ControlFlow::Break(());
        }
        let number = self.number;
        self.number = self.number.saturating_add(1);
        match self.jobs.send((number, item)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn skip(&mut self, place: String, reason: String) {
        let _ = self.send(Event::Skip { place, reason, len: 0 });
    }

    fn folder(&mut self, folder: &[String]) -> ControlFlow<()> {
        self.send(Event::Folder(folder.to_vec()))
    }
}

/// Bytes between reading and saving.
#[derive(Default)]
struct Budget {
    /// How many, and whether nobody saves any more. Locked only to look and change.
    state: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Budget {
    /// A message counts as half of the budget at most, so that what waits for a transaction never fills it.
    fn counted(len: u64) -> u64 {
        len.min(IN_FLIGHT / 2)
    }

    /// Waits until there is room; false when nobody saves any more.
    fn take(&self, len: u64) -> bool {
        let len = Self::counted(len);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0.saturating_add(len) > IN_FLIGHT && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.0 = state.0.saturating_add(len);
        !state.1
    }

    fn give_back(&self, len: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.saturating_sub(Self::counted(len));
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }
}

// ----- parsing -----

fn parse_all(jobs: &Mutex<Receiver<(u64, Item)>>, events: &mpsc::Sender<(u64, Event)>, limits: Limits) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, item)) = job else { return };
        let (place, len) = (item.place.clone(), item.bytes.len());
        let event = match parse(item, limits) {
            Ok(parsed) => Event::Message(Box::new(parsed)),
            Err(error) => Event::Skip { place, reason: format!("{error:#}"), len },
        };
        if events.blocking_send((number, event)).is_err() {
            return;
        }
    }
}

fn parse(item: Item, limits: Limits) -> Result<Parsed> {
    let taken = item.bytes.len();
    let bytes = match item.bytes {
        Bytes::Here(bytes) => bytes,
        Bytes::File(path, len) => {
            let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
            let file = File::open(&path).context("cannot be opened")?;
            // It may have grown since its length was asked for.
            file.take(limits.max_message).read_to_end(&mut bytes).context("cannot be read")?;
            bytes
        }
    };
    let options =
        ImportOptions { delivered: item.delivered, max_len: limits.max_message, ..ImportOptions::default() };
    let mut content = watertight_mapi_mime::import(&bytes, &options)?;
    set_flags(&mut content.props, item.flags);
    Ok(Parsed {
        folder: item.folder,
        place: item.place,
        digest: Sha256::digest(&bytes).into(),
        len: taken,
        read: item.flags.seen,
        content,
    })
}

/// What `sync` makes flag letters of, the other way round.
fn set_flags(props: &mut PropBag, flags: Flags) {
    if flags.replied {
        props.set(tags::LAST_VERB_EXECUTED, 102);
    } else if flags.passed {
        props.set(tags::LAST_VERB_EXECUTED, 104);
    }
    if flags.flagged {
        props.set(tags::FLAG_STATUS, 2);
    }
    if flags.draft {
        let others = props.int(tags::MESSAGE_FLAGS).unwrap_or(0);
        props.set(tags::MESSAGE_FLAGS, others | 8);
    }
}

// ----- saving -----

struct Saver<'a> {
    mailbox: &'a dyn Mailbox,
    base: Vec<String>,
    beside_inbox: bool,
    folders: HashMap<Vec<String>, FolderId>,
    known: HashMap<FolderId, Known>,
    batch: Vec<(SaveMessage, String, u64)>,
    batch_bytes: u64,
    report: Report,
}

/// What a folder has.
#[derive(Default)]
struct Known {
    /// The import keys of its messages.
    keys: HashSet<[u8; 16]>,
    /// How often the same bytes came in this run, where that was more than once or is to be expected.
    came: HashMap<[u8; 16], u32>,
}

impl<'a> Saver<'a> {
    fn new(mailbox: &'a dyn Mailbox, folder: Option<&str>) -> Self {
        let base =
            folder.unwrap_or_default().split('/').filter(|n| !n.is_empty()).map(str::to_owned).collect();
        Self {
            mailbox,
            base,
            beside_inbox: folder.is_none(),
            folders: HashMap::new(),
            known: HashMap::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            report: Report::default(),
        }
    }

    /// Takes what comes; says whether something was saved.
    async fn event(&mut self, event: Event, budget: &Budget) -> Result<bool> {
        match event {
            Event::Folder(path) => {
                self.folder(&path).await?;
                Ok(false)
            }
            Event::Skip { place, reason, len } => {
                budget.give_back(len);
                self.report.skipped.push((place, reason));
                Ok(false)
            }
            Event::Message(parsed) => self.message(*parsed, budget).await,
        }
    }

    async fn message(&mut self, mut parsed: Parsed, budget: &Budget) -> Result<bool> {
        let folder = self.folder(&parsed.folder).await?;
        let known = self.known.entry(folder).or_default();
        let short: [u8; 16] = std::array::from_fn(|i| parsed.digest.get(i).copied().unwrap_or_default());
        let came = known.came.entry(short).or_default();
        let key = import_key(&parsed.digest, *came);
        *came = came.saturating_add(1);
        if !known.keys.insert(key) {
            self.report.already = self.report.already.saturating_add(1);
            budget.give_back(parsed.len);
            return Ok(false);
        }
        parsed.content.props.set(tags::SEARCH_KEY, key.as_slice());
        let save = SaveMessage {
            folder,
            id: None,
            expected: None,
            kind: ItemKind::Normal,
            read: parsed.read,
            modified: None,
            content: parsed.content,
        };
        self.batch.push((save, parsed.place, parsed.len));
        self.batch_bytes = self.batch_bytes.saturating_add(parsed.len);
        if self.batch.len() < BATCH && self.batch_bytes < BATCH_BYTES {
            return Ok(false);
        }
        self.flush(budget).await?;
        Ok(true)
    }

    async fn flush(&mut self, budget: &Budget) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let all = batch.iter().map(|(save, ..)| save.clone()).collect::<Vec<_>>();
        match self.mailbox.save_messages(all).await {
            Ok(_) => {
                for (_, _, len) in &batch {
                    self.saved(*len, budget);
                }
                Ok(())
            }
            // One of them is not to the store's liking: the others need not suffer.
            Err(StoreError::Invalid(_)) => {
                for (save, place, len) in batch {
                    match self.mailbox.save_messages(vec![save]).await {
                        Ok(_) => self.saved(len, budget),
                        Err(error @ StoreError::Invalid(_)) => {
                            self.report.skipped.push((place, error.to_string()));
                            budget.give_back(len);
                        }
                        Err(error) => return Err(error).context("cannot save"),
                    }
                }
                Ok(())
            }
            Err(error) => Err(error).context("cannot save"),
        }
    }

    fn saved(&mut self, len: u64, budget: &Budget) {
        self.report.imported = self.report.imported.saturating_add(1);
        self.report.bytes = self.report.bytes.saturating_add(len);
        budget.give_back(len);
    }

    /// The folder, made with those above it when it is new, its keys read.
    async fn folder(&mut self, below: &[String]) -> Result<FolderId> {
        if let Some(id) = self.folders.get(below) {
            return Ok(*id);
        }
        let mut names: Vec<String> = self.base.iter().chain(below).cloned().collect();
        if self.beside_inbox && names.is_empty() {
            names.push("Inbox".into());
        }
        let mut id = self.mailbox.special(SpecialFolder::IpmSubtree);
        for (depth, name) in names.into_iter().enumerate() {
            if depth == 0 && name.eq_ignore_ascii_case("inbox") {
                id = self.mailbox.special(SpecialFolder::Inbox);
                continue;
            }
            let new = NewFolder {
                parent: id,
                kind: FolderKind::Generic,
                props: PropBag(vec![watertight_mapi::prop::Prop::new(tags::CONTAINER_CLASS, "IPF.Note")]),
                open_existing: true,
                name: name.clone(),
            };
            let (folder, _) = self
                .mailbox
                .create_folder(new)
                .await
                .with_context(|| format!("cannot make the folder {name}"))?;
            id = folder.id;
        }
        if !self.known.contains_key(&id) {
            let keys = self.keys(id).await.context("cannot read what the folder has")?;
            self.known.insert(id, Known { keys, ..Known::default() });
            self.report.folders = self.report.folders.saturating_add(1);
        }
        self.folders.insert(below.to_vec(), id);
        Ok(id)
    }

    async fn keys(&self, folder: FolderId) -> Result<HashSet<[u8; 16]>, StoreError> {
        let query =
            ContentsQuery { kind: ItemKind::Normal, deleted: false, restriction: None, sort: Vec::new() };
        let view = self.mailbox.contents(folder, query).await?;
        let mut keys = HashSet::with_capacity(view.len());
        let mut at = 0;
        while at < view.len() {
            for row in view.rows(at, 1000, &[tags::SEARCH_KEY]).await? {
                if let Some(PropValue::Binary(key)) = row.props.get(tags::SEARCH_KEY)
                    && let Ok(key) = <[u8; 16]>::try_from(key.as_slice())
                {
                    keys.insert(key);
                }
            }
            at = at.saturating_add(1000);
        }
        Ok(keys)
    }
}

/// The key of the `n`th message with these bytes in a folder.
fn import_key(digest: &[u8; 32], n: u32) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"watertight import\0");
    hash.update(digest);
    hash.update(n.to_le_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|i| hash.get(i).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use watertight_mapi::store::{NewAccount, Store};
    use watertight_store::MemoryStore;

    use super::*;

    async fn mailbox() -> Arc<dyn Mailbox> {
        let store = MemoryStore::new();
        let account = store
            .create_account(NewAccount {
                name: "anna".into(),
                display_name: "Anna".into(),
                smtp_address: "anna@example.org".into(),
                password_hash: String::new(),
            })
            .await
            .unwrap();
        store.mailbox(account.mailbox_guid).await.unwrap()
    }

    async fn run(mailbox: &dyn Mailbox, path: &Path, folder: Option<&str>) -> Report {
        let options = Options { folder: folder.map(str::to_owned), limits: Limits { max_message: 1 << 20 } };
        import(mailbox, Mail::Paths(vec![path.to_owned()]), options, |_| ()).await.unwrap()
    }

    async fn counts(mailbox: &dyn Mailbox) -> Vec<(String, u32, u32)> {
        let root = mailbox.special(SpecialFolder::IpmSubtree);
        let page =
            mailbox.folders(root, watertight_mapi::store::Depth::All, false, None, 1000).await.unwrap();
        page.items
            .into_iter()
            .filter(|f| f.counts.messages > 0)
            .map(|f| (f.name, f.counts.messages, f.counts.unread))
            .collect()
    }

    fn maildir(root: &Path) {
        for (folder, name, text) in [
            ("", "cur/1.a:2,S", "Subject: one\n\nx\n"),
            ("", "cur/2.a:2,FRS", "Subject: two\n\nx\n"),
            ("", "new/3.a", "Subject: three\n\nx\n"),
            ("", "cur/4.a:2,ST", "Subject: trash\n\nx\n"),
            ("", "cur/5.a:2,", ""),
            (".Archive.Gr&APwA3w-e", "cur/6.a:2,S", "Subject: same\n\nx\n"),
            (".Archive.Gr&APwA3w-e", "cur/7.a:2,S", "Subject: same\n\nx\n"),
        ] {
            let dir = root.join(folder);
            for part in ["cur", "new", "tmp"] {
                std::fs::create_dir_all(dir.join(part)).unwrap();
            }
            std::fs::write(dir.join(name), text).unwrap();
        }
    }

    #[tokio::test]
    async fn a_maildir_is_imported_once_however_often_it_is_tried() {
        let dir = tempfile::tempdir().unwrap();
        maildir(dir.path());
        let mailbox = mailbox().await;
        let first = run(&*mailbox, dir.path(), None).await;
        assert_eq!((first.imported, first.already, first.folders), (5, 0, 2));
        let mut reasons: Vec<_> = first.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["marked as deleted", "the file is empty"]);
        let expected = [("Grüße".to_owned(), 2, 0), ("Inbox".to_owned(), 3, 1)];
        let mut seen = counts(&*mailbox).await;
        seen.sort();
        assert_eq!(seen, expected);
        let second = run(&*mailbox, dir.path(), None).await;
        assert_eq!((second.imported, second.already), (0, 5));
        std::fs::write(dir.path().join("new/8.a"), "Subject: one\n\nx\n").unwrap();
        let third = run(&*mailbox, dir.path(), None).await;
        assert_eq!((third.imported, third.already), (1, 5), "the same bytes again are another message");
    }

    #[tokio::test]
    async fn directories_and_mbox_files_become_folders() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("letters/2004")).unwrap();
        std::fs::write(dir.path().join("letters/2004/a.eml"), "Subject: a\r\n\r\nx\r\n").unwrap();
        std::fs::write(dir.path().join("letters/b.eml"), "Subject: b\n\nx\n").unwrap();
        std::fs::write(
            dir.path().join("letters/list.mbox"),
            "From x\nSubject: c\n\nx\n\nFrom y\nSubject: d\n\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("letters/winmail.dat"), b"\x78\x9f\x3e\x22\0\0").unwrap();
        let mailbox = mailbox().await;
        let report = run(&*mailbox, &dir.path().join("letters"), Some("Old/Letters")).await;
        assert_eq!((report.imported, report.skipped.len()), (4, 1));
        let mut seen = counts(&*mailbox).await;
        seen.sort();
        assert_eq!(
            seen,
            [("2004".to_owned(), 1, 0), ("Letters".to_owned(), 1, 0), ("list".to_owned(), 2, 0)]
        );
    }

    #[tokio::test]
    async fn messages_above_the_budget_pass_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..10 {
            let text = format!("Subject: {n}\n\n{}\n", "x".repeat(1_200_000));
            std::fs::write(dir.path().join(format!("{n:02}.eml")), text).unwrap();
        }
        let options = Options { folder: None, limits: Limits { max_message: 256 << 20 } };
        let mailbox = mailbox().await;
        let mut calls = 0;
        let report = import(&*mailbox, Mail::Paths(vec![dir.path().to_owned()]), options, |_| calls += 1)
            .await
            .unwrap();
        assert_eq!((report.imported, report.already), (10, 0));
        assert!(calls > 1, "saved in several transactions");
    }

    #[tokio::test]
    async fn a_store_that_fails_ends_the_import() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let options = Options { folder: None, limits: Limits { max_message: 1 } };
        let mailbox = mailbox().await;
        let error = import(&*mailbox, Mail::Paths(vec![missing]), options, |_| ()).await.unwrap_err();
        assert!(error.to_string().contains("cannot read"), "{error:#}");
    }
}
