//! Judged by mbsync and offlineimap: Maildirs that they made of a mailbox of Dovecot are taken over.
//! `cargo xtask test` leaves this module out, and says so, where they are not installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use watertight_sync::{MessageName, folder_name};

use crate::harness::{House, ended, small_maildir};

/// A mailbox of Dovecot, which its `imap` program serves to whoever starts it.
struct Dovecot {
    dir: TempDir,
    script: PathBuf,
}

impl Dovecot {
    /// With a copy of that Maildir.
    fn new(mail: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = rustix::process::geteuid().is_root();
        // Dovecot does not open mail for root.
        let who = |option: &str| {
            let id = Command::new("id").arg(option).args(root.then_some("mail")).output().unwrap();
            String::from_utf8(id.stdout).unwrap().trim().to_owned()
        };
        let (uid, gid) = (who("-u"), who("-g"));
        let here = dir.path().display();
        fs::create_dir(dir.path().join("home")).unwrap();
        fs::write(dir.path().join("log"), "").unwrap();
        fs::write(
            dir.path().join("dovecot.conf"),
            format!(
                "base_dir = {here}/run\nstate_dir = {here}/run\nlog_path = {here}/log\nssl = no\nprotocols = imap\n\
                 mail_location = maildir:{here}/mail\nmail_home = {here}/home\nmail_uid = {uid}\nmail_gid = {gid}\n\
                 first_valid_uid = 1\nfirst_valid_gid = 1\nstats_writer_socket_path =\n"
            ),
        )
        .unwrap();
        // Its standard input must be no socket, which mbsync would give it.
        let script = dir.path().join("imap");
        fs::write(
            &script,
            format!(
                "#!/bin/sh\nexec 3<&0\nexport USER=anna HOME={here}/home\nmkfifo {here}/in.$$\ncat > {here}/in.$$ <&3 3<&- &\n\
                 /usr/lib/dovecot/imap -c {here}/dovecot.conf < {here}/in.$$ 3<&- | cat 3<&-\nkill $!\nrm -f {here}/in.$$\n"
            ),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let good = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
        good(Command::new("cp").arg("-r").arg(mail).arg(dir.path().join("mail")));
        if root {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let owner = format!("{uid}:{gid}");
            good(
                Command::new("chown")
                    .args(["-R", &owner])
                    .args(["mail", "home", "log"].map(|n| dir.path().join(n))),
            );
        }
        Self { dir, script }
    }

    fn tunnel(&self) -> String {
        self.script.display().to_string()
    }

    /// The mailbox as mbsync keeps it.
    fn mbsync(&self, sub_folders: &str, into: &Path) {
        fs::create_dir_all(into).unwrap();
        let (place, inbox) = match sub_folders {
            "Maildir++" => (String::new(), into.display().to_string()),
            _ => (format!("Path {}/\n", into.display()), format!("{}/INBOX", into.display())),
        };
        let config = self.dir.path().join("mbsyncrc");
        let text = format!(
            "IMAPAccount anna\nTunnel \"{}\"\n\nIMAPStore far\nAccount anna\n\nMaildirStore near\n{place}Inbox {inbox}\n\
             SubFolders {sub_folders}\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync Pull\n\
             SyncState *\nCopyArrivalDate yes\n",
            self.tunnel()
        );
        fs::write(&config, text).unwrap();
        let mut mbsync = Command::new("timeout");
        mbsync.args(["60", "mbsync", "-q", "-c"]).arg(&config).arg("all").env("HOME", self.dir.path());
        ended(&mut mbsync).good();
    }

    /// The mailbox as offlineimap keeps it.
    fn offlineimap(&self, into: &Path) {
        let config = self.dir.path().join("offlineimaprc");
        let text = format!(
            "[general]\naccounts = anna\nmetadata = {}/metadata\nui = quiet\n[Account anna]\nlocalrepository = near\n\
             remoterepository = far\n[Repository near]\ntype = Maildir\nlocalfolders = {}\n[Repository far]\ntype = IMAP\n\
             preauthtunnel = {}\n",
            self.dir.path().display(),
            into.display(),
            self.tunnel()
        );
        fs::write(&config, text).unwrap();
        let mut offlineimap = Command::new("timeout");
        offlineimap.args(["60", "offlineimap", "-o", "-c"]).arg(&config).env("HOME", self.dir.path());
        ended(&mut offlineimap).good();
    }
}

/// The messages of ours: each file's name with its folder, its flags, and its digest without what programs add.
fn messages(root: &Path) -> BTreeMap<String, (String, Vec<u8>)> {
    let mut out = BTreeMap::new();
    let dirs = fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
    let dirs =
        dirs.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with('.')).chain([root.to_owned()]);
    for dir in dirs {
        for file in ["cur", "new"].iter().filter_map(|sub| fs::read_dir(dir.join(sub)).ok()).flatten() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some((parsed, flags)) = MessageName::parse(name) else { continue };
            let place = dir.strip_prefix(root).unwrap().display();
            let said = said(&fs::read(&path).unwrap());
            let twice = out.insert(format!("{place}/{}", parsed.unique()), (flags.to_string(), said));
            assert!(twice.is_none(), "{name} is there twice");
        }
    }
    out
}

