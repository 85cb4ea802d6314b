//! pyspnego: NTLM and SPNEGO as Windows does them, both ways.

use watertight_auth::{
    AuthError, BindingPolicy, ChannelBindings, Client, Identity, Mechanism, Purpose, Server, Target,
};
use watertight_ledger::Ledger;

use crate::peer::{Failed, Peer, hex, with_their_client, with_their_server};
use crate::support::{PASSWORD, alice, security};

const BOTH: [(Mechanism, &str); 2] = [(Mechanism::Ntlm, "ntlm"), (Mechanism::Negotiate, "negotiate")];

fn target() -> Target {
    Target::new("HTTP", "mail1.dom.test")
}

fn options(password: &str) -> Vec<String> {
    vec!["user=alice".into(), "domain=DOM".into(), format!("password={password}")]
}

fn start(role: &str, mechanism: &str, options: &[String]) -> Peer {
    let mut arguments = vec!["pyspnego", role, mechanism];
    arguments.extend(options.iter().map(String::as_str));
    Peer::start(&arguments)
}

#[test]
fn their_client_our_server() {
    let security = security(&Ledger::new("test"));
    for (mechanism, word) in BOTH {
        let mut peer = start("client", word, &options(PASSWORD));
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        let mut context = with_their_client(&mut server, &mut peer).unwrap();
        assert_eq!(context.peer().name, "alice");
        assert_eq!(context.peer().target.as_deref(), Some("HTTP/mail1.dom.test"));
        peer.talk(&mut *context);
        peer.talk_wrapped(&mut *context);
        peer.talk_rpc(&mut *context);
    }
}

#[test]
fn our_client_their_server() {
    let security = security(&Ledger::new("test"));
    for (mechanism, word) in BOTH {
        let mut peer = start("server", word, &options(PASSWORD));
        let identity = Identity::password("DOM\\alice", PASSWORD);
        let mut client = Client::new(&security, mechanism, identity, target(), None, Purpose::Rpc);
        let mut context = with_their_server(&mut client, &mut peer).unwrap();
        assert_eq!(peer.bytes("who", &[]).unwrap()[0], b"DOM\\alice");
        peer.talk(&mut *context);
        peer.talk_wrapped(&mut *context);
        peer.talk_rpc(&mut *context);
    }
}

#[test]
fn a_wrong_password_both_ways() {
    let security = security(&Ledger::new("test"));
    for (mechanism, word) in BOTH {
        let mut peer = start("client", word, &options("wrong"));
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        let outcome = with_their_client(&mut server, &mut peer);
        assert!(matches!(outcome, Err(Failed::Ours(AuthError::Denied))), "{outcome:?}");

        let mut peer = start("server", word, &options("wrong"));
        let identity = Identity::password("DOM\\alice", PASSWORD);
        let mut client = Client::new(&security, mechanism, identity, target(), None, Purpose::SignIn);
        let outcome = with_their_server(&mut client, &mut peer);
        assert!(matches!(&outcome, Err(Failed::Theirs(why)) if !why.is_empty()), "{outcome:?}");
    }
}

#[test]
fn channel_bindings_both_ways() {
    let security = security(&Ledger::new("test"));
    let ours = ChannelBindings::tls_server_end_point(b"a certificate");
    let other = ChannelBindings::tls_server_end_point(b"another certificate");
    for (mechanism, word) in BOTH {
        for (sent, good) in [(&ours, true), (&other, false)] {
            let mut with = options(PASSWORD);
            with.push(format!("bindings={}", hex(sent.application_data())));
            let mut peer = start("client", word, &with);
            let policy = BindingPolicy::Required(ours.clone());
            let mut server = Server::new(&security, mechanism, alice(), policy);
            match with_their_client(&mut server, &mut peer) {
                Ok(context) => assert!(good && context.peer().bound),
                Err(Failed::Ours(AuthError::Bindings)) => assert!(!good),
                Err(other) => panic!("{other:?}"),
            }

            let mut with = options(PASSWORD);
            with.push(format!("bindings={}", hex(ours.application_data())));
            let mut peer = start("server", word, &with);
            let identity = Identity::password("DOM\\alice", PASSWORD);
            let bindings = Some(sent.clone());
            let mut client = Client::new(&security, mechanism, identity, target(), bindings, Purpose::SignIn);
            match with_their_server(&mut client, &mut peer) {
                Ok(_) => assert!(good),
                Err(Failed::Theirs(_)) => assert!(!good),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}
