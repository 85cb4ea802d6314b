//! A run in lines of text: one for each sample while it goes on, the verdict at its end.

use crate::number::{bytes, float, small, thousands};
use crate::record::{Axis, Record};
use crate::sample::{Sample, Series};
use crate::trend;
use crate::verdict::{Evidence, Measure};

/// The heads of the columns: two lines.
#[must_use]
pub fn head(series: &[Series], axis: Axis) -> [String; 2] {
    let unit = match axis {
        Axis::Operations(name) => name,
        Axis::Time => "time",
    };
    let mut above = format!("{:>13}", "");
    let mut below = format!("{unit:>13}");
    for one in series {
        let name = format!("{} ({})", one.name, one.pid);
        above.push_str(&format!(" │ {name:<36}"));
        below.push_str(&format!(" │ {:>5} {:>4} {:>5} {:>9} {:>9}", "fds", "thr", "held", "bytes", "RSS"));
    }
    [above.trim_end().to_owned(), below]
}

/// The sample at one place, of every process.
#[must_use]
pub fn row(series: &[Series], at: usize, axis: Axis) -> String {
    let first = series.first().and_then(|one| one.samples.get(at));
    let place = first.map_or_else(String::new, |sample| match axis {
        Axis::Operations(_) => thousands(sample.operations),
        Axis::Time => time(sample),
    });
    let mut line = format!("{place:>13}");
    for one in series {
        let Some(Sample { figures, .. }) = one.samples.get(at) else { continue };
        line.push_str(&format!(
            " │ {:>5} {:>4} {:>5} {:>9} {:>9}",
            figures.descriptors.total(),
            figures.threads,
            figures.held().map_or_else(|| "-".to_owned(), |n| n.to_string()),
            bytes(float(figures.bytes())),
            bytes(float(figures.rss)),
        ));
    }
    line
}

fn time(sample: &Sample) -> String {
    let seconds = sample.elapsed.as_secs();
    let tenth = sample.elapsed.subsec_millis() / 100;
    if seconds < 60 {
        format!("{seconds}.{tenth} s")
    } else {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// The verdict with its figures, line by line.
#[must_use]
pub fn verdict(record: &Record) -> Vec<String> {
    let seconds = record.elapsed.as_secs_f64();
    let mut lines = Vec::new();
    match record.axis {
        Axis::Operations(name) => {
            let mut line = format!(
                "{} iterations, {} {name}, {seconds:.1} s, {} a second",
                thousands(record.iterations),
                thousands(record.operations()),
                small(float(record.iterations) / seconds.max(1e-9)),
            );
            match record.windows.len() {
                0 | 1 => {}
                n => line.push_str(&format!("; the window was followed by {} more", n.saturating_sub(1))),
            }
            lines.push(line);
        }
        Axis::Time => {
            let samples = record.series.first().map_or(0, |s| s.samples.len());
            lines.push(format!("{samples} samples in {seconds:.1} s"));
        }
    }
    for one in &record.series {
        lines.push(format!("{} ({})", one.name, one.pid));
        let mut ledger = (0_usize, 0_i64);
        for finding in record.findings.iter().filter(|f| f.process == one.name) {
            let held = match &finding.evidence {
                Evidence::Equal(n) => n.parse().unwrap_or(0),
                _ => 0,
            };
            if let (Measure::Ledger(_), true) = (&finding.measure, finding.flat) {
                ledger = (ledger.0.saturating_add(1), ledger.1.saturating_add(held));
                continue;
            }
            lines.push(finding_line(
                finding.flat,
                &finding.measure.to_string(),
                &finding.evidence.to_string(),
            ));
        }
        if one.samples.iter().any(|s| s.figures.ledger.is_some()) && record.process_flat_ledger(&one.name) {
            lines.push(finding_line(
                true,
                "ledger",
                &format!("{} held in {} counts, the same in all samples", ledger.1, ledger.0),
            ));
        }
        if record.axis == Axis::Time
            && let Some(line) = bound(record, one)
        {
            lines.push(line);
        }
    }
    lines.push(format!("{}: {}", record.scenario, record.verdict()));
    lines
}

fn finding_line(flat: bool, measure: &str, evidence: &str) -> String {
    format!("  {} {measure:<16} {evidence}", if flat { "✓" } else { "✗" })
}

/// What a flat verdict about a program that is not ours cannot exclude.
fn bound(record: &Record, series: &Series) -> Option<String> {
    let finding = record.findings.iter().find(|f| f.process == series.name && f.measure == Measure::Bytes)?;
    let Evidence::Slope { slope, .. } = &finding.evidence else { return None };
    finding.flat.then(|| {
        let bound = trend::bound(slope, record.elapsed);
        format!("    a leak of less than {} an hour would not have shown in this time", bytes(bound))
    })
}

impl Record {
    fn process_flat_ledger(&self, name: &str) -> bool {
        let mut of = self.findings.iter().filter(|f| f.process == name).peekable();
        of.peek().is_some() && of.all(|f| f.flat || !matches!(f.measure, Measure::Ledger(_)))
    }
}
