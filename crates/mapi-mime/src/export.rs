//! MAPI → MIME — [MS-OXCMAIL] 2.1.

mod fields;
mod file;
mod output;
mod plan;
mod words;

use std::io::Write;

use sha2::{Digest, Sha256};
use watertight_mapi::{prop::tags, store::MessageContent};

use self::{
    output::Output,
    plan::{Node, Plan},
};
use crate::{ExportError, LargeSource, content, mime::MAX_DEPTH, transport};

pub(crate) use fields::is_mime_field;

/// The end of a line of a generated mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnding {
    /// LF, as in Maildir.
    #[default]
    Lf,
    /// CRLF, as in transport.
    CrLf,
}

/// How mail is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The line ends of generated mail; the transport form keeps its own.
    pub line_ending: LineEnding,
    /// Give the transport form back where the message has one that still belongs to it.
    pub use_transport_form: bool,
}

impl Default for ExportOptions {
    /// LF, and the transport form where there is one.
    fn default() -> Self {
        Self { line_ending: LineEnding::Lf, use_transport_form: true }
    }
}

/// What export has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exported {
    /// How many bytes were written.
    pub bytes: u64,
    /// Whether they are the transport form.
    pub transport_form: bool,
    /// What the mail does not have, or has in a form that mail programs cannot use.
    pub left_out: Vec<LeftOut>,
}

/// Something of a message that is not in its mail as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is.
    pub item: String,
    /// Why, and what was done instead.
    pub reason: String,
}

impl core::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.item, self.reason)
    }
}

/// Writes the message as a mail. Memory does not grow with its values: bodies and attachments pass in pieces.
///
/// # Errors
/// When the output cannot be written or a large value cannot be read; the output is then to be thrown away.
pub fn export(
    content: &MessageContent,
    large: &mut dyn LargeSource,
    out: &mut dyn Write,
    options: &ExportOptions,
) -> Result<Exported, ExportError> {
    let mut output = Output::new(out, options.line_ending);
    if options.use_transport_form
        && let Some(data) = transport::find(content, large)?
    {
        transport::write(data, content, large, &mut |bytes| output.raw(bytes))?;
        return Ok(Exported { bytes: output.finish()?, transport_form: true, left_out: Vec::new() });
    }
    let mut writer = Writer { large, out: output, seed: seed(content), boundaries: 0, left_out: Vec::new() };
    writer.message(content, MAX_DEPTH)?;
    Ok(Exported { bytes: writer.out.finish()?, transport_form: false, left_out: writer.left_out })
}

/// What makes the boundaries of this mail its own.
fn seed(content: &MessageContent) -> String {
    let mut hash = Sha256::new();
    for tag in [tags::INTERNET_MESSAGE_ID, tags::SUBJECT, tags::SENT_REPRESENTING_EMAIL_ADDRESS] {
        hash.update(content::text(&content.props, tag).unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    if let Some(time) = content::time(&content.props, tags::CLIENT_SUBMIT_TIME) {
        hash.update(time.0.to_le_bytes());
    }
    hash.finalize().iter().take(10).map(|b| format!("{b:02x}")).collect()
}

/// One mail being written.
struct Writer<'w> {
    large: &'w mut dyn LargeSource,
    out: Output<'w>,
    seed: String,
    boundaries: u32,
    left_out: Vec<LeftOut>,
}

impl Writer<'_> {
    /// A message with its header, at the top or embedded.
    fn message(&mut self, content: &MessageContent, depth: usize) -> Result<(), ExportError> {
        let Some(depth) = depth.checked_sub(1) else { return Err(ExportError::TooDeep(MAX_DEPTH)) };
        let header = fields::kept(content, self.large, &mut self.left_out)?;
        let plan = Plan::of(content, &header, self.large, &mut self.left_out)?;
        for line in fields::all(content, &header) {
            self.out.field(&line)?;
        }
        if !matches!(plan.root, Node::Entity(_)) {
            self.out.field("MIME-Version: 1.0")?;
        }
        self.node(content, &plan.root, depth, Some(&header))
    }

    /// A part: its fields, a blank line, its content. `top` is the header of the message that it is the root of.
    fn node(
        &mut self,
        content: &MessageContent,
        node: &Node<'_>,
        depth: usize,
        top: Option<&crate::mime::Header>,
    ) -> Result<(), ExportError> {
        match node {
            Node::Multi { sub, params, parts } => self.multipart(content, sub, params, parts, depth),
            Node::Empty(essence) => {
                self.out.field(&format!("Content-Type: {essence}; charset=us-ascii"))?;
                self.out.end_of_line()
            }
            Node::Plain(prop, params) => self.plain(content, prop, params),
            Node::Html(prop, params) => self.html(content, prop, params),
            Node::Rtf(prop) => self.rtf(prop),
            Node::File(attachment) => self.file(attachment, top),
            Node::Entity(attachment) => self.entity(attachment),
            Node::Message(attachment, embedded) => {
                self.file_fields(attachment, "message/rfc822", top)?;
                self.out.end_of_line()?;
                self.message(embedded, depth)
            }
        }
    }

    fn multipart(
        &mut self,
        content: &MessageContent,
        sub: &str,
        params: &[(String, String)],
        parts: &[Node<'_>],
        depth: usize,
    ) -> Result<(), ExportError> {
        // "=_" can stand neither in base64 nor in quoted-printable; other content is looked through before.
        let boundary = format!("=_{}_{}", self.boundaries, self.seed);
        self.boundaries = self.boundaries.saturating_add(1);
        let mut line = format!("Content-Type: multipart/{sub}");
        for (name, value) in params {
            line.push_str(&words::parameter(name, value));
        }
        line.push_str(&words::parameter("boundary", &boundary));
        self.out.field(&line)?;
        for part in parts {
            self.out.boundary(&boundary)?;
            self.node(content, part, depth, None)?;
        }
        self.out.end_boundary(&boundary)
    }
}
