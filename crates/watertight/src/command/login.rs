//! `watertight login`: from an address to an account in the configuration.

mod ask;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    ConfirmHop, Credentials, Error, ErrorClass, Keyring, Profile, ProfileSet, Profiles, Secret, SignInError,
};
use zeroize::Zeroizing;

use super::account::{Account, wrong};
use super::cure::{self, shell};
use super::{on_runtime, sync};
use crate::cli::{Common, Keep, Login};
use crate::exit::{Exit, Failure};
use crate::out::say;
use crate::secret;
use ask::Asked;

/// How often a password may be typed.
const TYPED: u32 = 3;
/// The longest name of an account.
const LONGEST_NAME: usize = 64;

/// What is known once the server has let the user in.
struct Found {
    server: String,
    user_dn: String,
    display_name: String,
}

/// A password, and whether it is only in this program's memory.
enum Password {
    /// Where the account says that it is.
    Elsewhere,
    /// Typed, or from the environment: nobody else has it.
    Here(Zeroizing<String>),
}

/// Runs the command.
pub fn run(args: &Login, common: &Common) -> Result<Exit> {
    let asked = Asked::new(common);
    let profiles = match &args.config {
        Some(path) => Profiles::in_file(path),
        None => Profiles::usual().map_err(wrong)?,
    };
    let set = profiles.read().map_err(wrong)?;
    let name = name(args)?;
    let before = before(&set, &name, args, &asked)?;
    let mut account = account(&name, &before, args)?;
    let (found, password) = signed_in(&mut account, &before, args, &asked)?;
    account.profile.server = Some(found.server.clone());
    account.profile.user_dn = Some(found.user_dn.clone());
    account.profile.maildir = Some(maildir(args, &before, &name)?);
    let kept = keep(&mut account, &name, password, args, &profiles, &asked)?;
    profiles.save(&name, &account.profile).map_err(wrong)?;
    print(&name, &account, &found, kept, &profiles, common);
    Ok(Exit::Done)
}

/// The account's name: as it was given, else what stands before the `@`.
fn name(args: &Login) -> Result<String> {
    let address = &args.address;
    let parts = address.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let Some((local, _)) = parts.filter(|_| !address.contains(|c: char| c.is_whitespace() || c.is_control()))
    else {
        return Err(anyhow!(Failure::usage(format!(
            "{address:?} is no mail address: it has the form NAME@DOMAIN"
        ))));
    };
    let name = args.name.clone().unwrap_or_else(|| local.to_owned());
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(anyhow!(Failure::usage("an account's name has 1 to 64 characters: give --name NAME")));
    }
    Ok(name)
}

/// The account of that name that is there, which may be replaced.
fn before(set: &ProfileSet, name: &str, args: &Login, asked: &Asked) -> Result<Profile> {
    let Some(before) = set.profiles.get(name) else { return Ok(Profile::default()) };
    let whose = before.address.as_deref().or(before.user.as_deref()).unwrap_or("nobody yet");
    if args.replace
        || asked.yes(&format!("There is an account {name:?} already ({whose}). Replace it? [y/N] "))?
    {
        return Ok(before.clone());
    }
    let what = format!("there is an account {name:?} already ({whose})");
    Err(anyhow!(Failure::new(Exit::Usage, what, "give --replace, or another name with --name NAME")))
}

/// The account as it is tried: of the one before, what is not the server's to say.
fn account(name: &str, before: &Profile, args: &Login) -> Result<Account> {
    let mut profile = before.clone();
    if profile.address.as_deref() != Some(args.address.as_str()) {
        (profile.user, profile.secret) = (None, None);
    }
    profile.address = Some(args.address.clone());
    (profile.server, profile.user_dn) = (None, None);
    let mut account = Account::of_profile(name, profile).over(&args.access);
    // What is written is found from everywhere.
    let absolute = |path: &Path| std::path::absolute(path).with_context(|| format!("{}", path.display()));
    if let Some(path) = &account.profile.tls_ca {
        account.profile.tls_ca = Some(absolute(path)?);
    }
    if let Some(path) = args.access.password_file.as_deref().filter(|path| *path != Path::new("-")) {
        // Read as it will be: nobody else may.
        account.set_secret(Secret::File(absolute(path)?));
    }
    Ok(account)
}

