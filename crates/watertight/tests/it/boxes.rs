//! Mailboxes of others, archives and public folders, with the program: served, granted, synchronized.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Ended, House, corpus, count, ended, maildir, watertight};

/// A house with two people more, and mail of anna's.
fn house() -> House {
    let house = House::new();
    for name in ["bea", "cem"] {
        ended(
            watertight()
                .args(["user", "add", name, "--smtp", &format!("{name}@example.org"), "--data"])
                .arg(house.data())
                .arg("--password-file")
                .arg(house.password()),
        )
        .good();
    }
    house
}

fn command(house: &House, words: &[&str]) -> Ended {
    ended(watertight().args(words).arg("--data").arg(house.data()))
}

/// `watertight sync` of somebody.
fn sync(house: &House, user: &str, server: &str, maildir: &Path) -> Command {
    let mut command = watertight();
    command
        .args(["sync", "--json", "--user", user, "--server", server, "--password-file"])
        .arg(house.password())
        .arg("--maildir")
        .arg(maildir);
    command
}

#[test]
fn a_delegate_synchronizes_anothers_mailbox_until_the_right_is_taken() {
    let house = house();
    ended(&mut house.import(&[corpus()])).good();
    let all = fs::read_dir(corpus()).unwrap().count();
    let server = house.serve(&[]);
    let (own, other) = (house.path("own"), house.path("other"));
    let refused = ended(sync(&house, "bea", &server.url, &other).args(["--mailbox", &house.dn]));
    assert_eq!(refused.code(), Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("may not open the mailbox"), "{}", refused.stderr);
    assert!(!other.exists(), "nothing is made for a server that lets nobody in");
    let nobody = ended(sync(&house, "bea", &server.url, &other).args(["--mailbox", "/o=x/cn=nobody"]));
    assert_eq!(nobody.code(), Some(3), "{}", nobody.stderr);

    command(&house, &["user", "grant", "anna", "bea", "--read-only"]).good();
    let listed = command(&house, &["user", "list", "--json"]).good().json();
    assert_eq!(listed["users"][0]["grants"][0]["to"], "bea");
    assert_eq!(listed["users"][0]["grants"][0]["read_only"], true);
    // The running server knows of it; the mailbox is found by its DN, or by Autodiscover.
    ended(sync(&house, "bea", &server.url, &other).args(["--mailbox", &house.dn])).good();
    assert_eq!(count(&other), all);
    let again = ended(sync(&house, "bea", &server.url, &other).args(["--mailbox", "anna@example.org"]));
    assert_eq!(again.good().json()["added"], 0);
    // Each mailbox has a Maildir of its own.
    let mixed = ended(&mut sync(&house, "bea", &server.url, &other));
    assert_eq!(mixed.code(), Some(1), "{}", mixed.stderr);
    assert!(mixed.stderr.contains("holds another mailbox"), "{}", mixed.stderr);
    assert_eq!(count(&other), all);
    ended(&mut sync(&house, "bea", &server.url, &own)).good();
    assert_eq!(count(&own), 0);

    command(&house, &["user", "revoke", "anna", "bea"]).good();
    let out = ended(sync(&house, "bea", &server.url, &other).args(["--mailbox", &house.dn]));
    assert_eq!(out.code(), Some(3), "{}", out.stderr);
    assert_eq!(count(&other), all);
    assert_eq!(command(&house, &["user", "revoke", "anna", "bea"]).code(), Some(1));
    server.stop();
}

#[test]
fn an_archive_is_a_tree_of_its_own() {
    let house = house();
    let none = house.serve(&[]);
    let mail = house.path("archive");
    let without = ended(sync(&house, "anna@example.org", &none.url, &mail).arg("--archive"));
    assert_ne!(without.code(), Some(0));
    none.stop();
    command(&house, &["user", "add", "anna", "--archive"]).good();
    ended(house.import(&[corpus()]).arg("--archive")).good();
    let all = fs::read_dir(corpus()).unwrap().count();
    let server = house.serve(&[]);
    ended(&mut sync(&house, "anna", &server.url, &house.path("own"))).good();
    assert_eq!(count(&house.path("own")), 0);
    let archived = ended(sync(&house, "anna@example.org", &server.url, &mail).arg("--archive"));
    assert_eq!(archived.code(), without_sign_in(&archived), "{}", archived.stderr);
    let dn = command(&house, &["user", "list", "--json"]).good().json()["users"][0]["archive_dn"].clone();
    ended(sync(&house, "anna", &server.url, &mail).args(["--mailbox", dn.as_str().unwrap()])).good();
    assert_eq!(count(&mail), all);
    server.stop();
    let sound = command(&house, &["store", "check", "--json"]).good().json();
    assert_eq!((sound["mailboxes"].as_u64(), sound["sound"].as_bool()), (Some(4), Some(true)), "{sound}");
}

/// Somebody who signs in with an address is nobody here: then that is said.
fn without_sign_in(ended: &Ended) -> Option<i32> {
    if ended.code() == Some(0) { Some(0) } else { Some(3) }
}

#[test]
fn public_folders_are_synchronized_by_everybody() {
    let house = house();
    let server = house.serve(&[]);
    let none = ended(sync(&house, "bea", &server.url, &house.path("none")).arg("--public-folders"));
    assert_eq!(none.code(), Some(3), "{}", none.stderr);
    assert!(none.stderr.contains("no public folders"), "{}", none.stderr);
    command(&house, &["store", "public"]).good();
    command(&house, &["user", "grant", "--public", "anna"]).good();
    let mut import = watertight();
    import.args(["import", "--json", "--public", "--folder", "News/Local", "--data"]).arg(house.data());
    ended(import.arg(corpus())).good();
    let all = fs::read_dir(corpus()).unwrap().count();
    let (bea, cem, part) = (house.path("bea"), house.path("cem"), house.path("part"));
    for (user, mail) in [("bea", &bea), ("cem", &cem)] {
        ended(sync(&house, user, &server.url, mail).arg("--public-folders")).good();
        assert_eq!(maildir(mail).keys().collect::<Vec<_>>(), [".News.Local"]);
        assert_eq!(count(mail), all);
        let again = ended(sync(&house, user, &server.url, mail).arg("--public-folders")).good().json();
        assert_eq!((again["added"].as_u64(), again["removed"].as_u64()), (Some(0), Some(0)), "{again}");
    }
    assert_eq!(maildir(&bea), maildir(&cem));
    // One folder with what is below it: its own posts are in the Maildir itself.
    ended(sync(&house, "bea", &server.url, &part).args(["--public-folders", "news/LOCAL"])).good();
    assert_eq!(maildir(&part).keys().collect::<Vec<_>>(), [""]);
    assert_eq!(count(&part), all);
    let other = ended(sync(&house, "bea", &server.url, &part).args(["--public-folders", "News"]));
    assert_eq!(other.code(), Some(1), "{}", other.stderr);
    let wrong = ended(sync(&house, "bea", &server.url, &part).args(["--public-folders", "Olds"]));
    assert_eq!(wrong.code(), Some(3), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("there are: News"), "{}", wrong.stderr);
    assert_eq!(count(&part), all);
    server.stop();
}
