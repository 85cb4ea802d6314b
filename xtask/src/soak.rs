//! The proof: both loops as the issue has them are flat, twenty clean runs are flat, and every planted leak is found.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::run;

/// Clean runs of each loop, by how their iterations end.
const CLEAN: [&str; 5] = ["closed", "unclosed", "panic", "error", "rotate"];
/// The document's loop of 6000 takes less than this.
const SECONDS: f64 = 20.0;

/// Runs all of it with the released program.
pub fn soak() -> Result<()> {
    run::run(run::cargo().args(["build", "--release", "--locked", "--quiet", "--package", "watertight"]))?;
    let start = Instant::now();
    let logon = one(&["logon", "--iterations", "6000"], true)?;
    let seconds = of(&logon, "seconds").as_f64().context("soak --json without seconds")?;
    ensure!(seconds < SECONDS, "soak logon --iterations 6000 took {seconds:.1} s, and {SECONDS} are allowed");
    one(&["ics", "--iterations", "500"], true)?;
    // Two at a time, as there are two processors at least: twenty runs in all.
    for how in CLEAN {
        for _ in 0..2 {
            let clean = |scenario, iterations| {
                move || one(&[scenario, "--iterations", iterations, "--how", how], true).map(drop)
            };
            both(clean("logon", "1000"), clean("ics", "60"))?;
        }
    }
    for (scenario, iterations) in [("logon", "6000"), ("ics", "500")] {
        let in_place = |place| move || planted(scenario, iterations, place);
        both(in_place("worker"), in_place("server"))?;
    }
    println!(
        "\nsoak: flat where it is flat, and every planted leak found ({:.0} s)",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Two at one time.
fn both(a: impl FnOnce() -> Result<()>, b: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    std::thread::scope(|scope| {
        let other = scope.spawn(b);
        let first = a();
        let other = other.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        first.and(other)
    })
}

/// A run that leaks in every way at once; each leak must be named.
fn planted(scenario: &str, iterations: &str, place: &str) -> Result<()> {
    let args = [scenario, "--iterations", iterations, "--plant", "fd,bytes,ledger", "--plant-in", place];
    let json = one(&args, false)?;
    let findings = of(&json, "findings").as_array().context("soak --json without findings")?;
    for measure in ["file descriptors", "bytes", "ledger: planted"] {
        let found = findings.iter().any(|f| {
            let here = of(f, "process").as_str() == Some(place) && of(f, "measure").as_str() == Some(measure);
            // 16 bytes for each operation, and what the entries of the ledger take.
            let estimate = of(f, "slope").get(1).and_then(Value::as_f64).unwrap_or(0.0);
            let size = measure != "bytes" || (15.0..20.0).contains(&estimate);
            here && size && of(f, "flat") == &Value::Bool(false)
        });
        ensure!(found, "soak {scenario} did not find the leak of {measure} in the {place}");
    }
    Ok(())
}

/// One run, with the verdict that it must have.
fn one(args: &[&str], flat: bool) -> Result<Value> {
    let program = run::root().join("target/release/watertight");
    let line = format!("watertight soak {}", args.join(" "));
    let mut child = Command::new(program)
        .arg("soak")
        .args(args)
        .arg("--json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {line}"))?;
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    let status = child.wait()?;
    let json: Value =
        serde_json::from_str(&text).with_context(|| format!("{line}: {status}, and no JSON"))?;
    println!(
        "  {line}: {}, {} windows, {:.1} s, {:.0} iterations a second",
        if of(&json, "flat") == &Value::Bool(true) { "flat" } else { "not flat" },
        of(&json, "windows"),
        of(&json, "seconds").as_f64().unwrap_or(0.0),
        of(&json, "rate").as_f64().unwrap_or(0.0),
    );
    if of(&json, "flat") != &Value::Bool(flat) || status.code() != Some(i32::from(!flat)) {
        let not: Vec<&Value> = of(&json, "findings")
            .as_array()
            .into_iter()
            .flatten()
            .filter(|f| of(f, "flat") == &Value::Bool(false))
            .collect();
        bail!("{line}: {status}, not flat are {not:?}");
    }
    Ok(json)
}

fn of<'a>(json: &'a Value, key: &str) -> &'a Value {
    json.get(key).unwrap_or(&Value::Null)
}
