//! Messages written many at a time.
