//! Our client and our server.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use watertight_auth::{
    Accounts, AuthError, BindingPolicy, ChannelBindings, Client, Environment, Identity, Mechanism, NtHash,
    Protection, Purpose, Security, Server, ServerNames, System, Target,
};
use watertight_ledger::Ledger;
use watertight_wire::FileTime;

use crate::support::{Alice, Context, PASSWORD, alice, establish, security};

fn sign_in(
    security: &Security,
    mechanism: Mechanism,
    (user, password): (&str, &str),
    sent: Option<&ChannelBindings>,
    policy: BindingPolicy,
    purpose: Purpose,
) -> Result<(Context, Context), AuthError> {
    let identity = Identity::password(user, password);
    let target = Target::new("HTTP", "mail1.dom.test");
    let mut client = Client::new(security, mechanism, identity, target, sent.cloned(), purpose);
    let mut server = Server::new(security, mechanism, alice(), policy);
    establish(&mut client, &mut server)
}

const ALICE: (&str, &str) = ("DOM\\alice", PASSWORD);
const BOTH: [Mechanism; 2] = [Mechanism::Ntlm, Mechanism::Negotiate];

fn talk(one: &mut Context, other: &mut Context) {
    for n in 0..5_u8 {
        let text = vec![n; 100];
        let signature = one.sign(&[b"head", &text]).unwrap();
        assert_eq!(signature.len(), one.signature_len(false));
        other.verify(&[b"head", &text], &signature).unwrap();
        let mut body = text.clone();
        let signature = one.seal(b"head", &mut body, b"tail").unwrap();
        assert_eq!(signature.len(), one.signature_len(true));
        assert_ne!(body, text);
        other.unseal(b"head", &mut body, b"tail", &signature).unwrap();
        assert_eq!(body, text);
    }
}

#[test]
fn sign_and_seal_both_ways() {
    let ledger = Ledger::new("test");
    let security = security(&ledger);
    for mechanism in BOTH {
        let (mut client, mut server) =
            sign_in(&security, mechanism, ALICE, None, BindingPolicy::Ignore, Purpose::Rpc).unwrap();
        assert_eq!(client.session_key(), server.session_key());
        assert_eq!(client.protection(), Protection::BOTH);
        assert_eq!(server.mechanism(), Mechanism::Ntlm);
        let peer = server.peer();
        assert_eq!((peer.name.as_str(), peer.domain.as_str()), ("alice", "DOM"));
        assert_eq!(peer.target.as_deref(), Some("HTTP/mail1.dom.test"));
        talk(&mut client, &mut server);
        talk(&mut server, &mut client);
        let signature = client.sign(&[b"one"]).unwrap();
        assert!(matches!(server.verify(&[b"two"], &signature), Err(AuthError::Altered)));
    }
    assert_eq!(ledger.held(), 0, "{ledger:?}");
}

#[test]
fn who_is_wrong_is_refused() {
    let security = security(&Ledger::new("test"));
    for mechanism in BOTH {
        for who in [("DOM\\alice", "wrong"), ("DOM\\bob", PASSWORD), ("OTHER\\alice", PASSWORD), ("", "")] {
            let outcome = sign_in(&security, mechanism, who, None, BindingPolicy::Ignore, Purpose::SignIn);
            assert!(matches!(outcome, Err(AuthError::Denied)), "{who:?} {outcome:?}");
        }
    }
}

/// Random numbers of the machine, counted.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Environment for Counted {
    fn now(&self) -> FileTime {
        System.now()
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), AuthError> {
        self.0.fetch_add(buffer.len(), Ordering::Relaxed);
        System.random(buffer)
    }
}

/// The way of a refusal says nothing of whether there is such an account: it draws as many random numbers, which is
/// as near as a test comes to its time.
#[test]
fn an_unknown_account_goes_the_way_of_a_wrong_password() {
    let drawn = |who| {
        let counted = Arc::new(Counted::default());
        let security = Security::with_environment(&Ledger::new("test"), counted.clone());
        let outcome = sign_in(&security, Mechanism::Ntlm, who, None, BindingPolicy::Ignore, Purpose::Rpc);
        assert!(matches!(outcome, Err(AuthError::Denied)));
        counted.0.load(Ordering::Relaxed)
    };
    assert_eq!(drawn(("DOM\\alice", "wrong")), drawn(("DOM\\bob00", "wrong")));
}

#[test]
fn names_in_other_cases_and_without_a_domain() {
    let security = security(&Ledger::new("test"));
    for user in ["alice", "dom\\ALICE", "dom.test\\Alice"] {
        let who = (user, PASSWORD);
        sign_in(&security, Mechanism::Ntlm, who, None, BindingPolicy::Ignore, Purpose::SignIn).unwrap();
    }
}

