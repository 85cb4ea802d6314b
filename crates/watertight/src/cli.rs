//! The command line: a contract (exit statuses, options, what goes to which output).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use watertight_mapi_server::Scheme;
use watertight_sync::{Mode, Since};

/// Your Exchange or grommunio mailbox as a Maildir, kept in step over MAPI/HTTP.
#[derive(Debug, Parser)]
#[command(name = "watertight", version, propagate_version = true, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Logging and output.
    #[command(flatten)]
    pub common: Common,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 could not sign in,
4 could not reach the server, 5 done in part (what was left out is listed).

Start here:  watertight demo";

const GENERAL: &str = "For every command";

/// What every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Print one JSON object on standard output, and nothing else there.
    #[arg(long, global = true, help_heading = GENERAL)]
    pub json: bool,
    /// Log more to standard error: -v what is done, -vv every request, -vvv everything (never a password).
    #[arg(short, long, global = true, help_heading = GENERAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show no progress, only results and errors.
    #[arg(short, long, global = true, help_heading = GENERAL)]
    pub quiet: bool,
    /// How log lines look.
    #[arg(long, global = true, help_heading = GENERAL, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the main job, end to end, with nothing installed and no network.
    Demo(Demo),
    /// Find the mailbox of a mail address, sign in, and write the account into the configuration.
    Login(Login),
    /// Try the whole way to a mailbox, step by step; each failure with its cure.
    Check(Check),
    /// Keep a mailbox in step with a Maildir. The server wins.
    Sync(Sync),
    /// Search the server's address book.
    Who(Who),
    /// Serve the mailboxes of a data directory over MAPI/HTTP.
    Serve(Serve),
    /// Manage the accounts of a data directory.
    #[command(subcommand)]
    User(User),
    /// Put mail from files into a mailbox of a data directory.
    Import(Import),
    /// Look after a data directory.
    #[command(subcommand)]
    Store(Store),
    /// Prove that nothing leaks: run the loop of a document, or watch any program.
    #[command(subcommand)]
    Soak(Soak),
    /// What `soak` starts to do the work.
    #[command(hide = true)]
    SoakWorker,
}

/// `watertight demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watertight demo
  watertight demo --dir /tmp/demo      keep the store and the Maildir to look at
  watertight demo --mail ~/Maildir     your own mail instead of the sample")]
pub struct Demo {
    /// Keep everything here (a new or empty directory) instead of throwing it away at the end.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A Maildir, mbox, eml file or directory to use instead of the sample mail inside the program.
    #[arg(long, value_name = "PATH")]
    pub mail: Option<PathBuf>,
}

/// `watertight serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints what it listens on, one address per line, when it is ready; stops cleanly on SIGTERM \
and SIGINT. Without a certificate it speaks plain HTTP, and only on loopback.

Sign-in: `Basic` (the password) always; `NTLM` for the accounts with --ntlm; `Bearer` for those \
with a token (`watertight user token`); `Negotiate` (Kerberos) with --keytab. What some account \
can use is offered, the strongest first. NTLM and Negotiate belong to a connection: they are not \
offered to clients that come through a proxy (Via, Forwarded, X-Forwarded-For); a proxy that \
sends none of these headers needs --sign-in basic,bearer.

A Kerberos principal anna@EXAMPLE.ORG is the account with the address anna@example.org; else the \
account anna, when the keytab is of the realm EXAMPLE.ORG.

Examples:
  watertight serve --data /srv/mail --http 127.0.0.1:8080
  watertight serve --data /srv/mail --http 0.0.0.0:443 \\
      --tls-cert cert.pem --tls-key key.pem
  watertight serve --data /srv/mail --http 0.0.0.0:443 \\
      --tls-cert cert.pem --tls-key key.pem --keytab http.keytab \\
      --sign-in negotiate --channel-bindings require")]
