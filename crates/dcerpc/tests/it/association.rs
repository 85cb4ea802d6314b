//! Calls, fragments, contexts, groups: without security.

use std::time::Duration;

use watertight_dcerpc::client::*;
use watertight_dcerpc::ndr::{Syntax, SyntaxId};
use watertight_dcerpc::pdu::*;
use watertight_dcerpc::server::{Groups, Interface, ServerAssociation, ServerConfig, ServerEvent};
use watertight_dcerpc::{FaultStatus, Guid};

use crate::pair::*;

fn numbers(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

#[test]
fn stub_data_of_any_size_comes_through_however_it_is_cut() {
    for chunk in [1, 3, 16, 1000, usize::MAX] {
        let mut pair = Pair::new();
        pair.chunk = chunk;
        let context = pair.bind();
        assert_eq!(pair.outcomes()[0].outcome, Ok(Syntax::Ndr));
        for len in [0, 1, 15, 16, 17, 5815, 5816, 5817, 20_000] {
            let stub = numbers(len);
            let call = pair.call(context, 0, &stub);
            pair.serve();
            let mut reply = pair.reply(call).unwrap();
            reply.stub.reverse();
            assert_eq!(reply.stub, stub, "{len} bytes in pieces of {chunk}");
        }
    }
}

#[test]
fn fragments_keep_to_what_was_negotiated() {
    for (ours, theirs) in [(1432, 5840), (5840, 1432), (2000, 2000), (65535, 4096)] {
        let client = ClientConfig { max_fragment: ours, ..ClientConfig::default() };
        let mut server = server_config();
        server.max_fragment = theirs;
        let mut pair = Pair::with(client, None, server);
        let context = pair.bind();
        let call = pair.call(context, 0, &numbers(30_000));
        pair.serve();
        assert_eq!(pair.reply(call).unwrap().stub.len(), 30_000);
        let max = usize::from(ours.min(theirs));
        for sent in pair.to_server.iter().chain(&pair.to_client) {
            assert!(sent.len() <= max, "{} over {max}", sent.len());
        }
        let requests: Vec<_> = pair.to_server[1..].iter().map(|bytes| Pdu::read(bytes).unwrap()).collect();
        assert!(requests.len() > 4);
        let mut left = 30_000;
        for (at, pdu) in requests.iter().enumerate() {
            assert_eq!(pdu.flags.contains(Flags::first), at == 0);
            assert_eq!(pdu.flags.contains(Flags::last), at == requests.len() - 1);
            let Body::Request(head, _, stub) = pdu.body else { panic!("{pdu:?}") };
            assert_eq!(usize::try_from(head.alloc_hint).unwrap(), left);
            left -= stub.len();
            assert!(stub.len() % 8 == 0 || left == 0);
        }
    }
}

#[test]
fn each_context_has_its_own_result() {
    let mut config = server_config();
    config.max_contexts = 2;
    let mut pair = Pair::with(ClientConfig::default(), None, config);
    let newer = SyntaxId { minor: 1, ..ECHO };
    let other_major = SyntaxId { major: 2, ..ECHO };
    pair.client.bind(
        pair.now,
        &[
            (ECHO, &[Syntax::Ndr]),
            (ECHO, &[Syntax::Ndr64]),
            (OTHER, &[Syntax::Ndr]),
            (newer, &[Syntax::Ndr]),
            (other_major, &[Syntax::Ndr]),
            (ECHO, &[Syntax::Ndr, Syntax::Ndr64]),
        ],
    );
    pair.run();
    let outcomes: Vec<_> = pair.outcomes().into_iter().map(|o| o.outcome.map_err(|e| e.reason)).collect();
    let unknown = Err(ResultReason::abstract_syntax_not_supported);
    let full = Err(ResultReason::local_limit_exceeded);
    assert_eq!(outcomes, [Ok(Syntax::Ndr), Ok(Syntax::Ndr64), unknown, unknown, unknown, full]);
    assert_eq!(
        pair.client.features(),
        Features::security_context_multiplexing | Features::keep_connection_on_orphan
    );
    // Only NDR: the other transfer syntax is refused by name.
    let mut config = server_config();
    config.syntaxes = vec![Syntax::Ndr];
    let mut pair = Pair::with(ClientConfig::default(), None, config);
    pair.client.bind(pair.now, &[(ECHO, &[Syntax::Ndr64])]);
    pair.run();
    let refusal = pair.outcomes()[0].outcome.unwrap_err();
    assert_eq!(refusal.reason, ResultReason::proposed_transfer_syntaxes_not_supported);
    let call = pair.call(0, 0, b"x");
    pair.run();
    assert!(matches!(pair.reply(call), Err(CallError::NotSent(_))));
}

#[test]
fn contexts_are_added_later_and_calls_wait_for_nobody() {
    let mut pair = Pair::new();
    let first = pair.bind();
    let added = pair.client.bind(pair.now, &[(ECHO, &[Syntax::Ndr64])]);
    let again = pair.client.bind(pair.now, &[(OTHER, &[Syntax::Ndr])]);
    assert_eq!((first, added[0], again[0]), (0, 1, 2));
    let call = pair.call(first, 0, b"abc");
    pair.serve();
    assert_eq!(pair.reply(call).unwrap().stub, b"cba");
    let call = pair.call(added[0], 0, b"abc");
    pair.serve();
    assert_eq!(pair.reply(call).unwrap().syntax, Syntax::Ndr64);
    pair.outcomes();
    assert_eq!(pair.outcomes()[0].outcome, Ok(Syntax::Ndr64));
    assert!(pair.outcomes()[0].outcome.is_err());
}

#[test]
fn calls_are_on_their_way_together_where_both_want_that() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let calls: Vec<u32> = (0..5).map(|n| pair.call(context, 0, &[n])).collect();
    pair.run();
    let mut arrived = Vec::new();
    while let Some(call) = pair.next_call() {
        arrived.push(call);
    }
    assert_eq!(arrived.len(), 5);
    // Answered in another order.
    for call in arrived.iter().rev() {
        pair.server.respond(call.call_id, Ok(&call.stub));
    }
    pair.run();
    for (n, call) in (0..5).zip(calls) {
        assert_eq!(pair.reply(call).unwrap().stub, [n]);
    }
}

