//! Modes, dates and excluded folders: what stays, what goes, and what is asked first.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use watertight_sync::{Action, MessageName, Mode, Options, Since, SyncError, Tally};

use super::model::{
    Done, INBOX, Server, TOP, Told, assert_same, dirs, file, files, find_file, held, options, run, sync,
};

fn keeping() -> Options {
    Options { mode: Some(Mode::KeepDeleted), ..options() }
}

fn since(server: &Server, mid: u64) -> Options {
    let seconds = server.folders[&INBOX].mails[&mid].seconds;
    Options { since: Some(Since::Day(seconds / 86_400)), ..options() }
}

/// The files of messages that were kept: directory, MID and body.
fn kept(root: &Path) -> Vec<(String, u64, String)> {
    let mut out = Vec::new();
    for (dir, path) in dirs(root) {
        for file in ["cur", "new"].iter().flat_map(|sub| files(&path.join(sub))) {
            if let Some((name, _)) = MessageName::parse_kept(file.file_name().unwrap().to_str().unwrap()) {
                let body = std::fs::read_to_string(file).unwrap();
                out.push((dir.clone(), name.mid.counter.value(), body));
            }
        }
    }
    out.sort();
    out
}

/// Messages of as many days.
fn some(server: &mut Server, n: i64) -> Vec<u64> {
    let add = |i| {
        let mid = server.add(INBOX, &format!("message {i}"));
        server.mail(INBOX, mid).seconds = (19_000 + i) * 86_400;
        mid
    };
    (0..n).map(add).collect()
}

fn ten(server: &mut Server) -> Vec<u64> {
    some(server, 10)
}

fn told(server: &Server, root: &Path, options: Options) -> (Done, Arc<Told>) {
    let told = Arc::new(Told::default());
    let done = run(server, root, Options { progress: Arc::<Told>::clone(&told), ..options }).unwrap();
    (done, told)
}

#[test]
fn what_the_server_deletes_stays_in_its_place_and_moves_are_moves() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let other = server.add_folder("Other", TOP);
    let gone = server.add_folder("Gone", TOP);
    let m = ten(&mut server);
    let lost = server.add(gone, "in a folder that goes");
    server.mail(INBOX, m[1]).read = true;
    run(&server, root.path(), keeping()).unwrap();
    server.delete(INBOX, m[0]);
    server.delete(INBOX, m[1]);
    let moved = server.move_to(INBOX, m[2], other);
    server.folders.remove(&gone);
    server.tick();
    let (would, actions) = told(&server, root.path(), Options { dry_run: true, ..options() });
    let actions = actions.actions.lock().unwrap();
    assert_eq!(actions.iter().filter(|a| matches!(a, Action::Keep { .. })).count(), 3, "{actions:?}");
    assert!(!actions.iter().any(|a| matches!(a, Action::Remove { .. })), "{actions:?}");
    // The next run does not say it again: the Maildir remembers.
    let done = sync(&server, root.path());
    assert_eq!(done.tally, Tally { kept: 3, moved: 1, ..Tally::default() });
    assert_eq!(would.tally, done.tally);
    assert_eq!(held(root.path()), server.expected());
    assert!(find_file(root.path(), moved).is_some());
    let bodies = |root: &Path| kept(root).into_iter().map(|(dir, _, body)| (dir, body)).collect::<Vec<_>>();
    let all = [("", "message 0"), ("", "message 1"), (".Gone", "in a folder that goes")]
        .map(|(dir, body)| (dir.to_owned(), body.to_owned()));
    assert_eq!(bodies(root.path()), all);
    let names: Vec<_> = files(&root.path().join("cur"))
        .into_iter()
        .filter_map(|f| Some(f.file_name()?.to_str()?.to_owned()))
        .collect();
    assert!(names.iter().any(|n| n.ends_with(".watertight-kept:2,S")), "flags are kept: {names:?}");
    assert_eq!(sync(&server, root.path()).tally, Tally::default());
    // Nor does a lost state lose them, or the mode.
    std::fs::remove_dir_all(root.path().join("watertight")).unwrap();
    server.delete(INBOX, m[3]);
    assert_eq!(sync(&server, root.path()).tally.kept, 1);
    assert_eq!(kept(root.path()).len(), 4);
    assert!(kept(root.path()).iter().any(|(_, mid, _)| *mid == lost));
    // One that the server has again is not here twice.
    let back = super::model::Mail { cn: server.tick(), ..server.folders[&INBOX].mails[&m[4]].clone() };
    let back = super::model::Mail { body: "message 0".to_owned(), ..back };
    server.folders.get_mut(&INBOX).unwrap().mails.insert(m[0], back);
    assert_eq!(sync(&server, root.path()).tally.added, 1);
    assert_eq!(kept(root.path()).len(), 3);
}

