//! Recipients between their wire form and their properties — [MS-OXCDATA] 2.8.3, [MS-OXCMSG] 2.2.3.5.

use watertight_mapi::prop::wire::{Cell, CellValue, PropertyRow};
use watertight_mapi::prop::{PropBag, PropData, tags};
use watertight_mapi::rop::field::Text;
use watertight_mapi::rop::recipient::{
    ModifyRecipientRow, ModifyRecipientsRequest, RecipientFlags, RecipientRow, X500,
};
use watertight_mapi::{MapiCode, PropTag, PropType, PropValue};
use watertight_wire::Writer;

use super::batch::MAX_BYTES;
use super::props::prop;
use crate::error::{Error, SetupError};

/// PidTagTransmittableDisplayName.
const TRANSMITTABLE: PropTag = PropTag(0x3a20_001f);
/// What a row tells in its own fields, so that it is no column — [MS-OXCMSG] 2.2.3.5.1.
const OWN_FIELDS: [PropTag; 8] = [
    tags::RECIPIENT_TYPE,
    tags::DISPLAY_NAME,
    tags::ADDRESS_TYPE,
    tags::EMAIL_ADDRESS,
    tags::SEND_RICH_INFO,
    tags::ROWID,
    tags::RESPONSIBILITY,
    TRANSMITTABLE,
];
/// Bytes of rows in one RopModifyRecipients.
const MAX_ROWS: usize = MAX_BYTES - 1500;

/// A recipient of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// PidTagRowid: names the recipient in its message.
    pub row_id: u32,
    /// Its properties: PidTagRecipientType, PidTagDisplayName, PidTagAddressType, PidTagEmailAddress and others.
    pub props: PropBag,
}

/// What a recipient is in a message — [MS-OXCMSG] 2.2.3.1.2 RecipientType.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientKind {
    /// Who writes.
    From,
    /// To.
    To,
    /// Cc.
    Cc,
    /// Bcc.
    Bcc,
}

impl RecipientKind {
    /// The number in PidTagRecipientType.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::From => 0,
            Self::To => 1,
            Self::Cc => 2,
            Self::Bcc => 3,
        }
    }

    /// The properties of a recipient with an SMTP address.
    #[must_use]
    pub fn smtp(self, name: &str, address: &str) -> PropBag {
        let mut bag = PropBag::default();
        bag.set(tags::RECIPIENT_TYPE, self.number());
        bag.set(tags::DISPLAY_NAME, name);
        bag.set(tags::ADDRESS_TYPE, "SMTP");
        bag.set(tags::EMAIL_ADDRESS, address);
        bag.set(tags::SMTP_ADDRESS, address);
        bag
    }
}

/// The columns that the properties of recipients need beside a row's own fields.
pub(crate) fn columns_of<'a>(recipients: impl Iterator<Item = &'a PropBag>) -> Vec<PropTag> {
    let mut columns: Vec<PropTag> = Vec::new();
    for prop in recipients.flat_map(|bag| &bag.0) {
        let known = OWN_FIELDS.iter().chain(&columns).any(|column| column.id() == prop.tag.id());
        let shown = match &prop.value {
            PropData::Inline(value) => {
                !matches!(value.ty(), PropType::Error | PropType::Null | PropType::Object)
            }
            PropData::Large(_) => false,
        };
        // Names have no place in a row of recipients.
        if !known && shown && prop.name.is_none() && !prop.tag.is_named() {
            columns.push(prop.tag);
        }
    }
    columns
}

