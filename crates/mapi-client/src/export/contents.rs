use std::fmt;

use watertight_ledger::Entry;
use watertight_mapi::Fid;
use watertight_mapi::ics::export::ContentsExport;
use watertight_mapi::ics::sink::{Deletion, MessageChange, ReadStateChange, SinkResult, Verdict};
use watertight_mapi::ics::{ContentsSink, GuidIdSet, ScopeKind};

use super::run::Run;
use super::{Export, ExportError, Step};
use crate::logon::Logon;

/// Exports what changed in a folder's messages: IExchangeExportChanges of PR_CONTENTS_SYNCHRONIZER.
///
/// It holds nothing on the server before `config`, after the last step, and after an error.
///
/// ```no_run
/// # use watertight_mapi::ics::sink::Count;
/// # use watertight_mapi_client::{Export, ExportError, Folder};
/// # async fn f(folder: Folder, mut kept: Vec<u8>) -> Result<Vec<u8>, ExportError> {
/// let mut exporter = folder.contents_exporter();
/// exporter.config(&kept, &Export::default()).await?;
/// let mut sink = Count::default();
/// while !exporter.synchronize(&mut sink).await?.done {
///     // A good moment to keep what the sink has.
///     kept = exporter.update_state()?;
/// }
/// println!("{sink:?}");
/// # exporter.update_state()
/// # }
/// ```
pub struct ContentsExporter {
    logon: Logon,
    folder: Fid,
    run: Option<Run<ContentsExport>>,
    _entry: Entry,
}

impl ContentsExporter {
    pub(crate) fn new(logon: &Logon, folder: Fid) -> Self {
        let entry = logon.requester.settings.ledger.kind("exporters").enter();
        Self { logon: logon.clone(), folder, run: None, _entry: entry }
    }

    /// Config: what is exported, since which state. No bytes are the state before a first export. It may be called
    /// again at any time; what was going on is given up.
    ///
    /// # Errors
    /// [`ExportError::State`] for bytes that are no state of this folder; what the requests meet. The exporter is not
    /// configured then.
    pub async fn config(&mut self, state: &[u8], export: &Export) -> Result<(), ExportError> {
        self.run = None;
        let about = (state, export, export.contents());
        let run =
            Run::start(&self.logon, self.folder, ScopeKind::Contents, about, ContentsExport::new).await?;
        self.run = Some(run);
        Ok(())
    }

    /// Synchronize: gives the sink the next change, or the next piece of one, and says how far it is. After the last
    /// step it does nothing and says so again. Dropping the future loses nothing: the next call goes on.
    ///
    /// # Errors
    /// [`ExportError::Sink`] with the sink's error; what the requests meet. After an error only `config` goes on, from
    /// [`ContentsExporter::update_state`].
    pub async fn synchronize<S: ContentsSink + ?Sized>(&mut self, sink: &mut S) -> Result<Step, ExportError> {
        let run = self.run.as_mut().ok_or(ExportError::Unconfigured)?;
        if run.catches_up {
            return run.step(|core, event| core.event(event, &mut CatchUp)).await;
        }
        run.step(|core, event| core.event(event, sink)).await
    }

    /// Synchronize until all is exported.
    ///
    /// # Errors
    /// As [`ContentsExporter::synchronize`].
    pub async fn synchronize_all<S: ContentsSink + ?Sized>(
        &mut self,
        sink: &mut S,
    ) -> Result<Step, ExportError> {
        loop {
            let step = self.synchronize(sink).await?;
            if step.done {
                return Ok(step);
            }
        }
    }

    /// UpdateState: what the sink has by now, to be kept, and given to a later `config` of the same folder. It needs no
    /// session any more.
    ///
    /// # Errors
    /// [`ExportError::Unconfigured`].
    pub fn update_state(&self) -> Result<Vec<u8>, ExportError> {
        self.run.as_ref().map(Run::state).ok_or(ExportError::Unconfigured)
    }

    /// The folder.
    #[must_use]
    pub const fn folder(&self) -> Fid {
        self.folder
    }
}

impl fmt::Debug for ContentsExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentsExporter").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// SYNC_CATCHUP: everything is as if it had been taken.
struct CatchUp;

impl ContentsSink for CatchUp {
    fn message_change(&mut self, _: &MessageChange) -> SinkResult<Verdict> {
        Ok(Verdict::Ignore)
    }

    fn message_deletion(&mut self, _: Deletion, _: &GuidIdSet) -> SinkResult {
        Ok(())
    }

    fn read_state_change(&mut self, _: &ReadStateChange) -> SinkResult {
        Ok(())
    }
}
