//! The frame of GSS-API tokens, and what an authenticator's checksum says — RFC 4121 4.1.

use watertight_wire::WireError;

use crate::AuthError;
use crate::der::{self, Reader, application, tagged};
use crate::spnego;

pub(super) const AP_REQ: [u8; 2] = [1, 0];
pub(super) const AP_REP: [u8; 2] = [2, 0];
pub(super) const ERROR: [u8; 2] = [3, 0];

/// The checksum type of GSS-API — RFC 4121 4.1.1.
pub(super) const CHECKSUM_TYPE: i32 = 0x8003;

pub(super) const MUTUAL: u32 = 0x02;
pub(super) const REPLAY: u32 = 0x04;
pub(super) const SEQUENCE: u32 = 0x08;
pub(super) const CONFIDENTIALITY: u32 = 0x10;
pub(super) const INTEGRITY: u32 = 0x20;
/// [MS-KILE] 3.4.5: three legs, tokens without frames.
pub(super) const DCE_STYLE: u32 = 0x1000;

/// InitialContextToken — RFC 4121 4.1
pub(super) fn frame(id: [u8; 2], message: &[u8]) -> Vec<u8> {
    let oid = tagged(der::OBJECT_IDENTIFIER, spnego::KERBEROS);
    tagged(application(0), &[oid.as_slice(), &id, message].concat())
}

/// What is in a frame: its kind and the message.
pub(super) fn unframe(token: &[u8]) -> Result<([u8; 2], &[u8]), WireError> {
    let mut r = Reader::new(token, "InitialContextToken");
    let mut framed = r.nested(application(0), "token")?;
    let oid = framed.value(der::OBJECT_IDENTIFIER, "thisMech")?;
    if oid != spnego::KERBEROS && oid != spnego::MS_KERBEROS {
        return Err(framed.invalid("thisMech", 0));
    }
    let id = framed.take(2, "TOK_ID")?;
    Ok((id.try_into().unwrap_or_default(), framed.rest()))
}

/// The checksum of an authenticator: bindings and flags.
pub(super) fn checksum(bindings: [u8; 16], flags: u32) -> Vec<u8> {
    [&16_u32.to_le_bytes(), bindings.as_slice(), &flags.to_le_bytes()].concat()
}

/// The same, read; what is delegated is not looked at.
pub(super) fn read_checksum(bytes: &[u8]) -> Result<([u8; 16], u32), AuthError> {
    let mut r = watertight_wire::Reader::new(bytes, "authenticator checksum");
    if r.u32("Lgth")? != 16 {
        return Err(AuthError::kerberos("bindings of the wrong length"));
    }
    Ok((r.array("Bnd")?, r.u32("Flags")?))
}
