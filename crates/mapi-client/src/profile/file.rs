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

use super::{Profile, ProfileSet, Secret, ShellCommand};
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
    address: Option<Spanned<String>>,
    server: Option<String>,
    user: Option<String>,
    user_dn: Option<String>,
    tls_ca: Option<String>,
    password_file: Option<String>,
    password_command: Option<String>,
    password_keyring: Option<bool>,
    token_command: Option<String>,
    sign_in: Option<String>,
    maildir: Option<String>,
    mailbox: Option<String>,
    public_folders: Option<Spanned<bool>>,
    archive: Option<Spanned<bool>>,
    folder: Option<String>,
    #[serde(default)]
    exclude: OneOrMore,
    mode: Option<String>,
    since: Option<String>,
    on_new: Option<String>,
    on_change: Option<String>,
    on_error: Option<String>,
}

/// A text, or a list of texts.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

/// What is wrong with a table, and where, if not in all of it.
type Wrong = (Option<Range<usize>>, String);

impl Table {
    /// The profile that it describes; paths are relative to `directory`.
    fn profile(self, name: &str, directory: &Path) -> Result<Profile, Wrong> {
        let secret = self.secret(name, directory)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let path = |text: Option<String>| given(text).map(|file| absolute(&file, directory));
        let command = |text: Option<String>| given(text).map(ShellCommand::new);
        let span = self.address.as_ref().map(Spanned::span);
        let address = given(self.address.map(Spanned::into_inner));
        if address.as_deref().is_some_and(|address| !is_address(address)) {
            return Err((span, format!("the address of profile {name:?} is not of the form NAME@DOMAIN")));
        }
        let both =
            [&self.archive, &self.public_folders].map(|flag| flag.as_ref().filter(|flag| *flag.get_ref()));
        if let [Some(_), Some(second)] = both {
            let why =
                format!("profile {name:?} has both archive and public_folders: make a profile for each");
            return Err((Some(second.span()), why));
        }
        let exclude = match self.exclude {
            OneOrMore::One(glob) => vec![glob],
            OneOrMore::More(globs) => globs,
        };
        Ok(Profile {
            address,
            server: given(self.server),
            user: given(self.user),
            user_dn: given(self.user_dn),
            tls_ca: path(self.tls_ca),
            secret,
            sign_in: given(self.sign_in),
            maildir: path(self.maildir),
            mailbox: given(self.mailbox),
            public_folders: self.public_folders.is_some_and(Spanned::into_inner),
            archive: self.archive.is_some_and(Spanned::into_inner),
            folder: given(self.folder),
            exclude: exclude.into_iter().filter(|glob| !glob.is_empty()).collect(),
            mode: given(self.mode),
            since: given(self.since),
            on_new: command(self.on_new),
            on_change: command(self.on_change),
            on_error: command(self.on_error),
        })
    }

    /// Where the password or the token is: in one place.
    fn secret(&self, name: &str, directory: &Path) -> Result<Option<Secret>, Wrong> {
        let shell = |command: &String| ShellCommand::new(command.clone());
        let mut given = [
            (
                "password_file",
                self.password_file.as_ref().map(|file| Secret::File(absolute(file, directory))),
            ),
            ("password_command", self.password_command.as_ref().map(|text| Secret::Command(shell(text)))),
            ("password_keyring", self.password_keyring.filter(|there| *there).map(|_| Secret::Keyring)),
            ("token_command", self.token_command.as_ref().map(|text| Secret::TokenCommand(shell(text)))),
        ]
        .into_iter()
        .filter_map(|(key, secret)| Some((key, secret?)));
        match (given.next(), given.next()) {
            (Some((first, _)), Some((second, _))) => {
                Err((None, format!("profile {name:?} has both {first} and {second}: keep one")))
            }
            (first, _) => Ok(first.map(|(_, secret)| secret)),
        }
    }
}

/// Whether it looks like NAME@DOMAIN.
pub(super) fn is_address(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
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
        let profile =
            table.profile(&name, directory).map_err(|(at, why)| corrupt(at.or(Some(span)), &why))?;
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
        assert_eq!((&home.user, &home.secret), (&None, &Some(Secret::Command(ShellCommand::new("pass x")))));
        assert!(!format!("{set:?}").contains("pass x"), "a command may hold the secret itself");
        let error = set.get("play").unwrap_err();
        assert_eq!(error.code(), MapiCode::NotFound);
        assert!(error.to_string().contains("there is at home, work"), "{error}");
        assert_eq!(set.get(&"x".repeat(65)).unwrap_err().code(), MapiCode::StringTooLong);
        assert_eq!(parsed("").unwrap(), ProfileSet::default());
    }

    #[test]
    fn a_profile_has_all_that_a_synchronization_needs() {
        let set = parsed(
            "[profile.a]\naddress = \"a@h\"\nserver = \"\"\nsign_in = \"ntlm\"\nmaildir = \"Mail\"\nmailbox = \"b@h\"\n\
             public_folders = false\narchive = true\nfolder = \"I*\"\nexclude = [\"Junk\", \"\", \"Trash/*\"]\n\
             mode = \"mirror\"\nsince = \"2026-01-01\"\ntoken_command = \"oauth hunter2\"\non_new = \"n\"\n\
             on_change = \"c\"\non_error = \"e hunter2\"\n\
             [profile.b]\nuser = \"b\"\npassword_keyring = true\nexclude = \"Junk\"\npublic_folders = true\n\
             [profile.c]\npassword_keyring = false\npassword_file = \"f\"\n",
        )
        .unwrap();
        let command = |text: &str| Some(ShellCommand::new(text));
        let a = set.get("a").unwrap();
        let expected = Profile {
            address: Some("a@h".into()),
            sign_in: Some("ntlm".into()),
            maildir: Some("/etc/w/Mail".into()),
            mailbox: Some("b@h".into()),
            archive: true,
            folder: Some("I*".into()),
            exclude: vec!["Junk".into(), "Trash/*".into()],
            mode: Some("mirror".into()),
            since: Some("2026-01-01".into()),
            secret: command("oauth hunter2").map(Secret::TokenCommand),
            on_new: command("n"),
            on_change: command("c"),
            on_error: command("e hunter2"),
            ..Profile::default()
        };
        assert_eq!(*a, expected);
        assert_eq!(a.login_name(), Some("a@h"));
        let b = set.get("b").unwrap();
        assert_eq!((b.login_name(), &b.secret, b.public_folders), (Some("b"), &Some(Secret::Keyring), true));
        assert_eq!(b.exclude, ["Junk"]);
        assert_eq!(set.get("c").unwrap().secret, Some(Secret::File("/etc/w/f".into())));
        assert!(!format!("{set:?}").contains("hunter2"));
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
            (
                "\n[profile.a]\npassword_file = \"f\"\ntoken_command = \"hunter2\"\n",
                2,
                "both password_file and token",
            ),
            ("\n[profile.a]\npassword_keyring = true\ntoken_command = \"c\"\n", 2, "password_keyring"),
            ("[profile.a]\nuser = \"u\"\naddress = \"hunter2\"\n", 3, "NAME@DOMAIN"),
            ("[profile.a]\narchive = true\npublic_folders = true\n", 3, "archive"),
            ("[profile.a]\nexclude = [\"hunter2\", 5]\n", 2, "string"),
            ("[profile.a]\non_new = [\"hunter2\"]\n", 2, "string"),
            ("[profile.a]\non_news = \"hunter2\"\n", 2, "on_news"),
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
