//! The program as people run it: commands, exit statuses, outputs, and what lies on disk afterwards.

mod commands;
mod harness;
mod kills;
mod peer_python;
