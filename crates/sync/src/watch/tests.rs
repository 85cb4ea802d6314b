use proptest::prelude::*;
use watertight_mapi::GlobCnt;
use watertight_wire::Guid;

use super::*;

fn folder(n: u64) -> GlobalId {
    GlobalId::new(Guid::NIL, GlobCnt::new(n + 1).unwrap())
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn folders(ids: &[u64]) -> Scope {
    Scope::Folders(ids.iter().map(|n| folder(*n)).collect())
}

const SYNCED: Event = Event::Synced { listening: true, lasting: true };
const LOST: Event = Event::Failed { failure: Failure::Server { after: None }, jitter: 1.0 };
const REFUSED: Event = Event::Failed { failure: Failure::Refused, jitter: 0.0 };

/// A watch with its clock.
struct Bed {
    watch: Watch,
    now: Now,
}

impl Bed {
    fn new() -> Self {
        let now = Now { monotonic: seconds(50), boot: seconds(70) };
        Self { watch: Watch::new(Timing::default(), now), now }
    }

    /// After the first run.
    fn well() -> Self {
        let mut bed = Self::new();
        assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: true });
        bed.handle(SYNCED);
        bed
    }

    fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.boot += time;
    }

    fn sleep(&mut self, time: Duration) {
        self.now.boot += time;
    }

    fn handle(&mut self, event: Event) {
        self.watch.handle(self.now, event);
    }

    fn hear(&mut self, n: u64) {
        self.handle(Event::Changed(Changed::Folder(folder(n))));
    }

    fn poll(&mut self) -> Action {
        self.watch.poll(self.now)
    }

    /// How long nothing is to be done.
    fn waits(&mut self) -> Duration {
        match self.poll() {
            Action::Wait(Some(until)) => until - self.now.boot,
            other => panic!("no wait: {other:?}"),
        }
    }
}

#[test]
fn changes_are_gathered_for_a_moment_and_looked_at() {
    let mut bed = Bed::well();
    assert_eq!(bed.waits(), seconds(3600));
    bed.hear(1);
    assert_eq!(bed.waits(), millis(100));
    bed.pass(millis(60));
    bed.hear(2);
    assert_eq!(bed.waits(), millis(100));
    bed.pass(millis(100));
    assert_eq!(bed.poll(), Action::Sync { scope: folders(&[1, 2]), fresh: false });
    assert_eq!(bed.poll(), Action::Wait(None), "one at a time");
    bed.hear(3);
    bed.handle(SYNCED);
    bed.pass(millis(100));
    assert_eq!(bed.poll(), Action::Sync { scope: folders(&[3]), fresh: false });
}

#[test]
fn a_stream_of_changes_does_not_put_it_off_for_ever() {
    let mut bed = Bed::well();
    let mut waited = Duration::ZERO;
    while matches!(bed.poll(), Action::Wait(_)) {
        bed.hear(1);
        bed.pass(millis(20));
        waited += millis(20);
    }
    assert!((millis(500)..=millis(520)).contains(&waited), "{waited:?}");
}

#[test]
fn what_the_server_does_not_name_is_everything() {
    let mut bed = Bed::well();
    bed.hear(1);
    bed.handle(Event::Changed(Changed::Something));
    bed.pass(millis(100));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
    // While everything is looked at, another is not forgotten.
    bed.handle(Event::Changed(Changed::Something));
    bed.handle(SYNCED);
    bed.pass(millis(100));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
    bed.handle(SYNCED);
    (0..200).for_each(|n| bed.hear(n));
    bed.pass(millis(100));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
}

#[test]
fn everything_is_looked_at_every_hour_or_every_minute() {
    let mut bed = Bed::well();
    for _ in 0..3 {
        bed.pass(seconds(1800));
        bed.hear(1);
        bed.pass(millis(100));
        assert_eq!(bed.poll(), Action::Sync { scope: folders(&[1]), fresh: false });
        bed.handle(SYNCED);
        bed.pass(seconds(1800));
        assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
        bed.handle(Event::Synced { listening: true, lasting: true });
    }
    bed.handle(Event::Asked);
    bed.poll();
    bed.handle(Event::Synced { listening: false, lasting: true });
    assert_eq!(bed.waits(), seconds(60));
}

#[test]
fn a_server_that_is_away_is_left_alone_longer_and_longer() {
    let mut bed = Bed::well();
    let mut waits = Vec::new();
    for _ in 0..11 {
        bed.handle(LOST);
        let wait = bed.waits();
        waits.push(wait.as_secs());
        bed.hear(1);
        assert_eq!(bed.waits(), wait, "nothing is heard of a server that is away");
        bed.pass(wait);
        assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: true });
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    // It lets us in, and breaks soon: that is still the same trouble.
    bed.handle(SYNCED);
    bed.pass(seconds(59));
    bed.handle(LOST);
    assert_eq!(bed.waits(), seconds(300));
    bed.pass(seconds(300));
    bed.poll();
    bed.handle(SYNCED);
    bed.pass(seconds(60));
    bed.handle(LOST);
    assert_eq!(bed.waits(), seconds(1));
}

