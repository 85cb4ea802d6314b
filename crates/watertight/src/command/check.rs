//! `watertight check`: the whole way to a mailbox, one step after the other, each failure with its cure.

mod cure;
mod line;
mod mailbox;
mod server;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use watertight_ledger::Ledger;
use watertight_mapi_client::{Backoff, ConfirmHop, Credentials, Hop, Options, SignIn};

use super::on_runtime;
use super::sync::client;
use crate::cli::{Check, Common};
use crate::exit::{Exit, Failure};
use crate::out::say;
use line::{Line, Status};
use server::Found;

/// A host that is not there is not waited for as long as one that mail depends on.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the next bytes of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What is checked.
pub(super) struct Plan {
    /// The mail address.
    address: String,
    /// The server, where it is not to be discovered.
    server: Option<String>,
    /// The user's DN, where it is not to be discovered.
    user_dn: Option<String>,
    /// The name to sign in with.
    user: String,
    /// Who says whether a doubtful host may be asked.
    confirm: ConfirmHop,
}

/// Runs the command.
pub fn run(args: &Check, common: &Common) -> Result<Exit> {
    if args.server.is_none() && !args.address.contains('@') {
        let what = format!("{:?} is no mail address; give NAME@DOMAIN, or --server URL too", args.address);
        return Err(Failure::usage(what).into());
    }
    let user = args.user.clone().unwrap_or_else(|| args.address.clone());
    let sign_in = args.sign_in.unwrap_or_default();
    let credentials = match (&args.token_command, &args.password_file, &args.password_command) {
        (Some(command), _, _) => Credentials::token_command(user.clone(), command.clone()),
        (None, None, None) if sign_in == SignIn::Negotiate => Credentials::ticket(user.clone()),
        (None, file, command) => {
            let password = super::sync::password(&user, file.as_deref(), command.as_deref())?;
            Credentials::new(user.clone(), password.as_str())
        }
    }
    .map_err(|e| client(e.into()))?;
    let ask = !common.json && !common.quiet && io::stdin().is_terminal();
    let plan = Plan {
        address: args.address.clone(),
        server: args.server.clone(),
        user_dn: args.user_dn.clone(),
        user,
        confirm: confirm(args.yes, ask),
    };
    let options = Options {
        tls_ca: args.tls_ca.clone(),
        sign_in,
        connect_timeout: CONNECT_TIMEOUT,
        read_timeout: READ_TIMEOUT,
        // A check says at once that the server is busy.
        backoff: Backoff { tries: 1, ..Backoff::default() },
        ..Options::default()
    };
    let show = |line: &Line| {
        if !common.json && (!common.quiet || line.status == Status::Failed) {
            say!("{line}");
        }
    };
    let ledger = Ledger::new("watertight");
    let checked = on_runtime(2, async { Ok(check(&plan, &credentials, &options, &ledger, &show).await) })?;
    if common.json {
        say!("{}", serde_json::to_string(&checked)?);
    } else if !common.quiet && checked.exit == Exit::Done {
        say!("\nAll is well: the way to the mailbox is open.");
    }
    Ok(checked.exit)
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    /// The mail address.
    address: String,
    /// Whether every step that matters went well.
    ok: bool,
    #[serde(skip)]
    exit: Exit,
    /// What discovery found, or the command line gave.
    found: Option<Found>,
    /// The steps, in their order.
    steps: Vec<Line>,
}

/// Where lines go: to whoever shows them, and into the list.
pub(super) struct Steps<'a> {
    show: &'a (dyn Fn(&Line) + Sync),
    lines: Vec<Line>,
    exit: Exit,
}

impl Steps<'_> {
    /// Notes a step; the first failure says how the program ends.
    fn add(&mut self, line: Line) {
        (self.show)(&line);
        if self.exit == Exit::Done && line.status == Status::Failed {
            self.exit = line.exit;
        }
        self.lines.push(line);
    }
}

/// Goes the way as far as it leads.
async fn check(
    plan: &Plan,
    credentials: &Credentials,
    options: &Options,
    ledger: &Ledger,
    show: &(dyn Fn(&Line) + Sync),
) -> Checked {
    let mut steps = Steps { show, lines: Vec::new(), exit: Exit::Done };
    let found = match server::find(plan, credentials, options, ledger, &mut steps).await {
        Some(found) => {
            if let Some(endpoint) = server::reach(plan, &found, options, ledger, &mut steps).await {
                let found = &found;
                mailbox::check(plan, found, endpoint, credentials, options, ledger, &mut steps).await;
            }
            Some(found)
        }
        None => None,
    };
    let Steps { lines, exit, .. } = steps;
    Checked { address: plan.address.clone(), ok: exit == Exit::Done, exit, found, steps: lines }
}

/// Who says whether a doubtful host gets the password: the command line, or the person at the terminal.
pub(super) fn confirm(yes: bool, ask: bool) -> ConfirmHop {
    ConfirmHop::new(move |hop| yes || (ask && asked(hop)))
}

fn asked(hop: &Hop) -> bool {
    let mut err = io::stderr().lock();
    let question = write!(err, "{hop}.\nSend the name and the password to {}? [y/N] ", hop.host);
    if question.and_then(|()| err.flush()).is_err() {
        return false;
    }
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}
