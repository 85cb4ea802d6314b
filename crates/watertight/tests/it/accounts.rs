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

/// `watertight login anna@example.org` with that configuration.
fn login(house: &House, config: &Path, server: &str, args: &[&str]) -> std::process::Command {
    let mut command = watertight();
    command.args(["login", "anna@example.org", "--server", server, "--config"]).arg(config).args(args);
    // No keyring of whoever runs this, and no home directory.
    command
        .env("HOME", house.dir.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("DBUS_SESSION_BUS_ADDRESS");
    command.env("XDG_RUNTIME_DIR", house.path("none"));
    command
}

#[test]
fn a_login_writes_an_account_that_sync_uses() {
    let house = House::new();
    small_maildir(&house.path("source"), 10);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let config = house.path("etc/config.toml");
    private(&house.path("password"), &format!("{PASSWORD}\n"));
    private(&house.path("wrong"), "wrong\n");
    let (password, wrong) =
        (house.path("password").display().to_string(), house.path("wrong").display().to_string());

    // Nothing is written before the server has let the user in.
    let refused = ended(&mut login(&house, &config, &server.url, &["--password-file", &wrong]));
    assert_eq!(refused.code(), Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("write the right one into {wrong}")), "{}", refused.stderr);
    assert!(refused.stderr.contains("expired") && refused.stderr.contains("locked"), "{}", refused.stderr);
    assert!(!config.exists());

    let made =
        ended(&mut login(&house, &config, &server.url, &["--password-file", &password, "--json"])).good();
    assert_eq!((made.json()["name"].as_str(), made.json()["dn"].as_str()), (Some("anna"), Some(&*house.dn)));
    let text = fs::read_to_string(&config).unwrap();
    assert!(
        text.starts_with("default = \"anna\"\n\n[profile.anna]\naddress = \"anna@example.org\"\n"),
        "{text}"
    );
    assert!(text.contains("password_file = \"~/password\"\nmaildir = \"~/Mail/anna\"\n"), "{text}");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    let sync = |name: &str| {
        let mut command = watertight();
        command.args(["sync", name, "--json", "--config"]).arg(&config).env("HOME", house.dir.path());
        ended(&mut command)
    };
    assert_eq!(sync("anna").good().json()["added"], 10);
    assert_eq!(count(&house.path("Mail/anna")), 10);

    // Another time: not without being told so; what was written by hand stays.
    private(&config, &format!("# mine\n{text}on_new = \"true\" # ding\n"));
    let again = ended(&mut login(&house, &config, &server.url, &[]));
    assert_eq!(again.code(), Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("--replace"), "{}", again.stderr);
    let replaced = |args: &[&str], variable: bool| {
        let mut command = login(&house, &config, &server.url, args);
        if variable {
            command.env("WATERTIGHT_PASSWORD", PASSWORD);
        }
        ended(&mut command)
    };
    replaced(&["--replace"], false).good();
    let kept = fs::read_to_string(&config).unwrap();
    assert_eq!(kept, format!("# mine\n{text}on_new = \"true\" # ding\n"));

    // A second account; its password goes into a file, or nowhere; there is no keyring.
    let none = replaced(&["--name", "b", "--keyring"], true);
    assert_eq!(none.code(), Some(1), "{}", none.stderr);
    assert!(
        none.stderr.contains("there is no keyring") && none.stderr.contains("--keep file"),
        "{}",
        none.stderr
    );
    let file = replaced(&["--name", "b", "--keep", "file"], true).good();
    assert!(file.stdout.contains("watertight sync b") && !file.stdout.contains(PASSWORD), "{}", file.stdout);
    let secret = house.path("etc/b.password");
    assert_eq!(fs::read_to_string(&secret).unwrap().trim_end(), PASSWORD);
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sync("b").good().json()["added"], 10);
    let nowhere = replaced(&["--name", "b", "--replace", "--keep", "nowhere", "--password-file", "-"], false);
    assert_eq!(nowhere.code(), Some(1), "standard input is empty: {}", nowhere.stderr);
    replaced(&["--name", "c", "--maildir", "mail"], true).good();
    assert_eq!(sync("c").code(), Some(3), "nobody to ask");
    assert!(fs::read_to_string(&config).unwrap().starts_with(&kept));

    // What makes no sense.
    for wrong in [&["login", "anna"][..], &["login", "@example.org"], &["login", "a b@example.org"]] {
        assert_eq!(ended(watertight().args(wrong)).code(), Some(2), "{wrong:?}");
    }
    server.stop();
}

