//! Property ROPs — [MS-OXCPRPT] 3.2.5; computed properties of folders, messages and attachments.

mod computed;
mod copy;

use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropName, PropTag, PropType, PropValue,
    prop::{
        Prop, PropBag, PropData, tags,
        wire::{PropertyRow, TaggedPropertyValue},
    },
    rop::{
        Request, RequestBody, ResponseBody,
        property::{
            GetPropertiesAllRequest, GetPropertiesAllResponse, GetPropertiesListResponse,
            GetPropertiesSpecificRequest, GetPropertiesSpecificResponse, PropertyProblem,
            PropertyProblemsResponse, SetPropertiesRequest,
        },
    },
    store::Folder,
};

use computed::message_value;
pub(super) use computed::{
    ATTACHMENT_PROPS, FOLDER_PROPS, MESSAGE_PROPS, attachment_value, display_names, folder_value, head_value,
    subject_parts,
};
pub(super) use copy::Which;

use super::{
    Answer, Outcome, Session, failed,
    logon::{Logon, STORE_PROPS, known_type},
    object::{AttachmentObject, MessageObject, Object},
    refused, value,
};

/// An object whose properties are asked for.
enum Source {
    Logon,
    Folder(Box<Folder>),
    Message(Arc<MessageObject>),
    Attachment(Arc<AttachmentObject>),
}

impl Source {
    /// The value of the property with that tag's identifier.
    fn get(&self, logon: &Logon, tag: PropTag) -> Option<PropData> {
        match self {
            Self::Logon => logon.computed(tag).map(PropData::Inline),
            Self::Folder(folder) => {
                folder_value(logon, folder, tag).map(PropData::Inline).or_else(|| stored(&folder.props, tag))
            }
            Self::Message(message) => {
                let state = message.state();
                message_value(logon, message, &state, tag).or_else(|| stored(&state.content.props, tag))
            }
            Self::Attachment(attachment) => {
                let state = attachment.state();
                attachment_value(&state.attachment, tag)
                    .map(PropData::Inline)
                    .or_else(|| stored(&state.attachment.props, tag))
            }
        }
    }

    /// The properties that the object has.
    fn tags(&self, logon: &Logon) -> Vec<PropTag> {
        let (known, props): (&[PropTag], Vec<PropTag>) = match self {
            Self::Logon => (&STORE_PROPS, Vec::new()),
            Self::Folder(folder) => (&FOLDER_PROPS, of_bag(&folder.props)),
            Self::Message(message) => (&MESSAGE_PROPS, of_bag(&message.state().content.props)),
            Self::Attachment(attachment) => (&ATTACHMENT_PROPS, of_bag(&attachment.state().attachment.props)),
        };
        let mut all: Vec<PropTag> =
            known.iter().copied().filter(|&tag| self.get(logon, tag).is_some()).collect();
        all.extend(props.into_iter().filter(|tag| known_type(*tag, known).is_none()));
        all
    }
}

fn of_bag(bag: &PropBag) -> Vec<PropTag> {
    bag.0.iter().map(|prop| prop.tag).collect()
}

/// The stored value with that tag's identifier, as this mailbox numbers it.
pub(super) fn stored(bag: &PropBag, tag: PropTag) -> Option<PropData> {
    bag.0.iter().find(|prop| prop.tag.id() == tag.id()).map(|prop| prop.value.clone())
}

/// Which properties are computed, by the kind of object; nobody sets them.
fn is_computed(object: &Object, tag: PropTag) -> bool {
    // These are computed where the object has no value of its own.
    let settable = [
        tags::SUBJECT,
        tags::DISPLAY_NAME,
        tags::MESSAGE_FLAGS,
        tags::READ,
        tags::ATTACH_METHOD,
        tags::RENDERING_POSITION,
        tags::CREATION_TIME,
        tags::LAST_MODIFICATION_TIME,
    ];
    if settable.iter().any(|t| t.id() == tag.id()) {
        return false;
    }
    let known: &[PropTag] = match object {
        Object::Folder(_) => &FOLDER_PROPS,
        Object::Message(_) => &MESSAGE_PROPS,
        Object::Attachment(_) => &ATTACHMENT_PROPS,
        _ => return true,
    };
    known_type(tag, known).is_some()
}

impl Session {
    /// The object of a handle as a source of properties.
    async fn source(&self, request: &Request, handle: u32) -> Result<(Arc<Logon>, Source), MapiCode> {
        let logon = self.logon(request)?;
        let source = match self.handles.get(request.logon_id, handle)? {
            Object::Logon => Source::Logon,
            Object::Folder(id) => {
                Source::Folder(Box::new(logon.mailbox.folder(*id, true).await.map_err(failed)?))
            }
            Object::Message(message) => Source::Message(Arc::clone(message)),
            Object::Attachment(attachment) => Source::Attachment(Arc::clone(attachment)),
            Object::Table(_) | Object::Stream(_) | Object::Download(_) | Object::Subscription(_) => {
                return Err(MapiCode::NotSupported);
            }
        };
        Ok((logon, source))
    }

