//! What CI runs, and the other chores of this repository: `cargo xtask help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod bench;
mod ci;
mod deny;
mod fuzz;
mod layers;
mod metadata;
mod peers;
mod run;
mod soak;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  ci                            everything that CI checks, in its order
  test [--no-install] [NAME…]   every test; installs peers when root on Debian
  fmt | clippy | layers | deny  one check
  fuzz [--seconds N | --short] [TARGET…]
                                fuzz every decoder, or these (default: 60 seconds each; --short: as CI does)
  demo                          build the binary as released, and run its demo
  soak                          both loops are flat, twenty clean runs too, and planted leaks are found
  bench sync [--messages N]     side by side with Dovecot and mbsync
  bench session                 logon and logoff, side by side with Dovecot
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match command.as_str() {
        "ci" => ci::ci(),
        "test" => test::test(&rest),
        "fmt" => ci::fmt(),
        "clippy" => ci::clippy(),
        "layers" => layers::check(),
        "deny" => deny::check(),
        "fuzz" => fuzz::fuzz(&rest),
        "demo" => ci::demo(),
        "soak" => soak::soak(),
        "bench" => bench::bench(&rest),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("no such command: {other}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask {command} failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
