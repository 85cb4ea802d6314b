//! [MS-OXCDATA] 2.11 values, 2.12 restrictions.

use watertight_mapi::PropType;
use watertight_mapi::prop::PropName;
use watertight_mapi::prop::wire::{
    TaggedPropertyValue, TypedPropertyValue, TypedString, read_value, write_value,
};
use watertight_mapi::restriction::Restriction;
use watertight_testkit::captures;
use watertight_wire::{Reader, Writer};

use crate::{Seed, choice, stable};

/// Values of every type, tagged, typed, and by a type that is known.
pub fn prop_value(data: &[u8]) {
    let Some((what, data)) = choice(data, 5) else { return };
    match what {
        0 => drop(stable::<TaggedPropertyValue>(data)),
        1 => drop(stable::<TypedPropertyValue>(data)),
        2 => drop(stable::<TypedString>(data)),
        3 => drop(stable::<PropName>(data)),
        _ => {
            let Some((ty, data)) = data.split_first_chunk::<2>() else { return };
            let ty = PropType(u16::from_le_bytes(*ty));
            let Ok(value) = read_value(&mut Reader::new(data, "fuzz"), ty) else { return };
            let mut w = Writer::new();
            write_value(&mut w, &value).expect("what was read is written");
            let bytes = w.into_bytes();
            let again = read_value(&mut Reader::new(&bytes, "fuzz"), ty).expect("and read again");
            let mut w = Writer::new();
            write_value(&mut w, &again).expect("and written again");
            assert_eq!(bytes, w.into_bytes());
        }
    }
}

pub fn value_seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for ty in [0x2_u16, 3, 4, 5, 6, 7, 0xa, 0xb, 0xd, 0x14, 0x1e, 0x1f, 0x40, 0x48, 0xfb, 0xfd, 0x102] {
        for ty in [ty, ty | 0x1000] {
            let value =
                [&[4][..], &ty.to_le_bytes(), b"\x02\0\0\0\x01\0A\0\0\0\x02\0BB\0\0CCCCCCCC\0\0"].concat();
            seeds.push((format!("value-{ty:04x}"), value));
            let tagged = [&[0][..], &ty.to_le_bytes(), b"\x01\x30\x04\0abcd\0\0\0\0"].concat();
            seeds.push((format!("tagged-{ty:04x}"), tagged));
        }
    }
    seeds.push(("name".into(), [&[3, 1][..], &[9; 16], b"\x08a\0b\0c\0\0\0"].concat()));
    seeds.push(("string".into(), b"\x02\x04a\0b\0\0\0".to_vec()));
    seeds
}

/// Restrictions: bounded in depth and number, and the same when written.
pub fn restriction(data: &[u8]) {
    if let Some(restriction) = stable::<Restriction>(data) {
        assert!(restriction.tags().len() <= watertight_mapi::restriction::MAX_CLAUSES.saturating_mul(2));
    }
}

pub fn restriction_seeds() -> Vec<Seed> {
    // RopRestrict: id, logon, handle, flags, size, restriction — inside the first payload of the request.
    let mut seeds = Vec::new();
    for e in captures::group("06").iter().filter(|e| e.request_type == "Execute") {
        let request = e.request();
        let Some(rops) = request.get(18..) else { continue };
        if let Some((head, rest)) = rops.split_first_chunk::<6>()
            && head[0] == 0x14
        {
            let size = usize::from(u16::from_le_bytes([head[4], head[5]]));
            seeds.push((format!("{:04}", e.n), rest.get(..size).unwrap_or(rest).to_vec()));
        }
    }
    seeds.push(("nested".into(), b"\x02\x00\x01\0\x02\x08\0\0\x1f\x00\x37\0".to_vec()));
    seeds
}
