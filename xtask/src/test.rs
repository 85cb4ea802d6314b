//! Every test: nextest where it is installed, `cargo test` otherwise, and the doctests.

use anyhow::{Result, bail};

use crate::peers::{self, Peer};
use crate::run;

/// How many tests there were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs the tests, or those whose names contain one of the words.
pub fn test(args: &[String]) -> Result<()> {
    let mut counts = Counts::default();
    let done = counted(args, &mut counts);
    println!("\n{counts}");
    done
}

/// The same; `counts` is right also when something failed.
pub fn counted(args: &[String], counts: &mut Counts) -> Result<()> {
    let may_install = !args.iter().any(|a| a == "--no-install");
    let words: Vec<&String> = args.iter().filter(|a| !a.starts_with("--")).collect();
    let missing = peers::install(peers::TEST, may_install);
    // The tests of the binary start it; nextest and cargo build it once with them.
    let mut good = if run::answers("cargo-nextest", &["--version"]) {
        nextest(&words, &missing, counts)?
    } else {
        println!("nextest is not installed: `cargo test` runs the tests, one program after the other");
        cargo_test(&words, &missing, counts)?
    };
    if words.is_empty() {
        let mut doctests = run::cargo();
        doctests.args(["test", "--workspace", "--doc", "--quiet", "--locked"]);
        good &= run::watch(&mut doctests, |line| counts.add_libtest(line))?;
    }
    let reported = peers::report(&missing);
    if !good || counts.failed > 0 {
        bail!("tests failed");
    }
    if counts.passed == 0 {
        bail!("no test ran");
    }
    reported
}

fn nextest(words: &[&String], missing: &[&Peer], counts: &mut Counts) -> Result<bool> {
    let mut command = run::cargo();
    command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(["--status-level", "slow", "--final-status-level", "fail", "--color", "never"]);
    let without: Vec<String> =
        missing.iter().flat_map(|peer| peer.tests).map(|word| format!("not test(/{word}/)")).collect();
    if !without.is_empty() {
        command.args(["-E", &without.join(" and ")]);
    }
    command.args(words);
    let mut seen = Counts::default();
    let good = run::watch(&mut command, |line| {
        if let Some(summary) = nextest_summary(line) {
            seen = summary;
        }
    })?;
    counts.add(seen);
    Ok(good)
}

fn cargo_test(words: &[&String], missing: &[&Peer], counts: &mut Counts) -> Result<bool> {
    let mut command = run::cargo();
    command.args([
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--quiet",
        "--locked",
        "--no-fail-fast",
    ]);
    command.arg("--").args(words);
    for word in missing.iter().flat_map(|peer| peer.tests) {
        command.args(["--skip", word]);
    }
    run::watch(&mut command, |line| counts.add_libtest(line))
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }

    /// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s`
    fn add_libtest(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.add(Self {
            passed: before(rest, "passed"),
            failed: before(rest, "failed"),
            skipped: before(rest, "ignored").saturating_add(before(rest, "filtered")),
        });
    }
}

/// `     Summary [   0.312s] 21 tests run: 20 passed (1 slow), 1 failed, 0 skipped`
fn nextest_summary(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("Summary [")?;
    let failed = before(rest, "failed").saturating_add(before(rest, "timed"));
    Some(Counts { passed: before(rest, "passed"), failed, skipped: before(rest, "skipped") })
}

/// The number that stands before a word.
fn before(text: &str, word: &str) -> u64 {
    let mut last = "";
    for part in text.split_whitespace() {
        if part.trim_matches(|c: char| !c.is_alphanumeric()) == word {
            return last.parse().unwrap_or(0);
        }
        last = part;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read() {
        let line = "     Summary [   0.312s] 22 tests run: 20 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(nextest_summary(line), Some(Counts { passed: 20, failed: 2, skipped: 3 }));
        assert_eq!(nextest_summary("  PASS [   0.004s] x"), None);
        let mut counts = Counts::default();
        counts
            .add_libtest("test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 4 filtered out; x");
        counts.add_libtest("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; x");
        assert_eq!(counts, Counts { passed: 8, failed: 1, skipped: 6 });
    }
}
