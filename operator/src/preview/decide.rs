//! Which pull requests are looked at in a round, and whether what was found is news. Pure: what is open, what was posted and what
//! the time is are arguments.
//!
//! A pull request is looked at when its head is new, and again when the live state or the followed branch has moved since. Its plan is
//! posted when it says something else than what was posted. What is closed is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// Pull requests that are kept in mind. More are open only where nobody closes them.
pub const MAX_OPEN: usize = 200;

/// Looked at in one round: each costs a fetch, a plan and up to four requests, so a hundred at once (a renamed branch) are
/// spread over rounds.
pub const MAX_ROUND: usize = 4;

/// The live state moves with every applied commit; a plan that was made is not made again sooner than this.
pub const AGAIN: Duration = Duration::seconds(60);

/// After something failed it is tried again no sooner than this, and each time twice as long.
pub const FIRST_RETRY: Duration = Duration::seconds(30);

/// And no later than this.
pub const LAST_RETRY: Duration = Duration::hours(1);

/// A proposed change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// The reference that is planned: `refs/pull/7/head`.
    pub reference: String,
    /// What it leads to.
    pub commit: String,
    /// The pull request, when the reference is one's.
    pub number: Option<u64>,
    /// The commit that the forge shows statuses of: the pull request's head, also where its merge is planned.
    pub head: String,
}

/// An open pull request, as its forge tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The commit at its head.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
}

/// What was done about a reference so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Posted {
    /// The commit that was looked at last, whatever came of it.
    pub tried: String,
    /// The commit that was told of last.
    pub commit: String,
    /// The digest of its plan.
    pub digest: String,
    /// What was said, as a fingerprint.
    pub said: String,
    /// The live state and the followed revision that it was planned against.
    pub against: String,
    /// The comment that is edited.
    pub comment: Option<u64>,
    /// When something was posted.
    pub posted_at: Option<DateTime<Utc>>,
    /// When it was looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// How often in a row it failed.
    pub failed: u32,
}

/// What is known from one round to the next, and from one start to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// By reference.
    pub posted: BTreeMap<String, Posted>,
}

/// The references of open pull requests into the followed branch, and those that belong to none. `pulls` is `None` where no
/// forge tells what is open; then every reference is.
pub fn open(refs: &[(String, String)], pulls: Option<&[Pull]>, branch: Option<&str>) -> Vec<Open> {
    let one = |(reference, commit): &(String, String)| {
        let number = number(reference);
        let pull = match (number, pulls) {
            (Some(number), Some(pulls)) => {
                let pull = pulls.iter().find(|pull| pull.number == number)?;
                if branch.is_some_and(|branch| branch != pull.base) {
                    return None;
                }
                Some(pull)
            }
            _ => None,
        };
        // At the head of a pull request statuses go to the commit that is planned; a merge is nobody's head.
        let head = match pull {
            Some(pull) if reference.ends_with("/merge") => pull.head.clone(),
            _ => commit.clone(),
        };
        Some(Open { reference: reference.clone(), commit: commit.clone(), number, head })
    };
    let mut seen = BTreeSet::new();
    let mut open: Vec<Open> = refs.iter().filter_map(one).collect();
    // Of the head and the merge of a pull request one is told of: two would edit the same comment in turn.
    open.sort_by_key(|open| (!open.reference.ends_with("/merge"), open.reference.clone()));
    open.retain(|open| open.number.is_none_or(|number| seen.insert(number)));
    open.sort();
    open
}

/// The number of the pull request that a reference is of: `refs/pull/7/head`, `refs/merge-requests/7/merge`.
pub fn number(reference: &str) -> Option<u64> {
    let rest =
        ["refs/pull/", "refs/merge-requests/"].iter().find_map(|start| reference.strip_prefix(start))?;
    let (number, what) = rest.split_once('/')?;
    if !["head", "merge"].contains(&what) || number.starts_with(['+', '0']) {
        return None;
    }
    number.parse().ok()
}

impl Memory {
    /// Forgets what is no longer open.
    pub fn keep(&mut self, open: &[Open]) {
        let names: BTreeSet<&str> = open.iter().map(|open| open.reference.as_str()).collect();
        self.posted.retain(|reference, _| names.contains(reference.as_str()));
    }

    /// What is looked at now, new heads first, then what was not looked at for longest. How many wait is the second.
    pub fn due(&self, open: &[Open], against: &str, now: DateTime<Utc>) -> (Vec<Open>, usize) {
        let mut due: Vec<(bool, Option<DateTime<Utc>>, &Open)> = Vec::new();
        for open in open.iter().take(MAX_OPEN) {
            let posted = self.posted.get(&open.reference);
            let looked_at = posted.and_then(|posted| posted.looked_at);
            let known = posted.filter(|posted| posted.tried == open.commit);
            let wanted = known.is_none_or(|posted| posted.failed > 0 || posted.against != against);
            let waits = known.map_or(Duration::zero(), wait);
            if wanted && looked_at.is_none_or(|at| now - at >= waits) {
                due.push((known.is_some(), looked_at, open));
            }
        }
        due.sort();
        let later = due.len().saturating_sub(MAX_ROUND);
        (due.into_iter().take(MAX_ROUND).map(|(_, _, open)| open.clone()).collect(), later)
    }
}

