//! The terminal as the one who is asked: the test runs itself again on a pseudo-terminal, and is the person there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use watertight_mapi::MapiCode;
use watertight_mapi_client::{LogoffFlags, LogonFlags, Mapi, MapiError, Terminal};

use crate::kit::Bench;

const INNER: &str = "WATERTIGHT_TERMINAL_INNER";

/// The program on the terminal.
fn inner() -> bool {
    std::env::var_os(INNER).is_some()
}

fn again(name: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [&program, name, "--exact", "--nocapture"].map(str::to_owned).to_vec()
}

async fn logon(mapi: &Mapi, profile: Option<&str>, password: Option<&str>) -> Result<(), MapiError> {
    let flags = LogonFlags::NEW_SESSION | LogonFlags::LOGON_UI;
    mapi.logon_ex(&Terminal, profile, password, flags).await?.logoff(LogoffFlags::empty()).await
}

/// A person at a terminal.
struct Person {
    terminal: File,
    seen: String,
    program: Child,
}

impl Person {
    fn starts(name: &str) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let path = ptsname(&terminal, Vec::new()).unwrap();
        let screen: OwnedFd =
            rustix::fs::open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let screen = || Stdio::from(screen.try_clone().unwrap());
        let program = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .args(again(name))
            .env(INNER, "1")
            .stdin(screen())
            .stdout(screen())
            .stderr(screen())
            .spawn()
            .unwrap();
        Self { terminal: File::from(terminal), seen: String::new(), program }
    }

    /// Reads until this is there, and forgets what was before it.
    fn sees(&mut self, text: &str) {
        let mut bytes = [0; 1024];
        while !self.seen.contains(text) {
            let read = self.terminal.read(&mut bytes).unwrap_or(0);
            assert!(read > 0, "no {text:?} in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        let at = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..at);
    }

    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Types what must not be shown.
    fn types_unseen(&mut self, text: &str) {
        while tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ECHO) {
            std::thread::yield_now();
        }
        self.types(text);
    }
}

#[test]
fn what_is_missing_is_asked_for_on_the_terminal() {
    if inner() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            bench.replay.require_authorization("Basic dTRAdGVzdC5sb2NhbDpzZWNyZXQ=");
            // Nothing is missing.
            let mapi = bench.mapi();
            logon(&mapi, Some("work"), Some("secret")).await.unwrap();
            println!("nothing was asked");
            logon(&mapi, None, None).await.unwrap();
            println!("the first is in");
            // It is known now.
            logon(&mapi, Some("work"), None).await.unwrap();
            println!("the second is in");
            let error = logon(&bench.mapi(), None, None).await.unwrap_err();
            println!("{error}");
            mapi.idle().await;
            bench.assert_nothing_left().await;
        });
        println!("all done");
        return;
    }
    let mut person = Person::starts("terminal::what_is_missing_is_asked_for_on_the_terminal");
    person.sees("nothing was asked");
    assert!(!person.seen.contains("Profile") || person.seen.ends_with("Profile (work): "), "{}", person.seen);
    person.sees("Profile (work): ");
    person.types("work\n");
    person.sees("Password of u4@test.local for http://127.0.0.1:");
    person.types_unseen("mistyped\r");
    person.sees("The server does not accept it. Password of");
    person.types_unseen("secret\r");
    person.sees("the first is in");
    person.sees("the second is in");
    person.sees("Profile (work): ");
    // The end of input.
    person.types("\u{4}");
    person.sees("MAPI_E_USER_CANCEL (0x80040113)");
    person.sees("all done");
    assert!(person.program.wait().unwrap().success());
}

#[test]
fn where_there_is_no_terminal_nobody_is_asked() {
    if inner() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let error = logon(&bench.mapi(), Some("work"), None).await.unwrap_err();
            assert_eq!(error.code(), MapiCode::UnconfiguredLogon, "{error}");
            let error = logon(&bench.mapi(), None, None).await.unwrap_err();
            assert_eq!(error.code(), MapiCode::LogonFailed, "{error}");
            bench.assert_nothing_left().await;
        });
        return;
    }
    let words = again("terminal::where_there_is_no_terminal_nobody_is_asked");
    let output =
        Command::new(&words[0]).args(&words[1..]).env(INNER, "1").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("Password"));
}
