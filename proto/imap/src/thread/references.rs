//! REFERENCES (RFC 5256 §3), after Jamie Zawinski's algorithm.
//!
//! The RFC links as messages come and breaks presumed links when the message itself turns up. The same comes of linking first
//! what messages say of themselves and then what others presume; links are then never broken, so that a union-find over
//! the trees says at once whether a link would make a loop, however long the chains are.

use super::Message;
use super::ids::ids;
use super::tree::{Forest, NONE, number};
use super::{ENTRY_COST, MESSAGE_COST};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Who refers to whom, in the order of the messages. A node is an identifier, or a message without one of its own.
#[derive(Debug, Default)]
pub(super) struct Linker {
    hasher: RandomState,
    /// By a keyed hash of the identifier: nobody can make two that are the same.
    nodes: HashMap<u64, u32>,
    /// By node: the message, or [`NONE`].
    message_of: Vec<u32>,
    /// By message.
    node_of: Vec<u32>,
    /// By message: where its references end.
    ends: Vec<usize>,
    references: Vec<u32>,
}

impl Linker {
    /// The next message; the memory that it takes.
    pub(super) fn add(&mut self, message_id: Option<&[u8]>, references: &[Vec<u8>]) -> usize {
        let before = self.message_of.len();
        let message = number(self.node_of.len());
        let id = message_id.and_then(|text| ids(text).next());
        // "If multiple messages in the set have the same Message ID … treat each as having a unique one" (RFC 5256 §3).
        let known = id.map(|id| self.node(&id)).filter(|node| self.message_of[*node as usize] == NONE);
        let node = known.unwrap_or_else(|| self.new_node());
        self.message_of[node as usize] = message;
        self.node_of.push(node);
        for id in references {
            let node = self.node(id);
            self.references.push(node);
        }
        self.ends.push(self.references.len());
        (self.message_of.len() - before) * (ENTRY_COST + MESSAGE_COST / 4)
            + references.len() * size_of::<u32>()
    }

    fn node(&mut self, id: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(id);
        match self.nodes.get(&hash) {
            Some(node) => *node,
            None => {
                let node = self.new_node();
                self.nodes.insert(hash, node);
                node
            }
        }
    }

    fn new_node(&mut self) -> u32 {
        self.message_of.push(NONE);
        number(self.message_of.len() - 1)
    }

    fn references(&self, message: usize) -> &[u32] {
        let start = message.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.references[start..self.ends[message]]
    }

    /// Step 1: the parent of every node.
    fn parents(&self) -> Vec<u32> {
        let mut links = Links::new(self.message_of.len());
        for (message, node) in self.node_of.iter().enumerate() {
            if let Some(parent) = self.references(message).last() {
                links.link(*node, *parent);
            }
        }
        for message in 0..self.node_of.len() {
            for pair in self.references(message).windows(2) {
                let own = self.message_of[pair[1] as usize];
                // A message without references, once it comes, has no parent, whatever was presumed before.
                let breaks =
                    own != NONE && own as usize > message && self.references(own as usize).is_empty();
                if !breaks {
                    links.link(pair[1], pair[0]);
                }
            }
        }
        links.parent
    }
}

#[derive(Debug)]
struct Links {
    parent: Vec<u32>,
    /// Leads towards the root of the node's tree.
    towards: Vec<u32>,
}

impl Links {
    fn new(nodes: usize) -> Links {
        Links { parent: vec![NONE; nodes], towards: (0..number(nodes)).collect() }
    }

    /// Links unless the child has a parent or the link would make a loop.
    fn link(&mut self, child: u32, parent: u32) {
        if self.parent[child as usize] != NONE {
            return;
        }
        let root = self.root(parent);
        if root != child {
            self.parent[child as usize] = parent;
            self.towards[child as usize] = root;
        }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.towards[node as usize] != node {
            let next = self.towards[node as usize];
            self.towards[node as usize] = self.towards[next as usize];
            node = next;
        }
        node
    }
}

pub(super) fn thread(messages: &[Message], linker: Linker) -> Forest {
    let mut forest = pruned(messages, &linker);
    gather_subjects(messages, &mut forest);
    forest
}

