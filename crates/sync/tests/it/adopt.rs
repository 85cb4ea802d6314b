//! Maildirs that other programs made are taken over.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use watertight_sync::{Action, Options, SyncError, Tally};

use super::model::{Held, INBOX, Server, TOP, Told, assert_same, held, options, run, sync};

fn mail(n: usize, text: &str) -> String {
    format!(
        "Message-ID: <{n}@example.org>\nSubject: message number\n {n}\nDate: Mon, 02 Jan 2023 10:00:{n:02} +0000\n\n{text}\n"
    )
}

/// A server with mail in three folders, some of it hard to tell apart.
fn server() -> Server {
    let mut server = Server::new();
    let archive = server.add_folder("Archive", TOP);
    let old = server.add_folder("Grüße v1.2", archive);
    for (i, folder) in [INBOX, INBOX, INBOX, archive, archive, old, old].into_iter().enumerate() {
        let mid = server.add(folder, &mail(i, "A line."));
        server.mail(folder, mid).read = i % 2 == 0;
    }
    // The same mail in two folders, and twice in one.
    server.add_keyed(archive, &mail(0, "A line."), "copy");
    server.add_keyed(INBOX, &mail(20, "Twice."), "one");
    server.add_keyed(INBOX, &mail(20, "Twice."), "two");
    // One Message-ID, two texts: a list's copy and the one that was sent directly.
    server.add_keyed(INBOX, &mail(21, "Directly."), "direct");
    server.add_keyed(INBOX, &mail(21, "By a list, with a footer."), "list");
    // Nothing but a date and a subject, and nothing at all.
    server.add(INBOX, &mail(22, "Without an id.").replace("Message-ID: <22@example.org>\n", ""));
    server.add(INBOX, "X-Nothing: at all\n\nOnly text.\n");
    server
}

/// How a program writes: the directory of a folder, and what it does to a mail.
type Layout = (&'static str, fn(&str) -> PathBuf, fn(&str) -> String);

const LAYOUTS: [Layout; 4] = [
    ("Maildir++", |path| maildirpp(path), |mail| mail.to_owned()),
    (
        "mbsync, verbatim",
        |path| verbatim(path),
        |mail| mail.replacen("\n\n", "\nX-TUID: 123456789012\n\n", 1),
    ),
    ("mbsync, legacy", |path| legacy(path), |mail| mail.replace('\n', "\r\n")),
    (
        "offlineimap",
        |path| dotted(path),
        |mail| mail.replacen("Subject: message number\n ", "Subject: message number ", 1),
    ),
];

fn coded(name: &str) -> String {
    watertight_sync::folder_name::encode(name)
}

fn plain(name: &str) -> String {
    // As IMAP names it: a dot is a dot.
    coded(&name.replace('.', "\u{1}")).replace("AAE-", "-").replace('\u{1}', ".")
}

fn maildirpp(path: &str) -> PathBuf {
    match path {
        "INBOX" => PathBuf::new(),
        path => path.split('/').fold(String::new(), |out, name| format!("{out}.{}", coded(name))).into(),
    }
}

fn verbatim(path: &str) -> PathBuf {
    path.split('/').map(coded).collect()
}

fn legacy(path: &str) -> PathBuf {
    let mut names = path.split('/').map(coded);
    let first = names.next().unwrap();
    names.fold(first.into(), |dir: PathBuf, name| dir.join(format!(".{name}")))
}

fn dotted(path: &str) -> PathBuf {
    path.split('/').map(plain).collect::<Vec<_>>().join(".").into()
}

/// What the program made of the mailbox.
fn made(server: &Server, root: &Path, (_, dir, alter): Layout) -> BTreeMap<PathBuf, Vec<u8>> {
    for (n, (path, bodies)) in folders(server).into_iter().enumerate() {
        let dir = root.join(dir(&path));
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(dir.join(sub)).unwrap();
        }
        fs::write(dir.join(".uidvalidity"), "1\n2\n").unwrap();
        for (uid, (body, read)) in bodies.into_iter().enumerate() {
            let (sub, flags) = if read { ("cur", ":2,S") } else { ("new", "") };
            fs::write(dir.join(sub).join(format!("16726536{n}{uid}.1_2.host,U={uid}{flags}")), alter(&body))
                .unwrap();
        }
    }
    every_file(root)
}

fn folders(server: &Server) -> BTreeMap<String, Vec<(String, bool)>> {
    let mut out = BTreeMap::new();
    for (fid, folder) in &server.folders {
        let path = match (*fid, folder.parent) {
            (INBOX, _) => "INBOX".to_owned(),
            (_, TOP) => folder.name.clone(),
            (_, parent) => format!("{}/{}", server.folders[&parent].name, folder.name),
        };
        out.insert(path, folder.mails.values().map(|m| (m.body.clone(), m.read)).collect());
    }
    out
}

