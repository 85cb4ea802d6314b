//! A server in memory that answers with the changes since a state, and what its Maildir must look like.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use watertight_mapi::{
    GlobCnt, PropTag, PropType, PropValue,
    ics::{GuidIdSet, State},
    prop::{Prop, PropBag, PropData, tags},
    store::MessageContent,
};
use watertight_mapi_mime::{ImportOptions, import};
use watertight_sync::{
    Action, Change, Conversion, Convert, Flags, FolderChange, FolderRun, GlobalId, HierarchyChanges, LeftOut,
    MessageHeader, MessageName, Offer, Options, Progress, Replica, Since, SyncResult, Tally, folder_name,
};
use watertight_wire::{FileTime, Guid};

pub const STORE: Guid = Guid::from_bytes(*b"sixteen byte ids");

pub fn id(n: u64) -> GlobalId {
    GlobalId::new(STORE, GlobCnt::new(n).unwrap())
}

#[derive(Debug, Clone)]
pub struct Mail {
    pub cn: u64,
    pub read_cn: u64,
    pub read: bool,
    pub flag_status: i32,
    pub body: String,
    pub key: String,
    pub seconds: i64,
}

#[derive(Debug, Clone)]
pub struct Folder {
    pub name: String,
    pub parent: u64,
    pub class: String,
    pub cn: u64,
    pub mails: BTreeMap<u64, Mail>,
    /// MIDs that were ever here.
    pub ever: BTreeSet<u64>,
}

/// The server.
#[derive(Debug, Clone, Default)]
pub struct Server {
    pub folders: BTreeMap<u64, Folder>,
    pub next: u64,
}

pub const TOP: u64 = 1;
pub const INBOX: u64 = 2;

impl Server {
    pub fn new() -> Self {
        let mut server = Self { next: 100, ..Self::default() };
        server.folders.insert(INBOX, server.folder("Inbox", TOP));
        server
    }

    fn folder(&self, name: &str, parent: u64) -> Folder {
        Folder {
            name: name.to_owned(),
            parent,
            class: "IPF.Note".to_owned(),
            cn: self.next,
            mails: BTreeMap::new(),
            ever: BTreeSet::new(),
        }
    }

    pub fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn add_folder(&mut self, name: &str, parent: u64) -> u64 {
        let fid = self.tick();
        self.tick();
        let folder = self.folder(name, parent);
        self.folders.insert(fid, folder);
        fid
    }

    pub fn rename_folder(&mut self, fid: u64, name: &str, parent: u64) {
        let cn = self.tick();
        let folder = self.folders.get_mut(&fid).unwrap();
        folder.name = name.to_owned();
        folder.parent = parent;
        folder.cn = cn;
    }

    pub fn add(&mut self, folder: u64, body: &str) -> u64 {
        let key = format!("key of {body}");
        self.add_keyed(folder, body, &key)
    }

    pub fn add_keyed(&mut self, folder: u64, body: &str, key: &str) -> u64 {
        let mid = self.tick();
        let cn = self.tick();
        let mail = Mail {
            cn,
            read_cn: 0,
            read: false,
            flag_status: 0,
            body: body.to_owned(),
            key: key.to_owned(),
            seconds: 1_700_000_000 + i64::try_from(mid).unwrap(),
        };
        let folder = self.folders.get_mut(&folder).unwrap();
        folder.mails.insert(mid, mail);
        folder.ever.insert(mid);
        mid
    }

    pub fn mail(&mut self, folder: u64, mid: u64) -> &mut Mail {
        self.folders.get_mut(&folder).unwrap().mails.get_mut(&mid).unwrap()
    }

    pub fn edit(&mut self, folder: u64, mid: u64, body: &str) {
        let cn = self.tick();
        let mail = self.mail(folder, mid);
        mail.body = body.to_owned();
        mail.cn = cn;
    }

    pub fn flag(&mut self, folder: u64, mid: u64, status: i32) {
        let cn = self.tick();
        let mail = self.mail(folder, mid);
        mail.flag_status = status;
        mail.cn = cn;
    }

    pub fn read(&mut self, folder: u64, mid: u64, read: bool) {
        let cn = self.tick();
        let mail = self.mail(folder, mid);
        mail.read = read;
        mail.read_cn = cn;
    }

    pub fn delete(&mut self, folder: u64, mid: u64) {
        self.tick();
        self.folders.get_mut(&folder).unwrap().mails.remove(&mid).unwrap();
    }

