//! Which parts a mail has.

use watertight_mapi::{
    PropValue,
    prop::{Prop, PropBag, PropData, PropType, tags},
    store::{Attachment, MessageContent},
};

use super::{
    LeftOut,
    file::{file_name, is_empty},
};
use crate::{
    ExportError, LargeSource,
    content::{ATTACH_LONG_PATHNAME, text},
    large,
    mime::{Header, MediaType},
};

/// A part to write.
pub(super) enum Node<'a> {
    /// multipart/…
    Multi { sub: String, params: Vec<(String, String)>, parts: Vec<Node<'a>> },
    /// No content at all, under a text type.
    Empty(String),
    /// PidTagBody.
    Plain(&'a Prop, Vec<(String, String)>),
    /// PidTagHtml.
    Html(&'a Prop, Vec<(String, String)>),
    /// PidTagRtfCompressed, where it is the only body.
    Rtf(&'a Prop),
    /// An attachment with bytes.
    File(&'a Attachment),
    /// An attachment that holds a MIME entity with its fields.
    Entity(&'a Attachment),
    /// An embedded message.
    Message(&'a Attachment, &'a MessageContent),
}

/// The parts of one message.
pub(super) struct Plan<'a> {
    pub(super) root: Node<'a>,
}

/// NativeBodyInfo — [MS-OXBBODY] 2.1.1.1.
const NATIVE_PLAIN: i32 = 1;

impl<'a> Plan<'a> {
    /// `header` is what the mail came with; its Content-Type tells what the server made up.
    pub(super) fn of(
        content: &'a MessageContent,
        header: &Header,
        large: &mut dyn LargeSource,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Self, ExportError> {
        let came_as = header.first("Content-Type").and_then(|f| MediaType::parse(f.value()));
        let mut inline = Vec::new();
        let mut beside = Vec::new();
        for attachment in &content.attachments {
            let node = attached(attachment, large, left_out)?;
            match node {
                Some(node @ Node::Entity(_))
                    if content.attachments.len() == 1 && is_signed(content, attachment) =>
                {
                    return Ok(Self { root: node });
                }
                Some(node) if is_inline(&attachment.props) => inline.push(node),
                Some(node) => beside.push(node),
                None => {}
            }
        }
        let Bodies { plain, html } = Bodies::choose(&content.props, came_as.as_ref(), large)?;
        let params = |essence: &str| -> Vec<(String, String)> {
            let media = came_as.as_ref().filter(|m| m.essence() == essence);
            media.map(kept_params).unwrap_or_default()
        };
        // An empty text is a part only where it is the body of attachments.
        let is_text = html.is_none()
            && is_empty(content.props.find(tags::RTF_COMPRESSED))
            && !(inline.is_empty() && beside.is_empty());
        let plain = plain.or_else(|| content.props.find(tags::BODY).filter(|_| is_text));
        let plain = plain.map(|prop| Node::Plain(prop, params("text/plain")));
        let html = html.map(|prop| Node::Html(prop, params("text/html")));
        let (html, inline) = match html {
            Some(html) if !inline.is_empty() => (Some(related(html, inline)), Vec::new()),
            html => (html, inline),
        };
        let body = match (plain, html) {
            (Some(plain), Some(html)) => Some(multi("alternative", vec![plain, html])),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => rtf(&content.props, left_out),
        };
        let mut parts: Vec<Node<'a>> = body.into_iter().chain(inline).chain(beside).collect();
        let single = parts.len() == 1 && !alone_needs_multipart(parts.first(), came_as.as_ref());
        let root = match parts.pop() {
            None => Node::Empty(empty_text(came_as.as_ref())),
            Some(one) if single => one,
            Some(last) => {
                parts.push(last);
                outer(parts, came_as.as_ref())
            }
        };
        note_class(&content.props, left_out);
        Ok(Self { root })
    }
}

fn empty_text(came_as: Option<&MediaType>) -> String {
    match came_as {
        Some(media) if media.main == "text" && media.is_valid() => media.essence(),
        _ => "text/plain".to_owned(),
    }
}

fn multi<'a>(sub: &str, parts: Vec<Node<'a>>) -> Node<'a> {
    Node::Multi { sub: sub.to_owned(), params: Vec::new(), parts }
}

fn related<'a>(html: Node<'a>, inline: Vec<Node<'a>>) -> Node<'a> {
    let params = vec![("type".to_owned(), "text/html".to_owned())];
    Node::Multi { sub: "related".to_owned(), params, parts: core::iter::once(html).chain(inline).collect() }
}

/// The outermost multipart keeps the subtype that it came with (report, digest, encrypted …) and its parameters,
/// unless that says something of its parts that is not so any more.
fn outer<'a>(parts: Vec<Node<'a>>, came_as: Option<&MediaType>) -> Node<'a> {
    let kept = came_as.filter(|m| m.main == "multipart").filter(|m| match m.sub.as_str() {
        "alternative" | "related" | "signed" | "mixed" => false,
        "digest" => parts.iter().all(|p| matches!(p, Node::Message(..))),
        sub => sub.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'),
    });
    match kept {
        Some(media) => Node::Multi { sub: media.sub.clone(), params: kept_params(media), parts },
        None => multi("mixed", parts),
    }
}

/// A part that is no text stands alone only if it came so.
fn alone_needs_multipart(node: Option<&Node<'_>>, came_as: Option<&MediaType>) -> bool {
    match node {
        Some(Node::File(_) | Node::Message(..) | Node::Entity(_)) => {
            came_as.is_none_or(|m| m.main == "multipart")
        }
        Some(Node::Rtf(_)) => true,
        _ => false,
    }
}

/// The parameters that are not about structure or charset.
fn kept_params(media: &MediaType) -> Vec<(String, String)> {
    const MADE_ANEW: [&str; 6] = ["boundary", "charset", "name", "start", "start-info", "type"];
    let word = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    media
        .params
        .iter()
        .filter(|(name, value)| {
            !name.is_empty() && word(name) && !MADE_ANEW.contains(&name.as_str()) && !value.is_empty()
        })
        .cloned()
        .collect()
}

/// attRenderedInBody — [MS-OXCMSG] 2.2.2.18.
fn is_inline(props: &PropBag) -> bool {
    props.int(tags::ATTACH_FLAGS).is_some_and(|flags| flags & 4 != 0)
}

/// [MS-OXOSMIME] 2.1.1.2: a clear-signed message is its only attachment; the bodies are copies.
fn is_signed(content: &MessageContent, attachment: &Attachment) -> bool {
    let class = text(&content.props, tags::MESSAGE_CLASS).unwrap_or_default().to_ascii_lowercase();
    let tag = text(&attachment.props, tags::ATTACH_MIME_TAG).unwrap_or_default();
    class.contains(".smime.multipartsigned") || tag.eq_ignore_ascii_case("multipart/signed")
}

/// An attachment by its method — [MS-OXCMSG] 2.2.2.9 PidTagAttachMethod.
fn attached<'a>(
    attachment: &'a Attachment,
    large: &mut dyn LargeSource,
    left_out: &mut Vec<LeftOut>,
) -> Result<Option<Node<'a>>, ExportError> {
    let props = &attachment.props;
    if let Some(embedded) = attachment.embedded.as_deref() {
        return Ok(Some(Node::Message(attachment, embedded)));
    }
    let data = props.find(tags::ATTACH_DATA_BINARY);
    let mut note = |reason: String| {
        let item = file_name(props).map_or_else(
            || format!("attachment {}", attachment.number),
            |name| format!("attachment {} ({name})", attachment.number),
        );
        left_out.push(LeftOut { item, reason });
    };
    match (props.int(tags::ATTACH_METHOD), data) {
        (Some(2 | 3 | 4 | 7), data) if is_empty(data) => {
            let path = text(props, ATTACH_LONG_PATHNAME).or_else(|| text(props, tags::ATTACH_PATHNAME));
            note(format!("it is only a reference to {}", path.as_deref().unwrap_or("another place")));
            return Ok(None);
        }
        (Some(5), None) => {
            note("the embedded message is missing".to_owned());
            return Ok(None);
        }
        (Some(6), data) if is_empty(data) => {
            note("the embedded object is missing".to_owned());
            return Ok(None);
        }
        (Some(6), _) => note("an OLE object, kept as a file with its bytes".to_owned()),
        _ => {}
    }
    let is_multipart =
        text(props, tags::ATTACH_MIME_TAG).is_some_and(|t| t.to_ascii_lowercase().starts_with("multipart/"));
    // Some servers keep a multipart entity without parts as an attachment without bytes.
    if is_multipart && (is_empty(data) || data.is_some_and(is_blank)) {
        return Ok(None);
    }
    if is_multipart
        && let Some(data) = data
        && is_entity(data, large)?
    {
        return Ok(Some(Node::Entity(attachment)));
    }
    Ok(Some(Node::File(attachment)))
}

