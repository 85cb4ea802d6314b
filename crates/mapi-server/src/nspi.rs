//! The address book: what the operations of [MS-OXNSPI] answer, over the accounts of the store.
//!
//! There is one container, the global address list, sorted by display name, and all see all of it. Every request
//! states where it is in its table (STAT), so a session context ([`Book`]) holds nothing.

mod directory;
mod entry;
mod names;
mod operation;
mod rows;
mod table;

use std::sync::Arc;

use watertight_mapi::store::Account;
use watertight_wire::Guid;

use crate::rop;
use crate::session::Held;

pub(crate) use directory::{Directory, Entries};
pub(crate) use operation::{BookUrl, MailboxUrl, Operation};

/// The session context of a client of the address book.
pub struct Book;

impl Held for Book {
    fn notices(&self) -> Option<Arc<rop::Notices>> {
        None
    }
}

/// What an operation has to work with.
pub(crate) struct Desk {
    /// The address book.
    pub(crate) entries: Arc<Entries>,
    /// Who asks.
    pub(crate) account: Account,
    /// `https://host:port` as the client knows this server.
    pub(crate) base: String,
    /// ServerGuid of Bind.
    pub(crate) server: Guid,
}