    pub fn move_to(&mut self, from: u64, mid: u64, to: u64) -> u64 {
        let mail = self.folders.get_mut(&from).unwrap().mails.remove(&mid).unwrap();
        let (new, cn) = (self.tick(), self.tick());
        let folder = self.folders.get_mut(&to).unwrap();
        folder.mails.insert(new, Mail { cn, read_cn: 0, ..mail });
        folder.ever.insert(new);
        new
    }

    pub fn hierarchy(&self, state: &State) -> HierarchyChanges {
        let mut out = HierarchyChanges::default();
        for (fid, folder) in &self.folders {
            out.state.given.insert(STORE, GlobCnt::new(*fid).unwrap());
            if !state.seen.contains(STORE, GlobCnt::new(folder.cn).unwrap()) {
                out.changed.push(FolderChange {
                    fid: id(*fid),
                    parent: id(folder.parent),
                    name: folder.name.clone(),
                    class: folder.class.clone(),
                    messages: u64::try_from(folder.mails.len()).unwrap(),
                });
            }
        }
        for (guid, set) in state.given.iter() {
            for counter in set.iter().filter(|c| !self.folders.contains_key(&c.value())) {
                out.deleted.insert(guid, counter);
            }
        }
        out.state.seen.put(STORE, watertight_mapi::ics::GlobSet::up_to(GlobCnt::new(self.next).unwrap()));
        out
    }

    /// The contents synchronization of a folder. `sent` counts whole messages.
    pub fn contents(&self, fid: u64, state: &State, sent: &mut usize) -> Vec<Change> {
        self.contents_since(fid, state, sent, Since::All)
    }

    /// The same with a restriction on the delivery time. As some servers do, it has everything seen at the end.
    pub fn contents_since(&self, fid: u64, state: &State, sent: &mut usize, since: Since) -> Vec<Change> {
        let folder = &mut self.folders[&fid].clone();
        folder.mails.retain(|_, mail| since.includes(mail.seconds));
        let counter = |n| GlobCnt::new(n).unwrap();
        let mut out = vec![Change::Total { messages: 0, bytes: 0 }];
        let mut changed: Vec<_> =
            folder.mails.iter().filter(|(_, m)| !state.seen.contains(STORE, counter(m.cn))).collect();
        changed.sort_by_key(|(_, m)| m.cn);
        let changed_ids: BTreeSet<u64> = changed.iter().map(|(mid, _)| **mid).collect();
        for (mid, mail) in changed {
            *sent += 1;
            out.extend(pieces(*mid, mail));
        }
        let mut deleted = GuidIdSet::new();
        for (guid, set) in state.given.iter() {
            for gone in set.iter().filter(|c| !folder.mails.contains_key(&c.value())) {
                deleted.insert(guid, gone);
            }
        }
        if !deleted.is_empty() {
            out.push(Change::Deleted(deleted));
        }
        let (mut read, mut unread) = (GuidIdSet::new(), GuidIdSet::new());
        for (mid, mail) in &folder.mails {
            if mail.read_cn != 0
                && !state.read.contains(STORE, counter(mail.read_cn))
                && state.given.contains(STORE, counter(*mid))
                && !changed_ids.contains(mid)
            {
                let set = if mail.read { &mut read } else { &mut unread };
                set.insert(STORE, counter(*mid));
            }
        }
        if !read.is_empty() {
            out.push(Change::Read(read));
        }
        if !unread.is_empty() {
            out.push(Change::Unread(unread));
        }
        let mut last = State::default();
        folder.mails.keys().for_each(|mid| last.given.insert(STORE, counter(*mid)));
        let all = watertight_mapi::ics::GlobSet::up_to(counter(self.next));
        last.seen.put(STORE, all.clone());
        last.read.put(STORE, all);
        out.push(Change::State(last));
        out
    }

    /// The heads of the messages that a client with this state does not have.
    pub fn offers(&self, fid: u64, state: &State) -> Vec<Offer> {
        let counter = |n| GlobCnt::new(n).unwrap();
        let new = |(mid, mail): &(&u64, &Mail)| {
            !state.seen.contains(STORE, counter(mail.cn)) && !state.given.contains(STORE, counter(**mid))
        };
        let offer = |(mid, mail): (&u64, &Mail)| {
            let options = ImportOptions { keep_transport_form: false, ..ImportOptions::default() };
            let all = import(mail.body.as_bytes(), &options).unwrap().props;
            let mut props = PropBag::default();
            for tag in [tags::INTERNET_MESSAGE_ID, tags::SUBJECT, tags::CLIENT_SUBMIT_TIME] {
                props.0.extend(all.find(tag).cloned());
            }
            props.set(tags::MESSAGE_FLAGS, i32::from(mail.read));
            props.set(tags::FLAG_STATUS, mail.flag_status);
            props.set(tags::SEARCH_KEY, mail.key.as_bytes());
            props.set(tags::MESSAGE_DELIVERY_TIME, FileTime::from_unix_seconds(mail.seconds));
            props.set(tags::MESSAGE_SIZE, i32::try_from(mail.body.len()).unwrap());
            Offer { header: header(*mid, mail.cn), props }
        };
        self.folders[&fid].mails.iter().filter(new).map(offer).collect()
    }

