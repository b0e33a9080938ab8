//! One MailRepository on its way through its revisions: read, put in force, told. What fails keeps what was read before in
//! force, and the sink goes on putting back what somebody changes there.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use mailwright_crds::mail_repository::Sink as SinkKind;
use mailwright_crds::{ConditionType, MailRepository, MailRepositoryStatus, ObjectRef, Reason};
use mailwright_plan::approval::{self, Given, Via};
use mailwright_plan::partition::ServerKey;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::hooks::Hooks;
use super::pace::Pace;
use super::previews::{News, Previews};
use super::resources::Resources;
use super::roster::Declared;
use super::secrets;
use super::sink::{Sink as _, Task, Worked};
use crate::accounts::Connector;
use crate::approvals;
use crate::backoff::chance;
use crate::kubernetes::database::DatabaseSink;
use crate::kubernetes::event::{Said, cut};
use crate::kubernetes::metrics::{self, AttemptResult};
use crate::kubernetes::shared::Shared;
use crate::operator::held;
use crate::repository::{
    APPROVE_ANNOTATION, Applied, Beside, Follow, PlanRules, Prepared, Revision, Seen, Trouble, judge,
};
use crate::source::verify::Last;
use crate::source::{Options, Source};
use crate::webhook::Again;

/// Follows one repository.
pub struct Worker<C: Connector> {
    shared: Arc<Shared>,
    object: ObjectRef,
    declared: watch::Receiver<Arc<Declared>>,
    asked: Arc<Notify>,
    resources: Resources,
    database: DatabaseSink<C>,
    source: Option<Opened>,
    revision: Option<Revision>,
    trouble: Option<Trouble>,
    hooks: Option<Arc<Hooks>>,
    webhook_path: Option<String>,
    /// Why webhooks are not taken.
    unheard: Option<Trouble>,
    /// The status that is in force as far as this worker knows.
    status: MailRepositoryStatus,
    pace: Pace,
    /// Looks after a push of which nothing was seen.
    again: Again,
    previews: Previews,
}

/// A source that is followed, and what it was opened with.
struct Opened {
    follow: Follow,
    made_of: (Value, blake3::Hash),
}

/// Why the worker wakes up.
enum Woken {
    /// The time has come, somebody asks, or something else is declared: the source is looked at.
    Look,
    /// Something changed in the cluster or in the account database: what is in force is compared with it.
    Compare,
    /// A round of previews is over.
    Previewed(News),
    /// Nobody needs the worker any more.
    End,
}

impl<C: Connector> Worker<C> {
    /// A worker that has read nothing yet and goes on after what the status says.
    pub fn new(
        shared: Arc<Shared>,
        database: DatabaseSink<C>,
        hooks: Option<Arc<Hooks>>,
        object: ObjectRef,
        declared: watch::Receiver<Arc<Declared>>,
        asked: Arc<Notify>,
    ) -> Worker<C> {
        let status = status_of(&declared.borrow().status);
        Worker {
            resources: Resources::new(Arc::clone(&shared)),
            database,
            shared,
            object,
            declared,
            asked,
            source: None,
            revision: None,
            trouble: None,
            hooks,
            webhook_path: status.webhook_path.clone(),
            unheard: None,
            status,
            pace: Pace::default(),
            again: Again::default(),
            previews: Previews::default(),
        }
    }

    /// Works until nobody needs it any more.
    pub async fn run(mut self) {
        let (mut objects, mut counters) = (self.shared.objects_changed(), self.shared.counters());
        let mut look = true;
        loop {
            self.attempt(look).await;
            look = loop {
                match self.wait(&mut objects, &mut counters).await {
                    Woken::Look => break true,
                    Woken::Compare => break false,
                    Woken::Previewed(news) => self.previewed(news).await,
                    Woken::End => return,
                }
            };
        }
    }

