//! What CI runs.

use std::time::Instant;

use anyhow::Result;

use crate::{deny, fuzz, layers, run, soak, test};

/// Everything, in the order in which a mistake is found soonest. The tests' figures are the last lines.
pub fn ci() -> Result<()> {
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs();
    fmt()?;
    layers::check()?;
    deny::check()?;
    clippy()?;
    println!("\n── clippy is content after {} s", seconds());
    let mut counts = test::Counts::default();
    let tests = test::counted(&[], &mut counts);
    println!("\n── {counts}, after {} s", seconds());
    let fuzz = fuzz::short();
    println!("\n── the fuzz targets took us to {} s", seconds());
    let demo = demo();
    println!("\n── the demo ended after {} s", seconds());
    let soak = soak::soak();
    println!("\n── everything took {} s\n{counts}", seconds());
    tests.and(fuzz).and(demo).and(soak)
}

/// Formatting.
pub fn fmt() -> Result<()> {
    run::run(run::cargo().args(["fmt", "--all", "--check"]))
}

/// Lints.
pub fn clippy() -> Result<()> {
    run::run(run::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The product's first command, as the README has it.
pub fn demo() -> Result<()> {
    run::run(run::cargo().args(["run", "--release", "--locked", "--quiet", "--", "demo"]))
}
