//! The command line: a contract (exit statuses, options, what goes to which output).

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Keep a mailbox in step with a Maildir. The server wins.
    Sync(Sync),
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

Examples:
  watertight serve --data /srv/mail --http 127.0.0.1:8080
  watertight serve --data /srv/mail --http 0.0.0.0:443 \\
      --tls-cert cert.pem --tls-key key.pem")]
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
    /// Keep the bytes that a mail came in to ourselves: clients get the standard properties only.
    #[arg(long)]
    pub no_transport_form: bool,
    /// End the sessions that nobody has used for so many seconds, and release what they hold.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub session_timeout: u32,
    /// Tell what the server holds at a Unix socket here: each line sent to it is answered by one line of JSON
    /// (allocated bytes, and the tree of counts).
    #[arg(long, value_name = "PATH")]
    pub inspect: Option<PathBuf>,
}

/// `watertight user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account and its mailbox.
    Add(UserAdd),
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
    #[arg(long, value_name = "NAME")]
    pub mailbox: String,
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

/// `watertight sync`
#[derive(Debug, Args)]
#[command(after_help = "\
The password comes from --password-file, --password-command, the variable WATERTIGHT_PASSWORD, \
or a prompt; it is never an argument.

Examples:
  watertight sync --server https://mail.example.org --user anna@example.org \\
      --maildir ~/Mail
  watertight sync --server https://mail.example.org --user anna@example.org \\
      --password-command 'pass mail' --maildir ~/Mail \\
      --folder 'INBOX*' --dry-run")]
pub struct Sync {
    /// The server, or the whole address of its MAPI/HTTP endpoint.
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The login name.
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// The user's distinguished name [default: the server's Autodiscover says it].
    #[arg(long, value_name = "DN")]
    pub user_dn: Option<String>,
    /// A file whose first line is the password; `-` reads it from standard input.
    #[arg(long, value_name = "FILE", group = "secret")]
    pub password_file: Option<PathBuf>,
    /// A command that prints the password.
    #[arg(long, value_name = "COMMAND", group = "secret")]
    pub password_command: Option<String>,
    /// Trust the certificates in this file (PEM) too.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The Maildir; it is made when it is not there.
    #[arg(long, value_name = "DIR")]
    pub maildir: PathBuf,
    /// Only folders whose path matches: `*` stands for any characters, `?` for one; the Inbox is `INBOX`.
    #[arg(long, value_name = "GLOB")]
    pub folder: Option<String>,
    /// Change nothing; list exactly what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// How many folders at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub connections: u8,
    /// Delete also more than half of a folder of 20 messages or more.
    #[arg(long)]
    pub allow_mass_delete: bool,
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
