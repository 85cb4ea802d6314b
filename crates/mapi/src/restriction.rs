//! Restrictions — [MS-OXCDATA] 2.12.

/// A restriction (the variants are being written).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Restriction {
    /// RES_AND of nothing: matches all.
    All,
}
