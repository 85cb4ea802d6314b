//! Signatures and encryption of messages — [MS-NLMP] 3.4, with extended session security.

use rc4::{Rc4, StreamCipher};
use subtle::ConstantTimeEq;
use watertight_ledger::Entry;
use zeroize::Zeroizing;

use super::NegotiateFlags;
use super::compute::{Key, hmac_md5, rc4, seal_key, sign_key};
use crate::context::{Mechanism, Peer, Protection, SecurityContext};
use crate::{AuthError, SessionKey};

/// NTLMSSP_MESSAGE_SIGNATURE — 2.2.2.9.2: Version, Checksum, SeqNum.
const SIGNATURE_LEN: usize = 16;
const SIGNATURE_VERSION: [u8; 4] = [1, 0, 0, 0];

/// An established context.
pub(crate) struct NtlmSession {
    flags: NegotiateFlags,
    key: SessionKey,
    peer: Peer,
    outgoing: Direction,
    incoming: Direction,
    /// A wrong signature ends the context: the cipher streams are out of step from there on.
    broken: bool,
    /// Whether the AUTHENTICATE_MESSAGE has a MIC.
    with_mic: bool,
    _entry: Option<Entry>,
}

struct Direction {
    sign_key: Key,
    seal_key: Key,
    handle: Rc4,
    sequence: u32,
    exchanged: bool,
}

impl Direction {
    fn new(flags: NegotiateFlags, key: &[u8; 16], client: bool) -> Result<Self, AuthError> {
        let seal_key = seal_key(flags, key, client);
        Ok(Self {
            sign_key: sign_key(key, client),
            handle: rc4(seal_key.as_slice())?,
            seal_key,
            sequence: 0,
            exchanged: flags.contains(NegotiateFlags::KEY_EXCH),
        })
    }

    /// MAC — 3.4.4.2; counts the message.
    fn mac(&mut self, parts: &[&[u8]]) -> Result<[u8; SIGNATURE_LEN], AuthError> {
        let sequence = self.sequence.to_le_bytes();
        let all: Vec<&[u8]> = std::iter::once(sequence.as_slice()).chain(parts.iter().copied()).collect();
        let mac = hmac_md5(self.sign_key.as_slice(), &all)?;
        let mut checksum = [0; 8];
        checksum.copy_from_slice(mac.first_chunk::<8>().unwrap_or(&[0; 8]));
        if self.exchanged {
            self.handle.apply_keystream(&mut checksum);
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut signature = [0; SIGNATURE_LEN];
        let parts = SIGNATURE_VERSION.iter().chain(&checksum).chain(&sequence);
        signature.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        Ok(signature)
    }
}

impl NtlmSession {
    pub(crate) fn new(
        flags: NegotiateFlags,
        key: &[u8; 16],
        client: bool,
        peer: Peer,
        with_mic: bool,
        entry: Option<Entry>,
    ) -> Result<Self, AuthError> {
        Ok(Self {
            flags,
            key: SessionKey::new(key),
            peer,
            outgoing: Direction::new(flags, key, client)?,
            incoming: Direction::new(flags, key, !client)?,
            broken: false,
            with_mic,
            _entry: entry,
        })
    }

    fn ready(&self, protection: Protection) -> Result<(), AuthError> {
        if self.broken {
            return Err(AuthError::Altered);
        }
        let has = self.protection();
        if protection.confidentiality && !has.confidentiality {
            return Err(AuthError::Unavailable("confidentiality"));
        }
        if protection.integrity && !has.integrity {
            return Err(AuthError::Unavailable("integrity"));
        }
        Ok(())
    }

    fn check(&mut self, expected: &[u8; SIGNATURE_LEN], signature: &[u8]) -> Result<(), AuthError> {
        if bool::from(expected.as_slice().ct_eq(signature)) {
            return Ok(());
        }
        self.broken = true;
        Err(AuthError::Altered)
    }
}

impl SecurityContext for NtlmSession {
    fn mechanism(&self) -> Mechanism {
        Mechanism::Ntlm
    }

    fn peer(&self) -> &Peer {
        &self.peer
    }

    fn session_key(&self) -> &SessionKey {
        &self.key
    }

    fn protection(&self) -> Protection {
        let extended = self.flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
        let signed =
            NegotiateFlags(NegotiateFlags::SIGN.0 | NegotiateFlags::ALWAYS_SIGN.0 | NegotiateFlags::SEAL.0);
        Protection {
            integrity: extended && self.flags.intersects(signed),
            confidentiality: extended && self.flags.contains(NegotiateFlags::SEAL),
        }
    }

    fn signature_len(&self, _sealed: bool) -> usize {
        SIGNATURE_LEN
    }

    /// Always, with extended session security.
    fn covers_header(&self, _negotiated: bool) -> bool {
        true
    }

    fn sign(&mut self, parts: &[&[u8]]) -> Result<Vec<u8>, AuthError> {
        self.ready(Protection::INTEGRITY)?;
        Ok(self.outgoing.mac(parts)?.to_vec())
    }

    fn verify(&mut self, parts: &[&[u8]], signature: &[u8]) -> Result<(), AuthError> {
        self.ready(Protection::INTEGRITY)?;
        let expected = self.incoming.mac(parts)?;
        self.check(&expected, signature)
    }

    fn seal(&mut self, header: &[u8], body: &mut [u8], trailer: &[u8]) -> Result<Vec<u8>, AuthError> {
        self.ready(Protection::BOTH)?;
        // The signature is of the clear text, and its checksum is encrypted behind the text.
        let clear = Zeroizing::new(body.to_vec());
        self.outgoing.handle.apply_keystream(body);
        Ok(self.outgoing.mac(&[header, &clear, trailer])?.to_vec())
    }

    fn unseal(
        &mut self,
        header: &[u8],
        body: &mut [u8],
        trailer: &[u8],
        signature: &[u8],
    ) -> Result<(), AuthError> {
        self.ready(Protection::BOTH)?;
        self.incoming.handle.apply_keystream(body);
        let expected = self.incoming.mac(&[header, body, trailer])?;
        self.check(&expected, signature)
    }

    fn signs_mech_list(&self) -> bool {
        true
    }

    fn demands_mech_list_mic(&self) -> bool {
        self.with_mic && self.protection().integrity
    }

    /// [MS-SPNG] 3.3.5.1: the cipher streams go back to their start, the sequence numbers stay.
    fn after_mech_list_mic(&mut self) -> Result<(), AuthError> {
        for direction in [&mut self.outgoing, &mut self.incoming] {
            direction.handle = rc4(direction.seal_key.as_slice())?;
        }
        Ok(())
    }
}