/// Steps 2 and 3: missing messages make room for their children; only one without a parent and with several children stays.
fn pruned(messages: &[Message], linker: &Linker) -> Forest {
    let parents = linker.parents();
    let mut forest = Forest::new(messages.len());
    // By node: the nearest ancestor that is a message, or else the topmost node.
    let mut above: Vec<u32> = vec![NONE; parents.len()];
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for (message, node) in linker.node_of.iter().enumerate() {
        let top = ancestor(*node, &parents, &linker.message_of, &mut above);
        let message = number(message);
        match linker.message_of[top as usize] {
            _ if top == *node => forest.roots.push(message),
            NONE => groups.entry(top).or_default().push(message),
            parent => forest.push(parent, message),
        }
    }
    let mut groups: Vec<(u32, Vec<u32>)> = groups.into_iter().collect();
    groups.sort_unstable();
    for (_, group) in groups {
        if let [only] = group.as_slice() {
            forest.roots.push(*only);
            continue;
        }
        let dummy = forest.dummy();
        group.into_iter().for_each(|message| forest.push(dummy, message));
        forest.roots.push(dummy);
    }
    forest
}

/// The nearest message above a node, or the missing one at the top; the node itself where nothing is above. What was found
/// on the way is kept for the next.
fn ancestor(node: u32, parents: &[u32], message_of: &[u32], above: &mut [u32]) -> u32 {
    let mut way = Vec::new();
    let mut top = node;
    loop {
        let next = match above[top as usize] {
            NONE => parents[top as usize],
            known => break known_top(&way, known, above),
        };
        if next == NONE {
            break known_top(&way, top, above);
        }
        way.push(top);
        top = next;
        if message_of[top as usize] != NONE {
            break known_top(&way, top, above);
        }
    }
}

fn known_top(way: &[u32], top: u32, above: &mut [u32]) -> u32 {
    way.iter().for_each(|node| above[*node as usize] = top);
    top
}

/// Step 5: threads of one base subject are put together. Step 4, sorting, comes first, for the first of them counts.
fn gather_subjects(messages: &[Message], forest: &mut Forest) {
    let mut roots = std::mem::take(&mut forest.roots);
    roots.sort_by_cached_key(|root| {
        let head = &messages[forest.head(messages, *root) as usize];
        (head.date, head.number)
    });
    let subject_of = |forest: &Forest, root: u32| messages[forest.head(messages, root) as usize].subject;
    let is_reply = |forest: &Forest, root: u32| {
        messages.get(root as usize).is_some_and(|message| message.is_reply) && !forest.is_dummy(root)
    };
    let mut table: HashMap<u32, u32> = HashMap::new();
    for root in &roots {
        let subject = subject_of(forest, *root);
        let found = table.entry(subject).or_insert(*root);
        let emptier = forest.is_dummy(*root) && !forest.is_dummy(*found);
        let earlier = is_reply(forest, *found) && !is_reply(forest, *root);
        if emptier || earlier {
            *found = *root;
        }
    }
    let mut kept = Vec::new();
    // Roots that went below a new place before their turn came, or after.
    let mut swallowed: HashSet<u32> = HashSet::new();
    for root in roots {
        if swallowed.contains(&root) {
            continue;
        }
        let subject = subject_of(forest, root);
        let found = match table.get(&subject) {
            Some(found) if subject != 0 && *found != root => *found,
            _ => {
                kept.push(root);
                continue;
            }
        };
        match (forest.is_dummy(found), forest.is_dummy(root)) {
            (true, true) => {
                for child in forest.take_children(root) {
                    forest.push(found, child);
                }
            }
            (true, false) => forest.push(found, root),
            (false, _) if is_reply(forest, root) && !is_reply(forest, found) => forest.push(found, root),
            (false, _) => {
                let dummy = forest.dummy();
                forest.push(dummy, found);
                forest.push(dummy, root);
                table.insert(subject, dummy);
                swallowed.insert(found);
                kept.push(dummy);
            }
        }
    }
    kept.retain(|root| !swallowed.contains(root));
    forest.roots = kept;
}
