//! Loops that never ran: what each of them holds after so many operations is made up, and the verdict is known.

use super::*;
use crate::sample::Descriptors;
use crate::verdict::{Evidence, Measure};

/// Seeded noise.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to 1 (xorshift).
    fn even(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Normally distributed: the sum of twelve even numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }
}

/// What a made-up process holds, as a function of the operations done.
type Held<'a> = dyn FnMut(u64) -> Figures + 'a;

fn whole(n: f64) -> u64 {
    format!("{:.0}", n.max(0.0)).parse().unwrap()
}

fn process(bytes: f64) -> Figures {
    Figures {
        descriptors: Descriptors { sockets: 3, files: 2, pipes: 1, anon: 3 },
        threads: 4,
        allocated: Some(whole(bytes)),
        ledger: Some([("server/sockets".to_owned(), 1)].into()),
        ..Figures::default()
    }
}

/// Runs a course of so many iterations, `each` of them so many operations.
fn run(iterations: u64, each: u64, held: &mut Held<'_>) -> Course {
    let mut course = Course::new(iterations, vec![("made up".to_owned(), 1)]);
    let mut done = 0;
    while let Next::Run(n) = course.next() {
        done += n * each;
        course.sampled(n, done, Duration::ZERO, vec![held(done)]);
    }
    course
}

fn leaks(course: &Course) -> Vec<&Measure> {
    course.findings().iter().filter(|f| !f.flat).map(|f| &f.measure).collect()
}

#[test]
fn the_iterations_are_those_that_were_asked_for() {
    for iterations in [100, 500, 600, 6000, 20_000, 1_000_000, 12_345] {
        let course = run(iterations, 1, &mut |_| process(1e6));
        assert!(course.flat());
        assert_eq!(course.iterations(), iterations);
        assert_eq!(course.series()[0].samples.len(), 5 + SAMPLES);
        let samples = &course.series()[0].samples[course.windows()[0]..];
        assert_eq!(samples.len(), SAMPLES);
        let window = samples[19].operations - samples[0].operations;
        assert!(window * 100 >= iterations * 75, "{window} of {iterations}");
        let gap = window / 19;
        for pair in samples.windows(2) {
            let between = pair[1].operations - pair[0].operations;
            assert!(between >= gap * 2 / 3 && between <= gap * 4 / 3 + 1, "{between} of {gap}");
        }
    }
}

/// The loops as the issue has them: 6000 sessions, and 500 rounds of three synchronizations. A window of either holds
/// more than 1,000 operations, so that one descriptor for each 1,000 shows in each.
#[test]
fn planted_leaks_are_found_in_both_loops_whatever_the_iterations() {
    for (iterations, each) in [(6000, 1), (10_000, 1), (1_000_000, 1), (500, 3), (777, 3), (20_000, 3)] {
        let found = |held: &mut Held<'_>| {
            let course = run(iterations, each, held);
            assert!(!course.flat(), "{iterations}");
            assert_eq!(course.windows().len(), WINDOWS);
            leaks(&course).into_iter().cloned().collect::<Vec<_>>()
        };
        let descriptor = found(&mut |n| {
            let mut figures = process(1e6);
            figures.descriptors.files += n / 1000;
            figures
        });
        assert_eq!(descriptor, [Measure::Descriptors]);
        let mut noise = Noise::new(iterations);
        let bytes = found(&mut |n| process(1e6 + 16.0 * number(n) + 300.0 * noise.normal()));
        assert_eq!(bytes, [Measure::Bytes]);
        let entry = found(&mut |n| {
            let mut figures = process(1e6);
            figures.ledger = Some([("planted".to_owned(), i64::try_from(n / 100).unwrap())].into());
            figures
        });
        assert_eq!(entry, [Measure::Ledger("planted".to_owned())]);
        let thread = found(&mut |n| Figures { threads: 4 + n / 1000, ..process(1e6) });
        assert_eq!(thread, [Measure::Threads]);
    }
}

fn number(n: u64) -> f64 {
    crate::number::float(n)
}

