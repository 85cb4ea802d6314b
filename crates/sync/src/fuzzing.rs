//! For `fuzz`: what lies between a server's stream and the engine.

use std::path::Path;

use watertight_ledger::Ledger;
use watertight_mapi::ics::{Download, Root};
use watertight_mapi::{GlobCnt, ReplId};
use watertight_wire::Guid;

use crate::assemble::Assembler;
use crate::replica::marker;
use crate::translate::Translator;
use crate::{Change, GlobalId, HierarchyChanges, SyncError, SyncResult};

/// Takes a stream in pieces of `piece` bytes from the wire to whole messages, as a run does; large values go
/// through files in `spool`. Tells how many messages were whole, and how many folders came.
///
/// # Errors
/// [`SyncError`] of a run. A stream that breaks the protocol of FastTransfer ends it without an error.
pub fn receive(root: Root, stream: &[u8], piece: usize, spool: &Path) -> SyncResult<(usize, usize)> {
    let mut download = Download::new(root);
    let mut translator = Translator::default();
    let mut assembler = Assembler::new(spool, Ledger::new("fuzz").kind("spooled values"));
    let mut folders = HierarchyChanges::default();
    let top = GlobalId::new(Guid::NIL, GlobCnt::default());
    let (mut messages, mut changes) = (0_usize, Vec::new());
    for bytes in stream.chunks(piece.max(1)) {
        download.handle_input(bytes);
        loop {
            let event = match download.poll_event() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) => return Ok((messages, folders.changed.len())),
            };
            while let Some(id) = translator.unknown(&event) {
                translator.learn(id, replica_of(id));
            }
            if root == Root::HierarchySync {
                translator.hierarchy(event, top, &mut folders);
                continue;
            }
            translator.contents(event, &mut changes, &mut |_| ());
            for change in changes.drain(..) {
                messages = messages.saturating_add(usize::from(take(&mut assembler, change)?));
            }
        }
    }
    Ok((messages, folders.changed.len()))
}

/// As [`crate::FolderRun::change`], with nothing on disk but the spool.
fn take(assembler: &mut Assembler, change: Change) -> SyncResult<bool> {
    match change {
        Change::Total { .. }
        | Change::Partial { .. }
        | Change::Deleted(_)
        | Change::Read(_)
        | Change::Unread(_) => {}
        Change::Failed { .. } => assembler.reset(),
        Change::State(_) if assembler.in_message() => {
            return Err(SyncError::Protocol("a state in the middle of a message".to_owned()));
        }
        Change::State(_) => {}
        piece => {
            if assembler.piece(piece)?.is_some() {
                assembler.reset();
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn replica_of(id: ReplId) -> Guid {
    Guid::new(u32::from(id.0), 0, 0, [7; 8])
}

/// What a folder's marker file says: its FID and its path.
#[must_use]
pub fn folder_marker(text: &str) -> Option<(GlobalId, String)> {
    marker(text)
}

/// Whether a pattern of folder paths matches one.
#[must_use]
pub fn glob(pattern: &str, path: &str) -> bool {
    crate::synchronizer::glob::matches(pattern, path)
}
