//! As much of `krb5.conf` as a client needs: the default realm, where the KDCs are, which realm a host belongs to.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{AuthError, files};

/// A larger file is no configuration.
const BYTES_AT_MOST: u64 = 1 << 20;

/// Realms and their KDCs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Realms {
    default: Option<String>,
    kdcs: BTreeMap<String, Vec<String>>,
    domains: BTreeMap<String, String>,
}

impl Realms {
    /// The file that `KRB5_CONFIG` names, or `/etc/krb5.conf`; nothing when there is none.
    ///
    /// # Errors
    /// [`AuthError::Io`] when a file that is there cannot be read.
    pub fn of_system() -> Result<Self, AuthError> {
        let named = std::env::var_os("KRB5_CONFIG");
        let path = named.unwrap_or_else(|| "/etc/krb5.conf".into());
        let path = Path::new(&path);
        if path.exists() { Self::read(path) } else { Ok(Self::default()) }
    }

    /// A file.
    ///
    /// # Errors
    /// [`AuthError::Io`] when it cannot be read.
    pub fn read(path: &Path) -> Result<Self, AuthError> {
        Ok(Self::parse(&String::from_utf8_lossy(&files::read(path, BYTES_AT_MOST)?)))
    }

    /// The text of a file: what is not known is passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut realms = Self::default();
        let (mut section, mut realm) = (String::new(), None);
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim().to_owned();
                realm = None;
                continue;
            }
            if line == "}" {
                realm = None;
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim());
            match (section.as_str(), &realm, name) {
                ("libdefaults", _, "default_realm") => realms.default = Some(value.to_owned()),
                ("domain_realm", _, _) => {
                    realms.domains.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                ("realms", None, _) if value.starts_with('{') => realm = Some(name.to_owned()),
                ("realms", Some(realm), "kdc") => {
                    realms.kdcs.entry(realm.clone()).or_default().push(value.to_owned());
                }
                _ => {}
            }
        }
        realms
    }

    /// The realm of whoever says none.
    #[must_use]
    pub fn default_realm(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The realm of a host, where the file says one.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let mut suffix = host.as_str();
        if let Some(realm) = self.domains.get(suffix) {
            return Some(realm);
        }
        while let Some(at) = suffix.find('.') {
            let (_, dotted) = suffix.split_at(at);
            if let Some(realm) = self.domains.get(dotted) {
                return Some(realm);
            }
            suffix = dotted.get(1..).unwrap_or_default();
        }
        None
    }

    /// `host:port` of the KDCs of a realm. One that the file does not name is looked for under its own name, which is
    /// where Active Directory has its domain controllers.
    #[must_use]
    pub fn kdcs(&self, realm: &str) -> Vec<String> {
        let with_port = |kdc: &str| if kdc.contains(':') { kdc.to_owned() } else { format!("{kdc}:88") };
        match self.kdcs.get(realm) {
            Some(kdcs) => kdcs.iter().map(|kdc| with_port(kdc)).collect(),
            None => vec![with_port(&realm.to_ascii_lowercase())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file() {
        let realms = Realms::parse(
            "[libdefaults]\n default_realm = DOM.TEST # here\n[realms]\n DOM.TEST = {\n  kdc = 127.0.0.1:8888\n  \
             kdc = kdc2\n  admin_server = x\n }\n OTHER = { \n }\n[domain_realm]\n .dom.test = DOM.TEST\n mail = OTHER\n",
        );
        assert_eq!(realms.default_realm(), Some("DOM.TEST"));
        assert_eq!(realms.kdcs("DOM.TEST"), ["127.0.0.1:8888", "kdc2:88"]);
        assert_eq!(realms.kdcs("AD.EXAMPLE"), ["ad.example:88"]);
        assert_eq!(realms.of_host("a.b.dom.test"), Some("DOM.TEST"));
        assert_eq!(realms.of_host("MAIL"), Some("OTHER"));
        assert_eq!(realms.of_host("elsewhere"), None);
    }
}
