//! Everything about one run.

use std::time::Duration;

use crate::document::Document;
use crate::fit::{Slope, fit};
use crate::number::float;
use crate::sample::{Sample, Series, sum};
use crate::verdict::{Finding, SAMPLES};

/// What the samples are laid out over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Operations, which have a name in the plural.
    Operations(&'static str),
    /// Time.
    Time,
}

/// Everything about one run.
#[derive(Debug, Clone)]
pub struct Record {
    /// `logon`, `ics`, `pid`.
    pub scenario: &'static str,
    /// What was done, in a line.
    pub title: String,
    /// The document whose loop it was.
    pub document: Option<Document>,
    /// The rule of the verdict, in words.
    pub definition: &'static str,
    /// The command that was run.
    pub command: String,
    /// The machine it was run on.
    pub machine: String,
    /// When it began.
    pub started: String,
    /// How long the loop took.
    pub elapsed: Duration,
    /// Whether it was stopped before there was a verdict; the judgment is of the last window that had ended, if any.
    pub interrupted: bool,
    /// Iterations done in all, warm-up and further windows included.
    pub iterations: u64,
    /// What the samples are laid out over.
    pub axis: Axis,
    /// The samples.
    pub series: Vec<Series>,
    /// Where each window begins.
    pub windows: Vec<usize>,
    /// The judgment of the last window.
    pub findings: Vec<Finding>,
}

impl Record {
    /// Whether everything was flat. A run that was stopped is not.
    #[must_use]
    pub fn flat(&self) -> bool {
        !self.interrupted && !self.findings.is_empty() && self.findings.iter().all(|f| f.flat)
    }

    /// Whether one process was flat.
    #[must_use]
    pub fn process_flat(&self, name: &str) -> bool {
        self.findings.iter().filter(|f| f.process == name).all(|f| f.flat)
    }

    /// The sums over all processes.
    #[must_use]
    pub fn total(&self) -> Vec<Sample> {
        sum(&self.series)
    }

    /// The samples that were judged, of one series of samples.
    #[must_use]
    pub fn judged<'a>(&self, samples: &'a [Sample]) -> &'a [Sample] {
        let rest = samples.get(self.windows.last().copied().unwrap_or(0)..).unwrap_or_default();
        match self.axis {
            Axis::Operations(_) => rest.get(..SAMPLES.min(rest.len())).unwrap_or_default(),
            Axis::Time => rest,
        }
    }

    /// Operations done in all.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.series.first().and_then(|s| s.samples.last()).map_or(0, |s| s.operations)
    }

    /// The slope of the judged bytes: for each operation, or for each hour.
    #[must_use]
    pub fn bytes_slope(&self, samples: &[Sample]) -> Option<Slope> {
        let points: Vec<_> =
            self.judged(samples).iter().map(|s| (self.place(s), float(s.figures.bytes()))).collect();
        fit(&points)
    }

    /// Where a sample stands on the axis: operations, or hours.
    #[must_use]
    pub fn place(&self, sample: &Sample) -> f64 {
        match self.axis {
            Axis::Operations(_) => float(sample.operations),
            Axis::Time => sample.elapsed.as_secs_f64() / 3600.0,
        }
    }

    /// What the verdict says, in a line.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.interrupted, self.flat()) {
            (true, _) => "stopped before there was a verdict",
            (false, true) => "flat",
            (false, false) => "NOT FLAT",
        }
    }

    /// Whether the processes say what they allocated; the heap is judged where they do not.
    #[must_use]
    pub fn knows_allocated(&self) -> bool {
        self.series.iter().all(|s| s.samples.iter().all(|s| s.figures.allocated.is_some()))
    }
}