/// A leak is found however much the bytes sway: what is too uncertain is not flat either.
#[test]
fn noise_hides_no_leak() {
    for sigma in [0.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0] {
        for seed in 0..20 {
            let mut noise = Noise::new(seed);
            let course = run(6000, 1, &mut |n| process(5e6 + 16.0 * number(n) + sigma * noise.normal()));
            assert!(!course.flat(), "{sigma} {seed}");
        }
    }
}

#[test]
fn two_hundred_clean_runs_are_flat() {
    for seed in 0..200 {
        let mut noise = Noise::new(seed);
        // From none at all to 1.2 KB of standard deviation.
        let sigma = f64::from(u32::try_from(seed % 7).unwrap()) * 200.0;
        let course = run(6000, 1, &mut |_| process(1e6 + sigma * noise.normal()));
        assert!(course.flat(), "run {seed}: {:?}", course.findings());
    }
}

#[test]
fn two_hundred_runs_that_settle_are_flat() {
    for seed in 0..200 {
        let mut noise = Noise::new(seed);
        // A table doubles, a thread starts, a cache fills: each once, somewhere in the warm-up or the first window.
        let doubles = whole(6000.0 * noise.even());
        let starts = whole(6000.0 * noise.even());
        let full = 3000.0 * noise.even();
        let mut held = |n: u64| {
            let mut figures = process(
                1e6 + if n >= doubles { 4096.0 } else { 0.0 }
                    + 8.0 * number(n).min(full)
                    + 100.0 * noise.normal(),
            );
            figures.threads += u64::from(n >= starts);
            figures
        };
        let course = run(6000, 1, &mut held);
        assert!(course.flat(), "run {seed}: {:?}", course.findings());
    }
}

/// A cache that fills and is emptied, again and again, has no slope over a window.
#[test]
fn a_sawtooth_is_flat() {
    for seed in 0..50 {
        let mut noise = Noise::new(seed);
        let period = 300 + whole(400.0 * noise.even());
        let course = run(60_000, 1, &mut |n| process(1e6 + 4.0 * number(n % period)));
        assert!(course.flat(), "{period}: {:?}", course.findings());
    }
}

#[test]
fn steps_that_never_end_are_a_leak() {
    // A vector that nobody empties: its capacity doubles, ever more rarely, but in each of the windows here.
    let course = run(6000, 1, &mut |n| process(1e6 + 65_536.0 * number(n / 2_000)));
    assert_eq!(leaks(&course), [&Measure::Bytes]);
}

/// What shrinks has no slope of 0; it cannot go on for ever, and is flat when it has ended.
#[test]
fn shrinking_ends() {
    let course = run(6000, 1, &mut |n| process(2e6 - 10.0 * number(n.min(7000))));
    assert!(course.flat());
    assert_eq!(course.windows().len(), 3);
    let course = run(6000, 1, &mut |n| process(2e6 - 10.0 * number(n)));
    assert!(!course.flat());
}

#[test]
fn one_kind_of_descriptor_for_another_is_not_the_same() {
    let course = run(6000, 1, &mut |n| {
        let mut figures = process(1e6);
        figures.descriptors.files -= u64::from(n > 3000);
        figures.descriptors.sockets += u64::from(n > 3000);
        figures
    });
    // In the first window; in the second it stays.
    assert_eq!((course.flat(), course.windows().len()), (true, 2));
}

#[test]
fn the_limit_is_one_byte() {
    let slope = |per: f64| {
        let mut noise = Noise::new(9);
        run(60_000, 1, &mut |n| process(1e6 + per * number(n) + 5000.0 * noise.normal()))
    };
    // The interval is about ±0.13 wide: 0.02 is not told from nothing, and its upper end is below the limit.
    let course = slope(0.02);
    let Some(Evidence::Slope { slope: found, .. }) =
        course.findings().iter().find(|f| f.measure == Measure::Bytes).map(|f| &f.evidence)
    else {
        panic!("no slope")
    };
    assert!(course.flat() && found.high < LIMIT && found.low < 0.0, "{found:?}");
    assert!(!slope(1.0).flat());
    assert!(!slope(0.9).flat());
}

use crate::verdict::LIMIT;
