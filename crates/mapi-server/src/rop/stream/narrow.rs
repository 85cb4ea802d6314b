//! Long strings in a code page: the store keeps them in UTF-16, and they pass through in pieces.

use std::sync::Arc;

use watertight_mapi::{
    MapiCode, PropValue,
    prop::{LargeValue, PropData},
    store::INLINE_LIMIT,
};
use watertight_wire::to_u64;

use super::{PIECE, Spill, trimmed};
use crate::{
    code_page,
    rop::{failed, logon::Logon, text},
};

/// A value of the store in a code page that is in UTF-16 there; and its length.
pub(super) async fn narrow(
    logon: &Logon,
    value: LargeValue,
    code_page: u32,
) -> Result<(Arc<Spill>, u64), MapiCode> {
    let spill = Spill::new(logon).await?;
    let (mut from, mut to) = (0, 0);
    while from < value.len {
        let piece = logon.mailbox.read_large(value.id, from, PIECE).await.map_err(failed)?;
        let mut units: Vec<u16> = piece
            .chunks_exact(2)
            .filter_map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)))
            .collect();
        // A pair of surrogates stays together, unless the value ends between them.
        if units.len() > 1 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        if units.is_empty() {
            break;
        }
        from = from.saturating_add(to_u64(units.len()).saturating_mul(2));
        let bytes = text::encode(code_page, &String::from_utf16_lossy(&units));
        to = logon.mailbox.write_large(spill.id, to, &bytes).await.map_err(failed)?;
    }
    Ok((spill, to))
}

/// The string of a value of the store that is in a code page there, and what holds its bytes.
pub(super) async fn widen(
    logon: &Logon,
    value: LargeValue,
    code_page: u32,
) -> Result<(PropData, Option<Arc<Spill>>), MapiCode> {
    let spill = Spill::new(logon).await?;
    let mut decoder = code_page::decoder(code_page);
    let (mut from, mut to) = (0, 0);
    loop {
        let piece = logon.mailbox.read_large(value.id, from, PIECE).await.map_err(failed)?;
        from = from.saturating_add(to_u64(piece.len()));
        let last = piece.is_empty() || from >= value.len;
        let room = decoder.max_utf16_buffer_length(piece.len()).ok_or(MapiCode::StreamSizeError)?;
        let mut units = vec![0; room];
        let (_, _, written, _) = decoder.decode_to_utf16(&piece, &mut units, last);
        units.truncate(written);
        // Without the terminators that some clients write.
        let bytes: Vec<u8> = units.into_iter().filter(|unit| *unit != 0).flat_map(u16::to_le_bytes).collect();
        to = logon.mailbox.write_large(spill.id, to, &bytes).await.map_err(failed)?;
        if last {
            break;
        }
    }
    if to > to_u64(INLINE_LIMIT) {
        return Ok((PropData::Large(LargeValue { id: spill.id, len: to }), Some(spill)));
    }
    let bytes = logon.mailbox.read_large(spill.id, 0, INLINE_LIMIT).await.map_err(failed)?;
    let text = trimmed(watertight_wire::Reader::decode_utf16le(&bytes));
    Ok((PropData::Inline(PropValue::Unicode(text)), None))
}