    /// What the Maildir must hold: of each message its directory, MID, CN, server's flags and body.
    pub fn expected(&self) -> BTreeSet<Held> {
        let places: Vec<folder_name::Place> = self
            .folders
            .iter()
            .map(|(fid, f)| folder_name::Place { id: id(*fid), parent: id(f.parent), name: f.name.clone() })
            .collect();
        let layout = folder_name::layout(&places, Some(id(INBOX)));
        let mut out = BTreeSet::new();
        for (fid, folder) in &self.folders {
            for (mid, mail) in &folder.mails {
                let (dir, _) = &layout[&id(*fid)];
                out.insert(Held {
                    dir: dir.clone(),
                    mid: *mid,
                    cn: mail.cn,
                    flags: flags(mail).to_string(),
                    body: mail.body.clone(),
                });
            }
        }
        out
    }
}

pub fn flags(mail: &Mail) -> Flags {
    let flags = Flags::NONE.read(mail.read);
    if mail.flag_status == 2 { flags.with(Flags::FLAGGED) } else { flags }
}

pub fn header(mid: u64, cn: u64) -> MessageHeader {
    MessageHeader { mid: id(mid), cn: id(cn), associated: false, size: 1000 }
}

fn pieces(mid: u64, mail: &Mail) -> Vec<Change> {
    let mut out = vec![Change::Message(header(mid, mail.cn))];
    let mut prop = |tag: PropTag, value: PropValue| out.push(Change::Prop(Prop::new(tag, value)));
    prop(tags::SUBJECT, format!("subject {mid}").into());
    prop(tags::MESSAGE_FLAGS, i32::from(mail.read).into());
    prop(tags::FLAG_STATUS, mail.flag_status.into());
    prop(tags::SEARCH_KEY, mail.key.as_bytes().into());
    prop(tags::MESSAGE_DELIVERY_TIME, FileTime::from_unix_seconds(mail.seconds).into());
    if mail.body.len() > 64 * 1024 {
        out.push(Change::LargeBegin { tag: tags::HTML, name: None });
        for chunk in mail.body.as_bytes().chunks(10_000) {
            out.push(Change::LargeBytes(chunk.to_vec()));
        }
        out.push(Change::LargeEnd);
    } else {
        prop(tags::BODY, mail.body.as_str().into());
    }
    out.push(Change::RecipientBegin);
    out.push(Change::Prop(Prop::new(tags::DISPLAY_NAME, "somebody")));
    out.push(Change::RecipientEnd);
    out.push(Change::AttachmentBegin { number: 0 });
    out.push(Change::EmbeddedBegin);
    out.push(Change::Prop(Prop::new(tags::BODY, "inner")));
    out.push(Change::EmbeddedEnd);
    out.push(Change::AttachmentEnd);
    out.push(Change::MessageEnd);
    out
}

/// A message of a Maildir.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub dir: String,
    pub mid: u64,
    pub cn: u64,
    pub flags: String,
    pub body: String,
}

/// What a Maildir holds of ours; panics when a message is in it twice, or something is left in tmp/.
pub fn held(root: &Path) -> BTreeSet<Held> {
    let mut out = BTreeSet::new();
    for (dir, path) in dirs(root) {
        assert_eq!(files(&path.join("tmp")), Vec::<PathBuf>::new(), "something is left in tmp");
        for sub in ["cur", "new"] {
            for file in files(&path.join(sub)) {
                let text = file.file_name().unwrap().to_str().unwrap();
                let Some((name, flags)) = MessageName::parse(text) else { continue };
                assert_eq!(flags.is_empty() && sub == "new", sub == "new", "{text} has flags in new/");
                let flags = flags.to_string();
                let body = std::fs::read_to_string(&file).unwrap();
                let mid = name.mid.counter.value();
                assert!(!out.iter().any(|h: &Held| h.mid == mid), "{text} is doubled");
                out.insert(Held { dir: dir.clone(), mid, cn: name.cn.counter.value(), flags, body });
            }
        }
    }
    out
}

