//! The store on SQLite.
//!
//! A data directory holds `directory.db` (accounts), `mailboxes/GUID.db` (one file for each mailbox), `instances/`
//! and `lock` (who has it open), and `serving` (locked by the server). Several processes may have it open; one of
//! them may be the server.

mod changes;
mod check;
mod checksum;
mod codec;
mod core;
mod directory;
mod error;
mod events;
mod folders;
mod instance;
mod large;
mod mailbox;
mod messages;
mod meta;
mod pool;
mod row;
mod schema;
mod secrets;
mod write;

use std::{
    collections::HashMap,
    fs::{self, File},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
};

use async_trait::async_trait;
pub use check::{CheckReport, Damage, backup, check};
#[doc(hidden)]
pub use codec::{content_column_holds, content_column_of};
use lru::LruCache;
use watertight_ledger::{Entry, Kind, Ledger};
use watertight_mapi::store::{
    Access, Account, Cursor, Grant, Mailbox, MailboxInfo, NewAccount, Page, Secrets, Store, StoreError,
    StoreResult,
};
use watertight_wire::Guid;

use self::{
    core::Core, directory::Directory, error::Doing, events::Feed, instance::Instance, mailbox::SqliteMailbox,
    pool::Pool, schema::MAILBOX,
};

/// How many mailboxes are kept open.
const OPEN_MAILBOXES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// A store in a data directory.
#[derive(Clone)]
pub struct SqliteStore(Arc<Shared>);

/// What is counted in the ledger.
struct Kinds {
    /// Held so that the tree shows it for as long as the store is open.
    _ledger: Ledger,
    connections: Kind,
    open: Kind,
    mailboxes: Kind,
    views: Kind,
    staged: Kind,
}

struct Shared {
    dir: PathBuf,
    instance: Instance,
    directory: Directory,
    /// Held while a mailbox is opened, so that it is opened once.
    open: Mutex<LruCache<Guid, Arc<Core>>>,
    /// What was staged here and belongs to no message yet.
    staged: Mutex<HashMap<(Guid, u64), Entry>>,
    serving: Mutex<Option<File>>,
    /// What is known of the events of the mailboxes that somebody has a handle of.
    feeds: Mutex<HashMap<Guid, Weak<Feed>>>,
    kinds: Kinds,
    pool: Pool,
}

impl SqliteStore {
    /// Opens a data directory, made when it is missing or empty. It counts into `ledger`: connections, open mailboxes,
    /// mailbox handles, views, staged values.
    ///
    /// # Errors
    /// [`StoreError::Version`] for a directory that is none of ours or of a newer program; [`StoreError::Full`],
    /// [`StoreError::Corrupt`], [`StoreError::Backend`].
    pub fn open(dir: &Path, ledger: &Ledger) -> StoreResult<Self> {
        prepare_dir(dir)?;
        let kinds = Kinds {
            _ledger: ledger.clone(),
            connections: ledger.kind("connections"),
            open: ledger.kind("open mailboxes"),
            mailboxes: ledger.kind("mailbox handles"),
            views: ledger.kind("contents views"),
            staged: ledger.kind("staged values"),
        };
        let directory = Directory::open(&dir.join(DIRECTORY_FILE), &kinds.connections)?;
        fs::create_dir_all(dir.join(MAILBOX_DIR)).doing("making the folder of mailboxes")?;
        Ok(Self(Arc::new(Shared {
            dir: dir.to_owned(),
            instance: Instance::register(dir)?,
            directory,
            open: Mutex::new(LruCache::new(OPEN_MAILBOXES)),
            staged: Mutex::default(),
            serving: Mutex::default(),
            feeds: Mutex::default(),
            kinds,
            pool: Pool::new(),
        })))
    }

    /// Takes the data directory for the one server that it can have, until the store is dropped. Others may still
    /// open it: to add accounts, to import, to check, to back up.
    ///
    /// # Errors
    /// [`StoreError::Denied`] when another server has it.
    pub fn claim(&self) -> StoreResult<()> {
        let mut serving = locked(&self.0.serving);
        if serving.is_none() {
            *serving = Some(instance::claim(&self.0.dir)?);
        }
        Ok(())
    }

    /// Gives back the memory of pages that are in memory only because they may be read again. What is open stays open.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub async fn release_memory(&self) -> StoreResult<()> {
        let shared = Arc::clone(&self.0);
        self.0
            .pool
            .run(move || {
                let cores: Vec<_> = locked(&shared.open).iter().map(|(_, core)| Arc::clone(core)).collect();
                cores.iter().try_for_each(|core| core.release_memory())?;
                shared.directory.release_memory()
            })
            .await
    }
}

