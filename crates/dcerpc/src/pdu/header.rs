use watertight_wire::{WireError, WireErrorKind, wire_enum, wire_flags};

use crate::ndr::{Drep, NdrReader, Order, Syntax};

/// Bytes of the common header.
pub const HEADER_LEN: usize = 16;

wire_enum! {
    /// PTYPE — C706 12.6.4 and [MS-RPCE] 2.2.2.
    pub enum PacketType: u8 {
        /// A request.
        request = 0,
        /// A response.
        response = 2,
        /// A fault.
        fault = 3,
        /// Opens an association.
        bind = 11,
        /// Accepts one.
        bind_ack = 12,
        /// Refuses one.
        bind_nak = 13,
        /// Adds presentation contexts or security.
        alter_context = 14,
        /// Answers that.
        alter_context_resp = 15,
        /// The third leg of an authentication; no answer.
        auth3 = 16,
        /// The server wants the connection closed.
        shutdown = 17,
        /// Cancels a call.
        co_cancel = 18,
        /// Gives a call up.
        orphaned = 19,
    }
}

wire_flags! {
    /// pfc_flags — C706 12.6.3.1, [MS-RPCE] 2.2.2.3.
    pub struct Flags: u8 {
        /// PFC_FIRST_FRAG
        first = 0x01,
        /// PFC_LAST_FRAG
        last = 0x02,
        /// PFC_PENDING_CANCEL in requests; PFC_SUPPORT_HEADER_SIGN in bind, alter_context and their answers.
        pending_cancel = 0x04,
        /// PFC_CONC_MPX: several calls at once.
        conc_mpx = 0x10,
        /// PFC_DID_NOT_EXECUTE: in a fault.
        did_not_execute = 0x20,
        /// PFC_MAYBE: no response is wanted.
        maybe = 0x40,
        /// PFC_OBJECT_UUID
        object_uuid = 0x80,
    }
}

impl Flags {
    /// PFC_SUPPORT_HEADER_SIGN, the same bit as [`Flags::pending_cancel`].
    pub const HEADER_SIGN: Self = Self::pending_cancel;

    /// Those that are also in `other`.
    #[must_use]
    pub const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The common header — C706 12.6.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// rpc_vers_minor: 0 or 1.
    pub minor: u8,
    /// PTYPE
    pub packet_type: PacketType,
    /// pfc_flags
    pub flags: Flags,
    /// packed_drep
    pub drep: Drep,
    /// frag_length: the whole fragment.
    pub frag_length: u16,
    /// auth_length: the auth token alone.
    pub auth_length: u16,
    /// call_id
    pub call_id: u32,
}

impl Header {
    /// A header of ours; the lengths come at the end.
    #[must_use]
    pub const fn new(packet_type: PacketType, flags: Flags, call_id: u32) -> Self {
        Self { minor: 0, packet_type, flags, drep: Drep::LITTLE, frag_length: 0, auth_length: 0, call_id }
    }

    /// The bytes, little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [f0, f1] = self.frag_length.to_le_bytes();
        let [a0, a1] = self.auth_length.to_le_bytes();
        let [c0, c1, c2, c3] = self.call_id.to_le_bytes();
        let [d0, d1, d2, d3] = Drep::LITTLE.0;
        let (ptype, flags) = (self.packet_type.0, self.flags.0);
        [5, self.minor, ptype, flags, d0, d1, d2, d3, f0, f1, a0, a1, c0, c1, c2, c3]
    }

    /// The header at the start of a fragment, of which the rest need not be there.
    ///
    /// # Errors
    /// When it is not of version 5, or its lengths contradict each other.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = NdrReader::new(bytes, Syntax::Ndr, Order::Little);
        let _ = r.enter("rpc_header");
        r.field("rpc_vers");
        let version = r.u8()?;
        if version != 5 {
            return Err(r.invalid(version));
        }
        r.field("rpc_vers_minor");
        let minor = r.u8()?;
        if minor > 1 {
            return Err(r.invalid(minor));
        }
        let (packet_type, flags) = (PacketType(r.u8()?), Flags(r.u8()?));
        let drep = Drep([r.u8()?, r.u8()?, r.u8()?, r.u8()?]);
        let mut r = NdrReader::new(r.rest(), Syntax::Ndr, drep.order()?).with_base(8);
        let _ = r.enter("rpc_header");
        r.field("frag_length");
        let frag_length = r.u16()?;
        if usize::from(frag_length) < HEADER_LEN {
            return Err(r.invalid(frag_length));
        }
        r.field("auth_length");
        let auth_length = r.u16()?;
        let room = usize::from(frag_length).saturating_sub(HEADER_LEN + super::auth::TRAILER_LEN);
        if auth_length != 0 && usize::from(auth_length) > room {
            return Err(r.error(WireErrorKind::TooLarge { len: auth_length.into(), max: room }));
        }
        r.field("call_id");
        let call_id = r.u32()?;
        Ok(Self { minor, packet_type, flags, drep, frag_length, auth_length, call_id })
    }
}

/// Puts the lengths into the header of a fragment that is complete.
pub(super) fn finish(mut fragment: Vec<u8>, auth_length: usize) -> Result<Vec<u8>, WireError> {
    let max = usize::from(u16::MAX);
    let too_large =
        |len: usize| WireError::new("rpc_header", "frag_length", 8, WireErrorKind::TooLarge { len, max });
    let len = u16::try_from(fragment.len()).map_err(|_| too_large(fragment.len()))?;
    let auth = u16::try_from(auth_length).map_err(|_| too_large(auth_length))?;
    let [f0, f1] = len.to_le_bytes();
    let [a0, a1] = auth.to_le_bytes();
    if let Some(lengths) = fragment.get_mut(8..12) {
        lengths.copy_from_slice(&[f0, f1, a0, a1]);
    }
    Ok(fragment)
}
