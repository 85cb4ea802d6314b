mod place;
mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use watertight_ledger::Entry;
use watertight_mapi::{ics::State, prop::tags, store::MessageContent};

use crate::{
    Change, Conversion, Flags, FolderKey, GlobalId, LeftOut, MessageName, Progress, Replica, SyncError,
    SyncResult, Tally, aside,
    assemble::{Assembled, Assembler},
    db::{Fate, FolderRow, MessageRow},
    disk::mtime,
    export,
    replica::read_marker,
};

/// A checkpoint comes after so many messages,
const CHECKPOINT_MESSAGES: usize = 256;
/// after so many bytes as the stream states sizes,
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;
/// or after so long.
const CHECKPOINT_TIME: Duration = Duration::from_secs(2);

/// One folder's contents synchronization.
///
/// Give it every [`Change`] in order, then call [`FolderRun::finish`]. When the stream breaks off, call
/// [`FolderRun::restart`] and begin a new stream from [`FolderRun::state`].
pub struct FolderRun {
    replica: Arc<Replica>,
    row: FolderRow,
    path: String,
    dir: PathBuf,
    /// What is durable.
    state: State,
    assembler: Assembler,
    pending: Vec<Pending>,
    pending_bytes: u64,
    last_checkpoint: Instant,
    /// Whether a file of this folder was touched.
    touched: bool,
    /// Whether the tree may hold what is not recorded.
    unsettled: bool,
    /// Messages that must come again, whole.
    again: Vec<(GlobalId, GlobalId)>,
    last: Option<State>,
    /// Messages whose local changes were counted when the run began.
    noted: BTreeSet<GlobalId>,
    /// Files of messages that the server had deleted, once somebody asked.
    kept: OnceLock<BTreeMap<GlobalId, PathBuf>>,
    _entry: Entry,
}

/// A message that was received and is not in the tree yet.
struct Pending {
    row: MessageRow,
    old: Option<MessageRow>,
    file: Option<PathBuf>,
    /// In a dry run the digest of what it says.
    normal: Option<Vec<u8>>,
    left_out: Option<(String, String)>,
}

