//! Apache with mod_auth_gssapi: an HTTP server that is not ours, Kerberos by MIT's library and KDC.

mod peer_krb5 {
    use std::fmt::Write as _;
    use std::fs::Permissions;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use tempfile::TempDir;
    use watertight_auth::http::Scheme;
    use watertight_auth::{Client, Identity, Mechanism, Purpose, Security, SecurityContext, Target};
    use watertight_ledger::Ledger;

    use crate::kdc::Kdc;
    use crate::support::{PASSWORD, security};

    struct Apache {
        _folder: TempDir,
        port: u16,
        child: Child,
    }

    impl Apache {
        fn start(kdc: &Kdc) -> Self {
            let folder = TempDir::new().unwrap();
            let dir = folder.path().display();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            std::fs::write(folder.path().join("index.html"), "the page").unwrap();
            // Apache's worker is nobody.
            for (path, mode) in [
                (folder.path(), 0o755),
                (kdc.path("").as_path(), 0o755),
                (kdc.path("keytab").as_path(), 0o644),
            ] {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            let mut conf = String::new();
            for module in ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi"] {
                writeln!(conf, "LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so")
                    .unwrap();
            }
            write!(
                conf,
                "ServerName mail1.dom.test\nListen 127.0.0.1:{port}\nPidFile {dir}/pid\nErrorLog {dir}/log\n\
                 DefaultRuntimeDir {dir}\nMutex file:{dir}\nDocumentRoot {dir}\nKeepAlive On\nUser nobody\nGroup nogroup\n\
                 <Location />\nAuthType GSSAPI\nAuthName x\nGssapiCredStore keytab:{}\n\
                 GssapiAllowedMech krb5\nGssapiConnectionBound On\nRequire valid-user\n\
                 </Location>\n",
                kdc.path("keytab").display()
            )
            .unwrap();
            std::fs::write(folder.path().join("conf"), conf).unwrap();
            let child = Command::new("/usr/sbin/apache2")
                .args(["-X", "-f"])
                .arg(folder.path().join("conf"))
                .envs(kdc.environment())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let apache = Self { _folder: folder, port, child };
            // It says nothing when it is ready: it is when it answers.
            let patience = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(patience.elapsed() < Duration::from_secs(60), "Apache does not answer");
                std::thread::yield_now();
            }
            apache
        }

        /// Status and token of the answer.
        fn get(&self, stream: &mut TcpStream, scheme: Scheme, token: &[u8]) -> (u16, Option<Vec<u8>>) {
            let authorization = scheme.header(Some(token));
            let request = format!(
                "GET /index.html HTTP/1.1\r\nHost: mail1.dom.test:{}\r\nAuthorization: {authorization}\r\n\r\n",
                self.port
            );
            stream.write_all(request.as_bytes()).unwrap();
            let mut input = BufReader::with_capacity(1, stream);
            let mut next = || {
                let mut line = String::new();
                input.read_line(&mut line).unwrap();
                line.trim_end().to_owned()
            };
            let status = next().split(' ').nth(1).unwrap().parse().unwrap();
            let (mut len, mut token) = (0, None);
            loop {
                let line = next();
                let Some((name, value)) = line.split_once(": ") else { break };
                if name.eq_ignore_ascii_case("content-length") {
                    len = value.parse().unwrap();
                } else if name.eq_ignore_ascii_case("www-authenticate") {
                    token = Scheme::offers(value.as_bytes())
                        .find_map(|(found, token)| (found == scheme).then_some(token)?)
                        .or(token);
                }
            }
            let mut body = vec![0; len];
            input.read_exact(&mut body).unwrap();
            (status, token)
        }

        fn sign_in(&self, security: &Security, identity: Identity) -> Result<Box<dyn SecurityContext>, u16> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let scheme = Scheme::Negotiate;
            let target = Target::new("HTTP", "mail1.dom.test");
            let mut client =
                Client::new(security, scheme.mechanism(), identity, target, None, Purpose::SignIn);
            let mut step = client.step(&[]).unwrap();
            loop {
                let (status, token) = self.get(&mut stream, scheme, &step.token.take().unwrap());
                if let (Some(token), true) = (token, step.done.is_none()) {
                    step = client.step(&token).map_err(|_| status)?;
                }
                match (status, step.done.is_some(), step.token.is_some()) {
                    (200, true, false) => return Ok(step.done.unwrap()),
                    (_, _, true) => {}
                    _ => return Err(status),
                }
            }
        }
    }

    impl Drop for Apache {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn our_client_their_server() {
        let kdc = Kdc::start();
        kdc.kinit();
        let apache = Apache::start(&kdc);
        let ledger = Ledger::new("test");
        let with_kdc = kdc.security(&ledger);
        for identity in [Identity::cache(kdc.path("cache")), Identity::password("alice", PASSWORD)] {
            let outcome = apache.sign_in(&with_kdc, identity).map(|context| context.mechanism());
            assert_eq!(outcome, Ok(Mechanism::Kerberos));
        }
        // It knows no NTLM.
        let outcome = apache.sign_in(&security(&ledger), Identity::password("DOM\\alice", PASSWORD));
        assert_eq!(outcome.map(|context| context.mechanism()), Err(401));
        assert_eq!(ledger.held(), 0);
    }
}
