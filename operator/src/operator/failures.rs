//! Operations that the database refused: left out of the batch until they are due again, so that one that always fails
//! neither costs a write each pass nor delays others. One whose change is another now starts afresh.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mailwright_plan::{ObjectRef, Operation, Outcome, Plan, Verdict};

use crate::backoff::{Backoff, chance};

/// An operation apart from its words: the object and the digest of what the database is told.
type Key = (ObjectRef, [u8; 32]);

/// What failed, with the last outcome.
#[derive(Debug, Default)]
pub(super) struct Failures {
    backoff: Backoff<Key>,
    last: BTreeMap<Key, Outcome>,
}

impl Failures {
    /// The operations of a plan that may be tried now, and the last outcomes of the others. What the plan does not ask for
    /// any more is forgotten.
    pub(super) fn due(&mut self, plan: &Plan, now: DateTime<Utc>) -> (Vec<Operation>, Vec<Outcome>) {
        if self.last.is_empty() {
            return (plan.applicable().cloned().collect(), Vec::new());
        }
        let (mut due, mut waiting) = (Vec::new(), BTreeMap::new());
        for operation in plan.applicable() {
            let key = key(operation);
            match self.last.get(&key) {
                Some(outcome) if !self.backoff.is_due(&key, now) => {
                    drop(waiting.insert(key, outcome.clone()))
                }
                Some(outcome) => {
                    waiting.insert(key, outcome.clone());
                    due.push(operation.clone());
                }
                None => due.push(operation.clone()),
            }
        }
        self.backoff.retain(|key| waiting.contains_key(key));
        self.last = waiting;
        let tried: BTreeSet<Key> = due.iter().map(key).collect();
        let outcomes = self.last.iter().filter(|(key, _)| !tried.contains(key));
        (due, outcomes.map(|(_, outcome)| outcome.clone()).collect())
    }

    /// Remembers what failed of a batch, and forgets what worked. Answers what is news: what worked, and what did not fail before.
    pub(super) fn note(
        &mut self,
        operations: &[Operation],
        outcomes: &[Outcome],
        now: DateTime<Utc>,
    ) -> Vec<Outcome> {
        let mut news = Vec::with_capacity(outcomes.len());
        for (operation, outcome) in operations.iter().zip(outcomes) {
            if outcome.verdict == Verdict::Applied {
                if !self.last.is_empty() {
                    let key = key(operation);
                    self.backoff.forget(&key);
                    self.last.remove(&key);
                }
                news.push(outcome.clone());
                continue;
            }
            let key = key(operation);
            self.backoff.failed(key.clone(), now, chance());
            if self.last.insert(key, outcome.clone()).is_none() {
                news.push(outcome.clone());
            }
        }
        news
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.backoff.next_due()
    }
}

fn key(operation: &Operation) -> Key {
    let change = serde_json::to_vec(&operation.change).unwrap_or_default();
    (operation.object.clone(), *blake3::hash(&change).as_bytes())
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};
    use mailwright_plan::{Action, Change, FailureReason, Kind, Risk};

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
    }

    fn operation(name: &str, address: &str) -> Operation {
        Operation {
            action: Action::Disable,
            object: ObjectRef { kind: Kind::Mailbox, namespace: "a".into(), name: name.into() },
            subject: address.into(),
            changes: vec![],
            risk: Risk::Access,
            effect: vec![],
            origin: None,
            change: Change::DisableMailbox { address: address.into() },
            held: None,
        }
    }

    fn plan(operations: &[Operation]) -> Plan {
        Plan { operations: operations.to_vec(), ..Plan::default() }
    }

    fn failed(operation: &Operation) -> Outcome {
        let verdict = Verdict::Failed { reason: FailureReason::Database, message: "no".into() };
        Outcome::of(operation, verdict)
    }

    #[test]
    fn what_fails_waits_alone_and_keeps_its_outcome() {
        let (bad, good) = (operation("bad", "bad@a.test"), operation("good", "good@a.test"));
        let mut failures = Failures::default();
        let both = plan(&[bad.clone(), good.clone()]);
        let (due, outcomes) = failures.due(&both, at(0));
        assert_eq!((due.len(), outcomes.len()), (2, 0));
        failures.note(&due, &[failed(&bad), Outcome::of(&good, Verdict::Applied)], at(0));

        let (due, outcomes) = failures.due(&both, at(0));
        assert_eq!((due, outcomes), (vec![good.clone()], vec![failed(&bad)]));
        let again = failures.next_due().unwrap();
        assert!(again > at(0) && again <= at(0) + Duration::seconds(1));
        let (due, outcomes) = failures.due(&both, again);
        assert_eq!((due.len(), outcomes.len()), (2, 0), "it is tried again when it is due");
        failures.note(std::slice::from_ref(&bad), &[Outcome::of(&bad, Verdict::Applied)], again);
        assert_eq!(failures.next_due(), None);
    }

    #[test]
    fn an_outcome_is_news_once() {
        let (bad, good) = (operation("bad", "bad@a.test"), operation("good", "good@a.test"));
        let other = operation("bad", "other@a.test");
        let applied = |operation: &Operation| Outcome::of(operation, Verdict::Applied);
        let mut failures = Failures::default();
        let mut now = at(0);
        for (what, operations, outcomes, news) in [
            ("both for the first time", vec![&bad, &good], vec![failed(&bad), applied(&good)], 2),
            ("the same failure", vec![&bad], vec![failed(&bad)], 0),
            ("and again", vec![&bad], vec![failed(&bad)], 0),
            ("another change of the object", vec![&other], vec![failed(&other)], 1),
            ("which works at last", vec![&other], vec![applied(&other)], 1),
            ("and fails after that", vec![&other], vec![failed(&other)], 1),
        ] {
            let operations: Vec<Operation> = operations.into_iter().cloned().collect();
            // A pass before it is due tries nothing, and has no news to tell.
            if failures.next_due().is_some_and(|due| due > now) && news == 0 {
                assert_eq!(failures.due(&plan(&operations), now).0, [], "{what}");
            }
            now = failures.next_due().unwrap_or(now).max(now);
            let (due, _) = failures.due(&plan(&operations), now);
            assert_eq!(due, operations, "{what}");
            assert_eq!(failures.note(&due, &outcomes, now).len(), news, "{what}");
        }
    }

    #[test]
    fn another_change_of_the_same_object_is_tried_at_once() {
        let before = operation("bad", "bad@a.test");
        let mut failures = Failures::default();
        failures.note(std::slice::from_ref(&before), &[failed(&before)], at(0));
        let after = operation("bad", "better@a.test");
        let (due, outcomes) = failures.due(&plan(std::slice::from_ref(&after)), at(0));
        assert_eq!((due, outcomes), (vec![after], vec![]));
        assert_eq!(failures.next_due(), None, "the old one is forgotten");
    }
}
