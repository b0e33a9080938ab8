//! The way back from what a revision did: the operations that restore its rows as they were before, with their effect.
//!
//! It is a plan to look at, never one to apply: manifests are the truth, so a revision is undone by reverting its commit, and
//! the plan says what that will do. Rows that were changed again since are left to whoever decides. Passwords stay as they are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::approval::Standing;
use crate::effect::{self, Views};
use crate::history::{Before, Record};
use crate::observed::{Observed, Owner};
use crate::operation::{Action, Change, FieldChange, Kept, Operation, Plan, Risk};
use crate::reference::{Kind, ObjectRef, Origin, Text};
use crate::shared::Shared;
use crate::simulate::After;
use crate::{digest, field, order};

/// Plans the way back from `done`, the records of one revision; `since` are all later ones.
pub fn undo(done: &[Record], since: &[Record], observed: &Observed, now: DateTime<Utc>) -> Plan {
    let source_id =
        done.iter().map(|record| record.source.clone()).find(|it| !it.is_empty()).unwrap_or_default();
    let mut later: BTreeMap<(Kind, &str), &Record> = BTreeMap::new();
    for record in since.iter().filter(|record| record.changes_a_row()) {
        if let Some(kind) = record.kind {
            later.insert((kind, &record.key), record);
        }
    }
    let mut first: BTreeMap<(Kind, &str), &Record> = BTreeMap::new();
    for record in done.iter().filter(|record| record.changes_a_row()) {
        let Some(kind) = record.kind else { continue };
        let known = first.entry((kind, &record.key)).or_insert(record);
        if record.id < known.id {
            *known = record;
        }
    }
    let (mut operations, mut kept) = (Vec::new(), Vec::new());
    for (key, record) in first {
        match later.get(&key) {
            Some(newer) => kept.push(Kept {
                object: object(record),
                subject: record.key.clone(),
                reason: format!(
                    "it was changed again by {} at {}; decide by hand what it should be",
                    newer.short_revision(),
                    newer.at.format("%Y-%m-%d %H:%M:%S UTC")
                ),
            }),
            None => operations.extend(way_back(record, observed)),
        }
    }
    explained(source_id, operations, kept, observed, now)
}

