//! One curve, drawn.

use std::fmt::Write as _;

use super::escape;
use crate::fit::{Slope, fit};
use crate::number::{bytes, small, thousands};
use crate::record::{Axis, Record};
use crate::sample::{Figures, Series};
use crate::verdict::{Measure, SAMPLES};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// What is drawn.
pub(super) struct Curve {
    /// Its name.
    pub(super) title: &'static str,
    /// The value of a sample.
    pub(super) value: fn(&Figures) -> f64,
    /// Whether values are bytes.
    pub(super) of_bytes: bool,
    /// Whether it was judged.
    pub(super) fit: Option<Fit>,
}

/// The judgment that belongs to a curve.
pub(super) struct Fit {
    /// Of this measure.
    pub(super) of: Measure,
}

/// From values to places.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// The figure with its curve.
pub(super) fn draw(curve: &Curve, record: &Record, series: &Series) -> String {
    let points: Vec<(f64, f64)> =
        series.samples.iter().map(|s| (record.place(s), (curve.value)(&s.figures))).collect();
    let finding = curve
        .fit
        .as_ref()
        .and_then(|fit| record.findings.iter().find(|f| f.process == series.name && f.measure == fit.of));
    let class = finding.map_or("", |f| if f.flat { "flat" } else { "leak" });
    let frame = frame(&points, curve.of_bytes);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}, {}\">\n",
        escape(&series.name),
        curve.title
    );
    windows(&mut svg, &frame, record, &points);
    axes(&mut svg, &frame, curve, record);
    if curve.of_bytes && finding.is_some() {
        line_of_fit(&mut svg, &frame, record, &points);
    }
    let path: Vec<String> =
        points.iter().map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y))).collect();
    let _ = writeln!(svg, "<polyline class=\"line\" points=\"{}\"/>", path.join(" "));
    // Of very many, the line is enough.
    if points.len() <= 400 {
        for (x, y) in &points {
            let _ = write!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"/>", frame.x(*x), frame.y(*y));
        }
    }
    let tips: Vec<String> = points
        .iter()
        .map(|(x, y)| {
            format!(
                "[{:.1},{:.1},\"{}\"]",
                frame.x(*x),
                frame.y(*y),
                escape(&format!("{} · {}", place(*x, record), value(*y, curve.of_bytes)))
            )
        })
        .collect();
    svg.push_str("</svg>");
    format!(
        "<figure class=\"{class}\" data-points='[{}]'>\n<figcaption>{}</figcaption>\n{svg}\n</figure>\n",
        tips.join(",").replace('\'', "&#39;"),
        curve.title,
    )
}

fn frame(points: &[(f64, f64)], of_bytes: bool) -> Frame {
    let range = |of: fn(&(f64, f64)) -> f64| {
        points
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), n| (low.min(n), high.max(n)))
    };
    let (x, y) = (range(|p| p.0), range(|p| p.1));
    let x = if x.1 > x.0 { x } else { (0.0, 1.0) };
    // A line that moves by a few bytes is not drawn as a mountain.
    let least = if of_bytes { (y.1 * 0.02).max(1024.0) } else { 4.0 };
    let (low, high) = if y.1 >= y.0 { y } else { (0.0, 1.0) };
    let spread = (high - low).max(least);
    let middle = f64::midpoint(low, high);
    let low = (middle - spread * 0.6).max(0.0);
    Frame { x, y: (low, low.max(middle + spread * 0.6)) }
}

/// The warm-up and each window, as fields behind the curve.
fn windows(svg: &mut String, frame: &Frame, record: &Record, points: &[(f64, f64)]) {
    let at = |n: usize| points.get(n.min(points.len().saturating_sub(1))).map_or(0.0, |p| frame.x(p.0));
    let first = record.windows.first().copied().unwrap_or(0);
    let height = HEIGHT - TOP - BOTTOM;
    let mut field = |class: &str, from: f64, to: f64, text: &str| {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{height}\"><title>{text}</title></rect>",
            (to - from).max(0.0)
        );
    };
    field("warm", LEFT, at(first), "warm-up");
    for (n, start) in record.windows.iter().enumerate() {
        let last = n.saturating_add(1) == record.windows.len();
        let end = match record.axis {
            Axis::Operations(_) => start.saturating_add(SAMPLES).saturating_sub(1),
            Axis::Time => points.len().saturating_sub(1),
        };
        let (class, text) = if last {
            ("window last", "the window that was judged")
        } else {
            ("window", "a window that was not flat")
        };
        field(class, at(*start), at(end), text);
    }
}