    /// RopGetPropertiesSpecific — [MS-OXCPRPT] 3.2.5.1.
    pub(super) async fn rop_get_properties_specific(
        &self,
        request: &Request,
        handle: u32,
        body: &GetPropertiesSpecificRequest,
        limit: usize,
    ) -> Outcome {
        let (logon, source) = self.source(request, handle).await?;
        let cells = body
            .tags
            .iter()
            .map(|&tag| {
                let data = short_enough(source.get(&logon, tag), body.property_size_limit);
                value::cell(tag, data, self.origin.code_page, body.want_unicode != 0)
            })
            .collect();
        let mut row = PropertyRow::new(cells);
        value::fit_row(&mut row, limit.saturating_sub(6));
        Ok(Answer::of(ResponseBody::GetPropertiesSpecific(GetPropertiesSpecificResponse { row })))
    }

    /// RopGetPropertiesAll — [MS-OXCPRPT] 3.2.5.2.
    pub(super) async fn rop_get_properties_all(
        &self,
        request: &Request,
        handle: u32,
        body: &GetPropertiesAllRequest,
        limit: usize,
    ) -> Outcome {
        let (logon, source) = self.source(request, handle).await?;
        let mut values = Vec::new();
        for tag in source.tags(&logon) {
            let value = match short_enough(source.get(&logon, tag), body.property_size_limit) {
                None => continue,
                Some(PropData::Large(_)) => MapiCode::NotEnoughMemory.into(),
                Some(PropData::Inline(value)) => {
                    let unicode = body.want_unicode != 0;
                    value::convert(value, PropType::Unspecified, self.origin.code_page, unicode)
                        .filter(|value| value::size(value).is_some())
                        .unwrap_or_else(|| MapiCode::NotEnoughMemory.into())
                }
            };
            values.push(TaggedPropertyValue::new(tag, value));
        }
        value::fit_values(&mut values, limit.saturating_sub(8));
        Ok(Answer::of(ResponseBody::GetPropertiesAll(GetPropertiesAllResponse { values: values.into() })))
    }

    /// RopGetPropertiesList — [MS-OXCPRPT] 3.2.5.3.
    pub(super) async fn rop_get_properties_list(&self, request: &Request, handle: u32) -> Outcome {
        let (logon, source) = self.source(request, handle).await?;
        let tags = source.tags(&logon).into();
        Ok(Answer::of(ResponseBody::GetPropertiesList(GetPropertiesListResponse { tags })))
    }

    /// RopSetProperties, RopSetPropertiesNoReplicate — [MS-OXCPRPT] 3.2.5.4, 2.2.6.
    pub(super) async fn rop_set_properties(
        &self,
        request: &Request,
        handle: u32,
        body: &SetPropertiesRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let object = self.handles.get(request.logon_id, handle)?;
        let mut problems = Problems::default();
        let mut set = Vec::new();
        let tags: Vec<PropTag> = body.values.iter().map(|value| value.tag).collect();
        let names = self.names_of(&logon, &tags).await?;
        for ((index, item), name) in (0_u16..).zip(body.values.iter()).zip(names) {
            let value = value::incoming(item.value.clone(), self.origin.code_page);
            let tag = item.tag.with_type(value.ty());
            let settable = !matches!(value.ty(), PropType::Error | PropType::Null | PropType::Object);
            if !tag.is_named() && is_computed(object, tag) {
                problems.add(index, item.tag, MapiCode::AccessDenied);
            } else if !settable || (tag.is_named() && name.is_none()) {
                problems.add(index, item.tag, MapiCode::InvalidParameter);
            } else {
                set.push(Prop { tag, name: name.map(Arc::new), value: PropData::Inline(value) });
            }
        }
        match object {
            Object::Folder(id) => {
                let id = *id;
                if !set.is_empty() {
                    logon.mailbox.change_folder(id, set, Vec::new()).await.map_err(failed)?;
                }
            }
            Object::Message(message) => {
                if !message.writable {
                    return refused(MapiCode::AccessDenied);
                }
                let mut state = message.state();
                state.dirty |= !set.is_empty();
                for prop in set {
                    let read = prop.tag.id() == tags::READ.id();
                    if let (true, PropData::Inline(PropValue::Bool(read))) = (read, &prop.value) {
                        state.read = *read;
                        continue;
                    }
                    if let (tags::MESSAGE_FLAGS, PropData::Inline(PropValue::I32(flags)), None) =
                        (prop.tag, &prop.value, &state.head)
                    {
                        // mfRead counts before the first save only — [MS-OXCMSG] 2.2.1.6.
                        state.read = flags & 1 != 0;
                    }
                    set_on_message(&mut state.content.props, prop);
                }
            }
            Object::Attachment(attachment) => {
                if !attachment.writable {
                    return refused(MapiCode::AccessDenied);
                }
                let mut state = attachment.state();
                set.into_iter().for_each(|prop| put(&mut state.attachment.props, prop));
            }
            Object::Logon => {}
            Object::Table(_) | Object::Stream(_) | Object::Download(_) | Object::Subscription(_) => {
                return refused(MapiCode::NotSupported);
            }
        }
        Ok(Answer::of(problems.answer(request)))
    }

