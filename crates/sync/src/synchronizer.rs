//! Drives a [`Replica`] from a server.

mod adopt;
mod folder;
pub(crate) mod glob;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;
use watertight_mapi::GlobCnt;
use watertight_mapi_client::{Connector, Logon, Mailbox, SpecialFolder, Target, Traffic};
use watertight_wire::Guid;

use crate::{
    FolderChange, GlobalId, HierarchyChanges, LeftOut, Options, Replica, Report, SyncError, SyncFolder,
    SyncResult, hierarchy::holds_mail, translate::Translator,
};

/// What is synchronized, and where to.
#[derive(Clone)]
pub struct Config {
    /// The Maildir.
    pub maildir: PathBuf,
    /// Session contexts that work side by side, at least one.
    pub connections: usize,
    /// Only folders whose path matches: `*` stands for any characters, `?` for one. Paths have `/` between names,
    /// and the Inbox is `INBOX`.
    pub folder: Option<String>,
    /// How the replica is kept.
    pub options: Options,
}

/// Which folders a run looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All that [`Config::folder`] lets through.
    Everything,
    /// Of those the ones named here, and the ones that are new. When something left one of them the others are looked
    /// at too: it may have gone there, and a message that exists on the server is never absent from the tree.
    Folders(BTreeSet<GlobalId>),
}

impl Scope {
    fn names(&self, folder: &SyncFolder) -> bool {
        match self {
            Self::Everything => true,
            Self::Folders(named) => !folder.known || named.contains(&folder.fid),
        }
    }
}

/// Which tree of folders is synchronized.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tree {
    /// The mailbox of whoever signs in.
    #[default]
    Own,
    /// Another mailbox, or an archive: its legacy DN.
    Mailbox(String),
    /// The public folders: all, or the one at this path with those below it. The top one is the Maildir itself, as the
    /// Inbox of a mailbox is.
    Public(Option<String>),
}

/// One-way synchronization of a mailbox into a Maildir; the server wins.
#[derive(Clone)]
pub struct Synchronizer {
    connector: Connector,
    user_dn: String,
    tree: Tree,
    config: Config,
}

/// Folders that are named where none matches.
const LISTED: usize = 30;
/// Folders that share a request when only changes are to be fetched.
const SHARED: usize = 32;

impl Synchronizer {
    /// A synchronizer of the mailbox of the user with this DN.
    #[must_use]
    pub fn new(connector: Connector, user_dn: impl Into<String>, config: Config) -> Self {
        Self { connector, user_dn: user_dn.into(), tree: Tree::Own, config }
    }

    /// Another tree of folders than the mailbox of that user.
    #[must_use]
    pub fn with_tree(mut self, tree: Tree) -> Self {
        self.tree = tree;
        self
    }

    /// Synchronizes once. What was done before an error stays done, and the next run goes on there.
    ///
    /// # Errors
    /// [`SyncError::Server`] when the server cannot be reached, does not accept the user or breaks the protocol;
    /// those of the Maildir and its state. Single messages and folders that fail are in [`Report::left_out`].
    pub async fn run(&self) -> SyncResult<Report> {
        let (began, before) = (Instant::now(), self.connector.traffic());
        let mut leader = self.mailbox();
        let (replica, result) = match self.drive(&mut leader, &Scope::Everything).await {
            Ok(driven) => driven,
            Err(e) => {
                let _ = leader.disconnect().await;
                return Err(e);
            }
        };
        // The first error is the one that matters.
        let _ = leader.disconnect().await;
        self.end(&replica, result, began, before).await
    }

