//! POX Autodiscover — [MS-OXDSCLI] — for the account that has signed in.

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use watertight_mapi::store::{Account, Store};

/// The namespace of every answer — [MS-OXDSCLI] 2.2.1.
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
/// The schema that we have an answer in; also its namespace.
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
/// No request nests deeper.
const MAX_DEPTH: usize = 16;

/// What a client asks for — [MS-OXDSCLI] 2.2.3.1.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    email_address: Option<String>,
    legacy_dn: Option<String>,
    schema: Option<String>,
}

/// Error codes — [MS-OXDSCLI] 2.2.4.1.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NotFound,
    InvalidRequest,
    NoProvider,
}

/// A mailbox besides the account's own that its user may open — [MS-OXDSCLI] 2.2.4.1.1.2.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alternative {
    pub(crate) kind: AlternativeKind,
    pub(crate) display_name: String,
    pub(crate) legacy_dn: String,
    /// The address of its owner, by which it can be discovered in turn.
    pub(crate) smtp_address: String,
}

/// Type of an AlternativeMailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "until the store says whose mailboxes somebody may open"))]
pub(crate) enum AlternativeKind {
    Archive,
    Delegate,
}

/// Answers a request; `base` is the server's URL without path, `capability` the value of X-MapiHttpCapability,
/// `others` what else the account's user may open.
pub(crate) fn answer(
    body: &[u8],
    account: &Account,
    others: &[Alternative],
    base: &str,
    capability: u32,
) -> String {
    match read(body).and_then(|request| check(&request, account)) {
        Ok(()) => settings(account, others, base, capability),
        Err(refusal) => error(refusal),
    }
}

/// What else the user of that account may open: its archive.
pub(crate) fn others(account: &Account) -> Vec<Alternative> {
    let archive = account.archive_dn().map(|legacy_dn| Alternative {
        kind: AlternativeKind::Archive,
        display_name: format!("Archive - {}", account.display_name),
        legacy_dn,
        smtp_address: account.smtp_address.clone(),
    });
    archive.into_iter().collect()
}

/// Whose settings are asked for: those of whoever has signed in, or of somebody whose mailbox that account may open.
pub(crate) async fn subject(body: &[u8], account: &Account, store: &dyn Store) -> Account {
    let Ok(request) = read(body) else { return account.clone() };
    let found = match (request.email_address.as_deref(), request.legacy_dn.as_deref()) {
        (Some(address), _) => store.account_by_address(address).await,
        (None, Some(dn)) => store.account_by_dn(dn).await,
        (None, None) => Ok(None),
    };
    let Ok(Some(found)) = found else { return account.clone() };
    // What is not granted is not there, as far as anybody is told.
    match store.access(Some(&found.name), &account.name).await {
        Ok(Some(_)) => found,
        _ => account.clone(),
    }
}

