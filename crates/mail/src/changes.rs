//! What has changed in a folder, by ICS.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use watertight_mapi::ics::GuidIdSet;
use watertight_mapi::ics::sink::{
    ContentsSink, Deletion, Failure, MessageChange, Piece, ReadStateChange, SinkResult, Verdict,
};
use watertight_mapi::prop::PropBag;
use watertight_mapi::{GlobCnt, GlobalId, PropTag};
use watertight_mapi_client::{ContentsExporter, Export, ExportError, ExportFlags};
use watertight_wire::Guid;

use crate::blocking::Engine;
use crate::link::Link;
use crate::{Error, ErrorKind, Folder, Message};

/// Something that has changed in a folder.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// A message is new: [`Changes`] has not given it since its first state.
    New(Message),
    /// A message that was given before has changed, its read state apart.
    Changed(Message),
    /// The message with this id ([`Message::id`]) was deleted or moved away.
    Deleted(String),
    /// The message with this id was marked read.
    Read(String),
    /// The message with this id was marked unread.
    Unread(String),
    /// The server could not give the message with this id, where it says which; it is offered again next time.
    Failed(Option<String>),
}

/// What has changed since a state, one change after another: the role of IExchangeExportChanges.
///
/// ```no_run
/// # async fn f(inbox: watertight_mail::Folder, kept: Vec<u8>) -> Result<(), watertight_mail::Error> {
/// let mut changes = inbox.sync(&kept);
/// while let Some(change) = changes.next().await? {
///     println!("{change:?}");
/// }
/// let kept = changes.state().to_vec();
/// # Ok(())
/// # }
/// ```
pub struct Changes {
    folder: Folder,
    state: Vec<u8>,
    exporter: Option<ContentsExporter>,
    sink: Collector,
    done: bool,
    failed: bool,
}

impl Changes {
    /// What waits for the session, when it is one of [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// For an asynchronous session.
    pub fn engine(&self) -> Result<Engine, Error> {
        self.link().engine().cloned()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.folder.0.link
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn new(folder: &Folder, state: &[u8]) -> Self {
        Self {
            folder: folder.clone(),
            state: state.to_vec(),
            exporter: None,
            sink: Collector::default(),
            done: false,
            failed: false,
        }
    }

    /// The next change.
    ///
    /// # Errors
    /// For a state that is not of this folder, and when the server cannot be asked; a new [`Folder::sync`] goes on
    /// from [`Changes::state`].
    pub async fn next(&mut self) -> Result<Option<Change>, Error> {
        let next = self.step().await;
        if next.is_err() {
            self.failed = true;
            self.exporter = None;
        }
        next
    }

    async fn step(&mut self) -> Result<Option<Change>, Error> {
        if self.failed {
            return Err(Error::invalid(
                "the synchronization had failed before; begin a new one from its state",
            ));
        }
        let store = self.folder.0.link.store()?;
        if self.exporter.is_none() && !self.done {
            let mut exporter = store.contents_exporter(self.folder.id());
            let mut export = Export::of(ExportFlags::default() | ExportFlags::ONLY_SPECIFIED_PROPS);
            export.include = Folder::message_columns().to_vec();
            exporter.config(&self.state, &export).await?;
            self.state = exporter.update_state()?;
            self.exporter = Some(exporter);
        }
        loop {
            if let Some(change) = self.sink.ready.pop_front() {
                return self.given(change).await.map(Some);
            }
            let Some(exporter) = &mut self.exporter else { return Ok(None) };
            // Everything that was collected has been given.
            self.state = exporter.update_state()?;
            if self.done {
                self.exporter = None;
                return Ok(None);
            }
            self.done = exporter.synchronize(&mut self.sink).await?.done;
        }
    }

    /// What the caller has by now: keep it, and give it to [`Folder::sync`] to go on, at once or years later. It
    /// counts a change when the next one is asked for.
    #[must_use]
    pub fn state(&self) -> &[u8] {
        &self.state
    }

    /// Makes a change of what was collected; a range of ids goes on.
    async fn given(&mut self, collected: Collected) -> Result<Change, Error> {
        Ok(match collected {
            Collected::Message { id, known, props } => {
                let message = Message::of_id(&self.folder, id, &props).await?;
                if known { Change::Changed(message) } else { Change::New(message) }
            }
            Collected::Ids { what, replica, low, high } => {
                if let Some(next) = low.value().checked_add(1).and_then(GlobCnt::new)
                    && next <= high
                {
                    self.sink.ready.push_front(Collected::Ids { what, replica, low: next, high });
                }
                let id = GlobalId::new(replica, low).to_string();
                match what {
                    What::Deleted => Change::Deleted(id),
                    What::Read => Change::Read(id),
                    What::Unread => Change::Unread(id),
                }
            }
            Collected::Failed(id) => Change::Failed(id.map(|id| id.to_string())),
        })
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("folder", &self.folder)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Client(error) => error.into(),
            other => Self::new(ErrorKind::Invalid, other.code(), other.to_string()),
        }
    }
}

/// What one step brings.
#[derive(Default)]
struct Collector {
    ready: VecDeque<Collected>,
    /// The message that is coming.
    current: Option<(GlobalId, bool, PropBag)>,
    /// In how many recipients, attachments and messages of attachments we are.
    depth: u32,
}

enum Collected {
    Message { id: GlobalId, known: bool, props: PropBag },
    Ids { what: What, replica: Guid, low: GlobCnt, high: GlobCnt },
    Failed(Option<GlobalId>),
}

#[derive(Debug, Clone, Copy)]
enum What {
    Deleted,
    Read,
    Unread,
}

fn wanted(tag: PropTag) -> bool {
    Folder::message_columns().iter().any(|column| column.id() == tag.id())
}

impl Collector {
    fn ids(&mut self, what: What, set: &GuidIdSet) {
        for (replica, counters) in set.iter() {
            let ranges = counters.ranges();
            self.ready.extend(ranges.map(|(low, high)| Collected::Ids { what, replica, low, high }));
        }
    }
}

impl ContentsSink for Collector {
    fn message_change(&mut self, change: &MessageChange) -> SinkResult<Verdict> {
        self.depth = 0;
        self.current = Some((change.id, change.known, PropBag::default()));
        Ok(Verdict::Take)
    }

    fn piece(&mut self, piece: Piece) -> SinkResult {
        let Some((_, _, props)) = &mut self.current else { return Ok(()) };
        match piece {
            // A server may send more than it was asked for.
            Piece::Property(prop) if self.depth == 0 && wanted(prop.tag) => props.put(prop),
            Piece::RecipientBegin | Piece::AttachmentBegin { .. } | Piece::EmbeddedBegin => {
                self.depth = self.depth.saturating_add(1);
            }
            Piece::RecipientEnd | Piece::AttachmentEnd | Piece::EmbeddedEnd => {
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        Ok(())
    }

    fn message_end(&mut self) -> SinkResult {
        if let Some((id, known, props)) = self.current.take() {
            self.ready.push_back(Collected::Message { id, known, props });
        }
        Ok(())
    }

    fn message_deletion(&mut self, _: Deletion, ids: &GuidIdSet) -> SinkResult {
        self.ids(What::Deleted, ids);
        Ok(())
    }

    fn read_state_change(&mut self, change: &ReadStateChange) -> SinkResult {
        self.ids(What::Read, &change.read);
        self.ids(What::Unread, &change.unread);
        Ok(())
    }

    fn failed(&mut self, failure: &Failure) -> SinkResult {
        self.current = None;
        self.ready.push_back(Collected::Failed(failure.id));
        Ok(())
    }
}
