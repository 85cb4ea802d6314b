//! What holds for any content and any bytes.

use proptest::prelude::*;
use watertight_mapi::{
    PropTag,
    prop::{LargeValue, Prop, PropBag, PropData, PropValue, tags},
    store::{Attachment, MessageContent},
};
use watertight_mapi_mime::{
    ExportOptions, ImportOptions, LineEnding, NoLarge, export, import, transport_form_name,
};
use watertight_testkit::mutate::survive;
use watertight_wire::{FileTime, to_u64};

use crate::{assemble::Spool, corpus::mails};

const SAMPLE: &[u8] = b"From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nTo: a@example.org, g: b@example.org;\r\n\
Subject: Re: =?iso-8859-1?B?5A==?= x\r\nDate: Fri, 30 Oct 2009 20:07:42 EST\r\nX-Odd:\r\n y\r\n\
Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\nx\r\n--a b\r\nContent-Type: multipart/alternative;\r\n boundary=c\r\n\r\n\
--c\r\n\r\ntext\r\n--c\r\nContent-Type: text/html; charset=koi8-r\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=D0=\r\n</b>\r\n--c--\r\n\
--a b\r\nContent-Type: image/png; name*0*=utf-8''%c3%; name*1=a4.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0=\r\n\
--a b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nit\r\n--a b--\r\n";

fn plain_import(raw: &[u8]) -> Option<MessageContent> {
    import(raw, &ImportOptions { keep_transport_form: false, ..ImportOptions::default() }).ok()
}

fn exported(content: &MessageContent, line_ending: LineEnding) -> Vec<u8> {
    let mut out = Vec::new();
    let mut options = ExportOptions::default();
    options.line_ending = line_ending;
    export(content, &mut NoLarge, &mut out, &options).unwrap();
    out
}

/// What must not change from one mail to the next: header but MIME fields, bodies, attachments.
fn essence(content: &MessageContent) -> (Vec<String>, Vec<String>) {
    let header = content.props.text(tags::TRANSPORT_MESSAGE_HEADERS).unwrap_or_default();
    let body = content.props.text(tags::BODY).unwrap_or_default().trim_end().to_owned();
    let fields =
        header.lines().filter(|l| l.starts_with("Subject") || l.starts_with("From")).map(str::to_owned);
    let names = content.attachments.iter().map(|a| {
        format!("{:?} {:?}", a.props.text(tags::ATTACH_LONG_FILENAME), a.props.text(tags::ATTACH_MIME_TAG))
    });
    (fields.chain([body]).collect(), names.collect())
}

#[test]
fn import_and_export_survive_every_truncation_and_flipped_bit() {
    survive(SAMPLE, |raw| {
        let Some(content) = plain_import(raw) else { return };
        let mail = exported(&content, LineEnding::Lf);
        let again = plain_import(&mail).expect("our own mail");
        assert_eq!(essence(&content), essence(&again), "{}", String::from_utf8_lossy(raw));
    });
}

#[test]
fn damaged_sample_mail_is_taken() {
    for (n, (name, raw)) in mails().into_iter().enumerate() {
        if raw.len() > 20_000 {
            continue;
        }
        for step in 1..10usize {
            let mut damaged = raw.clone();
            let at = (step * 7919 + n * 104_729) % damaged.len();
            damaged[at] ^= 1 << (step % 8);
            let content = plain_import(&damaged).unwrap();
            let mail = exported(&content, LineEnding::Lf);
            let second = exported(&plain_import(&mail).unwrap(), LineEnding::Lf);
            let third = exported(&plain_import(&second).unwrap(), LineEnding::Lf);
            assert!(second == third, "{name} {step}");
            let kept = import(&damaged, &ImportOptions::default()).unwrap();
            assert!(exported(&kept, LineEnding::Lf) == damaged, "{name} {step}");
        }
    }
}

#[test]
fn both_line_ends_say_the_same() {
    for (name, raw) in mails() {
        let content = plain_import(&raw).unwrap();
        let (lf, crlf) = (exported(&content, LineEnding::Lf), exported(&content, LineEnding::CrLf));
        if !lf.contains(&b'\r') {
            let unix: Vec<u8> = crlf.iter().copied().filter(|b| *b != b'\r').collect();
            assert!(unix == lf, "{name}");
        }
    }
}

#[test]
fn too_many_parts_stay_whole() {
    let mut raw = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    for n in 0..20_000 {
        raw.extend(format!("--b\n\n{n}\n").bytes());
    }
    raw.extend(b"--b--\n");
    let content = plain_import(&raw).unwrap();
    assert_eq!(content.attachments.len(), 1);
    let mail = exported(&content, LineEnding::Lf);
    let kept = &raw[raw.iter().position(|b| *b == b'\n').unwrap()..];
    assert!(mail.windows(kept.len()).any(|w| w == kept));
    assert!(exported(&plain_import(&mail).unwrap(), LineEnding::Lf) == mail);
}

