//! Your Exchange or grommunio mailbox as a Maildir, kept in step over MAPI/HTTP
fn main() {}
