//! An account: what its profile says, and what the command line says over it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use watertight_ledger::Ledger;
use watertight_mapi_client::{
    ConfirmHop, Connector, Credentials, Discovered, Discovery, DiscoveryError, Endpoint, Error, MapiError,
    Options, Profile, ProfileSet, Profiles, Secret, SetupError, ShellCommand, SignIn,
};
use zeroize::Zeroizing;

use super::{cure, on_runtime, sync};
use crate::cli::Access;
use crate::exit::{Exit, Failure};
use crate::secret;

/// An account and the way to it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name of its profile, where it has one.
    pub name: Option<String>,
    /// Its profile, with what the command line says in place of what stands in the file.
    pub profile: Profile,
    /// A file with the password that the command line names: anybody's mode, `-` is standard input.
    password_file: Option<PathBuf>,
    /// Whether the variable WATERTIGHT_PASSWORD is meant for this account.
    variable: bool,
}

/// The configuration that the command line names, or the usual one.
pub fn profiles(config: Option<&Path>) -> Result<Profiles> {
    match config {
        Some(path) if path.is_file() => Ok(Profiles::in_file(path)),
        Some(path) => Err(anyhow!(Failure::usage(format!("there is no file {}", path.display())))),
        None => Profiles::usual().map_err(wrong),
    }
}

/// An error of the configuration with its exit status.
pub fn wrong(error: MapiError) -> anyhow::Error {
    let cure = Some(error.next().to_owned()).filter(|next| !next.is_empty());
    anyhow!(Failure { exit: Exit::Usage, what: error.text().to_owned(), cure })
}

/// A password that is not there, with its exit status and a cure.
fn no_password(error: MapiError) -> anyhow::Error {
    let cure = Some(error.next().to_owned()).filter(|next| !next.is_empty());
    anyhow!(Failure { exit: Exit::SignIn, what: error.text().to_owned(), cure })
}

impl Account {
    /// The account of which the command line says everything.
    pub fn of_line(access: &Access) -> Self {
        Self::new(None, Profile::default()).over(access)
    }

    /// The account with that name.
    pub fn named(set: &ProfileSet, name: &str) -> Result<Self> {
        let profile = set.get(name).map_err(|error| match error.next() {
            "there is none yet: write one" => {
                let what = format!("there is no account {name:?}, and no other in the configuration");
                anyhow!(Failure::new(Exit::Usage, what, "watertight login ADDRESS makes one"))
            }
            _ => wrong(error),
        })?;
        Ok(Self::new(Some(name.to_owned()), profile.clone()))
    }

    /// An account that is not in the configuration yet.
    pub fn of_profile(name: &str, profile: Profile) -> Self {
        Self::new(Some(name.to_owned()), profile)
    }

    fn new(name: Option<String>, profile: Profile) -> Self {
        Self { name, profile, password_file: None, variable: true }
    }

    /// With what the command line says.
    pub fn over(mut self, access: &Access) -> Self {
        let profile = &mut self.profile;
        let over = |mine: &mut Option<String>, given: &Option<String>| {
            if given.is_some() {
                mine.clone_from(given);
            }
        };
        // Another user has another DN, and so has the same one on another server.
        if access.server.is_some() || access.user.is_some() {
            profile.user_dn = None;
        }
        over(&mut profile.server, &access.server);
        over(&mut profile.user, &access.user);
        over(&mut profile.user_dn, &access.user_dn);
        over(&mut profile.sign_in, &access.sign_in);
        if access.tls_ca.is_some() {
            profile.tls_ca.clone_from(&access.tls_ca);
        }
        let command = |text: &Option<String>| text.as_ref().map(|text| ShellCommand::new(text.clone()));
        let given = command(&access.password_command)
            .map(Secret::Command)
            .or_else(|| command(&access.token_command).map(Secret::TokenCommand))
            .or_else(|| access.keyring.then_some(Secret::Keyring));
        if given.is_some() {
            profile.secret = given;
        }
        self.password_file.clone_from(&access.password_file);
        self
    }

    /// The same as one of many: the variable with the password is not sent to all servers.
    pub fn among_others(mut self) -> Self {
        self.variable = false;
        self
    }

    /// Says where its password is.
    pub fn set_secret(&mut self, secret: Secret) {
        self.password_file = None;
        self.profile.secret = Some(secret);
    }

    /// Whether a ticket of Kerberos is enough: nobody has to type anything then.
    pub fn uses_a_ticket(&self) -> bool {
        let negotiate = matches!(self.sign_in(), Ok(SignIn::Negotiate));
        negotiate && self.profile.secret.is_none() && !self.reads_a_file() && Credentials::has_ticket()
    }

    /// Whether the command line names a file with the password.
    pub fn reads_a_file(&self) -> bool {
        self.password_file.is_some()
    }

