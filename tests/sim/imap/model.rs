//! What RFC 3501 and RFC 7162 say a mailbox is: messages by UID with flags and a modification sequence, and what is gone.

use std::collections::{BTreeMap, BTreeSet};

pub type Flags = BTreeSet<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub flags: Flags,
    pub modseq: u64,
}

/// One mailbox; every change of it takes the next modification sequence.
#[derive(Debug)]
pub struct Model {
    pub messages: BTreeMap<u32, Kept>,
    pub uid_next: u32,
    pub modseq: u64,
    /// UID and the modification sequence at which it went.
    pub gone: Vec<(u32, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Replace,
    Add,
    Remove,
}

impl Model {
    pub fn new() -> Model {
        Model { messages: BTreeMap::new(), uid_next: 1, modseq: 1, gone: Vec::new() }
    }

    /// New messages, in one change.
    pub fn add(&mut self, all: Vec<Flags>) {
        if all.is_empty() {
            return;
        }
        self.modseq += 1;
        for flags in all {
            self.messages.insert(self.uid_next, Kept { flags, modseq: self.modseq });
            self.uid_next += 1;
        }
    }

    /// STORE: those that UNCHANGEDSINCE left alone. Only a message whose flags became others has changed.
    pub fn store(
        &mut self,
        uids: &[u32],
        op: Op,
        flags: &Flags,
        unchanged_since: Option<u64>,
    ) -> BTreeSet<u32> {
        let (mut modified, mut changed) = (BTreeSet::new(), false);
        for uid in uids {
            let Some(kept) = self.messages.get_mut(uid) else { continue };
            if unchanged_since.is_some_and(|since| kept.modseq > since) {
                modified.insert(*uid);
                continue;
            }
            let new: Flags = match op {
                Op::Replace => flags.clone(),
                Op::Add => kept.flags.union(flags).cloned().collect(),
                Op::Remove => kept.flags.difference(flags).cloned().collect(),
            };
            if new != kept.flags {
                *kept = Kept { flags: new, modseq: self.modseq + 1 };
                changed = true;
            }
        }
        self.modseq += u64::from(changed);
        modified
    }

    /// EXPUNGE, of these only where given.
    pub fn expunge(&mut self, among: Option<&[u32]>) -> Vec<u32> {
        let deleted = |(_, kept): &(&u32, &Kept)| kept.flags.contains("\\Deleted");
        let uids = self.messages.iter().filter(deleted).map(|(uid, _)| *uid);
        let uids: Vec<u32> = uids.filter(|uid| among.is_none_or(|among| among.contains(uid))).collect();
        self.remove(&uids);
        uids
    }

    pub fn remove(&mut self, uids: &[u32]) {
        if uids.is_empty() {
            return;
        }
        self.modseq += 1;
        for uid in uids {
            self.messages.remove(uid);
            self.gone.push((*uid, self.modseq));
        }
    }

    /// The flags of those that are still there.
    pub fn flags_of(&self, uids: &[u32]) -> Vec<(u32, Flags)> {
        uids.iter().filter_map(|uid| self.messages.get(uid).map(|kept| (*uid, kept.flags.clone()))).collect()
    }
}
