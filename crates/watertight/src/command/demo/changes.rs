//! What happens to a mailbox on its server: mail comes, is read, moved and deleted; through MAPI, as other clients do.

use anyhow::{Context, Result};
use watertight_mapi::prop::wire::TaggedPropertyValue;
use watertight_mapi::prop::{PropValue, tags};
use watertight_mapi::rop::field::{List16, Truth};
use watertight_mapi::rop::folder::{
    CreateFolderRequest, DeleteMessagesRequest, GetContentsTableRequest, MoveCopyMessagesRequest,
};
use watertight_mapi::rop::message::{CreateMessageRequest, SaveChangesMessageRequest, SetReadFlagsRequest};
use watertight_mapi::rop::property::SetPropertiesRequest;
use watertight_mapi::rop::table::{QueryRowsRequest, SetColumnsRequest};
use watertight_mapi::rop::{INVALID_HANDLE, Request, RequestBody, ResponseBody, field::Text};
use watertight_mapi::{Fid, Mid};
use watertight_mapi_client::{Connector, Folder, Session, SpecialFolder};
use watertight_wire::FileTime;

/// What was done.
#[derive(Debug, Clone, Copy)]
pub struct Changes {
    /// Messages that came.
    pub new: usize,
    /// Messages that were marked read.
    pub read: usize,
    /// Messages that were moved into a new folder.
    pub moved: usize,
    /// Messages that were deleted.
    pub deleted: usize,
}

const NEW_MAIL: &str = "\
From: Mia Chen <mia@example.org>\r
To: Anna <anna@example.org>\r
Subject: Lunch on Friday?\r
Date: Fri, 20 Nov 2026 09:30:00 +0000\r
Message-ID: <lunch@example.org>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
";

/// Changes the mailbox: as much of it as its Inbox has messages for.
pub async fn make(connector: &Connector, dn: &str) -> Result<Changes> {
    let session = connector.connect(dn).await?;
    let logon = session.logon(dn).await?;
    let inbox = logon.open_folder(logon.special_folder(SpecialFolder::Inbox)).await?;
    let top = logon.open_folder(logon.special_folder(SpecialFolder::IpmSubtree)).await?;
    let messages = list(&session, &inbox).await?;
    let (unread, read): (Vec<_>, Vec<_>) = messages.into_iter().partition(|(_, read)| !read);
    let ids = |of: Vec<(Mid, bool)>, n: usize| of.into_iter().map(|(id, _)| id).take(n).collect::<Vec<_>>();
    let to_read = ids(unread, 3);
    let mut rest = ids(read, 3);
    let to_delete = rest.split_off(rest.len().min(1));

    deliver(&session, &inbox).await?;
    // An empty list would mean all of the folder.
    if !to_read.is_empty() {
        let asked = SetReadFlagsRequest {
            want_asynchronous: Truth(false),
            read_flags: 0,
            message_ids: List16(to_read.clone()),
        };
        one(&session, RequestBody::SetReadFlags(asked), &[&inbox], "RopSetReadFlags").await?;
    }
    if !rest.is_empty() {
        let target = logon.open_folder(folder(&session, &top, "Done").await?).await?;
        let asked = MoveCopyMessagesRequest {
            dest_index: 1,
            message_ids: List16(rest.clone()),
            want_asynchronous: Truth(false),
            want_copy: Truth(false),
        };
        one(&session, RequestBody::MoveCopyMessages(asked), &[&inbox, &target], "RopMoveCopyMessages")
            .await?;
    }
    if !to_delete.is_empty() {
        let asked = DeleteMessagesRequest {
            want_asynchronous: Truth(false),
            notify_non_read: Truth(false),
            message_ids: List16(to_delete.clone()),
        };
        one(&session, RequestBody::DeleteMessages(asked), &[&inbox], "RopDeleteMessages").await?;
    }
    drop((inbox, top, logon));
    session.disconnect().await?;
    Ok(Changes { new: 1, read: to_read.len(), moved: rest.len(), deleted: to_delete.len() })
}

async fn one(session: &Session, body: RequestBody, on: &[&Folder], name: &'static str) -> Result<()> {
    let handles: Vec<u32> = on.iter().map(|folder| folder.handle().raw()).collect();
    session.execute(&[Request::new(0, body)], &handles).await?.success(0, name)?;
    Ok(())
}

