use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;

use rustix::process::{Signal, kill_process};

use crate::harness::{House, PASSWORD, corpus, count, ended, maildir, pid, small_maildir, watertight};

#[test]
fn help_has_examples_and_usage_errors_are_2() {
    for command in [
        "demo",
        "serve",
        "import",
        "login",
        "check",
        "sync",
        "who",
        "user add",
        "user passwd",
        "user token",
        "user list",
        "user grant",
        "user revoke",
        "store check",
        "store backup",
        "store public",
        "soak",
        "soak logon",
        "soak ics",
        "soak pid",
    ] {
        let help = ended(watertight().arg("help").args(command.split(' '))).good();
        assert!(help.stdout.contains("Example"), "{command}: {}", help.stdout);
        // In a terminal of the usual width no example is broken.
        let examples = help.stdout.rsplit("Example").next().unwrap_or_default();
        assert!(examples.lines().all(|line| line.len() <= 80), "{command}: {examples}");
    }
    assert_eq!(ended(watertight().arg("no-such-command")).code(), Some(2));
    assert_eq!(ended(watertight().args(["sync", "--user", "x"])).code(), Some(2));
}

#[test]
fn an_account_is_made_once() {
    let house = House::new();
    assert!(house.dn.ends_with("/cn=Recipients/cn=anna"), "{}", house.dn);
    let again = ended(
        watertight()
            .args(["user", "add", "anna", "--data"])
            .arg(house.data())
            .arg("--password-file")
            .arg(house.password()),
    );
    assert_eq!(again.code(), Some(1));
    assert!(again.stderr.contains("exists"), "{}", again.stderr);
    assert!(!again.stderr.contains(PASSWORD));
}

#[test]
fn an_import_is_counted_and_repeating_it_changes_nothing() {
    let house = House::new();
    let first = ended(&mut house.import(&[corpus()])).good().json();
    let files = fs::read_dir(corpus()).unwrap().count();
    assert_eq!(first["imported"], files, "{first}");
    let second = ended(&mut house.import(&[corpus()])).good().json();
    assert_eq!(
        (second["imported"].as_u64(), second["already"].as_u64()),
        (Some(0), u64::try_from(files).ok())
    );
    fs::write(house.path("winmail.dat"), b"\x78\x9f\x3e\x22\0\0").unwrap();
    let partial = ended(&mut house.import(&[house.path("winmail.dat")]));
    assert_eq!(partial.code(), Some(5));
    assert_eq!(partial.json()["skipped"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mailbox_is_synchronized_and_then_nothing_changes() {
    let house = House::new();
    small_maildir(&house.path("source"), 100);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let mail = house.path("mail");
    let dry = ended(house.sync(&server.url, &mail).arg("--dry-run")).good().json();
    assert_eq!(dry["added"], 100, "{dry}");
    assert!(!mail.exists(), "a dry run touches nothing");
    // Whoever listens may go: `| head`.
    let mut listed = watertight();
    let mut listed = listed
        .args(["sync", "--dry-run", "--user", "anna", "--server", &server.url, "--password-file"])
        .arg(house.password())
        .arg("--maildir")
        .arg(&mail)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(listed.stdout.take());
    let listed = listed.wait_with_output().unwrap();
    assert_eq!((listed.status.code(), listed.stderr.is_empty()), (Some(0), true));
    let first = ended(&mut house.sync(&server.url, &mail)).good().json();
    assert_eq!((first["version"].as_u64(), first["added"].as_u64()), (Some(1), Some(100)), "{first}");
    assert_eq!(maildir(&mail), maildir(&house.path("source")), "the same bytes in the same folders");
    let second = ended(&mut house.sync(&server.url, &mail)).good().json();
    for key in ["added", "changed", "removed", "moved", "flags", "conflicts"] {
        assert_eq!(second[key], 0, "{key}: {second}");
    }
    assert!(second["bytes_received"].as_u64().unwrap() < 20_000, "{second}");
    // A state that is lost is made again from the tree: nothing is downloaded, nothing is doubled.
    for file in fs::read_dir(mail.join("watertight")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("state.db") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    let third = ended(&mut house.sync(&server.url, &mail)).good().json();
    assert_eq!((third["added"].as_u64(), third["removed"].as_u64()), (Some(0), Some(0)), "{third}");
    assert_eq!(count(&mail), 100);
    server.stop();
}

#[test]
fn failures_have_their_exit_status_and_a_cure() {
    let house = House::new();
    let server = house.serve(&[]);
    let mail = house.path("mail");
    fs::write(house.path("wrong"), "wrong password\n").unwrap();
    let sync = |user: &str, password: &str, url: &str| {
        ended(
            watertight()
                .args(["sync", "--user", user, "--server", url, "--password-file"])
                .arg(house.path(password))
                .arg("--maildir")
                .arg(&mail),
        )
    };
    let wrong = sync("anna", "wrong", &server.url);
    assert_eq!(wrong.code(), Some(3), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("password"), "{}", wrong.stderr);
    assert_eq!(sync("nobody", "password", &server.url).code(), Some(3));
    let mut asked = watertight();
    asked.args(["sync", "--user", "anna", "--server", &server.url, "--maildir"]).arg(&mail);
    let empty = ended(asked.env("WATERTIGHT_PASSWORD", ""));
    assert!(empty.stderr.contains("WATERTIGHT_PASSWORD is empty"), "{}", empty.stderr);
    let mut signing_in = house.sync(&server.url, &mail);
    let unknown = ended(signing_in.args(["--user-dn", "/o=nowhere/cn=nobody"]));
    assert_eq!(unknown.code(), Some(3), "{}", unknown.stderr);
    let no_folder = ended(house.sync(&server.url, &house.path("other")).args(["--folder", "Inbx"]));
    assert_eq!(no_folder.code(), Some(2), "{}", no_folder.stderr);
    assert!(no_folder.stderr.contains("INBOX"), "{}", no_folder.stderr);
    let url = server.url.clone();
    server.stop();
    let gone = sync("anna", "password", &url);
    assert_eq!(gone.code(), Some(4), "{}", gone.stderr);
    assert_eq!(sync("anna", "password", "not a url").code(), Some(2));
    assert_eq!(sync("anna", "password", "http://mail.example.org/").code(), Some(2));
    assert!(!mail.exists(), "nothing is half-made");

    let server = house.serve(&[]);
    fs::create_dir_all(&mail).unwrap();
    fs::write(mail.join("letter"), "mine").unwrap();
    let foreign = sync("anna", "password", &server.url);
    assert_eq!(foreign.code(), Some(1), "{}", foreign.stderr);
    assert_eq!(fs::read(mail.join("letter")).unwrap(), b"mine");
    server.stop();
}

/// A way to a server that breaks each connection after so many bytes of answers.
fn breaking(server: (String, String), after: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(format!("{}:{}", server.0, server.1)).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asking, &mut asked));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut server.by_ref().take(after), &mut client);
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    url
}

#[test]
fn a_connection_that_breaks_again_and_again_brings_all_in_the_end() {
    let house = House::new();
    let source = house.path("source");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(source.join(part)).unwrap();
    }
    for i in 0..30 {
        let text = format!("Subject: number {i}\n\n{}", format!("a line of message {i}\n").repeat(2000));
        fs::write(source.join(format!("cur/{i}.M{i}.test:2,S")), text).unwrap();
    }
    ended(&mut house.import(&[source])).good();
    let server = house.serve(&[]);
    let url = breaking(server.address(), 600_000);
    let mail = house.path("mail");
    let report = ended(&mut house.sync(&url, &mail)).good().json();
    assert_eq!((report["added"].as_u64(), count(&mail)), (Some(30), 30), "{report}");
    server.stop();
}

