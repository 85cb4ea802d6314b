//! What everything that was opened in a session shares.

use watertight_mapi::Fid;
use watertight_mapi_client::{LogoffFlags, Logon, MapiSession, SpecialFolder};

use crate::Error;
use crate::slot::Slots;

/// The session below, and what is open in it. When the last who has it lets go, the session ends in the background.
pub(crate) struct Link {
    session: MapiSession,
    pub(crate) slots: Slots,
    pub(crate) user: String,
    pub(crate) server: String,
    pub(crate) standard: Standard,
    /// Last: its thread must outlive the session. None of asynchronous sessions.
    engine: Option<crate::blocking::Engine>,
}

/// The standard folders' ids.
pub(crate) struct Standard {
    pub(crate) inbox: Fid,
    pub(crate) sent: Fid,
    pub(crate) trash: Fid,
    pub(crate) outbox: Fid,
    pub(crate) root: Fid,
}

impl Link {
    pub(crate) fn new(session: MapiSession, engine: Option<crate::blocking::Engine>) -> Result<Self, Error> {
        let store = session.open_msg_store()?;
        let standard = Standard {
            inbox: store.special_folder(SpecialFolder::Inbox),
            sent: store.special_folder(SpecialFolder::SentItems),
            trash: store.special_folder(SpecialFolder::DeletedItems),
            outbox: store.special_folder(SpecialFolder::Outbox),
            root: store.special_folder(SpecialFolder::IpmSubtree),
        };
        let identity = session.query_identity()?;
        let (user, server) = (identity.display_name, identity.server);
        Ok(Self { session, slots: Slots::default(), user, server, standard, engine })
    }

    /// The mailbox, for as long as the session lives.
    pub(crate) fn store(&self) -> Result<Logon, Error> {
        Ok(self.session.open_msg_store()?)
    }

    /// Ends the session; what was opened through it is released with it. Doing so again does nothing.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.slots.empty();
        if self.is_closed() {
            return Ok(());
        }
        Ok(self.session.logoff(LogoffFlags::empty()).await?)
    }

    /// What waits for blocking sessions.
    pub(crate) fn engine(&self) -> Result<&crate::blocking::Engine, Error> {
        self.engine.as_ref().ok_or_else(|| Error::invalid("the session is an asynchronous one"))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.session.open_msg_store().is_err()
    }
}