fn check(request: &Request, account: &Account) -> Result<(), Refusal> {
    let schema = request.schema.as_deref().ok_or(Refusal::InvalidRequest)?;
    let same = |asked: &str, own: &str| asked.eq_ignore_ascii_case(own);
    let own = match (request.email_address.as_deref(), request.legacy_dn.as_deref()) {
        (Some(address), _) => same(address, &account.smtp_address) || same(address, &account.name),
        (None, Some(dn)) => same(dn, &account.legacy_dn),
        (None, None) => return Err(Refusal::InvalidRequest),
    };
    if schema != OUTLOOK {
        return Err(Refusal::NoProvider);
    }
    if own { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Reads `Autodiscover/Request`, whatever the namespaces.
fn read(body: &[u8]) -> Result<Request, Refusal> {
    let text = core::str::from_utf8(body).map_err(|_| Refusal::InvalidRequest)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut request = Request::default();
    let mut complete = false;
    loop {
        match reader.read_event().map_err(|_| Refusal::InvalidRequest)? {
            Event::Start(start) => {
                if complete || path.len() >= MAX_DEPTH {
                    return Err(Refusal::InvalidRequest);
                }
                path.push(start.local_name().into_inner().to_owned());
                value.clear();
            }
            Event::End(_) => {
                let names: Vec<_> = path.iter().map(String::as_str).collect();
                let field = match names.as_slice() {
                    ["Autodiscover", "Request", "EMailAddress"] => Some(&mut request.email_address),
                    ["Autodiscover", "Request", "LegacyDN"] => Some(&mut request.legacy_dn),
                    ["Autodiscover", "Request", "AcceptableResponseSchema"] => Some(&mut request.schema),
                    ["Autodiscover"] => {
                        complete = true;
                        None
                    }
                    _ => None,
                };
                if let Some(field) = field {
                    let text = value.trim();
                    *field = (!text.is_empty()).then(|| text.to_owned());
                }
                path.pop();
                value.clear();
            }
            Event::Text(text) => value.push_str(&text.xml10_content()),
            Event::CData(text) => value.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => value.push(resolve(&reference)?),
            Event::DocType(_) => return Err(Refusal::InvalidRequest),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if complete && path.is_empty() { Ok(request) } else { Err(Refusal::InvalidRequest) }
}

/// For `fuzz`: what a request asks, in any words.
#[must_use]
pub fn autodiscover_request(body: &[u8]) -> String {
    format!("{:?}", read(body))
}

/// A character reference or one of the five entities that every document has.
fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, Refusal> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Ok(c);
    }
    match reference.xml10_content().as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(Refusal::InvalidRequest),
    }
}

/// User, Account and the mapiHttp protocol — [MS-OXDSCLI] 2.2.4.1.1.2; the protocol only for clients that say they
/// can use it: 2.2.2.1. There is no other protocol to offer.
fn settings(account: &Account, others: &[Alternative], base: &str, capability: u32) -> String {
    let domain = account.smtp_address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let urls = |endpoint: &str| {
        let url = format!("{base}/mapi/{endpoint}/?MailboxId={}@{domain}", account.mailbox_guid);
        let url = escape(url.as_str());
        format!("<InternalUrl>{url}</InternalUrl><ExternalUrl>{url}</ExternalUrl>")
    };
    let protocol = if capability >= 1 {
        let (mail_store, address_book) = (urls("emsmdb"), urls("nspi"));
        format!(
            "<Protocol Type=\"mapiHttp\" Version=\"1\"><MailStore>{mail_store}</MailStore>\
             <AddressBook>{address_book}</AddressBook></Protocol>"
        )
    } else {
        String::new()
    };
    let others: String = others.iter().map(alternative).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{RESPONSE}\"><Response \
         xmlns=\"{OUTLOOK}\"><User><DisplayName>{}</DisplayName><LegacyDN>{}</LegacyDN>\
         <AutoDiscoverSMTPAddress>{}</AutoDiscoverSMTPAddress></User><Account><AccountType>email</AccountType>\
         <Action>settings</Action><MicrosoftOnline>False</MicrosoftOnline>{protocol}{others}</Account></Response></Autodiscover>",
        escape(account.display_name.as_str()),
        escape(account.legacy_dn.as_str()),
        escape(account.smtp_address.as_str()),
    )
}

fn alternative(other: &Alternative) -> String {
    let kind = match other.kind {
        AlternativeKind::Archive => "Archive",
        AlternativeKind::Delegate => "Delegate",
    };
    let address = escape(other.smtp_address.as_str());
    // An archive is opened by its DN; somebody else's mailbox is discovered by its owner's address.
    let address = match other.kind {
        AlternativeKind::Archive => format!("<OwnerSmtpAddress>{address}</OwnerSmtpAddress>"),
        AlternativeKind::Delegate => {
            format!("<SmtpAddress>{address}</SmtpAddress><OwnerSmtpAddress>{address}</OwnerSmtpAddress>")
        }
    };
    format!(
        "<AlternativeMailbox><Type>{kind}</Type><DisplayName>{}</DisplayName><LegacyDN>{}</LegacyDN>{address}\
         </AlternativeMailbox>",
        escape(other.display_name.as_str()),
        escape(other.legacy_dn.as_str()),
    )
}

fn error(refusal: Refusal) -> String {
    let (code, message) = match refusal {
        Refusal::NotFound => (500, "The email address can't be found."),
        Refusal::InvalidRequest => (600, "Invalid Request"),
        Refusal::NoProvider => (601, "Provider is not available"),
    };
    let time = Timestamp::now().to_string();
    let time = time.split_once('T').map_or("", |(_, time)| time.trim_end_matches('Z'));
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{RESPONSE}\"><Response><Error \
         Time=\"{time}\" Id=\"1\"><ErrorCode>{code}</ErrorCode><Message>{message}</Message><DebugData/></Error>\
         </Response></Autodiscover>"
    )
}

#[cfg(test)]
mod tests {
    use watertight_mapi::store::legacy_dn;
    use watertight_testkit::captures;
    use watertight_testkit::mutate::survive;
    use watertight_wire::Guid;

    use super::*;

    fn account() -> Account {
        Account {
            name: "u4".into(),
            display_name: "U & 4".into(),
            smtp_address: "u4@test.local".into(),
            legacy_dn: legacy_dn("u4"),
            mailbox_guid: Guid::from_bytes([7; 16]),
            archive: None,
            password_hash: String::new(),
        }
    }

