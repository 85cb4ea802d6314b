//! What fuzzing starts from: captured bytes and sample mail.

use watertight_testkit::captures;

/// A target's name and its oracle.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[("wire", crate::wire)];

/// Seeds longer than this teach the fuzzer nothing that shorter ones do not.
const LONGEST: usize = 16 * 1024;

/// The seeds of a target, each with a file name.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> = match target {
        "wire" => captures::first_set()
            .iter()
            .take(8)
            .map(|e| {
                (
                    format!("{:04}", e.n),
                    [b"\x00\x01\x02\x03\x04\x05\x07\x08".as_slice(), &e.request()].concat(),
                )
            })
            .collect(),
        other => panic!("no seeds for {other}"),
    };
    seeds.retain(|(_, seed)| seed.len() <= LONGEST);
    seeds
}
