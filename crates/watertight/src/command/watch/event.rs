//! What happens, as an object: for `--json`, and for hooks on their standard input.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use watertight_sync::{Action, LeftOut, Progress, Tally};

use super::world::LOG;

/// Messages and folders that an event lists; the counts are of all.
const LISTED: usize = 100;

/// One event, version 1.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Event {
    /// Of this object: 1. Fields may be added; none is removed or changes its meaning.
    pub version: u32,
    /// `started`, `synced`, `failed`, `woke` and `stopped` in the log; `new`, `change` and `error` for hooks.
    pub event: &'static str,
    /// The profile, or the login name.
    pub account: String,
    /// The Maildir.
    pub maildir: PathBuf,
    /// When, in RFC 3339.
    pub time: String,
    /// Whether all folders were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// Whether the server tells what changes; else it is asked every minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listening: Option<bool>,
    /// What was done to messages.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// What could not be done, of those folders that were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// The folders in which something was done, the first 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// The files of new messages, the first 100. A mail reader may have renamed them since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<New>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// After how many seconds it is tried again; absent when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_in: Option<f64>,
}

/// A new message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct New {
    /// The folder's path.
    pub folder: String,
    /// Its file.
    pub file: PathBuf,
}

impl Event {
    /// One that happens now.
    pub fn new(event: &'static str, account: &str, maildir: &Path) -> Self {
        Self {
            version: 1,
            event,
            account: account.to_owned(),
            maildir: maildir.to_owned(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            ..Self::default()
        }
    }

    /// The same for a hook.
    pub fn called(&self, event: &'static str) -> Self {
        Self { event, ..self.clone() }
    }

    /// Takes in a later one of the same kind, that a hook has not been told of.
    pub fn join(&mut self, later: Self) {
        let (mut folders, mut messages) =
            (std::mem::take(&mut self.folders), std::mem::take(&mut self.messages));
        let tally = match (self.tally, later.tally) {
            (Some(mut sum), Some(more)) => {
                sum.add(more);
                Some(sum)
            }
            (one, other) => one.or(other),
        };
        let more = later.folders.iter().filter(|name| !folders.contains(name)).cloned().collect::<Vec<_>>();
        folders.extend(more);
        folders.truncate(LISTED);
        messages.extend(later.messages.iter().cloned());
        messages.truncate(LISTED);
        *self = Self { folders, messages, tally, ..later };
    }

    /// The variables of a hook's environment.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![
            ("WATERTIGHT_EVENT", self.event.to_owned()),
            ("WATERTIGHT_ACCOUNT", self.account.clone()),
            ("WATERTIGHT_MAILDIR", self.maildir.display().to_string()),
        ];
        if let Some(tally) = &self.tally {
            out.extend([
                ("WATERTIGHT_ADDED", tally.added.to_string()),
                ("WATERTIGHT_CHANGED", tally.changed.to_string()),
                ("WATERTIGHT_REMOVED", tally.removed.to_string()),
                ("WATERTIGHT_MOVED", tally.moved.to_string()),
                ("WATERTIGHT_FLAGS", tally.flags.to_string()),
                ("WATERTIGHT_FOLDERS", self.folders.join("\n")),
            ]);
        }
        if let Some(error) = &self.error {
            out.push(("WATERTIGHT_ERROR", error.clone()));
            out.push(("WATERTIGHT_FAILURES", self.failures.unwrap_or(1).to_string()));
            out.push(("WATERTIGHT_AGAIN_IN", self.again_in.map_or_else(String::new, |s| format!("{s:.0}"))));
        }
        // A variable cannot hold it.
        out.iter_mut().for_each(|(_, value)| value.retain(|c| c != '\0'));
        out
    }
}

/// What a run does, collected for its event.
pub struct Seen {
    account: String,
    now: Mutex<Touched>,
    /// Grows whenever something moves.
    moved: AtomicU64,
}

/// What one run touched.
#[derive(Default)]
pub struct Touched {
    folders: BTreeMap<String, ()>,
    /// Folders that were made, renamed or removed.
    pub tree: u64,
    messages: Vec<New>,
}

