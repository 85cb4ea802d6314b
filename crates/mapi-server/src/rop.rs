//! The ROP processor: what lies between an Execute request and the store — [MS-OXCROPS].

mod attachment;
mod dispatch;
mod execute;
mod folder;
mod handles;
mod logon;
mod message;
mod names;
mod notify;
mod object;
mod property;
mod public;
mod read_only;
mod recipient;
mod status;
mod stream;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::{collections::BTreeMap, sync::Arc};

use watertight_ledger::{Entry, Ledger};
use watertight_mapi::{
    MapiCode,
    rop::{Request, ResponseBody},
    store::{Account, Store, StoreError},
};

use handles::Handles;
use logon::Logon;
pub(crate) use notify::{Notices, Wait};
use object::Object;

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
    origin: Origin,
    logons: BTreeMap<u8, Arc<Logon>>,
    handles: Handles,
    notices: notify::Owner,
    _entry: Entry,
}

/// What a ROP did.
struct Answer {
    /// Success, or a warning.
    code: MapiCode,
    /// The fields of the response.
    body: ResponseBody,
    /// The object that it opened.
    opened: Option<Object>,
}

impl Answer {
    /// Success.
    const fn of(body: ResponseBody) -> Self {
        Self { code: MapiCode::Success, body, opened: None }
    }

    /// Success, and an object for the output handle.
    const fn opens(body: ResponseBody, object: Object) -> Self {
        Self { code: MapiCode::Success, body, opened: Some(object) }
    }
}

/// Why a ROP was refused.
struct Refusal {
    /// ReturnValue.
    code: MapiCode,
    /// The fields that the response has all the same, where they say more than that nothing was done.
    body: Option<Box<ResponseBody>>,
}

impl From<MapiCode> for Refusal {
    fn from(code: MapiCode) -> Self {
        Self { code, body: None }
    }
}

/// What comes of a ROP.
type Outcome = Result<Answer, Refusal>;

/// A refusal with nothing but its code.
const fn refused(code: MapiCode) -> Outcome {
    Err(Refusal { code, body: None })
}

/// The code of what the store refused; what is our own trouble is logged.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: StoreError) -> MapiCode {
    if matches!(error, StoreError::Backend { .. } | StoreError::Corrupt(_) | StoreError::Full(_)) {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, source, "the store failed");
    }
    error.code()
}

impl Session {
    /// A session without any logon.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let entry = origin.ledger.kind("rop sessions").enter();
        let handles = Handles::new(&origin.ledger);
        let notices = notify::Owner(Arc::new(Notices::new(&origin.ledger)));
        Self { origin, logons: BTreeMap::new(), handles, notices, _entry: entry }
    }

    /// The logon that a request names.
    fn logon(&self, request: &Request) -> Result<Arc<Logon>, MapiCode> {
        let logon = self.logons.get(&request.logon_id).ok_or(MapiCode::NullObject)?;
        // What was granted was taken away meanwhile.
        if logon.access.is_none() {
            return Err(MapiCode::LoginPerm);
        }
        Ok(Arc::clone(logon))
    }
}
