//! The mailbox that is soaked: made in a directory that is thrown away.

use std::path::Path;

use anyhow::{Context, Result};
use watertight_ledger::Ledger;
use watertight_mapi::store::{Account, NewAccount, Store};
use watertight_mapi_server::hash_password;
use zeroize::Zeroizing;

use crate::data;
use crate::import::{Bytes, Flags, Item, Limits, Mail, Options, import};

/// The account's login name.
pub const USER: &str = "anna";

/// Makes a data directory with one account and so many messages in its Inbox.
pub async fn make(dir: &Path, password: &str, messages: u32) -> Result<Account> {
    let store = data::open_or_make(dir, &Ledger::new("preparation")).await?;
    let new = NewAccount {
        name: USER.into(),
        display_name: "Anna".into(),
        smtp_address: "anna@example.org".into(),
        password_hash: hash_password(password).context("cannot hash the password")?,
    };
    let account = store.create_account(new).await.context("cannot make the account")?;
    if messages > 0 {
        let mailbox = store.mailbox(account.mailbox_guid).await.context("cannot open the mailbox")?;
        let options = Options { folder: None, limits: Limits { max_message: 1 << 20 } };
        let mail = Mail::Items((0..messages).map(item).collect());
        let report = import(&*mailbox, mail, options, |_| ()).await.context("cannot fill the mailbox")?;
        anyhow::ensure!(report.imported == u64::from(messages), "the mailbox was not filled");
    }
    Ok(account)
}

/// A password that nobody needs to know.
pub fn password() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    getrandom::fill(&mut *bytes).context("no random numbers")?;
    Ok(Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect()))
}

/// Mail of different lengths, from 1 to 5 KiB; every tenth has an attachment of 12 KiB.
fn item(number: u32) -> Item {
    let lines = usize::try_from(16 + number % 7 * 10).unwrap_or(16);
    let body = format!("{}\r\n", text(number, lines));
    let head = format!(
        "From: Mia Chen <mia@example.org>\r\nTo: Anna <anna@example.org>\r\nSubject: Message {number}\r\n\
         Date: Fri, 20 Nov 2026 09:{:02}:{:02} +0000\r\nMessage-ID: <{number}@soak.example.org>\r\nMIME-Version: 1.0\r\n",
        number / 60 % 60,
        number % 60,
    );
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    let mail = if number.is_multiple_of(10) {
        format!(
            "{head}Content-Type: multipart/mixed; boundary=\"parts\"\r\n\r\n--parts\r\n{plain}{body}\r\n--parts\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: attachment; filename=\"{number}.txt\"\r\n\r\n\
             {}\r\n--parts--\r\n",
            text(number, 190)
        )
    } else {
        format!("{head}{plain}{body}")
    };
    Item {
        folder: vec!["Inbox".into()],
        place: format!("message {number}"),
        bytes: Bytes::Here(mail.into_bytes()),
        flags: Flags { seen: number.is_multiple_of(3), ..Flags::default() },
        delivered: None,
    }
}

/// So many lines of text that look like nothing else.
pub fn text(number: u32, lines: usize) -> String {
    let mut state = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut line = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x} {number:08} the quick brown fox jumps over it")
    };
    (0..lines).map(|_| line()).collect::<Vec<_>>().join("\r\n")
}
