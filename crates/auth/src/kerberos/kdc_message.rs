//! What is asked of a KDC and what it answers — RFC 4120 5.4.

use super::crypto::{Etype, Key};
use super::message::{
    Encrypted, Name, Read, bounded, field, flags, integer, message, octets, read_i32, read_key, read_text,
    read_time, read_u32, sequence, text, time,
};
use crate::AuthError;
use crate::der::{self, Reader, application, context, tagged};

/// KDC-REP — 5.4.2
pub(crate) struct KdcRep {
    pub(crate) padata: Vec<(i32, Vec<u8>)>,
    pub(crate) realm: String,
    pub(crate) client: Name,
    pub(crate) ticket: Vec<u8>,
    pub(crate) encrypted: Encrypted,
}

/// EncKDCRepPart — 5.4.2
pub(crate) struct KdcRepPart {
    pub(crate) key: Key,
    pub(crate) nonce: u32,
    pub(crate) end: i64,
    pub(crate) realm: String,
    pub(crate) service: Name,
}

/// What is asked of a KDC — 5.4.1
pub(crate) struct KdcReq<'a> {
    /// 10 for an AS-REQ, 12 for a TGS-REQ.
    pub(crate) kind: u8,
    pub(crate) padata: &'a [(i32, Vec<u8>)],
    /// KDC-REQ-BODY
    pub(crate) body: &'a [u8],
}

impl KdcReq<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut fields = vec![field(1, &integer(5)), field(2, &integer(self.kind.into()))];
        if !self.padata.is_empty() {
            fields.push(field(3, &padata(self.padata)));
        }
        fields.push(field(4, self.body));
        tagged(application(self.kind), &sequence(&fields))
    }
}

/// METHOD-DATA
pub(super) fn padata(list: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = list
        .iter()
        .map(|(kind, value)| sequence(&[field(1, &integer((*kind).into())), field(2, &octets(value))]))
        .collect();
    sequence(&entries)
}

/// KDC-REQ-BODY — 5.4.1
pub(crate) fn kdc_req_body(
    options: u32,
    client: Option<&Name>,
    realm: &str,
    service: &Name,
    till: i64,
    nonce: u32,
) -> Vec<u8> {
    let etypes: Vec<Vec<u8>> = Etype::ALL.iter().map(|etype| integer(etype.number().into())).collect();
    let mut fields = vec![field(0, &flags(options))];
    fields.extend(client.map(|client| field(1, &client.bytes())));
    fields.push(field(2, &text(realm)));
    fields.push(field(3, &service.bytes()));
    fields.push(field(5, &time(till)));
    fields.push(field(7, &integer(nonce.into())));
    fields.push(field(8, &sequence(&etypes)));
    sequence(&fields)
}

/// PA-ENC-TS-ENC — 5.2.7.2
pub(crate) fn pa_enc_timestamp(seconds: i64, micros: u32) -> Vec<u8> {
    sequence(&[field(0, &time(seconds)), field(1, &integer(micros.into()))])
}

impl KdcRep {
    /// `kind` is 11 for an AS-REP, 13 for a TGS-REP.
    pub(crate) fn read(bytes: &[u8], kind: u8) -> Read<Self> {
        let mut fields = message(bytes, "KDC-REP", kind, 0)?;
        let padata = match fields.optional(context(2), "padata")? {
            Some(padata) => read_padata(padata.rest())?,
            None => Vec::new(),
        };
        Ok(Self {
            padata,
            realm: read_text(&mut fields.nested(context(3), "crealm")?, "crealm")?,
            client: Name::read(&mut fields.nested(context(4), "cname")?)?,
            ticket: fields.nested(context(5), "ticket")?.rest().to_vec(),
            encrypted: Encrypted::read(&mut fields.nested(context(6), "enc-part")?)?,
        })
    }
}

