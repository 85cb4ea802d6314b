//! The messages — RFC 4120 5, in DER.

use core::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use watertight_wire::{WireError, WireErrorKind};

use super::crypto::{Etype, Key};
use crate::AuthError;
use crate::der::{self, Reader, application, context, tagged};

pub(super) type Read<T> = Result<T, WireError>;

/// Names and lists have no more parts than this.
const PARTS_AT_MOST: usize = 64;

/// NT-PRINCIPAL
pub(crate) const NT_PRINCIPAL: i32 = 1;
/// NT-SRV-INST
pub(crate) const NT_SRV_INST: i32 = 2;
/// NT-ENTERPRISE
pub(crate) const NT_ENTERPRISE: i32 = 10;

/// PrincipalName — 5.2.2
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) kind: i32,
    pub(crate) parts: Vec<String>,
}

impl PartialEq for Name {
    /// The kind is a hint, and no part of the name — 6.2.
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("/"))
    }
}

/// EncryptedData — 5.2.9
#[derive(Clone, Debug)]
pub(crate) struct Encrypted {
    pub(crate) etype: i32,
    pub(crate) kvno: Option<u32>,
    pub(crate) cipher: Vec<u8>,
}

/// Ticket — 5.3
pub(crate) struct Ticket {
    pub(crate) realm: String,
    pub(crate) service: Name,
    pub(crate) encrypted: Encrypted,
}

/// EncTicketPart — 5.3, as far as a service looks at it.
pub(crate) struct TicketPart {
    pub(crate) key: Key,
    pub(crate) realm: String,
    pub(crate) client: Name,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The INVALID flag.
    pub(crate) invalid: bool,
}

/// AP-REQ — 5.5.1
pub(crate) struct ApReq {
    pub(crate) mutual: bool,
    /// The ticket, as it is on the wire.
    pub(crate) ticket: Vec<u8>,
    pub(crate) authenticator: Encrypted,
}

/// Authenticator — 5.5.1
pub(crate) struct Authenticator {
    pub(crate) realm: String,
    pub(crate) client: Name,
    pub(crate) checksum: Option<(i32, Vec<u8>)>,
    pub(crate) micros: u32,
    pub(crate) time: i64,
    pub(crate) subkey: Option<Key>,
    pub(crate) sequence: Option<u32>,
}

/// EncAPRepPart — 5.5.2
pub(crate) struct ApRepPart {
    pub(crate) time: i64,
    pub(crate) micros: u32,
    pub(crate) subkey: Option<Key>,
    pub(crate) sequence: Option<u32>,
}

/// KRB-ERROR — 5.9.1
pub(crate) struct KrbError {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) data: Vec<u8>,
}

// Writing.

pub(crate) fn integer(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let mut skip = 0;
    // A leading byte goes when the next one has the same sign.
    for pair in bytes.windows(2) {
        match pair {
            [0, next] if next & 0x80 == 0 => skip += 1,
            [0xff, next] if next & 0x80 != 0 => skip += 1,
            _ => break,
        }
    }
    tagged(der::INTEGER, bytes.get(skip..).unwrap_or_default())
}

pub(super) fn field(n: u8, value: &[u8]) -> Vec<u8> {
    tagged(context(n), value)
}

pub(super) fn sequence(fields: &[Vec<u8>]) -> Vec<u8> {
    tagged(der::SEQUENCE, &fields.concat())
}

pub(super) fn text(value: &str) -> Vec<u8> {
    tagged(der::GENERAL_STRING, value.as_bytes())
}

pub(super) fn octets(value: &[u8]) -> Vec<u8> {
    tagged(der::OCTET_STRING, value)
}

/// KerberosFlags — 5.2.8: 32 bits, the first one the highest.
pub(super) fn flags(value: u32) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend(value.to_be_bytes());
    tagged(der::BIT_STRING, &bits)
}

pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let text = Timestamp::from_second(seconds)
        .map(|time| time.strftime("%Y%m%d%H%M%SZ").to_string())
        .unwrap_or_else(|_| "19700101000000Z".to_owned());
    tagged(der::GENERALIZED_TIME, text.as_bytes())
}

pub(super) fn key(key: &Key) -> Vec<u8> {
    sequence(&[field(0, &integer(key.etype.number().into())), field(1, &octets(key.bytes()))])
}

