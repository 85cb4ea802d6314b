//! What must hold for any bytes whatever: one ordinary function for each decoder.
//!
//! An oracle panics when its decoder broke a promise; a decoder that panics, hangs or allocates without bound fails
//! by itself. `cargo xtask fuzz` drives them with libFuzzer, all in one program that is linked once; the test at the
//! end drives them with their own seeds.

#![expect(clippy::expect_used, reason = "an oracle says no by panicking")]

mod auth;
mod autodiscover;
mod disk;
mod export;
mod headers;
mod http;
mod ics;
mod import;
mod mail;
mod nspi;
mod prop;
mod rop;
mod rpc;
mod session;
mod sync;
mod wire;

pub use auth::{certificate, kerberos_message, ntlm_message, security_tokens, spnego_token};
pub use autodiscover::autodiscover;
pub use disk::store_content;
pub use export::{checkpoint, export_stream};
pub use headers::http_headers;
pub use http::{auxiliary, framing, http_body, lz77, rpc_header_ext};
pub use ics::{fast_transfer_events, fast_transfer_tokens, globset, idset, pcl, saved_state};
pub use import::{maildir_names, mbox};
pub use mail::{mail, transport_form};
pub use nspi::address_book;
pub use prop::{entry_id, prop_value, property_row, restriction};
pub use rop::{rop_requests, rop_responses};
pub use rpc::{
    rpc_client, rpc_pdu, rpc_pickle, rpc_server, rpc_string_binding, rpc_stub, rpc_tower,
    rpc_verification_trailer,
};
pub use session::rop_session;
pub use sync::{folder_name, message_name, sync_stream};
pub use wire::wire;

use core::fmt::Debug;
use std::path::Path;
use std::sync::OnceLock;

use watertight_wire::Wire;

/// A seed: its name and its bytes.
pub type Seed = (String, Vec<u8>);

/// A decoder under fuzz.
pub struct Target {
    /// The name of the oracle.
    pub name: &'static str,
    /// What must hold.
    pub oracle: fn(&[u8]),
    /// What fuzzing starts from: captured bytes and sample mail.
    pub seeds: fn() -> Vec<Seed>,
}

/// Every decoder under fuzz.
pub const TARGETS: &[Target] = &[
    Target { name: "wire", oracle: wire, seeds: wire::seeds },
    Target { name: "http_body", oracle: http_body, seeds: http::body_seeds },
    Target { name: "address_book", oracle: address_book, seeds: nspi::seeds },
    Target { name: "auxiliary", oracle: auxiliary, seeds: http::auxiliary_seeds },
    Target { name: "rpc_header_ext", oracle: rpc_header_ext, seeds: http::ext_seeds },
    Target { name: "lz77", oracle: lz77, seeds: http::lz77_seeds },
    Target { name: "framing", oracle: framing, seeds: http::framing_seeds },
    Target { name: "globset", oracle: globset, seeds: ics::globset_seeds },
    Target { name: "idset", oracle: idset, seeds: ics::idset_seeds },
    Target { name: "pcl", oracle: pcl, seeds: ics::pcl_seeds },
    Target { name: "saved_state", oracle: saved_state, seeds: ics::saved_state_seeds },
    Target { name: "checkpoint", oracle: checkpoint, seeds: export::checkpoint_seeds },
    Target { name: "export_stream", oracle: export_stream, seeds: export::stream_seeds },
    Target { name: "prop_value", oracle: prop_value, seeds: prop::value_seeds },
    Target { name: "property_row", oracle: property_row, seeds: prop::row_seeds },
    Target { name: "entry_id", oracle: entry_id, seeds: prop::entry_id_seeds },
    Target { name: "restriction", oracle: restriction, seeds: prop::restriction_seeds },
    Target { name: "fast_transfer_tokens", oracle: fast_transfer_tokens, seeds: ics::token_seeds },
    Target { name: "fast_transfer_events", oracle: fast_transfer_events, seeds: ics::event_seeds },
    Target { name: "rop_requests", oracle: rop_requests, seeds: rop::request_seeds },
    Target { name: "rop_responses", oracle: rop_responses, seeds: rop::response_seeds },
    Target { name: "autodiscover", oracle: autodiscover, seeds: autodiscover::seeds },
    Target { name: "store_content", oracle: store_content, seeds: disk::content_seeds },
    Target { name: "mail", oracle: mail, seeds: mail::mail_seeds },
    Target { name: "transport_form", oracle: transport_form, seeds: mail::recipe_seeds },
    Target { name: "mbox", oracle: mbox, seeds: import::mbox_seeds },
    Target { name: "maildir_names", oracle: maildir_names, seeds: import::name_seeds },
    Target { name: "message_name", oracle: message_name, seeds: sync::name_seeds },
    Target { name: "folder_name", oracle: folder_name, seeds: sync::folder_seeds },
    Target { name: "sync_stream", oracle: sync_stream, seeds: sync::stream_seeds },
    Target { name: "http_headers", oracle: http_headers, seeds: headers::seeds },
    Target { name: "ntlm_message", oracle: ntlm_message, seeds: auth::ntlm_seeds },
    Target { name: "spnego_token", oracle: spnego_token, seeds: auth::spnego_seeds },
    Target { name: "security_tokens", oracle: security_tokens, seeds: auth::token_seeds },
    Target { name: "kerberos_message", oracle: kerberos_message, seeds: auth::kerberos_seeds },
    Target { name: "certificate", oracle: certificate, seeds: auth::certificate_seeds },
    Target { name: "rop_session", oracle: rop_session, seeds: session::seeds },
    Target { name: "rpc_stub", oracle: rpc_stub, seeds: rpc::stub_seeds },
    Target { name: "rpc_pickle", oracle: rpc_pickle, seeds: rpc::pickle_seeds },
    Target { name: "rpc_pdu", oracle: rpc_pdu, seeds: rpc::pdu_seeds },
    Target { name: "rpc_tower", oracle: rpc_tower, seeds: rpc::tower_seeds },
    Target { name: "rpc_string_binding", oracle: rpc_string_binding, seeds: rpc::binding_seeds },
    Target { name: "rpc_verification_trailer", oracle: rpc_verification_trailer, seeds: rpc::trailer_seeds },
    Target { name: "rpc_server", oracle: rpc_server, seeds: rpc::server_seeds },
    Target { name: "rpc_client", oracle: rpc_client, seeds: rpc::client_seeds },
];

