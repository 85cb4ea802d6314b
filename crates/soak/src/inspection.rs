//! What a process of ours says about itself: one line of JSON.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `{"version":1,"pid":N,"allocated":BYTES,"ledger":{…}}`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The process.
    pub pid: u32,
    /// What its allocator has given out.
    pub allocated: Option<u64>,
    /// What its ledger holds, by path; only what is held at all.
    pub ledger: BTreeMap<String, i64>,
}

/// A line that cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// Not the JSON that it should be.
    #[error("not an inspection line")]
    Json(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("inspection line of version {0}; this program reads version 1")]
    Version(u64),
}

#[derive(Deserialize)]
struct Line {
    version: u64,
    pid: u32,
    allocated: Option<u64>,
    ledger: Node,
}

#[derive(Deserialize)]
struct Node {
    name: String,
    #[serde(default)]
    kinds: BTreeMap<String, Held>,
    #[serde(default)]
    children: Vec<Node>,
}

#[derive(Deserialize)]
struct Held {
    now: i64,
}

impl Inspection {
    /// Reads a line.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub fn parse(line: &str) -> Result<Self, InspectionError> {
        let line: Line = serde_json::from_str(line)?;
        if line.version != 1 {
            return Err(InspectionError::Version(line.version));
        }
        let mut ledger = BTreeMap::new();
        gather(&line.ledger, "", &mut ledger);
        ledger.retain(|_, count| *count != 0);
        Ok(Self { pid: line.pid, allocated: line.allocated, ledger })
    }
}

/// The root has no part in the paths. Ledgers of one name beside each other are one place. JSON that nests deeper than
/// serde_json's bound of 128 never gets here.
fn gather(node: &Node, path: &str, into: &mut BTreeMap<String, i64>) {
    for (kind, held) in &node.kinds {
        let count = into.entry(format!("{path}{kind}")).or_default();
        *count = count.saturating_add(held.now);
    }
    for child in &node.children {
        gather(child, &format!("{path}{}/", child.name), into);
    }
}

#[cfg(test)]
mod tests {
    use watertight_ledger::Ledger;

    use super::*;

    #[test]
    fn a_ledger_is_flattened() {
        let root = Ledger::new("watertight");
        let child = root.child("server");
        let (a, b) = (root.child("session"), root.child("session"));
        let held = [child.kind("sockets").enter(), a.kind("handles").enter(), b.kind("handles").enter()];
        let _nothing = child.kind("files");
        let json = serde_json::json!({
            "version": 1, "pid": 5, "allocated": 77, "ledger": root.inspect(),
        });
        let read = Inspection::parse(&json.to_string()).unwrap();
        assert_eq!((read.pid, read.allocated), (5, Some(77)));
        let counts: Vec<_> = read.ledger.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(counts, [("server/sockets", 1), ("session/handles", 2)]);
        drop(held);
    }

    #[test]
    fn what_is_not_a_line_is_refused() {
        assert!(Inspection::parse("").is_err());
        assert!(Inspection::parse("{}").is_err());
        let later = r#"{"version":2,"pid":1,"allocated":null,"ledger":{"name":"x"}}"#;
        assert!(matches!(Inspection::parse(later), Err(InspectionError::Version(2))));
    }
}
