//! Recipients — [MS-OXCMSG] 3.2.5.4 to 3.2.5.7, [MS-OXCDATA] 2.8.3.

use watertight_mapi::{
    MapiCode, PropTag, PropType, PropValue,
    prop::{
        Prop, PropBag, PropData, tags,
        wire::{PropertyRow, TypedString},
    },
    rop::{
        Request, ResponseBody,
        field::{Empty, Text},
        message::ReadRecipientsRequest,
        recipient::{
            MessageSummary, ModifyRecipientsRequest, OpenRecipientRow, ReadRecipientRow,
            ReadRecipientsResponse, RecipientFlags, RecipientRow, X500,
        },
    },
};
use watertight_wire::Writer;

use super::{
    Answer, Outcome, Session,
    object::{MessageState, Object},
    property::{stored, subject_parts},
    refused, value,
};

/// Recipients that one message may have.
const MOST: usize = 20_000;
/// Columns that recipient rows may have.
const MOST_COLUMNS: usize = 256;
/// What a recipient row tells in its own fields.
const OWN_FIELDS: [PropTag; 6] = [
    tags::RECIPIENT_TYPE,
    tags::DISPLAY_NAME,
    tags::ADDRESS_TYPE,
    tags::EMAIL_ADDRESS,
    tags::SEND_RICH_INFO,
    tags::ROWID,
];
/// PidTagTransmittableDisplayName.
const TRANSMITTABLE: PropTag = PropTag(0x3a20_001f);

impl Session {
    /// RopModifyRecipients — [MS-OXCMSG] 3.2.5.5.
    pub(super) fn rop_modify_recipients(
        &self,
        request: &Request,
        handle: u32,
        body: &ModifyRecipientsRequest,
    ) -> Outcome {
        let Object::Message(message) = self.handles.get(request.logon_id, handle)? else {
            return refused(MapiCode::NotSupported);
        };
        if !message.writable {
            return refused(MapiCode::AccessDenied);
        }
        // What the rows tell in their own fields must not be a column too — [MS-OXCMSG] 2.2.3.5.1.
        let doubled = |tag: &PropTag| OWN_FIELDS.iter().any(|own| own.id() == tag.id());
        if body.columns.len() > MOST_COLUMNS || body.columns.iter().any(doubled) {
            return refused(MapiCode::InvalidParameter);
        }
        let mut state = message.state();
        for row in &body.rows {
            let at = state.recipients.binary_search_by_key(&row.row_id, |(id, _)| *id);
            match (&row.row, at) {
                (None, Ok(at)) => drop(state.recipients.remove(at)),
                (None, Err(_)) => {}
                (Some(_), Err(_)) if state.recipients.len() >= MOST => {
                    return refused(MapiCode::TooManyRecipients);
                }
                (Some(new), at) => {
                    let bag = to_bag(new, row.recipient_type, &body.columns, self.origin.code_page);
                    match at {
                        Ok(at) => {
                            if let Some(slot) = state.recipients.get_mut(at) {
                                slot.1 = bag;
                            }
                        }
                        Err(at) => state.recipients.insert(at, (row.row_id, bag)),
                    }
                }
            }
        }
        state.recipient_columns.clone_from(&body.columns);
        state.dirty = true;
        Ok(Answer::of(ResponseBody::ModifyRecipients(Empty)))
    }

    /// RopRemoveAllRecipients — [MS-OXCMSG] 3.2.5.4.
    pub(super) fn rop_remove_all_recipients(&self, request: &Request, handle: u32) -> Outcome {
        let Object::Message(message) = self.handles.get(request.logon_id, handle)? else {
            return refused(MapiCode::NotSupported);
        };
        if !message.writable {
            return refused(MapiCode::AccessDenied);
        }
        let mut state = message.state();
        state.dirty |= !state.recipients.is_empty();
        state.recipients.clear();
        Ok(Answer::of(ResponseBody::RemoveAllRecipients(Empty)))
    }

    /// RopReadRecipients — [MS-OXCMSG] 3.2.5.6.
    pub(super) fn rop_read_recipients(
        &self,
        request: &Request,
        handle: u32,
        body: &ReadRecipientsRequest,
        limit: usize,
    ) -> Outcome {
        let Object::Message(message) = self.handles.get(request.logon_id, handle)? else {
            return refused(MapiCode::NotSupported);
        };
        let state = message.state();
        let mut rows = Vec::new();
        let mut left = limit.saturating_sub(7);
        for (row_id, bag) in state.recipients.iter().filter(|(id, _)| *id >= body.row_id).take(255) {
            let recipient = to_row(bag, &state.recipient_columns, self.origin.code_page);
            let Some(rest) = left.checked_sub(size(&recipient).saturating_add(4)) else { break };
            left = rest;
            rows.push(ReadRecipientRow { row_id: *row_id, recipient });
        }
        if rows.is_empty() {
            return refused(MapiCode::NotFound);
        }
        Ok(Answer::of(ResponseBody::ReadRecipients(ReadRecipientsResponse { rows })))
    }

