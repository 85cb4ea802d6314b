//! Mail that is added to a folder.

use watertight_mapi::MapiCode;
use watertight_mapi_client::{Access, NewMessage, NoLarge};
use watertight_mapi_mime::{ImportOptions, import};

use crate::{AddOptions, Error, Folder, Message, time};

pub(crate) async fn add(folder: &Folder, mail: &[u8], options: &AddOptions) -> Result<Message, Error> {
    let delivered = options.received.map(time::to_filetime);
    let content = import(mail, &ImportOptions { delivered, ..ImportOptions::default() })?;
    let open = folder.open().await?;
    let new = NewMessage { content, read: !options.unread, ..NewMessage::default() };
    let added = open.add_message(&new, &NoLarge).await?;
    // What a server computes itself, it may refuse.
    let lost = added.problems.iter().find(|problem| {
        !matches!(problem.code, MapiCode::Computed | MapiCode::AccessDenied | MapiCode::NoAccess)
    });
    if let Some(problem) = lost {
        // A message that is not whole is none.
        let _ = folder.delete_messages(&[added.id]).await;
        let text = format!("{} of the mail cannot be kept: {}", problem.tag, problem.code);
        return Err(Error::refused(problem.code, text));
    }
    let message = open.open_message(added.id, Access::Best).await?;
    Message::of_open(folder, added.id, message).await
}
