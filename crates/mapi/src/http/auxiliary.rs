//! Auxiliary buffers — [MS-OXCRPC] 2.2.2.2: blocks of information that either side may ignore.
//!
//! An auxiliary buffer is one RPC_HEADER_EXT payload ([`ext`](super::ext)) of blocks; those that are not known are
//! kept as bytes.

use watertight_wire::{Reader, Wire, WireError, Writer, wire_enum};

use super::ext::{self, Limits, Wrap};

/// The greatest size of an auxiliary buffer in a request, its RPC_HEADER_EXT included — [MS-OXCRPC] 3.1.4.1, cbAuxIn.
pub const MAX_SIZE: usize = 0x1008;

wire_enum! {
    /// AUX_HEADER Type where the Version is [`Block::VERSION_1`] — [MS-OXCRPC] 2.2.2.2 (the ones that a server sends
    /// or a client needs; others keep their number).
    pub enum BlockType: u8 {
        /// AUX_PERF_REQUESTID.
        PerfRequestId = 0x01,
        /// AUX_PERF_CLIENTINFO.
        PerfClientInfo = 0x02,
        /// AUX_PERF_SESSIONINFO.
        PerfSessionInfo = 0x04,
        /// AUX_CLIENT_CONTROL.
        ClientControl = 0x0A,
        /// AUX_PERF_PROCESSINFO.
        PerfProcessInfo = 0x0B,
        /// AUX_OSVERSIONINFO.
        OsVersionInfo = 0x16,
        /// AUX_EXORGINFO.
        ExOrgInfo = 0x17,
        /// AUX_PERF_ACCOUNTINFO.
        PerfAccountInfo = 0x18,
        /// AUX_SERVER_CAPABILITIES.
        ServerCapabilities = 0x46,
        /// AUX_ENDPOINT_CAPABILITIES.
        EndpointCapabilities = 0x48,
        /// AUX_CLIENT_CONNECTION_INFO.
        ClientConnectionInfo = 0x4A,
        /// AUX_SERVER_SESSION_INFO.
        ServerSessionInfo = 0x4B,
        /// AUX_PROTOCOL_DEVICE_IDENTIFICATION.
        ProtocolDeviceIdentification = 0x4E,
    }
}

/// AUX_HEADER and the block after it — [MS-OXCRPC] 2.2.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Version: with the type, says what the block is.
    pub version: u8,
    /// Type.
    pub ty: BlockType,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Block {
    /// AUX_VERSION_1.
    pub const VERSION_1: u8 = 1;
    /// AUX_VERSION_2.
    pub const VERSION_2: u8 = 2;
    const HEADER: usize = 4;

    /// AUX_EXORGINFO — [MS-OXCRPC] 2.2.2.2.17: whether the organisation has public folders.
    #[must_use]
    pub fn organisation(public_folders: bool) -> Self {
        let flags = u32::from(public_folders);
        Self { version: Self::VERSION_1, ty: BlockType::ExOrgInfo, body: flags.to_le_bytes().to_vec() }
    }

    /// AUX_ENDPOINT_CAPABILITIES — [MS-OXCRPC] 2.2.2.2.20, ENDPOINT_CAPABILITIES_SINGLE_ENDPOINT: ROPs, notifications
    /// and everything else come to one endpoint.
    #[must_use]
    pub fn single_endpoint() -> Self {
        let flags = 1_u32;
        Self {
            version: Self::VERSION_1,
            ty: BlockType::EndpointCapabilities,
            body: flags.to_le_bytes().to_vec(),
        }
    }
}

impl Wire for Block {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("AUX_HEADER", |r| {
            let size = r.u16("Size")?;
            let Some(body) = usize::from(size).checked_sub(Self::HEADER) else {
                return Err(r.invalid("Size", size));
            };
            Ok(Self {
                version: r.u8("Version")?,
                ty: BlockType(r.u8("Type")?),
                body: r.bytes(body, "(block)")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.len16(self.body.len().saturating_add(Self::HEADER), "Size")?;
        w.u8(self.version);
        w.u8(self.ty.0);
        w.bytes(&self.body);
        Ok(())
    }
}

/// Reads the blocks of an AuxiliaryBuffer field, RPC_HEADER_EXT included; an empty field has none.
///
/// # Errors
/// [`WireError`] when the header, the compression or a block's length is wrong.
pub fn read(field: &[u8]) -> Result<Vec<Block>, WireError> {
    if field.is_empty() {
        return Ok(Vec::new());
    }
    let mut blocks = Vec::new();
    for payload in ext::unwrap(field, Limits { payloads: 1, ..Limits::default() })? {
        let mut r = Reader::new(&payload.bytes, "AUX_HEADER");
        while !r.is_empty() {
            blocks.push(Block::read(&mut r)?);
        }
    }
    Ok(blocks)
}

/// Writes blocks as an AuxiliaryBuffer field, RPC_HEADER_EXT included, neither compressed nor obfuscated; no
/// blocks give an empty field.
///
/// # Errors
/// [`WireError`] when they do not fit.
pub fn write(blocks: &[Block]) -> Result<Vec<u8>, WireError> {
    if blocks.is_empty() {
        return Ok(Vec::new());
    }
    let mut w = Writer::new();
    for block in blocks {
        block.write(&mut w)?;
    }
    ext::wrap(w.as_slice(), Wrap { last: true, ..Wrap::default() })
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate::survive;

    use super::*;

    /// Of the capture `grommunio-3.10-more` 0001, Connect.
    const SAMPLE: &[u8] = &[
        0, 0, 4, 0, 0x1c, 0, 0x1c, 0, 8, 0, 1, 0x17, 3, 0, 0, 0, 0x0c, 0, 1, 0x0a, 0x0c, 0, 0, 0, 0, 0x84,
        0x0c, 0x24, 8, 0, 1, 0x48, 1, 0, 0, 0,
    ];

    #[test]
    fn blocks_of_a_real_server_come_back_the_same() {
        let blocks = read(SAMPLE).unwrap();
        let types: Vec<_> = blocks.iter().map(|b| b.ty).collect();
        assert_eq!(types, [BlockType::ExOrgInfo, BlockType::ClientControl, BlockType::EndpointCapabilities]);
        assert_eq!(blocks.last(), Some(&Block::single_endpoint()));
        assert_eq!(write(&blocks).unwrap(), SAMPLE);
    }

    #[test]
    fn wrong_blocks_are_errors() {
        survive(SAMPLE, |bytes| drop(read(bytes)));
        assert_eq!(read(&[]).unwrap(), []);
        // A block that is shorter than its own header.
        let err = read(&[0, 0, 4, 0, 4, 0, 4, 0, 3, 0, 1, 1]).unwrap_err();
        assert_eq!(err.field, "Size");
    }
}