/// Each thing that a server may say about an account: what happened, and what to type next.
#[test]
fn what_a_server_says_has_its_cure() {
    let house = House::new();
    private(&house.path("password"), "x\n");
    let config = house.path("config.toml");
    let connect = |code: u32| {
        // StatusCode, ErrorCode, and nothing in the rest.
        let body = [&0_u32.to_le_bytes()[..], &code.to_le_bytes(), &[0; 19]].concat();
        let mut answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-RequestType: Connect\r\n\
            X-ResponseCode: 0\r\nConnection: close\r\n\r\nPROCESSING\r\nDONE\r\nX-ResponseCode: 0\r\n\r\n"
                .to_vec();
        answer.extend(body);
        answer
    };
    let cases: [(Vec<u8>, i32, &[&str]); 7] = [
        (
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            3,
            &[
                "does not accept the password of anna@example.org",
                "expired",
                "locked",
                "write the right one into",
            ],
        ),
        (
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9999\r\nContent-Length: 0\r\n\r\n".to_vec(),
            4,
            &["slows us down", "9999 s", "watertight sync 'my work'"],
        ),
        (
            connect(0x478),
            3,
            &["have moved it", "watertight login anna@example.org --name 'my work' --replace"],
        ),
        (connect(0x3F2), 3, &["not into this mailbox", "watertight login"]),
        (connect(0x4D9), 1, &["over its quota", "delete mail on the server"]),
        (connect(0x8004_0112), 4, &["too many sessions", "watertight sync 'my work'"]),
        (connect(0x8004_010B), 4, &["too much to do", "watertight sync 'my work'"]),
    ];
    for (answer, exit, said) in cases {
        let url = crate::commands::answering(answer.clone());
        let account = format!(
            "[profile.\"my work\"]\naddress = \"anna@example.org\"\nserver = \"{url}\"\nuser_dn = \"/o=x\"\n\
             password_file = \"password\"\nmaildir = \"mail\"\nsign_in = \"basic\"\n"
        );
        private(&config, &account);
        let failed = ended(watertight().args(["sync", "my work", "--config"]).arg(&config));
        let shown = String::from_utf8_lossy(&answer);
        assert_eq!(failed.code(), Some(exit), "{shown}: {}", failed.stderr);
        for text in said {
            assert!(failed.stderr.contains(text), "{shown}: {text:?} in {}", failed.stderr);
        }
        assert_eq!(count(&house.path("mail")), 0);
    }
    // A command that fails is the account's, not the server's.
    let server = house.serve(&[]);
    let url = &server.url;
    for key in ["password_command", "token_command"] {
        let what = key.split('_').next().unwrap();
        private(
            &config,
            &format!(
                "[profile.w]\naddress = \"a@h\"\nserver = \"{url}\"\n{key} = \"echo hunter2 >&2; exit 7\"\nmaildir = \"m\"\nuser_dn = \"/o=x\"\n"
            ),
        );
        let failed = ended(watertight().args(["sync", "w", "--config"]).arg(&config));
        assert_eq!(failed.code(), Some(3), "{}", failed.stderr);
        for text in [&format!("the command that prints the {what}"), " 7", "by hand"] {
            assert!(failed.stderr.contains(text), "{}", failed.stderr);
        }
    }
}
