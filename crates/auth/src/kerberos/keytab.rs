use core::fmt;
use std::path::Path;
use std::sync::Mutex;

use watertight_wire::{WireError, WireErrorKind};

use super::cache::Big;
use super::crypto::{Etype, Key};
use super::message::Encrypted;
use crate::{AuthError, files};

/// A larger file is no keytab.
const BYTES_AT_MOST: u64 = 1 << 20;
const ENTRIES_AT_MOST: usize = 4096;

/// The keys of a service: a file of format 0x0502, as `kadmin ktadd` and `ktpass` write it. It also remembers the
/// proofs that were made to the service lately, so that none works twice (RFC 4120 3.2.3): use one for all contexts.
pub struct Keytab {
    keys: Vec<Entry>,
    pub(super) seen: Mutex<super::server::Seen>,
}

struct Entry {
    principal: String,
    version: u32,
    key: Key,
}

impl Keytab {
    /// Reads a file.
    ///
    /// # Errors
    /// [`AuthError::Io`] when it cannot be read, [`AuthError::Wire`] when it is none, [`AuthError::Credentials`] when
    /// it has no key of a cipher that we have.
    pub fn read(path: &Path) -> Result<Self, AuthError> {
        let keytab = Self::parse(&files::read(path, BYTES_AT_MOST)?)?;
        if keytab.keys.is_empty() {
            return Err(AuthError::Credentials(format!("{} has no key for AES with SHA-1", path.display())));
        }
        Ok(keytab)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Big { r: bytes, structure: "keytab" };
        let version = r.u16("version")?;
        if version != 0x0502 {
            return Err(r.error("version", WireErrorKind::Invalid { value: version.into() }));
        }
        let mut keys = Vec::new();
        let mut count = 0;
        while !r.r.is_empty() {
            if count == ENTRIES_AT_MOST {
                return Err(r.error("entries", WireErrorKind::TooLarge { len: count, max: ENTRIES_AT_MOST }));
            }
            count += 1;
            let len = r.u32("size")?.cast_signed();
            let entry = r.take(watertight_wire::to_usize(len.unsigned_abs()), "entry")?;
            // A negative length is a hole; a zero ends the file.
            match len {
                0 => break,
                1.. => keys.extend(Entry::read(Big { r: entry, structure: "keytab" })?),
                _ => {}
            }
        }
        Ok(Self { keys, seen: Mutex::default() })
    }

    /// The principals that it has keys of.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|entry| entry.principal.as_str())
    }

    /// Every key that may be the one: of the cipher, and of the version where the ticket says one.
    pub(super) fn keys(&self, encrypted: &Encrypted) -> impl Iterator<Item = &Key> {
        let version = encrypted.kvno.filter(|version| *version != 0);
        self.keys
            .iter()
            .filter(move |entry| {
                entry.key.etype.number() == encrypted.etype
                    && version.is_none_or(|version| entry.version & 0xff == version & 0xff)
            })
            .map(|entry| &entry.key)
    }
}

impl Entry {
    fn read(mut r: Big<'_>) -> Result<Option<Self>, WireError> {
        let count = r.u16("num_components")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let realm = text(r.data16("realm")?);
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(text(r.data16("component")?));
        }
        r.u32("name_type")?;
        r.u32("timestamp")?;
        let short = r.u8("vno8")?;
        let etype = r.u16("keytype")?;
        let key = r.data16("key")?;
        let version = if r.r.len() >= 4 { r.u32("vno")? } else { 0 };
        let version = if version == 0 { short.into() } else { version };
        let key = Etype::from_number(etype.into()).and_then(|etype| Key::new(etype, key).ok());
        Ok(key.map(|key| Self { principal: format!("{}@{realm}", parts.join("/")), version, key }))
    }
}

impl fmt::Debug for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.principals()).finish()
    }
}