#[test]
fn without_multiplexing_one_call_follows_the_other() {
    for (ours, theirs) in [(false, true), (true, false)] {
        let mut config = server_config();
        config.multiplex = theirs;
        let client = ClientConfig { multiplex: ours, ..ClientConfig::default() };
        let mut pair = Pair::with(client, None, config);
        let context = pair.bind();
        let calls: Vec<u32> = (0..3).map(|n| pair.call(context, 0, &[n])).collect();
        pair.run();
        assert_eq!(pair.server_events.iter().filter(|e| matches!(e, ServerEvent::Call(_))).count(), 1);
        pair.serve();
        for (n, call) in (0..3).zip(calls) {
            assert_eq!(pair.reply(call).unwrap().stub, [n]);
        }
    }
}

#[test]
fn faults_say_whether_the_call_was_executed() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let call = pair.call(context, 77, b"");
    pair.serve();
    let error = pair.reply(call).unwrap_err();
    assert_eq!(error, CallError::Fault { status: FaultStatus::nca_s_op_rng_error, executed: false });
    assert_eq!(error.to_string(), "refused before it was executed: nca_s_op_rng_error (0x1c010002)");
    let call = pair.call(context, 0, b"");
    pair.run();
    let arrived = pair.next_call().unwrap();
    pair.server.respond(arrived.call_id, Err(FaultStatus::nca_s_fault_context_mismatch));
    pair.run();
    let status = FaultStatus::nca_s_fault_context_mismatch;
    assert_eq!(pair.reply(call), Err(CallError::Fault { status, executed: true }));
    assert!(pair.server_closed().is_none() && pair.client_closed().is_none());
}