    /// RopDeleteProperties, RopDeletePropertiesNoReplicate — [MS-OXCPRPT] 3.2.5.5, 2.2.8.
    pub(super) async fn rop_delete_properties(
        &self,
        request: &Request,
        handle: u32,
        tags: &[PropTag],
    ) -> Outcome {
        let logon = self.logon(request)?;
        let object = self.handles.get(request.logon_id, handle)?;
        let mut problems = Problems::default();
        let mut remove = Vec::new();
        for (index, &tag) in (0_u16..).zip(tags) {
            if !tag.is_named() && is_computed(object, tag) {
                problems.add(index, tag, MapiCode::AccessDenied);
            } else {
                remove.push(tag);
            }
        }
        let gone = |bag: &mut PropBag| bag.0.retain(|p| !remove.iter().any(|tag| tag.id() == p.tag.id()));
        match object {
            Object::Folder(id) => {
                let id = *id;
                if !remove.is_empty() {
                    logon.mailbox.change_folder(id, Vec::new(), remove).await.map_err(failed)?;
                }
            }
            Object::Message(message) => {
                if !message.writable {
                    return refused(MapiCode::AccessDenied);
                }
                let mut state = message.state();
                gone(&mut state.content.props);
                if remove.iter().any(|tag| tag.id() == tags::SUBJECT.id()) {
                    state.content.props.remove(tags::SUBJECT_PREFIX);
                    state.content.props.remove(tags::NORMALIZED_SUBJECT);
                }
                state.dirty |= !remove.is_empty();
            }
            Object::Attachment(attachment) => {
                if !attachment.writable {
                    return refused(MapiCode::AccessDenied);
                }
                gone(&mut attachment.state().attachment.props);
            }
            Object::Logon => {}
            Object::Table(_) | Object::Stream(_) | Object::Download(_) | Object::Subscription(_) => {
                return refused(MapiCode::NotSupported);
            }
        }
        Ok(Answer::of(problems.answer(request)))
    }

    /// The names of those of the tags that stand for one, in order.
    pub(super) async fn names_of(
        &self,
        logon: &Logon,
        tags: &[PropTag],
    ) -> Result<Vec<Option<PropName>>, MapiCode> {
        if !tags.iter().any(|tag| tag.is_named()) {
            return Ok(vec![None; tags.len()]);
        }
        let ids: Vec<_> = tags.iter().map(|tag| tag.id()).collect();
        let names = logon.mailbox.prop_names(&ids).await.map_err(failed)?;
        Ok(tags.iter().zip(names).map(|(tag, name)| name.filter(|_| tag.is_named())).collect())
    }
}

/// Sets a property of a message; the parts of the subject follow the subject, and it them.
pub(super) fn set_on_message(props: &mut PropBag, prop: Prop) {
    if prop.name.is_none() {
        if let (true, PropData::Inline(PropValue::Unicode(subject))) =
            (prop.tag.id() == tags::SUBJECT.id(), &prop.value)
        {
            let (prefix, normalized) = subject_parts(subject);
            props.set(tags::SUBJECT_PREFIX, prefix);
            props.set(tags::NORMALIZED_SUBJECT, normalized);
        } else if [tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT].iter().any(|t| t.id() == prop.tag.id()) {
            props.remove(tags::SUBJECT);
        }
    }
    put(props, prop);
}

/// Sets a property in place of the one with the same identifier.
fn put(props: &mut PropBag, prop: Prop) {
    match props.0.iter_mut().find(|p| p.tag.id() == prop.tag.id()) {
        Some(slot) => *slot = prop,
        None => props.0.push(prop),
    }
}

/// Sets the value that a stream wrote.
pub(super) fn put_stream(props: &mut PropBag, prop: Prop) {
    put(props, prop);
}

/// A value over the limit that the client set (0 for none) is one for a stream.
fn short_enough(data: Option<PropData>, limit: u16) -> Option<PropData> {
    match data {
        Some(PropData::Inline(value)) if limit != 0 => {
            let len = value::size(&value).unwrap_or(usize::MAX);
            if len > usize::from(limit) {
                let len = watertight_wire::to_u64(len);
                Some(PropData::Large(watertight_mapi::prop::LargeValue { id: 0, len }))
            } else {
                Some(PropData::Inline(value))
            }
        }
        other => other,
    }
}

/// What could not be set or deleted.
#[derive(Default)]
struct Problems(Vec<PropertyProblem>);

impl Problems {
    fn add(&mut self, index: u16, tag: PropTag, code: MapiCode) {
        self.0.push(PropertyProblem { index, tag, code });
    }

    fn answer(self, request: &Request) -> ResponseBody {
        let response = PropertyProblemsResponse { problems: self.0.into() };
        match request.body {
            RequestBody::SetPropertiesNoReplicate(_) => ResponseBody::SetPropertiesNoReplicate(response),
            RequestBody::DeleteProperties(_) => ResponseBody::DeleteProperties(response),
            RequestBody::DeletePropertiesNoReplicate(_) => {
                ResponseBody::DeletePropertiesNoReplicate(response)
            }
            _ => ResponseBody::SetProperties(response),
        }
    }
}
