//! Synchronization and FastTransfer downloads — [MS-OXCFXICS] 3.2.5; [`crate::ics`] makes the streams.

use watertight_mapi::{
    MapiCode, PropTag,
    rop::{
        Request, RequestBody, ResponseBody,
        field::Empty,
        stream::USE_MAXIMUM,
        sync::{
            SynchronizationConfigureRequest, SynchronizationUploadStateStreamBeginRequest,
            SynchronizationUploadStateStreamContinueRequest,
        },
        transfer::{
            FastTransferSourceCopyFolderRequest, FastTransferSourceCopyMessagesRequest,
            FastTransferSourceGetBufferRequest, FastTransferSourceGetBufferResponse,
        },
    },
};

use super::{
    Answer, Outcome, Session,
    logon::{Logon, OWN},
    object::Object,
    refused,
};
use crate::ics::{CopyFlags, CopyOptions, CopyTags, Origin, Replica, Source, SyncRequest};

/// Bytes of a RopFastTransferSourceGetBuffer response without its TransferBuffer.
const OVERHEAD: usize = 15;
/// CopyFlags of RopFastTransferSourceCopyFolder — [MS-OXCFXICS] 2.2.3.1.1.4.1: CopySubfolders.
const COPY_SUBFOLDERS: u8 = 0x10;

impl Session {
    /// What the sources of this logon are made of.
    fn sources(&self, request: &Request) -> Result<Origin, MapiCode> {
        let logon = self.logon(request)?;
        Ok(Origin {
            mailbox: std::sync::Arc::clone(&logon.mailbox),
            replica: Replica { id: OWN, guid: logon.info().repl_guid },
            code_page: self.origin.code_page,
            ledger: self.origin.ledger.clone(),
        })
    }

    fn source_mut(&mut self, request: &Request, handle: u32) -> Result<&mut Source, MapiCode> {
        match self.handles.get_mut(request.logon_id, handle)? {
            Object::Download(source) => Ok(source),
            _ => Err(MapiCode::NotSupported),
        }
    }

    /// RopSynchronizationConfigure — [MS-OXCFXICS] 3.2.5.9.1.1.
    pub(super) fn rop_synchronization_configure(
        &self,
        request: &Request,
        handle: u32,
        body: &SynchronizationConfigureRequest,
    ) -> Outcome {
        let folder = self.folder_of(request, handle)?;
        let source = Source::synchronize(self.sources(request)?, folder, SyncRequest::from(body))?;
        let object = Object::Download(Box::new(source));
        Ok(Answer::opens(ResponseBody::SynchronizationConfigure(Empty), object))
    }

    /// RopSynchronizationUploadStateStreamBegin — [MS-OXCFXICS] 3.2.5.9.2.1.
    pub(super) fn rop_upload_state_begin(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SynchronizationUploadStateStreamBeginRequest,
    ) -> Outcome {
        let source = self.source_mut(request, handle)?;
        source.put_state_begin(body.state_property, body.transfer_buffer_size)?;
        Ok(Answer::of(ResponseBody::SynchronizationUploadStateStreamBegin(Empty)))
    }

    /// RopSynchronizationUploadStateStreamContinue — [MS-OXCFXICS] 3.2.5.9.2.2.
    pub(super) fn rop_upload_state_continue(
        &mut self,
        request: &Request,
        handle: u32,
        body: &SynchronizationUploadStateStreamContinueRequest,
    ) -> Outcome {
        self.source_mut(request, handle)?.put_state_continue(&body.stream_data.0)?;
        Ok(Answer::of(ResponseBody::SynchronizationUploadStateStreamContinue(Empty)))
    }

    /// RopSynchronizationUploadStateStreamEnd — [MS-OXCFXICS] 3.2.5.9.2.3.
    pub(super) fn rop_upload_state_end(&mut self, request: &Request, handle: u32) -> Outcome {
        self.source_mut(request, handle)?.put_state_end()?;
        Ok(Answer::of(ResponseBody::SynchronizationUploadStateStreamEnd(Empty)))
    }

    /// RopSynchronizationGetTransferState — [MS-OXCFXICS] 3.2.5.9.3.1.
    pub(super) fn rop_get_transfer_state(&mut self, request: &Request, handle: u32) -> Outcome {
        let state = self.source_mut(request, handle)?.transfer_state()?;
        let object = Object::Download(Box::new(state));
        Ok(Answer::opens(ResponseBody::SynchronizationGetTransferState(Empty), object))
    }

