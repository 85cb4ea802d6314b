//! Looking for damage, and taking a copy.

mod mailbox;

use std::{fmt, fs, path::Path};

use rusqlite::backup::{Backup, StepResult};
use watertight_ledger::{Kind, Ledger};
use watertight_mapi::store::{StoreError, StoreResult};

use super::{
    DIRECTORY_FILE, MAILBOX_DIR,
    directory::{Directory, Listed},
    error::Doing,
    mailbox_path,
    schema::{Access, DIRECTORY, FileKind, MAILBOX},
    secrets,
};

/// What a check of a data directory found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many mailboxes were looked at.
    pub mailboxes: u64,
    /// How many folders they have, deleted ones too.
    pub folders: u64,
    /// How many messages, deleted ones too.
    pub messages: u64,
    /// How many values of more than 64 KiB.
    pub large_values: u64,
    /// Bytes of all messages that are not deleted.
    pub bytes: u64,
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// What is odd and harmless.
    pub notes: Vec<Damage>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, below the data directory.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

/// How much is told of one file.
const MOST_OF_A_FILE: usize = 50;

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    fn damaged(&mut self, file: &str, what: impl fmt::Display) {
        let so_far = self.damage.iter().filter(|d| d.file == file).count();
        if so_far < MOST_OF_A_FILE {
            self.damage.push(Damage { file: file.to_owned(), what: what.to_string() });
        } else if so_far == MOST_OF_A_FILE {
            self.damage
                .push(Damage { file: file.to_owned(), what: "and more that is not listed".to_owned() });
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} mailboxes, {} folders, {} messages, {} large values, {} bytes",
            self.mailboxes, self.folders, self.messages, self.large_values, self.bytes
        )?;
        for note in &self.notes {
            writeln!(f, "note: {}: {}", note.file, note.what)?;
        }
        for damage in &self.damage {
            writeln!(f, "damage: {}: {}", damage.file, damage.what)?;
        }
        match self.damage.len() {
            0 => write!(f, "no damage was found"),
            n => write!(f, "{n} findings: restore the named files from a backup, or import their mail again"),
        }
    }
}

/// Looks at everything in a data directory, which may be in use: files and their indexes, checksums, counts,
/// counters, every message and every large value.
///
/// # Errors
/// When there is no data directory, or it is of a newer program. Damage is no error: it is in the report.
pub fn check(dir: &Path) -> StoreResult<CheckReport> {
    let mut report = CheckReport::default();
    let kind = Ledger::new("check").kind("connections");
    let listed = match check_directory(dir, &kind, &mut report) {
        Ok(listed) => listed,
        Err(error @ (StoreError::Version(_) | StoreError::NotFound(_))) => return Err(error),
        Err(error) => {
            report.damaged(DIRECTORY_FILE, error);
            Vec::new()
        }
    };
    let mut files = Vec::new();
    match fs::read_dir(dir.join(MAILBOX_DIR)) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.doing("reading the folder of mailboxes")?.path();
                if path.extension().is_some_and(|e| e == "db") {
                    files.push(path);
                }
            }
        }
        Err(error) => report.damaged(MAILBOX_DIR, error),
    }
    files.sort();
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = format!("{MAILBOX_DIR}/{name}");
        let known = listed.iter().find(|a| mailbox_path(dir, a.guid) == *path);
        if known.is_none() && !listed.is_empty() {
            let what = "no account has this mailbox".to_owned();
            report.notes.push(Damage { file: file.clone(), what });
        }
        if let Err(error) = mailbox::check(path, &file, known, &kind, &mut report) {
            report.damaged(&file, error);
        }
    }
    for mailbox in &listed {
        if !files.contains(&mailbox_path(dir, mailbox.guid)) {
            report.damaged(DIRECTORY_FILE, format!("{} is not there", mailbox.what));
        }
    }
    Ok(report)
}

