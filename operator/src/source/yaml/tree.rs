//! The spanned tree: values with the place they were written at.

use std::collections::BTreeMap;
use std::fmt::Write;

use zeroize::Zeroize as _;

/// A place in a file, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Mark {
    pub line: u32,
    pub column: u32,
}

/// Where a field is: to point at it by name, or at what it says. A collection is pointed at by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub key: Mark,
    pub value: Mark,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub mark: Mark,
    /// Whether it is a scalar without quotes and tag, which other readers may resolve otherwise.
    pub plain: bool,
    pub value: Value,
}

/// A YAML value after core schema resolution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number and how it was written, for remedies that tell how to quote it.
    Number(serde_json::Number, Box<str>),
    String(Box<str>),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key: Box<str>,
    pub mark: Mark,
    pub node: Node,
}

/// One step down a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(Box<str>),
    Index(usize),
}

impl Node {
    /// The entries, when this is a mapping.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry under `key`, when this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| &*entry.key == key)
    }

    /// The value under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Takes an entry out, when this is a mapping that has it.
    pub(crate) fn remove(&mut self, key: &str) {
        if let Value::Mapping(entries) = &mut self.value {
            entries.retain(|entry| &*entry.key != key);
        }
    }

    /// The text, when this is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of the messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(..) => "a number",
            Value::String(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// Whether the value is a collection, whose own mark is its first element's.
    pub(crate) fn is_collection(&self) -> bool {
        matches!(self.value, Value::Sequence(_) | Value::Mapping(_))
    }

    /// Goes down as far as the path exists: the deepest node, the places of its key and of itself, and the depth.
    pub(crate) fn locate(&self, path: &[Step]) -> (&Node, Place, usize) {
        let (mut node, mut place) = (self, Place { key: self.mark, value: self.mark });
        for (depth, step) in path.iter().enumerate() {
            match (step, &node.value) {
                (Step::Key(key), Value::Mapping(entries)) => {
                    let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
                        return (node, place, depth);
                    };
                    node = &entry.node;
                    place.key = entry.mark;
                    place.value = if node.is_collection() { entry.mark } else { node.mark };
                }
                (Step::Index(index), Value::Sequence(items)) => {
                    let Some(item) = items.get(*index) else { return (node, place, depth) };
                    node = item;
                    place = Place { key: item.mark, value: item.mark };
                }
                _ => return (node, place, depth),
            }
        }
        (node, place, path.len())
    }

    /// The line of every field below this one, by its path as it is shown; `path` is this node's own.
    pub(crate) fn lines(&self, path: &str, lines: &mut BTreeMap<String, u32>) {
        match &self.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    let path = format!("{path}.{}", entry.key);
                    entry.node.lines(&path, lines);
                    lines.insert(path, entry.mark.line);
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    item.lines(&path, lines);
                    lines.insert(path, item.mark.line);
                }
            }
            _ => {}
        }
    }

    /// Overwrites every text below: what was decrypted does not stay in memory that is given back.
    pub(crate) fn wipe(&mut self) {
        match &mut self.value {
            Value::String(text) | Value::Number(_, text) => text.zeroize(),
            Value::Sequence(items) => items.iter_mut().for_each(Node::wipe),
            Value::Mapping(entries) => entries.iter_mut().for_each(|entry| entry.node.wipe()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The tree without its places.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number, _) => number.clone().into(),
            Value::String(text) => text.as_ref().into(),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|entry| (entry.key.to_string(), entry.node.to_json())).collect()
            }
        }
    }
}

/// A path as it is shown: `spec.targets[2]`, keys with odd characters quoted: `metadata.annotations["a.b/c"]`.
pub(crate) fn show_path(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Index(index) => {
                let _ = write!(shown, "[{index}]");
            }
            Step::Key(key) if is_plain(key) => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(key);
            }
            Step::Key(key) => {
                let _ = write!(shown, "[{key:?}]");
            }
        }
    }
    shown
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-$".contains(&b))
}
