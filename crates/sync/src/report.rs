use serde::Serialize;

/// What one run did: the object that `sync --json` prints.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// Of the object: 1.
    pub version: u32,
    /// Folders that were looked at.
    pub folders: u64,
    /// What was done to messages.
    #[serde(flatten)]
    pub tally: Tally,
    /// What could not be done, and why. Exit status 5 when there is any.
    pub left_out: Vec<LeftOut>,
    /// HTTP requests.
    pub requests: u64,
    /// Bytes that came from the server, HTTP headers included.
    pub bytes_received: u64,
    /// Bytes that went to the server, HTTP headers included.
    pub bytes_sent: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What was done to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// New ones.
    pub added: u64,
    /// Ones whose content changed.
    pub changed: u64,
    /// Ones that were removed.
    pub removed: u64,
    /// Ones that the server deleted and that stay here ([`crate::Mode::KeepDeleted`]).
    pub kept: u64,
    /// Ones that were here already, of another program ([`crate::Options::adopt`]).
    pub adopted: u64,
    /// Ones that went to another folder.
    pub moved: u64,
    /// Ones of which only flags changed.
    pub flags: u64,
    /// Ones that were changed here: local changes seen for the first time, and local changes that the server's
    /// version replaced.
    pub conflicts: u64,
}

impl Tally {
    /// Adds what another run did.
    pub fn add(&mut self, other: Self) {
        self.added = self.added.saturating_add(other.added);
        self.changed = self.changed.saturating_add(other.changed);
        self.removed = self.removed.saturating_add(other.removed);
        self.kept = self.kept.saturating_add(other.kept);
        self.adopted = self.adopted.saturating_add(other.adopted);
        self.moved = self.moved.saturating_add(other.moved);
        self.flags = self.flags.saturating_add(other.flags);
        self.conflicts = self.conflicts.saturating_add(other.conflicts);
    }
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The folder's path.
    pub folder: String,
    /// The message: its subject, or its id where it has none; absent when the folder itself was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many messages it stands for.
    pub count: u64,
    /// Why.
    pub reason: String,
}
