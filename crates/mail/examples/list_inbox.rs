//! Lists the Inbox, the newest first: `list_inbox SERVER USER`, with the password in WATERTIGHT_PASSWORD.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use watertight_mail::Error;
use watertight_mail::blocking::Session;

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let (server, user) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let password = std::env::var("WATERTIGHT_PASSWORD").unwrap_or_default();
    let session = Session::to(server).user(user).password(password).open()?;
    for message in session.inbox().messages() {
        let message = message?;
        println!("{} - {}", message.sender(), message.subject());
    }
    session.close()
}
