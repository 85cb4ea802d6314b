//! impacket: NTLM as its RPC tools and its SMB server have it, without a MIC, and SPNEGO without a signature.

use watertight_auth::{
    AuthError, BindingPolicy, ChannelBindings, Client, Identity, Mechanism, Purpose, Server, Target,
};
use watertight_ledger::Ledger;

use crate::peer::{Failed, Peer, hex, with_their_client, with_their_server};
use crate::support::{PASSWORD, alice, security};

fn arguments<'a>(role: &'a str, mechanism: &'a str, password: &'a str) -> Vec<&'a str> {
    vec!["impacket", role, mechanism, "user=alice", "domain=DOM", password]
}

#[test]
fn their_client_our_server() {
    let security = security(&Ledger::new("test"));
    let password = format!("password={PASSWORD}");
    for (mechanism, word) in [(Mechanism::Ntlm, "ntlm"), (Mechanism::Negotiate, "negotiate")] {
        let mut peer = Peer::start(&arguments("client", word, &password));
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        let mut context = with_their_client(&mut server, &mut peer).unwrap();
        assert_eq!(context.peer().name, "alice");
        peer.talk(&mut *context);
        peer.talk_wrapped(&mut *context);
        peer.talk_rpc(&mut *context);

        let mut peer = Peer::start(&arguments("client", word, "password=wrong"));
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        let outcome = with_their_client(&mut server, &mut peer);
        assert!(matches!(outcome, Err(Failed::Ours(AuthError::Denied))), "{outcome:?}");
    }
}

#[test]
fn their_client_binds_to_the_channel() {
    let security = security(&Ledger::new("test"));
    let password = format!("password={PASSWORD}");
    let ours = ChannelBindings::tls_server_end_point(b"a certificate");
    let bindings = format!("bindings={}", hex(ours.application_data()));
    let mut with = arguments("client", "ntlm", &password);
    with.push(&bindings);
    let mut server = Server::new(&security, Mechanism::Ntlm, alice(), BindingPolicy::Required(ours));
    assert!(with_their_client(&mut server, &mut Peer::start(&with)).unwrap().peer().bound);
}

#[test]
fn our_client_their_server() {
    let security = security(&Ledger::new("test"));
    let password = format!("password={PASSWORD}");
    let mut peer = Peer::start(&arguments("server", "ntlm", &password));
    let identity = Identity::password("DOM\\alice", PASSWORD);
    let target = Target::new("HTTP", "peer.dom.test");
    let mut client = Client::new(&security, Mechanism::Ntlm, identity, target, None, Purpose::Rpc);
    let mut context = with_their_server(&mut client, &mut peer).unwrap();
    peer.talk(&mut *context);
    peer.talk_wrapped(&mut *context);
    peer.talk_rpc(&mut *context);
}