impl FolderRun {
    /// Begins: learns what was done to the folder's directory since the last run.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn start(replica: &Arc<Replica>, key: FolderKey) -> SyncResult<Self> {
        let run = Self::open(replica, key)?;
        replica.options.progress.folder_begins(&run.path);
        Ok(run)
    }

    /// The same, telling nobody.
    pub(crate) fn open(replica: &Arc<Replica>, key: FolderKey) -> SyncResult<Self> {
        let layout = replica.layout()?;
        let row = replica.transaction("cannot read it", false, |tx| {
            tx.folder(key.0)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        })?;
        let path = layout.get(&row.fid).map_or_else(|| row.name.clone(), |(_, path)| path.clone());
        let mut run = Self {
            assembler: Assembler::new(replica.spool_dir(), replica.spooled.clone()),
            _entry: replica.syncs.enter(),
            dir: PathBuf::new(),
            state: State::default(),
            replica: Arc::clone(replica),
            row,
            path,
            pending: Vec::new(),
            pending_bytes: 0,
            last_checkpoint: Instant::now(),
            touched: false,
            unsettled: false,
            again: Vec::new(),
            last: None,
            noted: BTreeSet::new(),
            kept: OnceLock::new(),
        };
        run.ensure_dir()?;
        run.noted = replica.reconcile(&mut run.row, &run.dir)?;
        let id = run.row.id;
        run.state = std::mem::take(&mut run.row.state);
        if run.row.partial {
            let state = std::mem::take(&mut run.state);
            run.state = replica.transaction("cannot read it", false, |tx| tx.folder_checkpoint(id, state))?;
        }
        let state = std::mem::take(&mut run.state);
        run.state = replica.rescope(id, state)?;
        Ok(run)
    }

    /// The directory is where the state says, or where its marker is; else it is made anew and everything fetched
    /// again: for folders, too, the server wins.
    fn ensure_dir(&mut self) -> SyncResult<()> {
        let replica = Arc::clone(&self.replica);
        if let Some(dir) = &self.row.dir {
            self.dir = replica.dir(dir);
            if self.dir.join("cur").is_dir() || self.put_back()? {
                return Ok(());
            }
        } else {
            // Before it had a directory its messages were only counted.
            self.row.state = State::default();
        }
        if replica.dry() {
            // As if there were none: everything would come, but what is adopted.
            self.row.state = State::default();
            self.dir = replica.dir(&format!(".{}", replica.run));
            if replica.adopting() && self.row.dir.is_none() {
                return Ok(());
            }
            return replica.commit("cannot write it", |tx| tx.forget_messages(self.row.id));
        }
        let layout = replica.layout()?;
        let wanted = layout.get(&self.row.fid).map(|(dir, _)| dir.clone());
        let dir = self.row.dir.clone().or(wanted).unwrap_or_default();
        replica.mark()?;
        self.dir = replica.dir(&dir);
        let fresh = self.row.dir.is_none() || read_marker(&self.dir).is_none();
        replica.disk.make_maildir(&self.dir)?;
        if fresh && self.row.dir.is_some() {
            replica
                .options
                .progress
                .warning(&format!("the directory of {} is gone; it is fetched again", self.path));
            replica.commit("cannot write it", |tx| tx.forget_messages(self.row.id))?;
            self.row.state = State::default();
        }
        replica.write_marker(&self.dir, self.row.fid, &self.path)?;
        replica.commit("cannot write it", |tx| tx.set_folder_dir(self.row.id, Some(&dir)))?;
        self.row.dir = Some(dir);
        Ok(())
    }

    /// Finds a directory that somebody renamed, by its marker, and renames it back; says whether it did.
    fn put_back(&mut self) -> SyncResult<bool> {
        let replica = &self.replica;
        let found = replica.markers()?.remove(&self.row.fid).map(|(dir, _)| replica.dir(&dir));
        let Some(found) = found.filter(|dir| *dir != self.dir && dir.join("cur").is_dir()) else {
            return Ok(false);
        };
        if replica.dry() {
            self.dir = found;
        } else if self.dir.exists() {
            return Ok(false);
        } else {
            replica.mark()?;
            replica.disk.rename(&found, &self.dir)?;
            let text = format!("the directory of {} was renamed here; it has its name again", self.path);
            replica.options.progress.warning(&text);
        }
        Ok(true)
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Who is told what happens.
    pub(crate) fn progress(&self) -> &Arc<dyn Progress> {
        &self.replica.options.progress
    }

    /// What to upload: the state as of the last checkpoint.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// Those of the disk and the state; [`SyncError::Protocol`] for pieces in an order that makes no sense.
    pub fn change(&mut self, change: Change) -> SyncResult<()> {
        match change {
            Change::Total { messages, bytes } => {
                self.replica.options.progress.folder_total(&self.path, messages, bytes);
            }
            Change::Partial { mid, cn } => {
                self.again.push((mid, cn));
                self.replica.options.progress.warning(&format!(
                    "{}: only a part of message {mid} came; it is asked for again in the next run",
                    self.path
                ));
            }
            Change::Failed { mid, reason } => {
                self.assembler.reset();
                let what = mid.map(|m| m.to_string());
                if let Some(mid) = mid {
                    self.note_left_out(mid, &mid.to_string(), &reason)?;
                } else {
                    self.replica.leave_out(LeftOut {
                        folder: self.path.clone(),
                        message: what,
                        count: 1,
                        reason,
                    });
                }
            }
            Change::Deleted(ids) => {
                self.checkpoint()?;
                self.each(&ids, Self::doom)?;
            }
            Change::Read(ids) => {
                self.checkpoint()?;
                self.each(&ids, |run, page| run.set_read(page, true))?;
            }
            Change::Unread(ids) => {
                self.checkpoint()?;
                self.each(&ids, |run, page| run.set_read(page, false))?;
            }
            Change::State(state) => {
                if self.assembler.in_message() {
                    return Err(SyncError::Protocol("a state in the middle of a message".to_owned()));
                }
                self.last = Some(state);
            }
            piece => {
                if let Some(message) = self.assembler.piece(piece)? {
                    let result = self.message(&message);
                    self.assembler.reset();
                    result?;
                }
            }
        }
        self.checkpoint_if_due()
    }

    /// Writes a checkpoint when enough messages or time have passed since the last one.
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn checkpoint_if_due(&mut self) -> SyncResult<()> {
        let due = self.pending.len() >= CHECKPOINT_MESSAGES
            || self.pending_bytes >= CHECKPOINT_BYTES
            || (!self.pending.is_empty() && self.last_checkpoint.elapsed() >= CHECKPOINT_TIME);
        if due { self.checkpoint() } else { Ok(()) }
    }

    /// Forgets a message that came in part, and records the others: the next stream begins from
    /// [`FolderRun::state`].
    ///
    /// # Errors
    /// Those of the disk and the state.
    pub fn restart(&mut self) -> SyncResult<()> {
        self.assembler.reset();
        self.last = None;
        self.again.clear();
        self.checkpoint()
    }

    /// Ends: records the final state.
    ///
    /// # Errors
    /// [`SyncError::Protocol`] when no final state came; those of the disk and the state.
    pub fn finish(mut self) -> SyncResult<()> {
        self.checkpoint()?;
        let mut state = self
            .last
            .take()
            .ok_or_else(|| SyncError::Protocol("a stream that ends without a state".to_owned()))?;
        for (mid, cn) in self.again.drain(..) {
            state.given.remove(mid.replica, mid.counter);
            state.seen.remove(cn.replica, cn.counter);
        }
        if self.touched {
            self.sync_dirs()?;
        }
        let mtimes = (mtime(&self.dir.join("cur")), mtime(&self.dir.join("new")));
        let new = state != self.state || !self.row.known || self.row.partial;
        if new || self.touched {
            let id = self.row.id;
            self.replica.commit("cannot write it", |tx| {
                if new {
                    tx.set_folder_state(id, &state)?;
                }
                if self.touched { tx.set_folder_mtimes(id, mtimes) } else { Ok(()) }
            })?;
        }
        self.replica.options.progress.folder_ends(&self.path);
        Ok(())
    }

    /// A whole message came.
    fn message(&mut self, message: &Assembled) -> SyncResult<()> {
        let (header, content) = (message.header, &message.content);
        self.replica.options.progress.message(&self.path, header.size);
        if header.associated {
            return Ok(());
        }
        if self.pending.iter().any(|p| p.row.mid == header.mid) {
            self.checkpoint()?;
        }
        let id = self.row.id;
        let old = self.replica.transaction("cannot read it", false, |tx| tx.message(id, header.mid))?;
        let flags = Flags::of_message(&content.props);
        let mut pending = Pending {
            row: MessageRow {
                mid: header.mid,
                cn: header.cn,
                seconds: export::delivered(content).to_unix_seconds(),
                state: Fate::Present,
                fresh: flags.is_empty(),
                flags,
                server_flags: flags,
                search_key: content.props.binary(tags::SEARCH_KEY).unwrap_or_default().to_vec(),
                run: old.as_ref().map_or(self.replica.run, |o| o.run),
                digest: None,
            },
            old,
            file: None,
            normal: None,
            left_out: None,
        };
        if pending.old.as_ref().is_some_and(|o| o.state == Fate::DeletedHere) {
            // It stays deleted; the version is known now.
            pending.row.state = Fate::DeletedHere;
        } else {
            self.convert(message, &mut pending)?;
        }
        self.pending_bytes = self.pending_bytes.saturating_add(header.size);
        self.pending.push(pending);
        Ok(())
    }

    /// Writes the message into `tmp/`, or keeps it aside.
    fn convert(&mut self, message: &Assembled, pending: &mut Pending) -> SyncResult<()> {
        let replica = &self.replica;
        let content = &message.content;
        let tmp = self.dir.join("tmp").join(self.name(&pending.row).unique());
        let conversion = if let Some(reason) = message.incomplete {
            Conversion::Impossible(reason.to_owned())
        } else if replica.dry() {
            let (conversion, digest, normal) =
                export::to_digests(&*replica.options.convert, content, &self.assembler.spool)?;
            pending.row.digest = Some(digest);
            pending.normal = Some(normal);
            conversion
        } else {
            replica.mark()?;
            self.touched = true;
            let written = export::to_file(
                &replica.disk,
                &*replica.options.convert,
                content,
                &self.assembler.spool,
                &tmp,
            );
            if !matches!(written, Ok(Conversion::Done { .. })) {
                let _ = replica.disk.unlink(&tmp);
            }
            written?
        };
        match conversion {
            Conversion::Done { left_out } => {
                pending.file = (!replica.dry()).then_some(tmp);
                for reason in left_out {
                    let message = Some(subject(content, pending.row.mid));
                    replica.leave_out(LeftOut { folder: self.path.clone(), message, count: 1, reason });
                }
            }
            Conversion::Again => {}
            Conversion::Impossible(reason) => {
                let subject = subject(content, pending.row.mid);
                if !replica.dry() {
                    let dir = replica
                        .root
                        .join(crate::STATE_DIR)
                        .join("aside")
                        .join(self.name(&pending.row).unique());
                    aside::keep(&replica.disk, &dir, &reason, content, &self.assembler.spool)?;
                }
                pending.row.state = Fate::Aside;
                pending.left_out = Some((subject, reason));
            }
        }
        Ok(())
    }

    /// Puts the pending messages into the tree and records them.
    fn checkpoint(&mut self) -> SyncResult<()> {
        self.last_checkpoint = Instant::now();
        if self.pending.is_empty() {
            return Ok(());
        }
        self.unsettled = true;
        let replica = Arc::clone(&self.replica);
        let files: Vec<PathBuf> = self.pending.iter().filter_map(|p| p.file.clone()).collect();
        replica.disk.sync_files(&self.dir, &files)?;
        let mut tally = Tally::default();
        let mut pending = std::mem::take(&mut self.pending);
        let placed = pending.iter_mut().try_for_each(|p| self.place(p, &mut tally));
        if let Err(e) = placed {
            self.pending = pending;
            return Err(e);
        }
        if !files.is_empty() {
            self.sync_dirs()?;
        }
        let id = self.row.id;
        replica.commit("cannot write it", |tx| {
            for p in &pending {
                tx.put_message(id, &p.row)?;
                match &p.left_out {
                    Some((what, reason)) => tx.put_left_out(id, p.row.mid, what, reason)?,
                    None => tx.clear_left_out(id, p.row.mid)?,
                }
            }
            tx.set_folder_partial(id)
        })?;
        for p in &pending {
            self.state.given.insert(p.row.mid.replica, p.row.mid.counter);
            self.state.seen.insert(p.row.cn.replica, p.row.cn.counter);
        }
        self.row.partial = true;
        self.unsettled = false;
        self.pending_bytes = 0;
        replica.count(tally);
        Ok(())
    }

    fn sync_dirs(&self) -> SyncResult<()> {
        self.replica.disk.sync_dir(&self.dir.join("new"))?;
        self.replica.disk.sync_dir(&self.dir.join("cur"))
    }

    fn note_left_out(&mut self, mid: GlobalId, what: &str, reason: &str) -> SyncResult<()> {
        let id = self.row.id;
        // It has a row of the index, so that it is forgotten when the server deletes it.
        let row = MessageRow {
            mid,
            cn: mid,
            seconds: 0,
            state: Fate::Aside,
            fresh: false,
            flags: Flags::NONE,
            server_flags: Flags::NONE,
            search_key: Vec::new(),
            run: 0,
            digest: None,
        };
        self.replica.commit("cannot write it", |tx| {
            if tx.message(id, mid)?.is_none() {
                tx.put_message(id, &row)?;
            }
            tx.put_left_out(id, mid, what, reason)
        })
    }

    fn name(&self, row: &MessageRow) -> MessageName {
        MessageName { seconds: row.seconds, mid: row.mid, cn: row.cn, folder: self.row.fid.counter }
    }
}

/// What a message is called in a list.
fn subject(content: &MessageContent, mid: GlobalId) -> String {
    content.props.text(tags::SUBJECT).filter(|s| !s.is_empty()).map_or_else(|| mid.to_string(), str::to_owned)
}

impl Drop for FolderRun {
    /// A run that failed leaves nothing half-written.
    fn drop(&mut self) {
        if self.unsettled {
            self.replica.doubt();
        }
        for file in self.pending.iter().filter_map(|p| p.file.as_ref()) {
            let _ = self.replica.disk.unlink(file);
        }
    }
}
