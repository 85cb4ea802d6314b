//! Each thing that goes wrong, and what is said about it.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::sync::oneshot;
use watertight_ledger::Ledger;
use watertight_mapi::store::{NewAccount, Store as _};
use watertight_mapi_client::{ConfirmHop, Credentials, Dns, Options, Service};
use watertight_mapi_server::{Server, ServerConfig, hash_password};
use watertight_store::MemoryStore;
use watertight_testkit::replay::{Fault, Replay, When};

use super::line::{Line, Status};
use super::*;

const PASSWORD: &str = "in-process";

/// Names of the test, and no others.
#[derive(Debug, Default)]
struct Names(BTreeMap<String, SocketAddr>);

#[async_trait::async_trait]
impl Dns for Names {
    async fn addresses(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let known = host.parse().ok().map(|ip| SocketAddr::new(ip, _port));
        let found = self.0.get(host).copied().or(known);
        found.map(|a| vec![a]).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name"))
    }

    async fn services(&self, _: &str) -> io::Result<Vec<Service>> {
        Ok(Vec::new())
    }
}

fn options(names: Names) -> Options {
    Options {
        dns: Arc::new(names),
        connect_timeout: CONNECT_TIMEOUT,
        read_timeout: READ_TIMEOUT,
        backoff: Backoff { tries: 1, ..Backoff::default() },
        ..Options::default()
    }
}

fn plan(address: &str, server: Option<String>, user_dn: Option<String>) -> Plan {
    Plan {
        address: address.to_owned(),
        server,
        user_dn,
        user: address.to_owned(),
        confirm: ConfirmHop::never(),
    }
}

async fn run(plan: &Plan, options: &Options) -> Checked {
    let ledger = Ledger::new("test");
    let credentials = Credentials::new(plan.user.clone(), PASSWORD).unwrap();
    let checked = check(plan, &credentials, options, &ledger, &|_: &Line| ()).await;
    assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
    let all = format!("{} {checked:?}", serde_json::to_string(&checked).unwrap());
    assert!(!all.contains(PASSWORD), "{all}");
    checked
}

/// The step that failed: it has a fault and a cure.
fn failed(checked: &Checked) -> &Line {
    let line = checked.steps.iter().find(|line| line.status == Status::Failed).unwrap();
    assert!(line.fault.is_some() && line.cure.is_some(), "{line}");
    assert!(!checked.ok);
    line
}

