//! Side by side with what somebody would use instead.

use anyhow::{Result, bail};

use crate::peers;

/// Runs a benchmark.
pub fn bench(args: &[String]) -> Result<()> {
    if args.first().is_none_or(|name| name != "sync") {
        bail!("there is no such benchmark: try `cargo xtask bench sync`");
    }
    peers::report(&peers::install(peers::BENCH, true))?;
    bail!("the synchronizer is not there yet")
}