fn axes(svg: &mut String, frame: &Frame, curve: &Curve, record: &Record) {
    for y in ticks(frame.y, 4, curve.of_bytes) {
        let at = frame.y(y);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 7.0,
            at + 3.5,
            value(y, curve.of_bytes)
        );
    }
    let (from, to) = frame.x;
    let middle = f64::midpoint(from, to);
    let base = HEIGHT - 10.0;
    let unit = match record.axis {
        Axis::Operations(name) => name,
        Axis::Time => "",
    };
    for (x, anchor, text) in [
        (from, "start", place_text(from, record)),
        (middle, "middle", unit.to_owned()),
        (to, "end", place_text(to, record)),
    ] {
        let _ = writeln!(
            svg,
            "<text class=\"x\" x=\"{:.1}\" y=\"{base}\" text-anchor=\"{anchor}\">{text}</text>",
            frame.x(x)
        );
    }
}

/// The fitted line over the samples that were judged, and how far it may be from the true one.
fn line_of_fit(svg: &mut String, frame: &Frame, record: &Record, points: &[(f64, f64)]) {
    let start = record.windows.last().copied().unwrap_or(0);
    let judged = points.get(start..).unwrap_or_default();
    let judged = match record.axis {
        Axis::Operations(_) => judged.get(..SAMPLES.min(judged.len())).unwrap_or_default(),
        Axis::Time => judged,
    };
    let (Some(line), Some(first), Some(last)) = (fit(judged), judged.first(), judged.last()) else { return };
    let Slope { estimate, low, high, at_zero, .. } = line;
    let middle = f64::midpoint(first.0, last.0);
    let at_middle = at_zero + estimate * middle;
    let clamp = |y: f64| y.clamp(frame.y.0, frame.y.1);
    // Every line through the middle with a slope in the interval lies in this.
    let corner = |x: f64, slope: f64| {
        format!("{:.1},{:.1}", frame.x(x), frame.y(clamp(at_middle + slope * (x - middle))))
    };
    let corners = [
        corner(first.0, low),
        corner(middle, low),
        corner(last.0, low),
        corner(last.0, high),
        corner(middle, high),
        corner(first.0, high),
    ];
    let _ = writeln!(
        svg,
        "<polygon class=\"band\" points=\"{}\"><title>95 % confidence interval of the slope</title></polygon>",
        corners.join(" ")
    );
    let (a, b) = (corner(first.0, estimate), corner(last.0, estimate));
    let _ = writeln!(svg, "<polyline class=\"fit\" points=\"{a} {b}\"/>");
}

/// A few round values in a range.
fn ticks(range: (f64, f64), about: u32, of_bytes: bool) -> Vec<f64> {
    let spread = range.1 - range.0;
    let rough = spread / f64::from(about);
    let step = if of_bytes {
        // Powers of two.
        2_f64.powf(rough.max(1.0).log2().ceil())
    } else {
        let power = 10_f64.powf(rough.max(1e-9).log10().floor());
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|n| *n >= rough).unwrap_or(power).max(1.0)
    };
    let mut ticks = Vec::new();
    let mut at = (range.0 / step).ceil() * step;
    while at <= range.1 && ticks.len() < 12 {
        ticks.push(at);
        at += step;
    }
    ticks
}

fn value(n: f64, of_bytes: bool) -> String {
    if of_bytes { exact_bytes(n) } else { small(n).trim_end_matches(".00").trim_end_matches(".0").to_owned() }
}

/// Bytes with as many digits as tell neighbours on an axis apart.
fn exact_bytes(n: f64) -> String {
    if (1_048_576.0..104_857_600.0).contains(&n) && (n / 1_048_576.0 * 10.0).fract() != 0.0 {
        return format!("{:.2} MiB", n / 1_048_576.0);
    }
    bytes(n).replace(".0 ", " ")
}

fn place(x: f64, record: &Record) -> String {
    match record.axis {
        Axis::Operations(name) => format!("{} {name}", place_text(x, record)),
        Axis::Time => place_text(x, record),
    }
}

fn place_text(x: f64, record: &Record) -> String {
    match record.axis {
        Axis::Operations(_) => {
            // Counts are whole, and no run has more than 2^53.
            let whole = format!("{x:.0}");
            whole.parse().map_or(whole, thousands)
        }
        Axis::Time if x * 3600.0 < 120.0 => format!("{:.1} s", x * 3600.0),
        Axis::Time if x < 2.0 => format!("{:.1} min", x * 60.0),
        Axis::Time => format!("{x:.1} h"),
    }
}
