//! `watertight demo`: the main job, end to end, on the embedded store.

mod changes;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use watertight_ledger::{Inspect, Ledger};
use watertight_mapi::store::{Account, NewAccount, Store};
use watertight_mapi_client::{Connector, Credentials, Endpoint};
use watertight_mapi_server::{Server, ServerConfig, hash_password};
use watertight_store::SqliteStore;
use watertight_sync::Report;
use zeroize::Zeroizing;

use super::sync::progress::time;
use super::{on_runtime, sync};
use crate::cli::{Common, Demo};
use crate::exit::{Exit, Failure};
use crate::import::{Bytes, Flags, Item, Limits, Mail, Options, import};
use crate::out::say;
use crate::{data, sample};

/// Runs the command.
pub fn run(args: &Demo, common: &Common) -> Result<Exit> {
    let kept = args.dir.clone();
    let scratch;
    let dir = match &kept {
        Some(dir) => {
            make_empty(dir)?;
            dir.clone()
        }
        None => {
            scratch = tempfile::Builder::new()
                .prefix("watertight-demo-")
                .tempdir()
                .context("no scratch directory")?;
            scratch.path().to_owned()
        }
    };
    let mail = match &args.mail {
        Some(path) if !path.exists() => anyhow::bail!("{} is not there", path.display()),
        Some(path) => Mail::Paths(vec![path.clone()]),
        None => Mail::Items(sample_items()),
    };
    on_runtime(2, demo(&dir, mail, kept.is_some(), common))
}

/// What the demo shows, line by line, and as one object.
struct Story {
    shown: bool,
    bold: bool,
    json: serde_json::Map<String, Value>,
    started: Instant,
}

impl Story {
    fn line(&mut self, what: &str, text: &str) {
        if self.shown {
            let (on, off) = if self.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            say!("  {on}{what:<8}{off} {text}");
        }
    }

    fn text(&self, text: &str) {
        if self.shown {
            say!("{text}");
        }
    }

    fn keep(&mut self, key: &str, value: Value) {
        self.json.insert(key.to_owned(), value);
    }
}

async fn demo(dir: &Path, mail: Mail, kept: bool, common: &Common) -> Result<Exit> {
    let mut story = Story {
        shown: !common.json && !common.quiet,
        bold: std::io::stdout().is_terminal(),
        json: serde_json::Map::new(),
        started: Instant::now(),
    };
    story.keep("version", json!(1));
    story.text(
        "\nA mailbox on a MAPI server becomes a Maildir, and stays in step. All of it on this machine.\n",
    );
    let ledger = Ledger::new("watertight");
    let counts = act(dir, mail, &ledger, &mut story).await?;
    let held = ledger.held();
    story.keep("held", json!(held));
    story.keep("made", json!(counts.iter().map(|(_, ever)| ever).sum::<u64>()));
    story.keep("seconds", json!(story.started.elapsed().as_secs_f64()));
    let made: Vec<String> = counts.iter().map(|(name, ever)| format!("{ever} {name}")).collect();
    story.line("ledger", &format!("{held} held, of all that was made: {}", wrapped(&made)));
    story.text(&closing(dir, kept, story.started.elapsed()));
    if common.json {
        say!("{}", Value::Object(story.json));
    }
    if held != 0 {
        anyhow::bail!("something is still held:\n{}", ledger.inspect());
    }
    Ok(Exit::Done)
}

/// Everything but the ending. When it returns, everything that was made must be gone.
async fn act(dir: &Path, mail: Mail, ledger: &Ledger, story: &mut Story) -> Result<Vec<(&'static str, u64)>> {
    let data = dir.join("store");
    let maildir = dir.join("Maildir");
    let store = data::open_or_make(&data, ledger).await?;
    let password = password()?;
    let account = account(&store, &password).await?;
    story.line("account", &format!("anna <{}>, in an embedded store", account.smtp_address));

    let start = Instant::now();
    let mailbox = store.mailbox(account.mailbox_guid).await.context("cannot open the mailbox")?;
    let options = Options { folder: None, limits: Limits { max_message: 256 << 20 } };
    let imported = import(&*mailbox, mail, options, |_| ()).await?;
    drop(mailbox);
    let text = format!(
        "{} messages into {} folders, {}, {}",
        imported.imported,
        imported.folders,
        HumanBytes(imported.bytes),
        time(start.elapsed())
    );
    story.line("import", &text);
    story.keep("imported", json!(imported.imported));

    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(ServerConfig::new(address), Arc::new(store), ledger).await?;
    let url = server.urls().into_iter().next().context("the server listens nowhere")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    story.line("serve", &url);

    let connector = connector(&url, &account, &password, ledger)?;
    let client =
        Client { connector, dn: &account.legacy_dn, maildir: &maildir, ledger: ledger.child("sync") };
    let done = client.story(story).await;
    let counts = counts(&ledger.inspect());
    drop(client);
    let _ = stop.send(());
    serving.await.context("the server ended badly")?;
    done?;
    Ok(counts)
}