#[test]
fn an_object_goes_with_a_call_and_a_call_can_be_cancelled_or_given_up() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let object = Some(Guid::new(1, 2, 3, [4; 8]));
    let request = CallRequest {
        context_id: context,
        opnum: 0,
        object,
        stub: numbers(9000),
        deadline: None,
        security: None,
    };
    let call = pair.client.call(pair.now, request);
    pair.run();
    let arrived = pair.next_call().unwrap();
    assert_eq!((arrived.object, arrived.caller.object), (object, object));
    pair.client.cancel(call);
    pair.run();
    assert_eq!(pair.server_events.last(), Some(&ServerEvent::Cancelled(call)));
    pair.server.respond(call, Err(FaultStatus::nca_s_fault_cancel));
    pair.run();
    let status = FaultStatus::nca_s_fault_cancel;
    assert_eq!(pair.reply(call), Err(CallError::Fault { status, executed: true }));

    let call = pair.call(context, 0, b"x");
    pair.run();
    pair.client.abandon(pair.now, call);
    pair.run();
    assert_eq!(pair.server_events.last(), Some(&ServerEvent::Orphaned(call)));
    let sent = pair.to_client.len();
    pair.server.respond(call, Ok(b"late"));
    pair.run();
    assert_eq!(pair.to_client.len(), sent, "nothing is sent to who gave up");
    pair.server_events.clear();
    let call = pair.call(context, 0, b"next");
    pair.serve();
    assert_eq!(pair.reply(call).unwrap().stub, b"txen");
}

#[test]
fn deadlines_pass_and_the_connection_lives() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let deadline = Some(pair.now + Duration::from_secs(5));
    let request =
        CallRequest { context_id: context, opnum: 0, object: None, stub: vec![1], deadline, security: None };
    let call = pair.client.call(pair.now, request);
    pair.run();
    assert_eq!(pair.client.poll_timeout(), deadline);
    pair.now += Duration::from_secs(5);
    pair.client.handle_timeout(pair.now);
    pair.run();
    assert_eq!(pair.reply(call), Err(CallError::TimedOut));
    assert!(pair.client_closed().is_none());
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn a_server_waits_so_long_for_a_bind_a_fragment_and_a_call() {
    let config = server_config();
    let mut pair = Pair::new();
    assert_eq!(pair.server.poll_timeout(), Some(pair.now + config.bind_timeout));
    pair.server.handle_input(pair.now + Duration::from_secs(20), &[5]);
    pair.server.handle_timeout(pair.now + config.bind_timeout);
    pair.run();
    assert!(matches!(pair.server_closed(), Some(watertight_dcerpc::server::Closed::Timeout("no bind"))));

    let mut pair = Pair::new();
    pair.bind();
    assert_eq!(pair.server.poll_timeout(), config.idle_timeout.map(|idle| pair.now + idle));
    // Bytes that drip in do not move the limit.
    for _ in 0..10 {
        pair.server.handle_input(pair.now + Duration::from_secs(1), &[5]);
        pair.now += Duration::from_secs(1);
        if pair.server.poll_event().is_some() {
            break;
        }
    }
    assert!(
        pair.server.is_closed() || pair.server.poll_timeout().unwrap() <= pair.now + config.stall_timeout
    );

    let mut pair = Pair::new();
    pair.client.bind(pair.now, &[(ECHO, &[Syntax::Ndr])]);
    assert_eq!(pair.client.poll_timeout(), Some(pair.now + ClientConfig::default().bind_timeout));
    pair.client.handle_timeout(pair.now + ClientConfig::default().bind_timeout);
    while let Some(event) = pair.client.poll_event() {
        pair.client_events.push(event);
    }
    assert_eq!(pair.client_closed(), Some(&Closed::Timeout));
}

#[test]
fn a_lost_connection_ends_every_call() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let call = pair.call(context, 0, b"x");
    pair.run();
    pair.client.handle_eof();
    pair.server.handle_eof();
    pair.run();
    assert_eq!(pair.reply(call), Err(CallError::Lost(Closed::Peer)));
    assert!(pair.server_events.contains(&ServerEvent::Orphaned(call)));
    assert!(pair.groups.is_empty());
    let call = pair.call(context, 0, b"x");
    pair.run();
    assert!(matches!(pair.reply(call), Err(CallError::NotSent(_))));
}

#[test]
fn association_groups_are_joined_and_end() {
    let mut first = Pair::new();
    first.bind();
    let group = first.client.group();
    assert_eq!(first.server.group(), Some(group));
    let config = ClientConfig { group, ..ClientConfig::default() };
    let mut second = Pair::with(config.clone(), None, server_config());
    second.server = ServerAssociation::new(second.now, server_config(), &first.groups);
    second.bind();
    assert_eq!(second.client.group(), group);
    first.server.handle_eof();
    assert!(first.groups.is_alive(group));
    second.server.shutdown();
    second.run();
    assert!(!first.groups.is_alive(group));
    assert!(second.client_events.contains(&ClientEvent::ShuttingDown));

    let mut third = Pair::with(config, None, server_config());
    third.server = ServerAssociation::new(third.now, server_config(), &Groups::new(1));
    third.bind();
    assert_eq!(third.client_closed(), Some(&Closed::Refused(RejectReason::reason_not_specified)));
}

