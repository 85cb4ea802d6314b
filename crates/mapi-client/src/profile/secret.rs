//! Passwords, from where a profile says that they are.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use watertight_mapi::MapiCode;
use zeroize::Zeroizing;

use super::{Secret, file};
use crate::mapi::error::MapiError;

/// No command that prints a password takes longer, with somebody who types something for it.
const PATIENCE: Duration = Duration::from_secs(120);

impl Secret {
    /// What a file has or a command prints.
    pub(super) async fn read(&self) -> Result<Zeroizing<String>, MapiError> {
        match self {
            Self::File(path) => from_file(path),
            Self::Command(command) => from_command(command.as_str(), "password", PATIENCE).await,
            Self::TokenCommand(command) => from_command(command.as_str(), "token", PATIENCE).await,
            // The profile knows whose password it is.
            Self::Keyring => Err(MapiError::new(
                MapiCode::UnconfiguredLogon,
                "the keyring is asked by address",
                "write address = \"…\" into the profile",
            )),
        }
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, MapiError> {
    let Some(text) = file::private_text(path, "the password")? else {
        let text = format!("there is no file {} with the password", path.display());
        return Err(MapiError::new(MapiCode::NotFound, text, "check password_file of the profile"));
    };
    first_line(&text).ok_or_else(|| {
        let text = format!("{} has no password on its first line", path.display());
        MapiError::new(MapiCode::UnconfiguredLogon, text, "write it there")
    })
}

async fn from_command(command: &str, what: &str, patience: Duration) -> Result<Zeroizing<String>, MapiError> {
    let failed = |why: String| {
        let text = format!("the command that prints the {what} {why}");
        let next =
            format!("run it by hand to see why; it is the {what}_command of the profile or the command line");
        MapiError::new(MapiCode::UnconfiguredLogon, text, next)
    };
    let running = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(patience, running)
        .await
        .map_err(|_| failed(format!("did not end within {} s", patience.as_secs_f32())))?
        .map_err(|error| failed(format!("cannot be started ({error})")))?;
    let bytes = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("failed ({})", output.status)));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("does not print text".to_owned()))?;
    first_line(text).ok_or_else(|| failed("prints nothing".to_owned()))
}

fn first_line(text: &str) -> Option<Zeroizing<String>> {
    let line = text.lines().next()?.trim_end_matches('\r');
    (!line.is_empty()).then(|| Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::profile::ShellCommand;

    #[tokio::test]
    async fn a_password_is_the_first_line() {
        let command = |text: &str| Secret::Command(ShellCommand::new(text));
        assert_eq!(*command("printf 'a b \\r\\nsecond'").read().await.unwrap(), "a b ");
        for (bad, why) in
            [("true", "prints nothing"), ("echo x; exit 3", "failed"), ("printf '\\377'", "text")]
        {
            let error = command(bad).read().await.unwrap_err();
            assert_eq!(error.code(), MapiCode::UnconfiguredLogon);
            assert!(error.to_string().contains(why), "{error}");
        }
        let endless = from_command("sleep 100", "password", Duration::from_millis(1)).await.unwrap_err();
        assert!(endless.to_string().contains("did not end"), "{endless}");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let secret = Secret::File(path.clone());
        assert_eq!(secret.read().await.unwrap_err().code(), MapiCode::NotFound);
        fs::write(&path, "täglich\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(secret.read().await.unwrap_err().code(), MapiCode::AccessDenied);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(*secret.read().await.unwrap(), "täglich");
        fs::write(&path, "\n").unwrap();
        assert_eq!(secret.read().await.unwrap_err().code(), MapiCode::UnconfiguredLogon);
    }
}
