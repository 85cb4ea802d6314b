//! `watertight sync --watch`.

mod live;
mod units;
