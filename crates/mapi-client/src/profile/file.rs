//! The file with the profiles.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use super::{Profile, ProfileSet, Secret};
use crate::mapi::error::MapiError;

/// No file with profiles or a password is longer.
const LONGEST: u64 = 1 << 20;
/// What others must not have: reading, writing, executing, for group and others.
const OTHERS: u32 = 0o077;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    default: Option<Spanned<String>>,
    #[serde(default)]
    profile: BTreeMap<String, Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    server: Option<String>,
    user: Option<String>,
    user_dn: Option<String>,
    tls_ca: Option<String>,
    password_file: Option<String>,
    password_command: Option<String>,
}

/// Which version of a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([i64; 6], u64, u64);

impl Stamp {
    /// `None` when there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let m = fs::metadata(path).ok()?;
        let times =
            [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec(), i64::from(m.mode()), i64::from(m.uid())];
        Some(Self(times, m.ino(), m.len()))
    }
}

/// Where the file is by rights.
pub(super) fn usual_path() -> Result<PathBuf, MapiError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    directory.map(|directory| directory.join("watertight").join("config.toml")).ok_or_else(|| {
        MapiError::new(
            MapiCode::UnconfiguredLogon,
            "there is no place for profiles: neither XDG_CONFIG_HOME nor HOME is set",
            "set HOME",
        )
    })
}

