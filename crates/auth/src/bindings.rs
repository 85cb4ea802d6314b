//! Channel bindings: what ties a proof of identity to the TLS connection that it travels on — RFC 5056, RFC 5929.

use md5::{Digest, Md5};
use ring::digest;

use crate::der;

/// The application data of a channel: its kind, a colon, and what the kind says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelBindings {
    data: Vec<u8>,
}

/// What a server asks of its clients' bindings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum BindingPolicy {
    /// There is no channel, or it is of no interest: bindings are not looked at.
    #[default]
    Ignore,
    /// Who sends bindings must send these; who sends none is let in.
    IfSent(ChannelBindings),
    /// Everybody must send these.
    Required(ChannelBindings),
}

impl ChannelBindings {
    /// `tls-server-end-point` — RFC 5929 4: the hash of the server's certificate (DER), by the hash function of the
    /// certificate's signature, SHA-256 where that is MD5 or SHA-1 or none that we know.
    #[must_use]
    pub fn tls_server_end_point(certificate: &[u8]) -> Self {
        let algorithm = match signature_algorithm(certificate) {
            Some(SHA384_WITH_RSA | ECDSA_WITH_SHA384) => &digest::SHA384,
            Some(SHA512_WITH_RSA | ECDSA_WITH_SHA512) => &digest::SHA512,
            _ => &digest::SHA256,
        };
        let mut data = b"tls-server-end-point:".to_vec();
        data.extend_from_slice(digest::digest(algorithm, certificate).as_ref());
        Self { data }
    }

    /// Bindings of any kind, prefix included.
    #[must_use]
    pub fn from_application_data(data: impl Into<Vec<u8>>) -> Self {
        Self { data: data.into() }
    }

    /// The bytes, prefix included.
    #[must_use]
    pub fn application_data(&self) -> &[u8] {
        &self.data
    }

    /// MD5 of gss_channel_bindings_struct — [MS-NLMP] 2.2.2.1, RFC 4121 4.1.1.2: no addresses, then the data.
    #[must_use]
    pub fn hash(&self) -> [u8; 16] {
        let mut md5 = Md5::new();
        md5.update([0; 16]);
        md5.update(u32::try_from(self.data.len()).unwrap_or(u32::MAX).to_le_bytes());
        md5.update(&self.data);
        md5.finalize().into()
    }
}

impl BindingPolicy {
    /// Whether what a client sent (none, or sixteen zeros, are no bindings) will do.
    pub(crate) fn accepts(&self, sent: Option<[u8; 16]>) -> bool {
        let sent = sent.filter(|hash| hash != &[0; 16]);
        match (self, sent) {
            (Self::Ignore, _) | (Self::IfSent(_), None) => true,
            (Self::Required(_), None) => false,
            (Self::IfSent(ours) | Self::Required(ours), Some(hash)) => ours.hash() == hash,
        }
    }
}

// Contents of the object identifiers: RFC 4055 5, RFC 5758 3.2.
const SHA384_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const SHA512_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, signature }
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let mut outer = der::Reader::new(certificate, "Certificate");
    let mut fields = outer.nested(der::SEQUENCE, "certificate").ok()?;
    fields.nested(der::SEQUENCE, "tbsCertificate").ok()?;
    let mut algorithm = fields.nested(der::SEQUENCE, "signatureAlgorithm").ok()?;
    algorithm.value(der::OBJECT_IDENTIFIER, "algorithm").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let algorithm = der::tagged(der::SEQUENCE, &der::tagged(der::OBJECT_IDENTIFIER, algorithm));
        der::tagged(der::SEQUENCE, &[der::tagged(der::SEQUENCE, &[]), algorithm].concat())
    }

    #[test]
    fn the_hash_function_is_the_signatures() {
        for (algorithm, len) in [
            (SHA384_WITH_RSA, 48),
            (ECDSA_WITH_SHA384, 48),
            (SHA512_WITH_RSA, 64),
            (ECDSA_WITH_SHA512, 64),
            (&[0x2a][..], 32),
        ] {
            let bindings = ChannelBindings::tls_server_end_point(&certificate(algorithm));
            let hash = bindings.application_data().strip_prefix(b"tls-server-end-point:").unwrap();
            assert_eq!(hash.len(), len);
        }
        assert_eq!(
            ChannelBindings::tls_server_end_point(b"no certificate").application_data().len(),
            21 + 32
        );
    }

    #[test]
    fn certificates_as_they_are_made() {
        for (algorithm, len) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, 32),
            (&rcgen::PKCS_ECDSA_P384_SHA384, 48),
            (&rcgen::PKCS_ED25519, 32),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["mail.test".into()]).unwrap().self_signed(&key).unwrap();
            let bindings = ChannelBindings::tls_server_end_point(certificate.der());
            assert_eq!(bindings.application_data().len(), 21 + len);
        }
    }

    #[test]
    fn a_policy_is_kept() {
        let ours = ChannelBindings::from_application_data("x:1");
        let right = Some(ours.hash());
        let wrong = Some([1; 16]);
        let none = Some([0; 16]);
        for (policy, expected) in [
            (BindingPolicy::Ignore, [true, true, true, true]),
            (BindingPolicy::IfSent(ours.clone()), [true, false, true, true]),
            (BindingPolicy::Required(ours), [true, false, false, false]),
        ] {
            assert_eq!([right, wrong, none, None].map(|sent| policy.accepts(sent)), expected);
        }
    }

    #[test]
    fn certificates_that_are_none_are_survived() {
        watertight_testkit::mutate::survive(&certificate(SHA384_WITH_RSA), |bytes| {
            let _ = ChannelBindings::tls_server_end_point(bytes);
        });
    }
}
