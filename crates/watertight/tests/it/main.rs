//! The program as people run it: commands, exit statuses, outputs, and what lies on disk afterwards.

#[cfg(test)]
mod abandoned;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod boxes;
#[cfg(test)]
mod check;
#[cfg(test)]
mod commands;
/// Samba's AD DC.
#[cfg(test)]
#[path = "../../../auth/tests/it/domain.rs"]
mod domain;
#[cfg(test)]
mod exporter;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inspect;
/// MIT's KDC.
#[cfg(test)]
#[path = "../../../auth/tests/it/kdc.rs"]
mod kdc;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod logon;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod peer_adopt;
#[cfg(test)]
mod peer_keyring;
#[cfg(test)]
mod peer_python;
#[cfg(test)]
mod peer_python_module;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod volume;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod who;

/// As the program has it: tests of what is allocated ask it.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