/// The client's side of the demo.
struct Client<'a> {
    connector: Connector,
    dn: &'a str,
    maildir: &'a Path,
    ledger: Ledger,
}

impl Client<'_> {
    async fn story(&self, story: &mut Story) -> Result<()> {
        let first = self.sync(story, "first_sync").await?;
        story.line("sync", &shown(&first));
        let changes = changes::make(&self.connector, self.dn).await?;
        self.connector.idle().await;
        let text = format!(
            "on the server: {} new, {} marked read, {} moved, {} deleted",
            changes.new, changes.read, changes.moved, changes.deleted
        );
        story.line("change", &text);
        let second = self.sync(story, "after_changes").await?;
        story.line("sync", &shown(&second));
        let third = self.sync(story, "no_change").await?;
        story.line("sync", &shown(&third));
        Ok(())
    }

    async fn sync(&self, story: &mut Story, key: &str) -> Result<Report> {
        let report = sync::once(&self.connector, self.dn, self.maildir, &self.ledger).await?;
        story.keep(key, serde_json::to_value(&report)?);
        Ok(report)
    }
}

fn connector(url: &str, account: &Account, password: &str, ledger: &Ledger) -> Result<Connector> {
    let endpoint = Endpoint::parse(&format!("{url}?MailboxId={}", account.smtp_address))?;
    let credentials = Credentials::new(account.name.clone(), password)?;
    Ok(Connector::new(endpoint, &credentials, Default::default(), ledger)?)
}

/// A run in one line.
fn shown(report: &Report) -> String {
    format!(
        "{}; {} folders, {} requests, {} received, {}",
        sync::tally(report),
        report.folders,
        report.requests,
        HumanBytes(report.bytes_received),
        time(Duration::from_secs_f64(report.seconds.max(0.0)))
    )
}

fn wrapped(parts: &[String]) -> String {
    let mut text = String::new();
    let mut width = 40;
    for (n, part) in parts.iter().enumerate() {
        let part = if n.saturating_add(1) == parts.len() { part.clone() } else { format!("{part}, ") };
        width += part.chars().count();
        if width > 96 {
            text.truncate(text.trim_end().len());
            text.push_str("\n           ");
            width = part.chars().count();
        }
        text.push_str(&part);
    }
    text
}

/// How many of each kind of thing were ever made, most first.
fn counts(tree: &Inspect) -> Vec<(&'static str, u64)> {
    fn add(tree: &Inspect, all: &mut std::collections::BTreeMap<&'static str, u64>) {
        for (name, held) in &tree.kinds {
            let sum = all.entry(name).or_default();
            *sum = sum.saturating_add(held.ever);
        }
        tree.children.iter().for_each(|child| add(child, all));
    }
    let mut all = std::collections::BTreeMap::new();
    add(tree, &mut all);
    let mut all: Vec<_> = all.into_iter().filter(|(_, ever)| *ever > 0).collect();
    all.sort_by_key(|(name, ever)| (std::cmp::Reverse(*ever), *name));
    all
}

fn closing(dir: &Path, kept: bool, elapsed: Duration) -> String {
    let kept = if kept {
        format!(
            "\nLook at it:  mutt -f {0}/Maildir\nServe it:    watertight serve --data {0}/store --http 127.0.0.1:8080\n",
            dir.display()
        )
    } else {
        String::new()
    };
    format!(
        "\n{} in all.{}\n{kept}\nYour own mailbox, on an Exchange or grommunio server:\n\n  \
         watertight sync --server https://mail.example.org --user you@example.org --maildir ~/Mail\n",
        time(elapsed),
        if kept.is_empty() { " Nothing of it is left on this machine; --dir DIR keeps it." } else { "" }
    )
}

async fn account(store: &SqliteStore, password: &str) -> Result<Account> {
    let new = NewAccount {
        name: "anna".into(),
        display_name: "Anna".into(),
        smtp_address: "anna@example.org".into(),
        password_hash: hash_password(password).context("cannot hash the password")?,
    };
    store.create_account(new).await.context("cannot make the account")
}

fn password() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    getrandom::fill(&mut *bytes).context("no random numbers")?;
    Ok(Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect()))
}

fn sample_items() -> Vec<Item> {
    sample::MAIL
        .iter()
        .map(|mail| Item {
            folder: mail.folder.split('/').map(str::to_owned).collect(),
            place: "the sample mail".into(),
            bytes: Bytes::Here(mail.bytes.to_vec()),
            flags: Flags::parse(mail.flags),
            delivered: None,
        })
        .collect()
}

/// Makes the directory; it must be empty.
fn make_empty(dir: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    if entries.next().is_some() {
        return Err(Failure::usage(format!("{} is not empty: name a new directory", dir.display())).into());
    }
    Ok(())
}