#[test]
fn an_interrupted_run_says_that_nothing_is_lost() {
    let house = House::new();
    // It takes the connection and says nothing.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    for stop in [Signal::INT, Signal::TERM] {
        let child = house.sync(&url, &house.path("mail")).stderr(Stdio::piped()).spawn().unwrap();
        let mut connection = server.accept().unwrap().0;
        connection.read_exact(&mut [0]).unwrap();
        kill_process(pid(&child), stop).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("stopped"), "{said}");
    }
}

#[test]
fn no_secret_is_in_any_log() {
    let house = House::new();
    ended(&mut house.import(&[corpus()])).good();
    let server = house.serve(&["-vvv"]);
    let synced = ended(house.sync(&server.url, &house.path("mail")).arg("-vvv")).good();
    let logged = server.stop();
    // base64("anna:p4ss…")
    for secret in [PASSWORD, "YW5uYTpwNHNzLXcwcmQ"] {
        assert!(!synced.stderr.contains(secret), "the client logged a secret");
        assert!(!synced.stdout.contains(secret));
        assert!(!logged.contains(secret), "the server logged a secret");
    }
    for (who, log) in [("client", &synced.stderr), ("server", &logged)] {
        assert!(log.contains("INFO") || log.contains("DEBUG"), "the {who} logged nothing to look at: {log}");
    }
}

