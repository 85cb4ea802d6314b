//! A session as MAPI programs have it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use watertight_mapi::MapiCode;
use watertight_wire::{Guid, Writer};

use crate::error::Error;
use crate::logon::Logon;
use crate::mapi::error::MapiError;
use crate::mapi::flags::{LogoffFlags, LogonFlags};
use crate::session::{Session, SessionInfo};

/// MUIDEMSAB, the provider of address book entry ids — [MS-OXCDATA] 2.2.5.2.
const MUIDEMSAB: [u8; 16] =
    [0xDC, 0xA7, 0x40, 0xC8, 0xC0, 0x42, 0x10, 0x1A, 0xB4, 0xB9, 0x08, 0x00, 0x2B, 0x2F, 0xE1, 0x82];

/// A session: the role of IMAPISession. [`Mapi::logon_ex`](crate::Mapi::logon_ex) makes it.
///
/// Clones are the same session. A shared session lasts until everybody who logged on to it has logged off, any other
/// until [`MapiSession::logoff`], or until the last clone is dropped: then it is ended in the background. What was
/// opened through it ends with it, on the server in one request, and says MAPI_E_INVALID_OBJECT from then on.
#[derive(Clone)]
pub struct MapiSession(Arc<Seat>);

/// One logon to a session.
struct Seat {
    /// `None` after Logoff.
    core: Mutex<Option<Arc<Core>>>,
    last: Mutex<Option<MapiError>>,
}

/// What all who share a session have in common.
pub(crate) struct Core {
    session: Session,
    store: Logon,
    identity: Identity,
    flags: LogonFlags,
    /// Somebody who shares it has ended it for all.
    ended: AtomicBool,
}

/// Who is logged on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The display name.
    pub display_name: String,
    /// The name that was used to sign in.
    pub user: String,
    /// The server's URL, without its query.
    pub server: String,
    /// The legacy DN.
    pub legacy_dn: String,
    /// The profile; empty when there is none of that name.
    pub profile: String,
    /// The mailbox.
    pub mailbox: Guid,
}

impl Identity {
    /// The address book entry id — [MS-OXCDATA] 2.2.5.2 Address Book EntryID Structure.
    #[must_use]
    pub fn entry_id(&self) -> Vec<u8> {
        let mut w = Writer::new();
        // Flags, provider, version, and type (a local user).
        w.bytes(&[0; 4]);
        w.bytes(&MUIDEMSAB);
        w.bytes(&[1, 0, 0, 0]);
        w.bytes(&[0; 4]);
        w.bytes(self.legacy_dn.as_bytes());
        w.bytes(&[0]);
        w.into_bytes()
    }
}

impl Core {
    pub(crate) const fn new(session: Session, store: Logon, identity: Identity, flags: LogonFlags) -> Self {
        Self { session, store, identity, flags, ended: AtomicBool::new(false) }
    }

    /// Whether the session context can still be used, as far as is known here.
    pub(crate) fn alive(&self) -> bool {
        !self.ended.load(Ordering::Acquire) && self.session.is_alive()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Whatever was opened through it and is still held must not keep it.
        self.session.end();
    }
}

impl MapiSession {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(Arc::new(Seat { core: Mutex::new(Some(core)), last: Mutex::new(None) }))
    }

    /// The mailbox of the profile: the role of IMAPISession::OpenMsgStore with the default store.
    ///
    /// # Errors
    /// MAPI_E_INVALID_OBJECT after Logoff; MAPI_E_END_OF_SESSION when somebody else ended the shared session.
    #[doc(alias = "OpenMsgStore")]
    pub fn open_msg_store(&self) -> Result<Logon, MapiError> {
        self.with(|core| core.store.clone())
    }

    /// Who is logged on: the role of IMAPISession::QueryIdentity.
    ///
    /// # Errors
    /// As [`MapiSession::open_msg_store`].
    #[doc(alias = "QueryIdentity")]
    pub fn query_identity(&self) -> Result<Identity, MapiError> {
        self.with(|core| core.identity.clone())
    }

    /// What the server said when the session began.
    ///
    /// # Errors
    /// As [`MapiSession::open_msg_store`].
    pub fn info(&self) -> Result<SessionInfo, MapiError> {
        self.with(|core| core.session.info().clone())
    }

    /// Whether later logons may get this session.
    ///
    /// # Errors
    /// As [`MapiSession::open_msg_store`].
    pub fn is_shared(&self) -> Result<bool, MapiError> {
        self.with(|core| core.flags.contains(LogonFlags::ALLOW_OTHERS))
    }

    /// Ends the session: the role of IMAPISession::Logoff. A shared session goes on for the others who have it, unless
    /// [`LogoffFlags::SHARED`] ends it for all. When it returns the server holds nothing for it any more; if it is
    /// given up, that goes on in the background.
    ///
    /// # Errors
    /// MAPI_E_INVALID_OBJECT when it was logged off before; otherwise when the server could not be told. The session
    /// is gone in any case.
    #[doc(alias = "Logoff")]
    pub async fn logoff(&self, flags: LogoffFlags) -> Result<(), MapiError> {
        self.noted(flags.check())?;
        let Some(core) = self.core().take() else { return self.noted(Err(logged_off())) };
        let for_all = flags.contains(LogoffFlags::SHARED) && core.flags.contains(LogonFlags::ALLOW_OTHERS);
        if core.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        if for_all {
            core.ended.store(true, Ordering::Release);
            let result = core.session.close().await;
            return self.noted(result.map_err(MapiError::from));
        }
        // Whoever else has it goes on with it.
        let Some(core) = Arc::into_inner(core) else { return Ok(()) };
        let result = core.session.close().await;
        self.noted(result.map_err(MapiError::from))
    }

    /// The last error of this session, with its text: the role of IMAPISession::GetLastError. Errors of what was opened
    /// through the session are noted with [`MapiSession::note`].
    #[doc(alias = "GetLastError")]
    #[must_use]
    pub fn last_error(&self) -> Option<MapiError> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an error of something that was opened through the session, and gives it the form that MAPI programs know.
    pub fn note(&self, error: Error) -> MapiError {
        let error = MapiError::from(error);
        self.set_last(&error);
        error
    }

    fn with<T>(&self, what: impl FnOnce(&Core) -> T) -> Result<T, MapiError> {
        let result = match &*self.core() {
            None => Err(logged_off()),
            Some(core) if core.ended.load(Ordering::Acquire) => Err(MapiError::new(
                MapiCode::EndOfSession,
                "the shared session was ended by somebody else who has it",
                "log off, and log on again",
            )),
            Some(core) => Ok(what(core)),
        };
        self.noted(result)
    }

    fn noted<T>(&self, result: Result<T, MapiError>) -> Result<T, MapiError> {
        if let Err(error) = &result {
            self.set_last(error);
        }
        result
    }

    fn set_last(&self, error: &MapiError) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    }

    fn core(&self) -> MutexGuard<'_, Option<Arc<Core>>> {
        self.0.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MapiSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.core();
        f.debug_struct("MapiSession").field("identity", &core.as_ref().map(|core| &core.identity)).finish()
    }
}

fn logged_off() -> MapiError {
    MapiError::new(MapiCode::InvalidObject, "the session was logged off", "log on again")
}
