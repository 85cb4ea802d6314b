//! Profiles: which mailbox a name stands for.
//!
//! They live in `config.toml`, one table each. What opens the mailbox is never in that file: it says where it is.
//!
//! ```toml
//! default = "work"
//!
//! [profile.work]
//! address = "anna@example.org"
//! server = "https://mail.example.org/mapi/emsmdb/"
//! password_file = "~/.config/watertight/work.password"
//! maildir = "~/Mail/work"
//! ```

mod file;
mod keyring;
mod secret;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::mapi::error::MapiError;
use file::Stamp;
pub use keyring::Keyring;

/// The longest name of a profile, as MAPILogonEx has it.
const LONGEST_NAME: usize = 64;

/// A mailbox, the way to it, and what is done with it. What is missing may be asked for.
///
/// Paths are absolute as far as the file's own path is; empty texts count as missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Profile {
    /// The mail address, by which Autodiscover knows the mailbox.
    pub address: Option<String>,
    /// The URL of the mailbox endpoint, or of the server alone.
    pub server: Option<String>,
    /// The user's name, where it is not the address.
    pub user: Option<String>,
    /// The user's legacy DN; without it, Autodiscover on the server is asked.
    pub user_dn: Option<String>,
    /// A file with certificates of authorities that are trusted besides the system's.
    pub tls_ca: Option<PathBuf>,
    /// Where the password or the token is.
    pub secret: Option<Secret>,
    /// How the user signs in (`sign_in`).
    pub sign_in: Option<String>,
    /// Where the mail goes.
    pub maildir: Option<PathBuf>,
    /// Whose mailbox it is, where it is not the user's own: an address, a name or a DN.
    pub mailbox: Option<String>,
    /// Whether it is the public folders.
    pub public_folders: bool,
    /// Whether it is the archive of the mailbox.
    pub archive: bool,
    /// Only folders whose path matches.
    pub folder: Option<String>,
    /// No folders whose path matches one of these.
    pub exclude: Vec<String>,
    /// What becomes of messages that the server deletes.
    pub mode: Option<String>,
    /// Only messages that were delivered since this day.
    pub since: Option<String>,
    /// What runs after new mail came.
    pub on_new: Option<ShellCommand>,
    /// What runs after anything changed.
    pub on_change: Option<ShellCommand>,
    /// What runs after an error.
    pub on_error: Option<ShellCommand>,
}

/// Where a password or a token is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Secret {
    /// The password is on the first line of this file, which nobody else may read or write (`password_file`).
    File(PathBuf),
    /// The password is on the first line that this command prints (`password_command`).
    Command(ShellCommand),
    /// The password is in the keyring of the user's session (`password_keyring = true`).
    Keyring,
    /// A bearer token is on the first line that this command prints (`token_command`).
    TokenCommand(ShellCommand),
}

/// A command for `/bin/sh -c`. It does not show: people write passwords into them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShellCommand(String);

/// The profiles that there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileSet {
    /// The name of the default one.
    pub default: Option<String>,
    /// All of them, by name.
    pub profiles: BTreeMap<String, Profile>,
}

/// Where profiles come from. Clones share what was read.
#[derive(Clone)]
pub struct Profiles(Arc<Source>);

enum Source {
    File { path: PathBuf, read: Mutex<Option<(Stamp, Arc<ProfileSet>)>> },
    Given(Arc<ProfileSet>),
}

impl Profile {
    /// With a server and a user.
    #[must_use]
    pub fn new(server: impl Into<String>, user: impl Into<String>) -> Self {
        Self { server: Some(server.into()), user: Some(user.into()), ..Self::default() }
    }

    /// The name to sign in with: the user's, else the address.
    #[must_use]
    pub fn login_name(&self) -> Option<&str> {
        self.user.as_deref().or(self.address.as_deref())
    }

    /// The name under which the password is in the keyring: the address, else the user at the server's host.
    #[must_use]
    pub fn keyring_account(&self) -> Option<String> {
        if let Some(address) = &self.address {
            return Some(address.clone());
        }
        let (user, server) = (self.user.as_deref()?, self.server.as_deref()?);
        Some(format!("{user}@{}", Endpoint::parse(server).ok()?.host()))
    }

