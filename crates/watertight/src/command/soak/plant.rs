//! Leaks on purpose: what soak must find.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use watertight_ledger::{Entry, Kind, Ledger};

use crate::cli::Plant;

/// One descriptor for so many operations.
const OPERATIONS_FOR_A_DESCRIPTOR: u64 = 1000;
/// One entry of the ledger for so many operations.
const OPERATIONS_FOR_AN_ENTRY: u64 = 100;
/// Bytes for each operation.
const BYTES: usize = 16;

/// What was leaked so far. A leak has nobody who owns it; these are owned here, and never let go.
pub struct Planted {
    what: Vec<Plant>,
    kind: Kind,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    operations: u64,
    files: Vec<File>,
    entries: Vec<Entry>,
}

impl Planted {
    /// Nothing yet; `None` where nothing is to be leaked.
    pub fn new(what: &[Plant], ledger: &Ledger) -> Option<Self> {
        (!what.is_empty()).then(|| Self {
            what: what.to_vec(),
            kind: ledger.kind("planted"),
            held: Mutex::default(),
        })
    }

    /// There were so many operations more.
    pub fn operations(&self, more: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..more {
            held.operations = held.operations.saturating_add(1);
            let held = &mut *held;
            self.what.iter().for_each(|what| match what {
                Plant::Fd if held.operations.is_multiple_of(OPERATIONS_FOR_A_DESCRIPTOR) => {
                    held.files.extend(File::open("/dev/null"));
                }
                Plant::Ledger if held.operations.is_multiple_of(OPERATIONS_FOR_AN_ENTRY) => {
                    held.entries.push(self.kind.enter());
                }
                Plant::Bytes => {
                    // Nobody uses it, so the compiler would leave it out.
                    std::hint::black_box(Box::leak(Box::new([0_u8; BYTES])));
                }
                Plant::Fd | Plant::Ledger => {}
            });
        }
    }

    /// A line of the inspection socket: `operations N` says that there were so many more.
    pub fn told(&self, line: &[u8]) {
        let number = std::str::from_utf8(line).ok().and_then(|line| line.trim().strip_prefix("operations "));
        if let Some(number) = number.and_then(|n| n.parse().ok()) {
            self.operations(number);
        }
    }
}