    /// The mailbox, for [`Synchronizer::run_on`]; nothing is opened yet.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        let mailbox = Mailbox::new(self.connector.clone(), self.user_dn.clone());
        match &self.tree {
            Tree::Own => mailbox,
            Tree::Mailbox(dn) => mailbox.with_target(Target::Mailbox(dn.clone())),
            Tree::Public(_) => mailbox.with_target(Target::PublicFolders),
        }
    }

    /// Synchronizes once over a session that lives on: the first session context is the given one.
    ///
    /// # Errors
    /// As [`Synchronizer::run`].
    pub async fn run_on(&self, mailbox: &mut Mailbox, scope: &Scope) -> SyncResult<Report> {
        let (began, before) = (Instant::now(), self.connector.traffic());
        let (replica, result) = self.drive(mailbox, scope).await?;
        self.end(&replica, result, began, before).await
    }

    /// Everything that needs the server.
    async fn drive(
        &self,
        leader: &mut Mailbox,
        scope: &Scope,
    ) -> SyncResult<(Arc<Replica>, SyncResult<Reached>)> {
        let (maildir, options) = (self.config.maildir.clone(), self.config.options.clone());
        // Nothing is made on disk for a server that lets nobody in.
        let (ours, claimed) = (self.config.maildir.clone(), self.config.options.clone());
        blocking(move || Replica::claim_for(&ours, &claimed)).await?;
        leader.logon().await?;
        let replica = blocking(move || Replica::open(&maildir, options)).await?;
        let result = self.with(&replica, leader, scope).await;
        Ok((replica, result))
    }

    /// What is left to do without the server.
    async fn end(
        &self,
        replica: &Arc<Replica>,
        result: SyncResult<Reached>,
        began: Instant,
        before: Traffic,
    ) -> SyncResult<Report> {
        let folders = match result {
            Ok(folders) => folders,
            Err(e) => {
                // When only the server failed, state and tree agree also now; what the server deleted waits for a run
                // that reaches everything.
                if matches!(e, SyncError::Server(_)) {
                    let ending = Arc::clone(replica);
                    let _ = blocking(move || ending.finish(false)).await;
                }
                return Err(e);
            }
        };
        let ending = Arc::clone(replica);
        blocking(move || ending.finish(folders.complete)).await?;
        let after = self.connector.traffic();
        Ok(Report {
            version: 1,
            folders: folders.count,
            tally: replica.tally(),
            left_out: replica.left_out(),
            requests: after.requests.saturating_sub(before.requests),
            bytes_received: after.bytes_received.saturating_sub(before.bytes_received),
            bytes_sent: after.bytes_sent.saturating_sub(before.bytes_sent),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    async fn with(&self, replica: &Arc<Replica>, leader: &mut Mailbox, scope: &Scope) -> SyncResult<Reached> {
        self.hierarchy(replica, leader).await?;
        let all = replica.folders()?;
        let wanted = |f: &SyncFolder| self.config.folder.as_deref().is_none_or(|g| glob::folder(g, &f.path));
        if let Some(glob) = self.config.folder.as_deref().filter(|_| !all.iter().any(wanted)) {
            let known = all.iter().take(LISTED).map(|f| f.path.as_str()).collect::<Vec<_>>().join(", ");
            let more = if all.len() > LISTED { ", …" } else { "" };
            return Err(SyncError::NoFolder { glob: glob.to_owned(), known: known + more });
        }
        let (mail, other): (Vec<_>, Vec<_>) =
            all.into_iter().filter(wanted).partition(|f| holds_mail(&f.class));
        replica.whole.store(self.config.folder.is_none(), Ordering::Release);
        if replica.adopting() {
            adopt::adopt(replica, leader, &mail).await?;
        }
        let (named, rest): (Vec<_>, Vec<_>) = mail.into_iter().partition(|f| scope.names(f));
        let mut reached = self.folders(replica, leader, named).await?;
        if !rest.is_empty() && replica.anything_doomed()? {
            let more = self.folders(replica, leader, rest).await?;
            reached.count = reached.count.saturating_add(more.count);
            reached.complete &= more.complete;
        }
        if !other.is_empty() && *scope == Scope::Everything {
            folder::count(replica, leader, other).await?;
        }
        Ok(reached)
    }

    /// Synchronizes folders, over as many session contexts as are allowed and help.
    async fn folders(
        &self,
        replica: &Arc<Replica>,
        leader: &mut Mailbox,
        mail: Vec<SyncFolder>,
    ) -> SyncResult<Reached> {
        let count = watertight_wire::to_u64(mail.len());
        let work = Arc::new(Work::new(Arc::clone(replica), mail));
        let helpers = self.config.connections.clamp(1, 16).min(work.batches()).saturating_sub(1);
        let mut tasks = JoinSet::new();
        for _ in 0..helpers {
            let (work, mut mailbox) = (Arc::clone(&work), self.mailbox());
            tasks.spawn(async move {
                let result = work.run(&mut mailbox).await;
                let _ = mailbox.disconnect().await;
                result
            });
        }
        let mut result = work.run(leader).await;
        if result.is_err() {
            work.stop();
        }
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.unwrap_or(Err(SyncError::Cancelled));
            if ended.is_err() {
                work.stop();
            }
            result = result.and(ended);
        }
        result?;
        Ok(Reached { count, complete: work.complete.load(Ordering::Acquire) })
    }

    /// Follows the folders.
    async fn hierarchy(&self, replica: &Arc<Replica>, leader: &mut Mailbox) -> SyncResult<()> {
        loop {
            let logon = leader.logon().await?.clone();
            match self.hierarchy_once(replica, &logon).await {
                Ok((changes, inbox)) => {
                    leader.progressed();
                    let replica = Arc::clone(replica);
                    return blocking(move || replica.apply_hierarchy(&changes, inbox)).await;
                }
                Err(SyncError::Server(e)) => leader.again(e).await?,
                Err(e) => return Err(e),
            }
        }
    }

    async fn hierarchy_once(
        &self,
        replica: &Arc<Replica>,
        logon: &Logon,
    ) -> SyncResult<(HierarchyChanges, GlobalId)> {
        let public = match &self.tree {
            Tree::Public(path) => Some(logon.folder_at(path.as_deref().unwrap_or_default()).await?),
            Tree::Own | Tree::Mailbox(_) => None,
        };
        let (top, inbox) = match &public {
            Some((top, _)) => (*top, *top),
            None => {
                (logon.special_folder(SpecialFolder::IpmSubtree), logon.special_folder(SpecialFolder::Inbox))
            }
        };
        let root = GlobalId::new(logon.replica(top.repl_id).await?, top.counter);
        let inbox = GlobalId::new(logon.replica(inbox.repl_id).await?, inbox.counter);
        replica.belongs_to(logon.mailbox_guid(), root, public.is_some())?;
        let mut state = replica.hierarchy_state()?;
        // The top of public folders is a folder with posts, of which this synchronization does not speak.
        state.given.remove(root.replica, root.counter);
        let mut download = logon.sync_hierarchy(top, &state).await?;
        let mut translator = Translator::default();
        let mut changes = HierarchyChanges::default();
        while let Some(event) = download.next_event().await? {
            while let Some(id) = translator.unknown(&event) {
                translator.learn(id, logon.replica(id).await?);
            }
            translator.hierarchy(event, root, &mut changes);
        }
        if let Some((_, name)) = public {
            let nowhere = GlobalId::new(Guid::NIL, GlobCnt::default());
            changes.changed.iter_mut().filter(|f| f.parent == root).for_each(|f| f.parent = nowhere);
            changes.state.given.insert(root.replica, root.counter);
            if !replica.folders()?.iter().any(|f| f.fid == root) {
                let class = String::new();
                changes.changed.push(FolderChange { fid: root, parent: nowhere, name, class, messages: 0 });
            }
        }
        Ok((changes, inbox))
    }
}

impl std::fmt::Debug for Synchronizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Synchronizer").field("maildir", &self.config.maildir).finish_non_exhaustive()
    }
}

