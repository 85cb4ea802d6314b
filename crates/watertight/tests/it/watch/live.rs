//! The program, with a server that comes and goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use watertight_ledger::Ledger;
use watertight_mapi_client::{Connector, Credentials, Endpoint, NewMessage, NoLarge, Options};

use crate::accounts::private;
use crate::bed::mail;
use crate::harness::{House, PASSWORD, count, ended, maildir, pid, small_maildir, watertight};

/// Longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(60);

/// A change is on disk within this time.
const SOON: Duration = Duration::from_secs(1);

/// A program that watches.
struct Watching {
    child: Child,
    events: Receiver<Value>,
}

impl Watching {
    fn start(house: &House, server: &str, into: &Path, more: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = house.sync(server, into);
        command.arg("--watch").args(more).envs(env.iter().copied()).stderr(Stdio::inherit());
        Self::of(&mut command)
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, events }
    }

    /// Waits for an event.
    fn event(&self, name: &str) -> Value {
        self.event_of("", name)
    }

    /// Waits for an event of this account, or of any.
    fn event_of(&self, account: &str, name: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|e| panic!("no {name}: {e}"));
            if event["event"] == name && (account.is_empty() || event["account"] == account) {
                assert_eq!(event["version"], 1);
                return event;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(&self.child), signal).unwrap();
    }

    /// SIGTERM: it ends well.
    fn stop(self) {
        assert_eq!(self.ends(), Some(0));
    }

    /// SIGTERM; says with which status it ends.
    fn ends(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a message into the Inbox; says when.
fn post(house: &House, url: &str, subject: &str) -> Instant {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let credentials = Credentials::new("anna", PASSWORD).unwrap();
        let endpoint = Endpoint::parse(url).unwrap();
        let connector =
            Connector::new(endpoint, &credentials, Options::default(), &Ledger::new("poster")).unwrap();
        let session = connector.connect(&house.dn).await.unwrap();
        let logon = session.logon(&house.dn).await.unwrap();
        let message = NewMessage { content: mail(subject), ..NewMessage::default() };
        let inbox = logon.inbox().await.unwrap();
        let begun = Instant::now();
        inbox.add_message(&message, &NoLarge).await.unwrap();
        drop((inbox, logon));
        session.disconnect().await.unwrap();
        connector.idle().await;
        begun
    })
}