    /// RopFastTransferSourceCopyTo, RopFastTransferSourceCopyProperties — [MS-OXCFXICS] 3.2.5.8.1.1, 3.2.5.8.1.2.
    pub(super) fn rop_copy_object(
        &self,
        request: &Request,
        handle: u32,
        flags: Option<CopyFlags>,
        send_options: u8,
        level: u8,
        tags: CopyTags,
    ) -> Outcome {
        let Some(flags) = flags else { return refused(MapiCode::InvalidParameter) };
        let options = CopyOptions { flags, send_options, tags, descendants: level == 0 };
        let origin = self.sources(request)?;
        let source = match self.handles.get(request.logon_id, handle)? {
            Object::Folder(id) => Source::copy_folder(origin, *id, options)?,
            Object::Message(message) => {
                let (head, content) = {
                    let state = message.state();
                    (state.head.clone(), state.whole())
                };
                Source::copy_message(origin, head, content, options)?
            }
            Object::Attachment(attachment) => {
                let attachment = attachment.state().attachment.clone();
                Source::copy_attachment(origin, attachment, options)?
            }
            _ => return refused(MapiCode::NotSupported),
        };
        let body = match request.body {
            RequestBody::FastTransferSourceCopyProperties(_) => {
                ResponseBody::FastTransferSourceCopyProperties(Empty)
            }
            _ => ResponseBody::FastTransferSourceCopyTo(Empty),
        };
        Ok(Answer::opens(body, Object::Download(Box::new(source))))
    }

    /// RopFastTransferSourceCopyMessages — [MS-OXCFXICS] 3.2.5.8.1.3.
    pub(super) fn rop_copy_messages(
        &self,
        request: &Request,
        handle: u32,
        body: &FastTransferSourceCopyMessagesRequest,
    ) -> Outcome {
        let folder = self.folder_of(request, handle)?;
        let Some(flags) = CopyFlags::of_copy_messages(body.copy_flags) else {
            return refused(MapiCode::InvalidParameter);
        };
        let ids = body.message_ids.iter().filter_map(|&mid| Logon::message_id(mid).ok()).collect();
        let options = every_property(flags, body.send_options);
        let source = Source::copy_messages(self.sources(request)?, folder, ids, options)?;
        let object = Object::Download(Box::new(source));
        Ok(Answer::opens(ResponseBody::FastTransferSourceCopyMessages(Empty), object))
    }

    /// RopFastTransferSourceCopyFolder — [MS-OXCFXICS] 3.2.5.8.1.4.
    pub(super) fn rop_copy_folder(
        &self,
        request: &Request,
        handle: u32,
        body: &FastTransferSourceCopyFolderRequest,
    ) -> Outcome {
        let folder = self.folder_of(request, handle)?;
        let subfolders = body.copy_flags & COPY_SUBFOLDERS != 0;
        let Some(flags) = CopyFlags::of_copy_messages(body.copy_flags & !COPY_SUBFOLDERS) else {
            return refused(MapiCode::InvalidParameter);
        };
        let options = every_property(flags, body.send_options);
        let source = Source::copy_top_folder(self.sources(request)?, folder, subfolders, options)?;
        let object = Object::Download(Box::new(source));
        Ok(Answer::opens(ResponseBody::FastTransferSourceCopyFolder(Empty), object))
    }

    /// RopFastTransferSourceGetBuffer — [MS-OXCFXICS] 3.2.5.8.1.5.
    pub(super) async fn rop_get_buffer(
        &mut self,
        request: &Request,
        handle: u32,
        body: &FastTransferSourceGetBufferRequest,
        limit: usize,
    ) -> Outcome {
        let source = self.source_mut(request, handle)?;
        let wanted = match body.maximum_buffer_size {
            Some(most) if body.buffer_size == USE_MAXIMUM => most,
            _ => body.buffer_size,
        };
        let filled = source.fill(usize::from(wanted).min(limit.saturating_sub(OVERHEAD))).await?;
        Ok(Answer::of(ResponseBody::FastTransferSourceGetBuffer(FastTransferSourceGetBufferResponse {
            transfer_status: filled.status.number(),
            in_progress_count: filled.progress,
            total_step_count: filled.total,
            transfer_buffer: filled.bytes,
            backoff_time: None,
        })))
    }
}

fn every_property(flags: CopyFlags, send_options: u8) -> CopyOptions {
    CopyOptions { flags, send_options, tags: CopyTags::Except(Vec::<PropTag>::new()), descendants: true }
}
