//! Operations that the database refused: left out of the batch until they are due again, so that one that always fails
//! neither costs a write each pass nor delays others. One whose change is another now starts afresh.

use std::borrow::Borrow;
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
    pub(super) fn due<'p>(
        &mut self,
        plan: &'p Plan,
        now: DateTime<Utc>,
    ) -> (Vec<&'p Operation>, Vec<Outcome>) {
        if self.last.is_empty() {
            return (plan.applicable().collect(), Vec::new());
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
                    due.push(operation);
                }
                None => due.push(operation),
            }
        }
        self.backoff.retain(|key| waiting.contains_key(key));
        self.last = waiting;
        let tried: BTreeSet<Key> = due.iter().copied().map(key).collect();
        let outcomes = self.last.iter().filter(|(key, _)| !tried.contains(key));
        (due, outcomes.map(|(_, outcome)| outcome.clone()).collect())
    }

    /// The same of a plan that is applied whole: all of it, or nothing until everything of it is due.
    pub(super) fn due_whole<'p>(
        &mut self,
        plan: &'p Plan,
        now: DateTime<Utc>,
    ) -> (Vec<&'p Operation>, Vec<Outcome>) {
        let (due, waiting) = self.due(plan, now);
        if waiting.is_empty() {
            return (due, waiting);
        }
        let others = due.iter().map(|operation| {
            let before = self.last.get(&key(operation)).cloned();
            before.unwrap_or_else(|| Outcome::of(operation, Verdict::not_alone()))
        });
        let outcomes = others.chain(waiting).collect();
        (Vec::new(), outcomes)
    }

    /// Remembers what failed of a batch by itself, and forgets what worked. Answers which outcomes are news: what worked, and
    /// what did not fail before.
    pub(super) fn note<O: Borrow<Operation>>(
        &mut self,
        operations: &[O],
        outcomes: &[Outcome],
        now: DateTime<Utc>,
    ) -> Vec<usize> {
        let mut news = Vec::with_capacity(outcomes.len());
        for (at, (operation, outcome)) in operations.iter().map(Borrow::borrow).zip(outcomes).enumerate() {
            if outcome.verdict == Verdict::Applied {
                if !self.last.is_empty() {
                    let key = key(operation);
                    self.backoff.forget(&key);
                    self.last.remove(&key);
                }
                news.push(at);
                continue;
            }
            if outcome.verdict.is_for_another() {
                continue;
            }
            let key = key(operation);
            self.backoff.failed(key.clone(), now, chance());
            if self.last.insert(key, outcome.clone()).is_none() {
                news.push(at);
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
            drift: false,
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
        assert_eq!((due, outcomes), (vec![&good], vec![failed(&bad)]));
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
                assert!(failures.due(&plan(&operations), now).0.is_empty(), "{what}");
            }
            now = failures.next_due().unwrap_or(now).max(now);
            let plan = plan(&operations);
            let (due, _) = failures.due(&plan, now);
            assert_eq!(due, operations.iter().collect::<Vec<_>>(), "{what}");
            assert_eq!(failures.note(&due, &outcomes, now).len(), news, "{what}");
        }
    }

    #[test]
    fn another_change_of_the_same_object_is_tried_at_once() {
        let before = operation("bad", "bad@a.test");
        let mut failures = Failures::default();
        failures.note(std::slice::from_ref(&before), &[failed(&before)], at(0));
        let after = operation("bad", "better@a.test");
        let plan = plan(std::slice::from_ref(&after));
        let (due, outcomes) = failures.due(&plan, at(0));
        assert_eq!((due, outcomes), (vec![&after], vec![]));
        assert_eq!(failures.next_due(), None, "the old one is forgotten");
    }

    #[test]
    fn what_is_applied_whole_waits_as_a_whole() {
        let (one, two) = (operation("a", "a@example.test"), operation("b", "b@example.test"));
        let both = plan(&[one.clone(), two.clone()]);
        let mut failures = Failures::default();
        assert_eq!(failures.due_whole(&both, at(0)).0.len(), 2);
        let outcomes = [failed(&one), Outcome::of(&two, Verdict::not_alone())];
        let news = failures.note(&both.operations, &outcomes, at(0));
        assert_eq!(news, [0], "the other is nobody's news");
        let (due, told) = failures.due_whole(&both, at(0));
        assert!(due.is_empty());
        assert_eq!(told.len(), 2);
        assert!(
            told.contains(&failed(&one)) && told.contains(&Outcome::of(&two, Verdict::not_alone())),
            "{told:?}"
        );
        let later = failures.next_due().unwrap();
        assert_eq!(failures.due_whole(&both, later).0.len(), 2);
        let applied = [Outcome::of(&one, Verdict::Applied), Outcome::of(&two, Verdict::Applied)];
        assert_eq!(failures.note(&both.operations, &applied, later).len(), 2);
        assert!(failures.next_due().is_none());
    }
}
