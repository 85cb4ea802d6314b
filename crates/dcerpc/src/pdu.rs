//! Connection-oriented PDUs — C706 chapter 12, [MS-RPCE] 2.2.2.
//!
//! [`Header::read`] says how long a fragment is; [`Pdu::read`] takes a whole one apart, without copying stub data;
//! [`Pdu::write`] puts one together. Padding and trailers of protected fragments are in [`auth`].

pub mod auth;
mod bind;
mod call;
mod header;
mod list;
pub mod verification;

#[cfg(test)]
mod tests;

use watertight_wire::{WireError, WireErrorKind, to_usize};

use crate::Guid;
use crate::ndr::{Codec, Extent, Natural, NdrReader, NdrWriter, Order, Syntax, get, put};
use auth::{AuthTrailer, Verifier};

pub use bind::{
    Bind, BindAck, BindNak, ContextElement, ContextResult, Features, RejectReason, ResultCode, ResultReason,
    Version,
};
pub use call::{FaultHead, RequestHead, ResponseHead};
pub use header::{Flags, HEADER_LEN, Header, PacketType};
pub use list::{CountedList, PortAny};

/// The largest fragment that every implementation accepts: C706 12.6.3.1 (MustRecvFragSize).
pub const MUST_RECEIVE: u16 = 1432;

/// A fragment, taken apart. Stub data still has its padding; in a sealed fragment it is sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pdu<'a> {
    /// PFC flags.
    pub flags: Flags,
    /// call_id
    pub call_id: u32,
    /// How the sender represents numbers.
    pub order: Order,
    /// What it says.
    pub body: Body<'a>,
    /// The auth verifier, when there is one.
    pub auth: Option<Verifier<'a>>,
}

/// What a PDU says — C706 12.6.4.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// bind
    Bind(Bind),
    /// bind_ack
    BindAck(BindAck),
    /// bind_nak
    BindNak(BindNak),
    /// alter_context
    AlterContext(Bind),
    /// alter_context_resp
    AlterContextResp(BindAck),
    /// rpc_auth_3: nothing but an auth verifier.
    Auth3,
    /// request
    Request(RequestHead, Option<Guid>, &'a [u8]),
    /// response
    Response(ResponseHead, &'a [u8]),
    /// fault, with whatever follows its status.
    Fault(FaultHead, &'a [u8]),
    /// co_cancel
    Cancel,
    /// orphaned
    Orphaned,
    /// shutdown
    Shutdown,
}

impl Body<'_> {
    /// The packet type.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Bind(_) => PacketType::bind,
            Self::BindAck(_) => PacketType::bind_ack,
            Self::BindNak(_) => PacketType::bind_nak,
            Self::AlterContext(_) => PacketType::alter_context,
            Self::AlterContextResp(_) => PacketType::alter_context_resp,
            Self::Auth3 => PacketType::auth3,
            Self::Request(..) => PacketType::request,
            Self::Response(..) => PacketType::response,
            Self::Fault(..) => PacketType::fault,
            Self::Cancel => PacketType::co_cancel,
            Self::Orphaned => PacketType::orphaned,
            Self::Shutdown => PacketType::shutdown,
        }
    }
}

impl<'a> Pdu<'a> {
    /// A PDU of one fragment, without auth verifier.
    #[must_use]
    pub fn new(call_id: u32, body: Body<'a>) -> Self {
        Self { flags: Flags::first | Flags::last, call_id, order: Order::Little, body, auth: None }
    }

