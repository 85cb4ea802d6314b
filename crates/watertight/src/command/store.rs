//! `watertight store`

use anyhow::Result;

use crate::cli::{Common, Store};
use crate::exit::Exit;

/// Runs the command.
pub fn run(command: &Store, common: &Common) -> Result<Exit> {
    let _ = (command, common);
    anyhow::bail!("not there yet")
}
