//! The program, run: data directories, servers, Maildirs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The account's password; it must never be seen in an output.
pub const PASSWORD: &str = "p4ss-w0rd-that-is-secret";

/// The program.
pub fn watertight() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watertight"));
    command.env_remove("WATERTIGHT_PASSWORD").env_remove("WATERTIGHT_LOG").stdin(Stdio::null());
    command
}

/// What a command that has ended left.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The exit status; none for a killed program.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The JSON object on standard output, which must be alone there.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no JSON alone: {e}\n{}\n{}", self.stdout, self.stderr))
    }

    /// The same, of a command that succeeded.
    pub fn good(self) -> Self {
        assert_eq!(self.code(), Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A data directory with the account anna, a place for Maildirs, and a password file.
pub struct House {
    pub dir: TempDir,
    /// The account's legacy distinguished name.
    pub dn: String,
}

impl House {
    /// With an empty mailbox.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let mut house = Self { dir, dn: String::new() };
        let added = ended(
            watertight()
                .args(["user", "add", "anna", "--json", "--smtp", "anna@example.org", "--data"])
                .arg(house.data())
                .arg("--password-file")
                .arg(house.password()),
        )
        .good();
        house.dn = added.json()["dn"].as_str().unwrap().to_owned();
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn password(&self) -> PathBuf {
        self.path("password")
    }

    /// `watertight import` into the mailbox.
    pub fn import(&self, paths: &[PathBuf]) -> Command {
        let mut command = watertight();
        command.args(["import", "--json", "--mailbox", "anna", "--data"]).arg(self.data()).args(paths);
        command
    }

    /// `watertight serve`, ready.
    pub fn serve(&self, options: &[&str]) -> Served {
        Served::start(
            watertight().args(["serve", "--http", "127.0.0.1:0", "--data"]).arg(self.data()).args(options),
        )
    }

    /// `watertight serve` at a port, ready.
    pub fn serve_at(&self, port: &str) -> Served {
        Served::start(
            watertight().args(["serve", "--http", &format!("127.0.0.1:{port}"), "--data"]).arg(self.data()),
        )
    }

    /// `watertight sync` with that server into a Maildir.
    pub fn sync(&self, server: &str, maildir: &Path) -> Command {
        let mut command = watertight();
        command
            .args(["sync", "--json", "--user", "anna", "--server", server, "--password-file"])
            .arg(self.password())
            .arg("--maildir")
            .arg(maildir);
        command
    }
}

/// A running server.
pub struct Served {
    child: Child,
    /// The URL that it printed.
    pub url: String,
}

impl Served {
    /// Starts it, and waits until it says that it is ready.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim_end().strip_prefix("http ") {
            Some(url) => Self { url: url.to_owned(), child },
            None => {
                let mut stderr = String::new();
                child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("the server did not start: {line:?} {stderr}");
            }
        }
    }

    /// Host and port.
    pub fn address(&self) -> (String, String) {
        let rest = self.url.split_once("://").unwrap().1;
        let (host, port) = rest.split_once('/').unwrap().0.rsplit_once(':').unwrap();
        (host.to_owned(), port.to_owned())
    }

    /// Stops it with SIGTERM; it must end cleanly. Returns what it logged.
    pub fn stop(mut self) -> String {
        kill_process(pid(&self.child), Signal::TERM).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {stderr}");
        stderr
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of a child, to send signals to.
pub fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// What a Maildir++ tree holds: the directory of each folder, with the contents of its messages and how often.
pub fn maildir(root: &Path) -> BTreeMap<String, BTreeMap<Vec<u8>, usize>> {
    let mut folders = BTreeMap::new();
    let mut roots = vec![(String::new(), root.to_owned())];
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') && entry.path().join("cur").is_dir() {
            roots.push((name, entry.path()));
        }
    }
    for (name, path) in roots {
        let mut messages = BTreeMap::new();
        for part in ["cur", "new"] {
            for file in fs::read_dir(path.join(part)).unwrap() {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                *messages.entry(bytes).or_insert(0) += 1;
            }
        }
        if !messages.is_empty() {
            folders.insert(name, messages);
        }
    }
    folders
}

/// How many messages a Maildir++ tree holds.
pub fn count(root: &Path) -> usize {
    if !root.join("cur").is_dir() {
        return 0;
    }
    maildir(root).values().flat_map(BTreeMap::values).sum()
}

/// Sample mail: the folder with the eml files.
pub fn corpus() -> PathBuf {
    watertight_testkit::data_dir().join("corpus/eml")
}

/// A Maildir++ tree with `n` small messages in four folders, each its own.
pub fn small_maildir(root: &Path, n: usize) {
    for folder in ["", ".Archive", ".Archive.2004", ".Lists"] {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(root.join(folder).join(part)).unwrap();
        }
    }
    for i in 0..n {
        let folder = ["", "", ".Archive", ".Archive.2004", ".Lists"][i % 5];
        let flags = ["S", "", "RS", "FS"][i % 4];
        let text = format!(
            "From: Sender {i} <s{i}@example.org>\nTo: anna@example.org\nSubject: message number {i}\n\
             Date: Mon, 02 Jan 2023 10:{:02}:{:02} +0000\nMessage-ID: <{i}@example.org>\n\n{}\n",
            i / 60 % 60,
            i % 60,
            format!("line of message {i}\n").repeat(1 + i % 40)
        );
        fs::write(root.join(folder).join(format!("cur/{}.M{i}.test:2,{flags}", 1_672_653_600 + i)), text)
            .unwrap();
    }
}
