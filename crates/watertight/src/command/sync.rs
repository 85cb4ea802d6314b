//! `watertight sync`

pub mod progress;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use indicatif::HumanBytes;
use tokio::signal::unix::{SignalKind, signal};
use watertight_ledger::Ledger;
use watertight_mapi_client::{Connector, Credentials, Endpoint, ErrorClass, Options, Traffic};
use watertight_sync::{Config, Report, SyncError, Synchronizer};
use zeroize::Zeroizing;

use super::on_runtime;
use crate::cli::{Common, Sync};
use crate::exit::{Exit, Failure};
use crate::out::say;
use crate::secret;
use crate::words::counted;
use progress::{Bars, time};

/// Runs the command.
pub fn run(args: &Sync, common: &Common) -> Result<Exit> {
    // What is wrong with the command line is said before a password is asked for.
    let endpoint = endpoint(&args.server, &args.user)?;
    let password = password(&args.user, args.password_file.as_deref(), args.password_command.as_deref())?;
    let credentials = Credentials::new(args.user.clone(), password.as_str()).map_err(|e| client(e.into()))?;
    let ledger = Ledger::new("watertight");
    let bars = Arc::new(Bars::new(common.quiet || common.json, args.dry_run && !common.json));
    let report = on_runtime(2, sync(args, &bars, endpoint, &credentials, &ledger))?;
    print(&report, bars.folders(), args, common)?;
    Ok(if report.left_out.is_empty() { Exit::Done } else { Exit::Partial })
}

/// The password, from where the command line says that it is.
pub(super) fn password(user: &str, file: Option<&Path>, command: Option<&str>) -> Result<Zeroizing<String>> {
    match (file, command) {
        (Some(file), _) => secret::from_file(file),
        (None, Some(command)) => secret::from_command(command),
        (None, None) => secret::from_environment_or_prompt(&format!("Password of {user}: ")),
    }
}

/// The mailbox endpoint: as it was given, or where servers have it when only the server was.
pub(super) fn endpoint(server: &str, user: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::parse(server).map_err(|e| client(e.into()))?;
    let (path, query) = match endpoint.target().split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (endpoint.target(), None),
    };
    let path = if path == "/" { "/mapi/emsmdb/" } else { path };
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => format!("{path}?MailboxId={}", encoded(user)),
    };
    Ok(endpoint.with_target(&target))
}

/// As a value in a query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

async fn sync(
    args: &Sync,
    bars: &Arc<Bars>,
    endpoint: Endpoint,
    credentials: &Credentials,
    ledger: &Ledger,
) -> Result<Report> {
    // Signals that come from now on are not missed.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let options = Options { tls_ca: args.tls_ca.clone(), ..Options::default() };
    let connector = Connector::new(endpoint, credentials, options, ledger).map_err(client)?;
    let result = tokio::select! {
        result = synchronized(args, &connector, bars, ledger) => result,
        _ = terminate.recv() => Err(anyhow!(STOPPED)),
        _ = interrupt.recv() => Err(anyhow!(STOPPED)),
    };
    // However it ended, the server is told.
    connector.idle().await;
    let (mut report, discovery) = result?;
    report.requests = report.requests.saturating_add(discovery.requests);
    report.bytes_received = report.bytes_received.saturating_add(discovery.bytes_received);
    report.bytes_sent = report.bytes_sent.saturating_add(discovery.bytes_sent);
    Ok(report)
}

/// What to say after SIGINT or SIGTERM.
const STOPPED: &str = "stopped; what was done is kept, and the next run goes on from there";

/// The run, and what finding the mailbox cost before it.
async fn synchronized(
    args: &Sync,
    connector: &Connector,
    bars: &Arc<Bars>,
    ledger: &Ledger,
) -> Result<(Report, Traffic)> {
    let dn = user_dn(connector, &args.user, args.user_dn.as_deref()).await?;
    let discovery = connector.traffic();
    let mut options = usual(ledger);
    options.allow_mass_delete = args.allow_mass_delete;
    options.dry_run = args.dry_run;
    options.progress = Arc::<Bars>::clone(bars);
    let config = Config {
        maildir: args.maildir.clone(),
        connections: args.connections.into(),
        folder: args.folder.clone(),
        options,
    };
    let report =
        Synchronizer::new(connector.clone(), dn, config).run().await.map_err(|e| failed(e, &args.maildir))?;
    Ok((report, discovery))
}

fn usual(ledger: &Ledger) -> watertight_sync::Options {
    watertight_sync::Options {
        ledger: ledger.clone(),
        ..watertight_sync::Options::new(Arc::new(watertight_sync::Mail))
    }
}

/// An error of a run with its exit status.
fn failed(error: SyncError, maildir: &Path) -> anyhow::Error {
    match error {
        SyncError::Server(error) => client(error),
        error @ SyncError::NoFolder { .. } => anyhow!(Failure::usage(error.to_string())),
        error => anyhow::Error::new(error).context(format!("cannot keep {} in step", maildir.display())),
    }
}

