//! Bodies of the mailbox endpoint's requests and responses — [MS-OXCMAPIHTTP] 2.2.4.
//!
//! A response body comes in a success and a failure form, told apart by its StatusCode: [`Answer`]. The auxiliary
//! buffers are kept as they came: [`ext::unwrap`](super::ext::unwrap) and
//! [`auxiliary::Block`](super::auxiliary::Block) read them.

use watertight_wire::{Reader, Wire, WireError, WireErrorKind, Writer, wire_enum, wire_flags};

use crate::MapiCode;

/// Connect request — [MS-OXCMAPIHTTP] 2.2.4.1.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectRequest {
    /// UserDn: the distinguished name of the user who connects.
    pub user_dn: String,
    /// Flags.
    pub flags: ConnectFlags,
    /// DefaultCodePage: of strings that are not Unicode.
    pub default_code_page: u32,
    /// LcidSort: the locale for sorting.
    pub lcid_sort: u32,
    /// LcidString: the locale for everything else.
    pub lcid_string: u32,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

wire_flags! {
    /// Flags of a Connect request — [MS-OXCRPC] 3.1.4.1, ulFlags.
    pub struct ConnectFlags: u32 {
        /// Requests administrator behaviour.
        Administrator = 0x0000_0001,
        /// The client copes with an organisation that has no public folders.
        IgnoreNoPublicFolders = 0x0000_8000,
    }
}

wire_flags! {
    /// Flags of an Execute request — [MS-OXCRPC] 3.1.4.2, pulFlags.
    pub struct ExecuteFlags: u32 {
        /// NoCompression: the response must not be compressed.
        NoCompression = 0x0000_0001,
        /// NoXorMagic: the response must not be obfuscated.
        NoXorMagic = 0x0000_0002,
        /// Chain: several payloads may be in the response.
        Chain = 0x0000_0004,
    }
}

wire_enum! {
    /// StatusCode of a response: 0, or why the request was not run at all.
    pub enum StatusCode: u32 {
        /// The request was run; its ErrorCode tells how it went.
        Success = 0,
        /// RPC_X_BAD_STUB_DATA: a size is over its bound — [MS-OXCRPC] 3.1.4.2.
        BadStubData = 0x0000_06F7,
    }
}

/// A response body in its success or its failure form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// StatusCode 0.
    Success(T),
    /// Any other StatusCode.
    Failure(Failure),
}

/// The failure form, the same for all request types — [MS-OXCMAPIHTTP] 2.2.4.1.3, 2.2.4.2.3, 2.2.4.3.3, 2.2.4.4.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// StatusCode: not 0.
    pub status_code: StatusCode,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// Connect response — [MS-OXCMAPIHTTP] 2.2.4.1.2, 2.2.4.1.3.
pub type ConnectResponse = Answer<Connected>;
/// Execute response — [MS-OXCMAPIHTTP] 2.2.4.2.2, 2.2.4.2.3.
pub type ExecuteResponse = Answer<Executed>;
/// Disconnect response — [MS-OXCMAPIHTTP] 2.2.4.3.2, 2.2.4.3.3.
pub type DisconnectResponse = Answer<Disconnected>;
/// NotificationWait response — [MS-OXCMAPIHTTP] 2.2.4.4.2, 2.2.4.4.3.
pub type NotificationWaitResponse = Answer<Waited>;

/// Connect success response after StatusCode — [MS-OXCMAPIHTTP] 2.2.4.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// ErrorCode.
    pub error_code: MapiCode,
    /// PollsMax: milliseconds between polls for events at most.
    pub polls_max: u32,
    /// RetryCount: how often the client should retry.
    pub retry_count: u32,
    /// RetryDelay: milliseconds to wait before a retry.
    pub retry_delay: u32,
    /// DnPrefix.
    pub dn_prefix: String,
    /// DisplayName of the user.
    pub display_name: String,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// Execute request — [MS-OXCMAPIHTTP] 2.2.4.2.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecuteRequest {
    /// Flags.
    pub flags: ExecuteFlags,
    /// RopBuffer: payloads, each after its RPC_HEADER_EXT.
    pub rop_buffer: Vec<u8>,
    /// MaxRopOut: bytes that the RopBuffer of the response may have.
    pub max_rop_out: u32,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// Execute success response after StatusCode — [MS-OXCMAPIHTTP] 2.2.4.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// ErrorCode.
    pub error_code: MapiCode,
    /// Flags: reserved, 0.
    pub flags: u32,
    /// RopBuffer: payloads, each after its RPC_HEADER_EXT.
    pub rop_buffer: Vec<u8>,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// Disconnect request — [MS-OXCMAPIHTTP] 2.2.4.3.1. An empty body reads as one without auxiliary buffer: 3.1.5.4
