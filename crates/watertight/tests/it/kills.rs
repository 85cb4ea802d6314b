//! `kill -9` at seeded moments: one more run gives exactly the right mailbox.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{House, Served, count, ended, maildir, small_maildir, watertight};

/// How many moments: 50 in CI, fewer while one works.
fn moments() -> u32 {
    std::env::var("WATERTIGHT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

/// Seeded numbers from 0 to 1 (xorshift).
fn shares(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX))
    })
}

#[test]
fn a_killed_import_is_finished_by_another() {
    let source = tempfile::tempdir().unwrap();
    small_maildir(source.path(), 400);
    let paths = [source.path().to_owned()];
    let timed = House::new();
    let start = Instant::now();
    ended(&mut timed.import(&paths)).good();
    let whole = start.elapsed();
    let mut house = House::new();
    for share in shares(1).take(usize::try_from(moments()).unwrap()) {
        let mut child = house.import(&paths).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        let killed = !child.wait().unwrap().success();
        let finished = ended(&mut house.import(&paths)).good().json();
        let there = finished["imported"].as_u64().unwrap() + finished["already"].as_u64().unwrap();
        assert_eq!(there, 400, "killed: {killed}, at {share}: {finished}");
        let server = house.serve(&[]);
        let mail = house.path("mail");
        ended(&mut house.sync(&server.url, &mail)).good();
        assert_eq!(maildir(&mail), maildir(source.path()), "killed at {share}");
        server.stop();
        ended(watertight().args(["store", "check", "--data"]).arg(house.data())).good();
        house = House::new();
    }
}

#[test]
fn a_killed_synchronization_is_finished_by_another() {
    let house = House::new();
    small_maildir(&house.path("source"), 600);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let start = Instant::now();
    ended(&mut house.sync(&server.url, &house.path("timed"))).good();
    let whole = start.elapsed();
    for (n, share) in shares(2).take(usize::try_from(moments()).unwrap()).enumerate() {
        let mail = house.path(&format!("mail{n}"));
        let mut child =
            house.sync(&server.url, &mail).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = count(&mail);
        let finished = ended(&mut house.sync(&server.url, &mail)).good().json();
        assert_eq!(
            maildir(&mail),
            maildir(&house.path("source")),
            "killed at {share} with {before}: {finished}"
        );
        let nothing = ended(&mut house.sync(&server.url, &mail)).good().json();
        assert_eq!(nothing["added"], 0, "{nothing}");
        std::fs::remove_dir_all(mail).unwrap();
    }
    server.stop();
}

#[test]
fn a_killed_server_loses_nothing_and_the_client_goes_on_with_the_next() {
    let house = House::new();
    small_maildir(&house.path("source"), 600);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let start = Instant::now();
    ended(&mut house.sync(&server.url, &house.path("timed"))).good();
    let whole = start.elapsed();
    let (_, port) = server.address();
    server.stop();
    for (n, share) in shares(3).take(usize::try_from(moments()).unwrap()).enumerate() {
        let server = house.serve_at(&port);
        let mail = house.path(&format!("mail{n}"));
        let child =
            house.sync(&server.url, &mail).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share));
        server.kill();
        // Most times it comes back at once, and the client goes on; now and then it does not, and the client says so.
        let comes_back = n % 10 != 5;
        let next = comes_back.then(|| house.serve_at(&port));
        let output = child.wait_with_output().unwrap();
        let code = output.status.code();
        let said = String::from_utf8_lossy(&output.stderr);
        // A server that is not there when the client first asks is not waited for.
        assert!(matches!(code, Some(0 | 4)), "killed at {share}: {code:?} {said}");
        let server: Served = next.unwrap_or_else(|| house.serve_at(&port));
        ended(&mut house.sync(&server.url, &mail)).good();
        assert_eq!(maildir(&mail), maildir(&house.path("source")), "killed at {share}");
        server.stop();
        std::fs::remove_dir_all(mail).unwrap();
    }
    ended(watertight().args(["store", "check", "--data"]).arg(house.data())).good();
}

/// A kill at 90 % costs at most 12 % of the bytes again.
#[test]
fn a_kill_near_the_end_repeats_little() {
    let messages = std::env::var("WATERTIGHT_MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let house = House::new();
    small_maildir(&house.path("source"), messages);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let whole = ended(&mut house.sync(&server.url, &house.path("whole"))).good().json();
    let mail = house.path("mail");
    let mut child =
        house.sync(&server.url, &mail).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    while count_files(&mail) < messages * 9 / 10 {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it never was at 90 %");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = ended(&mut house.sync(&server.url, &mail)).good().json();
    assert_eq!(maildir(&mail), maildir(&house.path("source")));
    let (rest, whole) = (rest["bytes_received"].as_f64().unwrap(), whole["bytes_received"].as_f64().unwrap());
    assert!(rest <= whole * 0.12, "{rest} of {whole} bytes");
    server.stop();
}

fn count_files(root: &std::path::Path) -> usize {
    ["", ".Archive", ".Archive.2004", ".Lists"]
        .iter()
        .flat_map(|folder| ["cur", "new"].map(|part| root.join(folder).join(part)))
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .map(Iterator::count)
        .sum()
}
