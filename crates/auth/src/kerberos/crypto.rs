//! aes128-cts-hmac-sha1-96 and aes256-cts-hmac-sha1-96 — RFC 3961, RFC 3962.

use core::fmt;

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::AuthError;
use crate::environment::Environment;

/// Bytes of a block, and of a confounder.
pub(crate) const BLOCK: usize = 16;
/// Bytes of a checksum.
pub(crate) const CHECKSUM: usize = 12;

type Block = [u8; BLOCK];

/// The ciphers that we have — RFC 3961 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Etype {
    /// aes128-cts-hmac-sha1-96
    Aes128,
    /// aes256-cts-hmac-sha1-96
    Aes256,
}

/// A key of one of them.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) etype: Etype,
    bytes: Zeroizing<Vec<u8>>,
}

impl Etype {
    /// What is asked for, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::Aes256, Self::Aes128];

    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Aes128 => 17,
            Self::Aes256 => 18,
        }
    }

    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|etype| etype.number() == number)
    }

    fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, …)", self.etype)
    }
}

/// The block cipher under a key.
enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    fn new(key: &[u8]) -> Result<Self, AuthError> {
        let wrong = |_| AuthError::kerberos("a key has 16 or 32 bytes");
        if key.len() == 16 {
            Aes128::new_from_slice(key).map(Self::Short).map_err(wrong)
        } else {
            Aes256::new_from_slice(key).map(Self::Long).map_err(wrong)
        }
    }

    fn encrypt(&self, block: &mut Block) {
        let mut array = Array::from(*block);
        match self {
            Self::Short(aes) => aes.encrypt_block(&mut array),
            Self::Long(aes) => aes.encrypt_block(&mut array),
        }
        *block = array.into();
    }

    fn decrypt(&self, block: &mut Block) {
        let mut array = Array::from(*block);
        match self {
            Self::Short(aes) => aes.decrypt_block(&mut array),
            Self::Long(aes) => aes.decrypt_block(&mut array),
        }
        *block = array.into();
    }
}

fn xor(to: &mut Block, from: &Block) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to ^= from);
}

/// CBC with ciphertext stealing, from a zero vector — RFC 3962 5. `data` has at least one block.
fn cts_encrypt(aes: &Aes, data: &mut [u8]) {
    let len = data.len();
    let mut previous = [0; BLOCK];
    let mut blocks = Vec::with_capacity(len.div_ceil(BLOCK));
    for chunk in data.chunks(BLOCK) {
        let mut block = [0; BLOCK];
        block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        xor(&mut block, &previous);
        aes.encrypt(&mut block);
        previous = block;
        blocks.push(block);
    }
    // The last two change places, and what is over falls off the end.
    let count = blocks.len();
    if count >= 2 {
        blocks.swap(count.saturating_sub(1), count.saturating_sub(2));
    }
    data.iter_mut().zip(blocks.into_iter().flatten()).for_each(|(to, from)| *to = from);
}

fn cts_decrypt(aes: &Aes, data: &mut [u8]) {
    let len = data.len();
    let count = len.div_ceil(BLOCK);
    let mut blocks: Vec<Block> = data
        .chunks(BLOCK)
        .map(|chunk| {
            let mut block = [0; BLOCK];
            block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            block
        })
        .collect();
    if let (Some(last), Some(before)) = (count.checked_sub(1), count.checked_sub(2)) {
        let short = len.saturating_sub(last.saturating_mul(BLOCK));
        // The end of the last block was stolen: it is in the decryption of the one before it.
        if let (Some(whole), Some(part)) = (blocks.get(before).copied(), blocks.get(last).copied()) {
            let mut stolen = whole;
            aes.decrypt(&mut stolen);
            let mut full = part;
            full.iter_mut().zip(&stolen).skip(short).for_each(|(to, from)| *to = *from);
            if let Some(slot) = blocks.get_mut(before) {
                *slot = full;
            }
            if let Some(slot) = blocks.get_mut(last) {
                *slot = whole;
            }
        }
    }
    let mut previous = [0; BLOCK];
    for block in &mut blocks {
        let encrypted = *block;
        aes.decrypt(block);
        xor(block, &previous);
        previous = encrypted;
    }
    data.iter_mut().zip(blocks.into_iter().flatten()).for_each(|(to, from)| *to = from);
}

