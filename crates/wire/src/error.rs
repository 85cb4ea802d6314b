use core::fmt;

/// What is wrong with bytes from outside (or with a value that has no wire form): which structure, which field,
/// and at which offset from the start of the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The structure's name in its specification.
    pub structure: &'static str,
    /// The field's name in its specification.
    pub field: &'static str,
    /// Bytes from the start of the buffer to the field.
    pub offset: usize,
    /// What is wrong.
    pub kind: WireErrorKind,
}

/// The ways in which a field can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The field needs more bytes than are left.
    Truncated {
        /// Bytes that the field needs.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// The value is not one that the specification allows here.
    Invalid {
        /// The value as read.
        value: u64,
    },
    /// A count or length is over the bound of its field or of the decoder.
    TooLarge {
        /// The length or count.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// Structures nest deeper than the decoder's bound.
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// Bytes follow the end of the structure.
    Trailing {
        /// How many.
        count: usize,
    },
    /// A string is not terminated or not valid in its encoding.
    BadString,
}

impl WireError {
    /// An error at a field of a structure.
    pub fn new(structure: &'static str, field: &'static str, offset: usize, kind: WireErrorKind) -> Self {
        Self { structure, field, offset, kind }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let structure = self.structure.rsplit("::").next().unwrap_or(self.structure);
        write!(f, "{structure}.{} at offset {}: ", self.field, self.offset)?;
        match self.kind {
            WireErrorKind::Truncated { need, have } => write!(f, "needs {need} bytes, {have} are left"),
            WireErrorKind::Invalid { value } => write!(f, "value {value:#x} is not allowed here"),
            WireErrorKind::TooLarge { len, max } => write!(f, "{len} is over the bound of {max}"),
            WireErrorKind::TooDeep { max } => write!(f, "nested deeper than {max}"),
            WireErrorKind::Trailing { count } => write!(f, "{count} bytes after the end"),
            WireErrorKind::BadString => {
                write!(f, "the string is not terminated or not valid in its encoding")
            }
        }
    }
}

impl core::error::Error for WireError {}
