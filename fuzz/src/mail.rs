//! Mail: RFC 5322 and MIME, in and out.

use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi::store::{Attachment, MessageContent};
use watertight_mapi_mime::transport::cook_transport_form;
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

/// Recipes that stand for a mail, made by anybody: no longer than pieces and attachments are, however cut.
pub fn transport_form(data: &[u8]) {
    let attachment = |number: u32, len: usize| {
        let mut props = PropBag::default();
        props.set(tags::ATTACH_DATA_BINARY, vec![7; len]);
        Attachment { number, props, embedded: None }
    };
    let attachments = vec![attachment(0, 600), attachment(1, 0), attachment(2, 1000)];
    let content = MessageContent { attachments, ..MessageContent::default() };
    let (len, _) = cook_transport_form(&content, data);
    // Base64 in lines of four characters and CRLF is the longest that bytes become.
    assert!(len <= data.len().saturating_add(1600 * 2 + 16), "{len} bytes of {}", data.len());
}

pub fn recipe_seeds() -> Vec<Seed> {
    let seed = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    vec![
        seed("piece", b"\x00\x05\0\0\0Head\n"),
        seed("references", b"\x01\0\0\0\0\x4c\0\x02\x00\x02\0\0\0\n\n\x01\x02\0\0\0\0\0\x01"),
        seed("lines of four", b"\x01\0\0\0\0\x04\0\x02"),
    ]
}

pub fn mail_seeds() -> Vec<Seed> {
    corpus::eml().into_iter().filter(|(_, bytes)| bytes.len() <= LONGEST_SEED).collect()
}