    /// RopReloadCachedInformation — [MS-OXCMSG] 3.2.5.7.
    pub(super) fn rop_reload_cached_information(
        &self,
        request: &Request,
        handle: u32,
        limit: usize,
    ) -> Outcome {
        let Object::Message(message) = self.handles.get(request.logon_id, handle)? else {
            return refused(MapiCode::NotSupported);
        };
        let summary = summary(&mut message.state(), limit.saturating_sub(6), self.origin.code_page);
        Ok(Answer::of(ResponseBody::ReloadCachedInformation(summary)))
    }
}

/// What the opening of a message tells of it, in at most `limit` bytes; as many recipients as fit.
pub(super) fn summary(state: &mut MessageState, limit: usize, code_page: u32) -> MessageSummary {
    let props = &state.content.props;
    let subject = props.text(tags::SUBJECT);
    let (of_prefix, of_rest) = subject.map_or(("", ""), subject_parts);
    let prefix = props.text(tags::SUBJECT_PREFIX).unwrap_or(of_prefix);
    let normalized = props.text(tags::NORMALIZED_SUBJECT).unwrap_or(of_rest);
    let mut columns: Vec<PropTag> = Vec::new();
    for prop in state.recipients.iter().flat_map(|(_, bag)| &bag.0) {
        let known = OWN_FIELDS.iter().chain(&columns).any(|c| c.id() == prop.tag.id());
        if !known && columns.len() < MOST_COLUMNS && !matches!(prop.value, PropData::Large(_)) {
            columns.push(prop.tag);
        }
    }
    let mut summary = MessageSummary {
        has_named_properties: props.0.iter().any(|p| p.name.is_some()).into(),
        subject_prefix: TypedString::new(prefix),
        normalized_subject: TypedString::new(&normalized.chars().take(8000).collect::<String>()),
        recipient_count: u16::try_from(state.recipients.len()).unwrap_or(u16::MAX),
        columns,
        rows: Vec::new(),
    };
    let mut w = Writer::new();
    // INVARIANT: a summary without rows always has a wire form.
    let _ = watertight_wire::Wire::write(&summary, &mut w);
    let mut left = limit.saturating_sub(w.len());
    for (_, bag) in state.recipients.iter().take(255) {
        let row = to_row(bag, &summary.columns, code_page);
        let Some(rest) = left.checked_sub(size(&row)) else { break };
        left = rest;
        summary.rows.push(row);
    }
    state.recipient_columns.clone_from(&summary.columns);
    summary
}

/// Bytes of a row on the wire.
fn size(row: &OpenRecipientRow) -> usize {
    let mut w = Writer::new();
    match row.row.write(&mut w) {
        Ok(()) => w.len().saturating_add(7),
        Err(_) => usize::MAX,
    }
}

