//! Recipients on the wire — [MS-OXCDATA] 2.8.3, [MS-OXCROPS] 2.2.6.1.2.1, 2.2.6.5.1.1, 2.2.6.6.2.1.

use watertight_wire::{Reader, Wire, WireError, WireField, Writer, wire_flags};

use super::{
    answer::{Context, ResponseFields},
    field::{List16, Text, Truth, items},
};
use crate::{
    Mid, PropTag,
    prop::wire::{PropertyRow, TypedString},
};

wire_flags! {
    /// RecipientFlags — [MS-OXCDATA] 2.8.3.1.
    pub struct RecipientFlags: u16 {
        /// E: EmailAddress is there.
        EmailAddress = 0x0008,
        /// D: DisplayName is there.
        DisplayName = 0x0010,
        /// T: TransmittableDisplayName is there.
        TransmittableDisplayName = 0x0020,
        /// S: the transmittable display name is the display name.
        SameNames = 0x0040,
        /// R: another transport delivers to this recipient.
        Responsible = 0x0080,
        /// N: the recipient takes no rich text.
        NonRich = 0x0100,
        /// U: strings are UTF-16.
        Unicode = 0x0200,
        /// I: SimpleDisplayName is there.
        SimpleDisplayName = 0x0400,
        /// O: AddressType is there.
        OutOfStandard = 0x8000,
    }
}

impl RecipientFlags {
    /// Type, the three low bits: NoType.
    pub const NO_TYPE: u16 = 0;
    /// X500DN.
    pub const X500_DN: u16 = 1;
    /// SMTP.
    pub const SMTP: u16 = 3;
    /// PersonalDistributionList1.
    pub const PERSONAL_LIST_1: u16 = 6;
    /// PersonalDistributionList2.
    pub const PERSONAL_LIST_2: u16 = 7;

    /// Type.
    #[must_use]
    pub const fn kind(self) -> u16 {
        self.0 & 7
    }
}

/// RecipientRow — [MS-OXCDATA] 2.8.3.2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecipientRow {
    /// RecipientFlags.
    pub flags: RecipientFlags,
    /// AddressPrefixUsed, DisplayType and X500DN of a recipient of type X500DN.
    pub x500: Option<X500>,
    /// EntryId and SearchKey of a personal distribution list.
    pub personal_list: Option<(Vec<u8>, Vec<u8>)>,
    /// AddressType of a recipient without a type.
    pub address_type: Option<Vec<u8>>,
    /// EmailAddress.
    pub email_address: Option<Text>,
    /// DisplayName.
    pub display_name: Option<Text>,
    /// SimpleDisplayName.
    pub simple_display_name: Option<Text>,
    /// TransmittableDisplayName.
    pub transmittable_display_name: Option<Text>,
    /// RecipientProperties: values for the first of the columns, as many as there are cells.
    pub properties: PropertyRow,
}

/// The name of an Exchange recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct X500 {
    /// AddressPrefixUsed: how much of the server's DnPrefix stands in front.
    pub address_prefix_used: u8,
    /// DisplayType.
    pub display_type: u8,
    /// X500DN.
    pub dn: Vec<u8>,
}

