//! All sample mail through the standard properties.

use std::{fs, path::Path};

use watertight_mapi::{prop::tags, store::MessageContent};
use watertight_mapi_mime::{ExportOptions, ImportOptions, NoLarge, export, import, transport_form_name};
use watertight_testkit::{corpus, data_dir};

use crate::compare::assert_same;

/// The mails of the corpus with names; those of an mbox without the envelope line (not all of these have a
/// blank line before it).
pub fn mails() -> Vec<(String, Vec<u8>)> {
    let mut all = corpus::eml();
    for name in ["list-2000.mbox", "simple.mbox.txt"] {
        let raw = fs::read(data_dir().join("corpus/mbox").join(name)).unwrap();
        let mut starts: Vec<usize> = vec![];
        let mut at = 0;
        for line in raw.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b"From ") {
                starts.push(at);
            }
            at += line.len();
        }
        starts.push(raw.len());
        for (n, pair) in starts.windows(2).enumerate() {
            let mail = &raw[pair[0]..pair[1]];
            let first = mail.iter().position(|b| *b == b'\n').unwrap() + 1;
            all.push((format!("{name}-{n:02}.eml"), mail[first..].to_vec()));
        }
    }
    assert_eq!(all.len(), 117 + 32);
    all
}

/// Differences of form; `compare_mail.py --list-tolerances` says why each must be.
pub const OF_FORM: [&str; 6] = [
    "malformed-name",
    "empty-multipart",
    "empty-boundary",
    "part-order",
    "content-id-of-body",
    "line-that-is-no-field",
];
/// Differences where the fields are made of properties.
const OF_VALUES: [&str; 6] = [
    "type-of-nothing",
    "malformed-address",
    "name-from-comment",
    "blanks-in-name",
    "more-than-one-from",
    "unreadable-date",
];

pub fn tolerating<'a>(first: &[&'a str], names: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = first.to_vec();
    arguments.extend(names.iter().flat_map(|name| ["--tolerate", name]));
    arguments
}

fn without_transport_form() -> ImportOptions {
    ImportOptions { keep_transport_form: false, ..ImportOptions::default() }
}

pub fn exported(content: &MessageContent) -> Vec<u8> {
    let mut out = Vec::new();
    let report = export(content, &mut NoLarge, &mut out, &ExportOptions::default()).unwrap();
    assert_eq!(report.bytes, watertight_wire::to_u64(out.len()));
    assert_eq!(report.left_out, []);
    out
}

fn write(dir: &Path, name: &str, bytes: &[u8]) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join(name), bytes).unwrap();
}

#[test]
fn standard_properties_alone_give_the_same_mail() {
    let dir = tempfile::tempdir().unwrap();
    let (was, is) = (dir.path().join("was"), dir.path().join("is"));
    for (name, raw) in mails() {
        let content = import(&raw, &without_transport_form()).unwrap();
        assert!(content.props.find_named(&transport_form_name()).is_none());
        write(&was, &name, &raw);
        write(&is, &name, &exported(&content));
    }
    let report = assert_same(&was, &is, &tolerating(&[], &OF_FORM));
    // Every tolerated difference, by how often it is seen.
    let tolerated = serde_json::json!({
        "line-that-is-no-field": 4, // rfc2822__example13: "To    :" and three more fields
        "content-id-of-body": 3, // multipart_report_multiple_status
        "empty-boundary": 1,     // simple.mbox-02: boundary=""
        "empty-multipart": 3,    // mk__empty-multipart, simple.mbox-01 (the same boundary three times)
        "malformed-name": 2,     // attachment_with_base64_encoded_name, attachment_with_unquoted_name
        "part-order": 2,         // list-2000.mbox-01, mk__multipart-related-mhtml
    });
    assert_eq!(report["tolerated"], tolerated);
}

#[test]
fn without_transport_headers_the_fields_are_made_of_properties() {
    let dir = tempfile::tempdir().unwrap();
    let (was, is) = (dir.path().join("was"), dir.path().join("is"));
    for (name, raw) in mails() {
        let mut content = import(&raw, &without_transport_form()).unwrap();
        strip_headers(&mut content);
        write(&was, &name, &raw);
        write(&is, &name, &exported(&content));
    }
    assert_same(&was, &is, &tolerating(&["--essentials"], &[OF_FORM.as_slice(), &OF_VALUES].concat()));
}