/// Asks SQLite whether a file is whole.
fn integrity(sql: &rusqlite::Connection, file: &str, report: &mut CheckReport) -> StoreResult<()> {
    for question in ["PRAGMA integrity_check(50)", "PRAGMA foreign_key_check"] {
        let mut statement = sql.prepare(question).doing("checking a file")?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).doing("checking a file")?;
        while let Some(row) = rows.next().doing("checking a file")? {
            if columns == 1 {
                let text: String = row.get(0).doing("checking a file")?;
                if text != "ok" {
                    report.damaged(file, text);
                }
            } else {
                let table: String = row.get(0).doing("checking a file")?;
                let id: Option<i64> = row.get(1).doing("checking a file")?;
                let whose = id.map_or_else(String::new, |id| format!(" {id:#x}"));
                report.damaged(file, format!("row{whose} of table {table} belongs to nothing"));
            }
        }
    }
    Ok(())
}

fn check_directory(dir: &Path, kind: &Kind, report: &mut CheckReport) -> StoreResult<Vec<Listed>> {
    let path = dir.join(DIRECTORY_FILE);
    if !path.exists() {
        return Err(StoreError::NotFound("data directory"));
    }
    let conn = DIRECTORY.open(&path, Access::Read, kind)?;
    integrity(&conn.sql, DIRECTORY_FILE, report)?;
    if let Err(error) = secrets::check(&conn) {
        report.damaged(DIRECTORY_FILE, error);
    }
    let directory = Directory::new(conn);
    let listed = directory.mailboxes()?;
    directory.check_access()?.into_iter().for_each(|what| report.damaged(DIRECTORY_FILE, what));
    Ok(listed)
}

/// Copies a data directory, which may be in use, into an empty or missing one; returns how many mailboxes it has.
/// Each file is copied as it is at one moment; every account that is copied has its mailbox.
///
/// # Errors
/// [`StoreError::Exists`] when the destination is not empty; [`StoreError::Full`]; whatever keeps a file from
/// being read.
pub fn backup(dir: &Path, destination: &Path) -> StoreResult<u64> {
    let kind = Ledger::new("backup").kind("connections");
    if !dir.join(DIRECTORY_FILE).exists() {
        return Err(StoreError::NotFound("data directory"));
    }
    if destination.exists() && fs::read_dir(destination).doing("looking at the destination")?.next().is_some()
    {
        return Err(StoreError::Exists(destination.display().to_string()));
    }
    super::prepare_dir(destination)?;
    fs::create_dir_all(destination.join(MAILBOX_DIR)).doing("making the destination")?;
    // The directory last: without it the destination is no data directory.
    let unfinished = destination.join(format!(".{DIRECTORY_FILE}"));
    copy(&DIRECTORY, &dir.join(DIRECTORY_FILE), &unfinished, &kind)?;
    let listed = Directory::new(DIRECTORY.open(&unfinished, Access::Read, &kind)?).mailboxes()?;
    let mut count: u64 = 0;
    for mailbox in listed {
        let to = mailbox_path(destination, mailbox.guid);
        copy(&MAILBOX, &mailbox_path(dir, mailbox.guid), &to, &kind)?;
        count = count.saturating_add(1);
    }
    fs::rename(&unfinished, destination.join(DIRECTORY_FILE)).doing("finishing the copy")?;
    for folder in [destination.join(MAILBOX_DIR), destination.to_owned()] {
        fs::File::open(folder).and_then(|f| f.sync_all()).doing("finishing the copy")?;
    }
    Ok(count)
}

fn copy(kind: &FileKind, from: &Path, to: &Path, connections: &Kind) -> StoreResult<()> {
    let doing = format!("copying {}", from.display());
    let source = kind.open(from, Access::Read, connections)?;
    let mut target = rusqlite::Connection::open(to).doing(&doing)?;
    target.pragma_update(None, "synchronous", "FULL").doing(&doing)?;
    let backup = Backup::new(&source.sql, &mut target).doing(&doing)?;
    // In one step: one snapshot, and whoever writes meanwhile does not make it start anew.
    match backup.step(-1).doing(&doing)? {
        StepResult::Done => {}
        _ => {
            return Err(StoreError::Backend { context: doing, source: "the file stayed locked".into() });
        }
    }
    drop(backup);
    target.close().map_err(|(_, e)| e).doing(&doing)
}