#[test]
fn a_mirror_asks_before_it_removes_what_was_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let gone = server.add_folder("Gone", TOP);
    let m = ten(&mut server);
    server.add(gone, "in a folder that goes");
    run(&server, root.path(), keeping()).unwrap();
    server.delete(INBOX, m[0]);
    server.folders.remove(&gone);
    server.tick();
    sync(&server, root.path());
    let mirror = || Options { mode: Some(Mode::Mirror), ..options() };
    for options in [mirror(), options(), Options { dry_run: true, ..options() }] {
        let done = run(&server, root.path(), options).unwrap();
        assert_eq!(done.tally, Tally::default());
        assert_eq!(done.left_out.iter().map(|l| l.count).sum::<u64>(), 2, "{:?}", done.left_out);
        assert!(done.left_out.iter().all(|l| l.reason.contains("--allow-mass-delete")));
        assert_eq!(kept(root.path()).len(), 2);
    }
    let allowed = || Options { allow_mass_delete: true, ..mirror() };
    let would = run(&server, root.path(), Options { dry_run: true, ..allowed() }).unwrap();
    assert_eq!((would.tally.removed, kept(root.path()).len()), (2, 2));
    let done = run(&server, root.path(), allowed()).unwrap();
    assert_eq!((done.tally.removed, kept(root.path()).len()), (2, 0));
    assert!(!root.path().join(".Gone").exists());
    assert_eq!(sync(&server, root.path()), Done { tally: Tally::default(), left_out: vec![], sent: 0 });
}

#[test]
fn a_date_has_what_is_newer_and_both_ways_of_changing_it_are_right() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let m = ten(&mut server);
    let holds = |server: &Server, from: usize| {
        let mut expected = server.expected();
        expected.retain(|h| m[from..].contains(&h.mid));
        assert_same(&held(root.path()), &expected, &format!("from message {from}"));
    };
    assert_eq!(run(&server, root.path(), since(&server, m[4])).unwrap().tally.added, 6);
    holds(&server, 4);
    // Remembered.
    assert_eq!(sync(&server, root.path()), Done { tally: Tally::default(), left_out: vec![], sent: 0 });
    // Earlier: what is here does not come again.
    let done = run(&server, root.path(), since(&server, m[1])).unwrap();
    assert_eq!((done.tally, done.sent), (Tally { added: 3, ..Tally::default() }, 3));
    holds(&server, 1);
    // Later: a mirror removes, and says so before.
    let (would, told) = told(&server, root.path(), Options { dry_run: true, ..since(&server, m[3]) });
    assert_eq!(would.tally.removed, 2);
    assert!(told.warnings.lock().unwrap().iter().any(|w| w.contains("older ones are removed")));
    holds(&server, 1);
    assert_eq!(run(&server, root.path(), since(&server, m[3])).unwrap().tally.removed, 2);
    holds(&server, 3);
    // One that keeps does not, and nothing comes twice when the date goes back.
    let narrow = Options { mode: Some(Mode::KeepDeleted), ..since(&server, m[8]) };
    let done = run(&server, root.path(), narrow).unwrap();
    assert_eq!(done.tally, Tally::default());
    holds(&server, 3);
    assert_eq!(sync(&server, root.path()), Done { tally: Tally::default(), left_out: vec![], sent: 0 });
    server.edit(INBOX, m[5], "changed while it was out of scope");
    server.delete(INBOX, m[6]);
    assert_eq!(sync(&server, root.path()).tally, Tally::default());
    let done = run(&server, root.path(), Options { since: Some(Since::All), ..options() }).unwrap();
    assert_eq!(done.tally, Tally { added: 3, changed: 1, kept: 1, ..Tally::default() });
    assert_eq!(done.sent, 4);
    holds(&server, 0);
    assert_eq!(sync(&server, root.path()), Done { tally: Tally::default(), left_out: vec![], sent: 0 });
    // A mirror again, with what is older still here: it asks.
    let narrow = Options { mode: Some(Mode::KeepDeleted), ..since(&server, m[8]) };
    run(&server, root.path(), narrow).unwrap();
    let mirror = Options { mode: Some(Mode::Mirror), ..options() };
    let done = run(&server, root.path(), mirror).unwrap();
    assert_eq!((done.tally.removed, done.left_out.len()), (0, 2), "{:?}", done.left_out);
    holds(&server, 0);
    run(&server, root.path(), Options { allow_mass_delete: true, ..options() }).unwrap();
    holds(&server, 8);
    assert_eq!(kept(root.path()), []);
}