    async fn wait(
        &mut self,
        objects: &mut watch::Receiver<u64>,
        counters: &mut watch::Receiver<BTreeMap<ServerKey, u64>>,
    ) -> Woken {
        let compares = self.revision.is_some();
        // Changes of the cluster come in swarms and are compared together; whoever pushes does not wait for them.
        loop {
            return tokio::select! {
                changed = self.declared.changed() => if changed.is_ok() { Woken::Look } else { Woken::End },
                () = self.asked.notified() => {
                    self.again.pushed(Instant::now());
                    Woken::Look
                }
                () = sleep_until(self.again.next()) => {
                    self.again.passed();
                    Woken::Look
                }
                () = sleep_until(self.pace.look()) => Woken::Look,
                () = sleep_until(self.pace.retry()) => Woken::Compare,
                news = self.previews.next() => Woken::Previewed(news),
                changed = objects.changed(), if compares && self.pace.compare().is_none() => match changed {
                    Ok(()) => {
                        self.pace.changed(Instant::now());
                        continue;
                    }
                    Err(_) => Woken::End,
                },
                changed = counters.changed(), if compares && self.pace.compare().is_none() => match changed {
                    Ok(()) => {
                        if self.is_behind(&counters.borrow_and_update()) {
                            self.pace.changed(Instant::now());
                        }
                        continue;
                    }
                    Err(_) => Woken::End,
                },
                () = sleep_until(self.pace.compare()) => {
                    objects.mark_unchanged();
                    Woken::Compare
                }
            };
        }
    }

    /// Whether the rows that are written to are others than at the last attempt.
    fn is_behind(&self, counters: &BTreeMap<ServerKey, u64>) -> bool {
        self.declared.borrow().repository.spec.sink == SinkKind::Database && self.database.is_behind(counters)
    }

    /// One attempt, after which it is known when the next one is due.
    async fn attempt(&mut self, look: bool) {
        // Something else may be declared since it was decided to compare only: that is not taken note of without looking.
        let look = look || self.declared.has_changed().unwrap_or(false);
        let declared = Arc::clone(&self.declared.borrow_and_update());
        let begun = Instant::now();
        self.pace.begins();
        let suspended = is_suspended(&declared.repository);
        if suspended {
            self.previews.rest();
            self.pace.rest();
            return self.tell(&declared, None).await;
        }
        if look {
            self.look(&declared.repository).await;
            let again = self.trouble.as_ref().is_some_and(|trouble| trouble.temporary);
            let interval = declared.repository.spec.interval.get();
            self.pace.looked(again, interval, Instant::now(), chance());
        }
        let worked = self.work(&declared.repository).await;
        self.previews.ask(look);
        let result = result(self.trouble.as_ref(), worked.as_ref());
        self.tell(&declared, worked.as_ref()).await;
        metrics::attempted(result, begun.elapsed());
        self.pace.worked(worked.is_some_and(|worked| worked.again), Instant::now(), chance());
    }

    /// Reads the source.
    async fn look(&mut self, repository: &MailRepository) {
        let opened = match self.open(repository).await {
            Ok(opened) => opened,
            Err(trouble) => return self.trouble = Some(trouble),
        };
        let fresh = self.revision.is_none();
        let read = tokio::task::spawn_blocking(move || {
            let mut opened = opened;
            let read = opened.follow.load(Utc::now());
            // A new process, and the newest revision is refused: the one that was applied last stays in force.
            let last = match &read {
                Err(_) if fresh => opened.follow.load_last(),
                _ => None,
            };
            (opened, read, last)
        });
        let Ok((opened, read, last)) = read.await else {
            let why = "reading the repository broke off; it is tried again";
            let trouble = Trouble::lasting(ConditionType::SourceReady, Reason::FetchFailed, why);
            return self.trouble = Some(Trouble { temporary: true, ..trouble });
        };
        self.source = Some(opened);
        match read {
            Ok(news) => {
                self.trouble = None;
                if news.is_some() {
                    self.again.seen();
                    self.revision = news;
                }
            }
            Err(trouble) => {
                tracing::warn!(object = %self.object, %trouble, "the repository is not taken");
                self.trouble = Some(trouble);
                if let Some(mut revision) = last {
                    if let Some(name) = &self.status.last_applied_revision {
                        revision.snapshot.revision.clone_from(name);
                    }
                    self.revision = Some(revision);
                }
            }
        }
    }