/// Lets the server see the user, and says where the mailbox is. A typed password may be typed again.
fn signed_in(
    account: &mut Account,
    before: &Profile,
    args: &Login,
    asked: &Asked,
) -> Result<(Found, Password)> {
    let mut tried = 0_u32;
    loop {
        tried = tried.saturating_add(1);
        let (credentials, password, typed) = credentials(account, args, asked)?;
        match on_runtime(2, async { Ok(sign_in(account, before, &credentials, args, asked).await) })? {
            Ok(found) => return Ok((found, password)),
            Err(Error::SignIn(SignInError::Credentials)) if typed && tried < TYPED => {
                asked.tell("The server does not accept that password.");
            }
            Err(error) => return Err(anyhow!(cure::of(&error, account))),
        }
    }
}

/// What the user signs in with; whether it was typed.
fn credentials(account: &Account, args: &Login, asked: &Asked) -> Result<(Credentials, Password, bool)> {
    let user = account.user()?;
    let from_input = args.access.password_file.as_deref() == Some(Path::new("-"));
    let fresh = args.access.keyring || matches!(account.profile.secret, None | Some(Secret::Keyring));
    if (!from_input && !fresh) || account.uses_a_ticket() {
        return Ok((account.credentials()?, Password::Elsewhere, false));
    }
    let variable = std::env::var_os("WATERTIGHT_PASSWORD").is_some();
    let password = if from_input {
        secret::from_file(Path::new("-"))?
    } else if !variable && !asked.there() && account.profile.secret == Some(Secret::Keyring) {
        // The one that was put there before.
        return Ok((account.credentials()?, Password::Elsewhere, false));
    } else {
        secret::from_environment_or_prompt(&format!("Password of {user}: "))?
    };
    let credentials = Credentials::new(user, password.as_str()).map_err(|e| sync::client(e.into()))?;
    Ok((credentials, Password::Here(password), !from_input && !variable))
}

/// Finds the mailbox, connects and logs on.
async fn sign_in(
    account: &mut Account,
    before: &Profile,
    credentials: &Credentials,
    args: &Login,
    asked: &Asked,
) -> Result<Found, Error> {
    let ledger = Ledger::new("watertight");
    let (server, dn) = match (&account.profile.server, before.server.as_ref()) {
        (Some(server), _) => (server.clone(), account.profile.user_dn.clone()),
        (None, known) => discovered(account, known, credentials, args, asked, &ledger).await?,
    };
    account.profile.server = Some(server.clone());
    let connector = account.connect(credentials, &ledger)?;
    let result = async {
        let user_dn = match dn {
            Some(dn) => dn,
            None => connector.discover(&args.address).await?.legacy_dn,
        };
        let session = connector.connect(&user_dn).await?;
        let display_name = session.info().display_name.clone();
        let logon = session.logon(&user_dn).await;
        let goodbye = session.disconnect().await;
        logon?;
        goodbye?;
        Ok(Found { server, user_dn, display_name })
    };
    let result = result.await;
    connector.idle().await;
    if result.is_err() && args.access.server.is_none() {
        // The next try looks for it again.
        account.profile.server = None;
    }
    result
}

/// The Maildir: as it was given, as it was before, or in the home directory.
fn maildir(args: &Login, before: &Profile, name: &str) -> Result<PathBuf> {
    if let Some(given) = &args.maildir {
        return std::path::absolute(given).with_context(|| format!("{}", given.display()));
    }
    if let Some(before) = &before.maildir {
        return Ok(before.clone());
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| anyhow!(Failure::usage("HOME is not set: give --maildir DIR")))?;
    Ok(home.join("Mail").join(name.replace('/', "_")))
}

