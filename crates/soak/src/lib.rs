//! Watches processes, and says whether what they hold stays flat.
//!
//! A [`Process`] is sampled into [`Figures`]: descriptors by kind, threads, memory, and, where the process gives an
//! [`Inspection`], its allocated bytes and its ledger. Figures become [`Sample`]s of a [`Series`]. Two rules judge:
//!
//! * [`Course`] drives a loop whose operations are counted and between whose parts everybody is idle. Its rule is the
//!   definition of *flat* ([`DEFINITION`]).
//! * [`trend`] judges a program that is not ours and never idle, by what it holds when it holds least
//!   ([`TREND_DEFINITION`]).
//!
//! A [`Record`] is all of it: for a terminal ([`table`], [`chart`]), for programs ([`json`]), for people ([`report`]).

pub mod chart;
mod course;
mod document;
mod fit;
mod inspection;
pub mod json;
mod number;
mod process;
mod record;
pub mod report;
mod sample;
pub mod table;
pub mod trend;
mod verdict;

pub use course::{Course, Next};
pub use document::{Document, ICS, LOGON};
pub use fit::{Slope, fit};
pub use inspection::{Inspection, InspectionError};
pub use process::{Process, ProcessError};
pub use record::{Axis, Record};
pub use sample::{Descriptors, Figures, Sample, Series, sum};
pub use trend::DEFINITION as TREND_DEFINITION;
pub use verdict::{
    CONFIDENCE, DEFINITION, Evidence, Finding, LIMIT, Measure, NEARLY_WINDOWS, SAMPLES, WINDOWS, judge,
    shown_slope,
};