/// How long a head that is known rests.
fn wait(posted: &Posted) -> Duration {
    match posted.failed {
        0 => AGAIN,
        failed => (FIRST_RETRY * (1 << failed.min(10).saturating_sub(1))).min(LAST_RETRY),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_790_000_000 + seconds, 0).unwrap()
    }

    fn pull(number: u64, base: &str) -> Pull {
        Pull { number, head: format!("head{number}"), base: base.to_owned() }
    }

    fn refs(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), format!("commit of {name}"))).collect()
    }

    fn names(open: &[Open]) -> Vec<&str> {
        open.iter().map(|open| open.reference.as_str()).collect()
    }

    #[test]
    fn numbers_are_of_pull_requests_only() {
        for (reference, expected) in [
            ("refs/pull/7/head", Some(7)),
            ("refs/pull/7/merge", Some(7)),
            ("refs/merge-requests/12/head", Some(12)),
            ("refs/pull/7", None),
            ("refs/pull/7/head/x", None),
            ("refs/pull/07/head", None),
            ("refs/pull/+7/head", None),
            ("refs/pull/-7/head", None),
            ("refs/pull/99999999999999999999/head", None),
            ("refs/heads/pull/7/head", None),
        ] {
            assert_eq!(number(reference), expected, "{reference}");
        }
    }

    #[test]
    fn open_is_what_the_forge_says_and_goes_to_the_followed_branch() {
        let all = refs(&[
            "refs/heads/try",
            "refs/pull/1/head",
            "refs/pull/2/head",
            "refs/pull/3/head",
            "refs/pull/3/merge",
        ]);
        let pulls = [pull(1, "main"), pull(3, "main"), pull(2, "develop")];
        for (pulls, branch, expected) in [
            (
                Some(&pulls[..]),
                Some("main"),
                &["refs/heads/try", "refs/pull/1/head", "refs/pull/3/merge"][..],
            ),
            (Some(&pulls[..1]), Some("main"), &["refs/heads/try", "refs/pull/1/head"]),
            (
                Some(&pulls[..]),
                None,
                &["refs/heads/try", "refs/pull/1/head", "refs/pull/2/head", "refs/pull/3/merge"],
            ),
            (Some(&[]), Some("main"), &["refs/heads/try"]),
            (
                None,
                Some("main"),
                &["refs/heads/try", "refs/pull/1/head", "refs/pull/2/head", "refs/pull/3/merge"],
            ),
        ] {
            assert_eq!(names(&open(&all, pulls, branch)), expected, "{branch:?}");
        }
        let merge = &open(&all, Some(&pulls), Some("main"))[2];
        assert_eq!((merge.commit.as_str(), merge.head.as_str()), ("commit of refs/pull/3/merge", "head3"));
    }

    #[test]
    fn looked_at_is_what_is_new_or_what_the_state_moved_under() {
        let open = open(&refs(&["refs/pull/1/head"]), None, None);
        let posted = Posted {
            tried: "commit of refs/pull/1/head".to_owned(),
            against: "5 main".to_owned(),
            looked_at: Some(at(0)),
            ..Posted::default()
        };
        let other = Posted { tried: "an older one".to_owned(), failed: 7, ..posted.clone() };
        let failed = |failed| Posted { failed, ..posted.clone() };
        for (name, posted, against, seconds, expected) in [
            ("never seen", None, "5 main", 0, true),
            ("the same", Some(posted.clone()), "5 main", 10_000, false),
            ("a new head at once", Some(other), "5 main", 0, true),
            ("the state moved, just looked at", Some(posted.clone()), "6 main", 59, false),
            ("the state moved", Some(posted.clone()), "6 main", 60, true),
            ("failed just now", Some(failed(1)), "5 main", 29, false),
            ("failed a while ago", Some(failed(1)), "5 main", 30, true),
            ("failed three times", Some(failed(3)), "5 main", 119, false),
            ("failed three times, later", Some(failed(3)), "5 main", 120, true),
            ("failed for ever", Some(failed(4_000_000)), "5 main", 3600, true),
        ] {
            let posted = posted.map(|posted| ("refs/pull/1/head".to_owned(), posted)).into_iter().collect();
            let memory = Memory { posted };
            let (due, later) = memory.due(&open, against, at(seconds));
            assert_eq!((!due.is_empty(), later), (expected, 0), "{name}");
        }
    }

    #[test]
    fn a_round_is_bounded_and_everybody_has_their_turn() {
        let all: Vec<(String, String)> =
            (1..=9).map(|number| (format!("refs/pull/{number}/head"), format!("c{number}"))).collect();
        let open = open(&all, None, None);
        let mut memory = Memory::default();
        let mut turns = Vec::new();
        for round in 0..6 {
            let (due, later) = memory.due(&open, &format!("state {}", round / 3), at(round * 100));
            turns.push((due.len(), later));
            for open in due {
                let posted = Posted {
                    tried: open.commit,
                    against: format!("state {}", round / 3),
                    looked_at: Some(at(round * 100)),
                    ..Posted::default()
                };
                memory.posted.insert(open.reference, posted);
            }
        }
        assert_eq!(turns, [(4, 5), (4, 1), (1, 0), (4, 5), (4, 1), (1, 0)]);
        memory.keep(&open[..2]);
        assert_eq!(memory.posted.keys().collect::<Vec<_>>(), ["refs/pull/1/head", "refs/pull/2/head"]);
    }

    #[test]
    fn more_than_can_be_kept_in_mind_are_left_alone() {
        let all: Vec<(String, String)> =
            (1..=500).map(|number| (format!("refs/heads/{number:03}"), "c".to_owned())).collect();
        let (due, later) = Memory::default().due(&open(&all, None, None), "", at(0));
        assert_eq!((due.len(), later), (MAX_ROUND, MAX_OPEN - MAX_ROUND));
    }

    #[test]
    fn memory_survives_a_restart_and_a_newer_release() {
        let mut memory = Memory::default();
        let posted = Posted { comment: Some(7), posted_at: Some(at(1)), ..Posted::default() };
        memory.posted.insert("refs/pull/1/head".to_owned(), posted);
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
        assert_eq!(serde_json::from_str::<Memory>("{\"later\": 1}").unwrap(), Memory::default());
    }
}
