//! MIT Kerberos: its KDC for us, its library on the other side.

use std::sync::Arc;

use watertight_auth::{
    Accounts, AuthError, BindingPolicy, ChannelBindings, Client, Identity, Mechanism, NtHash, Purpose,
    Security, Server, ServerNames, Target,
};
use watertight_ledger::Ledger;

use crate::kdc::Kdc;
use crate::peer::{Failed, Peer, hex, with_their_client, with_their_server};
use crate::support::{Alice, PASSWORD, establish};

const BOTH: [(Mechanism, &str); 2] = [(Mechanism::Kerberos, "kerberos"), (Mechanism::Negotiate, "negotiate")];
const PURPOSES: [Purpose; 3] = [Purpose::SignIn, Purpose::Messages, Purpose::Rpc];

fn target() -> Target {
    Target::new("HTTP", "mail1.dom.test")
}

fn client(security: &Security, mechanism: Mechanism, identity: Identity, purpose: Purpose) -> Client {
    Client::new(security, mechanism, identity, target(), None, purpose)
}

fn start(kdc: &Kdc, library: &str, role: &str, mechanism: &str, options: &[&str]) -> Peer {
    let mut arguments = vec![library, role, mechanism];
    arguments.extend(options);
    let environment = kdc.environment();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Peer::start_with(&arguments, &environment)
}

#[test]
fn our_two_sides_from_a_password_and_from_a_cache() {
    let kdc = Kdc::start();
    kdc.kinit();
    let ledger = Ledger::new("test");
    let security = kdc.security(&ledger);
    let accounts = kdc.accounts("keytab");
    for (mechanism, _) in BOTH {
        for purpose in PURPOSES {
            for identity in [
                Identity::password("alice", PASSWORD),
                Identity::password("alice@dom.test", PASSWORD),
                Identity::password("dom.test\\open", PASSWORD),
                Identity::cache(kdc.path("cache")),
            ] {
                let mut client = client(&security, mechanism, identity, purpose);
                let mut server = Server::new(&security, mechanism, accounts.clone(), BindingPolicy::Ignore);
                let (mut ours, mut theirs) = establish(&mut client, &mut server).unwrap();
                assert_eq!(theirs.mechanism(), Mechanism::Kerberos);
                assert_eq!(theirs.peer().domain, "DOM.TEST");
                assert!(["alice", "open"].contains(&theirs.peer().name.as_str()));
                assert_eq!(ours.session_key(), theirs.session_key());
                let signature = ours.sign(&[b"one", b"two"]).unwrap();
                theirs.verify(&[b"onetwo"], &signature).unwrap();
                if purpose != Purpose::SignIn {
                    let mut body = b"text".to_vec();
                    let signature = theirs.seal(b"head", &mut body, b"tail").unwrap();
                    assert_eq!(signature.len(), ours.signature_len(true));
                    ours.unseal(b"head", &mut body, b"tail", &signature).unwrap();
                    assert_eq!(body, b"text");
                    let mut body = b"text".to_vec();
                    let signature = ours.seal(b"head", &mut body, b"tail").unwrap();
                    assert!(theirs.unseal(b"Head", &mut body, b"tail", &signature).is_err());
                }
            }
        }
    }
    assert_eq!(ledger.held(), 0, "{ledger:?}");
}

#[test]
fn who_is_wrong_hears_why() {
    let kdc = Kdc::start();
    let security = kdc.security(&Ledger::new("test"));
    for (identity, mechanism, code) in [
        (Identity::password("alice", "wrong"), Mechanism::Kerberos, 24),
        (Identity::password("nobody", PASSWORD), Mechanism::Kerberos, 6),
        // Not tried again with NTLM: it would count as two failures.
        (Identity::password("alice", "wrong"), Mechanism::Negotiate, 24),
    ] {
        let outcome = client(&security, mechanism, identity, Purpose::SignIn).step(&[]);
        assert!(matches!(&outcome, Err(AuthError::Kdc { code: c, .. }) if *c == code), "{outcome:?}");
    }
    let identity = Identity::password("alice", PASSWORD);
    let nowhere = Target::new("HTTP", "nowhere.dom.test");
    let mut client = Client::new(&security, Mechanism::Kerberos, identity, nowhere, None, Purpose::SignIn);
    let outcome = client.step(&[]);
    assert!(matches!(&outcome, Err(AuthError::Kdc { code: 7, .. })), "{outcome:?}");
}

/// A client with a password falls back to NTLM when there is no ticket, and when the server has no keytab.
#[test]
fn negotiate_finds_ntlm() {
    let kdc = Kdc::start();
    let security = kdc.security(&Ledger::new("test"));
    let identity = || Identity::password("DOM\\alice", PASSWORD);
    for (host, accounts) in [
        ("nowhere.dom.test", kdc.accounts("keytab")),
        ("mail1.dom.test", crate::support::alice()),
        ("nowhere.dom.test", crate::support::alice()),
    ] {
        let target = Target::new("HTTP", host);
        let mut client = Client::new(&security, Mechanism::Negotiate, identity(), target, None, Purpose::Rpc);
        let mut server = Server::new(&security, Mechanism::Negotiate, accounts, BindingPolicy::Ignore);
        let (mut ours, mut theirs) = establish(&mut client, &mut server).unwrap();
        assert_eq!((ours.mechanism(), theirs.mechanism()), (Mechanism::Ntlm, Mechanism::Ntlm));
        let signature = ours.sign(&[b"text"]).unwrap();
        theirs.verify(&[b"text"], &signature).unwrap();
    }
}