    /// Takes a fragment apart, which must be whole: as long as its header says.
    ///
    /// # Errors
    /// When it is not, or a length in it is wrong, or its type is none of connection-oriented RPC.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let header = Header::read(bytes)?;
        let (order, len) = (header.drep.order()?, usize::from(header.frag_length));
        if bytes.len() != len {
            let kind = WireErrorKind::Truncated { need: len, have: bytes.len() };
            return Err(WireError::new("rpc_header", "frag_length", 8, kind));
        }
        let auth = Verifier::find(bytes, &header, order)?;
        let end = auth.as_ref().map_or(len, |auth| auth.trailer_at);
        let rest = bytes.get(HEADER_LEN..end).unwrap_or_default();
        let mut r = NdrReader::new(rest, Syntax::Ndr, order).with_base(HEADER_LEN);
        let body = Self::body(&header, &mut r)?;
        Ok(Self { flags: header.flags, call_id: header.call_id, order, body, auth })
    }

    fn body(header: &Header, r: &mut NdrReader<'a>) -> Result<Body<'a>, WireError> {
        fn read<T>(r: &mut NdrReader<'_>) -> Result<T, WireError>
        where
            Natural: Codec<T>,
        {
            get::<Natural, T>(r, Extent::NONE)
        }
        Ok(match header.packet_type {
            PacketType::bind => Body::Bind(read(r)?),
            PacketType::bind_ack => Body::BindAck(read(r)?),
            PacketType::bind_nak => Body::BindNak(read(r)?),
            PacketType::alter_context => Body::AlterContext(read(r)?),
            PacketType::alter_context_resp => Body::AlterContextResp(read(r)?),
            PacketType::auth3 => Body::Auth3,
            PacketType::request => {
                let head = read(r)?;
                let object = if header.flags.contains(Flags::object_uuid) {
                    r.field("object");
                    Some(r.guid()?)
                } else {
                    None
                };
                Body::Request(head, object, r.rest())
            }
            PacketType::response => Body::Response(read(r)?, r.rest()),
            PacketType::fault => Body::Fault(read(r)?, r.rest()),
            PacketType::co_cancel => Body::Cancel,
            PacketType::orphaned => Body::Orphaned,
            PacketType::shutdown => Body::Shutdown,
            other => {
                let kind = WireErrorKind::Invalid { value: other.0.into() };
                return Err(WireError::new("rpc_header", "PTYPE", 2, kind));
            }
        })
    }

    /// Appends the fragment, little-endian, with an auth verifier of `token` when there is a trailer: padded as
    /// [MS-RPCE] 2.2.2.11 wants it, the token as it is.
    ///
    /// # Errors
    /// When it would be longer than a fragment can be.
    pub fn write(&self, auth: Option<(AuthTrailer, &[u8])>) -> Result<Vec<u8>, WireError> {
        let mut w = NdrWriter::new(Syntax::Ndr);
        let mut flags = self.flags;
        if let Body::Request(_, object, _) = &self.body {
            flags = flags.without(Flags::object_uuid);
            if object.is_some() {
                flags = flags | Flags::object_uuid;
            }
        }
        w.bytes(&Header::new(self.body.packet_type(), flags, self.call_id).to_bytes());
        match &self.body {
            Body::Bind(body) | Body::AlterContext(body) => {
                put::<Natural, Bind>(body, Extent::NONE, &mut w)?;
            }
            Body::BindAck(body) | Body::AlterContextResp(body) => {
                put::<Natural, BindAck>(body, Extent::NONE, &mut w)?;
            }
            Body::BindNak(body) => {
                put::<Natural, BindNak>(body, Extent::NONE, &mut w)?;
                w.align(4);
            }
            // C706 has nothing here; [MS-RPCE] 2.2.2.5 has four bytes of padding.
            Body::Auth3 => w.u32(0),
            Body::Request(head, object, stub) => {
                put::<Natural, RequestHead>(head, Extent::NONE, &mut w)?;
                if let Some(object) = object {
                    w.guid(*object);
                }
                w.bytes(stub);
            }
            Body::Response(head, stub) => {
                put::<Natural, ResponseHead>(head, Extent::NONE, &mut w)?;
                w.bytes(stub);
            }
            Body::Fault(head, stub) => {
                put::<Natural, FaultHead>(head, Extent::NONE, &mut w)?;
                w.bytes(stub);
            }
            Body::Cancel | Body::Orphaned | Body::Shutdown => {}
        }
        let mut auth_length = 0;
        if let Some((mut trailer, token)) = auth {
            let body = w.as_slice().len();
            w.align(4);
            let pad = w.as_slice().len().saturating_sub(body);
            // Stub data may hold its padding already, of which the trailer knows; nothing else does.
            let held = match self.body {
                Body::Request(..) | Body::Response(..) | Body::Fault(..) => trailer.pad_length,
                _ => 0,
            };
            trailer.pad_length = held.saturating_add(u8::try_from(pad).unwrap_or(0));
            trailer.write(&mut w);
            w.bytes(token);
            auth_length = token.len();
        }
        header::finish(w.into_bytes(), auth_length)
    }
}

/// The length of the fragment at the start of `bytes`; none while its header is not complete.
///
/// # Errors
/// When the header is wrong, or the fragment longer than `max`.
pub fn fragment_len(bytes: &[u8], max: u32) -> Result<Option<usize>, WireError> {
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    let header = Header::read(bytes)?;
    let len = usize::from(header.frag_length);
    if len > to_usize(max) {
        let kind = WireErrorKind::TooLarge { len, max: to_usize(max) };
        return Err(WireError::new("rpc_header", "frag_length", 8, kind));
    }
    Ok(Some(len))
}