/// Waits until there are so many messages.
fn wait_for(into: &Path, messages: usize) {
    let deadline = Instant::now() + LIMIT;
    while count(into) != messages {
        assert!(Instant::now() < deadline, "{} of {messages}", count(into));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait_for_file(path: &Path) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < deadline, "no {}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn changes_come_by_themselves_and_hooks_and_systemd_are_told() {
    let house = House::new();
    small_maildir(&house.path("source"), 10);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let socket = house.path("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(LIMIT)).unwrap();
    let (into, hook) = (house.path("mail"), house.path("hook"));
    let command = format!("cat > {0}.tmp && mv {0}.tmp {0}", hook.display());
    let watching = Watching::start(
        &house,
        &server.url,
        &into,
        &["--on-new", &command, "--on-change", "exit 3"],
        &[("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "800000")],
    );
    let first = watching.event("synced");
    assert_eq!(
        (&first["added"], &first["everything"], &first["account"]),
        (&10.into(), &true.into(), &"anna".into())
    );
    assert_eq!(count(&into), 10);
    let told: Value = serde_json::from_str(&wait_for_file(&hook)).unwrap();
    assert_eq!((&told["event"], &told["added"]), (&"new".into(), &10.into()));
    assert!(Path::new(told["messages"][0]["file"].as_str().unwrap()).is_file());
    std::fs::remove_file(&hook).unwrap();
    assert_eq!(first["listening"], true);
    // Nobody asks it to look: the server tells.
    post(&house, &server.url, "by itself");
    wait_for(&into, 11);
    let told: Value = serde_json::from_str(&wait_for_file(&hook)).unwrap();
    assert_eq!((&told["added"], &told["folders"]), (&1.into(), &serde_json::json!(["INBOX"])));
    // On a machine that does much else it takes longer now and then.
    let within_a_second = (12..22).any(|messages| {
        let posted = post(&house, &server.url, &format!("number {messages}"));
        wait_for(&into, messages);
        posted.elapsed() < SOON
    });
    assert!(within_a_second);
    // What systemd hears.
    let mut heard = BTreeMap::new();
    while !["READY=1", "WATCHDOG=1"].iter().all(|k| heard.contains_key(*k)) {
        hear(&systemd, &mut heard);
    }
    watching.signal(Signal::USR1);
    watching.stop();
    while !heard.contains_key("STOPPING=1") {
        hear(&systemd, &mut heard);
    }
    assert!(heard.keys().any(|k| k.starts_with("STATUS=anna: ")), "{heard:?}");
    server.stop();
}

fn hear(systemd: &UnixDatagram, heard: &mut BTreeMap<String, u32>) {
    let mut bytes = [0; 4096];
    let n = systemd.recv(&mut bytes).unwrap();
    for line in String::from_utf8_lossy(&bytes[..n]).lines() {
        *heard.entry(line.to_owned()).or_default() += 1;
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_followed() {
    let house = House::new();
    small_maildir(&house.path("source"), 20);
    ended(&mut house.import(&[house.path("source")])).good();
    let mut server = house.serve(&[]);
    let (_, port) = server.address();
    let into = house.path("mail");
    let failed = house.path("failed");
    let command = format!("echo \"$WATERTIGHT_ERROR\" > {}", failed.display());
    let watching = Watching::start(&house, &server.url, &into, &["--on-error", &command], &[]);
    watching.event("synced");
    for round in 0..3 {
        // The wait for its news ends, and nobody asks.
        server.kill();
        let event = watching.event("failed");
        assert!(event["again_in"].as_f64().unwrap() <= 8.0, "{event}");
        server = house.serve_at(&port);
        if round > 0 {
            // It is not waited for longer each time.
            watching.signal(Signal::HUP);
        }
        post(&house, &server.url, &format!("round {round}"));
        wait_for(&into, 21 + round);
    }
    assert!(!wait_for_file(&failed).contains(PASSWORD));
    watching.stop();
    let fresh = house.path("fresh");
    ended(&mut house.sync(&server.url, &fresh)).good();
    assert_eq!(maildir(&into), maildir(&fresh));
    server.stop();
}

#[test]
fn accounts_are_watched_by_name_and_all_together_and_one_that_is_refused_ends_with_status_3() {
    let house = House::new();
    small_maildir(&house.path("source"), 10);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let (config, log) = (house.path("config.toml"), house.path("log"));
    private(&house.path("right"), &format!("{PASSWORD}\n"));
    private(&house.path("wrong"), "hunter2\n");
    let profile = |name: &str, password: &str| {
        format!(
            "[profile.{name}]\naddress = \"anna@example.org\"\nserver = \"{}\"\n\
             password_file = \"{password}\"\nmaildir = \"{name}\"\n",
            server.url
        )
    };
    private(&config, &(profile("a", "right") + &profile("b", "wrong")));
    let watch = |who: &str| {
        let mut command = watertight();
        let log = File::options().create(true).append(true).open(&log).unwrap();
        command.args(["sync", who, "--watch", "--json", "--log-format", "json", "--config"]).arg(&config);
        Watching::of(command.stderr(log))
    };

    let all = watch("--all");
    for failures in 1..=3 {
        let failed = all.event_of("b", "failed");
        assert_eq!((&failed["failures"], failed["again_in"].is_null()), (&failures.into(), failures == 3));
        // The next try is minutes away.
        all.signal(Signal::HUP);
    }
    all.event_of("b", "stopped");
    // The other goes on.
    wait_for(&house.path("a"), 10);
    post(&house, &server.url, "for a");
    wait_for(&house.path("a"), 11);
    assert_eq!(all.ends(), Some(3));

    let one = watch("a");
    assert_eq!(one.event("synced")["added"], 0);
    one.stop();
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(!lines.contains("hunter2") && !lines.contains(PASSWORD));
    // The last line of the first run is for people: why it ended so.
    let logged: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for (account, event) in [("a", "started"), ("a", "synced"), ("b", "failed"), ("b", "stopped")] {
        let found = logged.iter().any(|l| l["fields"]["account"] == account && l["fields"]["event"] == event);
        assert!(found, "{account}, {event}: {lines}");
    }
    server.stop();
}
