//! What a person wants to know of a certificate — RFC 5280 4.1, as far as it goes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

/// Names of one certificate that are told.
const MAX_NAMES: usize = 32;
/// Characters of one name.
const MAX_TEXT: usize = 100;

/// Tags of DER.
mod tag {
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const BMP_STRING: u8 = 0x1E;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const DNS_NAME: u8 = 0x82;
    pub(super) const IP_ADDRESS: u8 = 0x87;
    pub(super) const VERSION: u8 = 0xA0;
    pub(super) const EXTENSIONS: u8 = 0xA3;
}

/// id-at-commonName, id-at-organizationName, id-ce-subjectAltName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0A];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

/// What stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// The names that it is made out for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Since when it holds.
    pub not_before: SystemTime,
    /// Until when it holds.
    pub not_after: SystemTime,
}

impl Certificate {
    /// Reads a certificate (DER); `None` when it cannot be read.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let mut tbs = Der(Der(Der(der).take(tag::SEQUENCE)?).take(tag::SEQUENCE)?);
        if tbs.peek() == Some(tag::VERSION) {
            tbs.any()?;
        }
        // serialNumber, signature.
        tbs.any()?;
        tbs.any()?;
        let issuer = tbs.take(tag::SEQUENCE)?;
        let mut validity = Der(tbs.take(tag::SEQUENCE)?);
        let (not_before, not_after) = (time(validity.any()?)?, time(validity.any()?)?);
        let subject = tbs.take(tag::SEQUENCE)?;
        tbs.take(tag::SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((kind, inner)) = tbs.any() {
            if kind == tag::EXTENSIONS {
                names = alternative_names(inner).unwrap_or_default();
            }
        }
        if names.is_empty() {
            names.extend(attribute(subject, COMMON_NAME));
        }
        let issuer = attribute(issuer, COMMON_NAME)
            .or_else(|| attribute(issuer, ORGANIZATION))
            .unwrap_or_else(|| "somebody without a name".to_owned());
        Some(Self { names, issuer, not_before, not_after })
    }
}

/// Bytes of DER that are still to be read: one value after the other, no deeper than the caller goes.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value and its tag.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
                let length = bytes.iter().fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
                (usize::try_from(length).ok()?, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// The next value, which must have that tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

/// The first value of an attribute in a Name.
fn attribute(name: &[u8], wanted: &[u8]) -> Option<String> {
    let mut sets = Der(name);
    while let Some(set) = sets.take(tag::SET) {
        let mut pair = Der(Der(set).take(tag::SEQUENCE)?);
        if pair.take(tag::OID)? == wanted {
            let (kind, value) = pair.any()?;
            let plain: Vec<u8> = if kind == tag::BMP_STRING {
                // What is not Latin comes out as it may.
                value.iter().copied().filter(|byte| *byte != 0).collect()
            } else {
                value.to_vec()
            };
            return Some(printable(&plain));
        }
    }
    None
}

/// dNSName and iPAddress of subjectAltName.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(Der(extensions).take(tag::SEQUENCE)?);
    while let Some(extension) = extensions.take(tag::SEQUENCE) {
        let mut extension = Der(extension);
        if extension.take(tag::OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let (mut kind, mut value) = extension.any()?;
        if kind != tag::OCTET_STRING {
            // critical.
            (kind, value) = extension.any()?;
        }
        if kind != tag::OCTET_STRING {
            return None;
        }
        let mut general = Der(Der(value).take(tag::SEQUENCE)?);
        let mut names = Vec::new();
        while let Some((kind, value)) = general.any() {
            let name = match kind {
                tag::DNS_NAME => Some(printable(value)),
                tag::IP_ADDRESS => address(value),
                _ => None,
            };
            names.extend(name.filter(|_| names.len() < MAX_NAMES));
        }
        return Some(names);
    }
    None
}

fn address(bytes: &[u8]) -> Option<String> {
    match <[u8; 4]>::try_from(bytes) {
        Ok(four) => Some(Ipv4Addr::from(four).to_string()),
        Err(_) => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()),
    }
}

/// What a terminal may be shown, and not too much of it.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// UTCTime and GeneralizedTime as certificates have them: to the second, in UTC — RFC 5280 4.1.2.5.
fn time((kind, text): (u8, &[u8])) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        tag::UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000_u64.saturating_add(year) } else { 1900_u64.saturating_add(year) }, rest)
        }
        tag::GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| rest.get(at..at.saturating_add(2)).and_then(|text| text.parse::<u64>().ok());
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    // Days since 1 March of year 0, so that the leap day comes last.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = shifted_year * 365 + leap_days + (shifted_month * 153 + 2) / 5 + day - 1;
    // 1 January 1970 is the day 719,468 of that count.
    let seconds = (days.checked_sub(719_468)? * 24 + hour) * 3600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
    use watertight_testkit::mutate::survive;

    use super::*;

    #[test]
    fn a_certificate_tells_its_names_its_issuer_and_its_time() {
        let names = vec!["mail.example.org".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "An \u{7}authority");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2051, 3, 1);
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let found = Certificate::from_der(&der).unwrap();
        assert_eq!((found.names, found.issuer.as_str()), (names, "An authority"));
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        // `date -u -d 2020-01-01 +%s`
        assert_eq!((seconds(found.not_before), seconds(found.not_after)), (1_577_836_800, 2_561_241_600));
        survive(&der, |bytes| drop(Certificate::from_der(bytes)));
        assert_eq!(Certificate::from_der(b""), None);
    }
}
