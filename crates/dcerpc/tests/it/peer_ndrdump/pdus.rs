//! Every PDU that a client and a server of ours exchange, and a few that they do not.

use watertight_dcerpc::ndr::{Syntax, SyntaxId};
use watertight_dcerpc::pdu::auth::{AuthLevel, AuthTrailer, AuthType};
use watertight_dcerpc::pdu::verification::{Header2, VerificationTrailer};
use watertight_dcerpc::pdu::*;
use watertight_dcerpc::{FaultStatus, Guid};

use super::ndrdump;
use crate::pair::{ECHO, OTHER};

fn dump(pdu: &Pdu<'_>, auth: Option<(AuthTrailer, &[u8])>, says: &[&str]) {
    let bytes = pdu.write(auth).unwrap();
    let text = ndrdump(&["dcerpc", "ncacn_packet", "struct"], Syntax::Ndr, &bytes, None);
    for word in says {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert_eq!(Pdu::read(&bytes).unwrap().body, pdu.body);
}

#[test]
fn binds_and_their_answers() {
    let element = |context_id, abstract_syntax, transfer| ContextElement {
        context_id,
        abstract_syntax,
        transfer_syntaxes: transfer,
    };
    let bind = Bind {
        max_xmit_frag: 5840,
        max_recv_frag: 4280,
        assoc_group_id: 0x1234,
        contexts: CountedList(vec![
            element(0, ECHO, vec![SyntaxId::NDR, SyntaxId::NDR64]),
            element(7, OTHER, vec![Features::keep_connection_on_orphan.to_syntax()]),
        ]),
    };
    let trailer = AuthTrailer {
        auth_type: AuthType::ntlm,
        auth_level: AuthLevel::privacy,
        pad_length: 0,
        context_id: 79231,
    };
    let says = [
        "DCERPC_PKT_BIND (11)",
        "60a15ec5-4de8-11d7-a637-005056a20182",
        "6cb71c2c-9812-4540-0200-000000000000",
    ];
    dump(&Pdu::new(1, Body::Bind(bind.clone())), None, &says);
    dump(
        &Pdu::new(1, Body::AlterContext(bind)),
        Some((trailer, b"token")),
        &["DCERPC_PKT_ALTER (14)", "auth_length              : 0x0005"],
    );
    for endpoint in ["", "1", "12", "135", "49152", "\\pipe\\epmapper"] {
        let ack = BindAck {
            max_xmit_frag: 5840,
            max_recv_frag: 4280,
            assoc_group_id: 0x1234,
            sec_addr: PortAny(endpoint.into()),
            results: CountedList(vec![
                ContextResult::accepted(Syntax::Ndr64),
                ContextResult::rejected(ResultReason::abstract_syntax_not_supported),
                ContextResult::features(Features::security_context_multiplexing),
            ]),
        };
        let says = [
            "DCERPC_PKT_BIND_ACK (12)",
            "DCERPC_BIND_ACK_RESULT_NEGOTIATE_ACK",
            "ABSTRACT_SYNTAX_NOT_SUPPORTED",
        ];
        dump(&Pdu::new(1, Body::BindAck(ack.clone())), None, &says);
        dump(
            &Pdu::new(1, Body::AlterContextResp(ack)),
            Some((trailer, b"")),
            &["DCERPC_PKT_ALTER_RESP (15)"],
        );
    }
    let nak = BindNak {
        reason: RejectReason::protocol_version_not_supported,
        versions: CountedList(vec![Version { major: 5, minor: 0 }, Version { major: 5, minor: 1 }]),
    };
    dump(
        &Pdu::new(1, Body::BindNak(nak)),
        None,
        &["DCERPC_PKT_BIND_NAK (13)", "PROTOCOL_VERSION_NOT_SUPPORTED"],
    );
}

#[test]
fn calls_and_their_answers() {
    let head = RequestHead { alloc_hint: 5, context_id: 3, opnum: 9 };
    let object = Guid::new(1, 2, 3, [4; 8]);
    dump(&Pdu::new(7, Body::Request(head, None, b"stub!")), None, &["DCERPC_PKT_REQUEST (0)", "0x0009 (9)"]);
    let says = ["00000001-0002-0003-0404-040404040404", "1: DCERPC_PFC_FLAG_OBJECT_UUID"];
    dump(&Pdu::new(7, Body::Request(head, Some(object), b"stub!")), None, &says);
    let head = ResponseHead { alloc_hint: 5, context_id: 3, cancel_count: 1, reserved: 0 };
    dump(&Pdu::new(7, Body::Response(head, b"stub!")), None, &["DCERPC_PKT_RESPONSE (2)"]);
    let head = FaultHead::new(3, FaultStatus::nca_s_op_rng_error);
    dump(&Pdu::new(7, Body::Fault(head, b"")), None, &["DCERPC_PKT_FAULT (3)", "DCERPC_NCA_S_OP_RNG_ERROR"]);
    dump(&Pdu::new(7, Body::Cancel), None, &["DCERPC_PKT_CO_CANCEL (18)"]);
    dump(&Pdu::new(7, Body::Orphaned), None, &["DCERPC_PKT_ORPHANED (19)"]);
    dump(&Pdu::new(7, Body::Shutdown), None, &["DCERPC_PKT_SHUTDOWN (17)"]);
}

#[test]
fn a_verification_trailer() {
    let trailer = VerificationTrailer {
        bitmask: Some(1),
        context: Some((ECHO, SyntaxId::NDR)),
        header2: Some(Header2 {
            packet_type: PacketType::request,
            drep: watertight_dcerpc::ndr::Drep::LITTLE,
            call_id: 7,
            context_id: 3,
            opnum: 9,
        }),
    };
    // Behind the context handle of a call, which is the same in NDR64; what is not validated need not be written again.
    let mut bytes = vec![0; 20];
    trailer.append(&mut bytes);
    let text = ndrdump(&["epmapper", "epm_LookupHandleFree", "in"], Syntax::Ndr64, &bytes, None);
    assert!(text.contains("SEC_VT: consumed 80 bytes"), "{text}");
    for word in [
        "bitmask1                 : 0x00000001",
        "60a15ec5",
        "call_id                  : 0x00000007",
        "0x0009 (9)",
    ] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}
