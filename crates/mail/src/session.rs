//! Sessions.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use watertight_ledger::Ledger;
use watertight_mapi::Fid;
use watertight_mapi_client::{
    LogonFlags, LogonUi, Mapi, NoUi, Options, Profile, ProfileSet, Profiles, Terminal,
};

use crate::link::Link;
use crate::{Error, Folder, Folders};

/// An open mailbox. Clones are the same session.
///
/// It ends with [`Session::close`], or in the background when the session and everything that was opened through it
/// is dropped. It lives in a tokio runtime; [`blocking::Session`](crate::blocking::Session) does without.
///
/// ```no_run
/// # async fn f() -> Result<(), watertight_mail::Error> {
/// use watertight_mail::Session;
///
/// let session = Session::to("https://mail.example.org/").user("anna").password("…").open().await?;
/// let mut messages = session.inbox().messages();
/// while let Some(message) = messages.next().await? {
///     println!("{}", message.subject());
/// }
/// session.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Link>);

/// How a session is opened: [`Session::to`], [`Session::with_profile`].
#[derive(Clone)]
#[must_use = "nothing is opened before open"]
pub struct Open {
    mapi: Option<Mapi>,
    ledger: Ledger,
    named: Option<String>,
    profile: Profile,
    password: Option<String>,
    ask: bool,
}

impl Session {
    /// A session with this server: the URL of its mailbox endpoint, or of the server alone.
    pub fn to(server: impl Into<String>) -> Open {
        let mut profile = Profile::default();
        profile.server = Some(server.into());
        Open::new(None, profile)
    }

    /// A session with a profile of the configuration file; an empty name is the default one.
    pub fn with_profile(name: impl Into<String>) -> Open {
        Open::new(Some(name.into()), Profile::default())
    }

    /// The user's display name, as the server knows it.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// Where the server is.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// The Inbox.
    #[must_use]
    pub fn inbox(&self) -> Folder {
        self.standard(self.0.standard.inbox)
    }

    /// Where messages that were sent are kept.
    #[must_use]
    pub fn sent(&self) -> Folder {
        self.standard(self.0.standard.sent)
    }

    /// Where messages go that a person deletes.
    #[must_use]
    pub fn trash(&self) -> Folder {
        self.standard(self.0.standard.trash)
    }

    /// Where messages wait to be sent.
    #[must_use]
    pub fn outbox(&self) -> Folder {
        self.standard(self.0.standard.outbox)
    }

    /// The top of the mailbox: the folder that all that people see lie in.
    #[must_use]
    pub fn root(&self) -> Folder {
        Folder::new(&self.0, self.0.standard.root, Some(String::new()))
    }

    /// The folder with this path: `Archive/2004`. Case does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is none.
    pub async fn folder(&self, path: &str) -> Result<Folder, Error> {
        self.root().folder(path).await
    }

    /// All folders, each before those in it.
    #[must_use]
    pub fn folders(&self) -> Folders {
        self.root().walk()
    }

    /// Makes a folder, and those that are missing on the way.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_folder(&self, path: &str) -> Result<Folder, Error> {
        self.root().create(path).await
    }

    /// Ends the session: when this returns the server holds nothing for it. Closing again does nothing.
    ///
    /// # Errors
    /// When the server could not be told. The session is closed all the same.
    pub async fn close(&self) -> Result<(), Error> {
        self.0.close().await
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn standard(&self, id: Fid) -> Folder {
        Folder::new(&self.0, id, None)
    }

    pub(crate) fn weak_link(&self) -> Weak<Link> {
        Arc::downgrade(&self.0)
    }
}

impl Open {
    fn new(named: Option<String>, profile: Profile) -> Self {
        let ledger = Ledger::new("watertight_mail");
        Self { mapi: None, ledger, named, profile, password: None, ask: false }
    }

    /// The user's name.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.profile.user = Some(user.into());
        self
    }

    /// The password.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The user's legacy DN; without it, Autodiscover on the server is asked.
    pub fn user_dn(mut self, dn: impl Into<String>) -> Self {
        self.profile.user_dn = Some(dn.into());
        self
    }

    /// A file with certificates of authorities that are trusted besides the system's.
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.profile.tls_ca = Some(file.into());
        self
    }

    /// What is missing is asked for on the terminal, if there is one.
    pub const fn ask(mut self) -> Self {
        self.ask = true;
        self
    }

    /// Through this: sessions of one [`Mapi`] use each other's connections. Profiles are its.
    pub fn through(mut self, mapi: &Mapi) -> Self {
        self.mapi = Some(mapi.clone());
        self
    }

    /// What the session holds is counted here, unless [`Open::through`] says where.
    pub fn counted_in(mut self, ledger: &Ledger) -> Self {
        self.ledger = ledger.clone();
        self
    }

    /// Opens it: connects, signs in, opens the mailbox.
    ///
    /// # Errors
    /// [`ErrorKind::SignIn`](crate::ErrorKind::SignIn), [`ErrorKind::Reach`](crate::ErrorKind::Reach), and
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for profiles and arguments that cannot be used.
    pub async fn open(self) -> Result<Session, Error> {
        self.open_in(None).await
    }

    /// Through an engine's [`Mapi`], unless another was given.
    pub(crate) fn through_if_none(mut self, mapi: &Mapi) -> Self {
        self.mapi.get_or_insert_with(|| mapi.clone());
        self
    }

    pub(crate) async fn open_in(self, engine: Option<crate::blocking::Engine>) -> Result<Session, Error> {
        let mapi = match self.mapi {
            Some(mapi) => mapi,
            None => Mapi::new(usual_profiles(), Options::default(), &self.ledger),
        };
        if let (None, false) = (&self.named, self.ask)
            && self.profile.user.is_none()
        {
            return Err(Error::invalid("a server without a user: say who signs in"));
        }
        let ui: &dyn LogonUi = if self.ask { &Terminal } else { &NoUi };
        let mut flags = LogonFlags::NEW_SESSION | LogonFlags::USE_DEFAULT;
        if self.ask {
            flags |= LogonFlags::LOGON_UI;
        }
        let password = self.password.as_deref();
        let session = match &self.named {
            Some(name) => {
                // A name goes before the default.
                if !name.is_empty() {
                    flags.remove(LogonFlags::USE_DEFAULT);
                }
                mapi.logon_ex(ui, Some(name), password, flags).await?
            }
            None => mapi.logon_with(ui, &self.profile, password, flags - LogonFlags::USE_DEFAULT).await?,
        };
        Ok(Session(Arc::new(Link::new(session, engine)?)))
    }
}

/// Where profiles are; none where nobody says where the home is.
pub(crate) fn usual_profiles() -> Profiles {
    Profiles::usual().unwrap_or_else(|_| Profiles::of(ProfileSet::default()))
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.0.server).field("user", &self.0.user).finish()
    }
}

/// Without the password.
impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("named", &self.named)
            .field("profile", &self.profile)
            .field("ask", &self.ask)
            .finish_non_exhaustive()
    }
}
