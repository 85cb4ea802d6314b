//! String bindings — C706 3.1 and appendix I: `object@ncacn_ip_tcp:host[135,option=value]`.

use core::fmt;
use core::str::FromStr;

use crate::Guid;

/// A protocol sequence — C706 appendix I, [MS-RPCE] 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolSequence {
    /// `ncacn_ip_tcp`
    NcacnIpTcp,
    /// `ncacn_np`
    NcacnNp,
    /// `ncacn_http`
    NcacnHttp,
    /// `ncadg_ip_udp`
    NcadgIpUdp,
    /// `ncalrpc`
    Ncalrpc,
}

impl ProtocolSequence {
    const ALL: [Self; 5] =
        [Self::NcacnIpTcp, Self::NcacnNp, Self::NcacnHttp, Self::NcadgIpUdp, Self::Ncalrpc];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NcacnIpTcp => "ncacn_ip_tcp",
            Self::NcacnNp => "ncacn_np",
            Self::NcacnHttp => "ncacn_http",
            Self::NcadgIpUdp => "ncadg_ip_udp",
            Self::Ncalrpc => "ncalrpc",
        }
    }
}

impl fmt::Display for ProtocolSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringBinding {
    /// The object.
    pub object: Option<Guid>,
    /// The protocol sequence.
    pub protocol: ProtocolSequence,
    /// The host; empty where it is this machine.
    pub host: String,
    /// The endpoint; none where the endpoint mapper is to be asked.
    pub endpoint: Option<String>,
    /// Options: a name, and a value where one is given.
    pub options: Vec<(String, Option<String>)>,
}

impl StringBinding {
    /// A binding without object and options.
    #[must_use]
    pub fn new(protocol: ProtocolSequence, host: &str, endpoint: Option<&str>) -> Self {
        Self {
            object: None,
            protocol,
            host: host.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            options: Vec::new(),
        }
    }

    /// Whether an option is given, with or without a value.
    #[must_use]
    pub fn has_option(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| option == name)
    }
}

/// Why a text is no string binding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseBindingError {
    /// There is no colon.
    #[error("no protocol sequence: expected something like ncacn_ip_tcp:host[135]")]
    NoProtocol,
    /// What stands before the colon is not known.
    #[error("unknown protocol sequence {0:?}")]
    UnknownProtocol(String),
    /// What stands before the @ is no UUID.
    #[error("the object is not a UUID: {0:?}")]
    Object(String),
    /// A bracket is missing, or something follows the last one.
    #[error("the brackets around endpoint and options do not match")]
    Brackets,
    /// An option has no name.
    #[error("an option without a name")]
    Option,
}

/// What a backslash goes before.
const SPECIAL: &[char] = &['\\', '@', ':', '[', ']', ',', '='];

impl FromStr for StringBinding {
    type Err = ParseBindingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (object, rest) = match split(text, &['@']) {
            Some((object, _, rest)) => {
                let object = unescape(object);
                (Some(object.parse().map_err(|_| ParseBindingError::Object(object))?), rest)
            }
            None => (None, text),
        };
        let (protocol, _, rest) = split(rest, &[':']).ok_or(ParseBindingError::NoProtocol)?;
        let protocol = unescape(protocol);
        let protocol = ProtocolSequence::ALL
            .into_iter()
            .find(|known| known.name() == protocol)
            .ok_or(ParseBindingError::UnknownProtocol(protocol))?;
        let (host, inside) = match split(rest, &['[']) {
            Some((host, _, rest)) => match split(rest, &[']']) {
                Some((inside, _, "")) => (host, Some(inside)),
                _ => return Err(ParseBindingError::Brackets),
            },
            None if split(rest, &[']']).is_some() => return Err(ParseBindingError::Brackets),
            None => (rest, None),
        };
        let mut binding = Self::new(protocol, &unescape(host), None);
        binding.object = object;
        let mut rest = inside.filter(|inside| !inside.is_empty());
        let mut first = true;
        while let Some(item) = rest {
            let (item, next) = match split(item, &[',']) {
                Some((item, _, next)) => (item, Some(next)),
                None => (item, None),
            };
            rest = next;
            let (name, value) = match split(item, &['=']) {
                Some((name, _, value)) => (unescape(name), Some(unescape(value))),
                None => (unescape(item), None),
            };
            match (name.as_str(), value) {
                ("endpoint", Some(value)) => binding.endpoint = Some(value),
                // The first item is the endpoint, unless it is empty, or is an option.
                (_, None) if first && (item.is_empty() || looks_like_endpoint(&name, protocol)) => {
                    binding.endpoint = (!name.is_empty()).then_some(name);
                }
                ("", _) => return Err(ParseBindingError::Option),
                (_, value) => binding.options.push((name, value)),
            }
            first = false;
        }
        Ok(binding)
    }
}

