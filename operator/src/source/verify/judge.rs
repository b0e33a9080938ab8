//! Whether a revision is taken: first whether it may follow the last one, then whether what the mode asks for is signed.
//!
//! Pure: the commits and the tag that were read, what was taken last, the keys and the time come in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::refusal::{Reason, Refused, short};
use super::signature::{Claim, SignatureError};
use super::{Last, MAX_COMMITS, Mode, Verification};
use crate::source::{Commit, CommitInfo, Signed, Signer, Tag};

/// What was read of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The commit that would be taken.
    pub head: Commit,
    /// The name of the tag that is followed; `None` for a branch or a commit.
    pub tag_name: Option<String>,
    /// That tag's object; a lightweight tag has none.
    pub tag: Option<Tag>,
    /// What lies between the last applied commit and this one.
    pub since: Since,
}

/// What lies between the last applied commit and a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Nothing was applied before.
    First,
    /// Every commit that the new one contains and the last one does not, the newest first; empty for the same commit.
    Commits(Vec<Commit>),
    /// The new one does not contain the last one.
    Rewound,
    /// More commits than are looked at.
    TooMany,
}

/// A revision that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The commit, with who signed it or its tag.
    pub head: Arc<CommitInfo>,
    /// The commits since the last applied one, the newest first: their trailers may approve a plan.
    pub commits: Vec<Arc<CommitInfo>>,
}

/// Judges a revision. Without `verification` only its place in the history counts.
pub fn judge(
    verification: Option<&Verification>,
    read: &Read,
    last: &Last,
    allow_rewind: bool,
    now: DateTime<Utc>,
) -> Result<Taken, Refused> {
    if !allow_rewind {
        follows(read, last)?;
    }
    let mut signers: HashMap<&str, Signer> = HashMap::new();
    if let Some(verification) = verification {
        let judge = Judge { verification, former: last.keys.iter().cloned().collect(), now };
        match last.verified.as_deref() {
            // In force already: whoever signed it may be gone since.
            Some(verified) if verified == read.head.info.id => {
                if let Some((principal, key)) = last.signer.clone() {
                    signers.insert(&read.head.info.id, Signer { principal, key });
                }
            }
            _ => judge.signatures(read, last, &mut signers)?,
        }
    }
    let shown = |commit: &Commit| {
        Arc::new(CommitInfo { signer: signers.get(commit.info.id.as_str()).cloned(), ..commit.info.clone() })
    };
    let commits = match &read.since {
        Since::Commits(commits) => commits.iter().map(shown).collect(),
        _ => Vec::new(),
    };
    Ok(Taken { head: shown(&read.head), commits })
}

/// The rewind protection.
fn follows(read: &Read, last: &Last) -> Result<(), Refused> {
    let head = &read.head.info.id;
    let rewound = |before: &str| {
        let (new, old) = (short(head), short(before));
        let message = format!(
            "commit {new} does not contain {old}, which was taken last: the history was rewritten, or an older commit is back; \
             push a commit that contains {old} (git revert takes a change back), or set allowRewind once if this is meant"
        );
        Err(Refused { reason: Reason::Rewound, commit: head.clone(), message })
    };
    let base = last.base().unwrap_or_default();
    match &read.since {
        Since::First => Ok(()),
        Since::Rewound => rewound(base),
        Since::TooMany => Err(Refused {
            reason: Reason::TooManyCommits,
            commit: head.clone(),
            message: format!(
                "more than {MAX_COMMITS} commits lie between {} and {}, which was taken last; push them in steps, or look at \
                 them and set allowRewind once",
                short(head),
                short(base)
            ),
        }),
        Since::Commits(commits) => match last.verified.as_deref() {
            // What was believed and is not applied yet may not be taken back either.
            Some(newest) if newest != base && commits.iter().all(|commit| commit.info.id != newest) => {
                rewound(newest)
            }
            _ => Ok(()),
        },
    }
}

struct Judge<'a> {
    verification: &'a Verification,
    former: Vec<String>,
    now: DateTime<Utc>,
}

