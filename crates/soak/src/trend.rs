//! Programs that are not ours: nobody counts their operations, and they are never known to be idle.

use std::time::Duration;

use crate::fit::{Slope, fit};
use crate::number::float;
use crate::sample::{Sample, Series};
use crate::verdict::{Evidence, Finding, Measure, SAMPLES};

/// The heap must rise by more than this while it is watched, or it is noise: 16 pages.
pub const NOISE: f64 = 65_536.0;

/// The rise must be so many times the scatter around the line: a program at work comes and goes, and is not told from
/// a leak by its slope alone.
const SCATTER: f64 = 3.0;

/// The rule, in words.
pub const DEFINITION: &str = "\
Flat, for a program whose operations nobody counts and that is never known to be idle: the first tenth of the time is \
warm-up; the rest is cut into 20 equal parts, and of each the lowest value counts: what is held when least is going \
on. A leak raises that floor. So file descriptors, threads, and the heap (private dirty and swapped pages of the heap \
and of mappings without a file) are flat unless all of this is so: the slope over time (ordinary least squares) has a \
95 % confidence interval (Student's t, 18 degrees of freedom) that lies above 0; in each third of the time the middle \
value is above all of the third before; and the lower end of the interval makes, over the time, at least one descriptor or thread, or \
64 KiB of heap.
A leak smaller than the upper end of the interval may have gone unseen: watch longer to see it.";

/// How many samples there must be before anything can be said.
#[must_use]
pub const fn fewest() -> usize {
    // A tenth of these is left out, and every part needs one.
    SAMPLES.saturating_add(SAMPLES / 5)
}

/// Judges a series; empty when there are too few samples.
#[must_use]
pub fn judge(series: &Series) -> Vec<Finding> {
    if series.samples.len() < fewest() {
        return Vec::new();
    }
    let window = series.samples.get(warm_up(series)..).unwrap_or_default();
    let mut findings = Vec::new();
    let mut push = |measure, bytes, value: fn(&Sample) -> u64, least| {
        let (flat, evidence) = one(window, bytes, value, least);
        findings.push(Finding { process: series.name.clone(), measure, flat, evidence });
    };
    push(Measure::Descriptors, false, |s| s.figures.descriptors.total(), 1.0);
    push(Measure::Threads, false, |s| s.figures.threads, 1.0);
    push(Measure::Bytes, true, |s| s.figures.heap, NOISE);
    findings
}

/// How many samples at the beginning are not judged.
#[must_use]
pub fn warm_up(series: &Series) -> usize {
    series.samples.len() / 10
}

fn one(window: &[Sample], bytes: bool, value: fn(&Sample) -> u64, least: f64) -> (bool, Evidence) {
    let points = floors(window, value);
    let Some(slope) = fit(&points) else { return (false, Evidence::Unknown) };
    let (Some(first), Some(last)) = (window.first(), window.last()) else {
        return (false, Evidence::Unknown);
    };
    if window.iter().all(|s| value(s) == value(first)) && !bytes {
        return (true, Evidence::Equal(crate::number::thousands(value(first))));
    }
    let hours = hours(last.elapsed.saturating_sub(first.elapsed));
    let leaks = slope.low > 0.0
        && slope.low * hours >= least
        && slope.estimate * hours >= SCATTER * slope.scatter
        && rises(&points);
    (!leaks, Evidence::Slope { slope, bytes, unit: "hour" })
}

/// Of each of 20 equal parts, the time of its middle in hours, and the lowest value.
fn floors(window: &[Sample], value: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    let mut floors = Vec::with_capacity(SAMPLES);
    for part in 0..SAMPLES {
        let at = |part: usize| part.saturating_mul(window.len()) / SAMPLES;
        let part = window.get(at(part)..at(part.saturating_add(1))).unwrap_or_default();
        if let (Some(first), Some(last), Some(lowest)) =
            (part.first(), part.last(), part.iter().map(value).min())
        {
            floors.push((hours(first.elapsed.saturating_add(last.elapsed)) / 2.0, float(lowest)));
        }
    }
    floors
}

/// Whether the lowest value rises from third to third.
fn rises(points: &[(f64, f64)]) -> bool {
    let third = points.len().div_ceil(3).max(1);
    let lowest: Vec<f64> =
        points.chunks(third).map(|part| part.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min)).collect();
    lowest.is_sorted_by(|a, b| a < b)
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}

/// The smallest growth for each hour that could not have been missed.
#[must_use]
pub fn bound(slope: &Slope, watched: Duration) -> f64 {
    slope.high.max(NOISE / hours(watched).max(1e-9))
}

#[cfg(test)]
mod tests;
