use std::time::Duration;

use quick_xml::events::Event;

use super::*;
use crate::sample::{Descriptors, Figures};
use crate::{Course, DEFINITION, LOGON, Next, TREND_DEFINITION};

fn record(leak: u64, operations: bool) -> Record {
    record_of(leak, operations, usize::MAX)
}

/// That was stopped after so many samples.
fn record_of(leak: u64, operations: bool, most: usize) -> Record {
    let figures = |n: u64| Figures {
        descriptors: Descriptors { sockets: 3, files: 2 + n / 1000, pipes: 1, anon: 3 },
        threads: 4,
        rss: 20 << 20,
        private_dirty: 8 << 20,
        heap: 6 << 20,
        allocated: operations.then_some((1 << 20) + n * leak),
        ledger: operations.then(|| [("server/<sockets>".to_owned(), 1)].into()),
    };
    let mut course = Course::new(6000, vec![("server".to_owned(), 1), ("worker".to_owned(), 2)]);
    let mut done = 0;
    let mut taken = 0;
    while let Next::Run(n) = course.next()
        && taken < most
    {
        taken += 1;
        done += n;
        let held = if leak > 0 { figures(done) } else { figures(0) };
        course.sampled(n, done, Duration::from_secs(done), vec![held.clone(), held]);
    }
    let iterations = course.iterations();
    let (series, windows, findings) = course.into_parts();
    Record {
        interrupted: taken == most,
        scenario: "logon",
        title: "Logging on & <off>".to_owned(),
        document: Some(LOGON),
        definition: if operations { DEFINITION } else { TREND_DEFINITION },
        command: "watertight soak 'x\"y'".to_owned(),
        machine: "2 × a machine".to_owned(),
        started: "2026-11-20".to_owned(),
        elapsed: Duration::from_secs(12),
        iterations,
        axis: if operations { Axis::Operations("sessions") } else { Axis::Time },
        series,
        windows,
        findings,
    }
}

#[test]
fn a_page_is_whole_and_alone() {
    for (leak, operations) in [(0, true), (16, true), (0, false), (16, false)] {
        let page = page(&record(leak, operations));
        assert!(page.starts_with("<!doctype html>"));
        for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("Logging on &amp; &lt;off&gt;") && !page.contains("<off>"));
        assert_eq!(page.contains("Not flat"), leak > 0);
        assert!(page.contains("95 %"));
        // Every element is closed in its order, but for those of the head that have no end.
        let body = page.split_once("<body>").unwrap().1.split_once("<script>").unwrap().0;
        let body = format!("<body>{body}</body>");
        let mut reader = quick_xml::Reader::from_str(&body);
        let mut figures = 0;
        loop {
            match reader.read_event().unwrap_or_else(|e| panic!("{e}: {body}")) {
                Event::Eof => break,
                Event::Start(tag) if tag.name().as_ref() == "svg" => figures += 1,
                Event::Start(tag) => tag.attributes().for_each(|a| drop(a.unwrap())),
                _ => {}
            }
        }
        assert_eq!(figures, if operations { 12 } else { 10 });
        assert!(!page.contains("NaN") && !page.contains("inf,"), "a place is no number");
    }
}

#[test]
fn a_run_that_was_stopped_shows_what_it_has() {
    for samples in [1, 2, 5, 6, 7, 20, 26] {
        let record = record_of(16, true, samples);
        assert!(!record.flat());
        let page = page(&record);
        assert!(page.contains("Stopped before there was a verdict") && !page.contains("NaN"), "{samples}");
        let object = crate::json::object(&record);
        assert_eq!((&object["interrupted"], &object["flat"]), (&true.into(), &false.into()));
        let shown = object["processes"][0]["samples"].as_array().unwrap().len();
        assert_eq!(shown, samples);
        assert!(
            crate::table::verdict(&record).last().unwrap().ends_with("stopped before there was a verdict")
        );
    }
}
