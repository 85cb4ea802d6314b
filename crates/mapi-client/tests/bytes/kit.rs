//! The measurement.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use watertight_ledger::Ledger;
use watertight_mapi_client::{Backoff, Mapi, Options, Profile, ProfileSet, Profiles};
use watertight_testkit::replay::Replay;

/// Operations in all, after the warm-up.
pub const TEN_THOUSAND: usize = 10_000;
const SAMPLES: usize = 20;
/// Bytes that half of them may leave: tables of the server and of the runtime grow once.
const MOST: f64 = 2048.0;
const INNER: &str = "WATERTIGHT_BYTES_INNER";

/// A server, and MAPI with the profile `work`.
pub struct Bed {
    pub replay: Arc<Replay>,
    pub ledger: Ledger,
    pub mapi: Mapi,
}

impl Bed {
    pub fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(20),
            goodbye_timeout: Duration::from_secs(20),
            backoff: Backoff { tries: 1, ..Backoff::default() },
            ..Options::default()
        };
        change(&mut options);
        let replay = Replay::first_set();
        let ledger = Ledger::new("test");
        let mut work = Profile::new(replay.url(), "u4@test.local");
        work.user_dn = Some(replay.user_dn());
        let set =
            ProfileSet { default: Some("work".to_owned()), profiles: [("work".to_owned(), work)].into() };
        let mapi = Mapi::new(Profiles::of(set), options, &ledger);
        Self { replay: Arc::new(replay), ledger, mapi }
    }

    /// Waits until everything has ended, and looks.
    async fn look(&self) -> f64 {
        self.mapi.idle().await;
        assert_eq!(self.ledger.held(), 0, "{}", self.ledger.inspect());
        let replay = Arc::clone(&self.replay);
        let counts = tokio::task::spawn_blocking(move || replay.quiet()).await.unwrap();
        assert_eq!(counts.connections, 0, "{counts:?}");
        self.replay.forget_sessions();
        allocated()
    }
}

/// Bytes that the program has asked for and not given back.
pub fn allocated() -> f64 {
    tikv_jemalloc_ctl::epoch::advance().unwrap();
    f64::from(u32::try_from(tikv_jemalloc_ctl::stats::allocated::read().unwrap()).unwrap())
}

/// Runs the test in a process of its own.
pub fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INNER).is_some() {
        return test();
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INNER, "1")
        // Under either name, as the allocator may be built.
        .env("_RJEM_MALLOC_CONF", "tcache:false")
        .env("MALLOC_CONF", "tcache:false")
        .status()
        .unwrap();
    assert!(status.success(), "{name}: {status}");
}

/// Does it so often, `at_once` at the same time, and asserts that memory stays what it was.
pub fn flat<'a, F: Future<Output = ()>>(
    bed: &'a Bed,
    times: usize,
    at_once: usize,
    one: impl Fn(&'a Bed, usize) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let each = times / SAMPLES;
        let round = async |n: usize| {
            for batch in 0..each / at_once {
                let first = n * each + batch * at_once;
                futures_util::future::join_all((first..first + at_once).map(|i| one(bed, i))).await;
            }
            bed.look().await
        };
        for n in 0..2 {
            round(n).await;
        }
        let mut samples = Vec::with_capacity(SAMPLES);
        for n in 0..SAMPLES {
            samples.push(round(n).await);
        }
        assert!(grown(&samples) < MOST, "{} bytes more: {samples:?}", grown(&samples));
    });
}

/// How much more there is in the second half than in the first: the medians.
fn grown(samples: &[f64]) -> f64 {
    let median = |samples: &[f64]| {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (first, second) = samples.split_at(samples.len() / 2);
    median(second) - median(first)
}

#[test]
fn a_leak_is_seen() {
    let flat: Vec<f64> = [5.0, 905.0].into_iter().cycle().take(SAMPLES).collect();
    assert!(grown(&flat) < MOST);
    // 16 bytes for each twentieth logon.
    let leak: Vec<f64> = flat.iter().zip(0_u32..).map(|(y, x)| y + f64::from(x) * 25.0 * 16.0).collect();
    assert!(grown(&leak) >= MOST);
}
