//! The history for those who ask, what is noted of each change, and approvals by hand.

use chrono::{DateTime, Utc};
use mailwright_plan::approval::{self, Given, Via};
use mailwright_plan::history::{self, Query, Record};
use mailwright_plan::{Batch, FieldChange, Kind, ObjectRef, Operation, Origin, Provenance};
use mailwright_store as store;
use serde::Serialize;
use serde_json::Value;

use super::wire::ErrorCode;
use super::{Management, ManagementError, convert};

/// What [`Management::on_approve`] registers.
type ApproveHook = Box<dyn Fn(Given) + Send + Sync>;

/// What [`Management`] keeps for this part.
#[derive(Default)]
pub(super) struct Approvals(arc_swap::ArcSwapOption<ApproveHook>);

/// Longest name of an approver that is kept: a certificate's subject is below it.
const MAX_APPROVER: usize = 256;

impl Management {
    /// What was done, the newest first; a page at most.
    pub async fn history(&self, query: &Query) -> Result<Vec<Record>, ManagementError> {
        let filter = store::HistoryFilter {
            key: query.key.as_ref().map(|key| key.to_lowercase()),
            domain: query.domain.as_ref().map(|domain| domain.to_lowercase()),
            revision: query.revision.clone(),
            below: query.below,
            limit: query.limit,
        };
        self.store.history().list(&filter).await?.into_iter().map(record).collect()
    }

    /// Approves the plan of this digest for the source that this process follows, and notes who did.
    pub async fn approve(&self, digest: &str, by: Option<String>) -> Result<(), ManagementError> {
        let digest = approval::parse(digest)
            .map_err(|error| ManagementError::new(ErrorCode::Invalid, error.to_string()))?;
        let hook = self.approvals.0.load_full().ok_or_else(|| {
            let message = "this process applies no plans; approve with `mailwright apply --approve`, or with \
                           `kubectl mailwright approve` in a cluster";
            ManagementError::new(ErrorCode::Refused, message)
        })?;
        let by = by.map(|by| by.chars().filter(|c| !c.is_control()).take(MAX_APPROVER).collect());
        let given = Given { digest: digest.clone(), by, via: Via::Command };
        let cause = store::Cause {
            actor: "approve".into(),
            digest,
            approved: Some(given.to_string()),
            ..store::Cause::default()
        };
        self.store.history().note(cause, approval_note(&given)).await?;
        tracing::info!(digest = given.digest, approval = %given, "a plan was approved");
        hook(given);
        Ok(())
    }

    /// Registers what [`Management::approve`] runs; it must only take the approval and signal.
    pub fn on_approve(&self, hook: impl Fn(Given) + Send + Sync + 'static) {
        self.approvals.0.store(Some(std::sync::Arc::new(Box::new(hook))));
    }
}

/// Why the changes of a batch are made.
pub(super) fn cause(batch: &Batch) -> store::Cause {
    let provenance = batch.provenance.clone().unwrap_or_default();
    let Provenance { revision, commit, author, signer, committed_at, digest, approved, actor } = provenance;
    store::Cause {
        actor: if actor.is_empty() { "operator".to_owned() } else { actor },
        source: batch.source_id.clone(),
        revision,
        commit,
        author,
        signer,
        committed_at: committed_at.map(|at| at.timestamp()),
        digest,
        approved: approved.map(|given| given.to_string()),
    }
}

/// What is noted beside the changes of a batch: the approval that let it through.
pub(super) fn acts(batch: &Batch) -> Vec<store::Note> {
    let approved = batch.provenance.as_ref().and_then(|provenance| provenance.approved.as_ref());
    approved.map(approval_note).into_iter().collect()
}

fn approval_note(given: &Given) -> store::Note {
    store::Note {
        action: history::APPROVE.into(),
        risk: "none".into(),
        kind: "Plan".into(),
        key: mailwright_plan::short_digest(&given.digest).to_owned(),
        changes: Value::Array(Vec::new()),
        ..store::Note::default()
    }
}

/// What is noted of an operation.
pub(super) fn note(operation: &Operation) -> store::Note {
    let (kind, key) = operation.change.key();
    let origin = operation.origin.clone().unwrap_or_default();
    store::Note {
        action: word(&operation.action),
        risk: word(&operation.risk),
        kind: kind.as_str().to_owned(),
        key: key.to_owned(),
        namespace: operation.object.namespace.to_string(),
        name: operation.object.name.to_string(),
        file: origin.file.into(),
        line: origin.line,
        changes: serde_json::to_value(&operation.changes).unwrap_or_default(),
    }
}

/// What is noted of a purge by hand.
pub(super) fn purge_note(mailbox: &store::Mailbox) -> store::Note {
    let owner = mailbox.row.owner.as_ref();
    let (namespace, name) = owner.and_then(|owner| owner.object.split_once('/')).unwrap_or_default();
    let change = FieldChange {
        field: "status.usedBytes".into(),
        from: Some(mailbox.used_bytes.to_string().into()),
        to: None,
    };
    store::Note {
        action: "delete".into(),
        risk: "data".into(),
        kind: Kind::Mailbox.as_str().to_owned(),
        key: mailbox.row.address.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        file: owner.map(|owner| owner.origin_file.clone()).unwrap_or_default(),
        line: owner.map(|owner| owner.origin_line).unwrap_or_default(),
        changes: serde_json::to_value([change]).unwrap_or_default(),
    }
}

/// The word for a value that is one.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn time(seconds: store::UnixTime) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn record(entry: store::Entry) -> Result<Record, ManagementError> {
    let store::Entry { id, at, cause, note, before } = entry;
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == note.kind);
    let object = kind.filter(|_| !note.name.is_empty()).map(|kind| ObjectRef {
        kind,
        namespace: note.namespace.into(),
        name: note.name.into(),
    });
    Ok(Record {
        id,
        at: time(at),
        actor: cause.actor,
        source: cause.source,
        revision: cause.revision,
        commit: cause.commit,
        author: cause.author,
        signer: cause.signer,
        committed_at: cause.committed_at.map(time),
        digest: cause.digest,
        approved: cause.approved,
        action: note.action,
        risk: note.risk,
        kind,
        key: note.key,
        object,
        origin: Origin::new(note.file, note.line).known(),
        // A later release may say more of a field than this one knows of.
        changes: serde_json::from_value(note.changes).unwrap_or_default(),
        before: before.map(convert::before).transpose()?,
    })
}