/// says that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisconnectRequest {
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// Disconnect success response after StatusCode — [MS-OXCMAPIHTTP] 2.2.4.3.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// ErrorCode.
    pub error_code: MapiCode,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// NotificationWait request — [MS-OXCMAPIHTTP] 2.2.4.4.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotificationWaitRequest {
    /// Flags: reserved, 0.
    pub flags: u32,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

/// NotificationWait success response after StatusCode — [MS-OXCMAPIHTTP] 2.2.4.4.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// ErrorCode.
    pub error_code: MapiCode,
    /// EventPending: 1 when an event is pending, 0 when none is.
    pub event_pending: u32,
    /// AuxiliaryBuffer.
    pub auxiliary: Vec<u8>,
}

impl<T> Answer<T> {
    /// A failure without auxiliary buffer.
    #[must_use]
    pub const fn failure(status_code: StatusCode) -> Self {
        Self::Failure(Failure { status_code, auxiliary: Vec::new() })
    }
}

impl<T: Wire> Wire for Answer<T> {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match r.u32("StatusCode")? {
            0 => Ok(Self::Success(T::read(r)?)),
            code => Ok(Self::Failure(Failure {
                status_code: StatusCode(code),
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })),
        }
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        match self {
            Self::Success(success) => {
                w.u32(0);
                success.write(w)
            }
            Self::Failure(Failure { status_code, .. }) if *status_code == StatusCode::Success => {
                Err(w.error("StatusCode", WireErrorKind::Invalid { value: 0 }))
            }
            Self::Failure(failure) => {
                w.u32(failure.status_code.0);
                w.bytes32(&failure.auxiliary, "AuxiliaryBuffer")
            }
        }
    }
}

impl Wire for ConnectRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("ConnectRequest", |r| {
            Ok(Self {
                user_dn: text(r, "UserDn")?,
                flags: ConnectFlags(r.u32("Flags")?),
                default_code_page: r.u32("DefaultCodePage")?,
                lcid_sort: r.u32("LcidSort")?,
                lcid_string: r.u32("LcidString")?,
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.cstr(self.user_dn.as_bytes(), "UserDn")?;
        w.u32(self.flags.0);
        w.u32(self.default_code_page);
        w.u32(self.lcid_sort);
        w.u32(self.lcid_string);
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for Connected {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("ConnectResponse", |r| {
            Ok(Self {
                error_code: MapiCode(r.u32("ErrorCode")?),
                polls_max: r.u32("PollsMax")?,
                retry_count: r.u32("RetryCount")?,
                retry_delay: r.u32("RetryDelay")?,
                dn_prefix: text(r, "DnPrefix")?,
                display_name: r.cstr16("DisplayName")?,
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.error_code.0);
        w.u32(self.polls_max);
        w.u32(self.retry_count);
        w.u32(self.retry_delay);
        w.cstr(self.dn_prefix.as_bytes(), "DnPrefix")?;
        w.cstr16(&self.display_name, "DisplayName")?;
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for ExecuteRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("ExecuteRequest", |r| {
            Ok(Self {
                flags: ExecuteFlags(r.u32("Flags")?),
                rop_buffer: r.bytes32("RopBuffer")?.to_vec(),
                max_rop_out: r.u32("MaxRopOut")?,
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.flags.0);
        w.bytes32(&self.rop_buffer, "RopBuffer")?;
        w.u32(self.max_rop_out);
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for Executed {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("ExecuteResponse", |r| {
            Ok(Self {
                error_code: MapiCode(r.u32("ErrorCode")?),
                flags: r.u32("Flags")?,
                rop_buffer: r.bytes32("RopBuffer")?.to_vec(),
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.error_code.0);
        w.u32(self.flags);
        w.bytes32(&self.rop_buffer, "RopBuffer")?;
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for DisconnectRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("DisconnectRequest", |r| {
            if r.is_empty() {
                return Ok(Self::default());
            }
            Ok(Self { auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec() })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for Disconnected {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("DisconnectResponse", |r| {
            Ok(Self {
                error_code: MapiCode(r.u32("ErrorCode")?),
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.error_code.0);
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for NotificationWaitRequest {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("NotificationWaitRequest", |r| {
            Ok(Self { flags: r.u32("Flags")?, auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec() })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.flags);
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

impl Wire for Waited {
    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        r.within("NotificationWaitResponse", |r| {
            Ok(Self {
                error_code: MapiCode(r.u32("ErrorCode")?),
                event_pending: r.u32("EventPending")?,
                auxiliary: r.bytes32("AuxiliaryBuffer")?.to_vec(),
            })
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), WireError> {
        w.u32(self.error_code.0);
        w.u32(self.event_pending);
        w.bytes32(&self.auxiliary, "AuxiliaryBuffer")
    }
}

/// A null-terminated string that the document calls ASCII; UTF-8 is taken too.
fn text(r: &mut Reader<'_>, field: &'static str) -> Result<String, WireError> {
    let error = r.error(field, WireErrorKind::BadString);
    String::from_utf8(r.cstr(field)?.to_vec()).map_err(|_| error)
}
