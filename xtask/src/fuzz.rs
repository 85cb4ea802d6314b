//! Fuzzing on a stable toolchain: coverage by the compiler's own pass, libFuzzer by libfuzzer-sys.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{metadata, run};

/// What cargo-fuzz would set with a nightly compiler, less the address sanitizer.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// How long a target is run.
#[derive(Clone, Copy)]
enum Effort {
    /// So many seconds, from everything that earlier runs have found.
    Seconds(u32),
    /// So many inputs, the same ones in every run of the same code, within so many seconds.
    Inputs(u32, u32),
}

/// What CI does with each target.
const SHORT: Effort = Effort::Inputs(20_000, 10);

/// `[--short | --seconds N] [TARGET…]`
pub fn fuzz(args: &[String]) -> Result<()> {
    let mut effort = Effort::Seconds(60);
    let mut wanted = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let seconds = args.next().and_then(|n| n.parse().ok()).context("--seconds needs a number")?;
            effort = Effort::Seconds(seconds);
        } else if arg == "--short" {
            effort = SHORT;
        } else {
            wanted.push(arg.clone());
        }
    }
    all(effort, &wanted)
}

/// The short run of CI: every target, each with the same inputs in every run.
pub fn short() -> Result<()> {
    all(SHORT, &[])
}

fn all(effort: Effort, wanted: &[String]) -> Result<()> {
    if !run::answers("g++", &["--version"]) {
        println!("\n!!! NOT RUN: the fuzz targets: libFuzzer needs g++. Debian: apt-get install g++");
        if run::in_ci() {
            bail!("the fuzz targets did not run, which CI does not accept");
        }
        return Ok(());
    }
    let start = Instant::now();
    let host = metadata::host()?;
    let dir = run::root().join("target/fuzz");
    run::run(
        run::cargo()
            .args(["build", "--quiet", "--locked", "--package", "watertight-fuzz", "--features", "fuzzing"])
            // With a target named, the flags reach neither build scripts nor macros.
            .args(["--bin", "oracles", "--profile", "fuzz", "--target", &host, "--target-dir"])
            .arg(&dir)
            .env("RUSTFLAGS", COVERAGE),
    )?;
    let program = dir.join(&host).join("fuzz/oracles");
    let seeds = dir.join("seeds");
    std::fs::remove_dir_all(&seeds).ok();
    run::run(Command::new(&program).env("WATERTIGHT_SEEDS", &seeds))?;
    let known = directories(&seeds)?;
    println!("fuzz: built after {} s", start.elapsed().as_secs());
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        bail!("no fuzz target {unknown}; there are: {}", known.join(", "));
    }
    let todo: Vec<&String> = known.iter().filter(|name| wanted.is_empty() || wanted.contains(name)).collect();
    let failed = side_by_side(&todo, |target| one(target, effort, &program, &dir))?;
    println!("fuzz: {} targets after {} s", todo.len(), start.elapsed().as_secs());
    if !failed.is_empty() {
        bail!("{} failed; the inputs are in fuzz/artifacts", failed.join(", "));
    }
    Ok(())
}

/// Runs the targets, as many at a time as the machine has processors; returns those that failed.
fn side_by_side<'a>(
    targets: &[&'a String],
    run: impl Fn(&str) -> Result<bool> + Sync,
) -> Result<Vec<&'a str>> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if !run(target)? {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).push(target.as_str());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the fuzz run panicked")))
        })
    })?;
    Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(target: &str, effort: Effort, program: &Path, dir: &Path) -> Result<bool> {
    let artifacts = run::root().join("fuzz/artifacts").join(target);
    let seeds = dir.join("seeds").join(target);
    // libFuzzer's tables go by addresses: where those are random, so are its choices.
    let mut command = if matches!(effort, Effort::Inputs(..)) && run::answers("setarch", &["-R", "true"]) {
        let mut command = Command::new("setarch");
        command.arg("-R").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("WATERTIGHT_ORACLE", target);
    let corpus = match effort {
        Effort::Seconds(seconds) => {
            command.arg(format!("-max_total_time={seconds}"));
            run::root().join("fuzz/corpus").join(target)
        }
        Effort::Inputs(inputs, seconds) => {
            command.args(["-seed=1".to_owned(), format!("-runs={inputs}")]);
            command.arg(format!("-max_total_time={seconds}"));
            // What an earlier run has found would change what this one tries.
            let corpus = dir.join("short").join(target);
            std::fs::remove_dir_all(&corpus).ok();
            corpus
        }
    };
    for folder in [&artifacts, &corpus, &seeds] {
        std::fs::create_dir_all(folder)?;
    }
    let output = command
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-rss_limit_mb=1024", "-timeout=20", "-max_len=65536", "-print_final_stats=0"])
        .arg(corpus)
        .arg(seeds)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let done = text.lines().rev().find(|line| line.starts_with("Done")).unwrap_or("done");
        println!("fuzz: {target}: {done}");
        return Ok(true);
    }
    eprintln!("{text}");
    eprintln!("fuzz: {target}: FAILED ({})", output.status);
    Ok(false)
}

/// Every target has its directory of seeds.
fn directories(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
