//! The layers of ARCHITECTURE.md: an arrow goes to a lower tier, never up and never sideways; tiers 0 and 1 know no
//! socket, file, thread, clock or random source.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::metadata::{Kind, Metadata};

/// Where a crate of ours stands. An arrow goes to a smaller number.
const TIERS: &[(&str, u8, &str)] = &[
    ("watertight-wire", 0, "0"),
    ("watertight-ledger", 0, "0"),
    ("watertight-macros", 0, "0"),
    ("watertight-mapi", 1, "1"),
    ("watertight-dcerpc", 1, "1"),
    ("watertight-store", 2, "2a"),
    ("watertight-mapi-mime", 2, "2a"),
    ("watertight-soak", 2, "2a"),
    ("watertight-auth", 2, "2a"),
    ("watertight-mapi-client", 3, "2b"),
    ("watertight-mapi-server", 3, "2b"),
    ("watertight-sync", 4, "2c"),
    ("watertight-mail", 4, "2c"),
    ("watertight", 5, "3"),
    ("watertight-python", 5, "3"),
];

/// Tiers from here up may do I/O.
const IO: u8 = 2;

/// Beside the tiers: tests only, and nobody's dependency otherwise.
const TESTKIT: &str = "watertight-testkit";
/// Beside the tiers: may use every library of ours, nobody uses them.
const OUTSIDE: &[&str] = &["watertight-fuzz", "xtask"];

/// What brings sockets, files, threads, clocks or random numbers into a crate.
const IO_CRATES: &[&str] = &[
    "async-std",
    "axum",
    "chrono",
    "crossbeam-channel",
    "getrandom",
    "hyper",
    "jiff",
    "libsqlite3-sys",
    "mio",
    "nix",
    "polling",
    "rand",
    "rayon",
    "reqwest",
    "ring",
    "rusqlite",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
];

/// The same of the standard library.
const IO_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Checks the workspace.
pub fn check() -> Result<()> {
    let metadata = Metadata::read()?;
    let mut wrong = arrows(&metadata);
    for (_, package) in metadata.ours() {
        if tier(&package.name).is_some_and(|(tier, _)| tier < IO) {
            let source = package.manifest.parent().context("a manifest in a folder")?.join("src");
            for file in sources(&source)? {
                let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                wrong.extend(io_paths(&text).into_iter().map(|(line, path)| {
                    format!("{}:{line}: {} may not use {path}", file.display(), package.name)
                }));
            }
        }
    }
    for line in &wrong {
        eprintln!("layers: {line}");
    }
    if !wrong.is_empty() {
        bail!("{} arrows point the wrong way", wrong.len());
    }
    println!("layers: {} crates, every arrow points down", metadata.ours().count());
    Ok(())
}

/// What is wrong with the dependencies of our crates.
fn arrows(metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, package) in metadata.ours() {
        let from = package.name.as_str();
        let place = tier(from);
        if place.is_none() && from != TESTKIT && !OUTSIDE.contains(&from) {
            wrong.push(format!("{from} has no tier: give it one in xtask/src/layers.rs"));
            continue;
        }
        for (dependency, kind) in &package.dependencies {
            let Some(to) = metadata.packages.get(dependency).filter(|p| p.source.is_none()) else { continue };
            if let Some(why) = arrow(from, &to.name, *kind) {
                wrong.push(format!("{from} → {}: {why}", to.name));
            }
        }
        if let Some((tier, shown)) = place.filter(|(tier, _)| *tier < IO) {
            for linked in metadata.linked(id) {
                let name = metadata.packages.get(linked).map_or("", |p| p.name.as_str());
                if IO_CRATES.contains(&name) {
                    wrong.push(format!("{from} → {name}: tier {shown} does no I/O"));
                }
            }
            debug_assert!(tier < IO);
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Why one crate of ours may not depend on another; none when it may.
fn arrow(from: &str, to: &str, kind: Kind) -> Option<String> {
    if OUTSIDE.contains(&to) {
        return Some("nobody depends on it".into());
    }
    if from == "xtask" {
        return Some("xtask builds without any crate of ours".into());
    }
    if to == TESTKIT {
        let allowed = kind == Kind::Dev || OUTSIDE.contains(&from);
        return (!allowed).then(|| "the test kit is for tests".into());
    }
    if OUTSIDE.contains(&from) {
        return None;
    }
    // The test kit stands where it can be used by every crate that does I/O.
    let (from_tier, from_shown) = if from == TESTKIT { (IO, "beside 2a") } else { tier(from)? };
    let Some((to_tier, to_shown)) = tier(to) else {
        return Some("it has no tier".into());
    };
    (to_tier >= from_tier).then(|| format!("tier {from_shown} may not use tier {to_shown}"))
}

fn tier(name: &str) -> Option<(u8, &'static str)> {
    TIERS.iter().find(|(n, ..)| *n == name).map(|(_, tier, shown)| (*tier, *shown))
}

/// The lines of a source file, up to its tests, that name a part of the standard library that does I/O.
fn io_paths(text: &str) -> Vec<(usize, &'static str)> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter_map(|(at, line)| {
            let path = IO_PATHS.iter().find(|path| line.contains(*path))?;
            Some((at.saturating_add(1), *path))
        })
        .collect()
}

fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs")
            && path.file_name().is_some_and(|n| n != "tests.rs")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::Package;

    type Row<'a> = (&'a str, bool, &'a [(&'a str, Kind)]);

    fn workspace(packages: &[Row<'_>]) -> Metadata {
        let packages = packages
            .iter()
            .map(|(name, ours, dependencies)| {
                let package = Package {
                    name: (*name).to_owned(),
                    source: (!ours).then(|| "registry".to_owned()),
                    dependencies: dependencies.iter().map(|(d, k)| ((*d).to_owned(), *k)).collect(),
                    ..Package::default()
                };
                ((*name).to_owned(), package)
            })
            .collect::<BTreeMap<_, _>>();
        Metadata { packages }
    }

    #[test]
    fn an_arrow_down_is_fine() {
        let metadata = workspace(&[
            ("watertight-wire", true, &[]),
            ("watertight-mapi", true, &[("watertight-wire", Kind::Normal), (TESTKIT, Kind::Dev)]),
            (TESTKIT, true, &[("watertight-mapi", Kind::Normal)]),
            ("watertight-store", true, &[("watertight-mapi", Kind::Normal), ("tokio", Kind::Normal)]),
            ("watertight-fuzz", true, &[("watertight-store", Kind::Normal), (TESTKIT, Kind::Normal)]),
            ("tokio", false, &[]),
        ]);
        assert_eq!(arrows(&metadata), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        let metadata = workspace(&[
            ("watertight-wire", true, &[("watertight-ledger", Kind::Normal)]),
            ("watertight-ledger", true, &[]),
            ("watertight-mapi-client", true, &[("watertight-mapi-server", Kind::Dev)]),
            ("watertight-mapi-server", true, &[("watertight-sync", Kind::Normal)]),
            ("watertight-sync", true, &[]),
        ]);
        assert_eq!(
            arrows(&metadata),
            [
                "watertight-mapi-client → watertight-mapi-server: tier 2b may not use tier 2b",
                "watertight-mapi-server → watertight-sync: tier 2b may not use tier 2c",
                "watertight-wire → watertight-ledger: tier 0 may not use tier 0",
            ]
        );
    }

    #[test]
    fn io_below_tier_two_is_found_however_deep() {
        let metadata = workspace(&[
            ("watertight-mapi", true, &[("innocent", Kind::Normal), ("rand", Kind::Dev)]),
            ("innocent", false, &[("getrandom", Kind::Normal)]),
            ("getrandom", false, &[]),
            ("rand", false, &[]),
        ]);
        assert_eq!(arrows(&metadata), ["watertight-mapi → getrandom: tier 1 does no I/O"]);
    }

    #[test]
    fn the_test_kit_is_for_tests_and_a_new_crate_needs_a_tier() {
        let metadata = workspace(&[
            ("watertight-store", true, &[(TESTKIT, Kind::Normal)]),
            (TESTKIT, true, &[]),
            ("watertight-new", true, &[]),
            ("xtask", true, &[("watertight-store", Kind::Normal)]),
        ]);
        assert_eq!(
            arrows(&metadata),
            [
                "watertight-new has no tier: give it one in xtask/src/layers.rs",
                "watertight-store → watertight-testkit: the test kit is for tests",
                "xtask → watertight-store: xtask builds without any crate of ours",
            ]
        );
    }

    #[test]
    fn sockets_and_files_are_found_in_sources_but_not_in_tests() {
        let source = "use std::sync::Arc;\n// std::fs is not for us\nuse std::net::TcpStream;\n\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(io_paths(source), [(3, "std::net")]);
    }
}
