use watertight_wire::{WireError, wire_enum, wire_flags};

use super::{CountedList, PortAny};
use crate::Guid;
use crate::ndr::{Codec, Extent, Natural, Ndr, NdrReader, NdrWriter, Syntax, SyntaxId};

/// bind and alter_context — C706 12.6.4.3 and 12.6.4.1.
#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct Bind {
    /// max_xmit_frag: the largest fragment that the client will send.
    pub max_xmit_frag: u16,
    /// max_recv_frag: the largest that it takes.
    pub max_recv_frag: u16,
    /// assoc_group_id: zero for a new group.
    pub assoc_group_id: u32,
    /// p_context_elem
    pub contexts: CountedList<ContextElement, 3>,
}

/// p_cont_elem_t — C706 12.6.3.1: an interface and the transfer syntaxes in which it is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextElement {
    /// p_cont_id
    pub context_id: u16,
    /// abstract_syntax
    pub abstract_syntax: SyntaxId,
    /// transfer_syntaxes
    pub transfer_syntaxes: Vec<SyntaxId>,
}

/// Bytes of a p_syntax_id_t.
const SYNTAX_LEN: usize = 20;

impl Codec<ContextElement> for Natural {
    type Pending = ContextElement;

    fn align(_: Syntax) -> usize {
        4
    }

    fn least(_: Syntax) -> usize {
        4 + SYNTAX_LEN
    }

    fn write(value: &ContextElement, _: Extent, w: &mut NdrWriter) -> Result<(), WireError> {
        w.align(4);
        w.u16(value.context_id);
        let count = value.transfer_syntaxes.len();
        w.u8(u8::try_from(count).map_err(|_| w.invalid(watertight_wire::to_u64(count)))?);
        w.u8(0);
        <Self as Codec<SyntaxId>>::write(&value.abstract_syntax, Extent::NONE, w)?;
        <Self as Codec<SyntaxId>>::write_all(&value.transfer_syntaxes, w)
    }

    fn read(r: &mut NdrReader<'_>, _: Extent, _: u64) -> Result<ContextElement, WireError> {
        r.align(4)?;
        r.field("p_cont_id");
        let context_id = r.u16()?;
        r.field("n_transfer_syn");
        let count = r.u8()?;
        r.u8()?;
        r.field("abstract_syntax");
        let abstract_syntax = syntax(r)?;
        r.field("transfer_syntaxes");
        let count = r.elements(count.into(), SYNTAX_LEN)?;
        let transfer_syntaxes = (0..count).map(|_| syntax(r)).collect::<Result<_, _>>()?;
        Ok(ContextElement { context_id, abstract_syntax, transfer_syntaxes })
    }

    fn read_referents(
        pending: ContextElement,
        _: &mut NdrReader<'_>,
        _: Extent,
    ) -> Result<ContextElement, WireError> {
        Ok(pending)
    }
}

fn syntax(r: &mut NdrReader<'_>) -> Result<SyntaxId, WireError> {
    crate::ndr::get::<Natural, SyntaxId>(r, Extent::NONE)
}

/// bind_ack and alter_context_resp — C706 12.6.4.4 and 12.6.4.2.
#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct BindAck {
    /// max_xmit_frag: the largest fragment that the server will send.
    pub max_xmit_frag: u16,
    /// max_recv_frag: the largest that it takes.
    pub max_recv_frag: u16,
    /// assoc_group_id
    pub assoc_group_id: u32,
    /// sec_addr: the endpoint for further connections of the group.
    pub sec_addr: PortAny,
    /// p_result_list
    pub results: CountedList<ContextResult, 3>,
}

/// p_result_t — C706 12.6.3.1: what became of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Ndr)]
pub struct ContextResult {
    /// result
    pub result: ResultCode,
    /// reason; in a negotiate_ack, the features: [MS-RPCE] 2.2.2.4.
    pub reason: ResultReason,
    /// transfer_syntax: the one that was chosen; zero when none was.
    pub transfer_syntax: SyntaxId,
}

impl ContextResult {
    /// Accepted in a transfer syntax.
    #[must_use]
    pub fn accepted(syntax: Syntax) -> Self {
        Self {
            result: ResultCode::acceptance,
            reason: ResultReason::reason_not_specified,
            transfer_syntax: syntax.id(),
        }
    }

