//! Samba's AD DC, in a directory and on an address of its own. (The program's tests use this file too.)

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The administrator's password.
pub const PASSWORD: &str = "Passw0rd!";
/// A domain `H1` of the realm `H1.TEST`. Its controller ends when it drops.
pub struct Domain {
    folder: TempDir,
    child: Child,
}

impl Domain {
    pub fn start() -> Self {
        let address = address();
        let folder = TempDir::new().unwrap();
        let dir = folder.path().display().to_string();
        let empty = folder.path().join("empty.conf");
        std::fs::write(&empty, "").unwrap();
        let provision = Command::new("samba-tool")
            .args(["domain", "provision", "--server-role=dc", "--use-rfc2307", "--dns-backend=NONE"])
            .args(["--realm=H1.TEST", "--domain=H1", "--host-name=dc1"])
            .arg(format!("--adminpass={PASSWORD}"))
            .arg(format!("--host-ip={address}"))
            .arg(format!("--targetdir={dir}/ad"))
            // Otherwise it stumbles over the system's.
            .arg(format!("--configfile={}", empty.display()))
            .output()
            .unwrap();
        assert!(provision.status.success(), "{}", String::from_utf8_lossy(&provision.stderr));
        let conf = folder.path().join("ad/etc/smb.conf");
        let text = std::fs::read_to_string(&conf).unwrap();
        let ours = format!(
            "[global]\n\tserver services = ldap, kdc\n\ttls enabled = no\n\tpid directory = {dir}\n\t\
             ncalrpc dir = {dir}/ncalrpc\n\tlog file = {dir}/log\n\tinterfaces = {address}/8\n\t\
             bind interfaces only = yes\n"
        );
        let kept = text.lines().filter(|line| !line.contains("server services"));
        let text = kept.collect::<Vec<_>>().join("\n").replacen("[global]", &ours, 1);
        std::fs::write(&conf, text).unwrap();
        std::fs::write(
            folder.path().join("krb5.conf"),
            format!(
                "[libdefaults]\n default_realm = H1.TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
                 dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n\
                 [realms]\n H1.TEST = {{\n  kdc = {address}\n }}\n[domain_realm]\n .h1.test = H1.TEST\n .dom.test = H1.TEST\n"
            ),
        )
        .unwrap();
        // It says when it is ready, as to systemd.
        let path = folder.path().join("notify");
        let notify = UnixDatagram::bind(&path).unwrap();
        notify.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let child = Command::new("samba")
            .args(["-F", "--no-process-group", "-M", "single", "-s"])
            .arg(&conf)
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let domain = Self { folder, child };
        let mut message = [0; 1024];
        while !String::from_utf8_lossy(&message).contains("READY=1") {
            let len = notify.recv(&mut message).unwrap();
            message[len..].fill(0);
        }
        domain
    }

    /// A file of its directory: `krb5.conf`, `ad/etc/smb.conf`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Where it listens: an address for each process of tests.
pub fn address() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.31.{high}.{}", low.max(1))
}

impl Drop for Domain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
