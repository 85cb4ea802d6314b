//! Protocol towers — C706 appendices I and L: what an endpoint mapper's entries say about where an interface is.

use core::net::Ipv4Addr;

use watertight_wire::{Guid, Reader, WireError, WireErrorKind, Writer, wire_enum};

use crate::binding::ProtocolSequence;
use crate::ndr::{Syntax, SyntaxId};

/// The most floors that are read: C706 has five or six.
const MAX_FLOORS: usize = 16;

wire_enum! {
    /// Protocol identifiers — C706 appendix I, [MS-RPCE] 2.1.
    pub enum ProtocolId: u8 {
        /// DOD TCP: the port follows, big-endian.
        tcp = 0x07,
        /// DOD UDP: the port follows, big-endian.
        udp = 0x08,
        /// DOD IP: the address follows, big-endian.
        ip = 0x09,
        /// Connectionless RPC.
        ncadg = 0x0a,
        /// Connection-oriented RPC.
        ncacn = 0x0b,
        /// Local RPC.
        ncalrpc = 0x0c,
        /// A UUID and its version.
        uuid = 0x0d,
        /// Named pipe over SMB.
        smb = 0x0f,
        /// Name of a local endpoint.
        named_pipe = 0x10,
        /// NetBIOS host name.
        netbios = 0x11,
        /// RPC over HTTP: the port follows, big-endian.
        http = 0x1f,
        /// Path of a Unix socket.
        unix = 0x20,
    }
}

/// One floor: the protocol and its data on the left, an address on the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// What the left side begins with.
    pub protocol: ProtocolId,
    /// The rest of the left side.
    pub data: Vec<u8>,
    /// The right side.
    pub address: Vec<u8>,
}

impl Floor {
    fn new(protocol: ProtocolId, address: &[u8]) -> Self {
        Self { protocol, data: Vec::new(), address: address.to_vec() }
    }

    /// A floor that names an interface or a transfer syntax.
    fn syntax(id: SyntaxId) -> Self {
        let mut data = id.uuid.to_bytes().to_vec();
        data.extend(id.major.to_le_bytes());
        Self { protocol: ProtocolId::uuid, data, address: id.minor.to_le_bytes().to_vec() }
    }

    /// The interface or transfer syntax that it names.
    #[must_use]
    pub fn to_syntax(&self) -> Option<SyntaxId> {
        let (uuid, major) = self.data.split_first_chunk::<16>()?;
        let major = u16::from_le_bytes(*major.first_chunk()?);
        // The minor version is there in full, or not at all.
        let minor = self.address.first_chunk().map_or(0, |minor| u16::from_le_bytes(*minor));
        (self.protocol == ProtocolId::uuid).then_some(SyntaxId::new(Guid::from_bytes(*uuid), major, minor))
    }

    fn port(&self) -> Option<u16> {
        self.address.first_chunk().map(|port| u16::from_be_bytes(*port))
    }

    fn text(&self) -> Option<String> {
        let text = self.address.split(|b| *b == 0).next()?;
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}

/// A tower: interface, transfer syntax, RPC protocol, endpoint, host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tower {
    /// From the interface down to the host.
    pub floors: Vec<Floor>,
}

impl Tower {
    /// The tower of an interface over a protocol sequence; no endpoint and no host where a client asks for them.
    ///
    /// Hosts are IPv4 addresses in TCP towers and names in others; a name over TCP becomes 0.0.0.0, which stands for the
    /// address that was asked.
    #[must_use]
    pub fn new(
        interface: SyntaxId,
        transfer: Syntax,
        protocol: ProtocolSequence,
        endpoint: Option<&str>,
        host: Option<&str>,
    ) -> Self {
        let mut floors = vec![Floor::syntax(interface), Floor::syntax(transfer.id())];
        let text = |text: Option<&str>| {
            let mut bytes = text.unwrap_or_default().as_bytes().to_vec();
            bytes.push(0);
            bytes
        };
        let port = endpoint.and_then(|e| e.parse::<u16>().ok()).unwrap_or(0).to_be_bytes();
        let ip = host.and_then(|h| h.parse().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
        let connection = Floor::new(ProtocolId::ncacn, &[0, 0]);
        floors.extend(match protocol {
            ProtocolSequence::NcacnIpTcp => {
                vec![connection, Floor::new(ProtocolId::tcp, &port), Floor::new(ProtocolId::ip, &ip)]
            }
            ProtocolSequence::NcacnHttp => {
                vec![connection, Floor::new(ProtocolId::http, &port), Floor::new(ProtocolId::ip, &ip)]
            }
            ProtocolSequence::NcacnNp => vec![
                connection,
                Floor::new(ProtocolId::smb, &text(endpoint)),
                Floor::new(ProtocolId::netbios, &text(host)),
            ],
            ProtocolSequence::NcadgIpUdp => vec![
                Floor::new(ProtocolId::ncadg, &[0, 0]),
                Floor::new(ProtocolId::udp, &port),
                Floor::new(ProtocolId::ip, &ip),
            ],
            ProtocolSequence::Ncalrpc => vec![
                Floor::new(ProtocolId::ncalrpc, &[0, 0]),
                Floor::new(ProtocolId::named_pipe, &text(endpoint)),
            ],
        });
        Self { floors }
    }

    /// The interface: the first floor.
    #[must_use]
    pub fn interface(&self) -> Option<SyntaxId> {
        self.floors.first()?.to_syntax()
    }

    /// The transfer syntax: the second floor.
    #[must_use]
    pub fn transfer_syntax(&self) -> Option<SyntaxId> {
        self.floors.get(1)?.to_syntax()
    }

    /// The protocol sequence of the floors below.
    #[must_use]
    pub fn protocol(&self) -> Option<ProtocolSequence> {
        let [rpc, transport, ..] = self.floors.get(2..)? else { return None };
        Some(match (rpc.protocol, transport.protocol) {
            (ProtocolId::ncacn, ProtocolId::tcp) => ProtocolSequence::NcacnIpTcp,
            (ProtocolId::ncacn, ProtocolId::smb) => ProtocolSequence::NcacnNp,
            (ProtocolId::ncacn, ProtocolId::http) => ProtocolSequence::NcacnHttp,
            (ProtocolId::ncadg, ProtocolId::udp) => ProtocolSequence::NcadgIpUdp,
            (ProtocolId::ncalrpc, _) => ProtocolSequence::Ncalrpc,
            _ => return None,
        })
    }

    /// The endpoint: a port, a pipe or a name. None where it is zero or empty.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        let floor = self.floors.get(3)?;
        match floor.protocol {
            ProtocolId::tcp | ProtocolId::udp | ProtocolId::http => {
                floor.port().filter(|port| *port != 0).map(|port| port.to_string())
            }
            _ => floor.text(),
        }
    }

