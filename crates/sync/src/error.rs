use std::io;
use std::path::{Path, PathBuf};

/// Why the replica could not be kept in step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// Another run holds the Maildir.
    #[error("{0} is being synchronized by another run; wait until it has ended")]
    Locked(PathBuf),
    /// The directory is somebody else's.
    #[error(
        "{0} is not empty and was not made by this program; give a new or an empty directory, existing mail is never touched (a Maildir of mbsync or offlineimap is taken over with --adopt; look first with --adopt --dry-run)"
    )]
    NotOurs(PathBuf),
    /// The file that says how the Maildir is kept cannot be understood.
    #[error(
        "{path} cannot be understood ({reason}); correct it, or remove it to keep the Maildir as a mirror"
    )]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The Maildir is that of another mailbox.
    #[error(
        "{0} holds another mailbox, or other public folders; give each a Maildir of its own, this one is left as it is"
    )]
    OtherMailbox(PathBuf),
    /// The state was written by a newer program.
    #[error("{path} was written by a newer version of this program ({found}); this one knows {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// No folder is called so.
    #[error("no folder matches {glob:?}; give --folder one of them, or a pattern such as 'A*': {known}")]
    NoFolder {
        /// What was asked for.
        glob: String,
        /// The folders that there are.
        known: String,
    },
    /// No space is left.
    #[error("no space is left for {0}: make room and run again, it goes on where it stopped")]
    Full(PathBuf),
    /// A file or directory could not be read or written.
    #[error("cannot {what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The state database failed.
    #[error("the state of the Maildir: {what}")]
    State {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
    /// The server, or the way to it.
    #[error(transparent)]
    Server(#[from] watertight_mapi_client::Error),
    /// The server's stream makes no sense here.
    #[error("the server sent {0}")]
    Protocol(String),
    /// The way to the mailbox was not found.
    #[error("{what}")]
    NoWay {
        /// Why.
        what: String,
        /// What it means for the next try.
        failure: crate::watch::Failure,
    },
    /// The worker that writes to disk ended before its time.
    #[error("the synchronization was cancelled")]
    Cancelled,
}

/// The engine's answers.
pub type SyncResult<T> = Result<T, SyncError>;

impl SyncError {
    /// An I/O error with its place; a full disk or quota is told apart.
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { what, path: path.to_owned(), source },
        }
    }

    /// An error of the state database; a full disk is told apart.
    pub(crate) fn state(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(Path::new(crate::STATE_DIR).join("state.db")),
            _ => Self::State { what, source },
        }
    }
}
