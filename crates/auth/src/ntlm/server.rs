//! The server's side — [MS-NLMP] 3.2.5.

use subtle::{Choice, ConstantTimeEq};
use watertight_wire::{Reader, Wire};
use zeroize::Zeroizing;

use super::av_pair::{AvId, FLAG_MIC, TargetInfo};
use super::compute::{hmac_md5, nt_proof, ntowf_v2, rc4k, session_base_key, utf16};
use super::message::{Authenticate, Challenge, Negotiate, Version};
use super::{ClientChallenge, NegotiateFlags, NtlmSession};
use crate::context::Peer;
use crate::exchange::{Exchange, Offer, Step};
use crate::{AuthError, NtHash};

/// What a client may ask for and get.
const OFFER: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::OEM.0
        | NegotiateFlags::REQUEST_TARGET.0
        | NegotiateFlags::SIGN.0
        | NegotiateFlags::SEAL.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::ALWAYS_SIGN.0
        | NegotiateFlags::EXTENDED_SESSIONSECURITY.0
        | NegotiateFlags::VERSION.0
        | NegotiateFlags::KEY_128.0
        | NegotiateFlags::KEY_EXCH.0
        | NegotiateFlags::KEY_56.0,
);

/// NTProofStr and the fixed part of NTLMv2_CLIENT_CHALLENGE: what is shorter is a response of NTLMv1.
const RESPONSE_AT_LEAST: usize = 16 + 28;

/// A server's exchange.
pub(crate) struct NtlmServer {
    offer: Offer,
    asked: Option<Asked>,
}

/// What was asked of the client.
struct Asked {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    server_challenge: [u8; 8],
    flags: NegotiateFlags,
}

impl NtlmServer {
    pub(crate) fn new(offer: Offer) -> Self {
        Self { offer, asked: None }
    }

    fn challenge(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let negotiate = Negotiate::from_bytes(token)?;
        let wanted = negotiate.flags;
        if wanted.contains(NegotiateFlags::DATAGRAM) {
            return Err(AuthError::ntlm("connectionless NTLM is not offered"));
        }
        let mut flags = NegotiateFlags(OFFER.0 & wanted.0)
            | NegotiateFlags::NTLM
            | NegotiateFlags::TARGET_INFO
            | NegotiateFlags::TARGET_TYPE_DOMAIN
            | NegotiateFlags::REQUEST_TARGET;
        if flags.contains(NegotiateFlags::UNICODE) {
            flags = flags.without(NegotiateFlags::OEM);
        } else if !flags.contains(NegotiateFlags::OEM) {
            return Err(AuthError::ntlm("neither UNICODE nor OEM"));
        }
        let mut server_challenge = [0; 8];
        self.offer.security.environment.random(&mut server_challenge)?;

        let names = self.offer.accounts.names();
        let mut target_info = TargetInfo::default();
        for (id, name) in [
            (AvId::NB_DOMAIN_NAME, &names.domain),
            (AvId::NB_COMPUTER_NAME, &names.computer),
            (AvId::DNS_DOMAIN_NAME, &names.dns_domain),
            (AvId::DNS_COMPUTER_NAME, &names.dns_computer),
        ] {
            target_info.set_name(id, name);
        }
        target_info.set(AvId::TIMESTAMP, self.offer.security.environment.now().0.to_le_bytes());
        let message = Challenge {
            flags,
            target_name: if flags.contains(NegotiateFlags::UNICODE) {
                utf16(&names.domain)
            } else {
                names.domain.clone().into_bytes()
            },
            server_challenge,
            target_info: target_info.to_bytes()?,
            version: Some(Version::OURS),
        };
        let challenge = message.to_bytes()?;
        self.asked =
            Some(Asked { negotiate: token.to_vec(), challenge: challenge.clone(), server_challenge, flags });
        Ok(Step::going(challenge))
    }

