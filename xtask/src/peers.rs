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
    /// Packages of PyPI, in a virtual environment of ours; its Python must have the modules then.
    pip: &'static [&'static str],
}

/// The virtual environment of the peers that come from PyPI; tests look for its Python here too.
const ENVIRONMENT: &str = "target/peers";

/// What `cargo xtask test` wants: Python judges mail, Maildirs and our server; ndrdump and impacket judge our
/// RPC; pyspnego, impacket and MIT Kerberos are the other side of our sign-in.
pub const TEST: &[Peer] = &[
    Peer {
        name: "python3",
        tests: &["peer_python", "corpus::", "captures::", "captured::"],
        probe: ("python3", "--version"),
        apt: &["python3", "python3-venv"],
        modules: &["email", "mailbox", "http.client", "venv", "ensurepip"],
        pip: &[],
    },
    Peer {
        name: "ndrdump",
        tests: &["peer_ndrdump"],
        probe: ("ndrdump", "--version"),
        apt: &["samba-testsuite"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "pyspnego",
        tests: &["peer_pyspnego"],
        probe: ("python3", "--version"),
        apt: &["python3", "python3-venv"],
        modules: &["spnego"],
        pip: &["pyspnego==0.12.4"],
    },
    Peer {
        name: "impacket",
        tests: &["peer_impacket"],
        probe: ("python3", "--version"),
        apt: &["python3", "python3-venv"],
        modules: &["impacket"],
        pip: &["impacket==0.13.1"],
    },
    Peer {
        name: "systemd-analyze",
        tests: &["peer_systemd"],
        probe: ("systemd-analyze", "--version"),
        apt: &["systemd"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "curl",
        tests: &["peer_curl"],
        probe: ("curl", "--version"),
        apt: &["curl"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "GNOME Keyring",
        tests: &["peer_keyring"],
        probe: ("gnome-keyring-daemon", "--version"),
        apt: &["gnome-keyring", "libsecret-tools", "dbus"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "Apache",
        tests: &["peer_apache"],
        probe: ("/usr/sbin/apache2", "-v"),
        apt: &["apache2", "libapache2-mod-auth-gssapi"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "Samba's gensec",
        tests: &["peer_samba"],
        probe: ("/usr/bin/python3", "--version"),
        apt: &["python3-samba"],
        modules: &["samba.gensec"],
        pip: &[],
    },
    Peer {
        name: "Samba's AD DC",
        tests: &["peer_samba_ad"],
        probe: ("samba", "--version"),
        apt: &[
            "samba",
            "samba-dsdb-modules",
            "samba-vfs-modules",
            "samba-ad-provision",
            "winbind",
            "python3-samba",
            "python3-markdown",
            "python3-dnspython",
            "tdb-tools",
        ],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "MIT Kerberos",
        tests: &["peer_krb5"],
        probe: ("klist", "-V"),
        apt: &[
            "krb5-kdc",
            "krb5-admin-server",
            "krb5-user",
            "libkrb5-dev",
            "python3-dev",
            "python3-venv",
            "gcc",
        ],
        modules: &["gssapi", "krb5", "spnego"],
        pip: &["pyspnego==0.12.4", "gssapi==1.12.0", "krb5==0.10.0"],
    },
    Peer {
        name: "Dovecot for Maildirs of others",
        tests: &["peer_adopt"],
        probe: ("doveconf", "-n"),
        apt: &["dovecot-imapd"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "mbsync",
        tests: &["peer_mbsync"],
        probe: ("mbsync", "--version"),
        apt: &["isync"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "offlineimap",
        tests: &["peer_offlineimap"],
        probe: ("offlineimap", "--version"),
        apt: &["offlineimap3"],
        modules: &[],
        pip: &[],
    },
];

/// What `cargo xtask bench sync` wants too.
pub const BENCH: &[Peer] = &[
    Peer {
        name: "Dovecot",
        tests: &[],
        probe: ("doveconf", "-n"),
        apt: &["dovecot-imapd"],
        modules: &[],
        pip: &[],
    },
    Peer {
        name: "mbsync",
        tests: &[],
        probe: ("mbsync", "--version"),
        apt: &["isync"],
        modules: &[],
        pip: &[],
    },
];

impl Peer {
    /// Whether it can be used.
    pub fn present(&self) -> bool {
        let (program, argument) = self.probe;
        let python = if self.pip.is_empty() {
            program.to_owned()
        } else {
            environment().join("bin/python").to_string_lossy().into_owned()
        };
        run::answers(program, &[argument])
            && self.modules.iter().all(|module| run::answers(&python, &["-c", &format!("import {module}")]))
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
    if let Err(error) = apt(&missing).and_then(|()| pip(&missing)) {
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
        if !peer.pip.is_empty() {
            let pip = peer.pip.join(" ");
            println!("!!! PyPI: python3 -m venv {ENVIRONMENT} && {ENVIRONMENT}/bin/pip install {pip}");
        }
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

fn pip(missing: &[&Peer]) -> Result<()> {
    let packages: Vec<_> = missing.iter().flat_map(|peer| peer.pip).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !environment().join("bin/pip").exists() {
        run::run(Command::new("python3").args(["-m", "venv"]).arg(environment()))?;
    }
    run::run(Command::new(environment().join("bin/pip")).args(["install", "--quiet"]).args(packages))
}

fn environment() -> std::path::PathBuf {
    run::root().join(ENVIRONMENT)
}

fn root_on_debian() -> bool {
    let root = run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim_ascii() == b"0");
    root && Path::new("/etc/debian_version").exists()
}