/// The user's DN: as given, or as Autodiscover says it.
pub(super) async fn user_dn(connector: &Connector, user: &str, dn: Option<&str>) -> Result<String> {
    if let Some(dn) = dn {
        return Ok(dn.to_owned());
    }
    let host = connector.endpoint().host();
    let address = if user.contains('@') { user.to_owned() } else { format!("{user}@{host}") };
    discover(connector, user, &address).await
}

/// The user's DN, as Autodiscover on the server says it: for the login name, or for the address made of it.
async fn discover(connector: &Connector, user: &str, address: &str) -> Result<String> {
    match connector.discover(user).await {
        Ok(found) => Ok(found.legacy_dn),
        Err(error) if error.class() == ErrorClass::SignIn && user != address => {
            match connector.discover(address).await {
                Ok(found) => Ok(found.legacy_dn),
                Err(_) => Err(client(error)),
            }
        }
        Err(error) => Err(client(error)),
    }
}

/// One run without any display, for the demo.
pub async fn once(connector: &Connector, dn: &str, maildir: &Path, ledger: &Ledger) -> Result<Report> {
    let config = Config { maildir: maildir.to_owned(), connections: 2, folder: None, options: usual(ledger) };
    let report =
        Synchronizer::new(connector.clone(), dn, config).run().await.map_err(|e| failed(e, maildir))?;
    connector.idle().await;
    Ok(report)
}

/// An error of the client with its exit status.
pub(super) fn client(error: watertight_mapi_client::Error) -> anyhow::Error {
    let exit = match error.class() {
        ErrorClass::SignIn => Exit::SignIn,
        ErrorClass::Reach | ErrorClass::SessionLost => Exit::Reach,
        ErrorClass::Setup => Exit::Usage,
        _ => Exit::Failed,
    };
    // Its text says what to do.
    anyhow!(Failure { exit, what: error.to_string(), cure: None })
}

fn print(report: &Report, folders: Vec<String>, args: &Sync, common: &Common) -> Result<()> {
    if common.json {
        say!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    if common.quiet {
        return Ok(());
    }
    say!(
        "{}{}; {}, {}, {} received, {} sent, {}",
        if args.dry_run { "would do: " } else { "" },
        with_folders(tally(report), folders),
        counted(report.folders, "folder"),
        counted(report.requests, "request"),
        HumanBytes(report.bytes_received),
        HumanBytes(report.bytes_sent),
        time(Duration::from_secs_f64(report.seconds.max(0.0))),
    );
    if !report.left_out.is_empty() {
        say!("{} left out (listed above)", report.left_out.len());
    }
    Ok(())
}

fn with_folders(tally: String, mut folders: Vec<String>) -> String {
    if folders.is_empty() || tally != NOTHING {
        folders.insert(0, tally);
    }
    folders.join(", ")
}

const NOTHING: &str = "nothing changed";

/// What was done, in words.
pub fn tally(report: &Report) -> String {
    let tally = &report.tally;
    let done = [
        (tally.added, "new"),
        (tally.changed, "changed"),
        (tally.flags, "flags"),
        (tally.moved, "moved"),
        (tally.removed, "removed"),
        (tally.conflicts, "changed here"),
    ];
    let parts: Vec<String> =
        done.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if parts.is_empty() { NOTHING.into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use watertight_sync::{Action, Progress};

    use super::*;

    #[test]
    fn folders_count_as_changes() {
        let bars = Bars::new(true, false);
        assert_eq!(with_folders(NOTHING.into(), bars.folders()), NOTHING);
        let (from, folder) = (".A".to_owned(), "B".to_owned());
        bars.action(&Action::RenameFolder { from, folder });
        assert_eq!(with_folders(NOTHING.into(), bars.folders()), "1 renamed folder");
        assert_eq!(with_folders("2 new".into(), bars.folders()), "2 new, 1 renamed folder");
    }

    #[test]
    fn the_server_alone_is_enough() {
        let target = |server: &str| endpoint(server, "anna b").unwrap().target().to_owned();
        assert_eq!(target("https://h.example"), "/mapi/emsmdb/?MailboxId=anna%20b");
        assert_eq!(target("https://h.example/"), "/mapi/emsmdb/?MailboxId=anna%20b");
        assert_eq!(target("https://h.example/m/"), "/m/?MailboxId=anna%20b");
        assert_eq!(target("https://h.example/m/?MailboxId=x@y"), "/m/?MailboxId=x@y");
        let wrong = endpoint("http://mail.example.org/", "anna").unwrap_err();
        assert_eq!(wrong.downcast_ref::<Failure>().map(|f| f.exit), Some(Exit::Usage));
    }
}
