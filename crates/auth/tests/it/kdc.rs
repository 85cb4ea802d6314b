//! MIT's KDC, in a directory and on a port of its own. (The program's tests use this file too.)

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

/// Alice's password.
pub const PASSWORD: &str = "Pässw0rd!";

/// A realm `DOM.TEST` with `alice`, and the services of `mail1.dom.test`. Its KDC ends when it drops.
pub struct Kdc {
    folder: TempDir,
    child: Child,
    _log: BufReader<ChildStderr>,
}

impl Kdc {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let dir = folder.path().display();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(
            folder.path().join("krb5.conf"),
            format!(
                "[libdefaults]\n default_realm = DOM.TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
                 dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n\
                 [realms]\n DOM.TEST = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n .dom.test = DOM.TEST\n"
            ),
        )
        .unwrap();
        std::fs::write(
            folder.path().join("kdc.conf"),
            format!(
                "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n\
                 [realms]\n DOM.TEST = {{\n  database_name = {dir}/principal\n  key_stash_file = {dir}/stash\n  \
                 acl_file = {dir}/acl\n  supported_enctypes = aes256-cts:normal aes128-cts:normal\n }}\n\
                 [logging]\n kdc = STDERR\n"
            ),
        )
        .unwrap();
        let command = |program: &str| command(program, folder.path());
        run(command("kdb5_util").args(["create", "-s", "-r", "DOM.TEST", "-P", "master"]), "");
        let keytab = folder.path().join("keytab");
        let commands = format!(
            "addprinc -pw {PASSWORD} +requires_preauth alice\naddprinc -pw {PASSWORD} -requires_preauth open\n\
             addprinc -randkey HTTP/mail1.dom.test\naddprinc -randkey host/mail1.dom.test\n\
             addprinc -randkey HTTP/other.dom.test\n\
             ktadd -k {0} HTTP/mail1.dom.test\nktadd -k {0} host/mail1.dom.test\n\
             ktadd -k {0}.other HTTP/other.dom.test\nktadd -norandkey -k {0}.host host/mail1.dom.test\n",
            keytab.display()
        );
        run(command("kadmin.local").args(["-r", "DOM.TEST"]), &commands);
        let mut child =
            command("krb5kdc").arg("-n").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("commencing operation") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the KDC ended");
        }
        Self { folder, child, _log: log }
    }

    /// What programs that use MIT's library need in their environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        vec![
            ("KRB5_CONFIG".into(), path("krb5.conf")),
            ("KRB5_KTNAME".into(), format!("FILE:{}", path("keytab"))),
            ("KRB5CCNAME".into(), format!("FILE:{}", path("cache"))),
            ("KRB5RCACHENAME".into(), "none:".into()),
        ]
    }

    /// Signs alice in, into the cache.
    pub fn kinit(&self) {
        let mut kinit = Command::new("kinit");
        kinit.arg("alice").envs(self.environment());
        run(&mut kinit, &format!("{PASSWORD}\n"));
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of the KDC's packages: they are where only root looks.
fn command(program: &str, folder: &Path) -> Command {
    let full = Path::new("/usr/sbin").join(program);
    let mut command = if full.exists() { Command::new(full) } else { Command::new(program) };
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command
}

fn run(command: &mut Command, input: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: `cargo xtask test` installs it"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
