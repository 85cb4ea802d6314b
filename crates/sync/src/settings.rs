//! How a Maildir is kept, remembered in the Maildir itself.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{SyncError, SyncResult, disk::Disk, synchronizer::glob};

/// The file of the root that says how the Maildir is kept. It is beside the mail and not in the state, so that a lost
/// state does not turn a Maildir that keeps deleted mail into one that deletes it.
pub const SETTINGS: &str = "watertight-settings";

/// What happens here to messages that the server deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are deleted here too.
    #[default]
    Mirror,
    /// They stay in their folder, under a name that says so and that no later run takes for one of the mirror.
    KeepDeleted,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mirror" => Ok(Self::Mirror),
            "keep-deleted" => Ok(Self::KeepDeleted),
            _ => Err(format!("{text:?} is neither mirror nor keep-deleted")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mirror => "mirror",
            Self::KeepDeleted => "keep-deleted",
        })
    }
}

/// From when on messages are synchronized, by their delivery time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Since {
    /// All of them.
    #[default]
    All,
    /// Those that were delivered on this day (UTC), in days since 1970-01-01, or later.
    Day(i64),
}

impl Since {
    /// Whether a message that was delivered then belongs here.
    #[must_use]
    pub fn includes(self, seconds: i64) -> bool {
        match self {
            Self::All => true,
            Self::Day(day) => seconds >= day.saturating_mul(DAY),
        }
    }

    /// As the state keeps it: nothing for all.
    pub(crate) fn seconds(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Day(day) => Some(day.saturating_mul(DAY)),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    /// `YYYY-MM-DD`, or `all`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let wrong = || format!("{text:?} is no date such as 2024-01-31, and not 'all'");
        let mut parts = text.split('-');
        let mut part = |len: usize| {
            let digits = parts.next().filter(|p| p.len() == len && p.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse::<i64>().ok()
        };
        let (year, month, day) =
            (part(4).ok_or_else(wrong)?, part(2).ok_or_else(wrong)?, part(2).ok_or_else(wrong)?);
        if parts.next().is_some() {
            return Err(wrong());
        }
        let days = days_of(year, month, day).ok_or_else(wrong)?;
        (days >= 0).then_some(Self::Day(days)).ok_or_else(wrong)
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Day(days) => {
                let (year, month, day) = date_of(*days);
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
        }
    }
}

impl TryFrom<String> for Since {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Since> for String {
    fn from(since: Since) -> Self {
        since.to_string()
    }
}

const DAY: i64 = 86_400;

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January of a year zero to the first of January of this year.
const fn days_before(year: i64) -> i64 {
    let last = year - 1;
    year * 365 + last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400) + 1
}

/// Days since 1970-01-01; `None` for a day that no calendar has.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    let months: i64 = (1..month).map(|m| length(year, m)).sum();
    Some(days_before(year) - days_before(1970) + months + day - 1)
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_before(year + 1) - days_before(1970) <= days {
        year += 1;
    }
    let mut rest = days - (days_before(year) - days_before(1970));
    let mut month = 1;
    while rest >= length(year, month) {
        rest -= length(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

/// What a Maildir remembers of how it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) since: Since,
    pub(crate) exclude: Vec<String>,
}

impl Settings {
    /// Those of the Maildir; the usual ones where it has none.
    pub(crate) fn load(root: &Path) -> SyncResult<Self> {
        let path = root.join(SETTINGS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(SyncError::io("read", &path, e)),
        };
        // Not the usual ones instead: they delete.
        serde_json::from_str(&text).map_err(|e| SyncError::Settings { path, reason: e.to_string() })
    }

    pub(crate) fn save(&self, disk: &Disk, root: &Path) -> SyncResult<()> {
        let path = root.join(SETTINGS);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| SyncError::Settings { path: path.clone(), reason: e.to_string() })?;
        disk.put(&path, format!("{text}\n").as_bytes())
    }

    /// Whether a folder is left alone: it, or one that it is in, matches.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.filter_map(|end| path.get(..end))
            .any(|path| self.exclude.iter().any(|pattern| glob::folder(pattern, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        assert_eq!("1970-01-01".parse(), Ok(Since::Day(0)));
        assert_eq!("2000-03-01".parse(), Ok(Since::Day(11_017)));
        assert_eq!("2026-11-20".parse(), Ok(Since::Day(20_777)));
        assert_eq!("all".parse(), Ok(Since::All));
        for days in (0..60_000).step_by(17) {
            let since = Since::Day(days);
            assert_eq!(since.to_string().parse(), Ok(since), "{since}");
        }
        for wrong in [
            "",
            "2024",
            "2024-13-01",
            "2024-02-30",
            "2023-02-29",
            "24-01-01",
            "1969-12-31",
            "2024-01-01-",
            "+024-01-01",
        ] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
        assert!(Since::Day(1).includes(DAY) && !Since::Day(1).includes(DAY - 1) && Since::All.includes(-1));
    }

    #[test]
    fn a_folder_in_an_excluded_one_is_excluded() {
        let settings = Settings { exclude: vec!["Spam".into(), "*/old".into()], ..Settings::default() };
        for (path, yes) in
            [("Spam", true), ("Spam/2024", true), ("Spammers", false), ("A/old/b", true), ("INBOX", false)]
        {
            assert_eq!(settings.excludes(path), yes, "{path}");
        }
    }

    #[test]
    fn settings_come_back_and_nothing_else_is_taken_for_them() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Settings::load(dir.path()).unwrap(), Settings::default());
        let settings = Settings {
            mode: Mode::KeepDeleted,
            since: "2024-02-29".parse().unwrap(),
            exclude: vec!["A\"b".into()],
        };
        settings.save(&Disk::default(), dir.path()).unwrap();
        assert_eq!(Settings::load(dir.path()).unwrap(), settings);
        fs::write(dir.path().join(SETTINGS), "{\"mode\":\"miror\"}").unwrap();
        assert!(matches!(Settings::load(dir.path()), Err(SyncError::Settings { .. })));
    }
}
