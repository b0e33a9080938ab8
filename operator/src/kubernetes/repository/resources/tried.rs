//! What was refused, so that it is told again and not sent again until something changes or its time has come.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mailwright_crds::{Kind, MailRepository, ObjectRef, Text};
use mailwright_plan::{Change, Operation, Plan};

use super::apply::Refusal;
use crate::backoff::{Backoff, chance};

/// So many objects of a kind and namespace that a ServiceAccount may not change are enough to know that it may change none.
const ENOUGH: usize = 3;

/// What was refused.
#[derive(Debug, Default)]
pub struct Tried {
    refused: BTreeMap<ObjectRef, (Option<String>, Refusal)>,
    backoff: Backoff<ObjectRef>,
    /// What the ServiceAccount was refused in this pass, by kind and namespace.
    forbidden: BTreeMap<(Kind, Text), (usize, Refusal)>,
    asked_by: (Option<i64>, Option<BTreeMap<String, String>>),
}

impl Tried {
    /// Forgets what is not planned any more, and everything when the MailRepository is another: whoever changes it wants an answer.
    pub fn retain(&mut self, plan: &Plan, repository: &MailRepository) {
        let asked_by = (repository.metadata.generation, repository.metadata.annotations.clone());
        if self.asked_by != asked_by {
            self.asked_by = asked_by;
            self.refused.clear();
        }
        let planned: BTreeMap<&ObjectRef, Option<&str>> =
            plan.operations.iter().map(|operation| (&operation.object, digest(operation))).collect();
        self.refused.retain(|object, (digest, _)| planned.get(object) == Some(&digest.as_deref()));
        self.forbidden.clear();
        let refused = &self.refused;
        self.backoff.retain(|object| refused.contains_key(object));
    }

    /// Why it was or would be refused, while it is not to be sent again.
    pub fn refusal(&self, operation: &Operation, now: DateTime<Utc>) -> Option<Refusal> {
        let place = (operation.object.kind, operation.object.namespace.clone());
        if let Some((_, refusal)) = self.forbidden.get(&place).filter(|(count, _)| *count >= ENOUGH) {
            return Some(refusal.clone());
        }
        let (_, refusal) = self.refused.get(&operation.object)?;
        (!self.backoff.is_due(&operation.object, now)).then(|| refusal.clone())
    }

    /// What came of it.
    pub fn note(&mut self, operation: &Operation, refusal: Option<&Refusal>, now: DateTime<Utc>) {
        let object = &operation.object;
        match refusal {
            None => {
                self.refused.remove(object);
                self.backoff.forget(object);
            }
            Some(refusal) => {
                if refusal.forbidden {
                    let place = (object.kind, object.namespace.clone());
                    self.forbidden.entry(place).or_insert((0, refusal.clone())).0 += 1;
                }
                if self.backoff.is_due(object, now) {
                    self.backoff.failed(object.clone(), now, chance());
                }
                self.refused.insert(object.clone(), (digest(operation).map(str::to_owned), refusal.clone()));
            }
        }
    }
}

fn digest(operation: &Operation) -> Option<&str> {
    match &operation.change {
        Change::Object { digest, .. } => digest.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use mailwright_plan::{Action, FailureReason, Risk};
    use serde_json::json;

    use super::*;

    fn operation(name: &str, digest: &str) -> Operation {
        let object = ObjectRef { kind: Kind::Mailbox, namespace: "mail".into(), name: name.into() };
        let change =
            Change::Object { kind: Kind::Mailbox, key: format!("mail/{name}"), digest: Some(digest.into()) };
        Operation {
            action: Action::Create,
            object,
            subject: name.into(),
            changes: Vec::new(),
            risk: Risk::None,
            effect: Vec::new(),
            origin: None,
            change,
            held: None,
            drift: false,
        }
    }

    fn refusal(forbidden: bool) -> Refusal {
        Refusal { reason: FailureReason::Database, message: "no".into(), temporary: false, forbidden }
    }

    fn repository(generation: i64) -> MailRepository {
        serde_json::from_value(json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": "company", "namespace": "mail", "generation": generation},
            "spec": {"url": "https://git.example.test/x.git"},
        }))
        .unwrap()
    }

    fn plan(operations: &[Operation]) -> Plan {
        Plan { operations: operations.to_vec(), ..Plan::default() }
    }

    #[test]
    fn what_was_refused_waits_until_something_changes_or_its_time_has_come() {
        let now = DateTime::UNIX_EPOCH;
        let (one, other) = (operation("a", "1"), operation("a", "2"));
        for (what, operations, generation, later, waits) in [
            ("the same", vec![one.clone()], 1, 0, true),
            ("after its time", vec![one.clone()], 1, 600, false),
            ("another declaration", vec![other], 1, 0, false),
            ("not planned any more", vec![], 1, 0, false),
            ("another spec of the repository", vec![one.clone()], 2, 0, false),
        ] {
            let mut tried = Tried::default();
            tried.retain(&plan(std::slice::from_ref(&one)), &repository(1));
            tried.note(&one, Some(&refusal(false)), now);
            tried.retain(&plan(&operations), &repository(generation));
            let found = tried.refusal(&one, now + Duration::seconds(later));
            assert_eq!(found.is_some(), waits, "{what}");
        }
        let mut tried = Tried::default();
        tried.note(&one, Some(&refusal(false)), now);
        tried.note(&one, None, now);
        assert_eq!(tried.refusal(&one, now), None, "it worked");
    }

    #[test]
    fn an_account_without_rights_is_not_asked_about_everything() {
        let now = DateTime::UNIX_EPOCH;
        let mut tried = Tried::default();
        let last = operation("z", "1");
        for (at, known) in [(0, false), (1, false), (2, true)] {
            tried.note(&operation(&at.to_string(), "1"), Some(&refusal(true)), now);
            assert_eq!(tried.refusal(&last, now).is_some(), known, "after {}", at + 1);
        }
        let elsewhere = Operation {
            object: ObjectRef { namespace: "sales".into(), ..last.object.clone() },
            ..last.clone()
        };
        assert_eq!(tried.refusal(&elsewhere, now), None, "another namespace is asked about");
        tried.retain(&plan(std::slice::from_ref(&last)), &repository(1));
        assert_eq!(tried.refusal(&last, now), None, "the next pass asks again");
    }
}
