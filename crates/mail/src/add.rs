//! Mail that is added to a folder.

use watertight_mapi::MapiCode;
use watertight_mapi::prop::{PropBag, tags};
use watertight_mapi::store::MessageContent;
use watertight_mapi_client::{self as client, Access, Associated, Object};
use watertight_mapi_mime::{ImportOptions, import};

use crate::query::READ;
use crate::{AddOptions, Error, Folder, Message, time};

pub(crate) async fn add(folder: &Folder, mail: &[u8], options: &AddOptions) -> Result<Message, Error> {
    let delivered = options.received.map(time::to_filetime);
    let mut content = import(mail, &ImportOptions { delivered, ..ImportOptions::default() })?;
    content.props.set(tags::MESSAGE_FLAGS, if options.unread { 0 } else { READ });
    let open = folder.open().await?;
    let mut message = open.create_message(Associated::No).await?;
    write(&mut message, &content).await?;
    let id = message.save().await?;
    drop(message);
    let message = open.open_message(id, Access::Best).await?;
    Message::of_open(folder, id, message).await
}

/// Writes all of a content into a message that is new.
async fn write(message: &mut client::Message, content: &MessageContent) -> Result<(), Error> {
    set(message, &content.props).await?;
    let recipients: Vec<_> = (0..).zip(content.recipients.iter().cloned().map(Some)).collect();
    if !recipients.is_empty() {
        message.modify_recipients(&recipients).await?;
    }
    for attachment in &content.attachments {
        let mut made = message.create_attachment().await?;
        set(&made, &attachment.props).await?;
        if let Some(embedded) = &attachment.embedded {
            let mut inner = made.create_embedded().await?;
            Box::pin(write(&mut inner, embedded)).await?;
            inner.save().await?;
        }
        made.save().await?;
    }
    Ok(())
}

/// Sets what can be set: what a server computes itself, it may refuse.
async fn set(object: &Object, props: &PropBag) -> Result<(), Error> {
    let problems = object.set_props(&props.0).await?;
    let real = problems.iter().find(|problem| {
        !matches!(problem.code, MapiCode::Computed | MapiCode::AccessDenied | MapiCode::NoAccess)
    });
    match real {
        None => Ok(()),
        Some(problem) => {
            let text = format!("{} of the mail cannot be kept: {}", problem.tag, problem.code);
            Err(Error::refused(problem.code, text))
        }
    }
}
