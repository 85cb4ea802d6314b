//! A process of `peer.py`: one side of an exchange by a library that is not ours.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use watertight_auth::{AuthError, Client, SecurityContext, Server};

/// The other side. It ends when it drops.
pub struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The Python that `cargo xtask test` installed the libraries for; Samba's is Debian's own.
fn python(library: &str) -> PathBuf {
    if library == "samba" {
        return PathBuf::from("/usr/bin/python3");
    }
    if let Some(path) = std::env::var_os("WATERTIGHT_PEER_PYTHON") {
        return path.into();
    }
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/bin/python")
}

impl Peer {
    /// Starts one: library, role, mechanism, options.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with additions to its environment.
    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let python = python(arguments.first().copied().unwrap_or_default());
        let mut child = Command::new(&python)
            .args(["-c", include_str!("peer.py")])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: `cargo xtask test` installs it", python.display()));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    fn ask(&mut self, verb: &str, arguments: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut line = verb.to_owned();
        for argument in arguments {
            line.push(' ');
            line.push_str(&hex(argument));
        }
        line.push('\n');
        self.input.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        let mut words = answer.trim_end_matches('\n').split(' ').map(str::to_owned);
        match words.next().as_deref() {
            Some("error") => Err(words.collect::<Vec<_>>().join(" ")),
            Some("") | None => Err("the peer ended".to_owned()),
            Some(first) => Ok(std::iter::once(first.to_owned()).chain(words).collect()),
        }
    }

    /// Its next token, and whether it is content.
    pub fn step(&mut self, token: &[u8]) -> Result<(Option<Vec<u8>>, bool), String> {
        let answer = self.ask("step", &[token])?;
        let token = unhex(&answer[1]);
        Ok(((!token.is_empty()).then_some(token), answer[0] == "done"))
    }

    pub fn bytes(&mut self, verb: &str, arguments: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
        Ok(self.ask(verb, arguments)?[1..].iter().map(|word| unhex(word)).collect())
    }

    /// Signs and seals in both directions, several times.
    pub fn talk(&mut self, ours: &mut dyn SecurityContext) {
        assert_eq!(self.bytes("key", &[]).unwrap()[0], ours.session_key().as_bytes());
        for n in 0..4_u8 {
            let text = vec![n; 20 + usize::from(n)];
            let signature = ours.sign(&[&text]).unwrap();
            self.bytes("verify", &[&text, &signature]).unwrap();
            let signature = self.bytes("sign", &[&text]).unwrap().remove(0);
            ours.verify(&[&text], &signature).unwrap();
        }
    }

    /// The fragments of DCE/RPC, their header and trailer signed too.
    pub fn talk_rpc(&mut self, ours: &mut dyn SecurityContext) {
        for n in 0..4_u8 {
            let text = vec![n; 32];
            let mut body = text.clone();
            let signature = ours.seal(b"head", &mut body, b"tail").unwrap();
            assert_eq!(signature.len(), ours.signature_len(true));
            let clear = self.bytes("unseal3", &[b"head", &body, b"tail", &signature]).unwrap();
            assert_eq!(clear[0], text);
            let sealed = self.bytes("seal3", &[b"head", &text, b"tail"]).unwrap();
            let mut body = sealed[0].clone();
            ours.unseal(b"head", &mut body, b"tail", &sealed[1]).unwrap();
            assert_eq!(body, text);
        }
    }

    /// Seals without header and trailer, the signature in front: GSS_Wrap of NTLM.
    pub fn talk_wrapped(&mut self, ours: &mut dyn SecurityContext) {
        for n in 0..4_u8 {
            let text = vec![n; 33];
            let mut body = text.clone();
            let signature = ours.seal(&[], &mut body, &[]).unwrap();
            let clear = self.bytes("unseal", &[&[signature, body].concat()]).unwrap();
            assert_eq!(clear[0], text);
            let sealed = self.bytes("seal", &[&text]).unwrap().remove(0);
            let (signature, body) = sealed.split_at(ours.signature_len(true));
            let mut body = body.to_vec();
            ours.unseal(&[], &mut body, &[], signature).unwrap();
            assert_eq!(body, text);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// What went wrong, on which side.
#[derive(Debug)]
pub enum Failed {
    Ours(AuthError),
    Theirs(String),
}

/// Our client against their server.
pub fn with_their_server(client: &mut Client, peer: &mut Peer) -> Result<Box<dyn SecurityContext>, Failed> {
    let mut token = Vec::new();
    let mut context = None;
    for _ in 0..6 {
        let step = client.step(&token).map_err(Failed::Ours)?;
        context = step.done.or(context);
        let Some(ours) = step.token else { break };
        let (theirs, done) = peer.step(&ours).map_err(Failed::Theirs)?;
        match theirs {
            Some(theirs) => token = theirs,
            None => {
                assert!(done, "the peer wants more and says nothing");
                break;
            }
        }
    }
    Ok(context.expect("a context"))
}

/// Their client against our server.
pub fn with_their_client(server: &mut Server, peer: &mut Peer) -> Result<Box<dyn SecurityContext>, Failed> {
    let mut token = Vec::new();
    let mut context = None;
    for _ in 0..6 {
        let (theirs, done) = peer.step(&token).map_err(Failed::Theirs)?;
        let Some(theirs) = theirs else {
            assert!(done, "the peer wants more and says nothing");
            break;
        };
        let step = server.step(&theirs).map_err(Failed::Ours)?;
        context = step.done.or(context);
        match step.token {
            Some(ours) => token = ours,
            None => break,
        }
    }
    Ok(context.expect("a context"))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
