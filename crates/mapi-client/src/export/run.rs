use watertight_mapi::Fid;
use watertight_mapi::GlobalId;
use watertight_mapi::ics::export::{Export as Core, ExportFault, Turn};
use watertight_mapi::ics::syntactical::Event;
use watertight_mapi::ics::{Checkpoint, Scope, ScopeKind, State};
use watertight_mapi::prop::{PropData, PropValue};
use watertight_mapi::rop::sync::SynchronizationConfigureRequest;

use super::{Export, ExportError, Step};
use crate::download::Download;
use crate::error::Error;
use crate::logon::Logon;
use crate::start::{Plan, Which, start_one};

/// Events of which nothing is handed over, for example of messages that are passed over, in one step.
const MAX_EVENTS: usize = 4096;

/// A configured export.
pub(super) struct Run<C> {
    scope: Scope,
    core: C,
    /// `None` after the end and after a failure: the server holds nothing any more.
    download: Option<Download>,
    /// An event that waits until a REPLID in it is known.
    waiting: Option<Event>,
    buffer_size: usize,
    pub(super) catches_up: bool,
}

impl<C: Core> Run<C> {
    /// Config: reads the state, and starts the synchronization.
    pub(super) async fn start(
        logon: &Logon,
        folder: Fid,
        kind: ScopeKind,
        (state, export, configure): (&[u8], &Export, SynchronizationConfigureRequest),
        core: impl FnOnce(State) -> C,
    ) -> Result<Self, ExportError> {
        export.check()?;
        let replica = logon.replica(folder.repl_id).await?;
        let scope = Scope {
            kind,
            mailbox: logon.mailbox_guid(),
            folder: GlobalId::new(replica, folder.counter),
            restriction: if kind == ScopeKind::Contents { export.restriction_print()? } else { 0 },
        };
        let state = Checkpoint::open(state, &scope)?;
        let download = start_one(logon, Plan { folder: Which::Id(folder), configure, state: &state }).await?;
        Ok(Self {
            scope,
            core: core(state),
            download: Some(download),
            waiting: None,
            buffer_size: export.buffer_size.max(1),
            catches_up: export.catches_up(),
        })
    }

    /// UpdateState.
    pub(super) fn state(&self) -> Vec<u8> {
        Checkpoint { scope: self.scope, state: self.core.state().clone() }.to_bytes()
    }

    /// Synchronize: one change, or a piece of one. Dropping the future loses nothing.
    pub(super) async fn step(
        &mut self,
        mut take: impl FnMut(&mut C, Event) -> Result<Turn, ExportFault>,
    ) -> Result<Step, ExportError> {
        if self.core.is_ended() {
            return Ok(self.report(true));
        }
        let result = self.pieces(&mut take).await;
        if !matches!(result, Ok(false)) {
            self.download = None;
        }
        result.map(|done| self.report(done))
    }

    async fn pieces(
        &mut self,
        take: &mut impl FnMut(&mut C, Event) -> Result<Turn, ExportFault>,
    ) -> Result<bool, ExportError> {
        let mut bytes = 0_usize;
        for _ in 0..MAX_EVENTS {
            let event = self.event().await?;
            bytes = bytes.saturating_add(weight(&event));
            // A panic of the sink leaves nothing on the server either.
            let download = self.download.take();
            let turn = take(&mut self.core, event)?;
            self.download = download;
            match turn {
                Turn::Inside if bytes < self.buffer_size || self.catches_up => {}
                Turn::Inside => break,
                // Nobody waits for a step of which nothing is seen.
                Turn::Change if self.catches_up => {}
                Turn::Change => break,
                Turn::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The next event, all REPLIDs in it known.
    async fn event(&mut self) -> Result<Event, ExportError> {
        let Some(download) = &mut self.download else { return Err(ExportError::Interrupted) };
        if self.waiting.is_none() {
            self.waiting = download.next_event().await?;
        }
        while let Some(id) = self.waiting.as_ref().and_then(|event| self.core.unknown(event)) {
            let replica = download.logon().replica(id).await?;
            self.core.learn(id, replica);
        }
        self.waiting.take().ok_or_else(|| Error::from(ended()).into())
    }

    fn report(&self, done: bool) -> Step {
        let (progress, steps) = self.core.progress();
        let counted = self.download.as_ref().map_or(0, |download| u32::from(download.progress().total));
        Step { progress, steps: if done { progress } else { steps.max(counted) }, done }
    }
}

fn ended() -> crate::error::ProtocolError {
    crate::error::ProtocolError::Unexpected("a stream that ends without a state".to_owned())
}

/// About how many bytes an event hands over.
fn weight(event: &Event) -> usize {
    match event {
        Event::LargeChunk(bytes) => bytes.len(),
        Event::Property(prop) => match &prop.value {
            PropData::Inline(PropValue::Binary(b) | PropValue::Object(b) | PropValue::String8(b)) => b.len(),
            PropData::Inline(PropValue::Unicode(s)) => s.len(),
            PropData::Inline(PropValue::MvBinary(all) | PropValue::MvString8(all)) => {
                all.iter().map(Vec::len).sum()
            }
            PropData::Inline(PropValue::MvUnicode(all)) => all.iter().map(String::len).sum(),
            _ => 16,
        },
        _ => 16,
    }
}
