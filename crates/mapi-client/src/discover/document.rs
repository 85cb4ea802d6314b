//! The document that Autodiscover answers with — [MS-OXDSCLI] 2.2.4.1.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use super::found::{AlternativeMailbox, Discovered, Urls};

/// No document nests deeper.
const MAX_DEPTH: usize = 32;
/// Bytes of one value.
const MAX_VALUE: usize = 4 << 10;
/// Mailboxes besides the user's own.
const MAX_ALTERNATIVES: usize = 64;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    Settings(Box<Discovered>),
    /// Action redirectAddr: ask about this address.
    Address(String),
    /// Action redirectUrl: ask there.
    Url(String),
    Error {
        code: u32,
        message: String,
    },
    /// Nothing of use; why.
    Other(String),
}

/// The values that matter, as they are met.
#[derive(Default)]
struct Values {
    legacy_dn: Option<String>,
    display_name: Option<String>,
    address: Option<String>,
    action: Option<String>,
    redirect_address: Option<String>,
    redirect_url: Option<String>,
    error_code: Option<String>,
    message: Option<String>,
    mail_store: Urls,
    address_book: Urls,
    server_version: Option<String>,
    public_folders: Option<String>,
    alternatives: Vec<AlternativeMailbox>,
    outlook: bool,
}

/// Reads a document, whatever its namespace prefixes.
pub(super) fn read(bytes: &[u8]) -> Document {
    match values(bytes) {
        Ok(values) => judge(values),
        Err(why) => Document::Other(why),
    }
}

fn judge(values: Values) -> Document {
    if let Some(code) = values.error_code {
        let code = code.parse().unwrap_or_default();
        return Document::Error { code, message: values.message.unwrap_or_default() };
    }
    let action = values.action.as_deref().unwrap_or_default();
    if let Some(address) = values.redirect_address.filter(|_| action.eq_ignore_ascii_case("redirectAddr")) {
        return Document::Address(address);
    }
    if let Some(url) = values.redirect_url.filter(|_| action.eq_ignore_ascii_case("redirectUrl")) {
        return Document::Url(url);
    }
    match values.legacy_dn {
        Some(legacy_dn) => Document::Settings(Box::new(Discovered {
            legacy_dn,
            display_name: values.display_name,
            address: values.address,
            mail_store: values.mail_store.best().map(str::to_owned),
            mail_store_urls: values.mail_store,
            address_book_urls: values.address_book,
            server_version: values.server_version,
            public_folders: values.public_folders,
            alternative_mailboxes: values.alternatives,
        })),
        None if values.outlook => Document::Other("its answer has no LegacyDN".to_owned()),
        None => Document::Other("its answer is no Autodiscover document".to_owned()),
    }
}

fn values(bytes: &[u8]) -> Result<Values, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "its answer is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut values = Values::default();
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut in_mapi_http = false;
    // Nothing stands before the first element but this, and nothing after it.
    let mut ended = false;
    loop {
        match reader.read_event().map_err(|e| format!("its answer is no XML: {e}"))? {
            Event::Start(start) => {
                if path.len() >= MAX_DEPTH {
                    return Err("its answer nests too deep".to_owned());
                }
                if ended {
                    return Err("its answer goes on after its end".to_owned());
                }
                let name = start.local_name().as_ref().to_owned();
                if name == "Protocol" {
                    in_mapi_http = is_mapi_http(&start);
                }
                values.outlook |= path.is_empty() && name == "Autodiscover";
                if name == "AlternativeMailbox" && values.alternatives.len() < MAX_ALTERNATIVES {
                    values.alternatives.push(AlternativeMailbox::default());
                }
                path.push(name);
                value.clear();
            }
            Event::End(_) => {
                values.set(&path, value.trim(), in_mapi_http);
                path.pop();
                ended |= path.is_empty();
                value.clear();
            }
            Event::Text(piece) => value.push_str(&piece.xml10_content()),
            Event::CData(piece) => value.push_str(&piece.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(c)) => value.push(c),
                _ => match resolve_xml_entity(&entity.xml10_content()) {
                    Some(text) => value.push_str(text),
                    None => return Err("its answer names an entity that XML does not have".to_owned()),
                },
            },
            // Nothing good comes of entities and external files; no Autodiscover document has any.
            Event::DocType(_) => return Err("its answer brings a document type of its own".to_owned()),
            Event::Eof => break,
            _ => {}
        }
        if value.len() > MAX_VALUE {
            return Err("a value of its answer is too long".to_owned());
        }
    }
    if path.is_empty() { Ok(values) } else { Err("its answer ends in the middle".to_owned()) }
}

