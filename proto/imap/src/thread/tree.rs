//! A forest of messages and of places for messages that are not there: children of a node, in no order until it is written.

use super::Message;
use std::fmt::Write;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// Nodes by number: the first ones are the messages, the others stand for messages that are missing.
#[derive(Debug, Default)]
pub(super) struct Forest {
    messages: u32,
    /// By node.
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    pub(super) roots: Vec<u32>,
}

impl Forest {
    /// Messages without children.
    pub(super) fn new(messages: usize) -> Forest {
        let (first_child, next_sibling) = (vec![NONE; messages], vec![NONE; messages]);
        Forest { messages: number(messages), first_child, next_sibling, roots: Vec::new() }
    }

    /// One more place without a message.
    pub(super) fn dummy(&mut self) -> u32 {
        self.first_child.push(NONE);
        self.next_sibling.push(NONE);
        number(self.first_child.len() - 1)
    }

    pub(super) fn is_dummy(&self, node: u32) -> bool {
        node >= self.messages
    }

    pub(super) fn push(&mut self, parent: u32, child: u32) {
        self.next_sibling[child as usize] = self.first_child[parent as usize];
        self.first_child[parent as usize] = child;
    }

    /// Takes the children of a node away.
    pub(super) fn take_children(&mut self, node: u32) -> Vec<u32> {
        let children = self.children(node).collect();
        self.first_child[node as usize] = NONE;
        children
    }

    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let some = |node: u32| (node != NONE).then_some(node);
        let next = move |node: &u32| some(self.next_sibling[*node as usize]);
        std::iter::successors(some(self.first_child[node as usize]), next)
    }

    /// The message that a node is sorted by: itself, or of a missing one the first of its children.
    pub(super) fn head(&self, messages: &[Message], node: u32) -> u32 {
        if !self.is_dummy(node) {
            return node;
        }
        self.children(node).min_by_key(|child| order(messages, *child)).unwrap_or(node)
    }

    fn sort(&self, messages: &[Message], nodes: &mut [u32]) {
        nodes.sort_by_cached_key(|node| order(messages, self.head(messages, *node)));
    }

    /// The response's lists (RFC 5256 §4 THREAD), siblings in the order of their dates (§3 step 6).
    pub(super) fn written(mut self, messages: &[Message]) -> String {
        let mut text = String::new();
        let mut roots = std::mem::take(&mut self.roots);
        self.sort(messages, &mut roots);
        roots.reverse();
        let mut open: Vec<Option<u32>> = roots.into_iter().map(Some).collect();
        while let Some(next) = open.pop() {
            match next {
                Some(node) => self.write_chain(messages, node, &mut text, &mut open),
                None => text.push(')'),
            }
        }
        text
    }

    /// `(`, a message, its only child, that one's only child, …; the children of the last are left in `open`.
    fn write_chain(&self, messages: &[Message], node: u32, text: &mut String, open: &mut Vec<Option<u32>>) {
        let mut node = node;
        let mut gap = "(";
        loop {
            if let Some(message) = messages.get(node as usize) {
                let _ = write!(text, "{gap}{}", message.number);
                gap = " ";
            }
            let mut children: Vec<u32> = self.children(node).collect();
            match children.as_slice() {
                [] => return text.push(')'),
                [only] => node = *only,
                _ => {
                    text.push_str(gap);
                    self.sort(messages, &mut children);
                    open.push(None);
                    open.extend(children.into_iter().rev().map(Some));
                    return;
                }
            }
        }
    }
}

/// By date, and where that is the same as in the mailbox (RFC 5256 §2.2).
fn order(messages: &[Message], node: u32) -> (i64, u32) {
    messages.get(node as usize).map_or((i64::MAX, node), |message| (message.date, message.number))
}

pub(super) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
