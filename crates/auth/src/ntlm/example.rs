//! The worked example of NTLMv2 — [MS-NLMP] 4.2.4, on the values of 4.2.1.

use rc4::StreamCipher;
use watertight_testkit::mutate;
use watertight_wire::{FileTime, Wire};
use zeroize::Zeroizing;

use super::client::{Choice, prove};
use super::compute::{hmac_md5, nt_proof, ntowf_v2, rc4, seal_key, session_base_key, sign_key};
use super::*;
use crate::context::{Peer, SecurityContext};
use crate::{AuthError, Identity, NtHash};

const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const CLIENT_CHALLENGE: [u8; 8] = [0xaa; 8];
const SESSION_KEY: [u8; 16] = [0x55; 16];

/// 4.2.4.3 CHALLENGE_MESSAGE
const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000\
    06007017000000 0f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500\
    720000000000";

/// 4.2.4.3 AUTHENTICATE_MESSAGE
const AUTHENTICATE: &str = "4e544c4d5353500003000000180018006c00000054005400840000000c000c00480000000800080054000000\
    100010005c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f00\
    4d005000550054004500520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c\
    01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072\
    0076006500720000000000 00000000c5dad2544fc9799094ce1ce90bc9d03e";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn example_choice() -> Choice {
    Choice {
        client_challenge: CLIENT_CHALLENGE,
        session_key: Zeroizing::new(SESSION_KEY),
        time: FileTime(0),
        workstation: "COMPUTER".to_owned(),
        version: Version { major: 5, minor: 1, build: 2600, reserved1: 0, reserved2: 0, revision: 15 },
    }
}

