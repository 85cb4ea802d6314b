//! Programs that are run, and what they print.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, PathBuf::from)
}

/// A cargo of the toolchain that built us, in the repository's root.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What `cargo run` set for us is not meant for the cargo that we start.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// Shows the command, runs it and says how long it took.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    println!("\n$ {line}");
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    println!("  ({:.1} s)", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Runs the command, passes every line of both of its outputs on, and to `see` too. Says whether it succeeded.
pub fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let line = shown(command);
    println!("\n$ {line}");
    let start = Instant::now();
    let (reader, writer) = std::io::pipe().context("a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start {line}"))?;
    // The command holds the writing ends; the pipe ends only when they are closed.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for text in BufReader::new(reader).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        println!("{text}");
        see(&text);
    }
    let status = child.wait()?;
    println!("  ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(status.success())
}

/// What the command prints, when it succeeds.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let line = shown(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {line}"))?;
    if !output.status.success() {
        bail!("{line}: {}", output.status);
    }
    Ok(output.stdout)
}

/// Whether the program is there and answers these arguments with success.
pub fn answers(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether CI runs us: what may be left out elsewhere is a failure there.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_else(|| OsStr::new("?")).to_string_lossy().into_owned();
    command.get_args().fold(program, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}