fn strip_headers(content: &mut MessageContent) {
    content.props.remove(tags::TRANSPORT_MESSAGE_HEADERS);
    content.attachments.iter_mut().filter_map(|a| a.embedded.as_deref_mut()).for_each(strip_headers);
}

#[test]
fn the_transport_form_comes_out_byte_for_byte() {
    for (name, raw) in mails() {
        let content = import(&raw, &ImportOptions::default()).unwrap();
        assert!(exported(&content) == raw, "{name}");
    }
}

#[test]
fn a_changed_message_is_made_anew() {
    let (_, raw) =
        mails().into_iter().find(|(name, _)| name == "attachment_emails__attachment_pdf.eml").unwrap();
    let content = import(&raw, &ImportOptions::default()).unwrap();
    assert!(exported(&content) == raw);
    let mut flagged = content.clone();
    flagged.props.set(tags::FLAG_STATUS, 2);
    flagged.props.set(tags::LAST_VERB_EXECUTED, 102);
    assert!(exported(&flagged) == raw, "flags are no change");
    let mut changed = content.clone();
    changed.props.set(tags::SUBJECT, "another");
    assert!(exported(&changed) != raw);
    let mut changed = content.clone();
    changed.props.set(tags::BODY, "another");
    assert!(exported(&changed) != raw);
    let mut changed = content.clone();
    changed.attachments.pop();
    assert!(exported(&changed) != raw);
    let mut changed = content;
    changed.attachments[0].props.set(tags::ATTACH_DATA_BINARY, vec![1, 2, 3]);
    assert!(exported(&changed) != raw);
}

#[test]
fn the_second_round_trip_changes_nothing() {
    for (name, raw) in mails() {
        let first = exported(&import(&raw, &without_transport_form()).unwrap());
        let second = exported(&import(&first, &without_transport_form()).unwrap());
        if first != second {
            let (first, second) = (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
            let other = first.lines().zip(second.lines()).find(|(a, b)| a != b);
            panic!("{name}: {} and {} bytes, {other:?}", first.len(), second.len());
        }
    }
}

#[test]
fn a_body_in_rtf_only_is_kept_and_noted() {
    let mut content = MessageContent::default();
    content.props.set(tags::SUBJECT, "x");
    content.props.set(tags::BODY, "");
    content.props.set(tags::RTF_COMPRESSED, vec![1, 2, 3]);
    content.attachments.push(watertight_mapi::store::Attachment::default());
    content.attachments[0].props.set(tags::ATTACH_DATA_BINARY, vec![4, 5, 6]);
    let mut out = Vec::new();
    let report = export(&content, &mut NoLarge, &mut out, &ExportOptions::default()).unwrap();
    assert_eq!(report.left_out.len(), 1, "{:?}", report.left_out);
    let mail = String::from_utf8(out).unwrap();
    assert!(mail.contains("body.rtf.lzfu") && mail.contains("AQID") && mail.contains("BAUG"), "{mail}");
}

#[test]
fn what_the_content_type_says_is_kept() {
    let flowed = b"From: a@example.org\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n\nsoft \nbreak\n";
    let mail = String::from_utf8(exported(&import(flowed, &without_transport_form()).unwrap())).unwrap();
    assert!(
        mail.contains("text/plain; charset=us-ascii;\n\tformat=flowed;\n\tdelsp=yes\n\nsoft \nbreak\n"),
        "{mail}"
    );

    let encrypted = b"From: a@example.org\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n\
--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\n-----BEGIN\n--b--\n";
    let mail = String::from_utf8(exported(&import(encrypted, &without_transport_form()).unwrap())).unwrap();
    assert!(
        mail.contains(
            "Content-Type: multipart/encrypted;\n\tprotocol=\"application/pgp-encrypted\";\n\tboundary="
        ),
        "{mail}"
    );
    let at = |what: &str| mail.find(what).unwrap();
    assert!(at("Content-Type: application/pgp-encrypted") < at("Content-Type: application/octet-stream"));

    let empty = b"From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b\nContent-Type: a/b; name=x\n\ny\n--b--\n";
    let mail = String::from_utf8(exported(&import(empty, &without_transport_form()).unwrap())).unwrap();
    assert_eq!(mail.matches("Content-Type: ").count(), 3, "an empty text is a part as well: {mail}");
}
