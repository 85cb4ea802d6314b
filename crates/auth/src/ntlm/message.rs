//! The three messages — [MS-NLMP] 2.2.1: a fixed part that points into a payload.

use core::fmt;

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, Writer, to_usize, wire_struct};

use super::{NegotiateFlags, SIGNATURE};

wire_struct! {
    /// VERSION — [MS-NLMP] 2.2.2.10: for the curious; no rule depends on it.
    #[derive(Eq, Copy)]
    pub struct Version {
        /// ProductMajorVersion
        major: u8,
        /// ProductMinorVersion
        minor: u8,
        /// ProductBuild
        build: u16,
        /// Reserved
        reserved1: u8,
        /// Reserved
        reserved2: u16,
        /// NTLMRevisionCurrent
        revision: u8,
    } = 8
}

impl Version {
    /// What we say that we are: Windows 10's numbers, for old peers that look at them, and NTLMSSP_REVISION_W2K3.
    pub const OURS: Self = Self { major: 10, minor: 0, build: 0, reserved1: 0, reserved2: 0, revision: 0x0f };
}

/// NEGOTIATE_MESSAGE — [MS-NLMP] 2.2.1.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiate {
    /// NegotiateFlags
    pub flags: NegotiateFlags,
    /// DomainName, in the machine's code page.
    pub domain: Vec<u8>,
    /// WorkstationName, in the machine's code page.
    pub workstation: Vec<u8>,
    /// Version: absent in messages of old clients.
    pub version: Option<Version>,
}

/// CHALLENGE_MESSAGE — [MS-NLMP] 2.2.1.2
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// NegotiateFlags
    pub flags: NegotiateFlags,
    /// TargetName
    pub target_name: Vec<u8>,
    /// ServerChallenge
    pub server_challenge: [u8; 8],
    /// TargetInfo: AV_PAIRs; empty when there are none.
    pub target_info: Vec<u8>,
    /// Version: absent in messages of old servers.
    pub version: Option<Version>,
}

/// AUTHENTICATE_MESSAGE — [MS-NLMP] 2.2.1.3
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// NegotiateFlags
    pub flags: NegotiateFlags,
    /// LmChallengeResponse
    pub lm_response: Vec<u8>,
    /// NtChallengeResponse
    pub nt_response: Vec<u8>,
    /// DomainName
    pub domain: Vec<u8>,
    /// UserName
    pub user: Vec<u8>,
    /// Workstation
    pub workstation: Vec<u8>,
    /// EncryptedRandomSessionKey
    pub encrypted_key: Vec<u8>,
    /// Version: absent in messages of old clients.
    pub version: Option<Version>,
    /// MIC: absent in messages of old clients. Whether it is meant is in MsvAvFlags.
    pub mic: Option<[u8; 16]>,
}

impl Authenticate {
    /// Where MIC is, when it is there.
    pub(crate) const MIC_AT: usize = 72;
}

/// A part of the payload: where it is.
struct Field {
    len: usize,
    offset: usize,
}

impl Field {
    /// Len, MaxLen (ignored), BufferOffset.
    fn read(r: &mut Reader<'_>, name: &'static str) -> Result<Self, WireError> {
        let len = usize::from(r.u16(name)?);
        r.u16(name)?;
        Ok(Self { len, offset: to_usize(r.u32(name)?) })
    }

    fn bytes(&self, message: &[u8], r: &Reader<'_>, name: &'static str) -> Result<Vec<u8>, WireError> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let end = self.offset.saturating_add(self.len);
        let have = message.len();
        message
            .get(self.offset..end)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| r.error(name, WireErrorKind::Truncated { need: end, have }))
    }
}

/// Builds the payload behind a fixed part of known size.
struct Payload {
    start: usize,
    bytes: Vec<u8>,
}

impl Payload {
    /// Adds a part; returns what points to it.
    fn add(&mut self, part: &[u8], name: &'static str) -> Result<[u8; 8], WireError> {
        let mut field = Writer::with_capacity(8);
        field.len16(part.len(), name)?;
        field.len16(part.len(), name)?;
        field.len32(self.start.saturating_add(self.bytes.len()), name)?;
        self.bytes.extend_from_slice(part);
        let mut array = [0; 8];
        array.copy_from_slice(field.as_slice());
        Ok(array)
    }
}

/// Signature and MessageType.
fn header(r: &mut Reader<'_>, message_type: u32) -> Result<(), WireError> {
    let signature = r.u64("Signature")?;
    if signature.to_le_bytes() != *SIGNATURE {
        return Err(r.invalid("Signature", signature));
    }
    match r.u32("MessageType")? {
        found if found == message_type => Ok(()),
        found => Err(r.invalid("MessageType", found)),
    }
}

/// Version, when the payload leaves room for it.
fn version(r: &mut Reader<'_>, fields: &[&Field]) -> Result<Option<Version>, WireError> {
    let end = r.offset().saturating_add(8);
    if r.remaining() < 8 || fields.iter().any(|f| f.len > 0 && f.offset < end) {
        return Ok(None);
    }
    Version::read(r).map(Some)
}

fn write_version(w: &mut Writer, version: Option<Version>) -> Result<(), WireError> {
    version.map_or(Ok(()), |version| version.write(w))
}

