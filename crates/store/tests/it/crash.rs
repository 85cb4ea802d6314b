//! A child process writes and says what was acknowledged; it is killed; everything that it said must be there.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use watertight_mapi::{
    GlobCnt,
    store::{FolderId, FolderKind, Mailbox, MessageId, MoveCopy, NewFolder, SpecialFolder, Store},
};

use crate::support::{self, HEAVY, Random, content, is_number, mailbox, new, open};

const DIR: &str = "WATERTIGHT_STORE_CRASH_DIR";
const SEED: &str = "WATERTIGHT_STORE_CRASH_SEED";

/// One of two tasks that write into a folder of their own. Each line is printed when its write was acknowledged;
/// lines with `?` say what is tried next.
async fn write_for_ever(mailbox: Arc<dyn Mailbox>, mut random: Random, worker: usize, heavy: bool) {
    let folder = NewFolder {
        parent: mailbox.special(SpecialFolder::IpmSubtree),
        name: format!("worker {worker}"),
        kind: FolderKind::Generic,
        props: Default::default(),
        open_existing: true,
    };
    let folder = mailbox.create_folder(folder).await.unwrap().0.id;
    let trash = mailbox.special(SpecialFolder::DeletedItems);
    let mut live: Vec<MessageId> = Vec::new();
    // In every second run so much is written that the log flows into the file again and again.
    let mut n = worker * 1_000_000 + if heavy { HEAVY } else { 0 };
    loop {
        match random.below(8) {
            0 if !live.is_empty() => {
                let id = live.swap_remove(random.index(live.len()));
                let hard = random.below(2) == 0;
                println!("? {}", id.0.value());
                mailbox.delete_messages(folder, &[id], hard).await.unwrap();
                println!("gone {}", id.0.value());
            }
            1 if !live.is_empty() => {
                let id = live.swap_remove(random.index(live.len()));
                println!("? {}", id.0.value());
                let job = MoveCopy { from: folder, to: trash, ids: vec![id], copy: false };
                let head = mailbox.move_copy(job).await.unwrap().remove(0).unwrap();
                println!("moved {} {}", id.0.value(), head.id.0.value());
            }
            2 if !live.is_empty() => {
                let id = live[random.index(live.len())];
                mailbox.set_read(folder, &[id], true).await.unwrap();
                println!("read {}", id.0.value());
            }
            _ => {
                let count = 1 + random.index(6);
                let batch = (n..n + count).map(|n| new(folder, content(n))).collect();
                let heads = mailbox.save_messages(batch).await.unwrap();
                for (head, n) in heads.iter().zip(n..) {
                    println!("saved {} {n} {}", head.id.0.value(), folder.0.value());
                    live.push(head.id);
                }
                n += count;
            }
        }
    }
}

#[test]
#[ignore = "the child process of the test below"]
fn child() {
    let dir = std::env::var_os(DIR).expect("started by the test below");
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let heavy = seed.is_multiple_of(4);
        let store = open(Path::new(&dir)).unwrap();
        let mailbox = mailbox(&store, "alice").await.unwrap();
        // A value that is never saved: it must not survive the process.
        let staged = mailbox.create_large().await.unwrap();
        mailbox.write_large(staged, 0, &[1; 100_000]).await.unwrap();
        println!("staged {staged}");
        let other = tokio::spawn(write_for_ever(Arc::clone(&mailbox), Random(seed ^ 0xffff), 2, heavy));
        write_for_ever(mailbox, Random(seed), 1, heavy).await;
        other.await.unwrap();
    });
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// The number of each message, and its folder.
    there: BTreeMap<u64, (usize, u64)>,
    read: Vec<u64>,
    staged: Vec<u64>,
}

impl Acknowledged {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |n: usize| words[n].parse::<u64>().unwrap();
        match words[0] {
            // Whatever is tried may have happened or not.
            "?" => {
                self.read.retain(|id| *id != number(1));
                if let Some(was) = self.there.remove(&number(1)) {
                    self.there.insert(u64::MAX - number(1), was);
                }
            }
            "moved" => {
                let (n, _) = self.there.remove(&(u64::MAX - number(1))).unwrap();
                self.there.insert(number(2), (n, u64::MAX));
            }
            "gone" => drop(self.there.remove(&(u64::MAX - number(1)))),
            "saved" => drop(self.there.insert(number(1), (words[2].parse().unwrap(), number(3)))),
            "read" => self.read.push(number(1)),
            "staged" => self.staged.push(number(1)),
            _ => {}
        }
    }
}

async fn killed_at(seed: u64) {
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut said = Acknowledged::default();
    // Twice in the same directory: the second run meets what the first one left.
    for round in 0..2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIR, dir.path())
            .env(SEED, (seed * 2 + round).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let until = 10 + random.index(60);
        for line in lines.by_ref().take(until) {
            said.line(&line.unwrap());
        }
        let moment = Instant::now() + Duration::from_micros(random.below(4_000));
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died; the last line may be cut.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let (last, whole) = rest.split_last().map_or((None, &rest[..]), |(last, whole)| (Some(last), whole));
        whole.iter().for_each(|line| said.line(line));
        if let Some(id) = last.and_then(|l| l.strip_prefix("? ")).and_then(|id| id.parse::<u64>().ok()) {
            // The line may be cut within the number: nothing that begins like it is asked for.
            said.there.retain(|there, _| !there.to_string().starts_with(&id.to_string()));
        }
    }
    let report = watertight_store::check(dir.path()).unwrap();
    assert!(report.is_sound(), "seed {seed}: {report}");
    let store = open(dir.path()).unwrap();
    let account = store.account("alice").await.unwrap().expect("acknowledged");
    let mailbox = store.mailbox(account.mailbox_guid).await.unwrap();
    let mut checked = 0;
    for (id, (n, folder)) in &said.there {
        let Some(id) = GlobCnt::new(*id) else { continue };
        let message = mailbox.message(MessageId(id), false).await;
        let message = message.unwrap_or_else(|e| panic!("seed {seed}: message {n} is lost: {e}"));
        assert!(is_number(&mailbox, &message, *n).await, "seed {seed}: message {n} is another");
        if *folder != u64::MAX {
            assert_eq!(message.head.folder, FolderId(GlobCnt::new(*folder).unwrap()));
        }
        checked += 1;
    }
    for id in &said.read {
        let id = MessageId(GlobCnt::new(*id).unwrap());
        if let Ok(message) = mailbox.message(id, false).await {
            assert!(message.head.read, "seed {seed}");
        }
    }
    for staged in &said.staged {
        assert!(mailbox.read_large(*staged, 0, 1).await.is_err(), "seed {seed}: staged values are removed");
    }
    assert!(checked > 0, "seed {seed}: only {checked} messages were acknowledged");
    drop((mailbox, store));
    support::save(&support::mailbox(&open(dir.path()).unwrap(), "alice").await.unwrap(), 0..1).await;
}

/// How many seeds there are: ten, or what WATERTIGHT_CRASH_SEEDS says.
fn seeds() -> u64 {
    std::env::var("WATERTIGHT_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10)
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    for seed in 1..=seeds() / 2 {
        killed_at(seed).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_again() {
    for seed in seeds() / 2 + 1..=seeds() {
        killed_at(seed).await;
    }
}
