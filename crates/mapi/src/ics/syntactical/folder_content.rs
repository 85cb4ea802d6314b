use super::{
    Event,
    folder::Folder,
    message_list::MessageList,
    production::{Context, Input, Production, Step, StepResult, bad_value},
    prop_list::{stream, tag},
};
use crate::{ics::lexical::Marker, prop::tags};

/// folderContent, with and without MetaTagFXDelProp — [MS-OXCFXICS] 2.2.4.3.6.
#[derive(Default)]
pub(super) struct FolderContent {
    stage: Stage,
    root: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Props,
    Messages,
    Folders,
}

impl FolderContent {
    /// The whole of a stream.
    pub(super) const fn root() -> Self {
        Self { stage: Stage::Props, root: true }
    }
}

impl Production for FolderContent {
    fn name(&self) -> &'static str {
        "folderContent"
    }

    fn take(&mut self, input: Input, cx: &mut Context) -> StepResult {
        Ok(match input {
            Input::Prop(ref def, ref value) if def.tag == tags::META_TAG_FX_DEL_PROP => {
                let what = tag(value).ok_or_else(|| bad_value("MetaTagFXDelProp", def.tag))?;
                let folders = what.id() == tags::CONTAINER_HIERARCHY.id();
                let stage = if folders { Stage::Folders } else { Stage::Messages };
                if self.stage > stage {
                    return Ok(Step::Refused(input));
                }
                self.stage = stage;
                cx.event(Event::DeleteSubobjects(what));
                Step::Taken
            }
            Input::Prop(def, value)
                if def.tag == tags::META_TAG_NEW_FX_FOLDER && self.stage == Stage::Props =>
            {
                cx.event(Event::OtherReplicas(value.into_bytes()));
                self.stage = Stage::Folders;
                Step::Taken
            }
            Input::Marker(Marker::StartMessage | Marker::StartFAIMsg) if self.stage <= Stage::Messages => {
                self.stage = Stage::Messages;
                Step::DownWith(Box::new(MessageList), input)
            }
            Input::Prop(ref def, _)
                if self.stage == Stage::Messages
                    && (def.tag == tags::META_TAG_EC_WARNING || def.tag == tags::META_TAG_DN_PREFIX) =>
            {
                Step::DownWith(Box::new(MessageList), input)
            }
            Input::Marker(Marker::StartSubFld) => {
                self.stage = Stage::Folders;
                cx.event(Event::FolderBegin);
                Step::Down(Box::new(Folder::default()))
            }
            Input::Marker(_) if self.root => Step::Refused(input),
            Input::Marker(_) => Step::DoneBefore(input),
            input if self.stage == Stage::Props => stream(input, cx).map_or(Step::Taken, Step::Refused),
            other => Step::Refused(other),
        })
    }

    fn end(&mut self, cx: &mut Context) -> bool {
        if self.root {
            cx.event(Event::FolderEnd);
        }
        self.root
    }
}
