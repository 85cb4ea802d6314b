//! A message of each kind, made here, for the tests of the readers and for the fuzz oracle.

use super::crypto::{Etype, Key};
use super::kdc_message::{KdcRep, KdcRepPart, padata, read_etype_info, read_padata};
use super::message::{
    ApRepPart, ApReq, Authenticator, Encrypted, KrbError, NT_PRINCIPAL, NT_SRV_INST, Name, Ticket,
    TicketPart, ap_rep, field, flags, integer, key, octets, read_ap_rep, sequence, text, time,
};
use crate::der::{application, tagged};

/// Reads bytes as the message of this number.
pub(super) fn read_any(which: u8, bytes: &[u8]) {
    match which {
        0 => drop(ApReq::read(bytes)),
        1 => drop(Ticket::read(bytes)),
        2 => drop(TicketPart::read(bytes)),
        3 => drop(Authenticator::read(bytes)),
        4 => drop(read_ap_rep(bytes)),
        5 => drop(ApRepPart::read(bytes)),
        6 => drop(KrbError::read(bytes).map(|error| read_padata(&error.data).map(drop))),
        7 => drop(KdcRep::read(bytes, 11)),
        8 => drop(KdcRepPart::read(bytes)),
        9 => drop(read_etype_info(bytes)),
        10 => drop(super::cache::Cache::parse(bytes)),
        _ => drop(super::keytab::Keytab::parse(bytes)),
    }
}

const NOW: i64 = 1_700_000_000;

pub(super) fn all() -> Vec<(u8, Vec<u8>)> {
    let Ok(secret) = Key::new(Etype::Aes128, &[7; 16]) else { return Vec::new() };
    let alice = Name::new(NT_PRINCIPAL, &["alice"]);
    let service = Name::new(NT_SRV_INST, &["HTTP", "mail1.dom.test"]);
    let encrypted = Encrypted { etype: 17, kvno: Some(2), cipher: vec![1; 40] };
    let realm = text("DOM.TEST");
    let ticket = tagged(
        application(1),
        &sequence(&[
            field(0, &integer(5)),
            field(1, &realm),
            field(2, &service.bytes()),
            field(3, &encrypted.bytes()),
        ]),
    );
    let ticket_part = tagged(
        application(3),
        &sequence(&[
            field(0, &flags(0x4000_0000)),
            field(1, &key(&secret)),
            field(2, &realm),
            field(3, &alice.bytes()),
            field(4, &sequence(&[field(0, &integer(1)), field(1, &octets(&[]))])),
            field(5, &time(NOW)),
            field(7, &time(NOW)),
        ]),
    );
    let authenticator = Authenticator {
        realm: "DOM.TEST".to_owned(),
        client: alice.clone(),
        checksum: Some((0x8003, vec![1; 24])),
        micros: 999_999,
        time: NOW,
        subkey: Some(secret.clone()),
        sequence: Some(u32::MAX),
    };
    let request = ApReq { mutual: true, ticket: ticket.clone(), authenticator: encrypted.clone() };
    let part = ApRepPart { time: NOW, micros: 1, subkey: Some(secret.clone()), sequence: Some(5) };
    let hints = padata(&[(19, etype_info()), (2, Vec::new())]);
    let error = tagged(
        application(30),
        &sequence(&[
            field(0, &integer(5)),
            field(1, &integer(30)),
            field(4, &time(NOW)),
            field(5, &integer(0)),
            field(6, &integer(25)),
            field(9, &realm),
            field(10, &service.bytes()),
            field(11, &text("NEEDED_PREAUTH")),
            field(12, &octets(&hints)),
        ]),
    );
    let reply = tagged(
        application(11),
        &sequence(&[
            field(0, &integer(5)),
            field(1, &integer(11)),
            field(2, &hints),
            field(3, &realm),
            field(4, &alice.bytes()),
            field(5, &ticket),
            field(6, &encrypted.bytes()),
        ]),
    );
    let reply_part = tagged(
        application(25),
        &sequence(&[
            field(0, &key(&secret)),
            field(1, &sequence(&[])),
            field(2, &integer(77)),
            field(4, &flags(0)),
            field(5, &time(NOW)),
            field(7, &time(NOW)),
            field(9, &realm),
            field(10, &service.bytes()),
        ]),
    );
    vec![
        (0, request.bytes()),
        (1, ticket.clone()),
        (2, ticket_part),
        (3, authenticator.bytes()),
        (4, ap_rep(&encrypted)),
        (5, part.bytes()),
        (6, error),
        (7, reply),
        (8, reply_part),
        (9, etype_info()),
        (10, cache(&ticket)),
        (11, keytab()),
    ]
}

