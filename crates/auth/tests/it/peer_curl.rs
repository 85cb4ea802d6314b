//! curl signs in to a small HTTP server of this test's: NTLM without a MIC and in the machine's code page, and
//! Negotiate by MIT's library.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use watertight_auth::http::Scheme;
use watertight_auth::{Accounts, BindingPolicy, Mechanism, Peer, Security, Server};
use watertight_ledger::Ledger;

use crate::support::{Alice, security};

/// Serves connections until somebody is let in, or one ends. Says who was let in.
fn serve(
    listener: &TcpListener,
    security: &Security,
    scheme: Scheme,
    accounts: &Arc<dyn Accounts>,
) -> Option<(Mechanism, Peer)> {
    let (stream, _) = listener.accept().unwrap();
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut exchange: Option<Server> = None;
    loop {
        let authorization = read_request(&mut input)?;
        let token = authorization.and_then(|value| Scheme::credentials(value.as_bytes()));
        let Some((_, token)) = token.filter(|(found, _)| *found == scheme) else {
            answer(&stream, "401 Unauthorized", Some(&scheme.header(None)));
            continue;
        };
        let fresh = || Server::new(security, scheme.mechanism(), Arc::clone(accounts), BindingPolicy::Ignore);
        match exchange.get_or_insert_with(fresh).step(&token) {
            Ok(step) => {
                let header = step.token.as_ref().map(|token| scheme.header(Some(token)));
                match step.done {
                    Some(context) => {
                        answer(&stream, "200 OK", header.as_deref());
                        return Some((context.mechanism(), context.peer().clone()));
                    }
                    None => answer(&stream, "401 Unauthorized", header.as_deref()),
                }
            }
            Err(_) => {
                answer(&stream, "401 Unauthorized", Some(&scheme.header(None)));
                return None;
            }
        }
    }
}

/// The Authorization header of the next request; none at the connection's end.
fn read_request(input: &mut impl BufRead) -> Option<Option<String>> {
    let mut authorization = None;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some(authorization);
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
    }
}

fn answer(mut stream: &TcpStream, status: &str, authenticate: Option<&str>) {
    let header = authenticate.map_or_else(String::new, |value| format!("WWW-Authenticate: {value}\r\n"));
    stream.write_all(format!("HTTP/1.1 {status}\r\n{header}Content-Length: 2\r\n\r\nok").as_bytes()).unwrap();
}

/// The status that curl ended with, and who was let in.
fn curl(
    security: &Security,
    accounts: &Arc<dyn Accounts>,
    scheme: Scheme,
    arguments: &[&str],
    environment: &[(String, String)],
) -> (String, Option<(Mechanism, Peer)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let child = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"])
        .args(["--resolve", &format!("mail1.dom.test:{port}:127.0.0.1")])
        .args(arguments)
        .arg(format!("http://mail1.dom.test:{port}/"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let who = serve(&listener, security, scheme, accounts);
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), who)
}

#[test]
fn ntlm() {
    let security = security(&Ledger::new("test"));
    // curl widens the bytes of a password, which is right for ASCII only.
    let accounts: Arc<dyn Accounts> = Arc::new(Alice("Passw0rd!"));
    let run = |user: &str| curl(&security, &accounts, Scheme::Ntlm, &["--ntlm", "-u", user], &[]);
    let (status, who) = run("DOM\\alice:Passw0rd!");
    let (mechanism, peer) = who.expect("alice is let in");
    assert_eq!((status.as_str(), mechanism), ("200", Mechanism::Ntlm));
    assert_eq!((peer.name.as_str(), peer.domain.as_str()), ("alice", "DOM"));
    let (status, who) = run("DOM\\alice:wrong");
    assert_eq!((status.as_str(), who.is_some()), ("401", false));
}

/// Needs MIT's KDC too.
mod peer_krb5 {
    use super::*;
    use crate::kdc::Kdc;

    #[test]
    fn negotiate() {
        let kdc = Kdc::start();
        kdc.kinit();
        let security = kdc.security(&Ledger::new("test"));
        let accounts = kdc.accounts("keytab");
        let arguments = ["--negotiate", "-u", ":"];
        let (status, who) = curl(&security, &accounts, Scheme::Negotiate, &arguments, &kdc.environment());
        let (mechanism, peer) = who.expect("alice is let in");
        assert_eq!((status.as_str(), mechanism), ("200", Mechanism::Kerberos));
        assert_eq!((peer.name.as_str(), peer.domain.as_str()), ("alice", "DOM.TEST"));
    }
}