pub fn dirs(root: &Path) -> Vec<(String, PathBuf)> {
    let mut out = vec![(String::new(), root.to_owned())];
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') && path.is_dir() {
            out.push((name, path));
        }
    }
    out.sort();
    out
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    out.sort();
    out
}

/// The file of a message.
pub fn file(root: &Path, mid: u64) -> PathBuf {
    find_file(root, mid).unwrap_or_else(|| panic!("message {mid} is not there"))
}

pub fn find_file(root: &Path, mid: u64) -> Option<PathBuf> {
    dirs(root).iter().flat_map(|(_, d)| ["cur", "new"].map(|s| d.join(s))).flat_map(|d| files(&d)).find(|f| {
        MessageName::parse(f.file_name().unwrap().to_str().unwrap())
            .is_some_and(|(n, _)| n.mid.counter.value() == mid)
    })
}

/// Writes the body; refuses bodies that say so.
pub struct Plain;

impl Convert for Plain {
    fn convert(
        &self,
        message: &MessageContent,
        large: &watertight_sync::Spool,
        attempt: u32,
        out: &mut dyn Write,
    ) -> io::Result<Conversion> {
        let body: &PropBag = &message.props;
        if let Some(text) = body.text(tags::BODY) {
            if text.starts_with("impossible") {
                return Ok(Conversion::Impossible("it says so".to_owned()));
            }
            out.write_all(text.as_bytes())?;
        } else if let Some(Prop { value: PropData::Large(value), tag, .. }) = body.find(tags::HTML) {
            assert_eq!(tag.ty(), PropType::Binary);
            if attempt == 0 {
                out.write_all(b"not this")?;
                return Ok(Conversion::Again);
            }
            assert_eq!(io::copy(&mut large.open(value.id)?, out)?, value.len);
        }
        assert_eq!(message.recipients.len(), 1);
        assert_eq!(message.attachments[0].embedded.as_ref().unwrap().props.text(tags::BODY), Some("inner"));
        Ok(Conversion::Done { left_out: Vec::new() })
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub struct Told {
    pub actions: Mutex<Vec<Action>>,
    pub warnings: Mutex<Vec<String>>,
}

impl Progress for Told {
    fn action(&self, action: &Action) {
        self.actions.lock().unwrap().push(action.clone());
    }

    fn warning(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }
}

pub fn options() -> Options {
    Options { fsync: watertight_sync::Fsync::Off, ..Options::new(Arc::new(Plain)) }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub tally: Tally,
    pub left_out: Vec<LeftOut>,
    /// Whole messages that the server sent.
    pub sent: usize,
}

/// One run.
pub fn run(server: &Server, root: &Path, options: Options) -> SyncResult<Done> {
    let replica = Replica::open(root, options)?;
    replica.apply_hierarchy(&server.hierarchy(&replica.hierarchy_state()?), id(INBOX))?;
    let mut sent = 0;
    if replica.adopting() {
        replica.look_around()?;
        for folder in replica.folders()? {
            let state = replica.state_of(folder.key)?;
            replica.offer(folder.key, &server.offers(folder.fid.counter.value(), &state))?;
        }
        replica.adopt()?;
    }
    for folder in replica.folders()? {
        let mut run = FolderRun::start(&replica, folder.key)?;
        let (fid, state) = (folder.fid.counter.value(), run.state().clone());
        for change in server.contents_since(fid, &state, &mut sent, replica.since()) {
            run.change(change)?;
        }
        run.finish()?;
    }
    replica.finish(true)?;
    Ok(Done { tally: replica.tally(), left_out: replica.left_out(), sent })
}

/// One run that must go well.
pub fn sync(server: &Server, root: &Path) -> Done {
    run(server, root, options()).unwrap()
}

/// The directories that the Maildir must have.
pub fn expected_dirs(server: &Server) -> BTreeSet<String> {
    let places: Vec<folder_name::Place> = server
        .folders
        .iter()
        .map(|(fid, f)| folder_name::Place { id: id(*fid), parent: id(f.parent), name: f.name.clone() })
        .collect();
    folder_name::layout(&places, Some(id(INBOX))).into_values().map(|(dir, _)| dir).collect()
}

/// Panics with what is missing and what is too much.
pub fn assert_same(held: &BTreeSet<Held>, expected: &BTreeSet<Held>, what: &str) {
    let few = |set: BTreeSet<&Held>| -> Vec<String> {
        set.into_iter().map(|h| format!("{} {} {} [{}]", h.dir, h.mid, h.cn, h.flags)).collect()
    };
    let missing = few(expected.difference(held).collect());
    let too_much = few(held.difference(expected).collect());
    assert!(held == expected, "{what}: missing {missing:?}, too much {too_much:?}");
}