fn every_file(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                out.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    out
}

fn adopting() -> Options {
    Options { adopt: true, ..options() }
}

/// As the server has it, with the bytes that were here.
fn as_altered(server: &Server, alter: fn(&str) -> String) -> std::collections::BTreeSet<Held> {
    server.expected().into_iter().map(|h| Held { body: alter(&h.body), ..h }).collect()
}

#[test]
fn what_is_here_is_recognised_in_every_layout() {
    for layout in LAYOUTS {
        let (what, dir, alter) = layout;
        let root = tempfile::tempdir().unwrap();
        let server = server();
        let before = made(&server, root.path(), layout);
        let own = dir("INBOX").join("cur/1.2_3.host:2,S");
        fs::write(root.path().join(&own), mail(90, "Only here.")).unwrap();
        assert!(matches!(run(&server, root.path(), options()), Err(SyncError::NotOurs(_))), "{what}");
        assert_eq!(every_file(root.path()).len(), before.len() + 1);
        let told = Arc::new(Told::default());
        let dry = Options { dry_run: true, progress: Arc::<Told>::clone(&told), ..adopting() };
        let would = run(&server, root.path(), dry).unwrap();
        assert_eq!(every_file(root.path()).len(), before.len() + 1, "{what}");
        let done = run(&server, root.path(), adopting()).unwrap();
        assert_eq!(done.tally, Tally { adopted: 14, ..Tally::default() }, "{what}");
        assert_eq!((would.tally, &would.left_out), (done.tally, &done.left_out), "{what}");
        let actions = told.actions.lock().unwrap();
        assert_eq!(actions.iter().filter(|a| matches!(a, Action::Adopt { .. })).count(), 14, "{actions:?}");
        assert!(!actions.iter().any(|a| matches!(a, Action::Add { .. })), "{actions:?}");
        // Of one Message-ID with two texts both were compared, and what has no name at all.
        assert_eq!(done.sent, 3, "{what}");
        assert_same(&held(root.path()), &as_altered(&server, alter), what);
        assert_eq!(done.left_out.len(), 1, "{what}: {:?}", done.left_out);
        assert_eq!(done.left_out[0].message.as_deref(), own.to_str());
        assert!(root.path().join(own).exists());
        assert!(root.path().join(dir("Archive")).join(".uidvalidity").exists());
        let again = sync(&server, root.path());
        assert_eq!((again.tally, again.left_out.len(), again.sent), (Tally::default(), 0, 0), "{what}");
    }
}

#[test]
fn the_server_wins_and_what_is_not_the_same_is_downloaded() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let sent = server.add_folder("Sent Items", TOP);
    let m: Vec<u64> = (0..6).map(|i| server.add(INBOX, &mail(i, &"A longer text. ".repeat(4000)))).collect();
    let moved = server.add(sent, &mail(7, "Moved since."));
    let cur = root.path().join("cur");
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.path().join(sub)).unwrap();
    }
    let put = |name: &str, text: String| fs::write(cur.join(name), text).unwrap();
    let long = "A longer text. ".repeat(4000);
    // Marked here only; a keyword of a reader; another subject; only a head; what mbsync leaves of a large one.
    put("1.a:2,FS", mail(0, &long));
    put("2.a:2,a", mail(1, &long));
    put("3.a:2,", mail(2, &long).replace("message number", "another"));
    put("4.a:2,", mail(3, ""));
    put("5.a:2,", mail(4, "Having a size of 60K, this message is over the MaxSize limit.\n"));
    put("6.a:2,", mail(7, "Moved since."));
    let told = Arc::new(Told::default());
    let done =
        run(&server, root.path(), Options { progress: Arc::<Told>::clone(&told), ..adopting() }).unwrap();
    let tally = Tally { adopted: 3, added: 4, conflicts: 1, ..Tally::default() };
    assert_eq!((done.tally, done.left_out.len(), done.sent), (tally, 3, 4), "{:?}", done.left_out);
    let mut expected = server.expected();
    expected = expected
        .into_iter()
        .map(|h| if h.mid == m[1] { Held { flags: "a".to_owned(), ..h } } else { h })
        .collect();
    assert_same(&held(root.path()), &expected, "the server wins");
    assert!(held(root.path()).iter().any(|h| h.mid == moved && h.dir == ".Sent Items"));
    let changes =
        told.actions.lock().unwrap().iter().filter(|a| matches!(a, Action::SetFlags { .. })).count();
    assert_eq!(changes, 1);
    for stays in ["3.a:2,", "4.a:2,", "5.a:2,"] {
        assert!(cur.join(stays).exists(), "{stays}");
    }
}

