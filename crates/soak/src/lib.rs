//! Watches processes, and says whether what they hold stays flat.
