//! How a command ends: 0 done, 1 failed, 2 wrong usage, 3 could not sign in, 4 could not reach, 5 done in part.

use std::fmt;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The exit status, without those of a command line that clap refuses (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// It failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The server did not let us in.
    SignIn,
    /// The server was not reached.
    Reach,
    /// Something was left out, and listed.
    Partial,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0_u8,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::SignIn => 3,
            Exit::Reach => 4,
            Exit::Partial => 5,
        })
    }
}

/// An error that says with which status the program ends, and what the reader can do.
#[derive(Debug)]
pub struct Failure {
    /// The status.
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub cure: Option<String>,
}

impl Failure {
    /// A failure with a cure.
    pub fn new(exit: Exit, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { exit, what: what.into(), cure: Some(cure.into()) }
    }

    /// A command line that makes no sense.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), cure: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.cure {
            Some(cure) => write!(f, "\n  → {cure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