impl Wire for Negotiate {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let message = r.rest();
        let mut r = Reader::new(r.take_rest(), "NEGOTIATE_MESSAGE");
        header(&mut r, 1)?;
        let flags = NegotiateFlags(r.u32("NegotiateFlags")?);
        // Some clients end here: the fields may be left out with what they point to.
        if r.is_empty() {
            return Ok(Self { flags, domain: Vec::new(), workstation: Vec::new(), version: None });
        }
        let domain = Field::read(&mut r, "DomainNameFields")?;
        let workstation = Field::read(&mut r, "WorkstationFields")?;
        let version = version(&mut r, &[&domain, &workstation])?;
        Ok(Self {
            flags,
            domain: domain.bytes(message, &r, "DomainName")?,
            workstation: workstation.bytes(message, &r, "WorkstationName")?,
            version,
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        let start = if self.version.is_some() { 40 } else { 32 };
        let mut payload = Payload { start, bytes: Vec::new() };
        w.bytes(SIGNATURE);
        w.u32(1);
        w.u32(self.flags.0);
        w.bytes(&payload.add(&self.domain, "DomainName")?);
        w.bytes(&payload.add(&self.workstation, "WorkstationName")?);
        write_version(w, self.version)?;
        w.bytes(&payload.bytes);
        Ok(())
    }
}

impl Wire for Challenge {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let message = r.rest();
        let mut r = Reader::new(r.take_rest(), "CHALLENGE_MESSAGE");
        header(&mut r, 2)?;
        let target_name = Field::read(&mut r, "TargetNameFields")?;
        let flags = NegotiateFlags(r.u32("NegotiateFlags")?);
        let server_challenge = r.array("ServerChallenge")?;
        r.u64("Reserved")?;
        let target_info = Field::read(&mut r, "TargetInfoFields")?;
        let version = version(&mut r, &[&target_name, &target_info])?;
        Ok(Self {
            flags,
            target_name: target_name.bytes(message, &r, "TargetName")?,
            server_challenge,
            target_info: target_info.bytes(message, &r, "TargetInfo")?,
            version,
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        let start = if self.version.is_some() { 56 } else { 48 };
        let mut payload = Payload { start, bytes: Vec::new() };
        w.bytes(SIGNATURE);
        w.u32(2);
        w.bytes(&payload.add(&self.target_name, "TargetName")?);
        w.u32(self.flags.0);
        w.bytes(&self.server_challenge);
        w.u64(0);
        w.bytes(&payload.add(&self.target_info, "TargetInfo")?);
        write_version(w, self.version)?;
        w.bytes(&payload.bytes);
        Ok(())
    }
}

impl Wire for Authenticate {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let message = r.rest();
        let mut r = Reader::new(r.take_rest(), "AUTHENTICATE_MESSAGE");
        header(&mut r, 3)?;
        let lm_response = Field::read(&mut r, "LmChallengeResponseFields")?;
        let nt_response = Field::read(&mut r, "NtChallengeResponseFields")?;
        let domain = Field::read(&mut r, "DomainNameFields")?;
        let user = Field::read(&mut r, "UserNameFields")?;
        let workstation = Field::read(&mut r, "WorkstationFields")?;
        let key = Field::read(&mut r, "EncryptedRandomSessionKeyFields")?;
        let flags = NegotiateFlags(r.u32("NegotiateFlags")?);
        let fields = [&lm_response, &nt_response, &domain, &user, &workstation, &key];
        let version = version(&mut r, &fields)?;
        let mic_end = Self::MIC_AT.saturating_add(16);
        let mic = if version.is_some()
            && r.remaining() >= 16
            && fields.iter().all(|f| f.len == 0 || f.offset >= mic_end)
        {
            Some(r.array("MIC")?)
        } else {
            None
        };
        Ok(Self {
            flags,
            lm_response: lm_response.bytes(message, &r, "LmChallengeResponse")?,
            nt_response: nt_response.bytes(message, &r, "NtChallengeResponse")?,
            domain: domain.bytes(message, &r, "DomainName")?,
            user: user.bytes(message, &r, "UserName")?,
            workstation: workstation.bytes(message, &r, "Workstation")?,
            encrypted_key: key.bytes(message, &r, "EncryptedRandomSessionKey")?,
            version,
            mic,
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        // A MIC stands behind a version.
        let version = self.version.or(self.mic.map(|_| Version::OURS));
        let start = match (version, self.mic) {
            (_, Some(_)) => Self::MIC_AT.saturating_add(16),
            (Some(_), None) => Self::MIC_AT,
            (None, None) => 64,
        };
        let mut payload = Payload { start, bytes: Vec::new() };
        let domain = payload.add(&self.domain, "DomainName")?;
        let user = payload.add(&self.user, "UserName")?;
        let workstation = payload.add(&self.workstation, "Workstation")?;
        let lm_response = payload.add(&self.lm_response, "LmChallengeResponse")?;
        let nt_response = payload.add(&self.nt_response, "NtChallengeResponse")?;
        let key = payload.add(&self.encrypted_key, "EncryptedRandomSessionKey")?;
        w.bytes(SIGNATURE);
        w.u32(3);
        for field in [lm_response, nt_response, domain, user, workstation, key] {
            w.bytes(&field);
        }
        w.u32(self.flags.0);
        write_version(w, version)?;
        w.bytes(self.mic.as_ref().map_or(&[], |mic| mic.as_slice()));
        w.bytes(&payload.bytes);
        Ok(())
    }
}

impl fmt::Debug for Authenticate {
    /// Responses and keys are left out: they can be searched for the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("flags", &self.flags)
            .field("version", &self.version)
            .field("mic", &self.mic.is_some())
            .finish_non_exhaustive()
    }
}
