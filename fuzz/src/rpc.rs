//! DCE/RPC: stub data, pickles, PDUs, towers, string bindings, associations.

use core::fmt::Debug;
use core::time::Duration;
use std::sync::Arc;

use watertight_dcerpc::binding::{ProtocolSequence, StringBinding};
use watertight_dcerpc::client::{CallRequest, ClientAssociation, ClientConfig};
use watertight_dcerpc::interface::Procedure;
use watertight_dcerpc::interface::epmapper::*;
use watertight_dcerpc::interface::mgmt::*;
use watertight_dcerpc::interface::object_exporter::*;
use watertight_dcerpc::ndr::{self, ContextHandle, NdrReader, NdrWriter, Order, Syntax, SyntaxId};
use watertight_dcerpc::pdu::verification::VerificationTrailer;
use watertight_dcerpc::pdu::{Body, Pdu, fragment_len};
use watertight_dcerpc::server::{Groups, Interface, ServerAssociation, ServerConfig, ServerEvent};
use watertight_dcerpc::tower::Tower;
use watertight_dcerpc::{FaultStatus, Guid};

use crate::{Seed, choice};

/// Stub data of every operation that we declare, both ways, in both transfer syntaxes and byte orders: what was read is
/// written, and is then read as the same.
pub fn rpc_stub(data: &[u8]) {
    let Some((which, data)) = choice(data, 12) else { return };
    let Some((form, data)) = choice(data, 4) else { return };
    let syntax = if form % 2 == 0 { Syntax::Ndr } else { Syntax::Ndr64 };
    let order = if form / 2 == 0 { Order::Little } else { Order::Big };
    match which {
        0 => stub::<EptInsert>(data, syntax, order),
        1 => stub::<EptLookup>(data, syntax, order),
        2 => stub::<EptMap>(data, syntax, order),
        3 => stub::<EptLookupHandleFree>(data, syntax, order),
        4 => stub::<EptMgmtDelete>(data, syntax, order),
        5 => stub::<InqIfIds>(data, syntax, order),
        6 => stub::<InqStats>(data, syntax, order),
        7 => stub::<InqPrincName>(data, syntax, order),
        8 => stub::<ResolveOxid2>(data, syntax, order),
        9 => stub::<ComplexPing>(data, syntax, order),
        10 => stub::<ServerAlive2>(data, syntax, order),
        _ => stub::<IsServerListening>(data, syntax, order),
    }
}

/// A request, and behind it a response to it.
fn stub<P: Procedure>(data: &[u8], syntax: Syntax, order: Order)
where
    P::Request: PartialEq + Debug,
    P::Response: PartialEq + Debug,
{
    let mut r = NdrReader::new(data, syntax, order);
    let Ok(request) = P::read_request(&mut r) else { return };
    let rest = r.rest();
    let mut w = NdrWriter::new(syntax);
    P::write_request(&request, &mut w).expect("what was read is written");
    let bytes = w.into_bytes();
    let again = P::read_request(&mut NdrReader::new(&bytes, syntax, Order::Little));
    assert_eq!(again.expect("what was written is read"), request);

    let Ok(response) = P::read_response(&request, &mut NdrReader::new(rest, syntax, order)) else { return };
    let mut w = NdrWriter::new(syntax);
    P::write_response(&request, &response, &mut w).expect("what was read is written");
    let bytes = w.into_bytes();
    let again = P::read_response(&request, &mut NdrReader::new(&bytes, syntax, Order::Little));
    assert_eq!(again.expect("what was written is read"), response);
}

/// A pickle of either version.
pub fn rpc_pickle(data: &[u8]) {
    let Ok((value, version, used)) = ndr::read_pickle::<DualStringArray>(data) else { return };
    assert!(used <= data.len());
    let bytes = ndr::write_pickle(&value, version).expect("what was read is written");
    let again = ndr::read_pickle::<DualStringArray>(&bytes).expect("what was written is read");
    assert_eq!(again, (value, version, bytes.len()));
}

/// A fragment is taken apart, and put together again as one that says the same.
pub fn rpc_pdu(data: &[u8]) {
    let Ok(Some(len)) = fragment_len(data, u32::MAX) else { return };
    let Some(fragment) = data.get(..len) else { return };
    let Ok(pdu) = Pdu::read(fragment) else { return };
    let auth = pdu.auth.map(|auth| (auth.trailer, auth.token));
    // Little-endian forms are as long as the others; padding in front of a trailer may come to it.
    let Ok(bytes) = pdu.write(auth.filter(|(_, token)| !token.is_empty())) else { return };
    let again = Pdu::read(&bytes).expect("what was written is read");
    match (&pdu.body, &again.body) {
        (Body::Request(a, b, _), Body::Request(c, d, _)) => assert_eq!((a, b), (c, d)),
        (Body::Response(a, _), Body::Response(b, _)) => assert_eq!(a, b),
        (Body::Fault(a, _), Body::Fault(b, _)) => assert_eq!(a, b),
        (a, b) => assert_eq!(a, b),
    }
}

