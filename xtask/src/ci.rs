//! What CI runs.

use std::time::Instant;

use anyhow::Result;

use crate::{deny, fuzz, layers, run, test};

/// Everything, in the order in which a mistake is found soonest. The tests' figures are the last lines.
pub fn ci() -> Result<()> {
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs();
    fmt()?;
    layers::check()?;
    deny::check()?;
    clippy()?;
    println!("\n── clippy is content after {} s", seconds());
    let tests = test::test(&[]);
    println!("── the tests took us to {} s", seconds());
    tests.as_ref().ok();
    fuzz::short()?;
    println!("\n── the fuzz targets took us to {} s", seconds());
    demo()?;
    println!("\n── everything took {} s", seconds());
    tests
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