/// A mail without what programs do to every one of them: line ends, folding, and mbsync's field.
fn said(mail: &[u8]) -> Vec<u8> {
    let lines = mail.split(|b| *b == b'\n').filter(|line| !line.starts_with(b"X-TUID: "));
    lines.flatten().copied().filter(|b| !b.is_ascii_whitespace()).collect()
}

/// What all mail files in a tree say, whatever its layout.
fn everything(dir: &Path) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for path in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            out.extend(everything(&path));
        } else if dir.ends_with("cur") || dir.ends_with("new") {
            out.push(said(&fs::read(&path).unwrap()));
        }
    }
    out
}

/// The same mail in Dovecot and here.
fn house() -> (House, Dovecot) {
    let house = House::new();
    let source = house.path("source");
    small_maildir(&source, 40);
    let folder = source.join(format!(".{}", folder_name::encode("Grüße")));
    ["cur", "new", "tmp"].iter().for_each(|part| fs::create_dir_all(folder.join(part)).unwrap());
    for (n, (name, bytes)) in watertight_testkit::corpus::eml().into_iter().enumerate() {
        let part = if n % 3 == 0 { folder.join("cur") } else { source.join("cur") };
        fs::write(
            part.join(format!("{}.M{n}.{name}:2,{}", 1_690_000_000 + n, ["S", "", "FS"][n % 3])),
            bytes,
        )
        .unwrap();
    }
    ended(&mut house.import(std::slice::from_ref(&source))).good();
    let dovecot = Dovecot::new(&source);
    (house, dovecot)
}

fn flags(mails: &BTreeMap<String, (String, Vec<u8>)>) -> BTreeMap<&str, &str> {
    mails.iter().map(|(name, (flags, _))| (name.as_str(), flags.as_str())).collect()
}

/// How many mails of the corpus are not recognised in what offlineimap wrote: those with a line in the header that is
/// no field, at which it ends the header, and that share Message-ID, subject and date with another or have none.
const MAULED: usize = 5;

/// Takes the Maildir over and compares with what a first synchronization has.
fn taken_over(
    house: &House,
    mail: &Path,
    url: &str,
    fresh: &BTreeMap<String, (String, Vec<u8>)>,
    octets: u64,
    mauled: usize,
) {
    let refused = ended(&mut house.sync(url, mail));
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("--adopt"), "{}", refused.stderr);
    // Malformed mail that the program itself repaired, or damaged: it may be known by its head, and need not.
    let whole: BTreeSet<&[u8]> = fresh.values().map(|(_, said)| said.as_slice()).collect();
    let altered = everything(mail).iter().filter(|said| !whole.contains(said.as_slice())).count();
    let would = ended(house.sync(url, mail).args(["--adopt", "--dry-run"])).json();
    let report = ended(house.sync(url, mail).arg("--adopt")).json();
    for key in ["adopted", "added", "conflicts"] {
        assert_eq!(would[key], report[key], "{key}: {would}");
    }
    let number = |key: &str| usize::try_from(report[key].as_u64().unwrap()).unwrap();
    let left = report["left_out"].as_array().unwrap().len();
    assert_eq!(number("adopted") + number("added"), fresh.len(), "{report}");
    assert_eq!((number("added"), number("conflicts")), (left, 0), "{report}");
    assert!(left <= mauled, "{altered} altered: {report}");
    let received = report["bytes_received"].as_u64().unwrap();
    assert!(received < octets / 3, "{received} of {octets}: {report}");
    let here = messages(mail);
    assert_eq!(flags(&here), flags(fresh));
    let differs = here.iter().filter(|(name, (_, said))| fresh[*name].1 != *said).count();
    assert!(differs <= altered, "{differs} of {altered}");
    let again = ended(&mut house.sync(url, mail)).good().json();
    for key in ["added", "changed", "removed", "kept", "adopted", "moved", "flags", "conflicts"] {
        assert_eq!(again[key], 0, "{key}: {again}");
    }
}

fn judged(make: impl Fn(&Dovecot, &Path), names: &[&str], mauled: usize) {
    let (house, dovecot) = house();
    let server = house.serve(&[]);
    let fresh = house.path("fresh");
    let first = ended(&mut house.sync(&server.url, &fresh)).good().json();
    let fresh = messages(&fresh);
    assert_eq!(first["added"].as_u64(), u64::try_from(fresh.len()).ok());
    for name in names {
        let mail = house.path(name);
        make(&dovecot, &mail);
        taken_over(&house, &mail, &server.url, &fresh, first["bytes_received"].as_u64().unwrap(), mauled);
    }
    server.stop();
}

#[test]
fn peer_mbsync_a_maildir_is_taken_over() {
    let layouts = ["Verbatim", "Legacy", "Maildir++"];
    judged(|dovecot, mail| dovecot.mbsync(mail.file_name().unwrap().to_str().unwrap(), mail), &layouts, 0);
}

#[test]
fn peer_offlineimap_a_maildir_is_taken_over() {
    judged(|dovecot, mail| dovecot.offlineimap(mail), &["offline"], MAULED);
}
