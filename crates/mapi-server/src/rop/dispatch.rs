//! Which ROP is done where — [MS-OXCROPS] 2.2.2.

use watertight_mapi::{
    MapiCode,
    rop::{Request, RequestBody, RopId},
};

use super::{Outcome, Session, object::Object, property::Which, refused};
use crate::ics::{CopyFlags, CopyTags};

impl Session {
    /// Does one ROP. `handles` is the table of the buffer; `limit` bounds the response.
    pub(super) async fn dispatch(&mut self, request: &Request, handles: &[u32], limit: usize) -> Outcome {
        use RequestBody as B;
        if let B::Logon(body) = &request.body {
            return self.rop_logon(request, body).await;
        }
        // The object that the ROP is done on. Three ROPs name it in their body.
        let index = match &request.body {
            B::SaveChangesMessage(body) => body.input_index,
            B::SetMessageReadFlag(body) => body.input_index,
            B::SaveChangesAttachment(body) => body.input_index,
            _ => request.index,
        };
        let Some(&handle) = handles.get(usize::from(index)) else { return refused(MapiCode::NullObject) };
        self.logon(request)?;
        self.handles.get(request.logon_id, handle)?;
        match &request.body {
            B::GetReceiveFolder(body) => self.rop_get_receive_folder(request, body),
            B::GetReceiveFolderTable(_) => self.rop_get_receive_folder_table(request).await,
            B::GetStoreState(_) => self.rop_get_store_state(request),
            B::GetOwningServers(body) => self.rop_get_owning_servers(request, body).await,
            B::PublicFolderIsGhosted(body) => self.rop_public_folder_is_ghosted(request, body).await,
            B::GetPerUserLongTermIds(_) => self.rop_get_per_user_long_term_ids(request),
            B::GetPerUserGuid(_) => self.rop_get_per_user_guid(request),
            B::ReadPerUserInformation(_) => self.rop_read_per_user_information(request),
            B::LongTermIdFromId(body) => self.rop_long_term_id_from_id(request, body),
            B::IdFromLongTermId(body) => self.rop_id_from_long_term_id(request, body),
            B::GetLocalReplicaIds(body) => self.rop_get_local_replica_ids(request, body).await,

            B::RegisterNotification(body) => self.rop_register_notification(request, body).await,

            B::OpenFolder(body) => self.rop_open_folder(request, body).await,
            B::CreateFolder(body) => self.rop_create_folder(request, handle, body).await,
            B::DeleteFolder(body) => self.rop_delete_folder(request, handle, body).await,
            B::DeleteMessages(body) => {
                self.rop_delete_messages(request, handle, &body.message_ids, false).await
            }
            B::HardDeleteMessages(body) => {
                self.rop_delete_messages(request, handle, &body.message_ids, true).await
            }
            B::MoveCopyMessages(body) => self.rop_move_copy_messages(request, handle, handles, body).await,
            B::MoveFolder(body) => self.rop_move_folder(request, handle, handles, body).await,
            B::CopyFolder(body) => self.rop_copy_folder_tree(request, handle, handles, body).await,
            B::EmptyFolder(body) => {
                self.rop_empty_folder(request, handle, body.want_delete_associated.0, false).await
            }
            B::HardDeleteMessagesAndSubfolders(body) => {
                self.rop_empty_folder(request, handle, body.want_delete_associated.0, true).await
            }
            B::SetReadFlags(body) => self.rop_set_read_flags(request, handle, body).await,
            B::GetHierarchyTable(body) => self.rop_get_hierarchy_table(request, handle, body).await,
            B::GetContentsTable(body) => self.rop_get_contents_table(request, handle, body).await,

            B::SetColumns(body) => self.rop_set_columns(request, handle, body),
            B::SortTable(body) => self.rop_sort_table(request, handle, body).await,
            B::Restrict(body) => self.rop_restrict(request, handle, body).await,
            B::QueryRows(body) => self.rop_query_rows(request, handle, body, limit).await,
            B::QueryPosition(_) => self.rop_query_position(request, handle),
            B::Abort(_) => self.rop_abort(request, handle),
            B::GetStatus(_) => self.rop_get_status(request, handle),
            B::SeekRow(body) => self.rop_seek_row(request, handle, body),
            B::SeekRowBookmark(body) => self.rop_seek_row_bookmark(request, handle, body).await,
            B::SeekRowFractional(body) => self.rop_seek_row_fractional(request, handle, body),
            B::CreateBookmark(_) => self.rop_create_bookmark(request, handle),
            B::FreeBookmark(body) => self.rop_free_bookmark(request, handle, body),
            B::QueryColumnsAll(_) => self.rop_query_columns_all(request, handle, limit).await,
            B::FindRow(body) => self.rop_find_row(request, handle, body, limit).await,
            B::ResetTable(_) => self.rop_reset_table(request, handle).await,

            B::OpenMessage(body) => self.rop_open_message(request, body, limit).await,
            B::CreateMessage(body) => self.rop_create_message(request, body).await,
            B::SaveChangesMessage(body) => {
                self.settle_streams(request, handle).await?;
                self.rop_save_changes_message(request, handle, body).await
            }
            B::SetMessageReadFlag(body) => self.rop_set_message_read_flag(request, handle, body).await,
            B::SetMessageStatus(body) => self.rop_set_message_status(request, handle, body).await,
            B::GetMessageStatus(body) => self.rop_get_message_status(request, handle, body).await,
            B::ModifyRecipients(body) => self.rop_modify_recipients(request, handle, body),
            B::RemoveAllRecipients(_) => self.rop_remove_all_recipients(request, handle),
            B::ReadRecipients(body) => self.rop_read_recipients(request, handle, body, limit),
            B::ReloadCachedInformation(_) => self.rop_reload_cached_information(request, handle, limit),

            B::GetAttachmentTable(_) => self.rop_get_attachment_table(request, handle),
            B::GetValidAttachments(_) => self.rop_get_valid_attachments(request, handle, limit),
            B::OpenAttachment(body) => self.rop_open_attachment(request, handle, body),
            B::CreateAttachment(_) => self.rop_create_attachment(request, handle),
            B::DeleteAttachment(body) => self.rop_delete_attachment(request, handle, body),
            B::SaveChangesAttachment(_) => {
                self.settle_streams(request, handle).await?;
                self.rop_save_changes_attachment(request, handle)
            }
            B::OpenEmbeddedMessage(body) => self.rop_open_embedded_message(request, handle, body, limit),

            B::GetPropertiesSpecific(body) => {
                self.rop_get_properties_specific(request, handle, body, limit).await
            }
            B::GetPropertiesAll(body) => self.rop_get_properties_all(request, handle, body, limit).await,
            B::GetPropertiesList(_) => self.rop_get_properties_list(request, handle).await,
            B::SetProperties(body) | B::SetPropertiesNoReplicate(body) => {
                self.rop_set_properties(request, handle, body).await
            }
            B::DeleteProperties(body) => self.rop_delete_properties(request, handle, &body.tags).await,
            B::DeletePropertiesNoReplicate(body) => {
                self.rop_delete_properties(request, handle, &body.tags).await
            }
            B::GetPropertyIdsFromNames(body) => self.rop_get_property_ids_from_names(request, body).await,
            B::GetNamesFromPropertyIds(body) => self.rop_get_names_from_property_ids(request, body).await,

            B::QueryNamedProperties(body) => self.rop_query_named_properties(request, body, limit).await,
            B::CopyTo(body) => {
                let which = Which::Except { tags: &body.excluded_tags, inside: body.want_sub_objects.0 };
                self.rop_copy(request, handle, handles, body.dest_index, body.copy_flags, which).await
            }
            B::CopyProperties(body) => {
                let which = Which::Only(&body.tags);
                self.rop_copy(request, handle, handles, body.dest_index, body.copy_flags, which).await
            }

            B::OpenStream(body) => self.rop_open_stream(request, handle, body).await,
            B::ReadStream(body) => self.rop_read_stream(request, handle, body, limit).await,
            B::WriteStream(body) => self.rop_write_stream(request, handle, body).await,
            B::SeekStream(body) => self.rop_seek_stream(request, handle, body),
            B::SetStreamSize(body) => self.rop_set_stream_size(request, handle, body).await,
            B::GetStreamSize(_) => self.rop_get_stream_size(request, handle),
            B::CopyToStream(body) => self.rop_copy_to_stream(request, handle, handles, body).await,
            B::WriteAndCommitStream(body) => self.rop_write_and_commit_stream(request, handle, body).await,
            B::CommitStream(_) => self.rop_commit_stream(request, handle).await,

            B::SynchronizationConfigure(body) => self.rop_synchronization_configure(request, handle, body),
            B::SynchronizationUploadStateStreamBegin(body) => {
                self.rop_upload_state_begin(request, handle, body)
            }
            B::SynchronizationUploadStateStreamContinue(body) => {
                self.rop_upload_state_continue(request, handle, body)
            }
            B::SynchronizationUploadStateStreamEnd(_) => self.rop_upload_state_end(request, handle),
            B::SynchronizationGetTransferState(_) => self.rop_get_transfer_state(request, handle),
            B::FastTransferSourceCopyTo(body) => {
                let flags = CopyFlags::of_copy_to(body.copy_flags);
                let tags = CopyTags::Except(body.excluded_tags.to_vec());
                self.rop_copy_object(request, handle, flags, body.send_options, body.level, tags)
            }
            B::FastTransferSourceCopyProperties(body) => {
                let flags = CopyFlags::of_copy_messages(body.copy_flags);
                let tags = CopyTags::Only(body.tags.to_vec());
                self.rop_copy_object(request, handle, flags, body.send_options, body.level, tags)
            }
            B::FastTransferSourceCopyMessages(body) => self.rop_copy_messages(request, handle, body),
            B::FastTransferSourceCopyFolder(body) => self.rop_copy_folder(request, handle, body),
            B::FastTransferSourceGetBuffer(body) => self.rop_get_buffer(request, handle, body, limit).await,

            other => {
                tracing::debug!(rop = %other.id(), "a ROP that is not served here");
                refused(MapiCode::NotSupported)
            }
        }
    }

    /// RopRelease — [MS-OXCROPS] 3.2.5.3. Releasing a logon releases all that was opened through it.
    pub(super) async fn rop_release(&mut self, request: &Request, handles: &[u32]) {
        debug_assert_eq!(request.id(), RopId::Release, "only RopRelease comes here");
        let Some(&handle) = handles.get(usize::from(request.index)) else { return };
        if self.handles.get(request.logon_id, handle).is_err() {
            return;
        }
        let Some(slot) = self.handles.release(handle) else { return };
        match slot.object {
            Object::Logon => {
                self.handles.release_logon(slot.logon_id);
                self.logons.remove(&slot.logon_id);
            }
            Object::Stream(mut stream) => {
                let Some(logon) = self.logons.get(&slot.logon_id) else { return };
                // Errors of this ROP are not sent back.
                if let Err(code) = stream.settle(logon, self.origin.code_page).await {
                    tracing::debug!(%code, "what was written to a stream is lost");
                }
            }
            _ => {}
        }
    }
}
