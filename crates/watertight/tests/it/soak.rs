//! `watertight soak`: what leaks is found, what does not is flat, and nothing stays behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, House, PASSWORD, ended, pid, watertight};

/// `watertight soak` with a scratch directory of its own.
fn soak(scratch: &Path, args: &[&str]) -> Command {
    let mut command = watertight();
    command.arg("soak").args(args).env("TMPDIR", scratch);
    command
}

/// Runs it to its end: nothing may stay in its scratch directory.
fn soaked(args: &[&str]) -> Ended {
    let scratch = TempDir::new().unwrap();
    let ended = ended(&mut soak(scratch.path(), args));
    assert_eq!(left(scratch.path()), Vec::<String>::new(), "{args:?}");
    ended
}

fn left(scratch: &Path) -> Vec<String> {
    fs::read_dir(scratch).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// Measures that are not flat, with their processes.
fn leaks(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["flat"] == false)
        .map(|f| (text(&f["process"]), text(&f["measure"])))
        .collect()
}

fn found(json: &Value, process: &str, measure: &str) -> bool {
    leaks(json).contains(&(process.to_owned(), measure.to_owned()))
}

#[test]
fn sessions_that_end_in_every_way_are_flat() {
    let scratch = TempDir::new().unwrap();
    let page = scratch.path().join("page.html");
    let args = ["logon", "--how", "rotate", "--iterations", "240", "--json", "--report"];
    let run = ended(soak(scratch.path(), &args).arg(&page));
    let json = run.json();
    assert_eq!(run.code(), Some(0), "{:?} {}", leaks(&json), run.stderr);
    assert_eq!(run.stderr, "");
    assert_eq!(json["version"], 1);
    assert_eq!(json["scenario"], "logon");
    assert_eq!(json["flat"], true);
    assert!(json["iterations"].as_u64().unwrap() >= 240);
    let processes = json["processes"].as_array().unwrap();
    assert_eq!(
        processes.iter().map(|p| p["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["server", "worker"]
    );
    for key in ["fds", "threads", "rss_kib", "heap_bytes", "ledger"] {
        for side in ["before", "after"] {
            let sum: i64 = processes.iter().map(|p| p[key][side].as_i64().unwrap()).sum();
            assert_eq!(json[key][side].as_i64(), Some(sum), "{key} {side}");
        }
    }
    for key in ["fds", "threads", "ledger"] {
        assert_eq!(json[key]["before"], json[key]["after"], "{key}");
    }
    assert!(json["heap_bytes"]["per_iteration"].as_f64().unwrap() < 1.0);
    assert!(fs::read_to_string(&page).unwrap().contains("Flat"));
    assert_eq!(left(scratch.path()), ["page.html"]);
}

#[test]
fn synchronizations_that_end_in_every_way_are_flat() {
    let run = soaked(&["ics", "--how", "rotate", "--iterations", "60", "--json"]);
    let json = run.json();
    assert_eq!(run.code(), Some(0), "{:?} {}", leaks(&json), run.stderr);
    let (iterations, operations) =
        (json["iterations"].as_u64().unwrap(), json["operations"].as_u64().unwrap());
    assert!(iterations >= 60 && operations >= 3 * iterations, "{iterations} {operations}");
}

#[test]
fn leaks_in_sessions_are_found() {
    for place in ["worker", "server"] {
        let run = soaked(&[
            "logon",
            "--iterations",
            "200",
            "--plant",
            "bytes,ledger",
            "--plant-in",
            place,
            "--json",
        ]);
        let json = run.json();
        assert_eq!(run.code(), Some(1), "{place}: {}", run.stderr);
        assert_eq!(json["flat"], false);
        assert!(found(&json, place, "bytes") && found(&json, place, "ledger: planted"), "{:?}", leaks(&json));
        assert_eq!(json["windows"], 3);
    }
}

#[test]
fn leaks_in_synchronizations_are_found() {
    let run = soaked(&["ics", "--iterations", "40", "--plant", "bytes,ledger", "--json"]);
    let json = run.json();
    assert_eq!(run.code(), Some(1), "{}", run.stderr);
    assert!(
        found(&json, "worker", "bytes") && found(&json, "worker", "ledger: planted"),
        "{:?}",
        leaks(&json)
    );
}

#[test]
fn the_document_is_told_before_its_loop() {
    let run = soaked(&["Q293150", "--iterations", "100"]);
    assert_eq!(run.code(), Some(0), "{}\n{}", run.stdout, run.stderr);
    let told = run.stderr.find("MAPI_NEW_SESSION | MAPI_LOGON_UI | MAPI_NO_MAIL | MAPI_USE_DEFAULT");
    let table = run.stderr.find("sessions");
    assert!(told.is_some() && told < table, "{}", run.stderr);
    // The table: a line for each sample.
    let lines = run.stderr.lines().filter(|line| line.contains('│')).count();
    assert!(lines >= 2 + 25, "{}", run.stderr);
    assert!(run.stdout.ends_with("logon: flat\n"), "{}", run.stdout);
}

#[test]
fn another_server_is_soaked_from_here() {
    let house = House::new();
    let server = house.serve(&[]);
    let url = server.url.clone();
    let password = house.password();
    let password = password.to_str().unwrap();
    let args =
        ["logon", "--iterations", "100", "--server", &url, "--user", "anna", "--password-file", password];
    let run = soaked(&[&args[..], &["--json"]].concat());
    let json = run.json();
    assert_eq!(run.code(), Some(0), "{:?} {}", leaks(&json), run.stderr);
    assert_eq!(json["processes"].as_array().unwrap().len(), 1);
    assert!(!run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD));
    // It is not ours to leak in.
    let planted = soaked(&[&args[..], &["--plant", "fd", "--plant-in", "server"]].concat());
    assert_eq!(planted.code(), Some(1));
    fs::write(house.path("wrong"), "wrong\n").unwrap();
    let wrong = house.path("wrong");
    let mut refused = args;
    refused[8] = wrong.to_str().unwrap();
    let refused = soaked(&refused);
    assert_eq!(refused.code(), Some(3), "{}", refused.stderr);
    server.stop();
    let gone = soaked(&args);
    assert_eq!(gone.code(), Some(4), "{}", gone.stderr);
}

/// A run that has begun: the table's first line was shown.
fn begun(scratch: &Path) -> Child {
    let args = ["logon", "--iterations", "1000000"];
    let mut child = soak(scratch, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    // Two lines of heads, and the first sample.
    let seen = lines.by_ref().map_while(Result::ok).filter(|line| line.contains('│')).take(3).count();
    assert_eq!(seen, 3, "it did not begin");
    drop(lines);
    child
}

/// Processes that were given that scratch directory.
fn children(scratch: &Path) -> Vec<String> {
    let mark = format!("TMPDIR={}", scratch.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes()) {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[test]
fn a_killed_run_leaves_no_process_and_no_directory() {
    let scratch = TempDir::new().unwrap();
    let mut child = begun(scratch.path());
    assert_eq!(children(scratch.path()).len(), 3, "soak, its server, its worker");
    assert!(!left(scratch.path()).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !(children(scratch.path()).is_empty() && left(scratch.path()).is_empty()) {
        assert!(Instant::now() < deadline, "{:?} {:?}", children(scratch.path()), left(scratch.path()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_interrupted_run_cleans_up_itself() {
    for signal in [Signal::INT, Signal::TERM] {
        let scratch = TempDir::new().unwrap();
        let mut child = begun(scratch.path());
        kill_process(pid(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let mut told = String::new();
        child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(told.ends_with("logon: stopped before there was a verdict\n"), "{told}");
        assert_eq!(children(scratch.path()), Vec::<String>::new());
        assert_eq!(left(scratch.path()), Vec::<String>::new());
    }
}

#[test]
fn what_cannot_be_watched_is_said() {
    assert_eq!(soaked(&["pid", "4194305"]).code(), Some(1));
    let short = soaked(&["pid", &std::process::id().to_string(), "--for", "300ms", "--interval", "50ms"]);
    assert_eq!(short.code(), Some(2));
    assert!(short.stderr.contains("makes too few"), "{}", short.stderr);
    assert_eq!(soaked(&["logon", "--iterations", "5"]).code(), Some(2));
    assert_eq!(soaked(&["logon", "--server", "https://mail.example.org"]).code(), Some(2));
    assert_eq!(soaked(&["pid", "1", "--for", "soon"]).code(), Some(2));
}

/// Programs that are not ours.
mod peer_python {
    use super::*;

    struct Python(Child);

    impl Drop for Python {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A Python program that does this again and again, and is at it.
    fn python(step: &str) -> Python {
        let program = format!(
            "import time, os\nkept = []\nprint('begun', flush=True)\nn = 0\nwhile True:\n    n += 1\n    {step}\n    time.sleep(0.05)\n"
        );
        let mut child =
            Command::new("python3").args(["-c", &program]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "begun\n");
        Python(child)
    }

    fn watched(step: &str) -> (Option<i32>, Value) {
        let program = python(step);
        let pid = program.0.id().to_string();
        let run = soaked(&["pid", &pid, "--for", "7s", "--interval", "100ms", "--json"]);
        (run.code(), run.json())
    }

    #[test]
    fn a_leaked_descriptor_a_second_is_found() {
        let (code, json) = watched("(n % 20 or kept.append(os.open('/dev/null', os.O_RDONLY)))");
        assert_eq!(code, Some(1), "{:?}", json["findings"]);
        assert!(found(&json, "python3", "file descriptors"), "{:?}", leaks(&json));
        let files = &json["fds"]["kinds"]["files"];
        assert!(files["after"].as_u64() >= files["before"].as_u64().map(|n| n + 4), "{files}");
    }

    #[test]
    fn a_leaked_megabyte_a_second_is_found() {
        let (code, json) = watched("kept.append(bytearray(os.urandom(51200)))");
        assert_eq!(code, Some(1), "{:?}", json["findings"]);
        assert!(found(&json, "python3", "bytes"), "{:?}", leaks(&json));
    }

    #[test]
    fn a_program_that_works_and_leaks_nothing_is_flat() {
        let (code, json) =
            watched("kept = [os.urandom(20000) for _ in range(n % 7)]; open('/dev/null').close()");
        assert_eq!(code, Some(0), "{:?}", json["findings"]);
        assert_eq!((json["flat"].as_bool(), json["scenario"].as_str()), (Some(true), Some("pid")));
    }

    #[test]
    fn a_program_that_ends_is_judged_by_what_was_seen() {
        let program = python("n < 80 or os._exit(0)");
        let pid = program.0.id().to_string();
        let run = soaked(&["pid", &pid, "--interval", "50ms"]);
        assert_eq!(run.code(), Some(0), "{}\n{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("has ended"), "{}", run.stderr);
        assert!(run.stdout.contains("would not have shown"), "{}", run.stdout);
    }
}
