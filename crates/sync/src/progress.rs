use std::path::Path;

use crate::{Action, LeftOut};

/// Told what happens while a run goes on. Called from several threads.
pub trait Progress: Send + Sync {
    /// A folder's synchronization begins.
    fn folder_begins(&self, folder: &str) {
        let _ = folder;
    }

    /// The folder's stream says what it will bring — [MS-OXCFXICS] 2.2.4.3.16 progressTotal.
    fn folder_total(&self, folder: &str, messages: u64, bytes: u64) {
        let _ = (folder, messages, bytes);
    }

    /// One more message of the folder was received; `bytes` as the stream states its size.
    fn message(&self, folder: &str, bytes: u64) {
        let _ = (folder, bytes);
    }

    /// A folder's synchronization ended.
    fn folder_ends(&self, folder: &str) {
        let _ = folder;
    }

    /// Something was done, or in a dry run would be.
    fn action(&self, action: &Action) {
        let _ = action;
    }

    /// A new message is in the tree, in this file.
    fn added(&self, folder: &str, file: &Path) {
        let _ = (folder, file);
    }

    /// Something was left out.
    fn left_out(&self, what: &LeftOut) {
        let _ = what;
    }

    /// Something that the person should know, in one line.
    fn warning(&self, text: &str) {
        let _ = text;
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
