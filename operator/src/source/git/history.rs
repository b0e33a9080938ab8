//! The commits between two: what a signature must be checked on, and whether history was rewritten.
//!
//! Owns the walk, which is pure over a lookup of commits, and fetching as many generations as it needs: a cache begins
//! at depth 1. It leaves out judging the commits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use git2::{ObjectType, Oid, Repository};

use super::super::CommitId;
use super::GitError;

/// The generations that the first fetch brings: more than a push has as a rule.
const FIRST_DEPTH: usize = 32;
/// Every further fetch brings this many times as many.
const DEEPER: usize = 8;
/// Commits that are looked at: their ids, times and flags are in memory.
const MAX_SEEN: usize = 500_000;
/// A commit or tag that is handed out; Git itself writes a few hundred bytes, a signature some thousand.
const MAX_RAW_BYTES: usize = 1024 * 1024;

/// The commits between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// Every commit that the newer one has and the older one has not, over all parents; children come before
    /// their parents, and the newer one first.
    Commits(Vec<RawObject>),
    /// The older one is no ancestor of the newer: history was rewritten, or goes back.
    Rewritten,
    /// There are more than the limit that was given, or the older one is further away than that.
    Beyond(usize),
}

/// A commit or tag as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawObject {
    /// 40 hexadecimal digits.
    pub id: String,
    /// What its signature was made over, and the signature.
    pub content: Vec<u8>,
}

/// What the walk must know of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    time: i64,
    parents: Vec<Oid>,
}

/// How a walk ended.
#[derive(Debug, PartialEq, Eq)]
enum Walked {
    /// Children before their parents.
    Commits(Vec<Oid>),
    Rewritten,
    /// More commits than the limit.
    Beyond,
    /// More must be fetched; these are here without their parents.
    Shallow(Vec<Oid>),
}

/// Walks from `to` back to `from`. `deepen` is given the commits that lack their parents and a depth, and brings more.
pub(super) fn between(
    repository: &Repository,
    from: &CommitId,
    to: &CommitId,
    limit: usize,
    mut deepen: impl FnMut(&[CommitId], u32) -> Result<(), GitError>,
) -> Result<History, GitError> {
    let (from, to) = (Oid::from_str(from.as_str())?, Oid::from_str(to.as_str())?);
    let lookup = |id: Oid| {
        let commit = repository.find_commit(id).ok()?;
        Some(Facts { time: commit.time().seconds(), parents: commit.parent_ids().collect() })
    };
    let mut depth = FIRST_DEPTH;
    let mut before: Option<Vec<Oid>> = None;
    loop {
        let shallow = match walk(&lookup, from, to, limit) {
            Walked::Commits(ids) => {
                let raw = ids.into_iter().map(|id| raw(repository, id)).collect::<Result<_, _>>();
                return raw.map(History::Commits);
            }
            Walked::Rewritten => return Ok(History::Rewritten),
            Walked::Beyond => return Ok(History::Beyond(limit)),
            Walked::Shallow(shallow) => shallow,
        };
        // An earlier call may have brought as much already.
        if before.as_ref() == Some(&shallow) && depth > limit.saturating_mul(DEEPER) {
            let text = "the server gives no more of the history than it gave; is it a shallow copy itself?";
            return Err(GitError::Refused(text.to_owned()));
        }
        let ids = shallow.iter().filter_map(|id| CommitId::parse(&id.to_string())).collect::<Vec<_>>();
        deepen(&ids, u32::try_from(depth).unwrap_or(u32::MAX))?;
        before = Some(shallow);
        depth = depth.saturating_mul(DEEPER);
    }
}

/// A commit or tag as it is stored, within reason.
pub(super) fn raw(repository: &Repository, id: Oid) -> Result<RawObject, GitError> {
    let odb = repository.odb()?;
    let (size, kind) = odb.read_header(id)?;
    if size > MAX_RAW_BYTES || !matches!(kind, ObjectType::Commit | ObjectType::Tag) {
        let what = format!("the commit or tag {id} of more than {MAX_RAW_BYTES} bytes");
        return Err(GitError::too_large(what, "take it out of the branch"));
    }
    Ok(RawObject { id: id.to_string(), content: odb.read(id)?.data().to_vec() })
}

const NEWER: u8 = 1;
const OLDER: u8 = 2;

/// Paints what `to` reaches and what `from` reaches, the newest commits first, until nothing is left that `to` alone
/// reaches. A wrong clock can only make the answer larger: what `from` reaches too late counts as new.
fn walk(lookup: &dyn Fn(Oid) -> Option<Facts>, from: Oid, to: Oid, limit: usize) -> Walked {
    if from == to {
        return Walked::Commits(Vec::new());
    }
    let mut walk = Walk {
        lookup,
        facts: HashMap::new(),
        paint: HashMap::new(),
        queue: BinaryHeap::new(),
        fresh: 0,
        shallow: Vec::new(),
        older_ends: false,
        newer_ends: false,
    };
    walk.paint(from, OLDER);
    walk.paint(to, NEWER);
    while let Some((_, id)) = walk.queue.pop() {
        if walk.fresh > limit || walk.facts.len() > MAX_SEEN {
            return Walked::Beyond;
        }
        walk.step(id);
        if walk.is_settled() {
            break;
        }
    }
    walk.finish(from, limit)
}

