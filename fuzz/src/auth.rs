use std::sync::Arc;
use std::time::Duration;

use watertight_auth::kerberos::{Realms, Tcp, fuzzing};
use watertight_auth::ntlm::{Authenticate, Challenge, ClientChallenge, Negotiate, TargetInfo};
use watertight_auth::spnego::NegToken;
use watertight_auth::{
    Accounts, AuthError, BindingPolicy, ChannelBindings, Client, Environment, Identity, Mechanism, NtHash,
    Purpose, Security, Server, ServerNames, Target,
};
use watertight_ledger::Ledger;
use watertight_wire::FileTime;

use crate::{Seed, choice, stable};

/// The messages of NTLM: what is read is written, and read as the same.
pub fn ntlm_message(data: &[u8]) {
    let Some((which, bytes)) = choice(data, 5) else { return };
    match which {
        0 => drop(stable::<Negotiate>(bytes)),
        1 => drop(stable::<Challenge>(bytes)),
        2 => drop(stable::<Authenticate>(bytes)),
        3 => drop(stable::<TargetInfo>(bytes)),
        _ => drop(stable::<ClientChallenge>(bytes)),
    }
}

/// The same of SPNEGO's.
pub fn spnego_token(data: &[u8]) {
    stable::<NegToken>(data);
}

/// The messages of Kerberos, keytabs and credential caches: each as each.
pub fn kerberos_message(data: &[u8]) {
    let Some((which, bytes)) = choice(data, 12) else { return };
    fuzzing::read(which, bytes);
}

/// Certificates, as far as they are read for channel bindings.
pub fn certificate(data: &[u8]) {
    assert!(ChannelBindings::tls_server_end_point(data).application_data().len() <= 21 + 64);
}

/// Any token at any moment of an exchange: nobody is let in by it, and nothing is left behind.
pub fn security_tokens(data: &[u8]) {
    let Some((how, token)) = choice(data, 8) else { return };
    let ledger = Ledger::new("fuzz");
    let security = still(&ledger);
    let mechanism = if how & 1 == 0 { Mechanism::Ntlm } else { Mechanism::Negotiate };
    {
        let mut client = client(&security, mechanism);
        let mut server = Server::new(&security, mechanism, Arc::new(Nobody), BindingPolicy::Ignore);
        let first = client.step(&[]).expect("a first token").token.expect("a first token");
        if how & 2 == 0 {
            if how & 4 != 0 {
                let _ = server.step(&first).expect("our own first token");
            }
            if let Ok(step) = server.step(token) {
                assert!(step.done.is_none(), "somebody was let in");
            }
        } else {
            drop(client.step(token));
        }
    }
    assert_eq!(ledger.held(), 0, "something is left: {ledger:?}");
}

fn client(security: &Security, mechanism: Mechanism) -> Client {
    let identity = Identity::password("DOM\\alice", "secret");
    Client::new(security, mechanism, identity, Target::new("HTTP", "host"), None, Purpose::Rpc)
}

/// Without time, chance and a KDC.
fn still(ledger: &Ledger) -> Security {
    let nowhere = Tcp::new(Realms::default(), Duration::ZERO);
    Security::with_environment(ledger, Arc::new(Still)).with_key_distribution(Arc::new(nowhere))
}

/// A clock that stands still, and random numbers that are none.
struct Still;

impl Environment for Still {
    fn now(&self) -> FileTime {
        FileTime(0)
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), AuthError> {
        buffer.fill(0x55);
        Ok(())
    }
}

/// A server without accounts.
struct Nobody;

impl Accounts for Nobody {
    fn names(&self) -> ServerNames {
        ServerNames {
            computer: "HOST".into(),
            domain: "DOM".into(),
            dns_computer: "host.dom.test".into(),
            dns_domain: "dom.test".into(),
        }
    }

    fn nt_hash(&self, _user: &str, _domain: &str) -> Result<Option<NtHash>, AuthError> {
        Ok(None)
    }
}

/// The tokens of one exchange of our own, up to the client's last.
fn tokens(mechanism: Mechanism) -> Vec<Vec<u8>> {
    let security = still(&Ledger::new("seeds"));
    let mut client = client(&security, mechanism);
    let mut server = Server::new(&security, mechanism, Arc::new(Nobody), BindingPolicy::Ignore);
    let mut tokens = Vec::new();
    let mut token = client.step(&[]).ok().and_then(|step| step.token);
    while let Some(ours) = token.take() {
        tokens.push(ours.clone());
        let Some(theirs) = server.step(&ours).ok().and_then(|step| step.token) else { break };
        tokens.push(theirs.clone());
        token = client.step(&theirs).ok().and_then(|step| step.token);
    }
    tokens
}

pub fn ntlm_seeds() -> Vec<Seed> {
    let kinds = [0_u8, 1, 2];
    kinds
        .iter()
        .zip(tokens(Mechanism::Ntlm))
        .map(|(kind, token)| (format!("message{kind}"), [&[*kind], token.as_slice()].concat()))
        .collect()
}

pub fn spnego_seeds() -> Vec<Seed> {
    tokens(Mechanism::Negotiate)
        .into_iter()
        .enumerate()
        .map(|(n, token)| (format!("token{n}"), token))
        .collect()
}

pub fn token_seeds() -> Vec<Seed> {
    let ntlm = tokens(Mechanism::Ntlm).into_iter().zip([0_u8, 2, 4]);
    let spnego = tokens(Mechanism::Negotiate).into_iter().zip([1_u8, 3, 5]);
    ntlm.chain(spnego)
        .map(|(token, how)| (format!("how{how}"), [&[how], token.as_slice()].concat()))
        .collect()
}

pub fn certificate_seeds() -> Vec<Seed> {
    // Certificate ::= SEQUENCE { SEQUENCE {}, SEQUENCE { sha384WithRSAEncryption }, … }
    let bytes = [
        0x30, 0x0f, 0x30, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c,
    ];
    vec![("head".to_owned(), bytes.to_vec())]
}

pub fn kerberos_seeds() -> Vec<Seed> {
    fuzzing::samples()
        .into_iter()
        .map(|(which, bytes)| (format!("sample{which}"), [&[which], bytes.as_slice()].concat()))
        .collect()
}