    /// What it is called in messages.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.profile.login_name()).unwrap_or("the account")
    }

    /// The login name.
    pub fn user(&self) -> Result<&str> {
        self.profile.login_name().ok_or_else(|| match &self.name {
            Some(name) => {
                let what = format!("the account {name:?} has neither an address nor a user");
                anyhow!(Failure::new(
                    Exit::Usage,
                    what,
                    "give --user NAME, or write it into the configuration"
                ))
            }
            None => anyhow!(Failure::usage("--server needs --user NAME")),
        })
    }

    /// Says what is wrong with it before anybody is asked for a password.
    pub fn check(&self) -> Result<()> {
        let user = self.user()?;
        self.sign_in().map_err(|error| self.failed(&error))?;
        match (&self.profile.server, &self.profile.address) {
            (Some(server), _) => sync::endpoint(server, user).map(|_| ()),
            (None, Some(_)) => Ok(()),
            (None, None) => {
                let what = format!("where the server of {} is was not said", self.label());
                Err(anyhow!(Failure::new(Exit::Usage, what, "give --server https://HOST")))
            }
        }
    }

    /// The same account, with the server that Autodiscover finds for its address where none is known.
    pub async fn located(&self, credentials: &Credentials, ledger: &Ledger) -> Result<Self> {
        let mut account = self.clone();
        if let (None, Some(address)) = (&self.profile.server, &self.profile.address) {
            // Nobody is there to confirm a server of another domain: `login` asks, and writes down where it is.
            let found = self.discover(address, credentials, ConfirmHop::never(), ledger).await;
            let found = found.map_err(|error| self.failed(&error))?;
            account.profile.server = found.mail_store;
            account.profile.user_dn.get_or_insert(found.legacy_dn);
        }
        Ok(account)
    }

    /// What Autodiscover says about an address.
    pub async fn discover(
        &self,
        address: &str,
        credentials: &Credentials,
        confirm: ConfirmHop,
        ledger: &Ledger,
    ) -> Result<Discovered, Error> {
        let mut found =
            Discovery::new(credentials, &self.options()?, ledger).confirm(confirm).run(address).await?;
        found.mail_store = found.mail_store_urls.best().map(str::to_owned).or(found.mail_store);
        if found.mail_store.is_none() {
            let host = address.rsplit_once('@').map_or(address, |(_, domain)| domain).to_owned();
            let why = "no server that speaks MAPI over HTTP is named".to_owned();
            return Err(DiscoveryError::Unusable { host, why }.into());
        }
        Ok(found)
    }

    fn options(&self) -> Result<Options, Error> {
        Ok(Options { tls_ca: self.profile.tls_ca.clone(), sign_in: self.sign_in()?, ..Options::default() })
    }

    fn sign_in(&self) -> Result<SignIn, Error> {
        self.profile.sign_in.as_deref().map_or(Ok(SignIn::Auto), |word| Ok(word.parse()?))
    }

    /// The user with a password, from where the command line or the profile says that it is; else from the variable
    /// WATERTIGHT_PASSWORD, or from a prompt. Not for a runtime: it may wait for somebody to type.
    pub fn credentials(&self) -> Result<Credentials> {
        let user = self.user()?;
        let bad = |error: SetupError| sync::client(error.into());
        if let (Some(Secret::TokenCommand(command)), false) = (&self.profile.secret, self.reads_a_file()) {
            return Credentials::token_command(user, command.as_str()).map_err(bad);
        }
        if self.uses_a_ticket() {
            return Credentials::ticket(user).map_err(bad);
        }
        let password = self.password(user)?;
        Credentials::new(user, password.as_str()).map_err(bad)
    }

    /// Whether the password can be read more than once, without anybody who types.
    pub fn can_read_again(&self) -> bool {
        match &self.password_file {
            Some(file) => file != Path::new("-"),
            None => self.profile.secret.is_some(),
        }
    }

    fn password(&self, user: &str) -> Result<Zeroizing<String>> {
        if let Some(file) = &self.password_file {
            return secret::from_file(file);
        }
        match &self.profile.secret {
            Some(_) => {
                let read = async { self.profile.password().await.map_err(no_password) };
                on_runtime(1, read).map(Option::unwrap_or_default)
            }
            None => {
                let prompt = match &self.name {
                    Some(name) => format!("Password of {user} ({name}): "),
                    None => format!("Password of {user}: "),
                };
                if self.variable {
                    secret::from_environment_or_prompt(&prompt)
                } else {
                    secret::from_prompt(&prompt)
                }
            }
        }
    }

    /// A connector; nothing is asked of the server yet.
    pub fn connector(&self, credentials: &Credentials, ledger: &Ledger) -> Result<Connector> {
        self.connect(credentials, ledger).map_err(|error| self.failed(&error))
    }

    /// The same, for one whose server and user are known.
    pub fn connect(&self, credentials: &Credentials, ledger: &Ledger) -> Result<Connector, Error> {
        let server = self.profile.server.as_deref().unwrap_or_default();
        let endpoint = Endpoint::of_mailbox(server, credentials.user())?;
        Connector::new(endpoint, credentials, self.options()?, ledger)
    }

    /// A connector of the address book: at that URL, else beside the mailbox.
    pub fn book(
        &self,
        url: Option<&str>,
        credentials: &Credentials,
        ledger: &Ledger,
    ) -> Result<Connector, Error> {
        let endpoint = match url {
            Some(url) => Endpoint::parse(url)?,
            None => {
                let server = self.profile.server.as_deref().unwrap_or_default();
                Endpoint::of_mailbox(server, credentials.user())?.address_book()
            }
        };
        Connector::new(endpoint, credentials, self.options()?, ledger)
    }

    /// An error of the client, with its exit status and what to do about it.
    pub fn failed(&self, error: &Error) -> anyhow::Error {
        anyhow!(cure::of(error, self))
    }

    /// The user's DN: as it is known, or as Autodiscover says it.
    pub async fn dn(&self, connector: &Connector) -> Result<String> {
        if let Some(dn) = &self.profile.user_dn {
            return Ok(dn.clone());
        }
        sync::found_dn(connector, self.user()?).await.map_err(|error| self.failed(&error))
    }
}
