//! One round of previews: what is open is asked for, what is due is read, planned and posted, one after the other. Everything here
//! blocks, and belongs on a thread of its own.
//!
//! A round goes on behind what fails: a pull request that cannot be read is told so, one that cannot be posted is tried again.
//! A forge that wants to be left alone ends the round.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mailwright_plan::{Observed, Plan};

use super::decide::{self, Memory, Open, Posted};
use super::forge::{Forge, ForgeError, State};
use super::post::{self, About, Post};
use super::settings::{Settings, Target};
use super::stage::Stage;
use crate::source::{Snapshot, Source};

/// What previews work with from one round to the next.
#[derive(Debug)]
pub struct Round {
    settings: Settings,
    source: Source,
    forge: Option<Forge>,
    /// What was posted; kept by whoever runs rounds.
    pub memory: Memory,
}

/// What a round did.
#[derive(Debug, Default)]
pub struct Told {
    /// What was posted, with its digest.
    pub posted: Vec<(Open, String)>,
    /// How many are due that this round had no room for.
    pub later: usize,
    /// What failed, in words without secrets.
    pub failures: Vec<String>,
    /// How long the forge wants to be left alone.
    pub wait: Option<Duration>,
}

/// What proposed changes are planned against.
pub trait Base {
    /// What the commit would change; an error is a sentence for its author.
    fn plan(&self, head: &Snapshot, now: DateTime<Utc>) -> Result<Plan, String>;
    /// The revision that is followed.
    fn followed(&self) -> &str;
    /// What makes another plan possible: it says something else when the live state or the revision does.
    fn name(&self) -> String;
}

/// The rows of an account database.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// The rules of the followed branch.
    pub stage: &'a Stage,
    /// What runs.
    pub observed: &'a Observed,
    /// The revision that was followed to it.
    pub followed: &'a str,
}

impl Base for Against<'_> {
    fn plan(&self, head: &Snapshot, now: DateTime<Utc>) -> Result<Plan, String> {
        self.stage.plan(head, self.observed, now)
    }

    fn followed(&self) -> &str {
        self.followed
    }

    fn name(&self) -> String {
        format!("{} {}", self.observed.change_counter, self.followed)
    }
}

impl Round {
    /// Rounds over a repository. `source` is another way to what is followed, so that nobody waits for the other.
    pub fn new(settings: Settings, source: Source, memory: Memory) -> Self {
        Self { settings, source, forge: None, memory }
    }

    /// Looks once.
    pub fn run(&mut self, against: &dyn Base, now: DateTime<Utc>) -> Told {
        let mut told = Told::default();
        let open = match self.connect().and_then(|()| self.open()) {
            Ok(open) => open,
            Err(failure) => {
                told.fail(failure);
                return told;
            }
        };
        self.memory.keep(&open);
        let (due, later) = self.memory.due(&open, &against.name(), now);
        told.later = later;
        for open in due {
            let mut posted = self.memory.posted.remove(&open.reference).unwrap_or_default();
            let is_other = posted.tried != open.commit;
            open.commit.clone_into(&mut posted.tried);
            let outcome = self.look(&open, &mut posted, against, now);
            posted.looked_at = Some(now);
            posted.failed = match &outcome {
                Ok(_) => 0,
                Err(_) if is_other => 1,
                Err(_) => posted.failed.saturating_add(1),
            };
            self.memory.posted.insert(open.reference.clone(), posted);
            match outcome {
                Ok(None) => {}
                Ok(Some(digest)) => told.posted.push((open, digest)),
                Err(failure) => {
                    told.fail(failure);
                    if told.wait.is_some() {
                        break;
                    }
                }
            }
        }
        told
    }

    /// Makes the way to the forge, on the thread that blocks anyway: an event loop takes no client that does.
    fn connect(&mut self) -> Result<(), Failure> {
        if let (None, Some(target)) = (&self.forge, &self.settings.target) {
            self.forge = Some(Forge::new(target.api.clone(), target.token.clone(), None)?);
        }
        Ok(())
    }

