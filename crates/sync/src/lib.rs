//! Replicas of a mailbox on disk: Maildir
