//! [MS-OXCDATA] 2.11 values, 2.12 restrictions.

use core::fmt::Debug;

use watertight_mapi::prop::PropName;
use watertight_mapi::prop::wire::{
    PropertyRow, TaggedPropertyValue, TypedPropertyValue, TypedString, read_value, write_value,
};
use watertight_mapi::restriction::Restriction;
use watertight_mapi::rop::entry_id::{AddressBookEntryId, FolderEntryId, MessageEntryId, StoreEntryId};
use watertight_mapi::rop::recipient::RecipientRow;
use watertight_mapi::{GlobCnt, PropId, PropTag, PropType};
use watertight_testkit::captures;
use watertight_wire::{Guid, Reader, Wire, WireError, Writer};

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

/// Columns of every shape: fixed, counted, ended by zero, several values, and of a type that the row tells.
const COLUMNS: [PropTag; 8] = [
    PropTag::new(PropId(0x3001), PropType::Unicode),
    PropTag::new(PropId(0x0017), PropType::I32),
    PropTag::new(PropId(0x1000), PropType::Unspecified),
    PropTag::new(PropId(0x0fff), PropType::Binary),
    PropTag::new(PropId(0x0e1b), PropType::Bool),
    PropTag::new(PropId(0x9000), PropType::MvUnicode),
    PropTag::new(PropId(0x3007), PropType::Time),
    PropTag::new(PropId(0x674a), PropType::I64),
];

/// Rows of columns, and recipients.
pub fn property_row(data: &[u8]) {
    let Some((what, data)) = choice(data, 18) else { return };
    let columns = COLUMNS.get(..usize::from(what % 9)).unwrap_or_default();
    if what < 9 {
        row(data, |r| PropertyRow::read(r, columns), |row, w| row.write(w));
    } else {
        row(data, |r| RecipientRow::read(r, columns), |row, w| row.write(w));
    }
}

fn row<T: Debug>(
    data: &[u8],
    read: impl Fn(&mut Reader<'_>) -> Result<T, WireError>,
    write: impl Fn(&T, &mut Writer) -> Result<(), WireError>,
) {
    let written = |row: &T| {
        let mut w = Writer::new();
        write(row, &mut w).expect("what was read is written");
        w.into_bytes()
    };
    let Ok(row) = read(&mut Reader::new(data, "fuzz")) else { return };
    let bytes = written(&row);
    let again = read(&mut Reader::new(&bytes, "fuzz")).expect("and read again");
    assert_eq!(bytes, written(&again), "{row:?}");
}

pub fn row_seeds() -> Vec<Seed> {
    let seed = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    vec![
        seed("standard", b"\x05\0a\0\0\0\x01\0\0\0\x1f\0b\0\0\0\x02\0xy\x01"),
        seed("flagged", b"\x04\x01\0a\0\0\0\x0a\x0f\x01\x04\x80\x0a\0\x0a\x0f\x01\x04\x80\x01"),
        seed("all", b"\x08\x01\x01\x01\0\0\x01\x01\x01\0\x01\0\0\0a\0\0\0\x01\x01"),
        seed("smtp", b"\x0a\x1b\x06a\0@\0b\0\0\0a\0\0\0a\0\0\0\x01\0\0a\0\0\0"),
        seed("x500", b"\x09\x51\x06\0\0u1\0A\0\0\0A\0\0\0\0\0\0"),
    ]
}

/// Entry identifiers.
pub fn entry_id(data: &[u8]) {
    let Some((what, data)) = choice(data, 4) else { return };
    match what {
        0 => drop(stable::<FolderEntryId>(data)),
        1 => drop(stable::<MessageEntryId>(data)),
        2 => drop(stable::<StoreEntryId>(data)),
        _ => drop(stable::<AddressBookEntryId>(data)),
    }
}

pub fn entry_id_seeds() -> Vec<Seed> {
    let guid = Guid::from_bytes([7; 16]);
    let counter = |n| GlobCnt::new(n).unwrap_or_default();
    let store = StoreEntryId { server: "h".into(), mailbox_dn: Some("/o=x/cn=y".into()) };
    let person = AddressBookEntryId { kind: 0, dn: "/o=x/cn=y".into() };
    let all = [
        FolderEntryId::private(guid, guid, counter(13)).to_bytes(),
        MessageEntryId::private(guid, guid, counter(13), counter(77)).to_bytes(),
        store.to_bytes(),
        person.to_bytes(),
    ];
    (0_u8..).zip(all).map(|(n, id)| (n.to_string(), [&[n][..], &id.unwrap_or_default()].concat())).collect()
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
