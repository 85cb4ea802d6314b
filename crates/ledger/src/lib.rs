//! What is held, counted where it is created and where it ends.
//!
//! A [`Ledger`] is a node in one tree of counts, passed down and never global. A [`Kind`] counts one kind of thing
//! (sessions, session contexts, ROP handles, sockets …); each thing owns an [`Entry`] that leaves when it drops, so
//! that no path can forget it. [`Ledger::inspect`] reads the whole tree.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::Serialize;

/// A node in the tree of counts. Clones share the node.
#[derive(Clone)]
pub struct Ledger(Arc<Node>);

struct Node {
    name: String,
    /// Protects both maps; held only to look up or add a name, never while anything else is locked.
    inner: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    kinds: BTreeMap<&'static str, Arc<Counter>>,
    children: Vec<Weak<Node>>,
}

#[derive(Default)]
struct Counter {
    now: AtomicI64,
    peak: AtomicI64,
    ever: AtomicU64,
    bytes: AtomicI64,
}

/// One kind of thing in one ledger. Clones count into the same place.
#[derive(Clone)]
pub struct Kind {
    counter: Arc<Counter>,
    /// Keeps the ledger in the tree for as long as something can be counted in it.
    node: Arc<Node>,
}

/// One thing that is held. Owned by that thing; dropping it is the only way to end it.
#[must_use = "an entry that is dropped at once counts nothing"]
pub struct Entry {
    counter: Arc<Counter>,
    /// Keeps the ledger in the tree for as long as something is held.
    _node: Arc<Node>,
    bytes: i64,
}

/// The counts of one kind at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// How many are held now.
    pub now: i64,
    /// The most that were held at one time.
    pub peak: i64,
    /// How many were ever made.
    pub ever: u64,
    /// Bytes that the present ones say they hold.
    pub bytes: i64,
}

/// The tree of counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspect {
    /// The ledger's name.
    pub name: String,
    /// Its kinds, by name.
    pub kinds: BTreeMap<&'static str, Held>,
    /// The ledgers below it that still exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Inspect>,
}

impl Ledger {
    /// A root.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Node { name: name.into(), inner: Mutex::default() }))
    }

    /// A node below this one; it is shown for as long as somebody holds it, a kind or an entry of it.
    #[must_use]
    pub fn child(&self, name: impl Into<String>) -> Self {
        let child = Self::new(name);
        let mut maps = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        maps.children.retain(|c| c.strong_count() > 0);
        maps.children.push(Arc::downgrade(&child.0));
        child
    }

    /// The counter of a kind of thing, made at first use.
    #[must_use]
    pub fn kind(&self, name: &'static str) -> Kind {
        let mut maps = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Kind { counter: Arc::clone(maps.kinds.entry(name).or_default()), node: Arc::clone(&self.0) }
    }

    /// The counts of this node and of all below it.
    #[must_use]
    pub fn inspect(&self) -> Inspect {
        let (kinds, children) = {
            let maps = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let kinds = maps.kinds.iter().map(|(&name, counter)| (name, counter.held())).collect();
            (kinds, maps.children.iter().filter_map(Weak::upgrade).map(Ledger).collect::<Vec<_>>())
        };
        Inspect { name: self.0.name.clone(), kinds, children: children.iter().map(Ledger::inspect).collect() }
    }

    /// How many things are held now, in this node and below it.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.inspect().held()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inspect().fmt(f)
    }
}

impl Counter {
    fn held(&self) -> Held {
        Held {
            now: self.now.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            ever: self.ever.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl Kind {
    /// Counts one more thing until the entry drops.
    pub fn enter(&self) -> Entry {
        let now = self.counter.now.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.counter.peak.fetch_max(now, Ordering::Relaxed);
        self.counter.ever.fetch_add(1, Ordering::Relaxed);
        Entry { counter: Arc::clone(&self.counter), _node: Arc::clone(&self.node), bytes: 0 }
    }

    /// How many are held now.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.counter.now.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counter.held().fmt(f)
    }
}

impl Entry {
    /// States how many bytes the thing holds now; replaces what was stated before.
    pub fn set_bytes(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.counter.bytes.fetch_add(bytes.saturating_sub(self.bytes), Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.counter.now.fetch_sub(1, Ordering::Relaxed);
        self.counter.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Inspect {
    /// How many things are held, here and below.
    #[must_use]
    pub fn held(&self) -> i64 {
        let own: i64 = self.kinds.values().map(|h| h.now).sum();
        own.saturating_add(self.children.iter().map(Self::held).sum::<i64>())
    }
}

impl fmt::Display for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn node(f: &mut fmt::Formatter<'_>, at: &Inspect, depth: usize) -> fmt::Result {
            writeln!(f, "{:depth$}{}", "", at.name)?;
            for (name, held) in &at.kinds {
                writeln!(
                    f,
                    "{:depth$}  {name}: {} held, {} at most, {} made",
                    "", held.now, held.peak, held.ever
                )?;
            }
            at.children.iter().try_for_each(|child| node(f, child, depth.saturating_add(2)))
        }
        node(f, self, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_entries_leave_nothing_on_any_path() {
        let ledger = Ledger::new("test");
        let kind = ledger.child("lost").kind("things");
        for i in 0..10_000 {
            let mut entry = kind.enter();
            entry.set_bytes(i);
            if i % 2 == 0 {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let _moved = entry;
                    std::panic::resume_unwind(Box::new(()));
                }));
            }
        }
        assert_eq!(kind.now(), 0);
        assert_eq!(kind.counter.held(), Held { now: 0, peak: 1, ever: 10_000, bytes: 0 });
        assert_eq!(ledger.held(), 0);
        let entry = kind.enter();
        drop(kind);
        assert_eq!(ledger.held(), 1, "what is held is shown, whoever else has let go");
        drop(entry);
        assert!(ledger.inspect().children.is_empty(), "a child that nobody holds is not shown");
    }

    #[test]
    fn the_tree_sums_up() {
        let root = Ledger::new("root");
        let a = root.child("a");
        let entries: Vec<_> = (0..3).map(|_| a.kind("x").enter()).collect();
        let _one = root.kind("y").enter();
        assert_eq!(root.held(), 4);
        drop(entries);
        assert_eq!(root.held(), 1);
        assert!(root.inspect().to_string().contains("x: 0 held, 3 at most, 3 made"));
    }
}