    /// The source as it is declared now, with the Secrets as they are now.
    async fn open(&mut self, repository: &MailRepository) -> Result<Opened, Trouble> {
        let found = secrets::read(&self.shared.client, repository).await?;
        (self.webhook_path, self.unheard) = match &self.hooks {
            Some(hooks) => hooks.declare(&self.object, repository, &found),
            None => (None, repository.spec.webhook.as_ref().map(|_| nobody_listens())),
        };
        let made_of = (serde_json::to_value(&repository.spec).unwrap_or_default(), secrets::digest(&found));
        if let Some(opened) = self.source.take_if(|opened| opened.made_of == made_of) {
            return Ok(opened);
        }
        let uid = repository.metadata.uid.as_deref().unwrap_or_default();
        let cache = self.shared.options.cache.join(uid);
        let prepared = Prepared::new(repository, &found, &cache)?;
        // What was taken last does not depend on how it is fetched now.
        let last = self.source.as_ref().map(|before| before.follow.last().clone());
        let last = last.unwrap_or_else(|| last_of(&self.status));
        let namespace = repository.metadata.namespace.clone();
        let options = Options { namespace, ..prepared.options.clone() };
        self.previews.declare(repository, &found, &prepared, options.clone(), &self.status.previews);
        let source = Source::open(&prepared.location, options)?;
        Ok(Opened { follow: Follow::new(source, &prepared, last), made_of })
    }

    /// Puts in force what was read last.
    async fn work(&mut self, repository: &MailRepository) -> Option<Worked> {
        let revision = self.revision.as_ref()?;
        let rules = PlanRules::new(repository);
        let approvals = given(repository, &self.object, revision);
        let task = Task {
            object: &self.object,
            repository,
            revision,
            rules: &rules,
            approvals: &approvals,
            now: Utc::now(),
        };
        let (worked, ground) = match repository.spec.sink {
            SinkKind::Resources => (self.resources.work(task).await, self.resources.ground(&task)),
            SinkKind::Database => (self.database.work(task).await, self.database.ground(&task)),
        };
        self.previews.stand_on(ground.filter(|_| worked.trouble.is_none()));
        if worked.trouble.is_none()
            && let Some(opened) = &mut self.source
        {
            opened.follow.settle(revision);
        }
        Some(worked)
    }

    /// Tells what a round of previews came to.
    async fn previewed(&mut self, news: News) {
        let declared = Arc::clone(&self.declared.borrow());
        for failure in &news.failures {
            tracing::warn!(object = %self.object, "preview: {failure}");
            let said = Said { warning: true, reason: "PreviewFailed".to_owned(), note: cut(failure.clone()) };
            self.shared.tell_own(self.object.clone(), declared.uid().to_owned(), said).await;
        }
        let Some(posted) = news.posted.filter(|posted| *posted != self.status.previews) else { return };
        let newest = self.shared.roster.get(&self.object).filter(|it| it.uid() == declared.uid());
        let (Some(newest), true) = (newest, declared.repository.spec.previews.is_some()) else { return };
        self.status.previews = posted;
        let computed = serde_json::to_value(&self.status).unwrap_or_default();
        self.shared.put_own(&self.object, declared.uid(), &newest.status, &computed).await;
    }

    /// Writes the status, if it says something else.
    async fn tell(&mut self, declared: &Declared, worked: Option<&Worked>) {
        let Some(newest) = self.shared.roster.get(&self.object).filter(|it| it.uid() == declared.uid())
        else {
            return;
        };
        let sunk = worked.and_then(|worked| worked.trouble.as_ref());
        let unread = declared.broken.as_ref();
        let unread = unread.map(|why| Trouble::lasting(ConditionType::Ready, Reason::Invalid, why));
        let to_database = declared.repository.spec.sink == SinkKind::Database;
        let adoption_token = to_database.then(|| self.database.adoption_token(&self.object));
        let seen = Seen {
            repository: &declared.repository,
            gate: PlanRules::new(&declared.repository).gate,
            suspended: is_suspended(&declared.repository),
            revision: self.revision.as_ref(),
            trouble: unread.as_ref().or(self.trouble.as_ref()).or(sunk),
            beside: Beside {
                webhook_path: self.webhook_path.as_deref(),
                adoption_token: adoption_token.as_deref(),
                trouble: self.unheard.as_ref().or(self.previews.trouble()),
            },
            applied: worked.filter(|worked| worked.trouble.is_none()).map(|worked| Applied {
                plan: &worked.plan,
                outcomes: &worked.outcomes,
                error: None,
                objects: worked.objects,
            }),
            now: Utc::now(),
        };
        // What another process or person wrote there is what the next judgement begins with, except for what was applied.
        let status = judge(&seen, &self.status);
        let computed = serde_json::to_value(&status).unwrap_or_default();
        self.status = status;
        self.shared.put_own(&self.object, declared.uid(), &newest.status, &computed).await;
    }
}

