//! What the store reads back from its own disk: damage there is bad input too.

use watertight_mapi_mime::{ImportOptions, import};
use watertight_store::{content_column_holds, content_column_of};
use watertight_testkit::corpus;

use crate::{LONGEST_SEED, Seed};

/// A message's column in the store.
pub fn store_content(data: &[u8]) {
    assert!(content_column_holds(data), "encoded again it is something else");
}

pub fn content_seeds() -> Vec<Seed> {
    let options = ImportOptions { keep_transport_form: false, ..ImportOptions::default() };
    corpus::eml()
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, content_column_of(&import(&bytes, &options).ok()?)?)))
        .filter(|(_, bytes)| bytes.len() <= LONGEST_SEED)
        .collect()
}
