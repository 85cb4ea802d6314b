//! Auth verifiers — C706 13.2.6.1, [MS-RPCE] 2.2.2.11.

use watertight_wire::{WireError, WireErrorKind, wire_enum};

use super::{HEADER_LEN, Header};
use crate::ndr::{NdrReader, NdrWriter, Order, Syntax};

/// Bytes of a sec_trailer.
pub const TRAILER_LEN: usize = 8;

wire_enum! {
    /// auth_type — [MS-RPCE] 2.2.1.1.7.
    pub enum AuthType: u8 {
        /// RPC_C_AUTHN_NONE
        none = 0x00,
        /// RPC_C_AUTHN_GSS_NEGOTIATE: SPNEGO.
        negotiate = 0x09,
        /// RPC_C_AUTHN_WINNT: NTLM.
        ntlm = 0x0a,
        /// RPC_C_AUTHN_GSS_SCHANNEL
        schannel = 0x0e,
        /// RPC_C_AUTHN_GSS_KERBEROS
        kerberos = 0x10,
        /// RPC_C_AUTHN_NETLOGON
        netlogon = 0x44,
        /// RPC_C_AUTHN_DEFAULT
        default = 0xff,
    }
}

wire_enum! {
    /// auth_level — [MS-RPCE] 2.2.1.1.8.
    pub enum AuthLevel: u8 {
        /// RPC_C_AUTHN_LEVEL_DEFAULT
        default = 0,
        /// RPC_C_AUTHN_LEVEL_NONE
        none = 1,
        /// RPC_C_AUTHN_LEVEL_CONNECT: who it is, at the beginning.
        connect = 2,
        /// RPC_C_AUTHN_LEVEL_CALL: the same as packet.
        call = 3,
        /// RPC_C_AUTHN_LEVEL_PKT: signed, as integrity.
        packet = 4,
        /// RPC_C_AUTHN_LEVEL_PKT_INTEGRITY: signed.
        integrity = 5,
        /// RPC_C_AUTHN_LEVEL_PKT_PRIVACY: sealed and signed.
        privacy = 6,
    }
}

impl AuthLevel {
    /// The level that is meant: call means packet ([MS-RPCE] 2.2.1.1.8).
    #[must_use]
    pub const fn effective(self) -> Self {
        match self {
            Self::call => Self::packet,
            other => other,
        }
    }

    /// Whether stub data carries a token of its own.
    #[must_use]
    pub const fn protects(self) -> bool {
        matches!(self.effective(), Self::packet | Self::integrity | Self::privacy)
    }
}

/// sec_trailer — [MS-RPCE] 2.2.2.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthTrailer {
    /// auth_type
    pub auth_type: AuthType,
    /// auth_level
    pub auth_level: AuthLevel,
    /// auth_pad_length: bytes between the stub data and the trailer.
    pub pad_length: u8,
    /// auth_context_id: which of the connection's security contexts.
    pub context_id: u32,
}

impl AuthTrailer {
    /// Appends the trailer.
    pub fn write(self, w: &mut NdrWriter) {
        w.bytes(&self.to_bytes());
    }

    /// The bytes, little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; TRAILER_LEN] {
        let [a, b, c, d] = self.context_id.to_le_bytes();
        [self.auth_type.0, self.auth_level.0, self.pad_length, 0, a, b, c, d]
    }
}

/// The auth verifier of a fragment: trailer and token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifier<'a> {
    /// The trailer.
    pub trailer: AuthTrailer,
    /// auth_value
    pub token: &'a [u8],
    /// Where the trailer begins in the fragment.
    pub trailer_at: usize,
}

impl<'a> Verifier<'a> {
    /// The verifier of a fragment, when its header says that there is one.
    ///
    /// # Errors
    /// When the trailer is not aligned to four bytes, or its padding is longer than what is in front of it.
    pub(super) fn find(fragment: &'a [u8], header: &Header, order: Order) -> Result<Option<Self>, WireError> {
        if header.auth_length == 0 {
            return Ok(None);
        }
        let len = usize::from(header.auth_length).saturating_add(TRAILER_LEN);
        let trailer_at = fragment.len().saturating_sub(len);
        let bytes = fragment.get(trailer_at..).unwrap_or_default();
        let mut r = NdrReader::new(bytes, Syntax::Ndr, order).with_base(trailer_at);
        let _ = r.enter("sec_trailer");
        r.field("auth_type");
        if trailer_at % 4 != 0 {
            return Err(r.invalid(watertight_wire::to_u64(trailer_at)));
        }
        let (auth_type, auth_level) = (AuthType(r.u8()?), AuthLevel(r.u8()?));
        r.field("auth_pad_length");
        let pad_length = r.u8()?;
        let room = trailer_at.saturating_sub(HEADER_LEN);
        if usize::from(pad_length) > room {
            return Err(r.error(WireErrorKind::TooLarge { len: pad_length.into(), max: room }));
        }
        r.u8()?;
        r.field("auth_context_id");
        let context_id = r.u32()?;
        let trailer = AuthTrailer { auth_type, auth_level, pad_length, context_id };
        Ok(Some(Self { trailer, token: r.rest(), trailer_at }))
    }
}