fn is_blank(data: &Prop) -> bool {
    matches!(&data.value, PropData::Inline(PropValue::Binary(bytes)) if bytes.trim_ascii().is_empty())
}

/// Whether the bytes start with the fields of a multipart entity.
fn is_entity(data: &Prop, large: &mut dyn LargeSource) -> Result<bool, ExportError> {
    let mut front = Vec::new();
    let limit = 16 * 1024;
    match &data.value {
        PropData::Large(value) => {
            front.resize(limit, 0);
            let n = large.read(*value, 0, &mut front).map_err(ExportError::Read)?;
            front.truncate(n);
        }
        PropData::Inline(_) => large::pieces(PropType::Binary, &data.value, None, large, &mut |piece| {
            front.extend_from_slice(
                piece.get(..limit.saturating_sub(front.len()).min(piece.len())).unwrap_or_default(),
            );
            Ok(())
        })?,
    }
    let (header, _) = Header::parse(&front);
    let media = header.first("Content-Type").and_then(|f| MediaType::parse(f.value()));
    Ok(media.is_some_and(|m| m.main == "multipart" && m.param("boundary").is_some_and(|b| !b.is_empty()))
        && header
            .fields
            .iter()
            .all(|f| f.name.to_ascii_lowercase().starts_with("content-") || f.is("MIME-Version")))
}

