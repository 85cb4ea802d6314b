//! Parts: bodies and attachments.

use watertight_mapi::{
    PropValue,
    prop::{Prop, PropBag, PropData, PropType, tags},
    store::{Attachment, MessageContent},
};

use super::{
    Writer,
    output::{Encoder, Encoding, Stats},
    words,
};
use crate::{
    ExportError, charset,
    content::{TEXT_ATTACHMENT_CHARSET, codepage, text},
    import::AFTER_THE_BODY,
    large,
    mime::{Header, MediaType},
};

impl Writer<'_> {
    /// PidTagBody as text/plain: ASCII where it is, else UTF-8.
    pub(super) fn plain(
        &mut self,
        content: &MessageContent,
        prop: &Prop,
        params: &[(String, String)],
    ) -> Result<(), ExportError> {
        let page = codepage(&content.props);
        let stats = self.stats(prop, page)?;
        let charset = if stats.high == 0 { "us-ascii" } else { "utf-8" };
        self.text_part("text/plain", charset, params, stats.text_encoding())?;
        self.encode(prop, page, stats.text_encoding())
    }

    /// PidTagHtml as text/html, its bytes in the charset of PidTagInternetCodepage.
    pub(super) fn html(
        &mut self,
        content: &MessageContent,
        prop: &Prop,
        params: &[(String, String)],
    ) -> Result<(), ExportError> {
        let page = codepage(&content.props);
        let stats = self.stats(prop, page)?;
        let label = match prop.tag.ty() {
            PropType::Binary => page.map_or("utf-8".to_owned(), |page| {
                charset::label_of(page).map_or_else(|| format!("windows-{page}"), str::to_owned)
            }),
            _ => "utf-8".to_owned(),
        };
        let wide = label.starts_with("utf-16");
        let label = if label == "us-ascii" && stats.high > 0 { "utf-8" } else { &label };
        let encoding = if wide { Encoding::Base64 } else { stats.text_encoding() };
        self.text_part("text/html", label, params, encoding)?;
        // A server may leave terminators in it.
        if wide || !stats.nul {
            return self.encode(prop, page, encoding);
        }
        let mut encoder = Encoder::new(encoding);
        let out = &mut self.out;
        large::pieces(prop.tag.ty(), &prop.value, page, self.large, &mut |piece| {
            piece.split(|byte| *byte == 0).try_for_each(|part| encoder.write(part, out))
        })?;
        encoder.finish(out)
    }

    fn text_part(
        &mut self,
        essence: &str,
        charset: &str,
        params: &[(String, String)],
        encoding: Encoding,
    ) -> Result<(), ExportError> {
        let mut line = format!("Content-Type: {essence}; charset={charset}");
        for (name, value) in params {
            line.push_str(&words::parameter(name, value));
        }
        self.out.field(&line)?;
        self.transfer_encoding(encoding)?;
        self.out.end_of_line()
    }

    /// A body that is only there as compressed RTF.
    pub(super) fn rtf(&mut self, prop: &Prop) -> Result<(), ExportError> {
        self.out.field("Content-Type: application/octet-stream")?;
        self.out.field("Content-Disposition: attachment; filename=body.rtf.lzfu")?;
        self.transfer_encoding(Encoding::Base64)?;
        self.out.end_of_line()?;
        self.encode(prop, None, Encoding::Base64)
    }

    /// A MIME entity that was kept whole, with its own MIME fields.
    pub(super) fn entity(&mut self, attachment: &Attachment) -> Result<(), ExportError> {
        let Some(prop) = attachment.props.find(tags::ATTACH_DATA_BINARY) else {
            return self.out.end_of_line();
        };
        let stats = self.stats(prop, None)?;
        self.encode(prop, None, if stats.controls { Encoding::Binary } else { Encoding::EightBit })
    }

    /// An attachment with its bytes.
    pub(super) fn file(&mut self, attachment: &Attachment, top: Option<&Header>) -> Result<(), ExportError> {
        let essence = essence(&attachment.props);
        self.file_fields(attachment, &essence, top)?;
        let Some(prop) = attachment.props.find(tags::ATTACH_DATA_BINARY) else {
            return self.out.end_of_line();
        };
        let shown = attachment.props.int(tags::RENDERING_POSITION) == Some(AFTER_THE_BODY);
        let encoding = if essence.starts_with("message/") {
            // [RFC 2046] 5.2: no other encoding is allowed, unless what it holds would end our own parts.
            match self.stats(prop, None)? {
                stats if stats.boundary_like => Encoding::Base64,
                stats if stats.controls || stats.long_lines => Encoding::Binary,
                stats if stats.high > 0 => Encoding::EightBit,
                _ => Encoding::SevenBit,
            }
        } else if essence.starts_with("text/") && shown {
            self.stats(prop, None)?.text_encoding()
        } else {
            Encoding::Base64
        };
        self.transfer_encoding(encoding)?;
        self.out.end_of_line()?;
        self.encode(prop, None, encoding)
    }

    /// The fields of an attachment but its transfer encoding; `top` has the fields that are already written.
    pub(super) fn file_fields(
        &mut self,
        attachment: &Attachment,
        essence: &str,
        top: Option<&Header>,
    ) -> Result<(), ExportError> {
        let props = &attachment.props;
        let name = file_name(props);
        let mut line = format!("Content-Type: {essence}");
        if essence.starts_with("text/")
            && let Some(charset) = text(props, TEXT_ATTACHMENT_CHARSET)
        {
            line.push_str(&words::parameter("charset", &charset));
        }
        self.out.field(&line)?;
        let inline = props.int(tags::ATTACH_FLAGS).is_some_and(|flags| flags & 4 != 0)
            || props.int(tags::RENDERING_POSITION) == Some(AFTER_THE_BODY)
            || name.is_none() && essence.starts_with("message/");
        let mut line = format!("Content-Disposition: {}", if inline { "inline" } else { "attachment" });
        if let Some(name) = &name {
            line.push_str(&words::parameter("filename", name));
        }
        self.out.field(&line)?;
        let missing = |name: &str| !top.is_some_and(|header| header.has(name));
        if let Some(id) = text(props, tags::ATTACH_CONTENT_ID).filter(|_| missing("Content-ID")) {
            self.out.field(&format!("Content-ID: <{}>", one_line(&id)))?;
        }
        if let Some(location) =
            text(props, tags::ATTACH_CONTENT_LOCATION).filter(|_| missing("Content-Location"))
        {
            self.out.field(&format!("Content-Location: {}", one_line(&location)))?;
        }
        if let Some(shown) =
            description(attachment, name.as_deref()).filter(|_| missing("Content-Description"))
        {
            self.out.field(&words::field("Content-Description", &words::text(&shown)))?;
        }
        Ok(())
    }

    fn transfer_encoding(&mut self, encoding: Encoding) -> Result<(), ExportError> {
        match encoding {
            Encoding::SevenBit => Ok(()),
            _ => self.out.field(&format!("Content-Transfer-Encoding: {}", encoding.name())),
        }
    }

    fn stats(&mut self, prop: &Prop, page: Option<i32>) -> Result<Stats, ExportError> {
        let mut stats = Stats::default();
        large::pieces(prop.tag.ty(), &prop.value, page, self.large, &mut |piece| {
            stats.add(piece);
            Ok(())
        })?;
        Ok(stats.finish())
    }

    fn encode(&mut self, prop: &Prop, page: Option<i32>, encoding: Encoding) -> Result<(), ExportError> {
        let mut encoder = Encoder::new(encoding);
        let out = &mut self.out;
        large::pieces(prop.tag.ty(), &prop.value, page, self.large, &mut |piece| encoder.write(piece, out))?;
        encoder.finish(out)
    }
}

