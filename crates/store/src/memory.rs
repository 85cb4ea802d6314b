//! The store in memory.

mod folders;
mod mailbox;
mod messages;
mod secrets;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use watertight_ledger::{Kind, Ledger};
use watertight_mapi::store::{
    Access, Account, Cursor, Grant, Mailbox, MailboxInfo, NewAccount, NtHash, Page, Secrets, Store,
    StoreError, StoreResult, Token, legacy_dn,
};
use watertight_wire::Guid;

use self::{mailbox::MemoryMailbox, state::State};
use crate::account;

/// A store that keeps everything in memory and forgets it when it is dropped.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    /// Held only to look something up or add it.
    directory: Mutex<Directory>,
    kinds: Kinds,
}

/// Who there is, and which mailboxes.
#[derive(Default)]
struct Directory {
    /// By the name's key.
    accounts: BTreeMap<String, Known>,
    mailboxes: BTreeMap<Guid, Holder>,
    public: Option<Guid>,
    /// By the keys of the owner's name (none for the public folders) and of whoever has the right.
    access: BTreeMap<(Option<String>, String), Access>,
}

/// An account, and what it signs in with.
struct Known {
    account: Account,
    nt_hash: Option<NtHash>,
    /// By the hash.
    tokens: BTreeMap<[u8; 32], Token>,
}

struct Holder {
    info: Arc<MailboxInfo>,
    state: Arc<Mutex<State>>,
}

/// What is counted in the ledger.
#[derive(Clone)]
struct Kinds {
    /// Held so that the tree shows it for as long as the store is there.
    _ledger: Ledger,
    mailboxes: Kind,
    views: Kind,
    staged: Kind,
}

impl MemoryStore {
    /// An empty store that counts into a ledger of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::with_ledger(&Ledger::new("memory store"))
    }

    /// An empty store that counts into this ledger: mailbox handles, views, staged values.
    #[must_use]
    pub fn with_ledger(ledger: &Ledger) -> Self {
        let kinds = Kinds {
            _ledger: ledger.clone(),
            mailboxes: ledger.kind("mailbox handles"),
            views: ledger.kind("contents views"),
            staged: ledger.kind("staged values"),
        };
        Self(Arc::new(Shared { directory: Mutex::default(), kinds }))
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.0.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holder(&self, info: MailboxInfo) -> StoreResult<(Guid, Holder)> {
        let state = State::new(info.repl_guid, info.kind, self.0.kinds.staged.clone())?;
        Ok((info.mailbox_guid, Holder { info: Arc::new(info), state: Arc::new(Mutex::new(state)) }))
    }
}

impl Directory {
    fn find(&self, matches: impl Fn(&Account) -> bool) -> Option<Account> {
        self.accounts.values().map(|known| &known.account).find(|account| matches(account)).cloned()
    }

    /// The name of the account, as it was given.
    fn name(&self, key: &str) -> StoreResult<String> {
        let known = self.accounts.get(key).ok_or(StoreError::NotFound("account"))?;
        Ok(known.account.name.clone())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn account(&self, name: &str) -> StoreResult<Option<Account>> {
        Ok(self.directory().accounts.get(&account::key(name)).map(|known| known.account.clone()))
    }

    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>> {
        let key = account::key(legacy_dn);
        Ok(self.directory().find(|account| account::key(&account.legacy_dn) == key))
    }

    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>> {
        let key = account::key(smtp_address);
        Ok(self.directory().find(|account| !key.is_empty() && account::key(&account.smtp_address) == key))
    }

    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>> {
        let after = crate::cursor::text(after)?;
        let directory = self.directory();
        let mut rest =
            directory.accounts.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let page: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let last = page.last().map(|(key, _)| Cursor(key.as_bytes().to_vec()));
        let next = last.filter(|_| rest.next().is_some());
        Ok(Page { items: page.into_iter().map(|(_, known)| known.account.clone()).collect(), next })
    }

    async fn create_account(&self, new: NewAccount) -> StoreResult<Account> {
        account::validate(&new)?;
        let mut directory = self.directory();
        let key = account::key(&new.name);
        let address = account::key(&new.smtp_address);
        if directory.accounts.contains_key(&key) {
            return Err(StoreError::Exists(format!("an account named {}", new.name)));
        }
        if !address.is_empty()
            && directory.find(|account| account::key(&account.smtp_address) == address).is_some()
        {
            return Err(StoreError::Exists(format!("an account with the address {}", new.smtp_address)));
        }
        let account = Account {
            legacy_dn: legacy_dn(&new.name),
            mailbox_guid: account::random_guid()?,
            archive: None,
            name: new.name,
            display_name: new.display_name,
            smtp_address: new.smtp_address,
            password_hash: new.password_hash,
        };
        directory.mailboxes.extend([self.holder(account::private(&account)?)?]);
        directory
            .accounts
            .insert(key, Known { account: account.clone(), nt_hash: None, tokens: BTreeMap::new() });
        Ok(account)
    }

    fn secrets(&self) -> &dyn Secrets {
        self
    }

    async fn create_archive(&self, name: &str) -> StoreResult<Account> {
        let mut directory = self.directory();
        let key = account::key(name);
        let known = directory.accounts.get_mut(&key).ok_or(StoreError::NotFound("account"))?;
        if known.account.archive.is_some() {
            return Err(account::archive_taken(&known.account));
        }
        let (guid, holder) = self.holder(account::archive(&known.account)?)?;
        known.account.archive = Some(guid);
        let account = known.account.clone();
        directory.mailboxes.insert(guid, holder);
        Ok(account)
    }

    async fn public_store(&self) -> StoreResult<Option<Guid>> {
        Ok(self.directory().public)
    }

    async fn create_public_store(&self) -> StoreResult<Guid> {
        let mut directory = self.directory();
        if directory.public.is_some() {
            return Err(account::public_taken());
        }
        let (guid, holder) = self.holder(account::public()?)?;
        directory.mailboxes.insert(guid, holder);
        directory.public = Some(guid);
        Ok(guid)
    }

    async fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>> {
        let key = (owner.map(account::key), account::key(to));
        Ok(self.directory().access.get(&key).copied())
    }

    async fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>> {
        let directory = self.directory();
        let owner = owner.map(account::key);
        let of_owner = directory.access.iter().filter(|((of, _), _)| *of == owner);
        of_owner
            .map(|((of, to), access)| {
                let owner = of.as_deref().map(|key| directory.name(key)).transpose()?;
                Ok(Grant { owner, to: directory.name(to)?, access: *access })
            })
            .collect()
    }

    async fn grant(&self, grant: Grant) -> StoreResult<()> {
        let mut directory = self.directory();
        let (owner, to) = (grant.owner.as_deref().map(account::key), account::key(&grant.to));
        account::not_oneself(owner.as_deref(), &to)?;
        directory.name(&to)?;
        match &owner {
            Some(owner) => drop(directory.name(owner)?),
            None => drop(directory.public.ok_or(StoreError::NotFound("mailbox of public folders"))?),
        }
        directory.access.insert((owner, to), grant.access);
        Ok(())
    }

    async fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()> {
        let key = (owner.map(account::key), account::key(to));
        self.directory().access.remove(&key).map(drop).ok_or(StoreError::NotFound("right"))
    }

    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>> {
        let directory = self.directory();
        let holder = directory.mailboxes.get(&mailbox_guid).ok_or(StoreError::NotFound("mailbox"))?;
        Ok(Arc::new(MemoryMailbox::new(
            Arc::clone(&holder.info),
            Arc::clone(&holder.state),
            self.0.kinds.clone(),
        )))
    }
}