/// The bodies that belong into the mail.
struct Bodies<'a> {
    plain: Option<&'a Prop>,
    html: Option<&'a Prop>,
}

impl<'a> Bodies<'a> {
    /// Servers make the forms of a body that a mail did not have. What it came as, PidTagNativeBody and the marks
    /// of the servers' converters tell which those are; where nothing does, both are written.
    fn choose(
        props: &'a PropBag,
        came_as: Option<&MediaType>,
        large: &mut dyn LargeSource,
    ) -> Result<Self, ExportError> {
        let there = |tag| props.find(tag).filter(|prop| !is_empty(Some(prop)));
        let (plain, html) = (there(tags::BODY), there(tags::HTML));
        let (Some(text), Some(markup)) = (plain, html) else { return Ok(Self { plain, html }) };
        let came_as = came_as.map(MediaType::essence).unwrap_or_default();
        let is_plain = came_as == "text/plain"
            || came_as != "text/html"
                && (props.int(tags::NATIVE_BODY) == Some(NATIVE_PLAIN) || made_of_text(markup, large)?);
        Ok(if is_plain {
            Self { plain: Some(text), html: None }
        } else if came_as == "text/html" {
            Self { plain: None, html: Some(markup) }
        } else {
            Self { plain, html }
        })
    }
}

/// The marks of the converters of gromox and Exchange, in the first kilobyte.
fn made_of_text(html: &Prop, large: &mut dyn LargeSource) -> Result<bool, ExportError> {
    const MARKS: [&[u8]; 2] =
        [b"content=\"gromox-texttohtml\"", b"<!-- Converted from text/plain format -->"];
    let mut front = vec![0; 1024];
    match &html.value {
        PropData::Large(value) => {
            let n = large.read(*value, 0, &mut front).map_err(ExportError::Read)?;
            front.truncate(n);
        }
        PropData::Inline(_) => {
            front.clear();
            large::pieces(html.tag.ty(), &html.value, None, large, &mut |piece| {
                front.extend_from_slice(
                    piece.get(..piece.len().min(1024usize.saturating_sub(front.len()))).unwrap_or_default(),
                );
                Ok(())
            })?;
        }
    }
    Ok(MARKS.iter().any(|mark| memchr::memmem::find(&front, mark).is_some()))
}

/// Compressed RTF is a body of its own only where there is no other.
fn rtf<'a>(props: &'a PropBag, left_out: &mut Vec<LeftOut>) -> Option<Node<'a>> {
    let prop = props.find(tags::RTF_COMPRESSED).filter(|prop| !is_empty(Some(prop)))?;
    left_out.push(LeftOut {
        item: "body".to_owned(),
        reason: "it is there as compressed RTF only, kept as the attachment body.rtf.lzfu".to_owned(),
    });
    Some(Node::Rtf(prop))
}

/// Items that are no mail have properties that a mail does not show.
fn note_class(props: &PropBag, left_out: &mut Vec<LeftOut>) {
    let Some(class) = text(props, tags::MESSAGE_CLASS) else { return };
    let lower = class.to_ascii_lowercase();
    let mail = ["ipm.note", "ipm.post", "report.", "ipm.document", "ipm.microsoft"];
    if !mail.iter().any(|m| lower.starts_with(m)) && lower != "ipm" {
        left_out.push(LeftOut {
            item: format!("item of class {class}"),
            reason: "only what it has in common with mail is converted".to_owned(),
        });
    }
}
