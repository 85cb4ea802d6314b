//! Signatures and encryption of messages — RFC 4121 4.2, and the form of [MS-KILE] 3.4.5.4 for DCE/RPC.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use watertight_ledger::Entry;

use super::crypto::{BLOCK, CHECKSUM, Key, Part};
use crate::context::{Mechanism, Peer, Protection, SecurityContext};
use crate::environment::Environment;
use crate::exchange::Security;
use crate::{AuthError, SessionKey};

const HEADER: usize = 16;
const SENT_BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
const ACCEPTOR_SUBKEY: u8 = 4;
/// What stands behind the text in the encrypted part, besides the filler: a copy of the header, and the checksum.
const TAIL: usize = HEADER + CHECKSUM;

/// What both sides agreed on.
pub(super) struct Keys {
    pub(super) key: Key,
    /// Whether the key is the acceptor's.
    pub(super) acceptor_subkey: bool,
    /// Whether we are the initiator.
    pub(super) initiator: bool,
    pub(super) dce: bool,
    /// The number of the next message that we send.
    pub(super) outgoing: u64,
    /// The number of the next message that we get.
    pub(super) incoming: u64,
}

/// An established context.
pub(crate) struct KerberosSession {
    environment: Arc<dyn Environment>,
    keys: Keys,
    session_key: SessionKey,
    peer: Peer,
    protection: Protection,
    broken: bool,
    _entry: Entry,
}

impl KerberosSession {
    pub(super) fn new(security: &Security, keys: Keys, peer: Peer, protection: Protection) -> Self {
        Self {
            environment: Arc::clone(&security.environment),
            session_key: SessionKey::new(keys.key.bytes()),
            keys,
            peer,
            protection,
            broken: false,
            _entry: security.context(),
        }
    }

    fn ready(&self, seal: bool) -> Result<(), AuthError> {
        if self.broken {
            return Err(AuthError::Altered);
        }
        if seal && !self.protection.confidentiality {
            return Err(AuthError::Unavailable("confidentiality"));
        }
        Ok(())
    }

    /// Windows takes no encrypted text without a filler in DCE style.
    fn filler(&self) -> usize {
        if self.keys.dce { BLOCK } else { 0 }
    }

    fn flags(&self, by_acceptor: bool, sealed: bool) -> u8 {
        let mut flags = 0;
        if by_acceptor {
            flags |= SENT_BY_ACCEPTOR;
        }
        if sealed {
            flags |= SEALED;
        }
        if self.keys.acceptor_subkey {
            flags |= ACCEPTOR_SUBKEY;
        }
        flags
    }

    /// Key usages — RFC 4121 2: of the side that sends.
    fn usage(by_acceptor: bool, sealed: bool) -> u32 {
        match (by_acceptor, sealed) {
            (true, true) => 22,
            (true, false) => 23,
            (false, true) => 24,
            (false, false) => 25,
        }
    }

    fn mic_header(&self, by_acceptor: bool, sequence: u64) -> [u8; HEADER] {
        header([4, 4], self.flags(by_acceptor, false), [0xff; 4], sequence)
    }

    fn wrap_header(&self, by_acceptor: bool, filler: u16, rotation: u16, sequence: u64) -> [u8; HEADER] {
        let ([a, b], [c, d]) = (filler.to_be_bytes(), rotation.to_be_bytes());
        header([5, 4], self.flags(by_acceptor, true), [a, b, c, d], sequence)
    }

    fn outgoing(&mut self) -> u64 {
        let sequence = self.keys.outgoing;
        self.keys.outgoing = sequence.wrapping_add(1);
        sequence
    }

    fn incoming(&mut self) -> u64 {
        let sequence = self.keys.incoming;
        self.keys.incoming = sequence.wrapping_add(1);
        sequence
    }