/// n-fold — RFC 3961 5.1
fn n_fold(input: &[u8], out: usize) -> Vec<u8> {
    let inputs = input.len();
    let gcd = |mut a: usize, mut b: usize| {
        while b != 0 {
            (a, b) = (b, a.checked_rem(b).unwrap_or(0));
        }
        a
    };
    let total = inputs.saturating_mul(out).checked_div(gcd(inputs, out)).unwrap_or(0);
    let bits = inputs.saturating_mul(8);
    let bit = |at: usize| {
        let byte = input.get(at >> 3).copied().unwrap_or(0);
        byte >> (7_usize.saturating_sub(at & 7)) & 1
    };
    let mut sum = vec![0_u32; out];
    for at in 0..total {
        // Each copy is turned right by another 13 bits.
        let copy = at.checked_div(inputs).unwrap_or(0);
        let start = at.checked_rem(inputs).unwrap_or(0).saturating_mul(8);
        let turned = copy.saturating_mul(13).checked_rem(bits).unwrap_or(0);
        let value = (0..8_usize).fold(0_u32, |value, n| {
            let from = start.saturating_add(n).saturating_add(bits).saturating_sub(turned);
            (value << 1) | u32::from(bit(from.checked_rem(bits).unwrap_or(0)))
        });
        let place = at.checked_rem(out).unwrap_or(0);
        if let Some(slot) = sum.get_mut(place) {
            *slot = slot.saturating_add(value);
        }
    }
    // One's complement addition: carries go on, and around.
    let mut carry = 0;
    while carry > 0 || sum.iter().any(|value| *value > 0xff) {
        for slot in sum.iter_mut().rev() {
            *slot = slot.saturating_add(carry);
            carry = *slot >> 8;
            *slot &= 0xff;
        }
    }
    sum.into_iter().map(|value| u8::try_from(value).unwrap_or(0)).collect()
}

/// The three keys that are derived for each usage — RFC 3961 5.3.
enum Role {
    Checksum,
    Encryption,
    Integrity,
}

impl Key {
    pub(crate) fn new(etype: Etype, bytes: &[u8]) -> Result<Self, AuthError> {
        if bytes.len() != etype.key_len() {
            return Err(AuthError::kerberos("a key of the wrong length"));
        }
        Ok(Self { etype, bytes: Zeroizing::new(bytes.to_vec()) })
    }

