use watertight_wire::Guid;

use super::Ndr;

/// ndr_context_handle — C706 appendix N: what a server gives a client to hold, 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Ndr)]
pub struct ContextHandle {
    /// context_handle_attributes: zero.
    pub attributes: u32,
    /// context_handle_uuid: nil in a null handle.
    pub uuid: Guid,
}

impl ContextHandle {
    /// No context.
    pub const NULL: Self = Self { attributes: 0, uuid: Guid::NIL };

    /// Whether there is no context.
    #[must_use]
    pub fn is_null(self) -> bool {
        self == Self::NULL
    }
}