    fn open(
        &mut self,
        head: &[u8],
        body: &mut [u8],
        trailer: &[u8],
        signature: &[u8],
    ) -> Result<(), AuthError> {
        let by_acceptor = self.keys.initiator;
        let sequence = self.incoming();
        let (found, rest) = signature.split_first_chunk::<HEADER>().ok_or(AuthError::Altered)?;
        let mut fields = found.iter().skip(4).copied();
        let mut number = || u16::from_be_bytes([fields.next().unwrap_or(0), fields.next().unwrap_or(0)]);
        let (filler, rotation) = (number(), number());
        if found != &self.wrap_header(by_acceptor, filler, rotation, sequence) {
            return Err(AuthError::Altered);
        }
        // Back to: confounder, text, filler, header, checksum. Windows turns by the filler too in DCE style.
        let mut token = [rest, body].concat();
        let turn = usize::from(rotation)
            .saturating_add(if self.keys.dce { usize::from(filler) } else { 0 })
            .checked_rem(token.len())
            .unwrap_or(0);
        token.rotate_left(turn);
        let (confounder, token) = token.split_first_chunk_mut::<BLOCK>().ok_or(AuthError::Altered)?;
        let (text, tail) = token.split_at_mut_checked(body.len()).ok_or(AuthError::Altered)?;
        if tail.len() != TAIL.saturating_add(filler.into()) {
            return Err(AuthError::Altered);
        }
        let split = tail.len().saturating_sub(CHECKSUM);
        let (tail, checksum) = tail.split_at_mut_checked(split).ok_or(AuthError::Altered)?;
        let mut parts = [Part::Signed(head), Part::Hidden(text), Part::Signed(trailer), Part::Hidden(tail)];
        let usage = Self::usage(by_acceptor, true);
        self.keys.key.decrypt_parts(usage, confounder, &mut parts, checksum)?;
        let copy = tail.get(usize::from(filler)..).unwrap_or_default();
        let expected = self.wrap_header(by_acceptor, filler, 0, sequence);
        if !bool::from(copy.ct_eq(&expected)) {
            return Err(AuthError::Altered);
        }
        body.copy_from_slice(text);
        Ok(())
    }
}

/// Token id, flags, a filler byte, four bytes, the number.
fn header(id: [u8; 2], flags: u8, four: [u8; 4], sequence: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let parts = id.into_iter().chain([flags, 0xff]).chain(four).chain(sequence.to_be_bytes());
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    bytes
}

impl SecurityContext for KerberosSession {
    fn mechanism(&self) -> Mechanism {
        Mechanism::Kerberos
    }

    fn peer(&self) -> &Peer {
        &self.peer
    }

    fn session_key(&self) -> &SessionKey {
        &self.session_key
    }

    fn protection(&self) -> Protection {
        self.protection
    }

    fn signature_len(&self, sealed: bool) -> usize {
        if sealed {
            HEADER.saturating_add(BLOCK).saturating_add(self.filler()).saturating_add(TAIL)
        } else {
            HEADER.saturating_add(CHECKSUM)
        }
    }

    fn covers_header(&self, negotiated: bool) -> bool {
        negotiated
    }

    fn sign(&mut self, parts: &[&[u8]]) -> Result<Vec<u8>, AuthError> {
        self.ready(false)?;
        let by_acceptor = !self.keys.initiator;
        let sequence = self.outgoing();
        let header = self.mic_header(by_acceptor, sequence);
        let all: Vec<&[u8]> = parts.iter().copied().chain([header.as_slice()]).collect();
        let checksum = self.keys.key.checksum(Self::usage(by_acceptor, false), &all)?;
        Ok([header.as_slice(), &checksum].concat())
    }

    fn verify(&mut self, parts: &[&[u8]], signature: &[u8]) -> Result<(), AuthError> {
        self.ready(false)?;
        let by_acceptor = self.keys.initiator;
        let sequence = self.incoming();
        let header = self.mic_header(by_acceptor, sequence);
        let all: Vec<&[u8]> = parts.iter().copied().chain([header.as_slice()]).collect();
        let checksum = self.keys.key.checksum(Self::usage(by_acceptor, false), &all)?;
        let expected = [header.as_slice(), &checksum].concat();
        if bool::from(expected.as_slice().ct_eq(signature)) {
            return Ok(());
        }
        self.broken = true;
        Err(AuthError::Altered)
    }

    fn seal(&mut self, header: &[u8], body: &mut [u8], trailer: &[u8]) -> Result<Vec<u8>, AuthError> {
        self.ready(true)?;
        let by_acceptor = !self.keys.initiator;
        let sequence = self.outgoing();
        let filler = self.filler();
        let filler_field = u16::try_from(filler).unwrap_or(0);
        let rotation = u16::try_from(TAIL).unwrap_or(0);
        let mut tail = vec![0; filler];
        tail.extend_from_slice(&self.wrap_header(by_acceptor, filler_field, 0, sequence));
        let mut confounder = [0; BLOCK];
        self.environment.random(&mut confounder)?;
        let mut parts =
            [Part::Signed(header), Part::Hidden(body), Part::Signed(trailer), Part::Hidden(&mut tail)];
        let usage = Self::usage(by_acceptor, true);
        let checksum = self.keys.key.encrypt_parts(usage, &mut confounder, &mut parts)?;
        let outer = self.wrap_header(by_acceptor, filler_field, rotation, sequence);
        Ok([outer.as_slice(), &tail, &checksum, &confounder].concat())
    }

    fn unseal(
        &mut self,
        header: &[u8],
        body: &mut [u8],
        trailer: &[u8],
        signature: &[u8],
    ) -> Result<(), AuthError> {
        self.ready(true)?;
        let opened = self.open(header, body, trailer, signature);
        self.broken = opened.is_err();
        opened
    }
}
