//! One line of a check.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use watertight_mapi_client::Error;

use super::super::sync::progress::time;
use super::Plan;
use super::cure::{Cure, cure};
use crate::exit::Exit;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Well.
    Ok,
    /// Not well, and nothing follows from it: another way leads on.
    Nothing,
    /// Not well.
    Failed,
}

/// What was tried, what came of it, how long it took, and what to do about it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    /// The kind of step: `discovery`, `dns`, `tls`, `sign-in`, …
    pub(super) step: &'static str,
    /// What was tried.
    pub(super) what: String,
    pub(super) status: Status,
    /// What came of it.
    pub(super) detail: String,
    pub(super) seconds: f64,
    /// Whose fault it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
    /// What to do, and what to type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cure: Option<String>,
    /// How the program ends when this failed.
    #[serde(skip)]
    pub(super) exit: Exit,
}

impl Line {
    pub(super) fn ok(
        step: &'static str,
        what: impl Into<String>,
        detail: impl Into<String>,
        took: Duration,
    ) -> Self {
        Self {
            step,
            what: what.into(),
            status: Status::Ok,
            detail: detail.into(),
            seconds: took.as_secs_f64(),
            fault: None,
            cure: None,
            exit: Exit::Failed,
        }
    }

    pub(super) fn nothing(
        step: &'static str,
        what: impl Into<String>,
        detail: impl Into<String>,
        took: Duration,
    ) -> Self {
        Self { status: Status::Nothing, ..Self::ok(step, what, detail, took) }
    }

    pub(super) fn failed(
        step: &'static str,
        what: impl Into<String>,
        error: &Error,
        plan: &Plan,
        took: Duration,
    ) -> Self {
        let Cure { detail, fault, next, exit } = cure(error, plan);
        Self {
            status: Status::Failed,
            fault: Some(fault),
            cure: Some(next),
            exit,
            ..Self::ok(step, what, detail, took)
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.status {
            Status::Ok => "ok  ",
            Status::Nothing => "-   ",
            Status::Failed => "FAIL",
        };
        write!(f, "{mark}  {:<9}  {}", self.step, self.what)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if self.seconds > 0.0 {
            write!(f, " ({})", time(Duration::from_secs_f64(self.seconds)))?;
        }
        if let Some(fault) = &self.fault {
            write!(f, "\n      at fault: {fault}")?;
        }
        if let Some(cure) = &self.cure {
            write!(f, "\n      → {cure}")?;
        }
        Ok(())
    }
}
