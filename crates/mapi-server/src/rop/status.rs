//! The status of messages, without opening them — [MS-OXCMSG] 3.2.5.8, 3.2.5.9.

use watertight_mapi::{
    MapiCode,
    prop::tags,
    rop::{
        Request, ResponseBody,
        message::{
            GetMessageStatusRequest, GetMessageStatusResponse, SetMessageStatusRequest,
            SetMessageStatusResponse,
        },
    },
    store::FolderId,
};

use super::{Answer, Outcome, Session, failed, logon::Logon, object::Object, refused};

/// PidTagMessageStatus — [MS-OXCMSG] 2.2.1.8: msInConflict, which clients do not set.
const IN_CONFLICT: u32 = 0x0800;

impl Session {
    /// RopSetMessageStatus — [MS-OXCMSG] 3.2.5.8.
    pub(super) async fn rop_set_message_status(
        &self,
        request: &Request,
        handle: u32,
        body: &SetMessageStatusRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = self.folder_with_status(request, handle)?;
        let id = Logon::message_id(body.message_id)?;
        let mask = body.status_mask & !IN_CONFLICT;
        let status_flags =
            logon.mailbox.set_status(folder, id, body.status_flags, mask).await.map_err(failed)?;
        Ok(Answer::of(ResponseBody::SetMessageStatus(SetMessageStatusResponse { status_flags })))
    }

    /// RopGetMessageStatus — [MS-OXCMSG] 3.2.5.9.
    pub(super) async fn rop_get_message_status(
        &self,
        request: &Request,
        handle: u32,
        body: &GetMessageStatusRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let folder = self.folder_with_status(request, handle)?;
        let id = Logon::message_id(body.message_id)?;
        let message = logon.mailbox.message(id, false).await.map_err(failed)?;
        if message.head.folder != folder {
            return refused(MapiCode::NotFound);
        }
        let status_flags = message.content.props.int(tags::MESSAGE_STATUS).unwrap_or(0).cast_unsigned();
        Ok(Answer::of(ResponseBody::GetMessageStatus(GetMessageStatusResponse { status_flags })))
    }

    /// What is no folder is no object here.
    fn folder_with_status(&self, request: &Request, handle: u32) -> Result<FolderId, MapiCode> {
        match self.handles.get(request.logon_id, handle)? {
            Object::Folder(id) => Ok(*id),
            _ => Err(MapiCode::NullObject),
        }
    }
}
