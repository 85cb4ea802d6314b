//! Exporters: the role of IExchangeExportChanges, and the order of its calls.
//!
//! A [`ContentsExporter`] (PR_CONTENTS_SYNCHRONIZER) or [`HierarchyExporter`] (PR_HIERARCHY_SYNCHRONIZER) of a folder
//! is told with `config` what to export since which state, calls a sink in `synchronize`, a step at a time, and says in
//! `update_state` what the sink has by now: bytes that the caller keeps, and gives to `config` when it goes on, at once
//! or years later. What a step takes is bounded: one change, or a piece of one.
//!
//! A change is in the state when the sink accepted it, and not before: after an error, a cancelled step or a lost
//! session, a new `config` with `update_state` goes on with nothing lost and nothing twice.

mod contents;
mod error;
mod flags;
mod hierarchy;
mod run;

pub use contents::ContentsExporter;
pub use error::ExportError;
pub use flags::{Export, ExportFlags};
pub use hierarchy::HierarchyExporter;
use watertight_mapi::{Fid, MapiCode};

use crate::folder::Folder;
use crate::logon::Logon;

/// How far an export is after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Step {
    /// Changes that were exported (`*lpulProgress`).
    pub progress: u32,
    /// Changes that there are, as far as that is known (`*lpulSteps`); never less than [`Step::progress`].
    pub steps: u32,
    /// Whether all was exported.
    pub done: bool,
}

impl Step {
    /// What IExchangeExportChanges::Synchronize returns: SYNC_W_PROGRESS (0x00040820) while more follows.
    #[must_use]
    pub const fn code(&self) -> MapiCode {
        if self.done { MapiCode::Success } else { MapiCode::SyncProgress }
    }
}

impl Folder {
    /// An exporter of this folder's messages; it does not need this handle.
    #[must_use]
    #[doc(alias = "PR_CONTENTS_SYNCHRONIZER")]
    pub fn contents_exporter(&self) -> ContentsExporter {
        ContentsExporter::new(self.logon(), self.id())
    }

    /// An exporter of the folders below this one; it does not need this handle.
    #[must_use]
    #[doc(alias = "PR_HIERARCHY_SYNCHRONIZER")]
    pub fn hierarchy_exporter(&self) -> HierarchyExporter {
        HierarchyExporter::new(self.logon(), self.id())
    }
}

impl Logon {
    /// An exporter of a folder's messages.
    #[must_use]
    pub fn contents_exporter(&self, folder: Fid) -> ContentsExporter {
        ContentsExporter::new(self, folder)
    }

    /// An exporter of the folders below a folder.
    #[must_use]
    pub fn hierarchy_exporter(&self, folder: Fid) -> HierarchyExporter {
        HierarchyExporter::new(self, folder)
    }
}
