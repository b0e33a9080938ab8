//! The walk over a file in its order: decrypts what the rule says is encrypted, and adds each value to the MAC.

use super::fault;
use super::key::DataKey;
use super::mac::Sum;
use super::rule::Rule;
use super::value::{self, Damage, Opened};
use crate::source::yaml::{Fault, Node, Step, Value};

/// One walk over all documents of a file.
pub(super) struct Walk<'a> {
    key: &'a DataKey,
    rule: &'a Rule,
    only_encrypted: bool,
    sum: Sum,
    /// Where we are, for messages.
    path: Vec<Step>,
    /// The same as additional data: every key with a colon behind it, lists without their indices.
    additional: String,
}

/// What the MAC of a list or mapping keeps of one value.
#[derive(PartialEq)]
enum Kept {
    Yes,
    /// It was a comment.
    No,
}

impl<'a> Walk<'a> {
    pub(super) fn new(key: &'a DataKey, rule: &'a Rule, only_encrypted: bool) -> Walk<'a> {
        let sum = Sum::new(only_encrypted);
        Walk { key, rule, only_encrypted, sum, path: Vec::new(), additional: String::new() }
    }

    /// Decrypts one document in place.
    pub(super) fn document(&mut self, root: &mut Node) -> Result<(), Fault> {
        self.path.clear();
        self.additional.clear();
        self.node(root, false).map(drop)
    }

    /// The sum of all values that were seen.
    pub(super) fn finish(self) -> String {
        self.sum.finish()
    }

    fn node(&mut self, node: &mut Node, named: bool) -> Result<Kept, Fault> {
        match &mut node.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    let length = self.additional.len();
                    self.additional.push_str(&entry.key);
                    self.additional.push(':');
                    self.path.push(Step::Key(entry.key.clone()));
                    let named = named || self.rule.names(&entry.key);
                    if self.node(&mut entry.node, named)? == Kept::No {
                        return Err(self.damaged(&entry.node, Damage::Type));
                    }
                    self.path.pop();
                    self.additional.truncate(length);
                }
                Ok(Kept::Yes)
            }
            Value::Sequence(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for (index, mut item) in std::mem::take(items).into_iter().enumerate() {
                    self.path.push(Step::Index(index));
                    if self.node(&mut item, named)? == Kept::Yes {
                        kept.push(item);
                    }
                    self.path.pop();
                }
                *items = kept;
                Ok(Kept::Yes)
            }
            Value::Null => Ok(Kept::Yes),
            _ => self.scalar(node, named),
        }
    }

    fn scalar(&mut self, node: &mut Node, named: bool) -> Result<Kept, Fault> {
        let sealed = node.as_str().filter(|text| value::is_sealed(text));
        let encrypted = self.rule.encrypts(named).unwrap_or(sealed.is_some());
        if encrypted {
            match sealed.map(|text| value::open(text, self.key, &self.additional)) {
                Some(Ok(Opened::Value(value))) => {
                    node.value = value;
                    node.plain = false;
                }
                Some(Ok(Opened::Comment)) => return Ok(Kept::No),
                Some(Err(damage)) => return Err(self.damaged(node, damage)),
                // Nothing is encrypted to nothing.
                None if node.as_str().is_some_and(str::is_empty) => {}
                None => return Err(self.bare(node)),
            }
        }
        if encrypted || !self.only_encrypted {
            self.sum.add(node);
        }
        Ok(Kept::Yes)
    }

    /// A value that stands there in the clear where an encrypted one belongs.
    fn bare(&self, node: &Node) -> Fault {
        let message = "is not encrypted, and the rule of the sops block says that it is";
        let remedy =
            "change encrypted files with sops edit; if this was a password, it is known now: choose another";
        Fault { path: self.path.clone(), ..fault(node.mark, &[], message, remedy) }
    }

    fn damaged(&self, node: &Node, damage: Damage) -> Fault {
        let restore = "restore it from the last good commit, or set it again with sops edit";
        let (message, remedy) = match damage {
            Damage::Form => ("is damaged: this is not how sops writes an encrypted value", restore),
            Damage::Tag => {
                ("does not decrypt: it was changed, or copied here from another place or file", restore)
            }
            Damage::Type => ("has a type that sops does not write here", restore),
            Damage::Binary => (
                "decrypts to bytes that are no text",
                "put it below data: in base64 and encrypt the file again",
            ),
        };
        Fault { path: self.path.clone(), ..fault(node.mark, &[], message, remedy) }
    }
}
