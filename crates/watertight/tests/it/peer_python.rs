//! Judged by Python: its `mailbox` and `email` read what we write, its HTTP client drives our server.
//! `cargo xtask test` leaves this module out, and says so, where there is no python3.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use watertight_testkit::data_dir;

use crate::harness::{House, PASSWORD, corpus, ended, maildir};

fn python(tool: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(data_dir().join("tools").join(tool));
    command
}

/// All of the corpus: eml files and mbox files.
fn sources() -> Vec<PathBuf> {
    let mbox = data_dir().join("corpus/mbox");
    vec![corpus(), mbox.join("list-2000.mbox"), mbox.join("simple.mbox.txt")]
}

fn synchronized(options: &[&str]) -> (House, PathBuf) {
    let house = House::new();
    let imported = ended(&mut house.import(&sources())).good().json();
    let server = house.serve(options);
    let mail = house.path("mail");
    let synced = ended(&mut house.sync(&server.url, &mail)).good().json();
    assert_eq!(synced["added"], imported["imported"], "{synced}");
    server.stop();
    (house, mail)
}

#[test]
fn with_the_transport_form_mail_comes_out_byte_for_byte() {
    let (_house, mail) = synchronized(&[]);
    let same = ended(python("same_bytes.py").arg(&mail).args(sources()));
    assert_eq!(same.code(), Some(0), "{}\n{}", same.stdout, same.stderr);
}

#[test]
fn from_standard_properties_mail_comes_out_equal() {
    let (house, mail) = synchronized(&["--no-transport-form"]);
    let different = ended(python("same_bytes.py").arg(&mail).args(sources()));
    assert_eq!(different.code(), Some(1), "the transport form is not there");
    let expected = house.path("expected");
    gather(&expected);
    let mut compare = python("compare_mail.py");
    for name in TOLERATED {
        compare.args(["--tolerate", name]);
    }
    let actual = house.path("actual");
    fs::create_dir_all(&actual).unwrap();
    let mails = maildir(&mail).into_values().flatten();
    for (n, bytes) in mails.flat_map(|(bytes, times)| std::iter::repeat_n(bytes, times)).enumerate() {
        fs::write(actual.join(format!("{n}.mail")), bytes).unwrap();
    }
    let equal = ended(compare.arg(&expected).arg(&actual));
    let report = equal.json();
    let not: Vec<_> =
        report["differences"].as_array().unwrap().iter().filter(|d| d["tolerated"].is_null()).collect();
    assert_eq!(equal.code(), Some(0), "{not:#?} missing {} extra {}", report["missing"], report["extra"]);
}

/// What MAPI's standard properties cannot say; `compare_mail.py --list-tolerances` says why.
const TOLERATED: &[&str] = &[
    "malformed-name",
    "empty-multipart",
    "empty-boundary",
    "part-order",
    "content-id-of-body",
    "line-that-is-no-field",
];

/// The corpus in one directory: eml files, and mbox files beside them.
fn gather(into: &Path) {
    fs::create_dir_all(into).unwrap();
    for source in sources() {
        let files = if source.is_dir() {
            fs::read_dir(&source).unwrap().map(|e| e.unwrap().path()).collect()
        } else {
            vec![source]
        };
        for file in files {
            fs::copy(&file, into.join(file.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn a_client_that_is_not_ours_drives_the_server() {
    let house = House::new();
    let files = fs::read_dir(corpus()).unwrap().count();
    // Unread and read messages, and folders.
    let source = house.path("source");
    for folder in ["", ".Archive", ".Archive.Grüße"] {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(source.join(folder).join(part)).unwrap();
        }
    }
    for (n, (name, bytes)) in watertight_testkit::corpus::eml().into_iter().enumerate() {
        let flags = if n % 3 == 0 { "" } else { "S" };
        fs::write(source.join(format!("cur/{n}.{name}:2,{flags}")), bytes).unwrap();
    }
    ended(&mut house.import(&[source])).good();
    let expected = serde_json::json!({
        "folders": ["Inbox", "Sent Items", "Deleted Items", "Archive", "Grüße"],
        "inbox": files,
        "subjects": ["Saying Hello", "Testing 123", "まみむめも"],
    });
    fs::write(house.path("expected.json"), expected.to_string()).unwrap();
    let server = house.serve(&[]);
    let (host, port) = server.address();
    let checked = ended(
        python("probe_check.py")
            .args([&host, &port, "anna"])
            .arg(house.password())
            .arg(&house.dn)
            .arg(house.path("expected.json")),
    );
    assert_eq!(checked.code(), Some(0), "{}\n{}", checked.stdout, checked.stderr);
    let logged = server.stop();
    assert!(!logged.contains(PASSWORD));
}

/// The requests of a client that is not ours, as they were captured, on the same mail. What our server answers
/// otherwise than the captured one is listed with its reason in `replay_requests.py`.
#[test]
fn the_captured_requests_get_the_captured_answers() {
    let house = House::new();
    let source = house.path("source");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(source.join(part)).unwrap();
    }
    let eml = watertight_testkit::corpus::eml();
    for (n, (name, bytes)) in eml.iter().enumerate() {
        fs::write(source.join(format!("new/{}.{name}", 100 + n)), bytes).unwrap();
    }
    // Six messages were made of TNEF streams there; here they are mails with a winmail.dat.
    let tnef = ["body", "winmail", "one-file", "unicode-mapi-attr", "rtf", "two-files"];
    for (n, name) in tnef.iter().enumerate() {
        let bytes = fs::read(data_dir().join(format!("corpus/tnef/{name}.tnef"))).unwrap();
        let hex: String = bytes.iter().map(|b| format!("={b:02X}=\n")).collect();
        let mail = format!(
            "From: tnef@example.org\nTo: you@example.org\nSubject: {name}\nMIME-Version: 1.0\n\
             Content-Type: application/ms-tnef; name=winmail.dat\n\
             Content-Transfer-Encoding: quoted-printable\n\n{hex}"
        );
        fs::write(source.join(format!("new/{}.{name}", 100 + eml.len() + n)), mail).unwrap();
    }
    ended(&mut house.import(&[source])).good();
    let server = house.serve(&[]);
    let (host, port) = server.address();
    let captures = data_dir().join("captures/grommunio-3.10");
    let replayed = ended(
        python("replay_requests.py")
            .args([&host, &port, "anna"])
            .arg(house.password())
            .arg(&house.dn)
            .arg(captures),
    );
    assert_eq!(replayed.code(), Some(0), "{}\n{}", replayed.stdout, replayed.stderr);
    let report = replayed.json();
    assert_eq!(report["messages"], serde_json::json!([123, 123]));
    assert_eq!(report["compared"], 194, "every captured Execute was answered");
    server.stop();
}