impl RecipientRow {
    /// Reads the row; its properties are of the first of `columns`.
    ///
    /// # Errors
    /// [`WireError`]; more properties than columns are an error.
    pub fn read(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Self, WireError> {
        r.within("RecipientRow", |r| Self::read_inner(r, columns))
    }

    fn read_inner(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Self, WireError> {
        let flags = RecipientFlags::read_field(r, "RecipientFlags")?;
        let wide = flags.contains(RecipientFlags::Unicode);
        let kind = flags.kind();
        let x500 = (kind == RecipientFlags::X500_DN)
            .then(|| {
                Ok(X500 {
                    address_prefix_used: r.u8("AddressPrefixUsed")?,
                    display_type: r.u8("DisplayType")?,
                    dn: r.cstr("X500DN")?.to_vec(),
                })
            })
            .transpose()?;
        let personal_list = matches!(kind, RecipientFlags::PERSONAL_LIST_1 | RecipientFlags::PERSONAL_LIST_2)
            .then(|| Ok((r.bytes16("EntryId")?.to_vec(), r.bytes16("SearchKey")?.to_vec())))
            .transpose()?;
        let address_type =
            flags.has_address_type().then(|| Ok(r.cstr("AddressType")?.to_vec())).transpose()?;
        let mut text = |flag, field| flags.contains(flag).then(|| Text::read(r, wide, field)).transpose();
        let email_address = text(RecipientFlags::EmailAddress, "EmailAddress")?;
        let display_name = text(RecipientFlags::DisplayName, "DisplayName")?;
        let simple_display_name = text(RecipientFlags::SimpleDisplayName, "SimpleDisplayName")?;
        let transmittable_display_name =
            text(RecipientFlags::TransmittableDisplayName, "TransmittableDisplayName")?;
        let count = r.u16("RecipientColumnCount")?;
        let Some(columns) = columns.get(..usize::from(count)) else {
            return Err(r.invalid("RecipientColumnCount", count));
        };
        let properties = PropertyRow::read(r, columns)?;
        Ok(Self {
            flags,
            x500,
            personal_list,
            address_type,
            email_address,
            display_name,
            simple_display_name,
            transmittable_display_name,
            properties,
        })
    }

    /// Appends the row; the flags must say which fields are there.
    ///
    /// # Errors
    /// [`WireError`] when something has no wire form.
    pub fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(self.flags.0);
        if let Some(x500) = &self.x500 {
            w.u8(x500.address_prefix_used);
            w.u8(x500.display_type);
            w.cstr(&x500.dn, "X500DN")?;
        }
        if let Some((entry_id, search_key)) = &self.personal_list {
            w.bytes16(entry_id, "EntryId")?;
            w.bytes16(search_key, "SearchKey")?;
        }
        if let Some(address_type) = &self.address_type {
            w.cstr(address_type, "AddressType")?;
        }
        for (text, field) in [
            (&self.email_address, "EmailAddress"),
            (&self.display_name, "DisplayName"),
            (&self.simple_display_name, "SimpleDisplayName"),
            (&self.transmittable_display_name, "TransmittableDisplayName"),
        ] {
            if let Some(text) = text {
                text.write(w, field)?;
            }
        }
        w.len16(self.properties.cells.len(), "RecipientColumnCount")?;
        self.properties.write(w)
    }

    /// With its 16-bit size in front.
    fn read_sized(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Option<Self>, WireError> {
        let size = usize::from(r.u16("RecipientRowSize")?);
        if size == 0 {
            return Ok(None);
        }
        let mut row = r.sub(size, "RecipientRow")?;
        let value = Self::read(&mut row, columns)?;
        row.finish()?;
        Ok(Some(value))
    }

    fn write_sized(row: Option<&Self>, w: &mut Writer) -> Result<(), WireError> {
        let mut bytes = Writer::new();
        row.into_iter().try_for_each(|row| row.write(&mut bytes))?;
        w.bytes16(bytes.as_slice(), "RecipientRow")
    }
}

impl RecipientFlags {
    /// Whether AddressType is there: no type, and O set.
    const fn has_address_type(self) -> bool {
        self.kind() == Self::NO_TYPE && self.contains(Self::OutOfStandard)
    }
}

/// OpenRecipientRow — [MS-OXCROPS] 2.2.6.1.2.1.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRecipientRow {
    /// RecipientType.
    pub recipient_type: u8,
    /// CodePageId.
    pub code_page_id: u16,
    /// RecipientRow.
    pub row: RecipientRow,
}

impl OpenRecipientRow {
    fn read(r: &mut Reader<'_>, columns: &[PropTag]) -> Result<Self, WireError> {
        let recipient_type = r.u8("RecipientType")?;
        let code_page_id = r.u16("CodePageId")?;
        r.u16("Reserved")?;
        let row = RecipientRow::read_sized(r, columns)?.unwrap_or_default();
        Ok(Self { recipient_type, code_page_id, row })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(self.recipient_type);
        w.u16(self.code_page_id);
        w.u16(0);
        RecipientRow::write_sized(Some(&self.row), w)
    }
}

/// What RopOpenMessage, RopOpenEmbeddedMessage and RopReloadCachedInformation tell of a message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessageSummary {
    /// HasNamedProperties.
    pub has_named_properties: Truth,
    /// SubjectPrefix.
    pub subject_prefix: TypedString,
    /// NormalizedSubject.
    pub normalized_subject: TypedString,
    /// RecipientCount: how many the message has.
    pub recipient_count: u16,
    /// RecipientColumns.
    pub columns: Vec<PropTag>,
    /// RecipientRows: as many of them as fit.
    pub rows: Vec<OpenRecipientRow>,
}

