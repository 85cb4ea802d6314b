//! The keyring of GNOME, in a D-Bus session of its own, judges what we put there and gives us what others did.

use std::fs;
use std::process::Command;

use crate::accounts::private;
use crate::harness::{House, PASSWORD, count, ended, small_maildir};

/// What runs in the session: the daemon is started and unlocked, then both programs use it.
const SCRIPT: &str = r#"
set -e
printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null
lookup() { secret-tool lookup service watertight account "$1"; }

WATERTIGHT_PASSWORD="$PASSWORD" "$WATERTIGHT" login anna@example.org --server "$URL" --config "$CONFIG" \
    --maildir "$MAIL/a" --keyring
test "$(lookup anna@example.org)" = "$PASSWORD"
"$WATERTIGHT" -vvv sync anna --config "$CONFIG"

# A new one takes the place of the old one; what others put there is found.
printf 'wrong' | secret-tool store --label x service watertight account anna@example.org
"$WATERTIGHT" sync anna --config "$CONFIG" && exit 9
WATERTIGHT_PASSWORD="$PASSWORD" "$WATERTIGHT" login anna@example.org --server "$URL" --config "$CONFIG" --replace
test "$(lookup anna@example.org)" = "$PASSWORD"
printf '%s' "$PASSWORD" | secret-tool store --label x service watertight account "anna@127.0.0.1"
"$WATERTIGHT" sync --server "$URL" --user anna --keyring --maildir "$MAIL/b"

# One that is not there.
secret-tool clear service watertight account anna@example.org
"$WATERTIGHT" sync anna --config "$CONFIG" && exit 9
exit 0
"#;

#[test]
fn a_password_is_kept_and_found() {
    let house = House::new();
    small_maildir(&house.path("source"), 5);
    ended(&mut house.import(&[house.path("source")])).good();
    let server = house.serve(&[]);
    let script = house.path("session.sh");
    private(&script, SCRIPT);
    let run = house.path("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut session = Command::new("dbus-run-session");
    session
        .args(["--", "sh"])
        .arg(&script)
        .env("HOME", house.dir.path())
        .env("XDG_RUNTIME_DIR", &run)
        .env_remove("XDG_DATA_HOME")
        .env_remove("WATERTIGHT_PASSWORD")
        .env_remove("WATERTIGHT_LOG")
        .env("WATERTIGHT", env!("CARGO_BIN_EXE_watertight"))
        .env("PASSWORD", PASSWORD)
        .env("URL", &server.url)
        .env("CONFIG", house.path("config.toml"))
        .env("MAIL", house.path("mail"));
    let done = ended(&mut session).good();
    assert!(!done.stderr.contains(PASSWORD) && !done.stdout.contains(PASSWORD), "{}", done.stderr);
    assert!(fs::read_to_string(house.path("config.toml")).unwrap().contains("password_keyring = true\n"));
    assert!(done.stderr.contains("put the right one into the keyring: watertight login anna@example.org"));
    assert!(done.stderr.contains("the keyring has no password for anna@example.org"), "{}", done.stderr);
    assert_eq!((count(&house.path("mail/a")), count(&house.path("mail/b"))), (5, 5));
    server.stop();
}
