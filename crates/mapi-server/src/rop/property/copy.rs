//! Properties that go from one object to another — [MS-OXCPRPT] 3.2.5.7, 3.2.5.8.
//!
//! A long value belongs to one message: its bytes are copied, in pieces, into a value of the destination's own.

use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropTag,
    prop::{LargeValue, Prop, PropBag, PropData, tags},
    rop::{
        Request, RequestBody, ResponseBody,
        property::{CopiedPropertiesResponse, PropertyProblem},
    },
    store::{Attachment, FolderId, MessageContent},
};

use super::{is_computed, put, set_on_message};
use crate::rop::{
    Answer, Outcome, Refusal, Session, failed,
    logon::Logon,
    object::{AttachmentObject, MessageObject, Object, Place},
    refused,
    stream::Spill,
};

/// CopyFlags — [MS-OXCPRPT] 2.2.10.1, 2.2.11.1: Move, NoOverwrite.
const MOVE: u8 = 0x01;
const NO_OVERWRITE: u8 = 0x02;
/// How deep messages may lie in messages that are copied.
const MAX_DEPTH: usize = 32;

/// Which properties are copied.
pub(in super::super) enum Which<'a> {
    /// All but these, and what is in the object when `inside`.
    Except { tags: &'a [PropTag], inside: bool },
    /// These.
    Only(&'a [PropTag]),
}

impl Which<'_> {
    fn takes(&self, tag: PropTag) -> bool {
        let among = |tags: &[PropTag]| tags.iter().any(|t| t.id() == tag.id());
        match self {
            Self::Except { tags, .. } => !among(tags),
            Self::Only(tags) => among(tags),
        }
    }

    /// Whether the recipients or attachments are taken.
    fn takes_inside(&self, tag: PropTag) -> bool {
        self.takes(tag) && !matches!(self, Self::Except { inside: false, .. })
    }
}

/// The two objects of a copy.
enum Pair {
    Messages(Arc<MessageObject>, Arc<MessageObject>),
    Attachments(Arc<AttachmentObject>, Arc<AttachmentObject>),
    Folders(FolderId, FolderId),
}

/// What was made for the destination: it owns the values when it is saved.
struct Copies<'a> {
    logon: &'a Logon,
    spills: Vec<Arc<Spill>>,
}

impl Copies<'_> {
    async fn value(&mut self, value: &PropData) -> Result<PropData, MapiCode> {
        let PropData::Large(large) = value else { return Ok(value.clone()) };
        let spill = Spill::copy(self.logon, *large).await?;
        let id = spill.id();
        self.spills.push(spill);
        Ok(PropData::Large(LargeValue { id, len: large.len }))
    }

    async fn bag(&mut self, bag: &PropBag) -> Result<PropBag, MapiCode> {
        let mut copy = PropBag::default();
        for prop in &bag.0 {
            let value = self.value(&prop.value).await?;
            copy.0.push(Prop { tag: prop.tag, name: prop.name.clone(), value });
        }
        Ok(copy)
    }

    /// Boxed, since messages lie in messages.
    async fn content(&mut self, content: &MessageContent, depth: usize) -> Result<MessageContent, MapiCode> {
        if depth > MAX_DEPTH {
            return Err(MapiCode::TooComplex);
        }
        let mut copy = MessageContent { props: self.bag(&content.props).await?, ..MessageContent::default() };
        for recipient in &content.recipients {
            copy.recipients.push(self.bag(recipient).await?);
        }
        for attachment in &content.attachments {
            copy.attachments.push(Box::pin(self.attachment(attachment, depth)).await?);
        }
        Ok(copy)
    }

    async fn attachment(&mut self, attachment: &Attachment, depth: usize) -> Result<Attachment, MapiCode> {
        let embedded = match &attachment.embedded {
            Some(inner) => Some(Box::new(self.content(inner, depth.saturating_add(1)).await?)),
            None => None,
        };
        Ok(Attachment { number: attachment.number, props: self.bag(&attachment.props).await?, embedded })
    }
}