/// The ids of a folder's messages, and whether each is read.
async fn list(session: &Session, folder: &Folder) -> Result<Vec<(Mid, bool)>> {
    let columns = [tags::MID, tags::MESSAGE_FLAGS];
    let requests = [
        Request::new(
            0,
            RequestBody::GetContentsTable(GetContentsTableRequest { output_index: 1, table_flags: 0 }),
        ),
        Request::new(
            1,
            RequestBody::SetColumns(SetColumnsRequest { flags: 0, columns: List16(columns.to_vec()) }),
        ),
        Request::new(
            1,
            RequestBody::QueryRows(QueryRowsRequest { flags: 0, forward_read: Truth(true), row_count: 50 }),
        ),
    ];
    let handles = [folder.handle().raw(), INVALID_HANDLE];
    let replies = session.execute_rows(&requests, &handles, &columns).await?;
    let Some(ResponseBody::QueryRows(answer)) = replies.success(2, "RopQueryRows")? else {
        anyhow::bail!("RopQueryRows gave no rows");
    };
    let mut messages = Vec::new();
    for row in &answer.rows {
        if let [Some(PropValue::I64(id)), Some(PropValue::I32(flags))] =
            row.cells.iter().map(|cell| cell.value()).collect::<Vec<_>>()[..]
        {
            messages.push((Mid::from_u64(id.cast_unsigned()), flags & 1 != 0));
        }
    }
    Ok(messages)
}

/// The folder of that name, made when it is not there.
async fn folder(session: &Session, parent: &Folder, name: &str) -> Result<Fid> {
    let text = |text: &str| Text::Wide(text.to_owned());
    let asked = CreateFolderRequest {
        output_index: 1,
        folder_type: 1,
        open_existing: Truth(true),
        reserved: 0,
        display_name: text(name),
        comment: text(""),
    };
    let handles = [parent.handle().raw(), INVALID_HANDLE];
    let replies = session.execute(&[Request::new(0, RequestBody::CreateFolder(asked))], &handles).await?;
    match replies.success(0, "RopCreateFolder")? {
        Some(ResponseBody::CreateFolder(made)) => Ok(made.folder_id),
        _ => anyhow::bail!("RopCreateFolder gave no folder"),
    }
}

/// A mail comes in, as an agent that delivers into the store writes it.
async fn deliver(session: &Session, folder: &Folder) -> Result<()> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .context("the clock is before 1970")?;
    let now = FileTime::from_unix_seconds(i64::try_from(now.as_secs()).unwrap_or(0));
    let values = vec![
        TaggedPropertyValue::new(tags::MESSAGE_CLASS, "IPM.Note".into()),
        TaggedPropertyValue::new(tags::SUBJECT, "Lunch on Friday?".into()),
        TaggedPropertyValue::new(tags::BODY, "The place by the river? 12:30?\r\n\r\nMia\r\n".into()),
        TaggedPropertyValue::new(tags::SENDER_NAME, "Mia Chen".into()),
        TaggedPropertyValue::new(tags::MESSAGE_FLAGS, PropValue::I32(0)),
        TaggedPropertyValue::new(tags::MESSAGE_DELIVERY_TIME, now.into()),
        TaggedPropertyValue::new(tags::TRANSPORT_MESSAGE_HEADERS, NEW_MAIL.into()),
    ];
    let create = CreateMessageRequest {
        output_index: 1,
        code_page_id: 0x0fff,
        folder_id: folder.id(),
        associated_flag: Truth(false),
    };
    let requests = [
        Request::new(0, RequestBody::CreateMessage(create)),
        Request::new(1, RequestBody::SetProperties(SetPropertiesRequest { values: List16(values) })),
        Request::new(
            2,
            RequestBody::SaveChangesMessage(SaveChangesMessageRequest { input_index: 1, save_flags: 0 }),
        ),
    ];
    let handles = [folder.handle().raw(), INVALID_HANDLE, INVALID_HANDLE];
    let replies = session.execute(&requests, &handles).await?;
    for (at, name) in
        ["RopCreateMessage", "RopSetProperties", "RopSaveChangesMessage"].into_iter().enumerate()
    {
        replies.success(at, name)?;
    }
    Ok(())
}
