//! The ROP processor: what lies between an Execute request and the store — [MS-OXCROPS].

use std::sync::Arc;

use watertight_ledger::{Entry, Ledger};
use watertight_mapi::MapiCode;
use watertight_mapi::store::{Account, Store};
use watertight_wire::{Reader, WireError};

/// What a session is made of: who connected, and what Connect said.
#[derive(Clone)]
pub struct Origin {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Who signed in.
    pub account: Account,
    /// Where everything that the session holds is counted.
    pub ledger: Ledger,
    /// DefaultCodePage of Connect: of strings that are not Unicode.
    pub code_page: u32,
    /// LcidSort of Connect.
    pub lcid_sort: u32,
    /// LcidString of Connect.
    pub lcid_string: u32,
}

/// How much an Execute response may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that each payload may have (RopSize, ROPs and handle table; RPC_HEADER_EXT not counted).
    pub payload: usize,
    /// Bytes that are left for all payloads, each with eight more for its RPC_HEADER_EXT.
    pub total: usize,
    /// Whether more than one payload may be made — [MS-OXCRPC] 3.1.4.2.1.2.2. At most 96, and none when less than
    /// 8 KiB (RopReadStream, RopFastTransferSourceGetBuffer) or 32 KiB (RopQueryRows) are left.
    pub chain: bool,
}

/// Logons, handles and everything behind them, of one session context. Dropping it releases all of it.
pub struct Session {
    _origin: Origin,
    _entry: Entry,
}

impl Session {
    /// A session without any logon.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let entry = origin.ledger.kind("rop sessions").enter();
        Self { _origin: origin, _entry: entry }
    }

    /// Runs the ROPs of one payload; returns the payloads of the response, at least one.
    ///
    /// Once called it runs to its end: a client that disappears does not cut it off.
    ///
    /// # Errors
    /// The ErrorCode of the Execute response when nothing can be answered at all: [`MapiCode::RpcFormat`] for a
    /// payload that cannot be parsed, [`MapiCode::BufferTooSmall`] when `room` cannot take any response.
    pub async fn execute(&mut self, payload: &[u8], room: Room) -> Result<Vec<Vec<u8>>, MapiCode> {
        let (rops, handles) = split(payload).map_err(|_| MapiCode::RpcFormat)?;
        if !rops.is_empty() {
            return Err(MapiCode::NotSupported);
        }
        let response = [&[2, 0], handles].concat();
        if response.len() > room.payload {
            return Err(MapiCode::BufferTooSmall);
        }
        Ok(vec![response])
    }
}

/// RopSize, the ROPs, the server object handle table — [MS-OXCROPS] 2.2.1.
fn split(payload: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut r = Reader::new(payload, "RopInputBuffer");
    let size = usize::from(r.u16("RopSize")?);
    let rops = size.checked_sub(2).ok_or_else(|| r.invalid("RopSize", watertight_wire::to_u64(size)))?;
    Ok((r.bytes(rops, "RopsList")?, r.take_rest()))
}