    fn open(&self) -> Result<Vec<Open>, Failure> {
        let refs = self.source.refs(&self.settings.refs).map_err(|error| Failure::Said(error.to_string()))?;
        let branch = self.settings.branch.as_deref();
        let asks = refs.iter().any(|(reference, _)| decide::number(reference).is_some());
        let pulls = match &self.forge {
            Some(forge) if asks => Some(forge.pulls(branch)?),
            _ => None,
        };
        Ok(decide::open(&refs, pulls.as_deref(), branch))
    }

    /// Plans one and posts what is news; the digest of what was posted.
    fn look(
        &mut self,
        open: &Open,
        posted: &mut Posted,
        against: &dyn Base,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Failure> {
        let is_new = posted.commit != open.commit;
        if let (true, Some(forge), Some(target)) = (is_new, &self.forge, &self.settings.target)
            && target.status
        {
            forge.set_status(&open.head, State::Pending, "it is being planned")?;
        }
        let post = self.plan(open, against, now)?;
        let said = post.fingerprint();
        if !is_new && posted.said == said {
            posted.against = against.name();
            return Ok(None);
        }
        if let (Some(forge), Some(target)) = (&mut self.forge, &self.settings.target) {
            tell(forge, target, &self.settings.mark, open, posted, &post)?;
        }
        open.commit.clone_into(&mut posted.commit);
        posted.against = against.name();
        posted.said = said;
        posted.posted_at = Some(now);
        post.digest.clone_into(&mut posted.digest);
        Ok(Some(post.digest))
    }

    /// The plan in words, or why there is none; an error is nothing that the author can mend, and is tried again.
    fn plan(&self, open: &Open, against: &dyn Base, now: DateTime<Utc>) -> Result<Post, Failure> {
        let files = self.settings.target.as_ref().map(|target| target.api.files(&open.commit));
        let about = About { open, followed: against.followed(), files, mark: &self.settings.mark };
        let planned = match self.source.load_ref(&open.reference) {
            Ok((head, _)) if head.id() != open.commit => {
                return Err(Failure::Said(format!("{} was pushed to just now", open.reference)));
            }
            Ok((_, snapshot)) => against.plan(&snapshot, now),
            Err(error) if error.is_temporary() => return Err(Failure::Said(error.to_string())),
            Err(error) => Err(error.to_string()),
        };
        Ok(match planned {
            Ok(plan) => Post::of(&plan, &about),
            Err(why) => Post::failed(&why, &about),
        })
    }
}

/// Posts a status and a comment. The status is last: who sees it finds the comment.
fn tell(
    forge: &mut Forge,
    target: &Target,
    mark: &str,
    open: &Open,
    posted: &mut Posted,
    post: &Post,
) -> Result<(), Failure> {
    if let (true, Some(number)) = (target.comment, open.number) {
        let known = match posted.comment {
            Some(comment) => Some(comment),
            None => forge.find_comment(number, &post::mark(mark))?,
        };
        let edited = match known {
            Some(comment) => forge.edit_comment(number, comment, &post.comment)?.then_some(comment),
            None => None,
        };
        posted.comment = match edited {
            Some(comment) => Some(comment),
            None => Some(forge.create_comment(number, &post.comment)?),
        };
    }
    if target.status {
        forge.set_status(&open.head, post.state, &post.description)?;
    }
    Ok(())
}

/// Why something of a round did not come about.
enum Failure {
    Forge(ForgeError),
    Said(String),
}

impl From<ForgeError> for Failure {
    fn from(error: ForgeError) -> Self {
        Self::Forge(error)
    }
}

impl Told {
    fn fail(&mut self, failure: Failure) {
        self.failures.push(match failure {
            Failure::Forge(error) => {
                if let ForgeError::Later { wait, .. } = &error {
                    self.wait = Some(*wait);
                }
                error.to_string()
            }
            Failure::Said(said) => said,
        });
    }
}