pub struct Serve {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to listen for MAPI/HTTP; port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: SocketAddr,
    /// The certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Take and offer these ways to sign in only: basic, bearer, ntlm, negotiate.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub sign_in: Option<Vec<Scheme>>,
    /// Take Kerberos tickets, with the keys of HTTP/host in this keytab.
    #[arg(long, value_name = "FILE")]
    pub keytab: Option<PathBuf>,
    /// Whether NTLM and Kerberos must be bound to the TLS connection: `allow` compares what a client binds, and lets
    /// those in that bind nothing.
    #[arg(long, value_enum, default_value_t = Bindings::Allow)]
    pub channel_bindings: Bindings,
    /// Keep the bytes that a mail came in to ourselves: clients get the standard properties only.
    #[arg(long)]
    pub no_transport_form: bool,
    /// End the sessions that nobody has used for so many seconds, and release what they hold; connections that stall
    /// end no later.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub session_timeout: u32,
    /// Tell what the server holds at a Unix socket here: each line sent to it is answered by one line of JSON
    /// (allocated bytes, and the tree of counts).
    #[arg(long, value_name = "PATH")]
    pub inspect: Option<PathBuf>,
    /// Stop when this process, which must have started this one, has ended.
    #[arg(long, value_name = "PID", hide = true)]
    pub parent: Option<u32>,
    /// Leak on purpose.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', hide = true, requires = "inspect")]
    pub plant: Vec<Plant>,
}

/// What is asked of channel bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bindings {
    /// Those that are sent must be right.
    Allow,
    /// They must be sent.
    Require,
}

/// `watertight user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account and its mailbox.
    Add(UserAdd),
    /// Give an account another password.
    Passwd(UserPasswd),
    /// Make an access token for an account, or revoke all it has.
    Token(UserToken),
    /// List the accounts, and who may open whose mailbox.
    List(UserList),
    /// Let somebody open another's mailbox, or write into the public folders.
    Grant(UserGrant),
    /// Take that right away.
    Revoke(UserRevoke),
}

/// `watertight user passwd`
#[derive(Debug, Args)]
#[command(after_help = "\
The password comes from --password-file, the variable WATERTIGHT_PASSWORD, or a prompt. An \
account that could use NTLM still can, with the new password. Access tokens stay as they are.

Examples:
  watertight user passwd --data /srv/mail anna
  watertight user passwd --data /srv/mail anna --ntlm   and let NTLM be used")]
pub struct UserPasswd {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The login name.
    pub name: String,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Let the account sign in with NTLM [default: as before].
    #[arg(long, conflicts_with = "no_ntlm")]
    pub ntlm: bool,
    /// Do not let the account sign in with NTLM any more.
    #[arg(long)]
    pub no_ntlm: bool,
}

/// `watertight user token`
#[derive(Debug, Args)]
#[command(after_help = "\
A client that sends the token in `Authorization: Bearer TOKEN` is the account. It is printed \
once, and only its hash is kept: one that is lost is made anew.

Examples:
  watertight user token --data /srv/mail anna > anna.token
  watertight user token --data /srv/mail anna --valid 7
  watertight user token --data /srv/mail anna --revoke")]
pub struct UserToken {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The login name.
    pub name: String,
    /// For how many days it is good.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub valid: u16,
    /// Revoke all tokens of the account instead.
    #[arg(long, conflicts_with = "valid")]
    pub revoke: bool,
}

