//! The sample mail inside the program; `sample/SOURCES.md` says where it is from.

/// A message of the sample.
pub struct Mail {
    /// Its folder, `/` between the names.
    pub folder: &'static str,
    /// Its flags, as Maildir has them.
    pub flags: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// All of it.
pub const MAIL: &[Mail] = &[
    mail("Inbox", "S", include_bytes!("../sample/attachment_content_disposition.eml")),
    mail("Inbox", "S", include_bytes!("../sample/attachment_message_rfc822.eml")),
    mail("Inbox", "", include_bytes!("../sample/attachment_message_rfc822_inline_image.eml")),
    mail("Inbox", "S", include_bytes!("../sample/attachment_only_email.eml")),
    mail("Inbox", "RS", include_bytes!("../sample/raw_email2.eml")),
    mail("Inbox", "S", include_bytes!("../sample/raw_email7.eml")),
    mail("Inbox", "FS", include_bytes!("../sample/raw_email12.eml")),
    mail("Inbox", "", include_bytes!("../sample/basic_email_lf.eml")),
    mail("Inbox", "S", include_bytes!("../sample/raw_email_reply.eml")),
    mail("Inbox", "S", include_bytes!("../sample/raw_email_simple.eml")),
    mail("Inbox", "S", include_bytes!("../sample/raw_email_with_partially_quoted_subject.eml")),
    mail("Inbox", "S", include_bytes!("../sample/example01.eml")),
    mail("Inbox", "", include_bytes!("../sample/example05.eml")),
    mail("Inbox", "S", include_bytes!("../sample/example06.eml")),
    mail("Inbox", "RS", include_bytes!("../sample/example07.eml")),
    mail("Inbox", "S", include_bytes!("../sample/example08.eml")),
    mail("Inbox", "FS", include_bytes!("../sample/example14.eml")),
    mail("Inbox", "", include_bytes!("../sample/simple-embedded-message.eml")),
    mail("Inbox", "S", include_bytes!("../sample/sig_only_email.eml")),
    mail("Lists/Operating systems", "S", include_bytes!("../sample/epilogue.eml")),
    mail("Lists/Operating systems", "S", include_bytes!("../sample/raw_email_trailing_dot.eml")),
    mail("Lists/Operating systems", "S", include_bytes!("../sample/raw_email_multiple_from.eml")),
    mail("Lists/Operating systems", "", include_bytes!("../sample/multipart-digest.eml")),
    mail("Lists/Operating systems", "S", include_bytes!("../sample/raw_email4.eml")),
    mail("Delivery reports", "RS", include_bytes!("../sample/bounce.eml")),
    mail("Delivery reports", "S", include_bytes!("../sample/delivery-status.eml")),
    mail("Delivery reports", "FS", include_bytes!("../sample/delivery-status2.eml")),
    mail("Delivery reports", "", include_bytes!("../sample/disposition-notification.eml")),
    mail("Delivery reports", "S", include_bytes!("../sample/report_422.eml")),
    mail("Delivery reports", "S", include_bytes!("../sample/report_530.eml")),
    mail("Delivery reports", "S", include_bytes!("../sample/multipart_report_multiple_status.eml")),
    mail("Anhänge & Bilder", "S", include_bytes!("../sample/attachment_pdf_lf.eml")),
    mail("Anhänge & Bilder", "", include_bytes!("../sample/attachment_nonascii_filename.eml")),
    mail("Anhänge & Bilder", "S", include_bytes!("../sample/attachment_with_quoted_filename.eml")),
    mail("Anhänge & Bilder", "RS", include_bytes!("../sample/attachment_with_base64_encoded_name.eml")),
    mail("Anhänge & Bilder", "S", include_bytes!("../sample/japanese_attachment.eml")),
    mail("Anhänge & Bilder", "FS", include_bytes!("../sample/japanese_attachment_long_name.eml")),
    mail("Anhänge & Bilder", "", include_bytes!("../sample/multipart-related-mhtml.eml")),
    mail("日本語", "S", include_bytes!("../sample/japanese.eml")),
    mail("日本語", "S", include_bytes!("../sample/japanese.eml")),
    mail("日本語", "S", include_bytes!("../sample/japanese_iso_2022.eml")),
    mail("日本語", "S", include_bytes!("../sample/japanese_shift_jis.eml")),
    mail("日本語", "", include_bytes!("../sample/ks_c_5601-1987.eml")),
    mail("日本語", "S", include_bytes!("../sample/raw_email.eml")),
    mail("日本語", "RS", include_bytes!("../sample/utf8_headers.eml")),
];

const fn mail(folder: &'static str, flags: &'static str, bytes: &'static [u8]) -> Mail {
    Mail { folder, flags, bytes }
}
