use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::{GlobCnt, ics::State};
use watertight_wire::Guid;

use crate::{
    Convert, FOLDER_MARKER, Fsync, GlobalId, Hook, LeftOut, Mode, Progress, STATE_DIR, Silent, Since,
    SyncError, SyncResult, Tally, adopt,
    db::{Db, FolderRow, Tx},
    disk::Disk,
    folder_name,
    settings::Settings,
};

/// How a replica is kept.
#[derive(Clone)]
pub struct Options {
    /// When files are forced to the disk.
    pub fsync: Fsync,
    /// Delete more than half of a folder of 20 messages or more when the server did.
    pub allow_mass_delete: bool,
    /// Change nothing; tell [`Progress::action`] what would be done.
    pub dry_run: bool,
    /// What happens to messages that the server deleted; as the Maildir remembers it when nothing is said.
    pub mode: Option<Mode>,
    /// From when on messages are synchronized; as the Maildir remembers it when nothing is said.
    pub since: Option<Since>,
    /// Folders that are left alone, with those in them (patterns as in [`crate::Config::folder`]); as the Maildir
    /// remembers them when nothing is said.
    pub exclude: Option<Vec<String>>,
    /// Take over a Maildir that another program made; nothing for one that is ours.
    pub adopt: bool,
    /// Turns messages into mail files.
    pub convert: Arc<dyn Convert>,
    /// Told what happens.
    pub progress: Arc<dyn Progress>,
    /// Where open folders and spooled values are counted.
    pub ledger: Ledger,
    /// Called before every step on disk.
    pub hook: Option<Hook>,
}

impl Options {
    /// The usual ones, telling nobody.
    #[must_use]
    pub fn new(convert: Arc<dyn Convert>) -> Self {
        Self {
            fsync: Fsync::Safe,
            allow_mass_delete: false,
            dry_run: false,
            mode: None,
            since: None,
            exclude: None,
            adopt: false,
            convert,
            progress: Arc::new(Silent),
            ledger: Ledger::new("sync"),
            hook: None,
        }
    }
}

/// A folder in one replica's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderKey(pub(crate) i64);

/// A folder that can be synchronized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFolder {
    /// Its place in the state.
    pub key: FolderKey,
    /// FID.
    pub fid: GlobalId,
    /// Its path: names separated by `/`, the Inbox as `INBOX`.
    pub path: String,
    /// PidTagContainerClass.
    pub class: String,
    /// PidTagContentCount, as the hierarchy synchronization last said.
    pub messages: u64,
    /// Whether it was synchronized before: only changes will come.
    pub known: bool,
}

/// A Maildir that is kept in step: its lock, its state, its tree.
///
/// Dropping it leaves everything as it is; a run that was cut off goes on from its checkpoints.
pub struct Replica {
    pub(crate) root: PathBuf,
    pub(crate) disk: Disk,
    pub(crate) options: Options,
    /// How it is kept: as this run said, else as it was kept before.
    pub(crate) settings: Settings,
    /// The number of this run.
    pub(crate) run: i64,
    /// Taken last, for short whiles, and never while `shared` is held.
    db: Mutex<Db>,
    shared: Mutex<Shared>,
    /// Whether the state says that the tree is being changed.
    marked: AtomicBool,
    /// Whether something failed on disk.
    doubtful: AtomicBool,
    /// Whether mail of another program is looked for.
    pub(crate) adopting: AtomicBool,
    /// Whether this run looks at all folders that belong here.
    pub(crate) whole: AtomicBool,
    pub(crate) syncs: Kind,
    pub(crate) spooled: Kind,
    spool_dir: PathBuf,
    /// A dry run's copy of the state.
    scratch: Option<PathBuf>,
    _lock: Option<File>,
    _entry: Entry,
}

#[derive(Default)]
struct Shared {
    tally: Tally,
    left_out: Vec<LeftOut>,
    layout: Option<Arc<Layout>>,
}

/// Directory and path of each folder.
pub(crate) type Layout = BTreeMap<GlobalId, (String, String)>;

impl Replica {
    /// Whether the directory is a replica or can become one; changes nothing.
    ///
    /// # Errors
    /// [`SyncError::NotOurs`], and those of the disk.
    pub fn claim(root: &Path) -> SyncResult<()> {
        if is_ours(root)? { Ok(()) } else { Err(SyncError::NotOurs(root.to_owned())) }
    }

