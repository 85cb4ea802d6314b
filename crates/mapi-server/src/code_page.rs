//! Strings in code pages.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_5, ISO_8859_7, ISO_8859_15, KOI8_R,
    KOI8_U, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

/// The encoding of a Windows code page; Windows-1252 for one that is not known.
fn encoding(code_page: u32) -> &'static Encoding {
    match code_page {
        874 => WINDOWS_874,
        932 => SHIFT_JIS,
        936 => GBK,
        949 | 51949 => EUC_KR,
        950 => BIG5,
        1250 => WINDOWS_1250,
        1251 => WINDOWS_1251,
        1253 => WINDOWS_1253,
        1254 => WINDOWS_1254,
        1255 => WINDOWS_1255,
        1256 => WINDOWS_1256,
        1257 => WINDOWS_1257,
        1258 => WINDOWS_1258,
        20866 => KOI8_R,
        21866 => KOI8_U,
        28592 => ISO_8859_2,
        28595 => ISO_8859_5,
        28597 => ISO_8859_7,
        28605 => ISO_8859_15,
        51932 => EUC_JP,
        54936 => GB18030,
        65001 => UTF_8,
        _ => WINDOWS_1252,
    }
}

/// Whether a code page is known here.
pub(crate) fn is_known(code_page: u32) -> bool {
    code_page == 1252 || encoding(code_page) != WINDOWS_1252
}

/// The text of bytes in a code page.
pub(crate) fn decode(code_page: u32, bytes: &[u8]) -> String {
    encoding(code_page).decode_without_bom_handling(bytes).0.into_owned()
}

/// Makes text of bytes in a code page that come in pieces.
pub(crate) fn decoder(code_page: u32) -> encoding_rs::Decoder {
    encoding(code_page).new_decoder_without_bom_handling()
}

/// The bytes of a text in a code page; `?` for what it does not have, nothing for a null.
pub(crate) fn encode(code_page: u32, text: &str) -> Vec<u8> {
    let encoding = encoding(code_page);
    if !text.contains('\0')
        && let (bytes, _, false) = encoding.encode(text)
    {
        return bytes.into_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars().filter(|&c| c != '\0') {
        let mut buffer = [0; 4];
        match encoding.encode(c.encode_utf8(&mut buffer)) {
            (_, _, true) => bytes.push(b'?'),
            (encoded, _, false) => bytes.extend_from_slice(&encoded),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_code_page_has_comes_back() {
        assert_eq!(encode(1252, "Grüße 🙂"), b"Gr\xfc\xdfe ?");
        assert_eq!(decode(1252, b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(decode(65001, &encode(65001, "Grüße 🙂")), "Grüße 🙂");
    }
}
