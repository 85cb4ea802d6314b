//! The program as people run it: commands, exit statuses, outputs, and what lies on disk afterwards.

#[cfg(test)]
mod abandoned;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod exporter;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod logon;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod peer_python;
#[cfg(test)]
mod peer_python_module;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod volume;

/// As the program has it: tests of what is allocated ask it.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