/// A tower.
pub fn rpc_tower(data: &[u8]) {
    let Ok(tower) = Tower::from_octets(data) else { return };
    let _ = (tower.interface(), tower.transfer_syntax(), tower.protocol(), tower.endpoint(), tower.host());
    let again = Tower::from_octets(&tower.to_octets()).expect("what was written is read");
    assert_eq!(again, tower);
}

/// A string binding is printed as one that says the same.
pub fn rpc_string_binding(data: &[u8]) {
    let Some(binding) = core::str::from_utf8(data).ok().and_then(|text| text.parse::<StringBinding>().ok())
    else {
        return;
    };
    let text = binding.to_string();
    let again: StringBinding = text.parse().expect("what was printed is parsed");
    assert_eq!(again, binding, "{text}");
}

/// A verification trailer is taken off; what is left is what was in front of it.
pub fn rpc_verification_trailer(data: &[u8]) {
    let mut stub = data.to_vec();
    let Ok(Some(trailer)) = VerificationTrailer::take(&mut stub) else { return };
    assert!(data.starts_with(&stub));
    let mut again = stub.clone();
    trailer.append(&mut again);
    if again.len() > stub.len() {
        let read = VerificationTrailer::take(&mut again).expect("what was written is read");
        assert_eq!(read, Some(trailer));
        assert_eq!(again, stub);
    }
}

const ECHO: SyntaxId = SyntaxId::new(Guid::new(1, 2, 3, [4; 8]), 1, 0);

/// A server's association takes anything, cut anywhere; what it sends are PDUs, and its memory is bounded.
pub fn rpc_server(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let groups = Groups::new(1);
    let mut server = ServerAssociation::new(Duration::ZERO, config(), &groups);
    for (at, piece) in data.chunks(usize::from(*cut).max(1)).enumerate() {
        server.handle_input(Duration::from_millis(u64::try_from(at).unwrap_or(0)), piece);
        while let Some(event) = server.poll_event() {
            if let ServerEvent::Call(call) = event {
                assert!(call.stub.len() <= config().max_stub);
                match call.opnum {
                    0 => server.respond(call.call_id, Ok(&call.stub)),
                    1 => server.respond(call.call_id, Err(FaultStatus::nca_s_fault_unspec)),
                    _ => {}
                }
            }
        }
        while let Some(bytes) = server.poll_transmit() {
            Pdu::read(&bytes).expect("a PDU");
        }
    }
    if let Some(deadline) = server.poll_timeout() {
        server.handle_timeout(deadline);
        assert!(server.is_closed(), "a timeout that does nothing");
    }
    if server.is_closed() {
        assert!(groups.is_empty(), "a group that outlives its association");
    }
}

/// The same for a client's.
pub fn rpc_client(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let mut client = ClientAssociation::new(ClientConfig::default(), None);
    client.bind(Duration::ZERO, &[(ECHO, &[Syntax::Ndr])]);
    for opnum in 0..2 {
        let request = CallRequest {
            context_id: 0,
            opnum,
            object: None,
            stub: vec![1, 2, 3],
            deadline: None,
            security: None,
        };
        client.call(Duration::ZERO, request);
    }
    for piece in data.chunks(usize::from(*cut).max(1)) {
        client.handle_input(Duration::ZERO, piece);
        while let Some(bytes) = client.poll_transmit() {
            Pdu::read(&bytes).expect("a PDU");
        }
        while client.poll_event().is_some() {}
    }
    client.handle_eof();
    while client.poll_event().is_some() {}
    assert!(client.is_closed() && client.poll_timeout().is_none());
}

fn config() -> ServerConfig {
    let mut config = ServerConfig::new([Interface::open(ECHO)]);
    config.max_stub = 64 * 1024;
    config
}

pub fn stub_seeds() -> Vec<Seed> {
    let tower = Tower::new(ECHO, Syntax::Ndr, ProtocolSequence::NcacnIpTcp, Some("135"), Some("127.0.0.1"));
    let tower = Some(Arc::new(TowerOctets::from(&tower)));
    let entry = EptEntry { object: Guid::NIL, tower: tower.clone(), annotation: b"text".to_vec() };
    let mut seeds = Vec::new();
    for (form, syntax) in [(0, Syntax::Ndr), (1, Syntax::Ndr64)] {
        let mut add = |which: u8, name: &str, w: NdrWriter| {
            let bytes = [&[which, form], w.as_slice()].concat();
            seeds.push((format!("{name}-{form}"), bytes));
        };
        let mut w = NdrWriter::new(syntax);
        let request = EptInsertRequest { num_ents: 1, entries: vec![entry.clone()], replace: 0 };
        EptInsert::write_request(&request, &mut w).expect("a seed");
        add(0, "insert", w);
        let mut w = NdrWriter::new(syntax);
        let request = EptMapRequest {
            object: Some(Arc::new(ECHO.uuid)),
            map_tower: tower.clone(),
            entry_handle: ContextHandle::NULL,
            max_towers: 4,
        };
        EptMap::write_request(&request, &mut w).expect("a seed");
        add(2, "map", w);
        let mut w = NdrWriter::new(syntax);
        let response = InqIfIdsResponse {
            if_id_vector: Some([ECHO, SyntaxId::NDR].into_iter().collect()),
            result: FaultStatus::rpc_s_ok,
        };
        InqIfIds::write_response(&InqIfIdsRequest {}, &response, &mut w).expect("a seed");
        add(5, "if_ids", w);
        let mut w = NdrWriter::new(syntax);
        let request = ComplexPingRequest {
            set_id: 1,
            sequence_num: 2,
            add_count: 2,
            del_count: 0,
            add_to_set: Some(vec![1, 2]),
            del_from_set: None,
        };
        ComplexPing::write_request(&request, &mut w).expect("a seed");
        add(9, "ping", w);
        let mut w = NdrWriter::new(syntax);
        let response = ServerAlive2Response {
            com_version: ComVersion { major_version: 5, minor_version: 7 },
            resolver_bindings: Some(bindings()),
            reserved: 0,
            result: FaultStatus::rpc_s_ok,
        };
        ServerAlive2::write_response(&ServerAlive2Request {}, &response, &mut w).expect("a seed");
        add(10, "alive", w);
    }
    seeds
}

