//! curl, and pyspnego over TLS, sign in to `watertight serve` and connect.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use watertight_mapi::http::body::{Answer, ConnectFlags, ConnectRequest, ConnectResponse};
use watertight_mapi::store::legacy_dn;
use watertight_wire::Wire;

use crate::harness::{House, PASSWORD, Served, ended, watertight};
use crate::inspect::{Inspection, held, node};

const HOST: &str = "mail1.dom.test";

/// A house with a certificate and the body of a Connect request.
struct Place {
    house: House,
    user: &'static str,
}

/// What curl got.
struct Got {
    status: String,
    headers: String,
    body: Vec<u8>,
}

impl Place {
    /// With an account of that name, besides anna.
    fn new(user: &'static str, options: &[&str]) -> Self {
        let house = House::new();
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        fs::write(house.path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(house.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        ended(
            watertight()
                .args(["user", "add", user, "--data"])
                .arg(house.data())
                .arg("--password-file")
                .arg(house.password())
                .args(options),
        )
        .good();
        let request = ConnectRequest {
            user_dn: legacy_dn(user),
            flags: ConnectFlags(0),
            default_code_page: 1252,
            lcid_sort: 0x409,
            lcid_string: 0x409,
            auxiliary: Vec::new(),
        };
        fs::write(house.path("connect"), request.to_bytes().unwrap()).unwrap();
        Self { house, user }
    }

    /// Over TLS.
    fn serve(&self, options: &[&str]) -> Served {
        let path = |name: &str| self.house.path(name).display().to_string();
        let (cert, key) = (path("cert.pem"), path("key.pem"));
        let mut all = vec!["--tls-cert", &cert, "--tls-key", &key];
        all.extend(options);
        self.house.serve(&all)
    }

    /// A Connect by curl.
    fn curl(&self, server: &Served, options: &[&str], environment: &[(String, String)]) -> Got {
        let (_, port) = server.address();
        let path = |name: &str| self.house.path(name);
        let output = Command::new("curl")
            .args(["-s", "-S", "-w", "%{http_code}", "--noproxy", "*", "--max-time", "30"])
            .args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")])
            .arg("--cacert")
            .arg(path("cert.pem"))
            .args(["-H", "Content-Type: application/mapi-http", "-H", "X-RequestType: Connect"])
            .args(["-H", "X-RequestId: {7A139165-9960-4398-A5D2-DD8B91CF0416}:1"])
            .args(["-H", "X-ClientInfo: {7A139165-9960-4398-A5D2-DD8B91CF0416}:1"])
            .arg("--data-binary")
            .arg(format!("@{}", path("connect").display()))
            .arg("-D")
            .arg(path("headers"))
            .arg("-o")
            .arg(path("body"))
            .args(options)
            .arg(format!("https://{HOST}:{port}/mapi/emsmdb/"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Got {
            status: String::from_utf8(output.stdout).unwrap(),
            headers: fs::read_to_string(path("headers")).unwrap(),
            body: fs::read(path("body")).unwrap_or_default(),
        }
    }

    /// Whether that was the answer to a Connect of the account.
    fn connected(&self, got: &Got) {
        assert_eq!(got.status, "200", "{}", got.headers);
        assert!(got.headers.contains("x-responsecode: 0"), "{}", got.headers);
        let end = got.body.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        match ConnectResponse::from_bytes(&got.body[end + 4..]).unwrap() {
            Answer::Success(connected) => assert_eq!(connected.display_name, self.user),
            Answer::Failure(failure) => panic!("{failure:?}"),
        }
    }
}

/// The schemes that an answer offers.
fn offers(got: &Got) -> Vec<&str> {
    let last = got.headers.trim_end().rsplit("\r\n\r\n").next().unwrap();
    let values = last.lines().filter_map(|line| line.strip_prefix("www-authenticate: "));
    values.map(|value| value.split(' ').next().unwrap()).collect()
}

/// 2,000 challenges that nobody answers, ten on each connection: of the connections nothing is left, and no byte of
/// each.
#[test]
fn exchanges_that_are_half_done_leave_no_bytes() {
    let house = House::new();
    let socket = house.path("inspect");
    let server = house.serve(&["--inspect", socket.to_str().unwrap()]);
    let (host, port) = server.address();
    let mut inspection = Inspection::connect(&socket);
    let mut round = || {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
            for _ in 0..10 {
                // A NEGOTIATE_MESSAGE, as short as they are.
                let request = "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
                               Authorization: NTLM TlRMTVNTUAABAAAAB4IIAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"You must sign in.\n") {
                    let mut bytes = [0; 2048];
                    let len = stream.read(&mut bytes).unwrap();
                    assert_ne!(len, 0);
                    answer.extend_from_slice(&bytes[..len]);
                }
            }
        }
        loop {
            let told = inspection.ask();
            if held(node(&told["ledger"], "mapi-server").unwrap()) == 0 {
                return inspection.ask_to("release")["allocated"].as_i64().unwrap();
            }
        }
    };
    let allocated: Vec<i64> = (0..4).map(|_| round()).collect();
    // Of what grows with each of them, every round has as much: here less than eight bytes of each.
    let least = allocated.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(least < 4_000, "{allocated:?}");
    server.stop();
}

mod peer_curl {
    use super::*;

    #[test]
    fn ntlm_basic_and_a_token() {
        let place = Place::new("alice", &["--ntlm"]);
        let data = place.house.data();
        let token = |options: &[&str]| {
            let mut command = watertight();
            ended(command.args(["user", "token", "alice", "--data"]).arg(&data).args(options)).good().stdout
        };
        let secret = token(&["--valid", "1"]);
        let secret = secret.trim();
        let server = place.serve(&[]);
        let none = place.curl(&server, &[], &[]);
        assert_eq!((none.status.as_str(), offers(&none)), ("401", vec!["NTLM", "Bearer", "Basic"]));
        let user = format!("alice:{PASSWORD}");
        let address = format!("alice@localhost:{PASSWORD}");
        for options in [
            &["--ntlm", "-u", &user][..],
            &["--ntlm", "-u", &address],
            &["-u", &user],
            &["--anyauth", "-u", &user],
            &["--oauth2-bearer", secret],
        ] {
            let got = place.curl(&server, options, &[]);
            place.connected(&got);
        }
        for options in [
            &["--ntlm", "-u", "alice:wrong"][..],
            &["--ntlm", "-u", "nobody:wrong"],
            // She was added without --ntlm.
            &["--ntlm", "-u", &format!("anna:{PASSWORD}")],
            &["-u", "alice:wrong"],
            &["--oauth2-bearer", "wt_wrong"],
        ] {
            let got = place.curl(&server, options, &[]);
            assert_eq!(got.status, "401", "{options:?} {}", got.headers);
        }
        // Another password, for both, while it is served.
        fs::write(place.house.path("new"), "n3w\n").unwrap();
        let mut passwd = watertight();
        passwd.args(["user", "passwd", "alice", "--data"]).arg(&data);
        let said = ended(passwd.arg("--password-file").arg(place.house.path("new"))).good();
        assert!(said.stdout.contains("NTLM"), "{}", said.stdout);
        for (options, status) in [
            (["--ntlm", "-u", user.as_str()], "401"),
            (["--basic", "-u", &user], "401"),
            (["--ntlm", "-u", "alice:n3w"], "200"),
            (["--basic", "-u", "alice:n3w"], "200"),
        ] {
            assert_eq!(place.curl(&server, &options, &[]).status, status, "{options:?}");
        }
        assert!(token(&["--revoke"]).contains("1 token of alice revoked"));
        assert_eq!(place.curl(&server, &["--oauth2-bearer", secret], &[]).status, "401");
        // Locked out: what to do is in the answer.
        for _ in 0..12 {
            place.curl(&server, &["--ntlm", "-u", "alice:guess"], &[]);
        }
        let limited = place.curl(&server, &["--ntlm", "-u", "alice:n3w"], &[]);
        assert_eq!(limited.status, "429");
        assert!(limited.headers.contains("retry-after: "), "{}", limited.headers);
        let log = server.stop();
        for secret in [PASSWORD, "n3w", secret] {
            assert!(!log.contains(secret), "{log}");
        }
    }

    /// Needs MIT's KDC too.
    mod peer_krb5 {
        use super::*;
        use crate::kdc::Kdc;

        /// pyspnego's Kerberos, with channel bindings over TLS.
        const BOUND: &str = include_str!("sign_in.py");

        fn python() -> std::path::PathBuf {
            std::env::var_os("WATERTIGHT_PEER_PYTHON").map_or_else(
                || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/bin/python"),
                Into::into,
            )
        }

        #[test]
        fn negotiate_and_channel_bindings() {
            let kdc = Kdc::start();
            kdc.kinit();
            let place = Place::new("alice", &["--ntlm"]);
            let keytab = kdc.path("keytab").display().to_string();
            let server = place.serve(&["--keytab", &keytab]);
            let none = place.curl(&server, &[], &[]);
            assert_eq!(offers(&none), ["Negotiate", "NTLM", "Basic"]);
            let got = place.curl(&server, &["--negotiate", "-u", ":"], &kdc.environment());
            place.connected(&got);
            // Its own word that it is the server: mutual authentication.
            assert!(got.headers.to_lowercase().contains("www-authenticate: negotiate "), "{}", got.headers);

            let python = python();
            let bound = |server: &Served, protocol: &str, kind: &str| {
                let (_, port) = server.address();
                let (user, password) = if protocol == "ntlm" { ("alice", PASSWORD) } else { ("", "") };
                let output = Command::new(&python)
                    .args(["-c", BOUND, HOST, &port])
                    .arg(place.house.path("cert.pem"))
                    .args([protocol, user, password, kind])
                    .envs(kdc.environment())
                    .output()
                    .unwrap_or_else(|error| {
                        panic!("{}: {error}: `cargo xtask test` installs it", python.display())
                    });
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
                said.trim().to_owned()
            };
            for (protocol, kind, status) in [
                ("kerberos", "right", "200 "),
                ("kerberos", "none", "200 "),
                ("kerberos", "wrong", "401 "),
                ("ntlm", "right", "200 "),
                ("ntlm", "wrong", "401 "),
            ] {
                let said = bound(&server, protocol, kind);
                assert!(said.starts_with(status), "{protocol} {kind}: {said}");
            }
            server.stop();
            let server = place.serve(&["--keytab", &keytab, "--channel-bindings", "require"]);
            for (protocol, kind, status) in
                [("kerberos", "right", "200 "), ("kerberos", "none", "401 "), ("ntlm", "none", "401 ")]
            {
                let said = bound(&server, protocol, kind);
                assert!(said.starts_with(status), "{protocol} {kind}: {said}");
            }
            server.stop();

            // A principal without an account, and a server that takes tickets only.
            let other = Place::new("somebody", &[]);
            let server = other.serve(&["--keytab", &keytab, "--sign-in", "negotiate"]);
            let got = other.curl(&server, &["--negotiate", "-u", ":"], &kdc.environment());
            assert_eq!(got.status, "403", "{}", got.headers);
            assert!(String::from_utf8_lossy(&got.body).contains("no account of your name"));
            let got = other.curl(&server, &["-u", &format!("somebody:{PASSWORD}")], &[]);
            assert_eq!((got.status.as_str(), offers(&got)), ("401", vec!["Negotiate"]));
            server.stop();

            for (keytab, options, words) in [
                ("nowhere", &[][..], &["there is no keytab", "ktadd"][..]),
                ("open", &[], &["everybody on this machine", "chmod 600"]),
                ("principal", &[], &["cannot be used as a keytab", "klist -k"]),
                ("keytab.host", &[], &["no key of HTTP/host"]),
                ("keytab", &["--sign-in", "basic"], &["without negotiate"]),
            ] {
                let path = kdc.path(keytab);
                if keytab == "open" {
                    fs::copy(kdc.path("keytab"), &path).unwrap();
                    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
                }
                let mut serve = watertight();
                serve.args(["serve", "--http", "127.0.0.1:0", "--data"]).arg(other.house.data());
                let refused = ended(serve.arg("--keytab").arg(&path).args(options));
                assert!([Some(1), Some(2)].contains(&refused.code()), "{keytab}");
                for word in words {
                    assert!(refused.stderr.contains(word), "{keytab}: {}", refused.stderr);
                }
            }
        }
    }

    /// Samba's AD DC as the KDC: Heimdal, and tickets with a PAC.
    mod peer_samba_ad {
        use std::process::Stdio;

        use super::*;
        use crate::domain::{self, Domain};

        /// Its name says what it needs.
        #[test]
        fn peer_krb5_negotiate() {
            let domain = Domain::start();
            let keytab = domain.path("http.keytab");
            let tool = |arguments: &[&str]| {
                let mut tool = Command::new("samba-tool");
                ended(tool.args(arguments).arg("-s").arg(domain.path("ad/etc/smb.conf"))).good();
            };
            tool(&["user", "create", "alice", domain::PASSWORD]);
            // A machine's account has keys of AES.
            tool(&["spn", "add", "HTTP/mail1.dom.test", "DC1$"]);
            let principal = "--principal=HTTP/mail1.dom.test";
            tool(&["domain", "exportkeytab", &keytab.display().to_string(), principal]);
            fs::set_permissions(&keytab, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let environment = vec![
                ("KRB5_CONFIG".to_owned(), domain.path("krb5.conf").display().to_string()),
                ("KRB5CCNAME".to_owned(), format!("FILE:{}", domain.path("cache").display())),
            ];
            let mut kinit = Command::new("kinit");
            kinit.arg("alice").envs(environment.iter().map(|(name, value)| (name, value)));
            let mut kinit = kinit.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            kinit.stdin.take().unwrap().write_all(format!("{}\n", domain::PASSWORD).as_bytes()).unwrap();
            assert!(kinit.wait().unwrap().success());
            let place = Place::new("alice", &["--smtp", "alice@h1.test"]);
            let server = place.serve(&["--keytab", &keytab.display().to_string()]);
            let got = place.curl(&server, &["--negotiate", "-u", ":"], &environment);
            place.connected(&got);
            server.stop();
        }
    }
}
