//! Side by side with what somebody would use instead.

use anyhow::{Result, bail};

use crate::{peers, run};

/// Runs a benchmark.
pub fn bench(args: &[String]) -> Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "sync" => sync(rest),
        Some((name, rest)) if name == "session" => session(rest),
        _ => bail!("there is no such benchmark: try `cargo xtask bench sync` or `cargo xtask bench session`"),
    }
}

/// Logon and logoff of the released program, and Dovecot's, by the same load.
fn session(args: &[String]) -> Result<()> {
    peers::report(&peers::install(peers::BENCH, true))?;
    run::run(run::cargo().args(["build", "--release", "--package", "watertight"]))?;
    let load = ["build", "--release", "--package", "watertight-mapi-server", "--example", "session_load"];
    run::run(run::cargo().args(load))?;
    let mut command = tool("bench_session.py");
    command.arg("--load").arg(run::root().join("target/release/examples/session_load")).args(args);
    run::run(&mut command)
}

/// The released program and Dovecot + mbsync on the same messages, in the same run.
fn sync(args: &[String]) -> Result<()> {
    peers::report(&peers::install(peers::BENCH, true))?;
    run::run(run::cargo().args(["build", "--release", "--package", "watertight"]))?;
    run::run(tool("bench_sync.py").args(args))
}

/// A tool that measures the released program.
fn tool(name: &str) -> std::process::Command {
    let root = run::root();
    let mut command = std::process::Command::new("python3");
    command
        .arg("-B")
        .arg(root.join("crates/testkit/data/tools").join(name))
        .arg("--program")
        .arg(root.join("target/release/watertight"))
        .arg("--scratch")
        .arg(root.join("target/bench"));
    command
}
