use std::collections::HashMap;

use watertight_mapi::store::{Cursor, Depth};

/// What the walk over a folder tree needs of a folder.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) name: String,
    pub(crate) cn: u64,
    pub(crate) deleted: bool,
}

/// The folder tree of a mailbox.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The places of each folder's children in `nodes`.
    children: HashMap<u64, Vec<usize>>,
}

impl Tree {
    /// The tree of these folders.
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        let mut children: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children.entry(parent).or_default().push(at);
            }
        }
        Self { nodes, children }
    }

    /// Everything below `root` that `keep` wants, parents before their children, siblings ascending by name,
    /// with the key that says where it is in that order.
    fn walk(&self, root: u64, depth: Depth, keep: impl Fn(&Node) -> bool) -> Vec<(Vec<u8>, u64)> {
        let mut found = Vec::new();
        // A damaged file could hold a circle: nothing is visited more often than there are folders.
        let mut steps = self.nodes.len();
        let mut stack = vec![(Vec::new(), root, true)];
        while let Some((key, id, descend)) = stack.pop() {
            if !descend {
                continue;
            }
            for at in self.children.get(&id).map(Vec::as_slice).unwrap_or_default() {
                let (Some(node), Some(left)) = (self.nodes.get(*at), steps.checked_sub(1)) else { break };
                steps = left;
                let mut key: Vec<u8> = key.clone();
                key.extend_from_slice(name_key(&node.name).as_bytes());
                key.push(0);
                key.extend_from_slice(&node.id.to_be_bytes());
                if keep(node) {
                    found.push((key.clone(), node.id));
                }
                stack.push((key, node.id, depth == Depth::All));
            }
        }
        found.sort();
        found
    }

    /// A page of that walk: ids, and where the next page starts.
    pub(crate) fn page(
        &self,
        root: u64,
        depth: Depth,
        keep: impl Fn(&Node) -> bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> (Vec<u64>, Option<Cursor>) {
        let all = self.walk(root, depth, keep);
        let start = after.map_or(0, |Cursor(after)| all.partition_point(|(key, _)| key <= after));
        let limit = limit.max(1);
        let page: Vec<_> = all.iter().skip(start).take(limit).collect();
        let more = all.len() > start.saturating_add(limit);
        let next = page.last().filter(|_| more).map(|(key, _)| Cursor(key.clone()));
        (page.into_iter().map(|(_, id)| *id).collect(), next)
    }

    /// The ids of everything below `root` that `keep` wants, parents first.
    pub(crate) fn below(&self, root: u64, keep: impl Fn(&Node) -> bool) -> Vec<u64> {
        self.walk(root, Depth::All, keep).into_iter().map(|(_, id)| id).collect()
    }
}

/// What names of folders are compared by: without case.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}