    fn check(&self, asked: &Asked, token: &[u8]) -> Result<Step, AuthError> {
        let message = Authenticate::from_bytes(token)?;
        let text = |bytes: &[u8]| {
            if message.flags.contains(NegotiateFlags::UNICODE) {
                Reader::decode_utf16le(bytes)
            } else {
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        let (user, domain) = (text(&message.user), text(&message.domain));
        let flags = NegotiateFlags(message.flags.0 & asked.flags.0);
        let exchanged = flags.contains(NegotiateFlags::KEY_EXCH);
        if exchanged && message.encrypted_key.len() != 16 {
            return Err(AuthError::ntlm("EncryptedRandomSessionKey has 16 bytes"));
        }
        // 3.2.5.1.2: no name and no response is nobody in particular.
        let anonymous = user.is_empty() && message.nt_response.is_empty() && message.lm_response.len() <= 1;
        if anonymous && self.offer.accounts.anonymous() {
            let mut session_key = Zeroizing::new([0; 16]);
            if exchanged {
                session_key.copy_from_slice(&message.encrypted_key);
                rc4k(&[0; 16], session_key.as_mut_slice())?;
            }
            let peer = Peer { machine: text(&message.workstation), ..Peer::default() };
            return self.established(flags, &session_key, peer, false);
        }
        if message.nt_response.len() < RESPONSE_AT_LEAST {
            tracing::debug!(len = message.nt_response.len(), "no response of NTLMv2");
            return Err(AuthError::Denied);
        }
        let (proof, temp) = message.nt_response.split_at_checked(16).unwrap_or_default();
        let response = ClientChallenge::from_bytes(temp)?;

        // From here to the verdict, everybody goes the same way: known or not, right or wrong.
        let known = self.offer.accounts.nt_hash(&user, &domain)?;
        let exists = Choice::from(u8::from(known.is_some()));
        let nobody = self.of_nobody()?;
        let hash = known.unwrap_or(nobody);
        let key = ntowf_v2(&hash, &user, &domain)?;
        let right = nt_proof(&key, &asked.server_challenge, temp)?.as_slice().ct_eq(proof);
        let base = session_base_key(&key, proof)?;
        let mut session_key = base.clone();
        if exchanged {
            session_key.copy_from_slice(&message.encrypted_key);
            rc4k(base.as_slice(), session_key.as_mut_slice())?;
        }
        let whole = self.mic(asked, &message, &response, token, &session_key)?;
        if !bool::from(right & exists) {
            return Err(AuthError::Denied);
        }
        if !bool::from(whole) {
            return Err(AuthError::Altered);
        }
        let sent = response.target_info.channel_bindings();
        if !self.offer.bindings.accepts(sent) {
            return Err(AuthError::Bindings);
        }
        let meant = response.target_info.flags() & FLAG_MIC != 0;
        let peer = Peer {
            name: user,
            domain,
            machine: text(&message.workstation),
            proved: true,
            bound: self.offer.bindings != crate::BindingPolicy::Ignore
                && sent.is_some_and(|hash| hash != [0; 16]),
            target: response.target_info.name(AvId::TARGET_NAME).filter(|name| !name.is_empty()),
        };
        self.established(flags, &session_key, peer, meant)
    }

    fn established(
        &self,
        flags: NegotiateFlags,
        session_key: &[u8; 16],
        peer: Peer,
        with_mic: bool,
    ) -> Result<Step, AuthError> {
        let entry = self.offer.security.context();
        let context = NtlmSession::new(flags, session_key, false, peer, with_mic, Some(entry))?;
        Ok(Step { token: None, done: Some(Box::new(context)) })
    }

    /// Whether the MIC is right, where the client says that there is one — 3.2.5.1.2.
    fn mic(
        &self,
        asked: &Asked,
        message: &Authenticate,
        response: &ClientChallenge,
        token: &[u8],
        session_key: &[u8; 16],
    ) -> Result<Choice, AuthError> {
        let mut clean = token.to_vec();
        if let Some(place) = clean.get_mut(Authenticate::MIC_AT..Authenticate::MIC_AT.saturating_add(16)) {
            place.fill(0);
        }
        let expected = hmac_md5(session_key, &[&asked.negotiate, &asked.challenge, &clean])?;
        let found = message.mic.unwrap_or_default();
        let meant = response.target_info.flags() & FLAG_MIC != 0;
        let present = Choice::from(u8::from(message.mic.is_some()));
        Ok((expected.as_slice().ct_eq(&found) & present) | Choice::from(u8::from(!meant)))
    }

    /// A hash that no password has.
    fn of_nobody(&self) -> Result<NtHash, AuthError> {
        let mut bytes = Zeroizing::new([0; 16]);
        self.offer.security.environment.random(bytes.as_mut_slice())?;
        Ok(NtHash::from_bytes(*bytes))
    }
}

impl Exchange for NtlmServer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match self.asked.take() {
            None => self.challenge(token),
            Some(asked) => self.check(&asked, token),
        }
    }
}
