//! Who is asked for what a logon lacks.

use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use async_trait::async_trait;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// What a logon wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question<'a> {
    /// Which profile to take.
    Profile {
        /// The names that there are.
        known: &'a [String],
    },
    /// The server's URL, which the profile lacks.
    Server {
        /// The profile.
        profile: &'a str,
        /// What is known already, where the user is asked all the same.
        known: Option<&'a str>,
    },
    /// The user's name, which the profile lacks.
    User {
        /// The profile.
        profile: &'a str,
        /// What is known already, where the user is asked all the same.
        known: Option<&'a str>,
    },
    /// The password; the answer is a secret.
    Password {
        /// The user's name.
        user: &'a str,
        /// Where it goes to.
        server: &'a str,
        /// Whether the one that was typed before was refused.
        refused: bool,
    },
}

/// What the user answers. The text may be a secret: it does not show.
pub enum Answer {
    /// This; an empty one means what is known already, or else the same as [`Answer::Cancel`].
    Text(Zeroizing<String>),
    /// The user does not want to log on: MAPI_E_USER_CANCEL.
    Cancel,
    /// Nobody can be asked.
    Nobody,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Cancel => "Cancel",
            Self::Nobody => "Nobody",
        })
    }
}

/// Who is asked: the role of the window that MAPILogonEx is given. It is asked for what is missing, and only with
/// [`LogonFlags::LOGON_UI`](crate::LogonFlags::LOGON_UI) or
/// [`LogonFlags::PASSWORD_UI`](crate::LogonFlags::PASSWORD_UI).
#[async_trait]
pub trait LogonUi: Send + Sync {
    /// Asks the user.
    async fn ask(&self, question: Question<'_>) -> Answer;
}

/// Nobody is asked anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUi;

#[async_trait]
impl LogonUi for NoUi {
    async fn ask(&self, _: Question<'_>) -> Answer {
        Answer::Nobody
    }
}

/// Asks on the terminal: prompts go to standard error, answers come from standard input, passwords do not show.
/// Where either is no terminal, nobody is asked. End of input cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

#[async_trait]
impl LogonUi for Terminal {
    async fn ask(&self, question: Question<'_>) -> Answer {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Answer::Nobody;
        }
        let (prompt, secret) = prompt(question);
        let (reply, answer) = oneshot::channel();
        // A thread of its own: a runtime that ends does not wait for what the user never types.
        let asking = std::thread::Builder::new().name("logon prompt".to_owned()).spawn(move || {
            let answered = if secret { rpassword::prompt_password(prompt) } else { line(&prompt) };
            let answer = match answered {
                Ok(text) => Answer::Text(Zeroizing::new(text)),
                Err(_) => Answer::Cancel,
            };
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        });
        if asking.is_err() {
            return Answer::Nobody;
        }
        answer.await.unwrap_or(Answer::Cancel)
    }
}

/// What is shown, and whether the answer must not be.
fn prompt(question: Question<'_>) -> (String, bool) {
    let with = |what: &str, profile: &str, known: Option<&str>| match known {
        Some(known) => format!("{what} of profile {profile} [{known}]: "),
        None => format!("{what} of profile {profile}: "),
    };
    match question {
        Question::Profile { known: [] } => ("Profile: ".to_owned(), false),
        Question::Profile { known } => (format!("Profile ({}): ", known.join(", ")), false),
        Question::Server { profile, known } => (with("Server", profile, known), false),
        Question::User { profile, known } => (with("User", profile, known), false),
        Question::Password { user, server, refused } => {
            let again = if refused { "The server does not accept it. " } else { "" };
            (format!("{again}Password of {user} for {server}: "), true)
        }
    }
}

/// One line; the end of input is an error.
fn line(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr();
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    let mut text = String::new();
    if io::stdin().lock().read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_say_what_is_asked() {
        let known = ["home".to_owned(), "work".to_owned()];
        assert_eq!(prompt(Question::Profile { known: &known }), ("Profile (home, work): ".to_owned(), false));
        let question = Question::Password { user: "anna", server: "https://h/", refused: true };
        let (text, secret) = prompt(question);
        assert!(secret && text.starts_with("The server does not accept it.") && text.contains("anna"));
        let question = Question::Server { profile: "p", known: Some("https://h/") };
        assert_eq!(prompt(question).0, "Server of profile p [https://h/]: ");
        assert_eq!(format!("{:?}", Answer::Text(Zeroizing::new("secret".to_owned()))), "Text");
    }
}
