//! Allocated memory after ten thousand logons is what it was, however they end; and the ledger is at zero.
//!
//! Each test runs itself again in a process of its own, whose allocator keeps nothing back for its threads, so that
//! what it says is exact. The replaying server is in that process too: what it holds counts as well.

#[cfg(test)]
#[path = "../it/gate.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod gate;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod paths;

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
