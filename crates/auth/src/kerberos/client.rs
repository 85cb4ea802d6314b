//! The client's side — RFC 4121 4.1, [MS-KILE] 3.2.

use super::cache::{Cache, Credential};
use super::crypto::Key;
use super::kdc::{Asking, refused, seconds};
use super::message::{
    ApRepPart, ApReq, Authenticator, Encrypted, KrbError, NT_SRV_INST, Name, ap_rep, read_ap_rep,
};
use super::session::{KerberosSession, Keys};
use super::token;
use crate::AuthError;
use crate::context::{Peer, Protection, Purpose};
use crate::exchange::{Exchange, Request, Step};

/// A client's exchange.
pub(crate) struct KerberosClient {
    request: Request,
    sent: Option<Sent>,
}

/// What an answer is compared with.
struct Sent {
    ticket_key: Key,
    subkey: Key,
    time: i64,
    micros: u32,
    sequence: u32,
}

impl KerberosClient {
    pub(crate) fn new(request: Request) -> Self {
        Self { request, sent: None }
    }

    fn dce(&self) -> bool {
        self.request.purpose == Purpose::Rpc
    }

    fn begin(&mut self) -> Result<Step, AuthError> {
        let (client, realm, credential) = self.credential()?;
        let environment = &*self.request.security.environment;
        let (time, micros) = seconds(environment.now());
        let mut random = [0; 4];
        environment.random(&mut random)?;
        // Half of the range: some peers take the number for a signed one.
        let sequence = u32::from_le_bytes(random) & 0x3fff_ffff;
        let subkey = Key::random(credential.key.etype, environment)?;
        let bindings = self.request.bindings.as_ref().map_or([0; 16], |bindings| bindings.hash());
        let mut flags = token::MUTUAL | token::REPLAY | token::SEQUENCE | token::INTEGRITY;
        if self.request.purpose != Purpose::SignIn {
            flags |= token::CONFIDENTIALITY;
        }
        if self.dce() {
            flags |= token::DCE_STYLE;
        }
        let authenticator = Authenticator {
            realm,
            client,
            checksum: Some((token::CHECKSUM_TYPE, token::checksum(bindings, flags))),
            micros,
            time,
            subkey: Some(subkey.clone()),
            sequence: Some(sequence),
        };
        let sealed = credential.key.encrypt(environment, 11, &authenticator.bytes())?;
        let message = ApReq {
            mutual: true,
            ticket: credential.ticket,
            authenticator: Encrypted::new(&credential.key, sealed),
        }
        .bytes();
        self.sent = Some(Sent { ticket_key: credential.key, subkey, time, micros, sequence });
        Ok(Step::going(if self.dce() { message } else { token::frame(token::AP_REQ, &message) }))
    }

    /// A ticket for the target, and whose it is.
    fn credential(&self) -> Result<(Name, String, Credential), AuthError> {
        let target = &self.request.target;
        let service = Name::new(NT_SRV_INST, &[&target.service, &target.host.to_ascii_lowercase()]);
        let environment = &*self.request.security.environment;
        let kdc = self.request.security.key_distribution()?;
        let asking = Asking { kdc: &*kdc, environment };
        let (now, _) = seconds(environment.now());
        let identity = &self.request.identity;
        if let Some(path) = identity.cache_path() {
            let cache = Cache::read(path)?;
            let realm = kdc.realms().of_host(&target.host).unwrap_or(&cache.realm);
            if let Some(found) = cache.find(&service, realm, now) {
                return Ok((cache.client.clone(), cache.realm.clone(), found.clone()));
            }
            let granting = Name::new(NT_SRV_INST, &["krbtgt", &cache.realm]);
            let granting = cache.find(&granting, &cache.realm, now).ok_or_else(|| {
                AuthError::Credentials(format!(
                    "{} has no ticket that is still good: try kinit",
                    path.display()
                ))
            })?;
            let found = asking.service(&cache.client, &cache.realm, granting, &service)?;
            return Ok((cache.client.clone(), cache.realm.clone(), found));
        }
        let password = identity
            .clear_password()
            .ok_or_else(|| AuthError::Credentials("Kerberos needs a password or a ticket".to_owned()))?;
        let (user, realm) = match identity.user().split_once('@') {
            Some((user, domain)) => (user, Some(domain.to_ascii_uppercase())),
            None => (identity.user(), None),
        };
        let realm = realm
            .or_else(|| identity.domain().contains('.').then(|| identity.domain().to_ascii_uppercase()))
            .or_else(|| kdc.realms().default_realm().map(str::to_owned))
            .or_else(|| kdc.realms().of_host(&target.host).map(str::to_owned))
            .ok_or_else(|| AuthError::Credentials(format!("the realm of {user} is not known")))?;
        let (client, realm, granting) = asking.initial(user, &realm, password)?;
        let found = asking.service(&client, &realm, &granting, &service)?;
        Ok((client, realm, found))
    }

    fn finish(&mut self, sent: Sent, answer: &[u8]) -> Result<Step, AuthError> {
        let message = if self.dce() {
            answer
        } else {
            match token::unframe(answer)? {
                (token::AP_REP | token::ERROR, message) => message,
                _ => return Err(AuthError::kerberos("neither an AP-REP nor an error")),
            }
        };
        if KrbError::is(message) {
            return Err(refused(&KrbError::read(message)?));
        }
        let part = ApRepPart::read(&sent.ticket_key.decrypt(12, &read_ap_rep(message)?.cipher)?)?;
        if (part.time, part.micros) != (sent.time, sent.micros) {
            return Err(AuthError::kerberos("the answer is to another proof"));
        }
        let theirs = part.sequence.unwrap_or(0);
        // [MS-KILE] 3.4.5.1: the third leg repeats the server's number.
        let third = if self.dce() {
            let part = ApRepPart { subkey: None, sequence: Some(theirs), ..part_of(&sent) };
            let sealed = sent.ticket_key.encrypt(&*self.request.security.environment, 12, &part.bytes())?;
            Some(ap_rep(&Encrypted::new(&sent.ticket_key, sealed)))
        } else {
            None
        };
        let keys = Keys {
            acceptor_subkey: part.subkey.is_some(),
            key: part.subkey.unwrap_or(sent.subkey),
            initiator: true,
            dce: self.dce(),
            outgoing: sent.sequence.into(),
            incoming: theirs.into(),
        };
        let peer = Peer { name: self.request.target.to_string(), proved: true, ..Peer::default() };
        let protection =
            if self.request.purpose == Purpose::SignIn { Protection::INTEGRITY } else { Protection::BOTH };
        let context = KerberosSession::new(&self.request.security, keys, peer, protection);
        Ok(Step { token: third, done: Some(Box::new(context)) })
    }
}

fn part_of(sent: &Sent) -> ApRepPart {
    ApRepPart { time: sent.time, micros: sent.micros, subkey: None, sequence: None }
}

impl Exchange for KerberosClient {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match (self.sent.take(), token.is_empty()) {
            (None, true) => self.begin(),
            (Some(sent), false) => self.finish(sent, token),
            _ => Err(AuthError::OutOfTurn),
        }
    }
}
