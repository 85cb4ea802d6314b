//! Programs that are not ours and that judge us: installed where that is possible, and never missed in silence.
//!
//! A test that needs one has the peer's word in its path (`peer_python::…`). When the peer is not there, those tests
//! are left out by name, and the run says so at its end; under `CI=true` it fails.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// A program that is not ours.
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    /// Words in the paths of the tests that need it; none for what only a benchmark needs.
    pub tests: &'static [&'static str],
    /// Its program and an argument that it answers with success.
    probe: (&'static str, &'static str),
    /// Debian packages.
    apt: &'static [&'static str],
    /// Python modules that it must have.
    modules: &'static [&'static str],
}

/// What `cargo xtask test` wants: Python judges mail, Maildirs and our server.
pub const TEST: &[Peer] = &[Peer {
    name: "python3",
    tests: &["peer_python", "corpus::", "captures::", "captured::"],
    probe: ("python3", "--version"),
    apt: &["python3", "python3-venv"],
    modules: &["email", "mailbox", "http.client", "venv", "ensurepip"],
}];

/// What `cargo xtask bench sync` wants too.
pub const BENCH: &[Peer] = &[
    Peer { name: "Dovecot", tests: &[], probe: ("doveconf", "-n"), apt: &["dovecot-imapd"], modules: &[] },
    Peer { name: "mbsync", tests: &[], probe: ("mbsync", "--version"), apt: &["isync"], modules: &[] },
];

impl Peer {
    /// Whether it can be used.
    pub fn present(&self) -> bool {
        let (program, argument) = self.probe;
        run::answers(program, &[argument])
            && self.modules.iter().all(|module| run::answers(program, &["-c", &format!("import {module}")]))
    }
}

/// Installs what is missing, when we may; returns what is missing then.
pub fn install(peers: &'static [Peer], may_install: bool) -> Vec<&'static Peer> {
    let missing: Vec<&Peer> = peers.iter().filter(|peer| !peer.present()).collect();
    if missing.is_empty() {
        return missing;
    }
    let names = missing.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
    if !may_install || !root_on_debian() {
        println!("peers: {names} not found, and only root on Debian installs them");
        return missing;
    }
    println!("peers: installing {names}");
    if let Err(error) = apt(&missing) {
        println!("peers: {error:#}");
    }
    missing.into_iter().filter(|peer| !peer.present()).collect()
}

/// Says what did not run; that is a failure in CI.
pub fn report(missing: &[&Peer]) -> Result<()> {
    for peer in missing {
        let tests = if peer.tests.is_empty() { "its benchmark".to_owned() } else { peer.tests.join(", ") };
        println!("\n!!! NOT RUN: every check by {} ({tests}): it is not installed.", peer.name);
        println!("!!! Debian: apt-get install {}", peer.apt.join(" "));
    }
    if !missing.is_empty() && run::in_ci() {
        bail!("peer checks did not run, which CI does not accept");
    }
    Ok(())
}

fn apt(missing: &[&Peer]) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]);
        command
    };
    let packages: Vec<_> = missing.iter().flat_map(|peer| peer.apt).collect();
    run::run(apt().arg("update"))?;
    // The peers' packages would start daemons; we start what we need ourselves.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists() && std::fs::write(policy, "#!/bin/sh\nexit 101\n").is_ok();
    if ours {
        run::answers("chmod", &["755", "/usr/sbin/policy-rc.d"]);
    }
    let done = run::run(apt().args(["install", "--no-install-recommends"]).args(packages));
    if ours {
        std::fs::remove_file(policy)?;
    }
    done
}

fn root_on_debian() -> bool {
    let root = run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim_ascii() == b"0");
    root && Path::new("/etc/debian_version").exists()
}
