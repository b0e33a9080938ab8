//! What is known of the followed repository while `up` runs, and its MailRepository among the kept resources, so that
//! `mailwright get mailrepositories` shows it. Judging is `mailwright_operator::repository`.

use std::path::PathBuf;

use anyhow::Result;
use chrono::{DateTime, Utc};
use mailwright_crds::mail_repository::PreviewStatus;
use mailwright_crds::{DEFAULT_NAMESPACE, Kind, MailRepositoryStatus, ObjectRef};
use mailwright_operator::accounts::{Accounts as _, Record};
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository::{
    APPROVE_ANNOTATION, Applied, Beside, Follow, Revision, Seen, Trouble, judge,
};
use mailwright_operator::{Operator, Pass};

use crate::command::source::Followed;
use crate::connect::Connection;

/// The book on one source.
pub struct Book {
    /// The repository; a directory has none, and nothing is written of it.
    followed: Option<Kept>,
    /// Approvals of the command line.
    approved: Vec<String>,
    revision: Option<Revision>,
    trouble: Option<Trouble>,
    /// Where it is kept what was applied last.
    last: PathBuf,
    webhook_path: Option<String>,
    /// Tokens of the command line, beside those of the repository.
    adoption_tokens: Vec<String>,
    adoption_token: String,
}

struct Kept {
    repository: Followed,
    created: DateTime<Utc>,
    status: MailRepositoryStatus,
}

impl Book {
    /// Begins where the last process ended.
    pub async fn open(
        followed: Option<Followed>,
        approve: Option<String>,
        last: PathBuf,
        accounts: &Connection,
    ) -> Result<Book> {
        let own = followed.as_ref().map(object);
        let keys = accounts.record_keys().await?;
        let others: Vec<ObjectRef> = keys
            .into_iter()
            .filter(|it| it.kind == Kind::MailRepository && Some(it) != own.as_ref())
            .collect();
        if !others.is_empty() {
            accounts.forget(others).await?;
        }
        let before = accounts.records(own.into_iter().collect()).await?.pop();
        let kept = followed.map(|repository| keep(repository, before));
        Ok(Book {
            followed: kept,
            approved: approve.into_iter().collect(),
            revision: None,
            trouble: None,
            last,
            webhook_path: None,
            adoption_tokens: Vec::new(),
            adoption_token: String::new(),
        })
    }

    /// What the command line says beside the repository: whose rows it may take over, and where webhooks are taken.
    pub fn beside(&mut self, adoption_tokens: Vec<String>, webhook_path: Option<&str>) {
        self.adoption_tokens = adoption_tokens;
        self.webhook_path = webhook_path.map(str::to_owned);
    }

    /// Tells the operator how plans are made and applied.
    pub fn obeyed_by(&mut self, operator: &mut Operator<Connection, Local>) {
        if let Some(kept) = self.followed.as_ref().filter(|kept| kept.repository.is_declared()) {
            let mut rules = kept.repository.rules.clone();
            rules.adoption_tokens.extend(self.adoption_tokens.iter().cloned());
            operator.obey(rules);
        }
        self.adoption_token = operator.adoption_token();
        operator.approve(self.approvals());
    }

    /// Whether the source is left alone.
    pub fn is_suspended(&self) -> bool {
        self.followed.as_ref().is_some_and(|kept| kept.repository.suspended)
    }

    /// A revision was read: the operator gets it, with the approvals that came along.
    pub fn take(&mut self, operator: &mut Operator<Connection, Local>, revision: Revision) {
        operator.take_revision(&revision);
        self.revision = Some(revision);
        self.trouble = None;
    }

    /// The newest revision is refused, and this is the one that was applied last: it goes on under the name that it had then.
    pub fn keep(&mut self, operator: &mut Operator<Connection, Local>, mut last: Revision, trouble: Trouble) {
        let kept = self.followed.as_ref().and_then(|kept| kept.status.last_applied_revision.as_ref());
        if let Some(name) = kept {
            last.snapshot.revision.clone_from(name);
        }
        self.take(operator, last);
        self.refuse(trouble);
    }

    /// An attempt ended early.
    pub fn refuse(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
    }