/// Raw PDUs against a server that is bound, and what it answers.
fn raw(fragments: &[Vec<u8>], config: ServerConfig) -> (Vec<FaultStatus>, bool, Pair) {
    let mut pair = Pair::with(ClientConfig::default(), None, config);
    pair.bind();
    for fragment in fragments {
        pair.server.handle_input(pair.now, fragment);
    }
    let mut faults = Vec::new();
    while let Some(bytes) = pair.server.poll_transmit() {
        for fragment in crate::pair::fragments(&bytes) {
            if let Body::Fault(head, _) = Pdu::read(&fragment).unwrap().body {
                faults.push(head.status);
            }
        }
    }
    while let Some(event) = pair.server.poll_event() {
        pair.server_events.push(event);
    }
    let closed = pair.server_closed().is_some();
    (faults, closed, pair)
}

fn request(call_id: u32, flags: Flags, context_id: u16, opnum: u16, stub: &[u8]) -> Vec<u8> {
    let head = RequestHead { alloc_hint: 0, context_id, opnum };
    Pdu { flags, ..Pdu::new(call_id, Body::Request(head, None, stub)) }.write(None).unwrap()
}

#[test]
fn what_is_wrong_gets_its_fault() {
    let (first, last) = (Flags::first, Flags::last);
    let none = Flags::default();
    let proto = FaultStatus::nca_s_proto_error;
    type Case<'a> = (&'a str, Vec<Vec<u8>>, Vec<FaultStatus>, bool);
    let cases: Vec<Case<'_>> = vec![
        (
            "no such context",
            vec![request(9, first | last, 5, 0, b"x")],
            vec![FaultStatus::nca_s_unk_if],
            false,
        ),
        (
            "no such context beside another call",
            vec![request(8, first, 0, 0, b"x"), request(9, first | last, 5, 0, b"x")],
            vec![proto],
            true,
        ),
        (
            "cancelled at its beginning",
            vec![request(9, first | Flags::pending_cancel, 0, 0, b"x")],
            vec![FaultStatus::rpc_s_no_call_active],
            true,
        ),
        ("no first", vec![request(9, last, 0, 0, b"x")], vec![proto], true),
        (
            "two firsts",
            vec![request(9, first, 0, 0, b"x"), request(9, first | last, 0, 0, b"x")],
            vec![proto],
            true,
        ),
        (
            "another opnum",
            vec![request(9, first, 0, 0, b"x"), request(9, last, 0, 1, b"x")],
            vec![proto],
            true,
        ),
        (
            "another context",
            vec![request(9, first, 0, 0, b"x"), request(9, none, 1, 0, b"x")],
            vec![proto],
            true,
        ),
        (
            "an id in use",
            vec![request(9, first | last, 0, 0, b"x"), request(9, first | last, 0, 0, b"x")],
            vec![proto],
            true,
        ),
        (
            "a response",
            vec![
                Pdu::new(
                    9,
                    Body::Response(
                        ResponseHead { alloc_hint: 0, context_id: 0, cancel_count: 0, reserved: 0 },
                        b"",
                    ),
                )
                .write(None)
                .unwrap(),
            ],
            vec![proto],
            true,
        ),
        ("auth3 without token", vec![Pdu::new(9, Body::Auth3).write(None).unwrap()], vec![proto], true),
        ("cancel of nothing", vec![Pdu::new(9, Body::Cancel).write(None).unwrap()], vec![], false),
        ("orphaned nothing", vec![Pdu::new(9, Body::Orphaned).write(None).unwrap()], vec![], false),
    ];
    for (name, fragments, expected, end) in cases {
        let (faults, closed, _) = raw(&fragments, server_config());
        assert_eq!((faults, closed), (expected, end), "{name}");
    }
}

