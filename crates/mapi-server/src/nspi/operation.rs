//! The operations one by one, but for those on tables and names.

use watertight_mapi::nspi::body::{
    AddressBookUrlRequest, GetPropListRequest, GetPropsRequest, GetSpecialTableRequest,
    GetTemplateInfoRequest, ModLinkAttRequest, ModPropsRequest, Plain, PropsFound, QueryColumnsRequest,
    SpecialTable, TagsFound, UrlFound,
};
use watertight_mapi::nspi::entry_id::DT_CONTAINER;
use watertight_mapi::nspi::{
    CP_UNICODE, CREATION_TEMPLATES, Has, List32, PermanentEntryId, TaggedValue, UNICODE_STRINGS, ValueList,
    Wide, tags,
};
use watertight_mapi::rop::field::Bytes32;
use watertight_mapi::{MapiCode, PropTag, PropType, PropValue};
use watertight_wire::Wire;

use super::Desk;
use super::directory::Entry;
use super::entry::{ALL, Form, SERVERS, convert, value};
use super::rows::stat;

/// A request of the address book, and how it is answered.
pub(crate) trait Operation: Wire {
    /// The success response after StatusCode.
    type Answer: Wire;

    /// Answers it.
    fn run(&self, desk: &Desk) -> Result<Self::Answer, MapiCode>;

    /// The answer with that ErrorCode and nothing else.
    fn refused(&self, error_code: MapiCode) -> Self::Answer;
}

/// Nothing more to say.
pub(crate) fn no_more() -> Bytes32 {
    Bytes32::default()
}

/// More tags than this in one request are refused.
const MAX_TAGS: usize = 2000;
/// AB_RECIPIENTS and AB_UNMODIFIABLE — [MS-OXOABK] 2.2.2.1 PidTagContainerFlags.
const CONTAINER_FLAGS: i32 = 0x9;
/// Of the table of containers, which never changes.
const VERSION: u32 = 1;
/// What the one container is called.
const CONTAINER: &str = "Global Address List";

impl Operation for GetPropListRequest {
    type Answer = TagsFound;

    fn run(&self, desk: &Desk) -> Result<TagsFound, MapiCode> {
        desk.entries.entry(self.id).ok_or(MapiCode::NotFound)?;
        let form = Form { code_page: self.code_page, ephemeral: None };
        Ok(found(ALL.iter().map(|tag| form.native(*tag)).collect()))
    }

    fn refused(&self, error_code: MapiCode) -> TagsFound {
        TagsFound { error_code, tags: Has(None), auxiliary: no_more() }
    }
}

impl Operation for QueryColumnsRequest {
    type Answer = TagsFound;

    fn run(&self, _: &Desk) -> Result<TagsFound, MapiCode> {
        // NspiUnicodeProptypes — [MS-OXNSPI] 2.2.1.12.
        let unicode = self.flags & 0x8000_0000 != 0;
        let form = Form { code_page: if unicode { CP_UNICODE } else { 0 }, ephemeral: None };
        Ok(found(ALL.iter().map(|tag| form.native(*tag)).collect()))
    }

    fn refused(&self, error_code: MapiCode) -> TagsFound {
        TagsFound { error_code, tags: Has(None), auxiliary: no_more() }
    }
}

fn found(tags: Vec<PropTag>) -> TagsFound {
    TagsFound { error_code: MapiCode::Success, tags: Has(Some(List32(tags))), auxiliary: no_more() }
}

impl Operation for GetPropsRequest {
    type Answer = PropsFound;

    /// [MS-OXNSPI] 3.1.4.1.7.
    fn run(&self, desk: &Desk) -> Result<PropsFound, MapiCode> {
        let stat = stat(self.state.0.as_ref())?;
        let form = desk.form(&stat, self.flags);
        let wanted: Vec<PropTag> = match self.tags.0.as_ref() {
            Some(tags) => tags.0.clone(),
            None => ALL.iter().map(|tag| form.native(*tag)).collect(),
        };
        if wanted.len() > MAX_TAGS {
            return Err(MapiCode::TooBig);
        }
        let narrow = |tag: &PropTag| matches!(tag.ty(), PropType::String8 | PropType::MvString8);
        if stat.code_page == CP_UNICODE && wanted.iter().any(narrow) {
            return Err(MapiCode::NotSupported);
        }
        let entry = desk.entries.entry(stat.current_rec);
        let values: Vec<_> = wanted.iter().map(|tag| tagged(entry, *tag, form)).collect();
        let failed = values.iter().any(|value| value.tag.ty() == PropType::Error);
        let error_code = if failed { MapiCode::ErrorsReturned } else { MapiCode::Success };
        let values = Has(Some(List32(values)));
        Ok(PropsFound { error_code, code_page: stat.code_page, values, auxiliary: no_more() })
    }

    fn refused(&self, error_code: MapiCode) -> PropsFound {
        let code_page = self.state.as_ref().map_or(0, |stat| stat.code_page);
        PropsFound { error_code, code_page, values: Has(None), auxiliary: no_more() }
    }
}

fn tagged(entry: Option<&Entry>, tag: PropTag, form: Form) -> TaggedValue {
    let found = entry.map_or(Err(MapiCode::NotFound), |entry| value(entry, tag, form));
    TaggedValue::new(tag, found.unwrap_or_else(PropValue::Error))
}

impl Operation for GetSpecialTableRequest {
    type Answer = SpecialTable;