/// The wire form of a recipient, and its type.
pub(crate) fn row_of(bag: &PropBag, columns: &[PropTag]) -> (u8, RecipientRow) {
    let text = |tag| bag.text(tag).map(|text| Text::Wide(text.to_owned()));
    let mut row = RecipientRow { flags: RecipientFlags::Unicode, ..RecipientRow::default() };
    let mut flags = RecipientFlags::Unicode;
    match bag.text(tags::ADDRESS_TYPE) {
        Some(ty) if ty.eq_ignore_ascii_case("EX") => {
            flags = flags | RecipientFlags(RecipientFlags::X500_DN);
            let display_type = bag.int(tags::DISPLAY_TYPE).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
            let dn = bag.text(tags::EMAIL_ADDRESS).unwrap_or_default().as_bytes().to_vec();
            row.x500 = Some(X500 { address_prefix_used: 0, display_type, dn });
        }
        Some(ty) if ty.eq_ignore_ascii_case("SMTP") => {
            flags = flags | RecipientFlags(RecipientFlags::SMTP);
            row.email_address = text(tags::EMAIL_ADDRESS).or_else(|| text(tags::SMTP_ADDRESS));
        }
        Some(ty) => {
            flags = flags | RecipientFlags::OutOfStandard;
            row.address_type = Some(ty.as_bytes().to_vec());
            row.email_address = text(tags::EMAIL_ADDRESS);
        }
        None => row.email_address = text(tags::EMAIL_ADDRESS),
    }
    row.display_name = text(tags::DISPLAY_NAME);
    match text(TRANSMITTABLE) {
        Some(name) if Some(&name) == row.display_name.as_ref() => flags = flags | RecipientFlags::SameNames,
        other => row.transmittable_display_name = other,
    }
    for (flag, set) in [
        (RecipientFlags::EmailAddress, row.email_address.is_some()),
        (RecipientFlags::DisplayName, row.display_name.is_some()),
        (RecipientFlags::TransmittableDisplayName, row.transmittable_display_name.is_some()),
        (RecipientFlags::Responsible, bag.bool(tags::RESPONSIBILITY) == Some(true)),
        (RecipientFlags::NonRich, bag.bool(tags::SEND_RICH_INFO) == Some(false)),
    ] {
        if set {
            flags = flags | flag;
        }
    }
    row.flags = flags;
    let cells = columns.iter().map(|&column| {
        let value = bag.0.iter().find(|p| p.tag == column && p.name.is_none()).map(|p| &p.value);
        let value = match value {
            Some(PropData::Inline(value)) => CellValue::Value(value.clone()),
            _ => CellValue::Error(MapiCode::NotFound),
        };
        Cell::new(column, value)
    });
    row.properties = PropertyRow::new(cells.collect());
    let [recipient_type, ..] =
        bag.int(tags::RECIPIENT_TYPE).unwrap_or(RecipientKind::To.number()).to_le_bytes();
    (recipient_type, row)
}

/// The properties of a recipient. `prefix` is the server's DnPrefix.
pub(crate) fn bag_of(recipient_type: u8, row: RecipientRow, columns: &[PropTag], prefix: &str) -> PropBag {
    let mut bag = PropBag::default();
    // What is not RecipientType are flags (MAPI_P1, MAPI_SUBMITTED).
    bag.set(tags::RECIPIENT_TYPE, i32::from(recipient_type));
    let latin = |bytes: &[u8]| Text::Narrow(bytes.to_vec()).to_text();
    match row.flags.kind() {
        RecipientFlags::X500_DN => bag.set(tags::ADDRESS_TYPE, "EX"),
        RecipientFlags::SMTP => bag.set(tags::ADDRESS_TYPE, "SMTP"),
        RecipientFlags::PERSONAL_LIST_1 | RecipientFlags::PERSONAL_LIST_2 => {
            bag.set(tags::ADDRESS_TYPE, "MAPIPDL");
        }
        _ => {
            if let Some(ty) = &row.address_type {
                bag.set(tags::ADDRESS_TYPE, latin(ty));
            }
        }
    }
    if let Some(x500) = &row.x500 {
        let prefix = prefix.get(..usize::from(x500.address_prefix_used)).unwrap_or_default();
        bag.set(tags::EMAIL_ADDRESS, format!("{prefix}{}", latin(&x500.dn)));
        bag.set(tags::DISPLAY_TYPE, i32::from(x500.display_type));
    }
    if let Some((entry_id, search_key)) = row.personal_list {
        bag.set(tags::ENTRY_ID, entry_id);
        bag.set(tags::SEARCH_KEY, search_key);
    }
    if let Some(address) = &row.email_address {
        bag.set(tags::EMAIL_ADDRESS, address.to_text());
        if row.flags.kind() == RecipientFlags::SMTP {
            bag.set(tags::SMTP_ADDRESS, address.to_text());
        }
    }
    if let Some(name) = &row.display_name {
        bag.set(tags::DISPLAY_NAME, name.to_text());
    }
    if let Some(name) = &row.simple_display_name {
        bag.set(tags::SEVEN_BIT_DISPLAY_NAME, name.to_text());
    }
    let same = row.flags.contains(RecipientFlags::SameNames).then_some(row.display_name).flatten();
    if let Some(name) = row.transmittable_display_name.or(same) {
        bag.set(TRANSMITTABLE, name.to_text());
    }
    bag.set(tags::RESPONSIBILITY, row.flags.contains(RecipientFlags::Responsible));
    bag.set(tags::SEND_RICH_INFO, !row.flags.contains(RecipientFlags::NonRich));
    for (column, cell) in columns.iter().zip(row.properties.cells) {
        if let CellValue::Value(value) = cell.value
            && !matches!(value, PropValue::Null | PropValue::Error(_))
        {
            bag.put(prop(*column, value));
        }
    }
    bag
}

