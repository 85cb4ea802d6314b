use watertight_mapi::{PropTag, prop::tags};

/// Which properties and subobjects of the objects that are directly in the scope go out — [MS-OXCFXICS] 3.2.5.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// All but these.
    Except(Vec<PropTag>),
    /// Only these.
    Only(Vec<PropTag>),
}

impl Filter {
    /// Everything goes out.
    pub(super) const ALL: Self = Self::Except(Vec::new());

    /// Whether the property, or the kind of subobject that its tag stands for, goes out. Types do not matter.
    pub(super) fn includes(&self, tag: PropTag) -> bool {
        match self {
            Self::Except(list) => !list.iter().any(|t| t.id() == tag.id()),
            Self::Only(list) => list.iter().any(|t| t.id() == tag.id()),
        }
    }

    /// Without what is below the object — Level in RopFastTransferSourceCopyTo.
    pub(super) fn without_descendants(self) -> Self {
        let below = [
            tags::MESSAGE_RECIPIENTS,
            tags::MESSAGE_ATTACHMENTS,
            tags::CONTAINER_CONTENTS,
            tags::CONTAINER_HIERARCHY,
            tags::FOLDER_ASSOCIATED_CONTENTS,
        ];
        match self {
            Self::Except(mut list) => {
                list.extend(below);
                Self::Except(list)
            }
            Self::Only(mut list) => {
                list.retain(|tag| !below.iter().any(|b| b.id() == tag.id()));
                Self::Only(list)
            }
        }
    }
}