fn bindings() -> DualStringArray {
    DualStringArray { num_entries: 5, security_offset: 4, string_array: vec![7, 104, 0, 0, 0] }
}

pub fn pickle_seeds() -> Vec<Seed> {
    let versions = [
        ("one", ndr::PickleVersion::One),
        ("two", ndr::PickleVersion::Two(Syntax::Ndr, ECHO)),
        ("two64", ndr::PickleVersion::Two(Syntax::Ndr64, ECHO)),
    ];
    let pickle = |(name, version): (&str, _)| {
        (name.to_owned(), ndr::write_pickle(&bindings(), version).expect("a seed"))
    };
    versions.into_iter().map(pickle).collect()
}

/// What a client and a server say to each other.
fn conversation() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut client = ClientAssociation::new(ClientConfig::default(), None);
    let mut server = ServerAssociation::new(Duration::ZERO, config(), &Groups::new(1));
    client.bind(Duration::ZERO, &[(ECHO, &[Syntax::Ndr])]);
    for opnum in 0..2 {
        let stub = vec![7; 6000];
        let request = CallRequest {
            context_id: 0,
            opnum,
            object: Some(ECHO.uuid),
            stub,
            deadline: None,
            security: None,
        };
        let id = client.call(Duration::ZERO, request);
        client.cancel(id);
    }
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    loop {
        let before = (requests.len(), replies.len());
        while let Some(bytes) = client.poll_transmit() {
            server.handle_input(Duration::ZERO, &bytes);
            requests.push(bytes);
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::Call(call) = event {
                let answer =
                    if call.opnum == 0 { Ok(call.stub.as_slice()) } else { Err(FaultStatus::nca_s_unk_if) };
                server.respond(call.call_id, answer);
            }
        }
        while let Some(bytes) = server.poll_transmit() {
            client.handle_input(Duration::ZERO, &bytes);
            replies.push(bytes);
        }
        if before == (requests.len(), replies.len()) {
            return (requests, replies);
        }
    }
}

pub fn pdu_seeds() -> Vec<Seed> {
    let (requests, replies) = conversation();
    requests.into_iter().chain(replies).enumerate().map(|(at, bytes)| (format!("{at:02}"), bytes)).collect()
}

pub fn server_seeds() -> Vec<Seed> {
    let (requests, _) = conversation();
    [7_u8, 255].map(|cut| (format!("cut{cut}"), [&[cut], requests.concat().as_slice()].concat())).to_vec()
}

pub fn client_seeds() -> Vec<Seed> {
    let (_, replies) = conversation();
    [7_u8, 255].map(|cut| (format!("cut{cut}"), [&[cut], replies.concat().as_slice()].concat())).to_vec()
}

pub fn tower_seeds() -> Vec<Seed> {
    let seed = |protocol: ProtocolSequence, endpoint, host| {
        let tower = Tower::new(ECHO, Syntax::Ndr, protocol, Some(endpoint), host);
        (protocol.to_string(), tower.to_octets())
    };
    vec![
        seed(ProtocolSequence::NcacnIpTcp, "135", Some("127.0.0.1")),
        seed(ProtocolSequence::NcacnNp, "\\pipe\\epmapper", Some("HOST")),
        seed(ProtocolSequence::Ncalrpc, "epmapper", None),
    ]
}

pub fn binding_seeds() -> Vec<Seed> {
    [
        ("tcp", "ncacn_ip_tcp:host[135,ntlm,seal]"),
        ("object", "12345678-1234-abcd-ef00-0123456789ab@ncacn_http:h[593,RpcProxy=p\\:443]"),
        ("pipe", "ncacn_np:\\\\host[\\pipe\\epmapper]"),
    ]
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .to_vec()
}

pub fn trailer_seeds() -> Vec<Seed> {
    let trailer =
        VerificationTrailer { bitmask: Some(1), context: Some((ECHO, SyntaxId::NDR)), header2: None };
    let mut stub = vec![1, 2, 3, 4];
    trailer.append(&mut stub);
    vec![("trailer".to_owned(), stub)]
}
