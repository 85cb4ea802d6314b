//! Writing a profile into the file: comments, order and everything else in it stay as they are.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};
use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use super::{Profile, ProfileSet, Secret, file};
use crate::mapi::error::MapiError;

/// Writes a profile into the file at that path, which is made when it is not there. The file is whole at every moment,
/// and nobody else may read it. The first profile of all becomes the default one.
pub(super) fn save(path: &Path, name: &str, profile: &Profile) -> Result<(), MapiError> {
    let failed = |error: &io::Error| {
        let text = format!("the profiles in {} cannot be written ({error})", path.display());
        MapiError::new(MapiCode::DiskError, text, "check the directory")
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| failed(&e))?;
    // One writer at a time.
    let lock = File::open(directory).map_err(|e| failed(&e))?;
    lock.lock().map_err(|e| failed(&e))?;
    let before = file::private_text(path, "the profiles")?.unwrap_or_default();
    let after = edited(&before, path, name, profile)?;
    // What a link leads to is replaced, not the link.
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found.map_err(|e| failed(&e))?,
    };
    replace(&real, &after).map_err(|e| failed(&e))
}

/// Puts a file in the place of another, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = path.with_extension(format!("toml.{}.new", std::process::id()));
    // Of a process that was killed.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(directory)?.sync_all()
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

/// The text with the profile in it.
fn edited(before: &str, path: &Path, name: &str, profile: &Profile) -> Result<Zeroizing<String>, MapiError> {
    let set = file::parse(before, path)?;
    let odd = || {
        let text = format!("{} has its profiles in a form that cannot be added to", path.display());
        MapiError::new(
            MapiCode::CorruptData,
            text,
            format!("write it as a table of its own: [profile.{name:?}]"),
        )
    };
    let mut document: DocumentMut = before.parse().map_err(|_| odd())?;
    // Comments at the end of the file stay where they are, before what is added.
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let only_comments = document.is_empty();
    if set.profiles.is_empty() && set.default.is_none() {
        document.insert("default", toml_edit::value(name));
    }
    let profiles = document.entry("profile").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let with_header = profiles.is_table();
    let profiles = profiles.as_table_like_mut().ok_or_else(odd)?;
    let added = profiles.get(name).is_none();
    if added {
        let mut table = Table::new();
        if with_header && !only_comments && !trailing.is_empty() {
            table.decor_mut().set_prefix(format!("{trailing}\n"));
        }
        profiles.insert(name, Item::Table(table));
    }
    let table = profiles.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(odd)?;
    let old = set.profiles.get(name).cloned().unwrap_or_default();
    for ((key, old), (_, new)) in entries(&old).into_iter().zip(entries(profile)) {
        if old.as_ref().map(ToString::to_string) != new.as_ref().map(ToString::to_string) {
            set_key(table, key, new);
        }
    }
    let moved = added && with_header && !trailing.is_empty();
    if moved {
        document.set_trailing("");
    }
    let head = if moved && only_comments { trailing.as_str() } else { "" };
    let after = Zeroizing::new(format!("{head}{document}"));
    // INVARIANT: what is written is read as what was meant.
    let read: ProfileSet = file::parse(&after, path)?;
    if read.profiles.get(name) != Some(profile) {
        return Err(odd());
    }
    Ok(after)
}

