//! The transport form: a mail as it came, kept beside the properties that were made of it.
//!
//! One named PtypBinary property of the message:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `WTRMAIL2` |
//! | 8 | 16 | fingerprint of the properties but the bodies |
//! | 24 | 8 | fingerprint of PidTagBody; zero where there is none |
//! | 32 | 8 | fingerprint of PidTagHtml; zero where there is none |
//! | 40 | | the mail, byte for byte: pieces as they came, and references to attachments (see below) |
//!
//! The mail is a list of segments. One starts with a byte: 0, then a length (4 bytes) and so many bytes as they
//! came; or 1, then the place of an attachment in the message (4 bytes), the characters a line (2 bytes, 0 for one
//! line) and the line end (1 byte: 1 LF, 2 CRLF): base64 of that attachment stood here.
//!
//! A fingerprint is the front of a SHA-256 over what [`export`](crate::export()) would make a mail of: transport
//! headers, subject, message ids, submit time, importance, sender, recipients, attachments with their bytes,
//! embedded messages. Read state, flags, categories, times of modification and everything else may change.
//! The mail belongs to the message as long as the first fingerprint is right, no body that is there differs
//! from its own, and one is there if there was one (a server may give the best body only). Otherwise somebody has
//! changed the message, and the property is of no use any more.

mod recipe;

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};
use watertight_mapi::{
    PropName, PropTag, PropValue,
    prop::{LargeValue, PropBag, PropData, tags},
    store::MessageContent,
};
use watertight_wire::{Guid, Reader, to_u64};

use crate::{
    ExportError, LargeSource, NoLarge,
    content::{self, codepage},
    large,
};

/// The property set of the names that are ours: 8d6fbd3c-3f4b-4c55-9d0f-5a1c2e7b9a61.
pub const PROPERTY_SET: Guid =
    Guid::new(0x8d6f_bd3c, 0x3f4b, 0x4c55, [0x9d, 0x0f, 0x5a, 0x1c, 0x2e, 0x7b, 0x9a, 0x61]);
/// The property's name in that set.
pub const NAME: &str = "TransportForm";

/// The length of what precedes the mail in the value.
const PREFIX: usize = 40;
/// How much of a large value is read at a time.
const PIECE: usize = 64 * 1024;
const MAGIC: &[u8; 8] = b"WTRMAIL2";

/// The name of the property that holds the transport form.
#[must_use]
pub fn transport_form_name() -> PropName {
    PropName::string(PROPERTY_SET, NAME)
}

/// The value of the property for a content that was made of `raw`.
pub(crate) fn value(content: &MessageContent, raw: &[u8]) -> Vec<u8> {
    let print = Fingerprint::of(content, &mut NoLarge).unwrap_or_default();
    let mut out = Vec::with_capacity(PREFIX + raw.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&print.core);
    out.extend_from_slice(&print.body);
    out.extend_from_slice(&print.html);
    recipe::write(content, raw, &mut out);
    out
}

/// Gives out the mail of a property's value that [`find`] has returned.
pub(crate) fn write(
    data: &PropData,
    content: &MessageContent,
    source: &mut dyn LargeSource,
    f: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut cook = recipe::Cook::default();
    match data {
        PropData::Inline(PropValue::Binary(bytes)) => {
            cook.push(bytes.get(PREFIX..).unwrap_or_default(), content, source, f)?;
        }
        PropData::Large(value) => {
            let mut buf = vec![0; PIECE];
            let mut offset = to_u64(PREFIX);
            while offset < value.len {
                let want = usize::try_from(value.len - offset).unwrap_or(PIECE).min(PIECE);
                let room = buf.get_mut(..want).unwrap_or_default();
                let n = source.read(*value, offset, room).map_err(ExportError::Read)?;
                let piece = room.get(..n).unwrap_or_default();
                if piece.is_empty() {
                    return Err(ExportError::Short { len: value.len, have: offset });
                }
                cook.push(piece, content, source, f)?;
                offset += to_u64(piece.len());
            }
        }
        PropData::Inline(_) => return Err(ExportError::TransportForm),
    }
    if cook.is_done() { Ok(()) } else { Err(ExportError::TransportForm) }
}

/// For `fuzz`: cooks a recipe (what follows the fingerprints) for a message, whatever the fingerprints; says how
/// many bytes came out, and whether the recipe was whole.
pub fn cook_transport_form(content: &MessageContent, recipe: &[u8]) -> (usize, bool) {
    let mut len = 0;
    let data = PropData::Inline(PropValue::Binary([&[0; PREFIX][..], recipe].concat()));
    let result = write(&data, content, &mut NoLarge, &mut |bytes| {
        len += bytes.len();
        Ok(())
    });
    (len, result.is_ok())
}

/// The property's value, if it is there and the mail in it belongs to the content.
pub(crate) fn find<'a>(
    content: &'a MessageContent,
    large: &mut dyn LargeSource,
) -> Result<Option<&'a PropData>, ExportError> {
    let Some(prop) = content.props.find_named(&transport_form_name()) else { return Ok(None) };
    let Some(kept) = prefix(&prop.value, large)? else { return Ok(None) };
    let now = Fingerprint::of(content, large)?;
    let body_fits = |now: [u8; 8], kept: [u8; 8]| now == kept || now == [0; 8];
    let has_body = now.body != [0; 8] || now.html != [0; 8];
    let had_body = kept.body != [0; 8] || kept.html != [0; 8];
    let fits = now.core == kept.core
        && body_fits(now.body, kept.body)
        && body_fits(now.html, kept.html)
        && has_body == had_body;
    Ok(fits.then_some(&prop.value))
}

