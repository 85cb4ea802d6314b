use watertight_wire::{FileTime, WireError};

use super::{
    Event,
    change_header::{id, predecessors, time, xid},
    production::{Context, Input, Production, Step, StepResult, missing},
    prop_list::keep,
};
use crate::{
    Fid,
    ics::{PredecessorChangeList, Xid},
    prop::{PropBag, tags},
};

/// Bytes of all properties of a folder.
const MAX_FOLDER: usize = 1024 * 1024;

/// folderChange — [MS-OXCFXICS] 2.2.4.3.5: a new or changed folder. Parents come before their children.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderChange {
    /// PidTagSourceKey.
    pub source_key: Xid,
    /// PidTagParentSourceKey; `None` (no bytes) for folders directly below the root of the synchronization.
    pub parent_source_key: Option<Xid>,
    /// PidTagLastModificationTime.
    pub modified: FileTime,
    /// PidTagChangeKey.
    pub change_key: Xid,
    /// PidTagPredecessorChangeList.
    pub predecessors: PredecessorChangeList,
    /// PidTagDisplayName.
    pub name: String,
    /// PidTagFolderId, when the Eid flag asked for it.
    pub folder_id: Option<Fid>,
    /// PidTagParentFolderId, when the Eid or NoForeignIdentifiers flag asked for it.
    pub parent_folder_id: Option<Fid>,
    /// All properties, those above included.
    pub props: PropBag,
}

impl FolderChange {
    fn from_props(props: PropBag) -> Result<Self, WireError> {
        let parent = props.binary(tags::PARENT_SOURCE_KEY).ok_or_else(|| missing("PidTagParentSourceKey"))?;
        Ok(Self {
            source_key: xid(&props, tags::SOURCE_KEY, "PidTagSourceKey")?,
            parent_source_key: if parent.is_empty() {
                None
            } else {
                Some(xid(&props, tags::PARENT_SOURCE_KEY, "PidTagParentSourceKey")?)
            },
            modified: time(&props, tags::LAST_MODIFICATION_TIME, "PidTagLastModificationTime")?,
            change_key: xid(&props, tags::CHANGE_KEY, "PidTagChangeKey")?,
            predecessors: predecessors(&props)?,
            name: match props.get(tags::DISPLAY_NAME) {
                Some(crate::PropValue::Unicode(name)) => name.clone(),
                Some(crate::PropValue::String8(name)) => String::from_utf8_lossy(name).into_owned(),
                _ => return Err(missing("PidTagDisplayName")),
            },
            folder_id: id(&props, tags::FOLDER_ID).map(Fid::from_u64),
            parent_folder_id: id(&props, tags::PARENT_FOLDER_ID).map(Fid::from_u64),
            props,
        })
    }
}

/// The element after its start marker. It ends where something else begins.
pub(super) struct FolderChangeElement {
    props: PropBag,
    budget: usize,
}

impl Default for FolderChangeElement {
    fn default() -> Self {
        Self { props: PropBag::default(), budget: MAX_FOLDER }
    }
}

impl Production for FolderChangeElement {
    fn name(&self) -> &'static str {
        "folderChange"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        if let Input::Marker(_) = input {
            let change = FolderChange::from_props(core::mem::take(&mut self.props))?;
            cx.event(Event::FolderChange(Box::new(change)));
            return Ok(Step::DoneBefore(input));
        }
        Ok(keep(input, &mut self.props, &mut self.budget).map_or(Step::Taken, Step::Refused))
    }

    fn gathers(&self) -> u32 {
        u32::try_from(self.budget).unwrap_or(0)
    }
}