impl KdcRepPart {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, AuthError> {
        let mut r = Reader::new(bytes, "EncKDCRepPart");
        // [APPLICATION 25] or 26: some answer with the other's.
        let tag = r.peek().filter(|tag| [application(25), application(26)].contains(tag));
        let tag = tag.unwrap_or(application(26));
        let mut fields = r.nested(tag, "EncKDCRepPart")?.nested(der::SEQUENCE, "EncKDCRepPart")?;
        let key = read_key(&mut fields.nested(context(0), "key")?)?;
        fields.nested(context(1), "last-req")?;
        let nonce = read_u32(&mut fields.nested(context(2), "nonce")?, "nonce")?;
        fields.optional(context(3), "key-expiration")?;
        fields.nested(context(4), "flags")?;
        fields.nested(context(5), "authtime")?;
        fields.optional(context(6), "starttime")?;
        let end = read_time(&mut fields.nested(context(7), "endtime")?, "endtime")?;
        fields.optional(context(8), "renew-till")?;
        let realm = read_text(&mut fields.nested(context(9), "srealm")?, "srealm")?;
        let service = Name::read(&mut fields.nested(context(10), "sname")?)?;
        Ok(Self { key, nonce, end, realm, service })
    }
}

/// METHOD-DATA — 5.2.7
pub(crate) fn read_padata(bytes: &[u8]) -> Read<Vec<(i32, Vec<u8>)>> {
    let mut list = Reader::new(bytes, "METHOD-DATA").nested(der::SEQUENCE, "METHOD-DATA")?;
    let mut entries = Vec::new();
    while !list.is_empty() {
        bounded(entries.len(), "METHOD-DATA")?;
        let mut fields = list.nested(der::SEQUENCE, "PA-DATA")?;
        let kind = read_i32(&mut fields.nested(context(1), "padata-type")?, "padata-type")?;
        let value = fields.nested(context(2), "padata-value")?.value(der::OCTET_STRING, "padata-value")?;
        entries.push((kind, value.to_vec()));
    }
    Ok(entries)
}

/// ETYPE-INFO2-ENTRY — 5.2.7.5
pub(crate) struct EtypeInfo {
    pub(crate) etype: Etype,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) iterations: u32,
}

/// PBKDF2 of more rounds than this, or of fewer, is a trap: the answer that asks for them is nobody's yet. RFC 3962 4
/// wants 4096.
const ITERATIONS_AT_MOST: u32 = 1_000_000;
const ITERATIONS_AT_LEAST: u32 = 1000;
const ITERATIONS: u32 = 4096;

/// The first entry of an ETYPE-INFO2 with a cipher of ours.
pub(crate) fn read_etype_info(bytes: &[u8]) -> Read<Option<EtypeInfo>> {
    let mut list = Reader::new(bytes, "ETYPE-INFO2").nested(der::SEQUENCE, "ETYPE-INFO2")?;
    let mut count = 0;
    while !list.is_empty() {
        bounded(count, "ETYPE-INFO2")?;
        count += 1;
        let mut fields = list.nested(der::SEQUENCE, "ETYPE-INFO2-ENTRY")?;
        let etype = read_i32(&mut fields.nested(context(0), "etype")?, "etype")?;
        let salt = match fields.optional(context(1), "salt")? {
            Some(mut salt) => Some(salt.any("salt")?.1.to_vec()),
            None => None,
        };
        let iterations = match fields.optional(context(2), "s2kparams")? {
            Some(mut params) => {
                let params = params.value(der::OCTET_STRING, "s2kparams")?;
                params.try_into().map_or(ITERATIONS, u32::from_be_bytes)
            }
            None => ITERATIONS,
        };
        if let Some(etype) = Etype::from_number(etype) {
            if !(ITERATIONS_AT_LEAST..=ITERATIONS_AT_MOST).contains(&iterations) {
                return Err(list.invalid("s2kparams", iterations.into()));
            }
            return Ok(Some(EtypeInfo { etype, salt, iterations }));
        }
    }
    Ok(None)
}
