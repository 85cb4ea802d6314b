//! `watertight demo`

use anyhow::Result;

use crate::cli::{Common, Demo};
use crate::exit::Exit;

/// Runs the command.
pub fn run(args: &Demo, common: &Common) -> Result<Exit> {
    let _ = (args, common);
    anyhow::bail!("not there yet")
}