impl Wire for MessageSummary {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let has_named_properties = Truth::read_field(r, "HasNamedProperties")?;
        let subject_prefix = TypedString::read(r)?;
        let normalized_subject = TypedString::read(r)?;
        let recipient_count = r.u16("RecipientCount")?;
        let columns = List16::<PropTag>::read_field(r, "RecipientColumns")?.0;
        let count = r.u8("RowCount")?;
        let rows = items(r, u32::from(count), "RecipientRows", |r| OpenRecipientRow::read(r, &columns))?;
        Ok(Self { has_named_properties, subject_prefix, normalized_subject, recipient_count, columns, rows })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        self.has_named_properties.write_field(w)?;
        self.subject_prefix.write(w)?;
        self.normalized_subject.write(w)?;
        w.u16(self.recipient_count);
        w.len16(self.columns.len(), "ColumnCount")?;
        self.columns.iter().for_each(|column| w.u32(column.0));
        w.len8(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| row.write(w))
    }
}

/// RopOpenMessage response — [MS-OXCROPS] 2.2.6.1.2.
pub type OpenMessageResponse = MessageSummary;

/// RopReloadCachedInformation response — [MS-OXCROPS] 2.2.6.7.2.
pub type ReloadCachedInformationResponse = MessageSummary;

/// RopOpenEmbeddedMessage response — [MS-OXCROPS] 2.2.6.16.2.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenEmbeddedMessageResponse {
    /// MessageId.
    pub message_id: Mid,
    /// The rest, as of any message.
    pub summary: MessageSummary,
}

impl Wire for OpenEmbeddedMessageResponse {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.u8("Reserved")?;
        let message_id = Mid::read_field(r, "MessageId")?;
        Ok(Self { message_id, summary: MessageSummary::read(r)? })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u8(0);
        self.message_id.write_field(w)?;
        self.summary.write(w)
    }
}

/// ModifyRecipientRow — [MS-OXCROPS] 2.2.6.5.1.1.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifyRecipientRow {
    /// RowId.
    pub row_id: u32,
    /// RecipientType.
    pub recipient_type: u8,
    /// RecipientRow; none deletes the recipient.
    pub row: Option<RecipientRow>,
}

/// RopModifyRecipients request — [MS-OXCROPS] 2.2.6.5.1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModifyRecipientsRequest {
    /// RecipientColumns.
    pub columns: Vec<PropTag>,
    /// RecipientRows.
    pub rows: Vec<ModifyRecipientRow>,
}

impl Wire for ModifyRecipientsRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let columns = List16::<PropTag>::read_field(r, "RecipientColumns")?.0;
        let count = r.u16("RowCount")?;
        let rows = items(r, u32::from(count), "RecipientRows", |r| {
            Ok(ModifyRecipientRow {
                row_id: r.u32("RowId")?,
                recipient_type: r.u8("RecipientType")?,
                row: RecipientRow::read_sized(r, &columns)?,
            })
        })?;
        Ok(Self { columns, rows })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.columns.len(), "ColumnCount")?;
        self.columns.iter().for_each(|column| w.u32(column.0));
        w.len16(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| {
            w.u32(row.row_id);
            w.u8(row.recipient_type);
            RecipientRow::write_sized(row.row.as_ref(), w)
        })
    }
}

/// ReadRecipientRow — [MS-OXCROPS] 2.2.6.6.2.1.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecipientRow {
    /// RowId.
    pub row_id: u32,
    /// RecipientType, CodePageId and RecipientRow.
    pub recipient: OpenRecipientRow,
}

/// RopReadRecipients response — [MS-OXCROPS] 2.2.6.6.2. Its columns are those of the message's RopOpenMessage.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadRecipientsResponse {
    /// RecipientRows.
    pub rows: Vec<ReadRecipientRow>,
}

impl ResponseFields for ReadRecipientsResponse {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() {
            return Ok(None);
        }
        let count = r.u8("RowCount")?;
        let rows = items(r, u32::from(count), "RecipientRows", |r| {
            Ok(ReadRecipientRow {
                row_id: r.u32("RowId")?,
                recipient: OpenRecipientRow::read(r, context.columns)?,
            })
        })?;
        Ok(Some(Self { rows }))
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len8(self.rows.len(), "RowCount")?;
        self.rows.iter().try_for_each(|row| {
            w.u32(row.row_id);
            row.recipient.write(w)
        })
    }
}