fn assert_says(checked: &Checked, exit: Exit, step: &str, words: &[&str]) {
    let line = failed(checked);
    let text = line.to_string();
    assert_eq!((checked.exit, line.step), (exit, step), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// Our server, with TLS, under the name mail.example.org; its certificate is for another name where one is given.
struct Served {
    names: Names,
    ca: tempfile::NamedTempFile,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn served(certified: &str) -> Served {
    let key = KeyPair::generate().unwrap();
    let hosts = certified.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let certificate = CertificateParams::new(hosts).unwrap().self_signed(&key).unwrap();
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(certificate.pem().as_bytes()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let account = NewAccount {
        name: "anna".into(),
        display_name: "Anna".into(),
        smtp_address: "anna@example.org".into(),
        password_hash: hash_password(PASSWORD).unwrap(),
    };
    store.create_account(account).await.unwrap();
    let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap());
    config = config.with_tls(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    config.public_url = Some("https://mail.example.org".to_owned());
    let server = Server::bind(config, store, &Ledger::new("server")).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        server
            .run(async {
                let _ = stopped.await;
            })
            .await;
    });
    let names = ["example.org", "autodiscover.example.org", "mail.example.org"];
    let names = names.into_iter().map(|name| (name.to_owned(), address)).collect();
    Served { names: Names(names), ca, stop, task }
}

impl Served {
    fn options(&mut self) -> Options {
        let names = std::mem::take(&mut self.names);
        Options { tls_ca: Some(self.ca.path().to_owned()), ..options(names) }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn an_address_is_all_that_it_takes() {
    let mut server = served("example.org mail.example.org").await;
    let options = server.options();
    let checked = run(&plan("anna@example.org", None, None), &options).await;
    let text: Vec<String> = checked.steps.iter().map(ToString::to_string).collect();
    assert!(checked.ok && checked.exit == Exit::Done, "{text:#?}");
    for step in ["discovery", "mailbox", "dns", "tls", "sign-in", "connect", "logon", "size", "quota", "ics"]
    {
        assert!(checked.steps.iter().any(|line| line.step == step), "{step}: {text:#?}");
    }
    let tls = checked.steps.iter().find(|line| line.step == "tls").unwrap();
    assert!(tls.detail.starts_with("TLS 1.3, certificate for example.org, mail.example.org"), "{tls}");
    assert!(
        checked.found.unwrap().mail_store[0].starts_with("https://mail.example.org/mapi/emsmdb/?MailboxId=")
    );

    // Somebody whom the server does not know, and a wrong password: both look alike to it.
    let checked = run(&plan("bert@example.org", None, None), &options).await;
    assert_says(
        &checked,
        Exit::SignIn,
        "discovery",
        &["does not accept", "bert@example.org", "locked", "expired"],
    );
    server.end().await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_with_its_names() {
    // Autodiscover has the right one, the mailbox is elsewhere.
    let mut server = served("example.org other.example.org").await;
    let options = server.options();
    let checked = run(&plan("anna@example.org", None, None), &options).await;
    let words = [
        "made out for another name",
        "certificate for example.org, other.example.org",
        "--server https://example.org",
    ];
    assert_says(&checked, Exit::Reach, "tls", &words);
    server.end().await;

    let mut server = served("other.example.org").await;
    let options = server.options();
    let checked = run(&plan("anna@example.org", None, None), &options).await;
    assert_says(
        &checked,
        Exit::Reach,
        "discovery",
        &["made out for another name", "whoever runs the server"],
    );
    let untrusted = Options { tls_ca: None, ..options };
    let checked = run(
        &plan("anna@example.org", Some("https://mail.example.org".to_owned()), Some("/o=x".to_owned())),
        &untrusted,
    )
    .await;
    assert_says(&checked, Exit::Reach, "tls", &["--tls-ca"]);
    server.end().await;
}

#[tokio::test]
async fn wrong_addresses_and_domains_without_discovery() {
    let none = options(Names::default());
    let checked = run(&plan("anna@example.org", None, None), &none).await;
    let words = ["nobody says where the mailbox of anna@example.org is", "--server https://mail.example.org"];
    assert_says(&checked, Exit::Reach, "discovery", &words);
    let tried = checked.steps.iter().filter(|line| line.status == Status::Nothing).count();
    assert_eq!(tried, 4, "each way is told: {checked:?}");
    let checked = run(&plan("anna@exa mple", None, None), &none).await;
    assert_says(&checked, Exit::Usage, "discovery", &["is not an address"]);
    let server = Some("https://nowhere.example".to_owned());
    let checked = run(&plan("anna@example.org", server, Some("/o=x".to_owned())), &none).await;
    assert_says(&checked, Exit::Reach, "dns", &["getent hosts nowhere.example"]);
}

#[tokio::test]
async fn refusals_of_the_server_have_a_cure() {
    let replay = Replay::first_set();
    let options = options(Names::default());
    let here = || {
        let server = replay.url();
        plan("u4@test.local", Some(server), Some(replay.user_dn()))
    };
    let connect = || When::request("Connect").always();
    // The password has expired, or the account is locked: the same to HTTP.
    replay.require_authorization("Basic somebody-else");
    let checked = run(&here(), &options).await;
    assert_says(&checked, Exit::SignIn, "sign-in", &["does not accept", "expired", "locked", "--user NAME"]);

    let replay = Replay::first_set();
    let here = || plan("u4@test.local", Some(replay.url()), Some(replay.user_dn()));
    for (fault, exit, step, words) in [
        (Fault::Status(403, Vec::new()), Exit::SignIn, "sign-in", ["403", "locked"]),
        (
            Fault::Status(503, vec![("Retry-After", "40".to_owned())]),
            Exit::Reach,
            "connect",
            ["busy", "in 40 s: watertight check u4@test.local"],
        ),
        (Fault::Status(429, Vec::new()), Exit::Reach, "connect", ["busy", "limits"]),
        // StatusCode, ErrorCode (ecWrongServer), three times, two empty names, no auxiliary buffer.
        (
            Fault::Body([&[0, 0, 0, 0, 0x78, 4, 0, 0][..], &[0; 12], &[0; 3], &[0; 4]].concat()),
            Exit::SignIn,
            "sign-in",
            ["moved to another server", "watertight check u4@test.local"],
        ),
        (Fault::Status(404, Vec::new()), Exit::Reach, "connect", ["does not speak MAPI", "/mapi/emsmdb/"]),
    ] {
        replay.heal();
        replay.fault(connect(), fault);
        assert_says(&run(&here(), &options).await, exit, step, &words);
    }
    replay.heal();
    // A server that knows no folders' table: what was reached before it is told.
    let checked = run(&here(), &options).await;
    let good: Vec<_> = checked.steps.iter().filter(|l| l.status == Status::Ok).map(|l| l.step).collect();
    assert!(good.contains(&"logon"), "{checked:?}");
}
