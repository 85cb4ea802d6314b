//! The client's side — [MS-NLMP] 3.1.5.

use watertight_wire::Wire;
use zeroize::Zeroizing;

use super::av_pair::{AvId, FLAG_MIC, TargetInfo};
use super::compute::{hmac_md5, lm_v2, nt_proof, ntowf_v2, rc4k, session_base_key, utf16};
use super::message::{Authenticate, Challenge, Negotiate, Version};
use super::{ClientChallenge, NegotiateFlags, NtlmSession};
use crate::context::{Peer, Purpose};
use crate::exchange::{Exchange, Request, Step};
use crate::{AuthError, Identity};

/// What is offered to every server.
const OFFER: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::REQUEST_TARGET.0
        | NegotiateFlags::SIGN.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::ALWAYS_SIGN.0
        | NegotiateFlags::EXTENDED_SESSIONSECURITY.0
        | NegotiateFlags::TARGET_INFO.0
        | NegotiateFlags::VERSION.0
        | NegotiateFlags::KEY_128.0
        | NegotiateFlags::KEY_EXCH.0
        | NegotiateFlags::KEY_56.0,
);

/// A client's exchange.
pub(crate) struct NtlmClient {
    request: Request,
    /// The NEGOTIATE_MESSAGE, once it is sent.
    sent: Option<Vec<u8>>,
}

/// What the client chooses for one AUTHENTICATE_MESSAGE.
pub(super) struct Choice {
    pub(super) client_challenge: [u8; 8],
    pub(super) session_key: Zeroizing<[u8; 16]>,
    pub(super) time: watertight_wire::FileTime,
    pub(super) workstation: String,
    pub(super) version: Version,
}

/// The proof, and the key that comes of it.
pub(super) struct Proof {
    pub(super) message: Authenticate,
    pub(super) session_key: Zeroizing<[u8; 16]>,
}

impl NtlmClient {
    pub(crate) fn new(request: Request) -> Self {
        Self { request, sent: None }
    }

    fn offer(&self) -> NegotiateFlags {
        match self.request.purpose {
            Purpose::SignIn => OFFER,
            Purpose::Messages | Purpose::Rpc => OFFER | NegotiateFlags::SEAL,
        }
    }

    fn negotiate(&mut self) -> Result<Step, AuthError> {
        let message = Negotiate {
            flags: self.offer(),
            domain: Vec::new(),
            workstation: Vec::new(),
            version: Some(Version::OURS),
        };
        let token = message.to_bytes()?;
        self.sent = Some(token.clone());
        Ok(Step::going(token))
    }

    fn authenticate(&mut self, negotiate: &[u8], token: &[u8]) -> Result<Step, AuthError> {
        let challenge = Challenge::from_bytes(token)?;
        let mut target_info = match challenge.target_info.as_slice() {
            [] => TargetInfo::default(),
            bytes => TargetInfo::from_bytes(bytes)?,
        };
        let flags = self.agree(challenge.flags)?;
        let environment = &self.request.security.environment;
        let mut choice = Choice {
            client_challenge: [0; 8],
            session_key: Zeroizing::new([0; 16]),
            time: target_info.timestamp().unwrap_or_else(|| environment.now()),
            workstation: String::new(),
            version: Version::OURS,
        };
        environment.random(&mut choice.client_challenge)?;
        environment.random(choice.session_key.as_mut_slice())?;

        // 3.1.5.1.2: a server that sends its time gets a MIC and no LM response.
        let with_mic = target_info.timestamp().is_some();
        let domain = target_info.name(AvId::NB_DOMAIN_NAME).unwrap_or_default();
        let machine = target_info.name(AvId::NB_COMPUTER_NAME).unwrap_or_default();
        if with_mic {
            let flags = target_info.flags() | FLAG_MIC;
            target_info.set(AvId::FLAGS, flags.to_le_bytes());
        }
        if !challenge.target_info.is_empty() {
            let bindings = self.request.bindings.as_ref().map_or([0; 16], |bindings| bindings.hash());
            target_info.set(AvId::CHANNEL_BINDINGS, bindings);
            target_info.set_name(AvId::TARGET_NAME, &self.request.target.to_string());
        }
        let with_mic = with_mic && !self.request.identity.is_anonymous();
        let Proof { mut message, session_key } =
            prove(&self.request.identity, &challenge, flags, &choice, &target_info, with_mic)?;
        // The place is there, as in Windows' messages, also when it stays empty: impacket's servers count on it.
        message.mic = Some([0; 16]);
        if with_mic {
            let mic = hmac_md5(session_key.as_slice(), &[negotiate, token, &message.to_bytes()?])?;
            message.mic = Some(*mic);
        }
        let peer = Peer { name: self.request.target.to_string(), domain, machine, ..Peer::default() };
        let entry = self.request.security.context();
        let context = NtlmSession::new(flags, &session_key, true, peer, with_mic, Some(entry))?;
        Ok(Step { token: Some(message.to_bytes()?), done: Some(Box::new(context)) })
    }

