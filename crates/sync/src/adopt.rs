//! A Maildir that another program made is taken over: what is there is not downloaded again.
//!
//! While the file `watertight/adopting` is there, a run first lists the mail of others in the tree
//! ([`Replica::look_around`]), asks the server for the heads of the messages that are not here yet
//! ([`Replica::offer`]), and renames what is certainly the same ([`Replica::adopt`]). The download that follows begins
//! from a state that has these messages. What stayed in doubt comes whole and is compared before it is taken.
//!
//! The same is: the same Message-ID (without one, the same subject and date), the same subject, the same date, a size
//! that can be that of the server's message, and one message and one file of which all of that is true; or several, when
//! all of them are the same.
//! A message in its own folder is preferred to one elsewhere. Bytes of a file are never changed: only its name, its
//! place and its time.

pub(crate) mod mail;
mod scan;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use watertight_mapi::{
    PropTag,
    prop::{PropBag, tags},
    store::MessageContent,
};

use crate::{
    Action, Flags, FolderKey, FolderRun, LeftOut, MessageHeader, MessageName, Replica, STATE_DIR, SyncError,
    SyncResult, Tally,
    db::{Fate, FolderRow, MessageRow, adopt::Candidate, adopt::Known},
    disk::Disk,
    export,
    reconcile::path_of,
};

/// The file in the state's directory that says that mail of another program is to be looked for.
const ADOPTING: &str = "adopting";
/// The state's directory before it has its name.
const MAKING: &str = "watertight-making";
/// What the state calls that mail of another program is still here.
const LEFT: &str = "left";
/// Messages that are renamed between two checkpoints.
const BATCH: usize = 256;
/// What the server's message may be larger than its file by, besides a factor: properties; and the file than the
/// message: header fields and names of parts.
const SLACK: u64 = 16 * 1024;
/// How often the server may hold what a file has once: text in two bytes a letter, in several forms.
const FORMS: u64 = 6;

/// What is asked of the server about a message that may be here already.
pub const OFFER_PROPERTIES: &[PropTag] = &[
    tags::INTERNET_MESSAGE_ID,
    tags::SUBJECT,
    tags::CLIENT_SUBMIT_TIME,
    tags::MESSAGE_DELIVERY_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::CREATION_TIME,
    tags::MESSAGE_SIZE,
    tags::MESSAGE_FLAGS,
    tags::READ,
    tags::FLAG_STATUS,
    tags::LAST_VERB_EXECUTED,
    tags::SEARCH_KEY,
];

/// The head of a message that the server has.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Which it is.
    pub header: MessageHeader,
    /// Its [`OFFER_PROPERTIES`].
    pub props: PropBag,
}

/// Makes the directory of the state, with the mark that mail of another program is to be looked for: both or neither.
pub(crate) fn begin(root: &Path, disk: &Disk) -> SyncResult<()> {
    let state_dir = root.join(STATE_DIR);
    if state_dir.is_dir() {
        return disk.put(&state_dir.join(ADOPTING), b"");
    }
    if !root.is_dir() {
        disk.make_dirs(root)?;
    }
    let making = root.join(MAKING);
    disk.make_dir(&making)?;
    disk.put(&making.join(ADOPTING), b"")?;
    disk.rename(&making, &state_dir)
}

/// Whether the mark is there.
pub(crate) fn begun(root: &Path) -> bool {
    root.join(STATE_DIR).join(ADOPTING).exists()
}

/// Whether the directory is one that mail of another program can be looked for in: there is a Maildir somewhere.
pub(crate) fn is_mail(root: &Path) -> SyncResult<bool> {
    if root.join(MAKING).is_dir() {
        return Ok(true);
    }
    scan::any(root)
}

impl Replica {
    /// Whether mail of another program is looked for.
    #[must_use]
    pub fn adopting(&self) -> bool {
        self.adopting.load(Ordering::Acquire)
    }