fn etype_info() -> Vec<u8> {
    let params = octets(&4096_u32.to_be_bytes());
    sequence(&[sequence(&[field(0, &integer(18)), field(1, &text("DOM.TESTalice")), field(2, &params)])])
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes(), bytes].concat()
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes(), bytes].concat()
}

/// Header, alice, one ticket for the service.
fn cache(ticket: &[u8]) -> Vec<u8> {
    let name = |parts: &[&str]| {
        let count = u32::try_from(parts.len()).unwrap_or(0);
        let mut bytes = [1_u32.to_be_bytes(), count.to_be_bytes()].concat();
        bytes.extend(long(b"DOM.TEST"));
        bytes.extend(parts.iter().flat_map(|part| long(part.as_bytes())));
        bytes
    };
    [
        vec![5, 4],
        short(&[0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        name(&["alice"]),
        name(&["alice"]),
        name(&["HTTP", "mail1.dom.test"]),
        vec![0, 17],
        long(&[7; 16]),
        vec![0x65; 16],
        vec![0; 5],
        vec![0; 8],
        long(ticket),
        long(&[]),
    ]
    .concat()
}

/// One key of the service, and a hole.
fn keytab() -> Vec<u8> {
    let entry = [
        vec![0, 2],
        short(b"DOM.TEST"),
        short(b"HTTP"),
        short(b"mail1.dom.test"),
        vec![0, 0, 0, 1, 0x65, 0, 0, 0, 2],
        vec![0, 17],
        short(&[7; 16]),
        vec![0, 0, 0, 2],
    ]
    .concat();
    [vec![5, 2], long(&entry), (-4_i32).to_be_bytes().to_vec(), vec![0; 4]].concat()
}

#[cfg(test)]
mod tests {
    use watertight_testkit::mutate;

    use super::super::cache::Cache;
    use super::super::keytab::Keytab;
    use super::*;

    fn sample(which: u8) -> Vec<u8> {
        all().remove(which.into()).1
    }

    #[test]
    fn every_sample_is_read_and_whatever_comes_is_survived() {
        for (which, bytes) in all() {
            mutate::survive(&bytes, |bytes| read_any(which, bytes));
        }
        assert_eq!(ApReq::read(&sample(0)).unwrap().bytes(), sample(0));
        assert_eq!(Ticket::read(&sample(1)).unwrap().service.to_string(), "HTTP/mail1.dom.test");
        assert_eq!(TicketPart::read(&sample(2)).unwrap().client.to_string(), "alice");
        assert_eq!(Authenticator::read(&sample(3)).unwrap().bytes(), sample(3));
        assert_eq!(ap_rep(&read_ap_rep(&sample(4)).unwrap()), sample(4));
        assert_eq!(ApRepPart::read(&sample(5)).unwrap().bytes(), sample(5));
        let error = KrbError::read(&sample(6)).unwrap();
        assert_eq!((error.code, read_padata(&error.data).unwrap().len()), (25, 2));
        assert_eq!(KdcRep::read(&sample(7), 11).unwrap().realm, "DOM.TEST");
        assert_eq!(KdcRepPart::read(&sample(8)).unwrap().nonce, 77);
        let info = read_etype_info(&sample(9)).unwrap().unwrap();
        assert_eq!((info.etype, info.iterations), (Etype::Aes256, 4096));
    }

    #[test]
    fn files_of_keys_and_tickets() {
        let cache = Cache::parse(&sample(10)).unwrap();
        let service = Name::new(NT_SRV_INST, &["HTTP", "mail1.dom.test"]);
        assert!(cache.find(&service, "DOM.TEST", 0).is_some());
        assert!(cache.find(&service, "DOM.TEST", i64::MAX).is_none());
        assert!(cache.find(&service, "OTHER", 0).is_none());
        let keytab = Keytab::parse(&sample(11)).unwrap();
        assert_eq!(keytab.principals().collect::<Vec<_>>(), ["HTTP/mail1.dom.test@DOM.TEST"]);
        for (kvno, found) in [(Some(2), 1), (Some(0), 1), (None, 1), (Some(3), 0)] {
            let encrypted = Encrypted { etype: 17, kvno, cipher: Vec::new() };
            assert_eq!(keytab.keys(&encrypted).count(), found);
        }
    }
}
