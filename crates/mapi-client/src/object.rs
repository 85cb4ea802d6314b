//! What every open object has: a handle, properties, streams over them.
//!
//! One file for each kind of object. [`batch`] puts ROPs into one Execute and checks the answers; all else is built
//! on it.

pub(crate) mod attachment;
pub(crate) mod batch;
#[cfg(test)]
mod captured;
#[cfg(test)]
mod hostile;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod props;
pub(crate) mod recipient;
#[cfg(test)]
mod script;
pub(crate) mod stream;
#[cfg(test)]
mod survive;
pub(crate) mod table;
pub(crate) mod write;

use std::fmt;
use std::sync::Arc;

use watertight_mapi::PropTag;
use watertight_mapi::prop::{Prop, PropBag, tags};

use crate::error::Error;
use crate::handle::ServerHandle;
use crate::logon::Logon;
use props::{On, Problem};
use stream::{OpenMode, Stream};

/// An open object with properties: a folder, a message or an attachment (the role of `IMAPIProp`). Dropping it
/// releases it with the next request.
#[doc(alias = "IMAPIProp")]
pub struct Object {
    logon: Logon,
    /// What lies in the object needs it too.
    handle: Arc<ServerHandle>,
    kind: Kind,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Message,
    Attachment,
}

impl Kind {
    /// In the ledger.
    const fn name(self) -> &'static str {
        match self {
            Self::Folder => "folders",
            Self::Message => "messages",
            Self::Attachment => "attachments",
        }
    }
}

/// The subject and its parts.
const SUBJECTS: [PropTag; 3] = [tags::SUBJECT, tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT];

impl Object {
    pub(crate) fn new(logon: &Logon, handle: ServerHandle, kind: Kind) -> Self {
        let handle = handle.counted(&logon.requester.settings.ledger.kind(kind.name()));
        Self { logon: logon.clone(), handle: Arc::new(handle), kind }
    }

    pub(crate) fn on(&self) -> On<'_> {
        On { logon: &self.logon, handle: self.handle.raw() }
    }

    /// The handle, for [`Session::execute`](crate::Session::execute).
    #[must_use]
    pub fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// The handle, for what lies in the object.
    pub(crate) fn shared(&self) -> Arc<ServerHandle> {
        Arc::clone(&self.handle)
    }

    /// The logon that it was opened in.
    #[must_use]
    pub const fn logon(&self) -> &Logon {
        &self.logon
    }

    /// The values of these properties — [MS-OXCPRPT] 2.2.2 RopGetPropertiesSpecific. A tag of PtypUnspecified asks for
    /// the value of whatever type.
    ///
    /// Properties that the object does not have are left out. What the answer has no room for is fetched through
    /// streams; values of more than 64 KiB come as [`PropData::Large`], with their length (of strings in UTF-16) and
    /// the tag as their number: read those with [`Object::open_stream`]. A value that cannot be had is there as
    /// [`PropValue::Error`].
    ///
    /// # Errors
    /// When the object as a whole cannot be asked.
    ///
    /// [`PropData::Large`]: watertight_mapi::prop::PropData::Large
    /// [`PropValue::Error`]: watertight_mapi::PropValue::Error
    #[doc(alias = "GetProps")]
    pub async fn props(&self, tags: &[PropTag]) -> Result<PropBag, Error> {
        props::get(self.on(), tags, props::INLINE_LIMIT).await
    }

    /// As [`Object::props`], with values of up to `limit` bytes in memory.
    ///
    /// # Errors
    /// As [`Object::props`].
    pub async fn props_within(&self, tags: &[PropTag], limit: usize) -> Result<PropBag, Error> {
        props::get(self.on(), tags, limit).await
    }

    /// All properties — [MS-OXCPRPT] 2.2.3 RopGetPropertiesAll, named ones with their names; large values as in
    /// [`Object::props`]. The subject of a message is among them, also of a server that leaves it out because the
    /// opening gave it (gromox 3.10).
    ///
    /// # Errors
    /// As [`Object::props`].
    pub async fn all_props(&self) -> Result<PropBag, Error> {
        let mut bag = props::all(self.on(), props::INLINE_LIMIT).await?;
        if self.kind == Kind::Message && bag.find(tags::SUBJECT).is_none() {
            self.props(&SUBJECTS).await?.0.into_iter().for_each(|prop| bag.put(prop));
        }
        Ok(bag)
    }

    /// The tags of all properties — [MS-OXCPRPT] 2.2.4 RopGetPropertiesList.
    ///
    /// # Errors
    /// When the object cannot be asked.
    #[doc(alias = "GetPropList")]
    pub async fn prop_list(&self) -> Result<Vec<PropTag>, Error> {
        props::list(self.on()).await
    }

    /// Sets properties — [MS-OXCPRPT] 2.2.5 RopSetProperties; of a message or attachment they last when it is saved.
    /// Named ones get an identifier where the mailbox has none yet. Binary values and strings that no request can
    /// carry are written through streams. Returns what could not be set, and why.
    ///
    /// # Errors
    /// [`Error::Setup`] for a list of values that is too large for a request, and for [`PropData::Large`]; others when
    /// the object cannot be changed.
    ///
    /// [`PropData::Large`]: watertight_mapi::prop::PropData::Large
    #[doc(alias = "SetProps")]
    pub async fn set_props(&self, props: &[Prop]) -> Result<Vec<Problem>, Error> {
        props::set(self.on(), props).await
    }

    /// Removes properties — [MS-OXCPRPT] 2.2.8 RopDeleteProperties. Returns what could not be removed, and why.
    ///
    /// # Errors
    /// When the object cannot be changed.
    #[doc(alias = "DeleteProps")]
    pub async fn delete_props(&self, tags: &[PropTag]) -> Result<Vec<Problem>, Error> {
        props::delete(self.on(), tags).await
    }

    /// Copies all properties and what else is in this object to another, but for some — [MS-OXCPRPT] 2.2.11 RopCopyTo.
    /// Returns what could not be copied, and why.
    ///
    /// # Errors
    /// When nothing could be copied.
    pub async fn copy_to(
        &self,
        to: &Self,
        except: &[PropTag],
        sub_objects: bool,
    ) -> Result<Vec<Problem>, Error> {
        props::copy_to(self.on(), to.on(), except, sub_objects).await
    }

    /// Copies some properties to another object — [MS-OXCPRPT] 2.2.10 RopCopyProperties. Returns what could not be
    /// copied, and why.
    ///
    /// # Errors
    /// When nothing could be copied.
    pub async fn copy_props(&self, to: &Self, tags: &[PropTag]) -> Result<Vec<Problem>, Error> {
        props::copy_props(self.on(), to.on(), tags).await
    }

    /// Opens a stream over a string, binary or object property — [MS-OXCPRPT] 2.2.14 RopOpenStream.
    ///
    /// # Errors
    /// [`Error::Refused`], with NotFound when there is no such property.
    #[doc(alias = "OpenProperty")]
    pub async fn open_stream(&self, tag: PropTag, mode: OpenMode) -> Result<Stream, Error> {
        Stream::open(self.on(), tag, mode).await
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("handle", &self.handle).finish_non_exhaustive()
    }
}
