//! `watertight import`: Maildirs, mbox files and eml files into a mailbox.

mod engine;
mod maildir;
mod mbox;
mod mutf7;
mod source;

use std::time::Instant;

use anyhow::Result;
use watertight_mapi::store::MessageContent;
use watertight_wire::FileTime;

pub use engine::{Options, Report, import};
pub use source::Limits;

use crate::cli::{Common, Import};
use crate::exit::Exit;

fn convert(bytes: &[u8], delivered: Option<FileTime>) -> Result<MessageContent> {
    let _ = (bytes, delivered);
    Ok(MessageContent::default())
}

/// Runs the command.
pub fn run(args: &Import, common: &Common) -> Result<Exit> {
    let _ = (args, common, Instant::now());
    Ok(Exit::Done)
}
