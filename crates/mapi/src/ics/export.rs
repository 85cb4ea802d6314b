//! What an export makes of a stream: events go in, a sink is called, and the state says what the sink has.
//!
//! No I/O: [`ContentsExport`] and [`HierarchyExport`] take the [`Event`]s of a download, whoever reads it. The state is
//! the one that the export began with and what the sink accepted since — [MS-OXCFXICS] 3.3.5.6 — and at the end the
//! server's, less what the sink did not take.

mod contents;
mod hierarchy;
mod replicas;

pub use contents::ContentsExport;
pub use hierarchy::HierarchyExport;
use replicas::Replicas;

use super::{State, sink::SinkError, syntactical::Event};
use crate::ReplId;
use watertight_wire::Guid;

/// What an event was for the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// More of the same change follows.
    Inside,
    /// A change is complete: a good moment to stop.
    Change,
    /// The export is complete.
    End,
}

/// Why an export cannot go on.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The sink failed.
    #[error("the sink failed")]
    Sink(#[source] SinkError),
    /// An earlier call of the sink failed or panicked: the rest of the stream is of no use.
    #[error("the sink failed before; begin again from the state")]
    Broken,
    /// The stream ended without a final state.
    #[error("a stream that ends without a state")]
    NoState,
}

/// An export that is being made of a stream.
pub trait Export {
    /// A REPLID of this logon that must be known before the event can be taken, and is not.
    fn unknown(&mut self, event: &Event) -> Option<ReplId>;

    /// Tells which replica stands behind a REPLID.
    fn learn(&mut self, id: ReplId, replica: Guid);

    /// What the sink has.
    fn state(&self) -> &State;

    /// How many changes are done, and how many there are at least.
    fn progress(&self) -> (u32, u32);

    /// Whether the stream came to its end.
    fn is_ended(&self) -> bool;
}

/// Where the state stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The final state has come.
    Final,
    Ended,
    /// A sink was called and has not returned well.
    Broken,
}

#[cfg(test)]
mod tests;

/// Calls a sink: when it does not return well, the export is broken.
fn call<T>(phase: &mut Phase, sink: impl FnOnce() -> super::sink::SinkResult<T>) -> Result<T, ExportFault> {
    let before = core::mem::replace(phase, Phase::Broken);
    let value = sink().map_err(ExportFault::Sink)?;
    *phase = before;
    Ok(value)
}
