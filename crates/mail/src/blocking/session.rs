//! Sessions that wait.

use std::path::PathBuf;

use super::{Engine, Folder, Folders};
use crate::Error;

/// An open mailbox; [`crate::Session`] without `async`. It is closed by [`Session::close`], or when it and all that was
/// opened through it is dropped.
#[derive(Debug, Clone)]
pub struct Session(crate::Session);

/// How a session is opened: [`Session::to`], [`Session::with_profile`].
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before open"]
pub struct Open {
    open: crate::Open,
    engine: Option<Engine>,
}

impl Session {
    /// A session with this server: the URL of its mailbox endpoint, or of the server alone.
    pub fn to(server: impl Into<String>) -> Open {
        Open { open: crate::Session::to(server), engine: None }
    }

    /// A session with a profile of the configuration file; an empty name is the default one.
    pub fn with_profile(name: impl Into<String>) -> Open {
        Open { open: crate::Session::with_profile(name), engine: None }
    }

    /// As [`crate::Session::user`].
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.user()
    }

    /// As [`crate::Session::server`].
    #[must_use]
    pub fn server(&self) -> &str {
        self.0.server()
    }

    /// As [`crate::Session::inbox`].
    #[must_use]
    pub fn inbox(&self) -> Folder {
        Folder(self.0.inbox())
    }

    /// As [`crate::Session::sent`].
    #[must_use]
    pub fn sent(&self) -> Folder {
        Folder(self.0.sent())
    }

    /// As [`crate::Session::trash`].
    #[must_use]
    pub fn trash(&self) -> Folder {
        Folder(self.0.trash())
    }

    /// As [`crate::Session::outbox`].
    #[must_use]
    pub fn outbox(&self) -> Folder {
        Folder(self.0.outbox())
    }

    /// As [`crate::Session::root`].
    #[must_use]
    pub fn root(&self) -> Folder {
        Folder(self.0.root())
    }

    /// As [`crate::Session::folder`].
    ///
    /// # Errors
    /// As there.
    pub fn folder(&self, path: &str) -> Result<Folder, Error> {
        self.wait(self.0.folder(path)).map(Folder)
    }

    /// As [`crate::Session::folders`].
    #[must_use]
    pub fn folders(&self) -> Folders {
        self.root().walk()
    }

    /// As [`crate::Session::create_folder`].
    ///
    /// # Errors
    /// As there.
    pub fn create_folder(&self, path: &str) -> Result<Folder, Error> {
        self.wait(self.0.create_folder(path)).map(Folder)
    }

    /// As [`crate::Session::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self) -> Result<(), Error> {
        self.wait(self.0.close())
    }

    /// As [`crate::Session::is_closed`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn wait<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.0.0.engine()?.wait(future)?
    }
}

impl Open {
    /// As [`crate::Open::user`].
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.open = self.open.user(user);
        self
    }

    /// As [`crate::Open::password`].
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.open = self.open.password(password);
        self
    }

    /// As [`crate::Open::user_dn`].
    pub fn user_dn(mut self, dn: impl Into<String>) -> Self {
        self.open = self.open.user_dn(dn);
        self
    }

    /// As [`crate::Open::tls_ca`].
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.open = self.open.tls_ca(file);
        self
    }

    /// As [`crate::Open::ask`].
    pub fn ask(mut self) -> Self {
        self.open = self.open.ask();
        self
    }

    /// Over this engine instead of the one that is shared.
    pub fn over(mut self, engine: &Engine) -> Self {
        self.engine = Some(engine.clone());
        self
    }

    /// As [`crate::Open::open`].
    ///
    /// # Errors
    /// As there, and as [`Engine::wait`].
    pub fn open(self) -> Result<Session, Error> {
        let engine = match self.engine {
            Some(engine) => engine,
            None => Engine::shared()?,
        };
        engine.wait(engine.session(self.open))?.map(Session)
    }
}
