//! `watertight serve --inspect`: the socket that tells what the server holds.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use serde_json::Value;

use crate::harness::{House, ended, watertight};

/// A connection at which the counts are asked for.
pub struct Inspection(BufReader<UnixStream>);

impl Inspection {
    pub fn connect(path: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(path).unwrap()))
    }

    pub fn ask(&mut self) -> Value {
        self.ask_to("")
    }

    /// Asks after the server did something.
    pub fn ask_to(&mut self, order: &str) -> Value {
        self.0.get_mut().write_all(format!("{order}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// How many things of all kinds are held below a node of the tree.
pub fn held(ledger: &Value) -> i64 {
    let own: i64 = ledger["kinds"].as_object().unwrap().values().map(|h| h["now"].as_i64().unwrap()).sum();
    own + ledger["children"].as_array().into_iter().flatten().map(held).sum::<i64>()
}

/// The node of the tree with that name, at any depth.
pub fn node<'a>(ledger: &'a Value, name: &str) -> Option<&'a Value> {
    if ledger["name"] == name {
        return Some(ledger);
    }
    ledger["children"].as_array()?.iter().find_map(|child| node(child, name))
}

#[test]
fn a_server_tells_what_it_holds_and_only_to_its_owner() {
    let house = House::new();
    let path = house.path("inspect");
    let server = house.serve(&["--inspect", path.to_str().unwrap()]);
    assert_eq!(std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut inspection = Inspection::connect(&path);
    let first = inspection.ask();
    assert_eq!(first["version"], 1);
    assert!(first["allocated"].as_u64().unwrap() > 100_000);
    assert_eq!(first["ledger"]["name"], "watertight");
    assert_eq!(held(node(&first["ledger"], "mapi-server").unwrap()), 0);
    // What a client held is counted, also when it is gone.
    assert!(ended(&mut house.sync(&server.url, &house.path("mail"))).good().json().is_object());
    let after = Inspection::connect(&path).ask();
    let server_now = node(&after["ledger"], "mapi-server").unwrap();
    assert!(server_now["kinds"]["session contexts"]["ever"].as_u64().unwrap() > 0);
    server.stop();
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn sockets_of_dead_servers_are_replaced_and_others_are_not() {
    let house = House::new();
    let path = house.path("inspect");
    let serve = || {
        let mut command = watertight();
        command.args(["serve", "--http", "127.0.0.1:0", "--data"]).arg(house.data());
        command.arg("--inspect").arg(&path);
        command
    };
    house.serve(&["--inspect", path.to_str().unwrap()]).kill();
    assert!(path.exists(), "it was killed");
    house.serve(&["--inspect", path.to_str().unwrap()]).stop();

    let live = UnixListener::bind(&path).unwrap();
    let refused = ended(&mut serve());
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr.contains("another process listens there"), "{}", refused.stderr);
    drop(live);
    std::fs::remove_file(&path).unwrap();

    std::fs::write(&path, "precious").unwrap();
    let refused = ended(&mut serve());
    assert_eq!(refused.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
