//! Laws: stub data cut into fragments of any size, and fragments cut anywhere, come out as the same stub data, at every
//! level; what a random peer sends never breaks a server.

use std::time::Duration;

use proptest::prelude::*;
use watertight_dcerpc::client::{ClientConfig, ClientSecurity};
use watertight_dcerpc::pdu::auth::AuthLevel;
use watertight_dcerpc::server::{Groups, ServerAssociation};

use crate::pair::*;

fn level() -> impl Strategy<Value = Option<AuthLevel>> {
    prop_oneof![
        Just(None),
        Just(Some(AuthLevel::connect)),
        Just(Some(AuthLevel::packet)),
        Just(Some(AuthLevel::integrity)),
        Just(Some(AuthLevel::privacy)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_stub(
        len in 0_usize..20_000,
        ours in 1432_u16..,
        theirs in 1432_u16..,
        chunk in 1_usize..4000,
        level in level(),
        legs in 1_u8..5,
        sign in any::<bool>(),
    ) {
        let client = ClientConfig { max_fragment: ours, ..ClientConfig::default() };
        let mut server = server_config();
        server.max_fragment = theirs;
        server.security = Some(ToyAcceptor::new(legs, sign));
        let security = level.map(|level| ClientSecurity { context: Toy::client(legs, sign), level });
        let mut pair = Pair::with(client, security, server);
        pair.chunk = chunk;
        let context = pair.bind();
        let stub: Vec<u8> = (0..len).map(|n| u8::try_from(n % 253).unwrap()).collect();
        let call = pair.call(context, 0, &stub);
        pair.run();
        let arrived = pair.next_call().expect("a call");
        prop_assert!(arrived.stub.starts_with(&stub) && arrived.stub.len() < len + 4);
        pair.server.respond(arrived.call_id, Ok(&stub));
        pair.run();
        prop_assert_eq!(pair.reply(call).unwrap().stub, stub);
        for bytes in pair.to_server.iter().chain(&pair.to_client) {
            prop_assert!(bytes.len() <= usize::from(ours.min(theirs)));
        }
    }

    #[test]
    fn a_server_survives_pieces_of_a_conversation_in_any_order(
        picks in prop::collection::vec((0_usize..8, 0_usize..2000, any::<u8>()), 1..30),
    ) {
        let mut pair = Pair::new();
        let context = pair.bind();
        pair.call(context, 0, &[5; 9000]);
        pair.serve();
        let sent = pair.to_server.clone();
        let groups = Groups::new(1);
        let mut server = ServerAssociation::new(Duration::ZERO, server_config(), &groups);
        for (which, at, value) in picks {
            let mut bytes = sent[which % sent.len()].clone();
            let at = at % bytes.len();
            bytes[at] = value;
            server.handle_input(Duration::ZERO, &bytes);
            while server.poll_event().is_some() || server.poll_transmit().is_some() {}
        }
        prop_assert!(groups.len() <= 1);
        drop(server);
        prop_assert!(groups.is_empty());
    }
}
