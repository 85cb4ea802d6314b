//! What we read back from our own disk: damage there is bad input too.

use watertight_mapi_mime::{ImportOptions, import};
use watertight_store::{content_column_holds, content_column_of};
use watertight_sync::MessageName;
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

/// A message's file name: what is read is written as a name that means the same.
pub fn message_name(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Some((name, flags)) = MessageName::parse(text) else { return };
    let again = MessageName::parse(&name.with_flags(flags)).expect("our own name");
    assert_eq!(again, (name, flags));
}

pub fn name_seeds() -> Vec<Seed> {
    let replica = "mfrggzdfmztwq2lkmfrggzdfmz";
    [
        format!("1763632800.W{replica}M1fC2aFd.watertight:2,FS"),
        format!("0.W{replica}M1C1R{replica}F1.watertight"),
        format!("99999999999.W{replica}MffffffffffffCffffffffffffFffffffffffff.watertight:2,DFPRST"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, name)| (n.to_string(), name.into_bytes()))
    .collect()
}