    fn ask(inside: &str) -> String {
        let body = format!("<Autodiscover><Request>{inside}</Request></Autodiscover>");
        answer(body.as_bytes(), &account(), &[], "https://mail.example.org", 1)
    }

    #[test]
    fn captured_requests_get_the_settings_or_the_documents_errors() {
        let codes: Vec<_> = captures::group("02")
            .into_iter()
            .filter(|e| e.status == Some(200))
            .map(|e| {
                let xml = answer(&e.request(), &account(), &[], "https://mail.example.org", 1);
                let code = xml.split("<ErrorCode>").nth(1).and_then(|rest| rest.get(..3)).unwrap_or("200");
                (e.n, code.to_owned())
            })
            .collect();
        let codes: Vec<_> = codes.iter().map(|(n, code)| (*n, code.as_str())).collect();
        // 60 asks with the LegacyDN that the other server has for u4; 61 for a schema that we do not have; 64 for
        // somebody else's address, which that server gives away.
        let expected = [
            (58, "200"),
            (59, "200"),
            (60, "500"),
            (61, "601"),
            (62, "601"),
            (63, "500"),
            (64, "500"),
            (65, "500"),
            (69, "600"),
            (70, "200"),
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn addresses_and_legacy_dns_are_compared_without_case() {
        let schema = format!("<AcceptableResponseSchema>{OUTLOOK}</AcceptableResponseSchema>");
        let xml = ask(&format!("<EMailAddress> U4@test.LOCAL\n</EMailAddress>{schema}"));
        assert!(
            xml.contains("<InternalUrl>https://mail.example.org/mapi/emsmdb/?MailboxId=07070707-0707"),
            "{xml}"
        );
        assert!(xml.contains("0707@test.local</InternalUrl>"), "{xml}");
        assert!(xml.contains("<DisplayName>U &amp; 4</DisplayName>"), "{xml}");
        let dn = legacy_dn("U4").to_uppercase();
        assert!(ask(&format!("<LegacyDN>{dn}</LegacyDN>{schema}")).contains("mapiHttp"));
        assert!(ask("<EMailAddress>u4@test.local</EMailAddress>").contains("<ErrorCode>600<"));
        assert!(ask(&schema).contains("<ErrorCode>600<"));
        assert!(
            ask(&format!("<EMailAddress>u4&#64;test&#x2e;local</EMailAddress>{schema}")).contains("mapiHttp")
        );
        assert!(ask(&format!("<EMailAddress>&u4;</EMailAddress>{schema}")).contains("<ErrorCode>600<"));
    }

    #[test]
    fn clients_without_the_capability_are_not_offered_the_protocol() {
        let exchange = captures::group("02").into_iter().find(|e| e.n == 58).unwrap();
        let xml = answer(&exchange.request(), &account(), &[], "https://mail.example.org", 0);
        assert!(xml.contains("<LegacyDN>") && !xml.contains("mapiHttp"), "{xml}");
    }

    #[test]
    fn other_mailboxes_are_listed() {
        let other = |kind, name: &str| Alternative {
            kind,
            display_name: format!("{name} & co"),
            legacy_dn: legacy_dn(name),
            smtp_address: format!("{name}@test.local"),
        };
        let others = [other(AlternativeKind::Archive, "u4"), other(AlternativeKind::Delegate, "team")];
        let exchange = captures::group("02").into_iter().find(|e| e.n == 58).unwrap();
        let xml = answer(&exchange.request(), &account(), &others, "https://mail.example.org", 1);
        assert!(
            xml.contains("<Type>Archive</Type><DisplayName>u4 &amp; co</DisplayName><LegacyDN>/o="),
            "{xml}"
        );
        assert!(
            xml.contains("<Type>Delegate</Type>") && xml.contains("<SmtpAddress>team@test.local</"),
            "{xml}"
        );
        assert!(
            xml.contains("<AddressBook><InternalUrl>https://mail.example.org/mapi/nspi/?MailboxId="),
            "{xml}"
        );
    }

    #[test]
    fn damaged_requests_are_answered() {
        let exchange = captures::group("02").into_iter().find(|e| e.n == 58).unwrap();
        survive(&exchange.request(), |bytes| {
            assert!(answer(bytes, &account(), &[], "https://h", 1).ends_with("</Autodiscover>"));
        });
        let deep = "<a>".repeat(100_000);
        assert!(answer(deep.as_bytes(), &account(), &[], "https://h", 1).contains("<ErrorCode>600<"));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\">]><Autodiscover>&b;</Autodiscover>";
        assert!(answer(bomb.as_bytes(), &account(), &[], "https://h", 1).contains("<ErrorCode>600<"));
    }
}
