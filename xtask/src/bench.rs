//! Side by side with what somebody would use instead.

use anyhow::{Result, bail};

/// Runs a benchmark.
pub fn bench(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        _ => bail!("there is no such benchmark: try `cargo xtask bench sync`"),
    }
}