#[test]
fn tls_is_used_and_its_trust_is_asked_for() {
    let house = House::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(house.path("cert.pem"), made.cert.pem()).unwrap();
    fs::write(house.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
    let server = house.serve(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let url = format!("https://localhost:{}/mapi/emsmdb/", server.address().1);
    let mail = house.path("mail");
    let refused = ended(&mut house.sync(&url, &mail));
    assert_eq!(refused.code(), Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    ended(house.sync(&url, &mail).arg("--tls-ca").arg(&cert)).good();
    server.stop();
}

#[test]
fn the_demo_ends_with_nothing_held() {
    let demo = ended(watertight().arg("demo").stdin(Stdio::null())).good();
    assert!(demo.stdout.contains("0 held"), "{}", demo.stdout);
    assert!(demo.stdout.contains("watertight sync --server"), "{}", demo.stdout);
    let house = House::new();
    let kept = house.path("demo");
    ended(watertight().args(["demo", "--json", "--dir"]).arg(&kept)).good().json();
    assert!(count(&kept.join("Maildir")) > 30);
    let again = ended(watertight().args(["demo", "--dir"]).arg(&kept));
    assert_eq!(again.code(), Some(2), "a directory that holds something is not used: {}", again.stderr);
}

#[test]
fn a_store_is_checked_and_copied_while_it_serves() {
    let house = House::new();
    small_maildir(&house.path("source"), 60);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    ended(watertight().args(["store", "check", "--data"]).arg(house.data())).good();
    let copy = house.path("copy");
    ended(watertight().args(["store", "backup", "--data"]).arg(house.data()).arg("--to").arg(&copy)).good();
    server.stop();
    ended(watertight().args(["store", "check", "--data"]).arg(&copy)).good();
    let server = crate::harness::Served::start(
        watertight().args(["serve", "--http", "127.0.0.1:0", "--data"]).arg(&copy),
    );
    ended(&mut house.sync(&server.url, &house.path("mail"))).good();
    assert_eq!(maildir(&house.path("mail")), maildir(&house.path("source")));
    server.stop();
}

#[test]
fn a_dry_run_lists_exactly_what_is_done_then() {
    let house = House::new();
    small_maildir(&house.path("source"), 30);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let mail = house.path("mail");
    ended(&mut house.sync(&server.url, &mail)).good();
    let more = house.path("more");
    small_maildir(&more, 40);
    ended(&mut house.import(std::slice::from_ref(&more))).good();
    let before = maildir(&mail);
    let dry = ended(
        watertight()
            .args(["sync", "--dry-run", "--user", "anna", "--server", &server.url, "--password-file"])
            .arg(house.password())
            .arg("--maildir")
            .arg(&mail),
    )
    .good();
    assert_eq!(maildir(&mail), before, "a dry run touches nothing");
    let listed: Vec<&str> = dry.stdout.lines().filter(|line| line.starts_with("add ")).collect();
    assert_eq!(listed.len(), 10, "{}", dry.stdout);
    ended(&mut house.sync(&server.url, &mail)).good();
    for line in listed {
        let name = line.split_whitespace().find(|word| word.contains(".watertight")).unwrap();
        let unique = name.split(':').next().unwrap();
        let found = ["", ".Archive", ".Archive.2004", ".Lists"].iter().any(|folder| {
            fs::read_dir(mail.join(folder).join("cur"))
                .into_iter()
                .chain(fs::read_dir(mail.join(folder).join("new")))
                .flatten()
                .any(|e| e.unwrap().file_name().to_string_lossy().starts_with(unique))
        });
        assert!(found, "{line} was listed and is not there");
    }
    assert_eq!(maildir(&mail), maildir(&more));
    server.stop();
}

/// A server that answers every connection with the same bytes; its URL.
pub fn answering(answer: impl AsRef<[u8]> + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mapi/emsmdb/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut request);
            let _ = std::io::Write::write_all(&mut stream, answer.as_ref());
        }
    });
    url
}

#[test]
fn what_is_no_mapi_server_is_one_clear_error() {
    let house = House::new();
    let mail = house.path("mail");
    let answers: [&'static [u8]; 5] = [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\n\
          Content-Length: 99999999999\r\n\r\nPROCESSING\r\n",
        b"",
    ];
    for answer in answers {
        let mut sync = house.sync(&answering(answer), &mail);
        let failed = ended(sync.args(["--user-dn", &house.dn]));
        let said = String::from_utf8_lossy(answer);
        assert!(matches!(failed.code(), Some(1 | 4)), "{said}: {:?} {}", failed.code(), failed.stderr);
        let errors = failed.stderr.lines().filter(|line| line.starts_with("watertight: ")).count();
        assert_eq!(errors, 1, "{said}: {}", failed.stderr);
        assert_eq!(count(&mail), 0);
    }
}

#[test]
fn a_locked_maildir_is_left_alone() {
    let house = House::new();
    let server = house.serve(&[]);
    let mail = house.path("mail");
    ended(&mut house.sync(&server.url, &mail)).good();
    let lock = fs::File::open(mail.join("watertight/lock")).unwrap();
    lock.lock().unwrap();
    let locked = ended(&mut house.sync(&server.url, &mail));
    assert_eq!(locked.code(), Some(1));
    assert!(locked.stderr.contains("another run"), "{}", locked.stderr);
    lock.unlock().unwrap();
    ended(&mut house.sync(&server.url, &mail)).good();
    server.stop();
}

/// `watertight demo | head -1`: the reader leaves, the work goes on to its end.
#[test]
fn a_reader_that_leaves_ends_the_printing_only() {
    use std::io::{BufRead, BufReader};

    let mut child = watertight()
        .arg("demo")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut first = BufReader::with_capacity(1, child.stdout.take().unwrap());
    first.read_line(&mut line).unwrap();
    drop(first);
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}