impl Judge<'_> {
    fn signatures<'a>(
        &self,
        read: &'a Read,
        last: &Last,
        signers: &mut HashMap<&'a str, Signer>,
    ) -> Result<(), Refused> {
        let head = &read.head;
        let mode = self.verification.mode;
        let tag = match mode {
            Mode::Tag | Mode::TagAndHead => Some(self.tag(read)?),
            Mode::Head | Mode::Range => None,
        };
        match mode {
            Mode::Tag => {}
            Mode::Head | Mode::TagAndHead => {
                signers.insert(&head.info.id, self.commit(head)?);
            }
            Mode::Range => {
                // The oldest first: it is the one to mend.
                for commit in unverified(read, last).into_iter().rev() {
                    signers.insert(&commit.info.id, self.commit(commit)?);
                }
            }
        }
        if let Some(signer) = tag {
            signers.insert(&head.info.id, signer);
        }
        Ok(())
    }

    fn commit(&self, commit: &Commit) -> Result<Signer, Refused> {
        let info = &commit.info;
        let checked = self.check(commit.signed.as_ref(), &commit.address, info.committed_at);
        checked.map_err(|error| {
            let what = format!("commit {} by {} ({})", short(&info.id), info.author, info.subject);
            refused(&error, &what, &info.id)
        })
    }

    /// The signed tag must name this commit, under the name that is followed: else an old release could be passed off as new.
    fn tag(&self, read: &Read) -> Result<Signer, Refused> {
        let commit = &read.head.info.id;
        let refuse = |reason, message: String| Err(Refused { reason, commit: commit.clone(), message });
        let Some(name) = &read.tag_name else {
            let message = "a signed tag is asked for, and no tag is followed; set ref.tag or ref.semver, or another verify.mode";
            return refuse(Reason::NoTag, message.to_owned());
        };
        let Some(tag) = &read.tag else {
            let message = format!(
                "the tag {name} is a lightweight one, which holds no signature; make a signed one (git tag -s)"
            );
            return refuse(Reason::NoTag, message);
        };
        if tag.name != *name {
            let message = format!(
                "the tag {name} was signed as {}; someone gave it another name, so find out who pushed it",
                tag.name
            );
            return refuse(Reason::WrongTag, message);
        }
        if !tag.names_commit || tag.target != *commit {
            let message = format!(
                "the tag {name} names something else than a commit; tag the commit itself (git tag -s)"
            );
            return refuse(Reason::WrongTag, message);
        }
        let checked = self.check(tag.signed.as_ref(), &tag.address, tag.tagged_at);
        checked.map_err(|error| refused(&error, &format!("the tag {name}"), &tag.id))
    }

    fn check(
        &self,
        signed: Option<&Signed>,
        address: &str,
        made_at: DateTime<Utc>,
    ) -> Result<Signer, SignatureError> {
        let signed = signed.ok_or(SignatureError::Missing)?;
        let claim = Claim { signed, address, made_at, now: self.now };
        self.verification.keys.check(&claim, &self.former)
    }
}

fn refused(error: &SignatureError, what: &str, id: &str) -> Refused {
    let message = format!("{what} {error}; {}", error.remedy());
    Refused { reason: error.reason(), commit: id.to_owned(), message }
}

/// What a range has to check, the newest first. The first time, and after a rewind that was allowed, there is no commit to
/// begin behind: then the newest alone, whose signature vouches for the whole tree that is applied.
fn unverified<'a>(read: &'a Read, last: &Last) -> Vec<&'a Commit> {
    let (Since::Commits(commits), Some(verified)) = (&read.since, last.verified.as_deref()) else {
        return vec![&read.head];
    };
    let by_id: HashMap<&str, &Commit> =
        commits.iter().map(|commit| (commit.info.id.as_str(), commit)).collect();
    let mut done: HashSet<&str> = HashSet::new();
    let mut waiting = vec![verified];
    while let Some(id) = waiting.pop() {
        if let Some(commit) = by_id.get(id)
            && done.insert(&commit.info.id)
        {
            waiting.extend(commit.parents.iter().map(String::as_str));
        }
    }
    let rest: Vec<&Commit> =
        commits.iter().filter(|commit| !done.contains(commit.info.id.as_str())).collect();
    // An allowed rewind may leave nothing: the commit that is taken is always looked at.
    if rest.is_empty() { vec![&read.head] } else { rest }
}

#[cfg(test)]
mod tests;