#[test]
fn a_date_that_would_remove_most_asks_first() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let m = some(&mut server, 30);
    sync(&server, root.path());
    for _ in 0..2 {
        let done = run(&server, root.path(), since(&server, m[25])).unwrap();
        assert_eq!((done.tally.removed, held(root.path()).len()), (0, 30));
        assert!(done.left_out[0].reason.contains("delivered before"), "{:?}", done.left_out);
    }
    run(&server, root.path(), Options { allow_mass_delete: true, ..options() }).unwrap();
    assert_eq!(held(root.path()).len(), 5);
}

#[test]
fn excluded_folders_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let spam = server.add_folder("Spam", TOP);
    let old = server.add_folder("old", spam);
    let work = server.add_folder("Work", TOP);
    for folder in [INBOX, spam, old, work] {
        server.add(folder, &format!("message of {folder}"));
    }
    let exclude = |patterns: &[&str]| Options {
        exclude: Some(patterns.iter().map(|p| (*p).to_owned()).collect()),
        ..options()
    };
    assert_eq!(run(&server, root.path(), exclude(&["Spam", "W?"])).unwrap().tally.added, 2);
    assert!(!root.path().join(".Spam").exists() && !root.path().join(".Spam.old").exists());
    assert_eq!(sync(&server, root.path()).tally, Tally::default(), "remembered");
    assert_eq!(run(&server, root.path(), exclude(&[])).unwrap().tally.added, 2);
    assert_eq!(held(root.path()), server.expected());
    assert!(root.path().join(".Spam/maildirfolder").exists());
    // Excluded later, what is there stays as it is, whatever becomes of it on the server.
    let before = held(root.path());
    server.add(work, "not for here");
    server.delete(spam, *server.folders[&spam].mails.keys().next().unwrap());
    run(&server, root.path(), exclude(&["Spam", "Work"])).unwrap();
    assert_eq!(held(root.path()), before);
    server.folders.remove(&work);
    server.tick();
    assert_eq!(sync(&server, root.path()).tally, Tally::default());
    assert_eq!(held(root.path()), before);
    // And is brought in step when it belongs here again.
    run(&server, root.path(), exclude(&[])).unwrap();
    assert_eq!(held(root.path()), server.expected());
    assert!(!root.path().join(".Work").exists());
}

#[test]
fn settings_that_cannot_be_read_stop_the_run() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    ten(&mut server);
    run(&server, root.path(), keeping()).unwrap();
    std::fs::write(root.path().join(watertight_sync::SETTINGS), "{").unwrap();
    assert!(matches!(run(&server, root.path(), options()), Err(SyncError::Settings { .. })));
}

#[test]
fn killed_at_any_step_nothing_that_is_to_be_kept_is_lost() {
    let mut server = Server::new();
    let gone = server.add_folder("Gone", TOP);
    let m = ten(&mut server);
    server.add(gone, "in a folder that goes");
    let mut later = server.clone();
    let work = later.add_folder("Work", TOP);
    later.delete(INBOX, m[0]);
    later.delete(INBOX, m[7]);
    later.move_to(INBOX, m[8], work);
    later.folders.remove(&gone);
    later.tick();
    let narrow = || Options { mode: Some(Mode::KeepDeleted), ..since(&server, m[3]) };
    for n in 0.. {
        let root = tempfile::tempdir().unwrap();
        run(&server, root.path(), Options { mode: Some(Mode::KeepDeleted), ..options() }).unwrap();
        let count = AtomicUsize::new(0);
        let cut = run(
            &later,
            root.path(),
            Options {
                hook: Some(Arc::new(move |what| match count.fetch_add(1, Ordering::Relaxed) >= n {
                    true => Err(io::Error::other(format!("killed before: {what}"))),
                    false => Ok(()),
                })),
                ..narrow()
            },
        );
        if n % 3 == 0 {
            let _ = std::fs::remove_file(root.path().join("watertight/state.db"));
        }
        run(&later, root.path(), narrow()).unwrap();
        let what = format!("killed after {n} steps: {cut:?}");
        let mut bodies: Vec<String> = kept(root.path()).into_iter().map(|(_, _, body)| body).collect();
        bodies.extend(held(root.path()).into_iter().map(|h| h.body));
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 11, "{what}: {bodies:?}");
        assert_eq!(run(&later, root.path(), narrow()).unwrap().tally, Tally::default(), "{what}");
        if cut.is_ok() {
            assert!(n > 20, "{n}");
            return;
        }
    }
}

#[test]
fn a_kept_file_is_somebody_elses() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::new();
    let m = ten(&mut server);
    run(&server, root.path(), keeping()).unwrap();
    let before: PathBuf = file(root.path(), m[0]);
    server.delete(INBOX, m[0]);
    sync(&server, root.path());
    let name = before.file_name().unwrap().to_str().unwrap();
    assert!(root.path().join("new").join(format!("{name}-kept")).exists());
}
