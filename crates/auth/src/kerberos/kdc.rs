//! Tickets from a key distribution centre — RFC 4120 3.1 and 3.3.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use watertight_wire::FileTime;

use super::cache::Credential;
use super::config::Realms;
use super::crypto::Key;
use super::kdc_message::{
    EtypeInfo, KdcRep, KdcRepPart, KdcReq, kdc_req_body, pa_enc_timestamp, read_etype_info, read_padata,
};
use super::message::{
    ApReq, Authenticator, Encrypted, KrbError, NT_ENTERPRISE, NT_PRINCIPAL, NT_SRV_INST, Name,
};
use crate::AuthError;
use crate::environment::Environment;

/// An answer is not longer.
const ANSWER_AT_MOST: usize = 256 * 1024;
/// As many realms are gone through for one ticket.
const REFERRALS_AT_MOST: usize = 5;
/// Tickets are asked for ten hours.
const LIFETIME: i64 = 10 * 3600;

const PA_TGS_REQ: i32 = 1;
const PA_ENC_TIMESTAMP: i32 = 2;
const PA_ETYPE_INFO2: i32 = 19;

/// kdc-options: forwardable is not asked for; canonicalize lets Active Directory send us to the right realm.
const CANONICALIZE: u32 = 0x0001_0000;

const KDC_ERR_PREAUTH_REQUIRED: i32 = 25;

/// How to reach the KDCs. It blocks: who runs on an executor steps a Kerberos client where blocking is allowed.
pub trait KeyDistribution: Send + Sync {
    /// Sends a request to a KDC of the realm, and takes its answer.
    ///
    /// # Errors
    /// [`AuthError::Io`] when none answers.
    fn exchange(&self, realm: &str, request: &[u8]) -> Result<Vec<u8>, AuthError>;

    /// What is known of realms.
    fn realms(&self) -> &Realms;
}

/// KDCs over TCP — RFC 4120 7.2.2.
#[derive(Debug, Clone)]
pub struct Tcp {
    realms: Realms,
    patience: Duration,
}

impl Tcp {
    /// To the KDCs of these realms; each has `patience` to answer.
    #[must_use]
    pub fn new(realms: Realms, patience: Duration) -> Self {
        Self { realms, patience }
    }

    fn ask(&self, kdc: &str, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut failed = std::io::Error::from(std::io::ErrorKind::NotFound);
        for address in kdc.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.patience) {
                Ok(stream) => return self.talk(stream, request),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn talk(&self, mut stream: TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        let len = u32::try_from(request.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&len.to_be_bytes(), request].concat())?;
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let len = watertight_wire::to_usize(u32::from_be_bytes(len));
        if len > ANSWER_AT_MOST {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        }
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl KeyDistribution for Tcp {
    fn exchange(&self, realm: &str, request: &[u8]) -> Result<Vec<u8>, AuthError> {
        let mut last = None;
        for kdc in self.realms.kdcs(realm) {
            match self.ask(&kdc, request) {
                Ok(answer) => return Ok(answer),
                Err(source) => {
                    last = Some(AuthError::Io {
                        what: format!("no answer from the KDC {kdc} of {realm}"),
                        source,
                    });
                }
            }
        }
        Err(last.unwrap_or_else(|| AuthError::Credentials(format!("no KDC of {realm} is known"))))
    }

    fn realms(&self) -> &Realms {
        &self.realms
    }
}

/// What a request to a KDC is made with.
pub(super) struct Asking<'a> {
    pub(super) kdc: &'a dyn KeyDistribution,
    pub(super) environment: &'a dyn Environment,
}

/// Whole seconds, and microseconds past them.
pub(super) fn seconds(now: FileTime) -> (i64, u32) {
    (now.to_unix_seconds(), now.subsec_nanos() / 1000)
}

impl Asking<'_> {
    fn nonce(&self) -> Result<u32, AuthError> {
        let mut bytes = [0; 4];
        self.environment.random(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes) & 0x7fff_ffff)
    }

    /// The ticket-granting ticket for a password, and whose it is — 3.1.
    pub(super) fn initial(
        &self,
        user: &str,
        realm: &str,
        password: &str,
    ) -> Result<(Name, String, Credential), AuthError> {
        let client = if user.contains('@') {
            Name::new(NT_ENTERPRISE, &[user])
        } else {
            Name::new(NT_PRINCIPAL, &[user])
        };
        let service = Name::new(NT_SRV_INST, &["krbtgt", realm]);
        let (now, _) = seconds(self.environment.now());
        let nonce = self.nonce()?;
        let till = now.saturating_add(LIFETIME);
        let body = kdc_req_body(CANONICALIZE, Some(&client), realm, &service, till, nonce);
        let mut padata = Vec::new();
        let mut info = None;
        let mut answer =
            self.kdc.exchange(realm, &KdcReq { kind: 10, padata: &padata, body: &body }.bytes())?;
        if KrbError::is(&answer) {
            let error = KrbError::read(&answer)?;
            if error.code != KDC_ERR_PREAUTH_REQUIRED {
                return Err(refused(&error));
            }
            let found = etype_info(&read_padata(&error.data)?)?;
            let found = found.ok_or(AuthError::NoCommonGround("a cipher other than AES with SHA-1"))?;
            let key = password_key(&found, password, realm, &client)?;
            let (now, micros) = seconds(self.environment.now());
            let stamp = key.encrypt(self.environment, 1, &pa_enc_timestamp(now, micros))?;
            padata.push((PA_ENC_TIMESTAMP, Encrypted::new(&key, stamp).bytes()));
            info = Some(found);
            answer = self.kdc.exchange(realm, &KdcReq { kind: 10, padata: &padata, body: &body }.bytes())?;
            if KrbError::is(&answer) {
                return Err(refused(&KrbError::read(&answer)?));
            }
        }
        let reply = KdcRep::read(&answer, 11)?;
        let info = match etype_info(&reply.padata)?.or(info) {
            Some(info) => info,
            None => EtypeInfo { etype: reply.encrypted.etype()?, salt: None, iterations: 4096 },
        };
        let key = password_key(&info, password, realm, &client)?;
        let part = KdcRepPart::read(&key.decrypt(3, &reply.encrypted.cipher)?)?;
        if part.nonce != nonce {
            return Err(AuthError::kerberos("the answer is to another request"));
        }
        let credential = Credential {
            realm: part.realm,
            service: part.service,
            key: part.key,
            end: part.end,
            ticket: reply.ticket,
        };
        Ok((reply.client, reply.realm, credential))
    }

    /// A ticket for a service, from the realm of the ticket-granting ticket or where it sends us — 3.3, RFC 6806 8.
    pub(super) fn service(
        &self,
        client: &Name,
        client_realm: &str,
        granting: &Credential,
        service: &Name,
    ) -> Result<Credential, AuthError> {
        let mut granting = granting.clone();
        for _ in 0..REFERRALS_AT_MOST {
            // The realm that the ticket-granting ticket is good for is in its name.
            let realm = granting.service.parts.get(1).cloned().unwrap_or_else(|| granting.realm.clone());
            let found = self.grant(client, client_realm, &granting, &realm, service)?;
            if found.service.parts.first().is_some_and(|part| part == "krbtgt") && found.service != *service {
                granting = found;
                continue;
            }
            return Ok(found);
        }
        Err(AuthError::kerberos("realms that send each other round in a ring"))
    }

    fn grant(
        &self,
        client: &Name,
        client_realm: &str,
        granting: &Credential,
        realm: &str,
        service: &Name,
    ) -> Result<Credential, AuthError> {
        let (now, micros) = seconds(self.environment.now());
        let nonce = self.nonce()?;
        let body = kdc_req_body(CANONICALIZE, None, realm, service, now.saturating_add(LIFETIME), nonce);
        let authenticator = Authenticator {
            realm: client_realm.to_owned(),
            client: client.clone(),
            checksum: Some((granting.key.checksum_type(), granting.key.checksum(6, &[&body])?.to_vec())),
            micros,
            time: now,
            subkey: None,
            sequence: None,
        };
        let sealed = granting.key.encrypt(self.environment, 7, &authenticator.bytes())?;
        let request = ApReq {
            mutual: false,
            ticket: granting.ticket.clone(),
            authenticator: Encrypted::new(&granting.key, sealed),
        };
        let padata = [(PA_TGS_REQ, request.bytes())];
        let answer = self.kdc.exchange(realm, &KdcReq { kind: 12, padata: &padata, body: &body }.bytes())?;
        if KrbError::is(&answer) {
            return Err(refused(&KrbError::read(&answer)?));
        }
        let reply = KdcRep::read(&answer, 13)?;
        let part = KdcRepPart::read(&granting.key.decrypt(8, &reply.encrypted.cipher)?)?;
        if part.nonce != nonce {
            return Err(AuthError::kerberos("the answer is to another request"));
        }
        Ok(Credential {
            realm: part.realm,
            service: part.service,
            key: part.key,
            end: part.end,
            ticket: reply.ticket,
        })
    }
}

