//! The accounts, sorted, with numbers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use watertight_mapi::store::{Account, Store, StoreResult};
use watertight_wire::Guid;

use crate::clock::Clock;

/// For how long the accounts that were read count as those that there are.
const FRESH: Duration = Duration::from_secs(1);
/// Accounts that are read at a time.
const PAGE: usize = 500;
/// The most accounts that an address book shows.
const MAX_ENTRIES: usize = 100_000;
/// The first Minimal Entry ID: those below 0x10 have meanings of their own — [MS-OXNSPI] 2.2.9.1.
const FIRST: u32 = 0x11;

/// Reads the accounts when they are asked for, and gives each a number that stays.
pub(crate) struct Directory {
    clock: Arc<dyn Clock>,
    /// ServerGuid of Bind.
    server: Guid,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    read: Option<(Duration, Arc<Entries>)>,
    ids: HashMap<Guid, u32>,
}

/// The address book at one moment.
#[derive(Default)]
pub(crate) struct Entries {
    sorted: Vec<Entry>,
    by_id: HashMap<u32, usize>,
}

/// Somebody in the address book.
pub(crate) struct Entry {
    /// The Minimal Entry ID.
    pub(crate) id: u32,
    /// The login name.
    pub(crate) name: String,
    /// The display name; the login name where there is none.
    pub(crate) display_name: String,
    /// The SMTP address.
    pub(crate) smtp_address: String,
    /// The legacy distinguished name.
    pub(crate) dn: String,
    /// The mailbox.
    pub(crate) mailbox: Guid,
    /// What it is sorted by.
    pub(crate) key: String,
}

impl Directory {
    /// Of a server that starts; `None` when the machine gives no random numbers.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        Ok(Self { clock, server: Guid::from_random(random), state: tokio::sync::Mutex::default() })
    }

    /// ServerGuid of Bind: Ephemeral Entry IDs are good as long as it is the same.
    pub(crate) const fn server(&self) -> Guid {
        self.server
    }

    /// The address book as it is, or was a second ago.
    pub(crate) async fn entries(&self, store: &dyn Store) -> StoreResult<Arc<Entries>> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some((at, entries)) = &state.read
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(Arc::clone(entries));
        }
        let mut sorted = Vec::new();
        let mut after = None;
        loop {
            let page = store.accounts(after.as_ref(), PAGE).await?;
            for account in page.items {
                let next = u32::try_from(state.ids.len()).unwrap_or(u32::MAX).saturating_add(FIRST);
                let id = *state.ids.entry(account.mailbox_guid).or_insert(next);
                sorted.push(Entry::new(id, account));
            }
            after = page.next;
            if after.is_none() || sorted.len() >= MAX_ENTRIES {
                break;
            }
        }
        sorted.sort_by(|a, b| (&a.key, &a.name).cmp(&(&b.key, &b.name)));
        let by_id = sorted.iter().enumerate().map(|(row, entry)| (entry.id, row)).collect();
        let entries = Arc::new(Entries { sorted, by_id });
        state.read = Some((now, Arc::clone(&entries)));
        Ok(entries)
    }
}

impl Entry {
    fn new(id: u32, account: Account) -> Self {
        let clean = |text: String| text.replace('\0', "");
        let name = clean(account.name);
        let display_name = Some(clean(account.display_name)).filter(|text| !text.trim().is_empty());
        let display_name = display_name.unwrap_or_else(|| name.clone());
        Self {
            id,
            key: display_name.to_lowercase(),
            name,
            display_name,
            smtp_address: clean(account.smtp_address),
            dn: account.legacy_dn,
            mailbox: account.mailbox_guid,
        }
    }

    /// The domain of its address.
    pub(crate) fn domain(&self) -> &str {
        self.smtp_address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }
}

impl Entries {
    /// All, sorted.
    pub(crate) fn all(&self) -> &[Entry] {
        &self.sorted
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The row of a Minimal Entry ID.
    pub(crate) fn row(&self, id: u32) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The entry with a Minimal Entry ID.
    pub(crate) fn entry(&self, id: u32) -> Option<&Entry> {
        self.sorted.get(self.row(id)?)
    }

    /// The entry with a distinguished name.
    pub(crate) fn by_dn(&self, dn: &str) -> Option<&Entry> {
        self.sorted.iter().find(|entry| entry.dn.eq_ignore_ascii_case(dn))
    }
}