/// The type of an attachment, if it is one that a part can have.
fn essence(props: &PropBag) -> String {
    let tag = text(props, tags::ATTACH_MIME_TAG).and_then(|tag| MediaType::parse(&tag));
    match tag {
        Some(media) if media.is_valid() && media.main != "multipart" => media.essence(),
        _ => "application/octet-stream".to_owned(),
    }
}

pub(super) fn file_name(props: &PropBag) -> Option<String> {
    let name = text(props, tags::ATTACH_LONG_FILENAME).or_else(|| text(props, tags::ATTACH_FILENAME))?;
    Some(name.into_owned())
}

/// The display name, where it says more than the file name or the subject.
fn description(attachment: &Attachment, name: Option<&str>) -> Option<String> {
    let shown = text(&attachment.props, tags::DISPLAY_NAME)?;
    let subject = attachment.embedded.as_deref().and_then(|m| text(&m.props, tags::SUBJECT));
    (Some(&*shown) != name && Some(&*shown) != subject.as_deref() && !shown.trim().is_empty())
        .then(|| shown.into_owned())
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Whether the value is missing or has no bytes.
pub(super) fn is_empty(prop: Option<&Prop>) -> bool {
    match prop.map(|p| &p.value) {
        None => true,
        Some(PropData::Large(value)) => value.len == 0,
        Some(PropData::Inline(value)) => match value {
            PropValue::Unicode(text) => text.is_empty() || text == "\0",
            PropValue::Binary(bytes) | PropValue::Object(bytes) => bytes.is_empty(),
            PropValue::String8(bytes) => bytes.is_empty() || bytes == &[0],
            _ => true,
        },
    }
}