    /// The host: an address or a name. None where it is zero or empty.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let floor = self.floors.get(4)?;
        if floor.protocol != ProtocolId::ip {
            return floor.text();
        }
        let ip = Ipv4Addr::from(*floor.address.first_chunk::<4>()?);
        (!ip.is_unspecified()).then(|| ip.to_string())
    }

    /// tower_octet_string — C706 appendix L.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(u16::try_from(self.floors.len()).unwrap_or(u16::MAX));
        for floor in &self.floors {
            w.u16(u16::try_from(floor.data.len().saturating_add(1)).unwrap_or(u16::MAX));
            w.u8(floor.protocol.0);
            w.bytes(&floor.data);
            w.u16(u16::try_from(floor.address.len()).unwrap_or(u16::MAX));
            w.bytes(&floor.address);
        }
        w.into_bytes()
    }

    /// The tower of a tower_octet_string.
    ///
    /// # Errors
    /// When it is cut off, has no left side somewhere, or more floors than there are protocols.
    pub fn from_octets(octets: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(octets, "tower");
        let count = usize::from(r.u16("floor_count")?);
        if count > MAX_FLOORS {
            return Err(r.error("floor_count", WireErrorKind::TooLarge { len: count, max: MAX_FLOORS }));
        }
        let mut floors = Vec::with_capacity(count);
        for _ in 0..count {
            let Some((protocol, data)) = r.bytes16("lhs")?.split_first() else {
                return Err(r.invalid("lhs_count", 0_u8));
            };
            let address = r.bytes16("rhs")?.to_vec();
            floors.push(Floor { protocol: ProtocolId(*protocol), data: data.to_vec(), address });
        }
        Ok(Self { floors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::epmapper::EpmapperClient;
    use watertight_testkit::mutate;

    #[test]
    fn a_tower_of_every_protocol_is_read_as_written() {
        for (protocol, endpoint, host) in [
            (ProtocolSequence::NcacnIpTcp, "135", Some("127.0.0.1")),
            (ProtocolSequence::NcacnHttp, "593", Some("10.1.2.3")),
            (ProtocolSequence::NcacnNp, "\\pipe\\epmapper", Some("\\\\HOST")),
            (ProtocolSequence::NcadgIpUdp, "135", Some("127.0.0.1")),
            (ProtocolSequence::Ncalrpc, "epmapper", None),
        ] {
            let tower = Tower::new(EpmapperClient::<()>::ID, Syntax::Ndr, protocol, Some(endpoint), host);
            let octets = tower.to_octets();
            let read = Tower::from_octets(&octets).unwrap();
            assert_eq!(read, tower);
            assert_eq!(read.interface(), Some(EpmapperClient::<()>::ID));
            assert_eq!(read.transfer_syntax(), Some(SyntaxId::NDR));
            assert_eq!(read.protocol(), Some(protocol));
            assert_eq!(read.endpoint().as_deref(), Some(endpoint));
            assert_eq!(read.host().as_deref(), host);
            mutate::survive(&octets, |bytes| {
                if let Ok(tower) = Tower::from_octets(bytes) {
                    let _ = (tower.interface(), tower.protocol(), tower.endpoint(), tower.host());
                }
            });
        }
    }
}