/// Requests that set (or with `None` remove) recipients, each small enough for an Execute, and the columns in them.
pub(crate) fn modifications(
    changes: &[(u32, Option<&PropBag>)],
) -> Result<(Vec<ModifyRecipientsRequest>, Vec<PropTag>), Error> {
    let columns = columns_of(changes.iter().filter_map(|(_, bag)| *bag));
    let mut requests = Vec::new();
    let mut rows = Vec::new();
    let mut size = 0_usize;
    for (row_id, bag) in changes {
        let (recipient_type, row) = match bag {
            Some(bag) => {
                let (recipient_type, row) = row_of(bag, &columns);
                (recipient_type, Some(row))
            }
            None => (0, None),
        };
        let mut w = Writer::new();
        row.iter().try_for_each(|row| row.write(&mut w)).map_err(SetupError::NoWireForm)?;
        let bytes = w.len().saturating_add(7);
        let limit = MAX_ROWS.saturating_sub(columns.len().saturating_mul(4));
        if bytes > limit {
            let what = format!("recipient {row_id}");
            return Err(SetupError::TooLarge { what, limit: watertight_wire::to_u64(limit) }.into());
        }
        if size.saturating_add(bytes) > limit {
            let rows = std::mem::take(&mut rows);
            requests.push(ModifyRecipientsRequest { columns: columns.clone(), rows });
            size = 0;
        }
        size = size.saturating_add(bytes);
        rows.push(ModifyRecipientRow { row_id: *row_id, recipient_type, row });
    }
    if !rows.is_empty() {
        requests.push(ModifyRecipientsRequest { columns: columns.clone(), rows });
    }
    Ok((requests, columns))
}

#[cfg(test)]
mod tests {
    use watertight_mapi::prop::Prop;

    use super::*;

    fn bag() -> PropBag {
        let mut bag = RecipientKind::Cc.smtp("Zoë", "zoe@example.org");
        bag.set(TRANSMITTABLE, "'Zoë'");
        bag.set(tags::RESPONSIBILITY, true);
        bag.set(tags::SEND_RICH_INFO, false);
        bag.set(tags::RECIPIENT_FLAGS, 1);
        bag.set(tags::RECIPIENT_ENTRY_ID, vec![1_u8, 2, 3]);
        bag
    }

    fn sorted(mut bag: PropBag) -> PropBag {
        bag.0.sort_by_key(|p| p.tag);
        bag
    }

    #[test]
    fn recipients_come_back() {
        let mut exchange = bag();
        exchange.set(tags::ADDRESS_TYPE, "EX");
        exchange.set(tags::EMAIL_ADDRESS, "/o=org/cn=zoe");
        exchange.set(tags::DISPLAY_TYPE, 6);
        let mut fax = bag();
        fax.set(tags::ADDRESS_TYPE, "FAX");
        fax.remove(TRANSMITTABLE);
        for bag in [bag(), exchange, fax] {
            let columns = columns_of([&bag].into_iter());
            let (kind, row) = row_of(&bag, &columns);
            let mut w = Writer::new();
            row.write(&mut w).unwrap();
            let mut r = watertight_wire::Reader::new(w.as_slice(), "X");
            let row = RecipientRow::read(&mut r, &columns).unwrap();
            r.finish().unwrap();
            assert_eq!(sorted(bag_of(kind, row, &columns, "")), sorted(bag));
        }
    }

    #[test]
    fn names_that_are_shortened_by_the_prefix_are_whole_again() {
        let row = RecipientRow {
            flags: RecipientFlags(RecipientFlags::X500_DN),
            x500: Some(X500 { address_prefix_used: 6, display_type: 0, dn: b"/cn=zoe".to_vec() }),
            ..RecipientRow::default()
        };
        let bag = bag_of(1, row, &[], "/o=org/ou=x");
        assert_eq!(bag.text(tags::EMAIL_ADDRESS), Some("/o=org/cn=zoe"));
    }

    #[test]
    fn many_recipients_take_several_requests() {
        let bag = bag();
        let changes: Vec<_> = (0..5000).map(|n| (n, Some(&bag))).collect();
        let (requests, _) = modifications(&changes).unwrap();
        assert!(requests.len() > 1);
        assert_eq!(requests.iter().map(|r| r.rows.len()).sum::<usize>(), 5000);
        use watertight_wire::Wire as _;
        assert!(requests.iter().all(|r| r.to_bytes().unwrap().len() < MAX_BYTES));
        let long = PropBag(vec![Prop::new(tags::DISPLAY_NAME, "x".repeat(40_000))]);
        assert!(matches!(modifications(&[(0, Some(&long))]), Err(Error::Setup(SetupError::TooLarge { .. }))));
    }
}
