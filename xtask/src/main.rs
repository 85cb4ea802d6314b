//! What CI runs, and the other chores of this repository
fn main() {}
