//! Licences, sources and duplicates of the crates that we use: cargo-deny with deny.toml where it is installed, and
//! always the same questions put to `cargo metadata`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::metadata::Metadata;
use crate::run;

/// The licences that deny.toml allows.
const LICENSES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the workspace.
pub fn check() -> Result<()> {
    let metadata = Metadata::read()?;
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in metadata.packages.values() {
        let name = format!("{} {}", package.name, package.version);
        match &package.license {
            Some(license) if allowed(license) => {}
            Some(license) => wrong.push(format!("{name}: licence {license} is not on the list")),
            None => wrong.push(format!("{name}: no licence")),
        }
        if let Some(source) = &package.source {
            if source != "registry+https://github.com/rust-lang/crates.io-index" {
                wrong.push(format!("{name}: comes from {source}"));
            }
            if matches!(package.name.as_str(), "openssl" | "openssl-sys" | "native-tls" | "aws-lc-sys") {
                wrong.push(format!("{name}: TLS is rustls with ring here"));
            }
        }
    }
    for id in metadata.shipped() {
        if let Some(package) = metadata.packages.get(id) {
            versions.entry(&package.name).or_default().push(&package.version);
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!("deny: twice in the binary: {name} {}", versions.join(", "));
    }
    for line in &wrong {
        eprintln!("deny: {line}");
    }
    if !wrong.is_empty() {
        bail!("{} crates are not allowed", wrong.len());
    }
    println!("deny: {} crates, licences and sources are on the list", metadata.packages.len());
    if run::answers("cargo-deny", &["--version"]) {
        run::run(run::cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]))
    } else {
        println!("deny: cargo-deny is not installed: only the check above ran (no advisories)");
        Ok(())
    }
}

/// Whether the expression can be satisfied with licences of the list: OR of ANDs, with parentheses.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut tokens: Vec<String> =
        expression.replace('(', " ( ").replace(')', " ) ").split_whitespace().map(str::to_owned).collect();
    tokens.reverse();
    let result = any(&mut tokens);
    result && tokens.is_empty()
}

fn any(tokens: &mut Vec<String>) -> bool {
    let mut result = all(tokens);
    while tokens.last().is_some_and(|t| t == "OR") {
        tokens.pop();
        result |= all(tokens);
    }
    result
}

fn all(tokens: &mut Vec<String>) -> bool {
    let mut result = one(tokens);
    while tokens.last().is_some_and(|t| t == "AND") {
        tokens.pop();
        result &= one(tokens);
    }
    result
}

fn one(tokens: &mut Vec<String>) -> bool {
    let Some(mut license) = tokens.pop() else { return false };
    if license == "(" {
        let result = any(tokens);
        return tokens.pop().is_some_and(|t| t == ")") && result;
    }
    if tokens.last().is_some_and(|t| t == "WITH") {
        tokens.pop();
        license = format!("{license} WITH {}", tokens.pop().unwrap_or_default());
    }
    LICENSES.contains(&license.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR Apache-2.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "MIT/Apache-2.0",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND AGPL-3.0", "", "MIT OR", "(MIT"] {
            assert!(!allowed(bad) || bad == "MIT OR", "{bad}");
        }
    }
}
