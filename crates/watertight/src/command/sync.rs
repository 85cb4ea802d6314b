//! `watertight sync`

mod all;
pub mod progress;
mod watch;
mod whose;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use indicatif::HumanBytes;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use watertight_ledger::Ledger;
use watertight_mapi_client::{Connector, Credentials, Endpoint, Error, ErrorClass, Traffic};
use watertight_sync::watch::Failure as Failing;
use watertight_sync::{Config, Mode, Report, Since, SyncError, Synchronizer};
use zeroize::Zeroizing;

use super::account::{Account, profiles, wrong};
use super::{cure, on_runtime};
use crate::cli::{Common, Sync};
use crate::exit::{Exit, Failure};
use crate::out::say;
use crate::secret;
use crate::words::counted;
use progress::{Bars, time};
use whose::Whose;

/// Runs the command.
pub fn run(args: &Sync, common: &Common) -> Result<Exit> {
    if args.watch {
        return watch::run(args, common);
    }
    if args.all {
        return all::run(args, common);
    }
    let job = Job::new(account(args)?, args)?;
    // What is wrong with the command line is said before a password is asked for.
    job.account.check()?;
    let credentials = job.account.credentials()?;
    let bars = Arc::new(Bars::new(common.quiet || common.json, args.dry_run && !common.json));
    let ledger = Ledger::new("watertight");
    let report = on_runtime(2, job.run(&credentials, &bars, &ledger, &Semaphore::new(1)))?;
    print(&report, bars.folders(), args, common)?;
    Ok(exit(&report))
}

/// How a run that came to its end ends.
fn exit(report: &Report) -> Exit {
    if report.left_out.is_empty() { Exit::Done } else { Exit::Partial }
}

/// The account that the command line says: by its name, by a server and a user, or the default one.
fn account(args: &Sync) -> Result<Account> {
    if args.name.is_none() && args.access.server.is_some() {
        return Ok(Account::of_line(&args.access));
    }
    let set = profiles(args.config.as_deref())?.read().map_err(wrong)?;
    let Some(name) = args.name.as_ref().or(set.default.as_ref()) else {
        return Err(anyhow!(Failure::new(
            Exit::Usage,
            "what to synchronize was not said",
            "give the NAME of an account (watertight login ADDRESS makes one), or --server, --user and --maildir",
        )));
    };
    Ok(Account::named(&set, name)?.over(&args.access))
}

/// What is synchronized, where to, and how.
struct Job {
    account: Account,
    whose: Whose,
    maildir: PathBuf,
    folder: Option<String>,
    dry_run: bool,
    connections: usize,
    allow_mass_delete: bool,
    manner: Manner,
}

/// What of the mailbox belongs into the Maildir; where nothing is said the Maildir remembers.
struct Manner {
    mode: Option<Mode>,
    since: Option<Since>,
    exclude: Option<Vec<String>>,
    adopt: bool,
}

impl Manner {
    /// As the command line has it, else as the account has it.
    fn new(account: &Account, args: &Sync) -> Result<Self> {
        let wrong = |key: &str, error: String| {
            anyhow!(Failure::new(
                Exit::Usage,
                format!("{key} of {}: {error}", account.label()),
                "correct the account"
            ))
        };
        let profile = &account.profile;
        let mode =
            profile.mode.as_deref().map(str::parse::<Mode>).transpose().map_err(|e| wrong("mode", e))?;
        let since =
            profile.since.as_deref().map(str::parse::<Since>).transpose().map_err(|e| wrong("since", e))?;
        let given = args.exclude_none || !args.exclude.is_empty();
        let exclude = if given { &args.exclude } else { &profile.exclude };
        Ok(Self {
            mode: args.mode.or(mode),
            since: args.since.or(since),
            exclude: (given || !exclude.is_empty()).then(|| exclude.clone()),
            adopt: args.adopt,
        })
    }

    fn apply(&self, options: &mut watertight_sync::Options) {
        options.mode = self.mode;
        options.since = self.since;
        options.exclude.clone_from(&self.exclude);
        options.adopt = self.adopt;
    }
}

impl Job {
    fn new(account: Account, args: &Sync) -> Result<Self> {
        let given = args.into.as_ref().or(args.maildir.as_ref());
        let Some(maildir) = given.or(account.profile.maildir.as_ref()) else {
            let what = format!("where the mail of {} goes was not said", account.label());
            let cure = match &account.name {
                Some(name) => {
                    format!("watertight sync {name} MAILDIR, or write maildir = \"…\" into the account")
                }
                None => "give --maildir DIR".to_owned(),
            };
            return Err(anyhow!(Failure::new(Exit::Usage, what, cure)));
        };
        Ok(Self {
            maildir: maildir.clone(),
            folder: args.folder.clone().or_else(|| account.profile.folder.clone()),
            dry_run: args.dry_run,
            connections: args.connections.into(),
            allow_mass_delete: args.allow_mass_delete,
            whose: Whose::new(args, &account.profile),
            manner: Manner::new(&account, args)?,
            account,
        })
    }