/// Orders the operations and says what they mean.
fn explained(
    source_id: String,
    operations: Vec<Operation>,
    mut kept: Vec<Kept>,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Plan {
    let mut operations = order::arrange(observed, operations);
    let whole = After::new(observed, &source_id, &operations, |_| true, now);
    let views = Views::new(&source_id, observed, &whole);
    let said: Vec<Vec<String>> =
        operations.iter_mut().map(|operation| std::mem::take(&mut operation.effect)).collect();
    effect::explain(&views, &mut operations);
    for (operation, said) in operations.iter_mut().zip(said) {
        operation.effect.extend(said);
    }
    kept.sort();
    let digest = digest::digest(&operations);
    let approval = Standing::default();
    Plan { source_id, operations, problems: Vec::new(), kept, digest, approval }
}

/// What restores one row; nothing when it is so already.
fn way_back(record: &Record, observed: &Observed) -> Option<Operation> {
    let (change, action, changes) = match &record.before {
        None => remove(record, observed)?,
        Some(before) => restore(before, record, observed)?,
    };
    let mut effect = Vec::new();
    if record.action == "delete" && record.kind == Some(Kind::Mailbox) {
        effect.push(format!("the mail of {} was deleted and does not come back", record.key));
    }
    if record.changes.iter().any(|change| change.field.starts_with("spec.credentials")) {
        effect.push(format!("the password of {} stays as it is: the history holds none", record.key));
    }
    Some(Operation {
        action,
        object: object(record),
        subject: record.key.clone(),
        changes,
        risk: Risk::None,
        effect,
        origin: record.origin.clone(),
        change,
        held: None,
        drift: false,
    })
}

type Step = (Change, Action, Vec<FieldChange>);

/// Takes away what the revision made: out of service where there is mail or a row to keep, as its removal from the manifests does.
fn remove(record: &Record, observed: &Observed) -> Option<Step> {
    let key = record.key.clone();
    let gone = |change, action| Some((change, action, Vec::new()));
    match record.kind? {
        Kind::MailServer => {
            observed.servers.iter().find(|row| row.declared.name == key)?;
            gone(Change::DeleteServer { name: key }, Action::Delete)
        }
        Kind::MailDomain => {
            let row = observed.domains.iter().find(|row| row.declared.domain == key)?;
            row.removed_at.is_none().then_some(())?;
            gone(Change::DisableDomain { domain: key }, Action::Disable)
        }
        Kind::Mailbox => {
            let row = observed.mailboxes.iter().find(|row| row.declared.address == key)?;
            row.removed_at.is_none().then_some(())?;
            gone(Change::DisableMailbox { address: key }, Action::Disable)
        }
        Kind::Alias => {
            observed.aliases.iter().find(|row| row.declared.address == key)?;
            gone(Change::DeleteAlias { address: key }, Action::Delete)
        }
        // It is never planned, so it has no rows.
        Kind::MailRepository => None,
    }
}

fn restore(before: &Before, record: &Record, observed: &Observed) -> Option<Step> {
    match before {
        Before::Server(was) => {
            let now = observed.servers.iter().find(|row| row.declared.name == was.declared.name);
            let now = now.map(|row| (&*row.declared, row.owner.as_deref(), false));
            put(record, &was.declared, was.owner.as_ref(), now, |declared, owner| Change::PutServer {
                declared,
                owner,
            })
        }
        Before::Domain(was) => {
            let now = observed.domains.iter().find(|row| row.declared.domain == was.declared.domain);
            if was.removed_at.is_some() {
                return remove(record, observed);
            }
            let now = now.map(|row| (&*row.declared, row.owner.as_deref(), row.removed_at.is_some()));
            put(record, &was.declared, was.owner.as_ref(), now, |declared, owner| Change::PutDomain {
                declared,
                owner,
            })
        }
        Before::Mailbox { declared: was, owner, removed_at } => {
            let now = observed.mailboxes.iter().find(|row| row.declared.address == was.address);
            if removed_at.is_some() {
                return remove(record, observed);
            }
            let now = now.map(|row| (&*row.declared, row.owner.as_deref(), row.removed_at.is_some()));
            let change = |declared, owner| Change::PutMailbox { declared, owner, credential: None };
            put(record, was, owner.as_ref(), now, change)
        }
        Before::Alias(was) => {
            let now = observed.aliases.iter().find(|row| row.declared.address == was.declared.address);
            let now = now.map(|row| (&*row.declared, row.owner.as_deref(), false));
            put(record, &was.declared, was.owner.as_ref(), now, |declared, owner| Change::PutAlias {
                declared,
                owner,
            })
        }
    }
}

/// The row as it was over the row as it is.
fn put<T: Clone + PartialEq + serde::Serialize>(
    record: &Record,
    was: &Shared<T>,
    owner: Option<&Shared<Owner>>,
    now: Option<(&T, Option<&Owner>, bool)>,
    change: impl FnOnce(Shared<T>, Shared<Owner>) -> Change,
) -> Option<Step> {
    let Some(owner) = owner else {
        // Nobody's row before: the way back is to let it go; what was declared over it stays.
        let kind = record.kind?;
        now?.1?;
        return Some((Change::Release { kind, key: record.key.clone() }, Action::Release, Vec::new()));
    };
    let change = change(was.clone(), owner.clone());
    match now {
        None => Some((change, Action::Create, Vec::new())),
        Some((is, now_owned, removed)) => {
            let changes = field::diff(is, &**was);
            let owned = now_owned.is_some_and(|now| now.is(owner));
            if changes.is_empty() && owned && !removed {
                return None;
            }
            Some((change, if removed { Action::Enable } else { Action::Update }, changes))
        }
    }
}

/// The object of a record; one that a later release wrote without it is named by its key.
fn object(record: &Record) -> ObjectRef {
    record.object.clone().unwrap_or_else(|| ObjectRef {
        kind: record.kind.unwrap_or(Kind::Mailbox),
        namespace: Text::default(),
        name: record.key.as_str().into(),
    })
}

/// Where the objects of these records stand, for whoever reverts by hand.
pub fn places(done: &[Record]) -> Vec<Origin> {
    let mut places: Vec<Origin> = done.iter().filter_map(|record| record.origin.clone()).collect();
    places.sort();
    places.dedup();
    places
}
