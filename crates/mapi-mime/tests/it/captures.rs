//! Bytes of a real server become mail.

use std::fs;

use watertight_mapi::{PropTag, PropValue, ics::Root, prop::tags, store::MessageContent};
use watertight_mapi_mime::{ExportOptions, ImportOptions, export, import};
use watertight_testkit::{
    captures::{StreamKind, streams},
    data_dir,
};

use crate::{
    assemble::messages,
    compare::assert_same,
    corpus::{OF_FORM, tolerating},
};

/// What this server made of the mail before it gave it out.
const OF_SERVER: [&str; 11] = [
    "text-alternative",
    "made-up-name",
    "lost-name-of-message",
    "lost-report-part",
    "lost-character",
    "lost-end",
    "lost-header",
    "lost-first-field",
    "other-parts",
    "blank-first-line",
    "enriched-text",
];

/// Recipients, attachments and embedded messages, at all levels.
fn count(message: &MessageContent) -> [usize; 3] {
    let embedded = message.attachments.iter().filter_map(|a| a.embedded.as_deref());
    let own = [message.recipients.len(), message.attachments.len(), embedded.clone().count()];
    embedded.map(count).fold(own, add)
}

fn add(a: [usize; 3], b: [usize; 3]) -> [usize; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[test]
fn the_captured_inbox_is_the_corpus() {
    let inbox = streams().into_iter().find(|s| s.kind == StreamKind::Contents).unwrap();
    let (messages, mut spool) = messages(Root::ContentsSync, &inbox.bytes);
    assert_eq!(messages.len(), 123);
    assert_eq!(messages.iter().map(count).fold([0; 3], add), [147, 68, 15]);
    let dir = tempfile::tempdir().unwrap();
    let mut left_out = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let mut out = Vec::new();
        let report = export(message, &mut spool, &mut out, &ExportOptions::default()).unwrap();
        left_out.extend(report.left_out.into_iter().map(|l| format!("{n} {l}")));
        fs::write(dir.path().join(format!("{n:03}.eml")), out).unwrap();
    }
    // Four of the six that were imported from TNEF.
    let rtf = "body: it is there as compressed RTF only, kept as the attachment body.rtf.lzfu";
    let object = "the embedded object is missing";
    assert_eq!(
        left_out,
        [
            format!("54 {rtf}"),
            format!("55 {rtf}"),
            format!("57 attachment 0 (Untitled_Attachment): {object}"),
            format!("57 {rtf}"),
            format!("58 attachment 0 (Untitled Attachment): {object}"),
            format!("58 attachment 1 (Untitled Attachment): {object}"),
            format!("58 {rtf}"),
        ]
    );
    let arguments = tolerating(&["--allow-extra", "6"], &[OF_FORM.as_slice(), &OF_SERVER].concat());
    let report = assert_same(&data_dir().join("corpus/eml"), dir.path(), &arguments);
    assert_eq!(
        report["extra"],
        serde_json::json!(["053.eml", "054.eml", "055.eml", "056.eml", "057.eml", "058.eml"])
    );
    // Every tolerated difference, by how often it is seen.
    let tolerated = serde_json::json!({
        "blank-first-line": 3,
        "content-id-of-body": 3,
        "empty-multipart": 1,
        "enriched-text": 2,          // type and text of one part
        "line-that-is-no-field": 8,  // rfc2822__example13, plain_emails__raw_email_incorrect_header
        "lost-character": 4,         // three names, one subject
        "lost-end": 6,               // size and bytes of three attachments
        "lost-first-field": 2,       // mk__feedback-report: field and mailbox
        "lost-header": 6,            // five that start with an envelope line, mk__stack-overflow
        "lost-name-of-message": 2,
        "lost-report-part": 8,
        "made-up-name": 13,
        "malformed-name": 2,
        "other-parts": 4,
        "text-alternative": 1,
    });
    assert_eq!(report["tolerated"], tolerated);
}

#[test]
fn every_captured_message_becomes_mail() {
    let mut made = 0;
    for stream in streams() {
        let root = match stream.kind {
            StreamKind::Contents => Root::ContentsSync,
            StreamKind::CopyMessages => Root::MessageList,
            _ => continue,
        };
        let (messages, mut spool) = messages(root, &stream.bytes);
        for (n, message) in messages.iter().enumerate() {
            let mut out = Vec::new();
            let report = export(message, &mut spool, &mut out, &ExportOptions::default()).unwrap();
            let class = text_of(message, tags::MESSAGE_CLASS);
            let is_mail = class.is_empty() || class.starts_with("IPM.Note") || class.starts_with("REPORT.");
            let noted = !class.is_empty() && report.left_out.iter().any(|l| l.item.contains(&class));
            assert!(is_mail != noted, "{} {n} {class} {:?}", stream.n, report.left_out);
            // Our own reader finds in it what the server had.
            let back = import(&out, &ImportOptions::default()).unwrap();
            let parts =
                [tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT].map(|tag| text_of(message, tag)).concat();
            let subject = Some(text_of(message, tags::SUBJECT)).filter(|s| !s.is_empty()).unwrap_or(parts);
            if message.props.find(tags::TRANSPORT_MESSAGE_HEADERS).is_none() {
                made += 1;
                assert_eq!(text_of(&back, tags::SUBJECT), subject.trim());
                assert_eq!(back.recipients.len(), message.recipients.len(), "{} {n}", stream.n);
            }
        }
    }
    assert!(made > 40, "{made} without transport headers");
}

fn text_of(message: &MessageContent, tag: PropTag) -> String {
    match message.props.get(tag) {
        Some(PropValue::Unicode(text)) => text.clone(),
        Some(PropValue::String8(bytes)) => String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned(),
        _ => String::new(),
    }
}
