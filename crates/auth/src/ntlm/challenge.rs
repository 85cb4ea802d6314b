use watertight_wire::{FileTime, Reader, Wire, WireError, Writer};

use super::TargetInfo;

/// NTLMv2_CLIENT_CHALLENGE — [MS-NLMP] 2.2.2.7, `temp` of section 3.3.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChallenge {
    /// TimeStamp
    pub time: FileTime,
    /// ChallengeFromClient
    pub challenge: [u8; 8],
    /// AvPairs
    pub target_info: TargetInfo,
}

impl Wire for ClientChallenge {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("NTLMv2_CLIENT_CHALLENGE", |r| {
            let types = r.u16("RespType")?;
            if types != 0x0101 {
                return Err(r.invalid("RespType", types));
            }
            r.bytes(6, "Reserved")?;
            let time = FileTime(r.u64("TimeStamp")?);
            let challenge = r.array("ChallengeFromClient")?;
            r.u32("Reserved3")?;
            let target_info = TargetInfo::read_list(r)?;
            // Four zero bytes follow; clients differ in how many.
            r.take_rest();
            Ok(Self { time, challenge, target_info })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u16(0x0101);
        w.bytes(&[0; 6]);
        w.u64(self.time.0);
        w.bytes(&self.challenge);
        w.u32(0);
        self.target_info.write(w)?;
        w.u32(0);
        Ok(())
    }
}
