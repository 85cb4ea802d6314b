//! Properties of open objects — [MS-OXCPRPT].

use std::fmt;
use std::sync::Arc;

use watertight_mapi::prop::wire::{CellValue, PropertyRow, TaggedPropertyValue};
use watertight_mapi::prop::{LargeValue, Prop, PropBag, PropData};
use watertight_mapi::rop::RequestBody;
use watertight_mapi::rop::field::{Empty, List16};
use watertight_mapi::rop::property::{
    CopiedPropertiesResponse, CopyPropertiesRequest, CopyToRequest, DeletePropertiesRequest,
    GetPropertiesAllRequest, GetPropertiesSpecificRequest, PropertyProblem, SetPropertiesRequest,
};
use watertight_mapi::{MapiCode, PropTag, PropType, PropValue};
use watertight_wire::{Reader, Wire, to_u64};

use super::batch::{Batch, MAX_BYTES, body};
use super::stream::{OpenMode, Stream};
use crate::error::{Error, ProtocolError, SetupError};
use crate::logon::Logon;

/// Values of more bytes stay on the server unless more is asked for.
pub(crate) const INLINE_LIMIT: usize = watertight_mapi::store::INLINE_LIMIT;
/// Tags in one request.
const MAX_TAGS: usize = 1000;
/// Bytes of values in one RopSetProperties; a value that alone has more is written through a stream.
pub(crate) const MAX_VALUES: usize = MAX_BYTES - 1000;

/// An open object, as a place to ask.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) logon: &'a Logon,
    pub(crate) handle: u32,
}

impl On<'_> {
    /// Whether something can go from here to there: a handle means something in its own session only.
    pub(crate) fn with(self, other: Self) -> Result<(), Error> {
        if Arc::ptr_eq(&self.logon.inner, &other.logon.inner) {
            Ok(())
        } else {
            Err(SetupError::OtherLogon.into())
        }
    }
}

/// A property that could not be set, removed or copied — [MS-OXCDATA] 2.7 PropertyProblem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// Its place in the list that was given.
    pub index: usize,
    /// The property.
    pub tag: PropTag,
    /// Why not.
    pub code: MapiCode,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tag, self.code)
    }
}

/// Whether a stream can be opened over a property of this type — [MS-OXCPRPT] 3.2.5.12.
pub(crate) const fn is_streamed(ty: PropType) -> bool {
    matches!(ty, PropType::Binary | PropType::Object | PropType::Unicode | PropType::String8)
}

pub(crate) async fn get(on: On<'_>, tags: &[PropTag], limit: usize) -> Result<PropBag, Error> {
    let mut bag = PropBag::default();
    for tags in tags.chunks(MAX_TAGS) {
        specific(on, tags, limit, &mut bag).await?;
    }
    Ok(bag)
}

async fn specific(on: On<'_>, tags: &[PropTag], limit: usize, bag: &mut PropBag) -> Result<(), Error> {
    let row = ask(on, tags).await?;
    let mut large = Vec::new();
    for (tag, cell) in tags.iter().copied().zip(row.cells) {
        match cell.value {
            // The answer had no room for it — [MS-OXCDATA] 2.4.2.
            CellValue::Error(MapiCode::NotEnoughMemory)
            | CellValue::Value(PropValue::Error(MapiCode::NotEnoughMemory)) => large.push(tag),
            CellValue::Value(value) => bag.0.push(prop(tag, value)),
            CellValue::Absent | CellValue::Error(MapiCode::NotFound) => {}
            CellValue::Error(code) => bag.0.push(prop(tag, PropValue::Error(code))),
        }
    }
    if large.iter().any(|tag| tag.ty() == PropType::Unspecified) {
        let all = list(on).await?;
        for tag in &mut large {
            if tag.ty() == PropType::Unspecified {
                *tag = all.iter().copied().find(|known| known.id() == tag.id()).unwrap_or(*tag);
            }
        }
    }
    for tag in large {
        bag.0.push(large_value(on, tag, limit).await?);
    }
    Ok(())
}

/// A value for which an answer with others had no room.
async fn large_value(on: On<'_>, tag: PropTag, limit: usize) -> Result<Prop, Error> {
    if is_streamed(tag.ty()) {
        return match whole(on, tag, limit).await {
            Ok(value) => Ok(Prop { tag, name: None, value }),
            Err(Error::Refused { code, .. }) => Ok(prop(tag, PropValue::Error(code))),
            Err(error) => Err(error),
        };
    }
    let row = ask(on, &[tag]).await?;
    let value = match row.cells.into_iter().next().map(|cell| cell.value) {
        Some(CellValue::Value(value)) => value,
        Some(CellValue::Error(code)) => PropValue::Error(code),
        Some(CellValue::Absent) | None => PropValue::Error(MapiCode::NotFound),
    };
    Ok(prop(tag, value))
}