#[test]
fn too_many_fields_stay_text() {
    let raw: Vec<u8> = (0..20_000).flat_map(|n| format!("X-{n}: {n}\n").into_bytes()).collect();
    let mail = exported(&plain_import(&raw).unwrap(), LineEnding::Lf);
    assert!(String::from_utf8(mail).unwrap().contains("X-19999: 19999\n"));
}

/// The content with every value of 32 bytes and more moved into a spool.
fn with_large_values(content: &MessageContent, spool: &mut Spool) -> MessageContent {
    let mut out = content.clone();
    let mut bags: Vec<&mut PropBag> = vec![&mut out.props];
    bags.extend(out.attachments.iter_mut().map(|a| &mut a.props));
    for prop in bags.into_iter().flat_map(|bag| &mut bag.0) {
        let bytes = match &prop.value {
            PropData::Inline(PropValue::Binary(bytes)) => bytes.clone(),
            PropData::Inline(PropValue::Unicode(text)) if is_long(prop.tag) => {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            _ => continue,
        };
        if bytes.len() >= 32 {
            prop.value = PropData::Large(LargeValue { id: to_u64(spool.0.len()), len: to_u64(bytes.len()) });
            spool.0.push(bytes);
        }
    }
    out
}

fn is_long(tag: PropTag) -> bool {
    [tags::BODY, tags::TRANSPORT_MESSAGE_HEADERS].contains(&tag)
}

#[test]
fn values_in_pieces_give_the_same_mail() {
    for (name, raw) in mails() {
        for keep_transport_form in [false, true] {
            let options = ImportOptions { keep_transport_form, ..ImportOptions::default() };
            let content = import(&raw, &options).unwrap();
            let mut spool = Spool::default();
            let large = with_large_values(&content, &mut spool);
            let mut out = Vec::new();
            export(&large, &mut spool, &mut out, &ExportOptions::default()).unwrap();
            assert!(out == exported(&content, LineEnding::Lf), "{name} {keep_transport_form}");
            assert_eq!(large.props.find_named(&transport_form_name()).is_some(), keep_transport_form);
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("([ -~äöß漢字😀\t]{0,60}(\r\n)?){0,6}").unwrap()
}

fn one_line() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[!-~äöß漢字😀]([ -~äöß漢字😀]{0,80}[!-~äöß漢字😀])?").unwrap()
}

fn attachment() -> impl Strategy<Value = Attachment> {
    (one_line(), proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(name, data)| {
        let mut attachment = Attachment::default();
        attachment.props.set(tags::ATTACH_METHOD, 1);
        attachment.props.set(tags::ATTACH_LONG_FILENAME, name);
        attachment.props.set(tags::ATTACH_MIME_TAG, "application/x-test");
        attachment.props.set(tags::ATTACH_DATA_BINARY, data);
        attachment
    })
}

prop_compose! {
    fn message()(
        subject in one_line(), name in one_line(), body in text(), html in proptest::option::of(text()),
        attachments in proptest::collection::vec(attachment(), 0..4), seconds in 0i64..4_000_000_000,
    ) -> MessageContent {
        let mut content = MessageContent { attachments, ..MessageContent::default() };
        content.props.set(tags::SUBJECT, subject);
        content.props.set(tags::SENT_REPRESENTING_NAME, name.clone());
        content.props.set(tags::SENT_REPRESENTING_SMTP_ADDRESS, "a@example.org");
        content.props.set(tags::BODY, body);
        if let Some(html) = html {
            content.props.put(Prop::new(tags::HTML, html.into_bytes()));
        }
        content.props.set(tags::CLIENT_SUBMIT_TIME, FileTime::from_unix_seconds(seconds));
        let mut recipient = PropBag::default();
        recipient.set(tags::RECIPIENT_TYPE, 1);
        recipient.set(tags::DISPLAY_NAME, name);
        recipient.set(tags::SMTP_ADDRESS, "b@example.org");
        content.recipients.push(recipient);
        content
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_message_made_by_a_client_comes_back(content in message()) {
        let mail = exported(&content, LineEnding::CrLf);
        let back = plain_import(&mail).unwrap();
        let same = |tag| prop_eq(content.props.text(tag).unwrap_or_default(), back.props.text(tag).unwrap_or_default());
        same(tags::SUBJECT)?;
        same(tags::SENT_REPRESENTING_NAME)?;
        same(tags::BODY)?;
        prop_assert_eq!(content.props.get(tags::CLIENT_SUBMIT_TIME), back.props.get(tags::CLIENT_SUBMIT_TIME));
        prop_assert_eq!(content.recipients[0].text(tags::DISPLAY_NAME), back.recipients[0].text(tags::DISPLAY_NAME));
        prop_assert_eq!(content.attachments.len(), back.attachments.len());
        for (was, is) in content.attachments.iter().zip(&back.attachments) {
            for tag in [tags::ATTACH_LONG_FILENAME, tags::ATTACH_MIME_TAG, tags::ATTACH_DATA_BINARY] {
                prop_assert_eq!(was.props.get(tag), is.props.get(tag));
            }
        }
        // Once more, with the header that it now has.
        let second = exported(&back, LineEnding::Lf);
        let third = exported(&plain_import(&second).unwrap(), LineEnding::Lf);
        prop_assert_eq!(String::from_utf8_lossy(&second), String::from_utf8_lossy(&third));
    }
}

/// Mail made of what mail is made of, in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 44] = [
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b"x",
        b"text\n",
        b"\xff\xe4",
        "\u{e4}".as_bytes(),
        b"=",
        b"=3D",
        b"=\n",
        b"--b\n",
        b"--b--\n",
        b"--c\r\n",
        b"--c--",
        b"--=_0_",
        b"--\n",
        b"From: a@example.org\n",
        b"From x y\n",
        b">From \n",
        b"Subject: =?utf-8?Q?=E4?=\n",
        b"To: x <y@z>, ;\n",
        b"To:\n",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: multipart/alternative; boundary=\"c\"\n",
        b"Content-Type: multipart/related; boundary=c; start=\"<r>\"\n",
        b"Content-Type: multipart/signed; boundary=b\n",
        b"Content-Type: multipart/digest; boundary=c\n",
        b"Content-Type: text/html; charset=utf-16le\n",
        b"Content-Type: text/plain; charset=iso-2022-jp\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: image/png; name=a\n",
        b"Content-Type: message/delivery-status\n",
        b"Content-Type: text/calendar; method=x\n",
        b"Content-Type: x\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"Content-Disposition: attachment; filename*=utf-8''%e4\n",
        b"Content-Disposition: inline\n",
        b"Content-ID: <r>\n",
        b"PGI+\n",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES.as_slice()), 1..40)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Whatever the strings of another server hold: no field and no part comes of it that should not.
    #[test]
    fn strings_stay_in_their_fields(texts in proptest::collection::vec(any::<String>(), 9), injected in any::<bool>()) {
        let text = |n: usize| if injected { format!("{}\r\nX-Bad: 1\r\n\r\n--=_0_{}", texts[n], texts[n]) } else { texts[n].clone() };
        let mut content = MessageContent::default();
        for (n, tag) in [tags::SUBJECT, tags::SENT_REPRESENTING_NAME, tags::SENT_REPRESENTING_SMTP_ADDRESS,
            tags::INTERNET_MESSAGE_ID, tags::INTERNET_REFERENCES, tags::CONVERSATION_TOPIC].into_iter().enumerate() {
            content.props.set(tag, text(n));
        }
        content.props.set(tags::BODY, text(6));
        let mut attachment = Attachment::default();
        for (n, tag) in [tags::ATTACH_LONG_FILENAME, tags::ATTACH_MIME_TAG, tags::ATTACH_CONTENT_ID,
            tags::ATTACH_CONTENT_LOCATION, tags::DISPLAY_NAME].into_iter().enumerate() {
            attachment.props.set(tag, text((n + 3) % 9));
        }
        attachment.props.set(tags::ATTACH_DATA_BINARY, text(7).into_bytes());
        content.attachments.push(attachment);
        let mut recipient = PropBag::default();
        recipient.set(tags::RECIPIENT_TYPE, 1);
        recipient.set(tags::DISPLAY_NAME, text(8));
        recipient.set(tags::EMAIL_ADDRESS, text(5));
        content.recipients.push(recipient);
        let mail = exported(&content, LineEnding::Lf);
        let back = plain_import(&mail).unwrap();
        let header = back.props.text(tags::TRANSPORT_MESSAGE_HEADERS).unwrap_or_default();
        for line in header.split("\r\n").filter(|l| !l.is_empty() && !l.starts_with([' ', '\t'])) {
            let name = line.split(':').next().unwrap();
            let known = ["From", "To", "Subject", "Message-ID", "References", "Thread-Topic", "MIME-Version", "Content-Type"];
            prop_assert!(known.contains(&name), "{:?} in {:?}", line, String::from_utf8_lossy(&mail));
        }
        prop_assert_eq!(back.attachments.len(), 1, "{:?}", String::from_utf8_lossy(&mail));
        let kept = back.attachments[0].props.get(tags::ATTACH_DATA_BINARY);
        prop_assert_eq!(kept, Some(&PropValue::Binary(text(7).into_bytes())));
    }

    #[test]
    fn any_soup_becomes_mail_that_stays_as_it_is(raw in soup()) {
        let mail = exported(&plain_import(&raw).unwrap(), LineEnding::Lf);
        let second = exported(&plain_import(&mail).unwrap(), LineEnding::Lf);
        let third = exported(&plain_import(&second).unwrap(), LineEnding::Lf);
        prop_assert_eq!(String::from_utf8_lossy(&second), String::from_utf8_lossy(&third), "of {:?}", String::from_utf8_lossy(&raw));
        let kept = import(&raw, &ImportOptions::default()).unwrap();
        prop_assert!(exported(&kept, LineEnding::Lf) == raw);
    }
}

fn prop_eq(was: &str, is: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(was, is);
    Ok(())
}