    /// [MS-OXNSPI] 3.1.4.1.3: the table of containers; there are no templates for addresses.
    fn run(&self, _: &Desk) -> Result<SpecialTable, MapiCode> {
        let stat = self.state.0.as_ref().ok_or(MapiCode::InvalidParameter)?;
        let templates = self.flags & CREATION_TEMPLATES != 0;
        let unicode = self.flags & UNICODE_STRINGS != 0;
        let code_page = if unicode { CP_UNICODE } else { stat.code_page };
        let version = if templates { 0 } else { VERSION };
        let rows = if templates || self.version.0 == Some(VERSION) {
            None
        } else {
            let text = if unicode { PropType::Unicode } else { PropType::String8 };
            Some(List32(vec![container(text, Form { code_page, ephemeral: None })?]))
        };
        Ok(SpecialTable {
            error_code: MapiCode::Success,
            code_page,
            version: Has(Some(version)),
            rows: Has(rows),
            auxiliary: no_more(),
        })
    }

    fn refused(&self, error_code: MapiCode) -> SpecialTable {
        SpecialTable { error_code, code_page: 0, version: Has(None), rows: Has(None), auxiliary: no_more() }
    }
}

/// The row of the global address list — [MS-OXNSPI] 3.1.4.1.3.
fn container(text: PropType, form: Form) -> Result<ValueList, MapiCode> {
    let id = PermanentEntryId { display_type: DT_CONTAINER, dn: "/".into() };
    let id = id.to_bytes().map_err(|_| MapiCode::GeneralFailure)?;
    Ok(List32(vec![
        TaggedValue::new(tags::ENTRY_ID, id),
        TaggedValue::new(tags::CONTAINER_FLAGS, CONTAINER_FLAGS),
        TaggedValue::new(tags::DEPTH, 0),
        TaggedValue::new(tags::CONTAINER_ID, 0),
        TaggedValue::new(tags::DISPLAY_NAME, convert(CONTAINER.into(), text, form)?),
        TaggedValue::new(tags::IS_MASTER, false),
    ]))
}

impl Operation for GetTemplateInfoRequest {
    type Answer = PropsFound;

    fn run(&self, _: &Desk) -> Result<PropsFound, MapiCode> {
        Err(MapiCode::NotSupported)
    }

    fn refused(&self, error_code: MapiCode) -> PropsFound {
        PropsFound { error_code, code_page: self.code_page, values: Has(None), auxiliary: no_more() }
    }
}

impl Operation for ModPropsRequest {
    type Answer = Plain;

    fn run(&self, _: &Desk) -> Result<Plain, MapiCode> {
        Err(MapiCode::NotSupported)
    }

    fn refused(&self, error_code: MapiCode) -> Plain {
        Plain { error_code, auxiliary: no_more() }
    }
}

impl Operation for ModLinkAttRequest {
    type Answer = Plain;

    fn run(&self, _: &Desk) -> Result<Plain, MapiCode> {
        Err(MapiCode::NotSupported)
    }

    fn refused(&self, error_code: MapiCode) -> Plain {
        Plain { error_code, auxiliary: no_more() }
    }
}

/// GetMailboxUrl.
pub(crate) struct MailboxUrl(AddressBookUrlRequest);
/// GetAddressBookUrl.
pub(crate) struct BookUrl(AddressBookUrlRequest);

macro_rules! url_operation {
    ($($name:ident $endpoint:literal)*) => {$(
        impl Wire for $name {
            fn read(r: &mut watertight_wire::Reader<'_>) -> Result<Self, watertight_wire::WireError> {
                AddressBookUrlRequest::read(r).map(Self)
            }

            fn write(&self, w: &mut watertight_wire::Writer) -> Result<(), watertight_wire::WireError> {
                self.0.write(w)
            }
        }

        impl Operation for $name {
            type Answer = UrlFound;

            fn run(&self, desk: &Desk) -> Result<UrlFound, MapiCode> {
                let entry = desk.owner(&self.0.dn.0).ok_or(MapiCode::NotFound)?;
                let url = Wide(format!(
                    "{}/mapi/{}/?MailboxId={}@{}",
                    desk.base,
                    $endpoint,
                    entry.mailbox,
                    entry.domain()
                ));
                Ok(UrlFound { error_code: MapiCode::Success, url, auxiliary: no_more() })
            }

            fn refused(&self, error_code: MapiCode) -> UrlFound {
                UrlFound { error_code, url: Wide::default(), auxiliary: no_more() }
            }
        }
    )*};
}
url_operation! { MailboxUrl "emsmdb" BookUrl "nspi" }

impl Desk {
    /// Whose mailbox a distinguished name means: that of an account, or the one that a server is named by, which
    /// PidTagAddressBookHomeMessageDatabase says. An empty one means who asks.
    fn owner(&self, dn: &str) -> Option<&Entry> {
        let own = || self.entries.by_dn(&self.account.legacy_dn);
        if dn.is_empty() {
            return own();
        }
        if let Some(entry) = self.entries.by_dn(dn) {
            return Some(entry);
        }
        let head = dn.get(..SERVERS.len()).filter(|head| head.eq_ignore_ascii_case(SERVERS))?;
        let server = dn.get(head.len()..)?.split(['/', '@']).next()?;
        self.entries.all().iter().find(|entry| entry.mailbox.to_string().eq_ignore_ascii_case(server))
    }
}
