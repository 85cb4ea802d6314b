//! What is computed of secrets and challenges — [MS-NLMP] 3.3.2 and 3.4.5.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroizing;

use super::NegotiateFlags;
use crate::{AuthError, NtHash};

/// A key of 128 bits that is overwritten when it drops.
pub(super) type Key = Zeroizing<[u8; 16]>;

/// HMAC_MD5 over parts.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Result<Key, AuthError> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).map_err(|_| AuthError::ntlm("a key of HMAC-MD5"))?;
    for part in parts {
        mac.update(part);
    }
    Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
}

/// RC4 from its start.
pub(super) fn rc4(key: &[u8]) -> Result<Rc4, AuthError> {
    Rc4::new_from_slice(key).map_err(|_| AuthError::ntlm("a key of RC4"))
}

/// RC4K — [MS-NLMP] 6
pub(super) fn rc4k(key: &[u8], data: &mut [u8]) -> Result<(), AuthError> {
    rc4(key)?.apply_keystream(data);
    Ok(())
}

/// NTOWFv2 — 3.3.2: HMAC_MD5(NTOWFv1, Uppercase(User) ‖ UserDom). The names are UTF-16 by now.
pub(super) fn ntowf_v2(hash: &NtHash, user: &str, domain: &str) -> Result<Key, AuthError> {
    let user: String = user.chars().map(upper).collect();
    hmac_md5(hash.as_bytes(), &[&utf16(&user), &utf16(domain)])
}

/// NTProofStr — 3.3.2
pub(super) fn nt_proof(key: &Key, server_challenge: &[u8; 8], temp: &[u8]) -> Result<Key, AuthError> {
    hmac_md5(key.as_slice(), &[server_challenge, temp])
}

/// LmChallengeResponse of NTLMv2 — 3.3.2
pub(super) fn lm_v2(
    key: &Key,
    server_challenge: &[u8; 8],
    challenge: &[u8; 8],
) -> Result<Vec<u8>, AuthError> {
    let mac = hmac_md5(key.as_slice(), &[server_challenge, challenge])?;
    Ok([mac.as_slice(), challenge].concat())
}

/// SessionBaseKey of NTLMv2 — 3.3.2, which is also its KeyExchangeKey (3.4.5.1).
pub(super) fn session_base_key(key: &Key, proof: &[u8]) -> Result<Key, AuthError> {
    hmac_md5(key.as_slice(), &[proof])
}

/// SIGNKEY — 3.4.5.2, for extended session security.
pub(super) fn sign_key(session_key: &[u8; 16], client: bool) -> Key {
    let magic: &[u8] = if client {
        b"session key to client-to-server signing key magic constant\0"
    } else {
        b"session key to server-to-client signing key magic constant\0"
    };
    md5(&[session_key, magic])
}

/// SEALKEY — 3.4.5.3, for extended session security.
pub(super) fn seal_key(flags: NegotiateFlags, session_key: &[u8; 16], client: bool) -> Key {
    let magic: &[u8] = if client {
        b"session key to client-to-server sealing key magic constant\0"
    } else {
        b"session key to server-to-client sealing key magic constant\0"
    };
    let strength = if flags.contains(NegotiateFlags::KEY_128) {
        16
    } else if flags.contains(NegotiateFlags::KEY_56) {
        7
    } else {
        5
    };
    md5(&[session_key.get(..strength).unwrap_or(session_key), magic])
}

fn md5(parts: &[&[u8]]) -> Key {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    Zeroizing::new(md5.finalize().into())
}

/// Text in UTF-16LE.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// One character for one: Windows' table has no ß → SS.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
