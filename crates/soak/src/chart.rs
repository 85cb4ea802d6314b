//! Small curves below the table, on a terminal.

use std::io::{self, Write};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis as ChartAxis, Block, Chart, Dataset, GraphType, Paragraph, Widget};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use crate::number::{bytes, float, signed, small};
use crate::record::Axis;
use crate::sample::{Sample, Series};
use crate::table;

const HEIGHT: u16 = 11;
const COLOURS: [Color; 4] = [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green];

/// The curves of a run, redrawn with each sample; the table grows above them.
pub struct Curves<W: Write> {
    terminal: Terminal<CrosstermBackend<W>>,
    axis: Axis,
}

impl<W: Write> Curves<W> {
    /// Below the cursor of the terminal that is written to.
    ///
    /// # Errors
    /// When the terminal does not say where its cursor is.
    pub fn new(out: W, axis: Axis) -> io::Result<Self> {
        let options = TerminalOptions { viewport: Viewport::Inline(HEIGHT) };
        let terminal = Terminal::with_options(CrosstermBackend::new(out), options)?;
        Ok(Self { terminal, axis })
    }

    /// Puts a line above the curves.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.terminal.insert_before(1, |buffer| Paragraph::new(text).render(buffer.area, buffer))
    }

    /// Draws the curves; the text stands in the line below them.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, series: &[Series], text: &str) -> io::Result<()> {
        let axis = self.axis;
        self.terminal.draw(|frame| draw(frame, series, axis, text)).map(drop)
    }
}

impl<W: Write> Drop for Curves<W> {
    /// Takes the curves away, also when a run is given up; the table stays.
    fn drop(&mut self) {
        let top = self.terminal.get_frame().area().as_position();
        // A terminal that is gone needs no tidying.
        let _ = self
            .terminal
            .clear()
            .and_then(|()| self.terminal.set_cursor_position(top))
            .and_then(|()| self.terminal.show_cursor());
    }
}

type Value = fn(&Sample) -> f64;

fn draw(frame: &mut Frame<'_>, series: &[Series], axis: Axis, text: &str) {
    let [curves, line] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
    let ledger = series.iter().any(|s| s.samples.iter().any(|s| s.figures.ledger.is_some()));
    let mut kinds: Vec<(&str, Value, bool)> = vec![
        ("bytes, from the first sample on", |s| float(s.figures.bytes()), true),
        ("file descriptors", |s| float(s.figures.descriptors.total()), false),
    ];
    if ledger {
        kinds.push(("held in the ledger", |s| signed(s.figures.held().unwrap_or(0)), false));
    } else {
        kinds.push(("threads", |s| float(s.figures.threads), false));
    }
    let share = u32::try_from(kinds.len()).unwrap_or(1);
    let areas = Layout::horizontal(kinds.iter().map(|_| Constraint::Ratio(1, share))).split(curves);
    for (area, (title, value, of_bytes)) in areas.iter().zip(kinds) {
        curve(frame, *area, series, axis, title, value, of_bytes);
    }
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (one, colour) in series.iter().zip(COLOURS) {
        spans.push("━━ ".fg(colour));
        spans.push(format!("{}   ", one.name).into());
    }
    spans.push(text.to_owned().dim());
    frame.render_widget(Line::from(spans), line);
}

fn curve(
    frame: &mut Frame<'_>,
    area: Rect,
    series: &[Series],
    axis: Axis,
    title: &str,
    value: Value,
    of_bytes: bool,
) {
    let place = |s: &Sample| match axis {
        Axis::Operations(_) => float(s.operations),
        Axis::Time => s.elapsed.as_secs_f64(),
    };
    // Bytes of processes of different sizes are on one scale when each begins at 0.
    let curves: Vec<Vec<(f64, f64)>> = series
        .iter()
        .map(|one| {
            let origin = one.samples.first().filter(|_| of_bytes).map_or(0.0, value);
            one.samples.iter().map(|s| (place(s), value(s) - origin)).collect()
        })
        .collect();
    let all = || curves.iter().flatten();
    let range = |of: fn(&(f64, f64)) -> f64| {
        all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), n| (low.min(n), high.max(n)))
    };
    let (x, y) = (range(|p| p.0), range(|p| p.1));
    let room = ((y.1 - y.0) * 0.1).max(1.0);
    let low = (y.0 - room).floor();
    // There are no fewer than none.
    let y = [if of_bytes { low } else { low.max(0.0) }, (y.1 + room).ceil()];
    let label = |n: f64| if of_bytes { bytes(n) } else { small(n).trim_end_matches(".00").to_owned() };
    let datasets = curves
        .iter()
        .zip(COLOURS)
        .map(|(points, colour)| {
            Dataset::default()
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(colour))
                .data(points)
        })
        .collect();
    let chart = Chart::new(datasets)
        .block(Block::new().title(title.to_owned().bold()))
        .x_axis(ChartAxis::default().bounds([x.0, x.1]).style(Style::new().dim()))
        .y_axis(ChartAxis::default().bounds(y).labels(y.map(label)).style(Style::new().dim()));
    frame.render_widget(chart, area);
}

/// What a run shows while it goes on: curves and a table on a terminal, the table alone elsewhere, or nothing.
pub enum Display<W: Write> {
    /// Curves and the table.
    Curves(Curves<W>),
    /// The table.
    Lines(W),
    /// Nothing.
    Nothing,
}

impl<W: Write> Display<W> {
    /// Says what the columns are.
    pub fn head(&mut self, series: &[Series], axis: Axis) {
        table::head(series, axis).iter().for_each(|line| self.line(line));
    }

    /// Shows the newest sample. What cannot be shown is not: the run goes on.
    pub fn sampled(&mut self, series: &[Series], axis: Axis, text: &str) {
        let newest = series.first().map_or(0, |s| s.samples.len().saturating_sub(1));
        self.line(&table::row(series, newest, axis));
        if let Self::Curves(curves) = self {
            let _ = curves.draw(series, text);
        }
    }

    /// A line of text.
    pub fn line(&mut self, text: &str) {
        let _ = match self {
            Self::Curves(curves) => curves.line(text),
            Self::Lines(out) => writeln!(out, "{text}"),
            Self::Nothing => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::backend::TestBackend;

    use super::*;
    use crate::sample::Figures;

    #[test]
    fn curves_have_titles_and_names() {
        let samples = (0..30_u64)
            .map(|n| Sample {
                elapsed: Duration::from_secs(n),
                operations: n * 100,
                figures: Figures { allocated: Some(1_000_000 + n * 1600), threads: 3, ..Figures::default() },
            })
            .collect();
        let series = [Series { name: "server".to_owned(), pid: 1, samples }];
        for axis in [Axis::Operations("sessions"), Axis::Time] {
            let mut terminal = Terminal::new(TestBackend::new(100, HEIGHT)).unwrap();
            terminal.draw(|frame| draw(frame, &series, axis, "window 1")).unwrap();
            let seen = terminal.backend().to_string();
            for text in
                ["bytes, from the first sample on", "file descriptors", "threads", "server", "window 1"]
            {
                assert!(seen.contains(text), "{text}: {seen}");
            }
        }
        // Nothing to draw is no reason to fail.
        let mut terminal = Terminal::new(TestBackend::new(3, 2)).unwrap();
        terminal.draw(|frame| draw(frame, &[], Axis::Time, "")).unwrap();
    }
}