    pub(crate) fn random(etype: Etype, environment: &dyn Environment) -> Result<Self, AuthError> {
        let mut bytes = Zeroizing::new(vec![0; etype.key_len()]);
        environment.random(&mut bytes)?;
        Ok(Self { etype, bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// string-to-key — RFC 3962 4
    pub(crate) fn of_password(
        etype: Etype,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, AuthError> {
        let mut bytes = Zeroizing::new(vec![0; etype.key_len()]);
        pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), salt, iterations, &mut bytes);
        let bytes = derive(&bytes, b"kerberos")?;
        Ok(Self { etype, bytes })
    }

    fn derived(&self, usage: u32, role: &Role) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let last = match role {
            Role::Checksum => 0x99,
            Role::Encryption => 0xaa,
            Role::Integrity => 0x55,
        };
        let mut constant = usage.to_be_bytes().to_vec();
        constant.push(last);
        derive(&self.bytes, &constant)
    }

    /// Encrypts parts as one text under one confounder; those that are not `hidden` are only signed.
    /// The confounder, the parts and the checksum stay where they are.
    pub(crate) fn encrypt_parts(
        &self,
        usage: u32,
        confounder: &mut Block,
        parts: &mut [Part<'_>],
    ) -> Result<[u8; CHECKSUM], AuthError> {
        let checksum = self.checksum_parts(&self.derived(usage, &Role::Integrity)?, confounder, parts)?;
        let aes = Aes::new(&self.derived(usage, &Role::Encryption)?)?;
        through(confounder, parts, |text| cts_encrypt(&aes, text));
        Ok(checksum)
    }

    /// The reverse.
    pub(crate) fn decrypt_parts(
        &self,
        usage: u32,
        confounder: &mut Block,
        parts: &mut [Part<'_>],
        checksum: &[u8],
    ) -> Result<(), AuthError> {
        let aes = Aes::new(&self.derived(usage, &Role::Encryption)?)?;
        through(confounder, parts, |text| cts_decrypt(&aes, text));
        let expected = self.checksum_parts(&self.derived(usage, &Role::Integrity)?, confounder, parts)?;
        if bool::from(expected.as_slice().ct_eq(checksum)) { Ok(()) } else { Err(AuthError::Altered) }
    }

    fn checksum_parts(
        &self,
        key: &[u8],
        confounder: &Block,
        parts: &[Part<'_>],
    ) -> Result<[u8; CHECKSUM], AuthError> {
        let mut mac = hmac(key)?;
        mac.update(confounder);
        for part in parts {
            mac.update(match part {
                Part::Hidden(bytes) => bytes,
                Part::Signed(bytes) => bytes,
            });
        }
        Ok(short(mac))
    }

    /// encrypt — RFC 3961 5.3
    pub(crate) fn encrypt(
        &self,
        environment: &dyn Environment,
        usage: u32,
        text: &[u8],
    ) -> Result<Vec<u8>, AuthError> {
        let mut confounder = [0; BLOCK];
        environment.random(&mut confounder)?;
        let mut body = text.to_vec();
        let checksum = self.encrypt_parts(usage, &mut confounder, &mut [Part::Hidden(&mut body)])?;
        Ok([confounder.as_slice(), &body, &checksum].concat())
    }

    /// decrypt — RFC 3961 5.3
    pub(crate) fn decrypt(&self, usage: u32, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let split = cipher.len().checked_sub(CHECKSUM).ok_or(AuthError::Altered)?;
        let (text, checksum) = cipher.split_at_checked(split).ok_or(AuthError::Altered)?;
        let (confounder, body) = text.split_first_chunk::<BLOCK>().ok_or(AuthError::Altered)?;
        let mut confounder = *confounder;
        let mut body = Zeroizing::new(body.to_vec());
        self.decrypt_parts(usage, &mut confounder, &mut [Part::Hidden(&mut body)], checksum)?;
        Ok(body)
    }

    /// get_mic — RFC 3961 5.4
    pub(crate) fn checksum(&self, usage: u32, parts: &[&[u8]]) -> Result<[u8; CHECKSUM], AuthError> {
        let mut mac = hmac(&self.derived(usage, &Role::Checksum)?)?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(short(mac))
    }

    /// The number of the checksum that goes with the cipher — RFC 3962 7.
    pub(crate) fn checksum_type(&self) -> i32 {
        match self.etype {
            Etype::Aes128 => 15,
            Etype::Aes256 => 16,
        }
    }
}

/// A part of a text.
pub(crate) enum Part<'a> {
    /// Encrypted and signed.
    Hidden(&'a mut [u8]),
    /// Only signed.
    Signed(&'a [u8]),
}

/// Confounder and hidden parts through a cipher, as one text.
fn through(confounder: &mut Block, parts: &mut [Part<'_>], cipher: impl FnOnce(&mut [u8])) {
    let mut text = Zeroizing::new(confounder.to_vec());
    for part in parts.iter() {
        if let Part::Hidden(bytes) = part {
            text.extend_from_slice(bytes);
        }
    }
    cipher(&mut text);
    let mut rest = text.iter();
    confounder.iter_mut().zip(rest.by_ref()).for_each(|(to, from)| *to = *from);
    for part in parts {
        if let Part::Hidden(bytes) = part {
            let len = bytes.len();
            bytes.iter_mut().zip(rest.by_ref().take(len)).for_each(|(to, from)| *to = *from);
        }
    }
}

/// DK — RFC 3961 5.1
fn derive(key: &[u8], constant: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
    let aes = Aes::new(key)?;
    let folded = n_fold(constant, BLOCK);
    let mut block = [0; BLOCK];
    block.iter_mut().zip(&folded).for_each(|(to, from)| *to = *from);
    let mut bytes = Zeroizing::new(Vec::with_capacity(key.len()));
    while bytes.len() < key.len() {
        aes.encrypt(&mut block);
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(key.len());
    Ok(bytes)
}

fn hmac(key: &[u8]) -> Result<Hmac<Sha1>, AuthError> {
    <Hmac<Sha1> as KeyInit>::new_from_slice(key).map_err(|_| AuthError::kerberos("a key of HMAC-SHA1"))
}

fn short(mac: Hmac<Sha1>) -> [u8; CHECKSUM] {
    let bytes = mac.finalize().into_bytes();
    let mut checksum = [0; CHECKSUM];
    checksum.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// RFC 3961 A.1
    #[test]
    fn folding() {
        assert_eq!(n_fold(b"012345", 8), hex("be072631276b1955"));
        assert_eq!(n_fold(b"password", 7), hex("78a07b6caf85fa"));
        assert_eq!(n_fold(b"Rough Consensus, and Running Code", 8), hex("bb6ed30870b7f0e0"));
        assert_eq!(n_fold(b"kerberos", 16), hex("6b65726265726f737b9b5b2b93132b93"));
    }

    /// RFC 3962 B, string-to-key.
    #[test]
    fn keys_of_passwords() {
        let salt = b"ATHENA.MIT.EDUraeburn";
        for (iterations, short, long) in [
            (
                1,
                "42263c6e89f4fc28b8df68ee09799f15",
                "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
            ),
            (
                1200,
                "4c01cd46d632d01e6dbe230a01ed642a",
                "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
            ),
        ] {
            let key = Key::of_password(Etype::Aes128, "password", salt, iterations).unwrap();
            assert_eq!(key.bytes(), hex(short));
            let key = Key::of_password(Etype::Aes256, "password", salt, iterations).unwrap();
            assert_eq!(key.bytes(), hex(long));
        }
    }

    /// RFC 3962 B, CBC with ciphertext stealing.
    #[test]
    fn stealing() {
        let aes = Aes::new(b"chicken teriyaki").unwrap();
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        for (len, expected) in [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f97"),
            (31, "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5"),
            (32, "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584"),
        ] {
            let mut data = text[..len].to_vec();
            cts_encrypt(&aes, &mut data);
            assert_eq!(data, hex(expected));
            cts_decrypt(&aes, &mut data);
            assert_eq!(data, text[..len]);
        }
        for len in 16..=text.len() {
            let mut data = text[..len].to_vec();
            cts_encrypt(&aes, &mut data);
            cts_decrypt(&aes, &mut data);
            assert_eq!(data, text[..len]);
        }
    }

    #[test]
    fn texts_both_ways_and_changed_ones() {
        for etype in Etype::ALL {
            let key = Key::random(etype, &crate::System).unwrap();
            for len in [0, 1, 15, 16, 17, 100] {
                let text = vec![7; len];
                let cipher = key.encrypt(&crate::System, 11, &text).unwrap();
                assert_eq!(*key.decrypt(11, &cipher).unwrap(), text);
                assert!(key.decrypt(12, &cipher).is_err());
                watertight_testkit::mutate::survive(&cipher, |bytes| {
                    assert!(key.decrypt(11, bytes).is_err())
                });
            }
        }
    }
}
