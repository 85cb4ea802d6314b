//! The units, as systemd reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn peer_systemd_takes_the_units() {
    let dir = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    let program = env!("CARGO_BIN_EXE_watertight");
    for (unit, name, user) in [
        ("watertight@.service", "watertight@work.service", true),
        ("watertight-serve.service", "watertight-serve.service", false),
    ] {
        let text = fs::read_to_string(units.join(unit)).unwrap();
        assert!(text.contains("ExecStart=/usr/bin/watertight "), "{unit}");
        let path = dir.path().join(name);
        fs::write(&path, text.replace("/usr/bin/watertight", program)).unwrap();
        let mut command = Command::new("systemd-analyze");
        if user {
            command.arg("--user");
        }
        let output = command
            .args(["verify", "--man=no"])
            .arg(&path)
            .env("XDG_RUNTIME_DIR", dir.path())
            .output()
            .expect("systemd-analyze is there: Debian's package systemd");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains(unit) && !said.contains(name), "{unit}: {said}");
    }
}
