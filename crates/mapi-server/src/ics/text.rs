use watertight_mapi::{
    PropTag, PropType, PropValue,
    prop::{Prop, PropData},
};
use watertight_wire::Reader;

use super::flags::SendOptions;
use crate::code_page::{decode, encode};

/// In which form strings go out — [MS-OXCFXICS] 3.2.5.8.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextForm {
    unicode: bool,
    force: bool,
    cpid: bool,
    code_page: u32,
}

/// The code page string type of Unicode — [MS-OXCFXICS] 2.2.4.1.1.1.
const CPID_UNICODE: PropType = PropType(0x84B0);

impl TextForm {
    /// What the options ask for, on a connection of that code page.
    pub(super) fn new(options: SendOptions, code_page: u32) -> Self {
        Self {
            unicode: options.intersects(SendOptions::Unicode | SendOptions::ForceUnicode),
            force: options.contains(SendOptions::ForceUnicode),
            cpid: options.contains(SendOptions::UseCpid),
            code_page,
        }
    }

    /// Brings a property into the form.
    pub(super) fn shape(self, mut prop: Prop) -> Prop {
        let PropData::Inline(value) = prop.value else { return prop };
        let value = match value {
            PropValue::Unicode(text) if !self.unicode && !self.cpid => {
                PropValue::String8(encode(self.code_page, &text))
            }
            PropValue::MvUnicode(all) if !self.unicode && !self.cpid => {
                PropValue::MvString8(all.iter().map(|text| encode(self.code_page, text)).collect())
            }
            PropValue::String8(text) if self.force => PropValue::Unicode(decode(self.code_page, &text)),
            PropValue::MvString8(all) if self.force => {
                PropValue::MvUnicode(all.iter().map(|text| decode(self.code_page, text)).collect())
            }
            same => same,
        };
        // The types of what a mailbox keeps as PtypInteger32 or PtypObject may differ from the value's.
        let is_text = matches!(
            value.ty(),
            PropType::Unicode | PropType::String8 | PropType::MvUnicode | PropType::MvString8
        );
        if is_text {
            prop.tag = prop.tag.with_type(self.ty(value.ty()));
        }
        prop.value = PropData::Inline(value);
        prop
    }

    /// The tag of a large value, and whether its bytes must be [`Recoder`]ed to a code page.
    pub(super) fn large(self, tag: PropTag) -> (PropTag, bool) {
        match tag.ty() {
            PropType::Unicode if !self.unicode && !self.cpid => (tag.with_type(PropType::String8), true),
            PropType::Unicode | PropType::String8 => (tag.with_type(self.ty(tag.ty())), false),
            _ => (tag, false),
        }
    }

    fn ty(self, ty: PropType) -> PropType {
        match ty {
            PropType::Unicode if self.cpid => CPID_UNICODE,
            PropType::String8 if self.cpid => u16::try_from(self.code_page & 0x7FFF)
                .map_or(PropType::String8, |page| PropType(page | 0x8000)),
            other => other,
        }
    }
}

/// Brings UTF-16LE that comes in pieces into a code page.
#[derive(Debug, Default)]
pub(super) struct Recoder {
    /// Bytes of a character that is not complete: half a unit, or the first of a surrogate pair.
    carry: Vec<u8>,
}

impl Recoder {
    /// The bytes of the characters that are complete now.
    pub(super) fn push(&mut self, form: TextForm, utf16: &[u8]) -> Vec<u8> {
        let mut all = core::mem::take(&mut self.carry);
        all.extend_from_slice(utf16);
        let mut whole = all.len().saturating_sub(all.len() % 2);
        // A high surrogate at the end waits for its low one.
        if let Some([.., _, 0xD8..=0xDB]) = all.get(..whole) {
            whole = whole.saturating_sub(2);
        }
        self.carry = all.split_off(whole);
        encode(form.code_page, &Reader::decode_utf16le(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_comes_in_pieces_is_the_same_text() {
        let text = "Grüße, Łódź 😀 and more 😀😀 of it";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for page in [65001, 1252, 1250] {
            let form = TextForm::new(SendOptions::default(), page);
            for size in 1..9 {
                let mut recoder = Recoder::default();
                let pieces: Vec<u8> =
                    utf16.chunks(size).flat_map(|piece| recoder.push(form, piece)).collect();
                assert_eq!(pieces, encode(page, text));
            }
        }
    }
}
