//! The course of a loop: warm-up, window, and another window when one is not flat.

use std::time::Duration;

use crate::sample::{Figures, Sample, Series};
use crate::verdict::{Evidence, Finding, LIMIT, NEARLY_WINDOWS, SAMPLES, WINDOWS, judge};

/// Samples during the warm-up: they are shown, and not judged.
const WARM_UP_SAMPLES: u64 = 5;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// So many iterations; then a sample of every process when all are idle.
    Run(u64),
    /// Nothing: the verdict is there.
    Done,
}

/// A loop on its way to a verdict. The warm-up and one window make the iterations that were asked for; further
/// windows come on top.
#[derive(Debug)]
pub struct Course {
    warm_up: u64,
    gap: u64,
    series: Vec<Series>,
    /// Where each window begins.
    windows: Vec<usize>,
    findings: Vec<Finding>,
    iterations: u64,
    done: bool,
}

impl Course {
    /// For so many iterations over these processes (name and number).
    #[must_use]
    pub fn new(iterations: u64, processes: Vec<(String, u32)>) -> Self {
        let gaps = u64::try_from(SAMPLES.saturating_sub(1)).unwrap_or(1);
        // A tenth is warm-up, and what does not divide.
        let gap = (iterations.saturating_sub(iterations / 10) / gaps).max(1);
        let warm_up = iterations.saturating_sub(gap.saturating_mul(gaps)).max(WARM_UP_SAMPLES);
        let series =
            processes.into_iter().map(|(name, pid)| Series { name, pid, samples: Vec::new() }).collect();
        Self { warm_up, gap, series, windows: Vec::new(), findings: Vec::new(), iterations: 0, done: false }
    }

    /// What is to be done next.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.done {
            return Next::Done;
        }
        let taken = u64::try_from(self.taken()).unwrap_or(u64::MAX);
        if taken == 0 {
            // The first sample is of processes that have done nothing yet but to get ready.
            return Next::Run(0);
        }
        if taken < WARM_UP_SAMPLES {
            return Next::Run(self.warm_up / WARM_UP_SAMPLES);
        }
        if taken == WARM_UP_SAMPLES {
            let before = (self.warm_up / WARM_UP_SAMPLES).saturating_mul(WARM_UP_SAMPLES.saturating_sub(1));
            return Next::Run(self.warm_up.saturating_sub(before));
        }
        let place = self.windows.last().map_or(0, |start| self.taken().saturating_sub(*start));
        Next::Run(self.gap(self.windows.len(), place))
    }

    /// How many iterations lie before a sample of a window. They are not quite equal: at equal distances, what comes
    /// and goes with a period of its own could look like a slope. A window has as many as if they were.
    fn gap(&self, window: usize, place: usize) -> u64 {
        let last = SAMPLES.saturating_sub(1);
        let shift = |place: usize| {
            if place == 0 || place >= last {
                return 0;
            }
            // A number that looks like nothing else, up to a sixth of the gap to either side.
            let mixed = u64::try_from(window.saturating_mul(SAMPLES).saturating_add(place))
                .unwrap_or(0)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(23)
                .wrapping_mul(0xD6E8_FEB8_6659_FD93)
                >> 32;
            mixed % (self.gap / 3).saturating_add(1)
        };
        if place == 0 {
            // Between two windows.
            return self.gap;
        }
        self.gap.saturating_add(shift(place)).saturating_sub(shift(place.saturating_sub(1)))
    }

    /// Takes the samples that followed what [`Course::next`] asked for, in the order of the processes. Returns whether
    /// a window has ended with it, and was flat.
    pub fn sampled(
        &mut self,
        iterations: u64,
        operations: u64,
        elapsed: Duration,
        figures: Vec<Figures>,
    ) -> Option<bool> {
        self.iterations = self.iterations.saturating_add(iterations);
        let at = self.taken();
        for (series, figures) in self.series.iter_mut().zip(figures) {
            series.samples.push(Sample { elapsed, operations, figures });
        }
        let warm = usize::try_from(WARM_UP_SAMPLES).unwrap_or(0);
        if at == warm {
            self.windows.push(at);
        }
        let start = *self.windows.last()?;
        if self.taken().saturating_sub(start) < SAMPLES {
            return None;
        }
        self.findings = judge(&self.series, start);
        let flat = self.flat();
        let most = if self.nearly() { NEARLY_WINDOWS } else { WINDOWS };
        if flat || self.windows.len() >= most {
            self.done = true;
        } else {
            self.windows.push(self.taken());
        }
        Some(flat)
    }

    fn taken(&self) -> usize {
        self.series.first().map_or(0, |s| s.samples.len())
    }

    /// Whether the last window that ended was flat.
    #[must_use]
    pub fn flat(&self) -> bool {
        !self.findings.is_empty() && self.findings.iter().all(|f| f.flat)
    }

    /// Whether nothing but slopes below the limit kept the last window from being flat.
    fn nearly(&self) -> bool {
        let mut not_flat = self.findings.iter().filter(|f| !f.flat);
        not_flat.all(|f| matches!(&f.evidence, Evidence::Slope { slope, .. } if slope.high < LIMIT))
    }

    /// The judgment of the last window that ended.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The samples so far.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Where each window begins.
    #[must_use]
    pub fn windows(&self) -> &[usize] {
        &self.windows
    }

    /// Iterations done so far.
    #[must_use]
    pub const fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Its samples, windows and judgment.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Series>, Vec<usize>, Vec<Finding>) {
        (self.series, self.windows, self.findings)
    }
}

#[cfg(test)]
mod tests;