impl Touched {
    /// Puts it into the event.
    pub fn tell(self, event: &mut Event) {
        event.folders = self.folders.into_keys().collect();
        event.messages = self.messages;
    }
}

impl Seen {
    pub fn new(account: &str) -> Self {
        Self { account: account.to_owned(), now: Mutex::default(), moved: AtomicU64::new(0) }
    }

    /// What was touched since the last time.
    pub fn take(&self) -> Touched {
        std::mem::take(&mut *self.lock())
    }

    /// A number that grows while something moves.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, folder: &str, tree: bool) {
        self.moved.fetch_add(1, Ordering::Relaxed);
        let mut now = self.lock();
        now.tree = now.tree.saturating_add(u64::from(tree));
        if now.folders.len() < LISTED {
            now.folders.insert(folder.to_owned(), ());
        }
    }
}

impl Progress for Seen {
    fn folder_begins(&self, _folder: &str) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    fn message(&self, _folder: &str, _bytes: u64) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    fn added(&self, folder: &str, file: &Path) {
        let mut now = self.lock();
        if now.messages.len() < LISTED {
            now.messages.push(New { folder: folder.to_owned(), file: file.to_owned() });
        }
    }

    fn action(&self, action: &Action) {
        match action {
            Action::AddFolder { folder }
            | Action::RenameFolder { folder, .. }
            | Action::RemoveFolder { folder } => self.touch(folder, true),
            Action::Add { folder, .. }
            | Action::Change { folder, .. }
            | Action::SetFlags { folder, .. }
            | Action::Remove { folder, .. } => self.touch(folder, false),
            Action::Move { from, folder, .. } => {
                self.touch(from, false);
                self.touch(folder, false);
            }
            _ => {}
        }
    }

    fn left_out(&self, what: &LeftOut) {
        let message = what.message.as_deref().unwrap_or("the folder");
        tracing::debug!(target: LOG, account = %self.account, "left out: {}: {message}: {}", what.folder, what.reason);
    }

    fn warning(&self, text: &str) {
        tracing::warn!(target: LOG, account = %self.account, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(added: u64, folder: &str) -> Event {
        let mut event = Event::new("synced", "anna", Path::new("/m"));
        event.tally = Some(Tally { added, ..Tally::default() });
        event.folders = vec![folder.to_owned()];
        event.messages = vec![New { folder: folder.to_owned(), file: "/m/new/x".into() }];
        event
    }

    #[test]
    fn the_object_is_a_contract() {
        let mut event = event(2, "INBOX").called("new");
        event.time = "2026-11-20T16:00:00Z".into();
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            serde_json::json!({
                "version": 1, "event": "new", "account": "anna", "maildir": "/m",
                "time": "2026-11-20T16:00:00Z", "added": 2, "changed": 0, "removed": 0, "moved": 0, "flags": 0,
                "conflicts": 0, "kept": 0, "adopted": 0, "folders": ["INBOX"], "messages": [{"folder": "INBOX", "file": "/m/new/x"}],
            })
        );
        let mut failed = Event::new("error", "anna", Path::new("/m"));
        failed.error = Some("no\0 way".into());
        failed.failures = Some(1);
        failed.again_in = Some(1.0);
        let variables: BTreeMap<_, _> = failed.variables().into_iter().collect();
        assert_eq!(variables["WATERTIGHT_ERROR"], "no way");
        assert_eq!(variables["WATERTIGHT_AGAIN_IN"], "1");
    }

    #[test]
    fn what_a_hook_has_missed_is_told_together() {
        let mut first = event(2, "INBOX");
        (0..200).for_each(|n| first.join(event(1, &format!("folder {n}"))));
        assert_eq!(first.tally.map(|t| t.added), Some(202));
        assert_eq!((first.folders.len(), first.messages.len()), (LISTED, LISTED));
        let bytes = serde_json::to_vec(&first).unwrap().len();
        assert!(bytes < 64 << 10, "it fits a pipe: {bytes}");
    }
}