/// The same with a client that is not ours: the list of mechanisms must be signed then, both ways. (pyspnego's server
/// gives the ticket of the optimistic token to its NTLM, so that the reverse cannot be tried with it.)
#[test]
fn negotiate_finds_ntlm_with_pyspnego() {
    let kdc = Kdc::start();
    let security = kdc.security(&Ledger::new("test"));
    let password = format!("password={PASSWORD}");
    // It has a ticket and prefers Kerberos; our server has no keytab.
    let mut peer = start(&kdc, "pyspnego", "client", "negotiate", &["user=alice@DOM.TEST", &password]);
    let mut server = Server::new(&security, Mechanism::Negotiate, Arc::new(AnyDomain), BindingPolicy::Ignore);
    let mut context = with_their_client(&mut server, &mut peer).unwrap();
    assert_eq!(context.mechanism(), Mechanism::Ntlm);
    peer.talk(&mut *context);
    peer.talk_wrapped(&mut *context);
}

/// Accounts of NTLM whose users may write their principal name.
struct AnyDomain;

impl Accounts for AnyDomain {
    fn names(&self) -> ServerNames {
        Alice(PASSWORD).names()
    }

    fn nt_hash(&self, _user: &str, _domain: &str) -> Result<Option<NtHash>, AuthError> {
        Ok(Some(NtHash::of_password(PASSWORD)))
    }
}

#[test]
fn a_proof_works_once_and_for_one_service() {
    let kdc = Kdc::start();
    kdc.kinit();
    let security = kdc.security(&Ledger::new("test"));
    let mut client =
        client(&security, Mechanism::Kerberos, Identity::cache(kdc.path("cache")), Purpose::SignIn);
    let token = client.step(&[]).unwrap().token.unwrap();
    let accounts = kdc.accounts("keytab");
    let server = |accounts| Server::new(&security, Mechanism::Kerberos, accounts, BindingPolicy::Ignore);
    let outcome = server(kdc.accounts("keytab.other")).step(&token);
    assert!(matches!(outcome, Err(AuthError::Denied)), "{outcome:?}");
    assert!(server(accounts.clone()).step(&token).unwrap().done.is_some());
    let outcome = server(accounts).step(&token);
    assert!(matches!(outcome, Err(AuthError::Denied)), "{outcome:?}");
}

#[test]
fn their_client_our_server() {
    let kdc = Kdc::start();
    kdc.kinit();
    let ledger = Ledger::new("test");
    let security = kdc.security(&ledger);
    for library in ["gssapi", "pyspnego"] {
        for (mechanism, word) in BOTH {
            for options in [&[][..], &["dce"]] {
                let mut peer = start(&kdc, library, "client", word, options);
                let accounts = kdc.accounts("keytab");
                let mut server = Server::new(&security, mechanism, accounts, BindingPolicy::Ignore);
                let mut context = with_their_client(&mut server, &mut peer)
                    .unwrap_or_else(|failed| panic!("{library} {word} {options:?} {failed:?}"));
                assert_eq!(
                    (context.peer().name.as_str(), context.peer().domain.as_str()),
                    ("alice", "DOM.TEST")
                );
                peer.talk(&mut *context);
                if options.is_empty() {
                    peer.talk_wrapped(&mut *context);
                } else {
                    peer.talk_rpc(&mut *context);
                }
            }
        }
    }
}

#[test]
fn our_client_their_server() {
    let kdc = Kdc::start();
    kdc.kinit();
    let security = kdc.security(&Ledger::new("test"));
    for library in ["gssapi", "pyspnego"] {
        for (mechanism, word) in BOTH {
            for purpose in [Purpose::Messages, Purpose::Rpc] {
                let options: &[&str] = if purpose == Purpose::Rpc { &["dce"] } else { &[] };
                let mut peer = start(&kdc, library, "server", word, options);
                let mut client = client(&security, mechanism, Identity::cache(kdc.path("cache")), purpose);
                let mut context = with_their_server(&mut client, &mut peer)
                    .unwrap_or_else(|failed| panic!("{library} {word} {purpose:?} {failed:?}"));
                assert_eq!(peer.bytes("who", &[]).unwrap()[0], b"alice@DOM.TEST");
                peer.talk(&mut *context);
                if purpose == Purpose::Messages {
                    peer.talk_wrapped(&mut *context);
                } else {
                    peer.talk_rpc(&mut *context);
                }
            }
        }
    }
}

#[test]
fn channel_bindings_both_ways() {
    let kdc = Kdc::start();
    kdc.kinit();
    let security = kdc.security(&Ledger::new("test"));
    let ours = ChannelBindings::tls_server_end_point(b"a certificate");
    let other = ChannelBindings::tls_server_end_point(b"another certificate");
    for (sent, good) in [(&ours, true), (&other, false)] {
        let option = format!("bindings={}", hex(sent.application_data()));
        let mut peer = start(&kdc, "gssapi", "client", "kerberos", &[&option]);
        let policy = BindingPolicy::Required(ours.clone());
        let mut server = Server::new(&security, Mechanism::Kerberos, kdc.accounts("keytab"), policy);
        match with_their_client(&mut server, &mut peer) {
            Ok(context) => assert!(good && context.peer().bound),
            Err(Failed::Ours(AuthError::Bindings)) => assert!(!good),
            Err(other) => panic!("{other:?}"),
        }
        let option = format!("bindings={}", hex(ours.application_data()));
        let mut peer = start(&kdc, "gssapi", "server", "kerberos", &[&option]);
        let identity = Identity::cache(kdc.path("cache"));
        let bindings = Some(sent.clone());
        let mut client =
            Client::new(&security, Mechanism::Kerberos, identity, target(), bindings, Purpose::SignIn);
        match with_their_server(&mut client, &mut peer) {
            Ok(_) => assert!(good),
            Err(Failed::Theirs(_)) => assert!(!good),
            Err(other) => panic!("{other:?}"),
        }
    }
}
