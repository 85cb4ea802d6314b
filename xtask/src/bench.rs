//! Side by side with what somebody would use instead.

use anyhow::{Result, bail};

use crate::{peers, run};

/// Runs a benchmark.
pub fn bench(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "sync" => sync(rest),
        _ => bail!("there is no such benchmark: try `cargo xtask bench sync`"),
    }
}

/// The released program and Dovecot + mbsync on the same messages, in the same run.
fn sync(args: &[String]) -> Result<()> {
    peers::report(&peers::install(peers::BENCH, true))?;
    run::run(run::cargo().args(["build", "--release", "--package", "watertight"]))?;
    let root = run::root();
    let tool = root.join("crates/testkit/data/tools/bench_sync.py");
    let mut command = std::process::Command::new("python3");
    command
        .arg("-B")
        .arg(tool)
        .arg("--program")
        .arg(root.join("target/release/watertight"))
        .arg("--scratch")
        .arg(root.join("target/bench"))
        .args(args);
    run::run(&mut command)
}
