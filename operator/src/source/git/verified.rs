//! Taking a revision: what `source/verify` has to know is read, its verdict is asked, and only then are files read.
//!
//! Owns bringing commits, tag and history together, and remembering what was taken. It leaves out the verdict.

use chrono::Utc;

use super::commit::{Commit, Tag};
use super::{Git, Head, History, RawObject};
use crate::source::verify::{Last, MAX_COMMITS, Read, Reason, Refused, Since, Taken, judge};
use crate::source::{CommitId, ObjectError, Reference, Snapshot, SourceError};

impl Git {
    /// Judges what [`Git::fetch`] found and reads its files. What is refused leaves everything as it was.
    pub(super) fn take(&mut self, head: &Head) -> Result<Snapshot, SourceError> {
        let taken = self.judged(head)?;
        let snapshot = self.read(head)?;
        self.last.take(&taken.head, self.options.verification.as_deref());
        let commit = snapshot.commit.is_some().then_some(taken.head);
        Ok(Snapshot { commit, commits: taken.commits, ..snapshot })
    }

    /// Reads what was taken last: it is in force, whatever its reference leads to now.
    pub(in crate::source) fn load_last(&mut self) -> Result<Option<Snapshot>, SourceError> {
        let taken = self.last.taken.as_deref().or(self.last.applied.as_deref());
        let Some(id) = taken.and_then(CommitId::parse) else { return Ok(None) };
        let head = self.find(&Reference::Commit(id))?;
        let (snapshot, listing) = self.snapshot(&head)?;
        self.listing = listing;
        Ok(Some(snapshot))
    }

    pub(in crate::source) fn last(&self) -> &Last {
        &self.last
    }

    pub(in crate::source) fn applied(&mut self) {
        self.last.applied.clone_from(&self.last.taken);
    }

    fn judged(&self, head: &Head) -> Result<Taken, SourceError> {
        let refused = |refused| SourceError::Unverified { location: self.id.clone(), refused };
        let read = Read {
            head: self.parsed(&head.commit).map_err(refused)?,
            tag_name: self.tag_name(head),
            tag: self.tag(head).map_err(refused)?,
            since: self.since(head)?,
        };
        let verification = self.options.verification.as_deref();
        judge(verification, &read, &self.last, self.options.allow_rewind, Utc::now()).map_err(refused)
    }

    fn since(&self, head: &Head) -> Result<Since, SourceError> {
        let Some(base) = self.last.base() else { return Ok(Since::First) };
        let refused = |refused| SourceError::Unverified { location: self.id.clone(), refused };
        Ok(match self.history(base, head.id(), MAX_COMMITS)? {
            History::Commits(commits) => {
                let parsed = commits.iter().map(|commit| self.parsed(commit)).collect::<Result<_, _>>();
                Since::Commits(parsed.map_err(refused)?)
            }
            History::Rewritten => Since::Rewound,
            History::Beyond(_) => Since::TooMany,
        })
    }

    /// Without verification, nobody need understand who made a commit.
    fn parsed(&self, raw: &RawObject) -> Result<Commit, Refused> {
        match (Commit::parse(&raw.id, &raw.content), &self.options.verification) {
            (Ok(commit), _) => Ok(commit),
            (Err(_), None) => Ok(Commit::unknown(&raw.id)),
            (Err(error), Some(_)) => Err(malformed("commit", &raw.id, error)),
        }
    }

    fn tag(&self, head: &Head) -> Result<Option<Tag>, Refused> {
        let (Some(raw), Some(_)) = (&head.tag, &self.options.verification) else { return Ok(None) };
        Tag::parse(&raw.id, &raw.content).map(Some).map_err(|error| malformed("tag", &raw.id, error))
    }

    /// The tag that is followed: the reference says so, or it led through a tag's object.
    fn tag_name(&self, head: &Head) -> Option<String> {
        let tag = match &self.options.reference {
            Reference::Tag(_) | Reference::Semver(_) => true,
            Reference::Named(name) => name.starts_with("refs/tags/") || head.tag.is_some(),
            Reference::Default | Reference::Branch(_) | Reference::Commit(_) => false,
        };
        let name = head.revision.rsplit_once('@').map(|(name, _)| name.to_owned());
        name.filter(|_| tag)
    }
}

fn malformed(kind: &str, id: &str, error: ObjectError) -> Refused {
    let message = format!("{kind} {id} cannot be verified: {error}; make it anew with git and push again");
    Refused { reason: Reason::MalformedObject, commit: id.to_owned(), message }
}