const DIRECTORY_FILE: &str = "directory.db";
const MAILBOX_DIR: &str = "mailboxes";

/// Makes the data directory, readable by its owner alone; refuses one that holds something else.
fn prepare_dir(dir: &Path) -> StoreResult<()> {
    let context = format!("opening the data directory {}", dir.display());
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            let ours = dir.join(DIRECTORY_FILE).exists();
            let foreign = entries.any(|entry| {
                entry.is_ok_and(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    !name.starts_with('.')
                        && !["lost+found", "lock", "instances", MAILBOX_DIR].contains(&&*name)
                })
            });
            if foreign && !ours {
                return Err(StoreError::Version(format!(
                    "{} is not empty and not a Watertight data directory",
                    dir.display()
                )));
            }
            // The file of accounts is there before the first mailbox is: without it something was lost.
            let mailboxes = fs::read_dir(dir.join(MAILBOX_DIR)).is_ok_and(|mut files| files.next().is_some());
            if mailboxes && !ours {
                return Err(StoreError::Corrupt(format!(
                    "{} has mailboxes, but {DIRECTORY_FILE} is not there: restore it from a backup",
                    dir.display()
                )));
            }
            Ok(())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(dir).doing(&context)
        }
        Err(e) => Err(e).doing(&context),
    }
}

fn mailbox_path(dir: &Path, mailbox: Guid) -> PathBuf {
    dir.join(MAILBOX_DIR).join(format!("{mailbox}.db"))
}