#[test]
fn a_session_that_was_made_again_is_looked_at_again() {
    let mut bed = Bed::well();
    bed.handle(Event::Asked);
    bed.poll();
    bed.handle(Event::Synced { listening: true, lasting: false });
    assert_eq!(bed.waits(), seconds(1));
    bed.pass(seconds(1));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
}

#[test]
fn a_busy_server_says_how_long() {
    let mut bed = Bed::well();
    bed.handle(Event::Failed { failure: Failure::Server { after: Some(seconds(40)) }, jitter: 0.0 });
    assert_eq!(bed.waits(), seconds(40));
    bed.handle(Event::Failed { failure: Failure::Server { after: Some(seconds(400_000)) }, jitter: 0.0 });
    assert_eq!(bed.waits(), seconds(3600));
    // Somebody is in a hurry.
    bed.handle(Event::Asked);
    assert!(matches!(bed.poll(), Action::Sync { .. }));
}

#[test]
fn a_refused_password_is_tried_thrice_with_long_waits() {
    let mut bed = Bed::new();
    bed.poll();
    bed.handle(REFUSED);
    assert_eq!(bed.waits(), seconds(60));
    bed.pass(seconds(60));
    bed.poll();
    bed.handle(REFUSED);
    assert_eq!(bed.waits(), seconds(300));
    bed.pass(seconds(300));
    bed.poll();
    // A server that is away in between does not make the password right.
    bed.handle(LOST);
    bed.pass(seconds(300));
    bed.poll();
    bed.handle(REFUSED);
    assert_eq!(bed.poll(), Action::Stop(Stop::Refused));
    // Once accepted, all is forgotten.
    let mut bed = Bed::new();
    for _ in 0..5 {
        bed.handle(REFUSED);
        bed.pass(seconds(600));
        bed.poll();
        bed.handle(SYNCED);
    }
    assert_eq!(bed.waits(), seconds(3600));
}

#[test]
fn trouble_of_our_own_does_not_end_the_session() {
    let mut bed = Bed::well();
    bed.handle(Event::Failed { failure: Failure::Local, jitter: 1.0 });
    assert_eq!(bed.waits(), seconds(1));
    bed.pass(seconds(1));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: false });
    bed.handle(Event::Failed { failure: Failure::Fatal, jitter: 1.0 });
    assert_eq!(bed.poll(), Action::Stop(Stop::Fatal));
}

#[test]
fn a_machine_that_slept_begins_again() {
    let mut bed = Bed::well();
    (0..5).for_each(|_| bed.handle(LOST));
    bed.sleep(seconds(3));
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: true });
    bed.pass(seconds(1));
    assert_eq!(bed.poll(), Action::Wait(None));
    bed.sleep(seconds(30_000));
    assert_eq!(bed.poll(), Action::Abandon);
    bed.handle(Event::Abandoned);
    assert_eq!(bed.poll(), Action::Sync { scope: Scope::Everything, fresh: true });
    bed.handle(SYNCED);
    // The clocks are not read at the very same time.
    bed.sleep(millis(1500));
    assert!(matches!(bed.poll(), Action::Wait(_)));
}

#[test]
fn it_ends_when_it_is_told_to() {
    let mut bed = Bed::well();
    bed.handle(Event::Stop);
    assert_eq!(bed.poll(), Action::Stop(Stop::Asked));
    let mut bed = Bed::new();
    bed.poll();
    bed.handle(Event::Stop);
    assert_eq!(bed.poll(), Action::Abandon);
    bed.handle(Event::Abandoned);
    assert_eq!(bed.poll(), Action::Stop(Stop::Asked));
}

