//! Says what changes in the Inbox between two looks: `follow SERVER USER`, with the password in WATERTIGHT_PASSWORD.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use watertight_mail::{AddOptions, Change, Error, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let (server, user) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let password = std::env::var("WATERTIGHT_PASSWORD").unwrap_or_default();
    let session = Session::to(server).user(user).password(password).open().await?;
    let inbox = session.inbox();

    let mut changes = inbox.sync(&[]);
    while changes.next().await?.is_some() {}
    let state = changes.state().to_vec();

    let mail = b"From: follow@example.org\nSubject: something new\n\nhere\n";
    inbox.add(mail, &AddOptions::default()).await?;

    let mut changes = inbox.sync(&state);
    while let Some(change) = changes.next().await? {
        if let Change::New(message) = change {
            println!("new: {}", message.subject());
            message.delete().await?;
        }
    }
    session.close().await
}
