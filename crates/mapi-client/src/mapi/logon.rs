//! One logon, from the profile's name to the open mailbox.

use std::future::Future;

use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::error::{DiscoveryError, Error, SignInError};
use crate::mapi::error::MapiError;
use crate::mapi::flags::LogonFlags;
use crate::mapi::session::{Core, Identity};
use crate::mapi::ui::{Answer, LogonUi, Question};
use crate::mapi::ways::Key;
use crate::mapi::{Mapi, chosen};
use crate::profile::{Profile, Secret};
use crate::sign_in::{Credentials, SignIn};

/// NO_MAIL — [MS-OXCSTOR] 2.2.1.1.1.
const NO_MAIL: u32 = 0x0000_0400;
/// How often a password may be typed.
const TYPED: u32 = 3;

/// What a logon is asked for with.
pub(super) struct Request<'a> {
    pub(super) mapi: &'a Mapi,
    pub(super) ui: &'a dyn LogonUi,
    pub(super) profile: Option<&'a str>,
    /// A profile that was given as it is, in place of a name.
    pub(super) given: Option<&'a Profile>,
    pub(super) password: Option<&'a str>,
    pub(super) flags: LogonFlags,
}

/// A password, and where it comes from.
struct Password {
    text: Zeroizing<String>,
    /// Under which name it is remembered.
    known_as: Option<String>,
    /// The user has just typed it.
    typed: bool,
}

/// Waits for something no longer than the flags allow.
pub(super) async fn in_time<T>(
    flags: LogonFlags,
    what: impl Future<Output = Result<T, MapiError>>,
) -> Result<T, MapiError> {
    if !flags.contains(LogonFlags::TIMEOUT_SHORT) {
        return what.await;
    }
    tokio::time::timeout(LogonFlags::SHORT, what).await.unwrap_or_else(|_| {
        let text = format!("the logon was held up for more than {} s", LogonFlags::SHORT.as_secs());
        Err(MapiError::new(MapiCode::Timeout, text, "try again later, or without MAPI_TIMEOUT_SHORT"))
    })
}