impl Shared {
    /// The mailbox, opened if it is not open.
    fn core(&self, mailbox: Guid) -> StoreResult<Arc<Core>> {
        let mut open = locked(&self.open);
        if let Some(core) = open.get(&mailbox) {
            core.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(core));
        }
        let path = mailbox_path(&self.dir, mailbox);
        if !path.exists() {
            return Err(StoreError::NotFound("mailbox"));
        }
        let core = Arc::new(Core::open(&path, &self.kinds, &self.instance, self.feed(mailbox))?);
        let evicted = open.push(mailbox, Arc::clone(&core));
        drop(open);
        // Closing may write: not while others wait for the lock.
        drop(evicted);
        Ok(core)
    }

    /// What is known of the mailbox's events.
    fn feed(&self, mailbox: Guid) -> Arc<Feed> {
        let mut feeds = locked(&self.feeds);
        if let Some(feed) = feeds.get(&mailbox).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::new(mailbox_path(&self.dir, mailbox)));
        feeds.insert(mailbox, Arc::downgrade(&feed));
        feed
    }

    /// The mailbox, if it is open and nobody is just opening or closing one.
    fn core_now(&self, mailbox: Guid) -> Option<Arc<Core>> {
        let mut open = self.open.try_lock().ok()?;
        let core = open.get(&mailbox)?;
        core.used.store(true, Ordering::Relaxed);
        Some(Arc::clone(core))
    }

    /// Closes the mailboxes that were not used since the last time.
    fn close_unused(&self) {
        let mut open = locked(&self.open);
        let unused: Vec<Guid> = open
            .iter()
            .filter(|(_, core)| !core.used.swap(false, Ordering::Relaxed))
            .map(|(guid, _)| *guid)
            .collect();
        let closed: Vec<_> = unused.iter().filter_map(|guid| open.pop(guid)).collect();
        drop(open);
        // Closing may write: not while others wait for the lock.
        drop(closed);
    }

    fn stage(&self, mailbox: Guid, id: u64) {
        locked(&self.staged).insert((mailbox, id), self.kinds.staged.enter());
    }

    fn unstage(&self, mailbox: Guid, ids: &[u64]) {
        let mut staged = locked(&self.staged);
        for id in ids {
            staged.remove(&(mailbox, *id));
        }
    }

    /// Makes the file of a new mailbox with the standard folders.
    fn create_mailbox(&self, info: &MailboxInfo) -> StoreResult<()> {
        let path = mailbox_path(&self.dir, info.mailbox_guid);
        let conn = MAILBOX.open(&path, schema::Access::Create, &self.kinds.connections)?;
        conn.sql.execute_batch("BEGIN IMMEDIATE").doing("making a mailbox")?;
        meta::write(&conn.sql, info)?;
        conn.sql
            .execute(
                "INSERT INTO counter VALUES(1, ?, 1, 1, 1, 1)",
                [crate::special::FIRST_FREE_ID.cast_signed()],
            )
            .doing("making a mailbox")?;
        folders::create_standard(&conn.sql, info.kind)?;
        conn.sql.execute_batch("COMMIT").doing("making a mailbox")?;
        drop(conn);
        // The file's name is durable before the account is.
        File::open(self.dir.join(MAILBOX_DIR)).and_then(|dir| dir.sync_all()).doing("making a mailbox")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteStore {
    async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Shared) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let shared = Arc::clone(&self.0);
        self.0.pool.run(move || f(&shared)).await
    }

    /// The account whose column has that value.
    async fn find(&self, column: &'static str, key: String) -> StoreResult<Option<Account>> {
        match self.0.directory.find_now(column, &key) {
            Some(found) => found,
            None => self.run(move |shared| shared.directory.find(column, &key)).await,
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn account(&self, name: &str) -> StoreResult<Option<Account>> {
        self.find("key", crate::account::key(name)).await
    }

    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>> {
        self.find("dn_key", crate::account::key(legacy_dn)).await
    }

    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>> {
        if smtp_address.is_empty() {
            return Ok(None);
        }
        self.find("smtp_key", crate::account::key(smtp_address)).await
    }

    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>> {
        let after = crate::cursor::text(after)?.unwrap_or_default().to_owned();
        self.run(move |shared| shared.directory.page(&after, limit.max(1))).await
    }

    async fn create_account(&self, account: NewAccount) -> StoreResult<Account> {
        crate::account::validate(&account)?;
        self.run(move |shared| {
            let account = directory::account(account)?;
            shared.directory.check_free(&account)?;
            let info = crate::account::private(&account)?;
            shared.create_mailbox(&info)?;
            shared.directory.insert(&account)?;
            Ok(account)
        })
        .await
    }

    fn secrets(&self) -> &dyn Secrets {
        self
    }

    async fn create_archive(&self, name: &str) -> StoreResult<Account> {
        let key = crate::account::key(name);
        self.run(move |shared| {
            let mut account = shared.directory.find("key", &key)?.ok_or(StoreError::NotFound("account"))?;
            if account.archive.is_some() {
                return Err(crate::account::archive_taken(&account));
            }
            let info = crate::account::archive(&account)?;
            shared.create_mailbox(&info)?;
            shared.directory.insert_archive(&account, &info)?;
            account.archive = Some(info.mailbox_guid);
            Ok(account)
        })
        .await
    }

    async fn public_store(&self) -> StoreResult<Option<Guid>> {
        self.run(|shared| shared.directory.public_store()).await
    }

    async fn create_public_store(&self) -> StoreResult<Guid> {
        self.run(|shared| {
            if shared.directory.public_store()?.is_some() {
                return Err(crate::account::public_taken());
            }
            let info = crate::account::public()?;
            shared.create_mailbox(&info)?;
            shared.directory.insert_public(&info)?;
            Ok(info.mailbox_guid)
        })
        .await
    }

    async fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>> {
        if let Some(found) = self.0.directory.access_now(owner, to) {
            return found;
        }
        let (owner, to) = (owner.map(str::to_owned), to.to_owned());
        self.run(move |shared| shared.directory.access(owner.as_deref(), &to)).await
    }

    async fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>> {
        let owner = owner.map(str::to_owned);
        self.run(move |shared| shared.directory.grants(owner.as_deref())).await
    }

    async fn grant(&self, grant: Grant) -> StoreResult<()> {
        self.run(move |shared| shared.directory.grant(&grant)).await
    }

    async fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()> {
        let (owner, to) = (owner.map(str::to_owned), to.to_owned());
        self.run(move |shared| shared.directory.revoke(owner.as_deref(), &to)).await
    }

    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>> {
        let core = match self.0.core_now(mailbox_guid) {
            Some(core) => core,
            None => self.run(move |shared| shared.core(mailbox_guid)).await?,
        };
        Ok(Arc::new(SqliteMailbox::new(Arc::clone(&self.0), Arc::clone(&core.info))))
    }

    async fn rest(&self) {
        let closed = self.run(|shared| {
            shared.close_unused();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::warn!(%error, "mailboxes that nobody uses were not closed");
        }
    }
}

#[cfg(test)]
mod tests;
