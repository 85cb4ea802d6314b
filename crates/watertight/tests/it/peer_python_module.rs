//! The Python module, installed as people install it, against the program: the tests of `python/tests`.
//! `cargo xtask test` leaves this module out, and says so, where there is no python3.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::ended;

/// Runs a command to its end, which must be a good one; its output is shown otherwise.
fn done(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let ended = ended(command);
    assert_eq!(ended.code(), Some(0), "{shown}\n{}\n{}", ended.stdout, ended.stderr);
    ended.stderr
}

/// A virtual environment that is kept between runs, with the module as it is now.
fn installed(source: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = place.join("bin/python");
    if !python.exists() {
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
    }
    let pip = || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    };
    done(pip().arg("-r").arg(source.join("tests/requirements.txt")));
    // As the tests are built, into the same target directory: what they have built already is not built again.
    done(
        pip()
            .env("MATURIN_PEP517_ARGS", "--profile dev --locked")
            .args(["--force-reinstall", "--no-deps"])
            .arg(source),
    );
    python
}

#[test]
fn the_module_does_what_its_tests_say() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python");
    let python = installed(&source);
    let ran = done(
        Command::new(&python)
            .args(["-B", "-m", "unittest", "discover", "--start-directory"])
            .arg(source.join("tests"))
            .env("WATERTIGHT", env!("CARGO_BIN_EXE_watertight"))
            .env_remove("WATERTIGHT_PASSWORD"),
    );
    let count = ran.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok());
    assert!(count.is_some_and(|count: u32| count >= 30), "{ran}");
    assert!(!ran.contains("skipped"), "{ran}");
    // The type stubs, judged by mypy.
    let elsewhere = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mypy = || {
        let mut mypy = Command::new(&python);
        mypy.current_dir(elsewhere).arg("-m");
        mypy
    };
    done(
        mypy().args(["mypy.stubtest", "watertight", "--allowlist"]).arg(source.join("tests/stubtest.allow")),
    );
    let examples = std::fs::read_dir(source.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples = examples.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    done(mypy().args(["mypy", "--strict", "--cache-dir"]).arg(elsewhere.join("mypy")).args(examples));
}
