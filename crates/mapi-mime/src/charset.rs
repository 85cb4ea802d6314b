//! Character sets: labels as mail has them, code pages as MAPI has them.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// UTF-8 as a code page.
pub(crate) const CP_UTF8: i32 = 65001;
/// US-ASCII as a code page.
pub(crate) const CP_ASCII: i32 = 20127;

/// Code pages and the names that mail gives them ([MS-UCODEREF] 2.2.1); the first name of a page is written.
const CODE_PAGES: &[(i32, &str)] = &[
    (CP_UTF8, "utf-8"),
    (CP_UTF8, "utf8"),
    (CP_ASCII, "us-ascii"),
    (CP_ASCII, "ascii"),
    (1252, "windows-1252"),
    (28591, "iso-8859-1"),
    (28591, "latin1"),
    (28592, "iso-8859-2"),
    (28593, "iso-8859-3"),
    (28594, "iso-8859-4"),
    (28595, "iso-8859-5"),
    (28596, "iso-8859-6"),
    (28597, "iso-8859-7"),
    (28598, "iso-8859-8"),
    (38598, "iso-8859-8-i"),
    (28599, "iso-8859-9"),
    (28603, "iso-8859-13"),
    (28605, "iso-8859-15"),
    (1250, "windows-1250"),
    (1251, "windows-1251"),
    (1253, "windows-1253"),
    (1254, "windows-1254"),
    (1255, "windows-1255"),
    (1256, "windows-1256"),
    (1257, "windows-1257"),
    (1258, "windows-1258"),
    (874, "windows-874"),
    (874, "tis-620"),
    (866, "ibm866"),
    (866, "cp866"),
    (850, "ibm850"),
    (850, "cp850"),
    (20866, "koi8-r"),
    (21866, "koi8-u"),
    (50220, "iso-2022-jp"),
    (50221, "csiso2022jp"),
    (932, "shift_jis"),
    (932, "windows-31j"),
    (932, "cp932"),
    (51932, "euc-jp"),
    (936, "gb2312"),
    (936, "gbk"),
    (54936, "gb18030"),
    (950, "big5"),
    (949, "ks_c_5601-1987"),
    (51949, "euc-kr"),
    (10000, "macintosh"),
    (65000, "utf-7"),
    (1200, "utf-16le"),
    (1201, "utf-16be"),
];

/// The code page of a charset label, where MAPI has one.
pub(crate) fn codepage_of(label: &str) -> Option<i32> {
    let label = label.trim();
    CODE_PAGES.iter().find(|(_, name)| name.eq_ignore_ascii_case(label)).map(|(page, _)| *page)
}

/// The charset label of a code page.
pub(crate) fn label_of(codepage: i32) -> Option<&'static str> {
    CODE_PAGES.iter().find(|(page, _)| *page == codepage).map(|(_, name)| *name)
}

/// Text in a code page; of an unknown one as UTF-8 or Windows-1252.
#[must_use]
pub fn decode_codepage(bytes: &[u8], codepage: Option<i32>) -> Cow<'_, str> {
    decode(bytes, codepage.and_then(label_of))
}

/// Text under a charset label. ASCII, no label and unknown labels: UTF-8 where the bytes are, else Windows-1252.
pub(crate) fn decode<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let label = label.map(str::trim).unwrap_or_default();
    if label.is_empty() || codepage_of(label) == Some(CP_ASCII) {
        return utf8_or_1252(bytes);
    }
    match Encoding::for_label_no_replacement(label.as_bytes()) {
        Some(encoding) if encoding == UTF_8 => utf8_or_1252(bytes),
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
        // Those that browsers do not know, UTF-7 and code page 850 among them.
        None => match mail_parser::decoders::charsets::map::charset_decoder(label.as_bytes()) {
            Some(decoder) if Encoding::for_label(label.as_bytes()).is_none() => Cow::Owned(decoder(bytes)),
            _ => utf8_or_1252(bytes),
        },
    }
}

/// UTF-8, with each byte that is not read as Windows-1252: no byte is lost.
pub(crate) fn utf8_or_1252(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_code_pages() {
        assert_eq!(codepage_of("UTF-8"), Some(65001));
        assert_eq!(label_of(28591), Some("iso-8859-1"));
        assert_eq!(label_of(codepage_of("Latin1").unwrap()), Some("iso-8859-1"));
        assert_eq!(codepage_of("x-unknown"), None);
        for (page, name) in CODE_PAGES {
            assert!(decode(b"abc", Some(name)).contains('a') || *page == 1200 || *page == 1201, "{name}");
        }
    }

    #[test]
    fn no_byte_is_lost() {
        assert_eq!(decode(b"\xe4\xf6\xfc", Some("us-ascii")), "äöü");
        assert_eq!(decode("ä\u{20ac}".as_bytes(), None), "ä€");
        assert_eq!(decode(b"\xc3\xa4 \xe4", Some("utf-8")), "ä ä");
        assert_eq!(decode(b"+AOQ-", Some("utf-7")), "ä");
        assert_eq!(decode(b"\x0eabc", Some("iso-2022-kr")), "\u{e}abc");
        assert_eq!(decode(b"\x83\x65\x83\x58", Some("Shift_JIS")), "テス");
    }
}
