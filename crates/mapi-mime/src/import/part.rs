//! Which part becomes a body and which an attachment — [MS-OXCMAIL] 2.2.3.3, 2.2.3.4.

use std::borrow::Cow;

use watertight_mapi::{
    prop::{PropBag, tags},
    store::{Attachment, MessageContent},
};

use super::body;
use crate::{
    content::TEXT_ATTACHMENT_CHARSET,
    mime::{Entity, MAX_DEPTH, ids},
};

/// afByValue
const BY_VALUE: i32 = 1;
/// afEmbeddedMessage
const EMBEDDED_MESSAGE: i32 = 5;
/// attRenderedInBody — [MS-OXCMSG] 2.2.2.18 PidTagAttachFlags
const RENDERED_IN_BODY: i32 = 4;

/// PidTagRenderingPosition of further text to be shown; -1 is not shown — [MS-OXCMSG] 2.2.2.16.
pub(crate) const AFTER_THE_BODY: i32 = i32::MAX;

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a body may be.
    Body,
    /// Beside an HTML body that refers to it.
    Related,
    /// Anywhere else.
    Beside,
}

/// Takes the parts of one message.
pub(super) struct Collector<'c> {
    content: &'c mut MessageContent,
    depth: usize,
    budget: &'c mut usize,
}

impl<'c> Collector<'c> {
    pub(super) fn new(content: &'c mut MessageContent, depth: usize, budget: &'c mut usize) -> Self {
        Self { content, depth, budget }
    }

    pub(super) fn root(&mut self, entity: &Entity<'_>) {
        if entity.essence() == "multipart/signed" {
            self.signed(entity);
            return;
        }
        if !entity.is_multipart()
            && entity.body.is_empty()
            && !entity.is_attachment()
            && entity.file_name().is_none()
        {
            return;
        }
        if ["application/pkcs7-mime", "application/x-pkcs7-mime"].contains(&entity.essence().as_str()) {
            // [MS-OXOSMIME] 2.1.2: an opaque-signed or encrypted message is its only attachment.
            self.content.props.set(tags::MESSAGE_CLASS, "IPM.Note.SMIME");
        }
        self.part(entity, Place::Body);
    }

    /// A signed message: the signed entity is kept whole as the only attachment, and the bodies are a copy for
    /// those who do not check signatures.
    fn signed(&mut self, entity: &Entity<'_>) {
        let mut attachment = Attachment::default();
        let props = &mut attachment.props;
        by_value(props);
        if entity.media.param("protocol").is_some_and(|p| p.to_ascii_lowercase().contains("pkcs7-signature"))
        {
            self.content.props.set(tags::MESSAGE_CLASS, "IPM.Note.SMIME.MultipartSigned");
            props.set(tags::ATTACH_LONG_FILENAME, "smime.p7m");
            props.set(tags::ATTACH_FILENAME, "smime.p7m");
        }
        props.set(tags::ATTACH_MIME_TAG, "multipart/signed");
        props.set(tags::ATTACH_DATA_BINARY, mime_entity(entity));
        self.content.attachments.push(attachment);
        let signed = entity.parts.first().filter(|_| self.content.attachments.len() == 1);
        if let Some(part) = signed {
            let mut copy = MessageContent::default();
            Collector::new(&mut copy, 0, &mut 0).part(part, Place::Body);
            for prop in copy.props.0 {
                self.content.props.put(prop);
            }
        }
    }

    fn part(&mut self, entity: &Entity<'_>, place: Place) {
        if entity.is_uncut {
            return self.whole(entity);
        }
        if !entity.is_multipart() {
            return self.leaf(entity, place);
        }
        match entity.media.sub.as_str() {
            "alternative" => self.alternative(entity, place),
            "related" => self.related(entity, place),
            "signed" => self.whole(entity),
            _ => {
                for (at, part) in entity.parts.iter().enumerate() {
                    self.part(part, if at == 0 { place } else { self.later(place) });
                }
            }
        }
    }

    /// A body may still come after attachments if there is none yet.
    fn later(&self, place: Place) -> Place {
        if place == Place::Body && !self.has_body() { Place::Body } else { Place::Beside }
    }

    fn has_body(&self) -> bool {
        self.content.props.find(tags::BODY).is_some() || self.content.props.find(tags::HTML).is_some()
    }

    /// Each form of the body goes into its own property; other forms are attachments.
    fn alternative(&mut self, entity: &Entity<'_>, place: Place) {
        if place != Place::Body || self.has_body() {
            for part in &entity.parts {
                self.part(part, Place::Beside);
            }
            return;
        }
        for part in &entity.parts {
            let free = match first_leaf(part).essence().as_str() {
                "text/plain" => self.content.props.find(tags::BODY).is_none(),
                "text/html" => self.content.props.find(tags::HTML).is_none(),
                _ => part.is_multipart() && !self.has_body(),
            };
            self.part(part, if free { Place::Body } else { Place::Beside });
        }
    }

    /// The root is the part that `start` names, else the first HTML, else the first; the others belong to it.
    fn related(&mut self, entity: &Entity<'_>, place: Place) {
        let start = entity.media.param("start").map(bare_id);
        let named = |part: &Entity<'_>| start.is_some() && content_id(part).as_deref() == start;
        let html =
            |part: &Entity<'_>| first_leaf(part).essence() == "text/html" || part.media.sub == "alternative";
        let parts = &entity.parts;
        let root = parts.iter().position(named).or_else(|| parts.iter().position(html)).unwrap_or(0);
        for (at, part) in entity.parts.iter().enumerate() {
            match at == root {
                true => self.part(part, place),
                false => self.part(part, Place::Related),
            }
        }
    }

