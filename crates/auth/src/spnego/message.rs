//! NegotiationToken — RFC 4178 4.2, [MS-SPNG] 2.2.1.

use core::fmt;

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, Writer, wire_enum};

use super::SPNEGO;
use crate::der;

/// More mechanisms than this are refused; Windows lists four.
const MECHANISMS_AT_MOST: usize = 32;

wire_enum! {
    /// NegState — RFC 4178 4.2.2
    pub enum NegState: u8 {
        /// accept-completed
        ACCEPT_COMPLETED = 0,
        /// accept-incomplete
        ACCEPT_INCOMPLETE = 1,
        /// reject
        REJECT = 2,
        /// request-mic
        REQUEST_MIC = 3,
    }
}

/// NegotiationToken
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NegToken {
    /// negTokenInit, in the frame of RFC 2743 3.1.
    Init(NegTokenInit),
    /// negTokenResp
    Resp(NegTokenResp),
}

/// NegTokenInit — RFC 4178 4.2.1, or NegTokenInit2 — [MS-SPNG] 2.2.1 (its hints are left out).
#[derive(Clone, PartialEq, Eq)]
pub struct NegTokenInit {
    /// MechTypeList, as it is on the wire: the mechListMIC is of these bytes.
    pub mech_list: Vec<u8>,
    /// mechTypes: contents of the object identifiers, the preferred one first.
    pub mech_types: Vec<Vec<u8>>,
    /// mechToken
    pub mech_token: Option<Vec<u8>>,
    /// mechListMIC
    pub mech_list_mic: Option<Vec<u8>>,
}

/// NegTokenResp — RFC 4178 4.2.2
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NegTokenResp {
    /// negState
    pub state: Option<NegState>,
    /// supportedMech: contents of the object identifier.
    pub supported_mech: Option<Vec<u8>>,
    /// responseToken
    pub response_token: Option<Vec<u8>>,
    /// mechListMIC
    pub mech_list_mic: Option<Vec<u8>>,
}

impl NegTokenInit {
    /// A first token.
    #[must_use]
    pub fn new(mech_types: &[&[u8]], mech_token: Option<Vec<u8>>) -> Self {
        let oids: Vec<u8> =
            mech_types.iter().flat_map(|oid| der::tagged(der::OBJECT_IDENTIFIER, oid)).collect();
        Self {
            mech_list: der::tagged(der::SEQUENCE, &oids),
            mech_types: mech_types.iter().map(|oid| oid.to_vec()).collect(),
            mech_token,
            mech_list_mic: None,
        }
    }

    fn read(outer: &mut der::Reader<'_>) -> Result<Self, WireError> {
        let mut fields = outer.nested(der::SEQUENCE, "NegTokenInit")?;
        let list = fields.nested(der::context(0), "mechTypes")?;
        let mech_list = list.rest().to_vec();
        let mut mech_types = Vec::new();
        {
            let mut list = list;
            let mut oids = list.nested(der::SEQUENCE, "MechTypeList")?;
            list.finish()?;
            while !oids.is_empty() {
                if mech_types.len() == MECHANISMS_AT_MOST {
                    return Err(WireError::new(
                        "NegTokenInit",
                        "mechTypes",
                        0,
                        WireErrorKind::TooLarge { len: mech_types.len(), max: MECHANISMS_AT_MOST },
                    ));
                }
                mech_types.push(oids.value(der::OBJECT_IDENTIFIER, "MechType")?.to_vec());
            }
        }
        fields.optional(der::context(1), "reqFlags")?;
        let mech_token = octets(&mut fields, 2, "mechToken")?;
        let mut mech_list_mic = None;
        if let Some(mut third) = fields.optional(der::context(3), "mechListMIC")? {
            // negHints of NegTokenInit2 has the same tag, and is a SEQUENCE.
            if third.peek() == Some(der::OCTET_STRING) {
                mech_list_mic = Some(third.value(der::OCTET_STRING, "mechListMIC")?.to_vec());
            }
        }
        if let Some(mic) = octets(&mut fields, 4, "mechListMIC")? {
            mech_list_mic = Some(mic);
        }
        Ok(Self { mech_list, mech_types, mech_token, mech_list_mic })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut fields = der::tagged(der::context(0), &self.mech_list);
        fields.extend(tagged_octets(2, self.mech_token.as_deref()));
        fields.extend(tagged_octets(3, self.mech_list_mic.as_deref()));
        let token = der::tagged(der::context(0), &der::tagged(der::SEQUENCE, &fields));
        let oid = der::tagged(der::OBJECT_IDENTIFIER, SPNEGO);
        der::tagged(der::application(0), &[oid, token].concat())
    }
}

