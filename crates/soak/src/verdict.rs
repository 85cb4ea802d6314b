//! The definition of flat, and its judgment of one window.

use std::collections::BTreeSet;
use std::fmt;

use crate::fit::{Slope, fit};
use crate::number::{bytes, float, small, thousands, with_sign};
use crate::sample::{Descriptors, Sample, Series};

/// How many samples a window has.
pub const SAMPLES: usize = 20;

/// How many windows there are at most.
pub const WINDOWS: usize = 3;

/// How many there are at most while nothing but slopes below [`LIMIT`] keeps them from being flat.
pub const NEARLY_WINDOWS: usize = 6;

/// The interval of a slope holds the true one with this probability.
pub const CONFIDENCE: f64 = 0.95;

/// Bytes for each operation that the interval must end below.
pub const LIMIT: f64 = 1.0;

/// The definition, in words.
pub const DEFINITION: &str = "\
Flat: after a warm-up, 20 samples of every process, each taken when nobody is at work. In all 20, the file \
descriptors of each kind, the threads and every count of the ledger are equal. A line through the allocated bytes \
over the operations (ordinary least squares) has a slope whose 95 % confidence interval (Student's t, 18 degrees of \
freedom) contains 0 and ends below 1 byte for each operation.
One window in twenty would fail by chance alone, and a table that reaches its size late looks like a slope: a window \
that is not flat is followed by another of 20 samples, and the last one decides: the third, or the sixth while \
nothing but slopes of less than 1 byte for each operation keeps them from being flat. A leak is in every window; \
what settles is not.";

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Open file descriptors.
    Descriptors,
    /// Threads.
    Threads,
    /// One count of the ledger.
    Ledger(String),
    /// Allocated bytes, or the heap where they are not known.
    Bytes,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors => f.write_str("file descriptors"),
            Self::Threads => f.write_str("threads"),
            Self::Ledger(path) => write!(f, "ledger: {path}"),
            Self::Bytes => f.write_str("bytes"),
        }
    }
}

/// What a judgment rests on.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// The same in all samples.
    Equal(String),
    /// Not the same: the first and the last value.
    Differs {
        /// In the first sample.
        first: String,
        /// In the last sample.
        last: String,
    },
    /// A slope: so much for each unit.
    Slope {
        /// The slope.
        slope: Slope,
        /// What for each unit of: `B` or nothing.
        bytes: bool,
        /// `operation`, `hour`.
        unit: &'static str,
    },
    /// Too few samples.
    Unknown,
}

/// The judgment of one measure of one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The process.
    pub process: String,
    /// The measure.
    pub measure: Measure,
    /// Whether it is flat.
    pub flat: bool,
    /// Why.
    pub evidence: Evidence,
}

/// A slope with its interval, in words: `+16.0 B for each operation (95 %: +15.9 to +16.1)`.
#[must_use]
pub fn shown_slope(slope: &Slope, of_bytes: bool, unit: &str) -> String {
    let one = |n: f64| with_sign(if of_bytes { bytes(n) } else { small(n) });
    let [estimate, low, high] = [slope.estimate, slope.low, slope.high].map(one);
    format!("{estimate} for each {unit} (95 %: {low} to {high})")
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(value) => write!(f, "{value} in all samples"),
            Self::Differs { first, last } => write!(f, "{first} at first, {last} at the end"),
            Self::Slope { slope, bytes, unit } => f.write_str(&shown_slope(slope, *bytes, unit)),
            Self::Unknown => f.write_str("too few samples"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.process, self.measure, self.evidence)
    }
}

/// Judges a window: the samples from place `start` on, [`SAMPLES`] of them, of every process.
#[must_use]
pub fn judge(series: &[Series], start: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in series {
        let window: Vec<&Sample> = one.samples.iter().skip(start).take(SAMPLES).collect();
        let enough = window.len() == SAMPLES;
        let mut push = |measure, flat, evidence| {
            let evidence = if enough { evidence } else { Evidence::Unknown };
            findings.push(Finding { process: one.name.clone(), measure, flat: enough && flat, evidence });
        };
        let (flat, evidence) = equal(&window, |s| s.figures.descriptors, shown_descriptors);
        push(Measure::Descriptors, flat, evidence);
        let (flat, evidence) = equal(&window, |s| s.figures.threads, |n| thousands(*n));
        push(Measure::Threads, flat, evidence);
        let ledgers = || window.iter().filter_map(|s| s.figures.ledger.as_ref());
        let paths: BTreeSet<&String> = ledgers().flat_map(|counts| counts.keys()).collect();
        for path in paths {
            let count = |s: &Sample| {
                s.figures.ledger.as_ref().and_then(|counts| counts.get(path).copied()).unwrap_or(0)
            };
            let (flat, evidence) = equal(&window, count, ToString::to_string);
            push(Measure::Ledger(path.clone()), flat, evidence);
        }
        let points: Vec<_> = window.iter().map(|s| (float(s.operations), float(s.figures.bytes()))).collect();
        let (flat, evidence) = match fit(&points) {
            Some(slope) => (
                slope.contains_zero() && slope.high < LIMIT,
                Evidence::Slope { slope, bytes: true, unit: "operation" },
            ),
            None => (false, Evidence::Unknown),
        };
        push(Measure::Bytes, flat, evidence);
    }
    findings
}

fn equal<T: PartialEq>(
    window: &[&Sample],
    value: impl Fn(&Sample) -> T,
    shown: impl Fn(&T) -> String,
) -> (bool, Evidence) {
    let values: Vec<T> = window.iter().map(|s| value(s)).collect();
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return (false, Evidence::Unknown);
    };
    if values.iter().all(|v| v == first) {
        return (true, Evidence::Equal(shown(first)));
    }
    (false, Evidence::Differs { first: shown(first), last: shown(last) })
}

fn shown_descriptors(descriptors: &Descriptors) -> String {
    let kinds: Vec<String> = descriptors
        .kinds()
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{} {name}", thousands(*n)))
        .collect();
    let total = thousands(descriptors.total());
    if kinds.is_empty() { total } else { format!("{total} ({})", kinds.join(", ")) }
}
