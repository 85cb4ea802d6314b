//! `watertight soak`: the loops of the documents, and any program, watched.

mod children;
mod live;
mod mailbox;
mod page;
mod pid;
mod plant;
mod worker;

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use watertight_soak::chart::{Curves, Display};
use watertight_soak::{Axis, ICS, LOGON, Record, table};

use crate::cli::{Common, Soak};
use crate::exit::Exit;
use crate::out::say;

pub use plant::Planted;
pub use worker::run as worker;

/// Runs the command.
pub fn run(command: &Soak, common: &Common) -> Result<Exit> {
    let report = match command {
        Soak::Logon(args) | Soak::Ics(args) | Soak::LogonDocument(args) | Soak::IcsDocument(args) => {
            &args.report
        }
        Soak::Pid(args) => &args.report,
    };
    if let Some(path) = report {
        page::check(path)?;
    }
    let record = match command {
        Soak::Logon(args) => live::run(&live::Scenario::Logon, args, None, common)?,
        Soak::Ics(args) => live::run(&live::Scenario::Ics, args, None, common)?,
        Soak::LogonDocument(args) => live::run(&live::Scenario::Logon, args, Some(LOGON), common)?,
        Soak::IcsDocument(args) => live::run(&live::Scenario::Ics, args, Some(ICS), common)?,
        Soak::Pid(args) => pid::run(args, common)?,
    };
    if let Some(path) = report {
        page::write(&record, path)?;
    }
    print(&record, common);
    Ok(if record.flat() { Exit::Done } else { Exit::Failed })
}

fn print(record: &Record, common: &Common) {
    if common.json {
        say!("{}", watertight_soak::json::object(record));
    } else if !common.quiet {
        table::verdict(record).iter().for_each(|line| say!("{line}"));
    }
}

/// What shows how a run goes on: nothing where nothing is wanted; curves where there is a terminal for them.
fn display(common: &Common, axis: Axis) -> Display<std::io::Stderr> {
    if common.quiet || common.json {
        return Display::Nothing;
    }
    let terminal =
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    match terminal.then(|| Curves::new(std::io::stderr(), axis)) {
        Some(Ok(curves)) => Display::Curves(curves),
        _ => Display::Lines(std::io::stderr()),
    }
}

/// Tells people something on standard error, unless they want nothing told.
fn tell(common: &Common, text: &str) {
    if !common.quiet && !common.json {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// Lets this process end (SIGTERM) when the one that started it has ended.
pub fn end_with(parent: u32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before the kernel knew about it.
    if getppid().map(Pid::as_raw_pid) != i32::try_from(parent).ok() {
        bail!("the process that started this one has ended");
    }
    Ok(())
}