#[test]
fn limits_are_kept() {
    let mut config = server_config();
    config.max_stub = 1000;
    let big = vec![0; 900];
    let (faults, closed, _) =
        raw(&[request(9, Flags::first, 0, 0, &big), request(9, Flags::last, 0, 0, &big)], config.clone());
    assert_eq!((faults, closed), (vec![FaultStatus::access_denied], true));
    let head = RequestHead { alloc_hint: u32::MAX, context_id: 0, opnum: 0 };
    let lies =
        Pdu { flags: Flags::first, ..Pdu::new(9, Body::Request(head, None, b"x")) }.write(None).unwrap();
    let (faults, closed, _) = raw(&[lies], config);
    assert_eq!((faults, closed), (vec![FaultStatus::access_denied], true));

    let mut config = server_config();
    config.max_calls = 3;
    let calls: Vec<_> = (10..15).map(|id| request(id, Flags::first | Flags::last, 0, 0, b"x")).collect();
    let (faults, closed, _) = raw(&calls, config);
    assert_eq!((faults, closed), (vec![FaultStatus::nca_s_server_too_busy; 2], false));

    // A flood of calls that begin and do not end: without stub data, and with.
    let mut config = server_config();
    config.max_calls = 3;
    let begun: Vec<_> = (10..20).map(|id| request(id, Flags::first, 0, 0, b"")).collect();
    let (faults, closed, _) = raw(&begun, config);
    assert_eq!((faults, closed), (vec![FaultStatus::nca_s_server_too_busy], true));
    let mut config = server_config();
    config.max_incomplete = 10_000;
    let begun: Vec<_> = (10..40).map(|id| request(id, Flags::first, 0, 0, &big)).collect();
    let (faults, closed, pair) = raw(&begun, config);
    assert!(closed && faults == [FaultStatus::access_denied]);
    assert!(pair.groups.is_empty());
}