    /// Synchronizes once, when there is a place.
    async fn run(
        &self,
        credentials: &Credentials,
        bars: &Arc<Bars>,
        ledger: &Ledger,
        places: &Semaphore,
    ) -> Result<Report> {
        // Signals that come from now on are not missed.
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        let mut connector = None;
        let working = async {
            let _place = places.acquire().await?;
            let account = self.account.located(credentials, ledger).await?;
            let connector = connector.insert(account.connector(credentials, ledger)?);
            self.synchronized(&account, connector, bars, ledger).await
        };
        let result = tokio::select! {
            result = working => result,
            _ = terminate.recv() => Err(anyhow!(STOPPED)),
            _ = interrupt.recv() => Err(anyhow!(STOPPED)),
        };
        // However it ended, the server is told.
        if let Some(connector) = connector {
            connector.idle().await;
        }
        let (mut report, discovery) = result?;
        report.requests = report.requests.saturating_add(discovery.requests);
        report.bytes_received = report.bytes_received.saturating_add(discovery.bytes_received);
        report.bytes_sent = report.bytes_sent.saturating_add(discovery.bytes_sent);
        Ok(report)
    }

    /// The run, and what finding the mailbox cost before it.
    async fn synchronized(
        &self,
        account: &Account,
        connector: &Connector,
        bars: &Arc<Bars>,
        ledger: &Ledger,
    ) -> Result<(Report, Traffic)> {
        let dn = account.dn(connector).await?;
        let tree = self.whose.tree(connector).await?;
        let discovery = connector.traffic();
        let mut options = usual(ledger);
        options.allow_mass_delete = self.allow_mass_delete;
        options.dry_run = self.dry_run;
        self.manner.apply(&mut options);
        options.progress = Arc::<Bars>::clone(bars);
        let config = Config {
            maildir: self.maildir.clone(),
            connections: self.connections,
            folder: self.folder.clone(),
            options,
        };
        let report = Synchronizer::new(connector.clone(), dn, config)
            .with_tree(tree)
            .run()
            .await
            .map_err(|e| failed_for(e, &self.maildir, account))?;
        Ok((report, discovery))
    }
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
    Endpoint::of_mailbox(server, user).map_err(|e| client(e.into()))
}

/// What to say after SIGINT or SIGTERM.
const STOPPED: &str = "stopped; what was done is kept, and the next run goes on from there";

fn usual(ledger: &Ledger) -> watertight_sync::Options {
    watertight_sync::Options {
        ledger: ledger.clone(),
        ..watertight_sync::Options::new(Arc::new(watertight_sync::Mail))
    }
}

/// An error of a run with its exit status.
pub(super) fn failed(error: SyncError, maildir: &Path) -> anyhow::Error {
    match error {
        SyncError::Server(error) => client(error),
        SyncError::NoWay { what, failure } => {
            let exit = match failure {
                Failing::Refused => Exit::SignIn,
                Failing::Server { .. } => Exit::Reach,
                Failing::Fatal => Exit::Usage,
                Failing::Local => Exit::Failed,
            };
            anyhow!(Failure { exit, what, cure: None })
        }
        error @ SyncError::NoFolder { .. } => anyhow!(Failure::usage(error.to_string())),
        error => anyhow::Error::new(error).context(format!("cannot keep {} in step", maildir.display())),
    }
}

/// The same, for whoever has this account.
fn failed_for(error: SyncError, maildir: &Path, account: &Account) -> anyhow::Error {
    match error {
        SyncError::Server(error) => account.failed(&error),
        error => failed(error, maildir),
    }
}

/// The user's DN: as given, or as Autodiscover says it.
pub(super) async fn user_dn(connector: &Connector, user: &str, dn: Option<&str>) -> Result<String> {
    match dn {
        Some(dn) => Ok(dn.to_owned()),
        None => found_dn(connector, user).await.map_err(client),
    }
}

/// The user's DN, as Autodiscover on the server says it: for the login name, or for the address made of it.
pub(super) async fn found_dn(connector: &Connector, user: &str) -> Result<String, Error> {
    let host = connector.endpoint().host();
    let address = if user.contains('@') { user.to_owned() } else { format!("{user}@{host}") };
    match connector.discover(user).await {
        Ok(found) => Ok(found.legacy_dn),
        Err(error) if error.class() == ErrorClass::SignIn && user != address => {
            connector.discover(&address).await.map(|found| found.legacy_dn).map_err(|_| error)
        }
        Err(error) => Err(error),
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
    // Its text says what to do.
    anyhow!(Failure { exit: cure::exit(&error), what: error.to_string(), cure: None })
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
        (tally.adopted, "adopted"),
        (tally.kept, "deleted on the server and kept"),
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
