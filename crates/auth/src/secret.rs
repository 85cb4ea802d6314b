//! What must not be seen: overwritten when it drops, absent from every `Debug`.

use core::fmt;

use md4::{Digest, Md4};
use zeroize::{Zeroize, Zeroizing};

/// NTOWFv1 — [MS-NLMP] 3.3.1: MD4 of the password in UTF-16LE. As good as the password itself for NTLM.
#[derive(Clone, PartialEq, Eq)]
pub struct NtHash(Zeroizing<[u8; 16]>);

impl NtHash {
    /// The hash of a password.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let mut md4 = Md4::new();
        for unit in password.encode_utf16() {
            md4.update(unit.to_le_bytes());
        }
        Self(Zeroizing::new(md4.finalize().into()))
    }

    /// The hash, as a store kept it.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 16]) -> Self {
        let hash = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        hash
    }

    /// The hash, to be kept as carefully as a password.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(…)")
    }
}

/// The key that both sides of a context have at its end: ExportedSessionKey of NTLM, the (sub)session key of Kerberos.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(Zeroizing<Vec<u8>>);

impl SessionKey {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The key's bytes: 16 for NTLM, as many as the cipher wants for Kerberos.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-NLMP] 4.2.2.1.2 NTOWFv1()
    #[test]
    fn the_hash_of_the_specification() {
        let expected =
            [0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca, 0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52];
        assert_eq!(NtHash::of_password("Password").as_bytes(), &expected);
    }

    #[test]
    fn nothing_is_shown() {
        let hash = NtHash::of_password("Password");
        assert_eq!(format!("{hash:?} {:?}", SessionKey::new(b"k")), "NtHash(…) SessionKey(…)");
    }
}