impl Session {
    /// RopCopyProperties, RopCopyTo — [MS-OXCPRPT] 3.2.5.7, 3.2.5.8.
    pub(in super::super) async fn rop_copy(
        &mut self,
        request: &Request,
        handle: u32,
        handles: &[u32],
        dest_index: u8,
        copy_flags: u8,
        which: Which<'_>,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let dest = handles
            .get(usize::from(dest_index))
            .copied()
            .filter(|&handle| self.handles.get(request.logon_id, handle).is_ok());
        let Some(dest) = dest else {
            let nowhere = CopiedPropertiesResponse::NullDestination(u32::from(dest_index));
            let body = Some(Box::new(answer(request, nowhere)));
            return Err(Refusal { code: MapiCode::DestinationNullObject, body });
        };
        if copy_flags & !(MOVE | NO_OVERWRITE) != 0 {
            return refused(MapiCode::InvalidParameter);
        }
        // What was written to streams belongs to the objects.
        self.settle_streams(request, handle).await?;
        self.settle_streams(request, dest).await?;
        let from = self.handles.get(request.logon_id, handle)?;
        let to = self.handles.get(request.logon_id, dest)?;
        let pair = match (from, to) {
            (Object::Message(from), Object::Message(to)) => Pair::Messages(Arc::clone(from), Arc::clone(to)),
            (Object::Attachment(from), Object::Attachment(to)) => {
                Pair::Attachments(Arc::clone(from), Arc::clone(to))
            }
            (Object::Folder(from), Object::Folder(to)) => Pair::Folders(*from, *to),
            _ => return refused(MapiCode::NotSupported),
        };
        let computed = |tag: PropTag| !tag.is_named() && is_computed(to, tag);
        let (moves, overwrites) = (copy_flags & MOVE != 0, copy_flags & NO_OVERWRITE == 0);
        let have = match &pair {
            Pair::Messages(from, _) => from.state().content.props.clone(),
            Pair::Attachments(from, _) => from.state().attachment.props.clone(),
            Pair::Folders(from, _) => logon.mailbox.folder(*from, false).await.map_err(failed)?.props,
        };
        let taken: Vec<Prop> =
            have.0.iter().filter(|prop| which.takes(prop.tag) && !computed(prop.tag)).cloned().collect();
        let problems = problems(&which, &have, &computed);
        let mut copies = Copies { logon: &logon, spills: Vec::new() };
        match pair {
            Pair::Messages(from, to) => {
                if !to.writable || (moves && !from.writable) {
                    return refused(MapiCode::AccessDenied);
                }
                if lies_in(&to, &from) {
                    return refused(MapiCode::MessageCycle);
                }
                let source = from.state().whole();
                let (recipients, attachments) = (
                    which.takes_inside(tags::MESSAGE_RECIPIENTS),
                    which.takes_inside(tags::MESSAGE_ATTACHMENTS),
                );
                let inside = MessageContent {
                    props: PropBag(taken.clone()),
                    recipients: if recipients { source.recipients } else { Vec::new() },
                    attachments: if attachments { source.attachments } else { Vec::new() },
                };
                let copy = copies.content(&inside, 0).await?;
                {
                    let mut state = to.state();
                    for prop in copy.props.0 {
                        if overwrites || !state.content.props.0.iter().any(|p| p.tag.id() == prop.tag.id()) {
                            set_on_message(&mut state.content.props, prop);
                        }
                    }
                    if recipients && (overwrites || state.recipients.is_empty()) {
                        state.recipients = (0..).zip(copy.recipients).collect();
                    }
                    if attachments && (overwrites || state.content.attachments.is_empty()) {
                        let next = copy.attachments.iter().map(|a| a.number.saturating_add(1)).max();
                        state.next_attachment = state.next_attachment.max(next.unwrap_or(0));
                        state.content.attachments = copy.attachments;
                    }
                    state.spills.append(&mut copies.spills);
                    state.dirty = true;
                }
                if moves {
                    let mut state = from.state();
                    remove(&mut state.content.props, &taken);
                    state.dirty = true;
                }
            }
            Pair::Attachments(from, to) => {
                if !to.writable || (moves && !from.writable) {
                    return refused(MapiCode::AccessDenied);
                }
                let embedded = match &which {
                    Which::Except { inside: true, .. } => from.state().attachment.embedded.clone(),
                    _ => None,
                };
                let inside = Attachment { number: 0, props: PropBag(taken.clone()), embedded };
                let copy = copies.attachment(&inside, 0).await?;
                {
                    let mut state = to.state();
                    for prop in copy.props.0 {
                        let there = state.attachment.props.0.iter().any(|p| p.tag.id() == prop.tag.id());
                        if overwrites || !there {
                            put(&mut state.attachment.props, prop);
                        }
                    }
                    if copy.embedded.is_some() && (overwrites || state.attachment.embedded.is_none()) {
                        state.attachment.embedded = copy.embedded;
                    }
                    state.spills.append(&mut copies.spills);
                }
                if moves {
                    remove(&mut from.state().attachment.props, &taken);
                }
            }
            Pair::Folders(_, to) => {
                if moves {
                    return refused(MapiCode::NotSupported);
                }
                let there = logon.mailbox.folder(to, false).await.map_err(failed)?.props;
                let set: Vec<Prop> = taken
                    .into_iter()
                    .filter(|prop| overwrites || !there.0.iter().any(|p| p.tag.id() == prop.tag.id()))
                    .collect();
                if !set.is_empty() {
                    logon.mailbox.change_folder(to, set, Vec::new()).await.map_err(failed)?;
                }
            }
        }
        Ok(Answer::of(answer(request, CopiedPropertiesResponse::Problems(problems.into()))))
    }
}

fn answer(request: &Request, body: CopiedPropertiesResponse) -> ResponseBody {
    match request.body {
        RequestBody::CopyProperties(_) => ResponseBody::CopyProperties(body),
        _ => ResponseBody::CopyTo(body),
    }
}

/// What was asked for by name and cannot be copied.
fn problems(which: &Which<'_>, have: &PropBag, computed: &dyn Fn(PropTag) -> bool) -> Vec<PropertyProblem> {
    let Which::Only(tags) = which else { return Vec::new() };
    let inside = [tags::MESSAGE_RECIPIENTS, tags::MESSAGE_ATTACHMENTS];
    let code = |tag: PropTag| {
        if inside.iter().any(|t| t.id() == tag.id()) {
            None
        } else if computed(tag) {
            Some(MapiCode::AccessDenied)
        } else if have.0.iter().all(|prop| prop.tag.id() != tag.id()) {
            Some(MapiCode::NotFound)
        } else {
            None
        }
    };
    (0_u16..)
        .zip(*tags)
        .filter_map(|(index, &tag)| Some(PropertyProblem { index, tag, code: code(tag)? }))
        .collect()
}

fn remove(bag: &mut PropBag, taken: &[Prop]) {
    bag.0.retain(|prop| !taken.iter().any(|t| t.tag.id() == prop.tag.id()));
}

/// Whether a message is another one, or lies in it at any depth.
fn lies_in(message: &Arc<MessageObject>, other: &Arc<MessageObject>) -> bool {
    let mut at = Arc::clone(message);
    loop {
        if Arc::ptr_eq(&at, other) {
            return true;
        }
        let above = match &at.place {
            Place::Attachment(attachment) => Arc::clone(&attachment.message),
            Place::Folder(..) => return false,
        };
        at = above;
    }
}
