use super::{
    deletions::DeletionsElement,
    folder_change::FolderChangeElement,
    production::{Context, Input, Production, Step, StepResult},
    state::StateElement,
};
use crate::ics::lexical::Marker;

/// hierarchySync — [MS-OXCFXICS] 2.2.4.3.9.
#[derive(Default)]
pub(super) struct HierarchySync {
    deletions: bool,
    state: bool,
}

impl Production for HierarchySync {
    fn name(&self) -> &'static str {
        "hierarchySync"
    }

    fn take(&mut self, input: Input, _cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::IncrSyncChg) if !self.deletions && !self.state => {
                Step::Down(Box::new(FolderChangeElement::default()))
            }
            Input::Marker(Marker::IncrSyncDel) if !self.deletions && !self.state => {
                self.deletions = true;
                Step::Down(Box::new(DeletionsElement::default()))
            }
            Input::Marker(Marker::IncrSyncStateBegin) if !self.state => {
                self.state = true;
                Step::Down(Box::new(StateElement::default()))
            }
            Input::Marker(Marker::IncrSyncEnd) if self.state => Step::Done,
            other => Step::Refused(other),
        })
    }
}