    /// Lists the mail of other programs in the tree.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn look_around(&self) -> SyncResult<()> {
        self.transaction("cannot write it", false, |tx| tx.clear_adoption())?;
        let mut batch = Vec::new();
        let flush = |batch: &mut Vec<Known>| {
            let all = std::mem::take(batch);
            self.transaction("cannot write it", false, |tx| all.iter().try_for_each(|m| tx.put_known(m)))
        };
        scan::mailboxes(&self.root, &mut |path, folder| {
            batch.push(mail::known(&self.root, path, folder)?);
            if batch.len() >= BATCH { flush(&mut batch) } else { Ok(()) }
        })?;
        flush(&mut batch)
    }

    /// Takes heads of messages of a folder that are not here yet.
    ///
    /// # Errors
    /// Those of the state.
    pub fn offer(&self, key: FolderKey, offers: &[Offer]) -> SyncResult<()> {
        self.transaction("cannot write it", false, |tx| {
            for offer in offers.iter().filter(|o| !o.header.associated) {
                tx.put_candidate(key.0, &candidate(offer))?;
            }
            Ok(())
        })
    }

    /// Renames the files that are certainly messages which were offered.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn adopt(&self) -> SyncResult<()> {
        let layout = self.layout()?;
        let rows = self.transaction("cannot read it", false, |tx| tx.folders())?;
        let rows: Vec<(FolderRow, String)> = rows
            .into_iter()
            .filter(|row| !row.doomed)
            .filter_map(|row| layout.get(&row.fid).map(|(_, path)| (row, path.clone())))
            .collect();
        // Its own folder first; then below the Inbox, where other programs have all folders of some servers; then any.
        for round in 0..3 {
            for (row, path) in &rows {
                let own = scan::canonical(path.split('/'));
                let folder = match round {
                    0 => Some(own),
                    1 => Some(format!("inbox/{own}")),
                    _ => None,
                };
                self.adopt_folder(row, path, folder.as_deref())?;
            }
        }
        // The rest is compared with what comes.
        let mut after = Vec::new();
        loop {
            let page = self.transaction("cannot read it", false, |tx| tx.without_digest(&after, BATCH))?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(last);
            let digests: Vec<_> =
                page.iter().map(|p| mail::digest_of(&self.root.join(OsStr::from_bytes(p))).ok()).collect();
            self.transaction("cannot write it", false, |tx| {
                page.iter().zip(&digests).try_for_each(|(path, digest)| {
                    digest.as_ref().map_or(Ok(()), |digest| tx.set_digest(path, digest))
                })
            })?;
        }
    }

    /// The messages of one folder, with the files of one folder or of any.
    fn adopt_folder(&self, row: &FolderRow, path: &str, folder: Option<&str>) -> SyncResult<()> {
        let mut after = String::new();
        loop {
            let keys = self
                .transaction("cannot read it", false, |tx| tx.shared_keys(row.id, folder, &after, BATCH))?;
            let Some(last) = keys.last() else { return Ok(()) };
            after.clone_from(last);
            let mut taken = Vec::new();
            for key in &keys {
                let (there, here) = self.transaction("cannot read it", false, |tx| {
                    Ok((tx.candidates(row.id, key)?, tx.known(folder, key)?))
                })?;
                taken.extend(self.pairs(there, here));
            }
            self.take(row, path, taken)?;
        }
    }

    /// Which file is which message, as far as there is no doubt. All of them have the same key.
    fn pairs(&self, mut there: Vec<Candidate>, mut here: Vec<Known>) -> Vec<(Candidate, Known)> {
        let mut out = Vec::new();
        while let Some(message) = there.pop() {
            // Those that could be each other.
            let (mut messages, mut files) = (vec![message], Vec::new());
            let mut new = 0;
            while let Some(last) = messages.get(new).cloned() {
                new = new.saturating_add(1);
                let (found, rest) = here.into_iter().partition(|h| fits(&last, h));
                here = rest;
                let found: Vec<Known> = found;
                let (also, rest) = there.into_iter().partition(|t| found.iter().any(|h| fits(t, h)));
                there = rest;
                let also: Vec<Candidate> = also;
                messages.extend(also);
                files.extend(found);
            }
            out.extend(self.the_same(messages, files));
        }
        out
    }

    /// Pairs of messages and files that could be each other.
    fn the_same(&self, there: Vec<Candidate>, mut here: Vec<Known>) -> Vec<(Candidate, Known)> {
        let Some(first) = there.first() else { return Vec::new() };
        if !there.iter().all(|t| t.size == first.size && here.iter().all(|h| fits(t, h))) {
            return Vec::new();
        }
        if here.len() > 1 {
            let digest = |h: &Known| mail::digest_of(&self.root.join(OsStr::from_bytes(&h.path))).ok();
            let Some(same) = here.first().and_then(digest) else { return Vec::new() };
            if !here.iter().all(|h| digest(h).as_ref() == Some(&same)) {
                return Vec::new();
            }
        }
        // Copies of which nothing says that they are the same.
        if there.len() > 1 && first.size == 0 {
            return Vec::new();
        }
        // Of copies that are all the same, first those with the same flags.
        let (mut out, mut rest) = (Vec::new(), Vec::new());
        for message in there {
            let own = |h: &Known| h.flags.without(h.flags.keywords()) == message.flags;
            match here.iter().position(own) {
                Some(at) => out.push((message, here.remove(at))),
                None => rest.push(message),
            }
        }
        out.extend(rest.into_iter().zip(here));
        out
    }

    /// Renames files and records them.
    fn take(&self, row: &FolderRow, path: &str, pairs: Vec<(Candidate, Known)>) -> SyncResult<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let dir = match &row.dir {
            Some(dir) => self.dir(dir),
            None if self.dry() => self.root.clone(),
            // It has no directory when somebody is in the way; it is downloaded.
            None => return Ok(()),
        };
        let (mut rows, mut tally) = (Vec::new(), Tally::default());
        for (message, file) in pairs {
            let flags = message.flags.with(file.flags.keywords());
            let new = MessageRow {
                mid: message.mid,
                cn: message.cn,
                seconds: message.seconds,
                state: Fate::Present,
                fresh: file.fresh && flags.is_empty(),
                flags,
                server_flags: message.flags,
                search_key: message.search_key.clone(),
                run: 0,
                digest: None,
            };
            let name =
                MessageName { seconds: new.seconds, mid: new.mid, cn: new.cn, folder: row.fid.counter };
            if !self.take_file(
                &file,
                path,
                &name,
                &path_of(&dir, &name, new.fresh, flags),
                flags,
                &mut tally,
            )? {
                continue;
            }
            rows.push((new, file.path));
        }
        if !self.dry() {
            self.disk.sync_dir(&dir.join("new"))?;
            self.disk.sync_dir(&dir.join("cur"))?;
        }
        self.commit("cannot write it", |tx| {
            for (new, file) in &rows {
                tx.put_message(row.id, new)?;
                tx.remove_candidate(row.id, new.mid)?;
                tx.remove_known(file)?;
            }
            tx.set_folder_partial(row.id)
        })?;
        self.count(tally);
        Ok(())
    }

    /// Gives a file its place as the message that it is; says whether it was still there.
    fn take_file(
        &self,
        file: &Known,
        folder: &str,
        name: &MessageName,
        place: &Path,
        flags: Flags,
        tally: &mut Tally,
    ) -> SyncResult<bool> {
        let from = self.root.join(OsStr::from_bytes(&file.path));
        if !self.dry() {
            self.mark()?;
            match self.disk.rename_if_there(&from, place) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // On another file system: it stays there, and the message is downloaded.
                Err(SyncError::Io { source, .. }) if source.kind() == io::ErrorKind::CrossesDevices => {
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
            if let Ok(open) = File::open(place) {
                self.disk.set_mtime(&open, place, name.seconds, 0)?;
            }
        }
        tally.adopted = tally.adopted.saturating_add(1);
        let (progress, folder) = (&self.options.progress, folder.to_owned());
        let shown = OsStr::from_bytes(&file.path).to_string_lossy().into_owned();
        let (name, from) = (name.unique(), file.flags);
        progress.action(&Action::Adopt { folder: folder.clone(), from: shown, name: name.clone() });
        if from != flags {
            tally.conflicts = tally.conflicts.saturating_add(1);
            progress.action(&Action::SetFlags { folder, name, from, to: flags });
        }
        Ok(true)
    }

    /// Looks for the file of a message that came whole because there was a doubt, and puts it in its place.
    pub(crate) fn adopt_same(
        &self,
        folder: &str,
        digest: &[u8],
        name: &MessageName,
        dir: &Path,
        row: &mut MessageRow,
        tally: &mut Tally,
    ) -> SyncResult<bool> {
        let own = scan::canonical(folder.split('/'));
        let flags = row.server_flags;
        let found =
            self.transaction("cannot read it", false, |tx| tx.known_by_digest(digest, &own, flags))?;
        let Some(file) = found else { return Ok(false) };
        let flags = row.server_flags.with(file.flags.keywords());
        let fresh = file.fresh && flags.is_empty();
        let place = path_of(dir, name, fresh, flags);
        let there = self.take_file(&file, folder, name, &place, flags, tally)?;
        self.transaction("cannot write it", false, |tx| tx.remove_known(&file.path))?;
        if there {
            (row.flags, row.fresh, row.run) = (flags, fresh, 0);
        }
        Ok(there)
    }

    /// Ends: says what is here and not on the server. With `whole` the mark is taken away.
    pub(crate) fn end_adoption(&self, whole: bool) -> SyncResult<()> {
        if !self.adopting() || !whole {
            return Ok(());
        }
        let mut after = Vec::new();
        loop {
            let page = self.transaction("cannot read it", false, |tx| tx.known_page(&after, BATCH))?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (path, folder) in page {
                self.leave_out(LeftOut {
                    folder,
                    message: Some(OsStr::from_bytes(&path).to_string_lossy().into_owned()),
                    count: 1,
                    reason: "it was here before and is not among the server's messages that are synchronized; it stays where it is"
                        .to_owned(),
                });
            }
        }
        if self.dry() {
            return Ok(());
        }
        let left: &[u8] = if after.is_empty() { b"0" } else { b"1" };
        self.commit("cannot write it", |tx| {
            tx.set_meta(LEFT, left)?;
            tx.clear_adoption()
        })?;
        self.disk.unlink(&self.root.join(STATE_DIR).join(ADOPTING))?;
        self.adopting.store(false, Ordering::Release);
        Ok(())
    }

    /// More belongs here than before: mail that the adoption left where it was may be part of it now.
    pub(crate) fn adopt_again(&self) -> SyncResult<()> {
        let left = self.transaction("cannot read it", false, |tx| tx.meta(LEFT))?;
        if left.is_none_or(|v| v != b"1") || self.adopting() {
            return Ok(());
        }
        if !self.dry() {
            self.disk.put(&self.root.join(STATE_DIR).join(ADOPTING), b"")?;
        }
        self.adopting.store(true, Ordering::Release);
        Ok(())
    }

    /// The state of a folder, to ask with for what is not here yet.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn state_of(self: &std::sync::Arc<Self>, key: FolderKey) -> SyncResult<watertight_mapi::ics::State> {
        FolderRun::open(self, key).map(|run| run.state().clone())
    }
}

/// Whether a message can be the file, as far as their heads and sizes say.
fn fits(message: &Candidate, file: &Known) -> bool {
    message.subject == file.subject
        && message.submitted.zip(file.submitted).is_none_or(|(a, b)| a.abs_diff(b) <= 1)
        && (message.size == 0
            || (file.size.saturating_mul(FORMS).saturating_add(SLACK) >= message.size
                && file.size <= message.size.saturating_mul(2).saturating_add(SLACK)))
}

fn candidate(offer: &Offer) -> Candidate {
    let content = MessageContent { props: offer.props.clone(), ..MessageContent::default() };
    let seconds = export::delivered(&content).to_unix_seconds();
    let head = mail::Head::of(&offer.props);
    let size = offer.props.int(tags::MESSAGE_SIZE).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
    Candidate {
        mid: offer.header.mid,
        cn: offer.header.cn,
        seconds,
        flags: Flags::of_message(&offer.props),
        search_key: offer.props.binary(tags::SEARCH_KEY).unwrap_or_default().to_vec(),
        size: size.unwrap_or(offer.header.size),
        key: head.key,
        subject: head.subject,
        submitted: head.submitted,
    }
}
