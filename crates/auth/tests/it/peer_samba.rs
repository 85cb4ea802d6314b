//! Samba's gensec, the client of its RPC tools: NTLM and SPNEGO; its Kerberos is Heimdal's.

use std::sync::Arc;

use watertight_auth::{
    Accounts, AuthError, BindingPolicy, Mechanism, NtHash, Security, SecurityContext, Server, ServerNames,
};
use watertight_ledger::Ledger;

use crate::peer::{Failed, Peer, with_their_client};
use crate::support::{Alice, PASSWORD, alice, security};

const BOTH: [(Mechanism, &str); 2] = [(Mechanism::Ntlm, "ntlm"), (Mechanism::Negotiate, "negotiate")];

fn sign_in(
    security: &Security,
    mechanism: Mechanism,
    accounts: Arc<dyn Accounts>,
    peer: &mut Peer,
) -> Result<Box<dyn SecurityContext>, Failed> {
    let mut server = Server::new(security, mechanism, accounts, BindingPolicy::Ignore);
    with_their_client(&mut server, peer)
}

#[test]
fn their_client_our_server() {
    let security = security(&Ledger::new("test"));
    for (mechanism, word) in BOTH {
        for style in ["dce", "plain"] {
            let password = format!("password={PASSWORD}");
            let mut peer =
                Peer::start(&["samba", "client", word, "user=alice", "domain=DOM", &password, style]);
            let mut context = sign_in(&security, mechanism, alice(), &mut peer).unwrap();
            assert_eq!((context.peer().name.as_str(), context.peer().domain.as_str()), ("alice", "DOM"));
            peer.talk(&mut *context);
            peer.talk_wrapped(&mut *context);

            let arguments = ["samba", "client", word, "user=alice", "domain=DOM", "password=wrong", style];
            let outcome = sign_in(&security, mechanism, alice(), &mut Peer::start(&arguments));
            assert!(matches!(outcome, Err(Failed::Ours(AuthError::Denied))), "{outcome:?}");
        }
    }
}

/// What a signature covers, by the peer's own choice.
pub fn covered(context: &mut dyn SecurityContext, peer: &mut Peer, negotiated: bool) {
    let signature = peer.bytes("sign3", &[b"head", b"body", b"tail"]).unwrap().remove(0);
    if context.covers_header(negotiated) {
        context.verify(&[b"head", b"body", b"tail"], &signature).unwrap();
    } else {
        context.verify(&[b"body"], &signature).unwrap();
    }
}

#[test]
fn ntlm_signs_headers_whether_that_was_agreed_or_not() {
    let security = security(&Ledger::new("test"));
    let password = format!("password={PASSWORD}");
    for (option, negotiated) in [("plain", false), ("header", true)] {
        let arguments = ["samba", "client", "ntlm", "user=alice", "domain=DOM", &password, "dce", option];
        let mut peer = Peer::start(&arguments);
        let mut context = sign_in(&security, Mechanism::Ntlm, alice(), &mut peer).unwrap();
        covered(&mut *context, &mut peer, negotiated);
    }
}

/// A server that lets everybody in.
struct Everybody;

impl Accounts for Everybody {
    fn names(&self) -> ServerNames {
        Alice(PASSWORD).names()
    }

    fn nt_hash(&self, _user: &str, _domain: &str) -> Result<Option<NtHash>, AuthError> {
        Ok(None)
    }

    fn anonymous(&self) -> bool {
        true
    }
}

#[test]
fn their_anonymous_client() {
    let security = security(&Ledger::new("test"));
    for (mechanism, word) in BOTH {
        let mut peer = Peer::start(&["samba", "client", word, "anonymous"]);
        // It has no signatures then.
        let context = sign_in(&security, mechanism, Arc::new(Everybody), &mut peer).unwrap();
        assert!(!context.peer().proved);
        let mut peer = Peer::start(&["samba", "client", word, "anonymous"]);
        let outcome = sign_in(&security, mechanism, alice(), &mut peer);
        assert!(matches!(outcome, Err(Failed::Ours(AuthError::Denied))), "{outcome:?}");
    }
}

/// Needs MIT's KDC too.
mod peer_krb5 {
    use super::*;
    use crate::kdc::Kdc;

    #[test]
    fn their_client_our_server() {
        let kdc = Kdc::start();
        let security = kdc.security(&Ledger::new("test"));
        let environment = kdc.environment();
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (mechanism, word) in [(Mechanism::Kerberos, "kerberos"), (Mechanism::Negotiate, "negotiate")] {
            for style in ["dce", "plain", "header"] {
                let password = format!("password={PASSWORD}");
                let arguments =
                    ["samba", "client", word, style, "user=alice", "domain=DOM", &password, "realm=DOM.TEST"];
                let mut peer = Peer::start_with(&arguments, &environment);
                let accounts = kdc.accounts("keytab");
                let mut context = sign_in(&security, mechanism, accounts, &mut peer)
                    .unwrap_or_else(|failed| panic!("{word} {style}: {failed:?}"));
                assert_eq!(context.mechanism(), Mechanism::Kerberos);
                assert_eq!(context.peer().name, "alice");
                peer.talk(&mut *context);
                if style != "dce" {
                    peer.talk_wrapped(&mut *context);
                }
                covered(&mut *context, &mut peer, style == "header");
            }
        }
    }
}