struct Walk<'a> {
    lookup: &'a dyn Fn(Oid) -> Option<Facts>,
    facts: HashMap<Oid, Option<Facts>>,
    paint: HashMap<Oid, u8>,
    queue: BinaryHeap<(i64, Oid)>,
    /// Commits that only `to` reaches.
    fresh: usize,
    /// Commits that are here and whose parents are not.
    shallow: Vec<Oid>,
    /// Whether what `from` reaches ends for want of commits.
    older_ends: bool,
    /// Whether something that only `to` reaches has no parents: then all of what `from` reaches matters.
    newer_ends: bool,
}

impl Walk<'_> {
    fn paint(&mut self, id: Oid, color: u8) {
        let paint = self.paint.entry(id).or_default();
        if *paint | color == *paint {
            return;
        }
        let was_fresh = *paint == NEWER;
        *paint |= color;
        let is_fresh = *paint == NEWER;
        self.fresh = self.fresh + usize::from(is_fresh) - usize::from(was_fresh);
        let facts = self.facts.entry(id).or_insert_with(|| (self.lookup)(id));
        match facts {
            Some(facts) => self.queue.push((facts.time, id)),
            None => self.older_ends |= !is_fresh,
        }
    }

    fn step(&mut self, id: Oid) {
        let color = self.paint.get(&id).copied().unwrap_or_default();
        let Some(Some(facts)) = self.facts.get(&id) else { return };
        let parents = facts.parents.clone();
        let color_of_parents = if color & OLDER != 0 { OLDER | (color & NEWER) } else { NEWER };
        let fresh = color == NEWER;
        self.newer_ends |= fresh && parents.is_empty();
        for parent in parents {
            self.paint(parent, color_of_parents);
            if matches!(self.facts.get(&parent), Some(None)) {
                self.shallow.push(id);
            }
        }
    }

    /// Whether nothing new is in the queue, and nothing in it may still reach what is taken for new: commits made in
    /// one second come in any order.
    fn is_settled(&self) -> bool {
        let is_fresh = |id: &Oid| self.paint.get(id) == Some(&NEWER);
        if self.queue.iter().any(|(_, id)| is_fresh(id)) {
            return false;
        }
        let Some((newest, _)) = self.queue.peek() else { return true };
        let fresh = self.facts.iter().filter(|(id, _)| is_fresh(id));
        fresh.filter_map(|(_, facts)| facts.as_ref()).all(|facts| facts.time > *newest)
    }

    fn finish(mut self, from: Oid, limit: usize) -> Walked {
        let is = |walk: &Walk<'_>, id: &Oid, color| walk.paint.get(id) == Some(&color);
        let absent = |walk: &Walk<'_>, id: &Oid| matches!(walk.facts.get(id), Some(None));
        let fresh: HashSet<Oid> =
            self.paint.iter().filter(|(_, p)| **p == NEWER).map(|(id, _)| *id).collect();
        let missing = fresh.iter().any(|id| absent(&self, id));
        self.shallow.sort();
        self.shallow.dedup();
        if missing {
            return Walked::Shallow(self.shallow);
        }
        // Everything that `to` reaches is known, and `from` is not among it.
        if is(&self, &from, OLDER) {
            return Walked::Rewritten;
        }
        if self.newer_ends && self.older_ends && !self.shallow.is_empty() {
            return Walked::Shallow(self.shallow);
        }
        if fresh.len() > limit {
            return Walked::Beyond;
        }
        Walked::Commits(self.ordered(&fresh))
    }

    /// Children before their parents, the newest first among those that may come next.
    fn ordered(&self, fresh: &HashSet<Oid>) -> Vec<Oid> {
        let facts = |id: &Oid| self.facts.get(id).and_then(Option::as_ref);
        let parents = |id: &Oid| facts(id).into_iter().flat_map(|facts| &facts.parents);
        let mut children: HashMap<Oid, usize> = HashMap::new();
        for parent in fresh.iter().flat_map(parents) {
            *children.entry(*parent).or_default() += 1;
        }
        let ready = |id: &Oid| (facts(id).map_or(0, |facts| facts.time), Reverse(*id));
        let mut queue: BinaryHeap<_> =
            fresh.iter().filter(|id| !children.contains_key(id)).map(ready).collect();
        let mut ordered = Vec::with_capacity(fresh.len());
        while let Some((_, Reverse(id))) = queue.pop() {
            ordered.push(id);
            for parent in parents(&id).filter(|parent| fresh.contains(parent)) {
                let left = children.entry(*parent).or_default();
                *left -= 1;
                if *left == 0 {
                    queue.push(ready(parent));
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests;