impl Name {
    pub(crate) fn new(kind: i32, parts: &[&str]) -> Self {
        Self { kind, parts: parts.iter().map(|part| (*part).to_owned()).collect() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = self.parts.iter().map(|part| text(part)).collect();
        sequence(&[field(0, &integer(self.kind.into())), field(1, &sequence(&parts))])
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Read<Self> {
        let mut fields = r.nested(der::SEQUENCE, "PrincipalName")?;
        let kind = read_i32(&mut fields.nested(context(0), "name-type")?, "name-type")?;
        let mut parts = Vec::new();
        let mut list = fields.nested(context(1), "name-string")?.nested(der::SEQUENCE, "name-string")?;
        while !list.is_empty() {
            bounded(parts.len(), "name-string")?;
            parts.push(read_text(&mut list, "name-string")?);
        }
        Ok(Self { kind, parts })
    }
}

impl Encrypted {
    pub(crate) fn new(key: &Key, cipher: Vec<u8>) -> Self {
        Self { etype: key.etype.number(), kvno: None, cipher }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut fields = vec![field(0, &integer(self.etype.into()))];
        fields.extend(self.kvno.map(|kvno| field(1, &integer(kvno.into()))));
        fields.push(field(2, &octets(&self.cipher)));
        sequence(&fields)
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Read<Self> {
        let mut fields = r.nested(der::SEQUENCE, "EncryptedData")?;
        Ok(Self {
            etype: read_i32(&mut fields.nested(context(0), "etype")?, "etype")?,
            kvno: match fields.optional(context(1), "kvno")? {
                Some(mut kvno) => Some(read_u32(&mut kvno, "kvno")?),
                None => None,
            },
            cipher: fields.nested(context(2), "cipher")?.value(der::OCTET_STRING, "cipher")?.to_vec(),
        })
    }

    pub(crate) fn etype(&self) -> Result<Etype, AuthError> {
        Etype::from_number(self.etype).ok_or(AuthError::NoCommonGround("a cipher other than AES with SHA-1"))
    }
}

impl ApReq {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        tagged(
            application(14),
            &sequence(&[
                field(0, &integer(5)),
                field(1, &integer(14)),
                field(2, &flags(if self.mutual { 0x2000_0000 } else { 0 })),
                field(3, &self.ticket),
                field(4, &self.authenticator.bytes()),
            ]),
        )
    }

    pub(crate) fn read(bytes: &[u8]) -> Read<Self> {
        let mut fields = message(bytes, "AP-REQ", 14, 0)?;
        let options = fields.nested(context(2), "ap-options")?.value(der::BIT_STRING, "ap-options")?;
        let ticket = fields.nested(context(3), "ticket")?.rest().to_vec();
        let authenticator = Encrypted::read(&mut fields.nested(context(4), "authenticator")?)?;
        Ok(Self { mutual: options.get(1).is_some_and(|byte| byte & 0x20 != 0), ticket, authenticator })
    }
}

impl Ticket {
    pub(crate) fn read(bytes: &[u8]) -> Read<Self> {
        let mut r = Reader::new(bytes, "Ticket");
        let mut fields = r.nested(application(1), "Ticket")?.nested(der::SEQUENCE, "Ticket")?;
        fields.nested(context(0), "tkt-vno")?;
        Ok(Self {
            realm: read_text(&mut fields.nested(context(1), "realm")?, "realm")?,
            service: Name::read(&mut fields.nested(context(2), "sname")?)?,
            encrypted: Encrypted::read(&mut fields.nested(context(3), "enc-part")?)?,
        })
    }
}

impl TicketPart {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, AuthError> {
        let mut r = Reader::new(bytes, "EncTicketPart");
        let mut fields = r.nested(application(3), "EncTicketPart")?.nested(der::SEQUENCE, "EncTicketPart")?;
        let flags = fields.nested(context(0), "flags")?.value(der::BIT_STRING, "flags")?;
        let key = read_key(&mut fields.nested(context(1), "key")?)?;
        let realm = read_text(&mut fields.nested(context(2), "crealm")?, "crealm")?;
        let client = Name::read(&mut fields.nested(context(3), "cname")?)?;
        fields.nested(context(4), "transited")?;
        let authenticated = read_time(&mut fields.nested(context(5), "authtime")?, "authtime")?;
        let start = match fields.optional(context(6), "starttime")? {
            Some(mut start) => read_time(&mut start, "starttime")?,
            None => authenticated,
        };
        let end = read_time(&mut fields.nested(context(7), "endtime")?, "endtime")?;
        let invalid = flags.get(1).is_some_and(|byte| byte & 0x01 != 0);
        Ok(Self { key, realm, client, start, end, invalid })
    }
}

impl Authenticator {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut fields =
            vec![field(0, &integer(5)), field(1, &text(&self.realm)), field(2, &self.client.bytes())];
        if let Some((kind, bytes)) = &self.checksum {
            let checksum = sequence(&[field(0, &integer((*kind).into())), field(1, &octets(bytes))]);
            fields.push(field(3, &checksum));
        }
        fields.push(field(4, &integer(self.micros.into())));
        fields.push(field(5, &time(self.time)));
        fields.extend(self.subkey.as_ref().map(|subkey| field(6, &key(subkey))));
        fields.extend(self.sequence.map(|sequence| field(7, &integer(sequence.into()))));
        tagged(application(2), &sequence(&fields))
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, AuthError> {
        let mut r = Reader::new(bytes, "Authenticator");
        let mut fields = r.nested(application(2), "Authenticator")?.nested(der::SEQUENCE, "Authenticator")?;
        fields.nested(context(0), "authenticator-vno")?;
        let realm = read_text(&mut fields.nested(context(1), "crealm")?, "crealm")?;
        let client = Name::read(&mut fields.nested(context(2), "cname")?)?;
        let checksum = match fields.optional(context(3), "cksum")? {
            None => None,
            Some(mut checksum) => {
                let mut fields = checksum.nested(der::SEQUENCE, "Checksum")?;
                let kind = read_i32(&mut fields.nested(context(0), "cksumtype")?, "cksumtype")?;
                let bytes = fields.nested(context(1), "checksum")?.value(der::OCTET_STRING, "checksum")?;
                Some((kind, bytes.to_vec()))
            }
        };
        let micros = read_u32(&mut fields.nested(context(4), "cusec")?, "cusec")?;
        let time = read_time(&mut fields.nested(context(5), "ctime")?, "ctime")?;
        let subkey = optional_key(&mut fields, 6)?;
        let sequence = optional_sequence(&mut fields, 7)?;
        Ok(Self { realm, client, checksum, micros, time, subkey, sequence })
    }
}

/// AP-REP — 5.5.2
pub(crate) fn ap_rep(encrypted: &Encrypted) -> Vec<u8> {
    let fields = [field(0, &integer(5)), field(1, &integer(15)), field(2, &encrypted.bytes())];
    tagged(application(15), &sequence(&fields))
}

pub(crate) fn read_ap_rep(bytes: &[u8]) -> Read<Encrypted> {
    let mut fields = message(bytes, "AP-REP", 15, 0)?;
    Encrypted::read(&mut fields.nested(context(2), "enc-part")?)
}

impl ApRepPart {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut fields = vec![field(0, &time(self.time)), field(1, &integer(self.micros.into()))];
        fields.extend(self.subkey.as_ref().map(|subkey| field(2, &key(subkey))));
        fields.extend(self.sequence.map(|sequence| field(3, &integer(sequence.into()))));
        tagged(application(27), &sequence(&fields))
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, AuthError> {
        let mut r = Reader::new(bytes, "EncAPRepPart");
        let mut fields = r.nested(application(27), "EncAPRepPart")?.nested(der::SEQUENCE, "EncAPRepPart")?;
        let time = read_time(&mut fields.nested(context(0), "ctime")?, "ctime")?;
        let micros = read_u32(&mut fields.nested(context(1), "cusec")?, "cusec")?;
        let subkey = optional_key(&mut fields, 2)?;
        let sequence = optional_sequence(&mut fields, 3)?;
        Ok(Self { time, micros, subkey, sequence })
    }
}

impl KrbError {
    /// Whether the bytes are of a KRB-ERROR.
    pub(crate) fn is(bytes: &[u8]) -> bool {
        bytes.first() == Some(&application(30))
    }

    pub(crate) fn read(bytes: &[u8]) -> Read<Self> {
        let mut fields = message(bytes, "KRB-ERROR", 30, 0)?;
        fields.optional(context(2), "ctime")?;
        fields.optional(context(3), "cusec")?;
        fields.nested(context(4), "stime")?;
        fields.nested(context(5), "susec")?;
        let code = read_i32(&mut fields.nested(context(6), "error-code")?, "error-code")?;
        fields.optional(context(7), "crealm")?;
        fields.optional(context(8), "cname")?;
        fields.nested(context(9), "realm")?;
        fields.nested(context(10), "sname")?;
        let text = match fields.optional(context(11), "e-text")? {
            Some(mut text) => read_text(&mut text, "e-text")?,
            None => String::new(),
        };
        let data = match fields.optional(context(12), "e-data")? {
            Some(mut data) => data.value(der::OCTET_STRING, "e-data")?.to_vec(),
            None => Vec::new(),
        };
        Ok(Self { code, text, data })
    }
}

// Reading.

/// The fields of a message behind pvno and msg-type, which have the numbers `first` and the next.
pub(super) fn message<'a>(bytes: &'a [u8], structure: &'static str, kind: u8, first: u8) -> Read<Reader<'a>> {
    let mut r = Reader::new(bytes, structure);
    let mut fields = r.nested(application(kind), structure)?.nested(der::SEQUENCE, structure)?;
    let version = read_i32(&mut fields.nested(context(first), "pvno")?, "pvno")?;
    if version != 5 {
        return Err(fields.invalid("pvno", 0));
    }
    let found = read_i32(&mut fields.nested(context(first.saturating_add(1)), "msg-type")?, "msg-type")?;
    if found != i32::from(kind) {
        return Err(fields.invalid("msg-type", 0));
    }
    Ok(fields)
}

fn read_i64(r: &mut Reader<'_>, field: &'static str) -> Read<i64> {
    let bytes = r.value(der::INTEGER, field)?;
    let (Some(first), true) = (bytes.first(), bytes.len() <= 8) else {
        return Err(r.invalid(field, 0));
    };
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(bytes.iter().fold(sign, |value: i64, byte| (value << 8) | i64::from(*byte)))
}

pub(super) fn read_i32(r: &mut Reader<'_>, field: &'static str) -> Read<i32> {
    let value = read_i64(r, field)?;
    i32::try_from(value).map_err(|_| r.invalid(field, value.unsigned_abs()))
}

/// UInt32; some peers write the high half as negative numbers.
pub(super) fn read_u32(r: &mut Reader<'_>, field: &'static str) -> Read<u32> {
    let value = read_i64(r, field)?;
    u32::try_from(value)
        .or_else(|_| i32::try_from(value).map(i32::cast_unsigned))
        .map_err(|_| r.invalid(field, value.unsigned_abs()))
}

/// KerberosString — 5.2.1
pub(super) fn read_text(r: &mut Reader<'_>, field: &'static str) -> Read<String> {
    let bytes = r.value(der::GENERAL_STRING, field)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

pub(super) fn read_time(r: &mut Reader<'_>, field: &'static str) -> Read<i64> {
    let bytes = r.value(der::GENERALIZED_TIME, field)?;
    core::str::from_utf8(bytes)
        .ok()
        .and_then(|text| DateTime::strptime("%Y%m%d%H%M%SZ", text).ok())
        .and_then(|time| time.to_zoned(TimeZone::UTC).ok())
        .map(|time| time.timestamp().as_second())
        .ok_or_else(|| r.invalid(field, 0))
}

pub(super) fn read_key(r: &mut Reader<'_>) -> Result<Key, AuthError> {
    let mut fields = r.nested(der::SEQUENCE, "EncryptionKey")?;
    let etype = read_i32(&mut fields.nested(context(0), "keytype")?, "keytype")?;
    let bytes = fields.nested(context(1), "keyvalue")?.value(der::OCTET_STRING, "keyvalue")?;
    let etype =
        Etype::from_number(etype).ok_or(AuthError::NoCommonGround("a cipher other than AES with SHA-1"))?;
    Key::new(etype, bytes)
}

fn optional_key(fields: &mut Reader<'_>, n: u8) -> Result<Option<Key>, AuthError> {
    match fields.optional(context(n), "subkey")? {
        Some(mut subkey) => read_key(&mut subkey).map(Some),
        None => Ok(None),
    }
}

fn optional_sequence(fields: &mut Reader<'_>, n: u8) -> Read<Option<u32>> {
    match fields.optional(context(n), "seq-number")? {
        Some(mut sequence) => read_u32(&mut sequence, "seq-number").map(Some),
        None => Ok(None),
    }
}

pub(super) fn bounded(len: usize, field: &'static str) -> Read<()> {
    if len < PARTS_AT_MOST {
        return Ok(());
    }
    Err(WireError::new("Kerberos", field, 0, WireErrorKind::TooLarge { len, max: PARTS_AT_MOST }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times() {
        for value in [0, 1, 127, 128, -1, -128, -129, 0x7fff_ffff, 0xffff_ffff, i64::MIN] {
            assert_eq!(read_i64(&mut Reader::new(&integer(value), "X"), "f").unwrap(), value);
        }
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(read_u32(&mut Reader::new(&integer(-1), "X"), "f").unwrap(), u32::MAX);
        let bytes = time(1_700_000_000);
        assert_eq!(&bytes[2..], b"20231114221320Z");
        assert_eq!(read_time(&mut Reader::new(&bytes, "X"), "f").unwrap(), 1_700_000_000);
    }
}