/// How far a run came.
struct Reached {
    /// Folders with mail.
    count: u64,
    /// Whether all of them were synchronized to their end.
    complete: bool,
}

/// The folders that wait for a session context.
pub(crate) struct Work {
    replica: Arc<Replica>,
    queue: Mutex<VecDeque<Vec<SyncFolder>>>,
    complete: AtomicBool,
}

impl Work {
    fn new(replica: Arc<Replica>, folders: Vec<SyncFolder>) -> Self {
        let (known, new): (Vec<_>, Vec<_>) = folders.into_iter().partition(|f| f.known);
        let mut queue: VecDeque<Vec<SyncFolder>> = new.into_iter().map(|f| vec![f]).collect();
        queue.extend(known.chunks(SHARED).map(<[SyncFolder]>::to_vec));
        Self { replica, queue: Mutex::new(queue), complete: AtomicBool::new(true) }
    }

    fn batches(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next(&self) -> Option<Vec<SyncFolder>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Somebody failed: no new folders are begun.
    fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn run(&self, mailbox: &mut Mailbox) -> SyncResult<()> {
        while let Some(batch) = self.next() {
            if let Err(e) = folder::batch(self, mailbox, batch).await {
                self.stop();
                return Err(e);
            }
        }
        Ok(())
    }

    /// A folder as a whole is left out; the others go on. What was deleted elsewhere may have gone there, unless the
    /// server refuses the folder for good.
    fn leave_out(&self, folder: &str, reason: String, refused: bool) {
        if !refused {
            self.complete.store(false, Ordering::Release);
        }
        self.replica.leave_out(LeftOut { folder: folder.to_owned(), message: None, count: 1, reason });
    }
}

/// Does something that waits for the disk, away from the network's threads.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> SyncResult<T> + Send + 'static) -> SyncResult<T> {
    tokio::task::spawn_blocking(f).await.unwrap_or(Err(SyncError::Cancelled))
}
