//! `watertight sync`

use anyhow::Result;

use crate::cli::{Common, Sync};
use crate::exit::Exit;

/// Runs the command.
pub fn run(args: &Sync, common: &Common) -> Result<Exit> {
    let _ = (args, common);
    anyhow::bail!("not there yet")
}
