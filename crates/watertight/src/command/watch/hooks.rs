//! Commands that are run when something happens.

use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use watertight_mapi_client::ShellCommand;

use super::event::Event;
use super::world::LOG;

/// A hook may take so long; then it is asked to end,
const LONGEST: Duration = Duration::from_secs(60);
/// and killed so much later.
const GRACE: Duration = Duration::from_secs(5);

/// The commands, each for `sh -c`.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    /// When there is new mail.
    pub on_new: Option<ShellCommand>,
    /// When anything changed, new mail too.
    pub on_change: Option<ShellCommand>,
    /// When a synchronization failed after ones that went well, and when it will not be tried again.
    pub on_error: Option<ShellCommand>,
}

impl Commands {
    /// Ready to be told of events.
    pub fn start(&self) -> Hooks {
        let hook = |name, command: &Option<ShellCommand>| {
            command.as_ref().map(|command| Hook::start(name, command.clone(), LONGEST, GRACE))
        };
        Hooks {
            new: hook("on-new", &self.on_new),
            change: hook("on-change", &self.on_change),
            error: hook("on-error", &self.on_error),
        }
    }
}

/// The hooks of a mailbox.
pub struct Hooks {
    new: Option<Hook>,
    change: Option<Hook>,
    error: Option<Hook>,
}

impl Hooks {
    /// There is new mail.
    pub fn new_mail(&self, event: &Event) {
        if let Some(hook) = &self.new {
            hook.tell(event.called("new"));
        }
    }

    /// Something changed.
    pub fn change(&self, event: &Event) {
        if let Some(hook) = &self.change {
            hook.tell(event.called("change"));
        }
    }

    /// Something failed.
    pub fn error(&self, event: &Event) {
        if let Some(hook) = &self.error {
            hook.tell(event.called("error"));
        }
    }

    /// What has been told is worked off, for a short while; what goes on after it is killed.
    pub async fn end(&self) {
        let hooks = [&self.new, &self.change, &self.error];
        let done = async {
            for hook in hooks.into_iter().flatten() {
                hook.shared.finish.notify_one();
                hook.shared.ended.notified().await;
            }
        };
        let _ = tokio::time::timeout(GRACE, done).await;
    }
}

/// One hook: at most one process at a time. What happens meanwhile is told to the next, all together.
struct Hook {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    waiting: Mutex<Option<Event>>,
    something: Notify,
    finish: Notify,
    ended: Notify,
}

impl Shared {
    fn take(&self) -> Option<Event> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Hook {
    fn start(name: &'static str, command: ShellCommand, longest: Duration, grace: Duration) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            something: Notify::new(),
            finish: Notify::new(),
            ended: Notify::new(),
        });
        let told = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut last = false;
            while !last {
                tokio::select! {
                    () = told.something.notified() => {}
                    () = told.finish.notified() => last = true,
                }
                while let Some(event) = told.take() {
                    if let Err(error) = execute(command.as_str(), &event, longest, grace).await {
                        tracing::warn!(target: LOG, account = %event.account, hook = name, "{name}: {error}");
                    }
                }
            }
            told.ended.notify_one();
        });
        Self { shared, task }
    }

    fn tell(&self, event: Event) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(earlier) => earlier.join(event),
            none => *none = Some(event),
        }
        self.shared.something.notify_one();
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A hook's processes; they do not outlive it.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // They may all have ended.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs the command to its end, or to the end of its time.
async fn execute(command: &str, event: &Event, longest: Duration, grace: Duration) -> Result<(), String> {
    let mut json = serde_json::to_vec(event).map_err(|e| e.to_string())?;
    json.push(b'\n');
    // Standard output is ours, and may be read by a program.
    let output = std::io::stderr().as_fd().try_clone_to_owned().map_err(|e| e.to_string())?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(output)
        .envs(event.variables())
        // Not theirs.
        .env_remove("WATERTIGHT_PASSWORD")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .process_group(0)
        .spawn()
        .map_err(|e| format!("cannot start /bin/sh ({e})"))?;
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let group = Group(pid);
    let stdin = child.stdin.take();
    let whole = async {
        if let Some(mut stdin) = stdin {
            // It need not read it.
            let _ = stdin.write_all(&json).await;
        }
        child.wait().await
    };
    tokio::pin!(whole);
    let status = match tokio::time::timeout(longest, &mut whole).await {
        Ok(status) => status,
        Err(_) => {
            group.signal(Signal::TERM);
            let ended = tokio::time::timeout(grace, &mut whole).await.is_ok();
            group.signal(Signal::KILL);
            if !ended {
                let _ = whole.await;
            }
            return Err(format!("it was ended after {} s", longest.as_secs_f32()));
        }
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it failed: {status}")),
        Err(error) => Err(format!("it is lost ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn event() -> Event {
        let mut event = Event::new("synced", "anna", Path::new("/m"));
        event.tally = Some(watertight_sync::Tally { added: 1, ..watertight_sync::Tally::default() });
        event
    }

    #[tokio::test]
    async fn a_hook_gets_variables_and_an_object_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let command = format!(
            "{{ env | grep -c '^WATERTIGHT_PASSWORD='; echo \"$WATERTIGHT_EVENT $WATERTIGHT_ADDED\"; cat; }} > {}",
            out.display()
        );
        execute(command.as_str(), &event().called("new"), LONGEST, GRACE).await.unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        let mut lines = text.lines();
        assert_eq!((lines.next(), lines.next()), (Some("0"), Some("new 1")));
        let object: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!((&object["event"], &object["added"]), (&"new".into(), &1.into()));
    }

    #[tokio::test]
    async fn a_hook_that_fails_or_hangs_is_told_and_gone() {
        let failed = execute("exit 3", &event(), LONGEST, GRACE).await.unwrap_err();
        assert!(failed.contains("exit status: 3"), "{failed}");
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        // What it started goes with it, and so does what does not listen.
        let command = format!("trap '' TERM; sleep 1000 & echo $! > {}; wait; sleep 1000", pid.display());
        let short = Duration::from_millis(300);
        let ended = execute(command.as_str(), &event(), short, short).await.unwrap_err();
        assert!(ended.contains("ended after"), "{ended}");
        gone(&pid);
    }

    /// Waits until the process is no more.
    fn gone(file: &Path) {
        let pid = std::fs::read_to_string(file).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        let alive = || !state().is_empty() && !state().contains(") Z ");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while alive() {
            assert!(std::time::Instant::now() < deadline, "{}", state());
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn one_process_at_a_time_and_the_end_waits_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let (out, gate) = (dir.path().join("out"), dir.path().join("gate"));
        assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
        let command =
            format!("echo $WATERTIGHT_ADDED >> {}; cat {} > /dev/null", out.display(), gate.display());
        let hooks = Commands { on_new: Some(ShellCommand::new(command)), ..Commands::default() }.start();
        hooks.new_mail(&event());
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while std::fs::read_to_string(&out).unwrap_or_default() != "1\n" {
            assert!(std::time::Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
        (0..5).for_each(|_| hooks.new_mail(&event()));
        // Each reader of the gate gets its end of file.
        let writer = gate.clone();
        std::thread::spawn(move || (0..2).for_each(|_| std::fs::write(&writer, b"").unwrap()));
        hooks.end().await;
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "1\n5\n");
    }
}
