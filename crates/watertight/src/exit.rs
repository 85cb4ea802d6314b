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

impl Exit {
    /// That of two of which one was worse: the lowest that is not 0.
    pub fn worse(self, other: Self) -> Self {
        match (u8::from(self), u8::from(other)) {
            (0, _) => other,
            (_, 0) => self,
            (mine, its) => {
                if its < mine {
                    other
                } else {
                    self
                }
            }
        }
    }

    /// In a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "wrong configuration",
            Self::SignIn => "could not sign in",
            Self::Reach => "could not reach",
            Self::Partial => "done in part",
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::SignIn => 3,
            Exit::Reach => 4,
            Exit::Partial => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(u8::from(exit))
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