#[derive(Debug, Clone)]
enum Step {
    Hear(u64),
    Something,
    Ended {
        listening: bool,
        lasting: bool,
        takes: u64,
    },
    Broken {
        failure: Failure,
        jitter: f64,
    },
    Asked,
    Pass(u64),
    Sleep(u64),
    /// As long as it wants to wait.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop_oneof![
        5 => proptest::option::of(0_u64..5000).prop_map(|after| Failure::Server { after: after.map(seconds) }),
        2 => Just(Failure::Local),
    ];
    prop_oneof![
        4 => (0_u64..6).prop_map(Step::Hear),
        1 => Just(Step::Something),
        6 => (any::<bool>(), proptest::bool::weighted(0.9), 0_u64..4000)
            .prop_map(|(listening, lasting, takes)| Step::Ended { listening, lasting, takes }),
        3 => (failure, 0.0..=1.0).prop_map(|(failure, jitter)| Step::Broken { failure, jitter }),
        1 => Just(Step::Asked),
        4 => (0_u64..5_000).prop_map(Step::Pass),
        1 => (0_u64..9_000).prop_map(Step::Sleep),
        6 => Just(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens: what was heard of is looked at by a run that begins later, in bounded time; no two runs at
    /// once; no wait that is over; nothing grows; and the server is never asked in a loop.
    #[test]
    fn every_change_is_looked_at_and_nothing_runs_hot(steps in proptest::collection::vec(step(), 1..300)) {
        let mut bed = Bed::new();
        // What is owed: since when (the clock of sleeping machines).
        let mut owed: std::collections::BTreeMap<Option<GlobalId>, Duration> = [(None, bed.now.boot)].into();
        let mut running = false;
        let mut begins: Vec<Duration> = Vec::new();
        let mut free_pass = 0_usize;
        for step in steps {
            match step {
                Step::Hear(n) => {
                    bed.hear(n);
                    owed.entry(Some(folder(n))).or_insert(bed.now.boot);
                }
                Step::Something => {
                    bed.handle(Event::Changed(Changed::Something));
                    owed.entry(None).or_insert(bed.now.boot);
                }
                Step::Ended { listening, lasting, takes } if running => {
                    bed.pass(millis(takes));
                    bed.handle(Event::Synced { listening, lasting });
                    running = false;
                }
                Step::Broken { failure, jitter } => {
                    bed.handle(Event::Failed { failure, jitter });
                    owed.entry(None).or_insert(bed.now.boot);
                    running = false;
                }
                Step::Asked => {
                    bed.handle(Event::Asked);
                    free_pass += 1;
                }
                Step::Pass(n) => bed.pass(millis(n)),
                Step::Sleep(n) => {
                    bed.sleep(seconds(n));
                    free_pass += 1;
                }
                Step::Wait | Step::Ended { .. } => {}
            }
            let mut action = bed.poll();
            if action == Action::Abandon {
                prop_assert!(running);
                bed.handle(Event::Abandoned);
                owed.entry(None).or_insert(bed.now.boot);
                running = false;
                action = bed.poll();
            }
            if let (Step::Wait, Action::Wait(Some(until))) = (&step, &action) {
                prop_assert!(*until > bed.now.boot);
                prop_assert!(*until - bed.now.boot <= seconds(3600), "no wait is longer than an hour");
                bed.pass(*until - bed.now.boot);
                action = bed.poll();
                prop_assert!(!matches!(action, Action::Wait(Some(_))), "after the wait there is something to do");
            }
            match action {
                Action::Sync { scope, .. } => {
                    prop_assert!(!running);
                    running = true;
                    begins.push(bed.now.boot);
                    match scope {
                        Scope::Everything => owed.clear(),
                        Scope::Folders(ids) => {
                            prop_assert!(!owed.contains_key(&None), "everything is owed");
                            prop_assert!(ids.len() <= MANY && !ids.is_empty());
                            ids.iter().for_each(|id| { owed.remove(&Some(*id)); });
                        }
                    }
                    prop_assert!(owed.is_empty(), "{owed:?}");
                }
                Action::Wait(None) => prop_assert!(running),
                Action::Wait(Some(_)) => prop_assert!(!running),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        // At most ten runs in any second, but for those that somebody asked for.
        for (n, at) in begins.iter().enumerate() {
            let soon = begins.iter().skip(n).take_while(|b| **b < *at + seconds(1)).count();
            prop_assert!(soon <= 11 + free_pass, "{soon} runs in a second");
        }
    }

    /// A server that fails in any way, all the time, is asked less than 40 times in an hour, once it is known.
    #[test]
    fn a_failing_server_is_left_alone(modes in proptest::collection::vec((0_u8..3, 0.0..=1.0), 64)) {
        let mut bed = Bed::new();
        let mut begins = Vec::new();
        let mut modes = modes.into_iter().cycle();
        while bed.now.boot < seconds(20_000) {
            match bed.poll() {
                Action::Sync { .. } => {
                    begins.push(bed.now.boot);
                    let (mode, jitter) = modes.next().unwrap();
                    match mode {
                        0 => bed.handle(Event::Failed { failure: Failure::Server { after: None }, jitter }),
                        1 => bed.handle(Event::Synced { listening: true, lasting: false }),
                        // It lets us in, and the wait for changes fails at once.
                        _ => {
                            bed.handle(SYNCED);
                            bed.handle(Event::Failed { failure: Failure::Server { after: None }, jitter });
                        }
                    }
                }
                Action::Wait(Some(until)) => {
                    let wait = until - bed.now.boot;
                    bed.pass(wait);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let last_hour = begins.iter().filter(|at| **at > seconds(16_400)).count();
        prop_assert!(last_hour < 40, "{last_hour}");
    }
}
