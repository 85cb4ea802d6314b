//! A run as one page for people: everything is in it, so that it can be kept and sent.

mod curve;

use std::fmt::Write as _;

use crate::number::{bytes, float, signed, small, thousands};
use crate::record::{Axis, Record};
use crate::sample::{Sample, Series};
use crate::trend;
use crate::verdict::{Evidence, Finding, Measure, shown_slope};
use curve::{Curve, Fit, draw};

const STYLE: &str = include_str!("report/page.css");
const SCRIPT: &str = include_str!("report/page.js");

/// The page.
#[must_use]
pub fn page(record: &Record) -> String {
    let mut out = String::with_capacity(128 * 1024);
    let verdict = match (record.interrupted, record.flat()) {
        (true, _) => "Stopped before there was a verdict",
        (false, true) => "Flat",
        (false, false) => "Not flat",
    };
    let class = if record.flat() { "flat" } else { "leak" };
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"watertight soak\">\n\
         <title>{verdict}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&record.title)
    );
    head(&mut out, record, verdict, class);
    if let Some(document) = &record.document {
        let steps: String = document.steps.iter().map(|step| format!("<li>{}</li>", escape(step))).collect();
        let _ = write!(
            out,
            "<section class=\"story\">\n<h2>{}: {}</h2>\n<p>{}</p>\n<ol>{steps}</ol>\n<p>{}</p>\n</section>\n",
            escape(document.number),
            escape(document.title),
            escape(document.symptom),
            code(document.here),
        );
    }
    for series in &record.series {
        process(&mut out, record, series);
    }
    foot(&mut out, record);
    let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn head(out: &mut String, record: &Record, verdict: &str, class: &str) {
    let seconds = record.elapsed.as_secs_f64();
    let _ = write!(
        out,
        "<header class=\"{class}\">\n<p class=\"kind\">watertight soak {}</p>\n<h1>{}</h1>\n\
         <p class=\"verdict\"><span class=\"mark\">{}</span>{verdict}</p>\n",
        record.scenario,
        escape(&record.title),
        if record.flat() { "✓" } else { "✗" },
    );
    let mut facts: Vec<(String, String)> = Vec::new();
    match record.axis {
        Axis::Operations(name) => {
            facts.push(("iterations".into(), thousands(record.iterations)));
            if record.operations() != record.iterations {
                facts.push((name.into(), thousands(record.operations())));
            }
            facts.push(("a second".into(), small(float(record.iterations) / seconds.max(1e-9))));
        }
        Axis::Time => {
            let samples = record.series.first().map_or(0, |s| s.samples.len());
            facts.push(("samples".into(), thousands(u64::try_from(samples).unwrap_or(0))));
        }
    }
    facts.push(("time".into(), time(seconds)));
    if let Axis::Operations(_) = record.axis {
        let windows = record.windows.len();
        facts.push((if windows == 1 { "window" } else { "windows" }.into(), windows.to_string()));
    }
    if let Some(slope) = record.bytes_slope(&record.total()) {
        let unit = if record.axis == Axis::Time { "bytes an hour" } else { "bytes an operation" };
        facts.push((unit.into(), crate::number::with_sign(bytes(slope.estimate))));
    }
    out.push_str("<dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(out, "<div><dd>{}</dd><dt>{}</dt></div>", escape(&value), escape(&name));
    }
    out.push_str("</dl>\n");
    let leaks: Vec<&Finding> = record.findings.iter().filter(|f| !f.flat).collect();
    if !leaks.is_empty() {
        out.push_str("<ul class=\"leaks\">");
        for finding in leaks {
            let _ = write!(
                out,
                "<li><b>{}</b>, {}: {}</li>",
                escape(&finding.process),
                escape(&finding.measure.to_string()),
                escape(&finding.evidence.to_string())
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</header>\n");
}

/// One process: its figures, its curves.
fn process(out: &mut String, record: &Record, series: &Series) {
    let flat = record.process_flat(&series.name);
    let _ = write!(
        out,
        "<section class=\"process\">\n<h2>{} <small>process {}</small> <span class=\"tag {}\">{}</span></h2>\n",
        escape(&series.name),
        series.pid,
        if flat { "flat" } else { "leak" },
        if flat { "flat" } else { "not flat" },
    );
    figures(out, record, series);
    out.push_str("<div class=\"curves\">\n");
    for measure in measures(record, series) {
        out.push_str(&draw(&measure, record, series));
    }
    out.push_str("</div>\n</section>\n");
}

/// The table of figures: first and last sample that were judged, and the judgment.
fn figures(out: &mut String, record: &Record, series: &Series) {
    let judged = record.judged(&series.samples);
    let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return };
    out.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th>measure</th><th>before</th><th>after</th><th>judgment</th></tr></thead>\n<tbody>\n",
    );
    let mut row = |name: &str, before: String, after: String, finding: Option<&Finding>| {
        let (class, text) = match finding {
            Some(finding) => (if finding.flat { "flat" } else { "leak" }, judgment(finding)),
            None if name.starts_with('–') => ("part", String::new()),
            None => ("", "shown, not judged".to_owned()),
        };
        let _ = writeln!(
            out,
            "<tr class=\"{class}\"><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            escape(&before),
            escape(&after),
            escape(&text)
        );
    };
    let find = |measure: &Measure| {
        record.findings.iter().find(|f| f.process == series.name && f.measure == *measure)
    };
    let count = thousands;
    let size = |n: u64| bytes(float(n));
    let (a, b) = (&first.figures, &last.figures);
    row(
        "file descriptors",
        count(a.descriptors.total()),
        count(b.descriptors.total()),
        find(&Measure::Descriptors),
    );
    for ((kind, before), (_, after)) in a.descriptors.kinds().into_iter().zip(b.descriptors.kinds()) {
        if before > 0 || after > 0 {
            row(&format!("– {kind}"), count(before), count(after), None);
        }
    }
    row("threads", count(a.threads), count(b.threads), find(&Measure::Threads));
    for finding in record.findings.iter().filter(|f| f.process == series.name) {
        if let Measure::Ledger(path) = &finding.measure {
            let of = |s: &Sample| s.figures.ledger.as_ref().and_then(|l| l.get(path)).copied().unwrap_or(0);
            row(&format!("ledger: {path}"), of(first).to_string(), of(last).to_string(), Some(finding));
        }
    }
    match (a.allocated, b.allocated) {
        (Some(before), Some(after)) => {
            row("allocated", size(before), size(after), find(&Measure::Bytes));
            row("heap", size(a.heap), size(b.heap), None);
        }
        _ => row("heap", size(a.heap), size(b.heap), find(&Measure::Bytes)),
    }
    row("private, written to", size(a.private_dirty), size(b.private_dirty), None);
    row("resident", size(a.rss), size(b.rss), None);
    out.push_str("</tbody>\n</table></div>\n");
}

fn judgment(finding: &Finding) -> String {
    match &finding.evidence {
        Evidence::Equal(_) => "the same in all samples".to_owned(),
        Evidence::Differs { .. } => "not the same in all samples".to_owned(),
        Evidence::Slope { slope, bytes, unit } => shown_slope(slope, *bytes, unit),
        Evidence::Unknown => finding.evidence.to_string(),
    }
}

/// What is drawn of a process.
fn measures(record: &Record, series: &Series) -> Vec<Curve> {
    let bytes_fit = Fit { of: Measure::Bytes };
    let mut all = vec![Curve {
        title: if record.knows_allocated() { "allocated" } else { "heap" },
        value: |f| float(f.bytes()),
        of_bytes: true,
        fit: Some(bytes_fit),
    }];
    all.push(Curve {
        title: "file descriptors",
        value: |f| float(f.descriptors.total()),
        of_bytes: false,
        fit: Some(Fit { of: Measure::Descriptors }),
    });
    all.push(Curve {
        title: "threads",
        value: |f| float(f.threads),
        of_bytes: false,
        fit: Some(Fit { of: Measure::Threads }),
    });
    if series.samples.iter().any(|s| s.figures.ledger.is_some()) {
        all.push(Curve {
            title: "held in the ledger",
            value: |f| signed(f.held().unwrap_or(0)),
            of_bytes: false,
            fit: None,
        });
    }
    all.push(Curve {
        title: "private memory, written to",
        value: |f| float(f.private_dirty),
        of_bytes: true,
        fit: None,
    });
    all.push(Curve { title: "resident memory", value: |f| float(f.rss), of_bytes: true, fit: None });
    all
}

fn foot(out: &mut String, record: &Record) {
    let definition: String =
        record.definition.split('\n').map(|text| format!("<p>{}</p>", escape(text))).collect();
    let _ = write!(out, "<section class=\"rule\">\n<h2>The rule</h2>\n{definition}\n");
    let memory = match record.axis {
        Axis::Operations(_) => Some(
            "Descriptors, threads and the ledger are counted with the session as the operations left it; bytes when \
             nobody is logged on and the caches of the store are given back.",
        ),
        Axis::Time => None,
    };
    if let Some(text) = memory {
        let _ = writeln!(out, "<p>{text}</p>");
    }
    for series in record.series.iter().filter(|_| record.axis == Axis::Time) {
        let finding =
            record.findings.iter().find(|f| f.process == series.name && f.measure == Measure::Bytes);
        if let Some(Finding { flat: true, evidence: Evidence::Slope { slope, .. }, .. }) = finding {
            let _ = writeln!(
                out,
                "<p>Here: a leak of less than {} an hour would not have shown in this time.</p>",
                bytes(trend::bound(slope, record.elapsed))
            );
        }
    }
    let _ = write!(
        out,
        "</section>\n<footer>\n<dl>\n<dt>command</dt><dd><code>{}</code></dd>\n<dt>machine</dt><dd>{}</dd>\n\
         <dt>begun</dt><dd>{}</dd>\n</dl>\n</footer>\n",
        escape(&record.command),
        escape(&record.machine),
        escape(&record.started)
    );
}

fn time(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else if seconds < 7200.0 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// Text in a page.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// Text with names between backquotes.
fn code(text: &str) -> String {
    text.split('`').enumerate().fold(String::new(), |mut out, (n, part)| {
        let part = escape(part);
        let _ = if n % 2 == 1 { write!(out, "<code>{part}</code>") } else { write!(out, "{part}") };
        out
    })
}

#[cfg(test)]
mod tests;
