//! One attempt after another at a source: fetch, judge, read. What is refused leaves everything as it is, and a revision counts
//! as taken only once its plan was worked on ([`Follow::settle`]). All calls block.

use chrono::{DateTime, Utc};

use super::{Prepared, Trouble};
use crate::source::verify::{self, Last, MAX_COMMITS, Read, Reason, Refused, Since, Taken, Verification};
use crate::source::{
    Commit, CommitInfo, Head, History, ObjectError, Options, RawObject, Reference, Snapshot, Source, Tag,
};

/// A source on its way through its revisions.
#[derive(Debug)]
pub struct Follow {
    source: Source,
    verification: Option<Verification>,
    allow_rewind: bool,
    reference: Reference,
    path: Option<String>,
    last: Last,
    remembers: bool,
    /// The revision that was read last.
    seen: Option<String>,
}

/// A revision that was fetched, judged and read.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Its manifests.
    pub snapshot: Snapshot,
    /// Its commits, and who signed them; a directory has none.
    pub taken: Option<Taken>,
    /// Whether signatures were looked at: then what nobody signed approves nothing.
    pub verified: bool,
}

impl Revision {
    /// A source that has nothing to say yet.
    pub fn empty() -> Revision {
        Revision { snapshot: Snapshot::default(), taken: None, verified: false }
    }

    /// Its commit, and those before it that are news, the newest first.
    pub fn commits(&self) -> impl Iterator<Item = &CommitInfo> {
        let head = self.taken.as_ref().map(|taken| taken.head.as_ref());
        let before = self.taken.iter().flat_map(|taken| &taken.commits).map(AsRef::as_ref);
        head.into_iter().chain(before.filter(move |commit| Some(&commit.id) != head.map(|head| &head.id)))
    }

    /// The digests that its commits approve.
    pub fn approvals(&self) -> Vec<String> {
        super::approvals(self.commits(), self.verified)
    }
}

impl Follow {
    /// Follows `source` as the spec says, after what was taken last.
    pub fn new(source: Source, prepared: &Prepared, last: Last) -> Follow {
        let follow = Follow::trusting(source, &prepared.options, prepared.verification.clone(), last);
        Follow { allow_rewind: prepared.allow_rewind, ..follow }
    }

    /// Follows `source`, which was opened with these options, after what was taken last; a revision needs these signatures.
    pub fn trusting(
        source: Source,
        options: &Options,
        verification: Option<Verification>,
        mut last: Last,
    ) -> Follow {
        if let Some(verification) = &verification {
            last.remember(verification.keys.fingerprints());
        }
        Follow {
            source,
            verification,
            allow_rewind: false,
            reference: options.reference.clone(),
            path: options.path.clone(),
            last,
            remembers: true,
            seen: None,
        }
    }

    /// The same, where rewritten history and older revisions are taken.
    pub fn allowing_rewind(self) -> Follow {
        Follow { allow_rewind: true, ..self }
    }

    /// Follows a source that nobody vouches for: a directory, or a repository without a spec.
    pub fn plainly(source: Source) -> Follow {
        let follow = Follow::trusting(source, &Options::default(), None, Last::default());
        Follow { remembers: false, ..follow.allowing_rewind() }
    }

    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What was taken last, to be kept.
    pub fn last(&self) -> &Last {
        &self.last
    }

    /// Whether it is kept over restarts what was taken last.
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// Whether signatures are looked at.
    pub fn verifies(&self) -> bool {
        self.verification.is_some()
    }

    /// One attempt. `None`: nothing changed since the last one that was read.
    pub fn load(&mut self, now: DateTime<Utc>) -> Result<Option<Revision>, Trouble> {
        let Some(head) = self.source.fetch()? else {
            let snapshot = self.source.load()?;
            return Ok(snapshot.map(|snapshot| Revision { snapshot, taken: None, verified: false }));
        };
        if self.seen.as_ref() == Some(&head.revision) {
            return Ok(None);
        }
        let taken = self.verify(&head, now).map_err(|trouble| trouble.of(&head.revision))?;
        let read = self.source.read(&head).map_err(Trouble::from);
        let mut snapshot = read.map_err(|trouble| trouble.of(&head.revision))?;
        if snapshot.files.is_empty() {
            return Err(Trouble::empty(&head.revision, self.path.as_deref()));
        }
        // What was verified once is no measure of what is taken unverified.
        self.last.verified = self.verification.is_some().then(|| head.id().to_owned());
        self.last.signer = taken.head.signer.as_ref().map(|it| (it.principal.clone(), it.key.clone()));
        snapshot.commit = snapshot.commit.map(|_| std::sync::Arc::clone(&taken.head));
        self.seen = Some(head.revision);
        Ok(Some(Revision { snapshot, taken: Some(taken), verified: self.verification.is_some() }))
    }

