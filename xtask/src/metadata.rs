//! What `cargo metadata` says of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

/// The packages that are built on this kind of machine.
pub struct Metadata {
    /// By their ids.
    pub packages: BTreeMap<String, Package>,
}

/// One package.
#[derive(Debug, Clone, Default)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// The licence expression; none when it is missing.
    pub license: Option<String>,
    /// The registry; none for a package of this workspace.
    pub source: Option<String>,
    /// Whether it is a macro or runs only while we build.
    pub proc_macro: bool,
    pub manifest: std::path::PathBuf,
    /// What it depends on, resolved: package id and kind.
    pub dependencies: Vec<(String, Kind)>,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Normal,
    Dev,
    Build,
}

impl Metadata {
    /// Asks cargo.
    pub fn read() -> Result<Self> {
        let host = host()?;
        let json = run::output(run::cargo().args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
            "--filter-platform",
            &host,
        ]))?;
        Self::parse(&json)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(json).context("cargo metadata did not print JSON")?;
        let mut packages = BTreeMap::new();
        for package in list(&json, "packages") {
            let proc_macro = list(package, "targets")
                .iter()
                .flat_map(|target| list(target, "kind"))
                .any(|kind| kind == "proc-macro");
            packages.insert(
                text(package, "id"),
                Package {
                    name: text(package, "name"),
                    version: text(package, "version"),
                    license: package.get("license").and_then(Value::as_str).map(str::to_owned),
                    source: package.get("source").and_then(Value::as_str).map(str::to_owned),
                    proc_macro,
                    manifest: text(package, "manifest_path").into(),
                    dependencies: Vec::new(),
                },
            );
        }
        let nodes = json.get("resolve").context("cargo metadata without a resolve")?;
        for node in list(nodes, "nodes") {
            let Some(package) = packages.get_mut(&text(node, "id")) else { continue };
            for dependency in list(node, "deps") {
                for kind in list(dependency, "dep_kinds") {
                    let kind = match kind.get("kind").and_then(Value::as_str) {
                        Some("dev") => Kind::Dev,
                        Some("build") => Kind::Build,
                        _ => Kind::Normal,
                    };
                    package.dependencies.push((text(dependency, "pkg"), kind));
                }
            }
        }
        Ok(Self { packages })
    }

    /// The packages of this workspace.
    pub fn ours(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.packages.iter().filter(|(_, package)| package.source.is_none())
    }

    /// Everything that ends up in what is built of the package: its dependencies and theirs, without macros, build
    /// scripts and tests.
    pub fn linked(&self, id: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let Some(package) = self.packages.get(id) else { continue };
            for (dependency, kind) in &package.dependencies {
                let macros = self.packages.get(dependency).is_some_and(|p| p.proc_macro);
                if *kind == Kind::Normal && !macros && seen.insert(dependency.as_str()) {
                    todo.push(dependency);
                }
            }
        }
        seen
    }

    /// The packages that end up in the programs that we give to people.
    pub fn shipped(&self) -> BTreeSet<&str> {
        self.ours()
            .filter(|(_, package)| package.name == "watertight")
            .flat_map(|(id, _)| self.linked(id))
            .collect()
    }
}

/// The kind of machine that we run on, as rustc names it.
pub fn host() -> Result<String> {
    let text = String::from_utf8(run::output(std::process::Command::new("rustc").arg("-vV"))?)?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV does not name the host")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