    /// The same for a run with these options: with [`Options::adopt`] a Maildir of another program will do.
    ///
    /// # Errors
    /// As [`Replica::claim`].
    pub fn claim_for(root: &Path, options: &Options) -> SyncResult<()> {
        match Self::claim(root) {
            Err(SyncError::NotOurs(_)) if options.adopt && adopt::is_mail(root)? => Ok(()),
            other => other,
        }
    }

    /// Opens the Maildir, makes it when it is not there, and locks it. A lost or damaged state is rebuilt from the
    /// tree.
    ///
    /// # Errors
    /// [`SyncError::Locked`], [`SyncError::NotOurs`], [`SyncError::Newer`], and those of the disk.
    pub fn open(root: &Path, options: Options) -> SyncResult<Arc<Self>> {
        let disk = Disk { fsync: options.fsync, hook: options.hook.clone() };
        let state_dir = root.join(STATE_DIR);
        Self::claim_for(root, &options)?;
        let remembered = Settings::load(root)?;
        let settings = Settings {
            mode: options.mode.unwrap_or(remembered.mode),
            since: options.since.unwrap_or(remembered.since),
            exclude: options.exclude.clone().unwrap_or_else(|| remembered.exclude.clone()),
        };
        // A Maildir with a state was taken over before, or is nobody else's.
        let adopt = options.adopt && !state_dir.join("state.db").exists();
        let mut scratch = None;
        let (lock, db_path, spool_dir) = if options.dry_run {
            let lock = if state_dir.join("lock").exists() { Some(lock(root, false)?) } else { None };
            let dir = scratch_dir()?;
            for file in ["state.db", "state.db-wal"] {
                let from = state_dir.join(file);
                if from.exists() {
                    fs::copy(&from, dir.join(file)).map_err(|e| SyncError::io("copy", &from, e))?;
                }
            }
            scratch = Some(dir.clone());
            (lock, dir.join("state.db"), dir)
        } else {
            if adopt {
                adopt::begin(root, &disk)?;
            }
            if !root.is_dir() {
                disk.make_dirs(root)?;
            }
            disk.make_dir(&state_dir)?;
            let lock = lock(root, true)?;
            disk.make_maildir(root)?;
            let spool_dir = state_dir.join("spool");
            disk.make_dir(&spool_dir)?;
            for entry in read_dir(&spool_dir)? {
                disk.unlink(&entry)?;
            }
            (Some(lock), state_dir.join("state.db"), spool_dir)
        };
        disk.step("open the state", &db_path)?;
        let db = match Db::open(&db_path, options.fsync)? {
            Some(db) => db,
            None => {
                let aside = db_path.with_extension("db.damaged");
                disk.rename(&db_path, &aside)?;
                disk.unlink(&db_path.with_extension("db-wal"))?;
                options
                    .progress
                    .warning("the state of the Maildir was damaged; it is rebuilt from the files");
                Db::open(&db_path, options.fsync)?.ok_or_else(|| SyncError::NotOurs(root.to_owned()))?
            }
        };
        let mut replica = Self {
            root: root.to_owned(),
            disk,
            run: 0,
            db: Mutex::new(db),
            shared: Mutex::default(),
            marked: AtomicBool::new(false),
            doubtful: AtomicBool::new(false),
            adopting: AtomicBool::new(adopt || adopt::begun(root)),
            whole: AtomicBool::new(true),
            syncs: options.ledger.kind("folder synchronizations"),
            spooled: options.ledger.kind("spooled values"),
            spool_dir,
            scratch,
            _entry: options.ledger.kind("maildirs").enter(),
            options,
            settings,
            _lock: lock,
        };
        replica.begin()?;
        replica.remember(&remembered)?;
        Ok(Arc::new(replica))
    }

