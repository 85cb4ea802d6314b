//! A run as one page.
use crate::record::Record;
/// The page.
#[must_use]
pub fn page(record: &Record) -> String {
    record.title.clone()
}