/// The wire form of a recipient.
fn to_row(bag: &PropBag, columns: &[PropTag], code_page: u32) -> OpenRecipientRow {
    let text = |tag| bag.text(tag).map(|text| Text::Wide(text.to_owned()));
    let address_type = bag.text(tags::ADDRESS_TYPE).unwrap_or_default().to_ascii_uppercase();
    let mut row = RecipientRow { flags: RecipientFlags::Unicode, ..RecipientRow::default() };
    let mut flag = |flag| row.flags = row.flags | flag;
    match address_type.as_str() {
        "EX" => {
            flag(RecipientFlags(RecipientFlags::X500_DN));
            let display_type = bag.int(tags::DISPLAY_TYPE).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
            let dn = bag.text(tags::EMAIL_ADDRESS).unwrap_or_default().as_bytes().to_vec();
            row.x500 = Some(X500 { address_prefix_used: 0, display_type, dn });
        }
        "SMTP" => {
            flag(RecipientFlags(RecipientFlags::SMTP));
            row.email_address = text(tags::EMAIL_ADDRESS).or_else(|| text(tags::SMTP_ADDRESS));
        }
        "" => row.email_address = text(tags::EMAIL_ADDRESS),
        other => {
            flag(RecipientFlags::OutOfStandard);
            row.address_type = Some(other.as_bytes().to_vec());
            row.email_address = text(tags::EMAIL_ADDRESS);
        }
    }
    row.display_name = text(tags::DISPLAY_NAME);
    let transmittable = text(TRANSMITTABLE);
    row.transmittable_display_name = transmittable.filter(|name| Some(name) != row.display_name.as_ref());
    if row.email_address.is_some() {
        row.flags = row.flags | RecipientFlags::EmailAddress;
    }
    if row.display_name.is_some() {
        row.flags = row.flags | RecipientFlags::DisplayName;
    }
    row.flags = row.flags
        | match row.transmittable_display_name {
            Some(_) => RecipientFlags::TransmittableDisplayName,
            None if row.display_name.is_some() => RecipientFlags::SameNames,
            None => RecipientFlags::default(),
        };
    if bag.bool(tags::RESPONSIBILITY) == Some(true) {
        row.flags = row.flags | RecipientFlags::Responsible;
    }
    if bag.bool(tags::SEND_RICH_INFO) == Some(false) {
        row.flags = row.flags | RecipientFlags::NonRich;
    }
    let cells =
        columns.iter().map(|&column| value::cell(column, stored(bag, column), code_page, true)).collect();
    row.properties = PropertyRow::new(cells);
    let kind = bag.int(tags::RECIPIENT_TYPE).unwrap_or(1);
    let [recipient_type, ..] = kind.to_le_bytes();
    OpenRecipientRow { recipient_type, code_page_id: u16::try_from(code_page).unwrap_or(0x4e4), row }
}

/// A recipient as it is kept.
fn to_bag(row: &RecipientRow, recipient_type: u8, columns: &[PropTag], code_page: u32) -> PropBag {
    let mut bag = PropBag::default();
    let text = |text: &Text| match text {
        Text::Narrow(bytes) => super::text::decode(code_page, bytes),
        Text::Wide(text) => text.clone(),
    };
    bag.set(tags::RECIPIENT_TYPE, i32::from(recipient_type));
    match row.flags.kind() {
        RecipientFlags::X500_DN => bag.set(tags::ADDRESS_TYPE, "EX"),
        RecipientFlags::SMTP => bag.set(tags::ADDRESS_TYPE, "SMTP"),
        RecipientFlags::PERSONAL_LIST_1 => bag.set(tags::ADDRESS_TYPE, "MAPIPDL"),
        RecipientFlags::PERSONAL_LIST_2 => bag.set(tags::ADDRESS_TYPE, "MAPIPDL"),
        _ => {
            if let Some(ty) = &row.address_type {
                bag.set(tags::ADDRESS_TYPE, super::text::decode(code_page, ty));
            }
        }
    }
    if let Some(x500) = &row.x500 {
        bag.set(tags::EMAIL_ADDRESS, super::text::decode(code_page, &x500.dn));
        bag.set(tags::DISPLAY_TYPE, i32::from(x500.display_type));
    }
    if let Some((entry_id, search_key)) = &row.personal_list {
        bag.set(tags::ENTRY_ID, entry_id.clone());
        bag.set(tags::SEARCH_KEY, search_key.clone());
    }
    if let Some(address) = &row.email_address {
        bag.set(tags::EMAIL_ADDRESS, text(address));
        if row.flags.kind() == RecipientFlags::SMTP {
            bag.set(tags::SMTP_ADDRESS, text(address));
        }
    }
    if let Some(name) = &row.display_name {
        bag.set(tags::DISPLAY_NAME, text(name));
    }
    if let Some(name) = &row.simple_display_name {
        bag.set(tags::SEVEN_BIT_DISPLAY_NAME, text(name));
    }
    if let Some(name) = &row.transmittable_display_name {
        bag.set(TRANSMITTABLE, text(name));
    } else if let (true, Some(name)) = (row.flags.contains(RecipientFlags::SameNames), &row.display_name) {
        bag.set(TRANSMITTABLE, text(name));
    }
    bag.set(tags::RESPONSIBILITY, row.flags.contains(RecipientFlags::Responsible));
    bag.set(tags::SEND_RICH_INFO, !row.flags.contains(RecipientFlags::NonRich));
    for (column, cell) in columns.iter().zip(&row.properties.cells) {
        // A named property would need its name here; recipients have none.
        let Some(value) = cell.value().filter(|_| !column.is_named()) else { continue };
        let value = value::incoming(value.clone(), code_page);
        if !matches!(value, PropValue::Null | PropValue::Error(_)) && value.ty() != PropType::Object {
            let tag = column.with_type(value.ty());
            bag.put(Prop { tag, name: None, value: PropData::Inline(value) });
        }
    }
    bag
}