/// Puts the password where it is found again; says where in words.
fn keep(
    account: &mut Account,
    name: &str,
    password: Password,
    args: &Login,
    profiles: &Profiles,
    asked: &Asked,
) -> Result<&'static str> {
    let password = match password {
        Password::Elsewhere => {
            return Ok(match account.profile.secret {
                Some(Secret::File(_)) => "file",
                Some(Secret::Command(_)) => "command",
                Some(Secret::TokenCommand(_)) => "token",
                Some(Secret::Keyring) => "keyring",
                _ if account.uses_a_ticket() => "ticket",
                _ => "nowhere",
            });
        }
        Password::Here(password) => password,
    };
    let keep = match args.keep {
        Some(keep) => keep,
        None if args.access.keyring || account.profile.secret == Some(Secret::Keyring) => Keep::Keyring,
        None => asked.where_to_keep()?,
    };
    match keep {
        Keep::Keyring => {
            let address = account.profile.keyring_account().unwrap_or_default();
            let kept = async { Keyring::keep(&address, &password).await };
            on_runtime(2, async { Ok(kept.await) })?.map_err(|error| {
                let cure = "give --keep file (a file that only you can read), or --password-command";
                anyhow!(Failure::new(Exit::Failed, error.text(), cure))
            })?;
            account.set_secret(Secret::Keyring);
            Ok("keyring")
        }
        Keep::File => {
            let directory = profiles.path().and_then(Path::parent).unwrap_or(Path::new("."));
            let path = std::path::absolute(directory.join(format!("{}.password", name.replace('/', "_"))))?;
            write_private(&path, &password).with_context(|| format!("cannot write {}", path.display()))?;
            account.set_secret(Secret::File(path));
            Ok("file")
        }
        Keep::Nowhere => {
            account.profile.secret = None;
            Ok("nowhere")
        }
    }
}

/// A file with a password, whole, that only its owner can read.
fn write_private(path: &Path, password: &str) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    if !directory.exists() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let fresh = path.with_extension("password.new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let line = Zeroizing::new(format!("{password}\n"));
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    Ok(std::fs::rename(&fresh, path)?)
}

fn print(name: &str, account: &Account, found: &Found, kept: &str, profiles: &Profiles, common: &Common) {
    let maildir = account.profile.maildir.as_deref().unwrap_or(Path::new("")).display().to_string();
    let config = profiles.path().unwrap_or(Path::new("")).display().to_string();
    if common.json {
        let object = json!({
            "version": 1,
            "name": name,
            "address": account.profile.address,
            "server": found.server,
            "dn": found.user_dn,
            "display": found.display_name,
            "maildir": maildir,
            "secret": kept,
            "config": config,
        });
        say!("{object}");
        return;
    }
    if common.quiet {
        return;
    }
    say!("{} <{}>", found.display_name, args_address(account));
    say!("server    {}", found.server.split('?').next().unwrap_or_default());
    say!("maildir   {maildir}");
    say!(
        "password  {}",
        match kept {
            "keyring" => "in the keyring of your session",
            "file" => "in a file that only you can read",
            "command" => "from the command that you gave",
            "ticket" => "none: a ticket of Kerberos is enough",
            "token" => "a token, from the command that you gave",
            _ => "kept nowhere: sync asks for it, or takes the variable WATERTIGHT_PASSWORD",
        }
    );
    say!("account   {name:?} in {config}");
    say!("\nNow:  watertight sync {}", shell(name));
}

fn args_address(account: &Account) -> &str {
    account.profile.address.as_deref().unwrap_or_default()
}

/// Where the mailbox is, and whose: as Autodiscover says it, else where it was known to be.
async fn discovered(
    account: &Account,
    known: Option<&String>,
    credentials: &Credentials,
    args: &Login,
    asked: &Asked,
    ledger: &Ledger,
) -> Result<(String, Option<String>), Error> {
    let (yes, asked) = (args.yes, *asked);
    let confirm = ConfirmHop::new(move |hop| yes || asked.confirms(hop));
    match account.discover(&args.address, credentials, confirm, ledger).await {
        Ok(found) => Ok((found.mail_store.unwrap_or_default(), Some(found.legacy_dn))),
        // What has been good is good still where nobody says otherwise.
        Err(error) => match known {
            Some(known) if error.class() == ErrorClass::Reach => Ok((known.clone(), None)),
            _ => Err(error),
        },
    }
}