/// `watertight user list`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  watertight user list --data /srv/mail")]
pub struct UserList {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `watertight user grant`
#[derive(Debug, Args)]
#[command(after_help = "\
Everybody with an account reads the public folders; --public lets somebody write into them.
A server that runs knows of it at once.

Examples:
  watertight user grant --data /srv/mail anna bea --read-only
  watertight user grant --data /srv/mail --public bea")]
pub struct UserGrant {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The public folders instead of somebody's mailbox: only TO is to be named.
    #[arg(long, conflicts_with = "read_only")]
    pub public: bool,
    /// Let them read, and change nothing.
    #[arg(long)]
    pub read_only: bool,
    /// Whose mailbox (and archive), and who may open it.
    #[arg(value_names = ["OWNER", "TO"], num_args = 1..=2, required = true)]
    pub names: Vec<String>,
}

/// `watertight user revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watertight user revoke --data /srv/mail anna bea
  watertight user revoke --data /srv/mail --public bea")]
pub struct UserRevoke {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The public folders instead of somebody's mailbox: only TO is to be named.
    #[arg(long)]
    pub public: bool,
    /// Whose mailbox, and who may open it no longer.
    #[arg(value_names = ["OWNER", "TO"], num_args = 1..=2, required = true)]
    pub names: Vec<String>,
}

/// `watertight user add`
#[derive(Debug, Args)]
#[command(after_help = "\
The password comes from --password-file, the variable WATERTIGHT_PASSWORD, or a prompt.

Example:
  watertight user add --data /srv/mail anna --smtp anna@example.org \\
      --password-file anna.password")]
pub struct UserAdd {
    /// The data directory; it is made when it is not there.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The login name.
    pub name: String,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The SMTP address [default: NAME@localhost, or NAME when it is an address].
    #[arg(long, value_name = "ADDRESS")]
    pub smtp: Option<String>,
    /// The display name [default: NAME].
    #[arg(long, value_name = "TEXT")]
    pub display: Option<String>,
    /// Let the account sign in with NTLM: its hash of the password is kept too, which is as good as the password for
    /// NTLM to whoever reads the data directory.
    #[arg(long)]
    pub ntlm: bool,
    /// An archive too: a second mailbox. An account that is there gets one, and keeps its password.
    #[arg(long)]
    pub archive: bool,
}

/// `watertight import`
#[derive(Debug, Args)]
#[command(after_help = "\
A Maildir's folders become folders beside the Inbox (or below --folder), with the flags of its \
messages; an mbox or eml file goes into --folder. Importing the same mail again, after an \
interruption too, changes nothing: a message that an import has put into a folder is not put there \
twice. (The same bytes twice in one source are two messages.)

Examples:
  watertight import --data /srv/mail --mailbox anna ~/Maildir
  watertight import --data /srv/mail --mailbox anna --folder Archive/2004 \\
      old.mbox letters/*.eml")]
pub struct Import {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The account whose mailbox it is.
    #[arg(long, value_name = "NAME", required_unless_present = "public")]
    pub mailbox: Option<String>,
    /// Into the account's archive.
    #[arg(long, requires = "mailbox")]
    pub archive: bool,
    /// Into the public folders: --folder says which one.
    #[arg(long, conflicts_with = "mailbox", requires = "folder")]
    pub public: bool,
    /// The folder to import into; `/` separates names [default: Inbox].
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<String>,
    /// Skip messages with more bytes than this.
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    pub max_message: u64,
    /// Maildirs, mbox files, eml files, or directories with them.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// `watertight store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Verify a data directory: every file, every reference, every count.
    Check(StoreCheck),
    /// Copy a data directory, also while it is served.
    Backup(StoreBackup),
    /// Make the public folders.
    Public(StorePublic),
}

/// `watertight store public`
#[derive(Debug, Args)]
#[command(after_help = "\
Everybody with an account may read them; who may write is said with `watertight user grant`.

Example:
  watertight store public --data /srv/mail
  watertight user grant --data /srv/mail --public anna")]
pub struct StorePublic {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `watertight store check`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  watertight store check --data /srv/mail")]
pub struct StoreCheck {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `watertight store backup`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  watertight store backup --data /srv/mail --to /backup/mail-today")]
pub struct StoreBackup {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where the copy goes: a new or empty directory.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// The account and the way to it.
#[derive(Debug, Default, Args)]
#[group(skip)]
pub struct Access {
    /// The server, or the whole address of its MAPI/HTTP endpoint [default: Autodiscover finds it].
    #[arg(long, value_name = "URL", help_heading = ACCESS)]
    pub server: Option<String>,
    /// The login name [default: the mail address].
    #[arg(long, value_name = "NAME", help_heading = ACCESS)]
    pub user: Option<String>,
    /// The user's distinguished name [default: the server's Autodiscover says it].
    #[arg(long, value_name = "DN", help_heading = ACCESS)]
    pub user_dn: Option<String>,
    /// How to sign in: auto, basic, ntlm, negotiate or bearer [default: auto, the strongest that the server offers].
    #[arg(long, value_name = "SCHEME", help_heading = ACCESS)]
    pub sign_in: Option<String>,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", group = "secret", help_heading = ACCESS)]
    pub password_file: Option<PathBuf>,
    /// A command that prints the password.
    #[arg(long, value_name = "COMMAND", group = "secret", help_heading = ACCESS)]
    pub password_command: Option<String>,
    /// A command that prints a token (OAuth), in place of a password; it runs again when the token has expired.
    #[arg(long, value_name = "COMMAND", group = "secret", help_heading = ACCESS)]
    pub token_command: Option<String>,
    /// The password is in the keyring of your session (Secret Service); `login` puts it there.
    #[arg(long, group = "secret", help_heading = ACCESS)]
    pub keyring: bool,
    /// Trust the certificates in this file (PEM) too.
    #[arg(long, value_name = "FILE", help_heading = ACCESS)]
    pub tls_ca: Option<PathBuf>,
}

const ACCESS: &str = "The account";

const WATCH: &str = "In step for ever";

/// `watertight login`
#[derive(Debug, Args)]
#[command(after_help = "\
Writes ~/.config/watertight/config.toml (--config: another), which only you can read; comments and \
everything else in it stay. docs/config.md says what can stand there: folders, modes, hooks.

The password comes from --password-file, --password-command, the variable WATERTIGHT_PASSWORD or a \
prompt, and a typed one is kept where you say: in the keyring (--keyring), in a file that only you \
can read (--keep file), or nowhere. It is never an argument, and never in the configuration.

Examples:
  watertight login anna@example.org
  watertight login anna@example.org --name work --keyring
  watertight login anna@example.org --password-command 'pass mail'
  watertight login anna@example.org --server https://mail.example.org")]
pub struct Login {
    /// The mail address.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The account's name, for `sync NAME` [default: what stands before the @].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the mail will go [default: ~/Mail/NAME].
    #[arg(long, value_name = "DIR")]
    pub maildir: Option<PathBuf>,
    /// Replace an account of that name without asking.
    #[arg(long)]
    pub replace: bool,
    /// Where a typed password is kept.
    #[arg(long, value_enum, value_name = "WHERE")]
    pub keep: Option<Keep>,
    /// Send the password also to a server of another domain that Autodiscover leads to, without asking.
    #[arg(long)]
    pub yes: bool,
    /// The configuration [default: ~/.config/watertight/config.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The account and the way to it.
    #[command(flatten)]
    pub access: Access,
}

/// Where a typed password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// In the keyring of your session.
    Keyring,
    /// In a file beside the configuration that only you can read.
    File,
    /// Nowhere: it is asked for each time.
    Nowhere,
}

/// `watertight check`
#[derive(Debug, Args)]
#[command(after_help = "\
Tries, in this order: where Autodiscover says the mailbox is, the server's name, TLS and its certificate, each way \
to sign in that the server offers, Connect, Logon, the size of the mailbox, its quota, and the synchronization of one \
small folder. Nothing is changed. A line each: what was tried, what came of it, how long it took; below a failure, \
whose fault it is and what to do.

The name and the password go only to the domain of the address and the names below it. Any other host, and one that \
only an insecure answer named, is asked about first, by its name.

Examples:
  watertight check anna@example.org
  watertight check anna@example.org --server https://mail.example.org \\
      --password-command 'pass mail' --json")]
pub struct Check {
    /// The mail address.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The server, or the whole address of its MAPI/HTTP endpoint, instead of what discovery finds.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The login name [default: ADDRESS].
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The user's distinguished name [default: the server's Autodiscover says it].
    #[arg(long, value_name = "DN", requires = "server")]
    pub user_dn: Option<String>,
    /// How to sign in: auto, negotiate, ntlm, bearer or basic [default: auto, which tries all that is offered].
    #[arg(long, value_name = "HOW")]
    pub sign_in: Option<watertight_mapi_client::SignIn>,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", group = "check_secret")]
    pub password_file: Option<PathBuf>,
    /// A command that prints the password.
    #[arg(long, value_name = "COMMAND", group = "check_secret")]
    pub password_command: Option<String>,
    /// A command that prints an access token.
    #[arg(long, value_name = "COMMAND", group = "check_secret")]
    pub token_command: Option<String>,
    /// Trust the certificates in this file (PEM) too.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Send the name and the password to whatever host discovery leads to, without asking.
    #[arg(long)]
    pub yes: bool,
}

/// `watertight sync`
#[derive(Debug, Args)]
#[command(after_help = "\
NAME is an account of the configuration (~/.config/watertight/config.toml, see docs/config.md); \
`watertight login` writes one. What the command line says goes before what the account says.

The password comes from --password-file, --password-command, --keyring, the variable \
WATERTIGHT_PASSWORD, or a prompt; it is never an argument.

With --all, an account that fails does not stop the others, and the exit status is the lowest of \
theirs that is not 0: 1 failed, 2 wrong configuration, 3 could not sign in, 4 could not reach, \
5 done in part.

What is remembered is kept in the Maildir, in the file watertight-settings, and holds for later runs \
until it is given again.

Examples:
  watertight sync work
  watertight sync work ~/Mail/elsewhere --folder 'INBOX*' --dry-run
  watertight sync work --since 2024-01-01 --exclude 'Junk*' --exclude 'Lists/*'
  watertight sync work --mode keep-deleted
  watertight sync work ~/Mail --adopt --dry-run    take over mbsync's
  watertight sync --all
  watertight sync --server https://mail.example.org --user anna@example.org \\
      --password-command 'pass mail' --maildir ~/Mail")]
pub struct Sync {
    /// The account [default: the default one of the configuration, where no --server is given].
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The Maildir, in place of the account's.
    #[arg(value_name = "MAILDIR", conflicts_with = "maildir")]
    pub into: Option<PathBuf>,
    /// Every account of the configuration that has a Maildir.
    #[arg(long, conflicts_with_all = ["name", "into", "maildir", "server", "user", "user_dn", "sign_in", "secret", "mailbox", "archive", "public_folders"])]
    pub all: bool,
    /// Whose mailbox, where it is not the user's own: an address, or a DN. Each has a Maildir of its own.
    #[arg(long, value_name = "OTHER")]
    pub mailbox: Option<String>,
    /// The archive of the mailbox.
    #[arg(long)]
    pub archive: bool,
    /// The public folders: all, or the one at PATH (names separated by `/`) with those below it.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["mailbox", "archive"])]
    pub public_folders: Option<String>,
    /// The configuration [default: ~/.config/watertight/config.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The account and the way to it.
    #[command(flatten)]
    pub access: Access,
    /// The Maildir; it is made when it is not there.
    #[arg(long, value_name = "DIR")]
    pub maildir: Option<PathBuf>,
    /// Only folders whose path matches: `*` stands for any characters, `?` for one; the Inbox is `INBOX`.
    #[arg(long, value_name = "GLOB")]
    pub folder: Option<String>,
    /// Leave folders whose path matches alone, with those in them (may be repeated); what is here of them stays as it
    /// is. Remembered.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Exclude no folder any more.
    #[arg(long, conflicts_with = "exclude")]
    pub exclude_none: bool,
    /// What happens here to messages that the server deletes: `mirror` deletes them too, `keep-deleted` lets them stay
    /// in their folder under a name that says so. Remembered [default: mirror].
    #[arg(long, value_name = "MODE", value_parser = clap::value_parser!(Mode))]
    pub mode: Option<Mode>,
    /// Only messages delivered on that day (UTC) or later; `all` for all. Older ones that are here already are removed
    /// (mode mirror) or stay as they are (keep-deleted). Remembered [default: all].
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = clap::value_parser!(Since))]
    pub since: Option<Since>,
    /// Take over a Maildir that mbsync or offlineimap made: mail that is here is not downloaded again. What the server
    /// does not have stays where it is; what is excluded or older than --since is taken over when it belongs here later.
    /// Try it with --dry-run first.
    #[arg(long)]
    pub adopt: bool,
    /// Change nothing; list exactly what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Go on for ever: what changes on the server is on disk within a second. SIGTERM and SIGINT end it, SIGHUP and
    /// SIGUSR1 look at everything now (see docs/watch.md).
    #[arg(long, conflicts_with = "dry_run", help_heading = WATCH)]
    pub watch: bool,
    /// Run this by sh when there is new mail; what is new stands in the environment, and as JSON on standard input.
    #[arg(long, value_name = "COMMAND", requires = "watch", help_heading = WATCH)]
    pub on_new: Option<String>,
    /// Run this when anything changed.
    #[arg(long, value_name = "COMMAND", requires = "watch", help_heading = WATCH)]
    pub on_change: Option<String>,
    /// Run this when it begins to fail, and when it ends because of an error.
    #[arg(long, value_name = "COMMAND", requires = "watch", help_heading = WATCH)]
    pub on_error: Option<String>,
    /// How many folders at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub connections: u8,
    /// Delete also more than half of a folder of 20 messages or more, and in mode mirror what keep-deleted kept.
    #[arg(long)]
    pub allow_mass_delete: bool,
}

/// `watertight who`
#[derive(Debug, Args)]
#[command(after_help = "\
NAME is an address, an account, a display name or the beginning of one. When several have it, all \
of them are listed. Exit status 1: nobody has it; 5: more than --most have it.

ACCOUNT is one of the configuration, as for `sync`; or --server and --user say everything.

Examples:
  watertight who anna
  watertight who 'Anna B' work
  watertight who =anna@example.org --json
  watertight who anna --server https://mail.example.org --user me@example.org \\
      --password-command 'pass mail'")]
pub struct Who {
    /// Whom to look for; with `=` in front nobody whose name only begins so.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The account whose server is asked [default: the default one of the configuration, where no --server is given].
    #[arg(value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// The configuration [default: ~/.config/watertight/config.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// List so many at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub most: u32,
    /// The account and the way to it.
    #[command(flatten)]
    pub access: Access,
}

/// `watertight soak`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Exit status 1 says: not flat.

Examples:
  watertight soak logon
  watertight soak Q293150              the same, with the document's story
  watertight soak 887828 --report ics.html
  watertight soak pid 4711 --for 1h    any program")]
pub enum Soak {
    /// Log on and off, again and again (also: `soak Q293150`, with the story of that document).
    Logon(SoakLoop),
    /// Synchronize a mailbox that changes, again and again (also: `soak 887828`).
    Ics(SoakLoop),
    /// Watch any process, until it is interrupted or for a time.
    Pid(SoakPid),
    /// The loop of document Q293150.
    #[command(name = "Q293150", aliases = ["q293150", "293150"], hide = true)]
    LogonDocument(SoakLoop),
    /// The loop of document KB 887828.
    #[command(name = "887828", aliases = ["KB887828", "kb887828"], hide = true)]
    IcsDocument(SoakLoop),
}

/// `watertight soak logon` and `watertight soak ics`
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a server and a worker, lets the worker do its iterations, and samples both whenever
neither has anything to do. A tenth of the iterations is warm-up. Exit status 0: flat.

Flat: in 20 samples the file descriptors, the threads and every count of the ledger are
equal, and the slope of the allocated bytes (least squares) has a 95 % interval (Student's t)
that contains 0 and ends below 1 byte for each operation. Because one window in twenty would
fail by chance, a window that is not flat is followed by another of 20 samples, and the last
decides: the third, or the sixth while nothing but slopes of less than 1 byte keeps them from
being flat. A leak is in every window. Further windows come on top of --iterations.

Descriptors, threads and the ledger are counted with the session open as the operations left
it; bytes when nobody is logged on and the server's store has given back its caches.

An operation of `logon` is one session. An iteration of `ics` is a round: the mailbox of
1,000 messages changes, and then there are three operations: a synchronization of what
changed, one with nothing changed, and one of the folders.

Examples:
  watertight soak logon --iterations 1000000 --report logon.html
  watertight soak logon --how rotate           panics, errors, handles left open
  watertight soak ics --plant bytes            see soak find a leak
  watertight soak logon --server https://mail.example.org \\
      --user anna@example.org --password-file anna.password")]
pub struct SoakLoop {
    /// How many iterations, warm-up included [default: 6000 for logon, 500 for ics].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(40..=1_000_000_000))]
    pub iterations: Option<u64>,
    /// How each iteration ends.
    #[arg(long, value_enum, default_value_t = How::Closed)]
    pub how: How,
    /// Write a page with the verdict and the curves.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Leak on purpose, to see soak find it (one of these, or several: fd,bytes).
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub plant: Vec<Plant>,
    /// Where to leak.
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = PlantIn::Worker, requires = "plant")]
    pub plant_in: PlantIn,
    /// Somebody else's server instead of one of ours; only the worker is sampled then.
    #[arg(long, value_name = "URL", requires = "user", help_heading = OTHERS)]
    pub server: Option<String>,
    /// The login name there.
    #[arg(long, value_name = "NAME", requires = "server", help_heading = OTHERS)]
    pub user: Option<String>,
    /// The user's distinguished name [default: the server's Autodiscover says it].
    #[arg(long, value_name = "DN", requires = "server", help_heading = OTHERS)]
    pub user_dn: Option<String>,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", group = "secret", requires = "server", help_heading = OTHERS)]
    pub password_file: Option<PathBuf>,
    /// A command that prints the password.
    #[arg(long, value_name = "COMMAND", group = "secret", requires = "server", help_heading = OTHERS)]
    pub password_command: Option<String>,
    /// Trust the certificates in this file (PEM) too.
    #[arg(long, value_name = "FILE", requires = "server", help_heading = OTHERS)]
    pub tls_ca: Option<PathBuf>,
}

const OTHERS: &str = "Another server";

/// How an iteration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum How {
    /// As the document has it: everything is closed.
    Closed,
    /// Folders and a download are open and not closed by the caller.
    Unclosed,
    /// The caller panics with all of that open.
    Panic,
    /// The server refuses something in the middle, and the caller returns at once.
    Error,
    /// Each of these in turn.
    Rotate,
}

/// What is leaked on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Plant {
    /// One file descriptor for each 1,000 operations.
    Fd,
    /// 16 bytes for each operation.
    Bytes,
    /// One entry of the ledger for each 100 operations.
    Ledger,
}

/// Where it is leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlantIn {
    /// In the worker, which is the client.
    Worker,
    /// In the server.
    Server,
}

/// `watertight soak pid`
#[derive(Debug, Args)]
#[command(after_help = "\
Samples the process (file descriptors by kind, threads, resident memory, heap) until it ends,
until you press Ctrl-C, or for the time of --for. The first tenth of the time is warm-up; the
rest is cut into 20 parts, and of each the lowest value counts. Not flat: the 95 % interval of
their slope (least squares, Student's t) lies above 0; its lower end makes at least one
descriptor or thread, or 64 KiB of heap; the rise is three times the scatter around the line;
and the lowest value rises from third to third of the time. Exit status 0: flat.

Examples:
  watertight soak pid $(pidof dovecot)
  watertight soak pid 4711 --for 1h --report dovecot.html")]
pub struct SoakPid {
    /// The process.
    #[arg(value_name = "PID")]
    pub pid: u32,
    /// How long (90s, 10m, 1h, 2d) [default: until interrupted].
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// How often to sample [default: 1s; with --for 300 times, from 100 ms to a minute apart].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,
    /// Write a page with the verdict and the curves.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

/// A time with its unit: `250ms`, `90s`, `10m`, `1h`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("a number with ms, s, m, h or d".to_owned()),
    };
    let seconds = number.parse::<f64>().map_err(|_| "a number with ms, s, m, h or d".to_owned())? * factor;
    if !(0.01..=31_536_000.0).contains(&seconds) {
        return Err("from 10ms to 365d".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for wrong in ["", "h", "1w", "0s", "-1s", "1e9d", "400d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_option_takes_a_secret() {
        fn options(command: &clap::Command, all: &mut Vec<String>) {
            all.extend(command.get_arguments().filter_map(|a| a.get_long().map(str::to_owned)));
            command.get_subcommands().for_each(|c| options(c, all));
        }
        let mut all = Vec::new();
        options(&Cli::command(), &mut all);
        assert!(!all.iter().any(|o| o == "password" || o == "token"));
    }
}
