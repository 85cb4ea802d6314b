//! Tokens from a command.

use std::process::Stdio;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::error::SignInError;

/// A longer line is no token.
const LONGEST: usize = 32 << 10;
/// Bytes of standard error that are looked at.
const SAID: usize = 4 << 10;

/// Runs the command; its first line is the token. What it prints is never logged; what it says on standard error when
/// it fails is part of the error.
pub(super) async fn from_command(command: &str, patience: Duration) -> Result<HeaderValue, SignInError> {
    let failed = |why: String| SignInError::TokenCommand { why };
    let running = async {
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("cannot be started ({error})")))?;
        let group = Group(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (printed, said, status) = tokio::join!(head(stdout, LONGEST), head(stderr, SAID), child.wait());
        let status = status.map_err(|error| failed(format!("cannot be waited for ({error})")))?;
        group.ended();
        if status.success() {
            return Ok(printed);
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().next().unwrap_or_default().trim().to_owned();
        let status = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
        Err(failed(if said.is_empty() {
            format!("failed with {status}")
        } else {
            format!("failed with {status}: {said}")
        }))
    };
    let printed = tokio::time::timeout(patience, running)
        .await
        .map_err(|_| failed(format!("did not end within {} s", patience.as_secs_f32())))??;
    let line = printed.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    if line.is_empty() {
        return Err(failed("printed nothing on its first line".to_owned()));
    }
    if line.len() >= LONGEST || !line.iter().all(u8::is_ascii_graphic) {
        return Err(failed("printed something on its first line that is no token".to_owned()));
    }
    let header = Zeroizing::new([b"Bearer ", line].concat());
    let mut value = HeaderValue::from_bytes(&header)
        .map_err(|_| failed("printed something on its first line that is no token".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The first bytes of what a program prints; the rest is read and forgotten, so that it can go on.
async fn head(stream: Option<impl AsyncRead + Unpin>, most: usize) -> Zeroizing<Vec<u8>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(most));
    let Some(mut stream) = stream else { return kept };
    let mut buffer = Zeroizing::new([0; 1024]);
    while let Ok(read @ 1..) = stream.read(buffer.as_mut_slice()).await {
        let room = most.saturating_sub(kept.len());
        kept.extend_from_slice(buffer.get(..read.min(room)).unwrap_or_default());
    }
    kept
}

/// The command and whatever it started: all of them end when nobody waits for them any more.
struct Group(Option<u32>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_first_line_is_the_token() {
        let value = from_command("echo abc.def; echo more", PATIENCE).await.unwrap();
        assert_eq!(value.as_bytes(), b"Bearer abc.def");
        assert!(value.is_sensitive());
    }

    #[tokio::test]
    async fn a_failure_says_the_status_and_the_first_line_of_standard_error() {
        let why = async |command: &str| match from_command(command, PATIENCE).await {
            Err(SignInError::TokenCommand { why }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why("echo hush; echo 'log in first' >&2; echo more >&2; exit 7").await,
            "failed with exit status 7: log in first"
        );
        assert_eq!(why("exit 3").await, "failed with exit status 3");
        assert!(why("kill -9 $$").await.contains("signal"));
        assert!(why("true").await.contains("nothing"));
        for bad in ["echo 'a b'", "printf 'a\\001b'", "head -c 40000 /dev/zero | tr '\\0' x"] {
            assert!(why(bad).await.contains("no token"), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let command = format!("sleep 1000 & echo $! > {0}; wait", pids.display());
        let error = from_command(&command, Duration::from_secs(1)).await.unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        let pid = std::fs::read_to_string(&pids).unwrap();
        let started = std::time::Instant::now();
        // Gone, or a zombie that nobody has waited for yet.
        let runs = || {
            std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        while runs() {
            assert!(started.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
    }
}
