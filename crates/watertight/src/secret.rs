//! Secrets come from a file, a command, the environment or a prompt; never from an argument, never to a log.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// Longer ones are a mistake: somebody named the wrong file.
const LONGEST: u64 = 64 * 1024;

/// The first line of a file; `-` is standard input.
pub fn from_file(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        io::stdin()
            .take(LONGEST)
            .read_to_string(&mut text)
            .context("cannot read the secret from standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        file.take(LONGEST)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    first_line(&text).with_context(|| format!("{} holds no secret on its first line", path.display()))
}

/// The first line that a shell command prints.
pub fn from_command(command: &str) -> Result<Zeroizing<String>> {
    let output = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .output()
        .context("cannot start /bin/sh for the command that prints the secret")?;
    let bytes = Zeroizing::new(output.stdout);
    if !output.status.success() {
        bail!("the command that prints the secret failed: {}", output.status);
    }
    let text = std::str::from_utf8(&bytes).context("the command did not print text")?;
    first_line(text).context("the command that prints the secret printed nothing")
}

/// The variable `WATERTIGHT_PASSWORD`, or what is typed.
pub fn from_environment_or_prompt(prompt: &str) -> Result<Zeroizing<String>> {
    if let Ok(secret) = std::env::var("WATERTIGHT_PASSWORD") {
        if secret.is_empty() {
            bail!("the variable WATERTIGHT_PASSWORD is empty: set it, or unset it to be asked");
        }
        return Ok(Zeroizing::new(secret));
    }
    if !io::stdin().is_terminal() {
        return Err(anyhow!(Failure::new(
            Exit::SignIn,
            "there is no password, and nobody to ask for it",
            "give --password-file, --password-command, --keyring or the variable WATERTIGHT_PASSWORD",
        )));
    }
    from_prompt(prompt)
}

/// What is typed.
pub fn from_prompt(prompt: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(anyhow!(Failure::new(
            Exit::SignIn,
            "there is no password, and nobody to ask for it",
            "write password_file, password_command or password_keyring into the account",
        )));
    }
    Ok(Zeroizing::new(rpassword::prompt_password(prompt).context("cannot read the password")?))
}

fn first_line(text: &str) -> Option<Zeroizing<String>> {
    let line = text.lines().next()?.trim_end_matches('\r');
    (!line.is_empty()).then(|| Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line() {
        assert_eq!(*from_command("printf 'a b \\r\\nsecond'").unwrap(), "a b ");
        assert!(from_command("true").is_err());
        assert!(from_command("echo x; exit 3").is_err());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "täglich\n").unwrap();
        assert_eq!(*from_file(&path).unwrap(), "täglich");
        std::fs::write(&path, "\n").unwrap();
        assert!(from_file(&path).is_err());
    }
}
