//! What was seen, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Open file descriptors, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Descriptors {
    /// Sockets of every family.
    pub sockets: u64,
    /// Files, directories and devices.
    pub files: u64,
    /// Pipes.
    pub pipes: u64,
    /// What has no inode of its own: epoll, eventfd, timers, memory.
    pub anon: u64,
}

impl Descriptors {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.sockets.saturating_add(self.files).saturating_add(self.pipes).saturating_add(self.anon)
    }

    /// Each kind with its name.
    #[must_use]
    pub const fn kinds(&self) -> [(&'static str, u64); 4] {
        [("sockets", self.sockets), ("files", self.files), ("pipes", self.pipes), ("anonymous", self.anon)]
    }
}

/// What one process held at one moment. Memory is in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Open file descriptors.
    pub descriptors: Descriptors,
    /// Threads.
    pub threads: u64,
    /// Resident memory, whatever it is.
    pub rss: u64,
    /// Memory that the process alone has and has written to.
    pub private_dirty: u64,
    /// The part of it in the heap and in mappings without a file, and what of those was swapped out.
    pub heap: u64,
    /// What its allocator has given out, where the process says so.
    pub allocated: Option<u64>,
    /// Counts of its ledger by the path of each kind, where the process says so. What is not there counts 0.
    pub ledger: Option<BTreeMap<String, i64>>,
}

impl Figures {
    /// The bytes that are judged: allocated where they are known, else the heap.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.allocated.unwrap_or(self.heap)
    }

    /// How many things the ledger holds in all.
    #[must_use]
    pub fn held(&self) -> Option<i64> {
        self.ledger.as_ref().map(|counts| counts.values().sum())
    }
}

/// Figures with their moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Since the beginning.
    pub elapsed: Duration,
    /// Operations done by then; 0 where nobody counts them.
    pub operations: u64,
    /// What was held.
    pub figures: Figures,
}

/// The samples of one process, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What the process is for: `server`, `worker`, or the program's name.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// The sums over several processes, moment by moment. Ledgers are told apart by the process.
#[must_use]
pub fn sum(series: &[Series]) -> Vec<Sample> {
    let Some((first, _)) = series.split_first() else { return Vec::new() };
    let mut all = Vec::with_capacity(first.samples.len());
    for (at, sample) in first.samples.iter().enumerate() {
        let mut total =
            Sample { elapsed: sample.elapsed, operations: sample.operations, figures: Figures::default() };
        for one in series {
            if let Some(sample) = one.samples.get(at) {
                add(&mut total.figures, &one.name, &sample.figures);
            }
        }
        all.push(total);
    }
    all
}

fn add(total: &mut Figures, name: &str, one: &Figures) {
    let plus = |a: &mut u64, b: u64| *a = a.saturating_add(b);
    plus(&mut total.descriptors.sockets, one.descriptors.sockets);
    plus(&mut total.descriptors.files, one.descriptors.files);
    plus(&mut total.descriptors.pipes, one.descriptors.pipes);
    plus(&mut total.descriptors.anon, one.descriptors.anon);
    plus(&mut total.threads, one.threads);
    plus(&mut total.rss, one.rss);
    plus(&mut total.private_dirty, one.private_dirty);
    plus(&mut total.heap, one.heap);
    // The sum of what is judged, also where one process does not say what it allocated.
    total.allocated = Some(total.allocated.unwrap_or(0).saturating_add(one.bytes()));
    if let Some(ledger) = &one.ledger {
        let counts = total.ledger.get_or_insert_default();
        counts.extend(ledger.iter().map(|(path, count)| (format!("{name}: {path}"), *count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_processes() {
        let one = |name: &str, allocated| Series {
            name: name.to_owned(),
            pid: 1,
            samples: vec![Sample {
                elapsed: Duration::ZERO,
                operations: 7,
                figures: Figures {
                    descriptors: Descriptors { sockets: 1, files: 2, pipes: 3, anon: 4 },
                    threads: 5,
                    heap: 100,
                    allocated,
                    ledger: Some([("x".to_owned(), 2)].into()),
                    ..Figures::default()
                },
            }],
        };
        let total = sum(&[one("a", Some(30)), one("b", None)]);
        let figures = &total[0].figures;
        assert_eq!((total.len(), total[0].operations), (1, 7));
        assert_eq!((figures.descriptors.total(), figures.threads), (20, 10));
        assert_eq!((figures.bytes(), figures.held()), (130, Some(4)));
        assert!(sum(&[]).is_empty());
    }
}