fn etype_info(padata: &[(i32, Vec<u8>)]) -> Result<Option<EtypeInfo>, AuthError> {
    match padata.iter().find(|(kind, _)| *kind == PA_ETYPE_INFO2) {
        Some((_, bytes)) => Ok(read_etype_info(bytes)?),
        None => Ok(None),
    }
}

/// Without a salt of the KDC's, it is the realm and the name — RFC 4120 4.
fn password_key(info: &EtypeInfo, password: &str, realm: &str, client: &Name) -> Result<Key, AuthError> {
    let salt = info.salt.clone().unwrap_or_else(|| format!("{realm}{}", client.parts.concat()).into_bytes());
    Key::of_password(info.etype, password, &salt, info.iterations)
}

/// The errors that people see — RFC 4120 7.5.9, with what to do about them.
pub(super) fn refused(error: &KrbError) -> AuthError {
    let name = match error.code {
        6 => "KDC_ERR_C_PRINCIPAL_UNKNOWN: the realm has no such user",
        7 => "KDC_ERR_S_PRINCIPAL_UNKNOWN: the realm has no such service",
        14 => "KDC_ERR_ETYPE_NOSUPP: no cipher that both sides have",
        18 => "KDC_ERR_CLIENT_REVOKED: the account is locked or disabled",
        23 => "KDC_ERR_KEY_EXPIRED: the password has expired",
        24 => "KDC_ERR_PREAUTH_FAILED: the password is wrong",
        31 => "KRB_AP_ERR_BAD_INTEGRITY: the password or a key is wrong",
        32 => "KRB_AP_ERR_TKT_EXPIRED: the ticket has expired, try kinit",
        34 => "KRB_AP_ERR_REPEAT: the proof was used before",
        37 => "KRB_AP_ERR_SKEW: the clocks differ too much",
        41 => "KRB_AP_ERR_MODIFIED: the service has another key",
        52 => "KRB_ERR_RESPONSE_TOO_BIG",
        60 => "KRB_ERR_GENERIC",
        68 => "KDC_ERR_WRONG_REALM: the user belongs to another realm",
        _ => "an error",
    };
    let text = error.text.trim_end_matches('\0');
    let name = if text.is_empty() { name.to_owned() } else { format!("{name}; {text}") };
    AuthError::Kdc { code: error.code, name }
}