/// The text of a file that only its owner may read and write; `None` when it is not there.
pub(super) fn private_text(path: &Path, what: &str) -> Result<Option<Zeroizing<String>>, MapiError> {
    let failed = |error: &io::Error| {
        let text = format!("{what} in {} cannot be read ({error})", path.display());
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => MapiCode::AccessDenied,
            io::ErrorKind::InvalidData => MapiCode::CorruptData,
            _ => MapiCode::DiskError,
        };
        MapiError::new(code, text, "check the file")
    };
    let wrong = |code, why: &str, next: String| {
        MapiError::new(code, format!("{what} in {}: {why}", path.display()), next)
    };
    // Opening a pipe would wait for somebody to write.
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
        Ok(metadata) if !metadata.is_file() => {
            return Err(wrong(MapiCode::InvalidParameter, "it is no regular file", "name a file".to_owned()));
        }
        Ok(_) => {}
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let metadata: Metadata = file.metadata().map_err(|error| failed(&error))?;
    if metadata.mode() & OTHERS != 0 {
        let why =
            format!("others than its owner can read or write it (mode {:03o})", metadata.mode() & 0o777);
        return Err(wrong(MapiCode::AccessDenied, &why, format!("chmod 600 {}", path.display())));
    }
    if metadata.len() > LONGEST {
        return Err(wrong(MapiCode::TooBig, "it is longer than 1 MiB", "check which file it is".to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(Some(text))
}

/// Reads the text; errors name the line, and never what stands there: it may be a secret in the wrong place.
pub(super) fn parse(text: &str, path: &Path) -> Result<ProfileSet, MapiError> {
    let corrupt = |span: Option<Range<usize>>, why: &str| {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let text = format!("{}, line {line}: {}", path.display(), why.trim_end());
        MapiError::new(MapiCode::CorruptData, text, "correct the file")
    };
    let document: Document = toml::from_str(text).map_err(|error| corrupt(error.span(), error.message()))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut profiles = BTreeMap::new();
    for (name, table) in document.profile {
        let span = table.span();
        let table = table.into_inner();
        if name.is_empty() || name.chars().count() > super::LONGEST_NAME {
            return Err(corrupt(Some(span), "a profile's name has 1 to 64 characters"));
        }
        let secret = match (table.password_file, table.password_command) {
            (Some(_), Some(_)) => {
                let why = format!("profile {name:?} has both password_file and password_command: keep one");
                return Err(corrupt(Some(span), &why));
            }
            (Some(file), None) => Some(Secret::File(absolute(&file, directory))),
            (None, command) => command.map(Secret::Command),
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let profile = Profile {
            server: given(table.server),
            user: given(table.user),
            user_dn: given(table.user_dn),
            tls_ca: given(table.tls_ca).map(|file| absolute(&file, directory)),
            secret,
        };
        profiles.insert(name, profile);
    }
    if let Some(default) = &document.default
        && !profiles.contains_key(default.get_ref())
    {
        let why = format!("the default is {:?}, and there is no profile of that name", default.get_ref());
        return Err(corrupt(Some(default.span()), &why));
    }
    Ok(ProfileSet { default: document.default.map(Spanned::into_inner), profiles })
}

/// `~/` is the home directory; what is relative is so to the file that names it.
fn absolute(name: &str, directory: &Path) -> PathBuf {
    match (name.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => directory.join(name),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn parsed(text: &str) -> Result<ProfileSet, MapiError> {
        parse(text, Path::new("/etc/w/config.toml"))
    }

    #[test]
    fn a_file_says_what_its_profiles_are() {
        let set = parsed(
            "default = \"work\"\n\n[profile.work]\nserver = \"https://h/\"\nuser = \"anna\"\n\
             password_file = \"secret\"\ntls_ca = \"/ca.pem\"\n[profile.\"at home\"]\npassword_command = \"pass x\"\n",
        )
        .unwrap();
        assert_eq!(set.default.as_deref(), Some("work"));
        let work = set.get("work").unwrap();
        assert_eq!(work.server.as_deref(), Some("https://h/"));
        assert_eq!(work.secret, Some(Secret::File("/etc/w/secret".into())));
        assert_eq!(work.tls_ca.as_deref(), Some(Path::new("/ca.pem")));
        let home = set.get("at home").unwrap();
        assert_eq!((&home.user, &home.secret), (&None, &Some(Secret::Command("pass x".to_owned()))));
        assert!(!format!("{set:?}").contains("pass x"), "a command may hold the secret itself");
        let error = set.get("play").unwrap_err();
        assert_eq!(error.code(), MapiCode::NotFound);
        assert!(error.to_string().contains("there is at home, work"), "{error}");
        assert_eq!(set.get(&"x".repeat(65)).unwrap_err().code(), MapiCode::StringTooLong);
        assert_eq!(parsed("").unwrap(), ProfileSet::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_its_value() {
        let cases = [
            ("[profile.a]\nserver = \"x\"\npassword = \"hunter2\"\n", 3, "password"),
            ("defualt = \"hunter2\"\n", 1, "defualt"),
            ("\n\n[profile.a]\nserver = 5\n", 4, "string"),
            ("[profile.a]\nserver = \"hunter2\n", 2, ""),
            ("[profile.a]\n[profile.a]\n", 2, "duplicate"),
            ("\ndefault = \"b\"\n[profile.a]\n", 2, "no profile of that name"),
            ("\n[profile.a]\npassword_file = \"f\"\npassword_command = \"c\"\n", 2, "both"),
            ("\n[profile.\"\"]\n", 2, "characters"),
            ("\n\u{0}", 2, ""),
        ];
        for (text, line, what) in cases {
            let error = parsed(text).unwrap_err();
            let shown = error.to_string();
            assert_eq!(error.code(), MapiCode::CorruptData, "{shown}");
            assert!(shown.contains(&format!("/etc/w/config.toml, line {line}: ")), "{text:?}: {shown}");
            assert!(shown.contains(what) && !shown.contains("hunter2"), "{text:?}: {shown}");
        }
    }

    #[test]
    fn damaged_files_do_no_harm() {
        let text = b"default = \"a\"\n[profile.a]\nserver = \"https://h/\"\nuser = \"\xC3\xA4\"\npassword_file = \"f\"\n";
        watertight_testkit::mutate::survive(text, |bytes| {
            if let Err(error) = parsed(&String::from_utf8_lossy(bytes)) {
                assert!(error.text().contains(", line "), "{error}");
            }
        });
    }

    #[test]
    fn what_others_can_read_or_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert!(private_text(&path, "x").unwrap().is_none());
        fs::write(&path, "").unwrap();
        for mode in [0o644, 0o620, 0o602, 0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = private_text(&path, "x").unwrap_err();
            assert_eq!(error.code(), MapiCode::AccessDenied);
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(private_text(&path, "x").unwrap().unwrap().as_str(), "");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(private_text(&path, "x").unwrap_err().code(), MapiCode::CorruptData);
        assert_eq!(private_text(dir.path(), "x").unwrap_err().code(), MapiCode::InvalidParameter);
    }
}
