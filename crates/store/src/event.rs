/// How many events a mailbox remembers.
pub(crate) const REMEMBERED: usize = 1024;
/// More than this at once are told as one.
pub(crate) const AT_ONCE: usize = 256;
