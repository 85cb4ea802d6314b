//! A mailbox in a few lines: sessions, folders, messages, attachments. Asynchronous here, and blocking.