    /// The source can be read again, and there is nothing new in it. Says whether that is news.
    pub fn recovers(&mut self) -> bool {
        self.trouble.take().is_some()
    }

    /// The revision was worked on: nothing older is taken after it.
    pub fn settle(&self, follow: &mut Follow) -> Result<()> {
        let Some(revision) = &self.revision else { return Ok(()) };
        if self.followed.is_some() && follow.settle(revision) && follow.remembers() {
            follow.last().write(&self.last)?;
        }
        Ok(())
    }

    /// Writes the status, if it changed.
    pub async fn write(
        &mut self,
        operator: &mut Operator<Connection, Local>,
        pass: Option<Result<&Pass, String>>,
    ) {
        let Some(kept) = &mut self.followed else { return };
        let now = Utc::now();
        let nothing = Pass::default();
        let (pass, error) = match &pass {
            None => (None, None),
            Some(Ok(pass)) => (Some(*pass), None),
            Some(Err(error)) => (Some(&nothing), Some(error.as_str())),
        };
        let seen = Seen {
            repository: &kept.repository.object,
            gate: kept.repository.rules.gate,
            suspended: kept.repository.suspended,
            revision: self.revision.as_ref(),
            trouble: self.trouble.as_ref(),
            beside: Beside {
                webhook_path: self.webhook_path.as_deref(),
                adoption_token: Some(&self.adoption_token),
                trouble: None,
            },
            applied: pass.map(|pass| Applied {
                plan: &pass.plan,
                outcomes: &pass.outcomes,
                error,
                objects: operator.catalog().entries().count(),
            }),
            now,
        };
        let status = judge(&seen, &kept.status);
        put(kept, operator, status).await;
    }

    /// Writes down which previews were posted, when the repository declares them.
    pub async fn write_previews(
        &mut self,
        operator: &mut Operator<Connection, Local>,
        previews: Vec<PreviewStatus>,
    ) {
        let declares = |kept: &&mut Kept| kept.repository.object.spec.previews.is_some();
        let Some(kept) = self.followed.as_mut().filter(declares) else { return };
        let status = MailRepositoryStatus { previews, ..kept.status.clone() };
        put(kept, operator, status).await;
    }

    /// What is approved beside the commits.
    fn approvals(&self) -> Vec<String> {
        let annotations =
            self.followed.as_ref().and_then(|kept| kept.repository.object.metadata.annotations.as_ref());
        let annotated = annotations.and_then(|all| all.get(APPROVE_ANNOTATION)).cloned();
        self.approved.iter().cloned().chain(annotated).collect()
    }
}

/// Keeps a status that is another one. What cannot be written now is written after the next pass.
async fn put(kept: &mut Kept, operator: &mut Operator<Connection, Local>, status: MailRepositoryStatus) {
    if kept.status == status {
        return;
    }
    match operator.keep_beside(record(kept, &status)).await {
        Ok(()) => kept.status = status,
        Err(error) => tracing::warn!(%error, "the status of the repository is not written"),
    }
}

fn object(followed: &Followed) -> ObjectRef {
    let metadata = &followed.object.metadata;
    ObjectRef {
        kind: Kind::MailRepository,
        namespace: metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE).into(),
        name: metadata.name.as_deref().unwrap_or_default().into(),
    }
}

/// Goes on with the generation and the status that are kept.
fn keep(mut repository: Followed, before: Option<Record>) -> Kept {
    let spec = serde_json::to_value(&repository.object.spec).unwrap_or_default();
    let (generation, created, status) = match before {
        None => (1, Utc::now(), None),
        Some(record) => {
            let generation = record.generation + i64::from(record.spec != spec);
            (generation, record.created, serde_json::from_value(record.status).ok())
        }
    };
    repository.object.metadata.generation = Some(generation);
    Kept { repository, created, status: status.unwrap_or_default() }
}

fn record(kept: &Kept, status: &MailRepositoryStatus) -> Record {
    Record {
        object: object(&kept.repository),
        generation: kept.repository.object.metadata.generation.unwrap_or(1),
        created: kept.created,
        spec: serde_json::to_value(&kept.repository.object.spec).unwrap_or_default(),
        status: serde_json::to_value(status).unwrap_or_default(),
    }
}
