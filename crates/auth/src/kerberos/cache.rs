//! Credential caches in files: the format 0x0504 that `kinit` writes.

use core::fmt;
use std::path::Path;

use watertight_wire::{WireError, WireErrorKind};

use super::crypto::{Etype, Key};
use super::message::Name;
use crate::AuthError;
use crate::files;

/// A larger file is no credential cache.
const BYTES_AT_MOST: u64 = 4 << 20;
const ENTRIES_AT_MOST: usize = 4096;

/// Whose tickets, and the tickets.
pub(crate) struct Cache {
    pub(crate) realm: String,
    pub(crate) client: Name,
    pub(crate) credentials: Vec<Credential>,
}

/// A ticket with its key.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) realm: String,
    pub(crate) service: Name,
    pub(crate) key: Key,
    /// Seconds since 1970.
    pub(crate) end: i64,
    /// The ticket, in DER.
    pub(crate) ticket: Vec<u8>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("service", &self.service)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn read(path: &Path) -> Result<Self, AuthError> {
        Ok(Self::parse(&files::read(path, BYTES_AT_MOST)?)?)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Big { r: bytes, structure: "credential cache" };
        let version = r.u16("version")?;
        if version != 0x0504 {
            return Err(r.error("version", WireErrorKind::Invalid { value: version.into() }));
        }
        let header = r.u16("headerlen")?;
        r.take(header.into(), "header")?;
        let (client, realm) = r.principal()?;
        let mut credentials = Vec::new();
        let mut count = 0;
        while !r.r.is_empty() {
            if count == ENTRIES_AT_MOST {
                return Err(
                    r.error("credentials", WireErrorKind::TooLarge { len: count, max: ENTRIES_AT_MOST })
                );
            }
            count += 1;
            credentials.extend(r.credential()?);
        }
        Ok(Self { realm, client, credentials })
    }

    /// A ticket for a service, that is good for another minute.
    pub(crate) fn find(&self, service: &Name, realm: &str, now: i64) -> Option<&Credential> {
        self.credentials.iter().find(|credential| {
            credential.service == *service
                && credential.realm == realm
                && credential.end > now.saturating_add(60)
        })
    }
}

/// The principal whose cache it is.
pub(crate) fn owner(path: &Path) -> Result<String, AuthError> {
    let cache = Cache::read(path)?;
    Ok(format!("{}@{}", cache.client.parts.join("/"), cache.realm))
}

/// A cursor over numbers with the high byte first.
pub(super) struct Big<'a> {
    pub(super) r: &'a [u8],
    pub(super) structure: &'static str,
}

impl<'a> Big<'a> {
    pub(super) fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError::new(self.structure, field, 0, kind)
    }

    pub(super) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .r
            .split_at_checked(len)
            .ok_or_else(|| self.error(field, WireErrorKind::Truncated { need: len, have: self.r.len() }))?;
        self.r = rest;
        Ok(taken)
    }

    fn number(&mut self, len: usize, field: &'static str) -> Result<u32, WireError> {
        Ok(self.take(len, field)?.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(u8::try_from(self.number(1, field)?).unwrap_or_default())
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        Ok(u16::try_from(self.number(2, field)?).unwrap_or_default())
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.number(4, field)
    }

    pub(super) fn data32(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.u32(field)?;
        self.take(watertight_wire::to_usize(len), field)
    }

    pub(super) fn data16(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.u16(field)?;
        self.take(len.into(), field)
    }

    fn text(&mut self, field: &'static str) -> Result<String, WireError> {
        Ok(String::from_utf8_lossy(self.data32(field)?).into_owned())
    }

    fn principal(&mut self) -> Result<(Name, String), WireError> {
        let kind = self.u32("name_type")?.cast_signed();
        let count = self.u32("num_components")?;
        let realm = self.text("realm")?;
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(self.text("component")?);
        }
        Ok((Name { kind, parts }, realm))
    }

    /// One entry; none when its key is of a cipher that we do not have, or it is a note of the cache to itself.
    fn credential(&mut self) -> Result<Option<Credential>, WireError> {
        self.principal()?;
        let (service, realm) = self.principal()?;
        let etype = self.u16("keytype")?;
        let key = self.data32("keydata")?;
        self.take(8, "authtime, starttime")?;
        let end = i64::from(self.u32("endtime")?);
        self.take(4, "renew_till")?;
        self.u8("is_skey")?;
        self.u32("flags")?;
        for list in ["addresses", "authdata"] {
            for _ in 0..self.u32(list)? {
                self.u16(list)?;
                self.data32(list)?;
            }
        }
        let ticket = self.data32("ticket")?.to_vec();
        self.data32("second_ticket")?;
        let key = Etype::from_number(etype.into()).and_then(|etype| Key::new(etype, key).ok());
        Ok(key.filter(|_| realm != "X-CACHECONF:").map(|key| Credential { realm, service, key, end, ticket }))
    }
}
