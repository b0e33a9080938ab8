//! The status of a Mailbox.

use mailwright_crds::{ConditionType, Mailbox, MailboxStatus, Reason};
use serde_json::{Value, json};

use super::judge::{self, Judge};
use super::{Aspect, common, ways};
use crate::catalog::Entry;
use crate::observed::SetBy;
use crate::problem::ProblemCode;
use crate::reference::ObjectRef;

const CREDENTIALS: [ProblemCode; 4] = [
    ProblemCode::SecretNotFound,
    ProblemCode::SecretKeyNotFound,
    ProblemCode::SecretInvalid,
    ProblemCode::SecretNotOurs,
];

pub(super) fn status(judge: &Judge<'_>, entry: &Entry, mailbox: &Mailbox, previous: Option<&Value>) -> Value {
    let object = entry.object();
    let mut ready = judge.ready(entry);
    if ready.reason == Reason::Reconciled && !mailbox.spec.enabled {
        ready = Aspect::new(true, Reason::Disabled, "enabled is false: no mail, no login; its mail is kept");
    }
    let mut aspects = vec![
        (ConditionType::Ready, ready),
        (ConditionType::Accepted, ways::accepted(judge, &object)),
        (ConditionType::CredentialsReady, credentials(judge, &object, mailbox)),
        (ConditionType::Conflict, conflict(judge, &object)),
    ];
    if let Some(forward) = &mailbox.spec.forward {
        aspects.extend(ways::conditions(judge, &object, &forward.targets));
    }
    let common = common(judge, entry, previous, aspects);
    let row = judge.mailbox(mailbox.spec.address.as_str());
    let own = row.filter(|row| row.owner.as_deref().is_some_and(|owner| owner.object == object));
    json!(MailboxStatus {
        observed_generation: common.observed_generation,
        conditions: common.conditions,
        last_handled_reconcile_at: common.last_handled_reconcile_at,
        account_id: own.map(|row| row.account_id),
    })
}

fn conflict(judge: &Judge<'_>, object: &ObjectRef) -> Aspect {
    if let Some(message) = judge.refused(object) {
        return Aspect::new(true, Reason::OwnedByAnother, message);
    }
    match judge.problem(object, &[ProblemCode::Duplicate, ProblemCode::Conflict]) {
        Some(problem) => Aspect::new(true, judge::reason(problem), problem.of_its_object()),
        None => Aspect::new(false, Reason::NoConflict, ""),
    }
}

fn credentials(judge: &Judge<'_>, object: &ObjectRef, mailbox: &Mailbox) -> Aspect {
    if let Some(problem) = judge.problem(object, &CREDENTIALS) {
        return Aspect::new(false, judge::reason(problem), problem.of_its_object());
    }
    if let Some(why) = judge.password_not_set(object) {
        return Aspect::new(false, Reason::NoCredentials, why);
    }
    let row = judge.mailbox(mailbox.spec.address.as_str());
    match (row.and_then(|row| row.credential.as_ref()).map(|it| it.set_by), &mailbox.spec.credentials) {
        (Some(SetBy::Owner), _) => Aspect::new(true, Reason::OwnerPassword, ""),
        (Some(SetBy::Declared), _) => Aspect::new(true, Reason::CredentialsApplied, ""),
        (None, None) => {
            let message = format!("nobody can log in until: mailwright passwd {}", mailbox.spec.address);
            Aspect::new(false, Reason::NoCredentials, message)
        }
        (None, Some(_)) => {
            Aspect::new(false, Reason::NoCredentials, "the declared password is not in force yet")
        }
    }
}
