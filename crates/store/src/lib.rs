//! A message store on SQLite, one file per mailbox