#[test]
fn a_proof_for_another_channel_is_refused() {
    let security = security(&Ledger::new("test"));
    let ours = ChannelBindings::tls_server_end_point(b"our certificate");
    let other = ChannelBindings::tls_server_end_point(b"the certificate of a man in the middle");
    for mechanism in BOTH {
        for (sent, policy, good) in [
            (Some(&ours), BindingPolicy::Required(ours.clone()), true),
            (Some(&other), BindingPolicy::Required(ours.clone()), false),
            (None, BindingPolicy::Required(ours.clone()), false),
            (Some(&other), BindingPolicy::IfSent(ours.clone()), false),
            (None, BindingPolicy::IfSent(ours.clone()), true),
            (Some(&other), BindingPolicy::Ignore, true),
        ] {
            match sign_in(&security, mechanism, ALICE, sent, policy.clone(), Purpose::SignIn) {
                Ok((_, server)) => {
                    assert!(good, "{policy:?}");
                    assert_eq!(server.peer().bound, sent == Some(&ours));
                }
                Err(AuthError::Bindings) => assert!(!good, "{policy:?}"),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn an_exchange_ends_with_its_first_error_and_with_its_end() {
    let ledger = Ledger::new("test");
    let security = security(&ledger);
    for mechanism in BOTH {
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        assert!(server.step(b"nonsense").is_err());
        assert!(matches!(server.step(b"nonsense"), Err(AuthError::OutOfTurn)));
        let mut server = Server::new(&security, mechanism, alice(), BindingPolicy::Ignore);
        assert!(matches!(server.step(&vec![0; 1 << 20]), Err(AuthError::Refused(_))));
    }
    assert_eq!(ledger.inspect().kinds["security exchanges"].ever, 4);
    assert_eq!(ledger.held(), 0);
}

/// Every bit of the last token matters: with any of them changed, nobody is let in. (Some bits are looked at by
/// nobody: they are covered by the MIC.)
#[test]
fn a_changed_proof_is_refused() {
    let security = security(&Ledger::new("test"));
    let identity = Identity::password(ALICE.0, ALICE.1);
    let target = Target::new("HTTP", "mail1.dom.test");
    let mut client = Client::new(&security, Mechanism::Ntlm, identity, target, None, Purpose::Rpc);
    let first = client.step(&[]).unwrap().token.unwrap();
    let fresh = || Server::new(&security, Mechanism::Ntlm, alice(), BindingPolicy::Ignore);
    let mut server = fresh();
    let challenge = server.step(&first).unwrap().token.unwrap();
    let proof = client.step(&challenge).unwrap().token.unwrap();
    assert!(server.step(&proof).unwrap().done.is_some());
    // Another server has another challenge: the same proof is worth nothing there.
    let mut server = fresh();
    let _ = server.step(&first).unwrap();
    assert!(matches!(server.step(&proof), Err(AuthError::Denied)));
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_log_has_a_secret_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let security = security(&Ledger::new("test"));
    for mechanism in BOTH {
        for password in [PASSWORD, "another secret"] {
            let who = ("DOM\\alice", password);
            let _ = sign_in(&security, mechanism, who, None, BindingPolicy::Ignore, Purpose::Rpc);
        }
    }
    let mut server = Server::new(&security, Mechanism::Ntlm, alice(), BindingPolicy::Ignore);
    let _ = server.step(b"NTLMSSP\0 nonsense");
    tracing::trace!("the end");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("the end"));
    for secret in [PASSWORD, "another secret", "NTLMSSP", "4e544c4d"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let security = security(&Ledger::new("test"));
    let (client, server) =
        sign_in(&security, Mechanism::Ntlm, ALICE, None, BindingPolicy::Ignore, Purpose::SignIn).unwrap();
    let shown = format!("{client:?} {server:?} {:?}", Identity::password(ALICE.0, ALICE.1));
    assert!(!shown.contains(PASSWORD));
}

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
fn nobody_in_particular() {
    let security = security(&Ledger::new("test"));
    for mechanism in BOTH {
        for welcome in [true, false] {
            let target = Target::new("HTTP", "mail1.dom.test");
            let identity = Identity::anonymous();
            let mut client = Client::new(&security, mechanism, identity, target, None, Purpose::Rpc);
            let accounts = if welcome { Arc::new(Everybody) } else { alice() };
            let mut server = Server::new(&security, mechanism, accounts, BindingPolicy::Ignore);
            match establish(&mut client, &mut server) {
                Ok((mut client, mut server)) => {
                    assert!(welcome && !server.peer().proved && server.peer().name.is_empty());
                    talk(&mut client, &mut server);
                }
                Err(AuthError::Denied) => assert!(!welcome),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