/// The oracle that this process drives.
static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

/// What the program begins with: `WATERTIGHT_ORACLE` names the oracle; `WATERTIGHT_SEEDS` is a directory, into which
/// the seeds of every oracle are written, each to a directory of its name, and the program ends.
///
/// # Panics
/// When there is no such oracle, or the directory cannot be written.
pub fn start() {
    if let Some(folder) = std::env::var_os("WATERTIGHT_SEEDS") {
        write_seeds(Path::new(&folder)).expect("a directory for seeds");
        std::process::exit(0);
    }
    let name = std::env::var("WATERTIGHT_ORACLE").expect("WATERTIGHT_ORACLE");
    let target = TARGETS.iter().find(|target| target.name == name).expect("an oracle of that name");
    CHOSEN.get_or_init(|| target.oracle);
}

/// The oracle that was chosen.
pub fn chosen(data: &[u8]) {
    if let Some(oracle) = CHOSEN.get() {
        oracle(data);
    }
}

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in (target.seeds)().into_iter().filter(|(_, bytes)| bytes.len() <= LONGEST_SEED) {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

/// Seeds longer than this teach a fuzzer nothing that shorter ones do not.
pub const LONGEST_SEED: usize = 16 * 1024;

/// What was read is written, and what was written is read as the same.
fn stable<T: Wire + Debug>(data: &[u8]) -> Option<T> {
    let value = T::from_bytes(data).ok()?;
    let bytes = value.to_bytes().expect("what was read is written");
    let again = T::from_bytes(&bytes).expect("what was written is read");
    let twice = again.to_bytes().expect("and written again");
    assert_eq!(bytes, twice, "{value:?}");
    Some(value)
}

/// Splits the first byte off: it says which of `n` things the rest is.
fn choice(data: &[u8], n: u8) -> Option<(u8, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((first.checked_rem(n)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oracles_accept_their_seeds_and_halves_of_them() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for (name, seed) in seeds.into_iter().filter(|(_, seed)| seed.len() <= LONGEST_SEED) {
                println!("{}: {name}", target.name);
                (target.oracle)(&seed);
                (target.oracle)(seed.get(..seed.len() / 2).unwrap_or_default());
            }
        }
    }

    #[test]
    fn names_are_names_of_files() {
        for target in TARGETS {
            assert!(target.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            for (name, _) in (target.seeds)() {
                assert!(!name.is_empty() && !name.contains('/'), "{}: {name}", target.name);
            }
        }
    }
}
