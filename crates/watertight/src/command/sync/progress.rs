//! How a run looks while it goes on.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use watertight_sync::{Action, LeftOut, Progress};

use crate::out::say;

/// A bar for each folder that is being synchronized; warnings and what was left out as lines.
pub struct Bars {
    bars: MultiProgress,
    /// The bars of folders at work, by path.
    folders: Mutex<HashMap<String, ProgressBar>>,
    shown: bool,
    /// List what is done, as a dry run does.
    list: bool,
    /// Nothing but warnings.
    quiet: bool,
    /// What stands before each line: whose it is, where there are several.
    label: String,
    /// Folders that were made, renamed, removed.
    moved: Mutex<[u64; 3]>,
}

impl Bars {
    /// Bars on a terminal; lines elsewhere.
    pub fn new(quiet: bool, list: bool) -> Self {
        Self::among(&MultiProgress::new(), String::new(), quiet, list)
    }

    /// Those of one among several runs, whose lines begin with a label.
    pub fn among(bars: &MultiProgress, label: String, quiet: bool, list: bool) -> Self {
        Self {
            bars: bars.clone(),
            label,
            folders: Mutex::default(),
            shown: !quiet && !list && std::io::stderr().is_terminal(),
            list,
            quiet,
            moved: Mutex::default(),
        }
    }

    /// What happened to folders, in words; nothing when nothing did.
    pub fn folders(&self) -> Vec<String> {
        let counts = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let words = counts.iter().zip(["new", "renamed", "removed"]);
        words
            .filter(|(n, _)| **n > 0)
            .map(|(n, what)| format!("{n} {what} {}", if *n == 1 { "folder" } else { "folders" }))
            .collect()
    }

    fn with(&self, folder: &str, f: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(folder) {
            f(bar);
        }
    }

    /// A line on standard error, above the bars.
    pub fn line(&self, text: String) {
        let text = format!("{}{text}", self.label);
        if !self.shown || self.bars.println(&text).is_err() {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

impl Progress for Bars {
    fn folder_begins(&self, folder: &str) {
        if !self.shown {
            return;
        }
        let bar = self.bars.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template("{msg:30!} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(format!("{}{folder}", self.label));
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), bar);
    }

    fn folder_total(&self, folder: &str, messages: u64, _bytes: u64) {
        self.with(folder, |bar| bar.set_length(messages));
    }

    fn message(&self, folder: &str, _bytes: u64) {
        self.with(folder, |bar| bar.inc(1));
    }

    fn folder_ends(&self, folder: &str) {
        let bar = self.folders.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn action(&self, action: &Action) {
        let kind = match action {
            Action::AddFolder { .. } => Some(0),
            Action::RenameFolder { .. } => Some(1),
            Action::RemoveFolder { .. } => Some(2),
            _ => None,
        };
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = kind.and_then(|kind: usize| moved.get_mut(kind)) {
            *n = n.saturating_add(1);
        }
        drop(moved);
        if self.list {
            say!("{}{action}", self.label);
        }
    }

    fn left_out(&self, what: &LeftOut) {
        if !self.quiet {
            let message = what.message.as_deref().unwrap_or("the folder");
            self.line(format!("left out: {}: {message}: {}", what.folder, what.reason));
        }
    }

    fn warning(&self, text: &str) {
        self.line(format!("warning: {text}"));
    }
}

/// A time as people say it.
pub fn time(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        format!("{} ms", elapsed.as_millis().max(1))
    } else {
        format!("{:.1} s", elapsed.as_secs_f64())
    }
}