#[test]
fn killed_at_any_step_nothing_is_lost_and_nothing_is_doubled() {
    let server = server();
    for n in (0..).step_by(2) {
        let layout = LAYOUTS[(n / 2) % LAYOUTS.len()];
        let root = tempfile::tempdir().unwrap();
        let before = made(&server, root.path(), layout);
        let count = AtomicUsize::new(0);
        let cut = run(
            &server,
            root.path(),
            Options {
                hook: Some(Arc::new(move |what| match count.fetch_add(1, Ordering::Relaxed) >= n {
                    true => Err(io::Error::other(format!("killed before: {what}"))),
                    false => Ok(()),
                })),
                ..adopting()
            },
        );
        let what = format!("{}: killed after {n} steps: {cut:?}", layout.0);
        let mails = |files: BTreeMap<PathBuf, Vec<u8>>| {
            let is_mail =
                |path: &PathBuf| path.parent().is_some_and(|p| p.ends_with("cur") || p.ends_with("new"));
            let mut all: Vec<_> =
                files.into_iter().filter(|(path, _)| is_mail(path)).map(|(_, b)| b).collect();
            all.sort();
            all
        };
        assert_eq!(mails(every_file(root.path())), mails(before), "{what}");
        // A run that goes on needs not be told again, once it began.
        let begun = root.path().join("watertight").exists();
        if n % 6 == 0 {
            let _ = fs::remove_file(root.path().join("watertight/state.db"));
        }
        let done = run(&server, root.path(), if begun { options() } else { adopting() }).unwrap();
        assert_eq!((done.tally.added, done.left_out.len()), (0, 0), "{what}: {:?}", done.left_out);
        assert_same(&held(root.path()), &as_altered(&server, layout.2), &what);
        assert_eq!(sync(&server, root.path()).tally, Tally::default(), "{what}");
        if cut.is_ok() {
            assert!(n > 40, "{n}");
            return;
        }
    }
}

#[test]
fn an_empty_place_and_a_place_of_something_else() {
    let root = tempfile::tempdir().unwrap();
    let server = server();
    let fresh = root.path().join("fresh");
    assert_eq!(run(&server, &fresh, adopting()).unwrap().tally.added, 14);
    assert_eq!(held(&fresh), server.expected());
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter.txt"), "not mail").unwrap();
    assert!(matches!(run(&server, &other, adopting()), Err(SyncError::NotOurs(_))));
}

#[test]
fn what_belongs_here_later_is_taken_over_then() {
    let root = tempfile::tempdir().unwrap();
    let server = server();
    let before = made(&server, root.path(), LAYOUTS[0]);
    let own = root.path().join("cur/1.2_3.host:2,S");
    fs::write(&own, mail(90, "Only here.")).unwrap();
    let exclude = |patterns: &[&str], options: Options| Options {
        exclude: Some(patterns.iter().map(|p| (*p).to_owned()).collect()),
        ..options
    };
    let done = run(&server, root.path(), exclude(&["Archive"], adopting())).unwrap();
    assert_eq!(done.tally, Tally { adopted: 9, ..Tally::default() });
    assert_eq!(done.left_out.len(), 6, "{:?}", done.left_out);
    assert_eq!(sync(&server, root.path()).tally, Tally::default());
    let would = run(&server, root.path(), exclude(&[], Options { dry_run: true, ..options() })).unwrap();
    let done = run(&server, root.path(), exclude(&[], options())).unwrap();
    assert_eq!((done.tally, done.sent), (Tally { adopted: 5, ..Tally::default() }, 0));
    assert_eq!((would.tally, &would.left_out), (done.tally, &done.left_out));
    assert_same(&held(root.path()), &server.expected(), "with the archive");
    assert_eq!(done.left_out.len(), 1);
    let mails =
        every_file(root.path()).into_keys().filter(|p| p.parent().is_some_and(|p| p.ends_with("cur")));
    let fresh =
        every_file(root.path()).into_keys().filter(|p| p.parent().is_some_and(|p| p.ends_with("new")));
    let mails_before = before.keys().filter(|p| p.file_name().unwrap() != ".uidvalidity").count();
    assert_eq!(mails.count() + fresh.count(), mails_before + 1, "nothing is there twice");
    assert_eq!(sync(&server, root.path()).tally, Tally::default());
}

#[test]
fn mails_that_share_an_id_are_told_apart_by_subject_and_date() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let id = |n: usize| mail(n, "A line.").replace(&format!("<{n}@"), "<same@");
    for n in 0..6 {
        server.add(INBOX, &id(n));
    }
    // Two that only their texts tell apart, and one that is not here.
    server.add_keyed(INBOX, &id(7), "a");
    server.add_keyed(INBOX, &id(7).replace("A line.", "Another line."), "b");
    made(&server, root.path(), LAYOUTS[2]);
    server.add(INBOX, &id(8));
    let done = run(&server, root.path(), adopting()).unwrap();
    assert_eq!((done.tally, done.sent), (Tally { adopted: 8, added: 1, ..Tally::default() }, 3));
    assert!(done.left_out.is_empty(), "{:?}", done.left_out);
}