fn prefix(data: &PropData, large: &mut dyn LargeSource) -> Result<Option<Fingerprint>, ExportError> {
    let mut bytes = [0; PREFIX];
    match data {
        PropData::Inline(PropValue::Binary(value)) => match value.first_chunk::<PREFIX>() {
            Some(front) => bytes = *front,
            None => return Ok(None),
        },
        PropData::Large(value) if value.len >= to_u64(PREFIX) => read_exact(*value, large, &mut bytes)?,
        _ => return Ok(None),
    }
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8; PREFIX]) -> Option<Fingerprint> {
    let mut reader = Reader::new(bytes, "TransportForm");
    let magic = reader.array::<8>("magic").ok()?;
    let core = reader.array("core").ok()?;
    let body = reader.array("body").ok()?;
    let html = reader.array("html").ok()?;
    (magic == *MAGIC).then_some(Fingerprint { core, body, html })
}

fn read_exact(value: LargeValue, large: &mut dyn LargeSource, buf: &mut [u8]) -> Result<(), ExportError> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match large.read(value, to_u64(done), rest).map_err(ExportError::Read)? {
            0 => return Err(ExportError::Short { len: value.len, have: to_u64(done) }),
            n => done += n,
        }
    }
    Ok(())
}

/// What the content is, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fingerprint {
    core: [u8; 16],
    body: [u8; 8],
    html: [u8; 8],
}

/// The properties of a message that its mail is made of, bodies apart.
const CORE: &[PropTag] = &[
    tags::TRANSPORT_MESSAGE_HEADERS,
    tags::SUBJECT,
    tags::INTERNET_MESSAGE_ID,
    tags::IN_REPLY_TO_ID,
    tags::INTERNET_REFERENCES,
    tags::CLIENT_SUBMIT_TIME,
    tags::IMPORTANCE,
    tags::SENSITIVITY,
    tags::SENT_REPRESENTING_NAME,
    tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    tags::SENDER_NAME,
    tags::SENDER_EMAIL_ADDRESS,
];
const OF_RECIPIENT: &[PropTag] = &[tags::RECIPIENT_TYPE, tags::DISPLAY_NAME, tags::EMAIL_ADDRESS];
const OF_ATTACHMENT: &[PropTag] = &[
    tags::ATTACH_METHOD,
    tags::ATTACH_LONG_FILENAME,
    tags::ATTACH_MIME_TAG,
    tags::ATTACH_CONTENT_ID,
    tags::ATTACH_DATA_BINARY,
];

impl Fingerprint {
    fn of(content: &MessageContent, large: &mut dyn LargeSource) -> Result<Self, ExportError> {
        let mut core = Sha256::new();
        add_core(&mut core, content, large, crate::mime::MAX_DEPTH)?;
        Ok(Self {
            core: front(core),
            body: of_body(&content.props, tags::BODY, large)?,
            html: of_body(&content.props, tags::HTML, large)?,
        })
    }
}

fn front<const N: usize>(hash: Sha256) -> [u8; N] {
    let digest = hash.finalize();
    digest.first_chunk::<N>().copied().unwrap_or([0; N])
}

fn of_body(props: &PropBag, tag: PropTag, large: &mut dyn LargeSource) -> Result<[u8; 8], ExportError> {
    let mut hash = Sha256::new();
    match add(&mut hash, props, tag, large)? {
        ControlFlow::Continue(()) => Ok(front(hash)),
        ControlFlow::Break(()) => Ok([0; 8]),
    }
}

fn add_core(
    hash: &mut Sha256,
    content: &MessageContent,
    large: &mut dyn LargeSource,
    depth: usize,
) -> Result<(), ExportError> {
    for tag in CORE {
        _ = add(hash, &content.props, *tag, large)?;
    }
    for recipient in &content.recipients {
        hash.update(b"\x01");
        for tag in OF_RECIPIENT {
            _ = add(hash, recipient, *tag, large)?;
        }
    }
    for attachment in &content.attachments {
        hash.update(b"\x02");
        for tag in OF_ATTACHMENT {
            _ = add(hash, &attachment.props, *tag, large)?;
        }
        if let Some(embedded) = attachment.embedded.as_deref().filter(|_| depth > 0) {
            hash.update(b"\x03");
            add_core(hash, embedded, large, depth - 1)?;
            _ = add(hash, &embedded.props, tags::BODY, large)?;
            _ = add(hash, &embedded.props, tags::HTML, large)?;
            hash.update(b"\x04");
        }
    }
    Ok(())
}

/// Adds one property: its identifier, its value, its length. `Break` where it is missing or empty.
fn add(
    hash: &mut Sha256,
    props: &PropBag,
    tag: PropTag,
    large: &mut dyn LargeSource,
) -> Result<ControlFlow<()>, ExportError> {
    let Some(prop) = props.find(tag) else { return Ok(ControlFlow::Break(())) };
    hash.update(tag.id().0.to_le_bytes());
    let mut len = 0;
    match &prop.value {
        PropData::Inline(PropValue::I32(n)) => hash.update(n.to_le_bytes()),
        PropData::Inline(PropValue::Time(time)) => hash.update(time.0.to_le_bytes()),
        data => large::pieces(prop.tag.ty(), data, codepage(props), large, &mut |piece| {
            len += to_u64(piece.len());
            hash.update(piece);
            Ok(())
        })?,
    }
    hash.update(len.to_le_bytes());
    Ok(if len == 0 && content::text(props, tag).is_none() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    })
}
