//! ROP responses — [MS-OXCROPS] 2.2.2.

use watertight_wire::{Reader, Wire, WireError, WireField, Writer};

use super::{
    Request, RopId,
    notification::{Backoff, BufferTooSmall, Notify, Pending},
    table_of_rops::ResponseBody,
};
use crate::{MapiCode, PropTag};

/// What a response's layout depends on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// ReturnValue.
    pub return_value: MapiCode,
    /// What is answered.
    pub request: Option<&'a Request>,
    /// The columns of rows that the request does not name itself: of the table (RopSetColumns), or of the message's
    /// recipients (RopOpenMessage, RopModifyRecipients).
    pub columns: &'a [PropTag],
}

/// The fields of one ROP's response behind its return value.
pub trait ResponseFields: Sized {
    /// Reads them; `None` when there are none after this return value.
    ///
    /// # Errors
    /// [`WireError`].
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError>;

    /// Appends them.
    ///
    /// # Errors
    /// [`WireError`] when something has no wire form.
    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError>;
}

/// Most responses have their fields exactly on success.
impl<T: Wire> ResponseFields for T {
    fn read_fields(r: &mut Reader<'_>, context: &Context<'_>) -> Result<Option<Self>, WireError> {
        if context.return_value.is_error() { Ok(None) } else { T::read(r).map(Some) }
    }

    fn write_fields(&self, w: &mut Writer) -> Result<(), WireError> {
        self.write(w)
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The answer to a ROP.
    Rop(RopResponse),
    /// RopNotify.
    Notify(Notify),
    /// RopPending.
    Pending(Pending),
    /// RopBackoff.
    Backoff(Backoff),
    /// RopBufferTooSmall.
    BufferTooSmall(BufferTooSmall),
}

/// The answer to a ROP.
#[derive(Debug, Clone, PartialEq)]
pub struct RopResponse {
    /// RopId.
    pub id: RopId,
    /// InputHandleIndex or OutputHandleIndex, as in the request.
    pub index: u8,
    /// ReturnValue.
    pub return_value: MapiCode,
    /// What follows, if anything.
    pub body: Option<ResponseBody>,
}

impl RopResponse {
    /// An answer with nothing behind the return value.
    #[must_use]
    pub const fn refusal(id: RopId, index: u8, return_value: MapiCode) -> Self {
        Self { id, index, return_value, body: None }
    }

    /// An answer of success.
    #[must_use]
    pub const fn success(index: u8, body: ResponseBody) -> Self {
        Self { id: body.id(), index, return_value: MapiCode::Success, body: Some(body) }
    }
}

impl Response {
    /// Reads one response. `request` is what it answers; `columns` as in [`Context`].
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read(
        r: &mut Reader<'_>,
        request: Option<&Request>,
        columns: &[PropTag],
    ) -> Result<Self, WireError> {
        r.within("RopResponse", |r| {
            let id = RopId::read_field(r, "RopId")?;
            Ok(match id {
                RopId::Notify => Self::Notify(Notify::read(r)?),
                RopId::Pending => Self::Pending(Pending::read(r)?),
                RopId::Backoff => Self::Backoff(Backoff::read(r)?),
                RopId::BufferTooSmall => Self::BufferTooSmall(BufferTooSmall::read(r)?),
                id => {
                    let index = r.u8("HandleIndex")?;
                    let return_value = MapiCode::read_field(r, "ReturnValue")?;
                    let context = Context { return_value, request, columns };
                    let body = ResponseBody::read(r, id, &context)?;
                    Self::Rop(RopResponse { id, index, return_value, body })
                }
            })
        })
    }

    /// Appends the response.
    ///
    /// # Errors
    /// [`WireError`] when something has no wire form.
    pub fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Rop(response) => {
                w.u8(response.id.0);
                w.u8(response.index);
                w.u32(response.return_value.0);
                response.body.iter().try_for_each(|body| body.write(w))
            }
            Self::Notify(body) => {
                w.u8(RopId::Notify.0);
                body.write(w)
            }
            Self::Pending(body) => {
                w.u8(RopId::Pending.0);
                body.write(w)
            }
            Self::Backoff(body) => {
                w.u8(RopId::Backoff.0);
                body.write(w)
            }
            Self::BufferTooSmall(body) => {
                w.u8(RopId::BufferTooSmall.0);
                body.write(w)
            }
        }
    }

    /// The answer to a ROP, where it is one.
    #[must_use]
    pub const fn rop(&self) -> Option<&RopResponse> {
        match self {
            Self::Rop(response) => Some(response),
            _ => None,
        }
    }
}
