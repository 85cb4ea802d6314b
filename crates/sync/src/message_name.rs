use watertight_mapi::GlobCnt;
use watertight_wire::Guid;

use crate::{Flags, GlobalId};

/// The name of a message's file.
///
/// `1763632800.W<REPLGUID>M<mid>C<cn>F<fid>.watertight:2,FS`: the delivery time in seconds since 1970; the
/// REPLGUID of the MID as 26 letters of lower-case base 32 (RFC 4648, without padding); the counters of MID, CN
/// and the folder's FID in lower-case hexadecimal. A CN of another replica is followed by `R` and its REPLGUID.
/// The part before the colon is unique for ever: it names a version of a message in a folder of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageName {
    /// PidTagMessageDeliveryTime in seconds since 1970, not negative.
    pub seconds: i64,
    /// MID.
    pub mid: GlobalId,
    /// CN.
    pub cn: GlobalId,
    /// The counter of the folder's FID.
    pub folder: GlobCnt,
}

const SUFFIX: &str = ".watertight";
const KEPT: &str = "-kept";

impl MessageName {
    /// The name without flags, as in `new/` and `tmp/`.
    #[must_use]
    pub fn unique(&self) -> String {
        let mut name = format!(
            "{}.W{}M{:x}C{:x}",
            self.seconds,
            base32(self.mid.replica),
            self.mid.counter.value(),
            self.cn.counter.value()
        );
        if self.cn.replica != self.mid.replica {
            name.push('R');
            name.push_str(&base32(self.cn.replica));
        }
        name.push_str(&format!("F{:x}{SUFFIX}", self.folder.value()));
        name
    }

    /// The name with flags, as in `cur/`.
    #[must_use]
    pub fn with_flags(&self, flags: Flags) -> String {
        format!("{}:2,{flags}", self.unique())
    }

    /// The name of a message that the server deleted and that stays here: [`MessageName::unique`] and `-kept`. It is
    /// no name of the mirror any more, so that no later run takes the file for a message that the server has.
    #[must_use]
    pub fn kept(&self) -> String {
        format!("{}{KEPT}", self.unique())
    }

    /// The parts of a file name that [`MessageName::kept`] gave (and a mail reader may have added flags to).
    #[must_use]
    pub fn parse_kept(file_name: &str) -> Option<(Self, Flags)> {
        let (unique, info) = file_name.split_once(':').unwrap_or((file_name, ""));
        let (name, _) = Self::parse(unique.strip_suffix(KEPT)?)?;
        Some((name, info.strip_prefix("2,").map_or(Flags::NONE, Flags::parse)))
    }

    /// The parts of a file name that this program gave (and a mail reader may have added flags to).
    #[must_use]
    pub fn parse(file_name: &str) -> Option<(Self, Flags)> {
        let (unique, info) = file_name.split_once(':').unwrap_or((file_name, ""));
        let flags = info.strip_prefix("2,").map_or(Flags::NONE, Flags::parse);
        let (seconds, rest) = unique.strip_suffix(SUFFIX)?.split_once('.')?;
        let (replica, rest) = rest.strip_prefix('W')?.split_once('M')?;
        let (mid, rest) = rest.split_once('C')?;
        let (cn, folder) = rest.split_once('F')?;
        let replica = from_base32(replica)?;
        let (cn, cn_replica) = match cn.split_once('R') {
            Some((cn, other)) => (cn, from_base32(other)?),
            None => (cn, replica),
        };
        let name = Self {
            seconds: seconds.parse().ok().filter(|s| *s >= 0)?,
            mid: GlobalId::new(replica, hex(mid)?),
            cn: GlobalId::new(cn_replica, hex(cn)?),
            folder: hex(folder)?,
        };
        // Only what this program would write is its own: no leading zeros, signs or capitals.
        (name.unique() == unique).then_some((name, flags))
    }
}

fn hex(text: &str) -> Option<GlobCnt> {
    GlobCnt::new(u64::from_str_radix(text, 16).ok()?)
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

fn base32(guid: Guid) -> String {
    let value = u128::from_be_bytes(guid.to_bytes());
    // 26 letters hold 130 bits; the last two are zero.
    (0..26_u32)
        .map(|i| {
            let shifted =
                if i < 25 { value >> 123_u32.saturating_sub(i.saturating_mul(5)) } else { value << 2 };
            let five = shifted & 0x1f;
            usize::try_from(five).ok().and_then(|at| ALPHABET.get(at)).map_or('a', |b| char::from(*b))
        })
        .collect()
}

fn from_base32(text: &str) -> Option<Guid> {
    if text.len() != 26 {
        return None;
    }
    let mut value = 0_u128;
    for (i, letter) in text.bytes().enumerate() {
        let five = u128::try_from(ALPHABET.iter().position(|b| *b == letter)?).ok()?;
        // Of the last letter the three upper bits count.
        value = if i < 25 { (value << 5) | five } else { (value << 3) | (five >> 2) };
    }
    Some(Guid::from_bytes(value.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(guid: [u8; 16], counter: u64) -> GlobalId {
        GlobalId::new(Guid::from_bytes(guid), GlobCnt::new(counter).unwrap())
    }

    #[test]
    fn names_come_back() {
        let a = *b"0123456789abcdef";
        let b = [0xff; 16];
        for (mid, cn) in [(id(a, 0x1d6), id(a, 0x2ab0)), (id(b, 0), id([0; 16], (1 << 48) - 1))] {
            let name = MessageName { seconds: 1_763_632_800, mid, cn, folder: GlobCnt::new(0xd).unwrap() };
            for flags in ["", "S", "FRST", "Sab"] {
                let flags = Flags::parse(flags);
                assert_eq!(MessageName::parse(&name.with_flags(flags)), Some((name, flags)));
            }
            assert_eq!(MessageName::parse(&name.unique()), Some((name, Flags::NONE)));
            assert!(name.unique().len() < 140);
            assert_eq!(MessageName::parse(&name.kept()), None, "no name of the mirror");
            assert_eq!(MessageName::parse_kept(&name.unique()), None);
            let kept = format!("{}:2,FS", name.kept());
            assert_eq!(MessageName::parse_kept(&kept), Some((name, Flags::parse("FS"))));
        }
        let name = MessageName {
            seconds: 5,
            mid: id(a, 0x1d6),
            cn: id(a, 0x2ab0),
            folder: GlobCnt::new(13).unwrap(),
        };
        assert_eq!(name.with_flags(Flags::SEEN), "5.Wgaytemzugu3doobzmfrggzdfmyM1d6C2ab0Fd.watertight:2,S");
    }

    #[test]
    fn others_names_are_not_ours() {
        for other in [
            "",
            "1763632800.M1P2.host:2,S",
            "5.Wgaytemzugu3doobzmfrggzdfmyM01d6C2ab0Fd.watertight",
            "5.Wgaytemzugu3doobzmfrggzdfmyM1D6C2ab0Fd.watertight",
            "5.Wgaytemzugu3doobzmfrggzdfmzM1d6C2ab0Fd.watertight",
            "-5.Wgaytemzugu3doobzmfrggzdfmyM1d6C2ab0Fd.watertight",
        ] {
            assert_eq!(MessageName::parse(other), None, "{other}");
        }
        let sample = "5.Wgaytemzugu3doobzmfrggzdfmyM1d6C2ab0Fd.watertight:2,S";
        watertight_testkit::mutate::survive(sample.as_bytes(), |b| {
            let _ = std::str::from_utf8(b).map(MessageName::parse);
        });
    }
}
