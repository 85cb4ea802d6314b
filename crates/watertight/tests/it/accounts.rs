//! Accounts of a configuration: `sync NAME`, `sync --all`, and what goes before what.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::harness::{House, PASSWORD, count, ended, small_maildir, watertight};

/// Writes a file that only we read.
pub fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A profile for anna at that server.
fn profile(name: &str, server: &str, more: &str) -> String {
    format!("[profile.{name}]\naddress = \"anna@example.org\"\nserver = \"{server}\"\n{more}\n")
}

#[test]
fn a_name_is_enough_and_options_go_before_it() {
    let house = House::new();
    small_maildir(&house.path("source"), 20);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    private(&house.path("password"), &format!("{PASSWORD}\n"));
    let config = house.path("config.toml");
    let work = profile("work", &server.url, "password_file = \"password\"\nmaildir = \"mail\"");
    private(&config, &format!("default = \"work\"\n{work}"));
    let sync = |args: &[&str]| ended(watertight().arg("sync").args(args).arg("--config").arg(&config));

    let first = sync(&["work", "--json"]).good();
    assert_eq!(first.json()["added"], 20, "{}", first.stdout);
    assert_eq!(count(&house.path("mail")), 20);
    let default = sync(&["--json"]).good();
    assert_eq!(default.json()["added"], 0);

    // Another Maildir, in either form; another password; another folder.
    let other = house.path("other").display().to_string();
    let there = sync(&["work", &other, "--folder", "INBOX", "--json"]).good();
    assert_eq!(there.json()["folders"], 1);
    assert!(count(&house.path("other")) < 20);
    assert_eq!(sync(&["work", &other, "--maildir", &other]).code(), Some(2));
    private(&house.path("wrong"), "wrong\n");
    let wrong = house.path("wrong").display().to_string();
    assert_eq!(sync(&["work", "--password-file", &wrong]).code(), Some(3));
    assert_eq!(sync(&["work", "--password-command", "exit 1"]).code(), Some(3));

    // What is not there is said, with what there is or how it comes to be.
    let unknown = sync(&["play"]);
    assert_eq!(unknown.code(), Some(2));
    assert!(unknown.stderr.contains("there is work"), "{}", unknown.stderr);
    private(&config, &work.replace("maildir", "#"));
    for (args, cure) in [(&["work"][..], "watertight sync work MAILDIR"), (&[], "watertight login")] {
        let lacking = sync(args);
        assert_eq!(lacking.code(), Some(2), "{}", lacking.stderr);
        assert!(lacking.stderr.contains(cure), "{}", lacking.stderr);
    }
    private(&config, "[profile.work]\npassword = \"hunter2\"\n");
    let bad = sync(&["work"]);
    assert_eq!(bad.code(), Some(2));
    assert!(
        bad.stderr.contains("config.toml, line 2: ") && !bad.stderr.contains("hunter2"),
        "{}",
        bad.stderr
    );
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let open = sync(&["work"]);
    assert!(open.code() == Some(2) && open.stderr.contains("chmod 600"), "{}", open.stderr);
    server.stop();
}

#[test]
fn all_accounts_are_synchronized_and_one_that_fails_stops_no_other() {
    let house = House::new();
    small_maildir(&house.path("source"), 20);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    private(&house.path("password"), &format!("{PASSWORD}\n"));
    private(&house.path("wrong"), "wrong\n");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = house.path("config.toml");
    let right = "password_file = \"password\"";
    let accounts = [
        profile("a", &server.url, &format!("{right}\nmaildir = \"a\"")),
        profile("b", &server.url, "password_file = \"wrong\"\nmaildir = \"b\""),
        profile("c", &format!("http://{nobody}/"), &format!("{right}\nmaildir = \"c\"")),
        profile("d", &server.url, &format!("{right}\nmaildir = \"a\"")),
        profile("e", &server.url, &format!("{right}\nmaildir = \"e\"\nfolder = \"INBOX\"")),
        profile("f", &server.url, "maildir = \"f\""),
        profile("g", &server.url, right),
    ];
    let sync = |accounts: &[String], args: &[&str]| {
        private(&config, &accounts.concat());
        ended(watertight().args(["sync", "--all", "--config"]).arg(&config).args(args))
    };
    let all = sync(&accounts, &["--json"]);
    let json = all.json();
    let list = json["accounts"].as_array().unwrap();
    let exits: Vec<_> =
        list.iter().map(|a| (a["name"].as_str().unwrap(), a["exit"].as_u64().unwrap())).collect();
    // The one without a Maildir is not meant; the one without a password finds nobody to ask.
    assert_eq!(exits, [("a", 0), ("b", 3), ("c", 4), ("d", 2), ("e", 0), ("f", 3)], "{json}");
    assert_eq!(all.code(), Some(2), "the lowest that is not 0");
    assert_eq!((&list[0]["added"], &list[4]["folders"]), (&20.into(), &1.into()), "{json}");
    assert_eq!(count(&house.path("a")), 20);
    for (n, what) in [(1, "password"), (2, "cannot be reached"), (3, "the account \"a\" too")] {
        assert!(list[n]["error"].as_str().unwrap().contains(what), "{}", list[n]);
    }
    for line in ["b: ", "c: ", "d: ", "f: "] {
        assert_eq!(all.stderr.lines().filter(|l| l.starts_with(line)).count(), 1, "{}", all.stderr);
    }

    // For people: one table.
    let two = sync(&[accounts[0].clone(), accounts[2].clone()], &[]);
    assert_eq!(two.code(), Some(4));
    let table: Vec<_> = two.stdout.lines().collect();
    assert!(table[0].starts_with("account  done "), "{}", two.stdout);
    assert!(table[1].starts_with("a        nothing changed "), "{}", two.stdout);
    assert_eq!(table[2], "c        could not reach");
    assert_eq!(table.len(), 3);

    // The variable is for one account: nobody else's server gets it.
    private(&config, &accounts[5]);
    let variable = |args: &[&str]| {
        let mut command = watertight();
        command.args(["sync", "--config"]).arg(&config).args(args).env("WATERTIGHT_PASSWORD", PASSWORD);
        ended(&mut command).code()
    };
    assert_eq!((variable(&["--all"]), variable(&["f"])), (Some(3), Some(0)));
    for with in [&["a"][..], &["--maildir", "x"], &["--user", "x"], &["--password-file", "x"]] {
        assert_eq!(sync(&accounts[..1], with).code(), Some(2), "{with:?}");
    }
    assert_eq!(sync(&accounts[6..], &[]).code(), Some(2));
    server.stop();
}
