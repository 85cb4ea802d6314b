use crate::FaultStatus;
use crate::ndr::Ndr;

/// request, up to the object — C706 12.6.4.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Ndr)]
pub struct RequestHead {
    /// alloc_hint: how many bytes of stub data are still to come, this fragment's included; zero when not known.
    pub alloc_hint: u32,
    /// p_cont_id
    pub context_id: u16,
    /// opnum
    pub opnum: u16,
}

/// response — C706 12.6.4.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Ndr)]
pub struct ResponseHead {
    /// alloc_hint
    pub alloc_hint: u32,
    /// p_cont_id
    pub context_id: u16,
    /// cancel_count
    pub cancel_count: u8,
    /// reserved
    pub reserved: u8,
}

/// fault — C706 12.6.4.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Ndr)]
pub struct FaultHead {
    /// alloc_hint
    pub alloc_hint: u32,
    /// p_cont_id
    pub context_id: u16,
    /// cancel_count
    pub cancel_count: u8,
    /// reserved; the lowest bit says that extended error information follows.
    pub flags: u8,
    /// status
    pub status: FaultStatus,
    /// reserved2
    pub reserved2: u32,
}

impl FaultHead {
    /// A fault without anything else.
    #[must_use]
    pub const fn new(context_id: u16, status: FaultStatus) -> Self {
        Self { alloc_hint: 32, context_id, cancel_count: 0, flags: 0, status, reserved2: 0 }
    }
}
