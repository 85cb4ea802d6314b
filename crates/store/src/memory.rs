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
    Account, Cursor, Mailbox, MailboxInfo, NewAccount, NtHash, Page, Secrets, Store, StoreError, StoreResult,
    Token, legacy_dn,
};
use watertight_wire::Guid;

use self::{mailbox::MemoryMailbox, state::State};
use crate::account;

/// A store that keeps everything in memory and forgets it when it is dropped.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    /// By the name's key. Held only to look up or add an account.
    accounts: Mutex<BTreeMap<String, Holder>>,
    kinds: Kinds,
}

struct Holder {
    account: Account,
    info: Arc<MailboxInfo>,
    state: Arc<Mutex<State>>,
    nt_hash: Option<NtHash>,
    /// By the hash.
    tokens: BTreeMap<[u8; 32], Token>,
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
        Self(Arc::new(Shared { accounts: Mutex::default(), kinds }))
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Holder>> {
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
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
        Ok(self.accounts().get(&account::key(name)).map(|h| h.account.clone()))
    }

    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>> {
        let key = account::key(legacy_dn);
        let accounts = self.accounts();
        Ok(accounts.values().find(|h| account::key(&h.account.legacy_dn) == key).map(|h| h.account.clone()))
    }

    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>> {
        let key = account::key(smtp_address);
        let accounts = self.accounts();
        let mut accounts = accounts.values().filter(|_| !key.is_empty());
        Ok(accounts.find(|h| account::key(&h.account.smtp_address) == key).map(|h| h.account.clone()))
    }

    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>> {
        let after = crate::cursor::text(after)?;
        let accounts = self.accounts();
        let mut rest = accounts.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let page: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let last = page.last().map(|(key, _)| Cursor(key.as_bytes().to_vec()));
        let next = last.filter(|_| rest.next().is_some());
        Ok(Page { items: page.into_iter().map(|(_, h)| h.account.clone()).collect(), next })
    }

    async fn create_account(&self, new: NewAccount) -> StoreResult<Account> {
        account::validate(&new)?;
        let mut accounts = self.accounts();
        let key = account::key(&new.name);
        let address = account::key(&new.smtp_address);
        if accounts.contains_key(&key) {
            return Err(StoreError::Exists(format!("an account named {}", new.name)));
        }
        if !address.is_empty() && accounts.values().any(|h| account::key(&h.account.smtp_address) == address)
        {
            return Err(StoreError::Exists(format!("an account with the address {}", new.smtp_address)));
        }
        let account = Account {
            legacy_dn: legacy_dn(&new.name),
            mailbox_guid: crate::account::random_guid()?,
            name: new.name,
            display_name: new.display_name,
            smtp_address: new.smtp_address,
            password_hash: new.password_hash,
        };
        let info = Arc::new(MailboxInfo {
            mailbox_guid: account.mailbox_guid,
            repl_guid: crate::account::random_guid()?,
            display_name: account.display_name.clone(),
            legacy_dn: account.legacy_dn.clone(),
            smtp_address: account.smtp_address.clone(),
        });
        let state = Arc::new(Mutex::new(State::new(info.repl_guid, self.0.kinds.staged.clone())?));
        accounts.insert(
            key,
            Holder { account: account.clone(), info, state, nt_hash: None, tokens: BTreeMap::new() },
        );
        Ok(account)
    }

    fn secrets(&self) -> &dyn Secrets {
        self
    }

    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>> {
        let accounts = self.accounts();
        let holder = accounts
            .values()
            .find(|h| h.account.mailbox_guid == mailbox_guid)
            .ok_or(StoreError::NotFound("mailbox"))?;
        Ok(Arc::new(MemoryMailbox::new(
            Arc::clone(&holder.info),
            Arc::clone(&holder.state),
            self.0.kinds.clone(),
        )))
    }
}
