//! Mail: RFC 5322 and MIME, in and out.

use watertight_mapi_mime::{ExportOptions, ImportOptions, NoLarge, export, import};
use watertight_testkit::corpus;

use crate::{LONGEST_SEED, Seed};

/// A mail becomes a message, the message a mail; with the transport form the same bytes, without it a mail that
/// imports again.
pub fn mail(data: &[u8]) {
    let options = ImportOptions { max_len: 1 << 20, ..ImportOptions::default() };
    let Ok(content) = import(data, &options) else { return };
    let mut out = Vec::new();
    let done =
        export(&content, &mut NoLarge, &mut out, &ExportOptions::default()).expect("nothing large is in it");
    assert!(done.transport_form, "nothing was changed");
    assert_eq!(out, data, "the transport form is the mail as it came");
    let mut plain = ExportOptions::default();
    plain.use_transport_form = false;
    let mut out = Vec::new();
    export(&content, &mut NoLarge, &mut out, &plain).expect("nothing large is in it");
    import(&out, &options).expect("our own mail");
}

pub fn mail_seeds() -> Vec<Seed> {
    corpus::eml().into_iter().filter(|(_, bytes)| bytes.len() <= LONGEST_SEED).collect()
}
