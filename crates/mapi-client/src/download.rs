//! A synchronization on its way from the server.

use std::fmt;

use watertight_ledger::Entry;
use watertight_mapi::ics::syntactical::{self, Event, Root};

use crate::error::Error;
use crate::logon::Logon;
use crate::source::{Progress, Source};

/// What is synchronized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hierarchy,
    Contents,
}

/// What changed since a state, as it comes from the server: one event at a time, the next buffer travelling
/// meanwhile. At most two answers of 256 KiB are held. Dropping it ends the synchronization on the server too.
pub struct Download {
    source: Source,
    reader: syntactical::Download,
    logon: Logon,
    bytes: u64,
    state: Reading,
    _entry: Entry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Buffers,
    /// The last buffer was taken.
    Rest,
    Failed,
}

impl Download {
    pub(crate) fn new(logon: &Logon, kind: Kind, source: Source) -> Self {
        let root = match kind {
            Kind::Hierarchy => Root::HierarchySync,
            Kind::Contents => Root::ContentsSync,
        };
        let entry = logon.requester.settings.ledger.kind("downloads").enter();
        Self {
            source,
            reader: syntactical::Download::new(root),
            logon: logon.clone(),
            bytes: 0,
            state: Reading::Buffers,
            _entry: entry,
        }
    }

    /// The next event; `None` after [`Event::End`]. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the requests meet, and [`Error::Protocol`] when the stream is not of the grammar. Nothing follows an
    /// error.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        if self.state == Reading::Failed {
            return Err(crate::logon::unexpected("the download had failed before"));
        }
        let result = self.read().await;
        if result.is_err() {
            self.state = Reading::Failed;
        }
        result
    }

    async fn read(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.reader.poll_event()? {
                return Ok(Some(event));
            }
            if self.state == Reading::Rest {
                return Ok(None);
            }
            match self.source.next().await? {
                Some(buffer) => {
                    self.bytes = self.bytes.saturating_add(watertight_wire::to_u64(buffer.len()));
                    self.reader.handle_input(&buffer);
                }
                None => {
                    self.state = Reading::Rest;
                    self.reader.finish()?;
                }
            }
        }
    }

    /// How far it is, by the server's own count.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.source.progress()
    }

    /// Bytes of the stream so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The logon that it runs in.
    #[must_use]
    pub const fn logon(&self) -> &Logon {
        &self.logon
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("bytes", &self.bytes)
            .field("state", &self.state)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