impl NegTokenResp {
    fn read(outer: &mut der::Reader<'_>) -> Result<Self, WireError> {
        let mut fields = outer.nested(der::SEQUENCE, "NegTokenResp")?;
        let state = match fields.optional(der::context(0), "negState")? {
            None => None,
            Some(mut state) => match state.value(der::ENUMERATED, "negState")? {
                [state] => Some(NegState(*state)),
                _ => return Err(state.invalid("negState", 0)),
            },
        };
        let supported_mech = match fields.optional(der::context(1), "supportedMech")? {
            None => None,
            Some(mut mech) => Some(mech.value(der::OBJECT_IDENTIFIER, "supportedMech")?.to_vec()),
        };
        Ok(Self {
            state,
            supported_mech,
            response_token: octets(&mut fields, 2, "responseToken")?,
            mech_list_mic: octets(&mut fields, 3, "mechListMIC")?,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        if let Some(state) = self.state {
            fields.extend(der::tagged(der::context(0), &der::tagged(der::ENUMERATED, &[state.0])));
        }
        if let Some(mech) = &self.supported_mech {
            fields.extend(der::tagged(der::context(1), &der::tagged(der::OBJECT_IDENTIFIER, mech)));
        }
        fields.extend(tagged_octets(2, self.response_token.as_deref()));
        fields.extend(tagged_octets(3, self.mech_list_mic.as_deref()));
        der::tagged(der::context(1), &der::tagged(der::SEQUENCE, &fields))
    }
}

fn octets(fields: &mut der::Reader<'_>, n: u8, field: &'static str) -> Result<Option<Vec<u8>>, WireError> {
    match fields.optional(der::context(n), field)? {
        None => Ok(None),
        Some(mut octets) => Ok(Some(octets.value(der::OCTET_STRING, field)?.to_vec())),
    }
}

fn tagged_octets(n: u8, octets: Option<&[u8]>) -> Vec<u8> {
    octets
        .map_or_else(Vec::new, |octets| der::tagged(der::context(n), &der::tagged(der::OCTET_STRING, octets)))
}

impl Wire for NegToken {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut outer = der::Reader::new(r.take_rest(), "NegotiationToken");
        let token = match outer.peek() {
            Some(tag) if tag == der::application(0) => {
                let mut framed = outer.nested(tag, "InitialContextToken")?;
                let oid = framed.value(der::OBJECT_IDENTIFIER, "thisMech")?;
                if oid != SPNEGO {
                    return Err(framed.invalid("thisMech", oid.last().copied().unwrap_or_default().into()));
                }
                Self::Init(NegTokenInit::read(&mut framed.nested(der::context(0), "negTokenInit")?)?)
            }
            // Without the frame: Samba does that, and readers accept it.
            Some(tag) if tag == der::context(0) => {
                Self::Init(NegTokenInit::read(&mut outer.nested(tag, "negTokenInit")?)?)
            }
            _ => Self::Resp(NegTokenResp::read(&mut outer.nested(der::context(1), "negTokenResp")?)?),
        };
        outer.finish()?;
        Ok(token)
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Init(init) => w.bytes(&init.bytes()),
            Self::Resp(resp) => w.bytes(&resp.bytes()),
        }
        Ok(())
    }
}

impl fmt::Debug for NegTokenInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NegTokenInit")
            .field("mech_types", &self.mech_types)
            .field("mech_token", &self.mech_token.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NegTokenResp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NegTokenResp")
            .field("state", &self.state)
            .field("supported_mech", &self.supported_mech)
            .field("response_token", &self.response_token.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate;

    use super::super::{KERBEROS, NTLM};
    use super::*;

    fn samples() -> [NegToken; 3] {
        [
            NegToken::Init(NegTokenInit::new(&[KERBEROS, NTLM], Some(b"token".to_vec()))),
            NegToken::Resp(NegTokenResp {
                state: Some(NegState::REQUEST_MIC),
                supported_mech: Some(NTLM.to_vec()),
                response_token: Some(vec![7; 300]),
                mech_list_mic: Some(vec![1; 16]),
            }),
            NegToken::Resp(NegTokenResp::default()),
        ]
    }

    #[test]
    fn both_ways_and_whatever_comes() {
        for token in samples() {
            let bytes = token.to_bytes().unwrap();
            assert_eq!(NegToken::from_bytes(&bytes).unwrap(), token);
            mutate::survive(&bytes, |bytes| {
                let _ = NegToken::from_bytes(bytes);
            });
        }
    }

    /// The hint that Windows and Samba send before a client says anything — [MS-SPNG] 2.2.1.
    #[test]
    fn hints_are_not_a_signature() {
        let list = NegTokenInit::new(&[NTLM], None).mech_list;
        let hint = der::tagged(
            der::context(0),
            &der::tagged(der::GENERAL_STRING, b"not_defined_in_RFC4178@please_ignore"),
        );
        let fields = [
            der::tagged(der::context(0), &list),
            der::tagged(der::context(3), &der::tagged(der::SEQUENCE, &hint)),
            der::tagged(der::context(4), &der::tagged(der::OCTET_STRING, b"mic")),
        ];
        let token = der::tagged(der::context(0), &der::tagged(der::SEQUENCE, &fields.concat()));
        let NegToken::Init(init) = NegToken::from_bytes(&token).unwrap() else { panic!("not an init") };
        assert_eq!(init.mech_list_mic.as_deref(), Some(b"mic".as_slice()));
        assert_eq!(init.mech_types, [NTLM]);
    }
}
