use super::*;
use crate::sample::{Descriptors, Figures};

/// Samples of so many seconds, made up.
fn series(seconds: u32, mut held: impl FnMut(u32) -> (u64, u64)) -> Series {
    let samples = (0..seconds)
        .map(|second| {
            let (files, heap) = held(second);
            Sample {
                elapsed: Duration::from_secs(second.into()),
                operations: 0,
                figures: Figures {
                    descriptors: Descriptors { files, ..Descriptors::default() },
                    threads: 2,
                    heap,
                    ..Figures::default()
                },
            }
        })
        .collect();
    Series { name: "made up".to_owned(), pid: 1, samples }
}

fn leaks(series: &Series) -> Vec<Measure> {
    judge(series).into_iter().filter(|f| !f.flat).map(|f| f.measure).collect()
}

/// Seeded numbers below a bound.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % bound
    }
}

const MIB: u64 = 1 << 20;

#[test]
fn leaks_are_found() {
    assert_eq!(leaks(&series(60, |s| (10 + u64::from(s), 50 * MIB))), [Measure::Descriptors]);
    assert_eq!(leaks(&series(60, |s| (10, 50 * MIB + u64::from(s) * MIB))), [Measure::Bytes]);
    // One page a second, under work that comes and goes.
    for seed in 0..50 {
        let mut random = random(seed);
        let busy = series(600, |s| (10 + random(5), 50 * MIB + u64::from(s) * 4096 + random(8) * MIB));
        assert_eq!(leaks(&busy), [Measure::Bytes], "{seed}");
    }
    // A descriptor every five minutes, in five hours.
    for seed in 0..50 {
        let mut random = random(seed);
        let slow = series(18_000, |s| (10 + u64::from(s / 300) + random(20), 50 * MIB));
        assert_eq!(leaks(&slow), [Measure::Descriptors], "{seed}");
    }
}

#[test]
fn two_hundred_busy_programs_are_flat() {
    for seed in 0..200 {
        let mut random = random(seed);
        let busy = series(300, |_| (10 + random(30), 50 * MIB + random(4096) * 4096));
        assert_eq!(leaks(&busy), [], "{seed}");
    }
}

#[test]
fn what_settles_or_steps_once_is_flat() {
    for step in [0, 10, 50, 100, 150, 200, 250, 299] {
        let once = series(300, |s| (10 + u64::from(s >= step), 50 * MIB + u64::from(s >= step) * 10 * MIB));
        assert_eq!(leaks(&once), [], "{step}");
    }
    let settles = series(300, |s| (10, 50 * MIB + u64::from(s.min(100)) * MIB));
    assert_eq!(leaks(&settles), []);
    let shrinks = series(300, |s| (1000 - u64::from(s), 500 * MIB - u64::from(s) * MIB));
    assert_eq!(leaks(&shrinks), []);
    // Pages that are touched now and then.
    let few = series(300, |s| (10, 50 * MIB + u64::from(s / 30) * 4096));
    assert_eq!(leaks(&few), []);
}

#[test]
fn too_little_is_no_verdict() {
    assert!(judge(&series(u32::try_from(fewest()).unwrap() - 1, |_| (1, 1))).is_empty());
    assert_eq!(judge(&series(u32::try_from(fewest()).unwrap(), |_| (1, 1))).len(), 3);
    assert!(judge(&series(0, |_| (1, 1))).is_empty());
}

#[test]
fn what_cannot_be_excluded_is_said() {
    let flat = series(3601, |_| (1, 50 * MIB));
    let Some(Evidence::Slope { slope, .. }) = judge(&flat).pop().map(|f| f.evidence) else {
        panic!("no slope")
    };
    let bound = bound(&slope, Duration::from_secs(3600));
    assert!((bound - NOISE).abs() < 1.0, "{bound}");
}