    /// The flags of both sides, when they are enough for the purpose.
    fn agree(&self, theirs: NegotiateFlags) -> Result<NegotiateFlags, AuthError> {
        let always = NegotiateFlags::REQUEST_TARGET;
        let mut flags = NegotiateFlags(self.offer().0 & (theirs | always).0);
        if !flags.contains(NegotiateFlags::UNICODE) {
            flags = flags | NegotiateFlags::OEM;
        }
        let needed =
            NegotiateFlags::EXTENDED_SESSIONSECURITY | NegotiateFlags::KEY_128 | NegotiateFlags::SEAL;
        if self.request.purpose != Purpose::SignIn && !flags.contains(needed) {
            return Err(AuthError::NoCommonGround("the server does not encrypt with keys of 128 bits"));
        }
        Ok(flags)
    }
}

impl Exchange for NtlmClient {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match (self.sent.take(), token.is_empty()) {
            (None, true) => self.negotiate(),
            (Some(sent), false) => self.authenticate(&sent, token),
            _ => Err(AuthError::OutOfTurn),
        }
    }
}

/// NTLMv2 — 3.3.2, and the key exchange of 3.1.5.1.2; without the MIC.
pub(super) fn prove(
    identity: &Identity,
    challenge: &Challenge,
    flags: NegotiateFlags,
    choice: &Choice,
    target_info: &TargetInfo,
    with_mic: bool,
) -> Result<Proof, AuthError> {
    if identity.is_anonymous() {
        return anonymous(flags, choice);
    }
    let hash = identity
        .hash()
        .ok_or_else(|| AuthError::Credentials("NTLM needs a password or its hash".to_owned()))?;
    let key = ntowf_v2(&hash, identity.user(), identity.domain())?;
    let temp = ClientChallenge {
        time: choice.time,
        challenge: choice.client_challenge,
        target_info: target_info.clone(),
    }
    .to_bytes()?;
    let proof = nt_proof(&key, &challenge.server_challenge, &temp)?;
    let base = session_base_key(&key, proof.as_slice())?;
    let lm_response = if with_mic {
        vec![0; 24]
    } else {
        lm_v2(&key, &challenge.server_challenge, &choice.client_challenge)?
    };
    let (session_key, encrypted_key) = if flags.contains(NegotiateFlags::KEY_EXCH) {
        let mut encrypted = choice.session_key.to_vec();
        rc4k(base.as_slice(), &mut encrypted)?;
        (choice.session_key.clone(), encrypted)
    } else {
        (base, Vec::new())
    };
    let text = |text: &str| {
        if flags.contains(NegotiateFlags::UNICODE) { utf16(text) } else { text.as_bytes().to_vec() }
    };
    let message = Authenticate {
        flags,
        lm_response,
        nt_response: [proof.as_slice(), &temp].concat(),
        domain: text(identity.domain()),
        user: text(identity.user()),
        workstation: text(&choice.workstation),
        encrypted_key,
        version: Some(choice.version),
        mic: None,
    };
    Ok(Proof { message, session_key })
}

/// No name, no proof, and a key that anybody can make — 3.2.5.1.2.
fn anonymous(flags: NegotiateFlags, choice: &Choice) -> Result<Proof, AuthError> {
    let mut encrypted_key = Vec::new();
    let mut session_key = Zeroizing::new([0; 16]);
    if flags.contains(NegotiateFlags::KEY_EXCH) {
        encrypted_key = choice.session_key.to_vec();
        rc4k(session_key.as_slice(), &mut encrypted_key)?;
        session_key = choice.session_key.clone();
    }
    let message = Authenticate {
        flags: flags | NegotiateFlags::ANONYMOUS,
        lm_response: vec![0],
        nt_response: Vec::new(),
        domain: Vec::new(),
        user: Vec::new(),
        workstation: Vec::new(),
        encrypted_key,
        version: Some(choice.version),
        mic: None,
    };
    Ok(Proof { message, session_key })
}
