/// What somebody may do in a mailbox that is not theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Read it.
    Read,
    /// Read and change it.
    Write,
}

/// What a mailbox is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MailboxKind {
    /// An account's mailbox.
    #[default]
    Private,
    /// An account's archive.
    Archive,
    /// The public folders.
    Public,
}

/// Somebody's right in a mailbox that is not theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The login name of the account whose mailboxes it speaks of (the archive too); `None` for the public folders,
    /// which every account reads.
    pub owner: Option<String>,
    /// The login name of the account that has the right.
    pub to: String,
    /// What it may do.
    pub access: Access,
}