    fn leaf(&mut self, entity: &Entity<'_>, place: Place) {
        if entity.is_hollow() {
            return;
        }
        let essence = entity.essence();
        if place == Place::Body && !entity.is_attachment() && entity.file_name().is_none() {
            match essence.as_str() {
                "text/plain" if self.content.props.find(tags::BODY).is_none() => {
                    return body::set_plain(&mut self.content.props, entity);
                }
                "text/html" if self.content.props.find(tags::HTML).is_none() => {
                    return body::set_html(&mut self.content.props, entity);
                }
                _ => {}
            }
        }
        self.attachment(entity, &essence, place);
    }

    fn attachment(&mut self, entity: &Entity<'_>, essence: &str, place: Place) {
        let mut attachment = Attachment { number: self.next_number(), ..Attachment::default() };
        describe(&mut attachment.props, entity, essence, place);
        let content = entity.content();
        if essence == "message/rfc822" && self.depth > 0 && !content.is_empty() {
            let inner = super::message(&content, self.depth - 1, self.budget);
            if attachment.props.find(tags::DISPLAY_NAME).is_none()
                && let Some(subject) = inner.props.text(tags::SUBJECT)
            {
                let subject = subject.to_owned();
                attachment.props.set(tags::DISPLAY_NAME, subject);
            }
            attachment.props.set(tags::ATTACH_METHOD, EMBEDDED_MESSAGE);
            attachment.embedded = Some(Box::new(inner));
        } else {
            attachment.props.set(tags::ATTACH_DATA_BINARY, content.into_owned());
        }
        self.content.attachments.push(attachment);
    }

    /// An entity with its parts as one attachment.
    fn whole(&mut self, entity: &Entity<'_>) {
        let mut attachment = Attachment { number: self.next_number(), ..Attachment::default() };
        by_value(&mut attachment.props);
        attachment.props.set(tags::ATTACH_MIME_TAG, entity.essence());
        attachment.props.set(tags::ATTACH_DATA_BINARY, mime_entity(entity));
        self.content.attachments.push(attachment);
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.content.attachments.len()).unwrap_or(u32::MAX)
    }
}

fn by_value(props: &mut PropBag) {
    props.set(tags::ATTACH_METHOD, BY_VALUE);
    props.set(tags::RENDERING_POSITION, -1);
}

/// [MS-OXCMAIL] 2.2.3.4.1: what the fields of a part say of its attachment.
fn describe(props: &mut PropBag, entity: &Entity<'_>, essence: &str, place: Place) {
    by_value(props);
    props.set(tags::ATTACH_MIME_TAG, essence);
    let name = entity.file_name();
    if let Some(name) = &name {
        if let Some((_, extension)) = name.rsplit_once('.').filter(|(_, e)| !e.is_empty()) {
            props.set(tags::ATTACH_EXTENSION, format!(".{extension}"));
        }
        props.set(tags::ATTACH_FILENAME, short_name(name));
        props.set(tags::ATTACH_LONG_FILENAME, name.as_str());
    }
    if let Some(shown) = entity.field_text("Content-Description").or_else(|| name.clone()) {
        props.set(tags::DISPLAY_NAME, shown);
    }
    if let Some(id) = content_id(entity) {
        props.set(tags::ATTACH_CONTENT_ID, id);
    }
    if let Some(field) = entity.header.first("Content-Location") {
        let location: String = field.value().split_ascii_whitespace().collect();
        if !location.is_empty() {
            props.set(tags::ATTACH_CONTENT_LOCATION, location);
        }
    }
    if place == Place::Related {
        props.set(tags::ATTACH_FLAGS, RENDERED_IN_BODY);
    }
    if entity.media.main == "text" && name.is_none() && !entity.is_attachment() {
        props.set(tags::RENDERING_POSITION, AFTER_THE_BODY);
    }
    if entity.media.main == "text"
        && let Some(charset) = entity.charset()
    {
        props.set(TEXT_ATTACHMENT_CHARSET, charset);
    }
}

/// PidTagAttachFilename is a name of 8 and 3 characters — [MS-OXCMSG] 2.2.2.11.
fn short_name(name: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let keep = |text: &str, n| -> String {
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(n).collect()
    };
    let (stem, extension) = (keep(stem, 8), keep(extension, 3));
    match (stem.is_empty(), extension.is_empty()) {
        (true, true) => "attach".to_owned(),
        (true, false) => format!("attach.{extension}"),
        (false, true) => stem,
        (false, false) => format!("{stem}.{extension}"),
    }
}

fn content_id(entity: &Entity<'_>) -> Option<String> {
    let id = ids(entity.header.first("Content-ID")?.value());
    let id = bare_id(&id);
    (!id.is_empty()).then(|| id.to_owned())
}

fn bare_id(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

fn first_leaf<'e, 'a>(entity: &'e Entity<'a>) -> &'e Entity<'a> {
    let mut at = entity;
    for _ in 0..MAX_DEPTH {
        match at.parts.first() {
            Some(part) => at = part,
            None => break,
        }
    }
    at
}

/// An entity as a part: its MIME fields and its body.
fn mime_entity(entity: &Entity<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(entity.whole.len());
    for field in entity.header.fields.iter().filter(|f| crate::export::is_mime_field(&f.name)) {
        out.extend_from_slice(field.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&Cow::Borrowed(entity.body));
    out
}