impl Request<'_> {
    pub(super) async fn run(&self) -> Result<Core, MapiError> {
        let (name, mut profile) = self.named().await?;
        let server = self.server(&name, &mut profile).await?;
        let user = self.user(&name, &mut profile).await?;
        let about = |error: MapiError| error.in_profile(&name);
        let endpoint = Endpoint::of_mailbox(&server, &user)
            .map_err(Error::from)
            .map_err(MapiError::from)
            .map_err(about)?;
        let mut tried = 0_u32;
        loop {
            tried = tried.saturating_add(1);
            let password = self.secret(&name, &profile, &endpoint, &user, tried > 1).await.map_err(about)?;
            let result =
                in_time(self.flags, self.sign_in(&name, &profile, &endpoint, &user, &password)).await;
            match &result {
                Ok(_) => {
                    if let (Some(known_as), true) = (&password.known_as, password.typed) {
                        self.mapi.keep_secret(known_as.clone(), &password.text);
                    }
                }
                Err(error) if matches!(error.cause(), Some(Error::SignIn(SignInError::Credentials))) => {
                    if let Some(known_as) = &password.known_as {
                        self.mapi.forget_secret(known_as);
                    }
                    if password.typed && tried < TYPED {
                        continue;
                    }
                }
                Err(_) => {}
            }
            return result.map_err(about);
        }
    }

    /// The profile, which the user may have to name.
    async fn named(&self) -> Result<(String, Profile), MapiError> {
        if let Some(given) = self.given {
            return Ok((String::new(), given.clone()));
        }
        let set = self.mapi.profiles().read()?;
        if let Some(name) = chosen(&set, self.profile, self.flags)? {
            let profile = set.get(&name)?.clone();
            return Ok((name, profile));
        }
        if set.profiles.is_empty() {
            // Everything is missing, and everything will be asked for.
            return Ok((String::new(), Profile::default()));
        }
        let known: Vec<String> = set.profiles.keys().cloned().collect();
        let lacking = || {
            MapiError::new(
                MapiCode::LogonFailed,
                "no profile is named, and nobody can be asked",
                format!("name one ({})", known.join(", ")),
            )
        };
        let name = self.ask(Question::Profile { known: &known }, None).await?.ok_or_else(lacking)?;
        let profile = set.get(&name)?.clone();
        Ok((name.to_string(), profile))
    }

    async fn server(&self, name: &str, profile: &mut Profile) -> Result<String, MapiError> {
        let known = profile.server.take();
        let question = Question::Server { profile: name, known: known.as_deref() };
        self.have(name, known.clone(), question, "server").await
    }

    async fn user(&self, name: &str, profile: &mut Profile) -> Result<String, MapiError> {
        let known = profile.login_name().map(str::to_owned);
        let question = Question::User { profile: name, known: known.as_deref() };
        self.have(name, known.clone(), question, "user").await
    }

    /// What is known, or what the user says.
    async fn have(
        &self,
        name: &str,
        known: Option<String>,
        question: Question<'_>,
        key: &'static str,
    ) -> Result<String, MapiError> {
        let always = self.flags.contains(LogonFlags::SERVICE_UI_ALWAYS | LogonFlags::LOGON_UI);
        if let (Some(known), false) = (&known, always) {
            return Ok(known.clone());
        }
        if self.flags.contains(LogonFlags::LOGON_UI)
            && let Some(said) = self.ask(question, known.as_deref()).await?
        {
            return Ok(said.to_string());
        }
        known.ok_or_else(|| {
            let text = format!("profile {name:?} has no {key}");
            let next = format!("write {key} = \"…\" into it, or allow questions (MAPI_LOGON_UI)");
            MapiError::new(MapiCode::UnconfiguredLogon, text, next)
        })
    }

    async fn secret(
        &self,
        name: &str,
        profile: &Profile,
        endpoint: &Endpoint,
        user: &str,
        refused: bool,
    ) -> Result<Password, MapiError> {
        if let Some(password) = self.password {
            return Ok(Password { text: Zeroizing::new(password.to_owned()), known_as: None, typed: false });
        }
        let sign_in = sign_in_of(profile)?;
        let known_as = match &profile.secret {
            Some(Secret::Command(command)) => format!("command {}", command.as_str()),
            // It runs when a token is needed.
            Some(Secret::TokenCommand(_)) => {
                return Ok(Password { text: Zeroizing::default(), known_as: None, typed: false });
            }
            Some(_) => {
                let text = profile.password().await?.unwrap_or_default();
                return Ok(Password { text, known_as: None, typed: false });
            }
            // With a ticket of Kerberos, nobody has to type anything.
            None if sign_in == Some(SignIn::Negotiate) && Credentials::has_ticket() => {
                return Ok(Password { text: Zeroizing::default(), known_as: None, typed: false });
            }
            None => format!("typed {user} {endpoint}"),
        };
        if let Some(text) = self.mapi.known_secret(&known_as) {
            return Ok(Password { text, known_as: Some(known_as), typed: false });
        }
        if let Some(text) = profile.password().await? {
            self.mapi.keep_secret(known_as.clone(), &text);
            return Ok(Password { text, known_as: Some(known_as), typed: false });
        }
        if self.flags.intersects(LogonFlags::LOGON_UI | LogonFlags::PASSWORD_UI) {
            let server = endpoint.to_string();
            let question = Question::Password { user, server: &server, refused };
            if let Some(text) = self.ask(question, None).await? {
                return Ok(Password { text, known_as: Some(known_as), typed: true });
            }
        }
        let text = format!("there is no password for {user}");
        let next = if name.is_empty() {
            "give one".to_owned()
        } else {
            "give one, or write password_file or password_command into the profile".to_owned()
        };
        Err(MapiError::new(MapiCode::UnconfiguredLogon, text, next))
    }

    /// `None` when nobody can be asked.
    async fn ask(
        &self,
        question: Question<'_>,
        known: Option<&str>,
    ) -> Result<Option<Zeroizing<String>>, MapiError> {
        match (self.ui.ask(question).await, known) {
            (Answer::Text(text), _) if !text.is_empty() => Ok(Some(text)),
            (Answer::Text(_), Some(known)) => Ok(Some(Zeroizing::new(known.to_owned()))),
            (Answer::Text(_) | Answer::Cancel, _) => {
                Err(MapiError::new(MapiCode::UserCancel, "the user did not want to log on", ""))
            }
            (Answer::Nobody, _) => Ok(None),
        }
    }

    async fn sign_in(
        &self,
        name: &str,
        profile: &Profile,
        endpoint: &Endpoint,
        user: &str,
        password: &Password,
    ) -> Result<Core, MapiError> {
        let sign_in = sign_in_of(profile)?;
        let credentials = match &profile.secret {
            Some(Secret::TokenCommand(command)) if self.password.is_none() => {
                Credentials::token_command(user, command.as_str())
            }
            None if self.password.is_none() && password.text.is_empty() => Credentials::ticket(user),
            _ => Credentials::new(user, password.text.as_str()),
        }
        .map_err(Error::from)?;
        let way = self.mapi.way(Key {
            endpoint: endpoint.clone(),
            credentials,
            tls_ca: profile.tls_ca.clone(),
            sign_in,
        })?;
        let dn = match profile.user_dn.clone().or_else(|| way.known_dn()) {
            Some(dn) => dn,
            None => {
                // For the login name, or for the address made of it.
                let dn = match way.connector.discover(user).await {
                    Err(error @ Error::Discovery(DiscoveryError::Unknown { .. })) if !user.contains('@') => {
                        let address = format!("{user}@{}", endpoint.host());
                        way.connector.discover(&address).await.map_err(|_| error)?.legacy_dn
                    }
                    found => found?.legacy_dn,
                };
                way.set_dn(Some(dn.clone()));
                dn
            }
        };
        let open_flags = if self.flags.contains(LogonFlags::NO_MAIL) { NO_MAIL } else { 0 };
        let opened = async {
            let session = way.connector.connect(&dn).await?;
            match session.logon_with(&dn, open_flags).await {
                Ok(store) => Ok((session, store)),
                Err(error) => {
                    // The first error is the one that matters.
                    let _ = session.disconnect().await;
                    Err(error)
                }
            }
        };
        let (session, store) = opened.await.inspect_err(|error| {
            // It may have moved.
            if matches!(error, Error::SignIn(SignInError::NoMailbox(_))) {
                way.set_dn(None);
            }
        })?;
        let identity = Identity {
            display_name: session.info().display_name.clone(),
            user: user.to_owned(),
            server: endpoint.to_string(),
            legacy_dn: dn,
            profile: name.to_owned(),
            mailbox: store.mailbox_guid(),
        };
        Ok(Core::new(session, store, identity, self.flags))
    }
}

/// How the profile says that the user signs in.
fn sign_in_of(profile: &Profile) -> Result<Option<SignIn>, MapiError> {
    let said = profile.sign_in.as_deref().map(str::parse).transpose();
    Ok(said.map_err(Error::from)?)
}