    /// Reads where the last run ended; after one that was cut off every folder is to be compared with its directory.
    fn begin(&mut self) -> SyncResult<()> {
        let rebuild = self.transaction("cannot read it", false, |tx| Ok(tx.meta("made")?.is_none()))?;
        let markers = if rebuild {
            self.clear_remains()?;
            self.markers()?
        } else {
            BTreeMap::new()
        };
        let (run, marked) = self.transaction("cannot read it", false, |tx| {
            if rebuild {
                for (fid, (dir, path)) in &markers {
                    let id =
                        tx.put_folder(*fid, GlobalId::new(Guid::NIL, GlobCnt::default()), path, "", 0)?;
                    tx.set_folder_dir(id, Some(dir))?;
                    tx.set_folder_dirty(Some(id), true)?;
                }
                tx.set_meta("rebuilt", b"1")?;
                // There may be some; a run of a mirror looks.
                tx.set_meta("kept", b"1")?;
                tx.set_meta("layout", b"1")?;
                tx.set_meta("made", b"1")?;
            }
            let marked = tx.meta("unclean")?.is_some_and(|v| v == b"1");
            if marked {
                tx.set_folder_dirty(None, true)?;
            }
            let run = tx.meta("run")?.and_then(|v| Some(i64::from_le_bytes(v.try_into().ok()?))).unwrap_or(0);
            Ok((run, marked))
        })?;
        self.run = run.saturating_add(1);
        self.marked = AtomicBool::new(marked);
        if marked {
            // The number must be this run's before the first message is recorded under it.
            let run = self.run;
            self.transaction("cannot write it", false, |tx| tx.set_meta("run", &run.to_le_bytes()))?;
        }
        Ok(())
    }

    /// Remembers whose Maildir this is, by the mailbox and, of public folders, by the folder at its top; refuses another.
    ///
    /// One that was made before this was remembered, or whose state was lost, is known by the replica of its folders.
    ///
    /// # Errors
    /// [`SyncError::OtherMailbox`], and those of the state.
    pub fn belongs_to(&self, mailbox: Guid, top: GlobalId, public: bool) -> SyncResult<()> {
        let mut identity = mailbox.to_bytes().to_vec();
        if public {
            identity.extend_from_slice(&top.replica.to_bytes());
            identity.extend_from_slice(&top.counter.to_bytes());
        }
        let (known, folders) =
            self.transaction("cannot read it", false, |tx| Ok((tx.meta("mailbox")?, tx.folders()?)))?;
        let ours = match &known {
            Some(known) => *known == identity,
            None if public => folders.is_empty() || folders.iter().any(|row| row.fid == top),
            None => folders.is_empty() || folders.iter().any(|row| row.fid.replica == top.replica),
        };
        if !ours {
            return Err(SyncError::OtherMailbox(self.root.clone()));
        }
        if known.is_none() {
            self.commit("cannot write it", |tx| tx.set_meta("mailbox", &identity))?;
        }
        Ok(())
    }

    /// The folders that are synchronized, by path.
    ///
    /// # Errors
    /// Those of the state.
    pub fn folders(&self) -> SyncResult<Vec<SyncFolder>> {
        let rows = self.transaction("cannot read it", false, |tx| tx.folders())?;
        let paths = self.layout()?;
        let mut out: Vec<SyncFolder> = rows
            .into_iter()
            .filter(|row| !row.doomed)
            .map(|row| SyncFolder {
                key: FolderKey(row.id),
                fid: row.fid,
                path: paths.get(&row.fid).map_or_else(|| row.name.clone(), |(_, path)| path.clone()),
                class: row.class,
                messages: row.messages,
                known: row.dirty || row.known,
            })
            .filter(|folder| !self.settings.excludes(&folder.path))
            .collect();
        out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(out)
    }

    /// Whether messages or folders wait for the end of the run to be moved or removed.
    pub(crate) fn anything_doomed(&self) -> SyncResult<bool> {
        let (counts, rows) =
            self.transaction("cannot read it", false, |tx| Ok((tx.doomed_counts()?, tx.folders()?)))?;
        Ok(!counts.is_empty() || rows.iter().any(|row| row.doomed && !self.leaves_alone(row)))
    }

    /// Whether a folder that the server deleted is excluded: what is here of it stays as it is. Its directory says
    /// which path it had.
    pub(crate) fn leaves_alone(&self, row: &FolderRow) -> bool {
        let marker = row.dir.as_deref().and_then(|dir| read_marker(&self.dir(dir)));
        self.settings.excludes(marker.as_ref().map_or(&row.name, |(_, path)| path))
    }

    /// From when on messages belong here: as this run said, else as the Maildir remembers it.
    #[must_use]
    pub fn since(&self) -> Since {
        self.settings.since
    }

    /// Where every folder that the server has belongs; worked out once for each hierarchy.
    pub(crate) fn layout(&self) -> SyncResult<Arc<Layout>> {
        if let Some(layout) = &self.shared().layout {
            return Ok(Arc::clone(layout));
        }
        let (rows, inbox) =
            self.transaction("cannot read it", false, |tx| Ok((tx.folders()?, inbox(tx)?)))?;
        let layout = Arc::new(folder_name::layout(&places(&rows), inbox));
        self.shared().layout = Some(Arc::clone(&layout));
        Ok(layout)
    }