    /// Reads again what was taken last, which was judged then: for a process that has read nothing yet and whose first attempt is
    /// refused. `None` when there is no such revision, or it cannot be read.
    pub fn load_last(&mut self) -> Option<Revision> {
        let last = self.last.applied.as_deref()?;
        match self.source.load_commit(last) {
            Ok(snapshot) => snapshot.map(|snapshot| Revision {
                snapshot,
                taken: None,
                verified: self.verification.is_some(),
            }),
            Err(error) => {
                tracing::warn!(%error, "the revision that was applied last cannot be read; what is in force stays");
                None
            }
        }
    }

    /// The revision was planned and worked on: nothing that does not contain it is taken after it. Says whether that is news.
    pub fn settle(&mut self, revision: &Revision) -> bool {
        let commit = revision.taken.as_ref().map(|taken| taken.head.id.clone());
        let news = commit.is_some() && self.last.applied != commit;
        if news {
            self.last.applied = commit;
        }
        news
    }

    fn verify(&self, head: &Head, now: DateTime<Utc>) -> Result<Taken, Trouble> {
        let read = Read {
            head: self.commit(&head.commit)?,
            tag_name: self.tag_name(head),
            tag: self.tag(head)?,
            since: self.since(head)?,
        };
        Ok(verify::judge(self.verification.as_ref(), &read, &self.last, self.allow_rewind, now)?)
    }

    /// The tag that is followed: the reference says so, or it led through a tag's object.
    fn tag_name(&self, head: &Head) -> Option<String> {
        let is_tag = match &self.reference {
            Reference::Tag(_) | Reference::Semver(_) => true,
            Reference::Named(name) => name.starts_with("refs/tags/") || head.tag.is_some(),
            Reference::Default | Reference::Branch(_) | Reference::Commit(_) => false,
        };
        is_tag.then(|| reference(&head.revision).to_owned())
    }

    fn tag(&self, head: &Head) -> Result<Option<Tag>, Refused> {
        let (Some(raw), Some(_)) = (&head.tag, &self.verification) else { return Ok(None) };
        Tag::parse(&raw.id, &raw.content).map(Some).map_err(|error| malformed("tag", &raw.id, error))
    }

    /// Where nobody has to have signed it, nobody need understand who made a commit.
    fn commit(&self, raw: &RawObject) -> Result<Commit, Refused> {
        match (Commit::parse(&raw.id, &raw.content), &self.verification) {
            (Ok(commit), _) => Ok(commit),
            (Err(_), None) => Ok(Commit::unknown(&raw.id)),
            (Err(error), Some(_)) => Err(malformed("commit", &raw.id, error)),
        }
    }

    fn since(&self, head: &Head) -> Result<Since, Trouble> {
        let Some(base) = self.last.base() else { return Ok(Since::First) };
        if base == head.id() {
            return Ok(Since::Commits(Vec::new()));
        }
        let history = match self.source.history(base, head.id(), MAX_COMMITS) {
            // Where rewound revisions are taken, what cannot be compared is one.
            Err(_) if self.allow_rewind => History::Rewritten,
            history => history?,
        };
        Ok(match history {
            History::Commits(commits) => {
                Since::Commits(commits.iter().map(|raw| self.commit(raw)).collect::<Result<_, _>>()?)
            }
            History::Rewritten => Since::Rewound,
            History::Beyond(_) => Since::TooMany,
        })
    }
}

/// `main` of `main@sha1:…`.
fn reference(revision: &str) -> &str {
    revision.rsplit_once('@').map_or(revision, |(name, _)| name)
}

fn malformed(kind: &str, id: &str, error: ObjectError) -> Refused {
    let message = format!("{kind} {id} cannot be verified: {error}; make it anew with git and push again");
    Refused { reason: Reason::MalformedObject, commit: id.to_owned(), message }
}

#[cfg(test)]
mod tests;
