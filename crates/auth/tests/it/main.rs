//! The public interface, between our own two sides and against peers that are not ours.

mod pair;
mod support;