/// Webhooks are declared, and this operator has no listener for them.
fn nobody_listens() -> Trouble {
    let message = "spec.webhook is declared, and this operator takes no webhooks; start it with --webhook-listen, or leave spec.webhook \
                   out; the interval stays";
    Trouble::lasting(ConditionType::Ready, Reason::Invalid, message)
}

/// Asked for by the spec, or by the annotation that every kind knows.
fn is_suspended(repository: &MailRepository) -> bool {
    let annotations = repository.metadata.annotations.as_ref();
    let word = annotations.and_then(|all| all.get(mailwright_crds::kind::RECONCILE_ANNOTATION));
    repository.spec.suspend || word.map(String::as_str) == Some("disabled")
}

fn status_of(status: &Value) -> MailRepositoryStatus {
    serde_json::from_value(status.clone()).unwrap_or_default()
}

/// What was taken last, as the status tells it.
fn last_of(status: &MailRepositoryStatus) -> Last {
    let commit = |revision: &String| revision.rsplit_once("sha1:").map(|(_, commit)| commit.to_owned());
    Last {
        applied: status.last_applied_revision.as_ref().and_then(commit),
        verified: status.last_verified.as_ref().map(|verified| verified.commit.clone()),
        ..Last::default()
    }
}

/// The approvals that were given: by the annotation, and by the commits since the last revision that was applied. Where signatures
/// are looked at, one in a commit that nobody signed does not count.
fn given(repository: &MailRepository, object: &ObjectRef, revision: &Revision) -> Vec<Given> {
    let annotations = repository.metadata.annotations.as_ref();
    let annotated = annotations.and_then(|all| all.get(APPROVE_ANNOTATION)).map(|text| {
        let object = format!("{} {}/{}", object.kind.singular(), object.namespace, object.name);
        let digest = approval::parse(text).unwrap_or_default();
        Given { digest, by: None, via: Via::Annotation { object } }
    });
    let mut all: Vec<Given> = annotated.into_iter().filter(|given| !given.digest.is_empty()).collect();
    all.extend(approvals::of_commits(revision.commits(), revision.verified));
    all
}

fn result(trouble: Option<&Trouble>, worked: Option<&Worked>) -> AttemptResult {
    let Some(worked) = worked.filter(|worked| trouble.is_none() && worked.trouble.is_none()) else {
        return AttemptResult::Refused;
    };
    let failed = worked.outcomes.iter().any(|it| it.verdict != mailwright_plan::Verdict::Applied);
    match () {
        () if failed => AttemptResult::Failed,
        () if held(&worked.plan).next().is_some() => AttemptResult::Held,
        () if worked.outcomes.is_empty() => AttemptResult::Unchanged,
        () => AttemptResult::Applied,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use mailwright_crds::Kind;
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_new_process_goes_on_after_what_the_status_says() {
        for (status, applied, verified) in [
            (json!({}), None, None),
            (json!({"lastAppliedRevision": format!("main@sha1:{COMMIT}")}), Some(COMMIT), None),
            (json!({"lastAppliedRevision": "nonsense"}), None, None),
            (
                json!({"lastVerified": {"commit": COMMIT, "signer": "alice@example.test", "at": "2026-11-21T12:00:00Z"}}),
                None,
                Some(COMMIT),
            ),
        ] {
            let last = last_of(&status_of(&status));
            assert_eq!((last.applied.as_deref(), last.verified.as_deref()), (applied, verified), "{status}");
        }
        assert_eq!(status_of(&Value::Null), MailRepositoryStatus::default());
    }

    #[test]
    fn an_approval_by_annotation_is_a_digest() {
        let object =
            ObjectRef { kind: Kind::MailRepository, namespace: "mail".into(), name: "company".into() };
        for (annotation, expected) in [
            (json!("0123456789ABCDEF "), vec!["0123456789abcdef annotation of mailrepository mail/company"]),
            (json!("yes"), vec![]),
            (json!(null), vec![]),
        ] {
            let mut metadata = json!({"name": "company", "namespace": "mail"});
            if annotation.is_string() {
                metadata["annotations"] = json!({APPROVE_ANNOTATION: annotation});
            }
            let repository: MailRepository = serde_json::from_value(json!({
                "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository", "metadata": metadata,
                "spec": {"url": "https://git.example.test/x.git"},
            }))
            .unwrap();
            let given = given(&repository, &object, &Revision::empty());
            let said: Vec<String> = given.iter().map(|given| format!("{} {given}", given.digest)).collect();
            assert_eq!(said, expected, "{annotation}");
        }
    }
}
