//! A run that is cut off at any step on disk, and the run after it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use watertight_sync::{FolderRun, Hook, Options, Replica, SyncResult};

use super::model::{Held, INBOX, Server, TOP, assert_same, find_file, held, id, options, run, sync};

/// Lets that many steps pass; from then on nothing can be changed on disk any more, as if the process were gone.
fn dies_after(steps: usize) -> (Hook, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let hook: Hook = Arc::new(move |what| {
        if seen.fetch_add(1, Ordering::Relaxed) >= steps {
            return Err(io::Error::other(format!("killed before: {what}")));
        }
        Ok(())
    });
    (hook, count)
}

fn first() -> Server {
    let mut server = Server::new();
    let a = server.add_folder("A", TOP);
    let b = server.add_folder("B", a);
    for i in 0..6 {
        for folder in [INBOX, a, b] {
            let mid = server.add(folder, &format!("message {i} of {folder}"));
            server.mail(folder, mid).read = i % 2 == 0;
        }
    }
    server
}

/// Something of everything.
fn second(server: &mut Server) {
    let fids: Vec<u64> = server.folders.keys().copied().collect();
    let (a, b) = (fids[1], fids[2]);
    let inbox: Vec<u64> = server.folders[&INBOX].mails.keys().copied().collect();
    server.edit(INBOX, inbox[0], "another text");
    server.flag(INBOX, inbox[1], 2);
    server.read(INBOX, inbox[2], false);
    server.read(INBOX, inbox[3], true);
    server.delete(INBOX, inbox[4]);
    server.move_to(INBOX, inbox[5], a);
    server.rename_folder(a, "B", TOP);
    server.rename_folder(b, "A", TOP);
    let c = server.add_folder("C", b);
    server.add(c, &"large ".repeat(12_000));
    server.add(INBOX, "new");
    let gone = server.add_folder("gone", TOP);
    server.add(gone, "there for a moment");
}

#[test]
fn killed_at_any_step_of_a_first_run_one_more_run_is_right() {
    let server = first();
    let total = steps(&server, None);
    assert!(total > 40, "{total}");
    for n in 0..=total {
        killed(&server, None, n);
    }
}

#[test]
fn killed_at_any_step_of_a_later_run_one_more_run_is_right() {
    let server = first();
    let mut later = server.clone();
    second(&mut later);
    let total = steps(&server, Some(&later));
    for n in 0..=total {
        killed(&server, Some(&later), n);
    }
}

#[test]
fn killed_at_any_step_and_again_and_with_a_lost_state() {
    let server = first();
    let mut later = server.clone();
    second(&mut later);
    let mut last = later.clone();
    let gone = *last.folders.keys().last().unwrap();
    last.folders.remove(&gone);
    last.tick();
    let total = steps(&server, Some(&later));
    for n in (0..=total).step_by(3) {
        let root = tempfile::tempdir().unwrap();
        sync(&server, root.path());
        let (hook, _) = dies_after(n);
        let _ = run(&later, root.path(), Options { hook: Some(hook), ..options() });
        let (hook, _) = dies_after(n / 2);
        let _ = run(&later, root.path(), Options { hook: Some(hook), ..options() });
        if n % 2 == 0 {
            let _ = std::fs::remove_file(root.path().join("watertight/state.db"));
        }
        sync(&last, root.path());
        assert_same(&held(root.path()), &last.expected(), &format!("killed after {n} steps"));
        let again = sync(&last, root.path());
        assert_eq!((again.sent, again.tally), (0, Default::default()), "killed after {n} steps");
    }
}

#[test]
fn a_step_that_fails_once_costs_one_run_also_when_a_reader_comes_between() {
    let server = first();
    let mut later = server.clone();
    second(&mut later);
    for n in (0..=steps(&server, Some(&later))).step_by(2) {
        let root = tempfile::tempdir().unwrap();
        sync(&server, root.path());
        let count = AtomicUsize::new(0);
        let hook: Hook = Arc::new(move |what| match count.fetch_add(1, Ordering::Relaxed) {
            at if at == n => Err(io::Error::other(format!("failed: {what}"))),
            _ => Ok(()),
        });
        let told = run_to_its_end(&later, root.path(), Options { hook: Some(hook), ..options() });
        // A reader marks a message that is new, as trashed.
        let new =
            later.folders[&INBOX].mails.iter().find(|(_, m)| m.body == "new").map(|(mid, _)| *mid).unwrap();
        let seen = find_file(root.path(), new).filter(|p| p.parent().unwrap().ends_with("new"));
        if let Some(path) = &seen {
            let name = path.file_name().unwrap().to_str().unwrap();
            std::fs::rename(path, root.path().join("cur").join(format!("{name}:2,T"))).unwrap();
        }
        sync(&later, root.path());
        let mut expected = later.expected();
        if seen.is_some() {
            expected = expected
                .into_iter()
                .map(|h| if h.mid == new { Held { flags: "T".to_owned(), ..h } } else { h })
                .collect();
        }
        assert_same(&held(root.path()), &expected, &format!("step {n} failed: {told:?}"));
    }
}

/// As a run that ends itself in order after an error.
fn run_to_its_end(server: &Server, root: &Path, options: Options) -> SyncResult<()> {
    let replica = Replica::open(root, options)?;
    let result = (|| {
        replica.apply_hierarchy(&server.hierarchy(&replica.hierarchy_state()?), id(INBOX))?;
        for folder in replica.folders()? {
            let mut run = FolderRun::start(&replica, folder.key)?;
            for change in server.contents(folder.fid.counter.value(), &run.state().clone(), &mut 0) {
                run.change(change)?;
            }
            run.finish()?;
        }
        replica.finish(true)
    })();
    if result.is_err() {
        let _ = replica.finish(false);
    }
    result
}

/// How many steps the run has.
fn steps(first: &Server, later: Option<&Server>) -> usize {
    let root = tempfile::tempdir().unwrap();
    if later.is_some() {
        sync(first, root.path());
    }
    let (hook, count) = dies_after(usize::MAX);
    run(later.unwrap_or(first), root.path(), Options { hook: Some(hook), ..options() }).unwrap();
    count.load(Ordering::Relaxed)
}

fn killed(first: &Server, later: Option<&Server>, n: usize) {
    let root = tempfile::tempdir().unwrap();
    if later.is_some() {
        sync(first, root.path());
    }
    let server = later.unwrap_or(first);
    let (hook, _) = dies_after(n);
    let cut = run(server, root.path(), Options { hook: Some(hook), ..options() });
    let done = sync(server, root.path());
    assert_same(&held(root.path()), &server.expected(), &format!("killed after {n} steps: {cut:?}"));
    assert_eq!(done.left_out, []);
    let again = sync(server, root.path());
    assert_eq!((again.sent, again.tally), (0, Default::default()), "killed after {n} steps: {cut:?}");
}
