//! Samba's AD DC, on an address of its own: its KDC is Heimdal's, its LDAP server takes GSS-SPNEGO and seals.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use watertight_auth::kerberos::{Realms, Tcp};
use watertight_auth::{AuthError, Client, Identity, Mechanism, Purpose, Security, SecurityContext, Target};
use watertight_ledger::Ledger;

use crate::domain::{Domain, PASSWORD, address};

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let len = u32::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &len, &contents].concat()
}

/// The element that begins the bytes: tag, contents, what follows.
fn element(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (skip, len) = match bytes[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            (2 + count, bytes[2..2 + count].iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
        }
    };
    (bytes[0], &bytes[skip..skip + len], &bytes[skip + len..])
}

struct Ldap(TcpStream);

impl Ldap {
    fn bind(&mut self, token: &[u8]) -> (u8, Option<Vec<u8>>, String) {
        let sasl = tagged(0xa3, &[&tagged(4, &[b"GSS-SPNEGO"]), &tagged(4, &[token])]);
        let bind = tagged(0x60, &[&[2, 1, 3], &[4, 0], &sasl]);
        self.0.write_all(&tagged(0x30, &[&[2, 1, 1], &bind])).unwrap();
        let answer = self.read_element();
        let (_, message, _) = element(&answer);
        let (_, _, rest) = element(message);
        let (tag, response, _) = element(rest);
        assert_eq!(tag, 0x61, "{answer:02x?}");
        let (_, code, rest) = element(response);
        let (_, _, rest) = element(rest);
        let (_, text, mut rest) = element(rest);
        let mut token = None;
        while !rest.is_empty() {
            let (tag, value, more) = element(rest);
            if tag == 0x87 {
                token = Some(value.to_vec());
            }
            rest = more;
        }
        (code[0], token, String::from_utf8_lossy(text).into_owned())
    }

    fn read_element(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut bytes = head.to_vec();
        let mut len = usize::from(head[1]);
        if len > 0x7f {
            let mut long = vec![0; len & 0x7f];
            self.0.read_exact(&mut long).unwrap();
            len = long.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            bytes.extend(long);
        }
        let mut contents = vec![0; len];
        self.0.read_exact(&mut contents).unwrap();
        bytes.extend(contents);
        bytes
    }

    /// What the root of the directory says of its name, sealed.
    fn name(&mut self, context: &mut dyn SecurityContext) -> String {
        let numbers = [0x0a, 1, 0, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
        let attribute = tagged(4, &[b"defaultNamingContext"]);
        let filter = tagged(0x87, &[b"objectClass"]);
        let search = tagged(0x63, &[&[4, 0], &numbers, &filter, &tagged(0x30, &[&attribute])]);
        let mut body = tagged(0x30, &[&[2, 1, 2], &search]);
        let signature = context.seal(&[], &mut body, &[]).unwrap();
        let len = u32::try_from(signature.len() + body.len()).unwrap();
        self.0.write_all(&[&len.to_be_bytes()[..], &signature, &body].concat()).unwrap();
        let all = self.unsealed(context);
        let (_, entry, rest) = element(&all);
        // The end of the list comes with the entry, or behind it.
        if rest.is_empty() {
            self.unsealed(context);
        }
        String::from_utf8_lossy(entry).into_owned()
    }

    fn unsealed(&mut self, context: &mut dyn SecurityContext) -> Vec<u8> {
        let mut len = [0; 4];
        self.0.read_exact(&mut len).unwrap();
        let mut sealed = vec![0; usize::try_from(u32::from_be_bytes(len)).unwrap()];
        self.0.read_exact(&mut sealed).unwrap();
        let (signature, body) = sealed.split_at_mut(context.signature_len(true));
        context.unseal(&[], body, &[], signature).unwrap();
        body.to_vec()
    }
}

fn sign_in(
    security: &Security,
    mechanism: Mechanism,
    identity: Identity,
) -> Result<(Ldap, Box<dyn SecurityContext>), String> {
    let mut ldap = Ldap(TcpStream::connect((address(), 389)).unwrap());
    let target = Target::new("host", "dc1.h1.test");
    let mut client = Client::new(security, mechanism, identity, target, None, Purpose::Messages);
    let ours = |error: AuthError| format!("ours: {error}");
    let mut step = client.step(&[]).map_err(ours)?;
    loop {
        let (code, token, why) = ldap.bind(&step.token.unwrap());
        if code != 0 && code != 14 {
            return Err(format!("theirs: {code} {why}"));
        }
        step = client.step(&token.unwrap_or_default()).map_err(ours)?;
        if let Some(context) = step.done {
            assert_eq!(code, 0);
            return Ok((ldap, context));
        }
    }
}

fn security(realms: &str) -> Security {
    let kdc = Tcp::new(Realms::parse(realms), Duration::from_secs(20));
    Security::new(&Ledger::new("test")).with_key_distribution(Arc::new(kdc))
}

#[test]
fn our_client_their_server() {
    let domain = Domain::start();
    let realms = std::fs::read_to_string(domain.path("krb5.conf")).unwrap();
    // Without a KDC, NTLM is what is left.
    for (security, mechanism) in [(security(&realms), Mechanism::Kerberos), (security(""), Mechanism::Ntlm)] {
        for user in ["H1\\Administrator", "h1.test\\administrator", "Administrator@H1.TEST", "Administrator"]
        {
            let identity = Identity::password(user, PASSWORD);
            let (mut ldap, mut context) = sign_in(&security, Mechanism::Negotiate, identity)
                .unwrap_or_else(|error| panic!("{mechanism:?} {user}: {error}"));
            assert_eq!(context.mechanism(), mechanism);
            for _ in 0..3 {
                let name = ldap.name(&mut *context);
                assert!(name.contains("DC=h1,DC=test"), "{name}");
            }
        }
        let outcome = sign_in(&security, Mechanism::Negotiate, Identity::password("Administrator", "wrong"));
        let side = if mechanism == Mechanism::Kerberos { "ours: " } else { "theirs: 49" };
        assert!(matches!(&outcome, Err(why) if why.starts_with(side)), "{:?}", outcome.err());
    }
}
