//! Questions to whoever sits at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use watertight_mapi_client::Hop;

use crate::cli::{Common, Keep};

/// Whoever can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    there: bool,
}

impl Asked {
    /// Nobody, where input or errors are not a terminal, or where nothing but JSON is wanted.
    pub fn new(common: &Common) -> Self {
        Self { there: !common.json && io::stdin().is_terminal() && io::stderr().is_terminal() }
    }

    /// Whether anybody is there.
    pub fn there(&self) -> bool {
        self.there
    }

    /// Tells something.
    pub fn tell(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// A question that nobody who is not there says yes to.
    pub fn yes(&self, question: &str) -> Result<bool> {
        Ok(self.there && matches!(answer(question)?.as_str(), "y" | "Y" | "yes"))
    }

    /// Whether a doubtful host gets the password.
    pub fn confirms(&self, hop: &Hop) -> bool {
        let question = format!("{hop}.\nSend the name and the password to {}? [y/N] ", hop.host);
        self.yes(&question).unwrap_or(false)
    }

    /// Where a password is kept: nowhere, when nobody says another place.
    pub fn where_to_keep(&self) -> Result<Keep> {
        if !self.there {
            return Ok(Keep::Nowhere);
        }
        loop {
            let question = "Keep the password? k in the keyring, f in a file that only you can read, n not at all [k/f/n]: ";
            match answer(question)?.to_ascii_lowercase().as_str() {
                "k" | "keyring" => return Ok(Keep::Keyring),
                "f" | "file" => return Ok(Keep::File),
                "n" | "no" | "" => return Ok(Keep::Nowhere),
                _ => {}
            }
        }
    }
}

fn answer(question: &str) -> Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).context("cannot ask")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    Ok(line.trim().to_owned())
}
