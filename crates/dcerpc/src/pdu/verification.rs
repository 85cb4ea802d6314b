//! The verification trailer — [MS-RPCE] 2.2.2.13: behind the stub data of a request, under its signature, what the
//! headers that are not signed should have said.

use watertight_wire::{Reader, WireError, WireErrorKind, Writer};

use super::{Header, PacketType};
use crate::Guid;
use crate::ndr::{Drep, SyntaxId};

/// signature — [MS-RPCE] 2.2.2.13.1.
pub const SIGNATURE: [u8; 8] = [0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71];

const COMMAND: u16 = 0x3fff;
const END: u16 = 0x4000;
const MUST_PROCESS: u16 = 0x8000;
const BITMASK_1: u16 = 1;
const PCONTEXT: u16 = 2;
const HEADER_2: u16 = 3;

/// rpc_sec_vt_header2 — [MS-RPCE] 2.2.2.13.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header2 {
    /// PTYPE
    pub packet_type: PacketType,
    /// drep
    pub drep: Drep,
    /// call_id
    pub call_id: u32,
    /// p_cont_id
    pub context_id: u16,
    /// opnum
    pub opnum: u16,
}

/// What a trailer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerificationTrailer {
    /// rpc_sec_vt_bitmask — [MS-RPCE] 2.2.2.13.2: bit 0 says that the client can sign headers.
    pub bitmask: Option<u32>,
    /// rpc_sec_vt_pcontext — [MS-RPCE] 2.2.2.13.4: interface and transfer syntax.
    pub context: Option<(SyntaxId, SyntaxId)>,
    /// rpc_sec_vt_header2
    pub header2: Option<Header2>,
}

impl VerificationTrailer {
    /// Appends the trailer to stub data, aligned to four bytes. Nothing when it says nothing.
    pub fn append(&self, stub: &mut Vec<u8>) {
        let mut commands = Vec::new();
        if let Some(bitmask) = self.bitmask {
            commands.push((BITMASK_1, bitmask.to_le_bytes().to_vec()));
        }
        if let Some((interface, transfer)) = self.context {
            let mut w = Writer::new();
            for id in [interface, transfer] {
                w.guid(id.uuid);
                w.u16(id.major);
                w.u16(id.minor);
            }
            commands.push((PCONTEXT, w.into_bytes()));
        }
        if let Some(header) = self.header2 {
            let mut w = Writer::new();
            w.u8(header.packet_type.0);
            w.bytes(&[0; 3]);
            w.bytes(&header.drep.0);
            w.u32(header.call_id);
            w.u16(header.context_id);
            w.u16(header.opnum);
            commands.push((HEADER_2, w.into_bytes()));
        }
        let Some(last) = commands.len().checked_sub(1) else { return };
        stub.resize(stub.len().next_multiple_of(4), 0);
        stub.extend(SIGNATURE);
        for (at, (command, value)) in commands.into_iter().enumerate() {
            let command = if at == last { command | END } else { command };
            stub.extend(command.to_le_bytes());
            stub.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
            stub.extend(value);
        }
    }

    /// Reads the trailer that begins at `bytes`, with its signature; `bytes` end where it ends or later.
    ///
    /// # Errors
    /// When a length is wrong, or a command that must be processed is not known.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes, "verification_trailer");
        if r.array("signature")? != SIGNATURE {
            return Err(r.invalid("signature", 0_u8));
        }
        let mut trailer = Self::default();
        loop {
            let command = r.u16("command")?;
            let mut value = {
                let len = r.u16("length")?;
                r.sub(usize::from(len), "command")?
            };
            match command & COMMAND {
                BITMASK_1 => trailer.bitmask = Some(value.u32("rpc_sec_vt_bitmask")?),
                PCONTEXT => trailer.context = Some((syntax(&mut value)?, syntax(&mut value)?)),
                HEADER_2 => {
                    let packet_type = PacketType(value.u8("ptype")?);
                    value.bytes(3, "reserved")?;
                    trailer.header2 = Some(Header2 {
                        packet_type,
                        drep: Drep(value.array("drep")?),
                        call_id: value.u32("call_id")?,
                        context_id: value.u16("p_cont_id")?,
                        opnum: value.u16("opnum")?,
                    });
                }
                other if command & MUST_PROCESS != 0 => return Err(r.invalid("command", other)),
                // What nobody knows and nobody must process says nothing.
                _ => {}
            }
            if command & END != 0 {
                return Ok(trailer);
            }
        }
    }

    /// Takes the trailer off stub data that may have one: the last signature on a 4-byte boundary from which a trailer
    /// can be read to the end. Up to three bytes that aligned it stay: nobody can tell them from stub data.
    ///
    /// # Errors
    /// When there is a signature, and what follows it is no trailer: somebody may have cut it.
    pub fn take(stub: &mut Vec<u8>) -> Result<Option<Self>, WireError> {
        let signatures = stub
            .len()
            .checked_sub(SIGNATURE.len())
            .into_iter()
            .flat_map(|last| (0..=last).rev().filter(|at| at % 4 == 0))
            .take(MAX_LEN / 4)
            .filter(|at| stub.get(*at..).is_some_and(|rest| rest.starts_with(&SIGNATURE)));
        let mut wrong = None;
        for at in signatures {
            match Self::read(stub.get(at..).unwrap_or_default()) {
                Ok(trailer) => {
                    stub.truncate(at);
                    return Ok(Some(trailer));
                }
                // What a trailer says may hold the signature too.
                Err(error) => wrong = Some(error),
            }
        }
        wrong.map_or(Ok(None), Err)
    }

    /// Whether it agrees with the request that carried it.
    ///
    /// # Errors
    /// The part that does not: the request is to be refused ([MS-RPCE] 2.2.2.13).
    pub fn check(
        &self,
        header: &Header,
        context: (u16, SyntaxId, SyntaxId),
        opnum: u16,
    ) -> Result<(), WireError> {
        let wrong = |field, value: u64| {
            WireError::new("verification_trailer", field, 0, WireErrorKind::Invalid { value })
        };
        let (context_id, interface, transfer) = context;
        if self.context.is_some_and(|expected| expected != (interface, transfer)) {
            return Err(wrong("pcontext", u64::from(context_id)));
        }
        let seen = Header2 {
            packet_type: header.packet_type,
            drep: header.drep,
            call_id: header.call_id,
            context_id,
            opnum,
        };
        if self.header2.is_some_and(|expected| expected != seen) {
            return Err(wrong("header2", u64::from(header.call_id)));
        }
        Ok(())
    }
}

/// A trailer with commands that nobody knows is looked for this far from the end.
const MAX_LEN: usize = 1024;

fn syntax(r: &mut Reader<'_>) -> Result<SyntaxId, WireError> {
    let uuid: Guid = r.guid("syntax")?;
    Ok(SyntaxId::new(uuid, r.u16("syntax")?, r.u16("syntax")?))
}
