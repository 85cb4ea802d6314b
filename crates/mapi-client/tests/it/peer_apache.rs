//! Apache with mod_auth_gssapi before the server that replays: somebody else's Negotiate and HTTP, Kerberos by MIT's
//! library and KDC.

mod peer_krb5 {
    use std::fmt::Write as _;
    use std::fs::Permissions;
    use std::io::{BufRead, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use tempfile::TempDir;
    use watertight_ledger::Ledger;
    use watertight_mapi::ics::State;
    use watertight_mapi_client::{
        Connector, Credentials, Endpoint, Error, Mailbox, Options, Scheme, SignIn, SignInError,
        SpecialFolder, SyncOptions,
    };
    use watertight_testkit::replay::Replay;

    use crate::kit::{drain, options};

    /// Ends with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A realm `DOM.TEST` with `alice`, who has a ticket for `HTTP/localhost`.
    struct Kdc {
        folder: TempDir,
        _kdc: Running,
    }

    impl Kdc {
        fn start() -> Self {
            let folder = TempDir::new().unwrap();
            let dir = folder.path().display();
            let port = free_port();
            std::fs::write(
                folder.path().join("krb5.conf"),
                format!(
                    "[libdefaults]\n default_realm = DOM.TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
                     dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n\
                     [realms]\n DOM.TEST = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = DOM.TEST\n"
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
            let commands = format!(
                "addprinc -pw secret alice\naddprinc -randkey HTTP/localhost\nktadd -k {dir}/keytab HTTP/localhost\n"
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
            // Somebody has to read what it goes on saying.
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            run(command("kinit").arg("alice"), "secret\n");
            // Into the cache, so that our side asks no KDC: it would ask the machine's.
            run(command("kvno").arg("HTTP/localhost"), "");
            Self { folder, _kdc: Running(child) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }
    }

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// A program of the KDC's packages, some of which are where only root looks.
    fn command(program: &str, folder: &Path) -> Command {
        let full = Path::new("/usr/sbin").join(program);
        let mut command = if full.exists() { Command::new(full) } else { Command::new(program) };
        command
            .env("KRB5_CONFIG", folder.join("krb5.conf"))
            .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", folder.join("cache").display()))
            .env("KRB5RCACHENAME", "none:");
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

    /// Apache on two ports: on the first, a connection stays signed in; on the second, each request proves itself.
    struct Apache {
        folder: TempDir,
        ports: [u16; 2],
        _running: Running,
    }

    impl Apache {
        fn start(kdc: &Kdc, behind: &str) -> Self {
            let folder = TempDir::new().unwrap();
            let dir = folder.path().display();
            let ports = [free_port(), free_port()];
            // Apache's worker is nobody.
            for (path, mode) in [
                (folder.path(), 0o755),
                (kdc.path("").as_path(), 0o755),
                (kdc.path("keytab").as_path(), 0o644),
            ] {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            let mut conf = String::new();
            for module in
                ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_gssapi", "proxy", "proxy_http"]
            {
                writeln!(conf, "LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so")
                    .unwrap();
            }
            write!(
                conf,
                "ServerName localhost\nPidFile {dir}/pid\nErrorLog {dir}/log\nDefaultRuntimeDir {dir}\n\
                 Mutex file:{dir}\nKeepAlive On\nUser nobody\nGroup nogroup\n"
            )
            .unwrap();
            for (port, bound) in ports.iter().zip(["On", "Off"]) {
                write!(
                    conf,
                    "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nProxyPass / http://{behind}/\n\
                     <Location />\nAuthType GSSAPI\nAuthName x\nGssapiCredStore keytab:{}\n\
                     GssapiAllowedMech krb5\nGssapiConnectionBound {bound}\nRequire valid-user\n\
                     </Location>\n</VirtualHost>\n",
                    kdc.path("keytab").display()
                )
                .unwrap();
            }
            std::fs::write(folder.path().join("conf"), conf).unwrap();
            let mut apache = command("apache2", kdc.folder.path());
            apache.args(["-X", "-f"]).arg(folder.path().join("conf")).stderr(Stdio::null());
            let running = Running(apache.spawn().unwrap());
            // It says nothing when it is ready: it is when it answers.
            let patience = Instant::now();
            while TcpStream::connect(("127.0.0.1", ports[1])).is_err() {
                assert!(patience.elapsed() < Duration::from_secs(60), "Apache does not answer");
                std::thread::yield_now();
            }
            Self { folder, ports, _running: running }
        }

        fn log(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        }
    }

    fn connector(port: u16, credentials: &Credentials, sign_in: SignIn, ledger: &Ledger) -> Connector {
        let endpoint = Endpoint::parse(&format!("http://localhost:{port}/mapi/emsmdb/")).unwrap();
        Connector::new(endpoint, credentials, Options { sign_in, ..options() }, ledger).unwrap()
    }

    #[tokio::test]
    async fn a_mailbox_behind_apache() {
        let kdc = Kdc::start();
        let replay = Replay::first_set();
        let behind = replay.url();
        let behind = behind.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        let apache = Apache::start(&kdc, &behind);
        let dn = replay.user_dn();
        let ticket = Credentials::ticket_in("u4@test.local", kdc.path("cache")).unwrap();
        for (port, each_request) in apache.ports.into_iter().zip([false, true]) {
            let ledger = Ledger::new("test");
            let connector = connector(port, &ticket, SignIn::Auto, &ledger);
            // It offers NTLM, too, where Debian's gss-ntlmssp happens to be installed.
            assert_eq!(connector.offered().await.unwrap()[0], Scheme::Negotiate);
            let before = connector.traffic().requests;
            for _ in 0..3 {
                let session =
                    connector.connect(&dn).await.unwrap_or_else(|e| panic!("{e}\n{}", apache.log()));
                session.logon(&dn).await.unwrap();
                session.disconnect().await.unwrap();
            }
            // Kerberos costs no request of its own; that each request has to prove itself is learnt from one refusal.
            let requests = connector.traffic().requests - before;
            assert_eq!(requests, 9 + u64::from(each_request));
            // A whole download.
            let mut mailbox = Mailbox::new(connector.clone(), dn.clone());
            let logon = mailbox.logon().await.unwrap();
            let inbox = logon.special_folder(SpecialFolder::Inbox);
            let mut contents =
                logon.sync_contents(inbox, &State::default(), &SyncOptions::default()).await.unwrap();
            let brought = drain(&mut contents).await.unwrap();
            assert!(brought.ended && brought.messages > 0);
            drop((contents, logon));
            mailbox.disconnect().await.unwrap();
            connector.idle().await;
            assert_eq!(ledger.held(), 0, "{}", ledger.inspect());
        }
        // It knows no NTLM, and nobody else's ticket is used.
        let ledger = Ledger::new("test");
        let bert = Credentials::new("bert", "secret").unwrap();
        for sign_in in [SignIn::Auto, SignIn::Ntlm, SignIn::Basic] {
            let error = connector(apache.ports[0], &bert, sign_in, &ledger).connect(&dn).await.unwrap_err();
            let expected = matches!(
                &error,
                Error::SignIn(SignInError::NotOffered { .. } | SignInError::Exchange { .. })
            );
            assert!(expected, "{sign_in}: {error:?}");
        }
    }
}
