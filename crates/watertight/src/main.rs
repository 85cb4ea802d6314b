//! Your Exchange or grommunio mailbox as a Maildir, kept in step over MAPI/HTTP.
//!
//! Composition only: what the commands do is in the libraries; here is the command line, what goes to which output,
//! and how the program ends.

#![expect(clippy::print_stderr, reason = "the program that people see")]

mod cli;
mod command;
mod data;
mod exit;
mod import;
mod inspect;
mod log;
mod out;
mod plain;
mod sample;
mod secret;
mod words;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command, Common};
use exit::{Exit, Failure};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(&cli.common);
    match run(&cli.command, &cli.common) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("watertight: {error:#}");
            error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit).into()
        }
    }
}

fn run(command: &Command, common: &Common) -> Result<Exit> {
    match command {
        Command::Demo(args) => command::demo::run(args, common),
        Command::Login(args) => command::login::run(args, common),
        Command::Check(args) => command::check::run(args, common),
        Command::Sync(args) => command::sync::run(args, common),
        Command::Who(args) => command::who::run(args, common),
        Command::Serve(args) => command::serve::run(args, common),
        Command::User(command) => command::user::run(command, common),
        Command::Import(args) => command::import::run(args, common),
        Command::Store(command) => command::store::run(command, common),
        Command::Soak(command) => command::soak::run(command, common),
        Command::SoakWorker => command::soak::worker(),
    }
}