#[test]
fn a_bind_that_is_wrong_is_refused() {
    let element =
        ContextElement { context_id: 0, abstract_syntax: ECHO, transfer_syntaxes: vec![SyntaxId::NDR] };
    let bind = |contexts: Vec<ContextElement>| Bind {
        max_xmit_frag: 4280,
        max_recv_frag: 4280,
        assoc_group_id: 0,
        contexts: CountedList(contexts),
    };
    let send = |bytes: &[u8]| {
        let groups = Groups::new(1);
        let mut server = ServerAssociation::new(Duration::ZERO, server_config(), &groups);
        server.handle_input(Duration::ZERO, bytes);
        let answer = server.poll_transmit();
        let closed = server.is_closed();
        drop(server);
        assert!(groups.is_empty());
        (answer.map(|bytes| format!("{:?}", Pdu::read(&bytes).unwrap().body)), closed)
    };
    let good = Pdu::new(1, Body::Bind(bind(vec![element.clone()]))).write(None).unwrap();
    assert!(send(&good).0.unwrap().starts_with("BindAck"));
    let mut version = good.clone();
    version[0] = 4;
    let (answer, closed) = send(&version);
    assert!(answer.unwrap().contains("protocol_version_not_supported") && closed);
    let empty = Pdu::new(1, Body::Bind(bind(vec![]))).write(None).unwrap();
    let (answer, closed) = send(&empty);
    assert!(answer.unwrap().contains("reason_not_specified") && closed);
    let none = ContextElement { transfer_syntaxes: vec![], ..element.clone() };
    let (answer, closed) = send(&Pdu::new(1, Body::Bind(bind(vec![none]))).write(None).unwrap());
    assert!(answer.unwrap().starts_with("BindNak") && closed);
    let first = request(1, Flags::first | Flags::last, 0, 0, b"");
    let (answer, closed) = send(&first);
    assert!(answer.unwrap().contains("nca_s_proto_error") && closed);
    let alter = Pdu::new(1, Body::AlterContext(bind(vec![element]))).write(None).unwrap();
    assert!(send(&alter).1);
    // Bytes of something else.
    let (answer, closed) = send(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n");
    assert!(answer.is_none() && closed);
}

/// A bind and a request as a big-endian client writes them; the answers are little-endian, and say so.
#[test]
fn a_big_endian_client_is_served() {
    let mut bind = vec![5, 0, 11, 3, 0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 1];
    bind.extend([0x16, 0xd0, 0x16, 0xd0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7, 1, 0]);
    bind.extend([0x60, 0xa1, 0x5e, 0xc5, 0x4d, 0xe8, 0x11, 0xd7, 0xa6, 0x37, 0, 0x50, 0x56, 0xa2, 1, 0x82]);
    bind.extend([0, 0, 0, 1]);
    bind.extend([
        0x8a, 0x88, 0x5d, 0x04, 0x1c, 0xeb, 0x11, 0xc9, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    ]);
    bind.extend([0, 0, 0, 2]);
    let mut pair = Pair::new();
    pair.server.handle_input(pair.now, &bind);
    let answer = pair.server.poll_transmit().unwrap();
    let Body::BindAck(ack) = Pdu::read(&answer).unwrap().body else { panic!("{answer:?}") };
    assert_eq!(ack.results.0, [ContextResult::accepted(Syntax::Ndr)]);
    let mut request = vec![5, 0, 0, 3, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0, 2];
    request.extend([0, 0, 0, 4, 0, 7, 0, 9, 1, 2, 3, 4]);
    pair.server.handle_input(pair.now, &request);
    pair.run();
    let call = pair.next_call().unwrap();
    assert_eq!((call.call_id, call.opnum, call.stub.as_slice()), (2, 9, &[1, 2, 3, 4][..]));
    assert_eq!(call.order, watertight_dcerpc::ndr::Order::Big);
}

/// The rules below are Windows', as the raw protocol tests of Samba's `raw_protocol.py` state them.
#[test]
fn fragments_are_negotiated_as_windows_does() {
    for (xmit, recv, both) in [
        (0xffff, 0xffff, 5840),
        (0, 0xffff, 2048),
        (0xffff, 0, 2048),
        (3199, 0xffff, 3192),
        (0xffff, 3199, 3192),
        (1432, 5840, 1432),
    ] {
        let element =
            ContextElement { context_id: 1, abstract_syntax: ECHO, transfer_syntaxes: vec![SyntaxId::NDR] };
        let bind = Bind {
            max_xmit_frag: xmit,
            max_recv_frag: recv,
            assoc_group_id: 0,
            contexts: CountedList(vec![element]),
        };
        let mut server = ServerAssociation::new(Duration::ZERO, server_config(), &Groups::new(1));
        let bytes = Pdu::new(0, Body::Bind(bind.clone())).write(None).unwrap();
        server.handle_input(Duration::ZERO, &bytes);
        // What an alter_context says about fragments and groups does not count.
        let alter = Bind { max_xmit_frag: 2000, max_recv_frag: 2000, assoc_group_id: 99, ..bind };
        let bytes = Pdu::new(1, Body::AlterContext(alter)).write(None).unwrap();
        server.handle_input(Duration::ZERO, &bytes);
        for _ in 0..2 {
            let bytes = server.poll_transmit().unwrap();
            let (Body::BindAck(ack) | Body::AlterContextResp(ack)) = Pdu::read(&bytes).unwrap().body else {
                panic!("{bytes:?}")
            };
            assert_eq!((ack.max_xmit_frag, ack.max_recv_frag, ack.assoc_group_id), (both, both, 1));
        }
    }
}

#[test]
fn flags_of_a_bind_and_features_are_taken_as_windows_takes_them() {
    let first = Features::keep_connection_on_orphan.to_syntax();
    let second = Features::security_context_multiplexing.to_syntax();
    let element = |context_id, transfer_syntaxes| ContextElement {
        context_id,
        abstract_syntax: ECHO,
        transfer_syntaxes,
    };
    let send = |flags, contexts| {
        let bind = Bind {
            max_xmit_frag: 5840,
            max_recv_frag: 5840,
            assoc_group_id: 0,
            contexts: CountedList(contexts),
        };
        let bytes = Pdu { flags, ..Pdu::new(0, Body::Bind(bind)) }.write(None).unwrap();
        let mut server = ServerAssociation::new(Duration::ZERO, server_config(), &Groups::new(1));
        server.handle_input(Duration::ZERO, &bytes);
        server.poll_transmit().unwrap()
    };
    for (flags, expected) in [
        (Flags::default(), Flags::default()),
        (Flags(0xff).without(Flags::object_uuid), Flags::conc_mpx | Flags::HEADER_SIGN),
        (Flags::HEADER_SIGN, Flags::HEADER_SIGN),
    ] {
        let answer = send(flags, vec![element(0, vec![SyntaxId::NDR])]);
        assert_eq!(Pdu::read(&answer).unwrap().flags, Flags::first | Flags::last | expected);
    }
    let answer = send(Flags::first | Flags::last, vec![element(0, vec![first, second, SyntaxId::NDR])]);
    let Body::BindAck(ack) = Pdu::read(&answer).unwrap().body else { panic!("{answer:?}") };
    assert_eq!(ack.results.0, [ContextResult::features(Features::keep_connection_on_orphan)]);
    let answer = send(Flags::first | Flags::last, vec![element(0, vec![first]), element(1, vec![second])]);
    assert!(matches!(Pdu::read(&answer).unwrap().body, Body::BindNak(_)));
}

#[test]
fn a_call_that_is_given_up_before_it_is_complete_is_answered() {
    let mut pair = Pair::new();
    let context = pair.bind();
    pair.server.handle_input(pair.now, &request(7, Flags::first, context, 0, b"a"));
    pair.server.handle_input(pair.now, &Pdu::new(7, Body::Orphaned).write(None).unwrap());
    pair.server.handle_input(pair.now, &Pdu::new(7, Body::Cancel).write(None).unwrap());
    pair.server.handle_input(pair.now, &request(7, Flags::last, context, 0, b"b"));
    while let Some(event) = pair.server.poll_event() {
        pair.server_events.push(event);
    }
    assert_eq!(pair.next_call().unwrap().stub, b"ab");
    pair.server.respond(7, Ok(b"c"));
    let answer = pair.server.poll_transmit().unwrap();
    let Body::Response(head, b"c") = Pdu::read(&answer).unwrap().body else { panic!("{answer:?}") };
    assert_eq!(head.cancel_count, 0);
}

#[test]
fn calls_are_not_mixed_without_multiplexing() {
    let mut config = server_config();
    config.multiplex = false;
    let (faults, closed, _) =
        raw(&[request(50, Flags::first, 0, 0, b"x"), request(51, Flags::first, 0, 0, b"x")], config);
    assert_eq!((faults, closed), (vec![FaultStatus::nca_s_proto_error], true));
}

#[test]
fn a_second_bind_ends_the_association() {
    let mut pair = Pair::new();
    pair.bind();
    let again = pair.to_server[0].clone();
    pair.server.handle_input(pair.now, &again);
    let answer = pair.server.poll_transmit().unwrap();
    assert!(matches!(Pdu::read(&answer).unwrap().body, Body::BindNak(_)));
    assert!(pair.server.is_closed());
}

#[test]
fn a_server_with_interfaces_that_want_more_refuses_the_call() {
    let level = watertight_dcerpc::pdu::auth::AuthLevel::integrity;
    let config = ServerConfig::new([Interface { id: ECHO, least_level: Some(level) }]);
    let mut pair = Pair::with(ClientConfig::default(), None, config);
    let context = pair.bind();
    let call = pair.call(context, 0, b"x");
    pair.serve();
    let status = FaultStatus::access_denied;
    assert_eq!(pair.reply(call), Err(CallError::Fault { status, executed: false }));
}

#[test]
fn both_sides_survive_every_truncation_and_every_flipped_bit() {
    let mut pair = Pair::new();
    let context = pair.bind();
    let call = pair.call(context, 0, b"0123456789abcdef");
    pair.serve();
    pair.reply(call).unwrap();
    let (requests, replies) = (pair.to_server.clone(), pair.to_client.clone());
    for (at, sample) in requests.iter().enumerate() {
        watertight_testkit::mutate::survive(sample, |bytes| {
            let mut server = ServerAssociation::new(Duration::ZERO, server_config(), &Groups::new(1));
            for before in &requests[..at] {
                server.handle_input(Duration::ZERO, before);
            }
            server.handle_input(Duration::ZERO, bytes);
            while server.poll_event().is_some() || server.poll_transmit().is_some() {}
        });
    }
    for (at, sample) in replies.iter().enumerate() {
        watertight_testkit::mutate::survive(sample, |bytes| {
            let mut client = ClientAssociation::new(ClientConfig::default(), None);
            client.bind(Duration::ZERO, &[(ECHO, &[Syntax::Ndr])]);
            for before in &replies[..at] {
                client.handle_input(Duration::ZERO, before);
            }
            let request = CallRequest {
                context_id: 0,
                opnum: 0,
                object: None,
                stub: vec![],
                deadline: None,
                security: None,
            };
            client.call(Duration::ZERO, request);
            client.handle_input(Duration::ZERO, bytes);
            while client.poll_event().is_some() || client.poll_transmit().is_some() {}
        });
    }
}