    /// Refused.
    #[must_use]
    pub fn rejected(reason: ResultReason) -> Self {
        Self { result: ResultCode::provider_rejection, reason, transfer_syntax: SyntaxId::default() }
    }

    /// The answer to a feature negotiation.
    #[must_use]
    pub fn features(features: Features) -> Self {
        Self {
            result: ResultCode::negotiate_ack,
            reason: ResultReason(features.0),
            transfer_syntax: SyntaxId::default(),
        }
    }
}

wire_enum! {
    /// p_cont_def_result_t — C706 12.6.3.1, [MS-RPCE] 2.2.2.4.
    #[derive(Ndr)]
    pub enum ResultCode: u16 {
        /// Accepted.
        acceptance = 0,
        /// Refused by the server program.
        user_rejection = 1,
        /// Refused by the RPC runtime.
        provider_rejection = 2,
        /// The answer to a bind-time feature negotiation.
        negotiate_ack = 3,
    }
}

wire_enum! {
    /// p_provider_reason_t — C706 12.6.3.1.
    #[derive(Ndr)]
    pub enum ResultReason: u16 {
        /// None given.
        reason_not_specified = 0,
        /// No such interface here.
        abstract_syntax_not_supported = 1,
        /// None of the transfer syntaxes is known.
        proposed_transfer_syntaxes_not_supported = 2,
        /// Too many contexts.
        local_limit_exceeded = 3,
    }
}

/// bind_nak — C706 12.6.4.5.
#[derive(Debug, Clone, PartialEq, Ndr)]
pub struct BindNak {
    /// provider_reject_reason
    pub reason: RejectReason,
    /// versions: those that the server speaks.
    pub versions: CountedList<Version, 0>,
}

/// version_t — C706 12.6.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Ndr)]
pub struct Version {
    /// major
    pub major: u8,
    /// minor
    pub minor: u8,
}

wire_enum! {
    /// p_reject_reason_t — C706 12.6.3.1, [MS-RPCE] 2.2.2.5.
    #[derive(Ndr)]
    pub enum RejectReason: u16 {
        /// None given.
        reason_not_specified = 0,
        /// Too many associations for now.
        temporary_congestion = 1,
        /// A limit of the server.
        local_limit_exceeded = 2,
        /// C706 names it; nobody sends it.
        called_paddr_unknown = 3,
        /// Not a version of the protocol that the server speaks.
        protocol_version_not_supported = 4,
        /// C706 names it; nobody sends it.
        default_context_not_supported = 5,
        /// C706 names it; nobody sends it.
        user_data_not_readable = 6,
        /// C706 names it; nobody sends it.
        no_psap_available = 7,
        /// The authentication type is not known.
        authentication_type_not_recognized = 8,
        /// The authentication failed.
        invalid_checksum = 9,
    }
}

wire_flags! {
    /// BindTimeFeatureNegotiationBitmask — [MS-RPCE] 2.2.2.14.
    pub struct Features: u16 {
        /// Several security contexts on one connection.
        security_context_multiplexing = 0x01,
        /// The connection outlives a call that was orphaned.
        keep_connection_on_orphan = 0x02,
    }
}

impl Features {
    /// The first half of the UUID that stands for a transfer syntax: 6cb71c2c-9812-4540.
    const PREFIX: [u8; 8] = [0x2c, 0x1c, 0xb7, 0x6c, 0x12, 0x98, 0x40, 0x45];

    /// The transfer syntax that asks for these.
    #[must_use]
    pub fn to_syntax(self) -> SyntaxId {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(Self::PREFIX.into_iter().chain(self.0.to_le_bytes())) {
            *to = from;
        }
        SyntaxId::new(Guid::from_bytes(bytes), 1, 0)
    }

    /// What a transfer syntax asks for, when it is such a one.
    #[must_use]
    pub fn from_syntax(id: SyntaxId) -> Option<Self> {
        let bytes = id.uuid.to_bytes();
        let (prefix, mask) = bytes.split_first_chunk::<8>()?;
        let mask = mask.first_chunk::<2>()?;
        (*prefix == Self::PREFIX && id.major == 1).then(|| Self(u16::from_le_bytes(*mask)))
    }
}
