use super::{
    Event,
    folder_content::FolderContent,
    production::{Context, Input, Production, Step, StepResult},
};
use crate::{ics::lexical::Marker, prop::tags};

/// topFolder — [MS-OXCFXICS] 2.2.4.2.
#[derive(Default)]
pub(super) struct TopFolder {
    seen: bool,
}

impl Production for TopFolder {
    fn name(&self) -> &'static str {
        "topFolder"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(ref def, _) if def.tag == tags::META_TAG_DN_PREFIX => Step::Taken,
            Input::Marker(Marker::StartTopFld) if !self.seen => {
                self.seen = true;
                cx.event(Event::FolderBegin);
                Step::Down(Box::new(Folder::default()))
            }
            other => Step::Refused(other),
        })
    }

    fn end(&mut self, _cx: &mut Context) -> bool {
        self.seen
    }
}

/// topFolder and subFolder after their start markers.
#[derive(Default)]
pub(super) struct Folder {
    content: bool,
}

impl Production for Folder {
    fn name(&self) -> &'static str {
        "subFolder"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Marker(Marker::EndFolder) => {
                cx.event(Event::FolderEnd);
                Step::Done
            }
            input if !self.content => {
                self.content = true;
                Step::DownWith(Box::new(FolderContent::default()), input)
            }
            other => Step::Refused(other),
        })
    }
}