/// Protocol with Type="mapiHttp" — [MS-OXDSCLI] 2.2.4.1.1.2.6.
fn is_mapi_http(start: &BytesStart<'_>) -> bool {
    start
        .try_get_attribute("Type")
        .ok()
        .flatten()
        .is_some_and(|attribute| attribute.value.as_ref().eq_ignore_ascii_case("mapiHttp"))
}

impl Values {
    fn set(&mut self, path: &[String], value: &str, in_mapi_http: bool) {
        if value.is_empty() {
            return;
        }
        let mut names = path.iter().rev().map(String::as_str);
        let place = match (names.next(), names.next()) {
            (Some("LegacyDN"), Some("User")) => &mut self.legacy_dn,
            (Some("DisplayName"), Some("User")) => &mut self.display_name,
            (Some("AutoDiscoverSMTPAddress"), Some("User")) => &mut self.address,
            (Some("Action"), Some("Account")) => &mut self.action,
            (Some("RedirectAddr"), Some("Account")) => &mut self.redirect_address,
            (Some("RedirectUrl"), Some("Account")) => &mut self.redirect_url,
            (Some("ErrorCode"), Some("Error")) => &mut self.error_code,
            (Some("Message"), Some("Error")) => &mut self.message,
            (Some("InternalUrl"), Some("MailStore")) if in_mapi_http => &mut self.mail_store.internal,
            (Some("ExternalUrl"), Some("MailStore")) if in_mapi_http => &mut self.mail_store.external,
            (Some("InternalUrl"), Some("AddressBook")) if in_mapi_http => &mut self.address_book.internal,
            (Some("ExternalUrl"), Some("AddressBook")) if in_mapi_http => &mut self.address_book.external,
            (Some("ServerVersion"), Some("Protocol")) => &mut self.server_version,
            (Some("SmtpAddress"), Some("PublicFolderInformation")) => &mut self.public_folders,
            (Some(name), Some("AlternativeMailbox")) => {
                if let Some(other) = self.alternatives.last_mut() {
                    other.set(name, value);
                }
                return;
            }
            _ => return,
        };
        place.get_or_insert_with(|| value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use watertight_testkit::captures;
    use watertight_testkit::mutate::{bit_flips, truncations};

    use super::*;

    #[test]
    fn captured_documents_are_understood() {
        let mut settings = 0;
        for exchange in captures::group("02").iter().filter(|e| e.status == Some(200)) {
            let document = read(&exchange.response());
            match exchange.n {
                58 | 59 | 64 | 70 => {
                    let Document::Settings(found) = document else {
                        panic!("{}: {document:?}", exchange.label)
                    };
                    assert_eq!(
                        found.display_name.as_deref(),
                        Some(if exchange.n == 64 { "u3" } else { "u4" })
                    );
                    assert!(found.legacy_dn.starts_with("/o=Gromox default/ou="), "{}", found.legacy_dn);
                    assert_eq!(found.server_version().as_deref(), Some("15.0.847"));
                    assert_eq!(found.public_folders.as_deref(), Some("public.folder.root@test.local"));
                    assert_eq!(found.mail_store_urls.internal, found.mail_store_urls.external);
                    let book = found.address_book_urls.best().unwrap();
                    assert!(book.starts_with("https://gx.test.local/mapi/nspi/?MailboxId="), "{book}");
                    assert!(found.alternative_mailboxes.is_empty());
                    assert!(
                        found
                            .mail_store
                            .unwrap()
                            .starts_with("https://gx.test.local/mapi/emsmdb/?MailboxId=")
                    );
                    settings += 1;
                }
                60 | 69 => assert!(matches!(document, Document::Error { code: 600, .. }), "{document:?}"),
                62 => assert!(matches!(document, Document::Error { code: 601, .. }), "{document:?}"),
                63 | 65 => assert!(matches!(document, Document::Error { code: 404, .. }), "{document:?}"),
                61 => assert!(matches!(document, Document::Other(_)), "{document:?}"),
                other => panic!("exchange {other}"),
            }
        }
        assert_eq!(settings, 4);
    }

    #[test]
    fn redirections_entities_and_prefixes_are_understood() {
        let account = |inner: &str| {
            read(format!("<a:Autodiscover xmlns:a='x'><Response><User><LegacyDN>/o=A &amp; B&#x21;</LegacyDN></User><Account>{inner}</Account></Response></a:Autodiscover>").as_bytes())
        };
        let redirect = "<Action>redirectAddr</Action><RedirectAddr>u@example.org</RedirectAddr>";
        assert_eq!(account(redirect), Document::Address("u@example.org".to_owned()));
        let redirect = "<Action>redirectUrl</Action><RedirectUrl>https://x/y</RedirectUrl>";
        assert_eq!(account(redirect), Document::Url("https://x/y".to_owned()));
        let Document::Settings(found) = account("<Action>settings</Action>") else { panic!() };
        assert_eq!(found.legacy_dn, "/o=A & B!");
        let deep = "<a>".repeat(100);
        assert!(matches!(read(deep.as_bytes()), Document::Other(why) if why.contains("deep")));
        assert!(matches!(read(b"\xff"), Document::Other(_)));
        assert!(matches!(read(b""), Document::Other(_)));
    }

    #[test]
    fn other_mailboxes_are_listed() {
        let account = "<AlternativeMailbox><Type>Archive</Type><DisplayName>Archive of U</DisplayName>\
             <LegacyDN>/o=A/cn=u/guid=1</LegacyDN><Server>a@x</Server></AlternativeMailbox>\
             <AlternativeMailbox><Type>Delegate</Type><SmtpAddress>team@x</SmtpAddress>\
             <OwnerSmtpAddress>team@x</OwnerSmtpAddress></AlternativeMailbox>";
        let document = |account: &str| {
            format!(
                "<Autodiscover><Response><User><LegacyDN>d</LegacyDN></User><Account>{account}</Account></Response></Autodiscover>"
            )
        };
        let Document::Settings(found) = read(document(account).as_bytes()) else { panic!() };
        let [archive, delegate] = found.alternative_mailboxes.as_slice() else { panic!("{found:?}") };
        assert!(archive.is_archive() && archive.legacy_dn.as_deref() == Some("/o=A/cn=u/guid=1"));
        assert_eq!(
            (archive.display_name.as_deref(), archive.server.as_deref()),
            (Some("Archive of U"), Some("a@x"))
        );
        assert!(!delegate.is_archive() && delegate.smtp_address.as_deref() == Some("team@x"));
        let Document::Settings(found) = read(document(&account.repeat(1000)).as_bytes()) else { panic!() };
        assert_eq!(found.alternative_mailboxes.len(), MAX_ALTERNATIVES);
    }

    #[test]
    fn bombs_are_refused() {
        let laughs =
            "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><Autodiscover>&c;</Autodiscover>";
        let external = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Autodiscover/>";
        for (bomb, why) in [
            (laughs.to_owned(), "document type"),
            (external.to_owned(), "document type"),
            ("<Autodiscover><User>&lol9;</User></Autodiscover>".to_owned(), "entity"),
            (format!("<Autodiscover>{}", "<a>".repeat(100_000)), "deep"),
            (format!("<Autodiscover>{}</Autodiscover>", "x".repeat(100_000)), "long"),
            (format!("<Autodiscover>{}</Autodiscover>", "&amp;".repeat(100_000)), "long"),
            ("<Autodiscover></Autodiscover><Autodiscover></Autodiscover>".to_owned(), "after its end"),
        ] {
            let Document::Other(said) = read(bomb.as_bytes()) else { panic!("{why}") };
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn damaged_documents_do_no_harm() {
        let sample = captures::group("02").iter().find(|e| e.n == 63).unwrap().response();
        truncations(&sample, |bytes| drop(read(bytes)));
        bit_flips(&sample, |bytes| drop(read(bytes)));
    }
}
