//! MIME → MAPI — [MS-OXCMAIL] 2.2.

mod body;
mod envelope;
mod part;
mod people;

pub(crate) use envelope::PS_PUBLIC_STRINGS;
pub(crate) use part::AFTER_THE_BODY;

use sha2::{Digest, Sha256};
use watertight_mapi::{
    prop::{Prop, tags},
    store::MessageContent,
};
use watertight_wire::{FileTime, to_u64};

use crate::{
    ImportError,
    mime::{Entity, MAX_DEPTH, MAX_PARTS},
    transport,
};

/// How mail is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Keep the mail as it came in the property [`transport_form_name`](crate::transport_form_name).
    pub keep_transport_form: bool,
    /// PidTagSearchKey; derived from the bytes of the mail when there is none.
    pub search_key: Option<[u8; 16]>,
    /// PidTagMessageDeliveryTime; of the newest Received field, else of Date, when there is none.
    pub delivered: Option<FileTime>,
    /// The longest message that is taken, in bytes.
    pub max_len: u64,
}

impl Default for ImportOptions {
    /// With the transport form; up to 256 MiB.
    fn default() -> Self {
        Self { keep_transport_form: true, search_key: None, delivered: None, max_len: 256 << 20 }
    }
}

/// Makes a message of a mail. Malformed mail is taken as far as it can be read, and nothing of it is dropped.
///
/// An envelope line ("From …") or a byte order mark at the start is no part of the mail and stays with the transport
/// form only.
///
/// # Errors
/// When there is nothing, or more than the limit.
pub fn import(raw: &[u8], options: &ImportOptions) -> Result<MessageContent, ImportError> {
    let len = to_u64(raw.len());
    if raw.is_empty() {
        return Err(ImportError::Empty);
    }
    if len > options.max_len {
        return Err(ImportError::TooLarge { len, limit: options.max_len });
    }
    let mail = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut parts = MAX_PARTS;
    let mut content = message(mail, MAX_DEPTH, &mut parts);
    if let Some(key) = options.search_key {
        content.props.set(tags::SEARCH_KEY, key.to_vec());
    }
    if let Some(delivered) = options.delivered {
        content.props.set(tags::MESSAGE_DELIVERY_TIME, delivered);
    }
    if options.keep_transport_form {
        let value = transport::value(&content, raw);
        content.props.put(Prop::named(transport::transport_form_name(), value));
    }
    Ok(content)
}

/// A message of its bytes; `depth` is how many levels of embedded messages are still opened, `budget` how many parts
/// are still cut.
fn message(raw: &[u8], depth: usize, budget: &mut usize) -> MessageContent {
    let entity = Entity::parse(raw, depth, budget);
    let mut content = MessageContent::default();
    content.props.set(tags::MESSAGE_CLASS, "IPM.Note");
    envelope::set(&mut content, &entity.header);
    content.props.set(tags::SEARCH_KEY, search_key(raw));
    part::Collector::new(&mut content, depth, budget).root(&entity);
    content
}

/// [MS-OXCPRPT] 2.2.1.9 PidTagSearchKey: the same for copies, here also for the same mail.
fn search_key(raw: &[u8]) -> Vec<u8> {
    Sha256::digest(raw).first_chunk::<16>().copied().unwrap_or_default().to_vec()
}