async fn ask(on: On<'_>, tags: &[PropTag]) -> Result<PropertyRow, Error> {
    let mut batch = Batch::on(on.handle);
    let request =
        GetPropertiesSpecificRequest { property_size_limit: 0, want_unicode: 1, tags: tags.to_vec().into() };
    let at = batch.push(0, RequestBody::GetPropertiesSpecific(request))?;
    let mut answers = batch.ask(&on.logon.requester).await?;
    Ok(body!(answers, at, GetPropertiesSpecific)?.row)
}

/// A property under the tag's identifier, of the value's type.
pub(crate) fn prop(tag: PropTag, value: PropValue) -> Prop {
    Prop { tag: tag.with_type(value.ty()), name: None, value: PropData::Inline(value) }
}

/// The properties of a row.
pub(crate) fn bag_of(columns: &[PropTag], row: PropertyRow) -> PropBag {
    let props = columns.iter().zip(row.cells).filter_map(|(tag, cell)| match cell.value {
        CellValue::Value(value) => Some(prop(*tag, value)),
        CellValue::Absent | CellValue::Error(MapiCode::NotFound) => None,
        CellValue::Error(code) => Some(prop(*tag, PropValue::Error(code))),
    });
    PropBag(props.collect())
}

/// The value of a property through a stream, where it has at most `limit` bytes.
async fn whole(on: On<'_>, tag: PropTag, limit: usize) -> Result<PropData, Error> {
    let (mut stream, mut bytes) = Stream::open_and_read(on, tag, limit).await?;
    if stream.len() > to_u64(limit) {
        return Ok(PropData::Large(LargeValue { id: u64::from(tag.0), len: stream.len() }));
    }
    stream.read_on(&mut bytes, limit).await?;
    Ok(PropData::Inline(value_of(bytes, tag.ty())))
}

/// The value whose bytes a stream over a property of this type has.
pub(crate) fn value_of(bytes: Vec<u8>, ty: PropType) -> PropValue {
    match ty {
        PropType::Unicode => {
            let mut text = Reader::decode_utf16le(&bytes);
            // Some write the terminator too.
            if text.ends_with('\0') {
                text.truncate(text.trim_end_matches('\0').len());
            }
            PropValue::Unicode(text)
        }
        PropType::String8 => PropValue::String8(bytes),
        PropType::Object => PropValue::Object(bytes),
        _ => PropValue::Binary(bytes),
    }
}

/// The bytes that a stream over a property with this value has.
pub(crate) fn bytes_of(value: &PropValue) -> Option<Vec<u8>> {
    match value {
        PropValue::Unicode(text) => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        PropValue::String8(bytes) | PropValue::Binary(bytes) | PropValue::Object(bytes) => {
            Some(bytes.clone())
        }
        _ => None,
    }
}

pub(crate) async fn all(on: On<'_>, limit: usize) -> Result<PropBag, Error> {
    let mut batch = Batch::on(on.handle);
    let request = GetPropertiesAllRequest { property_size_limit: 0, want_unicode: 1 };
    let at = batch.push(0, RequestBody::GetPropertiesAll(request))?;
    let mut answers = batch.ask(&on.logon.requester).await?;
    let values = body!(answers, at, GetPropertiesAll)?.values.0;
    let mut bag = PropBag::default();
    let mut large = Vec::new();
    for TaggedPropertyValue { tag, value } in values {
        match value {
            PropValue::Error(MapiCode::NotEnoughMemory) => large.push(tag),
            value => bag.0.push(prop(tag, value)),
        }
    }
    if !large.is_empty() {
        // The values that were left out have the type of an error.
        let tags = list(on).await?;
        for tag in large {
            let tag = tags.iter().copied().find(|known| known.id() == tag.id()).unwrap_or(tag);
            bag.0.push(large_value(on, tag, limit).await?);
        }
    }
    on.logon.name(&mut bag).await?;
    Ok(bag)
}

pub(crate) async fn list(on: On<'_>) -> Result<Vec<PropTag>, Error> {
    let mut batch = Batch::on(on.handle);
    let at = batch.push(0, RequestBody::GetPropertiesList(Empty))?;
    let mut answers = batch.ask(&on.logon.requester).await?;
    Ok(body!(answers, at, GetPropertiesList)?.tags.0)
}

pub(crate) async fn set(on: On<'_>, props: &[Prop]) -> Result<Vec<Problem>, Error> {
    let tags = on.logon.tags_of(props).await?;
    let mut problems = Vec::new();
    let mut pack = Pack::default();
    for (index, (tag, prop)) in tags.into_iter().zip(props).enumerate() {
        let PropData::Inline(value) = &prop.value else {
            return Err(too_large(tag, to_u64(INLINE_LIMIT)));
        };
        let tagged = TaggedPropertyValue::new(tag, value.clone());
        let size = size_of(&tagged)?;
        // An object has no value in RopSetProperties, only a stream.
        if size > MAX_VALUES || value.ty() == PropType::Object {
            let Some(bytes) = bytes_of(value) else { return Err(too_large(tag, to_u64(MAX_VALUES))) };
            let mut stream = Stream::open(on, tagged.tag, OpenMode::Create).await?;
            stream.write(&bytes).await?;
            stream.commit().await?;
            continue;
        }
        if pack.size.saturating_add(size) > MAX_VALUES {
            std::mem::take(&mut pack).send(on, &mut problems).await?;
        }
        pack.add(index, tagged, size);
    }
    pack.send(on, &mut problems).await?;
    Ok(problems)
}