/// Options without a value may come first ([sign] is one, [135] is not); they are words in lower case, which no port and
/// no path is. The endpoints of ncalrpc are words too: there the first item is one.
fn looks_like_endpoint(item: &str, protocol: ProtocolSequence) -> bool {
    matches!(protocol, ProtocolSequence::Ncalrpc | ProtocolSequence::NcacnNp)
        || item.contains(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
        || item.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for StringBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = self.object {
            write!(f, "{object}@")?;
        }
        // A host is an address or a name: colons of IPv6 need no escape behind the first one.
        write!(f, "{}:{}", self.protocol, escape(&self.host, &['\\', '[', ']', '@']))?;
        if self.endpoint.is_none() && self.options.is_empty() {
            return Ok(());
        }
        f.write_str("[")?;
        match &self.endpoint {
            Some(endpoint) if looks_like_endpoint(endpoint, self.protocol) => {
                f.write_str(&escape(endpoint, SPECIAL))?;
            }
            Some(endpoint) => write!(f, "endpoint={}", escape(endpoint, SPECIAL))?,
            None => {}
        }
        for (name, value) in &self.options {
            write!(f, ",{}", escape(name, SPECIAL))?;
            if let Some(value) = value {
                write!(f, "={}", escape(value, SPECIAL))?;
            }
        }
        f.write_str("]")
    }
}

/// Splits at the first of `at` that no backslash precedes.
fn split<'a>(text: &'a str, at: &[char]) -> Option<(&'a str, char, &'a str)> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        if !escaped && at.contains(&c) {
            let rest = text.get(index.saturating_add(c.len_utf8())..)?;
            return Some((text.get(..index)?, c, rest));
        }
        // A backslash escapes only what needs it: pipes are written with plain ones.
        let next = text.get(index.saturating_add(c.len_utf8())..).and_then(|rest| rest.chars().next());
        escaped = c == '\\' && !escaped && next.is_some_and(|next| SPECIAL.contains(&next));
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && SPECIAL.contains(next) => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    plain
}

fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_parsed_and_printed() {
        for text in [
            "ncacn_ip_tcp:host[135]",
            "ncacn_ip_tcp:host",
            "ncacn_ip_tcp:127.0.0.1[135,ntlm,seal]",
            "ncacn_ip_tcp:127.0.0.1[,sign]",
            "ncacn_ip_tcp:fe80::1[135]",
            "ncalrpc:[epmapper]",
            "ncacn_np:host[\\\\pipe\\\\epmapper,Security=Impersonation Dynamic False]",
            "12345678-1234-abcd-ef00-0123456789ab@ncacn_http:web.example[593,RpcProxy=proxy\\:443]",
        ] {
            let binding: StringBinding = text.parse().unwrap();
            assert_eq!(binding.to_string(), text);
        }
    }

    #[test]
    fn the_parts_are_where_they_belong() {
        let binding: StringBinding =
            "12345678-1234-abcd-ef00-0123456789ab@ncacn_ip_tcp:h[endpoint=135,ntlm,target=a\\,b]"
                .parse()
                .unwrap();
        assert_eq!(binding.host, "h");
        assert_eq!(binding.endpoint.as_deref(), Some("135"));
        assert!(binding.has_option("ntlm") && !binding.has_option("seal"));
        assert_eq!(binding.options.get(1).unwrap().1.as_deref(), Some("a,b"));
        let pipe: StringBinding = "ncacn_np:h[\\pipe\\epmapper]".parse().unwrap();
        assert_eq!(pipe.endpoint.as_deref(), Some("\\pipe\\epmapper"));
        let options: StringBinding = "ncacn_ip_tcp:h[sign,seal]".parse().unwrap();
        assert_eq!((options.endpoint, options.options.len()), (None, 2));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("host[135]", ParseBindingError::NoProtocol),
            ("ncacn_spx:host", ParseBindingError::UnknownProtocol("ncacn_spx".into())),
            ("x@ncacn_ip_tcp:host", ParseBindingError::Object("x".into())),
            ("ncacn_ip_tcp:host[135", ParseBindingError::Brackets),
            ("ncacn_ip_tcp:host]", ParseBindingError::Brackets),
            ("ncacn_ip_tcp:host[135]x", ParseBindingError::Brackets),
            ("ncacn_ip_tcp:host[135,,x]", ParseBindingError::Option),
        ] {
            assert_eq!(text.parse::<StringBinding>(), Err(error), "{text}");
        }
    }
}
