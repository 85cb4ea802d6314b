use core::fmt;

use watertight_wire::{FileTime, Reader, Wire, WireError, WireErrorKind, Writer, wire_enum};

wire_enum! {
    /// AvId — [MS-NLMP] 2.2.2.1
    pub enum AvId: u16 {
        /// MsvAvEOL
        EOL = 0,
        /// MsvAvNbComputerName
        NB_COMPUTER_NAME = 1,
        /// MsvAvNbDomainName
        NB_DOMAIN_NAME = 2,
        /// MsvAvDnsComputerName
        DNS_COMPUTER_NAME = 3,
        /// MsvAvDnsDomainName
        DNS_DOMAIN_NAME = 4,
        /// MsvAvDnsTreeName
        DNS_TREE_NAME = 5,
        /// MsvAvFlags
        FLAGS = 6,
        /// MsvAvTimestamp
        TIMESTAMP = 7,
        /// MsvAvSingleHost
        SINGLE_HOST = 8,
        /// MsvAvTargetName
        TARGET_NAME = 9,
        /// MsvChannelBindings
        CHANNEL_BINDINGS = 10,
    }
}

/// MsvAvFlags: the AUTHENTICATE_MESSAGE has a MIC.
pub(crate) const FLAG_MIC: u32 = 0x2;

/// AV_PAIR — [MS-NLMP] 2.2.2.1
#[derive(Clone, PartialEq, Eq)]
pub struct AvPair {
    /// AvId
    pub id: AvId,
    /// Value
    pub value: Vec<u8>,
}

/// A list of AV_PAIRs, without the MsvAvEOL that ends it on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetInfo(pub Vec<AvPair>);

/// More pairs than this are refused; there are eleven kinds.
const PAIRS_AT_MOST: usize = 64;

impl TargetInfo {
    /// The value of the first pair of this kind.
    #[must_use]
    pub fn value(&self, id: AvId) -> Option<&[u8]> {
        self.0.iter().find(|pair| pair.id == id).map(|pair| pair.value.as_slice())
    }

    /// MsvAvTimestamp
    #[must_use]
    pub fn timestamp(&self) -> Option<FileTime> {
        self.value(AvId::TIMESTAMP)?.try_into().ok().map(|bytes| FileTime(u64::from_le_bytes(bytes)))
    }

    /// MsvAvFlags; 0 when there are none.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.value(AvId::FLAGS).and_then(|v| v.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    /// MsvChannelBindings
    #[must_use]
    pub fn channel_bindings(&self) -> Option<[u8; 16]> {
        self.value(AvId::CHANNEL_BINDINGS)?.try_into().ok()
    }

    /// A name, where it is there.
    #[must_use]
    pub fn name(&self, id: AvId) -> Option<String> {
        self.value(id).map(Reader::decode_utf16le)
    }

    /// Replaces the pairs of this kind by one.
    pub fn set(&mut self, id: AvId, value: impl Into<Vec<u8>>) {
        self.0.retain(|pair| pair.id != id);
        self.0.push(AvPair { id, value: value.into() });
    }

    /// The same with a text in UTF-16LE.
    pub fn set_name(&mut self, id: AvId, name: &str) {
        let mut w = Writer::new();
        w.utf16(name);
        self.set(id, w.into_bytes());
    }

    /// Reads up to MsvAvEOL, and leaves what follows it.
    pub(crate) fn read_list(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("AV_PAIR", |r| {
            let mut pairs = Vec::new();
            loop {
                let id = AvId(r.u16("AvId")?);
                let value = r.bytes16("Value")?;
                if id == AvId::EOL {
                    return Ok(Self(pairs));
                }
                if pairs.len() == PAIRS_AT_MOST {
                    return Err(
                        r.error("AvId", WireErrorKind::TooLarge { len: pairs.len(), max: PAIRS_AT_MOST })
                    );
                }
                pairs.push(AvPair { id, value: value.to_vec() });
            }
        })
    }
}

impl Wire for TargetInfo {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::read_list(r)
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        for pair in &self.0 {
            w.u16(pair.id.0);
            w.bytes16(&pair.value, "Value")?;
        }
        w.u32(0);
        Ok(())
    }
}

impl fmt::Debug for AvPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{}]", self.id, self.value.len())
    }
}