pub(crate) fn too_large(tag: PropTag, limit: u64) -> Error {
    SetupError::TooLarge { what: format!("the value of {tag}"), limit }.into()
}

/// Bytes of a value on the wire, its tag among them.
pub(crate) fn size_of(value: &TaggedPropertyValue) -> Result<usize, Error> {
    match &value.value {
        // Longer ones have no wire form here.
        PropValue::Binary(bytes) | PropValue::Object(bytes) if bytes.len() > MAX_VALUES => Ok(bytes.len()),
        _ => Ok(value.to_bytes().map_err(SetupError::NoWireForm)?.len()),
    }
}

/// Values that are set together.
#[derive(Default)]
struct Pack {
    values: Vec<TaggedPropertyValue>,
    /// Their places in the list that was given.
    places: Vec<usize>,
    size: usize,
}

impl Pack {
    fn add(&mut self, place: usize, value: TaggedPropertyValue, size: usize) {
        self.values.push(value);
        self.places.push(place);
        self.size = self.size.saturating_add(size);
    }

    async fn send(self, on: On<'_>, problems: &mut Vec<Problem>) -> Result<(), Error> {
        if self.values.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::on(on.handle);
        let request = SetPropertiesRequest { values: List16(self.values) };
        let at = batch.push(0, RequestBody::SetProperties(request))?;
        let mut answers = batch.ask(&on.logon.requester).await?;
        let found = body!(answers, at, SetProperties)?.problems.0;
        for problem in placed(found, self.places.len())? {
            let index = self.places.get(problem.index).copied().unwrap_or(problem.index);
            problems.push(Problem { index, ..problem });
        }
        Ok(())
    }
}

/// The problems of a list of `count` properties.
pub(crate) fn placed(problems: Vec<PropertyProblem>, count: usize) -> Result<Vec<Problem>, Error> {
    problems
        .into_iter()
        .map(|problem| {
            let index = usize::from(problem.index);
            if index >= count {
                let what = format!("a problem with property {index} of {count}");
                return Err(ProtocolError::Unexpected(what).into());
            }
            Ok(Problem { index, tag: problem.tag, code: problem.code })
        })
        .collect()
}

pub(crate) async fn delete(on: On<'_>, tags: &[PropTag]) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for (n, part) in tags.chunks(MAX_TAGS).enumerate() {
        let mut batch = Batch::on(on.handle);
        let request = DeletePropertiesRequest { tags: part.to_vec().into() };
        let at = batch.push(0, RequestBody::DeleteProperties(request))?;
        let mut answers = batch.ask(&on.logon.requester).await?;
        let found = placed(body!(answers, at, DeleteProperties)?.problems.0, part.len())?;
        let first = n.saturating_mul(MAX_TAGS);
        problems.extend(found.into_iter().map(|p| Problem { index: p.index.saturating_add(first), ..p }));
    }
    Ok(problems)
}

pub(crate) async fn copy_to(
    from: On<'_>,
    to: On<'_>,
    except: &[PropTag],
    sub_objects: bool,
) -> Result<Vec<Problem>, Error> {
    from.with(to)?;
    let mut batch = Batch::on(from.handle);
    let dest_index = batch.object(to.handle);
    let request = CopyToRequest {
        dest_index,
        want_asynchronous: false.into(),
        want_sub_objects: sub_objects.into(),
        copy_flags: 0,
        excluded_tags: except.to_vec().into(),
    };
    let at = batch.push(0, RequestBody::CopyTo(request))?;
    let mut answers = batch.ask(&from.logon.requester).await?;
    copied(body!(answers, at, CopyTo)?)
}

pub(crate) async fn copy_props(from: On<'_>, to: On<'_>, tags: &[PropTag]) -> Result<Vec<Problem>, Error> {
    from.with(to)?;
    let mut batch = Batch::on(from.handle);
    let dest_index = batch.object(to.handle);
    let request = CopyPropertiesRequest {
        dest_index,
        want_asynchronous: false.into(),
        copy_flags: 0,
        tags: tags.to_vec().into(),
    };
    let at = batch.push(0, RequestBody::CopyProperties(request))?;
    let mut answers = batch.ask(&from.logon.requester).await?;
    copied(body!(answers, at, CopyProperties)?)
}

fn copied(response: CopiedPropertiesResponse) -> Result<Vec<Problem>, Error> {
    match response {
        // The list that its places refer to is the server's own.
        CopiedPropertiesResponse::Problems(problems) => placed(problems.0, usize::MAX),
        CopiedPropertiesResponse::NullDestination(_) => {
            Err(Error::Refused { operation: "RopCopyTo", code: MapiCode::DestinationNullObject })
        }
    }
}