    /// The password or the token, from where it is; `None` where that is not said.
    ///
    /// # Errors
    /// MAPI_E_NOT_FOUND when there is none, MAPI_E_NO_ACCESS when others can read or write the file,
    /// MAPI_E_UNCONFIGURED when there is nothing in it or when the command fails, and what the keyring says
    /// ([`Keyring::password`]).
    pub async fn password(&self) -> Result<Option<Zeroizing<String>>, MapiError> {
        match &self.secret {
            None => Ok(None),
            Some(Secret::Keyring) => {
                let account = self.keyring_account().ok_or_else(|| {
                    let text = "the keyring is asked by address, and the profile has none";
                    MapiError::new(MapiCode::UnconfiguredLogon, text, "write address = \"…\" into it")
                })?;
                Keyring::password(&account).await.map(Some)
            }
            Some(secret) => secret.read().await.map(Some),
        }
    }
}

impl ShellCommand {
    /// That command.
    pub fn new(command: impl Into<String>) -> Self {
        Self(command.into())
    }

    /// Its text, which belongs into no log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProfileSet {
    /// Reads the text of a `config.toml`; paths in it are relative to `directory`.
    ///
    /// # Errors
    /// MAPI_E_CORRUPT_DATA with the line, for what is no TOML, for unknown keys, and for values of the wrong kind.
    pub fn parse(text: &str, path: &Path) -> Result<Self, MapiError> {
        file::parse(text, path)
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// MAPI_E_NOT_FOUND, with the names that there are.
    pub fn get(&self, name: &str) -> Result<&Profile, MapiError> {
        if name.chars().count() > LONGEST_NAME {
            let text = format!("a profile's name has at most {LONGEST_NAME} characters");
            return Err(MapiError::new(MapiCode::StringTooLong, text, "check the name"));
        }
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<_> = self.profiles.keys().map(String::as_str).collect();
            let next = if known.is_empty() {
                "there is none yet: write one".to_owned()
            } else {
                format!("there is {}", known.join(", "))
            };
            MapiError::new(MapiCode::NotFound, format!("there is no profile {name:?}"), next)
        })
    }
}

impl Profiles {
    /// `$XDG_CONFIG_HOME/watertight/config.toml`, else `~/.config/watertight/config.toml`.
    ///
    /// # Errors
    /// MAPI_E_UNCONFIGURED when there is neither variable.
    pub fn usual() -> Result<Self, MapiError> {
        file::usual_path().map(Self::in_file)
    }

    /// A `config.toml`. It is read when it is needed, and again when it has changed.
    #[must_use]
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Source::File { path: path.into(), read: Mutex::new(None) }))
    }

    /// These, and no file.
    #[must_use]
    pub fn of(set: ProfileSet) -> Self {
        Self(Arc::new(Source::Given(Arc::new(set))))
    }

    /// The profiles as they are now. A file that is not there has none.
    ///
    /// # Errors
    /// MAPI_E_NO_ACCESS when others can read or write the file, MAPI_E_CORRUPT_DATA (with the line) when it cannot be
    /// understood, MAPI_E_DISK_ERROR when it cannot be read.
    pub fn read(&self) -> Result<Arc<ProfileSet>, MapiError> {
        let (path, read) = match &*self.0 {
            Source::Given(set) => return Ok(Arc::clone(set)),
            Source::File { path, read } => (path, read),
        };
        let stamp = Stamp::of(path);
        {
            let read = read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((then, set)) = &*read
                && Some(then) == stamp.as_ref()
            {
                return Ok(Arc::clone(set));
            }
        }
        let Some(text) = file::private_text(path, "the profiles")? else {
            return Ok(Arc::default());
        };
        let set = Arc::new(ProfileSet::parse(&text, path)?);
        if let Some(stamp) = stamp {
            let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
            *read = Some((stamp, Arc::clone(&set)));
        }
        Ok(set)
    }

    /// Writes a profile into the file, in place of one of that name; the first one becomes the default. Everything else
    /// in the file, comments too, stays as it is. The file is whole at every moment, and nobody else may read it.
    ///
    /// # Errors
    /// As [`Profiles::read`]; MAPI_E_NO_SUPPORT when there is no file.
    pub fn save(&self, name: &str, profile: &Profile) -> Result<(), MapiError> {
        match &*self.0 {
            Source::File { path, .. } => write::save(path, name, profile),
            Source::Given(_) => {
                Err(MapiError::new(MapiCode::NotSupported, "these profiles are in no file", "name a file"))
            }
        }
    }

    /// The file, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &*self.0 {
            Source::File { path, .. } => Some(path),
            Source::Given(_) => None,
        }
    }
}

impl fmt::Debug for ShellCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShellCommand")
    }
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::File { path, .. } => write!(f, "Profiles({})", path.display()),
            Source::Given(set) => write!(f, "Profiles({:?})", set.profiles.keys()),
        }
    }
}