/// Sets a value, or removes it; what stands around an old one stays.
fn set_key(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    let Some(mut value) = value else {
        table.remove(key);
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// Every key of a profile with its value, in the order in which a new profile has them.
fn entries(profile: &Profile) -> [(&'static str, Option<Value>); 21] {
    let text = |text: &Option<String>| text.as_ref().map(|text| Value::from(text.as_str()));
    let path = |path: &Option<PathBuf>| path.as_deref().map(shown);
    let flag = |flag: bool| flag.then(|| Value::from(true));
    let command = |command: &Option<super::ShellCommand>| command.as_ref().map(|c| Value::from(c.as_str()));
    let secret = |wanted: fn(&Secret) -> Option<Value>| profile.secret.as_ref().and_then(wanted);
    let exclude = (!profile.exclude.is_empty()).then(|| Value::Array(Array::from_iter(&profile.exclude)));
    [
        ("address", text(&profile.address)),
        ("server", text(&profile.server)),
        ("user", text(&profile.user)),
        ("user_dn", text(&profile.user_dn)),
        ("tls_ca", path(&profile.tls_ca)),
        ("sign_in", text(&profile.sign_in)),
        ("password_file", secret(|s| if let Secret::File(path) = s { Some(shown(path)) } else { None })),
        (
            "password_command",
            secret(|s| if let Secret::Command(c) = s { Some(c.as_str().into()) } else { None }),
        ),
        ("password_keyring", secret(|s| matches!(s, Secret::Keyring).then(|| true.into()))),
        (
            "token_command",
            secret(|s| if let Secret::TokenCommand(c) = s { Some(c.as_str().into()) } else { None }),
        ),
        ("maildir", path(&profile.maildir)),
        ("mailbox", text(&profile.mailbox)),
        ("public_folders", flag(profile.public_folders)),
        ("archive", flag(profile.archive)),
        ("folder", text(&profile.folder)),
        ("exclude", exclude),
        ("mode", text(&profile.mode)),
        ("since", text(&profile.since)),
        ("on_new", command(&profile.on_new)),
        ("on_change", command(&profile.on_change)),
        ("on_error", command(&profile.on_error)),
    ]
}

/// A path as it is written: from the home directory, where it is in it.
fn shown(path: &Path) -> Value {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    match home.as_deref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => Value::from(format!("~/{}", rest.display())),
        None => Value::from(path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::profile::ShellCommand;

    fn anna() -> Profile {
        Profile {
            address: Some("anna@example.org".to_owned()),
            server: Some("https://mail.example.org/mapi/emsmdb/".to_owned()),
            secret: Some(Secret::Keyring),
            maildir: Some("/mail/anna".into()),
            ..Profile::default()
        }
    }

    fn after(before: &str, name: &str, profile: &Profile) -> String {
        edited(before, Path::new("/etc/w/config.toml"), name, profile).unwrap().to_string()
    }

    #[test]
    fn the_first_profile_makes_the_file() {
        assert_eq!(
            after("", "anna", &anna()),
            "default = \"anna\"\n\n[profile.anna]\naddress = \"anna@example.org\"\n\
             server = \"https://mail.example.org/mapi/emsmdb/\"\npassword_keyring = true\nmaildir = \"/mail/anna\"\n"
        );
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let before = "# mine\ndefault = 'work'   # always\n\n[profile.work] # the office\nserver = \"https://w/\" # old\n\
                      # hooks\non_new = '''notify \"x\"'''\nexclude = [ 'Junk',\n  'Trash' ]\npassword_file = 'p'\n\n\
                      [profile.\"at home\"]\nuser = 'b'\n# the end\n";
        let added = after(before, "anna", &anna());
        assert!(added.starts_with(before), "{added}");
        assert!(added.contains("[profile.anna]\naddress = "), "{added}");

        let comments = after("# nothing yet\n", "anna", &anna());
        assert!(comments.starts_with("# nothing yet\ndefault = \"anna\"\n\n[profile.anna]\n"), "{comments}");

        let mut work = file::parse(before, Path::new("/etc/w/config.toml")).unwrap().profiles["work"].clone();
        assert_eq!(after(before, "work", &work), before);
        work.server = Some("https://new/".to_owned());
        work.secret = Some(Secret::TokenCommand(ShellCommand::new("token \"it\"")));
        let changed = after(before, "work", &work);
        let expected = before
            .replace("\"https://w/\" # old", "\"https://new/\" # old")
            .replace("password_file = 'p'\n", "token_command = 'token \"it\"'\n");
        assert_eq!(changed, expected);

        // Other ways to write tables.
        for odd in [
            "profile.a.user = 'x'\n",
            "profile = { a = { user = 'x' } }\n",
            "[profile]\na = { user = 'x' }\n",
        ] {
            let text = after(odd, "anna", &anna());
            let set = file::parse(&text, Path::new("/etc/w/config.toml")).unwrap();
            assert_eq!(set.profiles["a"].user.as_deref(), Some("x"), "{text}");
            assert_eq!(set.profiles["anna"], anna(), "{text}");
        }
        let wrong = edited("[profile.a]\nx = 'hunter2'\n", Path::new("c"), "b", &anna()).unwrap_err();
        assert!(wrong.to_string().contains("line 2") && !wrong.to_string().contains("hunter2"), "{wrong}");
    }

    #[test]
    fn every_key_is_written_and_read() {
        let command = |text: &str| Some(ShellCommand::new(text));
        let mut full = Profile {
            user: Some("a".into()),
            user_dn: Some("/o=x".into()),
            tls_ca: Some("/ca.pem".into()),
            sign_in: Some("ntlm".into()),
            mailbox: Some("b@h".into()),
            archive: true,
            folder: Some("I*".into()),
            exclude: vec!["Junk".into(), "Tr\"ash/*".into()],
            mode: Some("mirror".into()),
            since: Some("2026-01-01".into()),
            on_new: command("n"),
            on_change: command("c\nd"),
            on_error: command("e"),
            ..anna()
        };
        let secrets = [Secret::File("/p".into()), Secret::Command(ShellCommand::new("c")), Secret::Keyring];
        let mut text = String::new();
        for secret in secrets {
            full.secret = Some(secret);
            text = after(&text, "anna", &full);
        }
        (full.archive, full.public_folders, full.exclude) = (false, true, Vec::new());
        let last = after(&text, "anna", &full);
        assert!(!last.contains("archive") && !last.contains("exclude"), "{last}");
    }

    #[test]
    fn the_file_is_whole_and_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/config.toml");
        save(&path, "a", &anna()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // A link stays one.
        let link = dir.path().join("config.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        save(&link, "b", &anna()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let set = file::parse(&fs::read_to_string(&path).unwrap(), &path).unwrap();
        assert_eq!((set.default.as_deref(), set.profiles.len()), (Some("a"), 2));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // Writers at one time lose nothing.
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || save(path, &format!("n{n}"), &anna()).unwrap());
            }
        });
        assert_eq!(file::parse(&fs::read_to_string(&path).unwrap(), &path).unwrap().profiles.len(), 10);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(save(&path, "a", &anna()).unwrap_err().code(), MapiCode::AccessDenied);
    }
}
