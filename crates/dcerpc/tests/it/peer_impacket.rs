//! impacket decodes what we write, in NDR and in NDR64, and we read what it then writes as the same value (it numbers
//! referents at random).

mod activation;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use watertight_dcerpc::binding::ProtocolSequence;
use watertight_dcerpc::interface::epmapper::*;
use watertight_dcerpc::interface::mgmt::*;
use watertight_dcerpc::interface::object_exporter::*;
use watertight_dcerpc::interface::{Procedure, request_stub};
use watertight_dcerpc::ndr::{ContextHandle, NdrReader, NdrWriter, Order, Syntax, SyntaxId};
use watertight_dcerpc::tower::Tower;
use watertight_dcerpc::{FaultStatus, Guid};

/// The Python that `cargo xtask test` gives impacket to.
fn python() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/bin/python")
}

/// A Python that has impacket loaded.
struct Impacket {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Impacket {
    fn new() -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/peer_impacket.py");
        let mut child =
            Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    /// What impacket writes after it has read `bytes`.
    fn through(&mut self, module: &str, class: &str, syntax: Syntax, bytes: &[u8]) -> Vec<u8> {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let ndr64 = syntax == Syntax::Ndr64;
        writeln!(
            self.input,
            "{{\"module\":\"{module}\",\"class\":\"{class}\",\"ndr64\":{ndr64},\"hex\":\"{hex}\"}}"
        )
        .unwrap();
        let mut text = String::new();
        self.output.read_line(&mut text).unwrap();
        let hex = text.split("\"hex\": \"").nth(1).expect(class).split('"').next().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn both<P: Procedure>(
        &mut self,
        module: &str,
        classes: (&str, &str),
        request: &P::Request,
        response: &P::Response,
    ) where
        P::Request: PartialEq + core::fmt::Debug,
        P::Response: PartialEq + core::fmt::Debug,
    {
        for syntax in [Syntax::Ndr, Syntax::Ndr64] {
            self.one::<P>(syntax, module, classes, request, response);
        }
    }

    fn one<P: Procedure>(
        &mut self,
        syntax: Syntax,
        module: &str,
        classes: (&str, &str),
        request: &P::Request,
        response: &P::Response,
    ) where
        P::Request: PartialEq + core::fmt::Debug,
        P::Response: PartialEq + core::fmt::Debug,
    {
        let bytes = request_stub::<P>(request, syntax).unwrap();
        let theirs = self.through(module, classes.0, syntax, &bytes);
        let read = P::read_request(&mut NdrReader::new(&theirs, syntax, Order::Little)).unwrap();
        assert_eq!(read, *request, "{} {syntax:?}", classes.0);

        let mut w = NdrWriter::new(syntax);
        P::write_response(request, response, &mut w).unwrap();
        let theirs = self.through(module, classes.1, syntax, w.as_slice());
        let read = P::read_response(request, &mut NdrReader::new(&theirs, syntax, Order::Little)).unwrap();
        assert_eq!(read, *response, "{} {syntax:?}", classes.1);
    }
}

impl Drop for Impacket {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const SAMR: SyntaxId =
    SyntaxId::new(Guid::new(0x1234_5778, 0x1234, 0xabcd, [0xef, 0, 1, 0x23, 0x45, 0x67, 0x89, 0xac]), 1, 0);
const OK: FaultStatus = FaultStatus::rpc_s_ok;

fn tower(endpoint: &str) -> Option<Arc<TowerOctets>> {
    let tower =
        Tower::new(SAMR, Syntax::Ndr, ProtocolSequence::NcacnIpTcp, Some(endpoint), Some("127.0.0.1"));
    Some(Arc::new(TowerOctets::from(&tower)))
}

#[test]
fn epmapper() {
    let mut impacket = Impacket::new();
    let handle = ContextHandle { attributes: 0, uuid: SAMR.uuid };
    impacket.both::<EptMap>(
        "epm",
        ("ept_map", "ept_mapResponse"),
        &EptMapRequest {
            object: Some(Arc::new(SAMR.uuid)),
            map_tower: tower("0"),
            entry_handle: ContextHandle::NULL,
            max_towers: 4,
        },
        &EptMapResponse {
            entry_handle: handle,
            num_towers: 2,
            towers: vec![tower("49152"), tower("49153")],
            result: OK,
        },
    );
    let entry = |text: &str| EptEntry { object: SAMR.uuid, tower: tower("1"), annotation: text.into() };
    impacket.both::<EptLookup>(
        "epm",
        ("ept_lookup", "ept_lookupResponse"),
        &EptLookupRequest {
            inquiry_type: InquiryType::rpc_c_ep_all_elts,
            object: None,
            interface_id: Some(Arc::new(SAMR.into())),
            vers_option: VersionOption::rpc_c_vers_all,
            entry_handle: handle,
            max_ents: 500,
        },
        &EptLookupResponse {
            entry_handle: ContextHandle::NULL,
            num_ents: 3,
            entries: vec![entry("a"), entry(""), entry("longer")],
            result: FaultStatus::ept_s_not_registered,
        },
    );
}

#[test]
fn mgmt() {
    let mut impacket = Impacket::new();
    impacket.both::<InqIfIds>(
        "mgmt",
        ("inq_if_ids", "inq_if_idsResponse"),
        &InqIfIdsRequest {},
        &InqIfIdsResponse {
            if_id_vector: Some([SAMR, SyntaxId::NDR, SyntaxId::NDR64].into_iter().collect()),
            result: OK,
        },
    );
    impacket.both::<InqStats>(
        "mgmt",
        ("inq_stats", "inq_statsResponse"),
        &InqStatsRequest { count: 3 },
        &InqStatsResponse { count: 3, statistics: vec![7, 8, 9], result: OK },
    );
    impacket.both::<InqPrincName>(
        "mgmt",
        ("inq_princ_name", "inq_princ_nameResponse"),
        &InqPrincNameRequest { authn_proto: 10, princ_name_size: 5 },
        &InqPrincNameResponse { princ_name: b"host".to_vec(), result: OK },
    );
}

#[test]
fn object_exporter() {
    let mut impacket = Impacket::new();
    let bindings = DualStringArray {
        num_entries: 9,
        security_offset: 5,
        string_array: vec![7, u16::from(b'h'), u16::from(b'i'), 0, 0, 10, 0xffff, 0, 0],
    };
    impacket.both::<ResolveOxid2>(
        "dcomrt",
        ("ResolveOxid2", "ResolveOxid2Response"),
        &ResolveOxid2Request { oxid: 0x1122_3344_5566_7788, requested_protseqs: 3, protseqs: vec![7, 8, 9] },
        &ResolveOxid2Response {
            oxid_bindings: Some(bindings.clone()),
            ipid_rem_unknown: SAMR.uuid,
            authn_hint: 6,
            com_version: ComVersion { major_version: 5, minor_version: 7 },
            result: OK,
        },
    );
    impacket.both::<ComplexPing>(
        "dcomrt",
        ("ComplexPing", "ComplexPingResponse"),
        &ComplexPingRequest {
            set_id: 1,
            sequence_num: 2,
            add_count: 2,
            del_count: 0,
            add_to_set: Some(vec![0xaa, 0xbb]),
            del_from_set: None,
        },
        &ComplexPingResponse { set_id: 9, ping_backoff_factor: 1, result: OK },
    );
    // impacket takes pReserved for a pointer, which shows in NDR64.
    impacket.one::<ServerAlive2>(
        Syntax::Ndr,
        "dcomrt",
        ("ServerAlive2", "ServerAlive2Response"),
        &ServerAlive2Request {},
        &ServerAlive2Response {
            com_version: ComVersion { major_version: 5, minor_version: 7 },
            resolver_bindings: Some(bindings),
            reserved: 0,
            result: OK,
        },
    );
}
