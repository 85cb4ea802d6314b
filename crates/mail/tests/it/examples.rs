//! The examples do what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use watertight_mail::AddOptions;

use crate::kit::{House, PASSWORD, mail};

/// An example's program: cargo builds them beside the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}

fn run(house: &House, name: &str) -> Vec<String> {
    let mut command = Command::new(program(name));
    let output = command.args([&house.url, "anna"]).env("WATERTIGHT_PASSWORD", PASSWORD).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn they_all_run() {
    let house = House::new();
    let engine = house.engine();
    let session = house.blocking(&engine);
    for n in 0..3 {
        session.inbox().add(&mail(n), &AddOptions::default()).unwrap();
    }
    let expected: Vec<_> =
        [2, 1, 0].iter().map(|n| format!("Sender {n} <s{n}@example.org> - message number {n}")).collect();
    assert_eq!(run(&house, "list_inbox"), expected);
    assert_eq!(run(&house, "follow"), ["new: something new"]);
    assert_eq!(session.inbox().counts().unwrap().messages, 3);
    let listed = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap().count();
    assert_eq!(listed, 2, "every example is run here");
    session.close().unwrap();
    drop((session, engine));
    house.end();
}