    /// The hierarchy changed.
    pub(crate) fn forget_layout(&self) {
        self.shared().layout = None;
    }

    /// The contents state of a folder that is only counted.
    pub(crate) fn counted(&self, key: FolderKey) -> SyncResult<State> {
        let row = self.transaction("cannot read it", false, |tx| tx.folder(key.0))?;
        Ok(row.map(|row| row.state).unwrap_or_default())
    }

    /// Keeps the contents state of a folder that is only counted.
    pub(crate) fn set_counted(&self, key: FolderKey, state: &State) -> SyncResult<()> {
        if self.counted(key)? == *state {
            return Ok(());
        }
        self.commit("cannot write it", |tx| tx.set_folder_state(key.0, state))
    }

    /// What this run did so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.shared().tally
    }

    /// What this run left out so far.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.shared().left_out.clone()
    }

    /// Lists something that is left out. The list ends at 10,000 entries.
    pub fn leave_out(&self, what: LeftOut) {
        self.options.progress.left_out(&what);
        let mut shared = self.shared();
        if shared.left_out.len() < 10_000 {
            shared.left_out.push(what);
        }
    }

    pub(crate) fn count(&self, tally: Tally) {
        self.shared().tally.add(tally);
    }

    /// A message that was counted as added turned out to be moved.
    pub(crate) fn count_move(&self) {
        let mut shared = self.shared();
        shared.tally.moved = shared.tally.moved.saturating_add(1);
        shared.tally.added = shared.tally.added.saturating_sub(1);
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dry(&self) -> bool {
        self.options.dry_run
    }

    pub(crate) fn spool_dir(&self) -> &Path {
        &self.spool_dir
    }

    pub(crate) fn transaction<T>(
        &self,
        what: &'static str,
        full: bool,
        f: impl FnOnce(&mut Tx<'_>) -> rusqlite::Result<T>,
    ) -> SyncResult<T> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner).transaction(what, full, f)
    }

    /// A transaction that changes the state: the hook is asked.
    pub(crate) fn commit<T>(
        &self,
        what: &'static str,
        f: impl FnOnce(&mut Tx<'_>) -> rusqlite::Result<T>,
    ) -> SyncResult<T> {
        self.disk.step("commit", &self.root)?;
        self.transaction(what, false, f)
    }

    /// Says durably that the tree is being changed, before the first change.
    pub(crate) fn mark(&self) -> SyncResult<()> {
        if self.dry() || self.marked.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk.step("mark the run", &self.root)?;
        let full = self.disk.fsync == Fsync::Safe;
        let run = self.run;
        self.transaction("cannot write it", full, |tx| {
            tx.set_meta("unclean", b"1")?;
            tx.set_meta("run", &run.to_le_bytes())
        })?;
        self.marked.store(true, Ordering::Release);
        Ok(())
    }

    /// Something failed on disk: the tree may hold what the state does not know, and the mark stays.
    pub(crate) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    /// Takes the mark away: state and tree agree.
    pub(crate) fn unmark(&self) -> SyncResult<()> {
        if self.doubtful.load(Ordering::Acquire) || self.dry() || !self.marked.load(Ordering::Acquire) {
            return Ok(());
        }
        self.commit("cannot write it", |tx| tx.set_meta("unclean", b"0"))?;
        self.marked.store(false, Ordering::Release);
        Ok(())
    }

    /// Where a folder's `cur`, `new` and `tmp` are.
    pub(crate) fn dir(&self, dir: &str) -> PathBuf {
        if dir.is_empty() { self.root.clone() } else { self.root.join(dir) }
    }

    /// The root and the directories of Maildir++ folders in it, by name.
    pub(crate) fn maildirs(&self) -> SyncResult<Vec<(String, PathBuf)>> {
        let mut dirs = vec![(String::new(), self.root.clone())];
        if self.root.is_dir() {
            for path in read_dir(&self.root)? {
                if let Some(name) = path.file_name().and_then(|n| n.to_str())
                    && name.starts_with('.')
                {
                    dirs.push((name.to_owned(), path));
                }
            }
        }
        dirs.sort();
        Ok(dirs)
    }

    /// The folders whose directories say which they are, with directory and path.
    pub(crate) fn markers(&self) -> SyncResult<BTreeMap<GlobalId, (String, String)>> {
        let mut out = BTreeMap::new();
        for (name, path) in self.maildirs()? {
            if let Some((fid, shown)) = read_marker(&path) {
                out.entry(fid).or_insert((name, shown));
            }
        }
        Ok(out)
    }

    /// Removes directories that are all that is left of a folder whose removal was cut off.
    fn clear_remains(&self) -> SyncResult<()> {
        if self.dry() || !self.root.is_dir() {
            return Ok(());
        }
        for path in read_dir(&self.root)? {
            let dotted = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with('.'));
            if dotted && path.is_dir() && read_dir(&path)?.is_empty() {
                self.disk.remove_dir(&path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write_marker(&self, dir: &Path, fid: GlobalId, path: &str) -> SyncResult<()> {
        let line: String = path.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.disk.put(&dir.join(FOLDER_MARKER), format!("1 {fid}\n{line}\n").as_bytes())
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("root", &self.root).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(dir) = &self.scratch {
            let _ = fs::remove_dir_all(dir);
        }
    }
}

/// The Inbox, where the state knows it.
pub(crate) fn inbox(tx: &Tx<'_>) -> rusqlite::Result<Option<GlobalId>> {
    Ok(tx.meta("inbox")?.and_then(|gid| GlobalId::from_gid(&gid)))
}

/// The places of the folders that the server has.
pub(crate) fn places(rows: &[FolderRow]) -> Vec<folder_name::Place> {
    rows.iter()
        .filter(|row| !row.doomed)
        .map(|row| folder_name::Place { id: row.fid, parent: row.parent, name: row.name.clone() })
        .collect()
}

/// The paths in a directory.
pub(crate) fn read_dir(path: &Path) -> SyncResult<Vec<PathBuf>> {
    let io = |e| SyncError::io("read the directory", path, e);
    fs::read_dir(path).map_err(io)?.map(|entry| entry.map(|e| e.path()).map_err(io)).collect()
}

/// Whether the directory can be a replica: it is one, is not there, or is empty (an empty Maildir is).
fn is_ours(root: &Path) -> SyncResult<bool> {
    if root.join(STATE_DIR).is_dir() || root.join(FOLDER_MARKER).is_file() {
        return Ok(true);
    }
    let entries = match fs::read_dir(root) {
        Ok(_) => read_dir(root)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(SyncError::io("read the directory", root, e)),
    };
    for path in entries {
        let sub = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if !matches!(sub, "cur" | "new" | "tmp") || !path.is_dir() || !read_dir(&path)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(root: &Path, create: bool) -> SyncResult<File> {
    let path = root.join(STATE_DIR).join("lock");
    let file = if create {
        File::options().read(true).write(true).create(true).truncate(false).open(&path)
    } else {
        File::open(&path)
    }
    .map_err(|e| SyncError::io("open", &path, e))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SyncError::Locked(root.to_owned())),
        Err(e) => Err(SyncError::io("lock", &path, e.into())),
    }
}

fn scratch_dir() -> SyncResult<PathBuf> {
    let mut random = [0_u8; 8];
    let _ = getrandom::fill(&mut random);
    let dir = std::env::temp_dir().join(format!("watertight-dry-run-{:016x}", u64::from_le_bytes(random)));
    Disk::default().make_dirs(&dir)?;
    Ok(dir)
}

/// What a folder's marker says: FID and path.
pub(crate) fn read_marker(dir: &Path) -> Option<(GlobalId, String)> {
    marker(&fs::read_to_string(dir.join(FOLDER_MARKER)).ok()?)
}

pub(crate) fn marker(text: &str) -> Option<(GlobalId, String)> {
    let mut lines = text.lines();
    let (version, id) = lines.next()?.split_once(' ')?;
    let (guid, counter) = id.rsplit_once('-')?;
    let counter = GlobCnt::new(u64::from_str_radix(counter, 16).ok()?)?;
    (version == "1").then_some(())?;
    Some((GlobalId::new(parse_guid(guid)?, counter), lines.next().unwrap_or_default().to_owned()))
}

fn parse_guid(text: &str) -> Option<Guid> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 || !hex.is_ascii() {
        return None;
    }
    let part = |at: usize, len: usize| hex.get(at..at.checked_add(len)?);
    let d1 = u32::from_str_radix(part(0, 8)?, 16).ok()?;
    let d2 = u16::from_str_radix(part(8, 4)?, 16).ok()?;
    let d3 = u16::from_str_radix(part(12, 4)?, 16).ok()?;
    let d4 = u64::from_str_radix(part(16, 16)?, 16).ok()?.to_be_bytes();
    let guid = Guid::new(d1, d2, d3, d4);
    (guid.to_string() == text).then_some(guid)
}