#[test]
fn keys_and_proofs() {
    let key = ntowf_v2(&NtHash::of_password("Password"), "User", "Domain").unwrap();
    assert_eq!(key.to_vec(), hex("0c868a403bfd7a93a3001ef22ef02e3f"));
    let message = Authenticate::from_bytes(&hex(AUTHENTICATE)).unwrap();
    let (proof, temp) = message.nt_response.split_at(16);
    assert_eq!(nt_proof(&key, &SERVER_CHALLENGE, temp).unwrap().to_vec(), proof);
    let base = session_base_key(&key, proof).unwrap();
    assert_eq!(base.to_vec(), hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
    assert_eq!(sign_key(&SESSION_KEY, true).to_vec(), hex("4788dc861b4782f35d43fd98fe1a2d39"));
    let strong = NegotiateFlags::KEY_128;
    assert_eq!(seal_key(strong, &SESSION_KEY, true).to_vec(), hex("59f600973cc4960a25480a7c196e4c58"));
}

#[test]
fn the_challenge_both_ways() {
    let bytes = hex(CHALLENGE);
    let message = Challenge::from_bytes(&bytes).unwrap();
    assert_eq!(message.server_challenge, SERVER_CHALLENGE);
    let target_info = TargetInfo::from_bytes(&message.target_info).unwrap();
    assert_eq!(target_info.name(AvId::NB_COMPUTER_NAME).as_deref(), Some("Server"));
    assert_eq!(target_info.name(AvId::NB_DOMAIN_NAME).as_deref(), Some("Domain"));
    assert_eq!(message.to_bytes().unwrap(), bytes);
}

#[test]
fn the_proof_is_the_documents_to_the_byte() {
    let challenge = Challenge::from_bytes(&hex(CHALLENGE)).unwrap();
    let target_info = TargetInfo::from_bytes(&challenge.target_info).unwrap();
    let identity = Identity::password("Domain\\User", "Password");
    let flags = NegotiateFlags(0xe288_8235);
    let proof = prove(&identity, &challenge, flags, &example_choice(), &target_info, false).unwrap();
    assert_eq!(proof.message.to_bytes().unwrap(), hex(AUTHENTICATE));
    assert_eq!(Authenticate::from_bytes(&hex(AUTHENTICATE)).unwrap(), proof.message);
    assert_eq!(*proof.session_key, SESSION_KEY);
}

/// 4.2.4.4 GSS_WrapEx, and back.
#[test]
fn a_sealed_message() {
    let flags = NegotiateFlags(0xe288_8235);
    let mut client = NtlmSession::new(flags, &SESSION_KEY, true, Peer::default(), false, None).unwrap();
    let mut server = NtlmSession::new(flags, &SESSION_KEY, false, Peer::default(), false, None).unwrap();
    let clear = super::compute::utf16("Plaintext");
    let mut body = clear.clone();
    let signature = client.seal(&[], &mut body, &[]).unwrap();
    assert_eq!(body, hex("54e50165bf1936dc996020c1811b0f06fb5f"));
    assert_eq!(signature, hex("010000007fb38ec5c55d497600000000"));
    server.unseal(&[], &mut body, &[], &signature).unwrap();
    assert_eq!(body, clear);
}

/// 4.2.4.4: the checksum before it is encrypted.
#[test]
fn a_checksum() {
    let key = sign_key(&SESSION_KEY, true);
    let mac = hmac_md5(key.as_slice(), &[&[0; 4], &super::compute::utf16("Plaintext")]).unwrap();
    assert_eq!(mac[..8], hex("70352851f2564309"));
    let mut stream = rc4(seal_key(NegotiateFlags::KEY_128, &SESSION_KEY, true).as_slice()).unwrap();
    let mut skipped = [0; 18];
    stream.apply_keystream(&mut skipped);
    let mut checksum = mac[..8].to_vec();
    stream.apply_keystream(&mut checksum);
    assert_eq!(checksum, hex("7fb38ec5c55d4976"));
}

#[test]
fn messages_in_the_wrong_order_end_the_context() {
    let flags = NegotiateFlags(0xe288_8235);
    let mut client = NtlmSession::new(flags, &SESSION_KEY, true, Peer::default(), false, None).unwrap();
    let mut server = NtlmSession::new(flags, &SESSION_KEY, false, Peer::default(), false, None).unwrap();
    let first = client.sign(&[b"one"]).unwrap();
    let second = client.sign(&[b"two"]).unwrap();
    assert!(matches!(server.verify(&[b"two"], &second), Err(AuthError::Altered)));
    assert!(matches!(server.verify(&[b"one"], &first), Err(AuthError::Altered)));
    assert!(matches!(server.sign(&[b"x"]), Err(AuthError::Altered)));
}

#[test]
fn keys_of_56_and_40_bits_and_no_exchange() {
    for strength in [NegotiateFlags::KEY_56, NegotiateFlags(0)] {
        let flags =
            strength | NegotiateFlags::EXTENDED_SESSIONSECURITY | NegotiateFlags::SIGN | NegotiateFlags::SEAL;
        let mut client = NtlmSession::new(flags, &SESSION_KEY, true, Peer::default(), false, None).unwrap();
        let mut server = NtlmSession::new(flags, &SESSION_KEY, false, Peer::default(), false, None).unwrap();
        for _ in 0..3 {
            let mut body = b"text".to_vec();
            let signature = client.seal(b"head", &mut body, b"tail").unwrap();
            server.unseal(b"head", &mut body, b"tail", &signature).unwrap();
            assert_eq!(body, b"text");
        }
    }
}

#[test]
fn whatever_comes_is_survived() {
    let negotiate = Negotiate {
        flags: NegotiateFlags(0xe288_8235),
        domain: b"DOMAIN".to_vec(),
        workstation: b"COMPUTER".to_vec(),
        version: Some(Version::OURS),
    };
    let negotiate = negotiate.to_bytes().unwrap();
    mutate::survive(&negotiate, stable::<Negotiate>);
    mutate::survive(&hex(CHALLENGE), stable::<Challenge>);
    mutate::survive(&hex(AUTHENTICATE), stable::<Authenticate>);
    let message = Authenticate::from_bytes(&hex(AUTHENTICATE)).unwrap();
    mutate::survive(&message.nt_response[16..], stable::<ClientChallenge>);
}

/// What is read is written, and read as the same.
fn stable<T: Wire>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        let written = value.to_bytes().unwrap();
        let again = T::from_bytes(&written).unwrap();
        assert_eq!(again.to_bytes().unwrap(), written);
    }
}
